// Every program of this folder verifies, and reads back equal from its printed text.
#include <filesystem>
#include <set>

#include "harness.h"

namespace tenon::programs {
namespace {

std::vector<std::string> files() {
  std::set<std::string> found;
  for (const char* folder : {"loop", "graph"})
    for (const auto& entry : std::filesystem::directory_iterator(std::string(PROGRAMS_DIR) + "/" + folder))
      if (entry.path().extension() == ".py") found.insert(std::string(folder) + "/" + entry.path().filename().string());
  return {found.begin(), found.end()};
}

class ProgramText : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, ProgramText, ::testing::ValuesIn(files()), [](const auto& info) {
  std::string name = info.param.substr(0, info.param.size() - 3);
  for (char& c : name)
    if (c == '/') c = '_';
  return name;
});

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
