#include <tenon/c_plugin.h>
#include <tenon/ext/pass.h>

static int is_zero(const TnValue* v) {
  const TnNode* n = tn_node_of_kind(v, TN_KIND_ir_IntImm);
  return n && n->slots[1].as.i == 0;
}

/* Called for each node after its children; `*ret` left none keeps it. The slots of tir.Add are type, a, b (kinds.h). */
static int fold(void* context, const TnNode* original, const TnNode* node, TnValue* ret) {
  (void)context, (void)original;
  if (node->kind != TN_KIND_tir_Add) return 0;
  int zero = is_zero(&node->slots[2]) ? 2 : is_zero(&node->slots[1]) ? 1 : 0;
  if (zero == 0) return 0;
  *ret = node->slots[3 - zero];
  tn_value_retain(ret); /* the caller owns what it gets */
  return 0;
}

static int run_function(void* instance, const TnContext* context, const char* pass, const char* name,
                        const TnNode* function, const TnValue* options, TnValue* ret) {
  const TnHostIr* ir = ((const TnInstance*)instance)->ir;
  TnValue tree = {TN_NODE, 0, {0}};
  tree.as.p = (void*)function;
  (void)context, (void)pass, (void)name, (void)options;
  return ir->rewrite(ir->self, &tree, &fold, NULL, ret);
}

static const TnPass pass_table = TENON_TABLE(TnPass, NULL, &run_function);
TENON_C_PLUGIN({TN_PASS, &pass_table})
