// Broken graph modules, each refused for its own reason, and their nearest legal neighbours.
#include "ir/verify_graph.h"

#include <set>

#include "ir/constant_store.h"
#include "ir/limits.h"
#include "ir/test_support.h"

namespace tenon {
namespace {

using test::error_of;

const Builder b = core_builder();

Node tensor(const std::vector<Node>& shape, DLDataType dtype = kFloat32) {
  return b.make<relax::TensorType>({b.array(shape), dtype, static_cast<int64_t>(shape.size()), b.map({})});
}
Node tuple_type(const std::vector<Node>& fields) { return b.make<relax::TupleType>({b.array(fields)}); }
Node object() { return b.make<relax::AnyType>({}); }
Node var(const char* name, const Node& type) { return b.var(name, Value(type)); }
Node untyped(const char* name) { return b.var(name, Value()); }
Node tuple(const std::vector<Node>& fields, Value type = {}) {
  return b.make<relax::Tuple>({std::move(type), b.array(fields)});
}
Node item(const Node& of, int64_t index, Value type = {}) {
  return b.make<relax::TupleGetItem>({std::move(type), of, index});
}
Node global(const char* name) { return b.make<ir::GlobalVar>({{}, b.string(name)}); }
Node external(const char* name) { return b.make<ir::ExternFunc>({{}, b.string(name), b.map({})}); }
Node shape(const std::vector<Node>& values) { return b.make<relax::ShapeExpr>({{}, b.array(values)}); }
Node invoke(const Node& callee, const std::vector<Node>& args, Value type = {}) {
  return b.make<ir::Call>({std::move(type), callee, b.array(args), b.map({}), b.array({})});
}
Node relax_call(const char* op, const std::vector<Node>& args, const std::vector<Node>& types = {},
                const Map& attrs = {}, Value type = {}) {
  return b.make<ir::Call>(
      {std::move(type), b.make<ir::Op>({{}, b.string(op)}), b.array(args), b.map_value(attrs), b.array(types)});
}
Node call_tir(const char* name, const std::vector<Node>& args, const Node& out) {
  return relax_call("relax.call_tir", {global(name), tuple(args)}, {out});
}
Node bind(const Node& v, const Node& value) { return b.make<relax::VarBinding>({value, v}); }
Node match_cast(const Node& v, const Node& value, const Node& type) {
  return b.make<relax::MatchCast>({value, type, v});
}
Node block(const std::vector<Node>& bindings) { return b.make<relax::BindingBlock>({b.array(bindings)}); }
Node dataflow(const std::vector<Node>& bindings, const std::vector<Node>& outputs) {
  return b.make<relax::DataflowBlock>({b.array(bindings), b.array(outputs)});
}
Node seq(const std::vector<Node>& blocks, const Node& body) {
  return b.make<relax::SeqExpr>({{}, b.array(blocks), body});
}
Node branch(const Node& condition, const Node& yes, const Node& no, Value type = {}) {
  return b.make<relax::If>({std::move(type), condition, yes, no});
}
Node constant(const Node& type, uint64_t bytes) {
  std::string data(bytes, '\0');
  return b.make<ir::Constant>({type, Value(constant_from_bytes(data.data(), data.size()))});
}

// What the tests write about: a function of x (n, 4) and flag, beside a loop function and a graph function.
struct Fixture {
  Node n = b.var("n"), four = b.imm(4);
  Node x = var("x", tensor({n, four})), flag = var("flag", tensor({}, kBool)), y = untyped("y"), z = untyped("z");
  VerifyServices services;

  // scale(A (m, k), B (m, k), factor int64)
  static Node scale() {
    Node m = b.var("m"), k = b.var("k"), factor = b.var("factor");
    Node in = b.buffer("A", kFloat32, b.array({m, k})), out = b.buffer("B", kFloat32, b.array({m, k}));
    Node zero = b.imm(0);
    Node body = b.store(out, b.array({zero, zero}), b.load(in, b.array({zero, zero})));
    return b.make<tir::PrimFunc>({b.array({in, out, factor}), b.map({}), Value(), body});
  }
  // copy(A (m, 4), B (m, 4)); join(A (m,), B (k,), C (m + k,))
  static Node copy() {
    Node m = b.var("m");
    Node in = b.buffer("A", kFloat32, b.array({m, b.imm(4)})), out = b.buffer("B", kFloat32, b.array({m, b.imm(4)}));
    Node zero = b.imm(0);
    Node body = b.store(out, b.array({zero, zero}), b.load(in, b.array({zero, zero})));
    return b.make<tir::PrimFunc>({b.array({in, out}), b.map({}), Value(), body});
  }
  static Node join() {
    Node m = b.var("m"), k = b.var("k");
    Node p = b.buffer("A", kFloat32, b.array({m})), q = b.buffer("B", kFloat32, b.array({k}));
    Node out = b.buffer("C", kFloat32, b.array({b.add(m, k)}));
    return b.make<tir::PrimFunc>(
        {b.array({p, q, out}), b.map({}), Value(), b.store(out, b.array({b.imm(0)}), b.real(0))});
  }
  // id(v (r, 4)) -> (r, 4), pure; log(v) not.
  static Node id(bool pure = true) {
    Node r = b.var("r"), v = var("v", tensor({r, b.imm(4)}));
    return b.make<relax::Function>({{}, b.array({v}), b.map({}), tensor({r, b.imm(4)}), pure, v});
  }

