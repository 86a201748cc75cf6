// The conformance kit: runs a plugin through checks of the contract, each in a process of its own with a deadline. A
// crash or a hang is a result. `tenon plugin check` is its face; sdk/docs/conformance.md says what is checked.
#ifndef TENON_CONFORMANCE_KIT_H
#define TENON_CONFORMANCE_KIT_H

#include <string>
#include <vector>

namespace tenon::conformance {

struct Options {
  std::string target;                // the plugin's library, or the folder with its manifest
  std::vector<std::string> samples;  // models for a frontend, modules (.py) for passes and code generators
  std::vector<std::string> only;     // names of checks; empty for all
  std::vector<std::string> plugin_dirs;
  std::string config;
  bool in_process = false;  // for a debugger: all checks in this process
  bool matrix = false;      // operators by dtypes
  int timeout_s = 60;       // for one check
};

enum class Verdict { pass, fail, skip, crash, hang };
const char* verdict_name(Verdict v);

struct Result {
  std::string check;
  std::string rules;  // of sdk/docs/contract.md
  Verdict verdict = Verdict::pass;
  std::string message;  // why it is not a pass; "" for a pass
  std::vector<std::string> notes;
  double seconds = 0;
};

// One operator with one dtype: "ok", "refused", "wrong", "crash", or "not run".
struct Cell {
  std::string op, dtype, result, note;
};

struct Report {
  std::string id, version, library;
  std::vector<Result> results;
  std::vector<Cell> matrix;
  bool green() const;
};

struct CheckInfo {
  const char *name, *rules, *capability, *summary;
};
// Every check, in the order in which they run.
std::vector<CheckInfo> checks();

// Throws Error when the target is no plugin, or a name in `only` is unknown.
Report run_kit(const Options& options);

// The body of a child process: runs one check and reports on file descriptor 3.
int run_child(const Options& options, const std::string& check);

}  // namespace tenon::conformance
#endif
