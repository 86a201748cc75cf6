#include <stdio.h>
#include <tenon/c_plugin.h>
#include <tenon/ext/op.h>

/* The type of the call's argument: a tensor of floating point of known rank; null when it is anything else. The slots of
 * ir.Call are type, op, args, attrs; those of relax.TensorType shape, dtype, ndim (kinds.h). */
static const TnNode* argument_type(const TnNode* call) {
  const TnArray* args = call->kind == TN_KIND_ir_Call ? (const TnArray*)call->slots[2].as.object : NULL;
  if (!args || args->size != 1) return NULL;
  const TnNode* type = tn_node_of_kind(&((const TnNode*)args->data[0].as.object)->slots[0], TN_KIND_relax_TensorType);
  if (!type || type->slots[1].type_index != TN_DTYPE || type->slots[1].as.dtype.code != kDLFloat) return NULL;
  return type->slots[2].as.i >= 0 && type->slots[2].as.i <= 8 ? type : NULL;
}

static int refuse(void* instance, TnValue* ret) {
  return ((const TnInstance*)instance)
      ->runtime->error(TN_ERROR_TYPE, "@ID@.swish takes one tensor of floating point", "", "convert it first", NULL,
                       ret);
}

static int infer_type(void* instance, const TnContext* context, const TnNode* call, TnValue* ret) {
  const TnNode* type = argument_type(call);
  (void)context;
  if (!type) return refuse(instance, ret);
  memset(ret, 0, sizeof *ret);
  ret->type_index = TN_NODE;
  ret->as.p = (void*)type;
  tn_value_retain(ret);
  return 0;
}

/* The loop function of any shape of this rank, written as text and parsed by the host. */
static int compute(void* instance, const TnContext* context, const TnNode* call, TnValue* ret) {
  const TnHostIr* ir = ((const TnInstance*)instance)->ir;
  const TnNode* type = argument_type(call);
  (void)context;
  if (!type) return refuse(instance, ret);
  const TnValue* given = tn_map_find(&call->slots[3], "beta");
  double beta = !given ? 1.0 : given->type_index == TN_INT ? (double)given->as.i : given->as.f;
  const int rank = (int)type->slots[2].as.i, bits = type->slots[1].as.dtype.bits;
  char shape[64] = "", at[64] = "", text[2048];
  for (int d = 0; d < rank; ++d) {
    snprintf(shape + strlen(shape), sizeof shape - strlen(shape), "n%d, ", d);
    snprintf(at + strlen(at), sizeof at - strlen(at), "v%d, ", d);
  }
  size_t n = 0;
#define PUT(...) n += (size_t)snprintf(text + n, sizeof text - n, __VA_ARGS__)
  PUT("@T.prim_func\ndef swish(x: T.handle, y: T.handle):\n");
  for (int d = 0; d < rank; ++d) PUT("    n%d = T.int64()\n", d);
  PUT("    X = T.match_buffer(x, (%s), \"float%d\")\n    Y = T.match_buffer(y, (%s), \"float%d\")\n", shape, bits,
      shape, bits);
  for (int d = 0; d < rank; ++d) PUT("%*sfor i%d in range(n%d):\n", 4 + 4 * d, "", d, d);
  PUT("%*swith T.block(\"swish\"):\n", 4 + 4 * rank, "");
  for (int d = 0; d < rank; ++d) PUT("%*sv%d = T.axis.spatial(n%d, i%d)\n", 8 + 4 * rank, "", d, d, d);
  const char* index = rank ? at : "()";
  PUT("%*sY[%s] = X[%s] * T.sigmoid(T.float%d(%.17g) * X[%s])\n", 8 + 4 * rank, "", index, index, bits, beta, index);
  TnValue module;
  if (ir->parse(ir->self, text, n, "@ID@.swish", &module) != 0) {
    *ret = module;
    return -1;
  }
  *ret = *tn_map_find(&((const TnNode*)module.as.object)->slots[2], "swish"); /* the slot `functions` of ir.Module */
  tn_value_retain(ret);
  tn_value_release(&module);
  return 0;
}

static const TnOp op_table = TENON_TABLE(TnOp, &infer_type, &compute, NULL);
TENON_C_PLUGIN({TN_OP, &op_table})
