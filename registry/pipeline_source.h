// Pipelines as they are written, before includes, slots and conditions are followed.
#ifndef TENON_REGISTRY_PIPELINE_SOURCE_H
#define TENON_REGISTRY_PIPELINE_SOURCE_H

#include "registry/pipeline_condition.h"

namespace tenon {

struct StageSource {
  enum class Form { kPass, kInclude, kSlot };
  Form form = Form::kPass;
  std::string name;  // "PLUGIN:PASS"; a file or a named pipeline; a slot
  std::string file;  // in which the stage stands
  std::string where;
  Yaml options;  // of a pass
  std::optional<Condition> when;
  std::string level, summary;  // of a slot: "graph", "loop" or "" for any
};

// What a file puts into a slot of the pipeline that it names or includes.
struct SlotFill {
  std::string slot;
  std::string file;
  std::string where;
  std::vector<StageSource> stages;
};

struct PipelineSource {
  std::string file;
  std::string name;
  std::string summary;
  std::vector<StageSource> stages;
  std::vector<SlotFill> fills;
  std::vector<std::pair<std::string, std::string>> assumed;  // properties of the module, and where they stand
};

// Reads parts of one file; the target is for what conditions may name.
class PipelineSourceReader {
 public:
  PipelineSourceReader(YamlReader& r, PluginProvider& provider, const Map& target)
      : r_(r), provider_(provider), target_(target) {}

  // {name, summary, stages, slots, assumes}
  PipelineSource pipeline(const Yaml& node, std::string name, const std::string& what);
  // {SLOT: [stages]}
  std::vector<SlotFill> fills(const Yaml& node, const std::string& what);

 private:
  std::vector<StageSource> stages(const Yaml& list, const std::string& what, bool in_slot);
  std::optional<StageSource> stage(const Yaml& item, bool in_slot);

  YamlReader& r_;
  PluginProvider& provider_;
  const Map& target_;
};

// Whether a text in the place of a pipeline's name is the path of a file.
bool is_pipeline_file(const std::string& name);

}  // namespace tenon
#endif
