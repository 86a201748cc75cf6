// plugins.yaml: which plugins come first, the named pipelines, and what fills their slots.
//
//   plugins: [codegen-llvm, passes-loop]
//   pipelines:
//     cpu: {stages: [passes-loop:simplify, {slot: last}]}
//   slots:
//     cpu: {last: [com.vendor.thing:tidy]}
#ifndef TENON_REGISTRY_CONFIG_H
#define TENON_REGISTRY_CONFIG_H

#include "registry/worker/settings.h"
#include "registry/yaml_reader.h"

namespace tenon {

struct Config {
  struct Named {
    std::string name;
    std::string file;
    Yaml body;  // not yet checked
  };
  struct Slots {
    std::string pipeline;
    std::string file;
    Yaml body;  // {SLOT: [stages]}, not yet checked
  };
  std::vector<std::string> files;  // that were read
  std::vector<std::string> plugins;
  std::vector<Named> pipelines;  // in the order of the files
  std::vector<Slots> slots;
  IsolationSettings isolation;  // of the last file that says something of it

  const Named* find(const std::string& name) const;
  std::vector<std::string> names() const;
  std::string file_text() const;  // for messages
};

// Reads the files in order: of a later one the plugins go first, the pipelines replace those of the same name, and the
// lines of the slots are added. Throws for what is wrong outside the pipelines.
Config read_config(const Builder& b, const std::vector<std::string>& files);

// The file of the person who runs the program: tenon/plugins.yaml in XDG_CONFIG_HOME, or in .config of HOME; "" when
// there is none, or when the program runs with another user's rights.
std::string user_config_file();

}  // namespace tenon
#endif
