// What compiled functions do: shapes, loops, calls, threads, and what they refuse.
#include <cmath>
#include <thread>

#include "support.h"

namespace tenon::test {
namespace {

const Builder& b = builder();

Node seq(const std::vector<Node>& stmts) { return b.make<tir::Seq>({b.array(stmts)}); }
Node evaluate(const Node& e) { return b.make<tir::Evaluate>({e}); }
Node check_that(const Node& condition, const std::string& message) {
  return b.make<tir::Assert>({condition, b.string(message)});
}

// B[i, j] = A[i, j] * 2 + i, over symbolic n and m.
Node affine(int64_t kind) {
  Node n = b.var("n"), m = b.var("m"), i = b.var("i"), j = b.var("j");
  Node A = b.buffer("A", kFloat32, b.array({n, m})), B = b.buffer("B", kFloat32, b.array({n, m}));
  Node value = b.add(b.mul(load_at(A, {i, j}), b.real(2)), b.cast(i, kFloat32));
  return prim_func({A, B}, b.loop(i, n, b.loop(j, m, store_at(B, {i, j}, value)), kind));
}

void expect_affine(const Value& f, int64_t n, int64_t m) {
  Tensor<float> a({n, m}), out({n, m}, -1.0F);
  for (size_t k = 0; k < a.size(); ++k) a[k] = static_cast<float>(k) * 0.5F;
  invoke(f, {a.value(), out.value()});
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < m; ++j) {
      auto at = static_cast<size_t>(i * m + j);
      ASSERT_EQ(out[at], a[at] * 2 + static_cast<float>(i)) << i << ", " << j << " of " << n << " x " << m;
    }
}

TEST(Functions, TakeAnyExtentOfASymbolicShape) {
  for (int64_t kind : {TN_FOR_SERIAL, TN_FOR_PARALLEL, TN_FOR_VECTORIZED, TN_FOR_UNROLLED}) {
    Value f = load_one(affine(kind));
    for (int64_t n : {0, 1, 2, 3, 17, 64}) expect_affine(f, n, 13), expect_affine(f, 5, n);
  }
}

TEST(Functions, RunOnEveryOptimisationLevel) {
  for (int64_t level = 0; level <= 3; ++level)
    expect_affine(load_one(affine(TN_FOR_PARALLEL), "codegen-llvm", {}, {{"opt_level", level}}), 7, 33);
}

TEST(Functions, AcceptDataAtAnyAlignmentOfItsElements) {
  Value f = load_one(affine(TN_FOR_SERIAL));
  std::vector<float> memory(200, 0.0F);
  int64_t shape[2] = {4, 20};
  for (uint64_t offset : {4, 12, 20}) {
    Tensor<float> out({4, 20});
    for (size_t k = 0; k < memory.size(); ++k) memory[k] = static_cast<float>(k);
    DLTensor a{memory.data(), {kDLCPU, 0}, 2, kFloat32, shape, nullptr, offset};
    invoke(f, {Value(&a), out.value()});
    for (size_t k = 0; k < 80; ++k)
      ASSERT_EQ(out[k], (static_cast<float>(k + offset / 4)) * 2 + static_cast<float>(k / 20));
  }
}

TEST(Functions, BindDeclaredStrides) {
  Node n = b.var("n"), m = b.var("m"), s0 = b.var("s0"), s1 = b.var("s1"), i = b.var("i"), j = b.var("j");
  Node A = b.make<tir::Buffer>({"A", kFloat32, b.array({n, m}), b.array({s0, s1}), Value(), "global", b.map({})});
  Node B = b.buffer("B", kFloat32, b.array({n, m}));
  Value f = load_one(prim_func({A, B}, b.loop(i, n, b.loop(j, m, store_at(B, {i, j}, load_at(A, {i, j}))))));
  Tensor<float> a({3, 4}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}), t({4, 3}), out({4, 3}), same({3, 4});
  invoke(f, {a.value(), same.value()});
  EXPECT_EQ(a.data(), same.data());
  Tensor<float> view({4, 3}, a.data());
  view.with_strides({1, 4});
  invoke(f, {view.value(), out.value()});
  EXPECT_EQ(out.data(), (std::vector<float>{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}));

