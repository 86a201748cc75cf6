// The loop-level programs: each case computes the expected result in plain C++.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "harness.h"

namespace tenon::programs {
namespace {

class LoopPrograms : public ::testing::TestWithParam<Executor> {
 protected:
  LoopPrograms() : seed_(std::random_device{}()), random_(seed_) {}
  void SetUp() override { RecordProperty("seed", std::to_string(seed_)); }
  void TearDown() override {
    if (HasFailure()) std::printf("seed %llu\n", static_cast<unsigned long long>(seed_));
  }
  Map load(const char* file) {
    const std::string path = std::string("loop/") + file;
    if (*GetParam().plugin) return session_.load(path, GetParam());
    return session_.load_artifact(session_.transform(session_.parse(path), {GetParam().pipeline}));
  }

  Session session_;
  uint64_t seed_;
  std::mt19937_64 random_;
};
INSTANTIATE_TEST_SUITE_P(All, LoopPrograms, ::testing::ValuesIn(kExecutors),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(LoopPrograms, VectorAdd) {
  Map f = load("vector_add.py");
  for (int64_t n : {0, 1, 7, 1000}) {
    Tensor<float> a({n}, random_, -1, 1), b({n}, random_, -1, 1), c({n}), expected({n});
    for (size_t i = 0; i < expected.size(); ++i) expected[i] = a[i] + b[i];
    invoke(f, "main", {a.value(), b.value(), c.value()});
    expect_equal(c, expected);
  }
}

TEST_P(LoopPrograms, VectorAddRefusesUnequalLengths) {
  Map f = load("vector_add.py");
  Tensor<float> a({3}), b({4}), c({3});
  try {
    invoke(f, "main", {a.value(), b.value(), c.value()});
    FAIL() << "accepted";
  } catch (const Error& e) { EXPECT_EQ(e.code, TN_ERROR_SHAPE) << e.message; }
}

TEST_P(LoopPrograms, VectorAddRefusesAnOutputThatOverlapsAnInput) {
  Map f = load("vector_add.py");
  Tensor<float> a({3}), b({3});
  try {
    invoke(f, "main", {a.value(), b.value(), b.value()});
    FAIL() << "accepted";
  } catch (const Error& e) { EXPECT_EQ(e.code, TN_ERROR_ALIAS) << e.message; }
}

TEST_P(LoopPrograms, Matmul) {
  Map f = load("matmul.py");
  const int64_t shapes[][3] = {{1, 1, 1}, {3, 5, 7}, {16, 16, 16}, {17, 1, 33}, {2, 3, 0}};
  for (auto [n, m, k] : shapes) {
    Tensor<float> a({n, k}, random_, -1, 1), b({k, m}, random_, -1, 1), c({n, m}, 77.f), expected({n, m});
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < m; ++j) {
        double sum = 0;
        for (int64_t l = 0; l < k; ++l)
          sum += double{a[static_cast<size_t>(i * k + l)]} * b[static_cast<size_t>(l * m + j)];
        expected[static_cast<size_t>(i * m + j)] = static_cast<float>(sum);
      }
    invoke(f, "main", {a.value(), b.value(), c.value()});
    expect_close(c, expected, 1e-5, 1e-5);
  }
}

TEST_P(LoopPrograms, Conv2d) {
  Map f = load("conv2d.py");
  Tensor<float> x({1, 3, 9, 9}, random_, -1, 1), w({4, 3, 3, 3}, random_, -1, 1), y({1, 4, 5, 5}),
      expected({1, 4, 5, 5});
  for (int o = 0; o < 4; ++o)
    for (int r = 0; r < 5; ++r)
      for (int s = 0; s < 5; ++s) {
        double sum = 0;
        for (int c = 0; c < 3; ++c)
          for (int i = 0; i < 3; ++i)
            for (int j = 0; j < 3; ++j) {
              const int h = 2 * r + i - 1, v = 2 * s + j - 1;
              if (h < 0 || h > 8 || v < 0 || v > 8) continue;
              sum += double{x[static_cast<size_t>((c * 9 + h) * 9 + v)]} *
                     w[static_cast<size_t>(((o * 3 + c) * 3 + i) * 3 + j)];
            }
        expected[static_cast<size_t>((o * 5 + r) * 5 + s)] = static_cast<float>(std::max(sum, 0.0));
      }
  invoke(f, "main", {x.value(), w.value(), y.value()});
  expect_close(y, expected, 1e-5, 1e-5);
}

TEST_P(LoopPrograms, Softmax) {
  Map f = load("softmax.py");
  const int64_t shapes[][2] = {{1, 1}, {3, 10}, {7, 33}};
  for (auto [n, m] : shapes) {
    Tensor<float> x({n, m}, random_, -30, 30), y({n, m}), expected({n, m});
    for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
      double total = 0;
      for (size_t j = 0; j < static_cast<size_t>(m); ++j) total += std::exp(double{x.at(i, j)});
      for (size_t j = 0; j < static_cast<size_t>(m); ++j)
        expected.at(i, j) = static_cast<float>(std::exp(double{x.at(i, j)}) / total);
    }
    invoke(f, "main", {x.value(), y.value()});
    expect_close(y, expected, 1e-5, 1e-12);
  }
}

TEST_P(LoopPrograms, InplacePacked) {
  session_.provide("test.double_in_place", [](const TnValue* args, int32_t n) {
    if (n != 1 || args[0].type_index != TN_DLTENSOR) throw Error(TN_ERROR_ARGUMENT, "expected one tensor");
    const auto* t = static_cast<const DLTensor*>(args[0].as.p);
    for (int64_t i = 0; i < t->shape[0]; ++i) static_cast<float*>(t->data)[i] *= 2;
    return Value();
  });
  session_.provide("test.add_one", [](const TnValue* args, int32_t) { return Value(args[0].as.i + 1); });
  Map f = load("inplace_packed.py");
  Tensor<float> a({9}, random_, -1, 1), b({9}), expected({9});
  for (size_t i = 0; i < 9; ++i) expected[i] = (a[i] + 1) * 2 - 0.5f;
  expected[0] += 42;
  invoke(f, "main", {a.value(), b.value()});
  expect_equal(b, expected);
}

TEST_P(LoopPrograms, Transpose) {
  Map f = load("transpose.py");
  const int64_t shapes[][2] = {{1, 1}, {4, 8}, {5, 7}, {13, 2}, {0, 3}};
  for (auto [n, m] : shapes) {
    Tensor<int32_t> a({n, m}, random_, -1000, 1000), b({m, n}), expected({m, n});
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < m; ++j) expected[static_cast<size_t>(j * n + i)] = a[static_cast<size_t>(i * m + j)];
    invoke(f, "main", {a.value(), b.value()});
    expect_equal(b, expected);
  }
}

