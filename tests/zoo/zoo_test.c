/* Runs every plugin of one set of the zoo in today's host: zoo_test SET-FOLDER SCRATCH-FOLDER */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tenon/compiler.h>

static const TnCompiler* c;
static TnSession* session;
static int failures;
static const TnValue none = {TN_NONE, 0, {0}};

static TnValue text_of(const char* s) {
  TnValue v = {TN_NONE, 0, {0}};
  c->runtime->string(s, strlen(s), &v);
  return v;
}
static const char* chars(const TnValue* v) {
  static char small[16];
  if (v->type_index == TN_STRING || v->type_index == TN_BYTES) return ((const TnString*)v->as.object)->data;
  memcpy(small, v->as.small, sizeof v->as.small);
  small[v->small_size < 8 ? v->small_size : 8] = 0;
  return small;
}
static void expect(int right, const char* what) {
  if (right) return;
  ++failures;
  printf("zoo: %s\n", what);
}
/* Whether a slot of the host went well; says why not. */
static int went_well(int status, const TnValue* ret, const char* what) {
  if (status == 0) return 1;
  ++failures;
  const TnError* e = ret->type_index == TN_ERROR ? (const TnError*)ret->as.object : NULL;
  printf("zoo: %s: %s\n", what, e ? e->message : "failed");
  return 0;
}
static int parse(const char* text, TnValue* module) {
  return went_well(c->parse(session, text, strlen(text), "zoo.py", module), module, "parse");
}
/* The module after stages, separated by spaces in `names`. */
static int run(const TnValue* module, const char* pass, TnValue* after) {
  TnValue stage = text_of(pass), stages = stage, result;
  if (strchr(pass, ':')) c->runtime->array(&stage, 1, &stages);
  int ok =
      went_well(c->run_pipeline(session, (const TnNode*)module->as.object, &stages, &none, &result), &result, pass);
  if (!ok) return 0;
  *after = *tn_map_find(&result, "module");
  tn_value_retain(after);
  tn_value_release(&result);
  return 1;
}

static const char kLoop[] =
    "@I.ir_module\nclass Module:\n    @T.prim_func\n    def kernel(A: T.Buffer((16,), \"int64\")):\n        A[7] = "
    "T.int64(7) + A[7]\n";

/* The lowered module's main doubles what it is given. */
static void expect_doubles(const TnValue* lowered, const char* otherwise) {
  TnValue functions, result;
  if (!went_well(c->load(session, (const TnNode*)lowered->as.object, "eval-interp", &none, &functions), &functions,
                 "load"))
    return;
  float in[3] = {1, -2, 3.5F};
  int64_t shape[1] = {3};
  DLTensor x = {in, {kDLCPU, 0}, 1, {kDLFloat, 32, 1}, shape, NULL, 0};
  TnValue arg = {TN_DLTENSOR, 0, {0}};
  arg.as.p = &x;
  TnFunction* main_ = (TnFunction*)tn_map_find(&functions, "main")->as.object;
  if (!went_well(main_->call(main_, &arg, 1, &result), &result, "call")) return;
  const float* out = result.type_index == TN_TENSOR ? ((const TnTensor*)result.as.object)->tensor.data : in;
  for (int i = 0; i < 3; ++i) expect(out[i] == 2 * in[i], otherwise);
}

