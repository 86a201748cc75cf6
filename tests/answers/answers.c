/* A plugin whose answers are wrong in the way that the environment names as TENON_ANSWER; without it they are right. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tenon/ext/codegen.h>
#include <tenon/ext/frontend.h>
#include <tenon/ext/linker.h>
#include <tenon/ext/op.h>
#include <tenon/ir.h>
#include <tenon/runtime.h>
#include <unistd.h>

static const TnRuntime* rt;
static const TnHostIr* ir;

static int asked(const char* what) {
  const char* said = getenv("TENON_ANSWER");
  return said && !strcmp(said, what);
}

/* ---- Values. What is made here is kept for good. */

static TnValue number(int64_t i) {
  TnValue v = {TN_INT, 0, {i}};
  return v;
}
static TnValue text_of(const char* s, size_t size) {
  TnValue v;
  rt->string(s, size, &v);
  return v;
}
static TnValue text(const char* s) { return text_of(s, strlen(s)); }
static TnValue list(const TnValue* items, size_t n) {
  TnValue v;
  rt->array(items, n, &v);
  return v;
}
static TnValue map_of(const char* key, TnValue value) {
  TnValue pair[2] = {text(key), value}, v;
  rt->map(pair, 1, &v);
  return v;
}
/* Lists within lists, each with the inner one so many times. */
static TnValue nested(int depth, size_t times) {
  TnValue v = number(1);
  for (int i = 0; i < depth; ++i) {
    TnValue both[2] = {v, v};
    v = list(both, times);
  }
  return v;
}

/* ---- The code generator */

static TnValue object(void) {
  static char bytes[1 << 20];
  const char* path = getenv("TENON_ANSWER_OBJECT");
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  ssize_t n = fd < 0 ? 0 : read(fd, bytes, sizeof bytes);
  if (fd >= 0) close(fd);
  TnValue v;
  rt->bytes(bytes, n > 0 ? (size_t)n : 0, &v);
  return v;
}

static int called(void* self, const TnValue* args, int32_t n, TnValue* ret) {
  (void)self, (void)args, (void)n, (void)ret;
  return 0;
}
/* Errors that are none. */
static int fail_strangely(TnValue* ret) {
  if (asked("a code below all")) return rt->error(-2147483647, "a code of its own", "", "", 0, ret);
  if (asked("the code 0")) return rt->error(0, "a code of its own", "", "", 0, ret);
  if (asked("no words")) return rt->error(TN_ERROR_ARGUMENT, 0, 0, 0, 0, ret);
  if (asked("no error")) return *ret = number(0), ret->type_index = TN_NONE, -1;
  return 0;
}

static int generate(void* instance, const TnContext* context, const TnNode* module, const TnValue* options,
                    TnValue* ret) {
  TnValue one = number(1), nul = text_of("a\0b", 3), function;
  (void)instance, (void)context, (void)module, (void)options;
  int failure = fail_strangely(ret);
  if (failure) return failure;
  if (asked("no value")) return *ret = number(0), ret->type_index = 60, 0;
  if (asked("a list for a payload")) return *ret = list(&one, 1), 0;
  TnValue parts[8] = {text("format"), text("elf-object/1"), text("bytes"),
                      object(),       text("exports"),      map_of("main", text("answers_entry"))};
  struct {
    const char* way;
    const char* part;
    TnValue value;
  } ways[] = {{"format is a number", "format", one},
              {"format holds NUL", "format", text_of("elf-object/1\0x", 14)},
              {"format is text", "format", text("asm")},
              {"format is unlisted", "format", text("elf/1")},
              {"bytes are a number", "bytes", one},
              {"bytes are none", "bytes", text("")},
              {"bytes are no object", "bytes", text("hello")},
              {"exports are a list", "exports", list(&one, 1)},
              {"symbol is a number", "exports", map_of("main", one)},
              {"symbol holds NUL", "exports", map_of("main", nul)},
              {"symbol is not there", "exports", map_of("main", text("nowhere"))},
              {"exports what there is not", "exports", map_of("other", text("answers_entry"))},
              {"imports are a number", "imports", one},
              {"imports are numbers", "imports", list(&one, 1)},
              {"imports hold NUL", "imports", list(&nul, 1)},
              {"symbols are numbers", "symbols", list(&one, 1)},
              {"constants are a number", "constants", one},
              {"constants are numbers", "constants", list(&one, 1)},
              {"device is malformed", "device", text("Com.x\n:99999999999")},
              {"requirements are a number", "requirements", one},
              {"requirements are deep", "requirements", map_of("x", nested(2000, 1))},
              {"requirements are without end", "requirements", map_of("x", nested(50, 2))},
              {"requirements hold a function", "requirements", number(0)}};
  rt->function(&called, 0, 0, &function);
  for (size_t i = 0; i < sizeof ways / sizeof ways[0]; ++i) {
    if (!asked(ways[i].way)) continue;
    TnValue value = ways[i].value;
    if (!strcmp(ways[i].way, "requirements hold a function")) value = map_of("x", function);
    size_t at = 0;
    while (at < 6 && strcmp(((const TnString*)parts[at].as.object)->data, ways[i].part)) at += 2;
    parts[at] = text(ways[i].part);
    parts[at + 1] = value;
    return rt->map(parts, at < 6 ? 3 : 4, ret);
  }
  if (asked("exports are missing")) return rt->map(parts, 2, ret);
  return rt->map(parts, 3, ret);
}
static const TnCodegen codegen_table = {sizeof(TnCodegen), &generate};

