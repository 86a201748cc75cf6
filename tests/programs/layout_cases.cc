// Program (b): a weight's conversion into another layout, lifted to the graph and folded.
#include <cmath>
#include <cstring>

#include "harness.h"

namespace tenon::programs {
namespace {

constexpr double kWeight[8][12] = {{0.5, -1.5, 2.25, 0.125, 3.0, -0.75, 1.0, 4.5, -2.0, 0.0, 1.25, 6.0},
                                   {1.5, 2.5, -0.5, 0.75, -3.25, 1.0, 0.5, -4.0, 2.0, 8.0, -1.0, 0.25},
                                   {-0.125, 3.5, 1.0, -2.0, 0.5, 7.0, -1.5, 0.0, 1.0, -0.25, 2.75, 5.0},
                                   {2.0, -1.0, 0.5, 1.75, -6.0, 0.375, 3.0, 1.0, -0.5, 2.5, 4.0, -1.25},
                                   {0.0, 1.0, -2.5, 3.25, 0.5, -1.0, 9.0, -0.375, 1.5, 2.0, -3.0, 0.75},
                                   {4.0, 0.25, 1.5, -0.5, 2.0, -7.5, 0.0, 1.125, 3.0, -1.0, 0.5, 2.0},
                                   {-1.0, 5.0, 0.75, 2.0, -0.125, 1.0, -2.25, 3.0, 0.5, 1.5, -4.0, 1.0},
                                   {1.0, -2.0, 3.0, -4.0, 5.0, -6.0, 7.0, -8.0, 9.0, -10.0, 11.0, -12.0}};

std::vector<float> floats(const Value& v) {
  const DLTensor& t = reinterpret_cast<const TnTensor*>(v.raw().as.object)->tensor;
  const auto* data = reinterpret_cast<const float*>(static_cast<const char*>(t.data) + t.byte_offset);
  return {data, data + t.shape[0] * t.shape[1]};
}

class LayoutPrograms : public ::testing::Test {
 protected:
  LayoutPrograms() : seed_(std::random_device{}()), random_(seed_) {}
  void TearDown() override {
    if (HasFailure()) std::printf("seed %llu\n", static_cast<unsigned long long>(seed_));
  }
  // Both functions for several sizes, against plain C++.
  void expect_right(const Map& functions) {
    for (int64_t n : {1, 2, 7}) {
      Tensor<float> x({n, 8}, random_, -1, 1), w({8, 12}, random_, -1, 1);
      const std::vector<float> constant = floats(invoke(functions, "main", {x.value()})),
                               dynamic = floats(invoke(functions, "dynamic", {x.value(), w.value()}));
      for (size_t i = 0; i < constant.size(); ++i) {
        double a = 0, b = 0;
        for (size_t k = 0; k < 8; ++k) {
          a += double{x.at(i / 12, k)} * kWeight[k][i % 12];
          b += double{x.at(i / 12, k)} * double{w.at(k, i % 12)};
        }
        ASSERT_NEAR(constant[i], a, 1e-4);
        ASSERT_NEAR(dynamic[i], b, 1e-5);
      }
    }
  }
  // How often the printed module holds a text.
  int count(const Node& module, const std::string& text) {
    const std::string printed = session_.print(module);
    int n = 0;
    for (size_t at = printed.find(text); at != std::string::npos; at = printed.find(text, at + 1)) ++n;
    return n;
  }

  Session session_;
  uint64_t seed_;
  std::mt19937_64 random_;
};

TEST_F(LayoutPrograms, TheFormAfterThePassIsTheOneOnFile) {
  const Node made =
      session_.transform(session_.parse("graph/layout.py"), {"passes-graph:normalize", "passes-graph:lift-layout"});
  session_.verify(made);
  const Node after = session_.transform(session_.parse("graph/layout_after.py"), {"passes-graph:normalize"});
  EXPECT_EQ(session_.difference(made, after), "") << session_.print(made);
  EXPECT_EQ(session_.difference(session_.transform(made, {"passes-graph:lift-layout"}), made), "") << "once is enough";
}

TEST_F(LayoutPrograms, TheConversionOfAConstantIsFolded) {
  const Node folded = session_.transform(session_.parse("graph/layout.py"),
                                         {"passes-graph:normalize", "passes-graph:lift-layout",
                                          "passes-graph:fold-constants", "passes-graph:remove-unused-functions"});
  EXPECT_EQ(count(folded, "mm_pack,"), 0) << session_.print(folded);
  EXPECT_EQ(count(folded, "cls.mm_packed, (x, R.const(["), 1) << session_.print(folded);
  EXPECT_EQ(count(folded, "T.sblock(\"pack\")"), 1) << "that of the call whose weight is not known";
}

TEST_F(LayoutPrograms, EveryConversionLeavesWhenItIsAskedTo) {
  const Node lifted = session_.transform(
      session_.parse("graph/layout.py"),
      {"passes-graph:normalize", "passes-graph:lift-layout{lift: always}", "passes-graph:remove-unused-functions"});
  session_.verify(lifted);
  EXPECT_EQ(count(lifted, "R.call_tir(cls.mm_pack, (w,)"), 2) << session_.print(lifted);
  expect_right(session_.load_module(lifted, "eval-interp"));
}

TEST_F(LayoutPrograms, NumbersAgreeBeforeAndAfter) {
  for (const char* file : {"graph/layout.py", "graph/layout_after.py"}) {
    SCOPED_TRACE(file);
    const Node module = session_.parse(file);
    expect_right(session_.load_module(module, "eval-interp"));
    const Node lowered = session_.transform(module, {"cpu"});
    expect_right(session_.load_module(lowered, "eval-interp"));
    expect_right(session_.load_module(lowered, "codegen-llvm"));
    expect_right(session_.load_artifact(lowered));
  }
}

TEST_F(LayoutPrograms, FoldingChangesNoBit) {
  Node module = session_.transform(session_.parse("graph/layout.py"), {"passes-graph:normalize"});
  const Map before = session_.load_module(module, "eval-interp");
  module = session_.transform(module, {"passes-graph:lift-layout", "passes-graph:fold-constants"});
  const Map after = session_.load_module(module, "eval-interp");
  Tensor<float> x({5, 8}, random_, -1, 1);
  EXPECT_EQ(floats(invoke(before, "main", {x.value()})), floats(invoke(after, "main", {x.value()})));
}

}  // namespace
}  // namespace tenon::programs