static void check_pass(void) {
  TnValue module, after, text;
  if (!parse(kLoop, &module) || !run(&module, "zoo-pass:sevens", &after)) return;
  if (!went_well(c->print(session, &after, &text), &text, "print")) return;
  expect(strstr(chars(&text), "A[8]") && !strstr(chars(&text), "7"), "zoo-pass left a 7");
}
static void check_codegen(void) {
  TnValue module, payload;
  if (!parse(kLoop, &module)) return;
  if (!went_well(c->generate(session, (const TnNode*)module.as.object, "zoo-codegen", &none, &payload), &payload,
                 "generate"))
    return;
  const TnValue* bytes = tn_map_find(&payload, "bytes");
  expect(bytes && strncmp(chars(bytes), "kernel\n", 7) == 0, "zoo-codegen gave other bytes");
}
static void check_rest(const char* scratch) {
  char path[4096];
  TnValue module, functions, number;
  snprintf(path, sizeof path, "%s/number.zoo", scratch);
  FILE* f = fopen(path, "wb");
  if (!f || fputs("41", f) < 0 || fclose(f) != 0) {
    expect(0, "cannot write into the scratch folder");
    return;
  }
  if (!went_well(c->import_model(session, path, &none, &module), &module, "import")) return;
  if (!went_well(c->load(session, (const TnNode*)module.as.object, "zoo-rest", &none, &functions), &functions, "load"))
    return;
  TnFunction* main_ = (TnFunction*)tn_map_find(&functions, "main")->as.object;
  if (went_well(main_->call(main_, NULL, 0, &number), &number, "call"))
    expect(number.type_index == TN_INT && number.as.i == 41, "zoo-rest computed another number");
}
static void check_op(void) {
  static const char kGraph[] =
      "@I.ir_module\nclass Module:\n    @R.function\n    def main(x: R.Tensor((3,), \"float32\")):\n"
      "        with R.dataflow():\n            y = R.zoo.twice(x)\n            R.output(y)\n        return y\n";
  TnValue module, lowered;
  if (!parse(kGraph, &module) || !run(&module, "cpu", &lowered)) return;
  expect_doubles(&lowered, "zoo-op computed something else");
}

/* ---- What the runtime does with a device and a loader */

static void check_box(const char* library) {
  const TnRuntime* rt = c->runtime;
  TnValue plugin, device, on_device, loaded, list, key, options, exports, ret;
  signed char from[4] = {1, 2, -3, 40}, to[4] = {0}, added[4] = {0};
  int64_t shape[1] = {4};
  DLTensor in = {from, {kDLCPU, 0}, 1, {kDLInt, 8, 1}, shape, NULL, 0}, out = in, sum = in;
  TnValue args[2] = {{TN_DLTENSOR, 0, {0}}, {TN_DLTENSOR, 0, {0}}}, back = {TN_DLTENSOR, 0, {0}};
  args[0].as.p = &in, out.data = to, back.as.p = &out, sum.data = added, args[1].as.p = &sum;
  if (!went_well(rt->plugin_open(library, &plugin), &plugin, "plugin_open")) return;
  if (!went_well(rt->device_open(plugin.as.object, "com.zoo.box:0", &device), &device, "device_open")) return;
  if (!went_well(rt->device_tensor(device.as.object, in.dtype, 1, shape, &on_device), &on_device, "device_tensor"))
    return;
  if (!went_well(rt->copy(&args[0], &on_device, &ret), &ret, "copy in")) return;
  if (!went_well(rt->copy(&on_device, &back, &ret), &ret, "copy out")) return;
  expect(memcmp(from, to, 4) == 0, "the box gave other bytes");

  char* page = aligned_alloc(4096, 4096);
  page[0] = 5;
  TnValue pairs[2] = {text_of("main"), text_of("add")};
  rt->map(pairs, 1, &exports);
  TnPayload payload = {sizeof payload, "com.zoo.add/1", "com.zoo.box", "zoo-draft", page, 1,
                       &none,          &exports,        NULL,          0,           NULL, 0};
  rt->array(&plugin, 1, &list);
  key = text_of("plugins");
  TnValue entry[2] = {key, list};
  rt->map(entry, 1, &options);
  if (!went_well(rt->payload_load(&payload, NULL, &options, &loaded), &loaded, "payload_load")) return;
  const TnValue* functions = tn_map_find(&loaded, "functions");
  const TnValue* add = functions ? tn_map_find(functions, "main") : NULL;
  expect(add != NULL, "the payload has no function main");
  if (!add) return;
  TnFunction* f = (TnFunction*)add->as.object;
  if (!went_well(f->call(f, args, 2, &ret), &ret, "launch")) return;
  for (int i = 0; i < 4; ++i) expect(added[i] == from[i] + 5, "the box added something else");
}

