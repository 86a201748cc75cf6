#include "registry/probe/dependencies.h"

#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <set>

#include "diag/sha256.h"
#include "registry/probe/cache.h"

namespace tenon {

namespace {

struct File {
  explicit File(const std::string& path) : fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~File() {
    if (fd >= 0) close(fd);
  }
  bool read(uint64_t offset, void* data, size_t size) const {
    return fd >= 0 && pread(fd, data, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size);
  }
  int fd;
};

struct Dynamic {
  std::vector<std::string> needed;
  std::string path;  // RUNPATH, else RPATH
};

Dynamic read_dynamic(const std::string& library) {
  Dynamic out;
  File file(library);
  Elf64_Ehdr header;
  if (!file.read(0, &header, sizeof header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > 256)
    return out;
  std::vector<Elf64_Phdr> segments(header.e_phnum);
  if (!file.read(header.e_phoff, segments.data(), segments.size() * sizeof(Elf64_Phdr))) return out;
  std::vector<Elf64_Dyn> entries;
  for (const Elf64_Phdr& s : segments)
    if (s.p_type == PT_DYNAMIC && s.p_filesz <= 1 << 20) {
      entries.resize(s.p_filesz / sizeof(Elf64_Dyn));
      if (!file.read(s.p_offset, entries.data(), entries.size() * sizeof(Elf64_Dyn))) return out;
    }
  uint64_t strings = 0, size = 0;
  for (const Elf64_Dyn& d : entries) {
    if (d.d_tag == DT_STRTAB) strings = d.d_un.d_ptr;
    if (d.d_tag == DT_STRSZ) size = d.d_un.d_val;
  }
  uint64_t offset = 0;
  for (const Elf64_Phdr& s : segments)
    if (s.p_type == PT_LOAD && strings >= s.p_vaddr && strings - s.p_vaddr < s.p_filesz)
      offset = strings - s.p_vaddr + s.p_offset;
  if (offset == 0 || size == 0 || size > 64 << 20) return out;
  auto text = [&](uint64_t at) {
    char name[512] = {};
    if (at >= size || !file.read(offset + at, name, std::min<uint64_t>(sizeof name - 1, size - at)))
      return std::string();
    return std::string(name);
  };
  std::string rpath;
  for (const Elf64_Dyn& d : entries) {
    if (d.d_tag == DT_NULL) break;
    if (d.d_tag == DT_NEEDED) out.needed.push_back(text(d.d_un.d_val));
    if (d.d_tag == DT_RUNPATH) out.path = text(d.d_un.d_val);
    if (d.d_tag == DT_RPATH) rpath = text(d.d_un.d_val);
  }
  if (out.path.empty()) out.path = rpath;
  return out;
}

void add_folders(std::vector<std::string>& out, const std::string& list, const std::string& origin) {
  for (size_t at = 0; at < list.size();) {
    size_t end = std::min(list.find(':', at), list.size());
    std::string folder = list.substr(at, end - at);
    for (const char* word : {"$ORIGIN", "${ORIGIN}"})
      if (size_t found = folder.find(word); found != std::string::npos)
        folder.replace(found, std::strlen(word), origin);
    if (!folder.empty()) out.push_back(folder);
    at = end + 1;
  }
}

constexpr const char* kSystemFolders[] = {
#if defined(__x86_64__)
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
#elif defined(__aarch64__)
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
#endif
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
    "/usr/local/lib"};

}  // namespace

std::vector<Dependency> dependencies_of(const std::string& library) {
  std::vector<Dependency> out;
  std::set<std::string> seen;
  std::vector<std::string> files{library};
  const char* environment = std::getenv("LD_LIBRARY_PATH");
  for (size_t i = 0; i < files.size() && out.size() < 1000; ++i) {
    const std::string file = files[i];
    Dynamic d = read_dynamic(file);
    std::vector<std::string> folders;
    std::string origin = file.substr(0, file.rfind('/'));
    if (environment) add_folders(folders, environment, origin);
    add_folders(folders, d.path, origin);
    for (const char* folder : kSystemFolders) folders.emplace_back(folder);
    for (const std::string& name : d.needed) {
      if (name.empty() || !seen.insert(name).second) continue;
      std::string found;
      if (name.find('/') != std::string::npos) found = access(name.c_str(), R_OK) == 0 ? name : "";
      for (const std::string& folder : folders)
        if (found.empty() && name.find('/') == std::string::npos && access((folder + "/" + name).c_str(), R_OK) == 0)
          found = folder + "/" + name;
      out.push_back({name, found});
      if (!found.empty()) files.push_back(found);
    }
  }
  return out;
}

std::string dependency_state(const std::vector<Dependency>& dependencies) {
  const char* environment = std::getenv("LD_LIBRARY_PATH");
  std::string all = environment ? environment : "";
  bool missing = false;
  for (const Dependency& d : dependencies) {
    all += "\n" + d.name + " " + d.path + " " + (d.path.empty() ? "" : file_state(d.path));
    missing = missing || d.path.empty();
  }
  if (missing) all += "\n" + file_state("/etc/ld.so.cache");
  return digest_text(sha256(all));
}

}  // namespace tenon
