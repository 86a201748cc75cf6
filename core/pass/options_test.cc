#include "pass/options.h"

#include <gtest/gtest.h>

#include "ir/ir_table.h"

namespace tenon {
namespace {

class Options : public testing::Test {
 protected:
  // The message and the hint of every complaint, one a line.
  std::string complaints(const Builder::Entries& given) {
    std::string out;
    complete_options(b_, schemas_, b_.map(given), {"pass p:q", {}},
                     [&](const Error& e) { out += e.message + (e.hint.empty() ? "" : "; " + e.hint) + "\n"; });
    return out;
  }
  Builder b_ = core_builder();
  OptionSchemas schemas_{
      {"steps", OptionType::kInt, false, Value(10), {}, ""},
      {"mode", OptionType::kString, false, b_.string("fast"), {b_.string("fast"), b_.string("slow")}, ""},
      {"ratio", OptionType::kFloat, false, Value(0.5), {}, ""},
      {"axis", OptionType::kInt, false, Value(), {}, ""},
      {"name", OptionType::kString, true, Value(), {}, "of the thing"}};
};

TEST_F(Options, RefusesWhatIsUnknownMissingOrOfTheWrongType) {
  EXPECT_EQ(complaints({{"stesp", Value(1)}, {"name", b_.string("x")}}),
            "pass p:q has no option 'stesp'; did you mean 'steps'?\n");
  EXPECT_EQ(complaints({}), "pass p:q needs the option 'name', which is not given; it takes a string: of the thing\n");
  EXPECT_EQ(complaints({{"name", Value(3)}, {"steps", b_.string("many")}}),
            "option 'steps' of pass p:q takes an integer, not a string (\"many\")\n"
            "option 'name' of pass p:q takes a string, not an integer (3)\n");
  EXPECT_EQ(complaints({{"name", b_.string("x")}, {"mode", b_.string("slwo")}}),
            "option 'mode' of pass p:q takes one of \"fast\", \"slow\", not \"slwo\"; did you mean 'slow'?\n");
  EXPECT_EQ(complaints({{"name", b_.string("x")}, {"steps", Value()}}),
            "option 'steps' of pass p:q takes an integer, not nothing\n");
}

TEST_F(Options, FillsInDefaults) {
  Map m = complete_options(b_, schemas_, b_.map({{"name", b_.string("x")}, {"ratio", Value(2)}, {"axis", Value()}}),
                           {"pass p:q", {}});
  EXPECT_EQ(value_text(Value(m)), "{axis: null, mode: \"fast\", name: \"x\", ratio: 2, steps: 10}");
  EXPECT_TRUE(m.find("ratio")->is_float());
}

}  // namespace
}  // namespace tenon
