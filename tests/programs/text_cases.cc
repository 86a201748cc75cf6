// Every program of this folder verifies, and reads back equal from its printed text.

#include "harness.h"

namespace tenon::programs {
namespace {

class ProgramText : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, ProgramText, ::testing::ValuesIn(program_files()), program_name);

TEST_P(ProgramText, VerifiesAndReadsBackEqual) {
  Session session;
  const Node module = session.parse(GetParam());
  session.verify(module);
  const std::string text = session.print(module);
  const Node again = session.parse_text(text, "printed.py");
  EXPECT_EQ(session.difference(module, again), "") << text;
  EXPECT_EQ(session.print(again), text);
}

TEST_P(ProgramText, BeginsWithAHeader) {
  const std::string text = read_program(GetParam());
  EXPECT_EQ(text.substr(0, 2), "# ") << "the header says what the program shows and what its parameters are";
}

}  // namespace
}  // namespace tenon::programs
