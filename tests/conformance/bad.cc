// A plugin of every compile-side capability with one fault, chosen by the environment variable TENON_FAULT; without one
// it is right. The kit must find each (expected.txt).
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <tenon/c_plugin.h>
#include <tenon/ext/codegen.h>
#include <tenon/ext/frontend.h>
#include <tenon/ext/linker.h>
#include <tenon/ext/op.h>
#include <tenon/ext/pass.h>
#include <time.h>
#include <unistd.h>

#include <cfenv>
#include <cstdint>
#include <thread>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

static bool fault(const char* name) {
  const char* chosen = getenv("TENON_FAULT");
  return chosen && strcmp(chosen, name) == 0;
}

static int g_calls = 0;
static const TnNode* g_borrowed = nullptr;
void* volatile g_leaked = nullptr;  // not static, so that no compiler leaves the calls of malloc out

static int refuse(void* instance, const char* why, TnValue* ret) {
  return ((TnInstance*)instance)->runtime->error(TN_ERROR_UNSUPPORTED, why, "", "", nullptr, ret);
}

static void give(const void* object, int32_t type, TnValue* ret) {
  ret->type_index = type;
  ret->small_size = 0;
  ret->as.p = const_cast<void*>(object);
  tn_value_retain(ret);
}

// ---- Faults that any slot may have. 1 when the slot is to return `*status`.
static int misbehave(void* instance, const TnNode* borrowed, int* status, TnValue* ret) {
  auto* self = (TnInstance*)instance;
  ++g_calls;
  *status = 0;
  if (fault("crash")) abort();
  if (fault("segfault")) raise(SIGSEGV);
  if (fault("exit")) _exit(0);
  if (fault("exit-code")) _exit(7);
  if (fault("hang"))
    for (;;) usleep(1000);
  if (fault("throw")) throw 7;
  if (fault("return-two")) return *status = 2, 1;
  if (fault("no-error")) return *status = -1, 1;
  if (fault("error-code")) return *status = self->runtime->error(77777, "no such code", "", "", nullptr, ret), 1;
  if (fault("error-empty")) return *status = self->runtime->error(TN_ERROR_TYPE, "", "", "", nullptr, ret), 1;
  if (fault("error-as-result")) return self->runtime->error(TN_ERROR_TYPE, "x", "", "", nullptr, ret), 1;
  if (fault("result-untouched")) return 1;
  if (fault("result-borrowed")) return ret->type_index = TN_C_STRING, ret->as.s = "x", 1;
  if (fault("result-type")) return ret->type_index = 40, 1;
  if (fault("leak-bytes")) g_leaked = malloc(10000);
  if (fault("leak-object")) {
    TnValue s;
    self->runtime->string("a string of more than eight bytes", 33, &s);
  }
  if (fault("double-release")) {
    TnValue s;
    self->runtime->string("a string of more than eight bytes", 33, &s);
    if (!borrowed) return 0;
    tn_value_release(&s);
    tn_value_release(&s);
  }
  if (fault("drops-error")) {
    TnValue dropped;
    self->ir->make(self->ir->self, 3999, nullptr, nullptr, 0, &dropped);
  }
  if (fault("writes-node") && borrowed) const_cast<TnNode*>(borrowed)->hash ^= 1;
  if (fault("uses-borrowed")) {
    TnValue tree{TN_NODE, 0, {0}}, key{TN_NONE, 0, {0}};
    tree.as.p = const_cast<TnNode*>(g_borrowed);
    if (g_borrowed) self->ir->content_key(self->ir->self, &tree, &key);
    tn_value_release(&key);
    g_borrowed = borrowed;
  }
  if (fault("keeps-argument") && borrowed) tn_object_retain((TnObject*)&borrowed->header);
  if (fault("rounding")) fesetround(FE_UPWARD);
#if defined(__x86_64__)
  if (fault("flush-to-zero")) _mm_setcsr(_mm_getcsr() | 0x8040);
#endif
  if (fault("locale")) setlocale(LC_ALL, "C.UTF-8");
  if (fault("folder") && chdir("/") != 0) abort();
  if (fault("environment")) setenv("TENON_BAD", "1", 1);
  if (fault("umask")) umask(0123);
  if (fault("signal-handler")) signal(SIGUSR1, SIG_IGN);
  if (fault("signal-mask")) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, nullptr);
  }
  if (fault("stdout")) printf("hello\n");
  if (fault("closes-errors")) close(2);
  if (fault("timer")) {
    const itimerval soon{{0, 0}, {1000, 0}};
    setitimer(ITIMER_REAL, &soon, nullptr);
  }
  if (fault("limit")) {
    rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    --limit.rlim_cur;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  if (fault("priority") && nice(1) < -20) abort();
  if (fault("thread"))
    std::thread([] {
      for (;;) pause();
    }).detach();
  if (fault("child") && fork() == 0) _exit(0);
  if (fault("crash-at-exit")) atexit([] { abort(); });
  if (fault("leak-mapped")) g_leaked = malloc(1 << 20);
  if (fault("open-file") && open("/dev/null", O_RDONLY) < 0) abort();
  return 0;
}

