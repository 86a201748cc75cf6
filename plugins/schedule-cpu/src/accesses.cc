// How accesses move along an axis.
#include "schedule.h"

namespace tenon::cpu {

Step Accesses::step(const Node& buffer, const Array& indices, const Node& axis) const {
  const auto& declared = buffer.to<tir::Buffer>();
  NodeRange items = nodes(indices);
  Step step = Step::kNone;
  for (size_t d = 0; d < items.size(); ++d) {
    if (!uses(b_, items[d], axis)) continue;
    bool last = d + 1 == items.size();
    bool contiguous = last && (declared.strides().empty() || constant_of(nodes(declared.strides())[d]) == 1);
    if (!contiguous || step != Step::kNone) return Step::kOther;
    if (items[d].same_as(axis)) {
      step = Step::kUnit;
      continue;
    }
    Arith arith(b_, arith_);
    Node next = substituted(b_, items[d], {axis}, {b_.add(axis, b_.imm(1))});
    Node moved = arith.simplify(b_.sub(next, items[d]));
    if (constant_of(moved) != 1) return Step::kOther;
    step = Step::kUnit;
  }
  return step;
}

bool Accesses::is_vector_along(const Node& value, const Node& axis) const {
  bool ok = true;
  auto loads = [&](const Node& e) {
    bool found = false;
    b_.walk(Value(e), [&](const Node& n) { found = found || n.is<tir::BufferLoad>(); });
    return found;
  };
  b_.walk(Value(value), [&](const Node& n) {
    if (!ok) return;
    if (const auto* load = n.as<tir::BufferLoad>()) ok = step(load->buffer(), load->indices(), axis) != Step::kOther;
    // What is read only where a condition of the same step holds is no vector.
    if (const auto* s = n.as<tir::Select>()) ok = ok && !(loads(s->true_value()) || loads(s->false_value()));
    if (n.is<tir::And>() || n.is<tir::Or>())
      ok = ok && !(uses(b_, n, axis) && loads(static_cast<const tir::And&>(n).b()));
    if (const auto* c = n.as<ir::Call>(); c && c->op().is<ir::Op>() && c->op().to<ir::Op>().id() == "tir.if_then_else")
      ok = ok && !(uses(b_, nodes(c->args())[0], axis) && (loads(nodes(c->args())[1]) || loads(nodes(c->args())[2])));
    if (n.is<tir::Let>()) ok = false;
  });
  return ok;
}

}  // namespace tenon::cpu
