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
constexpr TnSignature matmul = {sizeof(TnSignature), sizeof(TnParam), "matmul", params, 6, 3, symbols};

struct Call {
  std::vector<float> memory = std::vector<float>(1000);
  std::vector<std::vector<int64_t>> shapes = {{2, 3}, {3, 4}, {2, 4}, {8}}, strides = {{}, {}, {}, {}};
  std::vector<size_t> offsets = {0, 100, 200, 300};
  uint64_t byte_offset = 0;
  std::vector<DLTensor> tensors;
  std::vector<Value> args;  // `data` points into them
  std::vector<Value> extra = {Value(0.5), Value(2)};
  DLDataType dtype = kFloat32;
  DLDeviceType device = kDLCPU;
  const TnSignature* signature = &matmul;
  Value replaced;  // when it is something: the second argument
  int64_t bound[3] = {};
  void* data[6] = {};

  // "accepted", or the error: "CODE message | hint".
  std::string run() {
    tensors.clear();
    for (size_t i = 0; i < 4; ++i)
      tensors.push_back({offsets[i] == SIZE_MAX ? nullptr : memory.data() + offsets[i],
                         {device, 0},
                         static_cast<int>(shapes[i].size()),
                         i == 1 ? dtype : kFloat32,
                         shapes[i].data(),
                         strides[i].empty() ? nullptr : strides[i].data(),
                         i == 1 ? byte_offset : 0});
    args.clear();
    for (DLTensor& t : tensors) args.emplace_back(&t);
    if (!replaced.is_none()) args[1] = replaced;
    args.insert(args.end(), extra.begin(), extra.end());
    try {
      call([&](TnValue* ret) {
        return rt->check_arguments(signature, args[0].ptr(), static_cast<int32_t>(args.size()), data, bound, ret);
      });
    } catch (const Error& e) {
      return std::to_string(e.code) + " " + e.message + (e.hint.empty() ? "" : " | " + e.hint);
    }
    return "accepted";
  }
};

struct Row {
  const char* expected;
  void (*change)(Call&);
};

void check_rows(std::initializer_list<Row> rows) {
  for (const Row& row : rows) {
    Call c;
    row.change(c);
    EXPECT_EQ(c.run(), row.expected);
  }
}

TEST(Arguments, WrongCountAndKinds) {
  check_rows({
      {"3 matmul: expected 6 arguments, got 5 | the parameters are (A: float32 (n, k), B: float32 (k, m), "
       "C: float32 (n, m), flat: float32 (n*m,), scale: float32, rows: int32)",
       [](Call& c) { c.extra.pop_back(); }},
      {"4 matmul: argument 1 (B): expected float32 (k, m), got int | pass a tensor",
       [](Call& c) { c.replaced = Value(1); }},
      {"4 matmul: argument 1 (B): expected float32 (k, m), got DLTensor* | pass a tensor",
       [](Call& c) { c.replaced = Value(static_cast<DLTensor*>(nullptr)); }},
      {"4 matmul: argument 4 (scale): expected float32, got int | pass a floating-point number",
       [](Call& c) { c.extra[0] = Value(1); }},
      {"4 matmul: argument 5 (rows): expected int32, got float | pass an integer",
       [](Call& c) { c.extra[1] = Value(2.0); }},
      {"3 matmul: argument 5 (rows): expected int32, got int: 3000000000 is not from -2147483648 to 2147483647",
       [](Call& c) { c.extra[1] = Value(int64_t{3000000000}); }},
  });
}

TEST(Arguments, WrongShapes) {
  check_rows({
      {"5 matmul: argument 1 (B): expected float32 (k=3, m), got float32 (5, 4): dimension 0 is 5 where k was bound to "
       "3 "
       "by argument 0 (A)",
       [](Call& c) { c.shapes[1] = {5, 4}; }},
      {"5 matmul: argument 3 (flat): expected float32 (n*m,), got float32 (9,): dimension 0 is 9 where n*m is 8 "
       "(n is 2 by argument 5 (rows), m is 4 by argument 1 (B))",
       [](Call& c) { c.shapes[3] = {9}; }},
      {"5 matmul: argument 1 (B): expected float32 (k, m), got float32 (3,): it has rank 1 where 2 is expected",
       [](Call& c) { c.shapes[1] = {3}; }},
      {"5 matmul: argument 0 (A): expected float32 (n=7, k), got float32 (2, 3): dimension 0 is 2 where n was bound to "
       "7 "
       "by argument 5 (rows)",
       [](Call& c) { c.extra[1] = Value(7); }},
      {"5 matmul: argument 1 (B): expected float32 (k, m), got float32 (-3, 4): dimension 0 is negative",
       [](Call& c) { c.shapes[1] = {-3, 4}; }},
      {"5 matmul: argument 1 (B): expected float32 (k, m), got float32 (4294967296, 4294967296): its size does not fit "
       "into 63 bits",
       [](Call& c) { c.shapes[1] = {int64_t{1} << 32, int64_t{1} << 32}; }},
      {"5 matmul: argument 1 (B): expected float32 (k, m), got float32 (3, 4): its size does not fit into 63 bits",
       [](Call& c) { c.strides[1] = {INT64_MIN, 1}; }},
  });
}

