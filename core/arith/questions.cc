// The questions that the analyzer answers. Each is bounded in steps; where the bound is reached, or coefficients leave
// 64 bits, the answer is the expression as it was, or that nothing is known.
#include <algorithm>

#include "arith/engine.h"

namespace tenon::arith {

Node Engine::simplify(const Node& expr) {
  Node r = expr;
  try {
    begin(expr);
    r = any(expr);
  } catch (const GiveUp&) {
  } catch (const Error& e) {
    if (e.code != TN_ERROR_LIMIT) throw;  // the result would be deeper than nodes may be
  }
  finish();
  return r;
}

bool Engine::prove(const Node& condition) {
  bool yes = false;
  try {
    begin(condition);
    yes = is_bool(condition.dtype()) && condition.dtype().lanes == 1 && !has(condition, kImpure) &&
          boolean(condition).is(true);
  } catch (const GiveUp&) {
  } catch (const Error& e) {
    if (e.code != TN_ERROR_LIMIT) throw;
  }
  finish();
  return yes;
}

Interval Engine::bounds(const Node& expr) {
  Interval r;
  try {
    DLDataType t = expr.dtype();
    if (is_bool(t)) r = {0, 1};
    if (is_analyzed(element_of(t))) r = Interval::of(element_of(t));
    begin(expr);
    if (has(expr, kImpure)) {
    } else if (is_analyzed(t)) {
      r = intersect(r, searched(integer(expr)));
    } else if (is_bool(t) && t.lanes == 1) {
      Truth b = boolean(expr);
      if (b.is_known()) r = Interval::point(b.known ? 1 : 0);
    } else if (auto v = lanes(expr)) {
      r = intersect(r, unite(searched(v->base), searched(v->base + v->stride * (v->count - 1))));
    }
  } catch (const GiveUp&) {
  } catch (const Error& e) {
    if (e.code != TN_ERROR_LIMIT) throw;
  }
  finish();
  return r;
}

Modular Engine::modular(const Node& expr) {
  Modular r;
  try {
    begin(expr);
    if (is_analyzed(expr.dtype()) && !has(expr, kImpure)) r = modular(integer(expr));
  } catch (const GiveUp&) {
  } catch (const Error& e) {
    if (e.code != TN_ERROR_LIMIT) throw;
  }
  finish();
  return r;
}

void Engine::bind_range(const Node& var, const Node& min, const Node& extent) {
  DLDataType t = var.dtype();
  if (!is_analyzed(t)) return;
  bool reads = false;
  std::optional<Linear> first, last;
  try {
    for (const Node* n : {&min, &extent}) {
      begin(*n);
      reads |= has(*n, kReads);
      if (has(*n, kImpure) || !is_analyzed(n->dtype())) throw GiveUp{};
      Linear x = cast(integer(*n), n->dtype(), t);
      (first ? last : first) = std::move(x);
      finish();
    }
    *last = settle(*last + *first + -1);
    Atom* a = leaf(var);
    set_range(a, {interval(*first).lo, interval(*last).hi});
    if (reads) return;
    if (*first == *last && !a->value && first->coef_of(a) == 0) {
      set_value(a, *first);
      return;
    }
    if (!first->is_constant() && first->coef_of(a) == 0) add_fact(Linear(a) - *first, a);
    if (!last->is_constant() && last->coef_of(a) == 0) add_fact(*last - Linear(a), a);
  } catch (const GiveUp&) { finish(); } catch (const Error& e) {
    finish();
    if (e.code != TN_ERROR_LIMIT) throw;
  }
}

void Engine::bind_value(const Node& var, const Node& value) {
  DLDataType t = var.dtype();
  try {
    begin(value);
    if (has(value, kImpure)) {
    } else if (is_bool(t) && t.lanes == 1 && is_bool(value.dtype())) {
      Truth v = boolean(value);
      if (v.is_known()) set_truth(leaf(var), v.known);
    } else if (is_analyzed(t) && same_dtype(value.dtype(), t)) {
      Linear x = integer(value);
      Atom* a = leaf(var);
      Interval i = interval(x);
      Modular m = modular(x);
      if (!has(value, kReads) && !a->value && x.coef_of(a) == 0) {
        // What was known of the variable is now known of its value.
        Linear difference = x - Linear(a);
        if (!x.is_constant()) {
          add_fact(difference, a);
          add_fact(difference * -1, a);
        }
        set_range(a, i);
        set_value(a, x);
      } else {
        set_range(a, i);
        set_congruence(a, m);
      }
    }
  } catch (const GiveUp&) {
  } catch (const Error& e) {
    if (e.code != TN_ERROR_LIMIT) {
      finish();
      throw;
    }
  }
  finish();
}

void Engine::enter(const Node& condition) {
  scopes_.push_back(mark());
  std::vector<const Node*> work{&condition};
  while (!work.empty()) {
    const Node& n = *work.back();
    work.pop_back();
    if (n.is<tir::And>()) {
      work.push_back(&n.to<tir::And>().b());
      work.push_back(&n.to<tir::And>().a());
      continue;
    }
    if (!is_bool(n.dtype()) || n.dtype().lanes != 1) continue;
    try {
      begin(n);
      if (!has(n, kReads)) {
        Truth t = boolean(n);
        // var == value replaces the variable.
        if (const tir::EQ* eq = n.as<tir::EQ>(); eq && !t.is_known() && integers(eq->a(), eq->b())) {
          for (bool swapped : {false, true}) {
            const Node &var = swapped ? eq->b() : eq->a(), &value = swapped ? eq->a() : eq->b();
            if (!var.is<ir::Var>()) continue;
            Atom* a = leaf(var);
            Linear x = integer(value);
            if (a->value || x.coef_of(a) != 0 || x.is_constant()) continue;
            if (std::any_of(x.begin(), x.end(), [&](const Term& term) { return !term.atom->is_variable(); })) continue;
            assume(t, true);
            set_value(a, x);
            t = Truth::of(true);
            break;
          }
        }
        assume(t, true);
      }
    } catch (const GiveUp&) {
    } catch (const Error& e) {
      if (e.code == TN_ERROR_LIMIT) continue;
      finish();
      leave();
      throw;
    }
    finish();
  }
}

void Engine::leave() {
  if (scopes_.empty()) return;
  undo(scopes_.back());
  scopes_.pop_back();
}

}  // namespace tenon::arith
