// Exact integer arithmetic for the analyzer: 64-bit operations that report overflow, wide values for bounds, and the
// ranges of dtypes.
#ifndef TENON_ARITH_INT_MATH_H
#define TENON_ARITH_INT_MATH_H

#include <cstdint>
#include <limits>
#include <numeric>

#include "tenon/cxx/dtype.h"

namespace tenon::arith {

__extension__ typedef __int128 Wide;
// Bounds at or beyond this stand for none.
inline constexpr Wide kInfinite = static_cast<Wide>(1) << 120;
inline constexpr int64_t kMin64 = std::numeric_limits<int64_t>::min();
inline constexpr int64_t kMax64 = std::numeric_limits<int64_t>::max();

// Thrown where an expression cannot be reasoned about within 64-bit coefficients or the limit of steps; what was asked
// is then answered with "not known" or the expression as it was.
struct GiveUp {};

inline int64_t checked_add(int64_t a, int64_t b) {
  int64_t r;
  if (__builtin_add_overflow(a, b, &r)) throw GiveUp{};
  return r;
}
inline int64_t checked_mul(int64_t a, int64_t b) {
  int64_t r;
  if (__builtin_mul_overflow(a, b, &r)) throw GiveUp{};
  return r;
}
inline int64_t checked_neg(int64_t a) {
  if (a == kMin64) throw GiveUp{};
  return -a;
}
inline bool fits64(Wide v) { return v >= kMin64 && v <= kMax64; }
inline int64_t narrow64(Wide v) {
  if (!fits64(v)) throw GiveUp{};
  return static_cast<int64_t>(v);
}

// b is not 0, and not -1 where a is the smallest value.
template <class T>
T floor_div(T a, T b) {
  T q = a / b;
  return (a % b != 0 && (a < 0) != (b < 0)) ? q - 1 : q;
}
template <class T>
T floor_mod(T a, T b) {
  if (b == T(-1)) return 0;
  T r = a % b;
  return (r != 0 && (r < 0) != (b < 0)) ? r + b : r;
}
inline Wide wide_floor_div(Wide a, Wide b) {
  if (fits64(a) && fits64(b) && !(a == kMin64 && b == -1))
    return floor_div(static_cast<int64_t>(a), static_cast<int64_t>(b));
  return floor_div<Wide>(a, b);
}
inline Wide wide_ceil_div(Wide a, Wide b) { return -wide_floor_div(-a, b); }

// The greatest common divisor of the magnitudes; 0 for two zeros. Throws GiveUp when it is 2^63.
inline int64_t gcd64(int64_t a, int64_t b) {
  if (a == kMin64 || b == kMin64) throw GiveUp{};
  return std::gcd(a, b);
}

// Integer scalars that the analyzer reasons about; others are left alone.
inline bool is_analyzed(DLDataType t) {
  return t.lanes == 1 && ((t.code == kDLInt && t.bits >= 2 && t.bits <= 64) || (t.code == kDLUInt && t.bits <= 32));
}
// The type of index arithmetic, which is taken not to overflow.
inline bool is_index(DLDataType t) { return t.code == kDLInt && t.bits == 64; }

inline int64_t smallest(DLDataType t) { return t.code == kDLUInt ? 0 : -(static_cast<int64_t>(1) << (t.bits - 2)) * 2; }
inline int64_t greatest(DLDataType t) {
  return t.code == kDLUInt ? (static_cast<int64_t>(1) << t.bits) - 1 : ~smallest(t);
}
// The value of dtype t that is congruent to v.
inline int64_t wrap_to(Wide v, DLDataType t) {
  uint64_t mask = t.bits == 64 ? ~uint64_t{0} : (uint64_t{1} << t.bits) - 1;
  uint64_t u = static_cast<uint64_t>(v) & mask;
  if (t.code == kDLInt && t.bits < 64 && (u >> (t.bits - 1)) != 0) u |= ~mask;
  return static_cast<int64_t>(u);
}

}  // namespace tenon::arith
#endif
