// What a call must leave as it was in the process: floating-point mode, locale, folder, environment, timers, limits,
// signals, files, children.
#ifndef TENON_CONFORMANCE_PROCESS_STATE_H
#define TENON_CONFORMANCE_PROCESS_STATE_H

#include <string>
#include <vector>

namespace tenon::conformance {

struct StateChange {
  std::string rule, what;
  bool opens_files;
};

// Threads of this process.
size_t threads_now();

class ProcessState {
 public:
  // As it is now. `watch_output`: the standard output goes into a file, whose size counts.
  explicit ProcessState(bool watch_output);
  // What differs now; the process is put back, so that the next call is judged by itself.
  std::vector<StateChange> changes_and_restore();

 private:
  struct Part {
    std::string rule, name, value;
  };
  std::vector<Part> read() const;

  bool watch_output_;
  std::vector<Part> before_;
  unsigned mode_;
  int rounding_;
};

}  // namespace tenon::conformance
#endif
