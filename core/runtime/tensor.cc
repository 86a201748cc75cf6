// Tensors: memory of our own, memory taken over from DLPack, and views.
#include "runtime/run.h"

namespace tenon::rt {
namespace {

constexpr size_t kAlignment = 64;
constexpr uint64_t kReadOnly = 1;  // a flag of versioned DLPack

struct Tensor {
  TnTensor base;
  void* memory;     // of our own, or null
  TnObject* owner;  // the tensor that a view keeps alive, the device of device memory, or null
  DLManagedTensor* managed;
  TnDLManagedTensorVersioned* versioned;
  const TnAllocator* allocator;  // that `memory` came from, or null
  size_t memory_bytes;
  void (*release)(TnObject* owner, void* memory);  // of device memory; `owner` is the device
  bool read_only;
  // followed by shape and strides
};

void destroy_tensor(void* self) {
  auto* t = static_cast<Tensor*>(self);
  if (t->allocator)
    t->allocator->free(t->allocator->self, t->memory, t->memory_bytes);
  else
    free(t->memory);
  if (t->release) t->release(t->owner, t->base.tensor.data);
  if (t->owner) tn_object_release(t->owner);
  if (t->managed && t->managed->deleter) t->managed->deleter(t->managed);
  if (t->versioned && t->versioned->deleter) t->versioned->deleter(t->versioned);
}

size_t element_bytes(DLDataType t) { return (static_cast<size_t>(t.bits) * t.lanes + 7) / 8; }

// Row-major strides and the size in bytes; -1 with an error for a bad shape.
int layout(DLDataType dtype, int32_t ndim, const int64_t* shape, int64_t* strides, size_t* bytes, TnValue* ret) {
  if (dtype.bits == 0 || dtype.lanes == 0) return fail(TN_ERROR_TYPE, ret, "a tensor of a dtype with no bits or lanes");
  int64_t count = 1;
  bool empty = false;
  for (int32_t d = 0; d < ndim; ++d) {
    if (shape[d] < 0)
      return fail(TN_ERROR_SHAPE, ret, "dimension %d of a tensor is %lld", d, static_cast<long long>(shape[d]));
    empty = empty || shape[d] == 0;
  }
  for (int32_t d = ndim; d-- > 0;) {
    strides[d] = count;
    if (empty)  // nothing is addressed; the strides are still products of the extents behind them
      count = static_cast<int64_t>(static_cast<uint64_t>(count) * static_cast<uint64_t>(shape[d]));
    else if (__builtin_mul_overflow(count, shape[d], &count))
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

// The bytes from the first element of a tensor to the end of its last one.
int reach(const DLTensor& t, uint64_t* bytes, TnValue* ret) {
  int64_t last = 0, step = 1;
  for (int32_t d = 0; d < t.ndim; ++d)
    if (t.shape[d] == 0) {
      *bytes = 0;
      return 0;
    }
  for (int32_t d = t.ndim; d-- > 0; __builtin_mul_overflow(step, t.shape[d], &step)) {
    int64_t stride = t.strides ? t.strides[d] : step, part;
    if (stride < 0)
      return fail(TN_ERROR_UNSUPPORTED, ret, "a view with the negative stride %lld in dimension %d",
                  static_cast<long long>(stride), d);
    if (__builtin_mul_overflow(t.shape[d] - 1, stride, &part) || __builtin_add_overflow(last, part, &last))
      return fail(TN_ERROR_SHAPE, ret, "the strides of a view do not fit into 64 bits");
  }
  if (__builtin_mul_overflow(static_cast<uint64_t>(last) + 1, static_cast<uint64_t>(element_bytes(t.dtype)), bytes))
    return fail(TN_ERROR_SHAPE, ret, "the size of a view does not fit into 64 bits");
  return 0;
}

// An exchange structure that keeps the tensor alive; null with an error when there is no memory.
template <class Managed>
Managed* lend(TnTensor* tensor, TnValue* ret) {
  auto* m = static_cast<Managed*>(calloc(1, sizeof(Managed)));
  if (!m) {
    out_of_memory(ret);
    return nullptr;
  }
  tn_object_retain(&tensor->header);
  m->dl_tensor = tensor->tensor;
  m->manager_ctx = tensor;
  m->deleter = [](Managed* self) {
    tn_object_release(static_cast<TnObject*>(self->manager_ctx));
    free(self);
  };
  return m;
}

}  // namespace

int make_tensor(DLDevice device, DLDataType dtype, int32_t ndim, const int64_t* shape, TnValue* ret) {
  if (device_type(device) != kDLCPU)
    return fail(TN_ERROR_DEVICE, ret, "a tensor cannot be made on device type %d, only on the CPU",
                device_type(device));
  const TnAllocator* allocator = current_run ? current_run->context.allocator : nullptr;
  size_t bytes = 0;
  Tensor* t = make(device, dtype, ndim, shape, nullptr, &bytes, ret);
  if (!t) return -1;
  size_t rounded = bytes ? (bytes + kAlignment - 1) / kAlignment * kAlignment : kAlignment;
  t->memory = allocator ? allocator->alloc(allocator->self, rounded, kAlignment) : aligned_alloc(kAlignment, rounded);
  if (!t->memory) {
    tn_object_release(&t->base.header);
    return fail(TN_ERROR_OUT_OF_MEMORY, ret, "no memory for a tensor of %zu bytes", bytes);
  }
  t->allocator = allocator;
  t->memory_bytes = rounded;
  t->base.tensor.data = t->memory;
  return give(t, ret);
}

int tensor_over(DLDevice device, void* memory, DLDataType dtype, int32_t ndim, const int64_t* shape, TnObject* owner,
                void (*release)(TnObject* owner, void* memory), TnValue* ret) {
  size_t bytes = 0;
  Tensor* t = make(device, dtype, ndim, shape, nullptr, &bytes, ret);
  if (!t) return -1;
  t->base.tensor.data = memory;
  t->owner = owner;
  t->release = release;
  tn_object_retain(owner);
  return give(t, ret);
}

int tensor_bytes(DLDataType dtype, int32_t ndim, const int64_t* shape, uint64_t* bytes, TnValue* ret) {
  if (ndim < 0 || ndim > 64) return fail(TN_ERROR_SHAPE, ret, "a tensor of rank %d: the rank is from 0 to 64", ndim);
  int64_t strides[64];
  size_t total = 0;
  if (layout(dtype, ndim, shape, strides, &total, ret)) return -1;
  *bytes = total;
  return 0;
}

TnObject* tensor_owner(const TnTensor* tensor) {
  while (is_made_with(tensor, destroy_tensor)) {
    auto* t = reinterpret_cast<const Tensor*>(tensor);
    if (t->release) return t->owner;
    if (!t->owner) return nullptr;
    tensor = reinterpret_cast<const TnTensor*>(t->owner);  // a view's
  }
  return nullptr;
}

bool is_contiguous(const DLTensor& t) {
  if (!t.strides) return true;
  for (int32_t d = 0; d < t.ndim; ++d)
    if (t.shape[d] == 0) return true;
  int64_t step = 1;
  for (int32_t d = t.ndim; d-- > 0;) {
    if (t.shape[d] > 1 && t.strides[d] != step) return false;
    if (__builtin_mul_overflow(step, t.shape[d], &step)) return false;
  }
  return true;
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
  t->read_only = (managed->flags & kReadOnly) != 0;
  return give(t, ret);
}

DLManagedTensor* tensor_to_dlpack(TnTensor* tensor, TnValue* ret) {
  if (is_read_only(tensor)) {
    fail(TN_ERROR_UNSUPPORTED, ret,
         "a read-only tensor leaves through versioned DLPack alone: the other has no such mark");
    return nullptr;
  }
  return lend<DLManagedTensor>(tensor, ret);
}

TnDLManagedTensorVersioned* tensor_to_dlpack_versioned(TnTensor* tensor, TnValue* ret) {
  auto* m = lend<TnDLManagedTensorVersioned>(tensor, ret);
  if (!m) return nullptr;
  m->version.major = 1;
  m->flags = is_read_only(tensor) ? kReadOnly : 0;
  return m;
}

int tensor_view(TnTensor* tensor, DLDataType dtype, int32_t ndim, const int64_t* shape, const int64_t* strides,
                uint64_t byte_offset, TnValue* ret) {
  const DLTensor& base = tensor->tensor;
  size_t bytes = 0;
  Tensor* t = make(base.device, dtype, ndim, shape, strides, &bytes, ret);
  if (!t) return -1;
  uint64_t room = 0, needed = 0, end = 0;
  int status = reach(base, &room, ret) || reach(t->base.tensor, &needed, ret) ? -1 : 0;
  if (status == 0 && (__builtin_add_overflow(needed, byte_offset, &end) || end > room))
    status = fail(TN_ERROR_SHAPE, ret,
                  "a view of %llu bytes from byte %llu on does not fit into the %llu bytes of the tensor",
                  static_cast<unsigned long long>(needed), static_cast<unsigned long long>(byte_offset),
                  static_cast<unsigned long long>(room));
  if (status) {
    tn_object_release(&t->base.header);
    return -1;
  }
  t->base.tensor.data = base.data;
  t->base.tensor.byte_offset = base.byte_offset + byte_offset;
  t->read_only = is_read_only(tensor);
  t->owner = &tensor->header;
  tn_object_retain(t->owner);
  return give(t, ret);
}

bool is_read_only(const TnTensor* tensor) {
  return is_made_with(tensor, destroy_tensor) && reinterpret_cast<const Tensor*>(tensor)->read_only;
}

}  // namespace tenon::rt
