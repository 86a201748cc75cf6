// What a library must leave as it was in the process that loads it: rounding, locale, folder, signals, timers,
// the mask of new files, descriptors.
#ifndef TENON_REGISTRY_WORKER_SURROUNDINGS_H
#define TENON_REGISTRY_WORKER_SURROUNDINGS_H

#include <signal.h>
#include <sys/types.h>

#include <array>
#include <cfenv>
#include <string>
#include <utility>
#include <vector>

namespace tenon::worker {

class Surroundings {
 public:
  // As they are now, on this thread.
  Surroundings();
  // What was changed since, as ends of sentences ("changed the rounding of numbers"), and puts it back.
  std::vector<std::string> restore() const;

 private:
  uint32_t float_control_;
  fenv_t float_environment_;
  std::string locale_, folder_;
  sigset_t mask_;
  std::vector<struct sigaction> handlers_;  // of signal 1 and up
  bool timer_;
  mode_t file_mask_;
  std::array<std::pair<dev_t, ino_t>, 3> standard_files_;
};

}  // namespace tenon::worker
#endif
