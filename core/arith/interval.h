// Inclusive bounds of integers, wide enough to hold exact sums and products of 64-bit values.
#ifndef TENON_ARITH_INTERVAL_H
#define TENON_ARITH_INTERVAL_H

#include "arith/int_math.h"

namespace tenon::arith {

// Never empty. A bound of magnitude kInfinite stands for none.
struct Interval {
  Wide lo = -kInfinite;
  Wide hi = kInfinite;

  static Interval point(Wide v) { return {v, v}; }
  static Interval of(DLDataType t) { return {smallest(t), greatest(t)}; }
  bool is_point() const { return lo == hi; }
  bool within(const Interval& o) const { return lo >= o.lo && hi <= o.hi; }
  bool contains(Wide v) const { return lo <= v && v <= hi; }
  bool operator==(const Interval&) const = default;
};

Interval operator+(const Interval& a, const Interval& b);
Interval operator-(const Interval& a);
inline Interval operator-(const Interval& a, const Interval& b) { return a + -b; }
Interval operator*(const Interval& a, const Interval& b);
Interval scale(const Interval& a, int64_t k);
Interval square(const Interval& a);
// What the operation can give where the divisor is not zero.
Interval floor_div(const Interval& a, const Interval& b);
Interval floor_mod(const Interval& a, const Interval& b);
Interval trunc_div(const Interval& a, const Interval& b);
Interval trunc_mod(const Interval& a, const Interval& b);
Interval min(const Interval& a, const Interval& b);
Interval max(const Interval& a, const Interval& b);
Interval unite(const Interval& a, const Interval& b);
// `a` alone when the two have nothing in common.
Interval intersect(const Interval& a, const Interval& b);

}  // namespace tenon::arith
#endif