/* ---- The linker */

static int link_wrongly(void* instance, const TnContext* context, const TnValue* objects, const char* output,
                        TnValue* ret) {
  (void)instance, (void)context, (void)objects;
  int fd = -1, ok = 0;
  char within[4096];
  int failure = fail_strangely(ret);
  if (failure) return failure;
  *ret = number(0), ret->type_index = TN_NONE;
  if (asked("links into a folder"))
    ok = mkdir(output, 0700) == 0 && snprintf(within, sizeof within, "%s/more", output) > 0 && mkdir(within, 0700) == 0;
  if (asked("links into a pipe")) ok = mkfifo(output, 0700) == 0;
  if (asked("links to a device")) ok = symlink("/dev/zero", output) == 0;
  if (asked("links to itself")) ok = symlink(output, output) == 0;
  if (asked("links nothing")) ok = 1;
  if (asked("links into holes") || asked("links garbage") || asked("links into an empty file"))
    fd = open(output, O_CREAT | O_WRONLY | O_CLOEXEC, 0700);
  if (fd >= 0) {
    ok = asked("links into holes") ? ftruncate(fd, (off_t)1 << 36) == 0
                                   : !asked("links garbage") || write(fd, "garbage", 7) == 7;
    close(fd);
  }
  return ok ? 0 : rt->error(TN_ERROR_IO, "the answer could not be given", "", "", 0, ret);
}
static const TnLinker linker_table = {sizeof(TnLinker), &link_wrongly};

/* ---- The frontend */

static int import_text(void* instance, const TnContext* context, const TnModelSource* source, const TnValue* options,
                       TnValue* ret) {
  (void)instance, (void)context, (void)options;
  if (asked("a map for a module")) return *ret = map_of("main", number(1)), 0;
  return ir->parse(ir->self, source->data, source->data_size, source->name, ret);
}
static const TnFrontend frontend_table = {sizeof(TnFrontend), &import_text};

/* ---- The operator */

static int infer_type(void* instance, const TnContext* context, const TnNode* call, TnValue* ret) {
  (void)instance, (void)context;
  *ret = number(3);
  if (asked("no type")) return ret->type_index = TN_NONE, 0;
  if (asked("a number for a type")) return 0;
  const TnArray* args = (const TnArray*)call->slots[2].as.object;
  *ret = ((const TnNode*)args->data[0].as.object)->slots[0];
  if (asked("a call for a type")) ret->type_index = TN_NODE, ret->as.object = (TnObject*)call;
  tn_value_retain(ret);
  return 0;
}

static int compute(void* instance, const TnContext* context, const TnNode* call, TnValue* ret) {
  (void)instance, (void)context;
  if (asked("a text for a loop function")) return *ret = text("a text that is long enough for an object"), 0;
  if (asked("no loop function")) return *ret = number(0), ret->type_index = TN_NONE, 0;
  *ret = number(0), ret->type_index = TN_NODE, ret->as.object = (TnObject*)call;
  if (asked("a call for a loop function")) return tn_value_retain(ret), 0;
  const char* head = asked("loops of another rank") ? "x: T.Buffer((2, 2), \"float32\"), y: T.Buffer((4,), \"float32\")"
                     : asked("loops of another dtype") ? "x: T.Buffer((4,), \"float32\"), y: T.Buffer((4,), \"int8\")"
                     : asked("loops of no parameters")
                         ? ""
                         : "x: T.Buffer((4,), \"float32\"), y: T.Buffer((4,), \"float32\")";
  char module[512];
  snprintf(module, sizeof module, "@T.prim_func\ndef f(%s):\n    T.evaluate(0)\n", head);
  TnValue made;
  int status = ir->parse(ir->self, module, strlen(module), "f.py", &made);
  if (status) return *ret = made, status;
  const TnMap* functions = (const TnMap*)((const TnNode*)made.as.object)->slots[2].as.object;
  *ret = functions->data[0].value;
  return tn_value_retain(ret), 0;
}
static const TnOp op_table = {sizeof(TnOp), &infer_type, &compute, 0};

/* ---- The plugin */

static int create(const TnHost* host, void** instance, TnValue* ret) {
  (void)ret;
  rt = host->runtime;
  ir = host->service(host->self, TN_HOST_IR);
  *instance = (void*)host;
  return 0;
}
static void destroy(void* instance) { (void)instance; }
static const void* capability(void* instance, const char* id) {
  (void)instance;
  if (!strcmp(id, TN_CODEGEN)) return &codegen_table;
  if (!strcmp(id, TN_LINKER)) return &linker_table;
  if (!strcmp(id, TN_FRONTEND)) return &frontend_table;
  if (!strcmp(id, TN_OP)) return &op_table;
  return 0;
}
static const TnPlugin table = {sizeof(TnPlugin), TN_ABI_VERSION, TN_IR_VOCABULARY, "wrong-answers",
                               "1.2.3",          &create,        &destroy,         &capability};
TN_EXPORT const TnPlugin* tenon_plugin(void);
TN_EXPORT const TnPlugin* tenon_plugin(void) { return &table; }
