// Congruence classes: {m, b} is the set of m * k + b for all integers k. m = 0 is the one value b; m = 1 says nothing.
#ifndef TENON_ARITH_MODULAR_H
#define TENON_ARITH_MODULAR_H

#include "arith/interval.h"

namespace tenon::arith {

struct Modular {
  int64_t m = 1;
  int64_t b = 0;  // in [0, m) when m > 0

  static Modular point(int64_t v) { return {0, v}; }
  static Modular make(int64_t m, Wide b);
  bool knows() const { return m != 1; }
  // Whether every member is a multiple of d, for d > 0.
  bool divisible_by(int64_t d) const { return m % d == 0 && b % d == 0; }
  bool contains(Wide v) const { return m == 0 ? v == b : (v - b) % m == 0; }
  bool operator==(const Modular&) const = default;
};

Modular operator+(const Modular& x, const Modular& y);
Modular operator*(const Modular& x, const Modular& y);
Modular scale(const Modular& x, int64_t k);
// By a constant c > 0.
Modular floor_div(const Modular& x, int64_t c);
Modular floor_mod(const Modular& x, int64_t c);
Modular unite(const Modular& x, const Modular& y);
// The stronger of the two or both together; `x` alone when the two have nothing in common.
Modular intersect(const Modular& x, const Modular& y);
// The bounds moved inwards to members of the class.
Interval tighten(const Interval& i, const Modular& x);

}  // namespace tenon::arith
#endif
