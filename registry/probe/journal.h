// Which plugins run in this process at the moment, in a file that outlives it: when a process dies within a plugin, the
// next one finds out whose doing it was.
#ifndef TENON_REGISTRY_PROBE_JOURNAL_H
#define TENON_REGISTRY_PROBE_JOURNAL_H

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "pass/compile_context.h"

namespace tenon {

struct JournalFile;

// How a process ended that was within a plugin.
struct DeathInPlugin {
  std::string plugin;        // id
  std::string digest;        // of the plugin that was loaded
  std::string doing;         // "thing:crash", as enter was told
  int signal = 0;            // 0: not known
  bool interrupted = false;  // by a person or the system, as far as is known
};

class Journal : public CallObserver {
 public:
  // `folder`: of the cache; "" for a journal that is never written.
  explicit Journal(std::string folder) : folder_(std::move(folder)) {}
  ~Journal() override;
  // From the first plugin on that is named here, calls are written down.
  void loaded(const std::string& plugin, const std::string& digest);
  int enter(std::string_view who) noexcept override;
  void leave(int call) noexcept override;

  // What the journals of processes that have ended say; they are removed.
  static std::vector<DeathInPlugin> collect(const std::string& folder);
  // Writes the signal that ends this process into its journals. Safe in a signal handler.
  static void note_signal(int number) noexcept;

 private:
  std::string folder_;
  std::mutex mutex_;
  std::string path_;
  int fd_ = -1;
  std::atomic<JournalFile*> file_{nullptr};
};

}  // namespace tenon
#endif