  std::string verify(const Node& body, const Value& ret_type = {}, bool pure = true) const {
    return verify_function(b.make<relax::Function>({{}, b.array({x, flag}), b.map({}), ret_type, pure, body}));
  }
  std::string verify_function(const Node& function) const {
    Node module = b.make<ir::Module>({b.map({}), b.map({}),
                                      b.map({{"main", function},
                                             {"scale", scale()},
                                             {"copy", copy()},
                                             {"join", join()},
                                             {"id", id()},
                                             {"log", id(false)},
                                             {"ext", external("vendor.ext")}}),
                                      b.array({})});
    Error e = error_of([&] { verify_module(module, services); });
    EXPECT_TRUE(e.code == 0 || e.code == TN_ERROR_VERIFY) << e.message;
    if (e.code == 0) return "";
    messages().insert(e.message);
    return e.message;
  }
  // `y` bound to the value; the function returns y.
  std::string bound(const Node& value, bool pure = true) const {
    return verify(seq({block({bind(y, value)})}, y), {}, pure);
  }
  std::string bound(const Node& type, const Node& value) const {
    Node v = var("v", type);
    return verify(seq({block({bind(v, value)})}, v));
  }
  // Every message that was seen, to count the different ones.
  static std::set<std::string>& messages() {
    static std::set<std::string> all;
    return all;
  }
};

#define EXPECT_BREAKS(rule, text, message)                 \
  do {                                                     \
    std::string m = (message);                             \
    EXPECT_TRUE(m.ends_with("[" rule "]")) << m;           \
    EXPECT_NE(m.find(text), std::string::npos) << m;       \
    EXPECT_TRUE(m.starts_with("in function `main`")) << m; \
  } while (0)

TEST(VerifyGraph, Levels) {
  Fixture t;
  Node evaluate = b.make<tir::Evaluate>({b.imm(0)});
  EXPECT_BREAKS("graph-level", "`value` of relax.VarBinding must be an expression, but is a tir.Evaluate node",
                t.bound(evaluate));
  EXPECT_BREAKS("graph-level", "`blocks[0]` of relax.SeqExpr must be a block of bindings",
                t.verify(seq({bind(t.y, t.x)}, t.y)));
  EXPECT_BREAKS("graph-level", "`bindings[1]` of relax.BindingBlock must be a binding, but is the variable `x`",
                t.verify(seq({block({bind(t.y, t.x), t.x})}, t.y)));
  EXPECT_BREAKS("graph-level", "`fields[0]` of relax.Tuple must be an expression, but is a relax.Function node",
                t.bound(tuple({Fixture::id()})));
  EXPECT_BREAKS("graph-level", "`cast_type` of relax.MatchCast must be a type",
                t.verify(seq({block({match_cast(t.y, t.x, t.x)})}, t.y)));
  Node load = b.make<tir::BufferLoad>({kFloat32, b.buffer("B", kFloat32, b.array({t.four})), b.array({t.n})});
  EXPECT_BREAKS("scope", "the buffer `B`", t.bound(load));
  EXPECT_EQ(t.bound(t.x), "");
}

TEST(VerifyGraph, SaysWhichBinding) {
  Fixture t;
  Node wrong = var("sum", tensor({t.n, b.imm(5)}));
  EXPECT_EQ(
      t.verify(seq({block({bind(t.y, t.x), bind(wrong, t.x)})}, wrong)),
      "in function `main`, at body.blocks[0].bindings[1]: what the variable `sum` is bound to is not of its type: its "
      "dimension 1 is 4, not 5 [binding-type]");
  EXPECT_EQ(
      t.bound(call_tir("copy", {t.x}, tensor({t.n, b.imm(5)}))),
      "in function `main`, at body.blocks[0].bindings[0].value (`y`): output 0 of `copy` does not fit the buffer `B`: "
      "its dimension 1 is 5, not 4 [call-arguments]");
}

TEST(VerifyGraph, Types) {
  Fixture t;
  auto typed = [&](const Node& type) {
    Node v = var("v", type);
    return t.verify_function(b.make<relax::Function>({{}, b.array({v}), b.map({}), Value(), true, v}));
  };
  EXPECT_BREAKS("type", "dimension 1 of a tensor type is -3", typed(tensor({t.four, b.imm(-3)})));
  EXPECT_BREAKS("type", "dimension 0 of a tensor type must be an int64, but is the variable `s` of dtype int32",
                typed(tensor({b.var("s", kInt32)})));
  EXPECT_BREAKS("type", "must be an int64, but is an ir.FloatImm node", typed(tensor({b.real(4)})));
  EXPECT_BREAKS("type", "lists 1 dimensions, but its ndim is 2",
                typed(b.make<relax::TensorType>({b.array({t.four}), kFloat32, 2, b.map({})})));
  EXPECT_BREAKS("type", "has -2 dimensions", typed(b.make<relax::TensorType>({Value(), kFloat32, -2, b.map({})})));
  EXPECT_BREAKS("type", "dtype of a tensor type is float32x4", typed(tensor({t.four}, with_lanes(kFloat32, 4))));
  EXPECT_BREAKS("type", "the shape of a tensor type is an ir.StringImm node",
                typed(b.make<relax::TensorType>({b.make<ir::StringImm>({{}, "s"}), kFloat32, 1, b.map({})})));
  EXPECT_BREAKS("type", "dimension 0 of a shape type must be an int64",
                typed(b.make<relax::ShapeType>({b.array({b.imm(1, kInt32)}), 1})));
  EXPECT_BREAKS("graph-level", "`fields[0]` of relax.TupleType must be a type, but is the variable",
                typed(tuple_type({t.x})));
  EXPECT_EQ(typed(tensor({t.four, b.imm(0)})), "");
  EXPECT_EQ(typed(b.make<relax::TensorType>({Value(), Value(), -1, b.map({})})), "");
  EXPECT_EQ(typed(b.make<relax::ShapeType>({b.array({b.imm(-1)}), 1})), "");
}

TEST(VerifyGraph, Bindings) {
  Fixture t;
  Node s = b.var("s");
  EXPECT_BREAKS("binding-type", "its dtype is float32, not int64", t.bound(tensor({t.n, t.four}, kInt64), t.x));
  EXPECT_BREAKS("binding-type", "it has 2 dimensions, not 3", t.bound(tensor({t.n, t.four, t.four}), t.x));
  EXPECT_BREAKS("binding-type", "it is a tensor, not a tuple", t.bound(tuple_type({}), t.x));
  EXPECT_BREAKS("binding-type", "in field 1, its dimension 1 is 4, not 5",
                t.bound(tuple_type({object(), tensor({t.n, b.imm(5)})}),
                        tuple({t.x, t.x}, tuple_type({tensor({t.n, t.four}), tensor({t.n, t.four})}))));
  EXPECT_BREAKS("symbol", "has the dimension `s`, which no parameter and no match_cast gives",
                t.bound(tensor({s, t.four}), t.x));
  EXPECT_BREAKS("match-cast", "never holds: its dtype is float32, not int64",
                t.verify(seq({block({match_cast(t.y, t.x, tensor({s, t.four}, kInt64))})}, t.y)));
  Node unknown = relax_call("relax.call_pure_packed", {external("f")});
  Node vector = b.make<relax::TensorType>({Value(), kFloat32, 1, b.map({})});
  EXPECT_BREAKS("binding-type", "is cast to is not of its type: it has 1 dimension, not 2",
                t.verify(seq({block({match_cast(var("v", tensor({t.n, t.n})), unknown, vector)})}, t.x)));
  // What cannot be proved is legal: another symbol, no shape, any object.
  EXPECT_EQ(t.bound(tensor({t.n, t.n}), t.x), "");
  EXPECT_EQ(t.bound(b.make<relax::TensorType>({Value(), kFloat32, 2, b.map({})}), t.x), "");
  EXPECT_EQ(t.bound(object(), t.x), "");
  Node cast = seq({block({match_cast(t.y, t.x, tensor({s, t.four})), bind(var("v", tensor({s, t.four})), t.y)})}, t.y);
  EXPECT_EQ(t.verify(cast), "");
}

TEST(VerifyGraph, DimensionsThatDifferForEveryValue) {
  Fixture t;
  Node longer = tensor({b.add(t.n, b.imm(1)), t.four});
  EXPECT_EQ(t.bound(longer, t.x), "");  // nobody to ask
  t.services.differ = [&](const Node& a, const Node& c) {
    return (a.is<ir::Var>() && c.is<tir::Add>()) || (c.is<ir::Var>() && a.is<tir::Add>());
  };
  EXPECT_BREAKS("binding-type", "its dimension 0 is `n`, not an expression", t.bound(longer, t.x));
}

TEST(VerifyGraph, DataflowBlocks) {
  Fixture t;
  EXPECT_BREAKS("dataflow", "the variable `y` is used outside of the dataflow block that binds it",
                t.verify(seq({dataflow({bind(t.y, t.x), bind(t.z, t.y)}, {t.z})}, t.y)));
  EXPECT_BREAKS("dataflow", "used outside",
                t.verify(seq({dataflow({bind(t.y, t.x)}, {}), block({bind(t.z, t.y)})}, t.z)));
  EXPECT_BREAKS("dataflow", "the variable `x` is an output of a dataflow block that does not bind it",
                t.verify(seq({dataflow({bind(t.y, t.x)}, {t.x})}, t.x)));
  EXPECT_BREAKS(
      "dataflow", "a call of `relax.call_packed`, which has effects, stands in a dataflow block",
      t.verify(seq({dataflow({bind(t.y, relax_call("relax.call_packed", {external("f")}))}, {t.y})}, t.y), {}, false));
  EXPECT_BREAKS("dataflow", "a call of the function `log`, which has effects",
                t.verify(seq({dataflow({bind(t.y, invoke(global("log"), {t.x}))}, {t.y})}, t.y), {}, false));
  EXPECT_BREAKS("dataflow", "a branch stands in a dataflow block",
                t.verify(seq({dataflow({bind(t.y, branch(t.flag, t.x, t.x))}, {t.y})}, t.y)));
  EXPECT_EQ(t.verify(seq({dataflow({bind(t.y, t.x), bind(t.z, t.y)}, {t.z})}, t.z)), "");
  // A variable that a shared value uses is checked again after its block.
  Node shared = tuple({t.y});
  EXPECT_BREAKS("dataflow", "used outside",
                t.verify(seq({dataflow({bind(t.y, t.x), bind(t.z, shared)}, {t.z})}, shared)));
}

TEST(VerifyGraph, Purity) {
  Fixture t;
  Node packed = relax_call("relax.call_packed", {external("f"), t.x});
  EXPECT_BREAKS("purity", "a call of `relax.call_packed`, which has effects, stands in a pure function",
                t.bound(packed));
  EXPECT_BREAKS("purity", "a call of the function `log`", t.bound(invoke(global("log"), {t.x})));
  EXPECT_BREAKS("purity", "an ir.ExternFunc node, which has effects", t.bound(invoke(external("f"), {t.x})));
  EXPECT_EQ(t.bound(packed, false), "");
  EXPECT_EQ(t.bound(relax_call("relax.call_pure_packed", {external("f"), t.x})), "");
  EXPECT_EQ(t.bound(invoke(global("id"), {t.x})), "");
}

TEST(VerifyGraph, BranchesAndResults) {
  Fixture t;
  Node shifted = var("w", tensor({t.n, b.imm(5)}));
  EXPECT_BREAKS("branch", "the condition of a branch is neither a bool nor", t.bound(branch(t.x, t.x, t.x)));
  EXPECT_BREAKS("branch", "the condition of a branch is int64, not bool",
                t.bound(branch(b.make<relax::PrimValue>({{}, b.imm(1)}), t.x, t.x)));
  EXPECT_BREAKS("branch", "the second side of a branch is not of the type of the first: it is a tuple, not a tensor",
                t.bound(branch(t.flag, t.x, tuple({}, tuple_type({})))));
  EXPECT_BREAKS("expression-type", "the type of relax.If is not that of its parts: it has 2 dimensions, not 1",
                t.bound(branch(t.flag, t.x, t.x, tensor({t.n}))));
  EXPECT_BREAKS("return-type", "the result is not of the type that the function declares: its dimension 1 is 4, not 7",
                t.verify(t.x, tensor({t.n, b.imm(7)})));
  EXPECT_BREAKS("return-type", "it is a tuple, not a tensor", t.verify(tuple({}, tuple_type({})), tensor({t.n})));
  EXPECT_EQ(t.bound(branch(t.flag, t.x, t.x)), "");
  EXPECT_EQ(t.verify(t.x, tensor({t.n, b.imm(4)})), "");
  Node nameless = untyped("p");
  EXPECT_BREAKS(
      "parameter", "the parameter `p` has no type",
      t.verify_function(b.make<relax::Function>({{}, b.array({nameless}), b.map({}), Value(), true, nameless})));
}

TEST(VerifyGraph, TuplesAndScalars) {
  Fixture t;
  Node type = tuple_type({tensor({t.n, t.four}), object()});
  Node pair = tuple({t.x, t.flag}, type);
  EXPECT_BREAKS("tuple", "field 2 is taken of a tuple of 2", t.bound(item(pair, 2)));
  EXPECT_BREAKS("tuple", "field -1 of a tuple is taken", t.bound(item(pair, -1)));
  EXPECT_BREAKS("tuple", "a field is taken of a value that is no tuple but a relax.TensorType node",
                t.bound(item(t.x, 0)));
  EXPECT_BREAKS("tuple", "a tuple of 1 values has a type of 2 fields", t.bound(tuple({t.x}, type)));
  EXPECT_BREAKS(
      "tuple", "field 0 of a tuple is not of the type that the tuple states: it has 0 dimensions, not 2",
      t.bound(tuple({t.flag, t.x}, tuple_type({b.make<relax::TensorType>({Value(), kBool, 2, b.map({})}), object()}))));
  EXPECT_BREAKS("expression-type", "the type of relax.TupleGetItem", t.bound(item(pair, 0, tensor({t.n}))));
  EXPECT_BREAKS("scalar", "a relax.PrimValue must hold a scalar expression with a dtype",
                t.bound(b.make<relax::PrimValue>({{}, t.x})));
  EXPECT_BREAKS("scalar", "a relax.PrimValue of int64 has the type of a bool",
                t.bound(b.make<relax::PrimValue>({b.make<relax::PrimType>({kBool}), b.imm(1)})));
  EXPECT_BREAKS("shape", "a value of a shape must be an integer, but is the variable `x`", t.bound(shape({t.x})));
  EXPECT_BREAKS("dtype-operands", "the operands of tir.Add are int64 and int32",
                t.bound(shape({b.make<tir::Add>({kInt64, t.n, b.imm(1, kInt32)})})));
  EXPECT_EQ(t.bound(item(pair, 1)), "");
  EXPECT_EQ(t.bound(shape({t.n, b.imm(-1)})), "");
}

TEST(VerifyGraph, Constants) {
  Fixture t;
  EXPECT_BREAKS("constant", "a constant has 15 bytes, but its type needs 16", t.bound(constant(tensor({t.four}), 15)));
  EXPECT_BREAKS("constant", "whose dimensions are not all constant", t.bound(constant(tensor({t.n}), 16)));
  EXPECT_BREAKS("constant", "must have the type of a tensor", t.bound(constant(object(), 16)));
  EXPECT_BREAKS("constant", "more than there can be",
                t.bound(constant(tensor({b.imm(INT64_MAX), b.imm(INT64_MAX)}), 16)));
  EXPECT_BREAKS("constant", "the data of a constant is none",
                t.bound(b.make<ir::Constant>({tensor({t.four}), Value()})));
  EXPECT_EQ(t.bound(constant(tensor({t.four}), 16)), "");
  EXPECT_EQ(t.bound(constant(tensor({b.imm(0), b.imm(7)}), 0)), "");
}

TEST(VerifyGraph, CallsOfGraphFunctions) {
  Fixture t;
  Node five = var("five", tensor({t.n, b.imm(5)}));
  auto with_five = [&](const Node& value) {
    return t.verify_function(b.make<relax::Function>(
        {{}, b.array({t.x, five}), b.map({}), Value(), true, seq({block({bind(t.y, value)})}, t.y)}));
  };
  EXPECT_BREAKS("call-arguments", "`id` takes 1 argument, but 2 are given", t.bound(invoke(global("id"), {t.x, t.x})));
  EXPECT_BREAKS("call-arguments",
                "argument 0 of `id` is not of the type of the variable `v`: its dimension 1 is 5, not 4",
                with_five(invoke(global("id"), {five})));
  EXPECT_BREAKS("call-arguments",
                "a call of `id` is not of the type that the function returns: its dimension 1 is 6, not 4",
                t.bound(invoke(global("id"), {t.x}, tensor({t.n, b.imm(6)}))));
  EXPECT_BREAKS("call-target", "the loop function `copy` is called as a graph function",
                t.bound(invoke(global("copy"), {t.x})));
  EXPECT_BREAKS("call-target", "the external function `ext` is called as a graph function",
                t.bound(invoke(global("ext"), {t.x}), false));
  EXPECT_BREAKS("call-target", "what is called is the variable `x`, which is no function", t.bound(invoke(t.x, {})));
  EXPECT_BREAKS("global", "the module has no function `idd`", t.bound(invoke(global("idd"), {t.x})));
  Node f = var("f", b.make<relax::FuncType>({b.array({object()}), object(), true}));
  auto of_value = [&](const std::vector<Node>& args) {
    return t.verify_function(b.make<relax::Function>(
        {{}, b.array({f, t.x}), b.map({}), Value(), true, seq({block({bind(t.y, invoke(f, args))})}, t.y)}));
  };
  EXPECT_BREAKS("call-arguments", "the variable `f` takes 1 argument, but 0 are given", of_value({}));
  EXPECT_EQ(of_value({t.x}), "");
  EXPECT_EQ(t.bound(invoke(global("id"), {t.x}, tensor({t.n, t.four}))), "");
}

TEST(VerifyGraph, CallsOfLoopFunctions) {
  Fixture t;
  Node out = tensor({t.n, t.four});
  auto scale = [&](const std::vector<Node>& args, const std::vector<Node>& scalars, const Node& type) {
    return relax_call("relax.call_tir", {global("scale"), tuple(args), shape(scalars)}, {type});
  };
  EXPECT_BREAKS("call-arguments", "`scale` takes 3 arguments, but 1 and 1 output are given",
                t.bound(call_tir("scale", {t.x}, out)));
  EXPECT_BREAKS("call-arguments", "argument 0 of `copy` does not fit the buffer `A`: it has 0 dimensions, not 2",
                t.bound(call_tir("copy", {constant(tensor({}), 4)}, out)));
  EXPECT_BREAKS("call-arguments", "its dtype is bool, not float32", t.bound(call_tir("copy", {t.flag}, out)));
  EXPECT_BREAKS("call-arguments", "argument 0 of `copy` does not fit the buffer `A`: it is no tensor",
                t.bound(call_tir("copy", {b.make<relax::PrimValue>({{}, b.imm(1)})}, out)));
  EXPECT_BREAKS("call-arguments",
                "scalar 0 of `scale` does not fit the variable `factor`: its dtype is int32, not int64",
                t.bound(scale({t.x}, {b.imm(1, kInt32)}, out)));
  EXPECT_BREAKS("call-arguments", "output 0 of `copy` does not fit the buffer `B`: its dtype is int64, not float32",
                t.bound(call_tir("copy", {t.x}, tensor({t.n, t.four}, kInt64))));
  // m + k of the callee is 3 + 4 here.
  Node three = constant(tensor({b.imm(3)}), 12), four = constant(tensor({b.imm(4)}), 16);
  t.services.differ = [&](const Node& a, const Node& c) {
    auto* sum = c.as<tir::Add>();
    return sum && a.is<ir::IntImm>() && sum->a().is<ir::IntImm>() &&
           a.to<ir::IntImm>().value() != sum->a().to<ir::IntImm>().value() + sum->b().to<ir::IntImm>().value();
  };
  EXPECT_BREAKS("call-arguments", "output 0 of `join` does not fit the buffer `C`: its dimension 0 is 8",
                t.bound(call_tir("join", {three, four}, tensor({b.imm(8)}))));
  EXPECT_EQ(t.bound(call_tir("join", {three, four}, tensor({b.imm(7)}))), "");
  EXPECT_EQ(t.bound(scale({t.x}, {b.imm(2)}, out)), "");
}

TEST(VerifyGraph, DestinationPassing) {
  Fixture t;
  Node out = tensor({t.n, t.four});
  Node any = b.make<relax::TensorType>({Value(), kFloat32, 2, b.map({})});
  EXPECT_BREAKS("destination", "relax.call_tir takes a function, a tuple of arguments",
                t.bound(relax_call("relax.call_tir", {global("copy")}, {out})));
  EXPECT_BREAKS("destination", "relax.call_tir calls `id`, which is no loop function",
                t.bound(call_tir("id", {t.x}, out)));
  EXPECT_BREAKS("destination", "relax.call_tir calls an ir.ExternFunc node, which is no loop function",
                t.bound(relax_call("relax.call_tir", {external("f"), tuple({t.x})}, {out})));
  EXPECT_BREAKS("destination", "relax.call_dps_packed calls `copy`, which is no external function",
                t.bound(relax_call("relax.call_dps_packed", {global("copy"), tuple({t.x})}, {out})));
  EXPECT_BREAKS("destination", "the arguments of relax.call_tir must be a tuple, but are the variable `x`",
                t.bound(relax_call("relax.call_tir", {global("copy"), t.x}, {out})));
  EXPECT_BREAKS("destination", "says nothing about its outputs",
                t.bound(relax_call("relax.call_tir", {global("copy"), tuple({t.x})})));
  EXPECT_BREAKS("destination", "the type of output 0 of relax.call_dps_packed must be a tensor with shape and dtype",
                t.bound(relax_call("relax.call_dps_packed", {external("f"), tuple({t.x})}, {any})));
  EXPECT_BREAKS("destination", "the scalars that relax.call_tir passes must be a shape",
                t.bound(relax_call("relax.call_tir", {global("scale"), tuple({t.x}), t.x}, {out})));
  EXPECT_BREAKS("expression-type", "the type of ir.Call is not that of its parts: it has 2 dimensions, not 1",
                t.bound(relax_call("relax.call_tir", {global("copy"), tuple({t.x})}, {out}, {}, tensor({t.n}))));
  EXPECT_BREAKS("call-packed", "relax.call_pure_packed calls `copy`, which is no external function",
                t.bound(relax_call("relax.call_pure_packed", {global("copy"), t.x})));
  EXPECT_BREAKS("call-packed", "relax.call_pure_packed misses the function",
                t.bound(relax_call("relax.call_pure_packed", {})));
  EXPECT_BREAKS("call-packed", "an external function has an empty name",
                t.bound(relax_call("relax.call_pure_packed", {external("")})));
  EXPECT_EQ(t.bound(relax_call("relax.call_dps_packed", {global("ext"), tuple({t.x})}, {out})), "");
  EXPECT_EQ(t.bound(call_tir("copy", {t.x}, out)), "");
}

TEST(VerifyGraph, InPlace) {
  Fixture t;
  auto in_place = [&](const std::vector<Node>& args, const Value& indices, const Node& out) {
    return t.bound(relax_call("relax.call_tir_inplace", {global("copy"), tuple(args)}, {out},
                              indices.is_none() ? b.map({}) : b.map({{"inplace_indices", indices}})));
  };
  auto list = [](std::initializer_list<Value> v) { return Value(b.array(v)); };
  Node out = tensor({t.n, t.four});
  EXPECT_BREAKS("in-place", "inplace_indices has 0 entries for 1 output", in_place({t.x, t.x}, {}, out));
  EXPECT_BREAKS("in-place", "inplace_indices[0] is 2, but the call has 2 arguments",
                in_place({t.x, t.x}, list({2}), out));
  EXPECT_BREAKS("in-place", "inplace_indices[0] is -2", in_place({t.x, t.x}, list({-2}), out));
  EXPECT_BREAKS("in-place", "inplace_indices holds a bool", in_place({t.x, t.x}, list({true}), out));
  EXPECT_BREAKS("in-place", "output 0 is not of the type of argument 0, which it replaces: its dimension 1 is 9, not 4",
                in_place({t.x, t.x}, list({0}), tensor({t.n, b.imm(9)})));
  EXPECT_BREAKS("in-place", "two outputs replace argument 0",
                in_place({t.x, t.x}, list({0, 0}), tuple_type({out, out})));
  EXPECT_BREAKS("call-arguments", "`copy` takes 2 arguments, but 1 and 0 outputs are given",
                in_place({t.x}, list({0}), out));
  // What a constant holds is not written, by whatever name.
  Node whole = tensor({b.imm(3), t.four}), known = constant(whole, 48), a = b.var("a", whole),
       again = b.var("again", whole);
  auto replaces = [&](const Node& arg) {
    Node call = relax_call("relax.call_tir_inplace", {global("copy"), tuple({known, arg})}, {whole},
                           b.map({{"inplace_indices", list({1})}}), whole);
    Node y = b.var("y", whole);
    return t.verify(seq({block({bind(a, known), bind(again, a), bind(y, call)})}, y));
  };
  EXPECT_BREAKS("in-place", "output 0 replaces argument 1, which is a constant", replaces(known));
  EXPECT_BREAKS("in-place", "output 0 replaces argument 1, which is a constant", replaces(again));
  EXPECT_EQ(in_place({t.x, t.x}, list({1}), out), "");
  EXPECT_EQ(in_place({t.x}, list({-1}), out), "");
}

TEST(VerifyGraph, Operators) {
  Fixture t;
  OpTable ops;
  auto row = [&](const char* id, const char* effects) {
    ops.add(b.map({{"id", b.string(id)},
                   {"args", b.array({b.string("x")})},
                   {"effects", b.string(effects)},
                   {"attrs", b.map({{"axis", b.map({{"type", b.string("int")}, {"default", Value(0)}})}})},
                   {"functions", b.array({b.string("infer_type")})}}),
            "some-ops", "");
  };
  row("relax.exp", "pure");
  row("relax.print", "opaque");
  ops.add(b.map({{"id", b.string("tir.exp")}, {"level", b.string("loop")}, {"args", b.array({b.string("x")})}}),
          "loop-ops", "");
  t.services.ops = &ops;
  auto exp = [&](Value type) { return relax_call("relax.exp", {t.x}, {}, {}, std::move(type)); };
  EXPECT_BREAKS("call-operator", "there is no operator `relax.exq`", t.bound(relax_call("relax.exq", {t.x})));
  EXPECT_BREAKS("call-operator", "`relax.exp` takes 1 argument, but 2 are given",
                t.bound(relax_call("relax.exp", {t.x, t.x})));
  EXPECT_BREAKS("call-operator", "`relax.exp` has no attribute `axes`",
                t.bound(relax_call("relax.exp", {t.x}, {}, b.map({{"axes", Value(1)}}))));
  EXPECT_BREAKS("call-operator", "attribute `axis` of `relax.exp` must be int, but is a bool",
                t.bound(relax_call("relax.exp", {t.x}, {}, b.map({{"axis", Value(true)}}))));
  EXPECT_BREAKS("call-operator", "`tir.exp` is an operator of the loop level", t.bound(relax_call("tir.exp", {t.x})));
  EXPECT_BREAKS("purity", "a call of `relax.print`", t.bound(relax_call("relax.print", {t.x})));
  EXPECT_EQ(t.bound(exp(tensor({t.n}))), "");  // nobody to ask
  t.services.infer_type = [&](const Node& call) { return as_node(call.to<ir::Call>().args()[0]).slot(0); };
  EXPECT_BREAKS("operator-type",
                "a call of `relax.exp` is not of the type that the operator gives: it has 1 dimension, not 2",
                t.bound(exp(tensor({t.n}))));
  EXPECT_EQ(t.bound(exp(tensor({t.n, t.four}))), "");
  t.services.infer_type = [&](const Node&) -> Value { throw Error(TN_ERROR_SHAPE, "relax.exp: no such shapes"); };
  EXPECT_BREAKS("operator-type", "relax.exp: no such shapes", t.bound(exp({})));
  t.services.infer_type = [&](const Node&) -> Value { throw Error(TN_ERROR_PLUGIN, "the plugin is not there"); };
  EXPECT_EQ(t.bound(exp({})), "");
}

TEST(VerifyGraph, Recursion) {
  Fixture t;
  auto module = [&](const Value& ret_of_f, const Value& ret_of_g) {
    Node x = var("x", object()), y = var("y", object());
    Node f = b.make<relax::Function>({{}, b.array({x}), b.map({}), ret_of_f, true, invoke(global("g"), {x})});
    Node g = b.make<relax::Function>({{}, b.array({y}), b.map({}), ret_of_g, true, invoke(global("f"), {y})});
    return error_of([&] {
             verify_module(b.make<ir::Module>({b.map({}), b.map({}), b.map({{"f", f}, {"g", g}}), b.array({})}));
           })
        .message;
  };
  EXPECT_EQ(module(object(), Value()),
            "in function `g`: it calls itself, but does not declare the type of its result [recursion]");
  EXPECT_EQ(module(object(), object()), "no error");
}

TEST(VerifyGraph, Attributes) {
  auto verify = [](const Builder::Entries& f, const Builder::Entries& g) {
    auto function = [](const Builder::Entries& attrs) {
      return Node(b.make<relax::Function>({{}, b.array({}), b.map(attrs), Value(), true, tuple({})}));
    };
    return error_of([&] {
             verify_module(b.make<ir::Module>(
                 {b.map({}), b.map({}), b.map({{"f", function(f)}, {"g", function(g)}}), b.array({})}));
           })
        .message;
  };
  EXPECT_EQ(verify({{"global_symbol", Value(3)}}, {}),
            "in function `f`: the attribute `global_symbol` must be a name, but is an int [attribute]");
  EXPECT_EQ(verify({{"primitive", Value(2)}}, {}),
            "in function `f`: the attribute `primitive` must be a bool or 0 or 1, but is an int [attribute]");
  EXPECT_EQ(
      verify({}, {{"tenon.num_outputs", Value(-1)}}),
      "in function `g`: the attribute `tenon.num_outputs` must be an int of 0 or more, but is an int [attribute]");
  EXPECT_EQ(verify({{"global_symbol", b.string("main")}}, {{"global_symbol", b.string("main")}}),
            "in function `g`: it has the public name `main`, which the function `f` has too [public-name]");
  EXPECT_EQ(verify({{"primitive", Value(true)}, {"vendor.note", Value(1.5)}}, {{"global_symbol", b.string("g")}}),
            "no error");
}

TEST(VerifyGraph, DeepAndSharedTrees) {
  test::with_small_stack([] {
    Fixture t;
    Node deep = t.x, type = object(), shared = tuple({}, tuple_type({})), shared_type = tuple_type({});
    for (uint32_t i = 0; i + 8 < kLimits.depth; ++i) deep = tuple({deep});
    EXPECT_EQ(t.bound(deep), "");
    for (uint32_t i = 0; i + 8 < kLimits.depth; ++i) type = tuple_type({type});
    Node wide = var("wide", type), other = var("other", tuple_type({type}));
    Node body = seq({block({bind(other, wide)})}, other);
    t.verify_function(b.make<relax::Function>({{}, b.array({wide}), b.map({}), Value(), true, body}));
    for (int i = 0; i < 60; ++i) {
      shared_type = tuple_type({shared_type, shared_type});
      shared = tuple({shared, shared}, shared_type);
    }
    EXPECT_EQ(t.bound(shared), "");
  });
}

// The last of the tests: that the messages above differ is what makes them useful.
TEST(VerifyGraphMessages, AreManyAndDifferent) { EXPECT_GE(Fixture::messages().size(), 80u); }

}  // namespace
}  // namespace tenon
