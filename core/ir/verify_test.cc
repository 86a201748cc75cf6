#include "ir/verify.h"

#include "ir/constant_store.h"
#include "ir/limits.h"
#include "ir/test_support.h"

namespace tenon {
namespace {

using test::AddOne;
using test::error_of;

const Builder b = core_builder();
constexpr DLDataType kFloat32x4 = with_lanes(kFloat32, 4);

Node module_of(const Builder::Entries& functions) {
  return b.make<ir::Module>({b.map({}), b.map({}), b.map(functions), b.array({})});
}
Node function_of(const std::vector<Node>& params, const Node& body) {
  return b.make<tir::PrimFunc>({b.array(params), b.map({}), {}, body});
}
Node evaluate(const Node& e) { return b.make<tir::Evaluate>({e}); }

// What the tests write about: x is a float32 vector of 16 elements, k an int64, h a handle.
struct Fixture {
  Node x = b.buffer("x", kFloat32, b.array({b.imm(16)}));
  Node flags = b.buffer("flags", kBool, b.array({b.imm(16)}));
  Node k = b.var("k"), h = b.var("h", kHandle), f = b.var("f", kFloat32);

  std::string verify(const Node& body, const OpTable* ops = nullptr) const {
    return verify_function(function_of({x, flags, k, h, f}, body), ops);
  }
  static std::string verify_function(const Node& function, const OpTable* ops = nullptr) {
    Error e = error_of([&] { verify_module(module_of({{"main", function}}), ops); });
    EXPECT_TRUE(e.code == 0 || e.code == TN_ERROR_VERIFY) << e.message;
    return e.code == 0 ? "" : e.message;
  }
};

// The message ends with the rule and holds the text.
#define EXPECT_BREAKS(rule, text, message)                 \
  do {                                                     \
    std::string m = (message);                             \
    EXPECT_TRUE(m.ends_with("[" rule "]")) << m;           \
    EXPECT_NE(m.find(text), std::string::npos) << m;       \
    EXPECT_TRUE(m.starts_with("in function `main`")) << m; \
  } while (0)

TEST(Verify, AcceptsALegalModule) {
  verify_module(AddOne().module());
  verify_module(module_of({}));
}

TEST(Verify, OnlyModulesAndFunctions) {
  EXPECT_EQ(error_of([] { verify_module(b.imm(1)); }).code, TN_ERROR_ARGUMENT);
  EXPECT_EQ(error_of([] { verify_module(module_of({{"f", b.imm(1)}})); }).message,
            "the module's function `f` is an ir.IntImm node, which is no function [module]");
  EXPECT_EQ(error_of([] { verify_module(module_of({{"f", 3}})); }).message,
            "the module's function `f` is an int, which is no function [module]");
  EXPECT_NE(error_of([] { verify_module(module_of({{"", AddOne().function}})); }).message.find("empty name"),
            std::string::npos);
}

TEST(Verify, SaysWhere) {
  Fixture t;
  const TnHostIr& ir = ir_table();
  Value span = call([&](TnValue* ret) { return ir.span(ir.self, "m.py", 7, 9, 7, 20, ret); });
  auto* s = reinterpret_cast<const TnSpan*>(span.raw().as.object);
  Node bad = b.make<tir::BufferStore>({t.x, b.imm(1), b.array({t.k})}, s);
  Node function = function_of({t.x, t.k}, b.seq({evaluate(t.k), bad}));
  Error e = error_of([&] { verify_module(module_of({{"main", function}})); });
  EXPECT_EQ(e.where, "m.py:7:9");
  EXPECT_EQ(
      e.message,
      "in function `main`, at body.stmts[1]: a value of dtype int64 is stored in the buffer `x`, which holds float32 "
      "there [store-dtype]");
  EXPECT_EQ(e.hint, "cast the value");
  // Inside a node with a span, and without any.
  function = function_of({t.x, t.k}, b.make<tir::Evaluate>({b.var("q")}, s));
  EXPECT_EQ(error_of([&] { verify_module(module_of({{"main", function}})); }).where, "m.py:7:9");
  function = function_of({t.x, t.k}, b.seq({evaluate(t.k), evaluate(b.var("q"))}));
  EXPECT_EQ(error_of([&] { verify_module(module_of({{"main", function}})); }).where, "main: body.stmts[1].value");
}

TEST(VerifyScope, UsesNeedDefinitions) {
  Fixture t;
  EXPECT_BREAKS("scope", "the variable `q` is used but not defined before", t.verify(evaluate(b.var("q"))));
  Node other = b.buffer("other", kFloat32, b.array({b.imm(4)}));
  EXPECT_BREAKS("scope", "the buffer `other`", t.verify(b.store(other, b.array({t.k}), t.f)));
  Node i = b.var("i");
  Node loop = b.loop(i, b.imm(4), evaluate(i));
  EXPECT_EQ(t.verify(loop), "");
  EXPECT_BREAKS("scope", "outside of the scope", t.verify(b.seq({loop, evaluate(i)})));
  EXPECT_BREAKS("scope", "not defined before", t.verify(b.loop(i, i, evaluate(i))));
}

TEST(VerifyScope, BindReachesToTheEndOfItsSeq) {
  Fixture t;
  Node v = b.var("v");
  Node bind = b.make<tir::Bind>({t.k, v});
  EXPECT_EQ(t.verify(b.seq({bind, evaluate(v)})), "");
  EXPECT_BREAKS("scope", "not defined before", t.verify(b.seq({evaluate(v), bind})));
  EXPECT_BREAKS("scope", "outside of the scope", t.verify(b.seq({b.seq({bind, evaluate(v)}), evaluate(v)})));
}

TEST(VerifyScope, SymbolicShapesDefineTheirVariables) {
  Node n = b.var("n");
  Node x = b.buffer("x", kFloat32, b.array({n, b.add(n, b.imm(1))}));
  EXPECT_EQ(Fixture::verify_function(function_of({x}, evaluate(n))), "");
  Node y = b.buffer("y", kFloat32, b.array({b.add(n, b.imm(1)), n}));
  EXPECT_BREAKS("scope", "the variable `n`", Fixture::verify_function(function_of({y}, evaluate(n))));
  // A scalar parameter is in scope for the shapes of all parameters.
  EXPECT_EQ(Fixture::verify_function(function_of({y, n}, evaluate(n))), "");
  EXPECT_EQ(Fixture::verify_function(function_of({x, n}, evaluate(n))), "");
}

TEST(VerifyScope, SingleDefinition) {
  Fixture t;
  Node i = b.var("i"), v = b.var("v");
  Node loop = b.loop(i, b.imm(4), evaluate(i)), other = b.loop(i, b.imm(8), evaluate(i));
  EXPECT_EQ(t.verify(b.seq({loop, loop})), "");
  EXPECT_BREAKS("single-definition", "`i` is defined in two places", t.verify(b.seq({loop, other})));
  EXPECT_BREAKS("single-definition", "`i` is defined again inside", t.verify(b.loop(i, b.imm(4), loop)));
  Node bind = b.make<tir::Bind>({t.k, v});
  EXPECT_BREAKS("single-definition", "`v` is defined again inside", t.verify(b.seq({bind, bind})));
  EXPECT_BREAKS("single-definition", "`x` is defined again",
                t.verify(b.seq({b.make<tir::AllocBuffer>({b.map({}), t.x}), evaluate(t.k)})));
  EXPECT_BREAKS("single-definition", "`k` is defined again",
                Fixture::verify_function(function_of({t.k, t.k}, evaluate(t.k))));
}

TEST(VerifyScope, OneOwner) {
  Node k = b.var("k"), q = b.var("q");
  auto two = [](const Node& f, const Node& g) {
    return error_of([&] { verify_module(module_of({{"f", f}, {"g", g}})); }).message;
  };
  EXPECT_EQ(two(function_of({k}, evaluate(k)), function_of({k}, evaluate(k))),
            "in function `g`, at params: the variable `k` is defined in two functions [owner]");
  EXPECT_NE(
      two(function_of({k}, evaluate(k)), function_of({q}, evaluate(k))).find("belongs to another function [owner]"),
      std::string::npos);
}

TEST(VerifyScope, Globals) {
  Fixture t;
  auto call = [](const char* name) {
    return evaluate(b.make<ir::Call>({{}, b.make<ir::GlobalVar>({{}, name}), b.array({})}));
  };
  Node callee = function_of({}, evaluate(b.imm(0)));
  auto verify = [&](const char* name) {
    return error_of([&] { verify_module(module_of({{"main", function_of({}, call(name))}, {"kernel", callee}})); });
  };
  EXPECT_EQ(verify("kernel").code, 0);
  EXPECT_BREAKS("global", "the module has no function `kernal`", verify("kernal").message);
  EXPECT_EQ(verify("kernal").hint, "did you mean 'kernel'?");
}

TEST(VerifyScope, GraphFunctions) {
  Node n = b.var("n"), m = b.var("m");
  auto tensor = [](const Node& extent) -> Node { return b.make<relax::TensorType>({b.array({extent}), kFloat32, 1}); };
  Node x = b.var("x", tensor(n)), y = b.var("y", tensor(n)), z = b.var("z", tensor(m));
  auto function = [&](const Node& value, const Node& var, const Node& result) {
    Node block = b.make<relax::DataflowBlock>({b.array({b.make<relax::VarBinding>({value, var})}), b.array({var})});
    Node body = b.make<relax::SeqExpr>({{}, b.array({block}), result});
    return b.make<relax::Function>({{}, b.array({x}), b.map({}), tensor(n), true, body});
  };
  EXPECT_EQ(Fixture::verify_function(function(x, y, y)), "");
  EXPECT_BREAKS("scope", "the variable `z`", Fixture::verify_function(function(x, y, z)));
  Node cast = b.make<relax::MatchCast>({x, tensor(m), z});
  Node body = b.make<relax::SeqExpr>({{}, b.array({b.make<relax::BindingBlock>({b.array({cast})})}), z});
  Node f = b.make<relax::Function>({{}, b.array({x}), b.map({}), {}, true, body});
  EXPECT_EQ(Fixture::verify_function(f), "");
  Node returns_m = b.make<relax::Function>({{}, b.array({x}), b.map({}), tensor(m), true, body});
  EXPECT_BREAKS("scope", "the variable `m` is used but not defined", Fixture::verify_function(returns_m));
}

TEST(VerifyLoop, Levels) {
  Fixture t;
  EXPECT_BREAKS("level", "`body` of tir.PrimFunc must be a statement, but is the variable `k`", t.verify(t.k));
  EXPECT_BREAKS("level", "`stmts[1]` of tir.Seq must be a statement", t.verify(b.seq({evaluate(t.k), t.k})));
  EXPECT_BREAKS("level", "must be an expression", t.verify(evaluate(evaluate(t.k))));
  EXPECT_BREAKS("level", "an expression with a dtype, but is an ir.Op node",
                t.verify(b.store(t.x, b.array({t.k}), b.make<ir::Op>({{}, "tir.exp"}))));
  EXPECT_BREAKS("level", "belongs to the graph level", t.verify(evaluate(b.make<relax::Tuple>({{}, b.array({t.k})}))));
}

TEST(VerifyLoop, Dtypes) {
  Fixture t;
  Node i32 = b.imm(1, kInt32), i64 = b.imm(1);
  EXPECT_BREAKS("dtype-operands", "the operands of tir.Add are int64 and int32",
                t.verify(evaluate(b.make<tir::Add>({kInt64, i64, i32}))));
  EXPECT_BREAKS("dtype-operands", "not defined on handles", t.verify(evaluate(b.add(t.h, t.h))));
  EXPECT_BREAKS("dtype-operands", "arithmetic", t.verify(evaluate(b.add(b.eq(t.k, t.k), b.eq(t.k, t.k)))));
  EXPECT_BREAKS("dtype-result", "has the dtype int32, but its operands give int64",
                t.verify(evaluate(b.make<tir::Add>({kInt32, i64, i64}))));
  EXPECT_BREAKS("dtype-result", "has no dtype", t.verify(evaluate(b.make<tir::Add>({{}, i64, i64}))));
  EXPECT_BREAKS("dtype-result", "operands give bool", t.verify(evaluate(b.make<tir::LT>({kInt64, i64, i64}))));
  EXPECT_BREAKS("dtype-result", "tir.Cast leads from int64 to float32x4",
                t.verify(evaluate(b.make<tir::Cast>({kFloat32x4, i64}))));
  EXPECT_BREAKS("dtype-operands", "the values of tir.Select are int64 and int32",
                t.verify(evaluate(b.make<tir::Select>({kInt64, b.eq(t.k, t.k), i64, i32}))));
  EXPECT_BREAKS("dtype-result", "tir.BufferLoad has the dtype int64",
                t.verify(evaluate(b.make<tir::BufferLoad>({kInt64, t.x, b.array({t.k})}))));
  EXPECT_EQ(t.verify(evaluate(b.min(b.eq(t.k, t.k), b.eq(t.k, t.k)))), "");
  EXPECT_EQ(t.verify(evaluate(b.eq(t.h, t.h))), "");
}

TEST(VerifyLoop, Conditions) {
  Fixture t;
  EXPECT_BREAKS("condition-bool", "`condition` of tir.IfThenElse",
                t.verify(b.make<tir::IfThenElse>({t.k, evaluate(t.k)})));
  EXPECT_BREAKS("condition-bool", "`condition` of tir.While", t.verify(b.make<tir::While>({t.k, evaluate(t.k)})));
  EXPECT_BREAKS("condition-bool", "`condition` of tir.Assert", t.verify(b.make<tir::Assert>({t.f, "no"})));
  EXPECT_BREAKS("condition-bool", "the operands of tir.And are int64",
                t.verify(evaluate(b.make<tir::And>({kBool, t.k, t.k}))));
  EXPECT_BREAKS("condition-bool", "the operand of tir.Not", t.verify(evaluate(b.make<tir::Not>({kBool, t.k}))));
  EXPECT_BREAKS("condition-bool", "the condition of tir.Select",
                t.verify(evaluate(b.make<tir::Select>({kInt64, t.k, t.k, t.k}))));
  EXPECT_EQ(t.verify(b.make<tir::IfThenElse>({b.load(t.flags, b.array({t.k})), evaluate(t.k), Value()})), "");
}

TEST(VerifyLoop, Access) {
  Fixture t;
  EXPECT_BREAKS("index-rank", "has 1 dimensions, but tir.BufferLoad gives 2 indices",
                t.verify(evaluate(b.load(t.x, b.array({t.k, t.k})))));
  EXPECT_BREAKS("index-rank", "gives 0 indices", t.verify(b.store(t.x, b.array({}), t.f)));
  EXPECT_BREAKS("index-integer", "index 0 of the buffer `x`", t.verify(evaluate(b.load(t.x, b.array({t.f})))));
  EXPECT_BREAKS("store-dtype", "stored in the buffer `x`, which holds float32",
                t.verify(b.store(t.x, b.array({t.k}), t.k)));
  EXPECT_BREAKS("level", "`buffer` of tir.BufferLoad must be a tir.Buffer",
                t.verify(evaluate(b.make<tir::BufferLoad>({kFloat32, t.k, b.array({t.k})}))));
}

TEST(VerifyLoop, Vectors) {
  Fixture t;
  Node ramp = b.make<tir::Ramp>({with_lanes(kInt64, 4), t.k, b.imm(1), 4});
  Node wide = b.make<tir::Broadcast>({kFloat32x4, t.f, 4});
  Node load = b.make<tir::BufferLoad>({kFloat32x4, t.x, b.array({ramp})});
  EXPECT_EQ(t.verify(b.store(t.x, b.array({ramp}), b.add(load, wide))), "");
  EXPECT_BREAKS("store-dtype", "float32x4", t.verify(b.store(t.x, b.array({ramp}), t.f)));
  EXPECT_BREAKS("vector-lanes", "makes 1 lanes", t.verify(evaluate(b.make<tir::Broadcast>({kFloat32, t.f, 1}))));
  EXPECT_BREAKS("vector-lanes", "of float32x4", t.verify(evaluate(b.make<tir::Broadcast>({kFloat32x4, wide, 4}))));
  EXPECT_BREAKS("dtype-result", "operands give float32x4",
                t.verify(evaluate(b.make<tir::Broadcast>({kFloat32, t.f, 4}))));
  Node matrix = b.buffer("matrix", kFloat32, b.array({b.imm(4), b.imm(4)}));
  Node bad = b.make<tir::BufferLoad>({kFloat32x4, matrix, b.array({ramp, t.k})});
  EXPECT_BREAKS("index-integer", "only the last index",
                Fixture::verify_function(function_of({matrix, t.k}, evaluate(bad))));
  Node mask = b.make<tir::Broadcast>({with_lanes(kBool, 4), b.eq(t.k, t.k), 4});
  EXPECT_EQ(t.verify(evaluate(b.make<tir::Select>({kFloat32x4, mask, wide, wide}))), "");
}

TEST(VerifyLoop, Constants) {
  Fixture t;
  EXPECT_BREAKS("constant-range", "128 is no value of int8", t.verify(evaluate(b.imm(128, make_dtype(kDLInt, 8)))));
  EXPECT_BREAKS("constant-range", "-1 is no value of uint8", t.verify(evaluate(b.imm(-1, make_dtype(kDLUInt, 8)))));
  EXPECT_BREAKS("constant-range", "2 is no value of bool", t.verify(evaluate(b.imm(2, kBool))));
  EXPECT_BREAKS("constant-range", "float32", t.verify(evaluate(b.imm(2, kFloat32))));
  EXPECT_BREAKS("constant-range", "a float constant has the dtype int64", t.verify(evaluate(b.real(2, kInt64))));
  for (int64_t v : {-128, 127}) EXPECT_EQ(t.verify(evaluate(b.imm(v, make_dtype(kDLInt, 8)))), "");
  EXPECT_EQ(t.verify(evaluate(b.imm(255, make_dtype(kDLUInt, 8)))), "");
  EXPECT_EQ(t.verify(evaluate(b.imm(INT64_MIN))), "");
  EXPECT_EQ(t.verify(evaluate(b.imm(0, kHandle))), "");
}

TEST(VerifyLoop, Loops) {
  Fixture t;
  Node i = b.var("i"), i32 = b.var("i", kInt32), g = b.var("g", kFloat32);
  auto loop = [&](const Node& v, const Node& min, const Node& extent, int64_t kind, const char* thread) -> Node {
    return b.make<tir::For>({min, extent, kind, thread, b.map({}), v, evaluate(v)});
  };
  EXPECT_BREAKS("loop-variable", "must be a scalar integer, but is float32", t.verify(loop(g, t.k, t.k, 0, "")));
  EXPECT_BREAKS("loop-variable", "the start of a loop is int64, but the variable `i` is int32",
                t.verify(loop(i32, b.imm(0), b.imm(4, kInt32), 0, "")));
  EXPECT_BREAKS("loop-variable", "the extent of a loop", t.verify(loop(i32, b.imm(0, kInt32), b.imm(4), 0, "")));
  EXPECT_BREAKS("index-integer", "`extent` of tir.For", t.verify(loop(i, t.k, t.f, 0, "")));
  EXPECT_BREAKS("loop-kind", "unknown kind 9", t.verify(loop(i, t.k, t.k, 9, "")));
  EXPECT_BREAKS("loop-kind", "without a name", t.verify(loop(i, t.k, t.k, TN_FOR_THREAD_BINDING, "")));
  EXPECT_BREAKS("loop-kind", "names the thread", t.verify(loop(i, t.k, t.k, TN_FOR_SERIAL, "threadIdx.x")));
  EXPECT_EQ(t.verify(loop(i, t.k, t.k, TN_FOR_THREAD_BINDING, "threadIdx.x")), "");
}

TEST(VerifyLoop, StatementsThatScopeOverWhatFollows) {
  Fixture t;
  Node v = b.var("v"), buffer = b.buffer("local", kFloat32, b.array({b.imm(4)}));
  Node bind = b.make<tir::Bind>({t.k, v}), alloc = b.make<tir::AllocBuffer>({b.map({}), buffer});
  EXPECT_BREAKS("statement-place", "tir.Bind must stand directly in a tir.Seq", t.verify(bind));
  EXPECT_BREAKS("statement-place", "tir.AllocBuffer", t.verify(b.loop(b.var("i"), t.k, alloc)));
  EXPECT_BREAKS("bind-dtype", "the variable `v` is int64, but its value is float32",
                t.verify(b.seq({b.make<tir::Bind>({t.f, v}), evaluate(v)})));
  EXPECT_BREAKS("bind-dtype", "its value is float32", t.verify(evaluate(b.make<tir::Let>({kInt64, t.f, v, v}))));
  EXPECT_BREAKS("dtype-result", "tir.Let has the dtype float32",
                t.verify(evaluate(b.make<tir::Let>({kFloat32, t.k, v, v}))));
  EXPECT_EQ(t.verify(b.seq({alloc, bind, b.store(buffer, b.array({v}), t.f)})), "");
  EXPECT_BREAKS("level", "`data` of tir.DeclBuffer",
                t.verify(b.seq({b.make<tir::DeclBuffer>({t.k, buffer}), evaluate(t.k)})));
  EXPECT_EQ(t.verify(b.seq({b.make<tir::DeclBuffer>({t.x, buffer}), evaluate(t.k)})), "");
}

TEST(VerifyLoop, BuffersAndParameters) {
  auto buffer = [](DLDataType t, std::vector<Node> shape, std::vector<Node> strides, Value offset) -> Node {
    return b.make<tir::Buffer>(
        {b.string("x"), t, b.array(shape), b.array(strides), offset, b.string("global"), b.map({})});
  };
  auto verify = [](const Node& param) { return Fixture::verify_function(function_of({param}, evaluate(b.imm(0)))); };
  EXPECT_BREAKS("buffer", "has no dtype", verify(buffer({0, 0, 0}, {}, {}, {})));
  EXPECT_BREAKS("buffer", "2 extents but 1 strides", verify(buffer(kFloat32, {b.imm(2), b.imm(2)}, {b.imm(2)}, {})));
  EXPECT_BREAKS("buffer", "an extent", verify(buffer(kFloat32, {b.real(2)}, {}, {})));
  EXPECT_BREAKS("buffer", "the offset", verify(buffer(kFloat32, {b.imm(2)}, {}, b.real(2))));
  EXPECT_BREAKS("parameter", "a parameter, the variable `v`, has no dtype", verify(b.var("v", Value())));
  Node typed = b.make<tir::PrimFunc>({b.array({}), b.map({}), kFloat32, evaluate(b.imm(0))});
  EXPECT_BREAKS("parameter", "returns nothing or a handle", Fixture::verify_function(typed));
}

// A block C[v] = x[v] over the axes that are given.
struct BlockParts {
  Fixture t;
  Node v = b.var("v");
  std::vector<Node> values = {t.k};
  int64_t axis = TN_ITER_SPATIAL;
  Node predicate = b.imm(1, kBool);
  Value init;
  std::vector<Node> region = {b.make<ir::Range>({v, b.imm(1)})};
  DLDataType axis_dtype = kInt64;

