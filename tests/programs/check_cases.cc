// --check-each on every program: after each pass of the default pipeline it computes what it did before.

#include "harness.h"

namespace tenon::programs {
namespace {

const DLTensor& tensor_argument(const TnValue& v) {
  return v.type_index == TN_DLTENSOR ? *static_cast<const DLTensor*>(v.as.p)
                                     : reinterpret_cast<const TnTensor*>(v.as.object)->tensor;
}
int64_t count(const DLTensor& t) {
  int64_t n = 1;
  for (int32_t d = 0; d < t.ndim; ++d) n *= t.shape[d];
  return n;
}
float* floats(const TnValue& v) {
  const DLTensor& t = tensor_argument(v);
  return reinterpret_cast<float*>(static_cast<char*>(t.data) + t.byte_offset);
}

// The external functions that programs call.
void provide_externals(Session& session) {
  session.provide("test.double_in_place", [](const TnValue* args, int32_t) {
    for (int64_t i = 0; i < count(tensor_argument(args[0])); ++i) floats(args[0])[i] *= 2;
    return Value();
  });
  session.provide("test.negate_in_place", [](const TnValue* args, int32_t) {
    for (int64_t i = 0; i < count(tensor_argument(args[0])); ++i) floats(args[0])[i] *= -1;
    return Value::share(args[0]);
  });
  session.provide("test.add_one", [](const TnValue* args, int32_t) { return Value(args[0].as.i + 1); });
  session.provide("test.negate", [](const TnValue* args, int32_t) {
    for (int64_t i = 0; i < count(tensor_argument(args[0])); ++i) floats(args[1])[i] = -floats(args[0])[i];
    return Value();
  });
  session.provide("mylib.matmul", [](const TnValue* args, int32_t) {
    const int64_t k = tensor_argument(args[1]).shape[0], m = tensor_argument(args[1]).shape[1],
                  n = count(tensor_argument(args[0])) / k;
    for (int64_t i = 0; i < n * m; ++i) {
      floats(args[2])[i] = 0;
      for (int64_t l = 0; l < k; ++l)
        floats(args[2])[i] += floats(args[0])[i / m * k + l] * floats(args[1])[l * m + i % m];
    }
    return Value();
  });
  for (const char* name : {"conv2d_relu", "conv2d_relu_1"})  // anything of the right shape: each state calls the same
    session.provide(name, [](const TnValue* args, int32_t) {
      const int64_t n = count(tensor_argument(args[0]));
      for (int64_t i = 0; i < count(tensor_argument(args[2])); ++i) floats(args[2])[i] = floats(args[0])[i % n];
      return Value();
    });
  session.provide("test.shrink", [](const TnValue* args, int32_t) {
    const DLTensor& in = tensor_argument(args[0]);
    const int64_t shape[] = {1, in.shape[1]};
    Value made =
        call([&](TnValue* ret) { return tn_compiler()->runtime->tensor({kDLCPU, 0}, kFloat32, 2, shape, ret); });
    std::copy_n(floats(args[0]), shape[1], floats(made.raw()));
    return made;
  });
}

class CheckEach : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, CheckEach, ::testing::ValuesIn(program_files()), program_name);

TEST_P(CheckEach, ComputesTheSameAfterEveryPass) {
  Session session;
  provide_externals(session);
  const Map check = session.check_each(session.parse(GetParam()), {"cpu"});
  for (const Value& v : check.find("not_checked")->ref<Array>()) {
    const Map& m = v.ref<Map>();
    // Operators get their types from the first pass: before it the interpreter cannot run them.
    EXPECT_EQ(m.find("pass")->as_string(), "input") << m.find("kind")->as_string();
  }
  EXPECT_GT(check.find("inputs")->ref<Array>().size(), 0u);
}

}  // namespace
}  // namespace tenon::programs
