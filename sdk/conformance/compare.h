// Compares output with what a test expects, line by line, and writes the difference for people.
#ifndef TENON_CONFORMANCE_COMPARE_H
#define TENON_CONFORMANCE_COMPARE_H

#include <string>
#include <string_view>
#include <vector>

namespace tenon::texttest {

// Lines without their ends; empty lines at the end of the text are left out.
std::vector<std::string> split_lines(std::string_view text);

struct Comparison {
  bool equal;
  std::string diff;  // "" when equal; lines marked "- " (expected) and "+ " (actual) with two lines of context
};

// In the expected text, {{regex}} within a line stands for what the regular expression matches, and a line that is
// {{...}} alone stands for any number of lines. Throws std::regex_error for a malformed expression.
Comparison compare(std::string_view expected, std::string_view actual);

}  // namespace tenon::texttest
#endif
