// A check in a process of its own: the program calls itself.
#ifndef TENON_CONFORMANCE_CHILD_H
#define TENON_CONFORMANCE_CHILD_H

#include <string>
#include <vector>

#include "kit.h"

namespace tenon::conformance {

struct ChildEnd {
  int exit = 0, signal = 0;
  bool timed_out = false;
  bool finished = false;                                   // it came to the end of the check
  std::vector<std::pair<std::string, std::string>> lines;  // what the findings were: kind and text
  std::string last;                                        // what it was doing
  std::string err;                                         // the end of its standard error
};

// `changes` are NAME=VALUE for its environment.
ChildEnd run_child_process(const Options& options, const std::string& check, const std::vector<std::string>& changes);

}  // namespace tenon::conformance
#endif
