#include "registry/package/elf_image.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tenon {

namespace {

struct Damaged {
  const char* what;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  void read(ElfImage& out) {
    header_ = at<Elf64_Ehdr>(0);
    if (header_.e_phentsize != sizeof(Elf64_Phdr)) throw Damaged{"its program headers have another size"};
    bool stack_said = false;
    for (size_t i = 0; i < header_.e_phnum; ++i) {
      Elf64_Phdr p = at<Elf64_Phdr>(add(header_.e_phoff, i * sizeof(Elf64_Phdr)));
      segments_.push_back(p);
      if (p.p_type == PT_GNU_STACK) {
        stack_said = true;
        out.executable_stack = (p.p_flags & PF_X) != 0;
      }
      if (p.p_type == PT_INTERP) out.is_program = true;
      if (p.p_type == PT_LOAD && (p.p_flags & PF_X) && (p.p_flags & PF_W)) out.writable_code = true;
      if (p.p_type == PT_NOTE) read_notes(p, out);
    }
    if (!stack_said) out.executable_stack = true;  // the loader then takes the old default
    read_dynamic(out);
  }

 private:
  static uint64_t add(uint64_t a, uint64_t b) {
    uint64_t sum = 0;
    if (__builtin_add_overflow(a, b, &sum)) throw Damaged{"an offset overflows"};
    return sum;
  }

  template <class T>
  T at(uint64_t offset) const {
    if (offset > bytes_.size() || bytes_.size() - offset < sizeof(T)) throw Damaged{"an offset lies behind its end"};
    T out;
    std::memcpy(&out, bytes_.data() + offset, sizeof out);
    return out;
  }

  // Where the file holds what is mapped at an address.
  uint64_t offset_of(uint64_t address) const {
    for (const Elf64_Phdr& p : segments_)
      if (p.p_type == PT_LOAD && address >= p.p_vaddr && address - p.p_vaddr < p.p_filesz)
        return add(p.p_offset, address - p.p_vaddr);
    throw Damaged{"an address lies in no segment"};
  }

  std::string text(uint64_t index) const {
    if (index >= strings_.size()) throw Damaged{"a name lies behind the table of names"};
    std::string_view rest = strings_.substr(index);
    size_t end = rest.find('\0');
    if (end == std::string_view::npos) throw Damaged{"a name does not end"};
    return std::string(rest.substr(0, end));
  }

  void read_notes(const Elf64_Phdr& p, ElfImage& out) const {
    uint64_t at_byte = p.p_offset, end = add(p.p_offset, p.p_filesz);
    while (at_byte < end && end - at_byte >= sizeof(Elf64_Nhdr)) {
      Elf64_Nhdr note = at<Elf64_Nhdr>(at_byte);
      auto padded = [&](uint64_t n) { return p.p_align == 8 ? (n + 7) & ~uint64_t{7} : (n + 3) & ~uint64_t{3}; };
      uint64_t name = at_byte + sizeof note, content = add(name, padded(note.n_namesz));
      uint64_t next = add(content, padded(note.n_descsz));
      if (next > bytes_.size()) throw Damaged{"a note lies behind its end"};
      std::string_view owner = bytes_.substr(name, note.n_namesz);
      std::string_view bytes = bytes_.substr(content, note.n_descsz);
      if (owner == std::string_view("GNU\0", 4) && note.n_type == NT_GNU_BUILD_ID) {
        constexpr char hex[] = "0123456789abcdef";
        out.build_id.clear();
        for (unsigned char c : bytes.substr(0, 64)) {
          out.build_id += hex[c >> 4];
          out.build_id += hex[c & 15];
        }
      }
      if (owner == std::string_view("Tenon\0", 6) && note.n_type == 1 && bytes.size() > 8) {
        out.note.abi = at<uint32_t>(content);
        out.note.vocabulary = at<uint32_t>(content + 4);
        std::string_view sdk = bytes.substr(8);
        out.note.sdk = std::string(sdk.substr(0, sdk.find('\0')));
      }
      at_byte = next;
    }
  }

