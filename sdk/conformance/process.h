// Runs one shell command with a time limit and keeps what it printed.
#ifndef TENON_CONFORMANCE_PROCESS_H
#define TENON_CONFORMANCE_PROCESS_H

#include <string>
#include <vector>

namespace tenon::texttest {

struct ProcessResult {
  int exit = 0;    // the exit status, valid when signal is 0 and it did not time out
  int signal = 0;  // the signal that ended it
  bool timed_out = false;
  std::string out, err;
};

// Runs `/bin/sh -c command` in `folder`. `scratch` is a folder for the output files; `environment` holds NAME=value.
// The command and what it started are killed when the limit is over. Throws std::system_error.
ProcessResult run_shell(const std::string& command, const std::string& folder, const std::string& scratch,
                        const std::vector<std::string>& environment, int timeout_s);

std::string read_file(const std::string& path);

}  // namespace tenon::texttest
#endif