static void check_draft(const char* set) {
  static const char kGraph[] =
      "@I.ir_module\nclass Module:\n    @R.function\n    def main(x: R.Tensor((3,), \"float32\")):\n"
      "        with R.dataflow():\n            y = R.nn.relu(x)\n            z = R.exp(y)\n            R.output(z)\n"
      "        return z\n";
  static const char kKind[] =
      "@I.ir_module\nclass Module:\n    @T.prim_func\n    def kernel(A: T.Buffer((2,), \"int64\")):\n"
      "        A[0] = I.node(\"com.zoo.triple/1\", type=I.dtype(\"int64\"), a=A[1])\n";
  char library[4096];
  TnValue module, result, text, stages, stage, pass, functions;
  /* The partitioner: one pattern is taken, the other declined. */
  if (!parse(kGraph, &module)) return;
  TnValue asked = text_of("zoo-draft"), who;
  c->runtime->array(&asked, 1, &who);
  TnValue option[2] = {text_of("partitioners"), who}, options;
  c->runtime->map(option, 1, &options);
  TnValue pairs[4] = {text_of("pass"), text_of("passes-graph:partition"), text_of("options"), options};
  c->runtime->map(pairs, 2, &stage);
  TnValue both[2] = {text_of("passes-graph:normalize"), stage};
  c->runtime->array(both, 2, &stages);
  if (!went_well(c->run_pipeline(session, (const TnNode*)module.as.object, &stages, &none, &result), &result,
                 "partition"))
    return;
  if (!went_well(c->print(session, tn_map_find(&result, "module"), &text), &text, "print")) return;
  expect(strstr(chars(&text), "\"composite\": \"relu\"") && !strstr(chars(&text), "\"composite\": \"exp\""),
         "zoo-draft was asked otherwise");
  /* The kind, which is lowered before it is run. */
  if (!parse(kKind, &module)) return;
  if (went_well(c->load(session, (const TnNode*)module.as.object, "eval-interp", &none, &functions), &functions,
                "load")) {
    int64_t data[2] = {0, 7}, shape[1] = {2};
    DLTensor a = {data, {kDLCPU, 0}, 1, {kDLInt, 64, 1}, shape, NULL, 0};
    TnValue arg = {TN_DLTENSOR, 0, {0}}, ret;
    arg.as.p = &a;
    TnFunction* kernel = (TnFunction*)tn_map_find(&functions, "kernel")->as.object;
    if (went_well(kernel->call(kernel, &arg, 1, &ret), &ret, "call")) expect(data[0] == 21, "com.zoo.triple is no 3");
  }
  /* The instrument, whose error ends the run. */
  pass = text_of("passes-loop:simplify");
  c->runtime->array(&pass, 1, &stages);
  TnValue with[2] = {text_of("instruments"), who};
  c->runtime->map(with, 1, &options);
  int status = c->run_pipeline(session, (const TnNode*)module.as.object, &stages, &options, &result);
  expect(status != 0 && result.type_index == TN_ERROR &&
             strstr(((const TnError*)result.as.object)->message, "zoo-draft has looked"),
         "zoo-draft did not look");
  snprintf(library, sizeof library, "%s/zoo-draft/zoo-draft.so", set);
  check_box(library);
}

/* A pass that knows the first revision of an operator, and the operator at its second. */
static void check_revision(void) {
  static const char kGraph[] =
      "@I.ir_module\nclass Module:\n    @R.function\n    def main(x: R.Tensor((3,), \"float32\")):\n"
      "        with R.dataflow():\n            y = R.negative(x)\n            R.output(y)\n        return y\n";
  TnValue module, written, lowered;
  if (!parse(kGraph, &module) || !run(&module, "zoo-caller:times", &written) || !run(&written, "cpu", &lowered)) return;
  expect_doubles(&lowered, "the second revision means something else");
}

static int has(const char* set, const char* plugin) {
  char path[4096];
  struct stat s;
  snprintf(path, sizeof path, "%s/%s", set, plugin);
  return stat(path, &s) == 0;
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  c = tn_compiler();
  TnValue folder = text_of(argv[1]), options, v;
  TnValue pairs[4] = {text_of("plugin_dirs"), {TN_NONE, 0, {0}}, text_of("probe"), {TN_BOOL, 0, {0}}};
  c->runtime->array(&folder, 1, &pairs[1]);
  c->runtime->map(pairs, 2, &options);
  if (!went_well(c->session_create(&options, &session, &v), &v, "session")) return 1;
  if (has(argv[1], "zoo-pass")) check_pass();
  if (has(argv[1], "zoo-codegen")) check_codegen();
  if (has(argv[1], "zoo-rest")) check_rest(argv[2]);
  if (has(argv[1], "zoo-op")) check_op();
  if (has(argv[1], "zoo-draft")) check_draft(argv[1]);
  if (has(argv[1], "zoo-caller")) check_revision();
  return failures ? 1 : 0;
}
