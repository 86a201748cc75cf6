// A pass that breaks one rule of the contract in each way that its option names. The way is named after its rule.
#include <fenv.h>
#include <locale.h>
#include <signal.h>
#include <sys/mman.h>
#include <tenon/ext/arith.h>
#include <tenon/ext/codegen.h>
#include <tenon/ext/draft/instrument.h>
#include <tenon/ext/draft/kind.h>
#include <tenon/ext/draft/loader.h>
#include <tenon/ext/draft/onnx_converter.h>
#include <tenon/ext/draft/partitioner.h>
#include <tenon/ext/pass.h>
#include <tenon/ext/plugins.h>
#include <tenon/runtime.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <utility>

namespace {

struct Instance {
  const TnHost* host;
  const TnRuntime* rt;
  const TnHostIr* ir;
  const TnHostArith* arith;
  TnPass* table;  // in a page of its own
  TnPass second;  // E4
  bool other_table = false;
  const TnNode* kept = nullptr;
  const TnContext* context = nullptr;
};

// Kept beyond the instance, which is what E9 forbids.
const TnHost* old_host = nullptr;
const TnHostIr* old_ir = nullptr;

struct Call {
  Instance& self;
  const TnContext* context;
  const TnNode* module;
  const TnValue* options;
  TnValue* ret;
  const TnRuntime* rt = self.rt;
  const TnHostIr* ir = self.ir;

