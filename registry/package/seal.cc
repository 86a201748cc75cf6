#include "registry/package/seal.h"

#include "registry/package/tar.h"
#include "registry/yaml.h"

namespace tenon {

namespace {

constexpr int64_t kMostManifestBytes = 16 << 20;  // what YAML is read
constexpr const char* kFormat = "tenon.package/1";

// JSON text that YAML reads alike: ASCII, with \uXXXX for control characters; other bytes stay.
std::string quoted(const std::string& s) {
  std::string out = "\"";
  for (char c : s) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(c));
      out += code;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

}  // namespace

const SealedFile* Seal::find(std::string_view path) const {
  for (const SealedFile& f : files)
    if (f.path == path) return &f;
  return nullptr;
}

bool Seal::has_below(std::string_view folder) const {
  for (const SealedFile& f : files)
    if (f.path.size() > folder.size() && f.path.starts_with(folder) && f.path[folder.size()] == '/') return true;
  return false;
}

std::string this_platform() {
#if defined(__x86_64__)
  return "linux-x86_64";
#else
  return "linux-aarch64";
#endif
}

std::string seal_text(const Seal& s) {
  std::string out = std::string("{\n  \"format\": \"") + kFormat + "\"";
  auto text = [&](const char* key, const std::string& value) {
    out += std::string(",\n  \"") + key + "\": " + quoted(value);
  };
  text("id", s.id);
  text("version", s.version);
  text("vendor", s.vendor);
  text("tier", s.tier);
  text("platform", s.platform);
  text("sdk", s.sdk);
  out += ",\n  \"abi\": " + std::to_string(s.abi) + ",\n  \"vocabulary\": " + std::to_string(s.vocabulary);
  text("library", s.library);
  text("build_id", s.build_id);
  out += ",\n  \"files\": [";
  for (size_t i = 0; i < s.files.size(); ++i)
    out += std::string(i ? "," : "") + "\n    {\"path\": " + quoted(s.files[i].path) +
           ", \"bytes\": " + std::to_string(s.files[i].bytes) + ", \"sha256\": " + quoted(s.files[i].sha256) + "}";
  return out + "\n  ]\n}\n";
}

Seal parse_seal(const Builder& b, const std::string& text, const std::string& file) {
  auto refuse = [&](const std::string& why) {
    return Error(TN_ERROR_CORRUPT, "the seal is damaged: " + why, file, "get the package again from its vendor");
  };
  Seal s;
  try {
    Value v = yaml_value(b, parse_yaml(text, file), file);
    if (!v.is_map()) throw refuse("it is no map");
    const Map m = v.ref<Map>();
    auto get = [&](const Map& map, const char* key) {
      const Value* found = map.find(key);
      return found && found->is_string() ? std::string(found->as_string()) : std::string();
    };
    auto number = [&](const Map& map, const char* key) {
      const Value* found = map.find(key);
      return found && found->is_int() ? found->as_int() : int64_t{0};
    };
    std::string format = get(m, "format");
    if (format.starts_with("tenon.package/") && format != kFormat)
      throw Error(TN_ERROR_ABI_MISMATCH, "the package has the form " + format + ", this Tenon reads " + kFormat, file,
                  "upgrade Tenon, or get a package in the form " + std::string(kFormat));
    s = {get(m, "id"),
         get(m, "version"),
         get(m, "vendor"),
         get(m, "tier"),
         get(m, "platform"),
         get(m, "sdk"),
         number(m, "abi"),
         number(m, "vocabulary"),
         get(m, "library"),
         get(m, "build_id"),
         {}};
    if (const Value* files = m.find("files"); files && files->is_array())
      for (const Value& f : files->ref<Array>())
        if (f.is_map())
          s.files.push_back({get(f.ref<Map>(), "path"), get(f.ref<Map>(), "sha256"), number(f.ref<Map>(), "bytes")});
  } catch (const Error& e) {
    if (e.code == TN_ERROR_ABI_MISMATCH || e.code == TN_ERROR_CORRUPT) throw;
    throw refuse(e.message);
  }
  if (seal_text(s) != text) throw refuse("it is not in the form in which seals are written");
  for (size_t i = 0; i < s.files.size(); ++i) {
    const SealedFile& f = s.files[i];
    if (!is_archive_path(f.path) || f.path == kSealFile || f.path == kSignatureFile)
      throw refuse("'" + f.path + "' is no path of a file in a package");
    if (f.bytes < 0 || (f.path == "manifest.yaml" && f.bytes > kMostManifestBytes))
      throw refuse("no file '" + f.path + "' has " + std::to_string(f.bytes) + " bytes");
    if (i && s.files[i - 1].path >= f.path) throw refuse("its files are not sorted");
  }
  if (!s.find("manifest.yaml")) throw refuse("it lists no manifest.yaml");
  if (!s.library.empty() && !s.find(s.library)) throw refuse("it does not list its library " + s.library);
  return s;
}

}  // namespace tenon