  Node C = b.make<tir::Buffer>(
      {"C", kFloat32, b.array({n, m}), b.array({b.mul(m, b.imm(2)), b.imm(2)}), Value(), "global", b.map({})});
  Value g = load_one(prim_func({C, B}, b.loop(i, n, b.loop(j, m, store_at(B, {i, j}, load_at(C, {i, j}))))));
  Error e = error_of([&] { invoke(g, {a.value(), same.value()}); });
  EXPECT_EQ(e.code, TN_ERROR_SHAPE);
  EXPECT_NE(e.message.find("another stride in dimension 0"), std::string::npos) << e.message;
}

TEST(Functions, CallEachOtherDirectly) {
  Node n = b.var("n"), i = b.var("i");
  Node X = b.buffer("X", kFloat32, b.array({n})), k = b.var("k", kFloat32);
  Node scale = private_func({X, k}, b.loop(i, n, store_at(X, {i}, b.mul(load_at(X, {i}), k))));
  Node m = b.var("m"), A = b.buffer("A", kFloat32, b.array({m, b.imm(4)}));
  Node row = b.var("row");
  // A view of one row, passed as a buffer of its own.
  Node view = b.make<tir::Buffer>(
      {"view", kFloat32, b.array({b.imm(4)}), b.array({}), b.mul(row, b.imm(4)), "global", b.map({})});
  Node body = b.loop(row, m, seq({b.make<tir::DeclBuffer>({A, view}), call_function("scale", {view, b.real(3)})}));
  Value f = *load(module_of({{"scale", scale}, {"main", prim_func({A}, body)}})).find("main");
  Tensor<float> a({3, 4}, 1.0F);
  invoke(f, {a.value()});
  EXPECT_EQ(a.data(), std::vector<float>(12, 3.0F));
}

TEST(Functions, PassRegionsAndOverlappingViews) {
  // Y[i + 1] = X[i]: with X and Y views of one buffer that overlap, each step reads what the step before wrote.
  Node n = b.var("n"), i = b.var("i");
  Node X = b.buffer("X", kFloat32, b.array({n})), Y = b.buffer("Y", kFloat32, b.array({n}));
  Node shift = private_func({X, Y}, b.loop(i, b.sub(n, b.imm(1)), store_at(Y, {b.add(i, b.imm(1))}, load_at(X, {i}))));
  Node A = b.buffer("A", kFloat32, b.array({b.imm(2), b.imm(64)}));
  Node row = b.make<tir::BufferRegion>(
      {A, b.array({b.make<ir::Range>({b.imm(1), b.imm(1)}), b.make<ir::Range>({b.imm(0), b.imm(64)})})});
  Node P = b.buffer("P", kFloat32, b.array({b.imm(1), n}));
  Node fill = private_func({P}, b.loop(i, n, store_at(P, {b.imm(0), i}, b.cast(i, kFloat32))));
  auto view = [&](const char* name) {
    return b.make<tir::Buffer>({name, kFloat32, b.array({b.imm(64)}), b.array({}), b.imm(64), "global", b.map({})});
  };
  Node U = view("U"), V = view("V");
  Node body = seq({call_function("fill", {row}), b.make<tir::DeclBuffer>({A, U}), b.make<tir::DeclBuffer>({A, V}),
                   call_function("shift", {U, V})});
  Value f = *load(module_of({{"shift", shift}, {"fill", fill}, {"main", prim_func({A}, body)}})).find("main");
  Tensor<float> a({2, 64}, 5.0F);
  invoke(f, {a.value()});
  for (size_t k = 0; k < 64; ++k) {
    EXPECT_EQ(a[k], 5.0F);
    EXPECT_EQ(a[64 + k], 0.0F) << k;
  }
}

TEST(Functions, CheckTheShapesOfDirectCalls) {
  Node n = b.var("n"), m = b.var("m");
  Node X = b.buffer("X", kFloat32, b.array({n})), Y = b.buffer("Y", kFloat32, b.array({n}));
  Node copy = private_func({X, Y}, store_at(Y, {b.imm(0)}, load_at(X, {b.imm(0)})));
  Node A = b.buffer("A", kFloat32, b.array({n})), B = b.buffer("B", kFloat32, b.array({m}));
  Value f = *load(module_of({{"copy", copy}, {"main", prim_func({A, B}, call_function("copy", {A, B}))}})).find("main");
  Tensor<float> a({3}, 7.0F), same({3}), other({4});
  invoke(f, {a.value(), same.value()});
  EXPECT_EQ(same[0], 7.0F);
  Error e = error_of([&] { invoke(f, {a.value(), other.value()}); });
  EXPECT_EQ(e.code, TN_ERROR_SHAPE);
  EXPECT_NE(e.message.find("dimension 0 of 'B'"), std::string::npos) << e.message;
}

