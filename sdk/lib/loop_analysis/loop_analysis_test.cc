// What loops are, read from functions in text.
#include <gtest/gtest.h>
#include <loop_analysis/loop_analysis.h>
#include <tenon/compiler.h>

namespace tenon {
namespace {

class LoopAnalysisTest : public ::testing::Test {
 protected:
  LoopAnalysisTest() : b_(nullptr, nullptr) {
    const TnValue none{TN_NONE, 0, {0}};
    call([&](TnValue* ret) { return tn_compiler()->session_create(&none, &session_, ret); });
    b_ = Builder(tn_compiler()->runtime, service<TnHostIr>(TN_HOST_IR));
  }
  ~LoopAnalysisTest() override { tn_compiler()->session_destroy(session_); }
  template <class Table>
  const Table* service(const char* id) const {
    return static_cast<const Table*>(tn_compiler()->service(session_, id));
  }

  // The summary of a function with this signature and body.
  LoopSummary summary(const std::string& params, const std::string& body) {
    std::string text = "@I.ir_module\nclass Module:\n    @T.prim_func\n    def f(" + params + "):\n";
    for (size_t at = 0; at < body.size();) {
      size_t end = body.find('\n', at);
      end = end == std::string::npos ? body.size() : end;
      text += "        " + body.substr(at, end - at) + "\n";
      at = end + 1;
    }
    Value parsed =
        call([&](TnValue* ret) { return tn_compiler()->parse(session_, text.data(), text.size(), "test.py", ret); });
    const Map& functions = as_node(parsed).to<ir::Module>().functions();
    LoopAnalysis analysis(b_, service<TnHostArith>(TN_HOST_ARITH), service<TnHostOps>(TN_HOST_OPS));
    return analysis.function(as_node(*functions.find("f")).to<tir::PrimFunc>());
  }
  // One nest over (4, 6) that stores `value` in C[i, j].
  LoopSummary spatial(const std::string& value) {
    return summary(kParams,
                   "for i, j in T.grid(4, 6):\n    with T.sblock(\"b\"):\n"
                   "        i, j = T.axis.remap(\"SS\", [i, j])\n        C[i, j] = " +
                       value);
  }
  static constexpr const char* kParams =
      "A: T.Buffer((4, 6), \"float32\"), B: T.Buffer((6,), \"float32\"), W: T.Buffer((6, 4), \"float32\"), "
      "I: T.Buffer((4,), \"int64\"), C: T.Buffer((4, 6), \"float32\")";

  static std::vector<LoopAccess> reads(LoopAccess a, LoopAccess b, LoopAccess w, LoopAccess i) {
    return {a, b, w, i, LoopAccess::kUnused};
  }

