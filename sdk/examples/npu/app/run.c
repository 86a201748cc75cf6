/* A program that runs a model on the accelerator: it links libtenon_rt and names the device's plugin by its path.
 *
 *   run model.so com.example.npu.so COLUMNS < rows.int8 > rows.int32
 */
#include <stdio.h>
#include <stdlib.h>
#include <tenon/runtime.h>

static int fail(TnValue* error) {
  const TnError* e = (const TnError*)error->as.object;
  fprintf(stderr, "run: %s\n", e->message);
  if (e->hint && *e->hint) fprintf(stderr, "  hint: %s\n", e->hint);
  tn_value_release(error);
  return 1;
}

static const char* text(const TnValue* map, const char* key) {
  const TnValue* v = tn_map_find(map, key);
  return v && v->type_index == TN_STRING ? ((const TnString*)v->as.object)->data : "";
}

/* {plugins: [path]} */
static int options_for(const TnRuntime* rt, const char* plugin, TnValue* options) {
  TnValue path = {TN_C_STRING, 0, {0}}, pair[2] = {{TN_C_STRING, 0, {0}}, {TN_NONE, 0, {0}}};
  path.as.s = plugin;
  pair[0].as.s = "plugins";
  if (rt->array(&path, 1, &pair[1])) {
    *options = pair[1];
    return -1;
  }
  const int status = rt->map(pair, 1, options);
  tn_value_release(&pair[1]);
  return status;
}

int main(int argc, char** argv) {
  static int8_t rows[1 << 16];
  if (argc != 4 || atoll(argv[3]) < 1) {
    fprintf(stderr, "usage: run MODEL.so PLUGIN.so COLUMNS < ROWS > RESULT\n");
    return 2;
  }
  const TnRuntime* rt = tn_runtime();
  TnValue options, opened, result;
  if (options_for(rt, argv[2], &options)) return fail(&options);
  const int failed = rt->instantiate(argv[1], &options, &opened);
  tn_value_release(&options);
  if (failed) return fail(&opened);
  const TnArray* payloads = (const TnArray*)tn_map_find(&opened, "payloads")->as.object;
  for (size_t i = 0; i < payloads->size; ++i)
    fprintf(stderr, "%s on %s: %s\n", text(&payloads->data[i], "format"), text(&payloads->data[i], "device"),
            text(&payloads->data[i], "answer"));
  TnFunction* f = (TnFunction*)tn_map_find(tn_map_find(&opened, "functions"), "main")->as.object;
  int64_t shape[] = {0, atoll(argv[3])};
  shape[0] = (int64_t)fread(rows, 1, sizeof rows, stdin) / shape[1];
  DLTensor tensor = {rows, {kDLCPU, 0}, 2, {kDLInt, 8, 1}, shape, NULL, 0};
  TnValue argument = {TN_DLTENSOR, 0, {0}};
  argument.as.p = &tensor;
  int status = 0;
  if (tn_run(f, NULL, &argument, 1, &result)) {
    status = fail(&result);
  } else {
    const DLTensor* t = &((const TnTensor*)result.as.object)->tensor;
    size_t count = 1;
    for (int32_t d = 0; d < t->ndim; ++d) count *= (size_t)t->shape[d];
    fwrite((const char*)t->data + t->byte_offset, t->dtype.bits / 8, count, stdout);
    tn_value_release(&result);
  }
  tn_value_release(&opened);
  return status;
}
