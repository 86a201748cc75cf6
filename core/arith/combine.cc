// Sums put back together from their divisions, products, min and max, select, and casts between integers.
#include <algorithm>

#include "arith/engine.h"

namespace tenon::arith {

// Sums that hold a division and its remainder become what was divided. Every sum that rules make passes through here.
Linear Engine::settle(Linear x) {
  for (int round = 0; round < 16; ++round) {
    bool changed = false;
    for (size_t i = 0; i < x.size() && !changed; ++i) {
      if (x[i].atom->op == Op::FloorMod)
        changed = settle_mod(x, i);
      else if (x[i].atom->op == Op::FloorDiv)
        changed = settle_div(x, i);
    }
    if (!changed) break;
  }
  return x;
}

// k * (y mod m) + k * m * floor(y / m) = k * y
bool Engine::settle_mod(Linear& x, size_t i) {
  Atom* mod = x[i].atom;
  int64_t k = x[i].coef;
  const Linear& m = mod->b;
  bool may = x.size() > 1 && std::any_of(x.begin(), x.end(), [](const Term& t) {
               return t.atom->op == Op::FloorDiv || t.atom->op == Op::Product;
             });
  if (!may) return false;
  Linear quotient;
  if (m.is_constant()) {
    if (m.constant() <= 0) return false;
    quotient = floor_div(mod->a, m.constant(), mod->dtype);
  } else {
    quotient = term(make(Op::FloorDiv, mod->dtype, mod->a, m));
  }
  if (quotient.is_constant()) return false;
  auto part = multiply(quotient, m, mod->dtype);
  if (!part) return false;
  part->scale(k);
  for (const Term& t : *part)
    if (x.coef_of(t.atom) != t.coef) return false;
  x.add_scaled(*part, -1);
  x.add(mod, checked_neg(k));
  x.add_scaled(mod->a, k);
  return true;
}

bool Engine::settle_div(Linear& x, size_t i) {
  Atom* div = x[i].atom;
  int64_t k = x[i].coef;
  if (!div->b.is_constant() || div->b.constant() <= 1) return false;
  int64_t c = div->b.constant();
  if (k % c != 0) return false;
  int64_t q = k / c;
  const Linear& y = div->a;
  // c * floor(y / c) = y - b where y = b mod c
  Modular m = modular(y);
  if (m.m % c == 0) {
    x.add(div, checked_neg(k));
    x.add_scaled(y, q);
    x.add_constant(checked_neg(checked_mul(q, tenon::arith::floor_mod(m.b, c))));
    return true;
  }
  // y - c * floor(y / c) = y mod c
  if (x.size() <= y.size()) return false;
  for (const Term& t : y)
    if (x.coef_of(t.atom) != checked_neg(checked_mul(q, t.coef))) return false;
  x.add(div, checked_neg(k));
  x.add_scaled(y, q);
  x.add_scaled(floor_mod(y, c, div->dtype), checked_neg(q));
  return true;
}

Atom* Engine::product(std::vector<Atom*> factors, DLDataType t) {
  std::sort(factors.begin(), factors.end(), [](const Atom* a, const Atom* b) { return a->id < b->id; });
  return make(Op::Product, t, {}, {}, {}, std::move(factors));
}

// None where the product is too large to write out.
std::optional<Linear> Engine::multiply(const Linear& a, const Linear& b, DLDataType t) {
  if (b.is_constant()) return a * b.constant();
  if (a.is_constant()) return b * a.constant();
  if (a.size() * b.size() > 16) return std::nullopt;
  Linear r(checked_mul(a.constant(), b.constant()));
  r.add_scaled(a + checked_neg(a.constant()), b.constant());
  r.add_scaled(b + checked_neg(b.constant()), a.constant());
  for (const Term& x : a) {
    for (const Term& y : b) {
      std::vector<Atom*> factors;
      for (Atom* f : {x.atom, y.atom}) {
        if (f->op == Op::Product)
          factors.insert(factors.end(), f->args.begin(), f->args.end());
        else
          factors.push_back(f);
      }
      if (factors.size() > 6) return std::nullopt;
      r.add(product(std::move(factors), t), checked_mul(x.coef, y.coef));
    }
  }
  return r;
}

Linear Engine::extremum(Op op, const Linear& a, const Linear& b, DLDataType t) {
  std::vector<Linear> parts;
  for (const Linear* x : {&a, &b}) {
    Linear rest = *x;
    Atom* atom = rest.as_atom();
    for (; atom && atom->op == op && parts.size() < 6; atom = rest.as_atom()) {
      parts.push_back(atom->b);
      rest = Linear(atom->a);
    }
    parts.push_back(rest);
  }
  // Whether x is the result wherever both are there.
  auto dominates = [&](const Linear& x, const Linear& y) {
    Linear d = op == Op::Min ? y - x : x - y;
    return nonnegative(settle(std::move(d)));
  };
  std::vector<Linear> kept;
  for (Linear& p : parts) {
    bool drop = std::any_of(kept.begin(), kept.end(), [&](const Linear& k) { return dominates(k, p); });
    if (drop) continue;
    std::erase_if(kept, [&](const Linear& k) { return dominates(p, k); });
    kept.push_back(std::move(p));
  }
  std::sort(kept.begin(), kept.end(), [](const Linear& x, const Linear& y) {
    if (x.is_constant() || y.is_constant()) return !x.is_constant();
    const Atom *p = first(x), *q = first(y);
    if (p != q) return before(p, q);
    if (x.size() != y.size()) return x.size() > y.size();
    return order_of(x) < order_of(y);
  });
  Linear r = kept[0];
  for (size_t i = 1; i < kept.size(); ++i) r = term(make(op, t, r, kept[i]));
  return r;
}

Linear Engine::select(Op op, const Truth& c, const Linear& a, const Linear& b, DLDataType t) {
  if (c.is_known()) return c.known ? a : b;
  if (a == b) return a;
  if (c.atom->op == Op::Not) return select(op, {c.atom->args[0]}, b, a, t);
  return term(make(op, t, a, b, {}, {c.atom}));
}

Linear Engine::cast(const Linear& x, DLDataType from, DLDataType to) {
  if (same_dtype(from, to)) return x;
  if (x.is_constant()) return Linear(wrap_to(x.constant(), to));
  Interval target = Interval::of(to), source = Interval::of(from);
  auto preserved = [&](Atom* a) {
    return a->op != Op::Product && interval(a).within(target) && interval(a).within(source);
  };
  bool parts = intersect(interval(x), source).within(target) &&
               std::all_of(x.begin(), x.end(), [&](const Term& t) { return preserved(t.atom); });
  if (!parts) return term(make(Op::Cast, to, x, {}, from));
  // The value is kept, and so is that of each atom: cast those.
  Linear r(x.constant());
  for (const Term& t : x) {
    Atom* inner = t.atom->op == Op::Cast ? t.atom->a.as_atom() : nullptr;
    bool undone = inner && same_dtype(inner->dtype, to) && inner->op != Op::Product &&
                  interval(inner).within(Interval::of(t.atom->dtype));
    r.add_scaled(undone ? Linear(inner) : term(make(Op::Cast, to, Linear(t.atom), {}, from)), t.coef);
  }
  return settle(std::move(r));
}

}  // namespace tenon::arith
