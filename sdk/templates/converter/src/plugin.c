#include <tenon/c_plugin.h>
#include <tenon/ext/draft/onnx_converter.h>

/* A call of a graph operator; the frontend infers its type. The slots of ir.Op are type and id, those of ir.Call type, op, args
 * (kinds.h). */
static int call(const TnInstance* self, const char* op, const TnValue* args, size_t n, TnValue* ret) {
  TnValue id[2] = {{TN_NONE, 0, {0}}, {TN_NONE, 0, {0}}},
          slots[3] = {{TN_NONE, 0, {0}}, {TN_NONE, 0, {0}}, {TN_NONE, 0, {0}}};
  TnValue* made = &id[1]; /* what was made last: on failure the error */
  int status = self->runtime->string(op, strlen(op), made);
  if (status == 0) status = self->ir->make(self->ir->self, TN_KIND_ir_Op, NULL, id, 2, made = &slots[1]);
  if (status == 0) status = self->runtime->array(args, n, made = &slots[2]);
  if (status == 0)
    status = self->ir->make(self->ir->self, TN_KIND_ir_Call, NULL, slots, 3, ret);
  else
    *ret = *made, tn_value_retain(ret);
  for (int i = 1; i < 3; ++i) tn_value_release(&slots[i]);
  tn_value_release(&id[1]);
  return status;
}

/* x * sigmoid(x): an array with an expression for each output. */
static int convert(void* instance, const TnContext* context, const TnValue* node, TnValue* ret) {
  const TnInstance* self = (const TnInstance*)instance;
  const TnValue *op = tn_map_find(node, "op"), *inputs = tn_map_find(node, "inputs");
  const TnArray* x = inputs && inputs->type_index == TN_ARRAY ? (const TnArray*)inputs->as.object : NULL;
  (void)context;
  if (!op || !tn_is_text(op, "Swish") || !x || x->size != 1 || x->data[0].type_index != TN_NODE)
    return self->runtime->error(TN_ERROR_ARGUMENT, "@ID@ converts Swish of one input", NULL, NULL, NULL, ret);
  TnValue factors[2] = {x->data[0], {TN_NONE, 0, {0}}}, product;
  if (call(self, "relax.sigmoid", x->data, 1, &factors[1]) != 0) return *ret = factors[1], -1;
  int status = call(self, "relax.multiply", factors, 2, &product);
  tn_value_release(&factors[1]);
  if (status != 0) return *ret = product, -1;
  status = self->runtime->array(&product, 1, ret);
  tn_value_release(&product);
  return status;
}

static const TnOnnxConverter converter_table = TENON_TABLE(TnOnnxConverter, &convert);
TENON_C_PLUGIN({TN_ONNX_CONVERTER, &converter_table})
