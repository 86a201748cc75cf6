// Manifest files: what a plugin is, readable without loading it.
#ifndef TENON_REGISTRY_MANIFEST_H
#define TENON_REGISTRY_MANIFEST_H

#include "build/plugin_info.h"
#include "registry/yaml_reader.h"

namespace tenon {

struct ManifestResult {
  PluginInfo plugin;
  std::vector<Error> complaints;  // with file:line:col each; the plugin is usable when there are none
};

// Never throws for what the file says. `library` becomes the path next to the manifest.
ManifestResult read_manifest(const Builder& b, const std::string& file);
ManifestResult parse_manifest(const Builder& b, const std::string& text, const std::string& file);

}  // namespace tenon
#endif
