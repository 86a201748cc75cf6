// Handles: tensors and tuples made by a program, registers, results; each object is released exactly once.
#include <atomic>

#include "support.h"

namespace tenon::test {
namespace {

Node text(const char* s) { return builder().make<ir::StringImm>({Value(), builder().string(s)}); }
Node evaluate(const Node& value) { return builder().make<tir::Evaluate>({value}); }
Node alloc(const Node& buffer) { return builder().make<tir::AllocBuffer>({builder().map({}), buffer}); }
Array at(int64_t i) { return builder().array({builder().imm(i)}); }

// A public function that returns a handle.
Node handle_func(const std::vector<Node>& params, const Node& body) {
  const Builder& b = builder();
  return b.make<tir::PrimFunc>({b.array(params), b.map({{"global_symbol", b.string("main")}}), kHandle, body});
}

Node registers(int64_t n) { return builder().buffer("R", kHandle, builder().array({builder().imm(n)}), "register"); }

std::atomic<int> alive{0};
// External functions `make` (a counted object) and `fail`.
Builder::Entries counting_imports() {
  const Builder& b = builder();
  Value make = native([&b](const TnValue*, int32_t) {
    ++alive;
    return call([&](TnValue* ret) {
      return b.runtime()->object(
          sizeof(TnObject), b.runtime()->type_index("test.counted"), [](void*) { --alive; }, ret);
    });
  });
  Value fail = native([](const TnValue*, int32_t) -> Value { throw Error(TN_ERROR_IO, "on purpose"); });
  return {{"make", make}, {"fail", fail}};
}
Node make_object() { return builder().intrinsic(kHandle, "tir.call_packed", {text("make")}); }

TEST(Handles, RegistersReleaseWhatTheyHeldOnSuccessAndFailure) {
  const Builder& b = builder();
  Node r = registers(2), i = b.var("i");
  Node stores = b.seq({alloc(r), b.loop(i, b.imm(5), b.store(r, at(0), make_object())),
                       b.store(r, at(1), make_object()), b.store(r, at(0), b.load(r, at(1)))});
  Value ok = load_one(prim_func({}, stores), "codegen-llvm", counting_imports());
  invoke(ok, {});
  EXPECT_EQ(alive, 0);
  Value bad = load_one(prim_func({}, b.seq({stores, evaluate(b.intrinsic(kInt32, "tir.call_packed", {text("fail")}))})),
                       "codegen-llvm", counting_imports());
  EXPECT_EQ(error_of([&] { invoke(bad, {}); }).message, "on purpose");
  EXPECT_EQ(alive, 0);
}

TEST(Handles, AResultOutlivesTheCall) {
  const Builder& b = builder();
  Node r = registers(1);
  Node body = b.seq(
      {alloc(r), b.store(r, at(0), make_object()), evaluate(b.intrinsic(kHandle, "tir.ret", {b.load(r, at(0))}))});
  {
    Value object = invoke(load_one(handle_func({}, body), "codegen-llvm", counting_imports()), {});
    EXPECT_EQ(alive, 1);
  }
  EXPECT_EQ(alive, 0);
}

TEST(Handles, ReturnsATensorThatItAllocated) {
  const Builder& b = builder();
  Node n = b.var("n"), i = b.var("i"), r = registers(1);
  Node data = b.buffer("T", kInt64, b.array({n}));
  Node body = b.seq({alloc(r), b.store(r, at(0), b.intrinsic(kHandle, "tir.alloc_tensor", {text("int64"), n})),
                     b.make<tir::DeclBuffer>({b.intrinsic(kHandle, "tir.tensor_data", {b.load(r, at(0))}), data}),
                     b.loop(i, n, b.store(data, b.array({i}), b.mul(i, i))),
                     evaluate(b.intrinsic(kHandle, "tir.ret", {b.load(r, at(0))}))});
  Value f = load_one(handle_func({n}, body));
  Value tensor = invoke(f, {Value(5)});
  ASSERT_EQ(tensor.type_index(), TN_TENSOR);
  const DLTensor& t = reinterpret_cast<const TnTensor*>(tensor.raw().as.object)->tensor;
  ASSERT_EQ(t.ndim, 1);
  ASSERT_EQ(t.shape[0], 5);
  for (int64_t k = 0; k < 5; ++k) EXPECT_EQ(static_cast<int64_t*>(t.data)[k], k * k);
  EXPECT_EQ(error_of([&] { invoke(f, {Value(-1)}); }).code, TN_ERROR_SHAPE);
}

TEST(Handles, PassThroughFunctionsAndLeaveEarly) {
  const Builder& b = builder();
  // Returns a tensor of one element, or ends early with a boxed number.
  Node n = b.var("n"), r = registers(1);
  Node early = b.make<tir::IfThenElse>(
      {b.lt(n, b.imm(0)), evaluate(b.intrinsic(kHandle, "tir.ret", {b.intrinsic(kHandle, "tir.box", {b.real(-1)})})),
       Value()});
  Node data = b.buffer("T", kFloat64, b.array({b.imm(1)}));
  Node inner_body =
      b.seq({alloc(r), early, b.store(r, at(0), b.intrinsic(kHandle, "tir.alloc_tensor", {text("float64"), b.imm(1)})),
             b.make<tir::DeclBuffer>({b.intrinsic(kHandle, "tir.tensor_data", {b.load(r, at(0))}), data}),
             b.store(data, at(0), b.cast(n, kFloat64)), evaluate(b.intrinsic(kHandle, "tir.ret", {b.load(r, at(0))}))});
  Node inner = b.make<tir::PrimFunc>({b.array({n}), b.map({}), kHandle, inner_body});
  Node out = b.buffer("out", kFloat64, b.array({b.imm(2)})), k = b.var("k");
  Node call_inner = b.make<ir::Call>(
      {kHandle, b.make<ir::GlobalVar>({Value(), b.string("inner")}), b.array({k}), b.map({}), b.array({})});
  Node i = b.var("i");
  Node main = prim_func(
      {k, out},
      b.loop(i, b.imm(2), b.store(out, b.array({i}), b.intrinsic(kFloat64, "tir.unbox_float", {call_inner}))));
  Value f = *load(module_of({{"inner", inner}, {"main", main}})).find("main");
  Tensor<double> t({2});
  invoke(f, {Value(7), t.value()});
  EXPECT_EQ(t.data(), (std::vector<double>{7, 7}));
  invoke(f, {Value(-3), t.value()});
  EXPECT_EQ(t.data(), (std::vector<double>{-1, -1}));
}

TEST(Handles, TuplesAndBoxes) {
  const Builder& b = builder();
  Node x = b.var("x", kHandle), out = b.buffer("out", kInt64, b.array({b.imm(2)}));
  Node tuple = b.intrinsic(kHandle, "tir.make_tuple", {b.intrinsic(kHandle, "tir.box", {b.imm(41)}), x});
  Node second = b.intrinsic(kHandle, "tir.tuple_get", {tuple, b.imm(1)});
  Node first = b.intrinsic(kHandle, "tir.tuple_get", {tuple, b.imm(0)});
  Node body = b.seq({b.store(out, at(0), b.intrinsic(kInt64, "tir.unbox_int", {first})),
                     b.store(out, at(1), b.intrinsic(kInt64, "tir.unbox_int", {second}))});
  Value f = load_one(prim_func({x, out}, body));
  Tensor<int64_t> t({2});
  invoke(f, {Value(7), t.value()});
  EXPECT_EQ(t.data(), (std::vector<int64_t>{41, 7}));
  EXPECT_EQ(error_of([&] { invoke(f, {Value(1.5), t.value()}); }).code, TN_ERROR_TYPE);
}

TEST(Handles, MatchTensorNamesWhatIsWrong) {
  const Builder& b = builder();
  Node x = b.var("x", kHandle), n = b.var("n");
  Node match =
      evaluate(b.intrinsic(kInt32, "tir.match_tensor", {x, text("the result of f"), text("float32"), n, b.imm(3)}));
  Value f = load_one(prim_func({x, n}, match));
  Tensor<float> right({2, 3}), wide({2, 4}), flat({6});
  Tensor<double> doubles({2, 3});
  EXPECT_EQ(error_of([&] { invoke(f, {right.value(), Value(2)}); }).code, 0);
  EXPECT_EQ(error_of([&] { invoke(f, {wide.value(), Value(2)}); }).message,
            "dimension 1 of the result of f is 4, not 3");
  EXPECT_EQ(error_of([&] { invoke(f, {flat.value(), Value(2)}); }).message, "the result of f has 1 dimensions, not 2");
  EXPECT_EQ(error_of([&] { invoke(f, {doubles.value(), Value(2)}); }).message, "the result of f is not float32");
  EXPECT_EQ(error_of([&] { invoke(f, {Value(5), Value(2)}); }).code, TN_ERROR_TYPE);
}

TEST(Handles, ABorrowedTensorIsNotKept) {
  const Builder& b = builder();
  Node x = b.var("x", kHandle);
  Value f = load_one(handle_func({x}, evaluate(b.intrinsic(kHandle, "tir.ret", {x}))));
  Tensor<float> t({2});
  EXPECT_EQ(error_of([&] { invoke(f, {t.value()}); }).code, TN_ERROR_TYPE);
}

}  // namespace
}  // namespace tenon::test
