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
  TnValue module, lowered, functions, result;
  if (!parse(kGraph, &module) || !run(&module, "cpu", &lowered)) return;
  if (!went_well(c->load(session, (const TnNode*)lowered.as.object, "eval-interp", &none, &functions), &functions,
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
  for (int i = 0; i < 3; ++i) expect(out[i] == 2 * in[i], "zoo-op computed something else");
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
  return failures ? 1 : 0;
}
