// sink-spatial: the last spatial loop of a reduction moves inside of the reduction when every access then walks along
// memory, so that the innermost loop can be a vector. Each element is still summed in the same order: a loop stays
// whose points are not shown to be apart.
//
//   for i, j, k: C[i, j] = C[i, j] + A[i, k] * B[k, j]   ->   for i, k, j: C[i, j] = C[i, j] + A[i, k] * B[k, j]
#include "reduction.h"

namespace tenon::loop {
namespace {

class SinkSpatial : public Rewriter {
 public:
  SinkSpatial(const Builder& b, const Node& body) : Rewriter(b), memory_(b, body) {}

 protected:
  Node visit(const Node& n) override {
    if (n.is<tir::BufferLoad>()) return n;
    if (n.is<tir::For>())
      if (Node moved = sink(n)) return moved;
    return children(n);
  }

 private:
  // The nest with its loop moved; null when it stays.
  Node sink(const Node& stmt) {
    std::optional<Nest> nest = nest_at(b_, stmt, {});
    if (!nest || nest->other_iters || nest->loops.size() < 2) return {};
    std::vector<tir::For> loops = nest->loops;
    const tir::Block& block = nest->block;
    if (!block.match_buffers().empty() || !block.alloc_buffers().empty()) return {};
    // Each axis is the variable of one loop.
    std::map<const TnNode*, const tir::IterVar*> axis_of;
    NodeRange axes = nodes(block.iter_vars()), values = nodes(nest->realize.iter_values());
    for (size_t i = 0; i < axes.size(); ++i) {
      if (!values[i].is<ir::Var>()) {
        if (values[i].is<ir::IntImm>()) continue;
        return {};
      }
      const auto& axis = axes[i].to<tir::IterVar>();
      if (!axis_of.emplace(values[i].get(), &axis).second) return {};
    }
    Vars loop_vars;
    for (const tir::For& loop : loops) loop_vars.insert(loop.loop_var().get());
    std::optional<size_t> last_spatial, last_reduce;
    for (size_t i = 0; i < loops.size(); ++i) {
      const tir::For& loop = loops[i];
      auto axis = axis_of.find(loop.loop_var().get());
      if (axis == axis_of.end() || loop.loop_kind() != TN_FOR_SERIAL || !loop.annotations().empty()) return {};
      if (uses_any(b_, loop.min(), loop_vars) || uses_any(b_, loop.extent(), loop_vars)) return {};
      (axis->second->iter_kind() == TN_ITER_SPATIAL ? last_spatial : last_reduce) = i;
    }
    if (!last_spatial || !last_reduce || *last_spatial > *last_reduce) return {};
    if (!walks_along_memory(block, axis_of[loops[*last_spatial].loop_var().get()]->var())) return {};
    tir::For inner = loops[*last_spatial];
    if (couples(nest->realize.predicate(), inner, nest->reduce_loops) ||
        !points_are_apart(b_, *nest, {inner}, memory_, true))
      return {};
    loops.erase(loops.begin() + static_cast<ptrdiff_t>(*last_spatial));
    Node body = b_.with(inner, tir::For::Slot::body, nest->realize);
    for (size_t i = loops.size(); i-- > 0;) body = b_.with(loops[i], tir::For::Slot::body, body);
    return body;
  }

  // Whether a term of the condition depends on the loop and on the reduction: without a step, such a term decides.
  bool couples(const Node& condition, const tir::For& loop, const Vars& reduce_loops) {
    std::vector<Node> terms;
    split_conjunction(condition, terms);
    for (const Node& t : terms)
      if (uses_any(b_, Value(t), {loop.loop_var().get()}) && uses_any(b_, Value(t), reduce_loops)) return true;
    return false;
  }

  // Whether the axis stands in last indices only, alone or with something added, and moves what is stored.
  bool walks_along_memory(const tir::Block& block, const Node& axis) {
    bool ok = true, moves = false;
    Vars only = {axis.get()};
    auto check = [&](const Array& indices, bool stores) {
      NodeRange items = nodes(indices);
      for (size_t d = 0; d < items.size(); ++d) {
        if (!uses_any(b_, Value(items[d]), only)) continue;
        ok = ok && d + 1 == items.size() && is_shifted(items[d], axis);
        moves = moves || stores;
      }
    };
    b_.walk(Value(block.body()), [&](const Node& n) {
      if (const auto* load = n.as<tir::BufferLoad>()) check(load->indices(), false);
      if (const auto* store = n.as<tir::BufferStore>()) check(store->indices(), true);
      if (n.is<ir::Call>() && !n.to<ir::Call>().op().is<ir::Op>()) ok = false;
    });
    return ok && moves;
  }
  bool is_shifted(const Node& index, const Node& axis) {
    if (index.same_as(axis)) return true;
    if (const auto* sum = index.as<tir::Add>()) {
      bool in_a = uses_any(b_, Value(sum->a()), {axis.get()}), in_b = uses_any(b_, Value(sum->b()), {axis.get()});
      return in_a != in_b && is_shifted(in_a ? sum->a() : sum->b(), axis);
    }
    const auto* difference = index.as<tir::Sub>();
    return difference && !uses_any(b_, Value(difference->b()), {axis.get()}) && is_shifted(difference->a(), axis);
  }

  Memory memory_;
};

}  // namespace

Value sink_spatial(PassesLoop& self, const PassArgs&, const Node& function) {
  const auto& f = function.to<tir::PrimFunc>();
  return SinkSpatial(self.builder(), f.body()).function(f);
}

}  // namespace tenon::loop
