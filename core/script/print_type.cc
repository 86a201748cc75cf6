// Types.
#include "script/graph_types.h"
#include "script/printer.h"
#include "script/strings.h"

namespace tenon::script {

bool Printer::type_is_plain(const Node& n) const {
  auto dims = [&](const Value& v) {
    if (!v.is_array()) return false;
    for (const Value& d : v.ref<Array>()) {
      if (!d.is_node()) return false;
      const Node& x = as_node(d);
      if (!is_int(x.dtype()) || !(x.is<ir::Var>() || x.is<ir::Call>() || is_natural(x))) return false;
    }
    return true;
  };
  auto all = [&](const Value& v) {
    if (!v.is_array()) return false;
    for (const Value& t : v.ref<Array>())
      if (!t.is_node() || !type_is_plain(as_node(t))) return false;
    return true;
  };
  if (n.is<relax::AnyType>() || n.is<relax::PrimType>()) return true;
  if (const auto* t = n.as<relax::TensorType>()) {
    if (!t->dtype().is_none() && !t->dtype().is_dtype()) return false;
    for (const Map::Entry& e : t->attrs())
      if (e.value().is_none()) return false;
    bool variable = t->shape().is_node() && as_node(t->shape()).is<ir::Var>() && names_.find(as_node(t->shape()));
    return t->shape().is_none() || variable || dims(t->shape());
  }
  if (const auto* t = n.as<relax::ShapeType>()) return t->values().is_none() || dims(t->values());
  if (const auto* t = n.as<relax::TupleType>()) return all(Value(t->fields()));
  if (const auto* t = n.as<relax::FuncType>())
    return (t->params().is_none() || all(t->params())) &&
           (t->ret().is_none() || (t->ret().is_node() && type_is_plain(as_node(t->ret()))));
  return false;
}

// (n, 4); in the head of a function, where no symbol is declared yet, ("n", 4).
void Printer::type_shape(const Array& dims, std::string_view open, std::string_view close) {
  put(open);
  bool first = true;
  for (const Node& d : nodes(dims)) {
    if (!first) put(", ");
    first = false;
    if (!header_ || d.is<ir::IntImm>()) {
      expr(d);
      continue;
    }
    bool other = false;  // a symbol that a string cannot declare
    b_.walk(Value(d), [&](const Node& x) {
      other = other || (x.is<ir::Var>() && !names_.find(x) && !same_dtype(x.dtype(), kInt64));
    });
    if (other) {
      ++generic_;
      expr(d);
      --generic_;
      continue;
    }
    std::string text = captured([&] { expr(d); });
    put(quote(text));
  }
  if (dims.size() == 1 && close == ")") put(",");
  put(close);
}

void Printer::type(const Node& n) {
  if (!type_is_plain(n)) return generic(n);
  bool any = false;
  auto next = [&] {
    if (any) put(", ");
    any = true;
  };
  if (n.is<relax::AnyType>()) return put("R.Object");
  if (const auto* t = n.as<relax::PrimType>()) return put("R.Prim(\"" + dtype_text(t->dtype()) + "\")");
  if (const auto* t = n.as<relax::TensorType>()) {
    put("R.Tensor(");
    int64_t natural = -1;
    if (t->shape().is_array()) {
      next();
      type_shape(t->shape().ref<Array>(), "(", ")");
      natural = static_cast<int64_t>(t->shape().ref<Array>().size());
    } else if (t->shape().is_node()) {
      next();
      put(name_of(as_node(t->shape())));
    }
    if (t->dtype().is_dtype()) {
      next();
      put("dtype=\"" + dtype_text(t->dtype().as_dtype()) + "\"");
    }
    if (t->ndim() != natural) {
      next();
      put("ndim=" + std::to_string(t->ndim()));
    }
    if (!t->attrs().empty()) {
      next();
      put("attrs=");
      attribute_map(t->attrs());
    }
    return put(")");
  }
  if (const auto* t = n.as<relax::ShapeType>()) {
    put("R.Shape(");
    int64_t natural = -1;
    if (t->values().is_array()) {
      next();
      type_shape(t->values().ref<Array>(), "[", "]");
      natural = static_cast<int64_t>(t->values().ref<Array>().size());
    }
    if (t->ndim() != natural) {
      next();
      put("ndim=" + std::to_string(t->ndim()));
    }
    return put(")");
  }
  if (const auto* t = n.as<relax::TupleType>()) {
    put("R.Tuple(");
    for (const Node& f : nodes(t->fields())) {
      next();
      type(f);
    }
    return put(")");
  }
  const auto& t = n.to<relax::FuncType>();
  Names::Block scope(names_);
  bool outer = std::exchange(header_, true);
  put("R.Callable(");
  if (t.params().is_array()) {
    put("(");
    const Array& params = t.params().ref<Array>();
    for (size_t i = 0; i < params.size(); ++i) {
      if (i) put(", ");
      type(as_node(params[i]));
    }
    if (params.size() == 1) put(",");
    put("), ");
  } else {
    put("None, ");
  }
  if (t.ret().is_node())
    type(as_node(t.ret()));
  else
    put("None");
  put(t.is_pure() ? ", True)" : ", False)");
  header_ = outer;
}

}  // namespace tenon::script
