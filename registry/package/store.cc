#include "registry/package/store.h"

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "diag/files.h"

namespace tenon {

namespace fs = std::filesystem;

namespace {

Error io(const std::string& what, const std::string& path, int reason) {
  return Error(TN_ERROR_IO, what + ": " + std::strerror(reason), path,
               reason == ENOSPC || reason == EDQUOT
                   ? "free some space, or use a store elsewhere: TENON_STORE"
                   : "check the folder and its rights, or use a store of your own: TENON_STORE");
}

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

void flush_folder(const std::string& folder) {
  Descriptor d{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (d.fd < 0 || ::fsync(d.fd) != 0) throw io("cannot flush the folder", folder, errno);
}

void write_read_only(const std::string& path, std::string_view bytes) {
  Descriptor d{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444)};
  if (d.fd < 0) throw io("cannot write the file", path, errno);
  while (!bytes.empty()) {
    ssize_t n = ::write(d.fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw io("cannot write the file", path, errno);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  if (::fsync(d.fd) != 0) throw io("cannot write the file", path, errno);
}

// A folder whose folders are read-only.
void remove_tree(const std::string& folder) {
  std::error_code error;
  ::chmod(folder.c_str(), 0755);
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (it->is_directory() && !it->is_symlink()) ::chmod(it->path().c_str(), 0755);
  fs::remove_all(folder, error);
}

// Held while the store is changed. Whoever finds nobody else there clears what a killed process left behind.
class StoreLock {
 public:
  explicit StoreLock(const std::string& store) : lock_{-1} {
    std::error_code error;
    fs::create_directories(store, error);
    if (error) throw io("cannot make the store", store, error.value());
    const std::string file = store + "/.lock";
    lock_.fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock_.fd < 0) throw io("cannot lock the store", file, errno);
    if (::flock(lock_.fd, LOCK_EX | LOCK_NB) == 0) clear(store);
    while (::flock(lock_.fd, LOCK_SH) != 0)
      if (errno != EINTR) throw io("cannot lock the store", file, errno);
  }

 private:
  static void clear(const std::string& store) {
    std::error_code error;
    for (fs::directory_iterator it(store, error), end; !error && it != end; it.increment(error))
      if (std::string name = it->path().filename().string(); name.starts_with(".tmp-"))
        remove_tree(it->path().string());
  }
  Descriptor lock_;
};

std::string temporary_folder(const std::string& store) {
  std::string path = store + "/.tmp-XXXXXX";
  if (!::mkdtemp(path.data())) throw io("cannot make a folder in the store", store, errno);
  return path;
}

// Moves a folder out of the way; false when it is not there.
bool discard(const std::string& store, const std::string& folder) {
  std::string grave = temporary_folder(store);
  if (::rename(folder.c_str(), (grave + "/gone").c_str()) != 0) {
    int reason = errno;
    if (reason == EACCES && ::chmod(folder.c_str(), 0755) == 0 &&  // to move a folder elsewhere it must be writable
        ::rename(folder.c_str(), (grave + "/gone").c_str()) == 0)
      reason = 0;
    if (reason) {
      remove_tree(grave);
      if (reason == ENOENT) return false;
      throw io("cannot remove the folder", folder, reason);
    }
  }
  flush_folder(store);
  remove_tree(grave);
  return true;
}

bool is_whole(const Builder& b, const std::string& folder) {
  try {
    read_sealed_folder(b, folder, true);
    return true;
  } catch (const Error&) { return false; }
}

}  // namespace

std::string user_store() {
  if (getauxval(AT_SECURE)) return "";
  if (const char* store = std::getenv("TENON_STORE"); store && *store) return store;
  const char* data = std::getenv("XDG_DATA_HOME");
  const char* home = std::getenv("HOME");
  if (data && *data == '/') return std::string(data) + "/tenon/store";
  return home && *home == '/' ? std::string(home) + "/.local/share/tenon/store" : "";
}

std::string system_store(const std::string& installation) {
  return installation.empty() ? "" : installation + "/store";
}

std::string store_folder(const std::string& store, const std::string& digest) {
  return store + "/sha256-" + digest.substr(digest.find(':') + 1);
}

std::string digest_of_folder(const std::string& folder) {
  std::string name = fs::path(folder).filename().string();
  bool right = name.starts_with("sha256-") && name.size() == 7 + 64 &&
               name.find_first_not_of("0123456789abcdef", 7) == std::string::npos;
  return right ? "sha256:" + name.substr(7) : "";
}

std::string install_package(const Builder& b, const std::string& store, const Package& package, bool& already) {
  StoreLock lock(store);
  const std::string target = store_folder(store, package.digest);
  std::error_code error;
  already = false;
  if (fs::exists(target, error)) {
    if (is_whole(b, target)) {
      already = true;
      const std::string signature = target + "/" + kSignatureFile;
      if (package.signature_bytes.empty() ||
          (fs::exists(signature, error) && read_file(signature) == package.signature_bytes))
        return target;
      ::chmod(target.c_str(), 0755);  // the same package with another signature
      write_file(signature, package.signature_bytes);
      ::chmod(target.c_str(), 0555);
      return target;
    }
    discard(store, target);
  }
  const std::string temporary = temporary_folder(store);
  try {
    auto write = [&](const std::string& path, std::string_view bytes) {
      fs::path file = fs::path(temporary) / path;
      make_directories(file.parent_path().string());
      write_read_only(file.string(), bytes);
    };
    write(kSealFile, package.seal_bytes);
    if (!package.signature_bytes.empty()) write(kSignatureFile, package.signature_bytes);
    for (const auto& [path, bytes] : package.files) write(std::string(path), bytes);
    std::vector<std::string> folders{temporary};
    for (const auto& entry : fs::recursive_directory_iterator(temporary))
      if (entry.is_directory()) folders.push_back(entry.path().string());
    for (size_t i = folders.size(); i-- > 0;) {
      flush_folder(folders[i]);
      if (::chmod(folders[i].c_str(), 0555) != 0) throw io("cannot protect the folder", folders[i], errno);
    }
    if (::rename(temporary.c_str(), target.c_str()) != 0) {
      if (errno != EEXIST && errno != ENOTEMPTY) throw io("cannot move the package into the store", target, errno);
      if (!is_whole(b, target))  // another process was faster
        throw Error(TN_ERROR_CORRUPT, "what is in the store under this digest is damaged", target,
                    "remove it with: tenon plugin remove " + package.digest);
      already = true;
      remove_tree(temporary);
    }
    flush_folder(store);
  } catch (...) {
    remove_tree(temporary);
    throw;
  }
  return target;
}

bool remove_package(const std::string& store, const std::string& digest) {
  std::error_code error;
  const std::string folder = store_folder(store, digest);
  if (!fs::exists(folder, error)) return false;
  StoreLock lock(store);
  return discard(store, folder);
}

}  // namespace tenon
