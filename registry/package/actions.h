// What `tenon plugin pack, keygen, sign, verify, install, remove, trust, doctor` do, as TnCompiler.package describes
// it.
#ifndef TENON_REGISTRY_PACKAGE_ACTIONS_H
#define TENON_REGISTRY_PACKAGE_ACTIONS_H

#include "registry/registry.h"

namespace tenon {

Value package_action(const Builder& b, Registry& registry, const std::string& action, const Map& options);

}  // namespace tenon
#endif
