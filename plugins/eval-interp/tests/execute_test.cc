// Running functions while compiling, and constants as tensors: the host's services over this executor.
#include <tenon/ext/constants.h>
#include <tenon/ext/execute.h>

#include "support.h"

namespace tenon::test {
namespace {

Value run(const Node& module, const char* name, const std::vector<Value>& args, const Map& limits = {}) {
  const auto* t = static_cast<const TnHostExecute*>(service(TN_HOST_EXECUTE));
  const Value l = builder().map_value(limits);
  return call([&](TnValue* ret) {
    return t->run(t->self, module.get(), name, reinterpret_cast<const TnValue*>(args.data()),
                  static_cast<int32_t>(args.size()), l.ptr(), ret);
  });
}

// triple(A (n), B (n)): B = A * 3, private; user(A, B) calls it.
Node module() {
  const Builder& b = builder();
  Node n = b.var("n"), i = b.var("i"), m = b.var("m");
  Node in = b.buffer("A", kFloat32, b.array({n})), out = b.buffer("B", kFloat32, b.array({n}));
  Array at = b.array({i});
  Node triple = b.make<tir::PrimFunc>(
      {b.array({in, out}), b.map({}), Value(), b.loop(i, n, b.store(out, at, b.mul(b.load(in, at), b.real(3))))});
  Node x = b.buffer("A", kFloat32, b.array({m})), y = b.buffer("B", kFloat32, b.array({m}));
  auto calls = [&](const Node& op, const std::vector<Node>& args) {
    return b.make<tir::Evaluate>({b.make<ir::Call>({kInt32, op, b.array(args), b.map({}), b.array({})})});
  };
  Node user = b.make<tir::PrimFunc>(
      {b.array({x, y}), b.map({}), Value(), calls(b.make<ir::GlobalVar>({Value(), b.string("triple")}), {x, y})});
  Node z = b.buffer("A", kFloat32, b.array({b.imm(2)}));
  Node asks =
      b.make<tir::PrimFunc>({b.array({z}), b.map({}), Value(),
                             calls(b.make<ir::Op>({Value(), b.string("tir.call_packed")}),
                                   {b.make<ir::StringImm>({Value(), b.string("test.execute_registered")}), z})});
  return module_of({{"triple", triple}, {"user", user}, {"asks", asks}});
}

TEST(Execute, RunsPrivateFunctionsAndWhatTheyCall) {
  for (const char* name : {"triple", "user"}) {
    Tensor<float> a({3}, std::vector<float>{1, -2, 0.5f}), b({3});
    EXPECT_TRUE(run(module(), name, {a.value(), b.value()}).is_none());
    EXPECT_EQ(b.data(), (std::vector<float>{3, -6, 1.5f})) << name;
  }
}

TEST(Execute, SuggestsTheNearestFunction) {
  const Error e = error_of([&] { run(module(), "tripple", {}); });
  EXPECT_EQ(e.code, TN_ERROR_NOT_FOUND);
  EXPECT_EQ(e.message, "the module has no function 'tripple' to run");
  EXPECT_EQ(e.hint, "did you mean 'triple'?");
}

TEST(Execute, KeepsToItsBounds) {
  Tensor<float> a({1000}), b({1000});
  const Map few = builder().map({{"max_steps", Value(100)}});
  EXPECT_EQ(error_of([&] { run(module(), "triple", {a.value(), b.value()}, few); }).code, TN_ERROR_LIMIT);
  run(module(), "triple", {a.value(), b.value()});
  const Map unknown = builder().map({{"max_stepps", Value(100)}});
  EXPECT_NE(error_of([&] { run(module(), "triple", {a.value(), b.value()}, unknown); }).code, 0);
}

TEST(Execute, GivesNoExternalFunctions) {
  bool called = false;
  load(module_of({}), builder().map({{"test.execute_registered", native([&](const TnValue*, int32_t) {
                                        called = true;
                                        return Value();
                                      })}}));
  Tensor<float> a({2});
  const Error e = error_of([&] { run(module(), "asks", {a.value()}); });
  EXPECT_EQ(e.code, TN_ERROR_NOT_FOUND);
  EXPECT_NE(e.message.find("test.execute_registered"), std::string::npos) << e.message;
  EXPECT_FALSE(called);
}

class Constants : public ::testing::Test {
 protected:
  const TnHostConstants* t_ = static_cast<const TnHostConstants*>(service(TN_HOST_CONSTANTS));
  Value tensor(std::vector<int64_t> shape) {
    return call([&](TnValue* ret) {
      return t_->tensor(t_->self, kFloat32, static_cast<int32_t>(shape.size()), shape.data(), ret);
    });
  }
  Value seal(const Value& tensor) {
    return call([&](TnValue* ret) { return t_->seal(t_->self, tensor.ptr(), ret); });
  }
  Value view(const Value& constant, std::vector<int64_t> shape) {
    return call([&](TnValue* ret) {
      return t_->view(t_->self, constant.ptr(), kFloat32, static_cast<int32_t>(shape.size()), shape.data(), ret);
    });
  }
  static float* floats(const Value& tensor) {
    return static_cast<float*>(reinterpret_cast<TnTensor*>(tensor.raw().as.object)->tensor.data);
  }
  static const TnConstant* constant_in(const Value& v) {
    return reinterpret_cast<const TnConstant*>(v.raw().as.object);
  }
};

TEST_F(Constants, AreTheBytesOfTheTensorsTheyWere) {
  for (int64_t n : {int64_t{3}, int64_t{100000}}) {  // in a shared store, in one of its own
    Value draft = tensor({n});
    EXPECT_EQ(floats(draft)[n - 1], 0);
    for (int64_t i = 0; i < n; ++i) floats(draft)[i] = static_cast<float>(i) + 0.5f;
    Value sealed = seal(draft);
    ASSERT_EQ(sealed.type_index(), TN_CONSTANT);
    EXPECT_EQ(constant_in(sealed)->size, static_cast<uint64_t>(n) * 4);
    Value twin = tensor({n});
    for (int64_t i = 0; i < n; ++i) floats(twin)[i] = static_cast<float>(i) + 0.5f;
    EXPECT_EQ(constant_in(seal(twin)), constant_in(sealed)) << "equal bytes are one constant";
    draft = Value();
    Value seen = view(sealed, {n, 1});
    sealed = Value();
    EXPECT_EQ(floats(seen)[n - 1], static_cast<float>(n) - 0.5f);
  }
}

TEST_F(Constants, RefuseWhatTheyAreNot) {
  Value other = call([&](TnValue* ret) {
    const int64_t shape[] = {2};
    return builder().runtime()->tensor({kDLCPU, 0}, kFloat32, 1, shape, ret);
  });
  EXPECT_EQ(error_of([&] { seal(other); }).message, "the value is no tensor that tenon.host.constants made");
  EXPECT_EQ(error_of([&] { seal(Value(3)); }).code, TN_ERROR_ARGUMENT);
  EXPECT_EQ(error_of([&] { view(seal(tensor({2})), {3}); }).message,
            "a constant of 8 bytes is viewed as a tensor of 12");
  EXPECT_NE(error_of([&] { tensor({-1}); }).code, 0);
}

TEST_F(Constants, AreNotWritten) {
  Tensor<float> a({3}, 1.f);
  Value constant = view(seal(tensor({3})), {3});
  const Error e = error_of([&] { run(module(), "triple", {a.value(), constant}); });
  EXPECT_NE(e.message.find("read only"), std::string::npos) << e.message;
  run(module(), "triple", {constant, a.value()});
  EXPECT_EQ(a.data(), std::vector<float>(3, 0.f));
}

}  // namespace
}  // namespace tenon::test
