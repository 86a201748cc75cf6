// What every verb of the `tenon` program shares: its options, its session, and how it reports.
#ifndef TENON_TOOL_TOOL_H
#define TENON_TOOL_TOOL_H

#include <tenon/compiler_session.h>

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "command_line.h"

namespace tenon::tool {

using Json = nlohmann::ordered_json;

enum ExitCode { kOk = 0, kRefused = 1, kUsage = 2, kMissing = 3, kInternal = 4 };

// The options that all verbs take.
struct Common {
  bool json = false;
  std::vector<std::string> plugin_dirs;
  std::string config;
  std::string target;
  bool isolate_all = false;
  std::vector<std::string> isolate;  // ids of plugins
  bool validate = false;
  std::shared_ptr<size_t> violations = std::make_shared<size_t>(0);  // that the validation layer found
  std::string policy;
  std::vector<std::string> use;

  std::unique_ptr<CompilerSession> open() const;
};

// A verb adds its options to the program and returns what runs it; that returns the exit code.
using Run = std::function<int()>;
struct Verb {
  const char* name;
  const char* summary;
  Run (*add)(Command& app, std::shared_ptr<Common> common);
};
Run add_opt(Command& app, std::shared_ptr<Common> common);
Run add_run(Command& app, std::shared_ptr<Common> common);
Run add_compile(Command& app, std::shared_ptr<Common> common);
Run add_check(Command& app, std::shared_ptr<Common> common);
Run add_plugin(Command& app, std::shared_ptr<Common> common);
Run add_plugin_check(Command& app, std::shared_ptr<Common> common);
Run add_package_verb(Command& app, std::shared_ptr<Common> common);  // by its name
Run add_plugin_new(Command& app, std::shared_ptr<Common> common);
Run add_repro(Command& app, std::shared_ptr<Common> common);
Run add_pipeline(Command& app, std::shared_ptr<Common> common);

// A value as JSON; what JSON does not have becomes text.
Json to_json(const Value& value);

// Shows an error on standard error, or as JSON on standard output; returns the exit code that belongs to it.
int show_error(const Error& error, bool json);
int exit_code_of(const Error& error);
Json error_json(const Error& error);
// Shows what plugins reported on standard error, unless JSON is asked for.
void show_diagnostics(const Value& diagnostics, bool json);

// "-" is the standard input.
std::string read_input(const std::string& path);
// To the file, or to the standard output when `path` is empty or "-".
void write_output(const std::string& path, const std::string& text);
// The text of a module, to a file with the bytes that it names beside it, or to standard output.
void write_module(const CompilerSession& session, const Node& module, const std::string& path);
void print_line(const std::string& text);
void print_json(const Json& json);

// The module in a file: script text (.py, or standard input) is parsed, anything else is a model for a frontend.
// `constants`: "NAME=FILE.npy" for inputs of a model that are constants.
Node read_module(const CompilerSession& session, const std::string& path,
                 const std::vector<std::string>& constants = {});

}  // namespace tenon::tool
#endif
