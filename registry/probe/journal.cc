#include "registry/probe/journal.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace tenon {

namespace {

constexpr uint64_t kMagic = 0x314c4e524a4e5431;
constexpr int kCalls = 128, kPlugins = 128;

void copy_text(char* to, size_t size, std::string_view text) {
  size_t n = std::min(size - 1, text.size());
  std::memcpy(to, text.data(), n);
  to[n] = 0;
}

}  // namespace

// Mapped and shared, so that what was written stays when the process does not.
struct JournalFile {
  struct Call {
    std::atomic<uint64_t> sequence;  // 0: free
    uint32_t thread;
    char who[116];
  };
  struct Plugin {
    char id[128];
    char digest[72];
  };
  uint64_t magic;
  std::atomic<int32_t> signal;
  std::atomic<uint32_t> thread;  // on which the signal came
  std::atomic<uint64_t> sequence;
  std::atomic<uint32_t> plugin_count;
  Call calls[kCalls];
  Plugin plugins[kPlugins];
};

namespace {

// The journals of this process's sessions, for the signal handler: a session enters and leaves.
constexpr int kMaxJournals = 16;
std::atomic<JournalFile*> open_journals[kMaxJournals];

uint32_t thread_number() { return static_cast<uint32_t>(syscall(SYS_gettid)); }

DeathInPlugin read_death(const JournalFile& file) {
  DeathInPlugin death;
  death.signal = file.signal.load();
  death.interrupted =
      death.signal == SIGINT || death.signal == SIGTERM || death.signal == SIGHUP || death.signal == SIGQUIT;
  const JournalFile::Call* last = nullptr;
  uint32_t thread = file.thread.load();
  for (int pass = 0; pass < 2 && !last; ++pass)  // first on the thread that got the signal, then on any
    for (const JournalFile::Call& c : file.calls) {
      uint64_t sequence = c.sequence.load();
      if (sequence == 0 || (pass == 0 && (thread == 0 || c.thread != thread))) continue;
      if (!last || sequence > last->sequence.load()) last = &c;
    }
  if (!last) return death;
  char who[sizeof last->who];
  copy_text(who, sizeof who, std::string_view(last->who, strnlen(last->who, sizeof last->who)));
  death.doing = who;
  std::string id = death.doing.substr(0, death.doing.find_first_of(": "));
  for (uint32_t i = 0; i < std::min<uint32_t>(file.plugin_count.load(), kPlugins); ++i)
    if (id == std::string_view(file.plugins[i].id, strnlen(file.plugins[i].id, sizeof file.plugins[i].id))) {
      death.plugin = id;
      death.digest =
          std::string(file.plugins[i].digest, strnlen(file.plugins[i].digest, sizeof file.plugins[i].digest));
    }
  return death;
}

}  // namespace

Journal::~Journal() {
  JournalFile* file = file_.exchange(nullptr);
  if (!file) return;
  for (std::atomic<JournalFile*>& slot : open_journals) {
    JournalFile* mine = file;
    slot.compare_exchange_strong(mine, nullptr);
  }
  unlink(path_.c_str());
  munmap(file, sizeof(JournalFile));
  close(fd_);
}

void Journal::loaded(const std::string& plugin, const std::string& digest) {
  if (folder_.empty()) return;
  std::lock_guard lock(mutex_);
  JournalFile* file = file_.load();
  if (!file) {
    mkdir(folder_.c_str(), 0700);
    path_ = folder_ + "/" + std::to_string(getpid()) + "-XXXXXX";
    fd_ = mkostemp(path_.data(), O_CLOEXEC);
    if (fd_ < 0) return;
    // Held as long as this process lives: whoever gets it knows that it does not.
    void* memory = MAP_FAILED;
    if (flock(fd_, LOCK_EX | LOCK_NB) == 0 &&
        posix_fallocate(fd_, 0, sizeof(JournalFile)) == 0)  // a disk that is full is told here
      memory = mmap(nullptr, sizeof(JournalFile), PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    if (memory == MAP_FAILED) {
      unlink(path_.c_str());
      close(fd_);
      folder_.clear();
      return;
    }
    file = static_cast<JournalFile*>(memory);
    file->magic = kMagic;
    file_ = file;
    for (std::atomic<JournalFile*>& slot : open_journals) {
      JournalFile* none = nullptr;
      if (slot.compare_exchange_strong(none, file)) break;
    }
  }
  uint32_t n = file->plugin_count.load();
  for (uint32_t i = 0; i < n; ++i)
    if (plugin == file->plugins[i].id) return;
  if (n == kPlugins) return;
  copy_text(file->plugins[n].id, sizeof file->plugins[n].id, plugin);
  copy_text(file->plugins[n].digest, sizeof file->plugins[n].digest, digest);
  file->plugin_count = n + 1;
}

int Journal::enter(std::string_view who) noexcept {
  JournalFile* file = file_.load(std::memory_order_acquire);
  if (!file) return -1;
  uint64_t sequence = file->sequence.fetch_add(1) + 1;
  for (int i = 0; i < kCalls; ++i) {
    uint64_t free = 0;
    JournalFile::Call& c = file->calls[i];
    if (c.sequence.load(std::memory_order_relaxed) != 0 || !c.sequence.compare_exchange_strong(free, sequence))
      continue;
    c.thread = thread_number();
    copy_text(c.who, sizeof c.who, who);
    return i;
  }
  return -1;
}

void Journal::leave(int call) noexcept {
  JournalFile* file = file_.load(std::memory_order_acquire);
  if (file && call >= 0) file->calls[call].sequence.store(0, std::memory_order_release);
}

std::vector<DeathInPlugin> Journal::collect(const std::string& folder) {
  std::vector<DeathInPlugin> out;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error); !error && it != std::filesystem::directory_iterator();
       it.increment(error)) {
    std::string path = it->path().string();
    int fd = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) continue;
    struct stat status;
    struct stat still;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &status) == 0 && stat(path.c_str(), &still) == 0 &&
        status.st_ino == still.st_ino) {
      // One that is not complete may be about to be locked by who makes it.
      bool complete = static_cast<uint64_t>(status.st_size) == sizeof(JournalFile);
      auto* file = static_cast<JournalFile*>(complete ? mmap(nullptr, sizeof(JournalFile), PROT_READ, MAP_SHARED, fd, 0)
                                                      : MAP_FAILED);
      if (file != MAP_FAILED) {
        if (file->magic == kMagic)
          if (DeathInPlugin death = read_death(*file); !death.plugin.empty()) out.push_back(std::move(death));
        munmap(file, sizeof(JournalFile));
      }
      if (complete || std::time(nullptr) - status.st_mtime > 60) unlink(path.c_str());
    }
    close(fd);
  }
  return out;
}

void Journal::note_signal(int number) noexcept {
  for (std::atomic<JournalFile*>& slot : open_journals) {
    JournalFile* file = slot.load();
    int32_t none = 0;
    if (file && file->signal.compare_exchange_strong(none, number)) file->thread = thread_number();
  }
}

}  // namespace tenon
