// The lock of a compilation: made when it has none, obeyed when it is given one.
#ifndef TENON_TOOL_COMPILE_LOCK_H
#define TENON_TOOL_COMPILE_LOCK_H

#include <nlohmann/json.hpp>

#include "passes.h"

namespace tenon::tool {

// What a command line says of code generator and linker; "" for nothing.
struct BackEnd {
  std::string codegen, linker;
  Value codegen_options;  // a map or none
};

class CompileLock {
 public:
  // Reads the lock; refuses it, with every difference, where this installation or the command line is another. Then the
  // passes, the back end and the session's target are those of the lock. Does nothing for an empty path.
  void use(const CompilerSession& session, const Common& common, const std::string& path, PassOptions& passes,
           BackEnd& back_end);
  // The lock for the artifact, once the passes have run. A lock that was given is kept as it is; a plugin that it does
  // not list must not have taken part.
  std::string text(const CompilerSession& session, const PassOptions& passes, const PassesResult& result,
                   const BackEnd& back_end) const;

 private:
  std::string text_, name_;
  Json lock_;
};

// Differences of a lock, all to be shown; the exit code is that of the worst.
struct LockRefused : std::exception {
  explicit LockRefused(Json differences) : differences(std::move(differences)) {}
  Json differences;
};

}  // namespace tenon::tool
#endif