TEST(Functions, CallExternalFunctions) {
  Node n = b.var("n"), A = b.buffer("A", kFloat32, b.array({n, b.imm(2)}));
  Node r = b.var("r");
  Node body =
      seq({b.make<tir::Bind>({call_packed(kInt64, "test.sum", {A, b.imm(5), b.real(0.5)}), r}),
           store_at(A, {b.imm(0), b.imm(0)}, b.cast(r, kFloat32)), evaluate(call_packed(Value(), "test.fill", {A}))});
  Value seen_shape;
  Native sum = [&](const TnValue* args, int32_t count) {
    EXPECT_EQ(count, 3);
    EXPECT_EQ(args[0].type_index, TN_DLTENSOR);
    EXPECT_EQ(args[1].as.i, 5);
    EXPECT_EQ(args[2].as.f, 0.5);
    auto* t = static_cast<DLTensor*>(args[0].as.p);
    EXPECT_EQ(t->ndim, 2);
    EXPECT_EQ(t->strides, nullptr);
    return Value(t->shape[0] * 10 + t->shape[1]);
  };
  Native fill = [&](const TnValue* args, int32_t) {
    static_cast<float*>(static_cast<DLTensor*>(args[0].as.p)->data)[1] = 9;
    return b.string("a result that nobody asked for, long enough to be an object");
  };
  Value f = load_one(prim_func({A}, body), "codegen-llvm", {{"test.sum", native(sum)}, {"test.fill", native(fill)}});
  Tensor<float> a({4, 2});
  invoke(f, {a.value()});
  EXPECT_EQ(a[0], 42.0F);
  EXPECT_EQ(a[1], 9.0F);
}

TEST(Functions, PassTheErrorsOfExternalFunctionsOn) {
  Node n = b.var("n"), A = b.buffer("A", kFloat32, b.array({n})), i = b.var("i");
  // Inside a parallel loop and behind a workspace, so that both are left by the error.
  Node T = b.buffer("T", kFloat32, b.array({b.mul(n, b.imm(100000))}));
  Node body = b.loop(
      i, n,
      seq({b.make<tir::AllocBuffer>({b.map({}), T}), store_at(T, {i}, b.real(1)),
           b.make<tir::IfThenElse>({b.ge(i, b.imm(2)), evaluate(call_packed(Value(), "test.fail", {i})), Value()}),
           store_at(A, {i}, load_at(T, {i}))}),
      TN_FOR_PARALLEL);
  Native failing = [&](const TnValue* args, int32_t) -> Value {
    throw Error(TN_ERROR_LIMIT, "too far: " + std::to_string(args[0].as.i), "test.fail", "stop earlier");
  };
  Value f = load_one(prim_func({A}, body), "codegen-llvm", {{"test.fail", native(failing)}});
  Tensor<float> two({2}), five({5});
  invoke(f, {two.value()});
  EXPECT_EQ(two[1], 1.0F);
  Error e = error_of([&] { invoke(f, {five.value()}); });
  EXPECT_EQ(e.code, TN_ERROR_LIMIT);
  EXPECT_EQ(e.message.substr(0, 9), "too far: ");
  EXPECT_EQ(e.hint, "stop earlier");

  Value wrong = load_one(
      prim_func({A}, store_at(A, {b.imm(0)}, call_packed(kFloat32, "test.text", {}))), "codegen-llvm",
      {{"test.text", native([](const TnValue*, int32_t) { return b.string("text, and a long one at that"); })}});
  e = error_of([&] { invoke(wrong, {two.value()}); });
  EXPECT_EQ(e.code, TN_ERROR_TYPE);
  EXPECT_NE(e.message.find("'test.text' did not return a value of float32"), std::string::npos) << e.message;
}

