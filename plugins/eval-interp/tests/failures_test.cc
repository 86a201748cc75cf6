// Programs that must be refused or must stop, each with the words that help.
#include <cmath>

#include "support.h"

namespace tenon::test {
namespace {

using ::testing::Test;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
#define EXPECT_HAS(text, part) EXPECT_TRUE(has(text, part)) << "'" << (text) << "' lacks '" << (part) << "'"

// f(A: n float32): A[index] = 1
Node store_at(const Node& index) {
  const Builder& b = builder();
  Node n = b.var("n");
  Node a = b.buffer("A", kFloat32, b.array({n}));
  return prim_func({a}, b.store(a, b.array({index}), b.real(1)));
}

TEST(Failures, IndexOutOfBoundsNamesBufferIndexExtentAndPlace) {
  const Builder& b = builder();
  Value span = call([&](TnValue* ret) { return b.ir()->span(b.ir()->self, "f.py", 7, 3, 7, 9, ret); });
  Node a = b.buffer("A", kFloat32, b.array({b.imm(2), b.imm(4)}));
  Node store = b.make<tir::BufferStore>({a, b.real(1), b.array({b.imm(1), b.imm(4)})},
                                        reinterpret_cast<const TnSpan*>(span.raw().as.object));
  Value f = load_one(prim_func({a}, store));
  Tensor<float> t({2, 4});
  Error e = error_of([&] { invoke(f, {t.value()}); });
  EXPECT_EQ(e.code, TN_ERROR_CHECK_FAILED);
  EXPECT_EQ(e.message, "index 4 is out of bounds for dimension 1 of buffer 'A', whose extent is 4");
  EXPECT_EQ(e.where, "f.py:7:3, function 'main'");
}

TEST(Failures, NegativeIndex) {
  Value f = load_one(store_at(builder().imm(-1)));
  Tensor<float> t({3});
  EXPECT_HAS(error_of([&] { invoke(f, {t.value()}); }).message, "index -1 is out of bounds");
}

TEST(Failures, AccessOfAnEmptyBuffer) {
  Value f = load_one(store_at(builder().imm(0)));
  Tensor<float> t({0});
  EXPECT_HAS(error_of([&] { invoke(f, {t.value()}); }).message, "whose extent is 0");
}

TEST(Failures, WrongArguments) {
  Value f = load_one(store_at(builder().imm(0)));
  Tensor<float> t({3});
  Tensor<double> d({3});
  Tensor<float> matrix({3, 3});
  EXPECT_NE(error_of([&] { invoke(f, {}); }).code, 0);
  EXPECT_NE(error_of([&] { invoke(f, {t.value(), t.value()}); }).code, 0);
  EXPECT_EQ(error_of([&] { invoke(f, {d.value()}); }).code, TN_ERROR_TYPE);
  EXPECT_EQ(error_of([&] { invoke(f, {matrix.value()}); }).code, TN_ERROR_SHAPE);
  EXPECT_NE(error_of([&] { invoke(f, {Value(3)}); }).code, 0);
  EXPECT_EQ(error_of([&] { invoke(f, {t.value()}); }).code, 0);
}

TEST(Failures, DivisionByZeroOfEveryKind) {
  const Builder& b = builder();
  for (uint32_t kind :
       {tir::Div::kKind, tir::FloorDiv::kKind, tir::FloorMod::kKind, tir::TruncDiv::kKind, tir::TruncMod::kKind}) {
    for (const char* dtype : {"int8", "int32", "int64", "uint16", "uint64"}) {
      DLDataType type = *dtype_from_text(dtype);
      Node a = b.buffer("A", type, b.array({b.imm(2)}));
      std::vector<Value> slots = {type, b.load(a, b.array({b.imm(0)})), b.load(a, b.array({b.imm(1)}))};
      Node body = b.store(a, b.array({b.imm(0)}), b.make(kind, slots));
      Value f = load_one(prim_func({a}, body));
      int64_t shape[] = {2}, data[] = {7, 0};
      std::memset(data, 0, sizeof data);
      reinterpret_cast<char*>(data)[0] = 7;
      DLTensor t{data, {kDLCPU, 0}, 1, type, shape, nullptr, 0};
      Error e = error_of([&] { invoke(f, {Value(&t)}); });
      EXPECT_EQ(e.code, TN_ERROR_CHECK_FAILED) << dtype << " " << kind;
      EXPECT_EQ(e.message, "division of 7 by zero");
    }
  }
}

TEST(Failures, StepLimit) {
  const Builder& b = builder();
  Node i = b.var("i");
  Node a = b.buffer("A", kFloat32, b.array({b.var("n")}));
  Node loop = b.loop(i, b.imm(100), b.store(a, b.array({b.imm(0)}), b.real(1)));
  Tensor<float> t({1});
  Value tight = load_one(prim_func({a}, loop), {}, b.map({{"max_steps", 99}}));
  Error e = error_of([&] { invoke(tight, {t.value()}); });
  EXPECT_EQ(e.code, TN_ERROR_LIMIT);
  EXPECT_HAS(e.message, "99 steps");
  EXPECT_HAS(e.hint, "max_steps");
  Value enough = load_one(prim_func({a}, loop), {}, b.map({{"max_steps", 100}}));
  EXPECT_EQ(error_of([&] { invoke(enough, {t.value()}); }).code, 0);
}

TEST(Failures, EndlessWhileIsStopped) {
  const Builder& b = builder();
  Node a = b.buffer("A", kFloat32, b.array({b.var("n")}));
  Node body = b.make<tir::While>({b.imm(1, kBool), b.store(a, b.array({b.imm(0)}), b.real(1))});
  Tensor<float> t({1});
  Value f = load_one(prim_func({a}, body), {}, b.map({{"max_steps", 1000}}));
  EXPECT_EQ(error_of([&] { invoke(f, {t.value()}); }).code, TN_ERROR_LIMIT);
}

TEST(Failures, MemoryLimitAndNegativeExtent) {
  const Builder& b = builder();
  Node n = b.var("n");
  Node a = b.buffer("A", kFloat32, b.array({n}));
  Node w = b.buffer("W", kFloat32, b.array({b.sub(n, b.imm(2)), b.imm(1000)}));
  Node body = b.seq({b.make<tir::AllocBuffer>({b.map({}), w}), b.store(a, b.array({b.imm(0)}), b.real(1))});
  Value f = load_one(prim_func({a}, body), {}, b.map({{"max_bytes", 8000}}));
  Tensor<float> four({4}), five({5}), one({1});
  EXPECT_EQ(error_of([&] { invoke(f, {four.value()}); }).code, 0);
  Error e = error_of([&] { invoke(f, {five.value()}); });
  EXPECT_EQ(e.code, TN_ERROR_LIMIT);
  EXPECT_HAS(e.message, "'W' of 12000 bytes");
  EXPECT_HAS(error_of([&] { invoke(f, {one.value()}); }).message, "negative extent -1");
}

TEST(Failures, RecursionIsLimited) {
  const Builder& b = builder();
  Node a = b.buffer("A", kFloat32, b.array({b.var("n")}));
  Node self = b.make<ir::Call>(
      {kInt32, b.make<ir::GlobalVar>({Value(), b.string("main")}), b.array({a}), b.map({}), b.array({})});
  Value f = load_one(prim_func({a}, b.make<tir::Evaluate>({self})));
  Tensor<float> t({1});
  Error e = error_of([&] { invoke(f, {t.value()}); });
  EXPECT_EQ(e.code, TN_ERROR_LIMIT);
  EXPECT_HAS(e.message, "deeper than 256");
}

TEST(Failures, AssertionSaysItsMessage) {
  const Builder& b = builder();
  Node n = b.var("n");
  Node a = b.buffer("A", kFloat32, b.array({n}));
  Node body = b.make<tir::Assert>({b.gt(n, b.imm(2)), b.string("n must be above 2")});
  Value f = load_one(prim_func({a}, body));
  Tensor<float> two({2}), three({3});
  Error e = error_of([&] { invoke(f, {two.value()}); });
  EXPECT_EQ(e.code, TN_ERROR_CHECK_FAILED);
  EXPECT_HAS(e.message, "n must be above 2");
  EXPECT_EQ(error_of([&] { invoke(f, {three.value()}); }).code, 0);
}

TEST(Failures, ThreadBindingIsRefusedByName) {
  const Builder& b = builder();
  Node i = b.var("i");
  Node a = b.buffer("A", kFloat32, b.array({b.var("n")}));
  Node loop = b.make<tir::For>({b.imm(0), b.imm(4), int64_t{TN_FOR_THREAD_BINDING}, b.string("threadIdx.x"), b.map({}),
                                i, b.store(a, b.array({i}), b.real(1))});
  Error e = error_of([&] { load_one(prim_func({a}, loop)); });
  EXPECT_EQ(e.code, TN_ERROR_UNSUPPORTED);
  EXPECT_HAS(e.message, "threadIdx.x");
}

TEST(Failures, HalfPrecisionIsRefusedByName) {
  const Builder& b = builder();
  for (const char* dtype : {"float16", "bfloat16"}) {
    DLDataType type = *dtype_from_text(dtype);
    Node a = b.buffer("A", type, b.array({b.imm(1)}));
    Error e = error_of([&] { load_one(prim_func({a}, b.store(a, b.array({b.imm(0)}), b.real(1, type)))); });
    EXPECT_EQ(e.code, TN_ERROR_UNSUPPORTED);
    EXPECT_HAS(e.message, dtype);
  }
}

TEST(Failures, MissingImportIsNamed) {
  const Builder& b = builder();
  Node a = b.buffer("A", kFloat32, b.array({b.imm(1)}));
  Node body = b.make<tir::Evaluate>(
      {b.intrinsic(kInt32, "tir.call_packed", {b.make<ir::StringImm>({Value(), b.string("vendor.f")}), a})});
  Error e = error_of([&] { load_one(prim_func({a}, body)); });
  EXPECT_EQ(e.code, TN_ERROR_NOT_FOUND);
  EXPECT_HAS(e.message, "vendor.f");
}

TEST(Failures, ErrorOfAnImportPassesThroughAndTypesOfResultsAreChecked) {
  const Builder& b = builder();
  Node a = b.buffer("A", kInt32, b.array({b.imm(1)}));
  Node result = b.intrinsic(kInt32, "tir.call_packed", {b.make<ir::StringImm>({Value(), b.string("f")})});
  Node function = prim_func({a}, b.store(a, b.array({b.imm(0)}), result));
  auto with = [&](Native f) { return load_one(function, b.map({{"f", native(std::move(f))}})); };
  Tensor<int32_t> t({1});
  EXPECT_EQ(error_of([&] {
              invoke(with([](const TnValue*, int32_t) -> Value { throw Error(TN_ERROR_IO, "disk gone"); }),
                     {t.value()});
            }).message,
            "disk gone");
  EXPECT_EQ(error_of([&] { invoke(with([](const TnValue*, int32_t) { return Value(1.5); }), {t.value()}); }).code,
            TN_ERROR_TYPE);
  EXPECT_EQ(error_of([&] {
              invoke(with([](const TnValue*, int32_t) { return Value(int64_t{1} << 40); }), {t.value()});
            }).code,
            TN_ERROR_TYPE);
  invoke(with([](const TnValue*, int32_t) { return Value(-7); }), {t.value()});
  EXPECT_EQ(t[0], -7);
}

TEST(Failures, AxisOutsideOfItsDomain) {
  const Builder& b = builder();
  Node a = b.buffer("A", kFloat32, b.array({b.imm(8)}));
  Node i = b.var("i"), v = b.var("v");
  Node body = block("B", {iter_var(v, b.imm(4), TN_ITER_SPATIAL)}, {i}, b.store(a, b.array({v}), b.real(1)));
  Value f = load_one(prim_func({a}, b.loop(i, b.imm(8), body)));
  Tensor<float> t({8});
  Error e = error_of([&] { invoke(f, {t.value()}); });
  EXPECT_HAS(e.message, "block axis 'v' is bound to 4");
  EXPECT_EQ(t.data(), (std::vector<float>{1, 1, 1, 1, 0, 0, 0, 0}));
}

TEST(Failures, FreshMemoryIsPoisonedOrNot) {
  const Builder& b = builder();
  Node a = b.buffer("A", kFloat32, b.array({b.imm(1)})), c = b.buffer("C", kInt32, b.array({b.imm(1)}));
  Node w = b.buffer("W", kFloat32, b.array({b.imm(1)})), x = b.buffer("X", kInt32, b.array({b.imm(1)}));
  Array zero = b.array({b.imm(0)});
  Node body = b.seq({b.make<tir::AllocBuffer>({b.map({}), w}), b.make<tir::AllocBuffer>({b.map({}), x}),
                     b.store(a, zero, b.load(w, zero)), b.store(c, zero, b.load(x, zero))});
  Tensor<float> t({1});
  Tensor<int32_t> u({1});
  invoke(load_one(prim_func({a, c}, body)), {t.value(), u.value()});
  EXPECT_TRUE(std::isnan(t[0]));
  EXPECT_EQ(static_cast<uint32_t>(u[0]), 0xcdcdcdcdu);
  invoke(load_one(prim_func({a, c}, body), {}, b.map({{"uninitialised", b.string("zero")}})), {t.value(), u.value()});
  EXPECT_EQ(t[0], 0.f);
  EXPECT_EQ(u[0], 0);
}

TEST(Failures, ViewsThatDoNotFit) {
  const Builder& b = builder();
  Node n = b.var("n");
  Node a = b.buffer("A", kFloat32, b.array({n}));
  Node v = b.make<tir::Buffer>(
      {b.string("V"), kFloat32, b.array({b.imm(4)}), b.array({}), b.imm(2), b.string("global"), b.map({})});
  Node body = b.seq({b.make<tir::DeclBuffer>({a, v}), b.store(v, b.array({b.imm(3)}), b.real(9))});
  Value f = load_one(prim_func({a}, body));
  Tensor<float> five({5}), six({6});
  EXPECT_HAS(error_of([&] { invoke(f, {five.value()}); }).message,
             "'V' of 16 bytes at element offset 2 does not fit into the 20 bytes");
  invoke(f, {six.value()});
  EXPECT_EQ(six.data(), (std::vector<float>{0, 0, 0, 0, 0, 9}));
}

TEST(Failures, ConstantsAreNotWritten) {
  const Builder& b = builder();
  float numbers[2] = {1, 2};
  int64_t shape[] = {2};
  DLTensor t{numbers, {kDLCPU, 0}, 1, kFloat32, shape, nullptr, 0};
  Value constant = call([&](TnValue* ret) { return b.ir()->constant(b.ir()->self, &t, ret); });
  Node a = b.buffer("A", kFloat32, b.array({b.imm(2)})), w = b.buffer("W", kFloat32, b.array({b.imm(2)}));
  Node decl = b.make<tir::DeclBuffer>({b.make<ir::Constant>({Value(), constant}), w});
  Error e = error_of([&] { load_one(prim_func({a}, b.seq({decl, b.store(w, b.array({b.imm(0)}), b.real(1))}))); });
  EXPECT_HAS(e.message, "'W', which is a constant");
  Value f = load_one(prim_func({a}, b.seq({decl, b.store(a, b.array({b.imm(0)}), b.load(w, b.array({b.imm(1)})))})));
  Tensor<float> out({2});
  invoke(f, {out.value()});
  EXPECT_EQ(out[0], 2.f);
}

}  // namespace
}  // namespace tenon::test
