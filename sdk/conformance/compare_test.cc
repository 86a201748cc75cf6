#include "compare.h"

#include <gtest/gtest.h>

#include <regex>

namespace tenon::texttest {
namespace {

TEST(Compare, ADifferentLineIsShownWithItsNeighbours) {
  Comparison c = compare("a\nb\nc\nd\ne\nf\n", "a\nb\nc\nD\ne\nf\n");
  EXPECT_FALSE(c.equal);
  EXPECT_EQ(c.diff, "@ 1 equal lines\n  b\n  c\n- d\n+ D\n  e\n  f\n");
}
TEST(Compare, AMissingLineAndAnAddedLineAreShown) {
  EXPECT_EQ(compare("a\nb\n", "a\n").diff, "  a\n- b\n");
  EXPECT_EQ(compare("a\n", "a\nb\n").diff, "  a\n+ b\n");
  EXPECT_FALSE(compare("", "x\n").equal);
  EXPECT_FALSE(compare("x\n", "").equal);
}
TEST(Compare, EmptyLinesAtTheEndDoNotMatter) {
  EXPECT_TRUE(compare("a\n\n", "a").equal);
  EXPECT_FALSE(compare("a\n\nb", "a\nb").equal);
}
TEST(Compare, APatternMatchesItsPartOfALineOnly) {
  EXPECT_TRUE(compare("took {{[0-9]+}} ms (a+b)", "took 12 ms (a+b)").equal);
  EXPECT_FALSE(compare("took {{[0-9]+}} ms", "took x ms").equal);
  EXPECT_FALSE(compare("took {{[0-9]+}} ms", "it took 12 ms").equal);
  EXPECT_FALSE(compare("a.b {{x}}", "a-b x").equal);
  EXPECT_TRUE(compare("{{a|b}}c", "bc").equal);
}
TEST(Compare, AnyLinesMatchesNoneAndManyButNotWhatFollows) {
  EXPECT_TRUE(compare("a\n{{...}}\nb", "a\nb").equal);
  EXPECT_TRUE(compare("a\n{{...}}\nb", "a\n1\n2\n3\nb").equal);
  EXPECT_FALSE(compare("a\n{{...}}\nb", "a\n1\n2").equal);
  EXPECT_TRUE(compare("{{...}}", "").equal);
}
TEST(Compare, AMalformedPatternThrows) { EXPECT_THROW(compare("{{[}}", "x"), std::regex_error); }
TEST(Compare, ALargeOutputShowsItsFirstDifference) {
  std::string a, b;
  for (int i = 0; i < 8000; ++i) a += "line " + std::to_string(i) + "\n", b += "line " + std::to_string(i) + "\n";
  EXPECT_TRUE(compare(a, b).equal);
  Comparison c = compare(a, b + "more\n");
  EXPECT_EQ(c.diff, "@ 8000 equal lines\n- (end)\n+ more\n");
}

}  // namespace
}  // namespace tenon::texttest
