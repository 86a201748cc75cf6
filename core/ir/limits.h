// The bounds within which the IR works, so that no input, however made, exhausts memory, stack or time.
#ifndef TENON_CORE_IR_LIMITS_H
#define TENON_CORE_IR_LIMITS_H

#include <cstdint>

namespace tenon {

struct Limits {
  uint32_t depth = 4096;                  // of a node: a deeper one cannot be made
  uint32_t nesting = 64;                  // of arrays and maps directly in one another
  uint64_t nodes = uint64_t{1} << 26;     // distinct objects in one decoded tree
  uint64_t places = uint64_t{1} << 26;    // places that one walk enters; a shared node counts at each of its places
  uint64_t elements = uint64_t{1} << 28;  // of arrays and maps in one decoded tree
  uint64_t bytes = uint64_t{1} << 32;     // of one encoded tree
};
inline constexpr Limits kLimits;

}  // namespace tenon
#endif