// ---- A pass: fold-add-zero
static bool is_zero(const TnValue* v) {
  const TnNode* n = tn_node_of_kind(v, TN_KIND_ir_IntImm);
  return n && n->slots[1].as.i == 0;
}

static int fold(void* context, const TnNode*, const TnNode* node, TnValue* ret) {
  auto* self = (TnInstance*)context;
  if (fault("wrong-result") && node->kind == TN_KIND_tir_Add) {  // a + b becomes a - b
    return self->ir->make(self->ir->self, TN_KIND_tir_Sub, node->span, node->slots, 3, ret);
  }
  if (fault("wrong-type") && node->kind == TN_KIND_ir_FloatImm) {
    TnValue slots[2] = {node->slots[0], node->slots[1]};
    slots[0].as.dtype.bits = 64;
    return self->ir->make(self->ir->self, TN_KIND_ir_FloatImm, node->span, slots, 2, ret);
  }
  if (fault("differs-by-call") && node->kind == TN_KIND_ir_FloatImm) {
    TnValue slots[2] = {node->slots[0], node->slots[1]};
    slots[1].as.f += 1.0 + g_calls;
    return self->ir->make(self->ir->self, TN_KIND_ir_FloatImm, node->span, slots, 2, ret);
  }
  if (fault("differs-by-process") && node->kind == TN_KIND_ir_FloatImm) {
    TnValue slots[2] = {node->slots[0], node->slots[1]};
    slots[1].as.f += getenv("HOME") && strcmp(getenv("HOME"), "/nonexistent") == 0 ? 1.0 : 0.0;
    return self->ir->make(self->ir->self, TN_KIND_ir_FloatImm, node->span, slots, 2, ret);
  }
  if (fault("differs-by-second") && node->kind == TN_KIND_ir_FloatImm) {
    TnValue slots[2] = {node->slots[0], node->slots[1]};
    slots[1].as.f += (double)(time(nullptr) % 1000);
    return self->ir->make(self->ir->self, TN_KIND_ir_FloatImm, node->span, slots, 2, ret);
  }
  if (node->kind != TN_KIND_tir_Add) return 0;
  int zero = is_zero(&node->slots[2]) ? 2 : is_zero(&node->slots[1]) ? 1 : 0;
  if (zero) give(node->slots[3 - zero].as.p, node->slots[3 - zero].type_index, ret);
  return 0;
}

