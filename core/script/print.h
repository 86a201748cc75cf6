// Writes the IR as script text, one canonical form: `parse` reads it back to a structurally equal module.
#ifndef TENON_CORE_SCRIPT_PRINT_H
#define TENON_CORE_SCRIPT_PRINT_H

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "tenon/cxx/builder.h"

namespace tenon {

struct PrintOptions {
  std::string module_name = "Module";
  bool imports = true;                     // the comment lines that say what I, T and R are
  uint64_t inline_bytes = 1024;            // constants below this size stand in the text, others as their digest
  uint64_t max_bytes = uint64_t{1} << 28;  // of the text: a shared node is written at each of its places
  // The record of an op, or none, as in ParseContext: a dtype that follows from it is left out. Text that was printed
  // with records must be parsed with them.
  std::function<Value(std::string_view id)> find_op;
};

// A module, or any part of one (a function, statement, expression, type or attribute) for people to read.
// Throws TN_ERROR_LIMIT for text that would be too long, TN_ERROR_UNSUPPORTED for values that no tree may hold.
std::string print(const Value& tree, const PrintOptions& options = {});

}  // namespace tenon
#endif
