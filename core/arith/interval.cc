#include "arith/interval.h"

#include <algorithm>

namespace tenon::arith {
namespace {

Wide saturate(Wide v) { return std::clamp(v, -kInfinite, kInfinite); }
Wide magnitude(Wide v) { return v < 0 ? -v : v; }

Wide multiply(Wide a, Wide b) {
  if (a == 0 || b == 0) return 0;
  if (fits64(a) && fits64(b)) return saturate(a * b);
  bool negative = (a < 0) != (b < 0);
  Wide ma = magnitude(a), mb = magnitude(b);
  if (ma >= kInfinite || mb > kInfinite / ma) return negative ? -kInfinite : kInfinite;
  return saturate(a * b);
}

// Bounds of op over a box whose divisors have one sign: the quotient is monotonic in each argument there.
template <class Div>
Interval corners(const Interval& a, Wide b0, Wide b1, Div div) {
  auto quotient = [&](Wide x, Wide y) {
    if (magnitude(x) >= kInfinite) return (x < 0) != (y < 0) ? -kInfinite : kInfinite;
    return div(x, y);
  };
  Wide q[] = {quotient(a.lo, b0), quotient(a.lo, b1), quotient(a.hi, b0), quotient(a.hi, b1)};
  return {*std::min_element(q, q + 4), *std::max_element(q, q + 4)};
}

template <class Div>
Interval divide(const Interval& a, const Interval& b, Div div) {
  bool negative = b.lo < 0, positive = b.hi > 0;
  if (!negative && !positive) return {};
  if (!negative) return corners(a, std::max<Wide>(b.lo, 1), b.hi, div);
  if (!positive) return corners(a, b.lo, std::min<Wide>(b.hi, -1), div);
  return unite(corners(a, b.lo, -1, div), corners(a, 1, b.hi, div));
}

}  // namespace

Interval operator+(const Interval& a, const Interval& b) {
  return {a.lo <= -kInfinite || b.lo <= -kInfinite ? -kInfinite : saturate(a.lo + b.lo),
          a.hi >= kInfinite || b.hi >= kInfinite ? kInfinite : saturate(a.hi + b.hi)};
}

Interval operator-(const Interval& a) { return {-a.hi, -a.lo}; }

Interval operator*(const Interval& a, const Interval& b) {
  Wide p[] = {multiply(a.lo, b.lo), multiply(a.lo, b.hi), multiply(a.hi, b.lo), multiply(a.hi, b.hi)};
  return {*std::min_element(p, p + 4), *std::max_element(p, p + 4)};
}

Interval scale(const Interval& a, int64_t k) {
  Wide x = multiply(a.lo, k), y = multiply(a.hi, k);
  return k < 0 ? Interval{y, x} : Interval{x, y};
}

Interval square(const Interval& a) {
  Wide x = multiply(a.lo, a.lo), y = multiply(a.hi, a.hi);
  return {a.contains(0) ? Wide{0} : std::min(x, y), std::max(x, y)};
}

Interval floor_div(const Interval& a, const Interval& b) { return divide(a, b, wide_floor_div); }

Interval trunc_div(const Interval& a, const Interval& b) {
  return divide(a, b, [](Wide x, Wide y) { return x / y; });
}

Interval floor_mod(const Interval& a, const Interval& b) {
  if (b.lo == 0 && b.hi == 0) return {};
  if (b.is_point() && fits64(a.lo) && fits64(a.hi) && b.lo != 0) {
    Wide q = wide_floor_div(a.lo, b.lo);
    if (q == wide_floor_div(a.hi, b.lo)) return {a.lo - q * b.lo, a.hi - q * b.lo};
  }
  if (a.lo >= 0 && b.lo > 0) return a.hi < b.lo ? a : Interval{0, std::min(a.hi, b.hi - 1)};
  return {b.lo < 0 ? b.lo + 1 : Wide{0}, b.hi > 0 ? b.hi - 1 : Wide{0}};
}

Interval trunc_mod(const Interval& a, const Interval& b) {
  Wide limit = std::max(magnitude(b.lo), magnitude(b.hi)) - 1;
  if (limit < 0) return {};
  return {a.lo < 0 ? std::max(a.lo, -limit) : Wide{0}, a.hi > 0 ? std::min(a.hi, limit) : Wide{0}};
}

Interval min(const Interval& a, const Interval& b) { return {std::min(a.lo, b.lo), std::min(a.hi, b.hi)}; }
Interval max(const Interval& a, const Interval& b) { return {std::max(a.lo, b.lo), std::max(a.hi, b.hi)}; }
Interval unite(const Interval& a, const Interval& b) { return {std::min(a.lo, b.lo), std::max(a.hi, b.hi)}; }

Interval intersect(const Interval& a, const Interval& b) {
  Interval r{std::max(a.lo, b.lo), std::min(a.hi, b.hi)};
  return r.lo <= r.hi ? r : a;
}

}  // namespace tenon::arith
