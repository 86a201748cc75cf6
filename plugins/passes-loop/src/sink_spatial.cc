// sink-spatial: the last spatial loop of a reduction moves inside of the reduction when every access then walks along
// memory, so that the innermost loop can be a vector. Each element is still summed in the same order.
//
//   for i, j, k: C[i, j] = C[i, j] + A[i, k] * B[k, j]   ->   for i, k, j: C[i, j] = C[i, j] + A[i, k] * B[k, j]
#include "rewriter.h"

namespace tenon::loop {
namespace {

using Vars = std::set<const TnNode*>;

class SinkSpatial : public Rewriter {
 public:
  using Rewriter::Rewriter;

 protected:
  Node visit(const Node& n) override {
    if (n.is<tir::BufferLoad>()) return n;
    if (n.is<tir::For>())
      if (Node moved = sink(n)) return moved;
    return children(n);
  }

 private:
  // The nest with its loop moved; null when it stays.
  Node sink(const Node& nest) {
    std::vector<tir::For> loops;
    const Node* at = &nest;
    for (; at->is<tir::For>(); at = &at->to<tir::For>().body()) loops.push_back(at->to<tir::For>());
    const auto* realize = at->as<tir::BlockRealize>();
    if (!realize || loops.size() < 2) return {};
    const auto& block = realize->block().to<tir::Block>();
    if (block.init().is_none() || !block.match_buffers().empty() || !block.alloc_buffers().empty()) return {};
    // Each axis is the variable of one loop.
    std::map<const TnNode*, const tir::IterVar*> axis_of;
    NodeRange axes = nodes(block.iter_vars()), values = nodes(realize->iter_values());
    for (size_t i = 0; i < axes.size(); ++i) {
      if (!values[i].is<ir::Var>()) {
        if (values[i].is<ir::IntImm>()) continue;
        return {};
      }
      const auto& axis = axes[i].to<tir::IterVar>();
      if (axis.iter_kind() != TN_ITER_SPATIAL && axis.iter_kind() != TN_ITER_REDUCE) return {};
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
    loops.erase(loops.begin() + static_cast<ptrdiff_t>(*last_spatial));
    Node body = b_.with(inner, tir::For::Slot::body, *at);
    for (size_t i = loops.size(); i-- > 0;) body = b_.with(loops[i], tir::For::Slot::body, body);
    return body;
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
};

}  // namespace

Value sink_spatial(PassesLoop& self, const PassArgs&, const Node& function) {
  return SinkSpatial(self.builder()).function(function.to<tir::PrimFunc>());
}

}  // namespace tenon::loop
