#include "diag/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "diag/temporary.h"
#include "tenon/cxx/object.h"

namespace tenon {

namespace {

Error io_error(const std::string& what, const std::string& path, int reason) {
  const bool write = what.find("write") != std::string::npos;
  const char* hint = reason == ENOSPC || reason == EDQUOT  ? "free some space, or write elsewhere"
                     : reason == EACCES || reason == EPERM ? "check the rights of the file and of its folder"
                     : reason == EROFS                     ? "write elsewhere"
                     : reason == ENOENT          ? write ? "make its folder first" : "check the path: nothing is there"
                     : reason == EISDIR && write ? "name a file in it"
                                                 : "";
  return Error(TN_ERROR_IO, what + ": " + std::strerror(reason), path, hint);
}

// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int close() {
    int fd = fd_;
    fd_ = -1;
    return ::close(fd);
  }

 private:
  int fd_;
};

std::string read_all(int fd, const std::string& path) {
  std::string out;
  char buffer[65536];
  for (;;) {
    ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw io_error("cannot read the file", path, errno);
    if (n == 0) return out;
    out.append(buffer, static_cast<size_t>(n));
  }
}

std::string bytes_text(uint64_t n) {
  for (auto [bits, unit] : {std::pair(30, " GiB"), std::pair(20, " MiB")})
    if (n >> bits && (n >> bits) << bits == n) return std::to_string(n >> bits) + unit;
  return std::to_string(n) + " bytes";
}

void write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw io_error("cannot write the file", path, errno);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

}  // namespace

std::string read_file(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) throw io_error("cannot read the file", path, errno);
  return read_all(file.get(), path);
}

std::string read_regular_file(const std::string& path, uint64_t most) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status;
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) throw io_error("cannot read the file", path, errno);
  constexpr const char* hint = "put a regular file in its place";
  if (!S_ISREG(status.st_mode))
    throw S_ISDIR(status.st_mode) ? Error(TN_ERROR_IO, "it is a folder, not a file", path, hint)
                                  : Error(TN_ERROR_CORRUPT, "it is not a regular file", path, hint);
  if (static_cast<uint64_t>(status.st_size) > most)
    throw Error(TN_ERROR_LIMIT, "the file is larger than " + bytes_text(most), path,
                most == kMostRegular ? "split it" : "");
  return read_all(file.get(), path);
}

bool is_regular_file(const std::string& path) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

bool is_special_file(const std::string& path) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
}

std::string written_path(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_symlink(path, error)) return path;
  std::string target = std::filesystem::weakly_canonical(path, error).string();
  return error ? path : target;
}

void write_file(const std::string& given, std::string_view bytes) {
  const std::string path = written_path(given);
  if (is_special_file(path)) {  // such as /dev/full
    Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (file.get() < 0) throw io_error("cannot write the file", path, errno);
    write_all(file.get(), bytes, path);
    if (file.close() != 0) throw io_error("cannot write the file", path, errno);
    return;
  }
  std::string temporary = path + ".tmp-" + std::to_string(::getpid()) + "-XXXXXX";
  Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (file.get() < 0) throw io_error("cannot write the file", path, errno);
  const TemporaryName held(temporary);
  try {
    write_all(file.get(), bytes, path);
    mode_t mask = ::umask(0);
    ::umask(mask);
    if (::fchmod(file.get(), 0666 & ~mask) != 0 || ::fsync(file.get()) != 0 || file.close() != 0 ||
        ::rename(temporary.c_str(), path.c_str()) != 0)
      throw io_error("cannot write the file", path, errno);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

void make_directories(const std::string& path) {
  if (path.empty()) return;  // the folder of a name without one is here
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) throw io_error("cannot make the folder", path, error.value());
}

}  // namespace tenon
