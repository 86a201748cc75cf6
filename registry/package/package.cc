#include "registry/package/package.h"

#include <algorithm>
#include <filesystem>

#include "diag/files.h"
#include "diag/sha256.h"
#include "diag/utf8.h"
#include "registry/package/doctor.h"
#include "registry/package/elf_image.h"
#include "tenon/kinds.h"

namespace tenon {

namespace fs = std::filesystem;

namespace {

constexpr uint64_t kMostSealBytes = 16 << 20;  // and of a signature: what any YAML may be

// The regular files below a folder, as archive paths, sorted.
std::vector<std::string> files_below(const std::string& folder) {
  std::vector<std::string> out;
  std::error_code error;
  fs::recursive_directory_iterator it(folder, error), end;
  for (; !error && it != end; it.increment(error)) {
    std::string path = it->path().lexically_relative(folder).string();
    fs::file_status status = it->symlink_status();
    if (fs::is_directory(status)) continue;
    if (path == kSealFile || path == kSignatureFile)
      throw Error(TN_ERROR_ARGUMENT, "cannot pack a folder that is sealed already", folder + "/" + path,
                  "pack the plugin's build folder, or take the package that this came from");
    if (!fs::is_regular_file(status))
      throw Error(TN_ERROR_ARGUMENT, "a package holds regular files only", folder + "/" + path,
                  "leave it out, or copy the file that it stands for");
    if (!is_archive_path(path))
      throw Error(TN_ERROR_ARGUMENT, "a package cannot hold a file of this name", folder + "/" + path,
                  "names are letters, digits, '.', '_', '+' and '-', not beginning with '.'; paths at most 100 bytes");
    out.push_back(path);
  }
  if (error) throw Error(TN_ERROR_IO, "cannot read the folder: " + error.message(), folder, "check its rights");
  std::sort(out.begin(), out.end());
  return out;
}

// What the seal says and what the manifest says must be one.
void compare_with_manifest(const Seal& seal, const PluginInfo& plugin, const std::string& where) {
  struct Row {
    const char* what;
    std::string sealed, said;
  };
  const Row rows[] = {{"id", seal.id, plugin.id},
                      {"version", seal.version, plugin.version},
                      {"vendor", seal.vendor, plugin.vendor},
                      {"tier", seal.tier, plugin.tier},
                      {"library", seal.library, fs::path(plugin.library).filename().string()}};
  for (const Row& row : rows)
    if (row.sealed != row.said)
      throw Error(TN_ERROR_CORRUPT,
                  "the seal says " + std::string(row.what) + " '" + row.sealed + "', the manifest '" + row.said + "'",
                  where, "pack the plugin again");
}

void check_file(const SealedFile& f, std::string_view bytes, const std::string& where) {
  std::string digest = digest_text(sha256(bytes));
  if (static_cast<int64_t>(bytes.size()) != f.bytes || digest != f.sha256)
    throw Error(TN_ERROR_CORRUPT,
                "the file " + f.path + " is not the one that was sealed: its digest is " + digest.substr(0, 23) +
                    "..., the seal says " + f.sha256.substr(0, 23) + "...",
                where, "get the package again from its vendor, and install it again");
}

// The bytes of a file of a sealed folder; one that has grown is not read.
std::string read_as_sealed(const SealedFile& f, const std::string& path) {
  std::error_code error;
  if (const uint64_t size = fs::file_size(path, error); !error && size != static_cast<uint64_t>(f.bytes))
    throw Error(TN_ERROR_CORRUPT,
                "the file " + f.path + " is not the one that was sealed: it has " + std::to_string(size) +
                    " bytes, the seal says " + std::to_string(f.bytes),
                path, "get the package again from its vendor, and install it again");
  std::string bytes = read_regular_file(path);
  check_file(f, bytes, path);
  return bytes;
}

// A seal or a signature: none is as large as what is refused.
std::string read_small(const std::string& folder, const char* name) {
  const std::string path = folder + "/" + name;
  std::error_code error;
  if (const uint64_t size = fs::file_size(path, error); !error && size > kMostSealBytes)
    throw Error(TN_ERROR_CORRUPT, std::string(name) + " has " + std::to_string(size) + " bytes, which none has", path,
                "remove the folder and install the package again");
  return read_regular_file(path);
}

// What lies in a sealed folder and is not sealed is nobody's.
void refuse_others(const Seal& seal, const std::string& folder) {
  std::error_code error;
  fs::recursive_directory_iterator it(folder, error), end;
  for (; !error && it != end; it.increment(error)) {
    const std::string path = it->path().lexically_relative(folder).string();
    std::error_code ignored;
    const fs::file_type type = it->symlink_status(ignored).type();
    const bool sealed = path == kSealFile || path == kSignatureFile || seal.find(path);
    if (type == fs::file_type::directory ? seal.has_below(path) : sealed && type == fs::file_type::regular) continue;
    throw Error(TN_ERROR_CORRUPT,
                sealed ? "the file " + path + " is not a regular file"
                       : "the folder holds " + shortened(path, 200) + ", which its seal does not list",
                folder, "remove the folder and install the package again");
  }
  if (error) throw Error(TN_ERROR_IO, "cannot read the folder: " + error.message(), folder, "check its rights");
}

// The parts that archives and folders share; `files` are those of the seal.
void read_identity(const Builder& b, Package& p, const std::string& manifest, const std::string& manifest_path) {
  p.digest = digest_text(sha256(p.seal_bytes));
  if (!p.signature_bytes.empty())
    p.signature = check_signature(p.seal_bytes, p.signature_bytes, p.file + ":" + kSignatureFile);
  ManifestResult r = parse_manifest(b, manifest, manifest_path);
  raise(r.complaints, "tenon check " + manifest_path);
  p.plugin = std::move(r.plugin);
  p.plugin.digest = p.digest;
  compare_with_manifest(p.seal, p.plugin, p.file);
}

}  // namespace

std::string pack_folder(const Builder& b, const std::string& folder, const std::string& sdk) {
  std::error_code error;
  if (!fs::is_directory(folder, error))
    throw Error(TN_ERROR_NOT_FOUND, "cannot pack it: there is no such folder", folder,
                "give the folder that holds manifest.yaml and the library");
  ManifestResult manifest = read_manifest(b, folder + "/manifest.yaml");
  raise(manifest.complaints, "tenon check " + folder + "/manifest.yaml");
  const PluginInfo& plugin = manifest.plugin;
  if (plugin.vendor.empty())
    throw Error(TN_ERROR_ARGUMENT, "cannot pack a plugin whose manifest names no vendor", plugin.manifest,
                "add a line: vendor: NAME");
  Seal seal{plugin.id, plugin.version, plugin.vendor, plugin.tier, "any", sdk, 0, 0, "", "", {}};
  if (!plugin.library.empty()) {
    Diagnosis d = diagnose_library(plugin.library);
    for (const Finding& f : d.findings)  // what this machine lacks, another may have
      if (f.error.code && (f.error.code != TN_ERROR_NOT_FOUND || f.check == "file"))
        throw Error(f.error.code, "cannot pack the plugin '" + plugin.id + "': its library " + f.error.message,
                    plugin.library, f.error.hint);
    if (!d.sdk.empty()) seal.sdk = d.sdk;
    seal.build_id = d.build_id;
    MappedFile mapped(plugin.library);
    ElfImage image = read_elf(mapped.bytes());
    seal.platform = this_platform();
    seal.abi = image.note.sdk.empty() ? TN_ABI_VERSION : image.note.abi;
    seal.vocabulary = image.note.sdk.empty() ? plugin.consumes : image.note.vocabulary;
    seal.library = fs::path(plugin.library).filename().string();
  }
  std::vector<std::string> contents;
  std::vector<std::string> paths = files_below(folder);
  for (const std::string& path : paths) try {
      contents.push_back(read_regular_file(folder + "/" + path));
    } catch (const std::bad_alloc&) {
      throw Error(TN_ERROR_OUT_OF_MEMORY, "there is no memory for the file, and a package is made in memory",
                  folder + "/" + path, "leave it out of the folder, or let the program have more memory");
    }
  ArchiveFiles files;
  for (size_t i = 0; i < paths.size(); ++i) {
    seal.files.push_back({paths[i], digest_text(sha256(contents[i])), static_cast<int64_t>(contents[i].size())});
    files.emplace_back(paths[i], contents[i]);
  }
  std::string text = seal_text(seal);
  parse_seal(b, text, folder);  // a seal that cannot be read again is not written
  files.emplace(files.begin(), kSealFile, text);
  return write_archive(files);
}

Package read_package(const Builder& b, std::string archive, const std::string& file) {
  Package p;
  p.file = file;
  p.archive = std::move(archive);
  ArchiveFiles all = read_archive(p.archive, file);
  size_t first = 1;
  if (all.empty() || all[0].first != kSealFile)
    throw Error(TN_ERROR_CORRUPT, "this is no package: it does not begin with seal.json", file,
                "packages are made by: tenon plugin pack");
  p.seal_bytes = all[0].second;
  p.seal = parse_seal(b, p.seal_bytes, file + ":" + kSealFile);
  if (all.size() > 1 && all[1].first == kSignatureFile) p.signature_bytes = all[first++].second;
  size_t count = all.size() - first;
  for (size_t i = 0; i < std::max(count, p.seal.files.size()); ++i) {
    if (i < count && i < p.seal.files.size() && all[first + i].first == p.seal.files[i].path) {
      check_file(p.seal.files[i], all[first + i].second, file);
      p.files.push_back(all[first + i]);
      continue;
    }
    throw Error(TN_ERROR_CORRUPT,
                i < p.seal.files.size() && (i >= count || p.seal.files[i].path < all[first + i].first)
                    ? "the package lacks the file " + p.seal.files[i].path + " of its seal"
                    : "the package holds " + all[first + i].first + ", which its seal does not list",
                file, "get it again from its vendor");
  }
  std::string manifest;
  for (const auto& [path, bytes] : p.files)
    if (path == "manifest.yaml") manifest = bytes;
  read_identity(b, p, manifest, file + ":manifest.yaml");
  return p;
}

Package read_sealed_folder(const Builder& b, const std::string& folder, bool with_library) {
  Package p;
  p.file = folder;
  p.seal_bytes = read_small(folder, kSealFile);
  p.seal = parse_seal(b, p.seal_bytes, folder + "/" + kSealFile);
  std::error_code error;
  if (fs::exists(folder + "/" + kSignatureFile, error)) p.signature_bytes = read_small(folder, kSignatureFile);
  std::string manifest;
  for (const SealedFile& f : p.seal.files) {
    if (!with_library && f.path == p.seal.library) continue;
    std::string bytes = read_as_sealed(f, folder + "/" + f.path);
    if (f.path == "manifest.yaml") manifest = std::move(bytes);
  }
  refuse_others(p.seal, folder);
  read_identity(b, p, manifest, folder + "/manifest.yaml");
  return p;
}

PluginInfo read_sealed_manifest(const Builder& b, const std::string& folder) {
  const std::string seal_bytes = read_small(folder, kSealFile), path = folder + "/manifest.yaml";
  Seal seal = parse_seal(b, seal_bytes, folder + "/" + kSealFile);
  const std::string manifest = read_as_sealed(*seal.find("manifest.yaml"), path);
  ManifestResult r = parse_manifest(b, manifest, path);
  raise(r.complaints, "tenon check " + path);
  compare_with_manifest(seal, r.plugin, folder);
  r.plugin.digest = digest_text(sha256(seal_bytes));
  return std::move(r.plugin);
}

std::string with_signature(const Package& package, const Signature& signature) {
  std::string text = signature.text();
  ArchiveFiles files = package.files;
  files.emplace(files.begin(), kSignatureFile, text);
  files.emplace(files.begin(), kSealFile, package.seal_bytes);
  return write_archive(files);
}

void check_tier(const std::string& tier, const std::string& what, const std::string& built, const std::string& sdk,
                const std::string& where) {
  auto minor = [](const std::string& v) { return v.substr(0, v.find('.', v.find('.') + 1)); };
  if (tier == "preview-c" && minor(built) != minor(sdk))
    throw Error(TN_ERROR_ABI_MISMATCH,
                what + "is of tier preview-c and was built with Tenon " + built + ", this is Tenon " + sdk, where,
                "preview-c is promised within one minor version; get a build for Tenon " + minor(sdk));
}

void check_unsealed_tier(const PluginInfo& plugin, const std::string& sdk) {
  if (plugin.tier != "preview-c" || plugin.library.empty()) return;
  MappedFile mapped(plugin.library);
  const ElfImage image = read_elf(mapped.bytes());
  if (!image.note.sdk.empty())  // what is no library of the SDK is refused by what it lacks
    check_tier(plugin.tier, "the plugin '" + plugin.id + "' " + plugin.version + " ", image.note.sdk, sdk,
               plugin.library);
}

void check_host(const Seal& seal, const std::string& sdk, const std::string& where) {
  const std::string what = "the plugin '" + seal.id + "' " + seal.version + " ";
  if (seal.platform != "any" && seal.platform != this_platform())
    throw Error(TN_ERROR_ABI_MISMATCH, what + "is built for " + seal.platform + ", this machine is " + this_platform(),
                where, "get the package for " + this_platform());
  if (seal.abi > TN_ABI_VERSION)
    throw Error(TN_ERROR_ABI_MISMATCH,
                what + "was built for Tenon ABI " + std::to_string(seal.abi) + ", this Tenon has ABI " +
                    std::to_string(TN_ABI_VERSION),
                where, "upgrade Tenon, or get a build of the plugin for ABI " + std::to_string(TN_ABI_VERSION));
  if (seal.vocabulary > TN_IR_VOCABULARY)
    throw Error(TN_ERROR_ABI_MISMATCH,
                what + "was built for IR vocabulary " + std::to_string(seal.vocabulary) +
                    ", this Tenon has vocabulary " + std::to_string(TN_IR_VOCABULARY),
                where, "upgrade Tenon, or get a build for vocabulary " + std::to_string(TN_IR_VOCABULARY));
  if (!seal.library.empty()) check_tier(seal.tier, what, seal.sdk, sdk, where);
}

}  // namespace tenon
