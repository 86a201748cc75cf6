// Locks on a command line: a lock file, or an artifact, which holds the lock that it was compiled with.
#ifndef TENON_TOOL_LOCK_FILE_H
#define TENON_TOOL_LOCK_FILE_H

#include "tool.h"

namespace tenon::tool {

// Whether the path names an artifact, or a YAML file with the key `lock`.
bool is_lock(const std::string& path);

struct LockFile {
  std::string text;
  std::string name;  // for places in messages
};
LockFile read_lock_file(const std::string& path);

// Shows complaints on standard error, unless JSON is asked for; returns the exit code of the worst, 0 for none.
int show_complaints(const Json& complaints, bool json);

}  // namespace tenon::tool
#endif
