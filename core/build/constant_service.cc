#include "build/constant_service.h"

#include <vector>

namespace tenon {

namespace {

// Smaller constants share a store: a mapping of its own costs a page and a system call.
constexpr uint64_t kOwnStoreBytes = 64 * 1024;

// A tensor over memory that `owner` keeps.
template <class Owner>
struct Holder {
  TnDLManagedTensorVersioned managed{};
  std::vector<int64_t> shape;
  Owner owner;
};

template <class Owner>
Value tensor_over(const void* data, DLDataType dtype, int32_t ndim, const int64_t* shape, bool read_only, Owner owner) {
  auto holder =
      std::make_unique<Holder<Owner>>(Holder<Owner>{{}, std::vector<int64_t>(shape, shape + ndim), std::move(owner)});
  TnDLManagedTensorVersioned& m = holder->managed;
  m.version = {1, 0};
  m.flags = read_only ? uint64_t{1} : 0;  // DLPACK_FLAG_BITMASK_READ_ONLY
  m.manager_ctx = holder.get();
  m.deleter = [](TnDLManagedTensorVersioned* self) { delete static_cast<Holder<Owner>*>(self->manager_ctx); };
  m.dl_tensor.data = const_cast<void*>(data);
  m.dl_tensor.device = {kDLCPU, 0};
  m.dl_tensor.dtype = dtype;
  m.dl_tensor.ndim = ndim;
  m.dl_tensor.shape = holder->shape.data();
  Value v = call([&](TnValue* ret) { return tn_runtime()->tensor_from_dlpack_versioned(&m, ret); });
  (void)holder.release();
  return v;
}

uint64_t bytes_of(DLDataType dtype, int32_t ndim, const int64_t* shape) {
  static const char nothing = 0;
  DLTensor t{const_cast<char*>(&nothing), {kDLCPU, 0}, ndim, dtype, const_cast<int64_t*>(shape), nullptr, 0};
  return tensor_bytes(t);
}

}  // namespace

ConstantService::ConstantService(ConstantStore& store) : store_(store), drafts_(std::make_shared<Drafts>()) {
  table_.size = sizeof table_;
  table_.self = this;
  table_.tensor = [](void* self, DLDataType dtype, int32_t ndim, const int64_t* shape, TnValue* ret) -> int {
    return guard(tn_runtime(), ret, [&] { return static_cast<ConstantService*>(self)->tensor(dtype, ndim, shape); });
  };
  table_.seal = [](void* self, const TnValue* tensor, TnValue* ret) -> int {
    return guard(tn_runtime(), ret, [&] { return static_cast<ConstantService*>(self)->seal(Value::view(*tensor)); });
  };
  table_.view = [](void*, const TnValue* constant, DLDataType dtype, int32_t ndim, const int64_t* shape,
                   TnValue* ret) -> int {
    return guard(tn_runtime(), ret, [&] { return view(Value::view(*constant), dtype, ndim, shape); });
  };
}

Value ConstantService::tensor(DLDataType dtype, int32_t ndim, const int64_t* shape) {
  ConstantDraft draft(bytes_of(dtype, ndim, shape));
  // Forgets the draft with the tensor.
  struct Registration {
    std::shared_ptr<Drafts> drafts;
    const void* data;
    Registration(std::shared_ptr<Drafts> d, const void* p) : drafts(std::move(d)), data(p) {}
    Registration(Registration&& other) noexcept : drafts(std::move(other.drafts)), data(other.data) {}
    ~Registration() {
      if (!drafts) return;
      std::lock_guard lock(drafts->mutex);
      drafts->by_data.erase(data);
    }
  };
  {
    std::lock_guard lock(drafts_->mutex);
    drafts_->by_data.emplace(draft.data(), draft);
  }
  return tensor_over(draft.data(), dtype, ndim, shape, false, Registration(drafts_, draft.data()));
}

Value ConstantService::seal(const Value& tensor) {
  const void* data = tensor.type_index() == TN_TENSOR
                         ? reinterpret_cast<const TnTensor*>(tensor.raw().as.object)->tensor.data
                         : nullptr;
  std::lock_guard lock(drafts_->mutex);
  auto found = drafts_->by_data.find(data);
  if (found == drafts_->by_data.end())
    throw Error(TN_ERROR_ARGUMENT, "the value is no tensor that tenon.host.constants made", {},
                "TnHostIr.constant copies the bytes of any tensor");
  const ConstantDraft& draft = found->second;
  if (draft.size() < kOwnStoreBytes) return Value(store_.add(draft.data(), draft.size()));
  Constant constant = draft.seal();
  if (Constant known = store_.find(constant->digest)) return Value(known);
  store_.keep(constant);
  return Value(constant);
}

Value ConstantService::view(const Value& constant, DLDataType dtype, int32_t ndim, const int64_t* shape) {
  if (constant.type_index() != TN_CONSTANT) throw Error(TN_ERROR_TYPE, "the value is no constant");
  auto* c = reinterpret_cast<const TnConstant*>(constant.raw().as.object);
  uint64_t bytes = bytes_of(dtype, ndim, shape);
  if (bytes != c->size)
    throw Error(TN_ERROR_SHAPE, "a constant of " + std::to_string(c->size) + " bytes is viewed as a tensor of " +
                                    std::to_string(bytes));
  auto alignment = static_cast<uint64_t>(dtype_bytes(dtype));
  alignment = std::min<uint64_t>(16, alignment & (~alignment + 1));
  if (reinterpret_cast<uintptr_t>(c->data) % alignment == 0)
    return tensor_over(c->data, dtype, ndim, shape, true, Constant::share(c));
  Value copy = call([&](TnValue* ret) { return tn_runtime()->tensor({kDLCPU, 0}, dtype, ndim, shape, ret); });
  std::memcpy(reinterpret_cast<TnTensor*>(copy.raw().as.object)->tensor.data, c->data, bytes);
  return copy;
}

}  // namespace tenon
