#include "diag/utf8.h"

#include <gtest/gtest.h>

namespace tenon {
namespace {

TEST(Utf8, FindsTheFirstByteThatIsNoText) {
  EXPECT_EQ(find_not_utf8(""), std::string_view::npos);
  EXPECT_EQ(find_not_utf8("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"), std::string_view::npos);
  EXPECT_EQ(find_not_utf8("ab\xff"), 2u);
  EXPECT_EQ(find_not_utf8("ab\xc3"), 2u);            // cut off
  EXPECT_EQ(find_not_utf8("\xc0\x80"), 0u);          // overlong
  EXPECT_EQ(find_not_utf8("\xe0\x80\x80"), 0u);      // overlong
  EXPECT_EQ(find_not_utf8("x\xed\xa0\x80"), 1u);     // a surrogate
  EXPECT_EQ(find_not_utf8("\xf4\x90\x80\x80"), 0u);  // behind the last character
}

TEST(Utf8, CountsCharacters) {
  EXPECT_EQ(characters_before("abc", 2), 2u);
  EXPECT_EQ(characters_before("\xc3\xa9\xc3\xa9x", 4), 2u);
  EXPECT_EQ(characters_before("\xf0\x9f\x98\x80x", 4), 1u);
}

TEST(Utf8, ShowsWhatATerminalWouldObey) {
  EXPECT_EQ(printable("a\x1b[2Jb\x7f\xff"), "a\\x1B[2Jb\\x7F\\xFF");
  EXPECT_EQ(printable("caf\xc3\xa9\n\t"), "caf\xc3\xa9\n\t");
  EXPECT_EQ(printable("\xc2\x9b"), "\\xC2\\x9B");  // the escape of eight bits
}

TEST(Utf8, ShowsWhatNobodySees) {
  EXPECT_EQ(printable("a\u200bb"), "a\\xE2\\x80\\x8Bb");                     // of no width
  EXPECT_EQ(printable("\u202eb\u2069"), "\\xE2\\x80\\xAEb\\xE2\\x81\\xA9");  // the other way round
  EXPECT_EQ(printable("\ufeff\u00ad"), "\\xEF\\xBB\\xBF\\xC2\\xAD");
  EXPECT_EQ(printable("\u200a\u2010\u202f\u00a9\U0001f600"), "\u200a\u2010\u202f\u00a9\U0001f600");
}

TEST(Utf8, ShortensToOneLine) {
  EXPECT_EQ(shortened("one\ntwo"), "one\\ntwo");
  EXPECT_EQ(shortened("abcdef", 3), "abc...");
  EXPECT_EQ(shortened("abc", 3), "abc");
  EXPECT_EQ(shortened("\xc3\xa9\xc3\xa9\xc3\xa9", 2), "\xc3\xa9\xc3\xa9...");
}

}  // namespace
}  // namespace tenon
