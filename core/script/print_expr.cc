// Expressions of the loop level.
#include <cmath>
#include <cstring>

#include "script/printer.h"
#include "script/strings.h"

namespace tenon::script {
namespace {

bool fits(const ir::IntImm& n) {
  DLDataType t = n.dtype();
  int64_t v = n.value();
  if (t.lanes != 1) return false;
  if (is_bool(t)) return t.bits == 8 && (v == 0 || v == 1);
  if (!is_int(t)) return false;
  if (t.bits == 64) return true;
  if (t.code == kDLInt) return v >= -(int64_t{1} << (t.bits - 1)) && v < (int64_t{1} << (t.bits - 1));
  return v >= 0 && v < (int64_t{1} << t.bits);
}

bool is_canonical(double v) {
  const char* name = non_finite_name(v);
  if (!name) return true;
  double again = *non_finite_value(name);
  return std::memcmp(&again, &v, sizeof(v)) == 0;
}

}  // namespace

bool Printer::is_natural(const Node& n) const {
  if (!n.slot(0).is_none() && !n.slot(0).is_dtype()) return n.is<ir::Var>() || n.is<tir::Buffer>();
  DLDataType t = n.dtype();
  if (const OperatorRow* row = operator_of_kind(n.kind())) {
    const Node &a = as_node(n.slot(tir::AddSlot::a)), &b = as_node(n.slot(tir::AddSlot::b));
    DLDataType of = a.dtype();
    bool logical = row->kind == TN_KIND_tir_And || row->kind == TN_KIND_tir_Or;
    bool floor = row->kind == TN_KIND_tir_FloorDiv || row->kind == TN_KIND_tir_FloorMod;
    if (a.is<tir::Buffer>() || b.is<tir::Buffer>()) return false;
    if (!same_dtype(of, b.dtype()) || !(is_number(of) || is_handle(of))) return false;
    if ((logical && !is_bool(of)) || (floor && is_floating(of))) return false;
    return same_dtype(t, row->compares ? with_lanes(kBool, of.lanes) : of);
  }
  if (const auto* x = n.as<ir::IntImm>()) return fits(*x);
  if (const auto* x = n.as<ir::FloatImm>()) return is_floating(t) && t.lanes == 1 && is_canonical(x->value());
  if (n.is<ir::StringImm>() || n.is<ir::GlobalVar>() || n.is<ir::Op>()) return n.slot(0).is_none();
  if (const auto* x = n.as<tir::Not>()) return is_bool(t) && same_dtype(t, x->a().dtype());
  if (const auto* x = n.as<tir::Select>()) {
    DLDataType of = x->true_value().dtype();
    return is_bool(x->condition().dtype()) && is_number(of) && same_dtype(of, x->false_value().dtype()) &&
           same_dtype(t, of);
  }
  if (const auto* x = n.as<tir::Cast>())
    return n.slot(0).is_dtype() && !x->value().is<tir::Buffer>() && x->value().dtype().bits != 0;
  if (const auto* x = n.as<tir::Ramp>()) {
    DLDataType of = x->base().dtype();
    return is_number(of) && x->lanes() >= 1 && x->lanes() <= 65535 && same_dtype(of, x->stride().dtype()) &&
           same_dtype(t, with_lanes(of, static_cast<uint16_t>(x->lanes())));
  }
  if (const auto* x = n.as<tir::Broadcast>()) {
    DLDataType of = x->value().dtype();
    return !x->value().is<tir::Buffer>() && of.bits != 0 && x->lanes() >= 1 && x->lanes() <= 65535 &&
           same_dtype(t, with_lanes(of, static_cast<uint16_t>(x->lanes())));
  }
  if (const auto* x = n.as<tir::Let>()) {
    if (!x->var().is<ir::Var>() || x->value().is<tir::Buffer>() || x->body().is<tir::Buffer>()) return false;
    return x->value().dtype().bits != 0 && same_dtype(x->var().dtype(), x->value().dtype()) &&
           same_dtype(t, x->body().dtype());
  }
  if (const auto* x = n.as<tir::BufferLoad>()) {
    const auto* buffer = x->buffer().as<tir::Buffer>();
    if (!buffer || buffer->shape().size() != x->indices().size()) return false;
    uint16_t lanes = 1;
    for (const Node& i : nodes(x->indices())) {
      if (!is_int(i.dtype())) return false;
      lanes = std::max(lanes, i.dtype().lanes);
    }
    DLDataType of = buffer->dtype();
    of.lanes = static_cast<uint16_t>(of.lanes * lanes);
    return same_dtype(t, of);
  }
  return false;
}

void Printer::typed_int(const ir::IntImm& n) {
  DLDataType t = n.dtype();
  put("T." + dtype_text(t) + "(");
  if (is_bool(t))
    put(n.value() ? "True" : "False");
  else if (t.code == kDLUInt && n.value() < 0)
    put(std::to_string(static_cast<uint64_t>(n.value())));
  else
    bare_int(n);
  put(")");
}

void Printer::float_imm(const ir::FloatImm& n) {
  put("T." + dtype_text(n.dtype()) + "(");
  const char* name = non_finite_name(n.value());
  put(name ? quote(name) : float_text(n.value()));
  put(")");
}

// A literal beside `other` is bare when it takes its dtype from it, or when both are int64.
void Printer::operand(const Node& n, const Node& other, int precedence) {
  const auto* imm = n.as<ir::IntImm>();
  bool both = imm && other.is<ir::IntImm>();
  bool negative_unsigned = imm && n.dtype().code == kDLUInt && imm->value() < 0;
  if (imm && fits(*imm) && is_int(n.dtype()) && !negative_unsigned && same_dtype(n.dtype(), other.dtype()) &&
      (!both || same_dtype(n.dtype(), kInt64)))
    return bare_int(*imm);
  if (imm && fits(*imm)) return typed_int(*imm);
  expr(n, precedence);
}

void Printer::pair(const Node& a, const Node& b) {
  operand(a, b, 0);
  put(", ");
  operand(b, a, 0);
}

bool Printer::is_infix(const Node& n) const {
  const OperatorRow* row = operator_of_kind(n.kind());
  if (!row || row->symbol.empty() || !is_natural(n)) return false;
  if (row->kind == TN_KIND_tir_Div && !is_floating(as_node(n.slot(tir::AddSlot::a)).dtype())) return false;
  return !(as_node(n.slot(tir::AddSlot::a)).is<ir::IntImm>() && as_node(n.slot(tir::AddSlot::b)).is<ir::IntImm>());
}

// The left operands are a loop: a + b + c + ... is as deep as it is long.
void Printer::infix(const Node& top, int precedence) {
  struct Level {
    const Node* node;
    const OperatorRow* row;
    bool parentheses;
  };
  std::vector<Level> levels;
  const Node* at = &top;
  int context = precedence;
  while (is_infix(*at)) {
    const OperatorRow* row = operator_of_kind(at->kind());
    levels.push_back({at, row, row->precedence < context});
    // Comparisons do not chain: (a < b) < c.
    context = row->precedence + (row->compares && row->precedence == 4 ? 1 : 0);
    at = &as_node(at->slot(tir::AddSlot::a));
  }
  for (const Level& l : levels)
    if (l.parentheses) put("(");
  const Node& last = *levels.back().node;
  operand(as_node(last.slot(tir::AddSlot::a)), as_node(last.slot(tir::AddSlot::b)), context);
  for (size_t i = levels.size(); i-- > 0;) {
    const Level& l = levels[i];
    put(" ");
    put(l.row->symbol);
    put(" ");
    operand(as_node(l.node->slot(tir::AddSlot::b)), as_node(l.node->slot(tir::AddSlot::a)), l.row->precedence + 1);
    if (l.parentheses) put(")");
  }
}

void Printer::expr_want(const Node& n, DLDataType want) {
  const auto* imm = n.as<ir::IntImm>();
  if (imm && fits(*imm) && is_int(n.dtype()) && !(n.dtype().code == kDLUInt && imm->value() < 0)) {
    if (same_dtype(n.dtype(), want)) return bare_int(*imm);
    return typed_int(*imm);
  }
  expr(n);
}

void Printer::comma_list(const Array& a) {
  bool first = true;
  for (const Node& n : nodes(a)) {
    if (!first) put(", ");
    first = false;
    expr(n);
  }
}

void Printer::tuple(const Array& a) {
  put("(");
  comma_list(a);
  put(a.size() == 1 ? ",)" : ")");
}

void Printer::expr(const Node& n, int precedence) {
  if (out_.size() > options_.max_bytes) too_long();
  if (n.is<ir::Var>() || n.is<tir::Buffer>()) {
    if (names_.find(n) || !generic_) return put(name_of(n));
    return define_inline(n);
  }
  if (const auto* c = n.as<ir::Call>()) return call(*c);
  if (!is_natural(n)) return generic(n);
  if (is_infix(n)) return infix(n, precedence);
  if (const OperatorRow* row = operator_of_kind(n.kind())) {
    put("T." + std::string(row->function) + "(");
    pair(as_node(n.slot(tir::AddSlot::a)), as_node(n.slot(tir::AddSlot::b)));
    return put(")");
  }
  if (const auto* x = n.as<ir::IntImm>()) return same_dtype(n.dtype(), kInt64) ? bare_int(*x) : typed_int(*x);
  if (const auto* x = n.as<ir::FloatImm>()) return float_imm(*x);
  if (const auto* x = n.as<ir::StringImm>()) return put("I.string(" + quote(x->value()) + ")");
  if (const auto* x = n.as<ir::GlobalVar>()) return function_name(x->name());
  if (const auto* x = n.as<ir::Op>()) return put("I.op(" + quote(x->id()) + ")");
  if (const auto* x = n.as<tir::Not>()) {
    bool parentheses = kNotPrecedence < precedence;
    put(parentheses ? "(not " : "not ");
    expr(x->a(), kNotPrecedence);
    return put(parentheses ? ")" : "");
  }
  if (const auto* x = n.as<tir::Select>()) {
    put("T.Select(");
    expr(x->condition());
    put(", ");
    pair(x->true_value(), x->false_value());
    return put(")");
  }
  if (const auto* x = n.as<tir::Cast>()) {
    put("T.Cast(\"" + dtype_text(n.dtype()) + "\", ");
    expr(x->value());
    return put(")");
  }
  if (const auto* x = n.as<tir::Ramp>()) {
    put("T.Ramp(");
    pair(x->base(), x->stride());
    return put(", " + std::to_string(x->lanes()) + ")");
  }
  if (const auto* x = n.as<tir::Broadcast>()) {
    put("T.Broadcast(");
    expr(x->value());
    return put(", " + std::to_string(x->lanes()) + ")");
  }
  if (const auto* x = n.as<tir::Let>()) {
    std::string value = captured([&] { expr(x->value()); });
    Names::Block scope(names_);
    std::string name = names_.define(x->var(), x->var().to<ir::Var>().name());
    put("T.Let(");
    expr(x->body());
    return put(", where={" + name + ": " + value + "})");
  }
  if (const auto* x = n.as<tir::BufferLoad>()) {
    expr(x->buffer());
    if (x->indices().empty()) return put("[()]");
    put("[");
    comma_list(x->indices());
    return put("]");
  }
  generic(n);
}

}  // namespace tenon::script
