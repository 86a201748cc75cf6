#include <gtest/gtest.h>

#include "tenon/cxx/builder.h"

namespace tenon {
namespace {

const TnRuntime* rt = tn_runtime();
constexpr DLDevice kCpu{kDLCPU, 0};

Value make(std::vector<int64_t> shape, DLDataType dtype = kFloat32) {
  return call(
      [&](TnValue* ret) { return rt->tensor(kCpu, dtype, static_cast<int32_t>(shape.size()), shape.data(), ret); });
}
TnTensor* tensor(const Value& v) { return reinterpret_cast<TnTensor*>(v.raw().as.object); }

template <class F>
std::string refusal(F&& f) {
  try {
    call(f);
  } catch (const Error& e) { return e.message; }
  return "accepted";
}

TEST(Tensor, RefusesShapesThatCannotBe) {
  EXPECT_THROW(make({-1}), Error);
  EXPECT_THROW(make({int64_t{1} << 40, int64_t{1} << 40}), Error);
  EXPECT_THROW(make({int64_t{1} << 61}, kFloat64), Error);
  EXPECT_THROW(make(std::vector<int64_t>(65, 1)), Error);
  EXPECT_EQ(tensor(make({0, int64_t{1} << 62}))->tensor.ndim, 2);
}

TEST(Tensor, IsAlignedAndContiguous) {
  Value v = make({2, 3, 5});
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor(v)->tensor.data) % 64, 0u);
  EXPECT_EQ(tensor(v)->tensor.strides[0], 15);
  EXPECT_EQ(tensor(v)->tensor.strides[2], 1);
}

struct Foreign {
  DLManagedTensor managed;
  float data[6];
  int64_t shape[2], strides[2];
  int deleted = 0;
};

TEST(Tensor, TakesDlpackOverWithoutACopyAndDeletesItOnce) {
  Foreign f{};
  f.shape[0] = 2, f.shape[1] = 3, f.strides[0] = 1, f.strides[1] = 2;
  f.managed.dl_tensor = {f.data, kCpu, 2, kFloat32, f.shape, f.strides, 4};
  f.managed.manager_ctx = &f;
  f.managed.deleter = [](DLManagedTensor* m) { ++static_cast<Foreign*>(m->manager_ctx)->deleted; };
  {
    Value v = call([&](TnValue* ret) { return rt->tensor_from_dlpack(&f.managed, ret); });
    EXPECT_EQ(tensor(v)->tensor.data, f.data);
    EXPECT_EQ(tensor(v)->tensor.byte_offset, 4u);
    EXPECT_EQ(tensor(v)->tensor.strides[1], 2);
    TnValue ret;
    DLManagedTensor* out = rt->tensor_to_dlpack(tensor(v), &ret);
    v = Value();
    EXPECT_EQ(f.deleted, 0);
    EXPECT_EQ(out->dl_tensor.data, f.data);
    out->deleter(out);
  }
  EXPECT_EQ(f.deleted, 1);
}

TEST(Tensor, LeavesARefusedDlpackTensorAlone) {
  Foreign f{};
  f.shape[0] = -2;
  f.managed.dl_tensor = {f.data, kCpu, 1, kFloat32, f.shape, nullptr, 0};
  f.managed.manager_ctx = &f;
  f.managed.deleter = [](DLManagedTensor* m) { ++static_cast<Foreign*>(m->manager_ctx)->deleted; };
  EXPECT_EQ(refusal([&](TnValue* ret) { return rt->tensor_from_dlpack(&f.managed, ret); }),
            "dimension 0 of a tensor is -2");
  EXPECT_EQ(f.deleted, 0);
}

TEST(Tensor, VersionedExchangeChecksTheMajorVersion) {
  Value v = make({4});
  TnValue ret;
  TnDLManagedTensorVersioned* out = rt->tensor_to_dlpack_versioned(tensor(v), &ret);
  out->version.major = 2;
  EXPECT_EQ(refusal([&](TnValue* r) { return rt->tensor_from_dlpack_versioned(out, r); }),
            "DLPack 2.0 is not known here: major version 1 is");
  out->version.major = 1;
  Value back = call([&](TnValue* r) { return rt->tensor_from_dlpack_versioned(out, r); });
  EXPECT_EQ(tensor(back)->tensor.data, tensor(v)->tensor.data);
}

