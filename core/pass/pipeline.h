// A pipeline as a value: passes by full name with complete options, in the order in which they run.
#ifndef TENON_PASS_PIPELINE_H
#define TENON_PASS_PIPELINE_H

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pass/options.h"

namespace tenon {

enum class Level { kModule, kLoop, kGraph };
std::string_view level_name(Level level);

// A pass as its manifest describes it.
struct PassInfo {
  std::string plugin;
  std::string name;
  Level level = Level::kModule;
  bool concurrent = false;  // calls for different functions may run at the same time
  std::string summary;
  OptionSchemas options;
  // How it fits into a pipeline: properties of a module by name, and full names of passes that it must come after or
  // before where they are in the pipeline.
  std::vector<std::string> required, provided, invalidated, after, before;
  int64_t consumes = 1;            // the IR vocabulary that it knows
  bool preserves_unknown = false;  // it leaves what came later as it is, so that nothing need be converted
  bool lowers_kinds = false;       // what plugins' kinds of the graph level mean stands in their place before it runs
  std::string full_name() const { return plugin + ":" + name; }
};
using PassRef = std::shared_ptr<const PassInfo>;

struct Stage {
  PassRef pass;
  Map options;        // complete
  std::string where;  // file:line:col of the stage, "" when it comes from a command
};

struct Pipeline {
  std::string name;
  std::string summary;
  std::vector<Stage> stages;
};

// The index of the stage that `reference` names: a number from 1 as dumps carry it, "PLUGIN:PASS", or "PLUGIN:PASS#2"
// for the second time that the pass stands in the pipeline. Throws when there is none, or more than one.
size_t find_stage(const Pipeline& pipeline, std::string_view reference, std::string_view purpose);

}  // namespace tenon
#endif