  void read_dynamic(ElfImage& out) {
    const Elf64_Phdr* dynamic = nullptr;
    for (const Elf64_Phdr& p : segments_)
      if (p.p_type == PT_DYNAMIC) dynamic = &p;
    if (!dynamic) throw Damaged{"it has no dynamic section"};
    uint64_t string_table = 0, string_size = 0, symbols = 0, hash = 0, gnu_hash = 0;
    uint64_t needs = 0, need_count = 0, definitions = 0, definition_count = 0;
    std::vector<uint64_t> needed;
    uint64_t soname = 0, rpath = 0, runpath = 0;
    for (uint64_t o = dynamic->p_offset; o - dynamic->p_offset < dynamic->p_filesz; o += sizeof(Elf64_Dyn)) {
      Elf64_Dyn d = at<Elf64_Dyn>(o);
      if (d.d_tag == DT_NULL) break;
      uint64_t value = d.d_un.d_val;
      switch (d.d_tag) {
        case DT_STRTAB: string_table = value; break;
        case DT_STRSZ: string_size = value; break;
        case DT_SYMTAB: symbols = value; break;
        case DT_HASH: hash = value; break;
        case DT_GNU_HASH: gnu_hash = value; break;
        case DT_VERNEED: needs = value; break;
        case DT_VERNEEDNUM: need_count = value; break;
        case DT_VERDEF: definitions = value; break;
        case DT_VERDEFNUM: definition_count = value; break;
        case DT_NEEDED: needed.push_back(value); break;
        case DT_SONAME: soname = value; break;
        case DT_RPATH: rpath = value; break;
        case DT_RUNPATH: runpath = value; break;
        case DT_TEXTREL: out.text_relocations = true; break;
        case DT_FLAGS: out.text_relocations = out.text_relocations || (value & DF_TEXTREL); break;
        case DT_FLAGS_1: out.is_program = out.is_program || (value & DF_1_PIE); break;
        default: break;
      }
    }
    if (string_table) {
      uint64_t start = offset_of(string_table);
      if (start > bytes_.size() || bytes_.size() - start < string_size) throw Damaged{"its names lie behind its end"};
      strings_ = bytes_.substr(start, string_size);
    }
    for (uint64_t n : needed) out.needed.push_back(text(n));
    if (soname) out.soname = text(soname);
    if (rpath) out.rpath = text(rpath);
    if (runpath) out.runpath = text(runpath);
    if (needs) read_needs(offset_of(needs), need_count, out);
    if (definitions) read_definitions(offset_of(definitions), definition_count, out);
    if (symbols) read_symbols(offset_of(symbols), symbol_count(hash, gnu_hash), out);
  }

  uint64_t symbol_count(uint64_t hash, uint64_t gnu_hash) const {
    if (hash) return at<uint32_t>(add(offset_of(hash), 4));
    if (!gnu_hash) return 0;
    uint64_t o = offset_of(gnu_hash);
    uint64_t buckets = at<uint32_t>(o), first = at<uint32_t>(o + 4), words = at<uint32_t>(o + 8);
    uint64_t bucket_table = add(o + 16, words * 8), chains = add(bucket_table, buckets * 4), last = 0;
    for (uint64_t i = 0; i < buckets; ++i) last = std::max<uint64_t>(last, at<uint32_t>(bucket_table + i * 4));
    if (last < first) return first;
    while (!(at<uint32_t>(chains + (last - first) * 4) & 1)) ++last;
    return last + 1;
  }

  void read_symbols(uint64_t offset, uint64_t count, ElfImage& out) const {
    for (uint64_t i = 1; i < count; ++i) {
      Elf64_Sym s = at<Elf64_Sym>(add(offset, i * sizeof(Elf64_Sym)));
      unsigned binding = ELF64_ST_BIND(s.st_info);
      if (binding == STB_LOCAL) continue;
      out.symbols.push_back({text(s.st_name), s.st_shndx != SHN_UNDEF && s.st_shndx != SHN_ABS, binding == STB_WEAK,
                             binding == STB_GNU_UNIQUE});
    }
  }

  void read_needs(uint64_t offset, uint64_t count, ElfImage& out) const {
    for (uint64_t i = 0; i < count; ++i) {
      Elf64_Verneed need = at<Elf64_Verneed>(offset);
      uint64_t entry = add(offset, need.vn_aux);
      for (uint64_t k = 0; k < need.vn_cnt; ++k) {
        Elf64_Vernaux aux = at<Elf64_Vernaux>(entry);
        out.version_needs.push_back({text(need.vn_file), text(aux.vna_name), (aux.vna_flags & VER_FLG_WEAK) != 0});
        if (!aux.vna_next) break;
        entry = add(entry, aux.vna_next);
      }
      if (!need.vn_next) break;
      offset = add(offset, need.vn_next);
    }
  }

  void read_definitions(uint64_t offset, uint64_t count, ElfImage& out) const {
    for (uint64_t i = 0; i < count; ++i) {
      Elf64_Verdef definition = at<Elf64_Verdef>(offset);
      Elf64_Verdaux aux = at<Elf64_Verdaux>(add(offset, definition.vd_aux));
      if (!(definition.vd_flags & VER_FLG_BASE)) out.version_definitions.push_back(text(aux.vda_name));
      if (!definition.vd_next) break;
      offset = add(offset, definition.vd_next);
    }
  }

  std::string_view bytes_, strings_;
  Elf64_Ehdr header_;
  std::vector<Elf64_Phdr> segments_;
};

}  // namespace

std::vector<std::string> ElfImage::exports() const {
  std::vector<std::string> out;
  for (const ElfSymbol& s : symbols)
    if (s.defined && !s.name.empty()) out.push_back(s.name);
  std::sort(out.begin(), out.end());
  return out;
}

ElfImage read_elf(std::string_view bytes) {
  ElfImage out;
  try {
    Reader(bytes).read(out);
  } catch (const Damaged& damage) { out.problem = std::string("is damaged: ") + damage.what; }
  return out;
}

MappedFile::MappedFile(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat status;
  if (fd < 0 || ::fstat(fd, &status) != 0) {
    error_ = std::strerror(errno);
  } else if (!S_ISREG(status.st_mode)) {
    error_ = "it is not a regular file";
  } else if (status.st_size > 0) {
    void* data = ::mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) {
      error_ = std::strerror(errno);
    } else {
      data_ = data;
      size_ = static_cast<size_t>(status.st_size);
    }
  }
  if (fd >= 0) ::close(fd);
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(data_, size_);
}

}  // namespace tenon
