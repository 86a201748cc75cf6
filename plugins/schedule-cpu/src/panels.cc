// Which parts of a reduction's value are laid out anew for the tiles: what rows share and what moves along columns.
#include "schedule.h"

namespace tenon::cpu {
namespace {

// Panels of contiguous reads pay where a column of tiles is long and its matrix is larger than the nearest cache.
constexpr int64_t kManyRows = 64, kNearCache = 48 << 10;

class Finder {
 public:
  Finder(const Builder& b, const Node& result, const Axis& row, const Axis& column)
      : b_(b), result_(result), row_(row), column_(column) {}

  void visit(const Node& e) {
    if (!uses(b_, e, column_.var)) return;
    bool shared = !uses(b_, e, row_.var) && !uses(b_, e, result_);
    if (shared && reads(e) && !is_bool(e.dtype())) {
      found.push_back(e);
      return;
    }
    // What a condition guards is not computed where it does not hold.
    if (e.is<tir::BufferLoad>() || e.is<tir::Select>() || e.is<tir::And>() || e.is<tir::Or>() || e.is<tir::Let>())
      return;
    if (const auto* c = e.as<ir::Call>()) {
      if (c->op().is<ir::Op>() && c->op().to<ir::Op>().id() == "tir.if_then_else") return;
      for (const Node& a : nodes(c->args())) visit(a);
      return;
    }
    for (uint32_t i = 1; i < e.slot_count(); ++i)
      if (e.slot(i).is_node()) visit(as_node(e.slot(i)));
  }
  std::vector<Node> found;

 private:
  bool reads(const Node& e) const {
    bool any = false;
    b_.walk(Value(e), [&](const Node& n) { any = any || n.is<tir::BufferLoad>(); });
    return any;
  }
  const Builder& b_;
  const Node& result_;
  const Axis &row_, &column_;
};

}  // namespace

std::vector<Panel> find_panels(const Builder& b, const Accesses& accesses, const Compute& compute, const Axis& row,
                               const Axis& column) {
  std::vector<Panel> out;
  Finder finder(b, compute.store.buffer(), row, column);
  finder.visit(compute.store.value());
  for (const Node& e : finder.found) {
    bool known = false;
    for (const Panel& p : out) known = known || p.value.same_as(e);
    if (known) continue;
    Panel p{e, {}, accesses.is_vector_along(e, column.var), false};
    int64_t steps = 1;
    bool far = true;
    for (const Axis& a : compute.nest.reduce) {
      if (!uses(b, e, a.var)) continue;
      p.axes.push_back(&a);
      steps = a.constant ? steps * std::min<int64_t>(*a.constant, 1 << 20) : 1 << 20;
      steps = std::min<int64_t>(steps, 1 << 20);
      b.walk(Value(e), [&](const Node& n) {
        if (const auto* load = n.as<tir::BufferLoad>())
          far = far && accesses.step(load->buffer(), load->indices(), a.var) != Step::kUnit;
      });
    }
    if (p.axes.empty()) continue;  // it stays in registers
    int64_t width = std::min<int64_t>(column.constant.value_or(1 << 20), 1 << 20);
    p.pays = !p.is_vector || (far && e.is<tir::BufferLoad>() && row.constant.value_or(0) >= kManyRows &&
                              steps * width * dtype_bytes(e.dtype()) > kNearCache);
    out.push_back(p);
  }
  return out;
}

}  // namespace tenon::cpu
