// Comparisons, and, or, not.
#include <algorithm>

#include "arith/engine.h"

namespace tenon::arith {
namespace {

int64_t content(const Linear& x) {
  int64_t g = 0;
  for (const Term& t : x) g = gcd64(g, t.coef);
  return g;
}

Linear divided(const Linear& x, int64_t g, int64_t constant) {
  Linear r(constant);
  for (const Term& t : x) r.push(t.atom, t.coef / g);
  return r;
}

}  // namespace

// The strongest d' that is not negative exactly where d is not: d >= 0 is floor(d / g) >= 0 for any g.
Linear Engine::tighten(Linear d) {
  for (int round = 0; round < 4 && !d.is_constant(); ++round) {
    int64_t g = content(d);
    if (g > 1) d = divided(d, g, tenon::arith::floor_div(d.constant(), g));
    // What each term is a multiple of.
    auto unit = [&](const Term& t) {
      Modular m = scale(modular(t.atom), t.coef);
      int64_t u = m.m == 0 || m.b == kMin64 ? 0 : std::gcd(m.m, m.b);
      return u != 0 ? u : gcd64(t.coef, 0);
    };
    Divisors candidates;
    for (const Term& t : d) candidates.add(unit(t));
    bool changed = false;
    for (int64_t c : candidates) {
      int64_t block = 0;
      Linear high, low(d.constant());
      for (const Term& t : d) (unit(t) % c == 0 ? high : low).push(t.atom, t.coef);
      if (!in_block(low, c, &block)) continue;
      changed = low.size() != 0;
      high.set_constant(checked_mul(block, c));
      d = std::move(high);
      break;
    }
    if (!changed) break;
  }
  return d;
}

Engine::Sides Engine::sides(const Atom& comparison) const {
  Sides s;
  if (comparison.op != Op::GE0 && comparison.op != Op::EQ0) {
    s.kind = comparison.op == Op::LT ? TN_KIND_tir_LT : comparison.op == Op::LE ? TN_KIND_tir_LE : TN_KIND_tir_EQ;
    s.left.assign(comparison.a.begin(), comparison.a.end());
    s.right.assign(comparison.b.begin(), comparison.b.end());
    s.left_constant = comparison.a.constant();
    s.right_constant = comparison.b.constant();
    return s;
  }
  const Linear& d = comparison.a;
  int64_t c = d.constant();
  std::vector<Term> positive, negative;
  for (const Term& t : d) {
    if (t.coef > 0)
      positive.push_back(t);
    else
      negative.push_back({t.atom, checked_neg(t.coef)});
  }
  if (comparison.op == Op::EQ0) {
    // The term that is printed first stands on the left.
    if (d.coef_of(first(d)) < 0) {
      std::swap(positive, negative);
      c = checked_neg(c);
    }
    s = {std::move(positive), std::move(negative), 0, 0, TN_KIND_tir_EQ};
    (c > 0 && !s.right.empty() ? s.left_constant : s.right_constant) = c > 0 && !s.right.empty() ? c : checked_neg(c);
    return s;
  }
  if (negative.empty()) return {std::move(positive), {}, 0, checked_neg(c), TN_KIND_tir_GE};
  bool strict = c < 0 || (positive.empty() && c < kMax64);
  s = {std::move(negative), std::move(positive), 0, 0, strict ? TN_KIND_tir_LT : TN_KIND_tir_LE};
  if (strict) c = checked_add(c, 1);
  (c < 0 && !s.right.empty() ? s.left_constant : s.right_constant) = c < 0 && !s.right.empty() ? checked_neg(c) : c;
  return s;
}

bool Engine::sides_fit(const Sides& s, DLDataType t, const Compared* given) {
  auto side = [&](const std::vector<Term>& terms, int64_t constant) {
    Linear x(constant);
    for (const Term& term : terms) x.push(term.atom, term.coef);
    return fits(x, t) || (given != nullptr && (fits(x, t, &given->first) || fits(x, t, &given->second)));
  };
  return side(s.left, s.left_constant) && side(s.right, s.right_constant);
}

std::optional<Truth> Engine::try_nonnegative(const Linear& difference, DLDataType t, const Compared* given) {
  Linear d = settle(difference);
  if (nonnegative(d)) return Truth::of(true);
  if (nonnegative(d * -1 + -1)) return Truth::of(false);
  d = tighten(std::move(d));
  if (d.is_constant()) return Truth::of(d.constant() >= 0);
  // Where the terms are multiples of g by what is known of them, 0 < x reads better than g <= x.
  if (d.size() > 1 && d.constant() < -1) {
    Modular m = modular(d);
    if (m.m == checked_neg(d.constant()) && m.b == 0) d.set_constant(-1);
  }
  Atom* atom = make(Op::GE0, kBool, d, {}, t);
  if (!sides_fit(sides(*atom), t, given)) return std::nullopt;
  return truth(atom);
}

std::optional<Truth> Engine::try_zero(const Linear& difference, DLDataType t, const Compared* given) {
  Linear d = settle(difference);
  if (d.is_constant()) return Truth::of(d.constant() == 0);
  int64_t g = content(d);
  if (d.constant() % g != 0 || !modular(d).contains(0) || !interval(d).contains(0)) return Truth::of(false);
  if (g > 1) d = divided(d, g, d.constant() / g);
  if (nonnegative(d + -1) || nonnegative(d * -1 + -1)) return Truth::of(false);
  if (d.size() > 1 && nonnegative(d) && nonnegative(d * -1)) return Truth::of(true);
  // x + y = 0 with x a multiple of g and |y| < g: both are 0.
  for (const Term& lead : d) {
    int64_t c = gcd64(lead.coef, 0);
    if (c == 1) continue;
    Linear high, low(d.constant());
    for (const Term& x : d) (x.coef % c == 0 ? high : low).push(x.atom, x.coef);
    Interval i = interval(low);
    if (low.is_constant() || i.lo <= -c || i.hi >= c) continue;
    auto x = try_zero(high, t), y = try_zero(low, t);
    if (x && y) return junction(Op::And, {*x, *y});
  }
  // One sign for a sum and its negation.
  if (d.coef_of(first(d)) < 0) d.scale(-1);
  Atom* atom = make(Op::EQ0, kBool, d, {}, t);
  if (!sides_fit(sides(*atom), t, given)) return std::nullopt;
  return truth(atom);
}

Truth Engine::compare(uint32_t kind, const Linear& a, const Linear& b, DLDataType t) {
  switch (kind) {
    case TN_KIND_tir_GT: return compare(TN_KIND_tir_LT, b, a, t);
    case TN_KIND_tir_GE: return compare(TN_KIND_tir_LE, b, a, t);
    case TN_KIND_tir_NE: return negate(compare(TN_KIND_tir_EQ, a, b, t));
    default: break;
  }
  try {
    std::optional<Truth> r;
    Compared given{a, b};
    if (kind == TN_KIND_tir_EQ)
      r = try_zero(a - b, t, &given);
    else
      r = try_nonnegative(b - a + (kind == TN_KIND_tir_LT ? -1 : 0), t, &given);
    if (r) return *r;
  } catch (const GiveUp&) {
    if (steps_ > limits_.steps) throw;
  }
  Op op = kind == TN_KIND_tir_LT ? Op::LT : kind == TN_KIND_tir_LE ? Op::LE : Op::EQ;
  return truth(make(op, kBool, a, b, t));
}

Truth Engine::negate(const Truth& t) {
  if (t.is_known()) return Truth::of(!t.known);
  Atom* a = t.atom;
  switch (a->op) {
    case Op::Not: return {a->args[0]};
    case Op::LT: return compare(TN_KIND_tir_LE, a->b, a->a, a->from);
    case Op::LE: return compare(TN_KIND_tir_LT, a->b, a->a, a->from);
    case Op::GE0:
      if (auto r = try_nonnegative(a->a * -1 + -1, a->from)) return *r;
      break;
    case Op::And:
    case Op::Or: {
      std::vector<Truth> parts;
      for (Atom* part : std::vector<Atom*>(a->args)) parts.push_back(negate({part}));
      return junction(a->op == Op::And ? Op::Or : Op::And, parts);
    }
    default: break;
  }
  return truth(make(Op::Not, kBool, {}, {}, {}, {a}));
}

// What is known of an atom by now.
std::optional<bool> Engine::decide(Atom* a) {
  if (a->truth >= 0) return a->truth != 0;
  if (a->op == Op::Not) {
    auto r = decide(a->args[0]);
    return r ? std::optional<bool>(!*r) : r;
  }
  if (a->op == Op::GE0) {
    if (nonnegative(a->a)) return true;
    if (nonnegative(a->a * -1 + -1)) return false;
  } else if (a->op == Op::EQ0) {
    if (!interval(a->a).contains(0)) return false;
    if (nonnegative(a->a) && nonnegative(a->a * -1)) return true;
  }
  return std::nullopt;
}

// Whether it has a value wherever its variables have one.
bool Engine::total(const Truth& t) {
  if (t.is_known() || (t.atom->op == Op::Leaf && t.atom->is_variable())) return true;
  if (t.atom->op == Op::Not) return total({t.atom->args[0]});
  return (t.atom->op == Op::GE0 || t.atom->op == Op::EQ0) &&
         std::all_of(t.atom->a.begin(), t.atom->a.end(), [](const Term& x) { return x.atom->is_variable(); }) &&
         sides_fit(sides(*t.atom), t.atom->from);
}

Truth Engine::junction(Op op, const std::vector<Truth>& parts) {
  bool decisive = op == Op::Or;  // the value that decides the whole
  std::vector<Atom*> kept;
  auto add = [&](Atom* a) {
    if (std::find(kept.begin(), kept.end(), a) == kept.end()) kept.push_back(a);
  };
  for (const Truth& p : parts) {
    if (p.is(decisive)) return Truth::of(decisive);
    if (p.is_known()) continue;
    if (p.atom->op == op)
      for (Atom* a : p.atom->args) add(a);
    else
      add(p.atom);
  }
  for (Atom* a : kept)
    if (a->op == Op::Not && std::find(kept.begin(), kept.end(), a->args[0]) != kept.end()) return Truth::of(decisive);
  if (kept.empty()) return Truth::of(!decisive);
  if (kept.size() == 1) return truth(kept[0]);
  return truth(make(op, kBool, {}, {}, {}, std::move(kept)));
}

// Each part is simplified under what the parts before it leave open; then those that later ones imply are dropped.
Truth Engine::junction(Op op, const Node& n) {
  bool conjunction = op == Op::And;
  uint32_t kind = n.kind();
  std::vector<const Node*> parts, work{&n};
  while (!work.empty()) {
    const Node& p = *work.back();
    work.pop_back();
    if (p.kind() == kind && (&p == &n || !shared(p))) {
      work.push_back(&as_node(p.slot(tir::AndSlot::b)));
      work.push_back(&as_node(p.slot(tir::AndSlot::a)));
    } else {
      parts.push_back(&p);
    }
  }
  spend(static_cast<int64_t>(parts.size()));
  bool together =
      parts.size() <= 32 && std::none_of(parts.begin(), parts.end(), [&](const Node* p) { return has(*p, kUnsafe); });
  std::vector<Truth> results;
  {
    std::optional<Scope> scope;
    for (const Node* p : parts) {
      Truth t = boolean(*p);
      if (t.is(!conjunction)) return t;
      if (t.is_known()) continue;
      if (together && !scope) scope.emplace(*this);
      if (together) {
        assume(t, conjunction);
        memos_.back() = {};
      }
      results.push_back(t);
    }
  }
  // An earlier part may go only where the later ones have a value without it.
  if (together && results.size() > 1 && results.size() <= 8) {
    for (size_t i = results.size() - 1; i-- > 0;) {
      std::vector<Truth> others;
      for (size_t j = 0; j < results.size(); ++j)
        if (j < i || (j > i && total(results[j]))) others.push_back(results[j]);
      Scope scope(*this);
      for (const Truth& t : others) assume(t, conjunction);
      auto known = decide(results[i].atom);
      if (known == std::optional<bool>(conjunction)) results[i] = Truth::of(conjunction);
    }
  }
  return junction(op, results);
}

}  // namespace tenon::arith
