// The programs with graph functions: each case computes the expected result in plain C++.
#include <algorithm>
#include <cmath>

#include "harness.h"

namespace tenon::programs {
namespace {

// Graph functions as they stand (operators need the types of their arguments), and after the pipeline that lowers them.
constexpr Executor kGraphExecutors[] = {
    {"interp", "eval-interp", "passes-graph:normalize"},
    {"lowered", "eval-interp", "cpu"},
    {"llvm", "codegen-llvm", "cpu"},
    {"artifact", "", "cpu"},
};

class GraphPrograms : public ::testing::TestWithParam<Executor> {
 protected:
  GraphPrograms() : seed_(std::random_device{}()), random_(seed_) {}
  void TearDown() override {
    if (HasFailure()) std::printf("seed %llu\n", static_cast<unsigned long long>(seed_));
  }
  Map load(const char* file) {
    const std::string path = std::string("graph/") + file;
    if (*GetParam().plugin) return session_.load(path, GetParam());
    return session_.load_artifact(session_.transform(session_.parse(path), {GetParam().pipeline}));
  }

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
    const std::vector<float> got = floats(invoke(f, "main", {x.value()}));
    ASSERT_EQ(got.size(), squares.size());
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], squares[i], 1e-6) << "element " << i;
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
  Map f = load("external.py");
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

TEST_P(GraphPrograms, EmptyReductionsGiveTheirInitialValue) {
  Map f = load("empty.py");
  const int64_t shapes[][2] = {{3, 0}, {0, 4}, {0, 0}, {5, 1}, {2, 7}};
  for (auto [n, m] : shapes) {
    Tensor<float> x({n, m}, random_, -1, 1), w({m, n}, random_, -1, 1);
    Value result = invoke(f, "main", {x.value(), w.value()});
    ASSERT_TRUE(result.is_array());
    const std::vector<float> rows = floats(result.ref<Array>()[0]), columns = floats(result.ref<Array>()[1]),
                             product = floats(result.ref<Array>()[2]), all = floats(result.ref<Array>()[3]);
    std::vector<double> row_sums(static_cast<size_t>(n)), column_sums(static_cast<size_t>(m));
    double total = 0;
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < m; ++j) {
        const double v = x[static_cast<size_t>(i * m + j)];
        row_sums[static_cast<size_t>(i)] += v;
        column_sums[static_cast<size_t>(j)] += v;
        total += v;
      }
    ASSERT_EQ(rows.size(), row_sums.size());
    ASSERT_EQ(columns.size(), column_sums.size());
    ASSERT_EQ(product.size(), static_cast<size_t>(n * n));
    ASSERT_EQ(all.size(), 1u);
    for (size_t i = 0; i < rows.size(); ++i) EXPECT_NEAR(rows[i], row_sums[i], 1e-5);
    for (size_t j = 0; j < columns.size(); ++j) EXPECT_NEAR(columns[j], column_sums[j], 1e-5);
    EXPECT_NEAR(all[0], total, 1e-5);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j) {
        double sum = 0;
        for (int64_t k = 0; k < m; ++k)
          sum += double{x[static_cast<size_t>(i * m + k)]} * w[static_cast<size_t>(k * n + j)];
        EXPECT_NEAR(product[static_cast<size_t>(i * n + j)], sum, 1e-5);
      }
  }
}

TEST_P(GraphPrograms, ReshapesWhoseSymbolsNoShapeGivesAlone) {
  Map f = load("reshapes.py");
  const int64_t shapes[][2] = {{1, 1}, {3, 4}, {5, 2}, {0, 3}};
  for (auto [n, m] : shapes) {
    Tensor<float> x({n, m}, random_, -1, 1);
    Value result = invoke(f, "main", {x.value()});
    ASSERT_TRUE(result.is_array());
    // Twice the same elements in their order, and the rows' sums under a length that only match_cast names.
    std::vector<float> twice = x.data(), sums;
    twice.insert(twice.end(), x.data().begin(), x.data().end());
    for (float& v : twice) v = std::max(v, 0.f);
    EXPECT_EQ(floats(result.ref<Array>()[0]), twice);
    const DLTensor& first = tensor_in(result.ref<Array>()[0]);
    ASSERT_EQ(first.ndim, 2);
    EXPECT_EQ(first.shape[0], m);
    EXPECT_EQ(first.shape[1], 2 * n);
    for (int64_t i = 0; i < n; ++i) {
      float sum = 0;
      for (int64_t j = 0; j < m; ++j) sum += x[static_cast<size_t>(i * m + j)];
      sums.push_back(sum);
    }
    const std::vector<float> got = floats(result.ref<Array>()[1]);
    ASSERT_EQ(got.size(), sums.size());
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], sums[i], 1e-5);
  }
}

}  // namespace
}  // namespace tenon::programs
