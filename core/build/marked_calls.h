// What one plugin gives another directly, with a mark for the time of each call: a crash is told as that plugin's.
#ifndef TENON_BUILD_MARKED_CALLS_H
#define TENON_BUILD_MARKED_CALLS_H

#include <string>
#include <string_view>

#include "pass/compile_context.h"

namespace tenon {

// The first argument of the slots of a marking table.
struct MarkedCalls {
  const void* table;  // the plugin's own
  void* instance;
  CallObserver* calls;
  std::string plugin;
};

// A table that marks its calls and makes those of `table`; null for capabilities that are handed on as they are.
const void* marked_calls_table(std::string_view capability, bool is_conversion, const void* table);

}  // namespace tenon
#endif
