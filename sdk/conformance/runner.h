// Runs a text test in a folder of its own and says what differs.
#ifndef TENON_CONFORMANCE_RUNNER_H
#define TENON_CONFORMANCE_RUNNER_H

#include <string>
#include <vector>

#include "test_file.h"

namespace tenon::texttest {

struct RunOptions {
  std::string bin;     // the folder of the programs under test; first in PATH
  bool bless = false;  // rewrite expectations that differ
  bool keep = false;   // leave the folder and name it
};

enum class Outcome { passed, blessed, failed, malformed };

struct TestResult {
  Outcome outcome;
  std::string report;  // for people; "" when it passed
};

TestResult run_test(const std::string& path, const RunOptions& options);

}  // namespace tenon::texttest
#endif
