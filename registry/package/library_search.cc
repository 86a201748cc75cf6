#include "registry/package/library_search.h"

#include <sys/auxv.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>

#include "registry/elf.h"
#include "registry/package/elf_image.h"

namespace tenon {

namespace fs = std::filesystem;

namespace {

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> out;
  for (size_t start = 0; start <= text.size();) {
    size_t end = std::min(text.find(':', start), text.size());
    if (end > start) out.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return out;
}

// The file that ldconfig writes: a header, entries {flags, key, value, os version, hardware}, and the names.
std::multimap<std::string, std::string> read_loader_cache(const std::string& file) {
  std::multimap<std::string, std::string> out;
  MappedFile mapped(file);
  std::string_view bytes = mapped.bytes();
  constexpr std::string_view kMagic = "glibc-ld.so.cache1.1";
  size_t start = bytes.find(kMagic);
  if (start == std::string_view::npos || start % 8 != 0) return out;
  bytes.remove_prefix(start);
  constexpr size_t kHeader = 48, kEntry = 24;
  auto word = [&](size_t offset) {
    uint32_t n = 0;
    if (offset + 4 <= bytes.size()) std::memcpy(&n, bytes.data() + offset, 4);
    return n;
  };
  auto text = [&](size_t offset) {
    if (offset >= bytes.size()) return std::string();
    std::string_view rest = bytes.substr(offset);
    return std::string(rest.substr(0, rest.find('\0')));
  };
  size_t count = word(kMagic.size());
  for (size_t i = 0; i < count && kHeader + (i + 1) * kEntry <= bytes.size(); ++i) {
    size_t entry = kHeader + i * kEntry;
    out.emplace(text(word(entry + 4)), text(word(entry + 8)));
  }
  return out;
}

bool usable(const std::string& file) {
  std::error_code error;
  return fs::exists(file, error) && library_problem(file).empty();
}

}  // namespace

std::vector<std::string> run_path(const std::string& text, const std::string& origin) {
  std::vector<std::string> out;
  for (std::string folder : split(text)) {
    for (const char* name : {"${ORIGIN}", "$ORIGIN"})
      for (size_t at; (at = folder.find(name)) != std::string::npos;) folder.replace(at, std::strlen(name), origin);
    out.push_back(folder);
  }
  return out;
}

LibrarySearch::LibrarySearch() : cache_(read_loader_cache("/etc/ld.so.cache")) {
  if (const char* path = std::getenv("LD_LIBRARY_PATH"); path && !getauxval(AT_SECURE)) environment_ = split(path);
#if defined(__x86_64__)
  system_ = {"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu"};
#elif defined(__aarch64__)
  system_ = {"/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu"};
#endif
  for (const char* folder : {"/lib64", "/usr/lib64", "/lib", "/usr/lib"}) system_.emplace_back(folder);
}

std::string LibrarySearch::find(const std::string& soname, const std::vector<std::string>& folders) const {
  if (soname.find('/') != std::string::npos) return usable(soname) ? soname : "";
  for (const std::vector<std::string>* list : {&folders, &environment_})
    for (const std::string& folder : *list)
      if (std::string file = folder + "/" + soname; usable(file)) return file;
  auto [first, last] = cache_.equal_range(soname);
  for (; first != last; ++first)
    if (usable(first->second)) return first->second;
  for (const std::string& folder : system_)
    if (std::string file = folder + "/" + soname; usable(file)) return file;
  return "";
}

std::vector<std::string> LibrarySearch::versions(const std::string& stem) const {
  std::set<std::string> found;
  auto add = [&](const fs::path& file) {
    std::error_code error;
    fs::path real = fs::canonical(file, error);
    if (error) return;
    for (const fs::path& name : {real.filename(), file.filename()}) {
      std::string text = name.string();
      if (!text.starts_with(stem + ".")) continue;
      std::string version = text.substr(stem.size() + 1);
      if (version.find_first_not_of("0123456789.") != std::string::npos) continue;
      found.insert(version);
      return;
    }
  };
  for (const std::vector<std::string>* list : {&environment_, &system_})
    for (const std::string& folder : *list) {
      std::error_code error;
      for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
        if (it->path().filename().string().starts_with(stem)) add(it->path());
    }
  for (auto it = cache_.lower_bound(stem); it != cache_.end() && it->first.starts_with(stem); ++it) add(it->second);
  return {found.begin(), found.end()};
}

}  // namespace tenon