TEST(Arguments, WrongDtypeDeviceAndMemory) {
  check_rows({
      {"4 matmul: argument 1 (B): expected float32 (k, m), got int32 (3, 4): the dtypes differ | convert it to float32",
       [](Call& c) { c.dtype = kInt32; }},
      {"6 matmul: argument 0 (A): expected float32 (n, k), got float32 (2, 3): it is on device CUDA:0 (type 2), and "
       "this "
       "function runs on the CPU | copy it to the CPU first",
       [](Call& c) { c.device = kDLCUDA; }},
      {"3 matmul: argument 0 (A): expected float32 (n, k), got float32 (2, 3): it is not contiguous: dimension 1 has "
       "stride 2, needs 1 (in elements) | pass a contiguous copy",
       [](Call& c) { c.strides[0] = {6, 2}; }},
      {"3 matmul: argument 1 (B): expected float32 (k, m), got float32 (3, 4): its data pointer is null",
       [](Call& c) { c.offsets[1] = SIZE_MAX; }},
      {"3 matmul: argument 1 (B): expected float32 (k, m), got float32 (3, 4): its address is not aligned to 4 bytes | "
       "pass a copy",
       [](Call& c) { c.byte_offset = 2; }},
      {"7 matmul: argument 2 (C): expected float32 (n=2, m=4), got float32 (2, 4): it is written and overlaps argument "
       "1 "
       "(B) in memory | pass a copy of one of them",
       [](Call& c) { c.offsets[2] = 111; }},
      {"7 matmul: argument 2 (C): expected float32 (n=2, m=4), got float32 (2, 4): it is written and overlaps argument "
       "3 "
       "(flat) in memory | pass a copy of one of them",
       [](Call& c) { c.offsets[3] = 207; }},
  });
}

TEST(Arguments, BindsSymbolsAndFindsTheData) {
  Call c;
  c.byte_offset = 8;
  ASSERT_EQ(c.run(), "accepted");
  EXPECT_EQ(c.bound[0], 2);
  EXPECT_EQ(c.bound[1], 3);
  EXPECT_EQ(c.bound[2], 4);
  EXPECT_EQ(c.data[1], c.memory.data() + 102);
  EXPECT_EQ(*static_cast<double*>(c.data[4]), 0.5);
  EXPECT_EQ(*static_cast<int64_t*>(c.data[5]), 2);
}

TEST(Arguments, AcceptWhatIsHarmless) {
  check_rows({
      {"accepted", [](Call& c) { c.shapes = {{2, 0}, {0, 4}, {2, 4}, {8}}; }},  // an empty inner dimension
      {"accepted",
       [](Call& c) {
         c.shapes = {{2, 0}, {0, 4}, {2, 4}, {8}};
         c.offsets[0] = SIZE_MAX;  // nothing at nowhere
       }},
      {"accepted",
       [](Call& c) {
         c.shapes = {{1, 3}, {3, 4}, {1, 4}, {4}};
         c.strides[0] = {999, 1};  // the stride of a dimension of one element says nothing
         c.extra[1] = Value(1);
       }},
      {"accepted", [](Call& c) { c.offsets[2] = 112; }},  // ends where the next begins
      {"accepted", [](Call& c) { c.offsets[1] = 0; }},    // two that are only read
  });
}

// A parameter record of a later SDK: longer, with the known fields first.
TEST(Arguments, ReadsParametersByTheirRecordedSize) {
  struct Longer {
    TnParam known;
    uint64_t later;
  };
  std::vector<Longer> longer;
  for (const TnParam& p : params) longer.push_back({p, ~uint64_t{0}});
  TnSignature s = matmul;
  s.param_size = sizeof(Longer);
  s.params = &longer[0].known;
  Call c;
  c.signature = &s;
  EXPECT_EQ(c.run(), "accepted");
  c.shapes[3] = {9};
  EXPECT_NE(c.run(), "accepted");
}

// One tensor parameter with the given dims, called with a tensor of this shape.
std::string check_dim(std::vector<int64_t> program, int64_t n, int64_t extent, uint32_t flags = 0,
                      std::vector<int64_t> strides = {}) {
  program.push_back(TN_DIM_END);
  const TnParam own[] = {{"n", TN_PARAM_SCALAR, 0, kInt64, 0, 0, nullptr},
                         {"x", TN_PARAM_TENSOR, flags, kFloat32, 1, -1, program.data()}};
  const char* const names[] = {"n", "unbound"};
  TnSignature s = {sizeof(TnSignature), sizeof(TnParam), "f", own, 2, 2, names};
  static float memory[4096];
  DLTensor t = {memory, {kDLCPU, 0}, 1, kFloat32, &extent, strides.empty() ? nullptr : strides.data(), 0};
  Value args[2] = {Value(n), Value(&t)};
  void* data[2];
  int64_t bound[2];
  try {
    call([&](TnValue* ret) { return rt->check_arguments(&s, args[0].ptr(), 2, data, bound, ret); });
  } catch (const Error& e) { return e.message.substr(e.message.rfind("): ") + 3); }
  return "accepted";
}

