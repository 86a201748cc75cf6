// Conditions of a stage on the target: {kind: cpu, features: [avx2]}.
#ifndef TENON_REGISTRY_PIPELINE_CONDITION_H
#define TENON_REGISTRY_PIPELINE_CONDITION_H

#include "build/plugin_info.h"
#include "registry/yaml_reader.h"

namespace tenon {

// What is listed in one field is an alternative, except features, which must all be there; the fields must all hold.
struct Condition {
  std::vector<std::string> kinds, archs, features;
  std::vector<Condition> any;   // one of these
  std::vector<Condition> none;  // `not`: at most one
  std::string text() const;     // as written, on one line
};

// Complains about unknown keys, kinds, architectures and features.
Condition read_condition(YamlReader& r, const Yaml& node, PluginProvider& provider, const Map& target);

// Why the condition does not hold for the target; "" when it holds.
std::string condition_failure(const Condition& condition, const Map& target);

// The names that LLVM 19 gives the features of x86-64 and AArch64 processors.
const std::vector<std::string>& cpu_feature_names();

}  // namespace tenon
#endif
