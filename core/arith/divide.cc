// Floor and truncating division and remainder of sums.
#include <algorithm>

#include "arith/engine.h"

namespace tenon::arith {

bool Engine::in_block(const Linear& x, int64_t c, int64_t* block) {
  Interval i = interval(x);
  if (i.lo <= -kInfinite || i.hi >= kInfinite) return false;
  Wide q = wide_floor_div(i.lo, c);
  if (q == wide_floor_div(i.hi, c) && fits64(q)) {
    *block = static_cast<int64_t>(q);
    return true;
  }
  // Through facts, the common case only.
  if (!i.contains(0) || proving_ > 0) return false;
  bool bounded = std::any_of(x.begin(), x.end(), [](const Term& t) { return !t.atom->facts.empty(); });
  if (!bounded || !nonnegative(x) || !nonnegative(x * -1 + (c - 1))) return false;
  *block = 0;
  return true;
}

// x = g * high + low, where high takes the multiples of g and low stays within [0, g).
std::optional<Engine::Split> Engine::split(const Linear& x, int64_t g) {
  Split s;
  Linear rest(tenon::arith::floor_mod(x.constant(), g));
  s.high.set_constant(tenon::arith::floor_div(x.constant(), g));
  for (const Term& t : x) {
    if (t.coef % g == 0)
      s.high.push(t.atom, t.coef / g);
    else
      rest.push(t.atom, t.coef);
  }
  int64_t block = 0;
  if (s.high.size() == 0 || !in_block(rest, g, &block)) return std::nullopt;
  s.high.add_constant(block);
  s.low = std::move(rest);
  s.low.add_constant(checked_neg(checked_mul(block, g)));
  return s;
}

std::optional<std::pair<int64_t, Engine::Split>> Engine::split_any(const Linear& x, int64_t c) {
  Divisors candidates;
  for (const Term& t : x) candidates.add(gcd64(t.coef, c));
  for (int64_t g : candidates)
    if (auto s = split(x, g)) return std::pair(g, std::move(*s));
  return std::nullopt;
}

Linear Engine::divide(Op op, const Linear& x, const Linear& given, DLDataType t) {
  Interval d = interval(given);
  Linear y = d.is_point() && fits64(d.lo) ? Linear(static_cast<int64_t>(d.lo)) : given;
  if (y.is_constant(0)) return Linear(make(op, t, x, y));
  return op == Op::FloorDiv || op == Op::FloorMod ? floor_by(op, x, y, t) : trunc_by(op, x, y, t);
}

Linear Engine::floor_div(const Linear& x, int64_t c, DLDataType t) {
  spend(4);
  if (c == 1) return x;
  auto atom = [&](const Linear& a) { return term(make(Op::FloorDiv, t, a, Linear(c))); };
  if (c < 0) {
    if (c <= smallest(t) || interval(x).lo <= smallest(t)) return atom(x);
    return floor_div(x * -1, -c, t);
  }
  if (x.is_constant()) return Linear(tenon::arith::floor_div(x.constant(), c));
  int64_t block;
  if (in_block(x, c, &block)) return Linear(block);

  // floor((c * q + r) / c) = q + floor(r / c)
  Linear quotient(tenon::arith::floor_div(x.constant(), c));
  Linear rest(tenon::arith::floor_mod(x.constant(), c));
  for (const Term& term : x) {
    if (term.coef % c == 0)
      quotient.push(term.atom, term.coef / c);
    else
      rest.push(term.atom, term.coef);
  }
  if (in_block(rest, c, &block)) return quotient + block;
  if (!fits(rest, t, &x)) {
    quotient = Linear();
    rest = x;
  }
  // Terms that are multiples of c by what is known of their atoms divide exactly.
  Linear exact, other(rest.constant());
  for (const Term& term : rest) {
    if (scale(modular(term.atom), term.coef).divisible_by(c))
      exact.push(term.atom, term.coef);
    else
      other.push(term.atom, term.coef);
  }
  if (exact.size() != 0 && !(other.is_constant(0)) && in_block(other, c, &block) && fits(exact, t, &rest))
    return quotient + block + floor_div(exact, c, t);

  if (auto s = split_any(rest, c)) {
    // floor((g * high + low) / c) = floor(high / (c / g))
    return quotient + floor_div(s->second.high, c / s->first, t);
  }
  if (rest.size() == 1 && rest[0].coef == 1) {
    Atom* a = rest[0].atom;
    bool by_constant = a->b.is_constant() && a->b.constant() > 0;
    int64_t product, offset;
    if (a->op == Op::FloorDiv && by_constant && !__builtin_mul_overflow(a->b.constant(), c, &product) &&
        !__builtin_mul_overflow(rest.constant(), a->b.constant(), &offset)) {
      // floor((floor(y / a) + k) / c) = floor((y + k * a) / (a * c))
      Linear inner = a->a + offset;
      if (product <= greatest(t) && (offset == 0 || fits(inner, t))) return quotient + floor_div(inner, product, t);
    }
    if (a->op == Op::FloorMod && by_constant && rest.constant() == 0 && a->b.constant() % c == 0)
      return quotient + floor_mod(floor_div(a->a, c, t), a->b.constant() / c, t);
  }
  return quotient + atom(rest);
}

Linear Engine::floor_mod(const Linear& x, int64_t c, DLDataType t) {
  spend(4);
  if (c == 1 || c == -1) return Linear();
  auto atom = [&](const Linear& a) { return term(make(Op::FloorMod, t, a, Linear(c))); };
  if (x.is_constant()) return Linear(tenon::arith::floor_mod(x.constant(), c));
  if (c < 0) return atom(x);
  int64_t block;
  if (in_block(x, c, &block)) return x + checked_neg(checked_mul(block, c));
  Modular whole = modular(x);
  if (whole.m % c == 0) return Linear(tenon::arith::floor_mod(whole.b, c));

  // What is a multiple of c does not matter.
  Linear reduced(tenon::arith::floor_mod(x.constant(), c));
  for (const Term& term : x) {
    int64_t k = term.coef % c;
    if (k == 0) continue;
    Modular m = scale(modular(term.atom), k);
    if (m.knows() && m.m % c == 0) {
      reduced.set_constant(
          static_cast<int64_t>(tenon::arith::floor_mod<Wide>(static_cast<Wide>(reduced.constant()) + m.b, c)));
      continue;
    }
    const Atom* a = term.atom;
    int64_t multiple;
    if (a->op == Op::FloorMod && a->b.is_constant() && !__builtin_mul_overflow(a->b.constant(), k, &multiple) &&
        multiple % c == 0)
      reduced.add_scaled(a->a, k);
    else
      reduced.add(term.atom, k);
  }
  reduced.set_constant(tenon::arith::floor_mod(reduced.constant(), c));
  bool changed = !(reduced == x);
  if (changed && reduced.is_constant()) return reduced;
  if (changed && fits(reduced, t, &x)) return floor_mod(reduced, c, t);
  // A constant above the middle may keep the sum from fitting, or from lying in one block.
  if (auto s = split_any(x, c)) {
    Linear high = floor_mod(s->second.high, c / s->first, t);
    high.scale(s->first);
    return high + s->second.low;
  }
  return atom(x);
}

Linear Engine::floor_by(Op op, const Linear& x, const Linear& y, DLDataType t) {
  bool div = op == Op::FloorDiv;
  if (y.is_constant()) return settle(div ? floor_div(x, y.constant(), t) : floor_mod(x, y.constant(), t));
  // Long division of polynomials: x = quotient * y + rest.
  const Term lead{first(y), y.coef_of(first(y))};
  Linear quotient, rest = x;
  auto factors = [](const Atom* a) {
    return a->op == Op::Product ? a->args : std::vector<Atom*>{const_cast<Atom*>(a)};
  };
  std::vector<Atom*> divisor = factors(lead.atom);
  auto by_id = [](const Atom* a, const Atom* b) { return a->id < b->id; };
  for (int step = 0; step < 16; ++step) {
    bool found = false;
    for (const Term& r : rest) {
      std::vector<Atom*> f = factors(r.atom);
      if ((r.coef == kMin64 && lead.coef == -1) || r.coef % lead.coef != 0 ||
          !std::includes(f.begin(), f.end(), divisor.begin(), divisor.end(), by_id))
        continue;
      std::vector<Atom*> left;
      std::set_difference(f.begin(), f.end(), divisor.begin(), divisor.end(), std::back_inserter(left), by_id);
      Linear q = left.empty() ? Linear(1) : left.size() == 1 ? Linear(left[0]) : Linear(product(left, t));
      q.scale(r.coef / lead.coef);
      auto taken = multiply(q, y, t);
      if (!taken) break;
      quotient.add_scaled(q, 1);
      rest.add_scaled(*taken, -1);
      found = true;
      break;
    }
    if (!found) break;
  }
  if (rest.is_constant(0)) return div ? quotient : Linear();
  if (nonnegative(rest) && nonnegative(y - rest + -1)) return div ? quotient : rest;
  // The smallest value divided by -1 overflows, even where the whole does not.
  bool divides = interval(rest).lo > smallest(t) || !interval(y).contains(-1);
  if (quotient.is_constant(0) || !divides || !fits(rest, t, &x)) {
    quotient = Linear();
    rest = x;
  }
  Linear a = term(make(op, t, rest, y));
  return settle(div ? quotient + a : a);
}

Linear Engine::trunc_by(Op op, const Linear& x, const Linear& y, DLDataType t) {
  bool div = op == Op::TruncDiv;
  Interval a = interval(x), b = interval(y);
  Op floor = div ? Op::FloorDiv : Op::FloorMod;
  if (x.is_constant() && y.is_constant()) {
    int64_t p = x.constant(), q = y.constant();
    if (q == -1) return p > smallest(t) ? Linear(div ? -p : 0) : Linear(make(op, t, x, y));
    return Linear(div ? p / q : p % q);
  }
  // From here on y is not zero, or the expression has no value.
  if (nonnegative(x) && b.lo >= 0) return floor_by(floor, x, y, t);
  if (a.hi <= 0 && a.lo > smallest(t) && b.lo >= 0) return floor_by(floor, x * -1, y, t) * -1;
  if (y.is_constant()) {
    int64_t c = y.constant();
    if (c == 1) return div ? x : Linear();
    bool exact = c != -1 && x.constant() % c == 0 &&
                 std::all_of(x.begin(), x.end(), [&](const Term& term) { return term.coef % c == 0; });
    if (exact && !div) return Linear();
    if (exact) {
      Linear q(x.constant() / c);
      for (const Term& term : x) q.push(term.atom, term.coef / c);
      return q;
    }
  }
  return term(make(op, t, x, y));
}

}  // namespace tenon::arith
