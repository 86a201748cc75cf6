// Lower bounds of sums through facts, and what an assumption adds to the knowledge.
//
// A fact is a sum F >= 0. Where x = k * a + ... and F = f * a + ... with f of the sign of k, some m * F removes `a`
// from a multiple of x; since m * F >= 0, a lower bound of the rest is one of x. The search does this to a small depth.
#include <algorithm>

#include "arith/engine.h"

namespace tenon::arith {
namespace {

constexpr int kDepth = 5;

Wide round_up(Wide lo, const Modular& m) {
  if (m.m <= 1 || lo <= -kInfinite) return lo;
  Wide r = (m.b - lo) % m.m;
  return lo + (r < 0 ? r + m.m : r);
}

}  // namespace

// Calls f(fact) for sums known not to be negative that bound `a` from above (sign < 0) or from below, as they hold the
// atom with a coefficient of that sign. Stops when f returns true.
template <class F>
bool Engine::facts_about(Atom* a, int sign, F&& f) {
  for (size_t i = a->facts.size(); i-- > 0;) {
    Linear fact = facts_[a->facts[i]].sum;
    if ((fact.coef_of(a) < 0) == (sign < 0) && f(fact)) return true;
  }
  if ((a->op != Op::FloorDiv && a->op != Op::FloorMod) || !a->b.is_constant() || a->b.constant() <= 0) return false;
  int64_t c = a->b.constant();
  if (a->op == Op::FloorDiv) {
    // c * q <= x <= c * q + c - 1
    Linear low = a->a - Linear(a, c);
    return f(sign < 0 ? low : low * -1 + (c - 1));
  }
  return sign < 0 && interval(a->a).lo >= 0 && f(a->a - Linear(a));
}

// Calls f(rest, scale), with scale * x >= rest, for each way to relax x; stops when f returns true.
template <class F>
bool Engine::relaxations(const Linear& x, F&& f) {
  for (size_t i = 0; i < x.size() && i < 32; ++i) {
    Atom* a = x[i].atom;
    int64_t k = x[i].coef;
    int sign = k < 0 ? -1 : 1;
    auto relax = [&](const Linear& fact) {
      int64_t c = fact.coef_of(a);
      if (c == 0 || (c < 0) != (k < 0)) return false;
      int64_t g = gcd64(c, k), scale = (c < 0 ? checked_neg(c) : c) / g, m = (k < 0 ? checked_neg(k) : k) / g;
      Linear rest = x * scale;
      rest.add_scaled(fact, checked_neg(m));
      return f(settle(std::move(rest)), scale);
    };
    if (facts_about(a, sign, relax)) return true;
    if (a->op != Op::Product) continue;
    // A bound of one factor, times the others where those are not negative.
    for (size_t j = 0; j < a->args.size(); ++j) {
      Atom* p = a->args[j];
      std::vector<Atom*> others = a->args;
      others.erase(others.begin() + static_cast<std::ptrdiff_t>(j));
      if (!std::all_of(others.begin(), others.end(), [&](Atom* o) { return interval(o).lo >= 0; })) continue;
      Linear rest = others.size() == 1 ? Linear(others[0]) : Linear(product(others, a->dtype));
      auto times = [&](const Linear& bound) {
        auto fact = multiply(bound, rest, a->dtype);
        return fact && relax(*fact);
      };
      if (facts_about(p, sign, times)) return true;
      const Interval& r = interval(p);
      if (k < 0 && r.hi < kMax64 && times(Linear(p, -1) + static_cast<int64_t>(r.hi))) return true;
      if (k > 0 && r.lo > 0 && times(Linear(p) + checked_neg(static_cast<int64_t>(r.lo)))) return true;
    }
  }
  return false;
}

// A lower bound of x. Stops early at `goal`.
Wide Engine::lower(const Linear& x, int depth, Wide goal) {
  spend(4);
  Interval plain = interval(x);
  if (plain.lo >= goal) return plain.lo;
  Wide best = round_up(plain.lo, modular(x));
  if (best >= goal || depth == 0 || (plain.hi < goal && goal < kInfinite)) return best;
  for (const Term& t : x) {
    Atom* a = t.atom;
    if (a->op != Op::Min && a->op != Op::Max && a->op != Op::Select && a->op != Op::IfThenElse) continue;
    if (search_left_ < 2) return best;
    search_left_ -= 2;
    // Either side bounds k * min(a, b) from below for k < 0; otherwise the value is that of one side.
    bool either = (a->op == Op::Min && t.coef < 0) || (a->op == Op::Max && t.coef > 0);
    Linear without = x - Linear(a, t.coef);
    auto side = [&](const Linear& s) { return lower(settle(without + s * t.coef), depth - 1, goal); };
    Wide first = side(a->a);
    if (!either && first <= best) continue;
    if (either && first >= goal) return first;
    Wide second = side(a->b);
    best = std::max(best, either ? std::max(first, second) : std::min(first, second));
    if (best >= goal) return best;
  }
  relaxations(x, [&](const Linear& rest, int64_t scale) {
    if (--search_left_ < 0) return true;
    Wide scaled_goal = goal >= kInfinite ? goal : goal * scale;
    Wide bound = lower(rest, depth - 1, scaled_goal);
    if (bound > -kInfinite) best = std::max(best, wide_ceil_div(bound, scale));
    return best >= goal;
  });
  return best;
}

bool Engine::nonnegative(const Linear& x) {
  Interval i = interval(x);
  if (i.lo >= 0) return true;
  if (i.hi < 0) return false;
  try {
    if (proving_++ == 0) search_left_ = limits_.search;
    bool yes = lower(x, kDepth, 0) >= 0;
    --proving_;
    return yes;
  } catch (const GiveUp&) {
    --proving_;
    if (steps_ > limits_.steps) throw;
    return false;
  }
}

Interval Engine::searched(const Linear& x) {
  Interval i = interval(x);
  if (x.is_constant()) return i;
  auto bound = [&](const Linear& y, Wide plain) {
    try {
      search_left_ = limits_.search;
      return std::max(plain, lower(y, kDepth, kInfinite));
    } catch (const GiveUp&) { return plain; }
  };
  Interval r{bound(x, i.lo), i.hi};
  r.hi = -bound(x * -1, -i.hi);
  return r.lo <= r.hi ? r : i;
}

void Engine::assume(const Truth& t, bool value) {
  if (t.is_known()) return;
  Atom* a = t.atom;
  set_truth(a, value);
  switch (a->op) {
    case Op::GE0: assume_nonnegative(value ? a->a : a->a * -1 + -1); break;
    case Op::LT: assume_nonnegative(value ? a->b - a->a + -1 : a->a - a->b); break;
    case Op::LE: assume_nonnegative(value ? a->b - a->a : a->a - a->b + -1); break;
    case Op::EQ0:
    case Op::EQ: {
      Linear d = a->op == Op::EQ0 ? a->a : a->a - a->b;
      if (value) {
        assume_zero(d);
      } else if (d.size() == 1 && (d[0].coef == 1 || d[0].coef == -1)) {
        // A bound that is excluded moves inwards.
        Atom* x = d[0].atom;
        Wide v = d[0].coef == 1 ? -static_cast<Wide>(d.constant()) : static_cast<Wide>(d.constant());
        Interval i = interval(x);
        if (i.is_point()) break;
        if (i.lo == v) set_range(x, {v + 1, kInfinite});
        if (i.hi == v) set_range(x, {-kInfinite, v - 1});
      }
      break;
    }
    case Op::And:
    case Op::Or:
      if (value == (a->op == Op::And))
        for (Atom* part : std::vector<Atom*>(a->args)) assume({part}, value);
      break;
    case Op::Not: assume({a->args[0]}, !value); break;
    default: break;
  }
}

void Engine::assume_nonnegative(const Linear& given) {
  Linear x = tighten(given);
  if (x.is_constant()) return;
  if (x.size() == 1) {
    Atom* a = x[0].atom;
    int64_t k = x[0].coef;
    Wide limit = k > 0 ? wide_ceil_div(-static_cast<Wide>(x.constant()), k)
                       : wide_floor_div(x.constant(), -static_cast<Wide>(k));
    set_range(a, k > 0 ? Interval{limit, kInfinite} : Interval{-kInfinite, limit});
    if (a->op == Op::FloorDiv && a->b.is_constant() && a->b.constant() > 0) {
      Wide c = a->b.constant();
      if (k > 0 && fits64(-limit * c)) assume_nonnegative(a->a + static_cast<int64_t>(-limit * c));
      if (k < 0 && fits64(limit * c + c - 1)) assume_nonnegative(a->a * -1 + static_cast<int64_t>(limit * c + c - 1));
    }
    return;
  }
  if (x.size() <= 8) {
    // What the others leave to each term.
    for (const Term& t : x) {
      Wide rest = interval(x - Linear(t.atom, t.coef)).hi;  // k * a >= -rest
      if (rest >= kInfinite) continue;
      if (t.coef > 0)
        set_range(t.atom, {wide_ceil_div(-rest, t.coef), kInfinite});
      else
        set_range(t.atom, {-kInfinite, wide_floor_div(rest, -static_cast<Wide>(t.coef))});
    }
  }
  add_fact(x);
}

void Engine::assume_zero(const Linear& given) {
  Linear x = settle(given);
  if (x.is_constant()) return;
  int64_t g = 0;
  for (const Term& t : x) g = gcd64(g, t.coef);
  if (x.constant() % g != 0) return;
  Linear d(x.constant() / g);
  for (const Term& t : x) d.push(t.atom, t.coef / g);
  if (d.size() == 1) {
    Atom* a = d[0].atom;
    int64_t v = d[0].coef > 0 ? checked_neg(d.constant()) : d.constant();
    if (!interval(a).contains(v)) return;
    set_range(a, Interval::point(v));
    bool by_constant = a->b.is_constant() && a->b.constant() > 0;
    int64_t c = by_constant ? a->b.constant() : 0;
    if (a->op == Op::FloorMod && by_constant && a->a.size() == 1) {
      // k * y + r = v mod c
      int64_t k = a->a[0].coef;
      Wide r = static_cast<Wide>(v) - a->a.constant();
      if (k == 1 || k == -1) set_congruence(a->a[0].atom, Modular::make(c, k == 1 ? r : -r));
    } else if (a->op == Op::FloorDiv && by_constant) {
      int64_t low = checked_mul(v, c);
      assume_nonnegative(a->a + checked_neg(low));
      assume_nonnegative(a->a * -1 + checked_add(low, c - 1));
    }
    return;
  }
  assume_nonnegative(d);
  assume_nonnegative(d * -1);
  for (const Term& t : d) {
    if (t.coef != 1 && t.coef != -1) continue;
    Linear rest = (d - Linear(t.atom, t.coef)) * (t.coef == 1 ? -1 : 1);
    set_congruence(t.atom, modular(rest));
  }
}

}  // namespace tenon::arith
