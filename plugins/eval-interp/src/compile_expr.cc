// Expressions.
#include "compiler.h"

namespace tenon::interp {
namespace {

constexpr uint32_t kMaxLanes = 1024;

}  // namespace

Operand FunctionCompiler::expr(const Node& n) {
  switch (n.kind()) {
    case ir::IntImm::kKind:
    case ir::FloatImm::kKind: return number(n);
    case ir::Var::kKind: return variable(n.to<ir::Var>());
    case tir::And::kKind:
    case tir::Or::kKind: return n.dtype().lanes > 1 ? binary(n) : logical(n, n.is<tir::And>());
    case tir::Not::kKind: {
      const Operand a = expr(n.to<tir::Not>().a());
      return convert(n, a, n.dtype(), is_bool(a.dtype) ? logical_not : nullptr);
    }
    case tir::Select::kKind: {
      const auto& select = n.to<tir::Select>();
      return choose(n, n.dtype(), select.condition(), select.true_value(), select.false_value());
    }
    case tir::Cast::kKind: {
      const Operand value = expr(n.to<tir::Cast>().value());
      return convert(n, value, n.dtype(), cast_handler(n.dtype(), value.dtype));
    }
    case tir::BufferLoad::kKind: return load(n.to<tir::BufferLoad>());
    case tir::Ramp::kKind: return ramp(n.to<tir::Ramp>());
    case tir::Broadcast::kKind: return broadcast(expr(n.to<tir::Broadcast>().value()), lanes_of(n));
    case tir::Let::kKind: return let(n.to<tir::Let>());
    case ir::Call::kKind: return call(n.to<ir::Call>(), true);
    default:
      if (n.kind() >= tir::Add::kKind && n.kind() <= tir::GE::kKind) return binary(n);
      refuse(TN_ERROR_UNSUPPORTED, kind_name(n) + " is not an expression of the loop level", n);
  }
}

Operand FunctionCompiler::scalar_expr(const Node& n, const char* what) {
  const Operand value = expr(n);
  if (value.dtype.lanes != 1 || is_floating(value.dtype) || is_handle(value.dtype))
    refuse(TN_ERROR_VERIFY, std::string(what) + " is a " + dtype_text(value.dtype) + ", not an integer", n);
  return value;
}

Operand FunctionCompiler::number(const Node& n) {
  const DLDataType dtype = n.dtype();
  bool known = false;
  const Scalar value = with_type(dtype, [&]<class T>() -> Scalar {
    known = true;
    if (const auto* real = n.as<ir::FloatImm>()) return put(static_cast<T>(real->value()));
    return put(static_cast<T>(n.to<ir::IntImm>().value()));
  });
  if (!known) refuse(TN_ERROR_UNSUPPORTED, "a constant of dtype " + dtype_text(dtype), n);
  const Operand scalar{asm_.constant(value), element_of(dtype)};
  return dtype.lanes > 1 ? broadcast(scalar, lanes_of(n)) : scalar;
}

Operand FunctionCompiler::variable(const ir::Var& var) const {
  auto it = vars_.find(var.get());
  if (it == vars_.end())
    refuse(TN_ERROR_VERIFY, "variable '" + std::string(var.name()) + "' is used where nothing defines it", var);
  return it->second;
}

uint32_t FunctionCompiler::lanes_of(const Node& n) const {
  int64_t lanes = n.dtype().lanes;
  if (const auto* ramp = n.as<tir::Ramp>()) lanes = ramp->lanes();
  if (const auto* broadcast = n.as<tir::Broadcast>()) lanes = broadcast->lanes();
  if (lanes < 1 || lanes > kMaxLanes)
    refuse(TN_ERROR_UNSUPPORTED,
           "a vector of " + std::to_string(lanes) + " lanes; at most " + std::to_string(kMaxLanes) + " are", n);
  return static_cast<uint32_t>(lanes);
}

Operand FunctionCompiler::binary(const Node& n) {
  const Operand a = expr(as_node(n.slot(tir::AddSlot::a))), b = expr(as_node(n.slot(tir::AddSlot::b)));
  if (!same_dtype(element_of(a.dtype), element_of(b.dtype)) ||
      (a.dtype.lanes != b.dtype.lanes && a.dtype.lanes != 1 && b.dtype.lanes != 1))
    refuse(TN_ERROR_VERIFY, kind_name(n) + " of " + dtype_text(a.dtype) + " and " + dtype_text(b.dtype), n,
           "cast one operand to the dtype of the other");
  const Handler handler = binary_handler(n.kind(), a.dtype);
  if (!handler) refuse(TN_ERROR_UNSUPPORTED, kind_name(n) + " of " + dtype_text(a.dtype), n);
  const bool divides = n.kind() >= tir::Div::kKind && n.kind() <= tir::TruncMod::kKind;
  const uint32_t lanes = std::max(a.dtype.lanes, b.dtype.lanes), d = asm_.fresh(lanes);
  const bool compares = n.kind() >= tir::EQ::kKind && n.kind() <= tir::Or::kKind;
  for (uint32_t k = 0; k < lanes; ++k) {
    asm_.emit(handler, d + k, a.lane(k), b.lane(k));
    if (divides) asm_.can_fail(n.get());
  }
  return {d, with_lanes(compares ? kBool : a.dtype, static_cast<uint16_t>(lanes))};
}

Operand FunctionCompiler::logical(const Node& n, bool is_and) {
  const Node& second = as_node(n.slot(tir::AndSlot::b));
  if (is_cheap(second)) return binary(n);
  const uint32_t d = asm_.fresh();
  Label done;
  const Operand a = scalar_expr(as_node(n.slot(tir::AndSlot::a)), "an operand of and/or");
  asm_.emit(move, d, a.reg);
  asm_.jump_to(done, is_and ? jump_if_false : jump_if_true, 0, d);
  asm_.emit(move, d, scalar_expr(second, "an operand of and/or").reg);
  asm_.bind(done);
  return {d, kBool};
}

Operand FunctionCompiler::choose(const Node& at, DLDataType dtype, const Node& condition, const Node& if_true,
                                 const Node& if_false) {
  if (condition.dtype().lanes > 1) {  // lane by lane; both sides are computed
    const Operand c = expr(condition), a = expr(if_true), b = expr(if_false);
    const uint32_t lanes = c.dtype.lanes, d = asm_.fresh(lanes);
    if ((a.dtype.lanes != 1 && a.dtype.lanes != lanes) || (b.dtype.lanes != 1 && b.dtype.lanes != lanes))
      refuse(TN_ERROR_VERIFY, "the lanes of a selection differ", at);
    for (uint32_t k = 0; k < lanes; ++k) asm_.emit(select_value, d + k, c.lane(k), a.lane(k), b.lane(k));
    return {d, with_lanes(a.dtype, static_cast<uint16_t>(lanes))};
  }
  if (is_cheap(if_true) && is_cheap(if_false)) {
    const Operand c = scalar_expr(condition, "a condition"), a = expr(if_true), b = expr(if_false);
    if (a.dtype.lanes == 1 && same_dtype(a.dtype, b.dtype)) {
      const uint32_t d = asm_.fresh();
      asm_.emit(select_value, d, c.reg, a.reg, b.reg);
      return {d, a.dtype};
    }
  }
  const uint32_t lanes = lanes_of(at), d = asm_.fresh(lanes);
  Label otherwise, done;
  jump_when(condition, false, otherwise);
  const Operand a = expr(if_true);
  move_to(d, a, lanes);
  asm_.jump_to(done, jump_always);
  asm_.bind(otherwise);
  const Operand b = expr(if_false);
  move_to(d, b, lanes);
  asm_.bind(done);
  if (!same_dtype(element_of(a.dtype), element_of(b.dtype)) || !same_dtype(element_of(a.dtype), element_of(dtype)))
    refuse(TN_ERROR_VERIFY,
           "a choice between " + dtype_text(a.dtype) + " and " + dtype_text(b.dtype) + " as " + dtype_text(dtype), at);
  return {d, dtype};
}

Operand FunctionCompiler::convert(const Node& at, Operand value, DLDataType to, Handler handler) {
  if (!handler)
    refuse(TN_ERROR_UNSUPPORTED, kind_name(at) + " from " + dtype_text(value.dtype) + " to " + dtype_text(to), at);
  const uint32_t lanes = value.dtype.lanes, d = asm_.fresh(lanes);
  for (uint32_t k = 0; k < lanes; ++k) asm_.emit(handler, d + k, value.lane(k));
  return {d, with_lanes(to, value.dtype.lanes)};
}

Operand FunctionCompiler::ramp(const tir::Ramp& ramp) {
  const uint32_t lanes = lanes_of(ramp), d = asm_.fresh(lanes);
  const Operand base = scalar_expr(ramp.base(), "the base of a ramp"),
                stride = scalar_expr(ramp.stride(), "the stride of a ramp");
  const Handler add = binary_handler(tir::Add::kKind, base.dtype);
  if (!add || !same_dtype(base.dtype, stride.dtype))
    refuse(TN_ERROR_VERIFY, "a ramp from " + dtype_text(base.dtype) + " by " + dtype_text(stride.dtype), ramp);
  asm_.emit(move, d, base.reg);
  for (uint32_t k = 1; k < lanes; ++k) asm_.emit(add, d + k, d + k - 1, stride.reg);
  return {d, with_lanes(base.dtype, static_cast<uint16_t>(lanes))};
}

Operand FunctionCompiler::broadcast(Operand value, uint32_t lanes) {
  const uint32_t d = asm_.fresh(lanes);
  for (uint32_t k = 0; k < lanes; ++k) asm_.emit(move, d + k, value.reg);
  return {d, with_lanes(value.dtype, static_cast<uint16_t>(lanes))};
}

Operand FunctionCompiler::let(const tir::Let& let) {
  vars_.insert_or_assign(let.var().get(), expr(let.value()));
  return expr(let.body());
}

void FunctionCompiler::move_to(uint32_t target, Operand value, uint32_t lanes) {
  for (uint32_t k = 0; k < lanes; ++k) asm_.emit(move, target + k, value.lane(k));
}

bool FunctionCompiler::is_cheap(const Node& n) {
  switch (n.kind()) {
    case ir::IntImm::kKind:
    case ir::FloatImm::kKind:
    case ir::Var::kKind: return true;
    case tir::Add::kKind:
    case tir::Sub::kKind:
    case tir::Mul::kKind:
    case tir::EQ::kKind:
    case tir::NE::kKind:
    case tir::LT::kKind:
    case tir::LE::kKind:
    case tir::GT::kKind:
    case tir::GE::kKind:
      return n.depth() <= 3 && is_cheap(as_node(n.slot(tir::AddSlot::a))) && is_cheap(as_node(n.slot(tir::AddSlot::b)));
    default: return false;
  }
}

}  // namespace tenon::interp
