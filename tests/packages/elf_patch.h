// Faults written into the bytes of a right plugin, so that none has to be compiled.
#ifndef TENON_TESTS_PACKAGES_ELF_PATCH_H
#define TENON_TESTS_PACKAGES_ELF_PATCH_H

#include <elf.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>

namespace tenon {

class ElfPatch {
 public:
  explicit ElfPatch(std::string bytes) : bytes_(std::move(bytes)) {}
  std::string take() const { return bytes_; }

  template <class T>
  T& at(uint64_t offset) {
    if (offset + sizeof(T) > bytes_.size()) throw std::logic_error("a patch behind the end of the library");
    return *reinterpret_cast<T*>(bytes_.data() + offset);
  }
  Elf64_Ehdr& header() { return at<Elf64_Ehdr>(0); }
  // The first program header of a type (and with these flags).
  Elf64_Phdr& segment(uint32_t type, uint32_t flags = 0) {
    for (size_t i = 0; i < header().e_phnum; ++i) {
      auto& p = at<Elf64_Phdr>(header().e_phoff + i * sizeof(Elf64_Phdr));
      if (p.p_type == type && (p.p_flags & flags) == flags) return p;
    }
    throw std::logic_error("the library has no such segment");
  }
  Elf64_Dyn& dynamic(int64_t tag) {
    const Elf64_Phdr& p = segment(PT_DYNAMIC);
    for (uint64_t o = p.p_offset; o < p.p_offset + p.p_filesz; o += sizeof(Elf64_Dyn))
      if (at<Elf64_Dyn>(o).d_tag == tag) return at<Elf64_Dyn>(o);
    throw std::logic_error("the library has no such dynamic entry");
  }
  uint64_t offset_of(uint64_t address) {
    for (size_t i = 0; i < header().e_phnum; ++i) {
      auto& p = at<Elf64_Phdr>(header().e_phoff + i * sizeof(Elf64_Phdr));
      if (p.p_type == PT_LOAD && address >= p.p_vaddr && address - p.p_vaddr < p.p_filesz)
        return address - p.p_vaddr + p.p_offset;
    }
    throw std::logic_error("the address is in no segment");
  }
  // The dynamic string, everywhere, replaced by one of the same length.
  ElfPatch& rename(const std::string& from, const std::string& to) {
    size_t found = 0;
    for (size_t o = 0; (o = bytes_.find(from + '\0', o)) != std::string::npos; ++found)
      bytes_.replace(o, from.size(), to);
    if (!found || from.size() != to.size()) throw std::logic_error("cannot rename " + from);
    return *this;
  }
  // A version that is needed of libc becomes another one.
  ElfPatch& need_version(const std::string& from, const std::string& to) {
    uint32_t old_hash = hash(from), new_hash = hash(to);
    rename(from, to);
    for (size_t o = 0; o + 4 <= bytes_.size(); o += 4)
      if (at<uint32_t>(o) == old_hash) at<uint32_t>(o) = new_hash;
    return *this;
  }
  // Offset of the TnPlugin table: {size, abi, vocabulary, ...}.
  uint64_t table(uint64_t size, uint32_t abi, uint32_t vocabulary) {
    std::string words(16, '\0');
    std::memcpy(words.data(), &size, 8);
    std::memcpy(words.data() + 8, &abi, 4);
    std::memcpy(words.data() + 12, &vocabulary, 4);
    size_t o = bytes_.find(words);
    if (o == std::string::npos) throw std::logic_error("the library has no plugin table");
    return o;
  }
  // A pointer of the table becomes null: it is not relocated.
  ElfPatch& null_pointer(uint64_t file_offset) {
    const Elf64_Phdr* load = nullptr;
    for (size_t i = 0; i < header().e_phnum; ++i) {
      auto& p = at<Elf64_Phdr>(header().e_phoff + i * sizeof(Elf64_Phdr));
      if (p.p_type == PT_LOAD && file_offset >= p.p_offset && file_offset < p.p_offset + p.p_filesz) load = &p;
    }
    uint64_t address = file_offset - load->p_offset + load->p_vaddr, start = offset_of(dynamic(DT_RELA).d_un.d_val);
    for (uint64_t o = start; o < start + dynamic(DT_RELASZ).d_un.d_val; o += sizeof(Elf64_Rela))
      if (at<Elf64_Rela>(o).r_offset == address)  // another relocation twice
        at<Elf64_Rela>(o) = at<Elf64_Rela>(o == start ? start + sizeof(Elf64_Rela) : start);
    at<uint64_t>(file_offset) = 0;
    return *this;
  }

 private:
  static uint32_t hash(const std::string& name) {
    uint32_t h = 0;
    for (char c : name) {
      h = (h << 4) + static_cast<unsigned char>(c);
      uint32_t high = h & 0xf0000000u;
      h = (h ^ (high >> 24)) & ~high;
    }
    return h;
  }
  std::string bytes_;
};

}  // namespace tenon
#endif