TEST_P(LoopPrograms, PrefixSum) {
  Map f = load("prefix_sum.py");
  for (int64_t n : {1, 2, 3, 64, 100}) {
    Tensor<int64_t> a({n}, random_, -1000, 1000), b({n}), expected({n});
    int64_t sum = 0;
    for (size_t i = 0; i < expected.size(); ++i) expected[i] = sum += a[i];
    invoke(f, "main", {a.value(), b.value()});
    expect_equal(b, expected);
  }
}

TEST_P(LoopPrograms, Argmax) {
  Map f = load("argmax.py");
  constexpr int64_t n = 20, m = 13;
  Tensor<int32_t> a({n, m}, random_, -3, 3), value({n});  // many ties
  for (size_t j = 0; j < m; ++j) a.at(4, j) = INT32_MIN;
  Tensor<int64_t> index({n});
  invoke(f, "main", {a.value(), index.value(), value.value()});
  for (size_t i = 0; i < n; ++i) {
    size_t best = 0;
    for (size_t j = 1; j < m; ++j)
      if (a.at(i, j) > a.at(i, best)) best = j;
    EXPECT_EQ(index[i], static_cast<int64_t>(best)) << "row " << i;
    EXPECT_EQ(value[i], a.at(i, best)) << "row " << i;
  }
}

TEST_P(LoopPrograms, Gather) {
  Map f = load("gather.py");
  Tensor<float> table({6, 4}, random_, -1, 1), out({9, 4});
  Tensor<int64_t> rows({9}, random_, 0, 5);
  invoke(f, "main", {table.value(), rows.value(), out.value()});
  for (size_t i = 0; i < 9; ++i)
    for (size_t j = 0; j < 4; ++j) ASSERT_EQ(out.at(i, j), table.at(static_cast<size_t>(rows[i]), j));
}

