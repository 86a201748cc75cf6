#include "test_file.h"

#include <charconv>
#include <set>

namespace tenon::texttest {
namespace {

constexpr std::string_view kSection = "# --- ";

bool starts_with(std::string_view s, std::string_view prefix) { return s.substr(0, prefix.size()) == prefix; }

std::string strip(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return std::string(s);
}

class Parser {
 public:
  Parser(const std::string& path, const std::string& text) : text_(text) { test_.path = path; }

  TestFile parse() {
    std::string_view rest = text_;
    while (!rest.empty()) {
      size_t end = rest.find('\n');
      std::string_view line = rest.substr(0, end);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
      ++line_;
      if (starts_with(line, kSection))
        open_section(strip(line.substr(kSection.size())));
      else if (test_.sections.empty())
        header_line(line);
      else
        test_.sections.back().text.append(line).append("\n");
    }
    if (continued_) fail("the last '# run:' ends in a backslash, but no line follows");
    if (test_.runs.empty()) fail("the test has no '# run: COMMAND' line before its first section");
    return std::move(test_);
  }

 private:
  [[noreturn]] void fail(const std::string& message) const {
    throw MalformedTest(test_.path + ":" + std::to_string(line_) + ": " + message);
  }

  void open_section(std::string name) {
    if (continued_) fail("the '# run:' before this section ends in a backslash");
    if (name.empty()) fail("a section needs a name: '# --- in.py' or '# --- expect'");
    if (!names_.insert(name).second) fail("the section '" + name + "' stands twice");
    Section s{std::move(name), "", line_};
    std::string file = s.is_expectation() ? s.expected_file() : s.name;
    if (starts_with(file, "/") || ("/" + file + "/").find("/../") != std::string::npos)
      fail("the file '" + file + "' leaves the folder of the test; use a relative name");
    test_.sections.push_back(std::move(s));
  }

  void header_line(std::string_view line) {
    test_.header.append(line).append("\n");
    if (strip(line).empty()) return;
    if (line[0] != '#') fail("a line before the first section must begin with '#'");
    std::string content = strip(line.substr(1));
    if (continued_)
      add_run(content, true);
    else if (starts_with(content, "run:"))
      add_run(strip(std::string_view(content).substr(4)), false);
    else if (starts_with(content, "exit:"))
      test_.exit = number(content.substr(5));
    else if (starts_with(content, "timeout:"))
      test_.timeout_s = number(content.substr(8));
  }

  void add_run(std::string command, bool append) {
    continued_ = !command.empty() && command.back() == '\\';
    if (continued_) command.pop_back();
    if (append)
      test_.runs.back() += command;
    else
      test_.runs.push_back(command);
    if (!continued_ && strip(test_.runs.back()).empty()) fail("'# run:' needs a command");
  }

  int number(const std::string& text) const {
    std::string digits = strip(text);
    int n = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
    if (error != std::errc{} || end != digits.data() + digits.size() || n < 0) fail("'" + digits + "' is not a number");
    return n;
  }

  const std::string& text_;
  TestFile test_;
  std::set<std::string> names_;
  int line_ = 0;
  bool continued_ = false;
};

}  // namespace

bool Section::is_expectation() const {
  return name == kExpectStdout || name == kExpectStderr || starts_with(name, "expect ");
}

std::string Section::expected_file() const { return starts_with(name, "expect ") ? strip(name.substr(7)) : ""; }

Section* TestFile::find(const std::string& name) {
  for (Section& s : sections)
    if (s.name == name) return &s;
  return nullptr;
}

std::string TestFile::first_input() const {
  for (const Section& s : sections)
    if (!s.is_expectation()) return s.name;
  return "";
}

std::string TestFile::text() const {
  std::string out = header;
  for (const Section& s : sections) out += std::string(kSection) + s.name + "\n" + s.text;
  return out;
}

TestFile parse_test(const std::string& path, const std::string& text) { return Parser(path, text).parse(); }

}  // namespace tenon::texttest
