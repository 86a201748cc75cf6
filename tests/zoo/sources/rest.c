/* A frontend for files of one number, an executor whose functions give that number, and a linker that writes an empty
 * file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tenon/ext/executor.h>
#include <tenon/ext/frontend.h>
#include <tenon/ext/linker.h>
#include <tenon/runtime.h>

typedef struct Plugin {
  const TnHost* host;
  const TnHostIr* ir;
} Plugin;

static TnValue text_of(const TnRuntime* rt, const char* text) {
  TnValue v = {TN_NONE, 0, {0}};
  rt->string(text, strlen(text), &v);
  return v;
}
static int make(const Plugin* p, uint32_t kind, TnValue* slots, int32_t n, TnValue* ret) {
  int status = p->ir->make(p->ir->self, kind, NULL, slots, n, ret);
  for (int32_t i = 0; i < n; ++i) tn_value_release(&slots[i]);
  return status;
}

/* A module of one loop function, `main`, that evaluates the number. */
static int import(void* instance, const TnContext* context, const TnModelSource* source, const TnValue* options,
                  TnValue* ret) {
  const Plugin* p = instance;
  const TnRuntime* rt = p->host->runtime;
  char digits[32] = {0};
  (void)context;
  (void)options;
  if (source->data_size == 0 || source->data_size >= sizeof digits)
    return rt->error(TN_ERROR_CORRUPT, "a file of the zoo holds one number", source->name, NULL, NULL, ret);
  memcpy(digits, source->data, source->data_size);
  TnValue number[2] = {{TN_DTYPE, 0, {0}}, {TN_INT, 0, {atoll(digits)}}};
  number[0].as.dtype.code = kDLInt;
  number[0].as.dtype.bits = 64;
  number[0].as.dtype.lanes = 1;
  TnValue evaluate[1], function[4] = {{TN_NONE, 0, {0}}, {TN_NONE, 0, {0}}, {TN_NONE, 0, {0}}, {TN_NONE, 0, {0}}};
  if (make(p, TN_KIND_ir_IntImm, number, 2, &evaluate[0]) != 0) return *ret = evaluate[0], -1;
  if (make(p, TN_KIND_tir_Evaluate, evaluate, 1, &function[3]) != 0) return *ret = function[3], -1;
  TnValue attribute[2] = {text_of(rt, "global_symbol"), text_of(rt, "main")};
  rt->array(NULL, 0, &function[0]);
  rt->map(attribute, 1, &function[1]);
  tn_value_release(&attribute[0]);
  TnValue entry[2] = {attribute[1], {TN_NONE, 0, {0}}}, module[4];
  if (make(p, TN_KIND_tir_PrimFunc, function, 4, &entry[1]) != 0) return *ret = entry[1], -1;
  rt->map(NULL, 0, &module[0]);
  rt->map(NULL, 0, &module[1]);
  rt->map(entry, 1, &module[2]);
  rt->array(NULL, 0, &module[3]);
  tn_value_release(&entry[0]);
  tn_value_release(&entry[1]);
  return make(p, TN_KIND_ir_Module, module, 4, ret);
}
static const TnFrontend frontend = {.size = sizeof(TnFrontend), .import = &import};

static int give(void* self, const TnValue* args, int32_t n, TnValue* ret) {
  (void)args;
  (void)n;
  *ret = (TnValue){TN_INT, 0, {(int64_t)(intptr_t)((TnFunction*)self)->context}};
  return 0;
}
static int load(void* instance, const TnContext* context, const TnNode* module, const TnValue* imports,
                const TnValue* options, TnValue* ret) {
  const TnRuntime* rt = ((Plugin*)instance)->host->runtime;
  const TnMap* functions = (const TnMap*)module->slots[2].as.object;
  TnValue pair[2];
  (void)context;
  (void)imports;
  (void)options;
  const TnNode* body = (const TnNode*)((const TnNode*)functions->data[0].value.as.object)->slots[3].as.object;
  int64_t number = ((const TnNode*)body->slots[0].as.object)->slots[1].as.i;
  pair[0] = functions->data[0].key;
  if (rt->function(&give, (void*)(intptr_t)number, NULL, &pair[1]) != 0) return *ret = pair[1], -1;
  int status = rt->map(pair, 1, ret);
  tn_value_release(&pair[1]);
  return status;
}
static const TnExecutor executor = {.size = sizeof(TnExecutor), .load = &load};

static int link(void* instance, const TnContext* context, const TnValue* objects, const char* output, TnValue* ret) {
  FILE* f = fopen(output, "wb");
  (void)instance;
  (void)context;
  (void)objects;
  if (f) fclose(f);
  ret->type_index = TN_NONE;
  return 0;
}
static const TnLinker linker = {.size = sizeof(TnLinker), .link = &link};

static int create(const TnHost* host, void** instance, TnValue* ret) {
  Plugin* p = malloc(sizeof *p);
  if (!p) return host->runtime->error(TN_ERROR_OUT_OF_MEMORY, "out of memory", NULL, NULL, NULL, ret);
  p->host = host;
  p->ir = host->service(host->self, TN_HOST_IR);
  *instance = p;
  ret->type_index = TN_NONE;
  return 0;
}
static void destroy(void* instance) { free(instance); }
static const void* capability(void* instance, const char* id) {
  (void)instance;
  if (strcmp(id, TN_FRONTEND) == 0) return &frontend;
  if (strcmp(id, TN_EXECUTOR) == 0) return &executor;
  return strcmp(id, TN_LINKER) == 0 ? &linker : NULL;
}
static const TnPlugin plugin = {sizeof(TnPlugin), TN_ABI_VERSION, TN_IR_VOCABULARY, "zoo-rest",
                                "1.0.0",          &create,        &destroy,         &capability};
TN_EXPORT const TnPlugin* tenon_plugin(void);
const TnPlugin* tenon_plugin(void) { return &plugin; }
