#include "ir/verify_types.h"

#include "ir/ir_table.h"
#include "ir/rewrite.h"
#include "ir/verify_parts.h"

namespace tenon {

using namespace verify_parts;
namespace {

std::string extent_text(const Node& n) {
  if (auto* i = n.as<ir::IntImm>()) return std::to_string(i->value());
  if (auto* v = n.as<ir::Var>()) return "`" + std::string(v->name()) + "`";
  return "an expression of other variables or constants";
}

// What a type is of, for messages.
std::string subject(const Value& type) {
  if (type.is_dtype()) return "a scalar of dtype " + dtype_text(type.as_dtype());
  const Node& n = as_node(type);
  switch (n.kind()) {
    case relax::PrimType::kKind: return "a scalar of dtype " + dtype_text(n.to<relax::PrimType>().dtype());
    case relax::TensorType::kKind: return "a tensor";
    case relax::ShapeType::kKind: return "a shape";
    case relax::TupleType::kKind: return "a tuple";
    case relax::FuncType::kKind: return "a function";
    default: return "of type " + describe(type.raw());
  }
}

constexpr size_t kMaxPairs = 1 << 16;  // of types in one comparison; tuples that share their fields have more

std::string count(size_t n, const char* what) { return std::to_string(n) + " " + what + (n == 1 ? "" : "s"); }

// The number of dimensions as far as it is known, else -1.
int64_t rank_of(const Value& listed, int64_t ndim) {
  return listed.is_array() ? static_cast<int64_t>(listed.ref<Array>().size()) : ndim;
}

}  // namespace

void CallSymbols::bind(const Node& var, const Node& value) {
  if (is_bound(var)) return;
  bound_[var.get()] = static_cast<uint32_t>(to_.size());
  from_.push_back(var);
  to_.push_back(value);
}

Node CallSymbols::resolve(const Node& expr) {
  if (expr.is<ir::IntImm>()) return expr;
  if (expr.is<ir::Var>()) {
    uint32_t* at = bound_.find(expr.get());
    return at ? as_node(to_[*at]) : expr;
  }
  Builder b = core_builder();
  return as_node(
      substitute(Value(expr).raw(), b.array(std::span<const Value>(from_)), b.array(std::span<const Value>(to_))));
}

const Array* listed_shape(const relax::TensorType& type) {
  return type.shape().is_array() ? &type.shape().ref<Array>() : nullptr;
}

Value stated_type(const Node& expression) {
  Node e = expression;
  for (;;) {
    if (e.is<ir::GlobalVar>() || e.is<ir::Op>() || e.is<relax::Function>() || e.slot_count() == 0) return {};
    const Value& own = e.slot(0);
    if (own.is_node() || own.is_dtype()) return own;
    if (auto* seq = e.as<relax::SeqExpr>()) {
      e = Node(seq->body());
    } else if (auto* call = e.as<ir::Call>()) {
      return call->type_args().size() == 1 ? call->type_args()[0] : Value();
    } else if (auto* prim = e.as<relax::PrimValue>()) {
      return has_dtype(prim->value()) ? Value(prim->value().dtype()) : Value();
    } else if (auto* get = e.as<relax::TupleGetItem>()) {
      const Value& tuple = get->tuple().slot_count() ? get->tuple().slot(0) : own;
      auto* type = tuple.is_node() ? as_node(tuple).as<relax::TupleType>() : nullptr;
      bool inside = type && get->index() >= 0 && static_cast<size_t>(get->index()) < type->fields().size();
      return inside ? type->fields()[static_cast<size_t>(get->index())] : Value();
    } else {
      return {};
    }
  }
}

bool TypeRelation::differ(const Node& a, const Node& b) const {
  if (a.same_as(b)) return false;
  auto *x = a.as<ir::IntImm>(), *y = b.as<ir::IntImm>();
  if (x && y) return x->value() != y->value();
  if (a.is<ir::Var>() && (y || b.is<ir::Var>())) return false;
  if (b.is<ir::Var>() && x) return false;
  return services_.differ && is_integer_scalar(a) && same_dtype(a.dtype(), b.dtype()) && services_.differ(a, b);
}

std::optional<std::string> TypeRelation::shape_mismatch(const Array& given, const Array& wanted, CallSymbols* symbols,
                                                        bool bind_only) const {
  if (given.size() != wanted.size())
    return "it has " + count(given.size(), "dimension") + ", not " + std::to_string(wanted.size());
  for (size_t d = 0; d < given.size(); ++d) {
    if (!given[d].is_node() || !wanted[d].is_node()) continue;  // refused where the type stands
    const Node& have = as_node(given[d]);
    const Node& want = as_node(wanted[d]);
    if (symbols && bind_only) {
      if (want.is<ir::Var>()) symbols->bind(want, have);
      continue;
    }
    Node due = symbols ? symbols->resolve(want) : want;
    if (differ(have, due))
      return "its dimension " + std::to_string(d) + " is " + extent_text(have) + ", not " + extent_text(due);
  }
  return std::nullopt;
}

std::optional<std::string> TypeRelation::one(const Value& given, const Value& wanted, CallSymbols* symbols,
                                             bool bind_only) const {
  auto scalar = [](const Value& v) -> std::optional<DLDataType> {
    if (v.is_dtype()) return v.as_dtype();
    if (auto* p = as_node(v).as<relax::PrimType>()) return p->dtype();
    return std::nullopt;
  };
  auto a = scalar(given), b = scalar(wanted);
  if (a && b && same_dtype(*a, *b)) return std::nullopt;
  if (a || b || as_node(given).kind() != as_node(wanted).kind())
    return "it is " + subject(given) + ", not " + subject(wanted);
  const Node &x = as_node(given), &y = as_node(wanted);
  if (auto* t = x.as<relax::TensorType>()) {
    auto& u = y.to<relax::TensorType>();
    if (t->dtype().is_dtype() && u.dtype().is_dtype() && !same_dtype(t->dtype().as_dtype(), u.dtype().as_dtype()))
      return "its dtype is " + dtype_text(t->dtype().as_dtype()) + ", not " + dtype_text(u.dtype().as_dtype());
    int64_t have = rank_of(t->shape(), t->ndim()), want = rank_of(u.shape(), u.ndim());
    if (have >= 0 && want >= 0 && have != want)
      return "it has " + count(static_cast<size_t>(have), "dimension") + ", not " + std::to_string(want);
    if (listed_shape(*t) && listed_shape(u))
      return shape_mismatch(*listed_shape(*t), *listed_shape(u), symbols, bind_only);
  } else if (auto* s = x.as<relax::ShapeType>()) {
    auto& u = y.to<relax::ShapeType>();
    int64_t have = rank_of(s->values(), s->ndim()), want = rank_of(u.values(), u.ndim());
    if (have >= 0 && want >= 0 && have != want)
      return "it has " + count(static_cast<size_t>(have), "dimension") + ", not " + std::to_string(want);
    if (s->values().is_array() && u.values().is_array())
      return shape_mismatch(s->values().ref<Array>(), u.values().ref<Array>(), symbols, bind_only);
  } else if (auto* tuple = x.as<relax::TupleType>()) {
    size_t have = tuple->fields().size(), want = y.to<relax::TupleType>().fields().size();
    if (have != want) return "it has " + count(have, "field") + ", not " + std::to_string(want);
  } else if (auto* f = x.as<relax::FuncType>()) {
    auto& g = y.to<relax::FuncType>();
    if (f->params().is_array() && g.params().is_array() &&
        f->params().ref<Array>().size() != g.params().ref<Array>().size())
      return "it takes " + count(f->params().ref<Array>().size(), "argument") + ", not " +
             std::to_string(g.params().ref<Array>().size());
    if (g.is_pure() && !f->is_pure()) return std::string("it is not pure");
  }
  return std::nullopt;
}

std::optional<std::string> TypeRelation::mismatch(const Value& given, const Value& wanted) const {
  return mismatch(given, wanted, nullptr, false);
}

std::optional<std::string> TypeRelation::mismatch(const Value& given, const Value& wanted, CallSymbols* symbols,
                                                  bool bind_only) const {
  struct Pair {
    const Value* given;
    const Value* wanted;
    size_t parent, field;
  };
  std::vector<Pair> pairs{{&given, &wanted, 0, 0}};
  auto known = [](const Value& v) { return v.is_dtype() || (v.is_node() && !as_node(v).is<relax::AnyType>()); };
  for (size_t k = 0; k < pairs.size(); ++k) {
    const Value &x = *pairs[k].given, &y = *pairs[k].wanted;
    if (!known(x) || !known(y)) continue;
    if (!symbols && x.is_node() && y.is_node() && as_node(x).same_as(as_node(y))) continue;
    if (std::optional<std::string> why = one(x, y, symbols, bind_only)) {
      std::string of;
      for (size_t p = k, depth = 0; p != 0 && depth < 8; p = pairs[p].parent, ++depth)
        of = "in field " + std::to_string(pairs[p].field) + ", " + of;
      return of + *why;
    }
    auto* tuple = x.is_node() ? as_node(x).as<relax::TupleType>() : nullptr;
    if (!tuple || pairs.size() > kMaxPairs) continue;
    const Array& other = as_node(y).to<relax::TupleType>().fields();
    for (size_t f = 0; f < other.size(); ++f) pairs.push_back({&tuple->fields()[f], &other[f], k, f});
  }
  return std::nullopt;
}

}  // namespace tenon