static int run_function(void* instance, const TnContext*, const char* pass, const char*, const TnNode* function,
                        const TnValue* options, TnValue* ret) {
  auto* self = (TnInstance*)instance;
  int status;
  if (misbehave(instance, function, &status, ret)) return status;
  if (fault("lacks-pass")) return self->runtime->error(TN_ERROR_NOT_FOUND, "no such pass", "", "", nullptr, ret);
  if (strcmp(pass, "fold-add-zero") != 0) return refuse(instance, "there is no such pass", ret);
  if (function->kind != TN_KIND_tir_PrimFunc) {
    if (fault("crash-on-other-kind")) abort();
    return refuse(instance, "it is no loop function", ret);
  }
  const TnValue* depth = tn_map_find(options, "depth");
  if (fault("crash-on-option") && depth && depth->as.i < 0) abort();
  if (fault("crash-without-options") && depth->as.i == 4711) abort();
  if (fault("returns-borrowed-argument")) {
    ret->type_index = TN_NODE, ret->small_size = 0, ret->as.p = const_cast<TnNode*>(function);
    return 0;
  }
  if (fault("drops-attributes")) {
    TnValue slots[4] = {function->slots[0], function->slots[1], function->slots[2], function->slots[3]};
    TnValue pair[2] = {{TN_C_STRING, 0, {0}}, {TN_NONE, 0, {0}}};
    const TnValue* name = tn_map_find(&slots[1], "global_symbol");
    pair[0].as.s = "global_symbol";
    if (name) pair[1] = *name;
    self->runtime->map(pair, name ? 1 : 0, &slots[1]);
    status = self->ir->make(self->ir->self, function->kind, function->span, slots, 4, ret);
    tn_value_release(&slots[1]);
    return status;
  }
  if (fault("counts-without-lock")) {  // two calls at once see each other
    static volatile int inside = 0;
    if (inside) abort();
    inside = 1;
    usleep(2000);
    inside = 0;
  }
  TnValue tree = {TN_NODE, 0, {0}};
  tree.as.p = const_cast<TnNode*>(function);
  return self->ir->rewrite(self->ir->self, &tree, &fold, self, ret);
}

// ---- An operator: com.bad.twice(x) = x + x
static const TnNode* tensor_type(const TnNode* call) {
  const TnArray* args = call->kind == TN_KIND_ir_Call ? tn_array_slot(call, 2) : nullptr;
  if (!args || args->size != 1) return nullptr;
  const TnNode* t = tn_node_of_kind(&tn_item(args, 0)->slots[0], TN_KIND_relax_TensorType);
  return t && t->slots[0].type_index == TN_ARRAY && t->slots[1].type_index == TN_DTYPE ? t : nullptr;
}

static int infer_type(void* instance, const TnContext*, const TnNode* call, TnValue* ret) {
  auto* self = (TnInstance*)instance;
  const TnNode* type = tensor_type(call);
  if (fault("op-crash-on-uint8") && type && type->slots[1].as.dtype.code == kDLUInt &&
      type->slots[1].as.dtype.bits == 8)
    abort();
  if (fault("op-crash-on-scalars") && type && type->slots[2].as.i == 0) abort();
  if (fault("op-crash-on-half") && type && type->slots[1].as.dtype.bits == 16) abort();
  if (!type || type->slots[1].as.dtype.code != kDLFloat || type->slots[1].as.dtype.bits < 32 ||
      type->slots[2].as.i != 2)
    return refuse(instance, "takes a tensor of float32 or float64 of rank 2", ret);
  if (fault("op-type")) {  // says another shape than it computes
    TnValue slots[4] = {type->slots[0], type->slots[1], type->slots[2], type->slots[3]};
    slots[1].as.dtype.bits = 96 - slots[1].as.dtype.bits;
    return self->ir->make(self->ir->self, type->kind, nullptr, slots, 4, ret);
  }
  give(type, TN_NODE, ret);
  return 0;
}

static int compute(void* instance, const TnContext*, const TnNode* call, TnValue* ret) {
  auto* self = (TnInstance*)instance;
  const TnNode* type = tensor_type(call);
  if (!type) return refuse(instance, "takes a tensor", ret);
  char text[600];
  int bits = type->slots[1].as.dtype.bits;
  int n = snprintf(text, sizeof text,
                   "@T.prim_func\ndef twice(x: T.handle, y: T.handle):\n    n, m = T.int64(), T.int64()\n"
                   "    X = T.match_buffer(x, (n, m), \"float%d\")\n    Y = T.match_buffer(y, (n, m), \"float%d\")\n"
                   "    for i, j in T.grid(n, m):\n        with T.block(\"twice\"):\n"
                   "            vi, vj = T.axis.remap(\"SS\", [i, j])\n            Y[vi, vj] = X[vi, vj] + X[vi, vj]\n",
                   bits, bits);
  TnValue module;
  if (self->ir->parse(self->ir->self, text, (size_t)n, "twice", &module) != 0) return *ret = module, -1;
  const TnValue* f = tn_map_find(&((const TnNode*)module.as.object)->slots[2], "twice");
  give(f->as.p, f->type_index, ret);
  tn_value_release(&module);
  return 0;
}

