/* Runs what the plugin wrote: inputs, steps, register of the result, then (operation, operand, operand) for each step. */
#include <tenon/kernel.h>

static int run(void* self, int entry, const TnValue* args, int32_t n, TnValue* ret) {
  const TnModuleContext* context = tn_module_context(self);
  const int64_t* code = (const int64_t*)context->constants[entry];
  float* data[17]; /* the inputs, then the result */
  int64_t count = 0;
  int right = n == code[0] + 1;
  for (int32_t i = 0; right && i < n; ++i) {
    const DLTensor* t = tn_tensor_argument(&args[i]);
    right = t && t->dtype.code == kDLFloat && t->dtype.bits == 32 && (i == 0 || tn_element_count(t) == count);
    if (right) count = tn_element_count(t), data[i] = (float*)tn_tensor_data(t);
  }
  if (!right) return context->runtime->error(TN_ERROR_ARGUMENT, "@ID@: wrong arguments", 0, 0, 0, ret);
  for (int64_t e = 0; e < count; ++e) {
    float r[64];
    for (int64_t i = 0; i < code[0]; ++i) r[i] = data[i][e];
    for (int64_t s = 0; s < code[1]; ++s) {
      const int64_t* step = code + 3 + 3 * s;
      const float a = r[step[1]], b = r[step[2]];
      r[code[0] + s] = step[0] == 0 ? a + b : step[0] == 1 ? a - b : step[0] == 2 ? a * b : a / b;
    }
    data[code[0]][e] = r[code[2]];
  }
  return tn_return_none(ret);
}

/* Entry K runs the commands of constant K. */
#define ENTRY(k)                                                                 \
  int elementwise_##k(void* self, const TnValue* args, int32_t n, TnValue* ret); \
  int elementwise_##k(void* self, const TnValue* args, int32_t n, TnValue* ret) { return run(self, k, args, n, ret); }
ENTRY(0) ENTRY(1) ENTRY(2) ENTRY(3) ENTRY(4) ENTRY(5) ENTRY(6) ENTRY(7)
