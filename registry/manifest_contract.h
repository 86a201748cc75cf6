// The parts of a manifest that third parties fill with what the core does not know: kinds of nodes, kinds of targets, and
// what is offered to other plugins.
#ifndef TENON_REGISTRY_MANIFEST_CONTRACT_H
#define TENON_REGISTRY_MANIFEST_CONTRACT_H

#include "build/plugin_info.h"
#include "registry/yaml_reader.h"

namespace tenon {

// Reads `kinds`, `targets` and `offers` into `plugin`, whose identity has been read.
void read_contract(YamlReader& reader, const Yaml& top, PluginInfo& plugin);

}  // namespace tenon
#endif
