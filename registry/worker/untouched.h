// What a plugin was given, as it was: nodes stay known in the worker from call to call, so what one call did to them
// would be the next one's harm.
#ifndef TENON_REGISTRY_WORKER_UNTOUCHED_H
#define TENON_REGISTRY_WORKER_UNTOUCHED_H

#include "ir/bytes.h"

namespace tenon::worker {

class Untouched {
 public:
  // A call begins.
  void begin() { last_ = seen_.size(); }
  // Remembers the objects that the table got since. `given`: the plugin has not seen them, so nobody but the table, its
  // objects, and the caller for the last one, refers to them.
  void note(const ObjectTable& table, bool given);
  // What was done to one of them; null when nothing was. Looks at those since `begin`, and at some of the others in
  // turn, so that a call takes time by what it was given.
  const char* fault(const ObjectTable& table);
  void forget() { *this = Untouched(); }

 private:
  struct Seen {
    uint64_t content;
    uint32_t references;  // at least so many
  };
  const char* fault_of(const ObjectTable& table, size_t number) const;

  std::vector<Seen> seen_;
  size_t last_ = 0;  // where those of the last call begin
  size_t next_ = 0;  // of the others
};

}  // namespace tenon::worker
#endif
