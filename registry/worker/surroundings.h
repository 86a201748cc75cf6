// What a library must leave as it was in the process that loads it: rounding, locale, folder, signals, descriptors.
#ifndef TENON_REGISTRY_WORKER_SURROUNDINGS_H
#define TENON_REGISTRY_WORKER_SURROUNDINGS_H

#include <signal.h>

#include <cfenv>
#include <string>
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
  std::vector<struct sigaction> handlers_;
};

}  // namespace tenon::worker
#endif