TEST(Functions, FailWhereTheProgramChecks) {
  Node n = b.var("n"), A = b.buffer("A", kInt64, b.array({n})), i = b.var("i");
  Value asserting =
      load_one(prim_func({A}, b.loop(i, n,
                                     seq({check_that(b.lt(load_at(A, {i}), b.imm(10)), "A must stay below ten"),
                                          store_at(A, {i}, b.imm(0))}))));
  Tensor<int64_t> good({3}, int64_t{9}), bad({3}, {1, 10, 1});
  invoke(asserting, {good.value()});
  Error e = error_of([&] { invoke(asserting, {bad.value()}); });
  EXPECT_EQ(e.code, TN_ERROR_CHECK_FAILED);
  EXPECT_EQ(e.message, "A must stay below ten");
  EXPECT_EQ(e.where, "function 'main'");
  EXPECT_EQ(bad.data(), (std::vector<int64_t>{0, 10, 1}));

  for (auto divide : {&Builder::floordiv, &Builder::floormod}) {
    Value f =
        load_one(prim_func({A}, store_at(A, {b.imm(0)}, (b.*divide)(load_at(A, {b.imm(1)}), load_at(A, {b.imm(2)})))));
    Tensor<int64_t> a({3}, {0, -7, 2}), zero({3}, {0, -7, 0}), least({3}, {0, INT64_MIN, -1});
    invoke(f, {a.value()});
    EXPECT_EQ(a[0], divide == &Builder::floordiv ? -4 : 1);
    invoke(f, {least.value()});
    EXPECT_EQ(least[0], divide == &Builder::floordiv ? INT64_MIN : 0);
    e = error_of([&] { invoke(f, {zero.value()}); });
    EXPECT_EQ(e.code, TN_ERROR_CHECK_FAILED);
    EXPECT_NE(e.message.find("divided by zero"), std::string::npos) << e.message;
  }
}

// A list of checks so long that LLVM is not asked to optimize it.
TEST(Functions, AreRightAsListsOfThousandsOfChecks) {
  Node n = b.var("n"), A = b.buffer("A", kInt64, b.array({n}));
  auto list = [&](int64_t length) {
    std::vector<Node> stmts;
    for (int64_t i = 0; i < length; ++i) {
      stmts.push_back(check_that(b.lt(load_at(A, {b.imm(0)}), b.imm(2 * length - i)), std::to_string(i)));
      stmts.push_back(store_at(A, {b.imm(0)}, b.add(load_at(A, {b.imm(0)}), b.imm(1))));
    }
    return prim_func({A}, seq(stmts));
  };
  auto optimized = [&](int64_t length) {
    Map payload = generate(module_of({{"main", list(length)}}), {{"emit", b.string("llvm-ir")}});
    return std::string(payload.find("bytes")->as_string()).find("optnone") == std::string::npos;
  };
  EXPECT_TRUE(optimized(100));
  EXPECT_FALSE(optimized(1200));
  // Step i begins at a + i and wants less than 2400 - i: all 1,200 pass for a = 1, and the last one fails for a = 2.
  Value f = load_one(list(1200));
  Tensor<int64_t> good({1}, int64_t{1}), bad({1}, int64_t{2});
  invoke(f, {good.value()});
  EXPECT_EQ(good[0], 1201);
  Error e = error_of([&] { invoke(f, {bad.value()}); });
  EXPECT_EQ(e.code, TN_ERROR_CHECK_FAILED);
  EXPECT_EQ(e.message, "1199");
  EXPECT_EQ(bad[0], 1201);
}

