// Locks: how a module was made, complete enough to make it again, as text that is the same for the same inputs.
//
//   lock: 1
//   tenon: {version: "0.1.0", abi: 1, vocabulary: 1}
//   pipeline: cpu
//   target: {arch: "x86_64", features: ["+avx2"], kind: "cpu"}
//   complete: true
//   codegen: {plugin: codegen-llvm, options: {opt_level: 2}}
//   linker: {plugin: link-lld}
//   plugins:
//     - id: codegen-llvm
//       version: 0.1.0
//       ...
//   stages:
//     - {pass: passes-loop:simplify, options: {}}
#ifndef TENON_REGISTRY_LOCK_H
#define TENON_REGISTRY_LOCK_H

#include "build/plugin_info.h"
#include "registry/yaml_reader.h"

namespace tenon {

struct LockParts {
  std::string core_version;
  Pipeline pipeline;
  Map target;
  // "" and empty for what does not take part.
  std::string codegen, linker;
  Map codegen_options;  // complete
  // Other plugins that take part: operators, frontends, what passes asked for.
  std::vector<std::string> others;
  bool complete = false;  // `others` is all that took part in a compilation, and no guess
};

// Reads the libraries and manifests of the plugins for their digests; opens none as code.
std::string lock_text(PluginProvider& provider, const LockParts& parts);

// What a lock says and what is installed here.
struct LockReading {
  Map lock;                        // as it is written
  std::vector<Error> differences;  // with the place in the lock; empty when this installation can do the same
};
// Never throws for what the text says. `target`: the target that must be the lock's; null for any.
LockReading read_lock(const Builder& b, PluginProvider& provider, const std::string& core_version,
                      const std::string& text, const std::string& file, const Map* target);

// A value as YAML on one line; read back it gives the same value.
std::string yaml_text(const Value& value);

}  // namespace tenon
#endif
