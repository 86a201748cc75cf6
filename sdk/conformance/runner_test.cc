#include "runner.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "process.h"

namespace tenon::texttest {
namespace {

namespace fs = std::filesystem;

class RunnerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "tenon-runner-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    options_.bin = folder_ + "/bin";
  }
  void TearDown() override { fs::remove_all(folder_); }

  TestResult run(const std::string& text) {
    path_ = folder_ + "/t.test";
    std::ofstream(path_) << text;
    return run_test(path_, options_);
  }
  static bool has(const TestResult& r, const std::string& part) { return r.report.find(part) != std::string::npos; }

  std::string folder_, path_;
  RunOptions options_;
};

TEST_F(RunnerTest, DifferentOutputFails) {
  TestResult r = run("# run: cat %in\n# --- in.txt\nb\n# --- expect\na\n");
  EXPECT_EQ(r.outcome, Outcome::failed);
  EXPECT_TRUE(has(r, "    - a\n    + b\n")) << r.report;
  EXPECT_TRUE(has(r, "(line 4)")) << r.report;
}
TEST_F(RunnerTest, AnUnexpectedExitFailsAndCannotBeBlessed) {
  options_.bless = true;
  TestResult r = run("# run: echo why >&2; exit 3\n");
  EXPECT_EQ(r.outcome, Outcome::failed);
  EXPECT_TRUE(has(r, "it exited 3, expected 0")) << r.report;
  EXPECT_TRUE(has(r, "why")) << r.report;
}
TEST_F(RunnerTest, ACommandThatShouldFailMustFail) {
  EXPECT_EQ(run("# run: true\n# exit: 1\n").outcome, Outcome::failed);
}
TEST_F(RunnerTest, TheMessageOfAFailureMustBeWrittenDown) {
  EXPECT_EQ(run("# run: echo no >&2; exit 1\n# exit: 1\n").outcome, Outcome::failed);
  EXPECT_EQ(run("# run: echo no >&2; exit 1\n# exit: 1\n# --- expect-stderr\nno\n").outcome, Outcome::passed);
  EXPECT_EQ(run("# run: echo no >&2; exit 1\n# exit: 1\n# --- expect-stderr\nyes\n").outcome, Outcome::failed);
}
TEST_F(RunnerTest, ASignalAndATimeoutAreNamed) {
  EXPECT_TRUE(has(run("# run: kill -SEGV $$\n"), "signal 11"));
  EXPECT_TRUE(has(run("# run: sleep 30\n# timeout: 1\n"), "longer than 1 s"));
}
TEST_F(RunnerTest, LaterCommandsRunOnlyAfterSuccess) {
  EXPECT_EQ(run("# run: echo a\n# run: false\n# run: echo b\n# exit: 1\n# --- expect\na\n").outcome, Outcome::passed);
}
TEST_F(RunnerTest, FilesThatTheCommandWritesAreCompared) {
  EXPECT_EQ(run("# run: echo x >o\n# --- expect o\nx\n").outcome, Outcome::passed);
  EXPECT_EQ(run("# run: echo y >o\n# --- expect o\nx\n").outcome, Outcome::failed);
  EXPECT_TRUE(has(run("# run: true\n# --- expect o\nx\n"), "did not write"));
}
TEST_F(RunnerTest, PathsAreReplacedByTheirNames) {
  EXPECT_EQ(run("# run: pwd; echo %dir %sdk\n# --- expect\n%tmp\n%dir %dir\n").outcome, Outcome::passed);
}
TEST_F(RunnerTest, PathsWithSpacesAndQuotesAreOneWord) {
  folder_ = (fs::path(folder_) / "a b's \"c$d").string();
  fs::create_directories(folder_);
  std::ofstream(folder_ + "/f.txt") << "1\n";
  TestResult r =
      run("# run: cat %dir/f.txt \"%dir/f.txt\" '%dir/f.txt'; echo \"it's\" %dir \\\" %dir\n"
          "# --- expect\n1\n1\n1\nit's %dir \" %dir\n");
  EXPECT_EQ(r.outcome, Outcome::passed) << r.report;
  folder_ = fs::path(folder_).parent_path().string();
}
TEST_F(RunnerTest, ContinuedCommandsAndSeveralInputs) {
  EXPECT_EQ(run("# run: cat a/b.txt \\\n#   c.txt\n# --- a/b.txt\n1\n# --- c.txt\n2\n# --- expect\n1\n2\n").outcome,
            Outcome::passed);
}
TEST_F(RunnerTest, BlessRewritesWhatDiffersAndKeepsTheRest) {
  options_.bless = true;
  TestResult r = run("# A note.\n# run: cat %in\n# --- in.txt\nb\n# --- expect\na\n");
  EXPECT_EQ(r.outcome, Outcome::blessed);
  EXPECT_EQ(read_file(path_), "# A note.\n# run: cat %in\n# --- in.txt\nb\n# --- expect\nb\n");
  options_.bless = false;
  EXPECT_EQ(run_test(path_, options_).outcome, Outcome::passed);
}
TEST_F(RunnerTest, BlessKeepsPatternsThatMatch) {
  options_.bless = true;
  std::string text = "# run: echo 12 ms\n# --- expect\n{{[0-9]+}} ms\n";
  EXPECT_EQ(run(text).outcome, Outcome::passed);
  EXPECT_EQ(read_file(path_), text);
}
TEST_F(RunnerTest, BlessAddsTheSectionsOfANewTest) {
  options_.bless = true;
  EXPECT_EQ(run("# run: echo a; echo b >&2; exit 2\n# exit: 2\n").outcome, Outcome::blessed);
  EXPECT_EQ(read_file(path_),
            "# run: echo a; echo b >&2; exit 2\n# exit: 2\n# --- expect\na\n# --- expect-stderr\nb\n");
}
TEST_F(RunnerTest, MalformedTestsSayWhere) {
  EXPECT_TRUE(has(run("# --- in\nx\n"), "no '# run: COMMAND' line"));
  EXPECT_TRUE(has(run("# run: x\n# --- a\n# --- a\n"), ":3: the section 'a' stands twice"));
  EXPECT_TRUE(has(run("# run: x\n# --- ../a\n"), "leaves the folder"));
  EXPECT_TRUE(has(run("# run: x\n# exit: y\n"), ":2: 'y' is not a number"));
  EXPECT_TRUE(has(run("run: x\n"), "must begin with '#'"));
  EXPECT_TRUE(has(run("# run: echo\n# --- expect\n{{[}}\n"), "no regular expression"));
  EXPECT_EQ(run_test(folder_ + "/absent.test", options_).outcome, Outcome::malformed);
}

}  // namespace
}  // namespace tenon::texttest
