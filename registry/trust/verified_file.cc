#include "registry/trust/verified_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "diag/sha256.h"
#include "tenon/cxx/object.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u
#endif

namespace tenon {

namespace {

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

Error io(const char* what, const std::string& file) {
  return Error(TN_ERROR_IO, std::string(what) + ": " + std::strerror(errno), file, "install the package again");
}

std::string digest_of(int fd, const std::string& file) {
  std::vector<char> buffer(size_t{1} << 20);
  Sha256 sha;
  for (off_t at = 0;;) {
    ssize_t n = ::pread(fd, buffer.data(), buffer.size(), at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw io("cannot read the library", file);
    if (n == 0) return digest_text(sha.finish());
    sha.update(buffer.data(), static_cast<size_t>(n));
    at += n;
  }
}

int sealed_copy(int from, const std::string& file) {
  const char* name = file.c_str() + (file.rfind('/') == std::string::npos ? 0 : file.rfind('/') + 1);
  Descriptor memory{::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC)};
  if (memory.fd < 0) memory.fd = ::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);  // a kernel without MFD_EXEC
  if (memory.fd < 0) throw io("cannot copy the library into memory", file);
  for (;;) {
    ssize_t n = ::sendfile(memory.fd, from, nullptr, size_t{1} << 30);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw io("cannot copy the library into memory", file);
    if (n == 0) break;
  }
  if (::fcntl(memory.fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
    throw io("cannot seal the memory of the library", file);
  return std::exchange(memory.fd, -1);
}

}  // namespace

VerifiedFile::VerifiedFile(const std::string& file, const std::string& digest) {
  Descriptor opened{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  struct stat status;
  if (opened.fd < 0 || ::fstat(opened.fd, &status) != 0) throw io("cannot open the library", file);
  if (!S_ISREG(status.st_mode))
    throw Error(TN_ERROR_CORRUPT, "the library is not a regular file", file, "install the package again");
  bool only_root = status.st_uid == 0 && ::geteuid() != 0 && (status.st_mode & 022) == 0;
  if (!only_root)
    opened.fd = [&] {
      Descriptor original{std::exchange(opened.fd, -1)};
      return sealed_copy(original.fd, file);
    }();
  std::string found = digest_of(opened.fd, file);
  if (found != digest)
    throw Error(TN_ERROR_CORRUPT,
                "the library's bytes are not those that were sealed: their digest is " + found.substr(0, 23) +
                    "..., the seal says " + digest.substr(0, 23) + "...",
                file, "install the package again");
  fd_ = std::exchange(opened.fd, -1);
  path_ = "/proc/self/fd/" + std::to_string(fd_);
}

VerifiedFile::~VerifiedFile() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace tenon