TEST(Functions, CheckIndicesThatComeFromData) {
  Node n = b.var("n"), m = b.var("m"), i = b.var("i");
  Node A = b.buffer("A", kFloat32, b.array({n})), I = b.buffer("I", kInt64, b.array({m})),
       B = b.buffer("B", kFloat32, b.array({m}));
  Node gather = prim_func({A, I, B}, b.loop(i, m, store_at(B, {i}, load_at(A, {load_at(I, {i})}))));
  Tensor<float> a({4}, {1, 2, 3, 4}), out({3});
  Tensor<int64_t> good({3}, {3, 0, 2}), above({3}, {3, 4, 2}), below({3}, {3, -1, 2});
  Value f = load_one(gather);
  invoke(f, {a.value(), good.value(), out.value()});
  EXPECT_EQ(out.data(), (std::vector<float>{4, 1, 3}));
  for (auto* wrong : {&above, &below}) {
    Error e = error_of([&] { invoke(f, {a.value(), wrong->value(), out.value()}); });
    EXPECT_EQ(e.code, TN_ERROR_CHECK_FAILED);
    EXPECT_EQ(e.message, "index " + std::to_string((*wrong)[1]) +
                             " is out of bounds for dimension 0 of buffer 'A', whose extent is 4");
  }
  // Not what is known to be inside, and not what is not chosen.
  Node clamped = b.max(b.min(load_at(I, {i}), b.sub(n, b.imm(1))), b.imm(0));
  invoke(load_one(prim_func({A, I, B}, b.loop(i, m, store_at(B, {i}, load_at(A, {clamped}))))),
         {a.value(), above.value(), out.value()});
  EXPECT_EQ(out.data(), (std::vector<float>{4, 4, 3}));
  Node inside = b.logical_and(b.ge(load_at(I, {i}), b.imm(0)), b.lt(load_at(I, {i}), n));
  Node chosen = b.intrinsic(kFloat32, "tir.if_then_else", {inside, load_at(A, {load_at(I, {i})}), b.real(-1)});
  invoke(load_one(prim_func({A, I, B}, b.loop(i, m, store_at(B, {i}, chosen)))),
         {a.value(), below.value(), out.value()});
  EXPECT_EQ(out.data(), (std::vector<float>{4, -1, 3}));
}

TEST(Functions, RefuseArgumentsThatDoNotFit) {
  Value f = load_one(affine(TN_FOR_SERIAL));
  Tensor<float> a({2, 3}), other({3, 2}), flat({6});
  Tensor<double> wide({2, 3});
  EXPECT_EQ(error_of([&] { invoke(f, {a.value()}); }).code, TN_ERROR_ARGUMENT);
  EXPECT_EQ(error_of([&] { invoke(f, {a.value(), other.value()}); }).code, TN_ERROR_SHAPE);
  EXPECT_EQ(error_of([&] { invoke(f, {a.value(), flat.value()}); }).code, TN_ERROR_SHAPE);
  EXPECT_EQ(error_of([&] { invoke(f, {a.value(), wide.value()}); }).code, TN_ERROR_TYPE);
  EXPECT_EQ(error_of([&] { invoke(f, {a.value(), a.value()}); }).code, TN_ERROR_ALIAS);
}

TEST(Functions, KeepTheirModuleAlive) {
  Value f;
  {
    Map all = load(module_of({{"main", affine(TN_FOR_SERIAL)}}));
    f = *all.find("main");
  }
  expect_affine(f, 3, 3);
}

TEST(Functions, GiveTheSameBitsFromManyThreads) {
  Node n = b.var("n"), i = b.var("i"), k = b.var("k");
  Node A = b.buffer("A", kFloat32, b.array({n, n})), S = b.buffer("S", kFloat32, b.array({n}));
  Node sum = b.add(load_at(S, {i}), b.intrinsic(kFloat32, "tir.tanh", {load_at(A, {i, k})}));
  Node body = b.loop(i, n, seq({store_at(S, {i}, b.real(0)), b.loop(k, n, store_at(S, {i}, sum))}), TN_FOR_PARALLEL);
  Value f = load_one(prim_func({A, S}, body));
  constexpr int64_t kSize = 97;
  Tensor<float> a({kSize, kSize}), serial({kSize});
  for (size_t x = 0; x < a.size(); ++x) a[x] = std::sin(static_cast<float>(x));
  invoke(f, {a.value(), serial.value()});
  std::vector<std::vector<float>> results(16);
  std::vector<std::thread> threads;
  for (auto& result : results)
    threads.emplace_back([&] {
      Tensor<float> mine({kSize, kSize}, a.data()), out({kSize});
      for (int round = 0; round < 20; ++round) invoke(f, {mine.value(), out.value()});
      result = out.data();
    });
  for (std::thread& t : threads) t.join();
  for (auto& result : results) EXPECT_EQ(result, serial.data());
}

