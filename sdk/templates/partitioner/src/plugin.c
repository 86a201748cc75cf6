#include <stdio.h>
#include <tenon/c_plugin.h>
#include <tenon/ext/draft/partitioner.h>

enum {
  LEAST_WORK = 16 /* elements of a row that are worth a transfer */,
  MOST_ROWS = 64 /* that the command buffer holds */
};

/* {take, reason, when}; `when` may be null. */
static int answer(const TnInstance* self, int take, const char* reason, const TnValue* when, TnValue* ret) {
  TnValue pairs[6] = {{TN_C_STRING, 0, {0}}, {TN_BOOL, 0, {0}},     {TN_C_STRING, 0, {0}},
                      {TN_C_STRING, 0, {0}}, {TN_C_STRING, 0, {0}}, {TN_NONE, 0, {0}}};
  pairs[0].as.s = "take", pairs[1].as.i = take;
  pairs[2].as.s = "reason", pairs[3].as.s = reason;
  pairs[4].as.s = "when";
  if (when) pairs[5] = *when;
  return self->runtime->map(pairs, when ? 3 : 2, ret);
}

/* What is taken becomes a function of its own, the candidate; it is called for each match of a pattern of the manifest. The
 * slots of relax.Function are type, params, ...; of ir.Var type, name; of relax.TensorType shape, dtype, ... (kinds.h). */
static int decide(void* instance, const TnContext* context, const char* pattern, const TnNode* candidate,
                  TnValue* ret) {
  const TnInstance* self = instance;
  (void)context, (void)pattern;
  const TnArray* params = candidate->kind == TN_KIND_relax_Function ? tn_array_slot(candidate, 1) : NULL;
  if (!params || params->size == 0) return answer(self, 0, "there is nothing to compute with", NULL, ret);
  const TnNode* type = tn_node_of_kind(&tn_item(params, 0)->slots[0], TN_KIND_relax_TensorType);
  if (!type || type->slots[0].type_index != TN_ARRAY || tn_array_slot(type, 0)->size == 0)
    return answer(self, 0, "the shape is not known", NULL, ret);
  const TnArray* shape = tn_array_slot(type, 0);
  int64_t row = 1;
  for (size_t i = 1; i < shape->size; ++i) {
    const TnNode* extent = tn_node_of_kind(&shape->data[i], TN_KIND_ir_IntImm);
    if (!extent) return answer(self, 0, "only the number of rows may be symbolic", NULL, ret);
    row *= extent->slots[1].as.i;
  }
  char text[96];
  snprintf(text, sizeof text, "rows of %lld elements are not worth a transfer", (long long)row);
  if (row < LEAST_WORK) return answer(self, 0, text, NULL, ret);
  snprintf(text, sizeof text, "the command buffer holds %d rows", MOST_ROWS);
  const TnNode* rows = tn_node_of_kind(&shape->data[0], TN_KIND_ir_IntImm);
  if (rows) return answer(self, rows->slots[1].as.i <= MOST_ROWS, text, NULL, ret);
  /* Taken for up to so many rows: rows <= 64; the host program keeps the other branch. */
  TnValue most[2] = {{TN_DTYPE, 0, {0}}, {TN_INT, 0, {0}}}, number, when;
  most[0].as.dtype = (DLDataType){kDLInt, 64, 1}, most[1].as.i = MOST_ROWS;
  if (self->ir->make(self->ir->self, TN_KIND_ir_IntImm, NULL, most, 2, ret)) return -1;
  number = *ret;
  TnValue le[3] = {{TN_DTYPE, 0, {0}}, shape->data[0], number};
  le[0].as.dtype = (DLDataType){TN_DL_BOOL, 8, 1};
  int status = self->ir->make(self->ir->self, TN_KIND_tir_LE, NULL, le, 3, ret);
  tn_value_release(&number);
  if (status) return status;
  when = *ret;
  status = answer(self, 1, text, &when, ret);
  tn_value_release(&when);
  return status;
}

static const TnPartitioner partitioner_table = TENON_TABLE(TnPartitioner, &decide);
TENON_C_PLUGIN({TN_PARTITIONER, &partitioner_table})
