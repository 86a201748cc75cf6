// A text test as it stands in its file.
//
//   # What is tested, in a sentence.
//   # run: tenon opt %in --pass passes-loop:simplify
//   # --- in.py
//   (a file of this name is written into an empty folder, in which the command runs)
//   # --- expect
//   (what the command prints)
#ifndef TENON_CONFORMANCE_TEST_FILE_H
#define TENON_CONFORMANCE_TEST_FILE_H

#include <stdexcept>
#include <string>
#include <vector>

namespace tenon::texttest {

// Sections of these names are expectations; "expect FILE" is one too: the content of a file that the command writes.
constexpr const char* kExpectStdout = "expect";
constexpr const char* kExpectStderr = "expect-stderr";

struct Section {
  std::string name;
  std::string text;
  int line;  // of its header
  bool is_expectation() const;
  // The file that an "expect FILE" section is about, else "".
  std::string expected_file() const;
};

struct TestFile {
  std::string path;
  std::string header;             // the lines before the first section, as they stand
  std::vector<std::string> runs;  // shell commands, each run when the one before it exited 0
  int exit = 0;
  int timeout_s = 60;
  std::vector<Section> sections;

  Section* find(const std::string& name);
  // The name of the first section that is an input, or "".
  std::string first_input() const;
  std::string text() const;  // the file again
};

// What is wrong with a test file itself: "path:line: message".
struct MalformedTest : std::runtime_error {
  using std::runtime_error::runtime_error;
};

TestFile parse_test(const std::string& path, const std::string& text);

}  // namespace tenon::texttest
#endif
