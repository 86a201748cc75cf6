// decompose-reduction: the initial value of a reduction gets loops of its own before the loops that reduce, so that
// these run without a test.
//
//   for i in 8: for k in 16:            for i in 8:
//     with block("c"):                    with block("c_init"): C[vi] = 0
//       vi, vk = "SR"                     for k in 16:
//       with init(): C[vi] = 0              with block("c"): C[vi] = C[vi] + A[vi, vk]
//       C[vi] = C[vi] + A[vi, vk]
//
// A block keeps its init, and lower-blocks then tests for the first step, where
//  - its loops are not a plain nest, or a condition or an extent couples both kinds of loops;
//  - its init uses what the block allocates or a view that depends on the reduction;
//  - the first step is not shown to be the one at which the reduction starts;
//  - a spatial loop lies inside of the reduction and its points are not shown to be apart, or a loop that no axis uses
//    lies there and repeats the start.
#include "reduction.h"

namespace tenon::loop {
namespace {

class Decompose : public Rewriter {
 public:
  Decompose(const Builder& b, const TnHostArith* arith, const Node& body)
      : Rewriter(b), arith_(arith), memory_(b, body) {}

 protected:
  Node visit(const Node& n) override {
    if (n.is<tir::For>() || n.is<tir::BlockRealize>()) {
      std::optional<Nest> nest = nest_at(b_, n, outer_);
      if (nest && !nest->other_iters)
        if (Node done = decompose(*nest)) return done;
    }
    if (n.is<tir::BufferLoad>()) return n;
    if (const auto* loop = n.as<tir::For>()) outer_.insert(loop->loop_var().get());
    return children(n);
  }

 private:
  // The nest in two parts; null when that is not possible.
  Node decompose(const Nest& nest) {
    if (uses_any(b_, Value(as_node(nest.block.init())), nest.reduce_iters) ||
        uses_any(b_, b_.array_value(nest.block.writes()), nest.reduce_iters))
      return {};
    std::optional<std::vector<Node>> terms = terms_without_reduction(nest);
    if (!terms || !starts_once(nest) || !may_come_first(nest)) return {};
    Node update = b_.with(nest.block, tir::Block::Slot::init, Value());
    update = b_.with(update, tir::Block::Slot::body, visit(nest.block.body()));
    // Without a reduction, every instance is the first.
    if (nest.reduce_iters.empty())
      return rebuild(nest, 0,
                     b_.with(update, tir::Block::Slot::body,
                             flat_seq(b_, {as_node(nest.block.init()), update.to<tir::Block>().body()})));
    std::optional<Node> init = init_nest(b_, nest, *terms);
    if (!init) return {};

    // The update reads what it adds to.
    std::vector<Node> reads;
    for (const Node& r : nodes(nest.block.reads())) reads.push_back(r);
    for (const Node& w : nodes(nest.block.writes())) {
      bool listed = false;
      for (const Node& r : reads)
        listed = listed || r.to<tir::BufferRegion>().buffer().same_as(w.to<tir::BufferRegion>().buffer());
      if (!listed) reads.push_back(w);
    }
    update = b_.with(update, tir::Block::Slot::reads, b_.array(reads));
    Node both = flat_seq(b_, {*init, rebuild(nest, nest.first, update)});
    for (size_t i = nest.first; i-- > 0;) both = b_.with(nest.loops[i], tir::For::Slot::body, both);
    return both;
  }

  // The loops from `first` on around a block.
  Node rebuild(const Nest& nest, size_t first, const Node& block) {
    Node body = b_.with(nest.realize, tir::BlockRealize::Slot::block, block);
    for (size_t i = nest.loops.size(); i-- > first;) body = b_.with(nest.loops[i], tir::For::Slot::body, body);
    return body;
  }

