// The sections and segments of an ELF file in memory, every offset checked against the file's size.
#ifndef TENON_RUNTIME_ELF_FILE_H
#define TENON_RUNTIME_ELF_FILE_H

#include <elf.h>
#include <string.h>

#include "tenon/runtime.h"

namespace tenon::rt {

struct Bytes {
  const char* data;
  uint64_t size;
};

class ElfFile {
 public:
  // False when the bytes are no complete 64-bit little-endian ELF file.
  bool open(const char* data, uint64_t size) {
    data_ = data;
    size_ = size;
    if (size < sizeof(Elf64_Ehdr) || memcmp(data, ELFMAG, SELFMAG) != 0 || data[EI_CLASS] != ELFCLASS64 ||
        data[EI_DATA] != ELFDATA2LSB)
      return false;
    memcpy(&header_, data, sizeof header_);
    return header_.e_shentsize == sizeof(Elf64_Shdr) &&
           inside(header_.e_shoff, uint64_t{header_.e_shnum} * sizeof(Elf64_Shdr)) &&
           (header_.e_phnum == 0 || (header_.e_phentsize == sizeof(Elf64_Phdr) &&
                                     inside(header_.e_phoff, uint64_t{header_.e_phnum} * sizeof(Elf64_Phdr)))) &&
           header_.e_shstrndx < header_.e_shnum;
  }
  uint16_t machine() const { return header_.e_machine; }

  // The bytes of the section of this name; `offset` is where they lie in the file.
  bool section(const char* name, Bytes* out, uint64_t* offset) const {
    Elf64_Shdr names = at<Elf64_Shdr>(header_.e_shoff + header_.e_shstrndx * sizeof(Elf64_Shdr));
    if (!inside(names.sh_offset, names.sh_size)) return false;
    size_t length = strlen(name) + 1;
    for (uint16_t i = 0; i < header_.e_shnum; ++i) {
      Elf64_Shdr s = at<Elf64_Shdr>(header_.e_shoff + i * sizeof(Elf64_Shdr));
      if (s.sh_name > names.sh_size || names.sh_size - s.sh_name < length ||
          memcmp(data_ + names.sh_offset + s.sh_name, name, length) != 0)
        continue;
      if (s.sh_type == SHT_NOBITS || !inside(s.sh_offset, s.sh_size)) return false;
      *out = {data_ + s.sh_offset, s.sh_size};
      *offset = s.sh_offset;
      return true;
    }
    return false;
  }

  // The SHA-256 of everything that is loaded: the program headers, and for each segment its place and its bytes.
  template <class Sha256>
  bool loaded_digest(Sha256 sha256, uint8_t digest[32]) const {
    uint8_t running[32] = {};
    for (uint16_t i = 0; i < header_.e_phnum; ++i) {
      Elf64_Phdr p = at<Elf64_Phdr>(header_.e_phoff + i * sizeof(Elf64_Phdr));
      if (!inside(p.p_offset, p.p_filesz)) return false;
      uint8_t parts[32 + sizeof p + 32];
      memcpy(parts, running, 32);
      memcpy(parts + 32, &p, sizeof p);
      if (p.p_type == PT_LOAD)
        sha256(data_ + p.p_offset, p.p_filesz, parts + 32 + sizeof p);
      else
        memset(parts + 32 + sizeof p, 0, 32);
      sha256(parts, sizeof parts, running);
    }
    memcpy(digest, running, 32);
    return true;
  }

 private:
  bool inside(uint64_t offset, uint64_t bytes) const { return offset <= size_ && bytes <= size_ - offset; }
  template <class T>
  T at(uint64_t offset) const {
    T t;
    memcpy(&t, data_ + offset, sizeof t);
    return t;
  }

  const char* data_ = nullptr;
  uint64_t size_ = 0;
  Elf64_Ehdr header_ = {};
};

// What the seal section of an artifact holds.
struct ArtifactSeal {
  char magic[8];       // "TNSEAL1"
  uint8_t loaded[32];  // ElfFile::loaded_digest
  uint8_t index[32];   // SHA-256 of the index section
};
constexpr char kSealMagic[8] = {'T', 'N', 'S', 'E', 'A', 'L', '1', 0};
constexpr const char* kIndexSection = ".tenon.index";
constexpr const char* kConstantsSection = ".tenon.constants";
constexpr const char* kPayloadsSection = ".tenon.payloads";
constexpr const char* kSealSection = ".tenon.seal";
constexpr int64_t kArtifactVersion = 1;
constexpr int64_t kNewestArtifactVersion =
    2;  // of an artifact with payloads for loaders, which an older runtime refuses

}  // namespace tenon::rt
#endif
