#include "ir/structural_equal.h"

#include <chrono>
#include <limits>

#include "ir/limits.h"
#include "ir/test_support.h"

namespace tenon {
namespace {

using test::AddOne;
using test::difference;

TEST(StructuralEqual, FindsTheFirstDifference) {
  Builder b = core_builder();
  EXPECT_EQ(difference(b.imm(1), b.imm(2)), "value");
  EXPECT_EQ(difference(b.imm(1), b.imm(1, kInt32)), "type");
  EXPECT_EQ(difference(b.imm(1), b.real(1)), "<root>");
  EXPECT_EQ(difference(Value(1), Value(true)), "<root>");
  EXPECT_EQ(difference(b.add(b.imm(1), b.imm(2)), b.add(b.imm(1), b.imm(3))), "b.value");
  EXPECT_EQ(difference(AddOne().module(), AddOne("", 2.0).module()), "functions[\"add_one\"].body.body.value.b.value");
}

TEST(StructuralEqual, ReportsMissingElements) {
  Builder b = core_builder();
  Node x = b.make<tir::Evaluate>({b.imm(1)});
  EXPECT_EQ(difference(b.make<tir::Seq>({b.array({x, x})}), b.make<tir::Seq>({b.array({x})})), "stmts[1]");
  auto module = [&](const Builder::Entries& attrs) { return b.make<ir::Module>({b.map(attrs)}); };
  EXPECT_EQ(difference(module({{"a", 1}, {"c", 1}}), module({{"a", 1}, {"b", 1}, {"c", 1}})), "attrs[\"b\"]");
  EXPECT_EQ(difference(module({{"a", 1}}), module({{"a", 1}, {"b", 1}})), "attrs[\"b\"]");
  EXPECT_EQ(difference(module({{"b", 1}, {"a", 2}}), module({{"a", 2}, {"b", 1}})), "");
}

TEST(StructuralEqual, PairsVariablesAtTheirDefinitions) {
  EXPECT_EQ(difference(AddOne("").function, AddOne("_other").function), "");
  Builder b = core_builder();
  // for i: for j: evaluate(i)  against  evaluate(j)
  auto nest = [&](bool inner) {
    Node i = b.var("i"), j = b.var("j");
    return b.loop(i, b.imm(4), b.loop(j, b.imm(4), b.make<tir::Evaluate>({inner ? j : i})));
  };
  EXPECT_EQ(difference(nest(false), nest(false)), "");
  EXPECT_EQ(difference(nest(false), nest(true)), "body.body.value");
}

TEST(StructuralEqual, FreeVariables) {
  Builder b = core_builder();
  Node x = b.var("x"), y = b.var("y");
  EXPECT_EQ(difference(b.add(x, x), b.add(x, x)), "");
  EXPECT_EQ(difference(b.add(x, x), b.add(y, y)), "a");
  EXPECT_EQ(difference(b.add(x, x), b.add(y, y), true), "");
  EXPECT_EQ(difference(b.add(x, y), b.add(y, x), true), "");
  EXPECT_EQ(difference(b.add(x, y), b.add(y, y), true), "b");
  EXPECT_EQ(difference(b.add(x, x), b.add(x, y), true), "b");
  EXPECT_EQ(difference(b.add(x, b.imm(1)), b.add(b.var("z", kInt32), b.imm(1)), true), "type");
}

TEST(StructuralEqual, SymbolicShapesArePaired) {
  Builder b = core_builder();
  auto function = [&](bool same_extent) {
    Node n = b.var("n"), m = b.var("m");
    Node x = b.buffer("x", kFloat32, b.array({n, m})), y = b.buffer("y", kFloat32, b.array({same_extent ? n : m}));
    return b.make<tir::PrimFunc>({b.array({x, y}), b.map({}), {}, b.make<tir::Evaluate>({b.imm(0)})});
  };
  EXPECT_EQ(difference(function(true), function(true)), "");
  EXPECT_EQ(difference(function(true), function(false)), "params[1].shape[0]");
}

TEST(StructuralEqual, AScalarParameterMayStandAfterTheShapesThatUseIt) {
  Builder b = core_builder();
  auto function = [&] {
    Node n = b.var("n");
    Node x = b.buffer("x", kFloat32, b.array({b.mul(n, b.imm(2))}));
    return b.make<tir::PrimFunc>({b.array({x, n}), b.map({}), {}, b.make<tir::Evaluate>({n})});
  };
  EXPECT_EQ(difference(function(), function()), "");
}

TEST(StructuralEqual, ScopesEnd) {
  Builder b = core_builder();
  // One variable in two loops one after another equals two variables.
  Node i = b.var("i"), j = b.var("j"), k = b.var("k");
  auto loop = [&](const Node& v) { return b.loop(v, b.imm(4), b.make<tir::Evaluate>({b.add(v, b.imm(1))})); };
  EXPECT_EQ(difference(b.seq({loop(i), loop(i)}), b.seq({loop(j), loop(k)})), "");
  EXPECT_EQ(difference(b.seq({loop(j), loop(k)}), b.seq({loop(i), loop(i)})), "");
}

TEST(StructuralEqual, OneNodeUnderOtherPairsIsAnotherExpression) {
  Builder b = core_builder();
  Node i = b.var("i"), j = b.var("j"), p = b.var("p"), q = b.var("q");
  auto nest = [&](const Node& outer, const Node& inner, const Node& body) {
    return b.loop(outer, b.imm(4), b.loop(inner, b.imm(4), body));
  };
  // The same body, whose i is the outer variable here and the inner one there.
  Node body = b.make<tir::Evaluate>({b.add(i, b.imm(1))});
  EXPECT_EQ(difference(nest(i, j, body), nest(j, i, body)), "body.body.value.a");
  EXPECT_EQ(difference(nest(i, j, body), nest(i, j, body)), "");
  // A pair of bodies that was found equal is not so any more after their variables were paired otherwise.
  Node other = b.make<tir::Evaluate>({b.add(p, b.imm(1))});
  Node a = b.seq({nest(i, j, body), nest(i, j, body)});
  EXPECT_EQ(difference(a, b.seq({nest(p, q, other), nest(p, q, other)})), "");
  EXPECT_EQ(difference(a, b.seq({nest(p, q, other), nest(q, p, other)})), "stmts[1].body.body.value.a");
}

TEST(StructuralEqual, FloatsByTheirBits) {
  Builder b = core_builder();
  double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(difference(b.real(nan), b.real(nan)), "");
  EXPECT_EQ(difference(b.real(0.0), b.real(-0.0)), "value");
}

TEST(StructuralEqual, GlobalsByName) {
  Builder b = core_builder();
  auto global = [&](const char* name) { return b.make<ir::GlobalVar>({{}, name}); };
  EXPECT_EQ(difference(global("f"), global("f")), "");
  EXPECT_EQ(difference(global("f"), global("g")), "name");
}

TEST(StructuralEqual, SharedTreesTakeMilliseconds) {
  Builder b = core_builder();
  Node x = b.var("x"), y = b.var("y");
  auto start = std::chrono::steady_clock::now();
  Node a = test::doubling(x, 60), c = test::doubling(y, 60), d = test::doubling(b.add(y, y), 60);
  EXPECT_EQ(a.hash(), c.hash());
  EXPECT_EQ(difference(a, c, true), "");
  EXPECT_EQ(difference(a, c).size(), 119u);  // a.a.a...
  EXPECT_NE(difference(a, d, true), "");
  // The same below definitions.
  auto around = [&](const Node& v, const Node& tree) { return b.loop(v, b.imm(4), b.make<tir::Evaluate>({tree})); };
  EXPECT_EQ(difference(around(x, a), around(y, c)), "");
  double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  EXPECT_LT(ms, 100);
}

TEST(StructuralEqual, DeepTreesOnASmallStack) {
  test::with_small_stack([] {
    Builder b = core_builder();
    int levels = static_cast<int>(kLimits.depth) - 1;
    Node a = test::chain(b.imm(0), levels), c = test::chain(b.imm(0), levels), d = test::chain(b.imm(7), levels);
    EXPECT_EQ(difference(a, c), "");
    EXPECT_EQ(difference(a, d).size(), 2u * static_cast<size_t>(levels) + 5);  // a.a.....value
  });
}

}  // namespace
}  // namespace tenon
