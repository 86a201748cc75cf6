#include "lock_file.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "diag/files.h"
#include "diag/render.h"
#include "runtime/elf_file.h"

namespace tenon::tool {

namespace {

// Finds one text of a map in the encoding of an artifact's index (core/build/artifact_index.cc), without trusting it.
class IndexReader {
 public:
  explicit IndexReader(std::string_view bytes) : in_(bytes) {}

  // The text under `key` of the outermost map; "" when there is none.
  std::string text_of(std::string_view key) {
    if (take() != 'm') return "";
    std::string found;
    for (uint64_t n = word(); n > 0 && !failed_; --n) {
      if (take() != 's') return "";
      std::string_view name = bytes(word());
      if (name == key && !in_.empty() && in_[0] == 's') {
        take();
        return std::string(bytes(word()));
      }
      skip(0);
    }
    return found;
  }

 private:
  char take() {
    std::string_view c = bytes(1);
    return c.empty() ? '\0' : c[0];
  }
  std::string_view bytes(uint64_t n) {
    if (n > in_.size()) {
      failed_ = true;
      in_ = {};
      return {};
    }
    std::string_view out = in_.substr(0, n);
    in_.remove_prefix(n);
    return out;
  }
  uint64_t word() {
    uint64_t v = 0;
    std::string_view raw = bytes(8);
    for (size_t i = 0; i < raw.size(); ++i) v |= uint64_t{static_cast<unsigned char>(raw[i])} << (8 * i);
    return v;
  }
  void skip(int depth) {
    if (depth > 64) failed_ = true;
    char kind = failed_ ? '\0' : take();
    if (kind == 'i' || kind == 'd') bytes(8);
    if (kind == 's' || kind == 'b') bytes(word());
    if (kind == 'a')
      for (uint64_t n = word(); n > 0 && !failed_; --n) skip(depth + 1);
    if (kind == 'm')
      for (uint64_t n = word(); n > 0 && !failed_; --n) {
        skip(depth + 1);
        skip(depth + 1);
      }
    if (!std::strchr("ntfidsbam", kind) || kind == '\0') failed_ = true;
  }

  std::string_view in_;
  bool failed_ = false;
};

bool is_artifact(const std::string& path) { return path.ends_with(".so"); }

}  // namespace

bool is_lock(const std::string& path) {
  if (is_artifact(path)) return true;
  if (!path.ends_with(".yaml") && !path.ends_with(".yml") && !path.ends_with(".lock")) return false;
  if (!is_regular_file(path)) return false;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("lock:")) return true;
  return false;
}

LockFile read_lock_file(const std::string& path) {
  std::string bytes = read_regular_file(path);
  if (!is_artifact(path)) return {std::move(bytes), path};
  rt::ElfFile elf;
  rt::Bytes index;
  uint64_t offset = 0;
  if (!elf.open(bytes.data(), bytes.size()) || !elf.section(rt::kIndexSection, &index, &offset))
    throw Error(TN_ERROR_CORRUPT, "the file is no Tenon artifact: it has no index", path);
  std::string text = IndexReader({index.data, index.size}).text_of("lock");
  if (text.empty()) throw Error(TN_ERROR_NOT_FOUND, "the artifact holds no lock", path, "compile the model again");
  return {std::move(text), "the lock of " + path};
}

int show_complaints(const Json& complaints, bool json) {
  auto text = [](const Json& c, const char* key) { return c.contains(key) ? c[key].get<std::string>() : ""; };
  int code = kOk;
  for (const Json& c : complaints) {
    Error e(c["code"].get<int32_t>(), text(c, "message"), text(c, "where"), text(c, "hint"));
    if (!json) std::fputs(render_error(e).c_str(), stderr);
    code = std::max(code, exit_code_of(e));
  }
  return code;
}

}  // namespace tenon::tool
