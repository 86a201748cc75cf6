// Running passes from a command line: the options that `opt` and `run` share.
#ifndef TENON_TOOL_PASSES_H
#define TENON_TOOL_PASSES_H

#include "tool.h"

namespace tenon::tool {

struct PassOptions {
  std::vector<std::string> passes;  // "PLUGIN:PASS{options}"
  std::string pipeline;             // a name, a file, or "none"
  std::string dump_dir, stop_after, start_from;
  std::vector<std::string> disable, constants;
  Value locked;  // the stages of a lock, an array of {pass, options}, instead of the above
  bool no_verify = false;
  bool check_each = false;
  bool no_fallback = false;
  bool report = false;
  std::vector<std::string> instruments;
  bool verbose = false;

  void add_to(Command& app);
  // The first option that is given and means something for passes alone; "" when none is.
  std::string given() const;
};

// A module and what was done to it.
struct PassesResult {
  Node input;  // as it was read
  Node module;
  Value records;  // an array of maps, see TnCompiler.run_pipeline
  Value plan;     // the whole pipeline, as run_pipeline takes it; the same for a run that goes on from a dump
  Value facts;    // an array of maps {topic, from, data}; none when no pass ran
  Value check;    // likewise; none without --check-each
};

// The report of a verb with what --check-each found.
Json with_check(Json report, const PassesResult& result);

// Reads the module (a dump named by --start-from goes before `path`), runs what the options ask for, reports what
// plugins said. `default_pipeline` is used when neither --pass nor --pipeline is given; "" for none.
PassesResult run_passes(const CompilerSession& session, const Common& common, const PassOptions& options,
                        const std::string& path, const std::string& default_pipeline);

}  // namespace tenon::tool
#endif
