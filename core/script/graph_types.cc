#include "script/graph_types.h"

#include "ir/structural_equal.h"

namespace tenon::script {

bool equal_values(const Value& a, const Value& b) {
  if (a.is_node() && b.is_node()) {
    if (as_node(a).same_as(as_node(b))) return true;
    if (as_node(a).hash() != as_node(b).hash()) return false;
  }
  return a.type_index() == b.type_index() && !first_difference(*a.ptr(), *b.ptr());
}

Value graph_type_of(const Node& e) {
  if (const auto* seq = e.as<relax::SeqExpr>(); seq && seq->type().is_none()) return graph_type_of(seq->body());
  if (e.is<ir::GlobalVar>() || e.is<ir::Op>() || e.is<tir::Buffer>() || e.slot_count() == 0) return {};
  return e.slot(0).is_node() ? e.slot(0) : Value();
}

Value natural_graph_type(const Builder& b, const Node& e) {
  if (const auto* call = e.as<ir::Call>()) {
    const Array& types = call->type_args();
    if (types.size() == 1) return types[0];
    return types.size() > 1 ? Value(b.make<relax::TupleType>({Value(types)})) : Value();
  }
  if (const auto* tuple = e.as<relax::Tuple>()) {
    std::vector<Value> types;
    for (const Node& f : nodes(tuple->fields())) {
      types.push_back(graph_type_of(f));
      if (types.back().is_none()) return {};
    }
    return b.make<relax::TupleType>({b.array(std::span<const Value>(types))});
  }
  if (const auto* get = e.as<relax::TupleGetItem>()) {
    Value of = graph_type_of(get->tuple());
    const auto* tuple = of.is_node() ? as_node(of).as<relax::TupleType>() : nullptr;
    if (!tuple || get->index() < 0 || get->index() >= static_cast<int64_t>(tuple->fields().size())) return {};
    return tuple->fields()[static_cast<size_t>(get->index())];
  }
  if (const auto* shape = e.as<relax::ShapeExpr>())
    return b.make<relax::ShapeType>({Value(shape->values()), static_cast<int64_t>(shape->values().size())});
  if (const auto* prim = e.as<relax::PrimValue>())
    return prim->value().dtype().bits ? Value(b.make<relax::PrimType>({prim->value().dtype()})) : Value();
  if (const auto* branch = e.as<relax::If>()) return graph_type_of(branch->then_branch());
  return {};
}

}  // namespace tenon::script
