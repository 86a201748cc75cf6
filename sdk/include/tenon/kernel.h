/* What kernels that a code generator hands out are written with: the tensors among their arguments. Plain C, no calls.
 */
#ifndef TENON_SDK_KERNEL_H
#define TENON_SDK_KERNEL_H

#include <tenon/runtime.h>

static inline const TnModuleContext* tn_module_context(void* self) {
  return (const TnModuleContext*)((TnFunction*)self)->context;
}

/* The tensor that an argument is; null when it is none, or not contiguous. */
static inline const DLTensor* tn_tensor_argument(const TnValue* v) {
  const DLTensor* t = v->type_index == TN_DLTENSOR ? (const DLTensor*)v->as.p
                      : v->type_index == TN_TENSOR ? &((const TnTensor*)v->as.object)->tensor
                                                   : (const DLTensor*)0;
  int64_t step = 1;
  for (int32_t d = t && t->strides ? t->ndim : 0; d-- > 0; step *= t->shape[d])
    if (t->shape[d] > 1 && t->strides[d] != step) return (const DLTensor*)0;
  return t;
}

static inline int64_t tn_element_count(const DLTensor* t) {
  int64_t n = 1;
  for (int32_t d = 0; d < t->ndim; ++d) n *= t->shape[d];
  return n;
}

static inline void* tn_tensor_data(const DLTensor* t) { return (char*)t->data + t->byte_offset; }

static inline int tn_return_none(TnValue* ret) {
  ret->type_index = TN_NONE, ret->small_size = 0, ret->as.i = 0;
  return 0;
}

#endif