TEST(Functions, ReadConstants) {
  std::vector<float> weights = {1, 2, 3, 4, 5};
  int64_t shape = 5;
  DLTensor t{weights.data(), {kDLCPU, 0}, 1, kFloat32, &shape, nullptr, 0};
  Value constant = call([&](TnValue* ret) { return b.ir()->constant(b.ir()->self, &t, ret); });
  Node W = b.buffer("W", kFloat32, b.array({b.imm(5)})), A = b.buffer("A", kFloat32, b.array({b.imm(5)})),
       i = b.var("i");
  Node data = b.make<ir::Constant>({Value(), constant});
  Node body = seq({b.make<tir::DeclBuffer>({data, W}),
                   b.loop(i, b.imm(5), store_at(A, {i}, b.add(load_at(A, {i}), load_at(W, {i}))))});
  Value f = load_one(prim_func({A}, body));
  Tensor<float> a({5}, 10.0F);
  invoke(f, {a.value()});
  EXPECT_EQ(a.data(), (std::vector<float>{11, 12, 13, 14, 15}));
  Node write = seq({b.make<tir::DeclBuffer>({data, W}), store_at(W, {b.imm(0)}, load_at(A, {b.imm(0)}))});
  Error e = error_of([&] { load_one(prim_func({A}, write)); });
  EXPECT_NE(e.message.find("stored into the constant 'W'"), std::string::npos) << e.message;
}

TEST(Functions, ComputeOnVectors) {
  Node A = b.buffer("A", kFloat32, b.array({b.imm(4), b.imm(16)})),
       B = b.buffer("B", kFloat32, b.array({b.imm(4), b.imm(16)}));
  Node M = b.buffer("M", kBool, b.array({b.imm(16)})), i = b.var("i");
  Node lanes = b.make<tir::Ramp>({make_dtype(kDLInt, 64, 16), b.imm(0), b.imm(1), 16});
  Node back = b.make<tir::Ramp>({make_dtype(kDLInt, 64, 16), b.imm(15), b.imm(-1), 16});
  DLDataType f16 = with_lanes(kFloat32, 16), b16 = with_lanes(kBool, 16);
  auto vector = [&](const Node& buffer, const std::vector<Node>& at, DLDataType t) {
    return b.make<tir::BufferLoad>({t, buffer, b.array(at)});
  };
  Node three = b.make<tir::Broadcast>({f16, b.real(3), 16});
  Node reversed = b.mul(vector(A, {i, back}, f16), three);
  Node value = b.make<tir::Select>(
      {f16, vector(M, {lanes}, b16), reversed, b.intrinsic(f16, "tir.sqrt", {vector(A, {i, lanes}, f16)})});
  Node mask =
      store_at(M, {lanes}, b.lt(vector(A, {b.imm(0), lanes}, f16), b.make<tir::Broadcast>({f16, b.real(8), 16})));
  Value f = load_one(prim_func({A, B, M}, seq({mask, b.loop(i, b.imm(4), store_at(B, {i, lanes}, value))})));
  Tensor<float> a({4, 16}), out({4, 16});
  struct Flags {  // vector<bool> has no data()
    uint8_t data[16] = {};
  } flags;
  int64_t sixteen = 16;
  DLTensor m{flags.data, {kDLCPU, 0}, 1, kBool, &sixteen, nullptr, 0};
  for (size_t k = 0; k < 64; ++k) a[k] = static_cast<float>(k);
  invoke(f, {a.value(), out.value(), Value(&m)});
  for (size_t r = 0; r < 4; ++r)
    for (size_t k = 0; k < 16; ++k) {
      EXPECT_EQ(flags.data[k], k < 8);
      EXPECT_EQ(out[r * 16 + k], k < 8 ? a[r * 16 + 15 - k] * 3 : std::sqrt(a[r * 16 + k])) << r << " " << k;
    }
}

// ---- What the code generator refuses ---------------------------------------------------------------------------

TEST(Refusals, NameTheBlockThatIsNotLowered) {
  Node A = b.buffer("A", kFloat32, b.array({b.imm(4)}));
  Node block = b.make<tir::Block>({"copy_in", b.array({}), b.array({}), b.array({}), b.array({}), b.array({}),
                                   b.map({}), Value(), store_at(A, {b.imm(0)}, b.real(1))});
  Node realize = b.make<tir::BlockRealize>({b.array({}), b.imm(1, kBool), block});
  Error e = error_of([&] { load_one(prim_func({A}, realize)); });
  EXPECT_EQ(e.code, TN_ERROR_UNSUPPORTED);
  EXPECT_NE(e.message.find("'main' is not lowered: it still has the block 'copy_in'"), std::string::npos) << e.message;
  EXPECT_NE(e.hint.find("pipeline 'cpu'"), std::string::npos) << e.hint;
}

