// The host's end of a worker process: started without fork, watched, and never left behind.
#ifndef TENON_REGISTRY_WORKER_CHILD_H
#define TENON_REGISTRY_WORKER_CHILD_H

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

#include "registry/worker/channel.h"
#include "registry/worker/control.h"

namespace tenon::worker {

inline constexpr std::chrono::milliseconds kLastWords{100};  // of a process that has ended, to be read

struct ChildLimits {
  uint64_t memory_bytes = 0;  // of data, what is mapped from files apart; 0 for none
};

// How a worker ended, for people: what it did, and where.
struct Ending {
  enum class How { kSignal, kExit, kDeadline, kCancelled, kTalk, kGarbage, kClosed };
  How how = How::kClosed;
  int number = 0;       // the signal or the exit status
  std::string text;     // "was stopped by SIGSEGV (segmentation fault) at address 0x0 in thing.so+0x12f"
  bool memory = false;  // it had used up what it was allowed
  std::string inner;    // id of the plugin whose call was the last that had begun in it; "" when there was none
};

class Child {
 public:
  // Throws TN_ERROR_IO when the program cannot be started.
  Child(const std::string& program, const ChildLimits& limits);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  Channel& channel() { return channel_; }
  Control& control() { return *control_; }
  pid_t pid() const { return pid_; }
  // Whether the process is there and has not closed its end.
  bool is_alive();
  // Whether it has ended, or stands still for a debugger that is not there. What it started may live on.
  bool has_ended() const;
  // What the worker printed since the last call, at most the last 64 KiB of it.
  std::string take_log();
  // Ends the process, unless it has ended by itself, with all that it started, and says how it ended.
  Ending end(Ending::How how);
  // Waits for an orderly exit until then; nothing when it does not come.
  std::optional<int> wait_exit(std::chrono::steady_clock::time_point until);

 private:
  bool reap(bool block);
  std::string crash_text() const;
  std::string innermost() const;

  ChildLimits limits_;
  Channel channel_;
  Fd log_;
  Control* control_ = nullptr;
  pid_t pid_ = -1;
  bool reaped_ = false;
  int status_ = 0;
  bool status_known_ = false;
  int trap_ = 0;  // the signal at which it stopped for a debugger
};

std::string signal_text(int number);  // "SIGSEGV (segmentation fault)"

}  // namespace tenon::worker
#endif
