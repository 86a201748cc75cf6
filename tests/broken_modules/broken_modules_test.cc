// Every way in which a pass can return a broken module is caught, and the pass is named.
#include <gtest/gtest.h>
#include <tenon/testing.h>

#include <set>

#include "ways.h"

namespace tenon {
namespace {

struct Row {
  const char* way;
  const char* says;
};
#define WAY(way, says) {#way, says},
constexpr Row kRows[] = {WAYS(WAY)};
#undef WAY

constexpr const char* kInput = R"(
@I.ir_module
class Module:
    @T.prim_func
    def kernel(A: T.Buffer((8,), "float32")):
        A[0] = T.float32(1)
)";

const CompilerSession& session() {
  static const CompilerSession& s = *[] {
    Builder b(tn_compiler()->runtime, nullptr);
    return new CompilerSession(
        tn_compiler(), b.map({{"plugin_dirs", Value(b.array({b.string(PLUGINS_DIR)}))}, {"probe", Value(false)}}));
  }();
  return s;
}

class BrokenModules : public testing::TestWithParam<Row> {};

TEST_P(BrokenModules, IsCaughtAndThePassIsNamed) {
  const Builder& b = session().builder();
  Node module = session().parse(kInput, "in.py");
  Value stages = b.array({Value(b.map(
      {{"pass", b.string("broken-modules:break")}, {"options", Value(b.map({{"way", b.string(GetParam().way)}}))}}))});
  Error e = test::error_of([&] { session().run_pipeline(module, stages, Value()); });
  EXPECT_EQ(e.code, TN_ERROR_PLUGIN) << e.message;
  EXPECT_NE(e.message.find("broken-modules:break: "), std::string::npos) << e.message;
  EXPECT_NE(e.message.find(GetParam().says), std::string::npos) << e.message;
  session().verify(module);  // nothing was done to the input
}
INSTANTIATE_TEST_SUITE_P(All, BrokenModules, testing::ValuesIn(kRows),
                         [](const testing::TestParamInfo<Row>& row) { return std::string(row.param.way); });

// Causes are counted by the words in which they are refused.
TEST(BrokenModulesTable, HasFortyCauses) {
  std::set<std::string> says;
  for (const Row& row : kRows) says.insert(row.says);
  std::printf("%zu ways, %zu causes\n", std::size(kRows), says.size());
  EXPECT_GE(says.size(), 60u);
}

}  // namespace
}  // namespace tenon
