// The one place that runs passes.
//
// Around each pass: typed options, a timer, whether it changed the module, the verifier, a numbered dump, instruments.
#ifndef TENON_PASS_PASS_MANAGER_H
#define TENON_PASS_PASS_MANAGER_H

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "pass/compile_context.h"
#include "pass/pipeline.h"
#include "tenon/ext/pass.h"

namespace tenon {

// The code behind a pass: the capability table of its plugin, and the instance.
struct PassCode {
  const TnPass* table = nullptr;
  void* instance = nullptr;
};

// Loads the plugin of a pass when the pass first runs.
class PassSource {
 public:
  virtual ~PassSource() = default;
  virtual PassCode open(const PassInfo& pass) = 0;
  // The module with its graph functions free of plugins' kinds.
  virtual Node lower_graph_kinds(const Node& module) { return module; }
};

// One pass that ran (or was left out).
struct PassRecord {
  std::string pass;   // full name
  size_t number = 0;  // from 1, as in the dump
  bool changed = false;
  bool disabled = false;
  double milliseconds = 0;
};

// Called after each pass with the states before and after it.
using Instrument = std::function<void(const PassRecord& record, const Node& before, const Node& after)>;

struct RunOptions {
  bool verify = true;              // after every pass that changed something, and before the first
  std::string dump_dir;            // "" for no dump
  std::string stop_after;          // a stage (find_stage), "" for none
  std::string start_from;          // a stage, "" for the first
  std::set<std::string> disabled;  // full names
  std::vector<Instrument> instruments;
  // Called before each pass that is not disabled.
  std::vector<std::function<void(const PassRecord& record, const Node& module)>> before;
  bool fallback = true;               // false: what no pass could place elsewhere than on the host is an error
  bool check_each = false;            // run every state and compare it with the first (build/execution_check.h)
  int64_t check_steps = 200'000'000;  // that one run may take
};

struct RunResult {
  Node module;
  std::vector<PassRecord> records;
  std::vector<Fact> facts;  // what passes recorded, in order
  Value check;              // what was run and what was not, when check_each was asked for
};

class PassManager {
 public:
  PassManager(const CompileEnvironment& environment, PassSource& source) : environment_(environment), source_(source) {}

  // Throws what a pass or the verifier threw, with the pass named; what was reported until then stays in `diagnostics`.
  RunResult run(const Node& module, const Pipeline& pipeline, const RunOptions& options,
                std::vector<Diagnostic>& diagnostics);

 private:
  Node run_pass(const Stage& stage, const Node& module, std::vector<Diagnostic>& diagnostics, std::vector<Fact>& facts);

  const CompileEnvironment& environment_;
  PassSource& source_;
};

}  // namespace tenon
#endif
