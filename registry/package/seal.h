// seal.json: what a package holds. It has one exact form, so that it is read by writing it again and comparing.
#ifndef TENON_REGISTRY_PACKAGE_SEAL_H
#define TENON_REGISTRY_PACKAGE_SEAL_H

#include <cstdint>
#include <string>
#include <vector>

#include "tenon/cxx/builder.h"

namespace tenon {

struct SealedFile {
  std::string path, sha256;  // "sha256:..."
  int64_t bytes = 0;
};

struct Seal {
  std::string id, version, vendor, tier;
  std::string platform;  // "linux-x86_64"; "any" for a plugin that is data alone
  std::string sdk;       // of the library's note; of the packing `tenon` when it has none
  int64_t abi = 0, vocabulary = 0;
  std::string library;            // "" for a plugin that is data alone
  std::string build_id;           // of the library, "" when it has none
  std::vector<SealedFile> files;  // sorted by path; without seal.json and seal.sig

  const SealedFile* find(std::string_view path) const;
  // Whether a file lies below the folder of this path.
  bool has_below(std::string_view folder) const;
};

inline constexpr const char* kSealFile = "seal.json";
inline constexpr const char* kSignatureFile = "seal.sig";

std::string this_platform();
std::string seal_text(const Seal& seal);
// Throws TN_ERROR_CORRUPT for what seal_text would not have written, TN_ERROR_ABI_MISMATCH for a newer form.
Seal parse_seal(const Builder& b, const std::string& text, const std::string& file);

}  // namespace tenon
#endif