  TnValue value(const TnNode* n) const {
    TnValue v{TN_NODE, 0, {0}};
    v.as.p = const_cast<TnNode*>(n);
    return v;
  }
  TnValue integer(int64_t i) const { return {TN_INT, 0, {i}}; }
  TnValue string(const char* s) const {
    TnValue v;
    rt->string(s, std::strlen(s), &v);
    return v;
  }
  // An ir.IntImm.
  TnValue number(int64_t i) const {
    TnValue slots[2] = {{TN_DTYPE, 0, {0}}, integer(i)}, v;
    slots[0].as.dtype = {kDLInt, 64, 1};
    ir->make(ir->self, TN_KIND_ir_IntImm, nullptr, slots, 2, &v);
    return v;
  }
  // The module as it was.
  int same() const {
    *ret = value(module);
    tn_value_retain(ret);
    return 0;
  }
  // Another module like it.
  int fresh() const {
    TnValue slots[4];
    std::memcpy(slots, module->slots, sizeof slots);
    return ir->make(ir->self, TN_KIND_ir_Module, nullptr, slots, 4, ret);
  }
  const TnNode* function() const {
    auto* functions = reinterpret_cast<const TnMap*>(module->slots[2].as.object);
    return reinterpret_cast<const TnNode*>(functions->data[0].value.as.object);
  }
  TnAnalyzer* analyzer() const { return self.arith->create(self.arith->self); }
};

TnValue forged(const Call& c) {
  size_t bytes = offsetof(TnNode, slots) + 4 * sizeof(TnValue);
  auto* copy = static_cast<TnNode*>(std::calloc(1, bytes));
  std::memcpy(static_cast<void*>(copy), c.module, bytes);
  copy->header.counts = (uint64_t{1} << 32) | 100;
  copy->header.deleter = [](void*, int) {};
  return c.value(copy);
}
void print(const Call& c, const TnValue& tree) {
  TnValue none{TN_NONE, 0, {0}}, text{TN_NONE, 0, {0}};
  c.ir->print(c.ir->self, &tree, &none, &text);
  tn_value_release(&text);
}
int walk(const Call& c, TnVisit visit) {
  TnValue tree = c.value(c.module), result{TN_NONE, 0, {0}};
  c.ir->walk(c.ir->self, &tree, visit, nullptr, nullptr, &result);
  tn_value_release(&result);
  return c.same();
}
int rewrite(const Call& c, TnRewrite f) {
  TnValue tree = c.value(c.module), result{TN_NONE, 0, {0}};
  c.ir->rewrite(c.ir->self, &tree, f, nullptr, &result);
  tn_value_release(&result);
  return c.same();
}
int parallel(const Call& c, TnTask task, void* data) {
  TnValue result{TN_NONE, 0, {0}};
  c.rt->set_thread_count(2);
  if (c.rt->parallel_for(task, data, 2, &result) != 0) tn_value_release(&result);
  return c.same();
}
// Both tasks are there at the same time.
void meet(std::atomic<int>& arrived) {
  ++arrived;
  while (arrived < 2) std::this_thread::yield();
}

struct Way {
  std::string_view name;
  int (*run)(const Call& c);
};
#define C const Call& c
const Way kWays[] = {
    {"none", [](C) { return c.same(); }},
    {"fresh", [](C) { return c.fresh(); }},

    {"E3_changed", [](C) { return c.self.table->size -= 8, c.same(); }},
    {"E3_gone", [](C) { return munmap(c.self.table, 4096), c.self.table = nullptr, c.same(); }},
    {"E4_table", [](C) { return c.self.other_table = true, c.same(); }},
    {"E7_host", [](C) { return const_cast<TnHost*>(c.self.host)->service = nullptr, c.same(); }},
    {"E7_service", [](C) { return const_cast<TnHostIr*>(c.ir)->renew = nullptr, c.same(); }},
    {"E8_null",
     [](C) {
       TnValue tree = c.value(c.module), out{TN_NONE, 0, {0}};
       c.ir->renew(nullptr, &tree, &out);
       return tn_value_release(&out), c.same();
     }},
    {"E8_other",
     [](C) {
       TnValue tree = c.value(c.module), out{TN_NONE, 0, {0}};
       c.ir->renew(&c.self, &tree, &out);
       return tn_value_release(&out), c.same();
     }},
    {"E9_host", [](C) { return (void)old_host->service(old_host->self, TN_HOST_IR), c.same(); }},
    {"E9_service", [](C) { return (void)old_ir->find_kind(old_ir->self, "tir.For/1"), c.same(); }},

    {"T1_analyzer",
     [](C) {
       struct Data {
         const Call& c;
         TnAnalyzer* a;
         TnValue n;
         std::atomic<int> arrived{0};
       } d{c, c.analyzer(), c.number(3)};
       parallel(
           c,
           [](void* data, int32_t, int32_t, TnValue*) {
             auto* d = static_cast<Data*>(data);
             meet(d->arrived);
             for (int i = 0; i < 5000; ++i) {
               int64_t min, max;
               d->c.self.arith->bounds(d->a, reinterpret_cast<const TnNode*>(d->n.as.object), &min, &max);
             }
             return 0;
           },
           &d);
       tn_value_release(&d.n);
       c.self.arith->destroy(d.a);
       return 0;
     }},
    {"T2_threads",
     [](C) {
       return parallel(
           c,
           [](void* data, int32_t, int32_t, TnValue*) {
             static_cast<const Call*>(data)->rt->set_thread_count(3);
             return 0;
           },
           const_cast<Call*>(&c));
     }},
    {"T3_scratch",
     [](C) {
       struct Data {
         const Call& c;
         void* memory;
         std::thread::id owner;
         std::atomic<int> arrived{0};
       } d{c, c.rt->workspace_alloc(100), std::this_thread::get_id()};
       return parallel(
           c,
           [](void* data, int32_t, int32_t, TnValue*) {
             auto* d = static_cast<Data*>(data);
             meet(d->arrived);
             if (std::this_thread::get_id() != d->owner) d->c.rt->workspace_free(d->memory);
             return 0;
           },
           &d);
     }},

    {"O1_keep", [](C) { return c.self.kept = c.module, c.fresh(); }},
    {"O1_use", [](C) { return print(c, c.value(c.self.kept)), c.same(); }},
    {"O2_node",
     [](C) {
       TnValue n = c.number(1);
       tn_value_release(&n);
       return print(c, n), c.same();
     }},
    {"O2_element",
     [](C) {
       TnValue s = c.string("a text that is long enough"), array{TN_NONE, 0, {0}};
       tn_value_release(&s);
       c.rt->array(&s, 1, &array);
       return tn_value_release(&array), c.same();
     }},
    {"O2_slot",
     [](C) {
       TnValue slots[2] = {c.number(1), c.number(2)}, range{TN_NONE, 0, {0}};
       tn_value_release(&slots[1]);
       c.ir->make(c.ir->self, TN_KIND_ir_Range, nullptr, slots, 2, &range);
       return tn_value_release(&range), tn_value_release(&slots[0]), c.same();
     }},
    {"O2_analyzed",
     [](C) {
       TnAnalyzer* a = c.analyzer();
       TnValue n = c.number(1);
       tn_value_release(&n);
       c.self.arith->can_prove(a, reinterpret_cast<const TnNode*>(n.as.object));
       return c.self.arith->destroy(a), c.same();
     }},
    {"O2_result",
     [](C) {
       c.fresh();
       tn_value_release(c.ret);
       return 0;
     }},
    {"O3_node",
     [](C) {
       TnValue n = c.number(1);
       return tn_value_release(&n), tn_value_release(&n), c.same();
     }},
    {"O3_string",
     [](C) {
       TnValue s = c.string("text");
       return tn_value_release(&s), tn_value_release(&s), c.same();
     }},
    {"O3_element",
     [](C) {
       TnValue s = c.string("text"), array;
       c.rt->array(&s, 1, &array);
       tn_value_release(&s);
       tn_value_release(&s);  // the array's
       return tn_value_release(&array), c.same();
     }},
    {"O4_module", [](C) { return tn_object_release(const_cast<TnObject*>(&c.module->header)), c.fresh(); }},
    {"O4_options", [](C) { return tn_value_release(c.options), c.same(); }},
    {"O5_result", [](C) { return *c.ret = c.value(c.module), 0; }},
    {"O5_callback",
     [](C) {
       return rewrite(c, [](void*, const TnNode*, const TnNode* rebuilt, TnValue* ret) {
         *ret = {TN_NODE, 0, {0}};
         ret->as.p = const_cast<TnNode*>(rebuilt);
         return 0;
       });
     }},
    {"O6_string", [](C) { return c.string("text"), c.same(); }},
    {"O6_node", [](C) { return c.number(7), c.same(); }},
    {"O6_error",
     [](C) {
       TnValue e;
       return c.rt->error(TN_ERROR_TYPE, "made and left", nullptr, nullptr, nullptr, &e), c.same();
     }},
    {"O6_tensor",
     [](C) {
       TnValue t;
       int64_t shape = 4;
       return c.rt->tensor({kDLCPU, 0}, {kDLFloat, 32, 1}, 1, &shape, &t), c.same();
     }},
    {"O7_module", [](C) { return tn_object_retain(const_cast<TnObject*>(&c.module->header)), c.fresh(); }},
    {"O7_options", [](C) { return tn_value_retain(c.options), c.same(); }},
    {"O8_kept", [](C) { return c.rt->workspace_alloc(64), c.same(); }},
    {"O8_foreign",
     [](C) {
       void* memory = std::malloc(64);
       return c.rt->workspace_free(memory), std::free(memory), c.same();
     }},
    {"O8_twice",
     [](C) {
       void* memory = c.rt->workspace_alloc(64);
       return c.rt->workspace_free(memory), c.rt->workspace_free(memory), c.same();
     }},
    {"O9_keep", [](C) { return c.self.context = c.context, c.same(); }},
    {"O9_report",
     [](C) {
       return c.self.context->report(c.self.context->self, TN_SEVERITY_NOTE, "late", nullptr, nullptr), c.same();
     }},
    {"O9_signature",
     [](C) {
       TnValue v{TN_NONE, 0, {0}};
       c.self.context->signature(c.self.context->self, "kernel", &v);
       return tn_value_release(&v), c.same();
     }},

    {"F1_slot", [](const Call&) -> int { throw std::runtime_error("out of cheese"); }},
    {"F1_walk",
     [](C) { return walk(c, [](void*, const TnNode*, TnValue*) -> int { throw std::runtime_error("in a walk"); }); }},
    {"F1_rewrite", [](C) { return rewrite(c, [](void*, const TnNode*, const TnNode*, TnValue*) -> int { throw 7; }); }},
    {"F1_task",
     [](C) {
       return parallel(
           c, [](void*, int32_t, int32_t, TnValue*) -> int { throw std::runtime_error("in a task"); }, nullptr);
     }},
    {"F2_status", [](C) { return c.same(), 3; }},
    {"F3_nothing", [](C) { return (void)c, -1; }},
    {"F3_value", [](C) { return c.same(), -1; }},
    {"F4_code", [](C) { return c.rt->error(99, "a code of its own", nullptr, nullptr, nullptr, c.ret); }},
    {"F4_message", [](C) { return c.rt->error(TN_ERROR_TYPE, "", nullptr, nullptr, nullptr, c.ret); }},
    {"F5_error", [](C) { return c.rt->error(TN_ERROR_TYPE, "returned with 0", nullptr, nullptr, nullptr, c.ret), 0; }},
    {"F6_dropped",
     [](C) {
       TnValue e;
       c.ir->make(c.ir->self, 3999, nullptr, nullptr, 0, &e);
       return c.same();
     }},
    {"F7_status", [](C) { return walk(c, [](void*, const TnNode*, TnValue*) { return 5; }); }},
    {"F7_error", [](C) { return walk(c, [](void*, const TnNode*, TnValue*) { return -1; }); }},

    {"V1_text", [](C) { return *c.ret = {TN_C_STRING, 0, {0}}, c.ret->as.s = "borrowed", 0; }},
    {"V2_type", [](C) { return *c.ret = {60, 0, {0x1234}}, 0; }},
    {"V2_address", [](C) { return *c.ret = {TN_STRING, 0, {0x10}}, 0; }},
    {"V2_null", [](C) { return *c.ret = {TN_NODE, 0, {0}}, 0; }},
    {"V2_bool", [](C) { return *c.ret = {TN_BOOL, 0, {77}}, 0; }},
    {"V2_small", [](C) { return *c.ret = {TN_SMALL_STRING, 200, {0}}, 0; }},
    {"V2_label", [](C) { return c.same(), c.ret->type_index = TN_MAP, tn_value_release(c.ret), 0; }},
    {"V2_argument", [](C) { return print(c, TnValue{TN_ARRAY, 0, {0x33}}), c.same(); }},
    {"V3_node",
     [](C) {
       TnValue v{TN_NONE, 0, {0}};
       return c.ir->verify(c.ir->self, nullptr, &v), tn_value_release(&v), c.same();
     }},
    {"V3_value",
     [](C) {
       TnValue v{TN_NONE, 0, {0}};
       return c.ir->renew(c.ir->self, nullptr, &v), tn_value_release(&v), c.same();
     }},
    {"V3_text",
     [](C) {
       TnValue v{TN_NONE, 0, {0}};
       return c.rt->string(nullptr, 4, &v), tn_value_release(&v), c.same();
     }},
    {"V3_message",
     [](C) { return c.context->report(c.context->self, TN_SEVERITY_NOTE, nullptr, nullptr, nullptr), c.same(); }},
    {"V3_service", [](C) { return (void)c.self.host->service(c.self.host->self, nullptr), c.same(); }},
    {"V4_callback",
     [](C) {
       return rewrite(c, [](void*, const TnNode*, const TnNode*, TnValue* ret) { return *ret = {TN_INT, 0, {3}}, 0; });
     }},
    {"V5_severity", [](C) { return c.context->report(c.context->self, 9, "loud", nullptr, nullptr), c.same(); }},

    {"N1_kind", [](C) { return const_cast<TnNode*>(c.function())->kind = TN_KIND_relax_Function, c.same(); }},
    {"N1_slot",
     [](C) {
       auto* slots = const_cast<TnValue*>(c.module->slots);
       std::swap(slots[0], slots[2]);  // two maps
       return c.same();
     }},
    {"N1_deep",
     [](C) {
       auto* params = reinterpret_cast<const TnArray*>(c.function()->slots[0].as.object);
       auto* param = reinterpret_cast<TnNode*>(params->data[0].as.object);
       return param->hash ^= 1, c.same();
     }},
    {"N2_map",
     [](C) {
       auto* entry = const_cast<TnMapEntry*>(reinterpret_cast<const TnMap*>(c.options->as.object)->data);
       std::swap(entry->key, entry->value);
       return c.same();
     }},
    {"N2_string",
     [](C) {
       auto* key =
           reinterpret_cast<TnString*>(reinterpret_cast<const TnMap*>(c.options->as.object)->data->key.as.object);
       return const_cast<char*>(key->data)[0] ^= 1, c.same();
     }},
    {"N3_argument", [](C) { return print(c, forged(c)), c.same(); }},
    {"N3_result", [](C) { return *c.ret = forged(c), 0; }},

    {"S1_after",
     [](C) {
       TnAnalyzer* a = c.analyzer();
       c.self.arith->destroy(a);
       return c.self.arith->leave_constraint(a), c.same();
     }},
    {"S1_twice",
     [](C) {
       TnAnalyzer* a = c.analyzer();
       return c.self.arith->destroy(a), c.self.arith->destroy(a), c.same();
     }},
    {"S2_leave",
     [](C) {
       TnAnalyzer* a = c.analyzer();
       return c.self.arith->leave_constraint(a), c.self.arith->destroy(a), c.same();
     }},
    {"S3_left", [](C) { return c.analyzer(), c.same(); }},

    {"P1_rounding", [](C) { return fesetround(FE_UPWARD), c.same(); }},
    {"P2_locale", [](C) { return setlocale(LC_ALL, "C.UTF-8"), c.same(); }},
    {"P2_directory", [](C) { return chdir("/") == 0 ? c.same() : -1; }},
    {"P2_signals",
     [](C) {
       sigset_t set;
       sigemptyset(&set);
       sigaddset(&set, SIGUSR1);
       return pthread_sigmask(SIG_BLOCK, &set, nullptr), c.same();
     }},
};
#undef C

// ---- Slots of other capabilities, each of which does what it is asked to; the pass calls them in the place of the
// host

thread_local std::string_view asked;  // the rule that the next slot breaks; "" for none
thread_local const TnRuntime* runtime = nullptr;
char thing;  // what is made: anything at an address

bool is_asked(std::string_view rule) { return asked == rule; }
int deed(TnValue* ret) {
  *ret = {TN_NONE, 0, {0}};
  if (is_asked("F1")) throw std::runtime_error("out of cheese");
  if (is_asked("F2")) return 3;
  if (is_asked("F3")) return -1;
  if (is_asked("F4")) return runtime->error(99, "a code of its own", nullptr, nullptr, nullptr, ret);
  if (is_asked("F5")) return runtime->error(TN_ERROR_TYPE, "returned with 0", nullptr, nullptr, nullptr, ret), 0;
  if (is_asked("V2")) return *ret = {60, 0, {0x1234}}, 0;
  if (is_asked("P1")) return fesetround(FE_UPWARD), 0;
  return 0;
}
int make(void** made, TnValue* ret) { return *made = is_asked("V4") ? nullptr : &thing, deed(ret); }
int list(void*, TnValue* ret) {
  int status = deed(ret);
  if (is_asked("V4")) return *ret = {TN_INT, 0, {1}}, 0;
  return status == 0 && ret->type_index == TN_NONE ? runtime->array(nullptr, 0, ret) : status;
}
void end(void*) {
  if (is_asked("F1")) throw std::runtime_error("out of cheese");
}

const TnPartitioner kPartitioner = {
    sizeof(TnPartitioner), [](void*, const TnContext*, const char*, const TnNode*, TnValue* ret) { return deed(ret); }};
const TnKind kKind = {sizeof(TnKind), [](void*, const TnContext*, const TnNode*, TnValue* ret) { return deed(ret); }};
const TnInstrument kInstrument = {
    sizeof(TnInstrument),
    [](void*, const TnContext*, const TnValue*, const TnNode*, TnValue* ret) { return deed(ret); },
    [](void*, const TnContext*, const TnValue*, const TnNode*, const TnNode*, TnValue* ret) { return deed(ret); }};
const TnOnnxConverter kConverter = {sizeof(TnOnnxConverter),
                                    [](void*, const TnContext*, const TnValue*, TnValue* ret) { return deed(ret); }};
const TnDeviceApi kDevice = {sizeof(TnDeviceApi),
                             &list,
                             [](void*, const char*, void** device, TnValue* ret) { return make(device, ret); },
                             &end,
                             [](void*, int32_t, uint64_t, void** memory, TnValue* ret) { return make(memory, ret); },
                             [](void*, int32_t, void* memory) { end(memory); },
                             [](void*, void** queue, TnValue* ret) { return make(queue, ret); },
                             &end,
                             [](void*, const void*, void*, uint64_t, uint64_t, TnValue* ret) { return deed(ret); },
                             [](void*, void*, uint64_t, void*, uint64_t, TnValue* ret) { return deed(ret); },
                             [](void*, void*, uint64_t, void*, uint64_t, uint64_t, TnValue* ret) { return deed(ret); },
                             [](void*, void** fence, TnValue* ret) { return make(fence, ret); },
                             &end,
                             [](void*, void*, uint64_t, TnValue* ret) { return deed(ret); },
                             [](void*, void*, uint64_t, TnValue* ret) { return deed(ret); },
                             [](void*, uint64_t, int64_t, TnValue* ret) { return deed(ret); },
                             [](void*, uint64_t, TnValue* ret) { return deed(ret); },
                             [](void*, TnValue* ret) { return deed(ret); }};
const char* const kFormats[] = {"violator/1", nullptr};
const TnLoader kLoader = {
    sizeof(TnLoader),
    kFormats,
    [](void*, const char*, const TnValue*, const TnValue*, int32_t* answer, TnValue* ret) {
      return *answer = is_asked("V5") ? 9 : int32_t{TN_ACCEPT_BEST}, deed(ret);
    },
    [](void*, const TnPayload*, const TnLoadTarget*, void** module, TnValue* ret) { return make(module, ret); },
    &end,
    [](void*, const char*, TnLoadedFunction* function, TnValue* ret) {
      return function->function = is_asked("V4") ? nullptr : &thing, deed(ret);
    },
    [](void*, void*, void*, const TnValue*, int32_t, TnValue* ret) { return deed(ret); }};

// What a slot is called with, as a host would.
struct Host {
  const Call& c;
  std::string_view rule;
  TnValue ret{TN_NONE, 0, {0}}, none{TN_NONE, 0, {0}};
  void *device = nullptr, *queue = nullptr, *fence = nullptr, *memory = nullptr, *module = nullptr;
  void* kept[5] = {};
  char bytes[8] = {};

