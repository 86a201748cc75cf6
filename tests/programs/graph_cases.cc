// The programs with graph functions: each case computes the expected result in plain C++.
#include <algorithm>
#include <cmath>

#include "harness.h"

namespace tenon::programs {
namespace {

// Executors that take graph functions as they stand, or after the pipeline that lowers them.
constexpr Executor kGraphExecutors[] = {
    {"interp", "eval-interp", ""},
};

class GraphPrograms : public ::testing::TestWithParam<Executor> {
 protected:
  GraphPrograms() : seed_(std::random_device{}()), random_(seed_) {}
  void TearDown() override {
    if (HasFailure()) std::printf("seed %llu\n", static_cast<unsigned long long>(seed_));
  }
  Map load(const char* file) { return session_.load(std::string("graph/") + file, GetParam()); }

  Session session_;
  uint64_t seed_;
  std::mt19937_64 random_;
};
INSTANTIATE_TEST_SUITE_P(All, GraphPrograms, ::testing::ValuesIn(kGraphExecutors),
                         [](const auto& info) { return std::string(info.param.name); });

const DLTensor& tensor_in(const Value& v) { return reinterpret_cast<const TnTensor*>(v.raw().as.object)->tensor; }
std::vector<float> floats(const Value& v) {
  const DLTensor& t = tensor_in(v);
  int64_t n = 1;
  for (int32_t k = 0; k < t.ndim; ++k) n *= t.shape[k];
  const auto* data = reinterpret_cast<const float*>(static_cast<const char*>(t.data) + t.byte_offset);
  return {data, data + n};
}
const DLTensor& tensor_argument(const TnValue& v) {
  return v.type_index == TN_DLTENSOR ? *static_cast<const DLTensor*>(v.as.p)
                                     : reinterpret_cast<const TnTensor*>(v.as.object)->tensor;
}

TEST_P(GraphPrograms, LevelsCallEachOther) {
  Map f = load("levels.py");
  EXPECT_EQ(f.size(), 2u) << "main and entry are public";
  for (int64_t n : {0, 1, 9}) {
    Tensor<float> x({n}, random_, -2, 2), y({n}), squares({n}), doubles({n});
    for (size_t i = 0; i < x.size(); ++i) {
      squares[i] = x[i] * x[i] + 1;
      doubles[i] = 2 * x[i];
    }
    EXPECT_EQ(floats(invoke(f, "main", {x.value()})), squares.data());
    invoke(f, "entry", {x.value(), y.value()});
    expect_equal(y, doubles);
  }
}

TEST_P(GraphPrograms, ExternalUpdatesInPlace) {
  session_.provide("test.negate_in_place", [](const TnValue* args, int32_t) {
    const DLTensor& t = tensor_argument(args[0]);
    for (int64_t i = 0; i < t.shape[0]; ++i) static_cast<float*>(t.data)[i] *= -1;
    return Value::share(args[0]);
  });
  Executor executor = GetParam();
  if (!*executor.pipeline) executor.pipeline = "passes-graph:normalize";  // operators need the types of their arguments
  Map f = session_.load("graph/external.py", executor);
  const int64_t shapes[][3] = {{1, 1, 1}, {3, 4, 5}, {7, 1, 2}};
  for (auto [n, d, m] : shapes) {
    Tensor<float> x({n, d}, random_, -1, 1), w({d, m}, random_, -1, 1);
    const std::vector<float> got = floats(invoke(f, "main", {x.value(), w.value()}));
    ASSERT_EQ(got.size(), static_cast<size_t>(n * m));
    for (int64_t i = 0; i < n * m; ++i) {
      double sum = 0;
      for (int64_t k = 0; k < d; ++k)
        sum += double{x[static_cast<size_t>(i / m * d + k)]} * w[static_cast<size_t>(k * m + i % m)];
      EXPECT_NEAR(got[static_cast<size_t>(i)], -std::exp(sum), 1e-5 * std::exp(sum));
    }
  }
}

TEST_P(GraphPrograms, CallsOfEveryKind) {
  session_.provide("test.negate", [](const TnValue* args, int32_t n) {
    if (n != 2) throw Error(TN_ERROR_ARGUMENT, "expected two tensors");
    const DLTensor &in = tensor_argument(args[0]), &out = tensor_argument(args[1]);
    for (int64_t i = 0; i < in.shape[0] * in.shape[1]; ++i)
      static_cast<float*>(out.data)[i] = -static_cast<const float*>(in.data)[i];
    return Value();
  });
  int64_t kept = 2;
  session_.provide("test.shrink", [&](const TnValue* args, int32_t) {
    const DLTensor& in = tensor_argument(args[0]);
    const int64_t shape[] = {kept, in.shape[1]};
    Value made =
        call([&](TnValue* ret) { return tn_compiler()->runtime->tensor({kDLCPU, 0}, kFloat32, 2, shape, ret); });
    std::copy_n(static_cast<const float*>(in.data), shape[0] * shape[1], static_cast<float*>(tensor_in(made).data));
    return made;
  });
  Map f = load("calls.py");
  Tensor<float> x({4, 3}, random_, -2, 2);
  for (bool flag : {true, false}) {
    bool flag_bytes = flag;
    DLTensor t{&flag_bytes, {kDLCPU, 0}, 0, kBool, nullptr, nullptr, 0};
    Value result = invoke(f, "main", {x.value(), Value(&t)});
    ASSERT_TRUE(result.is_array());
    std::vector<float> expected;
    for (float v : x.data()) expected.push_back(flag ? 3 * v : -v);
    EXPECT_EQ(floats(result.ref<Array>()[0]), expected);
    EXPECT_EQ(floats(result.ref<Array>()[1]), std::vector<float>(x.data().begin(), x.data().begin() + 6));
  }
}

}  // namespace
}  // namespace tenon::programs
