#include "arith/modular.h"

namespace tenon::arith {
namespace {

Wide wide_mod(Wide a, Wide b) {
  Wide r = a % b;
  return r < 0 ? r + b : r;
}

}  // namespace

Modular Modular::make(int64_t m, Wide b) {
  if (m == 0) return fits64(b) ? Modular{0, static_cast<int64_t>(b)} : Modular{};
  if (m == kMin64) return {};
  if (m < 0) m = -m;
  return {m, static_cast<int64_t>(wide_mod(b, m))};
}

Modular operator+(const Modular& x, const Modular& y) {
  return Modular::make(std::gcd(x.m, y.m), static_cast<Wide>(x.b) + y.b);
}

Modular operator*(const Modular& x, const Modular& y) {
  // (m k + b)(n l + c) = mn kl + mc k + nb l + bc
  int64_t mn, mc, nb;
  if (__builtin_mul_overflow(x.m, y.m, &mn) || __builtin_mul_overflow(x.m, y.b, &mc) ||
      __builtin_mul_overflow(y.m, x.b, &nb) || mc == kMin64 || nb == kMin64)
    return {};
  return Modular::make(std::gcd(mn, std::gcd(mc, nb)), static_cast<Wide>(x.b) * y.b);
}

Modular scale(const Modular& x, int64_t k) {
  int64_t m;
  if (__builtin_mul_overflow(x.m, k, &m)) return {};
  return Modular::make(m, static_cast<Wide>(x.b) * k);
}

Modular floor_div(const Modular& x, int64_t c) {
  if (x.m % c != 0) return {};
  return Modular::make(x.m / c, floor_div(x.b, c));
}

Modular floor_mod(const Modular& x, int64_t c) {
  if (x.m % c == 0) return Modular::point(floor_mod(x.b, c));
  return Modular::make(std::gcd(x.m, c), x.b);
}

Modular unite(const Modular& x, const Modular& y) {
  Wide difference = static_cast<Wide>(x.b) - y.b;
  if (!fits64(difference) || difference == kMin64) return {};
  return Modular::make(std::gcd(std::gcd(x.m, y.m), static_cast<int64_t>(difference)), x.b);
}

Modular intersect(const Modular& x, const Modular& y) {
  if (x.m == 0 || !y.knows()) return x;
  if (y.m == 0) return x.contains(y.b) ? y : x;
  int64_t g = std::gcd(x.m, y.m);
  if ((x.b - y.b) % g != 0) return x;
  const Modular &big = x.m >= y.m ? x : y, &small = x.m >= y.m ? y : x;
  int64_t steps = small.m / g;
  if (steps == 1) return big;
  int64_t lcm;
  if (steps > 4096 || __builtin_mul_overflow(big.m, steps, &lcm)) return big;
  Wide b = big.b;
  for (int64_t i = 0; i < steps; ++i, b += big.m)
    if (small.contains(b)) return Modular::make(lcm, b);
  return x;
}

Interval tighten(const Interval& i, const Modular& x) {
  if (x.m == 0) return i.contains(x.b) ? Interval::point(x.b) : i;
  if (x.m == 1) return i;
  Interval r = i;
  if (r.lo > -kInfinite) r.lo += wide_mod(x.b - r.lo, x.m);
  if (r.hi < kInfinite) r.hi -= wide_mod(r.hi - x.b, x.m);
  return r.lo <= r.hi ? r : i;
}

}  // namespace tenon::arith
