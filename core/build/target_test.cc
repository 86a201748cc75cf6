#include "build/target.h"

#include <gtest/gtest.h>

#include "ir/ir_table.h"
#include "pass/options.h"

namespace tenon {
namespace {

class Target : public testing::Test {
 protected:
  std::string failure(const std::string& text) {
    try {
      parse_target(b_, text);
      return "no failure";
    } catch (const Error& e) { return e.message + "; " + e.hint; }
  }
  Builder b_ = core_builder();
};

TEST_F(Target, RefusesWhatIsNoTarget) {
  EXPECT_EQ(failure(""), "the target '' names no kind; write cpu, or KIND:FEATURES");
  EXPECT_EQ(failure("cpu:avx2"),
            "the feature 'avx2' of target 'cpu:avx2' has no sign; write +avx2 to use it or -avx2 not to");
  EXPECT_THROW(resolve_target(b_, b_.map({{"features", b_.array({})}})), Error);
  EXPECT_THROW(resolve_target(b_, b_.map({{"kind", b_.string("cpu")}, {"features", Value(3)}})), Error);
}

TEST_F(Target, ReadsWhatTheKernelSaysAboutTheCpu) {
  const char* x86 =
      "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu pni avx2 avx avx512_bf16 abm pnix\nbugs\t: fma\n";
  EXPECT_EQ(features_from_cpuinfo(x86, true),
            (std::vector<std::string>{"+avx", "+avx2", "+avx512bf16", "+lzcnt", "+sse3"}));
  const char* arm = "processor : 0\nFeatures : fp asimd asimddp sve atomics\n";
  EXPECT_EQ(features_from_cpuinfo(arm, false), (std::vector<std::string>{"+dotprod", "+lse", "+neon", "+sve"}));
  EXPECT_TRUE(features_from_cpuinfo("", true).empty());
}

TEST_F(Target, SpellsOutFeatures) {
  Map t = parse_target(b_, "cpu:+fma,+avx2");
  EXPECT_EQ(value_text(*t.find("features")), "[\"+avx2\", \"+fma\"]");
  EXPECT_EQ(t.find("kind")->as_string(), "cpu");
  EXPECT_NE(t.find("arch"), nullptr);
  EXPECT_EQ(value_text(*parse_target(b_, "cpu:generic").find("features")), "[]");
  std::vector<std::string> native = native_features();
  EXPECT_EQ(parse_target(b_, "cpu").find("features")->ref<Array>().size(), native.size());
  EXPECT_EQ(value_text(Value(parse_target(b_, "native"))), value_text(Value(parse_target(b_, "cpu"))));
  EXPECT_EQ(value_text(Value(parse_target(b_, "com.vendor.npu:v2,big"))),
            "{features: [\"big\", \"v2\"], kind: \"com.vendor.npu\"}");
}

#if defined(__x86_64__)
TEST_F(Target, AgreesWithTheCompilersViewOfTheCpu) {
  std::vector<std::string> native = native_features();
  auto has = [&](const char* f) { return std::find(native.begin(), native.end(), f) != native.end(); };
  EXPECT_EQ(has("+avx2"), __builtin_cpu_supports("avx2") != 0);
  EXPECT_EQ(has("+fma"), __builtin_cpu_supports("fma") != 0);
  EXPECT_EQ(has("+avx512f"), __builtin_cpu_supports("avx512f") != 0);
  EXPECT_EQ(has("+sse4.2"), __builtin_cpu_supports("sse4.2") != 0);
}
#endif

}  // namespace
}  // namespace tenon