  TnSession* session_ = nullptr;
  Builder b_;
};

constexpr LoopAccess kNo = LoopAccess::kUnused, kSame = LoopAccess::kIdentity, kOnce = LoopAccess::kOnce,
                     kMany = LoopAccess::kRepeated;

TEST_F(LoopAnalysisTest, OneNestWithoutReduction) {
  struct Row {
    const char* value;
    LoopPattern pattern;
    std::vector<LoopAccess> inputs;
    bool is_free;
  };
  const Row rows[] = {
      {"T.exp(A[i, j]) * A[i, j]", LoopPattern::kElementwise, reads(kSame, kNo, kNo, kNo), false},
      {"A[i, j]", LoopPattern::kElementwise, reads(kSame, kNo, kNo, kNo), true},
      {"T.float32(1)", LoopPattern::kElementwise, reads(kNo, kNo, kNo, kNo), true},
      {"A[i, j] + B[j]", LoopPattern::kBroadcast, reads(kSame, kMany, kNo, kNo), false},
      {"B[j]", LoopPattern::kBroadcast, reads(kNo, kMany, kNo, kNo), true},
      {"A[0, j]", LoopPattern::kBroadcast, reads(kOnce, kNo, kNo, kNo), true},
      {"W[j, i]", LoopPattern::kInjective, reads(kNo, kNo, kOnce, kNo), true},
      {"A[3 - i, j]", LoopPattern::kInjective, reads(kOnce, kNo, kNo, kNo), true},
      {"W[(i * 6 + j) // 4, (i * 6 + j) % 4]", LoopPattern::kInjective, reads(kNo, kNo, kOnce, kNo), false},
      {"A[i, j] + A[i, 0]", LoopPattern::kBroadcast, reads(kMany, kNo, kNo, kNo), false},
      {"A[i // 2, j]", LoopPattern::kInjective, reads(kOnce, kNo, kNo, kNo), false},
      {"A[I[i], j]", LoopPattern::kInjective, reads(kMany, kNo, kNo, kMany), false},
      {"T.if_then_else(j < 3, W[j, i], T.float32(0))", LoopPattern::kInjective, reads(kNo, kNo, kOnce, kNo), false},
  };
  for (const Row& row : rows) {
    LoopSummary s = spatial(row.value);
    EXPECT_STREQ(name_of(s.pattern), name_of(row.pattern)) << row.value << ": " << s.why;
    EXPECT_EQ(s.inputs, row.inputs) << row.value;
    EXPECT_EQ(s.is_free, row.is_free) << row.value;
  }
}

TEST_F(LoopAnalysisTest, Reductions) {
  auto reduce = [&](const std::string& kinds, const std::string& grid, const std::string& init,
                    const std::string& step) {
    return summary(
        "A: T.Buffer((4, 6), \"float32\"), W: T.Buffer((6, 5), \"float32\"), C: T.Buffer((4, 5), \"float32\")",
        "for i, j, k in T.grid(" + grid + "):\n    with T.sblock(\"b\"):\n        i, j, k = T.axis.remap(\"" + kinds +
            "\", [i, j, k])\n" + (init.empty() ? "" : "        with T.init():\n            " + init + "\n") +
            "        " + step);
  };
  const std::string zero = "C[i, j] = T.float32(0)";
  LoopSummary product = reduce("SSR", "4, 5, 6", zero, "C[i, j] = C[i, j] + A[i, k] * W[k, j]");
  EXPECT_EQ(product.pattern, LoopPattern::kOutFusable) << product.why;
  EXPECT_EQ(product.inputs, (std::vector<LoopAccess>{kMany, kMany, kNo}));
  EXPECT_EQ(reduce("SSR", "4, 5, 6", zero, "C[i, j] = T.max(W[k, j], C[i, j])").pattern, LoopPattern::kOutFusable);
  EXPECT_EQ(reduce("SSR", "4, 5, 6", "", "C[i, j] = C[i, j] + A[i, k]").why, "a reduction has no initial value");
  EXPECT_EQ(reduce("SSR", "4, 5, 6", zero, "C[i, j] = C[i, j] - A[i, k]").why,
            "a reduction combines its elements in no known way");
  EXPECT_EQ(reduce("SSR", "4, 5, 6", zero, "C[i, j] = C[i, j] + C[i, j] * A[i, k]").why,
            "a reduction reads its result twice");
  EXPECT_EQ(reduce("SSR", "4, 5, 6", "C[i, 0] = T.float32(0)", "C[i, j] = C[i, j] + A[i, k]").why,
            "the initial value is stored elsewhere than the result");
  EXPECT_EQ(reduce("SSR", "4, 4, 6", zero, "C[i, j] = C[i, j] + A[i, k]").why,
            "a block does not write the whole of its buffer");

  LoopSummary sum = summary("A: T.Buffer((4, 6), \"float32\"), C: T.Buffer((4,), \"float32\")",
                            "for i, k in T.grid(4, 6):\n    with T.sblock(\"b\"):\n"
                            "        i, k = T.axis.remap(\"SR\", [i, k])\n        with T.init():\n"
                            "            C[i] = T.float32(0)\n        C[i] = C[i] + A[i, k]");
  EXPECT_EQ(sum.pattern, LoopPattern::kReduction) << sum.why;
  EXPECT_EQ(sum.inputs, (std::vector<LoopAccess>{kOnce, kNo}));
}

TEST_F(LoopAnalysisTest, SeveralStages) {
  const std::string nests =
      "T0 = T.alloc_buffer((4,), \"float32\")\n"
      "for i, k in T.grid(4, 6):\n    with T.sblock(\"sum\"):\n        i, k = T.axis.remap(\"SR\", [i, k])\n"
      "        with T.init():\n            T0[i] = T.float32(0)\n        T0[i] = T0[i] + A[i, k]\n";
  auto last = [](const std::string& target, const std::string& value) {
    return "for i, j in T.grid(4, 6):\n    with T.sblock(\"b\"):\n        i, j = T.axis.remap(\"SS\", [i, j])\n       "
           " " +
           target + " = " + value;
  };
  LoopSummary s = summary(kParams, nests + last("C[i, j]", "A[i, j] - T0[i]"));
  EXPECT_EQ(s.pattern, LoopPattern::kOutFusable) << s.why;
  EXPECT_EQ(s.inputs, reads(kMany, kNo, kNo, kNo)) << "two stages read A";
  EXPECT_EQ(summary(kParams, nests + last("A[i, j]", "T0[i]")).why,
            "its last block does not write the last buffer among its parameters");
  EXPECT_EQ(summary(kParams, nests + last("C[i, j]", "C[i, j] + T0[i]")).why, "a block reads what it writes");
  EXPECT_EQ(summary(kParams, nests + nests.substr(nests.find("for")) + last("C[i, j]", "T0[i]")).why,
            "a block writes a parameter, or a buffer for the second time");
}

TEST_F(LoopAnalysisTest, OpaqueFunctions) {
  auto nest = [&](const std::string& head, const std::string& axes, const std::string& body) {
    return summary(kParams, head + "\n    with T.sblock(\"b\"):\n        " + axes + "\n        " + body).why;
  };
  const std::string grid = "for i, j in T.grid(4, 6):", axes = "i, j = T.axis.remap(\"SS\", [i, j])";
  EXPECT_EQ(nest(grid, axes, "C[i, j] = A[i, j]"), "");
  EXPECT_EQ(nest(grid, axes, "C[I[i], j] = A[i, j]"), "what is stored is not indexed by distinct spatial axes");
  EXPECT_EQ(nest(grid, axes, "C[i, 0] = A[i, j]"), "what is stored is not indexed by distinct spatial axes");
  EXPECT_EQ(nest(grid, axes, "T.where(i < 2)\n        C[i, j] = A[i, j]"), "a block has a condition");
  EXPECT_EQ(nest("for i in range(2, 4):\n  for j in range(6):", axes, "C[i, j] = A[i, j]"),
            "a loop does not start at 0");
  EXPECT_EQ(nest("for i in T.parallel(4):\n  for j in range(6):", axes, "C[i, j] = A[i, j]"),
            "a loop is scheduled by hand");
  EXPECT_EQ(nest(grid, axes, "C[i, j] = A[i, j]\n        C[i, j] = A[i, j] + B[j]"),
            "a block does more than to store one element");
  EXPECT_EQ(nest(grid, axes, "T.evaluate(T.call_packed(\"f\", A))"), "a block does more than to store one element");
  EXPECT_EQ(summary(kParams, "T.evaluate(0)").why, "a statement is no perfect nest around a block");
}

}  // namespace
}  // namespace tenon