TEST(Refusals, NameWhatIsMissing) {
  Node A = b.buffer("A", kFloat32, b.array({b.imm(4)}));
  Error e = error_of([&] { load_one(prim_func({A}, evaluate(call_packed(Value(), "test.nowhere", {A})))); });
  EXPECT_EQ(e.code, TN_ERROR_NOT_FOUND);
  EXPECT_NE(e.message.find("'test.nowhere'"), std::string::npos) << e.message;
  Node H = b.buffer("H", make_dtype(kDLFloat, 16), b.array({b.imm(4)}));
  e = error_of([&] { load_one(prim_func({H}, store_at(H, {b.imm(0)}, load_at(H, {b.imm(1)})))); });
  EXPECT_EQ(e.code, TN_ERROR_UNSUPPORTED);
  EXPECT_NE(e.message.find("float16"), std::string::npos) << e.message;
  Node i = b.var("i");
  Node bound = b.make<tir::For>(
      {b.imm(0), b.imm(4), int64_t{TN_FOR_THREAD_BINDING}, "threadIdx.x", b.map({}), i, store_at(A, {i}, b.real(1))});
  e = error_of([&] { load_one(prim_func({A}, bound)); });
  EXPECT_NE(e.message.find("threadIdx.x"), std::string::npos) << e.message;
}

TEST(Refusals, NameTheUnknownFeatureAndTheNearest) {
  Error e = error_of([&] { generate(module_of({{"main", affine(TN_FOR_SERIAL)}}), {}, "cpu:+avx512ff"); });
  EXPECT_EQ(e.code, TN_ERROR_ARGUMENT);
  EXPECT_NE(e.message.find("'avx512ff'"), std::string::npos) << e.message;
  EXPECT_NE(e.hint.find("'avx512f'"), std::string::npos) << e.hint;
}

TEST(Payload, IsTheSameEachTimeAndSaysWhatItNeeds) {
  Node A = b.buffer("A", kFloat64, b.array({b.imm(4)})), i = b.var("i");
  Node module = module_of(
      {{"main",
        prim_func({A}, b.loop(i, b.imm(4), store_at(A, {i}, b.intrinsic(kFloat64, "tir.erf", {load_at(A, {i})}))))}});
  Map first = generate(module), second = generate(module);
  EXPECT_EQ(first.find("format")->as_string(), "elf-object/1");
  EXPECT_EQ(first.find("bytes")->as_string(), second.find("bytes")->as_string());
  EXPECT_EQ(first.find("bytes")->as_string().substr(0, 4),
            "\x7f"
            "ELF");
  EXPECT_EQ(first.find("exports")->ref<Map>().find("main")->as_string(), "tenon_fn_main");
  std::vector<std::string> symbols;
  for (const Value& s : first.find("symbols")->ref<Array>()) symbols.emplace_back(s.as_string());
  EXPECT_EQ(symbols, std::vector<std::string>{"erf"});
  EXPECT_NE(generate(module, {{"emit", b.string("asm")}}).find("bytes")->as_string().find("tenon_fn_main:"),
            std::string_view::npos);
  EXPECT_NE(generate(module, {{"emit", b.string("llvm-ir")}}).find("bytes")->as_string().find("define"),
            std::string_view::npos);
}

TEST(Payload, UsesTheFeaturesOfTheTargetOnly) {
  Node module = module_of({{"main", affine(TN_FOR_SERIAL)}});
  auto code = [&](const char* target) {
    return std::string(generate(module, {{"emit", b.string("asm")}}, target).find("bytes")->as_string());
  };
  std::string plain = code("cpu:generic"), avx = code("cpu:+avx2,+fma"), wide = code("cpu:+avx512f,+avx512vl,+fma");
#if defined(__x86_64__)
  EXPECT_EQ(plain.find("ymm"), std::string::npos);
  EXPECT_NE(avx.find("vfmadd"), std::string::npos);
  EXPECT_EQ(avx.find("zmm"), std::string::npos);
  EXPECT_NE(wide.find("zmm"), std::string::npos);
#endif
}

}  // namespace
}  // namespace tenon::test
