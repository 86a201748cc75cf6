// Pipelines in YAML: read and checked against the manifests alone.
//
//   stages:
//     - passes-loop:simplify
//     - {pass: passes-loop:unroll, options: {max_extent: 8}}
#ifndef TENON_REGISTRY_PIPELINE_H
#define TENON_REGISTRY_PIPELINE_H

#include <map>

#include "build/plugin_info.h"
#include "registry/yaml_reader.h"

namespace tenon {

struct PipelineResult {
  Pipeline pipeline;
  std::vector<Error> complaints;  // with file:line:col each
};
PipelineResult read_pipeline_file(const Builder& b, PluginProvider& provider, const std::string& file);

// plugins.yaml: which plugins come first, and the named pipelines.
struct ConfigFile {
  std::string file;
  std::vector<std::string> plugins;
  std::vector<std::pair<std::string, Yaml>> pipelines;  // not yet checked, in the order of the file
};
// Throws for what is wrong outside the pipelines.
ConfigFile read_config_file(const Builder& b, const std::string& file);
PipelineResult check_config_pipeline(const Builder& b, PluginProvider& provider, const ConfigFile& config,
                                     const std::string& name);

// A stage as a command line gives it: "PLUGIN:PASS" or "PLUGIN:PASS{max_steps: 3}" (YAML or JSON between the braces).
Stage parse_stage(const Builder& b, PluginProvider& provider, const std::string& text);

}  // namespace tenon
#endif