  // The terms of the condition that remain before the reduction; none when the first step might not meet another.
  std::optional<std::vector<Node>> terms_without_reduction(const Nest& nest) {
    std::vector<Node> terms, kept, vars, starts;
    Vars spatial = loops_from_first(nest);
    Arith arith(b_, arith_);
    for (const tir::For& loop : nest.loops) arith.bind_range(loop.loop_var(), loop.min(), loop.extent());
    // A condition on the reduction alone may go when its first step, if there is one, meets it.
    for (const tir::For& loop : nest.loops) {
      if (!nest.reduce_loops.count(loop.loop_var().get())) continue;
      arith.enter(b_.lt(b_.imm(0, loop.extent().dtype()), loop.extent()));
      vars.push_back(loop.loop_var());
      starts.push_back(loop.min());
      spatial.erase(loop.loop_var().get());
    }
    split_conjunction(nest.realize.predicate(), terms);
    for (const Node& t : terms) {
      if (!uses_any(b_, Value(t), nest.reduce_loops))
        kept.push_back(t);
      else if ((may_be_empty(nest) && uses_any(b_, Value(t), spatial)) ||
               !arith.can_prove(substituted(b_, t, vars, starts)))
        return std::nullopt;
    }
    return kept;
  }

  // Whether the axes that reduce stand at the start of their domains at the first step, and at no other.
  bool starts_once(const Nest& nest) {
    // Each loop that reduces begins anew at every step of those around it, and has steps then.
    if (extents_depend(b_, nest, may_be_empty(nest) ? loops_from_first(nest) : nest.reduce_loops)) return false;
    Arith arith(b_, arith_);
    std::vector<Node> axes, values, vars, starts;
    for (const tir::For& loop : nest.loops) {
      arith.bind_range(loop.loop_var(), loop.min(), loop.extent());
      if (!nest.reduce_loops.count(loop.loop_var().get())) continue;
      vars.push_back(loop.loop_var());
      starts.push_back(loop.min());
    }
    NodeRange iters = nodes(nest.block.iter_vars()), given = nodes(nest.realize.iter_values());
    Vars grow;  // the loops that take an axis away from the start
    std::vector<Node> at_start;
    for (size_t i = 0; i < iters.size(); ++i) {
      const auto& iter = iters[i].to<tir::IterVar>();
      if (nest.reduce_iters.count(iter.var().get())) {
        const Node start = substituted(b_, b_.cast(iter.domain().to<ir::Range>().min(), kInt64), axes, values);
        const Node value = b_.cast(given[i], kInt64);
        if (!arith.can_prove_equal(arith.simplify(substituted(b_, value, vars, starts)),
                                   arith.simplify(substituted(b_, start, vars, starts))))
          return false;
        at_start.push_back(b_.eq(value, start));
        auto factors = linear_in(b_, given[i], nest.reduce_loops);
        bool rises = factors.has_value() && !uses_any(b_, Value(start), nest.reduce_loops);
        if (rises)
          for (const auto& [var, factor] : *factors) rises = rises && factor >= 0;
        if (rises)
          for (const auto& [var, factor] : *factors)
            if (factor > 0) grow.insert(var);
      }
      axes.push_back(iter.var());
      values.push_back(given[i]);
    }
    for (const Node& e : at_start) arith.enter(e);
    for (const tir::For& loop : nest.loops) {
      if (!nest.reduce_loops.count(loop.loop_var().get()) || grow.count(loop.loop_var().get())) continue;
      if (!is_constant(loop.extent(), 1) && !arith.can_prove(b_.le(loop.loop_var(), loop.min()))) return false;
    }
    return true;
  }

  // Whether the init of all points that lie inside of the reduction may come before the update of any.
  bool may_come_first(const Nest& nest) {
    std::vector<tir::For> inside;
    for (size_t i = nest.first; i < nest.loops.size(); ++i) {
      const TnNode* var = nest.loops[i].loop_var().get();
      if (nest.reduce_loops.count(var) || is_constant(nest.loops[i].extent(), 1)) continue;
      if (!nest.spatial_loops.count(var)) return false;  // each of its steps starts the reduction anew
      inside.push_back(nest.loops[i]);
    }
    return inside.empty() || points_are_apart(b_, nest, inside, memory_, false);
  }

  const TnHostArith* arith_;
  Memory memory_;
  Vars outer_;  // variables of loops around the nests
};

}  // namespace

Value decompose_reduction(PassesLoop& self, const PassArgs&, const Node& function) {
  const auto& f = function.to<tir::PrimFunc>();
  return Decompose(self.builder(), self.arith(), f.body()).function(f);
}

}  // namespace tenon::loop
