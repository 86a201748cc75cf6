// The bounds within which text is read, so that no text, however made, exhausts the stack or the memory.
#ifndef TENON_CORE_SCRIPT_LIMITS_H
#define TENON_CORE_SCRIPT_LIMITS_H

#include <cstddef>
#include <cstdint>

namespace tenon {

struct ScriptLimits {
  size_t bytes = size_t{1} << 30;  // of one text
  uint32_t brackets = 10000;       // and prefix operators, open at one place: twice the depth that a node may have
  uint32_t blocks = 256;           // indented in one another
};

}  // namespace tenon
#endif
