#include <stdio.h>
#include <tenon/c_plugin.h>
#include <tenon/ext/codegen.h>

static const unsigned char kernel[] = {
#include "kernel.inc"
};
static const char* const operations[] = {"relax.add", "relax.subtract", "relax.multiply", "relax.divide"};

static int64_t register_of(const void* const* variables, int64_t n, const TnValue* v) {
  while (n-- > 0 && v->as.p != variables[n]) continue;
  return n;
}

/* Writes the commands of one function (slots: kinds.h); the number of words, or 0 when it is more than this can do. */
static int64_t compile(const TnHostIr* ir, const TnNode* f, int64_t* code) {
  const TnNode* body = f->kind == TN_KIND_relax_Function ? tn_node_of_kind(&f->slots[5], TN_KIND_relax_SeqExpr) : NULL;
  const TnArray *params = body ? tn_array_slot(f, 1) : NULL, *blocks = body ? tn_array_slot(body, 1) : NULL;
  const void* variables[64]; /* by register */
  int64_t n = 3, registers = 0;
  for (size_t i = 0; params && i < params->size; ++i) {
    const TnNode *p = tn_item(params, i), *t = tn_node_of_kind(&p->slots[0], TN_KIND_relax_TensorType);
    TnValue difference = {TN_NONE, 0, {0}}; /* from the type of the first */
    if (!t || t->slots[0].type_index != TN_ARRAY || t->slots[1].type_index != TN_DTYPE || registers == 16) return 0;
    ir->structural_equal(ir->self, &tn_item(params, 0)->slots[0], &p->slots[0], 0, &difference);
    tn_value_release(&difference);
    if (difference.type_index || t->slots[1].as.dtype.code != kDLFloat || t->slots[1].as.dtype.bits != 32) return 0;
    variables[registers++] = p;
  }
  code[0] = registers;
  for (size_t i = 0; blocks && i < blocks->size; ++i) {
    const TnArray* bindings = tn_array_slot(tn_item(blocks, i), 0);
    for (size_t j = 0; j < bindings->size; ++j) {
      const TnNode* binding = tn_node_of_kind(&bindings->data[j], TN_KIND_relax_VarBinding);
      const TnNode* call = binding ? tn_node_of_kind(&binding->slots[0], TN_KIND_ir_Call) : NULL;
      const TnNode* op = call ? tn_node_of_kind(&call->slots[1], TN_KIND_ir_Op) : NULL;
      for (code[n] = 0; op && code[n] < 4 && !tn_is_text(&op->slots[1], operations[code[n]]);) ++code[n];
      if (!op || code[n++] == 4 || registers == 64) return 0;
      for (int a = 0; a < 2; ++a)
        if ((code[n++] = register_of(variables, registers, &tn_array_slot(call, 2)->data[a])) < 0) return 0;
      variables[registers++] = binding->slots[1].as.p;
    }
  }
  code[1] = registers - code[0];
  code[2] = body ? register_of(variables, registers, &body->slots[2]) : -1;
  return code[2] >= 0 ? n : 0;
}

static int generate(void* instance, const TnContext* ctx, const TnNode* module, const TnValue* options, TnValue* ret) {
  const TnInstance* self = (const TnInstance*)instance;
  const TnRuntime* rt = self->runtime;
  const TnMap* functions = module->kind == TN_KIND_ir_Module ? tn_map_slot(module, 2) : NULL;
  const size_t n = functions ? functions->size : 0;
  TnValue made[36] = {{TN_NONE, 0, {0}}}; /* the payload's six keys and values, then 8 constants, then 8 exports */
  TnValue *constants = made + 12, *exports = made + 20;
  int status = n > 0 && n <= 8 && ctx && options ? 0 : -1;
  for (size_t i = 0; status == 0 && i < n; ++i) {
    int64_t code[200], words = compile(self->ir, (const TnNode*)functions->data[i].value.as.object, code);
    DLTensor t = {code, {kDLCPU, 0}, 1, {kDLInt, 64, 1}, &words, NULL, 0};
    char symbol[16];
    snprintf(symbol, sizeof symbol, "elementwise_%d", (int)i);
    exports[2 * i] = functions->data[i].key;
    tn_value_retain(&exports[2 * i]);
    status = rt->string(symbol, strlen(symbol), &exports[2 * i + 1]);
    if (status == 0) status = words ? self->ir->constant(self->ir->self, &t, &constants[i]) : -1;
  }
  static const char* const keys[] = {"format", "bytes", "exports", "imports", "constants", "symbols"};
  for (int i = 0; i < 6; ++i) made[2 * i].type_index = TN_C_STRING, made[2 * i].as.s = keys[i];
  made[1].type_index = TN_C_STRING, made[1].as.s = "elf-object/1";
  if (status == 0) status = rt->bytes((const char*)kernel, sizeof kernel, &made[3]);
  if (status == 0) status = rt->map(exports, n, &made[5]);
  if (status == 0) status = rt->array(NULL, 0, &made[7]);
  if (status == 0) status = rt->array(constants, n, &made[9]);
  if (status == 0) status = rt->array(NULL, 0, &made[11]);
  static const char why[] = "more than 8 functions of arithmetic on float32 tensors of one shape";
  status = status == 0 ? rt->map(made, 6, ret) : rt->error(TN_ERROR_UNSUPPORTED, why, 0, 0, 0, ret);
  for (int i = 0; i < 36; ++i) tn_value_release(&made[i]);
  return status;
}

static const TnCodegen codegen_table = TENON_TABLE(TnCodegen, &generate);
TENON_C_PLUGIN({TN_CODEGEN, &codegen_table})