// ---- A frontend: the letters "ok" are the model y = x
static int import_model(void* instance, const TnContext*, const TnModelSource* source, const TnValue*, TnValue* ret) {
  auto* self = (TnInstance*)instance;
  if (fault("frontend-crash") && source->data_size == 1) abort();
  if (fault("frontend-hang") && source->data_size == 1)
    for (;;) usleep(1000);
  if (fault("frontend-keeps-model")) {
    static const char* kept = nullptr;
    if (kept && *(const volatile char*)kept == 0) return refuse(self, "the model before began with 0", ret);
    kept = source->data_size ? source->data : kept;
  }
  if (fault("frontend-needs-end") && strlen(source->data) > source->data_size + 1) return refuse(self, "no end", ret);
  if (fault("frontend-writes") && source->data_size) *const_cast<char*>(source->data) = 'o';
  if (fault("frontend-accepts")) return give(self, TN_NONE, ret), 0;
  if (source->data_size < 2 || memcmp(source->data, "ok", 2) != 0)
    return self->runtime->error(TN_ERROR_CORRUPT, "the model does not begin with ok", source->name, "", nullptr, ret);
  const char* text = "@R.function\ndef main(x: R.Tensor((2,), \"float32\")):\n    return x\n";
  return self->ir->parse(self->ir->self, text, strlen(text), source->name, ret);
}

// ---- A linker that cannot link anything
static int link_objects(void* instance, const TnContext*, const TnValue*, const char*, TnValue* ret) {
  if (fault("links-nothing")) return give(instance, TN_NONE, ret), 0;
  return refuse(instance, "this linker links nothing", ret);
}

static const TnPass pass_table = {sizeof(TnPass), nullptr, &run_function};
static const TnPass empty_table = {sizeof(TnPass), nullptr, nullptr};
static const TnPass sizeless_table = {3, nullptr, &run_function};
static const TnOp op_table = {sizeof(TnOp), &infer_type, &compute, nullptr};
static const TnFrontend frontend_table = {sizeof(TnFrontend), &import_model};
static const TnLinker linker_table = {sizeof(TnLinker), &link_objects};

static int create(const TnHost* host, void** instance, TnValue* ret) {
  if (fault("create-fails")) return host->runtime->error(TN_ERROR_DEVICE, "no device", "", "", nullptr, ret);
  if (fault("create-size") && host->size != sizeof(TnHost)) abort();
  if (fault("create-leaks")) g_leaked = malloc(64);
  if (fault("create-needs-services") && !host->service(host->self, "tenon.executor/1")) abort();
  if (fault("create-once")) {
    static int made = 0;
    if (made++) return host->runtime->error(TN_ERROR_INTERNAL, "there is an instance already", "", "", nullptr, ret);
  }
  return tn_instance_create(host, instance, ret);
}

static void destroy(void* instance) {
  if (fault("destroy-crashes")) abort();
  free(instance);
}

static const void* capability(void*, const char* id) {
  if (fault("answers-everything")) return &pass_table;
  if (fault("answers-newer") && strncmp(id, "tenon.pass/", 11) == 0) return &pass_table;
  if (fault("no-slots") && strcmp(id, TN_PASS) == 0) return &empty_table;
  if (fault("table-size") && strcmp(id, TN_PASS) == 0) return &sizeless_table;
  if (fault("lacks-capability") && strcmp(id, TN_PASS) == 0) return nullptr;
  if (strcmp(id, TN_PASS) == 0) return &pass_table;
  if (strcmp(id, TN_OP) == 0) return &op_table;
  if (strcmp(id, TN_FRONTEND) == 0) return &frontend_table;
  if (strcmp(id, TN_LINKER) == 0) return &linker_table;
  return nullptr;
}

#ifndef ID
#define ID "com.bad.plugin"
#endif
static const TnPlugin table = {sizeof(TnPlugin), TN_ABI_VERSION, TN_IR_VOCABULARY, ID,
                               "0.1.0",          &create,        &destroy,         &capability};
extern "C" TN_EXPORT const TnPlugin* tenon_plugin(void) { return &table; }
#ifdef MORE_EXPORTS
extern "C" TN_EXPORT int another_symbol(void);
int another_symbol(void) { return g_calls; }
#endif