  template <class Table>
  const Table* open(const char* id, void** instance) {
    auto* plugins = static_cast<const TnHostPlugins*>(c.self.host->service(c.self.host->self, TN_HOST_PLUGINS));
    TnProvided provided{};
    if (plugins->open(plugins->self, "violator", id, &provided, &ret) != 0) drop();
    *instance = provided.instance;
    return static_cast<const Table*>(provided.table);
  }
  void drop() {
    tn_value_release(&ret);
    ret = none;
  }
  // The call that is asked to break the rule, and one that is not.
  template <class F>
  void broken(F&& f) {
    asked = rule;
    f();
    asked = {};
    drop();
  }
  template <class F>
  void right(F&& f) {
    f();
    drop();
  }
};

void call_slot(Host& h, std::string_view slot) {
  void* i = nullptr;
  const TnNode* node = h.c.module;
  auto is = [&](std::string_view name) { return slot == name; };
  if (is("decide")) {
    auto* t = h.open<TnPartitioner>(TN_PARTITIONER, &i);
    return h.broken([&] { t->decide(i, h.c.context, "row", node, &h.ret); });
  }
  if (is("lower")) {
    auto* t = h.open<TnKind>(TN_KIND, &i);
    return h.broken([&] { t->lower(i, h.c.context, node, &h.ret); });
  }
  if (is("before") || is("after")) {
    auto* t = h.open<TnInstrument>(TN_INSTRUMENT, &i);
    return h.broken([&] {
      if (is("before"))
        t->before_pass(i, h.c.context, h.c.options, node, &h.ret);
      else
        t->after_pass(i, h.c.context, h.c.options, node, node, &h.ret);
    });
  }
  if (is("convert")) {
    auto* t = h.open<TnOnnxConverter>(TN_ONNX_CONVERTER, &i);
    return h.broken([&] { t->convert(i, h.c.context, h.c.options, &h.ret); });
  }
  auto* d = h.open<TnDeviceApi>(TN_DEVICE_API, &i);
  if (is("list")) return h.broken([&] { d->list(i, &h.ret); });
  if (is("open")) return h.broken([&] { d->open(i, "violator:0", &h.device, &h.ret); });
  h.right([&] { d->open(i, "violator:0", &h.device, &h.ret); });
  if (is("alloc")) h.broken([&] { d->alloc(h.device, 0, 8, &h.memory, &h.ret); });
  if (is("free")) h.broken([&] { d->free(h.device, 0, &thing); });
  if (is("queue_create")) h.broken([&] { d->queue_create(h.device, &h.kept[0], &h.ret); });
  if (is("fence_create")) h.broken([&] { d->fence_create(h.device, &h.kept[1], &h.ret); });
  h.right([&] { d->queue_create(h.device, &h.queue, &h.ret); });
  h.right([&] { d->fence_create(h.device, &h.fence, &h.ret); });
  if (is("copy_in")) h.broken([&] { d->copy_in(h.queue, h.bytes, &thing, 0, 8, &h.ret); });
  if (is("copy_out")) h.broken([&] { d->copy_out(h.queue, &thing, 0, h.bytes, 8, &h.ret); });
  if (is("copy_within")) h.broken([&] { d->copy_within(h.queue, &thing, 0, &thing, 0, 8, &h.ret); });
  if (is("queue_wait")) h.broken([&] { d->queue_wait(h.queue, h.fence, 1, &h.ret); });
  if (is("queue_signal")) h.broken([&] { d->queue_signal(h.queue, h.fence, 1, &h.ret); });
  if (is("fence_wait")) h.broken([&] { d->fence_wait(h.fence, 1, 0, &h.ret); });
  if (is("fence_signal")) h.broken([&] { d->fence_signal(h.fence, 1, &h.ret); });
  if (is("queue_cancel")) h.broken([&] { d->queue_cancel(h.queue, &h.ret); });
  auto* l = h.open<TnLoader>(TN_LOADER, &i);
  int32_t answer = 0;
  if (is("accepts")) h.broken([&] { l->accepts(i, "violator/1", &h.none, &h.none, &answer, &h.ret); });
  TnPayload payload{};
  TnLoadTarget target{sizeof target, "violator:0", d, h.device};
  if (is("load")) h.broken([&] { l->load(i, &payload, &target, &h.kept[2], &h.ret); });
  h.right([&] { l->load(i, &payload, &target, &h.module, &h.ret); });
  TnLoadedFunction f{sizeof f, nullptr, 0, 0};
  if (is("function")) h.broken([&] { l->function(h.module, "f", &f, &h.ret); });
  if (is("launch")) h.broken([&] { l->launch(h.module, &thing, h.queue, nullptr, 0, &h.ret); });
  auto end = [&](const char* name, void (*slot_of)(void*), void* of) {
    if (is(name))
      h.broken([&] { slot_of(of); });
    else
      slot_of(of);
  };
  end("unload", l->unload, h.module);
  end("fence_destroy", d->fence_destroy, h.fence);
  end("queue_destroy", d->queue_destroy, h.queue);
  end("close", d->close, h.device);
}

int run_module(void* instance, const TnContext* context, const char*, const TnNode* module, const TnValue* options,
               TnValue* ret) {
  const TnValue* way = tn_map_find(options, "way");
  auto* text = reinterpret_cast<const TnString*>(way->as.object);
  Call c{*static_cast<Instance*>(instance), context, module, options, ret};
  for (const Way& w : kWays)
    if (w.name == std::string_view(text->data, text->size)) return w.run(c);
  // "F1:decide": the rule, and the slot of another capability that breaks it.
  std::string_view said(text->data, text->size);
  if (size_t colon = said.find(':'); colon != std::string_view::npos) {
    runtime = c.rt;
    Host host{c, said.substr(0, colon)};
    call_slot(host, said.substr(colon + 1));
    return c.same();
  }
  return c.rt->error(TN_ERROR_NOT_FOUND, "there is no such way", nullptr, nullptr, nullptr, ret);
}

const TnCodegen kSmall = {8, nullptr};  // E5: a table without room for a slot

const char* asked_of_create() {
  const char* way = std::getenv("VIOLATE_CREATE");
  return way ? way : "";
}

int create(const TnHost* host, void** instance, TnValue* ret) {
  std::string_view way = asked_of_create();
  if (way == "E6_instance") return 0;
  if (way == "F3_create") return -1;
  if (way == "F1_create") throw std::runtime_error("while starting");
  auto* self = new Instance{};
  self->host = host;
  self->rt = host->runtime;
  self->ir = static_cast<const TnHostIr*>(host->service(host->self, TN_HOST_IR));
  self->arith = static_cast<const TnHostArith*>(host->service(host->self, TN_HOST_ARITH));
  self->second = {sizeof(TnPass), &run_module, nullptr};
  self->table = static_cast<TnPass*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  *self->table = self->second;
  *instance = self;
  *ret = {TN_NONE, 0, {0}};
  return 0;
}
void destroy(void* instance) {
  auto* self = static_cast<Instance*>(instance);
  old_host = self->host;
  old_ir = self->ir;
  if (self->table) munmap(self->table, 4096);
  delete self;
}
const void* capability(void* instance, const char* id) {
  auto* self = static_cast<Instance*>(instance);
  if (std::string_view(id) == TN_CODEGEN) return &kSmall;
  const std::pair<std::string_view, const void*> others[] = {
      {TN_PARTITIONER, &kPartitioner},  {TN_KIND, &kKind},         {TN_INSTRUMENT, &kInstrument},
      {TN_ONNX_CONVERTER, &kConverter}, {TN_DEVICE_API, &kDevice}, {TN_LOADER, &kLoader}};
  for (const auto& [name, table] : others)
    if (name == id) return table;
  if (std::string_view(id) != TN_PASS) return nullptr;
  return self->other_table ? &self->second : self->table;
}
constexpr TnPlugin kPlugin = {sizeof(TnPlugin), TN_ABI_VERSION, TN_IR_VOCABULARY, "violator",
                              "0.1.0",          &create,        &destroy,         &capability};

}  // namespace

extern "C" TN_EXPORT const TnPlugin* tenon_plugin(void) { return &kPlugin; }