TEST(Arguments, DimensionExpressions) {
  constexpr int64_t C = TN_DIM_CONST, S = TN_DIM_SYMBOL;
  const std::vector<int64_t> blocks = {S, 0, C, 3, TN_DIM_ADD, C, 4, TN_DIM_FLOORDIV};  // (n + 3)//4
  EXPECT_EQ(check_dim(blocks, 9, 3), "accepted");
  EXPECT_EQ(check_dim({S, 0, C, 4, TN_DIM_FLOORMOD}, -1, 3), "accepted");
  EXPECT_EQ(check_dim({S, 0, C, -4, TN_DIM_FLOORDIV, C, 0, TN_DIM_MAX}, -9, 2), "accepted");
  EXPECT_EQ(check_dim({S, 0, C, -1, TN_DIM_FLOORMOD}, INT64_MIN, 0), "accepted");
  EXPECT_EQ(check_dim({C, 7}, 1, 8), "dimension 0 is 8 where 7 is expected");
  auto refusal = [](std::vector<int64_t> program, int64_t n) {
    std::string message = check_dim(std::move(program), n, 2);
    return message;
  };
  EXPECT_NE(check_dim(blocks, 9, 2).find("dimension 0 is 2 where (n + 3)//4 is 3"), std::string::npos)
      << check_dim(blocks, 9, 2);
  EXPECT_EQ(refusal({S, 0, C, 0, TN_DIM_FLOORDIV}, 5), "dimension 0 divides by zero");
  EXPECT_EQ(refusal({S, 0, S, 0, TN_DIM_MUL}, int64_t{1} << 40), "dimension 0 does not fit into 64 bits");
  EXPECT_EQ(refusal({S, 0, C, -1, TN_DIM_FLOORDIV}, INT64_MIN), "dimension 0 does not fit into 64 bits");
  EXPECT_EQ(refusal({S, 1, C, 1, TN_DIM_ADD}, 1), "unbound in dimension 0 has no value: no dimension is just unbound");
  EXPECT_EQ(refusal({TN_DIM_ADD}, 1), "the expression of dimension 0 is broken");
  EXPECT_EQ(refusal({C, 1, C, 2}, 1), "the expression of dimension 0 is broken");
  std::vector<int64_t> deep;
  for (int i = 0; i < 40; ++i) deep.insert(deep.end(), {C, 1});
  EXPECT_EQ(refusal(deep, 1), "the expression of dimension 0 is too deep");
}

TEST(Arguments, StridedParameters) {
  constexpr uint32_t strided = TN_PARAM_STRIDED;
  EXPECT_EQ(check_dim({TN_DIM_CONST, 5}, 1, 5, strided, {3}), "accepted");
  EXPECT_EQ(check_dim({TN_DIM_CONST, 5}, 1, 5, strided, {0}), "accepted");
  EXPECT_EQ(check_dim({TN_DIM_CONST, 5}, 1, 5, strided | TN_PARAM_WRITTEN, {0}),
            "it is written, but dimension 0 has stride 0: its elements share memory");
}

TEST(Arguments, WrittenTensorsAreNotReadOnly) {
  float memory[12] = {};
  int64_t shape[2] = {2, 4};
  TnDLManagedTensorVersioned managed = {};
  managed.version.major = 1;
  managed.flags = 1;
  managed.dl_tensor = {memory, {kDLCPU, 0}, 2, kFloat32, shape, nullptr, 0};
  Value tensor = call([&](TnValue* ret) { return rt->tensor_from_dlpack_versioned(&managed, ret); });
  Value view = call([&](TnValue* ret) {
    return rt->tensor_view(reinterpret_cast<TnTensor*>(tensor.raw().as.object), kFloat32, 2, shape, nullptr, 0, ret);
  });
  TnParam own[] = {{"x", TN_PARAM_TENSOR, 0, kFloat32, 2, -1, nm}};
  const TnSignature s = {sizeof(TnSignature), sizeof(TnParam), "f", own, 1, 3, symbols};
  for (const Value* v : {&tensor, &view})
    for (uint32_t flags : {0u, uint32_t{TN_PARAM_WRITTEN}}) {
      own[0].flags = flags;
      void* data[1];
      int64_t bound[3];
      TnValue ret;
      int status = rt->check_arguments(&s, v->ptr(), 1, data, bound, &ret);
      EXPECT_EQ(status, flags ? -1 : 0);
      if (status == 0) continue;
      EXPECT_STREQ(
          reinterpret_cast<TnError*>(ret.as.object)->message,
          "f: argument 0 (x): expected float32 (n, m), got float32 (2, 4): it is written, but its owner gave it "
          "as read only");
      tn_value_release(&ret);
    }
}

}  // namespace
}  // namespace tenon
