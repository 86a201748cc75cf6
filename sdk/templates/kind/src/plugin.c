#include <tenon/c_plugin.h>
#include <tenon/ext/draft/kind.h>

/* What a node means, in core kinds: a * b + c. Slot 0 of an expression is its dtype; those of the manifest follow. The slots of
 * tir.Mul and tir.Add are type, a, b (kinds.h). */
static int lower(void* instance, const TnContext* context, const TnNode* node, TnValue* ret) {
  const TnInstance* self = (const TnInstance*)instance;
  const TnKindSchema* schema = self->ir->schema(self->ir->self, node->kind);
  (void)context;
  if (!schema || strcmp(schema->id, "@ID@.multiply_add/1") != 0)
    return self->runtime->error(TN_ERROR_PLUGIN, "this library lowers @ID@.multiply_add/1 alone", NULL, NULL, NULL,
                                ret);
  TnValue product;
  const TnValue factors[3] = {node->slots[0], node->slots[1], node->slots[2]};
  if (self->ir->make(self->ir->self, TN_KIND_tir_Mul, NULL, factors, 3, &product) != 0) return *ret = product, -1;
  const TnValue terms[3] = {node->slots[0], product, node->slots[3]};
  const int status = self->ir->make(self->ir->self, TN_KIND_tir_Add, NULL, terms, 3, ret);
  tn_value_release(&product);
  return status;
}

static const TnKind kind_table = TENON_TABLE(TnKind, &lower);
TENON_C_PLUGIN({TN_KIND, &kind_table})
