// A relocatable ELF file of sections that are not loaded: how the data of an artifact reaches the linker.
#ifndef TENON_BUILD_ELF_OBJECT_H
#define TENON_BUILD_ELF_OBJECT_H

#include <cstdint>
#include <string>
#include <vector>

namespace tenon {

struct ElfSection {
  std::string name;
  uint64_t alignment = 1;
  std::vector<std::string_view> parts;  // the content, one after another, each at a multiple of `part_alignment`
  uint64_t part_alignment = 1;
};

// Where each part of a section begins, and after them where the last one ends.
std::vector<uint64_t> part_offsets(const ElfSection& section);

// Writes the object for this machine; throws TN_ERROR_IO.
void write_elf_object(const std::string& path, const std::vector<ElfSection>& sections);

}  // namespace tenon
#endif
