// The shared libraries that a library needs, and those that they need, without loading anything.
#ifndef TENON_REGISTRY_PROBE_DEPENDENCIES_H
#define TENON_REGISTRY_PROBE_DEPENDENCIES_H

#include <string>
#include <vector>

namespace tenon {

struct Dependency {
  std::string name;  // as the library asks for it
  std::string path;  // where the loader is expected to find it; "" when it is nowhere
};
// In the order in which they are met, each once. Empty for what is no ELF file. The loader's own cache is not read, so
// that a library only it knows of is nowhere.
std::vector<Dependency> dependencies_of(const std::string& library);

// One text for all of them that changes when one of the files does, or when one that was nowhere may have appeared.
std::string dependency_state(const std::vector<Dependency>& dependencies);

}  // namespace tenon
#endif
