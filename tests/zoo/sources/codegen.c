/* A code generator whose payload is a list of the names of the functions. */
#include <stdlib.h>
#include <string.h>
#include <tenon/ext/codegen.h>
#include <tenon/runtime.h>

static int generate(void* instance, const TnContext* context, const TnNode* module, const TnValue* options,
                    TnValue* ret) {
  const TnRuntime* rt = instance;
  const TnMap* functions = (const TnMap*)module->slots[2].as.object;
  TnValue pairs[12], exports[128];
  char text[4096];
  size_t n = 0, used = 0;
  (void)options;
  if (context->cancelled(context->self)) return rt->error(TN_ERROR_CANCELLED, "cancelled", NULL, NULL, NULL, ret);
  for (; n < functions->size && n < 64; ++n) {
    const TnString* name = (const TnString*)functions->data[n].key.as.object;
    exports[2 * n] = exports[2 * n + 1] = functions->data[n].key;
    if (used + name->size + 1 > sizeof text) break;
    memcpy(text + used, name->data, name->size);
    used += name->size;
    text[used++] = '\n';
  }
  memset(pairs, 0, sizeof pairs);
  rt->string("format", 6, &pairs[0]);
  rt->string("zoo-text", 8, &pairs[1]);
  rt->string("bytes", 5, &pairs[2]);
  rt->bytes(text, used, &pairs[3]);
  rt->string("exports", 7, &pairs[4]);
  rt->map(exports, n, &pairs[5]);
  rt->string("imports", 7, &pairs[6]);
  rt->array(NULL, 0, &pairs[7]);
  rt->string("constants", 9, &pairs[8]);
  rt->array(NULL, 0, &pairs[9]);
  rt->string("symbols", 7, &pairs[10]);
  rt->array(NULL, 0, &pairs[11]);
  int status = rt->map(pairs, 6, ret);
  for (int i = 0; i < 12; ++i) tn_value_release(&pairs[i]);
  return status;
}
static const TnCodegen table = {.size = sizeof(TnCodegen), .generate = &generate};

static int create(const TnHost* host, void** instance, TnValue* ret) {
  *instance = (void*)host->runtime;
  ret->type_index = TN_NONE;
  return 0;
}
static void destroy(void* instance) { (void)instance; }
static const void* capability(void* instance, const char* id) {
  (void)instance;
  return strcmp(id, TN_CODEGEN) == 0 ? &table : NULL;
}
static const TnPlugin plugin = {sizeof(TnPlugin), TN_ABI_VERSION, TN_IR_VOCABULARY, "zoo-codegen",
                                "1.0.0",          &create,        &destroy,         &capability};
TN_EXPORT const TnPlugin* tenon_plugin(void);
const TnPlugin* tenon_plugin(void) { return &plugin; }
