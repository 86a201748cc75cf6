// The meaning of integer expressions, computed in the plainest way: what the tests of core/arith compare with.
#ifndef TENON_ARITH_EVALUATE_H
#define TENON_ARITH_EVALUATE_H

#include <bit>
#include <map>
#include <optional>
#include <string_view>

#include "tenon/cxx/node.h"

namespace tenon::test {

__extension__ typedef __int128 Int128;

struct Evaluation {
  bool wrap_index = false;  // whether int64 wraps around; otherwise its overflow has no value
  bool eager = false;       // whether both sides of a select, `and` and `or` must have a value
  int lane = 0;             // of a vector
};

using Assignment = std::map<const TnNode*, int64_t>;

inline Int128 wrapped(Int128 v, DLDataType t) {
  if (is_bool(t)) return v != 0;
  Int128 size = static_cast<Int128>(1) << t.bits;
  Int128 r = v % size;
  if (r < 0) r += size;
  if (t.code == kDLInt && r >= size / 2) r -= size;
  return r;
}

// The number that a value of dtype t stands for: those of uint64 are kept as the int64 of the same bits.
inline Int128 number(int64_t v, DLDataType t) {
  return t.code == kDLUInt && t.bits == 64 ? static_cast<Int128>(static_cast<uint64_t>(v)) : static_cast<Int128>(v);
}

// The intrinsics on bits: a shift by a negative amount or by the width and more moves every bit out. None for others.
inline std::optional<int64_t> bits_of(std::string_view op, DLDataType t, int64_t x, int64_t y) {
  const uint64_t mask = t.bits == 64 ? ~uint64_t{0} : (uint64_t{1} << t.bits) - 1;
  const uint64_t u = static_cast<uint64_t>(x) & mask;
  auto value = [&](uint64_t v) { return static_cast<int64_t>(wrapped(static_cast<Int128>(v & mask), t)); };
  if (op == "tir.bitwise_and") return value(u & static_cast<uint64_t>(y));
  if (op == "tir.bitwise_or") return value(u | static_cast<uint64_t>(y));
  if (op == "tir.bitwise_xor") return value(u ^ static_cast<uint64_t>(y));
  if (op == "tir.bitwise_not") return value(~u);
  if (op == "tir.popcount") return std::popcount(u);
  if (op == "tir.clz") return std::countl_zero(u) - (64 - t.bits);
  if (op == "tir.abs") return number(x, t) < 0 ? value(0 - static_cast<uint64_t>(x)) : x;
  const bool out = number(y, t) < 0 || number(y, t) >= t.bits;
  if (op == "tir.shift_left") return out ? 0 : value(u << y);
  if (op == "tir.shift_right") {
    if (out) return number(x, t) < 0 ? -1 : 0;
    return t.code == kDLUInt ? value(u >> y) : x >> y;
  }
  return std::nullopt;
}

// None where the expression has no value.
inline std::optional<int64_t> evaluate(const Node& n, Assignment& values, Evaluation how) {
  auto at = [&](uint32_t slot) { return evaluate(as_node(n.slot(slot)), values, how); };
  auto result = [&](Int128 v) -> std::optional<int64_t> {
    DLDataType t = n.dtype();
    Int128 w = wrapped(v, t);
    if (w != v && t.code == kDLInt && t.bits == 64 && !how.wrap_index) return std::nullopt;
    return static_cast<int64_t>(w);
  };
  auto branch = [&](const Node& c, const Node& x, const Node& y) -> std::optional<int64_t> {
    auto condition = evaluate(c, values, how);
    if (!condition) return std::nullopt;
    auto taken = evaluate(*condition ? x : y, values, how);
    bool lazy = !how.eager || n.is<ir::Call>();
    if (!lazy && !evaluate(*condition ? y : x, values, how)) return std::nullopt;
    return taken;
  };
  switch (n.kind()) {
    case TN_KIND_ir_IntImm: return static_cast<int64_t>(wrapped(n.to<ir::IntImm>().value(), n.dtype()));
    case TN_KIND_ir_Var: return values.at(n.get());
    case TN_KIND_tir_Cast: {
      auto v = at(tir::CastSlot::value);
      const DLDataType from = as_node(n.slot(tir::CastSlot::value)).dtype();
      return v ? std::optional<int64_t>(static_cast<int64_t>(wrapped(number(*v, from), n.dtype()))) : v;
    }
    case TN_KIND_tir_Broadcast: return at(tir::BroadcastSlot::value);
    case TN_KIND_tir_Ramp: {
      auto base = at(tir::RampSlot::base), stride = at(tir::RampSlot::stride);
      return base && stride ? result(static_cast<Int128>(*base) + static_cast<Int128>(*stride) * how.lane)
                            : std::nullopt;
    }
    case TN_KIND_tir_Not: {
      auto v = at(tir::NotSlot::a);
      return v ? std::optional<int64_t>(*v == 0) : v;
    }
    case TN_KIND_tir_Select: {
      const auto& s = n.to<tir::Select>();
      return branch(s.condition(), s.true_value(), s.false_value());
    }
    case TN_KIND_ir_Call: {
      const Array& args = n.to<ir::Call>().args();
      const std::string_view op = n.to<ir::Call>().op().to<ir::Op>().id();
      if (op == "tir.if_then_else") return branch(as_node(args[0]), as_node(args[1]), as_node(args[2]));
      auto a = evaluate(as_node(args[0]), values, how);
      if (!a || op == "tir.likely") return a;
      auto c = args.size() > 1 ? evaluate(as_node(args[1]), values, how) : a;
      return c ? bits_of(op, element_of(n.dtype()), *a, *c) : c;
    }
    case TN_KIND_tir_Let: {
      const auto& l = n.to<tir::Let>();
      auto v = evaluate(l.value(), values, how);
      if (!v) return v;
      values[l.var().get()] = *v;
      return evaluate(l.body(), values, how);
    }
    case TN_KIND_tir_And:
    case TN_KIND_tir_Or: {
      auto a = at(tir::AndSlot::a);
      bool decides = n.is<tir::Or>();
      if (!a || (!how.eager && (*a != 0) == decides)) return a;
      auto b = at(tir::AndSlot::b);
      return !b || (*a != 0) != decides ? b : a;
    }
    default: break;
  }
  auto x = at(tir::AddSlot::a), y = at(tir::AddSlot::b);
  if (!x || !y) return std::nullopt;
  const DLDataType operands = as_node(n.slot(tir::AddSlot::a)).dtype();
  Int128 a = number(*x, operands), b = number(*y, operands);
  switch (n.kind()) {
    case TN_KIND_tir_Add: return result(a + b);
    case TN_KIND_tir_Sub: return result(a - b);
    case TN_KIND_tir_Mul: {
      Int128 product;  // of two uint64 it may not fit, but wraps around as they do
      (void)__builtin_mul_overflow(a, b, &product);
      return result(product);
    }
    case TN_KIND_tir_Min: return result(a < b ? a : b);
    case TN_KIND_tir_Max: return result(a > b ? a : b);
    case TN_KIND_tir_EQ: return a == b;
    case TN_KIND_tir_NE: return a != b;
    case TN_KIND_tir_LT: return a < b;
    case TN_KIND_tir_LE: return a <= b;
    case TN_KIND_tir_GT: return a > b;
    case TN_KIND_tir_GE: return a >= b;
    default: break;
  }
  if (b == 0) return std::nullopt;
  Int128 q = a / b, r = a % b;
  bool down = r != 0 && (r < 0) != (b < 0);
  // The quotient of the smallest value by -1 traps on many machines, whatever the type.
  if (Int128 whole = down ? q - 1 : q; wrapped(whole, n.dtype()) != whole) return std::nullopt;
  switch (n.kind()) {
    case TN_KIND_tir_FloorDiv: return result(down ? q - 1 : q);
    case TN_KIND_tir_FloorMod: return result(down ? r + b : r);
    case TN_KIND_tir_TruncDiv: return result(q);
    case TN_KIND_tir_TruncMod: return result(r);
    default: return std::nullopt;
  }
}

}  // namespace tenon::test
#endif
