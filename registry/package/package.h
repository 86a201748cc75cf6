// Packages: a plugin in one file (.tnp), sealed and signed.
//
// The archive holds seal.json, seal.sig when it is signed, and the plugin's files in the order of the seal. The
// package's digest is that of seal.json, which holds the digests of all else.
#ifndef TENON_REGISTRY_PACKAGE_PACKAGE_H
#define TENON_REGISTRY_PACKAGE_PACKAGE_H

#include <optional>

#include "registry/manifest.h"
#include "registry/package/key.h"
#include "registry/package/seal.h"
#include "registry/package/tar.h"

namespace tenon {

struct Package {
  std::string file;  // where it came from, for messages
  Seal seal;
  std::string seal_bytes, signature_bytes;  // the latter empty when it is not signed
  std::string digest;                       // "sha256:..." of seal_bytes
  std::optional<Signature> signature;
  PluginInfo plugin;  // of its manifest
  std::string archive;
  ArchiveFiles files;  // those of the seal, as views into `archive`
};

// Packs the folder of a plugin; `sdk` is the version of this Tenon. Refuses what a customer's machine would refuse.
std::string pack_folder(const Builder& b, const std::string& folder, const std::string& sdk);

// Every byte is compared with the seal, the signature with the seal, the seal with the manifest. Throws
// TN_ERROR_CORRUPT, TN_ERROR_ABI_MISMATCH, or what the manifest's reader says.
Package read_package(const Builder& b, std::string archive, const std::string& file);
// The same for a folder of the store; the library is left to the loader unless `with_library`.
Package read_sealed_folder(const Builder& b, const std::string& folder, bool with_library);

// Seal and manifest alone, compared with each other: enough to list it.
PluginInfo read_sealed_manifest(const Builder& b, const std::string& folder);

// The archive with another signature.
std::string with_signature(const Package& package, const Signature& signature);

// Whether this host can use it, from the seal alone: platform, ABI, vocabulary, tier. Throws TN_ERROR_ABI_MISMATCH.
void check_host(const Seal& seal, const std::string& sdk, const std::string& where);
// The same of a plugin without a seal, from the note in its library: tier preview-c matches one minor version.
void check_unsealed_tier(const PluginInfo& plugin, const std::string& sdk);

}  // namespace tenon
#endif
