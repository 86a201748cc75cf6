// Targets: what code is made for, as an immutable map {kind, arch, features, host, limits}.
#ifndef TENON_BUILD_TARGET_H
#define TENON_BUILD_TARGET_H

#include <string>
#include <vector>

#include "build/plugin_info.h"

namespace tenon {

// The features of this machine's CPU in the names that compilers use ("+avx2"), sorted; only those that the operating
// system has enabled.
std::vector<std::string> native_features();
// The same from the text of /proc/cpuinfo.
std::vector<std::string> features_from_cpuinfo(const std::string& text, bool x86);

// A target as a person writes it:
//   cpu, native        this machine, with its features spelled out
//   cpu:generic        the architecture's baseline
//   cpu:+avx2,+fma     the baseline and these features
// Any other kind ("com.vendor.npu") gives {kind: text before ':', features: what follows, comma-separated}.
Map parse_target(const Builder& b, const std::string& text);

// A target of a kind that a manifest declares: KIND, or KIND:+FEATURE,ATTRIBUTE=VALUE,...; the map {kind, features, and
// each attribute of the schema}. Throws TN_ERROR_ARGUMENT and TN_ERROR_TYPE.
Map parse_target(const Builder& b, const std::string& text, const TargetSchema& schema);

// A target map that has a kind and lists its features: features ["native"] are replaced by those of this machine.
// Throws TN_ERROR_ARGUMENT.
Map resolve_target(const Builder& b, const Map& target);

}  // namespace tenon
#endif