TEST(Tensor, ReadOnlyStaysReadOnly) {
  Foreign f{};
  f.shape[0] = 6;
  TnDLManagedTensorVersioned in{};
  in.version.major = 1;
  in.flags = 1;
  in.manager_ctx = &f;
  in.dl_tensor = {f.data, kCpu, 1, kFloat32, f.shape, nullptr, 0};
  in.deleter = [](TnDLManagedTensorVersioned* m) { ++static_cast<Foreign*>(m->manager_ctx)->deleted; };
  {
    Value v = call([&](TnValue* r) { return rt->tensor_from_dlpack_versioned(&in, r); });
    TnValue ret;
    TnDLManagedTensorVersioned* out = rt->tensor_to_dlpack_versioned(tensor(v), &ret);
    EXPECT_EQ(out->flags, 1u);
    out->deleter(out);
    ASSERT_EQ(rt->tensor_to_dlpack(tensor(v), &ret), nullptr);
    EXPECT_EQ(reinterpret_cast<TnError*>(ret.as.object)->code, TN_ERROR_UNSUPPORTED);
    tn_value_release(&ret);
    EXPECT_EQ(f.deleted, 0);
  }
  EXPECT_EQ(f.deleted, 1);
}

TEST(Tensor, RefusesWhatIsNoTensor) {
  EXPECT_EQ(refusal([](TnValue* r) { return rt->tensor_from_dlpack(nullptr, r); }), "no DLPack tensor was given");
  Foreign f{};
  f.shape[0] = 6;
  f.managed.dl_tensor = {nullptr, kCpu, 1, kFloat32, f.shape, nullptr, 0};
  auto take = [&](TnValue* r) { return rt->tensor_from_dlpack(&f.managed, r); };
  EXPECT_EQ(refusal(take), "a DLPack tensor of 24 bytes has no data");
  f.managed.dl_tensor.shape = nullptr;
  EXPECT_EQ(refusal(take), "a DLPack tensor of rank 1 has no shape");
  f.managed.dl_tensor.ndim = -1;
  EXPECT_EQ(refusal(take), "a tensor of rank -1: the rank is from 0 to 64");
  int64_t shape = 1;
  EXPECT_EQ(refusal([&](TnValue* r) { return rt->tensor({kDLCUDA, 0}, kFloat32, 1, &shape, r); }),
            "a tensor cannot be made on device type 2, only on the CPU");
}

TEST(Tensor, ViewsStayInside) {
  Value v = make({4, 6});
  auto view = [&](std::vector<int64_t> shape, std::vector<int64_t> strides, uint64_t offset) {
    return call([&](TnValue* ret) {
      return rt->tensor_view(tensor(v), kFloat32, static_cast<int32_t>(shape.size()), shape.data(),
                             strides.empty() ? nullptr : strides.data(), offset, ret);
    });
  };
  Value ok = view({2, 3}, {6, 2}, 4 * 12);
  EXPECT_EQ(tensor(ok)->tensor.byte_offset, 48u);
  EXPECT_EQ(tensor(view({0}, {}, 96))->tensor.ndim, 1);
  EXPECT_EQ(tensor(view({1000}, {0}, 92))->tensor.strides[0], 0);  // one element, many times
  auto refused = [&](std::vector<int64_t> shape, std::vector<int64_t> strides, uint64_t offset) -> std::string {
    try {
      view(std::move(shape), std::move(strides), offset);
    } catch (const Error& e) { return e.message; }
    return "accepted";
  };
  EXPECT_EQ(refused({25}, {}, 0), "a view of 100 bytes from byte 0 on does not fit into the 96 bytes of the tensor");
  EXPECT_EQ(refused({24}, {}, 4), "a view of 96 bytes from byte 4 on does not fit into the 96 bytes of the tensor");
  EXPECT_EQ(refused({0}, {}, 97), "a view of 0 bytes from byte 97 on does not fit into the 96 bytes of the tensor");
  EXPECT_EQ(refused({1}, {}, UINT64_MAX - 1).substr(0, 16), "a view of 4 byte");
  EXPECT_EQ(refused({2}, {-1}, 4), "a view with the negative stride -1 in dimension 0");
  EXPECT_EQ(refused({2}, {int64_t{1} << 62}, 0), "the size of a view does not fit into 64 bits");
  EXPECT_EQ(refused({3}, {INT64_MAX}, 0), "the strides of a view do not fit into 64 bits");
  Value inner = call([&](TnValue* ret) {  // a view of a view counts from the view
    int64_t shape = 1;
    return rt->tensor_view(tensor(ok), kFloat32, 1, &shape, nullptr, 40, ret);
  });
  EXPECT_EQ(tensor(inner)->tensor.byte_offset, 88u);
  inner = Value();
  v = Value();  // the view keeps the memory
  static_cast<float*>(tensor(ok)->tensor.data)[23] = 1;
}

}  // namespace
}  // namespace tenon
