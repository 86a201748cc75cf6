#include "runner.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <regex>
#include <system_error>

#include "compare.h"
#include "process.h"

namespace tenon::texttest {
namespace {

namespace fs = std::filesystem;

// A fresh folder, removed at the end: `work` in which the command runs, and the files that catch its output.
class Scratch {
 public:
  explicit Scratch(bool keep) : keep_(keep) {
    std::string pattern = (fs::temp_directory_path() / "tenon-test-XXXXXX").string();
    if (!mkdtemp(pattern.data())) throw std::system_error(errno, std::generic_category(), "cannot make " + pattern);
    root_ = fs::canonical(pattern).string();
    fs::create_directory(work());
  }
  ~Scratch() {
    std::error_code ignored;
    if (!keep_) fs::remove_all(root_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::string& root() const { return root_; }
  std::string work() const { return root_ + "/work"; }

 private:
  std::string root_;
  bool keep_;
};

struct Name {  // what stands for a path that differs between machines
  std::string placeholder, path;
};

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

// A path as it is written in a shell command at a place with this quote around it, or 0 with none.
std::string quoted_path(const std::string& path, char quote) {
  constexpr std::string_view plain = "+,-./:=@_";
  auto is_plain = [&](unsigned char c) {
    return c > 127 || std::isalnum(c) || plain.find(static_cast<char>(c)) != plain.npos;
  };
  if (std::all_of(path.begin(), path.end(), is_plain)) return path;
  std::string out;
  for (char c : path) {
    if (quote == '"' ? strchr("\\\"$`", c) != nullptr : c == '\'')
      out += quote == '"' ? std::string{'\\', c} : "'\\''";
    else
      out += c;
  }
  return quote ? out : "'" + out + "'";
}

// The command with the names replaced, whatever characters their paths have.
std::string with_paths(const std::string& command, const std::vector<Name>& names) {
  std::string out;
  char quote = 0;
  for (size_t at = 0; at < command.size();) {
    const char c = command[at];
    const Name* name = nullptr;
    for (const Name& n : names)
      if (command.compare(at, n.placeholder.size(), n.placeholder) == 0) name = &n;
    if (name) {
      out += quoted_path(name->path, quote);
      at += name->placeholder.size();
      continue;
    }
    if (c == '\\' && quote != '\'' && at + 1 < command.size())
      out += command[at++];
    else if (quote ? c == quote : c == '"' || c == '\'')
      quote = quote ? 0 : c;
    out += command[at++];
  }
  return out;
}

std::vector<std::string> environment(const std::string& bin) {
  std::vector<std::string> out;
  std::string path = bin;
  for (char** e = environ; *e; ++e) {
    std::string_view entry = *e;
    if (entry.substr(0, 5) == "PATH=")
      path += ":" + std::string(entry.substr(5));
    else if (entry.substr(0, 3) != "LC_" && entry.substr(0, 5) != "LANG=")
      out.emplace_back(entry);
  }
  out.push_back("PATH=" + path);
  out.push_back("LC_ALL=C.UTF-8");
  out.push_back("NO_COLOR=1");
  return out;
}

std::string indented(const std::string& text) {
  std::string out;
  for (const std::string& line : split_lines(text)) out += "    " + line + "\n";
  return out;
}

class Run {
 public:
  Run(TestFile test, const RunOptions& options) : test_(std::move(test)), options_(options), scratch_(options.keep) {
    names_ = {{"%tmp", scratch_.work()},
              {"%dir", fs::absolute(test_.path).parent_path().lexically_normal().string()},
              {"%sdk", fs::path(options.bin).parent_path().string()}};
    std::sort(names_.begin(), names_.end(), [](const Name& a, const Name& b) { return a.path.size() > b.path.size(); });
  }

  TestResult run() {
    write_inputs();
    execute();
    check_exit();
    bool ended_as_expected = report_.empty();
    check(kExpectStdout, result_.out, false);
    check(kExpectStderr, result_.err, test_.exit != 0);
    for (size_t i = 0; i < test_.sections.size(); ++i) {
      std::string file = test_.sections[i].expected_file();
      if (!file.empty()) check_file(test_.sections[i].name, scratch_.work() + "/" + file);
    }
    if (report_.empty()) return {Outcome::passed, options_.keep ? "kept " + scratch_.root() + "\n" : ""};
    if (options_.bless && ended_as_expected && !cannot_bless_) return bless();
    return {Outcome::failed, full_report(ended_as_expected)};
  }

 private:
  void write_inputs() {
    for (const Section& s : test_.sections) {
      if (s.is_expectation()) continue;
      fs::path path = fs::path(scratch_.work()) / s.name;
      fs::create_directories(path.parent_path());
      std::ofstream(path, std::ios::binary) << s.text;
    }
  }

  void execute() {
    std::string out, err;
    for (std::string command : test_.runs) {
      replace_all(command, "%in", test_.first_input());
      command_ = command = with_paths(command, names_);
      result_ = run_shell(command, scratch_.work(), scratch_.root(), environment(options_.bin), test_.timeout_s);
      out += result_.out, err += result_.err;
      if (result_.exit != 0 || result_.signal != 0 || result_.timed_out) break;
    }
    result_.out = out, result_.err = err;
    for (const Name& n : names_)
      replace_all(result_.out, n.path, n.placeholder), replace_all(result_.err, n.path, n.placeholder);
  }

  void check_exit() {
    if (result_.timed_out)
      report_ += "  it ran longer than " + std::to_string(test_.timeout_s) + " s\n";
    else if (result_.signal != 0)
      report_ +=
          "  it was ended by signal " + std::to_string(result_.signal) + " (" + strsignal(result_.signal) + ")\n";
    else if (result_.exit != test_.exit)
      report_ += "  it exited " + std::to_string(result_.exit) + ", expected " + std::to_string(test_.exit) + "\n";
  }

  // Compares with a section. Where there is none, `required` or --bless on an output that is not empty adds one.
  void check(const std::string& name, const std::string& actual, bool required) {
    Section* section = test_.find(name);
    if (!section) {
      bool wanted = !split_lines(actual).empty() && (required || (options_.bless && name == kExpectStdout));
      if (!wanted) return;
      report_ += "  there is no section '" + name + "', but there is output\n" + indented(actual);
      updates_.push_back({name, actual});
      return;
    }
    Comparison c = compare(section->text, actual);
    if (c.equal) return;
    report_ +=
        "  differs from section '" + name + "' (line " + std::to_string(section->line) + ")\n" + indented(c.diff);
    updates_.push_back({name, actual});
  }

  void check_file(const std::string& section, const std::string& path) {
    if (!fs::is_regular_file(path)) {
      report_ += "  the command did not write the file of section '" + section + "'\n";
      cannot_bless_ = true;
      return;
    }
    std::string text = read_file(path);
    for (const Name& n : names_) replace_all(text, n.path, n.placeholder);
    check(section, text, true);
  }

  TestResult bless() {
    for (const auto& [name, actual] : updates_) {
      std::string text;
      for (const std::string& line : split_lines(actual)) text += line + "\n";
      Section* section = test_.find(name);
      if (section) {
        section->text = text;
      } else {
        if (!test_.sections.empty() && !test_.sections.back().text.empty() && test_.sections.back().text.back() != '\n')
          test_.sections.back().text += '\n';
        test_.sections.push_back({name, text, 0});
      }
    }
    std::string next = test_.path + ".blessed";
    std::ofstream out(next, std::ios::binary);
    out << test_.text();
    out.close();
    if (!out) throw std::runtime_error("cannot write " + next);
    fs::rename(next, test_.path);
    return {Outcome::blessed, "blessed " + test_.path + "\n" + report_};
  }

  std::string full_report(bool ended_as_expected) const {
    std::string out = "FAILED " + test_.path + "\n  command: " + command_ + "\n" + report_;
    if (!ended_as_expected && !split_lines(result_.err).empty())
      out += "  it printed on stderr\n" + indented(result_.err);
    if (ended_as_expected && !cannot_bless_)
      out += "  to accept what it prints now: tenon-test --bless " + test_.path + "\n";
    if (options_.keep) out += "  kept " + scratch_.root() + "\n";
    return out;
  }

  TestFile test_;
  const RunOptions& options_;
  Scratch scratch_;
  std::vector<Name> names_;
  std::string command_, report_;
  ProcessResult result_;
  bool cannot_bless_ = false;
  std::vector<std::pair<std::string, std::string>> updates_;
};

}  // namespace

TestResult run_test(const std::string& path, const RunOptions& options) {
  try {
    return Run(parse_test(path, read_file(path)), options).run();
  } catch (const MalformedTest& e) {
    return {Outcome::malformed, std::string("MALFORMED ") + e.what() + "\n"};
  } catch (const std::regex_error& e) {
    return {Outcome::malformed, "MALFORMED " + path + ": a {{pattern}} is no regular expression: " + e.what() + "\n"};
  } catch (const std::exception& e) { return {Outcome::malformed, "MALFORMED " + path + ": " + e.what() + "\n"}; }
}

}  // namespace tenon::texttest
