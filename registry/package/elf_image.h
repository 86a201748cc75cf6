// What a shared library says of itself, read without running it: what it needs, what it exports, how it would be
// mapped.
#ifndef TENON_REGISTRY_PACKAGE_ELF_IMAGE_H
#define TENON_REGISTRY_PACKAGE_ELF_IMAGE_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tenon {

struct ElfSymbol {
  std::string name;
  bool defined = false;
  bool weak = false;
  bool unique = false;  // STB_GNU_UNIQUE: one for the whole process, whoever loads it
};

struct ElfVersionNeed {
  std::string library, version;  // "libstdc++.so.6", "GLIBCXX_3.4.30"
  bool weak = false;
};

// The note that the SDK puts into a plugin (section .note.tenon).
struct SdkNote {
  uint32_t abi = 0, vocabulary = 0;
  std::string sdk;  // "" when there is no note
};

struct ElfImage {
  std::string problem;  // why the rest could not be read; empty when it was
  std::string soname, rpath, runpath, build_id;
  std::vector<std::string> needed;
  std::vector<ElfVersionNeed> version_needs;
  std::vector<std::string> version_definitions;
  std::vector<ElfSymbol> symbols;  // of the dynamic symbol table
  SdkNote note;
  bool is_program = false;
  bool text_relocations = false;
  bool executable_stack = false;
  bool writable_code = false;

  std::vector<std::string> exports() const;  // sorted
};

// Reads untrusted bytes: every offset is checked. The header must have passed library_problem (elf.h).
ElfImage read_elf(std::string_view bytes);

// The bytes of a file, mapped for reading. Empty and with `error` when that fails.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();
  std::string_view bytes() const { return {static_cast<const char*>(data_), size_}; }
  const std::string& error() const { return error_; }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
  std::string error_;
};

}  // namespace tenon
#endif