TEST_P(LoopPrograms, GatherChecksItsIndices) {
  Map f = load("gather.py");
  for (int64_t bad : {int64_t{6}, int64_t{-1}, INT64_MAX}) {
    Tensor<float> table({6, 4}), out({1, 4});
    Tensor<int64_t> rows({1}, bad);
    try {
      invoke(f, "main", {table.value(), rows.value(), out.value()});
      FAIL() << "accepted " << bad;
    } catch (const Error& e) {
      EXPECT_EQ(e.code, TN_ERROR_CHECK_FAILED) << e.message;
      EXPECT_NE(e.message.find("table"), std::string::npos) << e.message;
      EXPECT_NE(e.message.find(std::to_string(bad)), std::string::npos) << e.message;
    }
  }
}

TEST_P(LoopPrograms, LoopKinds) {
  Map f = load("loop_kinds.py");
  Tensor<float> a({5, 16}, random_, -1, 1), b({5, 16}), expected({5, 16});
  for (size_t i = 0; i < expected.size(); ++i) expected[i] = a[i] * 3;
  invoke(f, "main", {a.value(), b.value()});
  expect_equal(b, expected);
}

TEST_P(LoopPrograms, IntegerOps) {
  Map f = load("integer_ops.py");
  constexpr int64_t n = 400;
  Tensor<int32_t> a({n}, random_, INT32_MIN, INT32_MAX), b({n}, random_, -20, 20), out({8, n});
  a[0] = INT32_MIN, a[1] = -1, a[2] = 0, a[3] = INT32_MAX;
  for (size_t i = 0; i < n; ++i)
    if (b[i] == 0) b[i] = 7;
  invoke(f, "main", {a.value(), b.value(), out.value()});
  auto cut = [](int64_t v) { return static_cast<int32_t>(static_cast<uint32_t>(static_cast<uint64_t>(v))); };
  for (size_t i = 0; i < n; ++i) {
    const int64_t x = a[i], y = b[i];
    const int64_t floor_quotient =
        static_cast<int64_t>(std::floor(static_cast<long double>(x) / static_cast<long double>(y)));
    EXPECT_EQ(out.at(0, i), cut(floor_quotient)) << x << " // " << y;
    EXPECT_EQ(out.at(1, i), cut(x - floor_quotient * y)) << x << " % " << y;
    EXPECT_EQ(out.at(2, i), cut(x / y));
    EXPECT_EQ(out.at(3, i), cut(x % y));
    EXPECT_EQ(out.at(4, i), cut(x * y));
    EXPECT_EQ(out.at(5, i), cut((x >> 3) + y * 32));
    EXPECT_EQ(out.at(6, i), cut((x & 255) ^ y));
    EXPECT_EQ(out.at(7, i), int32_t{static_cast<int8_t>(x)} + int32_t{static_cast<uint8_t>(y)});
  }
}

TEST_P(LoopPrograms, TileViews) {
  Map f = load("tile_views.py");
  Tensor<float> a({8, 8}, random_, -1, 1), b({8, 8}), expected({8, 8});
  for (size_t i = 0; i < 8; ++i)
    for (size_t j = 0; j < 8; ++j) expected.at(i / 4 * 4 + j % 4, j / 4 * 4 + i % 4) = 2 * a.at(i, j);
  invoke(f, "main", {a.value(), b.value()});
  expect_equal(b, expected);
}

TEST_P(LoopPrograms, Calls) {
  Map f = load("calls.py");
  EXPECT_EQ(f.size(), 1u) << "private functions are not offered";
  for (int64_t n : {0, 1, 2, 37}) {
    Tensor<int64_t> a({n}, random_, -1000, 1000), out({1});
    invoke(f, "main", {a.value(), out.value()});
    EXPECT_EQ(out[0], std::accumulate(a.data().begin(), a.data().end(), int64_t{0}));
  }
}

TEST_P(LoopPrograms, AotMain) {
  Map f = load("aot_main.py");
  const double w1[4][3] = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}, {10, 11, 12}}, w2[3][2] = {{-1, 2}, {0.5, -3}, {4, 1}};
  Tensor<float> x({2, 4}, random_, -1, 1), y({2, 2}), expected({2, 2});
  for (size_t i = 0; i < 2; ++i)
    for (size_t j = 0; j < 2; ++j) {
      double sum = 0;
      for (size_t h = 0; h < 3; ++h)
        for (size_t k = 0; k < 4; ++k) sum += x.at(i, k) * w1[k][h] * w2[h][j];
      expected.at(i, j) = static_cast<float>(sum);
    }
  invoke(f, "main", {x.value(), y.value()});
  expect_close(y, expected, 1e-5, 1e-4);
}

}  // namespace
}  // namespace tenon::programs
