// Graph functions: destination-passing calls, packed calls, shapes, tuples, branches, and calls between the levels.
#include <atomic>

#include "support.h"

namespace tenon::test {
namespace {

Node tensor_type(const std::vector<Node>& shape, DLDataType dtype = kFloat32) {
  const Builder& b = builder();
  return b.make<relax::TensorType>({b.array(shape), dtype, static_cast<int64_t>(shape.size()), b.map({})});
}
Node any_tensor() { return builder().make<relax::TensorType>({Value(), kFloat32, -1, builder().map({})}); }
Node tuple(const std::vector<Node>& fields) { return builder().make<relax::Tuple>({Value(), builder().array(fields)}); }
Node global(const char* name) { return builder().make<ir::GlobalVar>({Value(), builder().string(name)}); }
Node external(const char* name) {
  return builder().make<ir::ExternFunc>({Value(), builder().string(name), builder().map({})});
}
Node relax_call(const char* op, const std::vector<Node>& args, const std::vector<Node>& type_args,
                const Map& attrs = {}) {
  const Builder& b = builder();
  return b.make<ir::Call>(
      {Value(), b.make<ir::Op>({Value(), b.string(op)}), b.array(args), b.map_value(attrs), b.array(type_args)});
}
Node bind(const Node& var, const Node& value) { return builder().make<relax::VarBinding>({value, var}); }
Node match_cast(const Node& var, const Node& value, const Node& type) {
  return builder().make<relax::MatchCast>({value, type, var});
}
Node sequence(const std::vector<Node>& bindings, const Node& body) {
  const Builder& b = builder();
  return b.make<relax::SeqExpr>({Value(), b.array({b.make<relax::BindingBlock>({b.array(bindings)})}), body});
}
Node graph_func(const std::vector<Node>& params, const Node& body, bool is_public = true) {
  const Builder& b = builder();
  Map attrs = is_public ? b.map({{"global_symbol", b.string("main")}}) : b.map({});
  return b.make<relax::Function>({Value(), b.array(params), attrs, Value(), true, body});
}

// scale(A (n, m), B (n, m), s int64): B = A * s
Node scale() {
  const Builder& b = builder();
  Node n = b.var("n"), m = b.var("m"), s = b.var("s"), i = b.var("i"), j = b.var("j");
  Node in = b.buffer("A", kFloat32, b.array({n, m})), out = b.buffer("B", kFloat32, b.array({n, m}));
  Array at = b.array({i, j});
  Node body = b.loop(i, n, b.loop(j, m, b.store(out, at, b.mul(b.load(in, at), b.cast(s, kFloat32)))));
  return b.make<tir::PrimFunc>({b.array({in, out, s}), b.map({}), Value(), body});
}
// increment(A (n, m)): A += 1
Node increment() {
  const Builder& b = builder();
  Node n = b.var("n"), m = b.var("m"), i = b.var("i"), j = b.var("j");
  Node buffer = b.buffer("A", kFloat32, b.array({n, m}));
  Array at = b.array({i, j});
  Node body = b.loop(i, n, b.loop(j, m, b.store(buffer, at, b.add(b.load(buffer, at), b.real(1)))));
  return b.make<tir::PrimFunc>({b.array({buffer}), b.map({}), Value(), body});
}

const DLTensor& tensor_in(const Value& v) { return reinterpret_cast<const TnTensor*>(v.raw().as.object)->tensor; }
std::vector<float> floats(const Value& v) {
  const DLTensor& t = tensor_in(v);
  int64_t n = 1;
  for (int32_t k = 0; k < t.ndim; ++k) n *= t.shape[k];
  const auto* data = reinterpret_cast<const float*>(static_cast<const char*>(t.data) + t.byte_offset);
  return {data, data + n};
}

TEST(Graph, CallTirAllocatesAndPassesScalars) {
  const Builder& b = builder();
  Node n = b.var("n"), x = b.var("x", tensor_type({n, b.imm(2)})), y = b.var("y");
  Node factor = b.make<relax::ShapeExpr>({Value(), b.array({b.add(n, b.imm(1))})});
  Node body = sequence(
      {bind(y, relax_call("relax.call_tir", {global("scale"), tuple({x}), factor}, {tensor_type({n, b.imm(2)})}))}, y);
  Map f = load(module_of({{"main", Value(graph_func({x}, body))}, {"scale", Value(scale())}}));
  EXPECT_EQ(f.size(), 1u);
  Tensor<float> in({3, 2}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(floats(invoke(*f.find("main"), {in.value()})), (std::vector<float>{4, 8, 12, 16, 20, 24}));
  Tensor<float> wrong({3, 3});
  EXPECT_EQ(error_of([&] { invoke(*f.find("main"), {wrong.value()}); }).code, TN_ERROR_SHAPE);
}

TEST(Graph, InPlaceCallsUpdateTheirArgument) {
  const Builder& b = builder();
  Node n = b.var("n"), x = b.var("x", tensor_type({n, n})), y = b.var("y");
  Map attrs = b.map({{"inplace_indices", b.array({Value(0)})}});
  Node body = sequence(
      {bind(y, relax_call("relax.call_tir_inplace", {global("increment"), tuple({x})}, {tensor_type({n, n})}, attrs))},
      tuple({y, x}));
  Map f = load(module_of({{"main", Value(graph_func({x}, body))}, {"increment", Value(increment())}}));
  Tensor<float> in({2, 2}, {1, 2, 3, 4});
  Value result = invoke(*f.find("main"), {in.value()});
  ASSERT_TRUE(result.is_array());
  EXPECT_EQ(floats(result.ref<Array>()[0]), (std::vector<float>{2, 3, 4, 5}));
  EXPECT_EQ(in.data(), (std::vector<float>{2, 3, 4, 5}));
  in[0] = 100;  // the result does not lie in the memory that was lent
  EXPECT_EQ(floats(result.ref<Array>()[0])[0], 2.f);
}

TEST(Graph, PackedResultsAreMatchedAndBindSymbols) {
  const Builder& b = builder();
  Node k = b.var("k"), x = b.var("x", any_tensor()), u = b.var("u"), v = b.var("v");
  Node body = sequence({bind(u, relax_call("relax.call_pure_packed", {external("test.shrink"), x}, {any_tensor()})),
                        match_cast(v, u, tensor_type({k, b.imm(2)}))},
                       tuple({v, b.make<relax::PrimValue>({Value(), b.mul(k, b.imm(10))})}));
  const int64_t shape[] = {3, 2};
  Value made = call([&](TnValue* ret) { return b.runtime()->tensor({kDLCPU, 0}, kFloat32, 2, shape, ret); });
  Map imports = b.map({{"test.shrink", native([&](const TnValue*, int32_t) { return made; })}});
  Map f = load(module_of({{"main", Value(graph_func({x}, body))}}), imports);
  Tensor<float> in({4});
  Value result = invoke(*f.find("main"), {in.value()});
  EXPECT_EQ(result.ref<Array>()[1].as_int(), 30);
  const int64_t other[] = {3, 5};
  made = call([&](TnValue* ret) { return b.runtime()->tensor({kDLCPU, 0}, kFloat32, 2, other, ret); });
  Error e = error_of([&] { invoke(*f.find("main"), {in.value()}); });
  EXPECT_EQ(e.code, TN_ERROR_SHAPE);
  EXPECT_EQ(e.message, "dimension 1 of the value of 'v' is 5, not 2");
}

TEST(Graph, BranchesAndRecursion) {
  // main(x (n, n), times) = times > 0 ? main(scale(x, 2), times - 1) : x
  const Builder& b = builder();
  Node n = b.var("n"), x = b.var("x", tensor_type({n, n}));
  Node times = b.var("times", Value(b.make<relax::PrimType>({kInt64})));
  Node y = b.var("y"), z = b.var("z"), r = b.var("r");
  Node two = b.make<relax::ShapeExpr>({Value(), b.array({b.imm(2)})});
  Node again = sequence(
      {bind(y, relax_call("relax.call_tir", {global("scale"), tuple({x}), two}, {tensor_type({n, n})})),
       bind(z, b.make<ir::Call>(
                   {Value(), global("main"),
                    b.array({y, b.make<relax::PrimValue>({Value(), b.make<tir::Sub>({kInt64, times, b.imm(1)})})}),
                    b.map({}), b.array({})}))},
      z);
  Node condition = b.make<relax::PrimValue>({Value(), b.make<tir::GT>({kBool, times, b.imm(0)})});
  Node body = sequence({bind(r, b.make<relax::If>({Value(), condition, again, x}))}, r);
  Map f = load(module_of({{"main", Value(graph_func({x, times}, body))}, {"scale", Value(scale())}}));
  Tensor<float> in({1, 1}, {3});
  EXPECT_EQ(floats(invoke(*f.find("main"), {in.value(), Value(0)})), (std::vector<float>{3}));
  EXPECT_EQ(floats(invoke(*f.find("main"), {in.value(), Value(5)})), (std::vector<float>{96}));
  EXPECT_EQ(error_of([&] { invoke(*f.find("main"), {in.value(), Value(100000)}); }).code, TN_ERROR_LIMIT);
}

TEST(Graph, ALoopFunctionCallsAGraphFunction) {
  const Builder& b = builder();
  Node n = b.var("n"), x = b.var("x", tensor_type({n, n})), y = b.var("y");
  Node three = b.make<relax::ShapeExpr>({Value(), b.array({b.imm(3)})});
  Node triple = graph_func(
      {x},
      sequence({bind(y, relax_call("relax.call_tir", {global("scale"), tuple({x}), three}, {tensor_type({n, n})}))}, y),
      false);
  Node m = b.var("m"), in = b.buffer("A", kFloat32, b.array({m, m})), out = b.buffer("B", kFloat32, b.array({m, m}));
  Node body =
      b.make<tir::Evaluate>({b.make<ir::Call>({kInt32, global("triple"), b.array({in, out}), b.map({}), b.array({})})});
  Map f = load(
      module_of({{"main", Value(prim_func({in, out}, body))}, {"triple", Value(triple)}, {"scale", Value(scale())}}));
  Tensor<float> a({2, 2}, {1, 2, 3, 4}), c({2, 2});
  invoke(*f.find("main"), {a.value(), c.value()});
  EXPECT_EQ(c.data(), (std::vector<float>{3, 6, 9, 12}));
}

TEST(Graph, ConstantsAndLimits) {
  const Builder& b = builder();
  float numbers[4] = {1, 2, 3, 4};
  int64_t shape[] = {2, 2};
  DLTensor t{numbers, {kDLCPU, 0}, 2, kFloat32, shape, nullptr, 0};
  Value data = call([&](TnValue* ret) { return b.ir()->constant(b.ir()->self, &t, ret); });
  Node constant = b.make<ir::Constant>({tensor_type({b.imm(2), b.imm(2)}), data});
  Node y = b.var("y"), two = b.make<relax::ShapeExpr>({Value(), b.array({b.imm(2)})});
  Node body = sequence({bind(y, relax_call("relax.call_tir", {global("scale"), tuple({constant}), two},
                                           {tensor_type({b.imm(2), b.imm(2)})}))},
                       y);
  Node module = module_of({{"main", Value(graph_func({}, body))}, {"scale", Value(scale())}});
  EXPECT_EQ(floats(invoke(*load(module).find("main"), {})), (std::vector<float>{2, 4, 6, 8}));
  Map small = load(module, {}, b.map({{"max_bytes", 15}}));
  EXPECT_EQ(error_of([&] { invoke(*small.find("main"), {}); }).code, TN_ERROR_LIMIT);
}

TEST(Graph, AMissingExternalFunctionIsNamed) {
  const Builder& b = builder();
  Node x = b.var("x", any_tensor()), u = b.var("u");
  Node body = sequence({bind(u, relax_call("relax.call_packed", {external("vendor.gone"), x}, {}))}, u);
  Map f = load(module_of({{"main", Value(graph_func({x}, body))}}));
  Tensor<float> in({4});
  Error e = error_of([&] { invoke(*f.find("main"), {in.value()}); });
  EXPECT_EQ(e.code, TN_ERROR_NOT_FOUND);
  EXPECT_NE(e.message.find("vendor.gone"), std::string::npos);
}

}  // namespace
}  // namespace tenon::test
