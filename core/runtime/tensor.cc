// Tensors: memory of our own, memory taken over from DLPack, and views.
#include "runtime/internal.h"

namespace tenon::rt {
namespace {

constexpr size_t kAlignment = 64;

struct Tensor {
  TnTensor base;
  void* memory;     // of our own, or null
  TnObject* owner;  // the tensor that a view keeps alive, or null
  DLManagedTensor* managed;
  TnDLManagedTensorVersioned* versioned;
  // followed by shape and strides
};

void destroy_tensor(void* self) {
  auto* t = static_cast<Tensor*>(self);
  free(t->memory);
  if (t->owner) tn_object_release(t->owner);
  if (t->managed && t->managed->deleter) t->managed->deleter(t->managed);
  if (t->versioned && t->versioned->deleter) t->versioned->deleter(t->versioned);
}

size_t element_bytes(DLDataType t) { return (static_cast<size_t>(t.bits) * t.lanes + 7) / 8; }

// Row-major strides and the size in bytes; -1 with an error for a bad shape.
int layout(DLDataType dtype, int32_t ndim, const int64_t* shape, int64_t* strides, size_t* bytes, TnValue* ret) {
  if (ndim < 0 || ndim > 64) return fail(TN_ERROR_SHAPE, ret, "a tensor of rank %d: the rank is from 0 to 64", ndim);
  if (dtype.bits == 0 || dtype.lanes == 0) return fail(TN_ERROR_TYPE, ret, "a tensor of a dtype with no bits or lanes");
  int64_t count = 1;
  bool empty = false;
  for (int32_t d = 0; d < ndim; ++d) {
    if (shape[d] < 0)
      return fail(TN_ERROR_SHAPE, ret, "dimension %d of a tensor is %lld", d, static_cast<long long>(shape[d]));
    empty = empty || shape[d] == 0;
  }
  for (int32_t d = ndim; d-- > 0;) {
    if (strides) strides[d] = count;
    if (!empty && __builtin_mul_overflow(count, shape[d], &count))
      return fail(TN_ERROR_SHAPE, ret, "the number of elements of a tensor does not fit into 64 bits");
  }
  size_t total;
  if (__builtin_mul_overflow(static_cast<size_t>(empty ? 0 : count), element_bytes(dtype), &total) ||
      total > SIZE_MAX / 2)
    return fail(TN_ERROR_SHAPE, ret, "the size of a tensor does not fit into 63 bits");
  *bytes = total;
  return 0;
}

// A tensor object with room for its shape and strides, which are copied; `strides` may be null for row-major.
Tensor* make(DLDevice device, DLDataType dtype, int32_t ndim, const int64_t* shape, const int64_t* strides,
             size_t* bytes, TnValue* ret) {
  if (ndim < 0 || ndim > 64) {
    fail(TN_ERROR_SHAPE, ret, "a tensor of rank %d: the rank is from 0 to 64", ndim);
    return nullptr;
  }
  size_t n = static_cast<size_t>(ndim);
  auto* t = static_cast<Tensor*>(allocate(sizeof(Tensor) + 16 * n, TN_TENSOR, destroy_tensor));
  if (!t) {
    out_of_memory(ret);
    return nullptr;
  }
  auto* dims = reinterpret_cast<int64_t*>(t + 1);
  if (layout(dtype, ndim, shape, dims + n, bytes, ret)) {
    tn_object_release(&t->base.header);
    return nullptr;
  }
  if (n) memcpy(dims, shape, 8 * n);
  if (n && strides) memcpy(dims + n, strides, 8 * n);
  t->base.tensor.device = device;
  t->base.tensor.dtype = dtype;
  t->base.tensor.ndim = ndim;
  t->base.tensor.shape = dims;
  t->base.tensor.strides = dims + n;
  return t;
}

int take_over(const DLTensor& from, Tensor** out, TnValue* ret) {
  size_t bytes = 0;
  if (from.ndim > 0 && !from.shape)
    return fail(TN_ERROR_ARGUMENT, ret, "a DLPack tensor of rank %d has no shape", from.ndim);
  Tensor* t = make(from.device, from.dtype, from.ndim, from.shape, from.strides, &bytes, ret);
  if (!t) return -1;
  if (bytes > 0 && !from.data) {
    tn_object_release(&t->base.header);
    return fail(TN_ERROR_ARGUMENT, ret, "a DLPack tensor of %zu bytes has no data", bytes);
  }
  t->base.tensor.data = from.data;
  t->base.tensor.byte_offset = from.byte_offset;
  *out = t;
  return 0;
}

}  // namespace

int make_tensor(DLDevice device, DLDataType dtype, int32_t ndim, const int64_t* shape, TnValue* ret) {
  if (device.device_type != kDLCPU)
    return fail(TN_ERROR_DEVICE, ret, "a tensor on device type %d: this slot makes CPU tensors",
                static_cast<int>(device.device_type));
  size_t bytes = 0;
  Tensor* t = make(device, dtype, ndim, shape, nullptr, &bytes, ret);
  if (!t) return -1;
  size_t rounded = bytes ? (bytes + kAlignment - 1) / kAlignment * kAlignment : kAlignment;
  t->memory = aligned_alloc(kAlignment, rounded);
  if (!t->memory) {
    tn_object_release(&t->base.header);
    return fail(TN_ERROR_OUT_OF_MEMORY, ret, "no memory for a tensor of %zu bytes", bytes);
  }
  t->base.tensor.data = t->memory;
  return give(t, ret);
}

int tensor_from_dlpack(DLManagedTensor* managed, TnValue* ret) {
  if (!managed) return fail(TN_ERROR_ARGUMENT, ret, "no DLPack tensor was given");
  Tensor* t = nullptr;
  if (take_over(managed->dl_tensor, &t, ret)) return -1;
  t->managed = managed;
  return give(t, ret);
}

int tensor_from_dlpack_versioned(TnDLManagedTensorVersioned* managed, TnValue* ret) {
  if (!managed) return fail(TN_ERROR_ARGUMENT, ret, "no DLPack tensor was given");
  if (managed->version.major != 1)
    return fail(TN_ERROR_ABI_MISMATCH, ret, "DLPack %u.%u is not known here: major version 1 is",
                managed->version.major, managed->version.minor);
  Tensor* t = nullptr;
  if (take_over(managed->dl_tensor, &t, ret)) return -1;
  t->versioned = managed;
  return give(t, ret);
}

DLManagedTensor* tensor_to_dlpack(TnTensor* tensor, TnValue* ret) {
  auto* m = static_cast<DLManagedTensor*>(calloc(1, sizeof(DLManagedTensor)));
  if (!m) {
    out_of_memory(ret);
    return nullptr;
  }
  tn_object_retain(&tensor->header);
  m->dl_tensor = tensor->tensor;
  m->manager_ctx = tensor;
  m->deleter = [](DLManagedTensor* self) {
    tn_object_release(static_cast<TnObject*>(self->manager_ctx));
    free(self);
  };
  return m;
}

TnDLManagedTensorVersioned* tensor_to_dlpack_versioned(TnTensor* tensor, TnValue* ret) {
  auto* m = static_cast<TnDLManagedTensorVersioned*>(calloc(1, sizeof(TnDLManagedTensorVersioned)));
  if (!m) {
    out_of_memory(ret);
    return nullptr;
  }
  tn_object_retain(&tensor->header);
  m->version.major = 1;
  m->dl_tensor = tensor->tensor;
  m->manager_ctx = tensor;
  m->deleter = [](TnDLManagedTensorVersioned* self) {
    tn_object_release(static_cast<TnObject*>(self->manager_ctx));
    free(self);
  };
  return m;
}

int tensor_view(TnTensor* tensor, DLDataType dtype, int32_t ndim, const int64_t* shape, const int64_t* strides,
                uint64_t byte_offset, TnValue* ret) {
  // The extent of the viewed tensor and of the view, from the first byte: strides are not negative here.
  auto reach = [](DLDataType type, int32_t n, const int64_t* dims, const int64_t* steps, uint64_t* out) {
    int64_t last = 0;
    for (int32_t d = 0; d < n; ++d) {
      if (dims[d] == 0) {
        *out = 0;
        return true;
      }
      int64_t part;
      if (steps[d] < 0 || __builtin_mul_overflow(dims[d] - 1, steps[d], &part) ||
          __builtin_add_overflow(last, part, &last))
        return false;
    }
    return !__builtin_mul_overflow(static_cast<uint64_t>(last) + 1, static_cast<uint64_t>(element_bytes(type)), out);
  };
  size_t bytes = 0;
  Tensor* t = make(tensor->tensor.device, dtype, ndim, shape, strides, &bytes, ret);
  if (!t) return -1;
  const DLTensor& base = tensor->tensor;
  uint64_t room, needed, end;
  bool fits = reach(base.dtype, base.ndim, base.shape, base.strides, &room) &&
              reach(dtype, ndim, shape, t->base.tensor.strides, &needed) &&
              !__builtin_add_overflow(needed, byte_offset, &end) && end <= room;
  if (!fits) {
    tn_object_release(&t->base.header);
    return fail(TN_ERROR_SHAPE, ret, "a view reaches outside the tensor that it looks at");
  }
  t->base.tensor.data = base.data;
  t->base.tensor.byte_offset = base.byte_offset + byte_offset;
  t->owner = &tensor->header;
  tn_object_retain(t->owner);
  return give(t, ret);
}

}  // namespace tenon::rt
