/* A pass that writes calls of relax.zoo.times as its first revision was: one argument, no attribute. */
#include <stdlib.h>
#include <string.h>
#include <tenon/ext/pass.h>
#include <tenon/runtime.h>

typedef struct Plugin {
  const TnHost* host;
  const TnHostIr* ir;
} Plugin;

static int is_negative(const TnNode* call) {
  const TnNode* op = (const TnNode*)call->slots[1].as.object;
  if (op->kind != TN_KIND_ir_Op || op->slots[1].type_index != TN_STRING) return 0;
  return strcmp(((const TnString*)op->slots[1].as.object)->data, "relax.negative") == 0;
}
/* negative(x) becomes zoo.times(x). */
static int on_node(void* context, const TnNode* original, const TnNode* rebuilt, TnValue* ret) {
  const Plugin* p = context;
  TnValue name[2] = {{TN_NONE, 0, {0}}, {TN_NONE, 0, {0}}}, slots[3];
  (void)original;
  if (rebuilt->kind != TN_KIND_ir_Call || !is_negative(rebuilt)) return 0;
  memcpy(slots, rebuilt->slots, sizeof slots);
  p->host->runtime->string("relax.zoo.times", 15, &name[1]);
  if (p->ir->make(p->ir->self, TN_KIND_ir_Op, NULL, name, 2, &slots[1]) != 0) return *ret = slots[1], -1;
  int status = p->ir->make(p->ir->self, TN_KIND_ir_Call, rebuilt->span, slots, 3, ret);
  tn_value_release(&slots[1]), tn_value_release(&name[1]);
  return status;
}
static int run_module(void* instance, const TnContext* context, const char* pass, const TnNode* module,
                      const TnValue* options, TnValue* ret) {
  Plugin* p = instance;
  TnValue tree = {TN_NODE, 0, {0}};
  (void)context, (void)pass, (void)options;
  tree.as.p = (void*)module;
  return p->ir->rewrite(p->ir->self, &tree, &on_node, p, ret);
}
static const TnPass pass_table = {.size = sizeof(TnPass), .run_module = &run_module};

static int create(const TnHost* host, void** instance, TnValue* ret) {
  Plugin* p = malloc(sizeof *p);
  if (!p) return host->runtime->error(TN_ERROR_OUT_OF_MEMORY, "out of memory", NULL, NULL, NULL, ret);
  p->host = host;
  p->ir = host->service(host->self, TN_HOST_IR);
  *instance = p;
  ret->type_index = TN_NONE;
  return 0;
}
static const void* capability(void* instance, const char* id) {
  (void)instance;
  return strcmp(id, TN_PASS) == 0 ? &pass_table : NULL;
}
static const TnPlugin plugin = {sizeof(TnPlugin), TN_ABI_VERSION, TN_IR_VOCABULARY, "zoo-caller", "1.0.0",
                                &create,          &free,          &capability};
TN_EXPORT const TnPlugin* tenon_plugin(void);
const TnPlugin* tenon_plugin(void) { return &plugin; }
