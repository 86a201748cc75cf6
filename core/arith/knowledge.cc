// Bounds and congruence of atoms and sums, and what bindings and constraints add to them. Every change is undone at the
// end of its scope.
#include <algorithm>

#include "arith/engine.h"

namespace tenon::arith {
// What an atom's operands say of it.
Interval Engine::structural_interval(const Atom& a) {
  Interval whole = Interval::of(a.dtype);
  auto operand = [&](const Linear& x) { return intersect(interval(x), whole); };
  // What wraps around to the dtype may be any of its values.
  auto wrapped = [&](const Interval& i) { return i.within(whole) ? i : whole; };
  switch (a.op) {
    case Op::Leaf: {
      const tir::Cast* c = a.node.as<tir::Cast>();
      return c && is_bool(c->value().dtype()) ? Interval{0, 1} : whole;
    }
    case Op::Product: {
      Interval p = Interval::point(1);
      for (size_t i = 0; i < a.args.size(); ++i) {
        bool twice = i + 1 < a.args.size() && a.args[i] == a.args[i + 1];
        p = p * (twice ? square(interval(a.args[i])) : interval(a.args[i]));
        if (twice) ++i;
      }
      return p;
    }
    case Op::FloorDiv: return wrapped(tenon::arith::floor_div(operand(a.a), operand(a.b)));
    case Op::FloorMod: return intersect(tenon::arith::floor_mod(operand(a.a), operand(a.b)), whole);
    case Op::TruncDiv: return wrapped(trunc_div(operand(a.a), operand(a.b)));
    case Op::TruncMod: return intersect(trunc_mod(operand(a.a), operand(a.b)), whole);
    case Op::Min: return min(operand(a.a), operand(a.b));
    case Op::Max: return max(operand(a.a), operand(a.b));
    case Op::Select:
    case Op::IfThenElse: return unite(operand(a.a), operand(a.b));
    case Op::Cast: return wrapped(intersect(interval(a.a), Interval::of(a.from)));
    default: return Interval{0, 1};
  }
}

const Interval& Engine::interval(Atom* a) {
  if (a->interval_version == version_) return a->interval;
  spend();
  Interval i;
  if (a->is_variable()) {
    // The bounds of its range, as far as they are known by now. Ranges may refer to each other in a circle.
    a->interval = i = a->range;
    a->interval_version = version_;
    for (uint32_t f : a->facts) {
      if (facts_[f].owner != a) continue;
      const Linear& sum = facts_[f].sum;
      int64_t k = sum.coef_of(a);
      if (k == 1) i = intersect(i, {-interval(sum - Linear(a)).hi, kInfinite});
      if (k == -1) i = intersect(i, {-kInfinite, interval(sum + Linear(a)).hi});
    }
  } else {
    i = intersect(structural_interval(*a), a->range);
  }
  const Modular& m = modular(a);
  if (m.knows()) i = tenon::arith::tighten(i, m);
  a->interval = i;
  a->interval_version = version_;
  return a->interval;
}

Interval Engine::interval(const Linear& x) {
  spend(static_cast<int64_t>(x.size()));
  Interval sum = Interval::point(x.constant());
  for (const Term& t : x) sum = sum + scale(interval(t.atom), t.coef);
  return sum;
}

const Modular& Engine::modular(Atom* a) {
  if (a->modular_version == version_) return a->modular;
  spend();
  Modular m;
  auto divisor = [&] { return a->b.is_constant() && a->b.constant() > 0 ? a->b.constant() : 0; };
  switch (a->op) {
    case Op::Product:
      m = Modular::point(1);
      for (Atom* f : a->args) m = m * modular(f);
      break;
    case Op::FloorDiv:
      if (int64_t c = divisor()) m = tenon::arith::floor_div(modular(a->a), c);
      break;
    case Op::FloorMod:
      if (int64_t c = divisor()) m = tenon::arith::floor_mod(modular(a->a), c);
      break;
    case Op::Min:
    case Op::Max:
    case Op::Select:
    case Op::IfThenElse: m = unite(modular(a->a), modular(a->b)); break;
    case Op::Cast:
      if (intersect(interval(a->a), Interval::of(a->from)).within(Interval::of(a->dtype))) m = modular(a->a);
      break;
    default: break;
  }
  if (a->congruence.knows()) m = intersect(m, a->congruence);
  a->modular = m;
  a->modular_version = version_;
  return a->modular;
}

Modular Engine::modular(const Linear& x) {
  spend(static_cast<int64_t>(x.size()));
  Modular sum = Modular::point(x.constant());
  for (const Term& t : x) sum = sum + scale(modular(t.atom), t.coef);
  return sum;
}

Linear Engine::term(Atom* a) {
  const Interval& i = interval(a);
  if (i.is_point() && fits64(i.lo)) return Linear(static_cast<int64_t>(i.lo));
  return Linear(a);
}

bool Engine::fits(const Linear& x, DLDataType t, const Linear* whole) {
  Interval type = Interval::of(t);
  Interval i = interval(x);
  if (i.within(type)) return true;
  if (whole == nullptr) return false;
  Interval rest = interval(*whole - x);
  i = intersect(i, type - rest);
  return i.within(type);
}

void Engine::set_range(Atom* a, const Interval& i) {
  Interval r = intersect(a->range, i);
  if (r == a->range) return;
  trail_.push_back({Change::Range, a, a->range, {}, 0, version_});
  a->range = r;
  version_ = ++last_version_;
}

void Engine::set_congruence(Atom* a, const Modular& m) {
  Modular r = intersect(a->congruence, m);
  if (r == a->congruence) return;
  trail_.push_back({Change::Congruence, a, {}, a->congruence, 0, version_});
  a->congruence = r;
  version_ = ++last_version_;
}

void Engine::set_truth(Atom* a, bool value) {
  if (a->truth == static_cast<int8_t>(value)) return;
  trail_.push_back({Change::Truth, a, {}, {}, a->truth, version_});
  a->truth = value;
  version_ = ++last_version_;
}

// The variable must have no value yet, and the value must not mention it.
void Engine::set_value(Atom* a, const Linear& value) {
  trail_.push_back({Change::Value, a, {}, {}, 0, version_});
  a->value = std::make_unique<Linear>(value);
  version_ = ++last_version_;
}

void Engine::add_fact(Linear sum, Atom* owner) {
  if (sum.size() > 16) return;
  uint32_t index = static_cast<uint32_t>(facts_.size());
  trail_.push_back({Change::NewFact, nullptr, {}, {}, 0, version_});
  version_ = ++last_version_;
  if (owner != nullptr)
    owner->facts.push_back(index);
  else
    for (const Term& t : sum) t.atom->facts.push_back(index);
  facts_.push_back({std::move(sum), owner});
}

void Engine::undo(size_t mark) {
  while (trail_.size() > mark) {
    Change& c = trail_.back();
    switch (c.kind) {
      case Change::Range: c.atom->range = c.range; break;
      case Change::Congruence: c.atom->congruence = c.congruence; break;
      case Change::Truth: c.atom->truth = c.truth; break;
      case Change::Value: c.atom->value.reset(); break;
      case Change::NewFact: {
        Fact& f = facts_.back();
        if (f.owner != nullptr)
          f.owner->facts.pop_back();
        else
          for (const Term& t : f.sum) t.atom->facts.pop_back();
        facts_.pop_back();
        break;
      }
    }
    version_ = c.version;
    trail_.pop_back();
  }
}

}  // namespace tenon::arith
