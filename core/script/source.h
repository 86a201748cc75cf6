// A text being read, and the errors that point into it.
#ifndef TENON_CORE_SCRIPT_SOURCE_H
#define TENON_CORE_SCRIPT_SOURCE_H

#include <cstdint>
#include <string>
#include <string_view>

#include "tenon/cxx/object.h"

namespace tenon::script {

struct Position {
  int32_t line = 0, column = 0;  // from 1
};

struct Source {
  std::string_view text;
  std::string file;

  std::string where(Position p) const { return file + ":" + std::to_string(p.line) + ":" + std::to_string(p.column); }
  // The text cannot be read: what was met, what was expected, what to write instead.
  [[noreturn]] void fail(Position p, std::string message, std::string hint = {}) const {
    throw Error(TN_ERROR_PARSE, std::move(message), where(p), std::move(hint));
  }
  // Something that Python or TVM has and this language does not.
  [[noreturn]] void refuse(Position p, const std::string& what, std::string hint = {}) const {
    fail(p, what + " cannot be read: the script is a subset of TVMScript and no Python is run", std::move(hint));
  }
  [[noreturn]] void limit(Position p, const std::string& what, uint64_t bound) const {
    throw Error(TN_ERROR_LIMIT, what + " than the limit of " + std::to_string(bound), where(p),
                "generate smaller functions, or raise the limit");
  }
};

}  // namespace tenon::script
#endif
