#include "diag/render.h"

#include <gtest/gtest.h>

#include <fstream>

namespace tenon {
namespace {

TEST(Render, ReadsPlaces) {
  EXPECT_EQ(parse_place("dir/a.py:12:3").file, "dir/a.py");
  EXPECT_EQ(parse_place("dir/a.py:12:3").line, 12);
  EXPECT_EQ(parse_place("dir/a.py:12:3").column, 3);
  EXPECT_EQ(parse_place("a.py:12").line, 0);
  EXPECT_EQ(parse_place("function main, tir.exp").line, 0);
  EXPECT_EQ(parse_place("a.py:99999999999:1").line, 0);
}

TEST(Render, ShowsTheSourceLine) {
  std::string file = testing::TempDir() + "render_test.txt";
  std::ofstream(file) << "one\ntwo three\n";
  Error e(TN_ERROR_PARSE, "no", file + ":2:5", "write four");
  EXPECT_EQ(render_error(e), "error: no\n  at " + file + ":2:5\n   | two three\n   |     ^\n  hint: write four\n");
}

TEST(Render, CountsCharactersAndShowsNoBytesThatATerminalWouldObey) {
  std::string file = testing::TempDir() + "render_test.txt";
  std::ofstream(file) << "\xc3\xa9\xc3\xa9 x\r\n\x1b[2J x\n";
  EXPECT_EQ(render_error(Error(TN_ERROR_PARSE, "no 'x\x1b[2J'", file + ":1:4")),
            "error: no 'x\\x1B[2J'\n  at " + file + ":1:4\n   | \xc3\xa9\xc3\xa9 x\n   |    ^\n");
  EXPECT_EQ(render_error(Error(TN_ERROR_PARSE, "no", file + ":2:5")), "error: no\n  at " + file + ":2:5\n");
}

TEST(Render, ShowsCausesAndLivesWithoutTheFile) {
  Error e(TN_ERROR_IO, "outer", "/no/such/file:1:1");
  e.cause = std::make_shared<Error>(TN_ERROR_IO, "inner");
  EXPECT_EQ(render_error(e), "error: outer\n  at /no/such/file:1:1\n  because: inner\n");
}

}  // namespace
}  // namespace tenon
