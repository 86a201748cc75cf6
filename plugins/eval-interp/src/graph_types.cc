// Symbols and types of the graph level at run time.
#include "graph_ops.h"
#include "tensors.h"

namespace tenon::interp {

int64_t GraphRun::integer(const Node& e) const {
  if (const auto* imm = e.as<ir::IntImm>()) return imm->value();
  if (const auto* prim = e.as<relax::PrimValue>()) return integer(prim->value());
  if (const auto* cast = e.as<tir::Cast>(); cast && is_integer(e.dtype())) return integer(cast->value());
  if (e.is<ir::Var>()) {
    if (auto it = symbols_.find(e.get()); it != symbols_.end()) return it->second;
    if (auto it = vars_.find(e.get()); it != vars_.end() && it->second.is_int()) return it->second.as_int();
    fail_at(e, TN_ERROR_VERIFY,
            "the symbol '" + std::string(e.to<ir::Var>().name()) + "' is used where nothing binds it");
  }
  if (e.kind() < tir::Add::kKind || e.kind() > tir::Or::kKind)
    fail_at(e, TN_ERROR_UNSUPPORTED, "an extent that is not an integer expression of symbols");
  const int64_t a = integer(as_node(e.slot(tir::AddSlot::a))), b = integer(as_node(e.slot(tir::AddSlot::b)));
  const bool divides = e.kind() >= tir::Div::kKind && e.kind() <= tir::TruncMod::kKind;
  if (divides && b == 0) fail_at(e, TN_ERROR_CHECK_FAILED, "division of " + std::to_string(a) + " by zero");
  switch (e.kind()) {
    case tir::Add::kKind: return AddOp::f(a, b);
    case tir::Sub::kKind: return SubOp::f(a, b);
    case tir::Mul::kKind: return MulOp::f(a, b);
    case tir::Div::kKind:
    case tir::TruncDiv::kKind: return TruncDivOp::f(a, b);
    case tir::TruncMod::kKind: return TruncModOp::f(a, b);
    case tir::FloorDiv::kKind: return FloorDivOp::f(a, b);
    case tir::FloorMod::kKind: return FloorModOp::f(a, b);
    case tir::Min::kKind: return a < b ? a : b;
    case tir::Max::kKind: return a < b ? b : a;
    case tir::EQ::kKind: return a == b;
    case tir::NE::kKind: return a != b;
    case tir::LT::kKind: return a < b;
    case tir::LE::kKind: return a <= b;
    case tir::GT::kKind: return a > b;
    case tir::GE::kKind: return a >= b;
    case tir::And::kKind: return a && b;
    default: return a || b;
  }
}

std::vector<int64_t> GraphRun::extents(const Array& dims) const {
  std::vector<int64_t> out;
  for (const Node& dim : nodes(dims)) out.push_back(integer(dim));
  return out;
}

void GraphRun::match_extents(const Array& dims, const int64_t* actual, size_t n, const std::string& what,
                             const Node& at) {
  if (dims.size() != n)
    fail_at(at, TN_ERROR_SHAPE, what + " has " + std::to_string(n) + " dimensions, not " + std::to_string(dims.size()));
  NodeRange declared = nodes(dims);
  for (size_t k = 0; k < n; ++k) {
    if (declared[k].is<ir::Var>() && symbols_.emplace(declared[k].get(), actual[k]).second) continue;
    const int64_t expected = integer(declared[k]);
    if (expected != actual[k])
      fail_at(at, TN_ERROR_SHAPE,
              "dimension " + std::to_string(k) + " of " + what + " is " + std::to_string(actual[k]) + ", not " +
                  std::to_string(expected));
  }
}

bool GraphRun::match_tensor(const Value& value, const relax::TensorType& type, const std::string& what,
                            const Node& at) {
  if (value.type_index() != TN_TENSOR) return false;
  const DLTensor& tensor = tensor_of(value.raw());
  if (type.dtype().is_dtype() && !same_dtype(tensor.dtype, type.dtype().as_dtype()))
    fail_at(at, TN_ERROR_TYPE,
            what + " is " + dtype_text(tensor.dtype) + ", not " + dtype_text(type.dtype().as_dtype()));
  const Array shape = tensor_type_shape(type);
  if (shape) {
    match_extents(shape, tensor.shape, static_cast<size_t>(tensor.ndim), what, at);
  } else if (type.shape().is_node() && as_node(type.shape()).is<ir::Var>()) {
    const auto it = vars_.find(as_node(type.shape()).get());
    if (it == vars_.end() || it->second.type_index() != TN_SHAPE) return true;
    const auto* expected = reinterpret_cast<const TnShape*>(it->second.raw().as.object);
    bool same = expected->size == static_cast<size_t>(tensor.ndim);
    for (size_t k = 0; same && k < expected->size; ++k) same = expected->data[k] == tensor.shape[k];
    if (!same) fail_at(at, TN_ERROR_SHAPE, what + " does not have the shape that its type names");
  } else if (type.ndim() >= 0 && type.ndim() != tensor.ndim) {
    fail_at(at, TN_ERROR_SHAPE,
            what + " has " + std::to_string(tensor.ndim) + " dimensions, not " + std::to_string(type.ndim()));
  }
  return true;
}

void GraphRun::match(const Value& value, const Value& type, const std::string& what, const Node& at) {
  if (!type.is_node()) return;
  const Node& t = as_node(type);
  bool right = true;
  if (const auto* tensor = t.as<relax::TensorType>()) {
    right = match_tensor(value, *tensor, what, at);
  } else if (const auto* shape = t.as<relax::ShapeType>()) {
    right = value.type_index() == TN_SHAPE;
    if (right && shape->values().is_array()) {
      const auto* actual = reinterpret_cast<const TnShape*>(value.raw().as.object);
      match_extents(shape->values().ref<Array>(), actual->data, actual->size, what, at);
    }
  } else if (const auto* tuple = t.as<relax::TupleType>()) {
    right = value.is_array() && value.ref<Array>().size() == tuple->fields().size();
    for (size_t k = 0; right && k < tuple->fields().size(); ++k)
      match(value.ref<Array>()[k], tuple->fields()[k], "field " + std::to_string(k) + " of " + what, at);
  } else if (const auto* prim = t.as<relax::PrimType>()) {
    right = is_handle(prim->dtype()) ||
            (is_floating(prim->dtype()) ? value.is_float() || value.is_int() : value.is_int() || value.is_bool());
  }
  if (!right)
    fail_at(at, TN_ERROR_TYPE,
            what + " is not the " +
                std::string(t.is<relax::TensorType>()  ? "tensor"
                            : t.is<relax::TupleType>() ? "tuple"
                            : t.is<relax::ShapeType>() ? "shape"
                                                       : "number") +
                " that its type says");
}

}  // namespace tenon::interp
