// Vectors of integers and booleans: what is a ramp or a broadcast stays one through sums, divisions and comparisons.
#include <algorithm>

#include "arith/engine.h"

namespace tenon::arith {

// Whether no lane wraps around; taken for granted of the index type.
bool Engine::lanes_fit(const Lanes& v) {
  if (is_index(v.element)) return true;
  return fits(v.base, v.element) && fits(v.base + v.stride * (v.count - 1), v.element);
}

std::optional<Lanes> Engine::lanes(const Node& n) {
  DLDataType t = n.dtype(), element = element_of(t);
  if (t.lanes <= 1 || !is_analyzed(element) || too_deep()) return std::nullopt;
  Level level(*this);
  spend();
  auto checked = [&](Linear base, Linear stride) -> std::optional<Lanes> {
    Lanes v{settle(std::move(base)), settle(std::move(stride)), t.lanes, element};
    return lanes_fit(v) ? std::optional<Lanes>(std::move(v)) : std::nullopt;
  };
  if (const tir::Ramp* r = n.as<tir::Ramp>()) {
    if (!same_dtype(r->base().dtype(), element) || !same_dtype(r->stride().dtype(), element)) return std::nullopt;
    return checked(integer(r->base()), integer(r->stride()));
  }
  if (const tir::Broadcast* b = n.as<tir::Broadcast>()) {
    if (!same_dtype(b->value().dtype(), element)) return std::nullopt;
    return checked(integer(b->value()), Linear());
  }
  if (const tir::Cast* c = n.as<tir::Cast>()) {
    auto v = lanes(c->value());
    if (!v || !v->stride.is_constant() || !fits(v->base, v->element) || !fits(v->base, element)) return std::nullopt;
    Linear last = v->base + v->stride * (v->count - 1);
    if (!fits(last, v->element) || !fits(last, element)) return std::nullopt;
    return checked(cast(v->base, v->element, element), v->stride);
  }
  uint32_t kind = n.kind();
  if (kind != TN_KIND_tir_Add && kind != TN_KIND_tir_Sub && kind != TN_KIND_tir_Mul && kind != TN_KIND_tir_FloorDiv &&
      kind != TN_KIND_tir_FloorMod)
    return std::nullopt;
  auto a = lanes(as_node(n.slot(tir::AddSlot::a))), b = lanes(as_node(n.slot(tir::AddSlot::b)));
  if (!a || !b || a->count != b->count) return std::nullopt;
  switch (kind) {
    case TN_KIND_tir_Add: return checked(a->base + b->base, a->stride + b->stride);
    case TN_KIND_tir_Sub: return checked(a->base - b->base, a->stride - b->stride);
    case TN_KIND_tir_Mul: {
      if (!b->stride.is_constant(0)) std::swap(a, b);
      if (!b->stride.is_constant(0)) return std::nullopt;
      auto base = multiply(a->base, b->base, element), stride = multiply(a->stride, b->base, element);
      if (!base || !stride) return std::nullopt;
      return checked(*base, *stride);
    }
    default: break;
  }
  if (!b->stride.is_constant(0)) return std::nullopt;
  bool div = kind == TN_KIND_tir_FloorDiv;
  if (a->stride.is_constant(0))
    return checked(divide(div ? Op::FloorDiv : Op::FloorMod, a->base, b->base, element), {});
  if (!b->base.is_constant() || b->base.constant() <= 0 || !a->stride.is_constant()) return std::nullopt;
  int64_t c = b->base.constant(), s = a->stride.constant();
  Linear quotient = floor_div(a->base, c, element), rest = floor_mod(a->base, c, element);
  if (s % c == 0) return div ? checked(quotient, Linear(s / c)) : checked(rest, {});
  // All lanes lie in one block of c.
  Interval first = interval(rest), last = interval(rest + checked_mul(s, t.lanes - 1));
  if (!unite(first, last).within({0, c - 1})) return std::nullopt;
  return div ? checked(quotient, {}) : checked(rest, Linear(s));
}

Node Engine::emit(const Lanes& v) {
  DLDataType t = with_lanes(v.element, static_cast<uint16_t>(v.count));
  Node base = emit(v.base, v.element);
  if (v.stride.is_constant(0)) return b_.make<tir::Broadcast>({t, base, v.count});
  return b_.make<tir::Ramp>({t, base, emit(v.stride, v.element), v.count});
}

Node Engine::vector(const Node& n) {
  DLDataType t = n.dtype();
  if (auto v = lanes(n)) return kept(n, emit(*v));
  if (is_bool(t) && n.kind() >= TN_KIND_tir_EQ && n.kind() <= TN_KIND_tir_GE) {
    auto a = lanes(as_node(n.slot(tir::EQSlot::a))), b = lanes(as_node(n.slot(tir::EQSlot::b)));
    if (a && b && a->count == b->count && same_dtype(a->element, b->element)) {
      auto all = [&](const Truth& x) { return kept(n, b_.make<tir::Broadcast>({t, emit(x), int64_t{t.lanes}})); };
      if (a->stride == b->stride) return all(compare(n.kind(), a->base, b->base, a->element));
      // A difference that is linear in the lane is bounded by its first and last lane.
      auto at = [&](const Lanes& v, bool last) { return last ? v.base + v.stride * (v.count - 1) : v.base; };
      Linear first = at(*a, false) - at(*b, false), last = at(*a, true) - at(*b, true);
      auto both = [&](int64_t k, int64_t offset) {
        return nonnegative(first * k + offset) && nonnegative(last * k + offset);
      };
      std::optional<bool> known;
      bool below = both(-1, -1), above = both(1, -1);
      switch (n.kind()) {
        case TN_KIND_tir_LT:
          if (below)
            known = true;
          else if (both(1, 0))
            known = false;
          break;
        case TN_KIND_tir_LE:
          if (both(-1, 0))
            known = true;
          else if (above)
            known = false;
          break;
        case TN_KIND_tir_GT:
          if (above)
            known = true;
          else if (both(-1, 0))
            known = false;
          break;
        case TN_KIND_tir_GE:
          if (both(1, 0))
            known = true;
          else if (below)
            known = false;
          break;
        case TN_KIND_tir_EQ:
          if (below || above) known = false;
          break;
        default:
          if (below || above) known = true;
          break;
      }
      if (known) return all(Truth::of(*known));
    }
  }
  return rebuild(n);
}

}  // namespace tenon::arith
