#include "build/elf_object.h"

#include <elf.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "tenon/cxx/object.h"

namespace tenon {
namespace {

uint64_t rounded(uint64_t n, uint64_t alignment) { return (n + alignment - 1) / alignment * alignment; }

// A file that is written front to back.
class Writer {
 public:
  explicit Writer(const std::string& path) : path_(path), file_(std::fopen(path.c_str(), "wb")) {
    check(file_ != nullptr);
  }
  ~Writer() {
    if (file_) std::fclose(file_);
  }
  void bytes(const void* data, size_t size) {
    if (size) check(std::fwrite(data, 1, size, file_) == size);
    at_ += size;
  }
  void pad_to(uint64_t offset) {
    static constexpr char zeros[4096] = {};
    while (at_ < offset) bytes(zeros, static_cast<size_t>(std::min<uint64_t>(sizeof zeros, offset - at_)));
  }
  void close() {
    int status = std::fclose(file_);
    file_ = nullptr;
    check(status == 0);
  }

 private:
  void check(bool ok) const {
    if (!ok)
      throw Error(TN_ERROR_IO, std::string("cannot write the file: ") + std::strerror(errno), path_,
                  errno == ENOSPC ? "free some space, or write elsewhere" : "");
  }
  std::string path_;
  std::FILE* file_;
  uint64_t at_ = 0;
};

}  // namespace

std::vector<uint64_t> part_offsets(const ElfSection& section) {
  std::vector<uint64_t> offsets;
  uint64_t at = 0;
  for (std::string_view part : section.parts) {
    at = rounded(at, section.part_alignment);
    offsets.push_back(at);
    at += part.size();
  }
  offsets.push_back(at);
  return offsets;
}

void write_elf_object(const std::string& path, const std::vector<ElfSection>& sections) {
  // File: header, the sections, the names of the sections, the section headers.
  std::string names(1, '\0');
  std::vector<Elf64_Shdr> headers(1);
  uint64_t at = sizeof(Elf64_Ehdr);
  auto add = [&](const std::string& name, uint32_t type, uint64_t alignment, uint64_t size) {
    Elf64_Shdr h = {};
    h.sh_name = static_cast<uint32_t>(names.size());
    names += name + '\0';
    h.sh_type = type;
    h.sh_addralign = alignment;
    h.sh_offset = at = rounded(at, alignment);
    h.sh_size = size;
    at += size;
    headers.push_back(h);
  };
  for (const ElfSection& s : sections) add(s.name, SHT_PROGBITS, s.alignment, part_offsets(s).back());
  add(".note.GNU-stack", SHT_PROGBITS, 1, 0);
  std::string all_names = names + ".shstrtab" + '\0';
  add(".shstrtab", SHT_STRTAB, 1, all_names.size());

  Elf64_Ehdr header = {};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_REL;
#if defined(__x86_64__)
  header.e_machine = EM_X86_64;
#else
  header.e_machine = EM_AARCH64;
#endif
  header.e_version = EV_CURRENT;
  header.e_ehsize = sizeof(Elf64_Ehdr);
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shoff = rounded(at, 8);
  header.e_shnum = static_cast<uint16_t>(headers.size());
  header.e_shstrndx = static_cast<uint16_t>(headers.size() - 1);

  Writer out(path);
  out.bytes(&header, sizeof header);
  for (size_t i = 0; i < sections.size(); ++i) {
    std::vector<uint64_t> offsets = part_offsets(sections[i]);
    for (size_t k = 0; k < sections[i].parts.size(); ++k) {
      out.pad_to(headers[i + 1].sh_offset + offsets[k]);
      out.bytes(sections[i].parts[k].data(), sections[i].parts[k].size());
    }
  }
  out.pad_to(headers.back().sh_offset);
  out.bytes(all_names.data(), all_names.size());
  out.pad_to(header.e_shoff);
  out.bytes(headers.data(), headers.size() * sizeof(Elf64_Shdr));
  out.close();
}

}  // namespace tenon
