// The index of an artifact as bytes (runtime/value_bytes.h says how).
#ifndef TENON_BUILD_ARTIFACT_INDEX_H
#define TENON_BUILD_ARTIFACT_INDEX_H

#include <string>

#include "build/artifact_writer.h"
#include "build/elf_object.h"

namespace tenon {

// Throws TN_ERROR_ARGUMENT for what is no plain value.
std::string encode_value(const Value& value);

// The section that holds the constants of all payloads, in their order, that of the module's code first.
ElfSection constants_section(const ArtifactParts& parts);
// The section of the payloads that are no objects, each at the begin of a page.
ElfSection payloads_section(const ArtifactParts& parts);

}  // namespace tenon
#endif
