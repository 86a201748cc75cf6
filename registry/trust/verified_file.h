// Opens a library so that what is mapped is what was verified, whatever happens to its file in between.
#ifndef TENON_REGISTRY_TRUST_VERIFIED_FILE_H
#define TENON_REGISTRY_TRUST_VERIFIED_FILE_H

#include <string>

namespace tenon {

// A path for dlopen that stands for exactly the bytes with this digest ("sha256:..."), as long as the object lives. A
// file that only root can change is used in place; every other is copied into sealed memory first, and hashed there.
// Throws TN_ERROR_CORRUPT when the bytes are others, TN_ERROR_IO when they cannot be read.
class VerifiedFile {
 public:
  VerifiedFile(const std::string& file, const std::string& digest);
  VerifiedFile(const VerifiedFile&) = delete;
  VerifiedFile& operator=(const VerifiedFile&) = delete;
  ~VerifiedFile();
  const std::string& path() const { return path_; }
  // The loader knows a library by its path: what stays loaded keeps its descriptor open.
  void keep() { fd_ = -1; }

 private:
  int fd_ = -1;
  std::string path_;
};

}  // namespace tenon
#endif
