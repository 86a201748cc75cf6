#include "registry/probe/cache.h"

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <thread>

#include "diag/sha256.h"
#include "tenon/cxx/object.h"

namespace tenon {

namespace {

constexpr size_t kMaxRecord = 64 * 1024;
constexpr std::string_view kMark = "tenon record 1\n";

// What keeps a path from being a folder of this user that nobody else can write to; "" when it is one.
std::string own_folder_problem(const std::string& path) {
  const int reason = mkdir(path.c_str(), 0700) == 0 ? 0 : errno;
  struct stat s;
  if (stat(path.c_str(), &s) != 0)
    return "cannot make the folder " + path + ": " + std::strerror(reason ? reason : errno);
  if (!S_ISDIR(s.st_mode)) return path + " is no folder";
  if (s.st_uid != geteuid()) return "the folder " + path + " belongs to another user";
  if (s.st_mode & (S_IWGRP | S_IWOTH)) return "others may write to the folder " + path;
  return "";
}

std::string read_small(const std::string& file) {
  std::string text;
  int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return text;
  text.resize(kMaxRecord);
  ssize_t n = read(fd, text.data(), text.size());
  close(fd);
  text.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return text;
}

}  // namespace

namespace {
// The folder, or why there is none.
struct CachePlace {
  std::string dir, problem;
};
CachePlace cache_place() {
  if (getauxval(AT_SECURE)) return {"", "the program runs with another user's rights"};
  std::string base;
  if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg && xdg[0] == '/') base = xdg;
  if (const char* home = std::getenv("HOME"); base.empty() && home && home[0] == '/')
    base = std::string(home) + "/.cache";
  if (base.empty()) return {"", "neither XDG_CACHE_HOME nor HOME names a folder for caches"};
  mkdir(base.c_str(), 0700);
  std::string dir = base + "/tenon", problem = own_folder_problem(dir);
  if (!problem.empty()) dir.clear();
  return {dir, problem};
}
}  // namespace

std::string cache_dir() { return cache_place().dir; }
std::string cache_problem() { return cache_place().problem; }

std::optional<Record> read_record(const std::string& file) {
  std::string text = read_small(file);
  if (!text.starts_with(kMark)) return std::nullopt;
  size_t sum = text.rfind("sum ");
  if (sum == std::string::npos || text.substr(sum) != "sum " + digest_text(sha256(text.substr(0, sum))) + "\n")
    return std::nullopt;
  Record record;
  for (size_t at = kMark.size(); at < sum;) {
    size_t end = text.find('\n', at), space = text.find(' ', at);
    if (end == std::string::npos || space == std::string::npos || space > end) return std::nullopt;
    record[text.substr(at, space - at)] = text.substr(space + 1, end - space - 1);
    at = end + 1;
  }
  return record;
}

bool write_record(const std::string& file, const Record& record) {
  std::string text(kMark);
  for (const auto& [key, value] : record) {
    std::string line = value;
    for (char& c : line)
      if (c == '\n' || c == '\r') c = ' ';
    text += key + " " + line + "\n";
  }
  text += "sum " + digest_text(sha256(text)) + "\n";
  // Not flushed to the disk: after a power failure the checksum tells, and a cache is made anew.
  std::string temporary = file + ".XXXXXX";
  int fd = mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return false;
  bool ok = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ok = close(fd) == 0 && ok;
  ok = ok && rename(temporary.c_str(), file.c_str()) == 0;
  if (!ok) unlink(temporary.c_str());
  return ok;
}

CacheLock::CacheLock(const std::string& file, std::chrono::milliseconds patience) {
  fd_ = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  auto until = std::chrono::steady_clock::now() + patience;
  while (fd_ >= 0 && flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    if (std::chrono::steady_clock::now() > until) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

CacheLock::~CacheLock() {
  if (fd_ >= 0) close(fd_);
}

std::string digest_of_file(const std::string& path) {
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    throw Error(TN_ERROR_IO, std::string("cannot read the file: ") + std::strerror(errno), path,
                "check the rights of the file and of its folder");
  struct stat status;
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {  // a pipe or a device need not end
    close(fd);
    throw Error(TN_ERROR_CORRUPT, "the file is not a regular file", path, "put a regular file in its place");
  }
  Sha256 hash;
  std::string buffer(256 * 1024, '\0');
  ssize_t n;
  while ((n = read(fd, buffer.data(), buffer.size())) > 0 || (n < 0 && errno == EINTR))
    if (n > 0) hash.update(buffer.data(), static_cast<size_t>(n));
  int error = errno;
  close(fd);
  if (n < 0) throw Error(TN_ERROR_IO, std::string("cannot read the file: ") + std::strerror(error), path);
  return digest_text(hash.finish());
}

std::string file_state(const std::string& path) {
  struct stat s;
  if (stat(path.c_str(), &s) != 0) return "absent";
  auto time = [](const timespec& t) { return std::to_string(t.tv_sec) + "." + std::to_string(t.tv_nsec); };
  return std::to_string(s.st_dev) + ":" + std::to_string(s.st_ino) + ":" + std::to_string(s.st_size) + ":" +
         time(s.st_mtim) + ":" + time(s.st_ctim);
}

namespace {

// A file, its state, and where the cache keeps its digest ("" when there is no cache).
struct DigestEntry {
  std::string file, state, at;
  std::optional<std::string> digest;

  explicit DigestEntry(const std::string& path) : file(path) {
    std::string dir = cache_dir();
    char* resolved = dir.empty() ? nullptr : realpath(path.c_str(), nullptr);
    if (!resolved) return;
    file = resolved;
    std::free(resolved);
    dir += "/digests";
    mkdir(dir.c_str(), 0700);
    at = dir + "/" + digest_text(sha256(file)).substr(7, 40);
    state = file_state(file);
    if (std::optional<Record> known = read_record(at); known && (*known)["state"] == state) digest = (*known)["digest"];
  }
};

}  // namespace

std::string known_digest_of_file(const std::string& path) {
  DigestEntry entry(path);
  if (entry.digest) return *entry.digest;
  std::string digest = digest_of_file(entry.file);
  // A file that changed just before it was read may change again within the clock's tick.
  struct stat s;
  bool is_old = stat(entry.file.c_str(), &s) == 0 && s.st_ctime + 1 < std::time(nullptr);
  if (!entry.at.empty() && is_old && file_state(entry.file) == entry.state)
    write_record(entry.at, {{"state", entry.state}, {"digest", digest}, {"file", entry.file}});
  return digest;
}

bool is_digest_known(const std::string& path) { return DigestEntry(path).digest.has_value(); }

}  // namespace tenon
