// Expressions of the loop level: literals take the dtype of what they meet, other operands are matched as TVM does.
#include <cmath>

#include "diag/suggest.h"
#include "script/elaborate.h"
#include "script/operators.h"
#include "script/strings.h"

namespace tenon::script {
namespace {

// The dtype that both operands of an operator are brought to (TVM: BinaryOpMatchTypes).
DLDataType common_dtype(DLDataType a, DLDataType b) {
  uint16_t lanes = std::max(a.lanes, b.lanes);
  auto rank = [](DLDataType t) { return is_floating(t) ? 2 : is_bool(t) ? 0 : 1; };
  DLDataType t;
  if (rank(a) != rank(b))
    t = rank(a) > rank(b) ? a : b;
  else if (a.bits != b.bits)
    t = a.bits > b.bits ? a : b;
  else
    t = a.code == kDLInt ? a : b.code == kDLInt ? b : a;
  return with_lanes(t, lanes);
}

}  // namespace

Node Elaborator::literal(const Term& t, const Expr& at, DLDataType dtype) {
  if (dtype.lanes > 1)
    return make<tir::Broadcast>(at, {dtype, literal(t, at, element_of(dtype)), int64_t{dtype.lanes}});
  if (is_floating(dtype)) {
    double value = t.kind == Term::Float ? t.f
                   : t.big               ? static_cast<double>(static_cast<uint64_t>(t.i))
                                         : static_cast<double>(t.i);
    return make<ir::FloatImm>(at, {dtype, value});
  }
  if (t.kind == Term::Float) fail(at, "met a floating-point number, expected " + dtype_text(dtype), "write T.Cast");
  if (t.big && !(dtype.code == kDLUInt && dtype.bits == 64))
    fail(at, "the integer does not fit " + dtype_text(dtype), "only T.uint64(...) holds integers above 2**63 - 1");
  int64_t v = t.i;
  if (is_bool(dtype) && v != 0 && v != 1) fail(at, "met the integer " + std::to_string(v) + ", expected True or False");
  if (is_int(dtype) && !t.big && dtype.bits < 64) {
    bool is_signed = dtype.code == kDLInt;
    int64_t low = is_signed ? -(int64_t{1} << (dtype.bits - 1)) : 0;
    int64_t high = (int64_t{1} << (dtype.bits - (is_signed ? 1 : 0))) - 1;
    if (v < low || v > high) fail(at, "the integer " + std::to_string(v) + " does not fit " + dtype_text(dtype));
  } else if (dtype.code == kDLUInt && v < 0 && !t.big) {
    fail(at, "the integer " + std::to_string(v) + " does not fit " + dtype_text(dtype));
  }
  return make<ir::IntImm>(at, {dtype, v});
}

Node Elaborator::finish(const Term& t, const Expr& at, std::optional<DLDataType> want) {
  switch (t.kind) {
    case Term::Expression: return t.node;
    case Term::Int: {
      bool adapts = want && is_number(*want) && !is_bool(*want);
      return literal(t, at, adapts ? *want : kInt64);
    }
    case Term::Float: return literal(t, at, want && is_floating(*want) ? *want : kFloat32);
    case Term::Bool: return literal(t, at, want && is_int(*want) ? *want : kBool);
    case Term::String: return make<ir::StringImm>(at, {Value(), text(t.s)});
    case Term::Null: break;
  }
  expected(at, "an expression");
}

Node Elaborator::to_dtype(const Node& n, const Expr& at, DLDataType dtype) {
  DLDataType from = n.dtype();
  if (same_dtype(from, dtype)) return n;
  if (n.is<tir::Buffer>())
    fail(at, "met the buffer '" + std::string(n.to<tir::Buffer>().name()) + "', expected a number",
         "index it: A[i, j]");
  if (!is_number(from) || !is_number(dtype))
    fail(at,
         from.bits == 0 ? "met " + describe(at) + ", whose dtype is not known, expected " + dtype_text(dtype)
                        : "met a value of dtype " + dtype_text(from) + ", expected " + dtype_text(dtype),
         from.bits == 0 ? "give the call its dtype: f(x, dtype=\"float32\")" : "");
  if (from.lanes == 1 && dtype.lanes > 1)
    return make<tir::Broadcast>(at, {dtype, to_dtype(n, at, element_of(dtype)), int64_t{dtype.lanes}});
  if (from.lanes != dtype.lanes)
    fail(at, "met " + std::to_string(from.lanes) + " lanes, expected " + std::to_string(dtype.lanes));
  return make<tir::Cast>(at, {dtype, n});
}

Node Elaborator::converted(const Expr& e, DLDataType want) {
  Node n = expr_as(e, want);
  return to_dtype(n, e, want);
}

Node Elaborator::index(const Expr& e) {
  Node n = expr(e);
  if (!is_int(n.dtype()))
    fail(
        e,
        "met " + (n.dtype().bits ? "a value of dtype " + dtype_text(n.dtype()) : describe(e)) + ", expected an integer",
        is_floating(n.dtype()) ? "write T.Cast(\"int64\", ...)" : "");
  return n;
}

std::pair<Node, Node> Elaborator::matched(const Term& a, const Expr& at_a, const Term& b, const Expr& at_b,
                                          const Expr& whole) {
  auto number = [&](const Term& t, const Expr& at) {
    if (t.is_literal()) return;
    if (t.kind == Term::Expression && is_number(t.node.dtype())) return;
    if (t.kind == Term::Expression && is_handle(t.node.dtype())) return;
    if (t.kind == Term::Expression) to_dtype(t.node, at, kInt64);  // says what is wrong with it
    expected(at, "a number");
  };
  number(a, at_a);
  number(b, at_b);
  if (a.is_literal() && b.is_literal()) {
    DLDataType t = a.kind == Term::Float || b.kind == Term::Float ? kFloat32
                   : a.kind == Term::Bool && b.kind == Term::Bool ? kBool
                                                                  : kInt64;
    return {literal(a, at_a, t), literal(b, at_b, t)};
  }
  if (a.is_literal() || b.is_literal()) {
    const Term& lit = a.is_literal() ? a : b;
    const Expr& at_lit = a.is_literal() ? at_a : at_b;
    Node other = a.is_literal() ? b.node : a.node;
    DLDataType t = other.dtype();
    if (is_handle(t)) fail(whole, "met a handle in arithmetic", "a handle is only passed on");
    if (lit.kind == Term::Float && !is_floating(t)) t = with_lanes(kFloat32, t.lanes);
    if (lit.kind == Term::Int && is_bool(t)) t = with_lanes(kInt64, t.lanes);
    other = to_dtype(other, a.is_literal() ? at_b : at_a, t);
    Node made = literal(lit, at_lit, t);
    return a.is_literal() ? std::pair{made, other} : std::pair{other, made};
  }
  DLDataType ta = a.node.dtype(), tb = b.node.dtype();
  if (same_dtype(ta, tb)) return {a.node, b.node};
  if (is_handle(ta) || is_handle(tb)) fail(whole, "met a handle and a number as operands");
  if (ta.lanes != tb.lanes && ta.lanes != 1 && tb.lanes != 1)
    fail(whole, "the operands have " + std::to_string(ta.lanes) + " and " + std::to_string(tb.lanes) + " lanes");
  if (is_floating(ta) && is_floating(tb) && ta.bits == tb.bits)
    fail(whole, "the operands are " + dtype_text(ta) + " and " + dtype_text(tb), "write T.Cast");
  DLDataType t = common_dtype(ta, tb);
  return {to_dtype(a.node, at_a, t), to_dtype(b.node, at_b, t)};
}

Node Elaborator::condition(const Expr& e) {
  Node n = finish(term(e), e, kBool);
  if (!is_bool(n.dtype()))
    fail(e,
         "met " + (n.dtype().bits ? "a value of dtype " + dtype_text(n.dtype()) : describe(e)) +
             ", expected a condition",
         is_int(n.dtype()) ? "compare it: x != 0" : "");
  return n;
}

Term Elaborator::binary_node(uint32_t kind, const Expr& e, const Term& a, const Expr& at_a, const Term& b,
                             const Expr& at_b) {
  const OperatorRow* row = operator_of_kind(kind);
  auto [left, right] = matched(a, at_a, b, at_b, e);
  DLDataType t = left.dtype();
  bool logical = kind == TN_KIND_tir_And || kind == TN_KIND_tir_Or;
  if (logical && !is_bool(t)) {
    const Expr& culprit = a.is_node() && !is_bool(a.node.dtype()) ? at_a : at_b;
    fail(culprit, "met a value of dtype " + dtype_text(t) + ", expected a condition", "compare it: x != 0");
  }
  if (is_floating(t) && (kind == TN_KIND_tir_FloorDiv || kind == TN_KIND_tir_FloorMod))
    fail(e, "'" + std::string(row->symbol) + "' takes integers, met " + dtype_text(t),
         kind == TN_KIND_tir_FloorDiv ? "write T.floor(a / b)" : "write T.fmod(a, b)");
  return node_term(make_kind(kind, e, {row->compares ? with_lanes(kBool, t.lanes) : t, left, right}));
}

Term Elaborator::fold(const Expr& e, const Term& a, const Term& b) {
  Term out;
  std::string_view op = e.text;
  auto bad = [&](const char* why) { fail(e, std::string("cannot compute the literals: ") + why); };
  if (a.big || b.big) bad("an integer does not fit int64");
  bool is_float = a.kind == Term::Float || b.kind == Term::Float || op == "/";
  if (is_float) {
    double x = a.kind == Term::Float ? a.f : static_cast<double>(a.i);
    double y = b.kind == Term::Float ? b.f : static_cast<double>(b.i);
    out.kind = Term::Float;
    if (op == "+") return out.f = x + y, out;
    if (op == "-") return out.f = x - y, out;
    if (op == "*") return out.f = x * y, out;
    if (op == "/") return y == 0 ? bad("division by zero"), out : (out.f = x / y, out);
    if (op == "//" || op == "%") bad("floor division of floating-point numbers");
    out.kind = Term::Bool;
    if (op == "==") return out.i = x == y, out;
    if (op == "!=") return out.i = x != y, out;
    if (op == "<") return out.i = x < y, out;
    if (op == "<=") return out.i = x <= y, out;
    if (op == ">") return out.i = x > y, out;
    if (op == ">=") return out.i = x >= y, out;
    expected(e, "integers around '" + std::string(op) + "'");
  }
  int64_t x = a.i, y = b.i;
  bool overflow = false;
  out.kind = Term::Int;
  if (op == "+") {
    overflow = __builtin_add_overflow(x, y, &out.i);
  } else if (op == "-") {
    overflow = __builtin_sub_overflow(x, y, &out.i);
  } else if (op == "*") {
    overflow = __builtin_mul_overflow(x, y, &out.i);
  } else if (op == "//" || op == "%") {
    if (y == 0) bad("division by zero");
    if (y == -1) {
      overflow = op == "//" && __builtin_sub_overflow(int64_t{0}, x, &out.i);
      if (op == "%") out.i = 0;
    } else {
      int64_t q = x / y, r = x % y;
      bool down = r != 0 && (r < 0) != (y < 0);
      out.i = op == "//" ? q - (down ? 1 : 0) : r + (down ? y : 0);
    }
  } else if (op == "<<" || op == ">>") {
    if (y < 0) bad("a shift by a negative amount");
    if (op == ">>") {
      out.i = x >> std::min<int64_t>(y, 63);
    } else {
      overflow = x != 0 && (y > 62 || (x << y) >> y != x);
      if (!overflow && y <= 62) out.i = static_cast<int64_t>(static_cast<uint64_t>(x) << y);
    }
  } else if (op == "&" || op == "|" || op == "^") {
    out.i = op == "&" ? x & y : op == "|" ? x | y : x ^ y;
    if (a.kind == Term::Bool && b.kind == Term::Bool) out.kind = Term::Bool;
  } else {
    out.kind = Term::Bool;
    if (op == "==")
      out.i = x == y;
    else if (op == "!=")
      out.i = x != y;
    else if (op == "<")
      out.i = x < y;
    else if (op == "<=")
      out.i = x <= y;
    else if (op == ">")
      out.i = x > y;
    else if (op == ">=")
      out.i = x >= y;
    else if (a.kind == Term::Bool && b.kind == Term::Bool)
      out.i = op == "and" ? (x & y) : (x | y);
    else
      expected(e, "conditions around '" + std::string(op) + "'");
  }
  if (overflow) bad("the result does not fit int64");
  return out;
}

Term Elaborator::binary(const Expr& e, Term a, Term b) {
  if (a.is_literal() && b.is_literal()) return fold(e, a, b);
  for (const BitwiseRow& row : kBitwiseRows) {
    if (row.symbol != e.text) continue;
    auto [left, right] = matched(a, *e.a, b, *e.b, e);
    DLDataType t = left.dtype();
    Node op = make<ir::Op>(e, {Value(), text(row.op)});
    return node_term(make<ir::Call>(e, {t, op, list({left, right}), b_.map({}), list({})}));
  }
  const OperatorRow* row = operator_of_symbol(e.text);
  if (!row) source_.refuse(e.begin, "the operator '" + std::string(e.text) + "'");
  Term made = binary_node(row->kind, e, a, *e.a, b, *e.b);
  if (row->kind == TN_KIND_tir_Div && !is_floating(made.node.dtype()))
    fail(e, "'/' takes floating-point numbers, met " + dtype_text(made.node.dtype()),
         "write a // b to round down, T.truncdiv(a, b) to round toward zero, or cast the operands");
  return made;
}

Term Elaborator::unary(const Expr& e) {
  Term t = term(*e.a);
  if (e.text == "not") {
    if (t.is_literal() && t.kind != Term::Float) {
      t.i = t.i == 0;
      t.kind = Term::Bool;
      return t;
    }
    Node n = finish(t, *e.a);
    if (!is_bool(n.dtype())) condition(*e.a);
    return node_term(make<tir::Not>(e, {n.dtype(), n}));
  }
  if (e.text == "+") return t;
  if (e.text == "~") {
    if (t.kind == Term::Int && !t.big) return t.i = ~t.i, t;
    Node n = finish(t, *e.a);
    if (!is_int(n.dtype()) && !is_bool(n.dtype())) expected(*e.a, "an integer after '~'");
    Node op = make<ir::Op>(e, {Value(), text("tir.bitwise_not")});
    return node_term(make<ir::Call>(e, {n.dtype(), op, list({n}), b_.map({}), list({})}));
  }
  // A minus.
  if (t.kind == Term::Float) return t.f = -t.f, t;
  if (t.is_literal()) {
    t.kind = Term::Int;
    if (t.big && t.i != INT64_MIN) fail(e, "the integer does not fit int64");
    if (!t.big && t.i == INT64_MIN) fail(e, "the integer does not fit int64");
    t.i = t.big ? INT64_MIN : -t.i;
    t.big = false;
    return t;
  }
  Node n = finish(t, *e.a);
  if (const auto* imm = n.as<ir::FloatImm>()) return node_term(make<ir::FloatImm>(e, {n.dtype(), -imm->value()}));
  if (const auto* imm = n.as<ir::IntImm>(); imm && imm->value() != INT64_MIN && n.dtype().code == kDLInt)
    return node_term(make<ir::IntImm>(e, {n.dtype(), -imm->value()}));
  Term minus_one;
  minus_one.kind = Term::Int;
  minus_one.i = -1;
  return binary_node(TN_KIND_tir_Mul, e, t, *e.a, minus_one, e);
}

Term Elaborator::term(const Expr& e) {
  Term t;
  switch (e.kind) {
    case Syntax::Int:
      t.kind = Term::Int;
      t.i = e.integer;
      t.big = e.big;
      return t;
    case Syntax::Float:
      t.kind = Term::Float;
      t.f = e.number;
      return t;
    case Syntax::True:
    case Syntax::False:
      t.kind = Term::Bool;
      t.i = e.kind == Syntax::True;
      return t;
    case Syntax::String:
      t.kind = Term::String;
      t.s = e.text;
      return t;
    case Syntax::Name:
      if (heads_.count(e.text) && !scopes_.find(e.text)) return node_term(global_var(e, heads_[e.text].name));
      return name_term(e);
    case Syntax::Binary: {
      // The left operands are a loop: a + b + c + ... nests as deep as it is long.
      std::vector<const Expr*> spine;
      const Expr* first = &e;
      for (; first->kind == Syntax::Binary; first = first->a) spine.push_back(first);
      Term left = term(*first);
      for (size_t i = spine.size(); i-- > 0;) left = binary(*spine[i], std::move(left), term(*spine[i]->b));
      return left;
    }
    case Syntax::Unary: return unary(e);
    case Syntax::Call: return call(e);
    case Syntax::Attribute: return attribute_of(e);
    case Syntax::Subscript: return subscript(e);
    default: expected(e, "an expression");
  }
}

Node Elaborator::global_var(const Expr& at, std::string_view name) const {
  return make<ir::GlobalVar>(at, {Value(), text(name)});
}

std::optional<std::string_view> Elaborator::function_reference(const Expr& e) {
  if (e.kind == Syntax::Name && heads_.count(e.text) && !scopes_.find(e.text)) return heads_[e.text].name;
  if (e.kind == Syntax::Attribute && e.a->kind == Syntax::Name &&
      (e.a->text == "cls" || e.a->text == "self" || (!module_name_.empty() && e.a->text == module_name_)) &&
      !scopes_.find(e.a->text)) {
    auto it = heads_.find(e.text);
    if (it != heads_.end()) return it->second.name;
    std::vector<std::string> known;
    for (const auto& [name, head] : heads_) known.emplace_back(name);
    std::string nearest = nearest_name(e.text, known);
    fail(e, "the module has no function '" + std::string(e.text) + "'",
         nearest.empty() ? "" : "did you mean " + std::string(e.a->text) + "." + nearest + "?");
  }
  if (call_path(e).is('I', "name")) return string_of(*arguments(e, "I.name", {"name"}, 1)[0], "the name");
  return std::nullopt;
}

Term Elaborator::attribute_of(const Expr& e) {
  if (auto name = function_reference(e)) return node_term(global_var(e, *name));
  if (Path p = path(e)) {
    refuse_form(e, p);
    if (auto t = dtype_name(e))
      expected(e, "a value", "call it: " + std::string(1, p.root) + "." + std::string(p.name) + "(1)");
    expected(e, "a value");
  }
  Term base = base_term(*e.a);
  const auto* buffer = base.is_node() ? base.node.as<tir::Buffer>() : nullptr;
  if (buffer && e.text == "data") return base;
  if (buffer && e.text == "elem_offset") {
    if (buffer->elem_offset().is_node()) return node_term(as_node(buffer->elem_offset()));
    Term zero;
    zero.kind = Term::Int;
    return zero;
  }
  if (e.text == "dtype") {
    DLDataType t = buffer ? buffer->dtype() : finish(base, *e.a).dtype();
    Term name;
    name.kind = Term::String;
    std::string s = dtype_text(t);
    auto* copy = static_cast<char*>(program_.memory->allocate(s.size() + 1, 1));
    name.s = {static_cast<char*>(std::char_traits<char>::copy(copy, s.data(), s.size())), s.size()};
    return name;
  }
  static const std::vector<std::string> kKnown = {"data", "dtype", "elem_offset", "shape", "strides", "astype"};
  std::string nearest = nearest_name(e.text, kKnown);
  fail(e, "unknown attribute '." + std::string(e.text) + "'",
       nearest.empty() ? "known are .data, .dtype, .elem_offset, .shape[i], .strides[i] of a buffer and x.astype(dtype)"
                       : "did you mean ." + nearest + "?");
}

Term Elaborator::subscript(const Expr& e) {
  if (e.a->kind == Syntax::Attribute && (e.a->text == "shape" || e.a->text == "strides") && !path(*e.a)) {
    Term base = base_term(*e.a->a);
    const auto* buffer = base.is_node() ? base.node.as<tir::Buffer>() : nullptr;
    if (!buffer || e.items.size() != 1) expected(e, "a dimension of a buffer");
    const Array& dims = e.a->text == "shape" ? buffer->shape() : buffer->strides();
    int64_t i = int_of(*e.items[0], "the dimension");
    if (i < 0) i += static_cast<int64_t>(dims.size());
    if (i < 0 || i >= static_cast<int64_t>(dims.size()))
      fail(e, "the buffer '" + std::string(buffer->name()) + "' has " + std::to_string(dims.size()) + " " +
                  std::string(e.a->text == "shape" ? "dimensions" : "strides"));
    return node_term(as_node(dims[static_cast<size_t>(i)]));
  }
  if (e.a->kind == Syntax::Name && e.a->text == "metadata" && !scopes_.find("metadata")) binding(*e.a);
  Node base = finish(base_term(*e.a), *e.a);
  const auto* buffer = base.as<tir::Buffer>();
  if (!buffer) expected(*e.a, "a buffer before '['");
  if (buffer->shape().size() != e.items.size())
    fail(e, "the buffer '" + std::string(buffer->name()) + "' has " + std::to_string(buffer->shape().size()) +
                " dimensions, met " + std::to_string(e.items.size()) + " indices");
  std::vector<Value> indices;
  uint16_t lanes = 1;
  for (const Expr* item : e.items) {
    if (item->kind == Syntax::Slice) {
      if (!item->b) fail(*item, "met a slice without an end where one element is read", "give both ends: A[i:i + 4]");
      Interval range = interval(item->a, *item->b, *item);
      const auto* extent = range.extent.as<ir::IntImm>();
      int64_t step = item->c ? int_of(*item->c, "the step") : 1;
      if (!extent || step < 1 || extent->value() < 1)
        fail(*item, "met a slice whose length is no positive constant where a vector is read",
             "write the loop, or T.Ramp(base, stride, lanes)");
      int64_t n = (extent->value() - 1) / step + 1;
      if (n > 65535) fail(*item, "a vector has at most 65535 lanes, met " + std::to_string(n));
      if (n == 1) {
        indices.push_back(range.min);
        continue;
      }
      DLDataType t = range.min.dtype();
      lanes = static_cast<uint16_t>(n);
      indices.push_back(
          make<tir::Ramp>(*item, {with_lanes(t, lanes), range.min, make<ir::IntImm>(*item, {t, step}), n}));
    } else {
      indices.push_back(index(*item));
      lanes = std::max(lanes, as_node(indices.back()).dtype().lanes);
    }
  }
  DLDataType t = buffer->dtype();
  t.lanes = static_cast<uint16_t>(t.lanes * lanes);
  return node_term(make<tir::BufferLoad>(e, {t, base, list(indices)}));
}

Term Elaborator::call(const Expr& e) {
  if (Path p = path(*e.a)) {
    if (p.root == 'T') return form(e, p);
    if (p.root == 'I') {
      Value v = escape(e, p);
      if (!v.is_node()) expected(e, "an expression");
      return node_term(as_node(v));
    }
    expected(e, "an expression of the loop level", "R.* forms stand in @R.function");
  }
  if (auto name = function_reference(*e.a)) return function_call(e, *name);
  if (call_path(*e.a).is('I', "op")) {
    std::string_view id = string_of(*arguments(*e.a, "I.op", {"id"}, 1)[0], "the id of the op");
    return intrinsic(e, id, e.items, std::nullopt);
  }
  if (e.a->kind == Syntax::Attribute && e.a->text == "astype") {
    const Expr& to = *arguments(e, "astype", {"dtype"}, 1)[0];
    Node n = expr(*e.a->a);
    return node_term(to_dtype(n, e, with_lanes(dtype(to, "the dtype"), n.dtype().lanes)));
  }
  if (e.a->kind == Syntax::Attribute && e.a->text == "access_ptr")
    source_.refuse(e.begin, "access_ptr", "write T.address_of(A[i])");
  if (e.a->kind == Syntax::Name) {
    if (e.a->text == "range") fail(e, "met range(...) outside of a `for`");
    binding(*e.a);
  }
  fail(*e.a, "met a call of " + describe(*e.a) + ", which is no function",
       "functions of the module are called as cls.f(...), external ones by T.call_packed(\"f\", ...)");
}

Term Elaborator::function_call(const Expr& e, std::string_view name) {
  std::vector<Value> args;
  for (const Expr* a : e.items)
    args.push_back(a->kind == Syntax::String ? Value(make<ir::StringImm>(*a, {Value(), text(a->text)}))
                                             : Value(expr(*a)));
  Value type;
  for (const auto& [key, head] : heads_)
    if (head.name == name) type = head.result;
  Builder::Entries attrs;
  for (const Keyword& k : e.keywords) {
    if (k.name == "dtype")
      type = k.value->kind == Syntax::None ? Value() : Value(dtype(*k.value, "the dtype"));
    else
      attrs.emplace_back(std::string(k.name), attribute(*k.value));
  }
  return node_term(make<ir::Call>(e, {type, global_var(*e.a, name), list(args), b_.map(attrs), list({})}));
}

}  // namespace tenon::script
