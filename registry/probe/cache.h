// What lives in registry/probe: plugins that are new are tried in a process of their own before they are loaded here,
// and those that failed are kept out, with the reason, until something changes.
//
// This file: the user's cache, small files that any number of processes write at once.
#ifndef TENON_REGISTRY_PROBE_CACHE_H
#define TENON_REGISTRY_PROBE_CACHE_H

#include <chrono>
#include <map>
#include <optional>
#include <string>

namespace tenon {

// $XDG_CACHE_HOME/tenon or ~/.cache/tenon, made when it is not there; "" when there is none that belongs to this user
// alone, or when the program runs with another user's rights.
std::string cache_dir();

// Why there is none, for people; "" when there is one.
std::string cache_problem();

// A record: keys and texts of one line each. Complete or not there at all, whoever dies when; one that was damaged is
// none.
using Record = std::map<std::string, std::string>;
std::optional<Record> read_record(const std::string& file);
// False when it cannot be written: caches are not needed.
bool write_record(const std::string& file, const Record& record);

// One process at a time; given up when its process ends. Without the lock, after the time is up.
class CacheLock {
 public:
  CacheLock(const std::string& file, std::chrono::milliseconds patience);
  CacheLock(const CacheLock&) = delete;
  CacheLock& operator=(const CacheLock&) = delete;
  ~CacheLock();

 private:
  int fd_ = -1;
};

// "sha256:..." of a file's bytes. Throws TN_ERROR_IO.
std::string digest_of_file(const std::string& path);
// The same, kept in the cache by the file's state: hashing a code generator takes a while. For what compares or names
// files, not for what must not be deceived by the file's owner.
std::string known_digest_of_file(const std::string& path);
bool is_digest_known(const std::string& path);
// Device, inode, size and times of a file as a text; "absent" when there is none.
std::string file_state(const std::string& path);

}  // namespace tenon
#endif
