// One page that host and worker share: the wish to stop, and what the worker has to say when it can say nothing else.
#ifndef TENON_REGISTRY_WORKER_CONTROL_H
#define TENON_REGISTRY_WORKER_CONTROL_H

#include <atomic>
#include <cstdint>

namespace tenon::worker {

// A sanitizer's shadow memory is larger than every limit on memory.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

// The descriptors that a worker is started with, besides the log as its standard output and error.
inline constexpr int kSocketDescriptor = 3, kControlDescriptor = 4;

// Written by the worker's signal handler: plain data only.
struct CrashNote {
  int32_t signal;          // 0: none came
  int32_t stack_overflow;  // 1: the fault lies at the end of the stack
  uint64_t address;        // that could not be accessed
  uint64_t offset;         // of the instruction within `library`
  char library[200];       // of a plugin, the innermost that was running; "" when none was
  uint64_t data_bytes;     // memory in use when it came; 0 when sanitized
};

// A call of a plugin that has begun in the worker and not ended.
struct RunningCall {
  std::atomic<uint64_t> sequence;  // 0: free
  char who[120];                   // "PLUGIN", or "PLUGIN" and what is asked of it after ':' or ' '
};

struct Control {
  std::atomic<int32_t> cancel;         // host -> worker
  std::atomic<int32_t> ended;          // 1: the worker left through exit while it should have answered
  std::atomic<int32_t> out_of_memory;  // 1: an allocation of this call failed
  std::atomic<int32_t> last;           // 1: the worker cannot wait for another call
  CrashNote crash;
  std::atomic<uint64_t> sequence;  // of the last that began
  RunningCall running[32];
  char fault[120];  // what the plugin did to the worker, which ended itself for it; "" when nothing
};

}  // namespace tenon::worker
#endif
