// Each seeded violation of the contract is reported by the validation layer, with the number of its rule.
#include <gtest/gtest.h>
#include <tenon/testing.h>

#include <cstdlib>
#include <fstream>
#include <regex>
#include <set>

namespace tenon {
namespace {

using test::error_of;

// Stages to run one after another; the last one names the rule that is broken.
struct Seed {
  std::vector<const char*> ways;
};
const Seed kSeeds[] = {
    {{"E3_changed"}},
    {{"E3_gone"}},
    {{"E4_table", "none"}},
    {{"E7_host"}},
    {{"E7_service"}},
    {{"E8_null"}},
    {{"E8_other"}},
    {{"T1_analyzer"}},
    {{"T2_threads"}},
    {{"T3_scratch"}},
    {{"fresh", "O1_keep", "O1_use"}},
    {{"O2_node"}},
    {{"O2_element"}},
    {{"O2_slot"}},
    {{"O2_analyzed"}},
    {{"O2_result"}},
    {{"O3_node"}},
    {{"O3_string"}},
    {{"O3_element"}},
    {{"O4_module"}},
    {{"O4_options"}},
    {{"O5_result"}},
    {{"O5_callback"}},
    {{"O6_string"}},
    {{"O6_node"}},
    {{"O6_error"}},
    {{"O6_tensor"}},
    {{"O7_module"}},
    {{"O7_options"}},
    {{"O8_kept"}},
    {{"O8_foreign"}},
    {{"O8_twice"}},
    {{"O9_keep", "O9_report"}},
    {{"O9_keep", "O9_signature"}},
    {{"F1_slot"}},
    {{"F1_walk"}},
    {{"F1_rewrite"}},
    {{"F1_task"}},
    {{"F2_status"}},
    {{"F3_nothing"}},
    {{"F3_value"}},
    {{"F4_code"}},
    {{"F4_message"}},
    {{"F5_error"}},
    {{"F6_dropped"}},
    {{"F7_status"}},
    {{"F7_error"}},
    {{"V1_text"}},
    {{"V2_type"}},
    {{"V2_address"}},
    {{"V2_null"}},
    {{"V2_bool"}},
    {{"V2_small"}},
    {{"V2_label"}},
    {{"V2_argument"}},
    {{"V2_cause"}},
    {{"V3_node"}},
    {{"V3_value"}},
    {{"V3_text"}},
    {{"V3_message"}},
    {{"V3_service"}},
    {{"V4_callback"}},
    {{"V5_severity"}},
    {{"N1_kind"}},
    {{"N1_slot"}},
    {{"N1_deep"}},
    {{"N2_map"}},
    {{"N2_string"}},
    {{"N3_argument"}},
    {{"N3_result"}},
    {{"S1_after"}},
    {{"S1_twice"}},
    {{"S2_leave"}},
    {{"S3_left"}},
    {{"P1_rounding"}},
    {{"P2_locale"}},
    {{"P2_directory"}},
    {{"P2_signals"}},
};

constexpr const char* kInput = R"(
@I.ir_module
class Module:
    @T.prim_func
    def kernel(A: T.Buffer((8,), "float32")):
        A[0] = T.float32(1)
)";

Builder maker() { return Builder(tn_compiler()->runtime, nullptr); }
Value options(bool validate) {
  Builder b = maker();
  return b.map({{"plugin_dirs", Value(b.array({b.string(PLUGINS_DIR)}))},
                {"probe", Value(false)},
                {"validate", Value(validate)}});
}

// The rules that were broken, and what was said, after the stages ran and the plugin was destroyed.
struct Found {
  std::set<std::string> rules;
  std::string text;
  Error error{0, ""};
};
void take(const CompilerSession& session, Found* found) {
  Value violations = session.violations(true);
  for (const Value& v : violations.ref<Array>()) {
    const Map& m = v.ref<Map>();
    found->rules.insert(std::string(m.find("rule")->as_string()));
    found->text += std::string(m.find("rule")->as_string()) + ": " + std::string(m.find("message")->as_string()) + "\n";
    EXPECT_EQ(m.find("plugin")->as_string(), "violator");
  }
}
Found run(const CompilerSession& session, const std::vector<const char*>& ways) {
  const Builder& b = session.builder();
  Node module = session.parse(kInput, "in.py");
  std::vector<Value> stages;
  for (const char* way : ways)
    stages.push_back(
        Value(b.map({{"pass", b.string("violator:break")}, {"options", Value(b.map({{"way", b.string(way)}}))}})));
  Found found;
  found.error =
      error_of([&] { session.run_pipeline(module, Value(b.array(stages)), b.map({{"verify", Value(false)}})); });
  take(session, &found);
  return found;
}

class Validation : public testing::TestWithParam<Seed> {};

TEST_P(Validation, ReportsTheRule) {
  CompilerSession session(tn_compiler(), options(true));
  std::string way = GetParam().ways.front();
  for (const char* w : GetParam().ways)
    if (std::string_view(w) != "none") way = w;
  std::string rule = way.substr(0, way.find('_'));
  Found found = run(session, GetParam().ways);
  EXPECT_EQ(found.rules, std::set<std::string>{rule}) << found.text << found.error.message;
  // What is found during a call ends the call.
  bool after_the_call = rule == "O6" || rule == "O7" || rule == "S3" || rule == "E4";
  EXPECT_EQ(found.error.code, after_the_call ? 0 : TN_ERROR_PLUGIN) << found.error.message;
  std::string expected = after_the_call ? "no error" : "broke rule " + rule;
  EXPECT_NE(found.error.message.find(expected), std::string::npos) << found.error.message;
}
INSTANTIATE_TEST_SUITE_P(Seeds, Validation, testing::ValuesIn(kSeeds), [](const testing::TestParamInfo<Seed>& seed) {
  return std::string(seed.param.ways.back()) == "none" ? std::string(seed.param.ways.front())
                                                       : std::string(seed.param.ways.back());
});

// The slots of partitioners, kinds, instruments, converters, devices and loaders: each breaks each of these rules.
constexpr const char* kSlots[] = {
    "decide",       "lower",        "before",     "after",        "convert",      "list",    "open", "alloc",
    "queue_create", "fence_create", "copy_in",    "copy_out",     "copy_within",  "accepts", "load", "function",
    "queue_wait",   "queue_signal", "fence_wait", "fence_signal", "queue_cancel", "launch"};
constexpr const char* kRules[] = {"F1", "F2", "F3", "F4", "F5", "V2", "P1"};
// Slots that give nothing, and what single slots may get wrong.
constexpr const char* kSingle[] = {"F1:close",        "F1:free", "F1:queue_destroy", "F1:fence_destroy",
                                   "F1:unload",       "V4:list", "V4:open",          "V4:queue_create",
                                   "V4:fence_create", "V4:load", "V4:function",      "V5:accepts"};

TEST(ValidationLayer, StandsBeforeTheSlotsOfEveryCapability) {
  std::vector<std::string> all(std::begin(kSingle), std::end(kSingle));
  for (const char* slot : kSlots)
    for (const char* rule : kRules) all.push_back(std::string(rule) + ":" + slot);
  CompilerSession session(tn_compiler(), options(true));
  for (const std::string& way : all) {
    Found found = run(session, {way.c_str()});
    std::string rule = way.substr(0, 2);
    EXPECT_EQ(found.rules, std::set<std::string>{rule}) << way << "\n" << found.text << found.error.message;
    EXPECT_EQ(found.error.code, TN_ERROR_PLUGIN) << way << ": " << found.error.message;
    EXPECT_NE(found.error.message.find("broke rule " + rule), std::string::npos) << way << found.error.message;
  }
  for (const char* slot : kSlots) {  // and none when they do nothing wrong
    std::string way = std::string(":") + slot;
    Found found = run(session, {way.c_str()});
    EXPECT_TRUE(found.rules.empty()) << slot << "\n" << found.text;
    EXPECT_EQ(found.error.code, 0) << slot << found.error.message;
  }
  std::printf("%zu seeded violations in slots of other capabilities\n", all.size());
}

TEST(ValidationLayer, ReportsNothingOfAPluginThatIsRight) {
  CompilerSession session(tn_compiler(), options(true));
  Found found = run(session, {"none", "fresh", "none"});
  EXPECT_TRUE(found.rules.empty()) << found.text;
  EXPECT_EQ(found.error.code, 0) << found.error.message;
}

TEST(ValidationLayer, ReportsUseOfTheHostAfterDestroy) {
  for (const char* way : {"E9_host", "E9_service"}) {
    { run(CompilerSession(tn_compiler(), options(true)), {"none"}); }  // its host is kept
    CompilerSession session(tn_compiler(), options(true));
    Found found = run(session, {way});
    EXPECT_EQ(found.rules, std::set<std::string>{"E9"}) << way << found.text;
  }
}

TEST(ValidationLayer, ReportsASmallTable) {
  setenv("VIOLATE_TABLE", "1", 1);
  CompilerSession session(tn_compiler(), options(true));
  Node module = session.parse(kInput, "in.py");
  Error e = error_of([&] { session.generate(module, "violator", Value()); });
  EXPECT_EQ(e.code, TN_ERROR_PLUGIN);
  Found found;
  take(session, &found);
  EXPECT_EQ(found.rules, std::set<std::string>{"E5"}) << found.text;
  unsetenv("VIOLATE_TABLE");
}

TEST(ValidationLayer, LooksAtCreate) {
  for (const char* way : {"E6_instance", "F3_create", "F1_create"}) {
    setenv("VIOLATE_CREATE", way, 1);
    CompilerSession session(tn_compiler(), options(true));
    Found found = run(session, {"none"});
    unsetenv("VIOLATE_CREATE");
    EXPECT_TRUE(found.rules.contains(std::string(way, 2))) << way << ": " << found.text;
    EXPECT_EQ(found.error.code, TN_ERROR_PLUGIN) << way << ": " << found.error.message;
  }
}

TEST(ValidationLayer, IsOffUnlessAskedFor) {
  CompilerSession session(tn_compiler(), options(false));
  Found found = run(session, {"O6_string", "S3_left"});
  EXPECT_TRUE(found.rules.empty()) << found.text;
  EXPECT_EQ(found.error.code, 0);
  setenv("TENON_VALIDATE", "1", 1);
  Builder b = maker();
  CompilerSession asked(tn_compiler(),
                        b.map({{"plugin_dirs", Value(b.array({b.string(PLUGINS_DIR)}))}, {"probe", Value(false)}}));
  unsetenv("TENON_VALIDATE");
  EXPECT_EQ(run(asked, {"O6_string"}).rules, std::set<std::string>{"O6"});
}

// Every rule that the documentation gives to the layer has a seed, and every seed has a rule there.
TEST(ValidationLayer, HasSeedsForTheRulesOfTheDocumentation) {
  std::set<std::string> seeded{"E5", "E6", "E9"}, documented;
  for (const Seed& seed : kSeeds)
    for (const char* way : seed.ways) {
      std::string name = way;
      if (name.find('_') != std::string::npos) seeded.insert(name.substr(0, name.find('_')));
    }
  std::ifstream file(CONTRACT);
  for (std::string line; std::getline(file, line);) {
    std::smatch m;
    if (std::regex_match(line, m, std::regex(R"(\| ([A-Z]\d+) \|.*\|[^|]*\| yes \|[^|]*\|)"))) documented.insert(m[1]);
  }
  EXPECT_EQ(seeded, documented);
  std::printf("%zu seeded violations of %zu rules\n", std::size(kSeeds) + 6, documented.size());
  EXPECT_GE(std::size(kSeeds), 70u);
}

}  // namespace
}  // namespace tenon
