// What is printed, exactly.
#include "ir/kind_table.h"
#include "script/test_support.h"

namespace tenon::test {
namespace {

constexpr const char* kMatmul = R"(
# from tvm.script import ir as I
# from tvm.script import tir as T

@I.ir_module
class Module:
    @T.prim_func
    def matmul(A: T.Buffer((128, 64), "float32"), B: T.Buffer((64, 32), "float32"), C: T.Buffer((128, 32), "float32")):
        T.func_attr({"tir.noalias": T.bool(True)})
        # with T.sblock("root"):
        for i, j, k in T.grid(128, 32, 64):
            with T.sblock("matmul"):
                v_i, v_j, v_k = T.axis.remap("SSR", [i, j, k])
                T.reads(A[v_i, v_k], B[v_k, v_j])
                T.writes(C[v_i, v_j])
                with T.init():
                    C[v_i, v_j] = T.float32(0.0)
                C[v_i, v_j] = C[v_i, v_j] + A[v_i, v_k] * B[v_k, v_j]
)";

TEST(Script, MatmulPrintsAsItWasWritten) {
  std::string printed = round_trip(kMatmul);
  EXPECT_EQ(printed, R"(# from tvm.script import ir as I
# from tvm.script import tir as T

@I.ir_module
class Module:
    @T.prim_func
    def matmul(A: T.Buffer((128, 64), "float32"), B: T.Buffer((64, 32), "float32"), C: T.Buffer((128, 32), "float32")):
        T.func_attr({"tir.noalias": True})
        for i, j, k in T.grid(128, 32, 64):
            with T.sblock("matmul"):
                v_i, v_j, v_k = T.axis.remap("SSR", [i, j, k])
                T.reads(A[v_i, v_k], B[v_k, v_j])
                T.writes(C[v_i, v_j])
                with T.init():
                    C[v_i, v_j] = T.float32(0.0)
                C[v_i, v_j] = C[v_i, v_j] + A[v_i, v_k] * B[v_k, v_j]
)");
}

TEST(Script, EveryNodeHasASpan) {
  Node module = read(kMatmul);
  size_t count = 0;
  core_builder().walk(Value(module), [&](const Node& n) {
    ++count;
    ASSERT_NE(n.span(), nullptr) << n.kind();
    EXPECT_STREQ(n.span()->source, "test.py");
    EXPECT_GT(n.span()->line, 0);
    EXPECT_GT(n.span()->column, 0);
  });
  EXPECT_GT(count, 50u);
  const auto& f = as_node(*module.to<ir::Module>().functions().find("matmul")).to<tir::PrimFunc>();
  // for i, j, k in T.grid(128, 32, 64): over all its lines
  EXPECT_EQ(f.body().span()->line, 11);
  EXPECT_EQ(f.body().span()->column, 9);
  EXPECT_EQ(f.body().span()->end_line, 18);
}

TEST(Script, KindsOfPluginsComeBack) {
  const SlotDeclaration slots[] = {{"width", TN_SLOT_INT, TN_ROLE_USE},   {"values", TN_SLOT_ARRAY, TN_ROLE_USE},
                                   {"result", TN_SLOT_NODE, TN_ROLE_DEF}, {"dtype", TN_SLOT_DTYPE, TN_ROLE_USE},
                                   {"scale", TN_SLOT_FLOAT, TN_ROLE_USE}, {"options", TN_SLOT_MAP, TN_ROLE_USE}};
  register_kind("com.vendor.gather/1", TN_KIND_STMT, slots);
  std::string printed = round_trip(in_function(
      R"(I.node("com.vendor.gather/1", width=4, values=[A, A[0, 1] + 1.0, 3], result=I.define("r", "float32"), dtype="int8", scale=0.5, options={"a": None})
A[0, 0] = r)"));
  EXPECT_NE(printed.find("I.node(\"com.vendor.gather/1\", width=4, values=[A, A[0, 1] + T.float32(1.0), 3], "
                         "result=I.define(\"r\", \"float32\"), dtype=\"int8\", scale=0.5, options={\"a\": "
                         "None})\n        A[0, 0] = r\n"),
            std::string::npos)
      << printed;
}

TEST(Script, LargeConstantsStandAsTheirDigest) {
  std::string row;
  for (int i = 0; i < 300; ++i) row += std::to_string(i) + ".5, ";
  Node module = read("@R.function\ndef main(x: R.Tensor((300,), \"float32\")):\n    return R.add(x, R.const([" + row +
                     "], \"float32\"))\n");
  std::string printed = round_trip(module);
  EXPECT_NE(printed.find("I.constant(I.data(\"sha256:"), std::string::npos) << printed;
  // A text whose bytes nobody has is refused at the digest.
  Error e = error_of([&] { parse(printed, "alone.py", ParseContext()); });
  EXPECT_EQ(e.code, TN_ERROR_PARSE);
  EXPECT_EQ(e.message.substr(0, 40), "no constant store here has the bytes of ");
  EXPECT_EQ(e.where.substr(0, 9), "alone.py:");
}

TEST(Script, PrimitiveTypesStandInTuples) {
  const char* head = "@R.function\ndef main(a: R.Tuple(T.int64, R.Shape([4]))):\n    return a";
  const char* spelled = "@R.function\ndef main(a: R.Tuple(R.Prim(\"int64\"), R.Shape([4]))):\n    return a";
  EXPECT_EQ(difference(Value(read(head)), Value(read(spelled))), "");
}

TEST(Script, ConstantsHoldWhatIsWritten) {
  auto bytes_of = [](const char* constant) {
    Node module = read(std::string("@R.function\ndef main():\n    return ") + constant);
    const auto& f = as_node(*module.to<ir::Module>().functions().find("main")).to<relax::Function>();
    const auto& c = f.body().to<relax::SeqExpr>().body().to<ir::Constant>();
    const auto* data = reinterpret_cast<const TnConstant*>(c.data().raw().as.object);
    return std::string(static_cast<const char*>(data->data), data->size);
  };
  auto hex = [](std::string_view s) {
    std::string out;
    static constexpr char kDigits[] = "0123456789abcdef";
    for (unsigned char c : s) out += {kDigits[c >> 4], kDigits[c & 15]};
    return out;
  };
  // From the IEEE 754 encodings; little-endian.
  EXPECT_EQ(hex(bytes_of("R.const(1.5, \"float32\")")), "0000c03f");
  EXPECT_EQ(hex(bytes_of("R.const(-2, \"float64\")")), "00000000000000c0");
  EXPECT_EQ(
      hex(bytes_of("R.const([1.0, 65504.0, 65520.0, 5.9604644775390625e-08, 2.98e-08, 0.333251953125], \"float16\")")),
      "003cff7b007c010000005535");
  EXPECT_EQ(hex(bytes_of("R.const([1.0, 1.00390625, 1.01171875], \"bfloat16\")")), "803f803f823f");
  EXPECT_EQ(hex(bytes_of("R.const([[1, -2]], \"int16\")")), "0100feff");
  EXPECT_EQ(hex(bytes_of("R.const([True, False])")), "0100");
  EXPECT_EQ(hex(bytes_of("R.const(T.float32(\"inf\"), \"float32\")")), "0000807f");
  EXPECT_EQ(hex(bytes_of("R.const([\"inf\", \"-inf\", \"nan\", -0.0], \"float32\")")),
            "0000807f000080ff0000c07f00000080");
}

}  // namespace
}  // namespace tenon::test
