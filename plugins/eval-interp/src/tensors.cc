#include "tensors.h"

#include <tenon/cxx/device.h>

namespace tenon::interp {
namespace {

std::string shape_text(const DLTensor& t) {
  std::string s = dtype_text(t.dtype) + "(";
  for (int32_t k = 0; k < t.ndim; ++k) s += (k ? ", " : "") + std::to_string(t.shape[k]);
  return s + ")";
}

// A managed tensor and the object that keeps its memory alive.
struct Holder {
  DLManagedTensor managed;
  std::vector<int64_t> shape, strides;
  Value owner;
};

Value held_tensor(const TnRuntime* rt, const DLTensor& tensor, Value owner) {
  auto holder = std::make_unique<Holder>();
  holder->shape.assign(tensor.shape, tensor.shape + tensor.ndim);
  if (tensor.strides) holder->strides.assign(tensor.strides, tensor.strides + tensor.ndim);
  holder->owner = std::move(owner);
  holder->managed.dl_tensor = tensor;
  holder->managed.dl_tensor.shape = holder->shape.data();
  holder->managed.dl_tensor.strides = tensor.strides ? holder->strides.data() : nullptr;
  holder->managed.manager_ctx = holder.get();
  holder->managed.deleter = [](DLManagedTensor* self) { delete static_cast<Holder*>(self->manager_ctx); };
  Value v = call([&](TnValue* ret) { return rt->tensor_from_dlpack(&holder->managed, ret); });
  (void)holder.release();
  return v;
}

int64_t row_major_stride(const DLTensor& t, int32_t dim) {
  int64_t s = 1;
  for (int32_t k = t.ndim; --k > dim;) s *= t.shape[k];
  return s;
}

void copy_dimension(const DLTensor& from, const DLTensor& to, int32_t dim, const char* source, char* target) {
  const auto bytes = static_cast<size_t>(dtype_bytes(from.dtype));
  if (dim == from.ndim) {
    std::memcpy(target, source, bytes);
    return;
  }
  const int64_t step_from = from.strides ? from.strides[dim] : row_major_stride(from, dim);
  const int64_t step_to = to.strides ? to.strides[dim] : row_major_stride(to, dim);
  for (int64_t k = 0; k < from.shape[dim]; ++k)
    copy_dimension(from, to, dim + 1, source + k * step_from * static_cast<int64_t>(bytes),
                   target + k * step_to * static_cast<int64_t>(bytes));
}

}  // namespace

Value fresh_tensor(const Machine& machine, DLDataType dtype, const std::vector<int64_t>& shape) {
  const Options& options = machine.program.options;
  int64_t bytes = dtype_bytes(dtype);
  for (int64_t extent : shape) {
    if (extent < 0) throw Error(TN_ERROR_SHAPE, "a tensor with the negative extent " + std::to_string(extent));
    if (__builtin_mul_overflow(bytes, extent, &bytes))
      throw Error(TN_ERROR_LIMIT, "a tensor beyond the range of int64");
  }
  if (bytes > machine.bytes_left)
    throw Error(TN_ERROR_LIMIT,
                "a tensor of " + std::to_string(bytes) + " bytes goes beyond the limit of " +
                    std::to_string(options.max_bytes) + " bytes",
                {}, "raise the option max_bytes of eval-interp (0 for no limit), or use smaller tensors");
  const Value tensor = call([&](TnValue* ret) {
    return machine.program.runtime->tensor({kDLCPU, 0}, dtype, static_cast<int32_t>(shape.size()), shape.data(), ret);
  });
  if (options.fill != Fill::Leave && bytes > 0)
    std::memset(tensor_of(tensor.raw()).data, options.fill == Fill::Zero ? 0 : (is_floating(dtype) ? 0xff : 0xcd),
                static_cast<size_t>(bytes));
  return tensor;
}

Value constant_tensor(const TnRuntime* rt, const TnConstant* constant, DLDataType dtype,
                      const std::vector<int64_t>& shape) {
  int64_t bytes = dtype_bytes(dtype);
  for (int64_t extent : shape)
    if (extent < 0 || __builtin_mul_overflow(bytes, extent, &bytes)) bytes = INT64_MAX;
  if (static_cast<uint64_t>(bytes) > constant->size)
    throw Error(TN_ERROR_VERIFY,
                "a constant of " + std::to_string(constant->size) + " bytes is too small for its type");
  DLTensor t{};
  t.data = const_cast<void*>(constant->data);
  t.device = {kDLCPU, 0};
  t.ndim = static_cast<int32_t>(shape.size());
  t.dtype = dtype;
  t.shape = const_cast<int64_t*>(shape.data());
  return held_tensor(rt, t, Value(Ref<TnConstant>::share(constant)));
}

Value borrowed_tensor(const TnRuntime* rt, const DLTensor& tensor) { return held_tensor(rt, tensor, Value()); }

void copy_tensor(const DLTensor& from, const DLTensor& to, const std::string& what) {
  bool same = same_dtype(from.dtype, to.dtype) && from.ndim == to.ndim;
  for (int32_t k = 0; same && k < from.ndim; ++k) same = from.shape[k] == to.shape[k];
  if (!same) throw Error(TN_ERROR_SHAPE, what + " is " + shape_text(from) + ", but " + shape_text(to) + " is needed");
  if (device_type(from.device) != kDLCPU || device_type(to.device) != kDLCPU)
    throw Error(TN_ERROR_DEVICE, what + " is not in the memory of the CPU");
  copy_dimension(from, to, 0, static_cast<const char*>(from.data) + from.byte_offset,
                 static_cast<char*>(to.data) + to.byte_offset);
}

}  // namespace tenon::interp
