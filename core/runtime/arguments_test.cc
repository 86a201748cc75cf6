#include <gtest/gtest.h>

#include "tenon/cxx/builder.h"

namespace tenon {
namespace {

const TnRuntime* rt = tn_runtime();

// matmul(A: (n, k), B: (k, m), C: (n, m) written, flat: (n * m,), scale: float32, n2: int64 that is n)
constexpr int64_t nk[] = {TN_DIM_SYMBOL, 0, TN_DIM_END, TN_DIM_SYMBOL, 1, TN_DIM_END};
constexpr int64_t km[] = {TN_DIM_SYMBOL, 1, TN_DIM_END, TN_DIM_SYMBOL, 2, TN_DIM_END};
constexpr int64_t nm[] = {TN_DIM_SYMBOL, 0, TN_DIM_END, TN_DIM_SYMBOL, 2, TN_DIM_END};
constexpr int64_t flat[] = {TN_DIM_SYMBOL, 0, TN_DIM_SYMBOL, 2, TN_DIM_MUL, TN_DIM_END};
constexpr TnParam params[] = {
    {"A", TN_PARAM_TENSOR, 0, kFloat32, 2, -1, nk},
    {"B", TN_PARAM_TENSOR, 0, kFloat32, 2, -1, km},
    {"C", TN_PARAM_TENSOR, TN_PARAM_WRITTEN, kFloat32, 2, -1, nm},
    {"flat", TN_PARAM_TENSOR, 0, kFloat32, 1, -1, flat},
    {"scale", TN_PARAM_SCALAR, 0, kFloat32, 0, -1, nullptr},
    {"rows", TN_PARAM_SCALAR, 0, kInt32, 0, 0, nullptr},
};
constexpr const char* symbols[] = {"n", "k", "m"};
constexpr TnSignature signature = {sizeof(TnSignature), sizeof(TnParam), "matmul", params, 6, 3, symbols};

struct Call {
  std::vector<float> memory = std::vector<float>(1000);
  std::vector<std::vector<int64_t>> shapes = {{2, 3}, {3, 4}, {2, 4}, {8}}, strides = {{}, {}, {}, {}};
  std::vector<size_t> offsets = {0, 100, 200, 300};
  std::vector<DLTensor> tensors;
  std::vector<Value> extra = {Value(0.5), Value(2)};
  DLDataType dtype = kFloat32;
  DLDeviceType device = kDLCPU;
  int64_t bound[3] = {};
  void* data[6] = {};

  std::string run() {
    tensors.clear();
    for (size_t i = 0; i < 4; ++i)
      tensors.push_back({memory.data() + offsets[i],
                         {device, 0},
                         static_cast<int>(shapes[i].size()),
                         i == 1 ? dtype : kFloat32,
                         shapes[i].data(),
                         strides[i].empty() ? nullptr : strides[i].data(),
                         0});
    std::vector<Value> args;
    for (DLTensor& t : tensors) args.emplace_back(&t);
    args.insert(args.end(), extra.begin(), extra.end());
    try {
      call([&](TnValue* ret) {
        return rt->check_arguments(&signature, reinterpret_cast<TnValue*>(args.data()),
                                   static_cast<int32_t>(args.size()), data, bound, ret);
      });
    } catch (const Error& e) { return e.message; }
    return "accepted";
  }
};

TEST(Arguments, BindsSymbolsAndFindsTheData) {
  Call c;
  ASSERT_EQ(c.run(), "accepted");
  EXPECT_EQ(c.bound[0], 2);
  EXPECT_EQ(c.bound[1], 3);
  EXPECT_EQ(c.bound[2], 4);
  EXPECT_EQ(c.data[1], c.memory.data() + 100);
}

TEST(Arguments, SayWhatIsWrong) {
  struct Row {
    const char* message;
    void (*change)(Call&);
  };
  const Row rows[] = {
      {"matmul: expected 6 arguments, got 5", [](Call& c) { c.extra.pop_back(); }},
      {"matmul: argument 1 (B): expected float32 (k=3, m), got float32 (5, 4): dimension 0 is 5 where k is 3 from "
       "argument 0 (A)",
       [](Call& c) { c.shapes[1] = {5, 4}; }},
      {"matmul: argument 3 (flat): expected float32 (n=2*m=4,), got float32 (9,): dimension 0 is 9, expected 8",
       [](Call& c) { c.shapes[3] = {9}; }},
      {"matmul: argument 1 (B): expected float32 (k, m), got float32 (3,): it has rank 1 where 2 is expected",
       [](Call& c) { c.shapes[1] = {3}; }},
      {"matmul: argument 1 (B): expected float32 (k, m), got int32 (3, 4): the dtypes differ",
       [](Call& c) { c.dtype = kInt32; }},
      {"matmul: argument 0 (A): expected float32 (n, k), got float32 (2, 3): it is on device type 2, and this function "
       "runs on the CPU",
       [](Call& c) { c.device = kDLCUDA; }},
      {"matmul: argument 0 (A): expected float32 (n, k), got float32 (2, 3): it is not contiguous: dimension 1 has "
       "stride 2, needs 1 (in elements); "
       "pass a contiguous copy",
       [](Call& c) { c.strides[0] = {6, 2}; }},
      {"matmul: argument 2 (C): expected float32 (n=2, m=4), got float32 (2, 4): it is written and overlaps argument 1 "
       "(B) in memory; pass a copy",
       [](Call& c) { c.offsets[2] = 111; }},
      {"matmul: argument 4 (scale): expected a scalar of dtype float32, got int",
       [](Call& c) { c.extra[0] = Value(1); }},
      {"matmul: argument 5 (rows): 3000000000 does not fit into 32 bits",
       [](Call& c) { c.extra[1] = Value(int64_t{3000000000}); }},
      {"matmul: argument 0 (A): expected float32 (n=7, k), got float32 (2, 3): dimension 0 is 2 where n is 7 from "
       "argument 5 (rows)",
       [](Call& c) { c.extra[1] = Value(7); }},
  };
  for (const Row& row : rows) {
    Call c;
    row.change(c);
    EXPECT_EQ(c.run(), row.message);
  }
}

TEST(Arguments, AcceptWhatIsHarmless) {
  Call c;
  c.shapes = {{2, 0}, {0, 4}, {2, 4}, {8}};  // an empty inner dimension
  EXPECT_EQ(c.run(), "accepted");
  Call d;
  d.shapes = {{1, 3}, {3, 4}, {1, 4}, {4}};
  d.strides[0] = {999, 1};  // the stride of a dimension of one element says nothing
  d.extra[1] = Value(1);
  EXPECT_EQ(d.run(), "accepted");
  Call e;
  e.offsets[2] = 112;  // ends where the next begins
  EXPECT_EQ(e.run(), "accepted");
}

}  // namespace
}  // namespace tenon
