// Text and trees of any depth and size, on a small stack.
#include "script/test_support.h"

namespace tenon::test {
namespace {

std::string repeated(std::string_view s, size_t n) {
  std::string out;
  out.reserve(s.size() * n);
  for (size_t i = 0; i < n; ++i) out += s;
  return out;
}

// TN_OK when the text is read.
int32_t code_of(const std::string& text) {
  int32_t code = -1;
  with_small_stack([&] { code = error_of([&] { read(text); }).code; });
  return code;
}

std::string evaluating(const std::string& expr) { return in_function("T.evaluate(" + expr + ")"); }

TEST(ScriptLimits, DeepTextIsRefusedOnASmallStack) {
  constexpr size_t kDeep = 200000;
  EXPECT_EQ(code_of(evaluating(repeated("(", kDeep) + "1" + repeated(")", kDeep))), TN_ERROR_LIMIT);
  EXPECT_EQ(code_of(evaluating(repeated("[", kDeep))), TN_ERROR_LIMIT);
  EXPECT_EQ(code_of(evaluating(repeated("{\"a\":", kDeep))), TN_ERROR_LIMIT);
  EXPECT_EQ(code_of(evaluating(repeated("T.exp(", kDeep))), TN_ERROR_LIMIT);
  EXPECT_EQ(code_of(evaluating(repeated("A[", kDeep))), TN_ERROR_LIMIT);
  EXPECT_EQ(code_of(evaluating(repeated("-", kDeep) + "1")), TN_ERROR_LIMIT);
  EXPECT_EQ(code_of(evaluating(repeated("not ", kDeep) + "True")), TN_ERROR_LIMIT);
  EXPECT_EQ(code_of(evaluating(repeated("not (-(", 4900) + "1" + repeated("))", 4900))), TN_ERROR_LIMIT);
  EXPECT_EQ(code_of(evaluating("A" + repeated("[0]", kDeep))), TN_ERROR_LIMIT);
  EXPECT_EQ(code_of(evaluating("A" + repeated(".data", kDeep))), TN_ERROR_LIMIT);
  EXPECT_EQ(code_of(evaluating("A" + repeated("()", kDeep))), TN_ERROR_LIMIT);
}

TEST(ScriptLimits, DeepBlocksAreRefusedOnASmallStack) {
  std::string lines;
  for (size_t i = 0; i < 1000; ++i) lines += repeated(" ", i) + "if True:\n";
  EXPECT_EQ(code_of(in_function(lines)), TN_ERROR_LIMIT);
  lines = "if True:\n    pass\n";
  for (size_t i = 0; i < 1000; ++i) lines += "elif True:\n    pass\n";
  EXPECT_EQ(code_of(in_function(lines)), TN_ERROR_LIMIT);
  EXPECT_EQ(code_of(in_function(repeated("T.attr(A, \"k\", 1)\n", 1000))), TN_ERROR_LIMIT);
}

TEST(ScriptLimits, LongTextIsRead) {
  // A sum nests as deep as it is long; a node has a bound of its own.
  EXPECT_EQ(code_of(evaluating("A[0, 0]" + repeated(" + A[0, 0]", 4000))), TN_OK);
  EXPECT_EQ(code_of(evaluating("A[0, 0]" + repeated(" + A[0, 0]", 5000))), TN_ERROR_LIMIT);
  EXPECT_EQ(code_of(evaluating("1" + repeated(" + 1", 100000))), TN_OK);
  EXPECT_EQ(code_of(in_function(repeated("A[0, 0] = A[0, 0] + 1.0\n", 20000))), TN_OK);
  EXPECT_EQ(code_of(in_function("x = 0\n" + repeated("x = x + 1\n", 20000))), TN_OK);
}

// print, then read, on a small stack.
void comes_back(const Node& body) {
  Builder b = core_builder();
  Node f = b.make<tir::PrimFunc>({b.array({}), b.map({}), Value(), body});
  Node module = b.make<ir::Module>({b.map({}), b.map({}), b.map({{"main", f}}), b.array({})});
  with_small_stack([&] {
    std::string text;
    Error error = error_of([&] { text = print(Value(module)); });
    ASSERT_EQ(error.code, TN_OK) << error.message;
    Node again;
    error = error_of([&] { again = read(text); });
    ASSERT_EQ(error.code, TN_OK) << error.where << ": " << error.message;
    EXPECT_EQ(difference(Value(module), Value(again)), "");
  });
}

TEST(ScriptLimits, TheDeepestTreesComeBackOnASmallStack) {
  Builder b = core_builder();
  constexpr int kDepth = 4000;
  auto evaluate = [&](const Node& n) { return b.make<tir::Evaluate>({n}); };
  Node leaf = b.intrinsic(kInt64, "tir.leaf", {});
  Node left = leaf, right = leaf, select = leaf, negated = b.intrinsic(kBool, "tir.leaf", {}), call = leaf;
  for (int i = 0; i < kDepth; ++i) {
    left = b.sub(left, leaf);
    right = b.sub(leaf, right);
    negated = b.logical_not(negated);
  }
  for (int i = 0; i < kDepth / 2; ++i) {
    select = b.select(b.lt(leaf, b.imm(1)), b.add(leaf, select), leaf);
    call = b.intrinsic(kInt64, "tir.f", {call});
  }
  for (const Node& n : {left, right, negated, select, call}) comes_back(evaluate(n));
  Node loops = evaluate(leaf), branches = loops, sequences = loops;
  for (int i = 0; i < kDepth; ++i) {
    loops = b.loop(b.var("i"), b.imm(2), loops);
    branches = b.make<tir::IfThenElse>({b.imm(1, kBool), evaluate(leaf), branches});
  }
  for (int i = 0; i < 2000; ++i) sequences = b.make<tir::Seq>({b.array({evaluate(leaf), sequences})});
  for (const Node& n : {loops, branches, sequences}) comes_back(n);
}

TEST(ScriptLimits, SharedNodesDoNotMakeEndlessText) {
  Builder b = core_builder();
  Value tree(doubling(b.var("x"), 60));
  PrintOptions options;
  options.max_bytes = 1 << 20;
  Error error = error_of([&] { print(tree, options); });
  EXPECT_EQ(error.code, TN_ERROR_LIMIT);
  EXPECT_EQ(error.message, "the text of the IR is longer than 1048576 bytes");
}

}  // namespace
}  // namespace tenon::test
