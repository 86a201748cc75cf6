// `evaluate` through the host: values in, one value out, by the dtypes of the call.
#include <gtest/gtest.h>
#include <tenon/compiler.h>
#include <tenon/cxx/builder.h>
#include <tenon/ext/op.h>

#include <cmath>
#include <string>
#include <vector>

namespace tenon {
namespace {

class Evaluate : public ::testing::Test {
 protected:
  Evaluate() : b_(nullptr, nullptr) {
    const TnCompiler* compiler = tn_compiler();
    const TnValue none{TN_NONE, 0, {0}};
    call([&](TnValue* ret) { return compiler->session_create(&none, &session_, ret); });
    b_ = Builder(compiler->runtime, static_cast<const TnHostIr*>(compiler->service(session_, TN_HOST_IR)));
    ops_ = static_cast<const TnHostOps*>(compiler->service(session_, TN_HOST_OPS));
  }
  ~Evaluate() override { tn_compiler()->session_destroy(session_); }

  Value evaluate(const char* op, DLDataType type, DLDataType args_type, std::vector<Value> values) {
    std::vector<Node> args;
    for (size_t i = 0; i < values.size(); ++i) args.push_back(b_.var("x", args_type));
    Node c =
        b_.make<ir::Call>({type, b_.make<ir::Op>({Value(), b_.string(op)}), b_.array(args), b_.map({}), b_.array({})});
    return call([&](TnValue* ret) {
      return ops_->evaluate(ops_->self, nullptr, c.get(), reinterpret_cast<const TnValue*>(values.data()),
                            static_cast<int32_t>(values.size()), ret);
    });
  }
  int32_t code_of(const char* op, DLDataType type, DLDataType args_type, std::vector<Value> values) {
    try {
      evaluate(op, type, args_type, std::move(values));
    } catch (const Error& e) { return e.code; }
    return 0;
  }

  TnSession* session_ = nullptr;
  Builder b_;
  const TnHostOps* ops_ = nullptr;
};

TEST_F(Evaluate, RefusesWhatItCannot) {
  EXPECT_EQ(code_of("tir.exp", kInt32, kInt32, {Value(1)}), TN_ERROR_UNSUPPORTED);
  EXPECT_EQ(code_of("tir.exp", kFloat32, kFloat32, {Value(1.0), Value(2.0)}), TN_ERROR_UNSUPPORTED);
  EXPECT_EQ(code_of("tir.exp", kFloat32, kFloat32, {Value("one")}), TN_ERROR_UNSUPPORTED);
  EXPECT_EQ(code_of("tir.call_packed", kFloat32, kFloat32, {Value(1.0)}), TN_ERROR_UNSUPPORTED);
  EXPECT_EQ(code_of("tir.reinterpret", kInt64, kFloat32, {Value(1.0)}), TN_ERROR_UNSUPPORTED);
}

TEST_F(Evaluate, ComputesInThePrecisionOfTheCall) {
  EXPECT_EQ(evaluate("tir.sqrt", kFloat32, kFloat32, {Value(2.0)}).as_float(), static_cast<double>(std::sqrt(2.0f)));
  EXPECT_EQ(evaluate("tir.sqrt", kFloat64, kFloat64, {Value(2.0)}).as_float(), 1.4142135623730951);
  EXPECT_EQ(evaluate("tir.shift_left", kInt32, kInt32, {Value(3), Value(30)}).as_int(), -1073741824);
  EXPECT_TRUE(evaluate("tir.isnan", kBool, kFloat32, {Value(NAN)}).as_bool());
  EXPECT_TRUE(evaluate("tir.isnan", kBool, kFloat32, {Value(NAN)}).is_bool());
  EXPECT_EQ(evaluate("tir.max_value", make_dtype(kDLUInt, 8), kFloat32, {}).as_int(), 255);
  EXPECT_EQ(evaluate("tir.reinterpret", kInt32, kFloat32, {Value(1.0)}).as_int(), 0x3f800000);
}

}  // namespace
}  // namespace tenon
