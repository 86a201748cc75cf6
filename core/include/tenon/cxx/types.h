// Questions about the types of the graph level.
#ifndef TENON_CXX_TYPES_H
#define TENON_CXX_TYPES_H

#include <algorithm>
#include <set>

#include "builder.h"

namespace tenon {

// The scalar variables that stand in a type.
inline std::set<const TnNode*> symbols_of_type(const Builder& b, const Value& type) {
  std::set<const TnNode*> out;
  if (type.is_node())
    b.walk(type, [&](const Node& n) {
      if (n.is<ir::Var>()) out.insert(n.get());
    });
  return out;
}

// The type with every shape that mentions one of the variables left open, its rank kept: what a sequence says of its
// result to those outside, who do not see the variables that it defines.
inline Value without_symbols(const Builder& b, const Value& type, const std::set<const TnNode*>& hidden) {
  if (!type.is_node() || hidden.empty()) return type;
  std::set<const TnNode*> met = symbols_of_type(b, type);
  if (std::none_of(met.begin(), met.end(), [&](const TnNode* v) { return hidden.count(v) != 0; })) return type;
  const Node& n = as_node(type);
  if (auto* tensor = n.as<relax::TensorType>()) {
    int64_t rank =
        tensor->shape().is_array() ? static_cast<int64_t>(tensor->shape().ref<Array>().size()) : tensor->ndim();
    return b.make<relax::TensorType>({Value(), tensor->dtype(), rank, b.map_value(tensor->attrs())}, n.span());
  }
  if (auto* shape = n.as<relax::ShapeType>()) {
    int64_t rank =
        shape->values().is_array() ? static_cast<int64_t>(shape->values().ref<Array>().size()) : shape->ndim();
    return b.make<relax::ShapeType>({Value(), rank}, n.span());
  }
  if (auto* tuple = n.as<relax::TupleType>()) {
    std::vector<Value> fields;
    for (const Value& f : tuple->fields()) fields.push_back(without_symbols(b, f, hidden));
    return b.make<relax::TupleType>({b.array(fields)}, n.span());
  }
  return b.make<relax::AnyType>({});
}

}  // namespace tenon
#endif
