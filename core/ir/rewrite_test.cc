#include "ir/rewrite.h"

#include <thread>

#include "ir/limits.h"
#include "ir/test_support.h"
#include "ir/walk.h"

namespace tenon {
namespace {

using test::AddOne;
using test::difference;
using test::error_of;

// x + 0 -> x
Value without_zeros(const Node&, const Node& rebuilt) {
  auto* add = rebuilt.as<tir::Add>();
  if (!add) return {};
  auto* zero = add->b().as<ir::IntImm>();
  return zero && zero->value() == 0 ? Value(add->a()) : Value();
}

TEST(Walk, EntersEveryPlaceInOrder) {
  Builder b = core_builder();
  Node x = b.var("x");
  std::string trace;
  b.walk(
      b.add(b.mul(x, x), b.imm(1)),
      [&](const Node& n) {
        trace += n.is<tir::Add>() ? "+" : n.is<tir::Mul>() ? "*" : n.is<ir::Var>() ? "x" : "1";
        return true;
      },
      [&](const Node&) { trace += "."; });
  EXPECT_EQ(trace, "+*x.x..1..");
}

TEST(Walk, OwnSlotsOfVariablesOnlyWhereTheyAreDefined) {
  AddOne f;
  Builder b = core_builder();
  int dimensions = 0, buffers = 0;
  b.walk(f.function, [&](const Node& n) {
    dimensions += n.same_as(f.n);
    buffers += n.is<tir::Buffer>();
  });
  EXPECT_EQ(buffers, 4);     // two parameters, a load, a store
  EXPECT_EQ(dimensions, 3);  // the shapes of the two parameters, the extent of the loop
}

TEST(Walk, SkipsAndStops) {
  Builder b = core_builder();
  Node tree = b.add(b.mul(b.imm(1), b.imm(2)), b.imm(3));
  int entered = 0, left = 0;
  b.walk(
      tree,
      [&](const Node& n) {
        ++entered;
        return !n.is<tir::Mul>();
      },
      [&](const Node&) { ++left; });
  EXPECT_EQ(entered, 3);
  EXPECT_EQ(left, 2);
  Error e = error_of([&] { b.walk(tree, [&](const Node&) { throw Error(TN_ERROR_CANCELLED, "enough"); }); });
  EXPECT_EQ(e.code, TN_ERROR_CANCELLED);
  e = error_of([&] {
    b.walk(tree, [](const Node&) { return true; }, [](const Node&) { throw Error(TN_ERROR_CANCELLED, "later"); });
  });
  EXPECT_EQ(e.message, "later");
}

TEST(Walk, SharedTreesAreRefusedByPlaceAndVisitedOnceOnDemand) {
  Builder b = core_builder();
  Node tree = test::doubling(b.imm(1), 60);
  EXPECT_EQ(error_of([&] { b.walk(tree, [](const Node&) {}); }).code, TN_ERROR_LIMIT);
  int distinct = 0;
  walk_distinct(Value(tree).raw(), [&](const TnNode*) { ++distinct; });
  EXPECT_EQ(distinct, 61);
}

TEST(Rewrite, UnchangedTreesKeepTheirPointers) {
  AddOne f;
  Node module = f.module();
  Value same = core_builder().rewrite(module, [](const Node&, const Node&) { return Value(); });
  EXPECT_TRUE(as_node(same).same_as(module));
}

TEST(Rewrite, BottomUp) {
  Builder b = core_builder();
  Node x = b.var("x");
  Value v = b.rewrite(b.add(b.add(x, b.imm(0)), b.imm(0)), without_zeros);
  EXPECT_TRUE(as_node(v).same_as(x));
}

TEST(Rewrite, KeepsSpans) {
  Builder b = core_builder();
  const TnHostIr& ir = ir_table();
  Value span = call([&](TnValue* ret) { return ir.span(ir.self, "m.py", 3, 1, 3, 9, ret); });
  auto* s = reinterpret_cast<const TnSpan*>(span.raw().as.object);
  Node stmt = b.make<tir::Evaluate>({b.add(b.var("x"), b.imm(0))}, s);
  Value v = b.rewrite(stmt, without_zeros);
  EXPECT_FALSE(as_node(v).same_as(stmt));
  EXPECT_EQ(as_node(v).span(), s);
}

TEST(Rewrite, SplicesArrays) {
  Builder b = core_builder();
  auto statement = [&](int64_t i) -> Node { return b.make<tir::Evaluate>({b.imm(i)}); };
  Node seq = b.seq({statement(1), statement(2), statement(3)});
  auto number = [](const Node& n) { return n.as<tir::Evaluate>()->value().as<ir::IntImm>()->value(); };
  Value v = b.rewrite(seq, [&](const Node& original, const Node&) -> Value {
    if (!original.is<tir::Evaluate>()) return {};
    if (number(original) == 1) return b.array({});
    if (number(original) == 2) return b.array({statement(20), statement(21)});
    return {};
  });
  EXPECT_EQ(difference(v, b.seq({statement(20), statement(21), statement(3)})), "");
  Error e = error_of([&] {
    b.rewrite(b.loop(b.var("i"), b.imm(4), statement(1)), [&](const Node& original, const Node&) -> Value {
      return original.is<tir::Evaluate>() ? Value(b.array({})) : Value();
    });
  });
  EXPECT_EQ(e.message, "cannot make tir.For/1: slot `body` must be a node, but is an array of nodes");
}

TEST(Rewrite, RefusesWhatCannotStandInATree) {
  Builder b = core_builder();
  Error e = error_of([&] { b.rewrite(b.imm(1), [](const Node&, const Node&) { return Value(3); }); });
  EXPECT_EQ(e.code, TN_ERROR_ARGUMENT);
  EXPECT_EQ(e.message, "a rewrite replaced an ir.IntImm node by an int, but only a node or an array can stand there");
  e = error_of([&] {
    b.rewrite(AddOne().function, [&](const Node& n, const Node&) { return n.is<tir::Buffer>() ? b.imm(1) : Value(); });
  });
  EXPECT_NE(e.message.find("defines"), std::string::npos);
}

TEST(Rewrite, SharedNodesAreRewrittenOnce) {
  Builder b = core_builder();
  int calls = 0;
  Value v = b.rewrite(test::doubling(b.imm(1), 60), [&](const Node& original, const Node&) -> Value {
    ++calls;
    return original.is<ir::IntImm>() ? b.imm(2) : Value();
  });
  EXPECT_EQ(calls, 61);
  EXPECT_EQ(difference(v, test::doubling(b.imm(2), 60)), "");
}

TEST(Rewrite, UsesFollowReplacedDefinitions) {
  Builder b = core_builder();
  AddOne f;
  Value v = b.rewrite(f.function, [&](const Node& original, const Node& rebuilt) -> Value {
    auto* buffer = original.as<tir::Buffer>();
    if (!buffer) return {};
    return b.with(rebuilt, tir::BufferSlot::scope, b.string("shared"));
  });
  std::vector<Node> buffers;
  walk_tree(
      v.raw(),
      [&](const TnNode* n) {
        if (n->kind == tir::Buffer::kKind) buffers.emplace_back(n);
        return Below::kEnter;
      },
      [](const TnNode*) { return true; });
  ASSERT_EQ(buffers.size(), 4u);
  EXPECT_EQ(buffers[0].as<tir::Buffer>()->scope(), "shared");
  EXPECT_TRUE(buffers[3].same_as(buffers[0]) || buffers[2].same_as(buffers[0]));
  EXPECT_FALSE(buffers[0].same_as(f.a));
}

TEST(Rewrite, ErrorsOfTheCallbackArePassedOn) {
  AddOne f;
  Error e = error_of([&] {
    core_builder().rewrite(f.module(), [](const Node& n, const Node&) -> Value {
      if (n.is<tir::BufferStore>()) throw Error(TN_ERROR_UNSUPPORTED, "no stores here", "f.py:1:2", "load instead");
      return {};
    });
  });
  EXPECT_EQ(e.code, TN_ERROR_UNSUPPORTED);
  EXPECT_EQ(e.where, "f.py:1:2");
  EXPECT_EQ(e.hint, "load instead");
}

TEST(Rewrite, DeepTreesOnASmallStack) {
  test::with_small_stack([] {
    Builder b = core_builder();
    int levels = static_cast<int>(kLimits.depth) - 1;
    Node tree = test::chain(b.imm(-1), levels);
    Value v = b.rewrite(tree, [&](const Node& n, const Node&) -> Value {
      auto* imm = n.as<ir::IntImm>();
      return imm && imm->value() == -1 ? b.imm(-2) : Value();
    });
    EXPECT_EQ(difference(v, test::chain(b.imm(-2), levels)), "");
    int nodes = 0;
    b.walk(v, [&](const Node&) { ++nodes; });
    EXPECT_EQ(nodes, 2 * levels + 1);
  });
}

TEST(Rewrite, SharedBetweenThreads) {
  AddOne f;
  Node module = f.module();
  std::vector<Value> results(4);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < results.size(); ++t)
    threads.emplace_back([&results, module, t] {
      Builder b = core_builder();
      for (int64_t round = 0; round < 200; ++round) {
        Value v = b.rewrite(module, [&](const Node& n, const Node&) -> Value {
          return n.is<ir::FloatImm>() ? b.real(static_cast<double>(round)) : Value();
        });
        EXPECT_EQ(difference(b.renew(v), v), "");
        results[t] = v;  // the last of the others goes in this thread
      }
    });
  module = Node();
  for (std::thread& t : threads) t.join();
  for (const Value& v : results) EXPECT_EQ(difference(v, results[0]), "");
}

TEST(Substitute, ReplacesUses) {
  Builder b = core_builder();
  Node x = b.var("x"), y = b.var("y");
  Value v = b.substitute(b.add(x, b.mul(x, y)), b.array({x, y}), b.array({y, x}));
  EXPECT_EQ(difference(v, b.add(y, b.mul(y, x))), "");
}

TEST(Substitute, SpecialisesShapesAndWhatDependsOnThem) {
  Builder b = core_builder();
  AddOne f;
  Value v = b.substitute(f.function, b.array({f.n}), b.array({b.imm(16)}));
  Node n = b.imm(16);
  Node a = b.buffer("A", kFloat32, b.array({n})), c = b.buffer("B", kFloat32, b.array({n})), i = b.var("i");
  Node body = b.store(c, b.array({i}), b.add(b.load(a, b.array({i})), b.real(1.0)));
  Node expected =
      b.make<tir::PrimFunc>({b.array({a, c}), b.map({{"global_symbol", b.string("add_one")}}), {}, b.loop(i, n, body)});
  EXPECT_EQ(difference(v, expected), "");
}

TEST(Substitute, ADefinitionIsReplacedByAVariableOnly) {
  Builder b = core_builder();
  Node i = b.var("i"), j = b.var("j");
  Node loop = b.loop(i, b.imm(4), b.make<tir::Evaluate>({i}));
  Value renamed = b.substitute(loop, b.array({i}), b.array({j}));
  EXPECT_TRUE(as_node(renamed).to<tir::For>().loop_var().same_as(j));
  Value constant = b.substitute(loop, b.array({i}), b.array({b.imm(3)}));
  EXPECT_TRUE(as_node(constant).to<tir::For>().loop_var().same_as(i));
  EXPECT_EQ(difference(as_node(constant).to<tir::For>().body(), b.make<tir::Evaluate>({b.imm(3)})), "");
}

TEST(Substitute, AScalarParameterAfterTheShapeThatUsesIt) {
  Builder b = core_builder();
  Node n = b.var("n");
  Node x = b.buffer("x", kFloat32, b.array({n}));
  Node f = b.make<tir::PrimFunc>({b.array({x, n}), b.map({}), {}, b.make<tir::Evaluate>({n})});
  Value v = b.substitute(f, b.array({n}), b.array({b.imm(8)}));
  auto& g = as_node(v).to<tir::PrimFunc>();
  EXPECT_TRUE(as_node(g.params()[1]).same_as(n));
  EXPECT_TRUE(as_node(as_node(g.params()[0]).to<tir::Buffer>().shape()[0]).is<ir::IntImm>());
  Node m = b.var("m");
  Value renamed = b.substitute(f, b.array({n}), b.array({m}));
  EXPECT_TRUE(as_node(as_node(renamed).to<tir::PrimFunc>().params()[1]).same_as(m));
  EXPECT_EQ(difference(renamed, f), "");
}

TEST(Substitute, RefusesBadArguments) {
  Builder b = core_builder();
  Node x = b.var("x");
  EXPECT_EQ(error_of([&] { b.substitute(x, b.array({x}), b.array({})); }).code, TN_ERROR_ARGUMENT);
  EXPECT_EQ(error_of([&] { b.substitute(x, b.array({b.imm(1)}), b.array({x})); }).message,
            "cannot substitute an ir.IntImm node: only a Var or a Buffer can be replaced");
  EXPECT_EQ(error_of([&] { b.substitute(x, b.array({x}), b.array({3})); }).code, TN_ERROR_ARGUMENT);
}

TEST(Renew, MakesEveryDefinitionAnew) {
  AddOne f;
  Value copy = core_builder().renew(f.function);
  EXPECT_EQ(difference(copy, f.function), "");
  std::vector<const TnNode*> variables;
  walk_tree(
      copy.raw(),
      [&](const TnNode* n) {
        if (n->kind == ir::Var::kKind || n->kind == tir::Buffer::kKind) variables.push_back(n);
        return Below::kEnter;
      },
      [](const TnNode*) { return true; });
  for (const TnNode* v : variables)
    for (const Node& old : {f.n, f.a, f.c, f.i}) EXPECT_NE(v, old.get());
}

TEST(Renew, FreeVariablesStay) {
  Builder b = core_builder();
  Node i = b.var("i"), x = b.var("x");
  Node loop = b.loop(i, x, b.make<tir::Evaluate>({b.add(i, x)}));
  Value copy = b.renew(loop);
  EXPECT_EQ(difference(copy, loop), "");
  EXPECT_FALSE(as_node(copy).to<tir::For>().loop_var().same_as(i));
}

}  // namespace
}  // namespace tenon
