// Loads a plugin for the first time, in a process of its own, within a deadline.
#ifndef TENON_REGISTRY_PROBE_PROBE_H
#define TENON_REGISTRY_PROBE_PROBE_H

#include "registry/probe/quarantine.h"
#include "registry/registry.h"

namespace tenon {

struct ProbeLimits {
  int64_t deadline_ms = 10'000;
  uint64_t memory_bytes = uint64_t{2} << 30;
};

// Opens the library, makes an instance, asks for what the manifest provides, destroys it, and lets the process end: all
// of it must work and leave the process as it was.
ProbeResult probe_plugin(const PluginInfo& plugin, const RegistryPlace& place, const std::string& worker,
                         const ProbeLimits& limits);

}  // namespace tenon
#endif