  std::string verify() {
    Node range = b.make<ir::Range>({b.imm(0, axis_dtype), b.imm(16, axis_dtype)});
    Node iter = b.make<tir::IterVar>({range, axis, v});
    Node write = b.make<tir::BufferRegion>({t.x, b.array(region)});
    Node block = b.make<tir::Block>({"copy", b.array({iter}), b.array({}), b.array({}), b.array({write}),
                                     b.array({write}), b.map({}), init, b.store(t.x, b.array({v}), t.f)});
    return t.verify(b.make<tir::BlockRealize>({b.array(values), predicate, block}));
  }
};

TEST(VerifyLoop, Blocks) {
  EXPECT_EQ(BlockParts().verify(), "");
  BlockParts p;
  p.values = {p.t.k, p.t.k};
  EXPECT_BREAKS("block-axes", "the block `copy` has 1 axes, but is realized with 2 values", p.verify());
  p = BlockParts();
  p.values = {b.imm(0, kInt32)};
  EXPECT_BREAKS("loop-variable", "the value of an axis is int32", p.verify());
  p = BlockParts();
  p.axis = 7;
  EXPECT_BREAKS("block-axes", "unknown kind 7", p.verify());
  p = BlockParts();
  p.axis_dtype = kInt32;
  EXPECT_BREAKS("loop-variable", "the extent of an axis is int32", p.verify());
  p = BlockParts();
  p.predicate = p.t.k;
  EXPECT_BREAKS("condition-bool", "`predicate` of tir.BlockRealize", p.verify());
  p = BlockParts();
  p.region = {};
  EXPECT_BREAKS("block-region", "has 0 ranges, but the buffer has 1 dimensions", p.verify());
  p = BlockParts();
  p.region = {p.t.k};
  EXPECT_BREAKS("level", "`region[0]` of tir.BufferRegion must be an ir.Range", p.verify());
  p = BlockParts();
  p.init = evaluate(b.imm(0));
  EXPECT_BREAKS("block-init", "no reduction axis", p.verify());
  p.axis = TN_ITER_REDUCE;
  EXPECT_EQ(p.verify(), "");
}

TEST(VerifyLoop, CallsOfFunctions) {
  Fixture t;
  Node n = b.var("n"), s = b.var("s", kInt32);
  Node p = b.buffer("p", kFloat32, b.array({n})), q = b.buffer("q", kFloat32, b.array({b.imm(16)}));
  Node callee = function_of({p, q, s}, evaluate(s));
  auto verify = [&](const std::vector<Node>& args) {
    Node call = b.make<ir::Call>({{}, b.make<ir::GlobalVar>({{}, "kernel"}), b.array(args)});
    Node main = function_of({t.x, t.flags, t.k, t.h, t.f}, evaluate(call));
    return error_of([&] { verify_module(module_of({{"main", main}, {"kernel", callee}})); }).message;
  };
  Node i32 = b.imm(1, kInt32);
  EXPECT_EQ(verify({t.x, t.x, i32}), "no error");
  EXPECT_EQ(verify({t.h, t.x, i32}), "no error");
  EXPECT_BREAKS("call-arguments", "`kernel` takes 3 arguments, but 2 are given", verify({t.x, t.x}));
  EXPECT_BREAKS("call-arguments", "argument 2 of `kernel`, for the variable `s`, must be int32",
                verify({t.x, t.x, t.k}));
  EXPECT_BREAKS("call-arguments", "must hold float32, but the buffer `flags` holds bool", verify({t.flags, t.x, i32}));
  EXPECT_BREAKS("call-arguments", "must be a buffer, but is the variable `k`", verify({t.k, t.x, i32}));
  EXPECT_BREAKS("level", "an argument of a call must be", verify({evaluate(t.k), t.x, i32}));
  callee = function_of({p, b.buffer("q", kFloat32, b.array({b.imm(8)})), s}, evaluate(s));
  EXPECT_BREAKS("call-arguments", "the extent 8 in dimension 0, but the buffer `x` has 16", verify({t.x, t.x, i32}));
  callee = function_of({p, b.buffer("q", kFloat32, b.array({b.imm(8), b.imm(2)})), s}, evaluate(s));
  EXPECT_BREAKS("call-arguments", "must have 2 dimensions", verify({t.x, t.x, i32}));
}

TEST(VerifyLoop, MemoryOfBuffers) {
  Fixture t;
  auto floats = [](const char* name, int64_t n, Value offset = {}) {
    Node buffer = b.buffer(name, kFloat32, b.array({b.imm(n)}));
    return offset.is_none() ? buffer : b.with(buffer, tir::BufferSlot::elem_offset, offset);
  };
  auto declare = [](const Node& buffer, const Node& data) { return b.make<tir::DeclBuffer>({data, buffer}); };
  const std::string bytes(16, '\0');
  Node four = b.make<relax::TensorType>({b.array({b.imm(4)}), kFloat32, 1});
  Node known = b.make<ir::Constant>({four, Value(constant_from_bytes(bytes.data(), bytes.size()))});
  Node c = floats("c", 4), view = floats("view", 2);
  EXPECT_BREAKS("constant", "a value is stored in the buffer `c`, which is a constant",
                t.verify(b.seq({declare(c, known), b.store(c, b.array({t.k}), t.f)})));
  EXPECT_BREAKS("constant", "a value is stored in the buffer `view`, which is a constant",
                t.verify(b.seq({declare(c, known), declare(view, c), b.store(view, b.array({t.k}), t.f)})));
  auto views_x = [&](const Node& buffer) { return t.verify(b.seq({declare(buffer, t.x), evaluate(t.k)})); };
  EXPECT_EQ(views_x(floats("all", 16)), "");
  EXPECT_BREAKS("view", "the buffer `more` ends at byte 68 of the buffer `x`, which has 64",
                views_x(floats("more", 17)));
  EXPECT_EQ(views_x(floats("end", 4, b.imm(12))), "");
  EXPECT_BREAKS("view", "the buffer `past` ends at byte 68 of", views_x(floats("past", 4, b.imm(13))));
  EXPECT_EQ(views_x(floats("nothing", 0, b.imm(99))), "");
  EXPECT_EQ(views_x(floats("anywhere", 4, t.k)), "");
  // A view of a view may be larger than that: it lies in the memory of both.
  Node wide = floats("wide", 16);
  EXPECT_EQ(t.verify(b.seq({declare(view, t.x), declare(wide, view), evaluate(t.k)})), "");
}

TEST(VerifyLoop, CallsOfOperators) {
  Fixture t;
  OpTable ops;
  auto text = [](const char* s) { return b.string(s); };
  ops.add(b.map({{"id", text("tir.exp")},
                 {"level", text("loop")},
                 {"args", b.array({text("x")})},
                 {"takes", b.array({text("float")})},
                 {"result", text("first")}}),
          "some-ops", "");
  auto row = [&](const char* id, const std::vector<Value>& args, const std::vector<Value>& takes) {
    ops.add(b.map({{"id", text(id)}, {"level", text("loop")}, {"args", b.array(args)}, {"takes", b.array(takes)}}),
            "some-ops", "");
  };
  row("tir.bitwise_or", {text("x"), text("y")}, {text("int"), text("bool")});
  row("tir.infinity", {}, {text("float")});
  ops.add(b.map({{"id", text("relax.add")}, {"args", b.array({text("x")})}}), "more-ops", "");
  auto verify = [&](Value type, const char* op, const Node& arg) {
    return t.verify(evaluate(b.intrinsic(std::move(type), op, {arg})), &ops);
  };
  EXPECT_EQ(verify(kFloat32, "tir.exp", t.f), "");
  EXPECT_BREAKS("call-operator", "there is no operator `tir.exq`", verify(kFloat32, "tir.exq", t.f));
  EXPECT_BREAKS("call-operator", "graph level", verify(kFloat32, "relax.add", t.f));
  EXPECT_BREAKS("dtype-result", "has the dtype int64, but its operands give float32", verify(kInt64, "tir.exp", t.f));
  EXPECT_BREAKS("call-operator", "takes 1 argument, but 0 are given",
                t.verify(evaluate(b.intrinsic(kFloat32, "tir.exp", {})), &ops));
  EXPECT_BREAKS("call-dtype", "`tir.exp` takes float, not int64", verify(kInt64, "tir.exp", t.k));
  auto either = [&](const Node& x, const Node& y) {
    return t.verify(evaluate(b.intrinsic(x.dtype(), "tir.bitwise_or", {x, y})), &ops);
  };
  EXPECT_EQ(either(t.k, t.k), "");
  EXPECT_EQ(either(b.eq(t.k, t.k), b.eq(t.k, t.k)), "");
  EXPECT_BREAKS("call-dtype", "`tir.bitwise_or` takes int or bool, not float32", either(t.f, t.f));
  EXPECT_BREAKS("call-dtype", "the arguments of `tir.bitwise_or` are int64 and bool", either(t.k, b.eq(t.k, t.k)));
  EXPECT_BREAKS("call-dtype", "the arguments of `tir.bitwise_or` are int64 and without a dtype", either(t.k, t.x));
  EXPECT_EQ(t.verify(evaluate(b.intrinsic(kFloat32, "tir.infinity", {})), &ops), "");
  EXPECT_BREAKS("call-dtype", "`tir.infinity` takes float, not int32",
                t.verify(evaluate(b.intrinsic(kInt32, "tir.infinity", {})), &ops));
  EXPECT_BREAKS("call-packed", "ir.StringImm", t.verify(evaluate(b.intrinsic({}, "tir.call_packed", {t.x}))));
  EXPECT_EQ(t.verify(evaluate(b.intrinsic({}, "tir.call_packed", {b.make<ir::StringImm>({{}, "f"}), t.x}))), "");
  EXPECT_BREAKS("dtype-operands", "the second value of tir.if_then_else is int64",
                t.verify(evaluate(b.intrinsic(kFloat32, "tir.if_then_else", {b.eq(t.k, t.k), t.f, t.k}))));
  EXPECT_BREAKS("call-target", "what is called is the variable `h`",
                t.verify(evaluate(b.make<ir::Call>({{}, t.h, b.array({})}))));
}

// What a module was verified with is looked at again only where something that it depends on has changed.
TEST(VerifyCache, LooksAgainAtWhatChangedAlone) {
  Fixture t;
  VerifyCache cache;
  VerifyServices services;
  services.cache = &cache;
  auto call = [](const Node& arg) {
    return b.make<ir::Call>({{}, b.make<ir::GlobalVar>({{}, "kernel"}), b.array({arg})});
  };
  Node s = b.var("s", kInt32), wide = b.var("s"), q = b.var("q", kInt32);
  Node kernel = function_of({s}, evaluate(s)), other = function_of({wide}, evaluate(wide));
  Node main = function_of({q}, evaluate(call(q)));
  auto verify = [&](const Builder::Entries& functions) {
    return error_of([&] { verify_module(module_of(functions), services); }).message;
  };
  EXPECT_EQ(verify({{"kernel", kernel}, {"main", main}}), "no error");
  EXPECT_EQ(verify({{"kernel", kernel}, {"main", main}}), "no error");
  // The body of what it calls is none of its business, the signature is, and whether it is there at all.
  Node same_signature = b.with(kernel, tir::PrimFuncSlot::body, b.seq({evaluate(s), evaluate(s)}));
  EXPECT_EQ(verify({{"kernel", same_signature}, {"main", main}}), "no error");
  EXPECT_NE(verify({{"kernel", other}, {"main", main}}).find("[call-arguments]"), std::string::npos);
  EXPECT_EQ(verify({{"kernel", kernel}, {"main", main}}), "no error");
  EXPECT_NE(verify({{"main", main}}).find("[global]"), std::string::npos);
  // A function that is looked at anew may not take what a known one owns.
  EXPECT_EQ(verify({{"kernel", kernel}, {"main", main}}), "no error");
  EXPECT_NE(verify({{"kernel", kernel}, {"main", function_of({s}, evaluate(s))}}).find("defined in two functions"),
            std::string::npos);
  EXPECT_EQ(verify({{"kernel", kernel}, {"main", main}}), "no error");
  EXPECT_NE(verify({{"kernel", kernel}, {"main", function_of({q}, evaluate(s))}}).find("belongs to another function"),
            std::string::npos);
  // It may take what was owned by a function that is gone.
  EXPECT_EQ(verify({{"kernel", kernel}, {"main", main}}), "no error");
  EXPECT_EQ(verify({{"kernel", function_of({q}, evaluate(q))}}), "no error");
}

// The known functions are not walked: damage that only a walk can see is not seen in them.
TEST(VerifyCache, DoesNotWalkWhatItKnows) {
  VerifyCache cache;
  VerifyServices services;
  services.cache = &cache;
  size_t calls = 0;
  OpTable ops;
  Node x = b.var("x", Value(b.make<relax::TensorType>({b.array({b.imm(4)}), kFloat32, 1, b.map({})})));
  ops.add(b.map({{"id", b.string("relax.thing")},
                 {"args", b.array({b.string("x")})},
                 {"functions", b.array({b.string("infer_type")})}}),
          "some-ops", "");
  services.ops = &ops;
  services.infer_type = [&](const Node&) {
    ++calls;
    return Value();
  };
  Node value = b.make<ir::Call>({{}, b.make<ir::Op>({{}, "relax.thing"}), b.array({x})});
  Node f = b.make<relax::Function>({{}, b.array({x}), b.map({}), {}, true, value});
  for (int i = 0; i < 3; ++i) verify_module(module_of({{"f", f}}), services);
  EXPECT_EQ(calls, 1u);
  verify_module(module_of({{"g", f}}), services);  // under another name, which messages give
  EXPECT_EQ(calls, 2u);
}

TEST(Verify, DeepAndSharedTrees) {
  test::with_small_stack([] {
    Fixture t;
    Node deep = t.k;
    for (uint32_t i = 0; i + 4 < kLimits.depth; ++i) deep = b.add(deep, b.imm(1));
    EXPECT_EQ(t.verify(evaluate(deep)), "");
    EXPECT_EQ(t.verify(evaluate(test::doubling(t.k, 60))), "");
  });
}

}  // namespace
}  // namespace tenon
