#include "ir/content_key.h"

#include <chrono>

#include "ir/constant_store.h"
#include "ir/limits.h"
#include "ir/span.h"
#include "ir/test_support.h"

namespace tenon {
namespace {

using test::AddOne;
using test::error_of;

const Builder b = core_builder();

std::string key(const Node& n) {
  Value v(n);
  return content_key(v.raw());
}
Node function_of(const std::vector<Node>& params, const Node& body) {
  return b.make<tir::PrimFunc>({b.array(params), b.map({}), {}, body});
}
Node evaluate(const Node& e) { return b.make<tir::Evaluate>({e}); }

TEST(ContentKey, FailsClearlyOnFreeVariables) {
  AddOne f;
  Error e = error_of([&] { key(f.body); });
  EXPECT_EQ(e.code, TN_ERROR_ARGUMENT);
  EXPECT_EQ(e.message, "a tree with a free variable has no content key: the buffer `B` is not defined in it");
  Node i = b.var("i");
  Node loop = b.loop(i, b.imm(4), evaluate(i));
  EXPECT_NE(error_of([&] { key(b.seq({loop, evaluate(i)})); }).message.find("variable `i`"), std::string::npos);
}

TEST(ContentKey, EqualTreesHaveEqualKeys) {
  EXPECT_EQ(key(AddOne("").module()), key(AddOne("_2").module()));
  EXPECT_NE(key(AddOne("").module()), key(AddOne("", 2.0).module()));
  EXPECT_EQ(key(AddOne().module()).substr(0, 7), "sha256:");
  EXPECT_EQ(key(AddOne().module()).size(), 71u);
}

TEST(ContentKey, IsTheSameInEveryProcessAndRelease) {
  // The format is a promise: caches keep these keys. A change needs another format line in content_key.cc.
  EXPECT_EQ(key(AddOne().module()), "sha256:f481ab9c9f1ffc57b6409d689f2d8618d6f8db3bb8bc57005f3780ba2767a13e");
}

TEST(ContentKey, IgnoresSpansAndNames) {
  Span s = make_span(std::string_view("f.py"), 1, 2, 3, 4);
  Node i = b.var("i"), j = b.make<ir::Var>({kInt64, "j"}, s.get());
  EXPECT_EQ(key(b.loop(i, b.imm(4), evaluate(i))),
            key(b.make<tir::For>({b.imm(0), b.imm(4), 0, "", b.map({}), j, evaluate(j)}, s.get())));
}

TEST(ContentKey, TellsVariablesApart) {
  auto nest = [](bool inner) {
    Node i = b.var("i"), j = b.var("j");
    return b.loop(i, b.imm(4), b.loop(j, b.imm(4), evaluate(inner ? j : i)));
  };
  EXPECT_EQ(key(nest(true)), key(nest(true)));
  EXPECT_NE(key(nest(true)), key(nest(false)));
  auto shapes = [](bool same) {
    Node n = b.var("n"), m = b.var("m");
    return function_of({b.buffer("x", kFloat32, b.array({n, m})), b.buffer("y", kFloat32, b.array({same ? n : m}))},
                       evaluate(b.imm(0)));
  };
  EXPECT_NE(key(shapes(true)), key(shapes(false)));
}

TEST(ContentKey, DoesNotDependOnSharing) {
  auto deep = [](Node leaf, bool share) {
    for (int i = 0; i < 8; ++i)
      leaf = share ? b.add(leaf, leaf)
                   : b.add(leaf, as_node(b.rewrite(leaf, [](const Node& n, const Node& r) -> Value {
                             return n.is<ir::Var>() ? Value()
                                                    : Value(b.make(r.kind(), std::span(r.slots(), r.slot_count())));
                           })));
    return leaf;
  };
  Node x = b.var("x"), y = b.var("y");
  EXPECT_EQ(key(function_of({x}, evaluate(deep(x, true)))), key(function_of({y}, evaluate(deep(y, false)))));
  // One loop in two places against two loops, at several depths of scopes.
  auto loops = [&](bool share) {
    auto loop = [&] {
      Node i = b.var("i");
      return b.loop(i, b.imm(4), evaluate(deep(i, true)));
    };
    Node first = loop(), second = share ? first : loop(), third = share ? first : loop();
    Node k = b.var("k");
    return function_of({}, b.seq({first, second, b.loop(k, b.imm(2), third)}));
  };
  EXPECT_EQ(test::difference(loops(true), loops(false)), "");
  EXPECT_EQ(key(loops(true)), key(loops(false)));
}

TEST(ContentKey, OneVariableInTwoLoopsAtOtherDepths) {
  // The number of i changes between the loops, while the shared expression stays the same node.
  auto function = [](bool same) {
    Node i = b.var("i"), j = same ? i : b.var("j"), k = b.var("k");
    Node e = test::doubling(i, 6), f = same ? e : test::doubling(j, 6);
    return function_of(
        {}, b.seq({b.loop(i, b.imm(4), evaluate(e)), b.loop(k, b.imm(4), b.loop(j, b.imm(4), evaluate(f)))}));
  };
  EXPECT_EQ(key(function(true)), key(function(false)));
}

TEST(ContentKey, ConstantsByDigest) {
  ConstantStore store;
  auto node = [](const Constant& c) { return b.make<ir::Constant>({kFloat32, c}); };
  EXPECT_EQ(key(node(store.add("abcd", 4))), key(node(constant_from_bytes("abcd", 4))));
  EXPECT_NE(key(node(store.add("abcd", 4))), key(node(store.add("abce", 4))));
}

TEST(ContentKey, SharedAndDeepTrees) {
  test::with_small_stack([] {
    auto start = std::chrono::steady_clock::now();
    Node x = b.var("x");
    EXPECT_EQ(key(function_of({x}, evaluate(test::doubling(x, 60)))).size(), 71u);
    Node s = evaluate(b.imm(0));
    for (int i = 0; i < 60; ++i) {
      Node v = b.var("v");
      s = b.loop(v, b.imm(2), b.seq({s, s}));
    }
    EXPECT_EQ(key(s).size(), 71u);
    double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    EXPECT_LT(ms, 100);
    Node deep = test::chain(b.imm(0), static_cast<int>(kLimits.depth) - 1);
    EXPECT_EQ(key(deep).size(), 71u);
  });
}

}  // namespace
}  // namespace tenon
