// The options and arguments of the program and its verbs, declared where they are read. The library that parses them
// stays in command_line.cc: including it costs seconds in every source.
#ifndef TENON_TOOL_COMMAND_LINE_H
#define TENON_TOOL_COMMAND_LINE_H

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace tenon::tool {

// A command line that cannot be followed; exit code 2.
struct UsageError : std::runtime_error {
  UsageError(const std::string& message, std::string hint = {}) : std::runtime_error(message), hint(std::move(hint)) {}
  std::string hint;
};

// What a declared option or argument may also say about itself.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}
  Option type_name(const std::string& name);
  Option required();
  Option one_of(const std::vector<std::string>& words);
  Option count(int n);  // of the arguments that a vector takes
  Option positive();

 private:
  CLI::Option* option_;
};

// The program, or one of its verbs.
class Command {
 public:
  Command(const std::string& name, const std::string& summary, const std::string& version);
  ~Command();
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  // `names`: "-o,--output" for an option, "FILE" for an argument by position. A vector takes one value each time that
  // the option is given, or all arguments that are left.
  Option add_option(const std::string& names, std::string& to, const std::string& help);
  Option add_option(const std::string& names, std::vector<std::string>& to, const std::string& help);
  Option add_option(const std::string& names, int& to, const std::string& help);
  Option add_option(const std::string& names, double& to, const std::string& help);
  Option add_flag(const std::string& names, bool& to, const std::string& help);
  // A verb; one of them must be given then. Options of this command may also stand after it.
  Command* add_command(const std::string& name, const std::string& summary);

  const std::string& name() const { return name_; }
  // Whether the command line gave this command.
  bool parsed() const;
  // The exit code when all was done by showing help or the version. Throws UsageError.
  std::optional<int> parse(int argc, char** argv);

 private:
  Command(const std::string& name, CLI::App* app);
  std::vector<std::string> option_names() const;
  Command* find(const std::string& name) const;
  void check_words(int argc, char** argv, std::vector<Command*>& path);
  void add_footers(const std::vector<std::string>& outer, const std::string& path);

  std::string name_;
  std::unique_ptr<CLI::App> owned_;
  CLI::App* app_;
  std::vector<std::unique_ptr<Command>> commands_;
};

}  // namespace tenon::tool
#endif
