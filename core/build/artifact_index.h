// The index of an artifact as bytes (runtime/value_bytes.h says how).
#ifndef TENON_BUILD_ARTIFACT_INDEX_H
#define TENON_BUILD_ARTIFACT_INDEX_H

#include <string>

#include "build/elf_object.h"
#include "tenon/cxx/object.h"

namespace tenon {

// Throws TN_ERROR_ARGUMENT for what is no plain value.
std::string encode_value(const Value& value);

// The section that holds the constants of a payload, in their order.
ElfSection constants_section(const Map& payload);

}  // namespace tenon
#endif
