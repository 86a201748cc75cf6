// Writes the artifact: a code generator's payload and what describes it become one sealed shared library.
#ifndef TENON_BUILD_ARTIFACT_WRITER_H
#define TENON_BUILD_ARTIFACT_WRITER_H

#include <functional>
#include <string>

#include "build/payload.h"

namespace tenon {

struct ArtifactParts {
  Map payload;        // of format elf-object/1 (ext/codegen.h), checked
  ir::Module module;  // the lowered module, for the signatures of its public functions
  Map target;
  std::string lock;                    // how the artifact was made
  std::string codegen;                 // that made the payload, for messages
  std::vector<Payload> payloads = {};  // that the module carries; they implement functions for it and for each other
};

// What an artifact says of itself (the section .tenon.index): {version, functions, imports, constants, target, lock}.
Map artifact_index(const Builder& b, const ArtifactParts& parts);

// The file appears at `path` complete and flushed, or not at all. Throws TN_ERROR_IO and what `link` throws.
void write_artifact(const Builder& b, const ArtifactParts& parts, const Link& link, const std::string& path);

}  // namespace tenon
#endif
