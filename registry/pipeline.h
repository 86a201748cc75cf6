// Pipelines in YAML: read, put together and checked against the manifests alone.
//
//   stages:
//     - passes-loop:simplify
//     - {pass: passes-loop:unroll, options: {max_extent: 8}, when: {kind: cpu, features: [avx2]}}
//     - {include: common.yaml}
//     - {slot: after-fusion}
#ifndef TENON_REGISTRY_PIPELINE_H
#define TENON_REGISTRY_PIPELINE_H

#include "build/plugin_info.h"
#include "registry/config.h"

namespace tenon {

// Why a stage is in a pipeline, from the outermost file inwards.
struct StageReason {
  std::string kind;  // pipeline, include, slot or when
  std::string text;  // the name of the pipeline, the file, the name of the slot, the condition
  std::string where;
};

// What stands in a pipeline and does not run for this target.
struct LeftOut {
  std::string what;  // as it is written
  std::string where;
  std::string why;
  bool unchecked = false;  // of a plugin that is not installed
};

struct PipelineSlot {
  std::string name, where, level, summary;
  size_t filled = 0;  // stages that run
  bool active = true;
};

struct PipelineResult {
  Pipeline pipeline;
  std::vector<Error> complaints;                  // with file:line:col each, in the order of the files
  std::vector<std::vector<StageReason>> reasons;  // of each stage
  std::vector<LeftOut> left_out;
  std::vector<PipelineSlot> slots;
  std::vector<std::string> files;  // that were read, the pipeline's own first
};

// What a pipeline is read with. All outlive the call.
struct PipelineScope {
  const Builder& b;
  PluginProvider& provider;
  const Config& config;
  const Map& target;
};

// By name or file. Throws when there is no such pipeline; all else is a complaint.
PipelineResult read_pipeline(const PipelineScope& scope, const std::string& name_or_file);

// A stage as a command line gives it: "PLUGIN:PASS" or "PLUGIN:PASS{max_steps: 3}" (YAML or JSON between the braces).
Stage parse_stage(const Builder& b, PluginProvider& provider, const std::string& text);

}  // namespace tenon
#endif
