// Program (f): what a person marked as primitive is one function after every pass; each form of it gives the same
// numbers.
#include <cmath>

#include "harness.h"

namespace tenon::programs {
namespace {

const std::vector<std::string> kStages = {"passes-graph:normalize",
                                          "passes-graph:legalize",
                                          "passes-graph:fuse",
                                          "passes-graph:merge-fused",
                                          "passes-graph:remove-unused-functions",
                                          "passes-loop:inline-elementwise"};

// x (n, c, h, w), weights (o, c, 3, 3), padding 1, then relu.
Tensor<float> convolved(const Tensor<float>& x, const Tensor<float>& weights, int64_t n, int64_t c, int64_t o,
                        int64_t size) {
  Tensor<float> out({n, o, size, size});
  for (int64_t b = 0; b < n; ++b)
    for (int64_t f = 0; f < o; ++f)
      for (int64_t y = 0; y < size; ++y)
        for (int64_t z = 0; z < size; ++z) {
          double sum = 0;
          for (int64_t k = 0; k < c; ++k)
            for (int64_t dy = 0; dy < 3; ++dy)
              for (int64_t dz = 0; dz < 3; ++dz) {
                const int64_t sy = y + dy - 1, sz = z + dz - 1;
                if (sy < 0 || sz < 0 || sy >= size || sz >= size) continue;
                sum += double{x[static_cast<size_t>(((b * c + k) * size + sy) * size + sz)]} *
                       weights[static_cast<size_t>(((f * c + k) * 3 + dy) * 3 + dz)];
              }
          out[static_cast<size_t>(((b * o + f) * size + y) * size + z)] = static_cast<float>(std::max(sum, 0.0));
        }
  return out;
}

class TwoConvolutions : public ::testing::Test {
 protected:
  TwoConvolutions() : seed_(std::random_device{}()), random_(seed_) {}
  void TearDown() override {
    if (HasFailure()) std::printf("seed %llu\n", static_cast<unsigned long long>(seed_));
  }

  void expect_right(const Map& functions, const std::string& form) {
    SCOPED_TRACE(form);
    for (int64_t n : {1, 2, 5}) {
      Tensor<float> x({n, 2, 6, 6}, random_, -1, 1), v({3, 2, 3, 3}, random_, -1, 1), w({2, 3, 3, 3}, random_, -1, 1);
      Tensor<float> doubled = x;
      for (size_t i = 0; i < x.size(); ++i) doubled[i] = 2 * x[i];
      const Tensor<float> expected = convolved(convolved(doubled, v, n, 2, 3, 6), w, n, 3, 2, 6);
      const Value y = invoke(functions, "main", {x.value(), v.value(), w.value()});
      const DLTensor& got = reinterpret_cast<const TnTensor*>(y.raw().as.object)->tensor;
      ASSERT_EQ(got.ndim, 4);
      ASSERT_EQ(got.shape[0], n);
      for (size_t i = 0; i < expected.size(); ++i)
        ASSERT_NEAR(static_cast<const float*>(got.data)[i], std::tanh(expected[i]), 1e-5) << "element " << i;
    }
  }
  // The form reads back equal from its text, verifies, and gives the numbers in the interpreter and compiled.
  void expect_sound(const Node& module, const std::string& form) {
    const std::string text = session_.print(module);
    const Node again = session_.parse_text(text, form + ".py");
    EXPECT_EQ(session_.difference(module, again), "") << text;
    session_.verify(again);
    expect_right(session_.load_module(again, "eval-interp"), form + ", interpreted");
    const Node lowered = session_.transform(again, {"cpu"});
    expect_right(session_.load_module(lowered, "eval-interp"), form + ", lowered and interpreted");
    expect_right(session_.load_module(lowered, "codegen-llvm"), form + ", compiled");
  }
  static size_t count(const std::string& text, const std::string& what) {
    size_t n = 0;
    for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
    return n;
  }

  Session session_;
  uint64_t seed_;
  std::mt19937_64 random_;
};

TEST_F(TwoConvolutions, StayOneFunctionWhenMarked) {
  Node module = session_.parse("graph/two_convolutions.py");
  for (const std::string& stage : kStages) {
    module = session_.transform(module, {stage});
    const std::string text = session_.print(module);
    EXPECT_EQ(count(text, "fused"), 0u) << "after " << stage << "\n" << text;
    EXPECT_EQ(count(text, "def two_convolutions("), 1u) << "after " << stage << "\n" << text;
    expect_sound(module, "after " + stage);
  }
  const std::string text = session_.print(module);
  EXPECT_EQ(count(text, "T.sblock(\"conv\")"), 2u) << text;
  EXPECT_EQ(count(text, "R.call_tir(cls.two_convolutions"), 1u) << text;
  EXPECT_EQ(session_.difference(module, session_.parse("graph/two_convolutions_after.py")), "") << text;
}

TEST_F(TwoConvolutions, AreTwoGroupsWithoutTheMark) {
  std::string source = read_program("graph/two_convolutions.py");
  const std::string mark = "        R.func_attr({\"primitive\": True})\n";
  ASSERT_NE(source.find(mark), std::string::npos);
  source.erase(source.find(mark), mark.size());
  Node module = session_.parse_text(source, "unmarked.py");
  module = session_.transform(module, {kStages.begin(), kStages.begin() + 3});
  EXPECT_EQ(count(session_.print(module), "def fused_conv2d"), 2u) << session_.print(module);
  expect_sound(module, "without the mark");
}

}  // namespace
}  // namespace tenon::programs
