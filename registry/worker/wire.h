// What host and worker say to each other when a plugin is opened.
#ifndef TENON_REGISTRY_WORKER_WIRE_H
#define TENON_REGISTRY_WORKER_WIRE_H

#include "registry/registry.h"

namespace tenon::worker {

struct OpenRequest {
  PluginInfo plugin;    // what is needed to load it: id, version, files, capabilities
  RegistryPlace place;  // for what the plugin asks of others
  bool trial = false;   // its instance is destroyed again before the answer

  Array to_array(const Builder& b) const;
  // Throws TN_ERROR_CORRUPT.
  static OpenRequest from(const Array& message);
};

}  // namespace tenon::worker
#endif
