#include "registry/elf.h"

#include <elf.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

namespace tenon {

namespace {

struct Machine {
  uint16_t number;
  const char* name;
};
constexpr Machine kMachines[] = {{EM_386, "32-bit x86"},  {EM_X86_64, "x86-64"},      {EM_ARM, "32-bit ARM"},
                                 {EM_AARCH64, "AArch64"}, {EM_RISCV, "RISC-V"},       {EM_PPC64, "POWER"},
                                 {EM_S390, "S/390"},      {EM_LOONGARCH, "LoongArch"}};

std::string machine_name(uint16_t number) {
  for (const Machine& m : kMachines)
    if (m.number == number) return m.name;
  return "ELF machine " + std::to_string(number);
}

constexpr uint16_t kThisMachine =
#if defined(__x86_64__)
    EM_X86_64;
#elif defined(__aarch64__)
    EM_AARCH64;
#else
#error "libraries of this machine are not known here"
#endif

std::string truncated(uint64_t needed, uint64_t size) {
  return "is cut short: its headers speak of " + std::to_string(needed) + " bytes, the file has " +
         std::to_string(size);
}

}  // namespace

std::string library_problem(const std::string& file) {
  struct stat status;
  if (stat(file.c_str(), &status) != 0)
    return errno == ENOENT ? "does not exist" : "cannot be read: " + std::string(std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return "is not a regular file";
  std::ifstream in(file, std::ios::binary);
  if (!in) return "cannot be read: " + std::string(std::strerror(errno));
  uint64_t size = static_cast<uint64_t>(status.st_size);
  if (size == 0) return "is empty";
  Elf64_Ehdr header;
  std::memset(&header, 0, sizeof header);
  in.read(reinterpret_cast<char*>(&header), sizeof header);
  if (size < SELFMAG || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return "is not an ELF file";
  if (size < sizeof header) return truncated(sizeof header, size);
  if (header.e_ident[EI_CLASS] != ELFCLASS64) return "is a 32-bit library, this program has 64 bits";
  if (header.e_ident[EI_DATA] != ELFDATA2LSB) return "is big-endian, this program is little-endian";
  if (header.e_machine != kThisMachine)
    return "is built for " + machine_name(header.e_machine) + ", this program for " + machine_name(kThisMachine);
  if (header.e_type != ET_DYN) return "is an ELF file but not a shared library";
  uint64_t table_end = header.e_phoff + uint64_t{header.e_phnum} * sizeof(Elf64_Phdr);
  if (header.e_phentsize != sizeof(Elf64_Phdr) || table_end < header.e_phoff) return "has a damaged ELF header";
  if (table_end > size) return truncated(table_end, size);
  std::vector<Elf64_Phdr> segments(header.e_phnum);
  in.seekg(static_cast<std::streamoff>(header.e_phoff));
  in.read(reinterpret_cast<char*>(segments.data()), static_cast<std::streamsize>(segments.size() * sizeof(Elf64_Phdr)));
  for (const Elf64_Phdr& segment : segments) {
    uint64_t end = segment.p_offset + segment.p_filesz;
    if (segment.p_type == PT_LOAD && (end > size || end < segment.p_offset)) return truncated(end, size);
  }
  uint64_t sections_end = header.e_shoff + uint64_t{header.e_shnum} * sizeof(Elf64_Shdr);
  if (header.e_shoff != 0 && sections_end > size) return truncated(sections_end, size);
  return "";
}

}  // namespace tenon
