// External runtimes (drivers, toolkits) that plugins need: which versions are on this machine, read from the names of
// files. Nothing is loaded and nothing is run.
#ifndef TENON_REGISTRY_PACKAGE_RUNTIMES_H
#define TENON_REGISTRY_PACKAGE_RUNTIMES_H

#include <map>

#include "build/plugin_info.h"

namespace tenon {

// The runtimes that are known by name; every other one names its library in the manifest.
std::vector<std::string> known_runtimes();

class Runtimes {
 public:
  // `stated`: versions that the trust policy states, which go before what is found.
  explicit Runtimes(std::map<std::string, std::string> stated = {}) : stated_(std::move(stated)) {}
  // The versions of a runtime on this machine; empty when it is not there.
  const std::vector<std::string>& versions(const RuntimeNeed& need);
  // Why the plugin's runtimes are not met: "needs cuda >=12,<13, this machine has cuda 13.0"; empty when they are.
  std::string problem(const PluginInfo& plugin);

 private:
  std::map<std::string, std::string> stated_;
  std::map<std::string, std::vector<std::string>> found_;  // by library
};

}  // namespace tenon
#endif
