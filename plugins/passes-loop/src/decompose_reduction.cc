// decompose-reduction: the initial value of a reduction gets loops of its own before the loops that reduce, so that
// these run without a test.
//
//   for i in 8: for k in 16:            for i in 8:
//     with block("c"):                    with block("c_init"): C[vi] = 0
//       vi, vk = "SR"                     for k in 16:
//       with init(): C[vi] = 0              with block("c"): C[vi] = C[vi] + A[vi, vk]
//       C[vi] = C[vi] + A[vi, vk]
//
// A block whose loops are not a plain nest, or whose condition couples both kinds of loops, keeps its init, and so does
// one whose init uses what the block allocates or a view that depends on the reduction; lower-blocks then tests for the
// first step.
#include "rewriter.h"

namespace tenon::loop {
namespace {

using Vars = std::set<const TnNode*>;

struct Nest {
  std::vector<tir::For> loops;  // from the outside
  tir::BlockRealize realize;
  tir::Block block;
};

std::optional<Nest> nest_of(const Node& stmt) {
  Nest nest;
  const Node* at = &stmt;
  while (const auto* loop = at->as<tir::For>()) {
    nest.loops.push_back(*loop);
    at = &loop->body();
  }
  const auto* realize = at->as<tir::BlockRealize>();
  if (!realize) return std::nullopt;
  nest.realize = *realize;
  nest.block = realize->block().to<tir::Block>();
  return nest;
}

class Decompose : public Rewriter {
 public:
  Decompose(const Builder& b, const TnHostArith* arith) : Rewriter(b), arith_(arith) {}

 protected:
  Node visit(const Node& n) override {
    if (n.is<tir::For>() || n.is<tir::BlockRealize>()) {
      std::optional<Nest> nest = nest_of(n);
      if (nest && !nest->block.init().is_none())
        if (Node done = decompose(*nest)) return done;
    }
    if (n.is<tir::BufferLoad>()) return n;
    if (const auto* loop = n.as<tir::For>()) outer_.insert(loop->loop_var().get());
    return children(n);
  }

 private:
  // The nest in two parts; null when that is not possible.
  Node decompose(const Nest& nest) {
    NodeRange iters = nodes(nest.block.iter_vars()), values = nodes(nest.realize.iter_values());
    Vars reduce_iters, loop_vars, reduce_loops, spatial_loops;
    for (const tir::For& loop : nest.loops) loop_vars.insert(loop.loop_var().get());
    for (size_t i = 0; i < iters.size(); ++i) {
      const auto& iter = iters[i].to<tir::IterVar>();
      if (iter.iter_kind() != TN_ITER_SPATIAL && iter.iter_kind() != TN_ITER_REDUCE) return {};
      bool reduces = iter.iter_kind() == TN_ITER_REDUCE;
      if (reduces) reduce_iters.insert(iter.var().get());
      // The reduction goes on in a loop outside of the nest.
      if (reduces && uses_any(b_, Value(values[i]), outer_)) return {};
      b_.walk(Value(values[i]), [&](const Node& n) {
        if (loop_vars.count(n.get())) (reduces ? reduce_loops : spatial_loops).insert(n.get());
      });
    }
    const Node& init = as_node(nest.block.init());
    if (uses_any(b_, Value(init), reduce_iters) || uses_any(b_, b_.array_value(nest.block.writes()), reduce_iters))
      return {};
    for (const TnNode* v : reduce_loops)
      if (spatial_loops.count(v)) return {};
    Node update = b_.with(nest.block, tir::Block::Slot::init, Value());
    update = b_.with(update, tir::Block::Slot::body, visit(nest.block.body()));
    // Without a reduction, every instance is the first.
    if (reduce_iters.empty())
      return rebuild(nest, 0,
                     b_.with(update, tir::Block::Slot::body, flat_seq(b_, {init, update.to<tir::Block>().body()})));
    size_t first = 0;
    while (first < nest.loops.size() && !reduce_loops.count(nest.loops[first].loop_var().get())) ++first;
    std::optional<Node> init_nest = make_init(nest, first, reduce_loops, reduce_iters);
    if (!init_nest) return {};

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
    Node both = flat_seq(b_, {*init_nest, rebuild(nest, first, update)});
    for (size_t i = first; i-- > 0;) both = b_.with(nest.loops[i], tir::For::Slot::body, both);
    return both;
  }

  // The loops from `first` on around a block.
  Node rebuild(const Nest& nest, size_t first, const Node& block) {
    Node body = b_.with(nest.realize, tir::BlockRealize::Slot::block, block);
    for (size_t i = nest.loops.size(); i-- > first;) body = b_.with(nest.loops[i], tir::For::Slot::body, body);
    return body;
  }

  // The views of the block that its init uses. None when they cannot stand without the reduction.
  std::optional<std::vector<Node>> views_of_init(const tir::Block& block, const Vars& reduce_iters) {
    const Value init(as_node(block.init()));
    for (const Node& buffer : nodes(block.alloc_buffers()))
      if (uses_any(b_, init, {buffer.get()})) return std::nullopt;
    std::vector<Node> out;
    for (const Node& m : nodes(block.match_buffers())) {
      const auto& match = m.to<tir::MatchBufferRegion>();
      Vars defined{match.buffer().get()};  // and perhaps the symbols of its shape
      const auto& view = match.buffer().to<tir::Buffer>();
      for (const Array& sizes : {view.shape(), view.strides()})
        for (const Node& size : nodes(sizes))
          if (size.is<ir::Var>()) defined.insert(size.get());
      if (!view.elem_offset().is_none()) defined.insert(as_node(view.elem_offset()).get());
      if (!uses_any(b_, init, defined)) continue;
      if (uses_any(b_, Value(match.source()), reduce_iters)) return std::nullopt;
      out.push_back(m);
    }
    return out;
  }

  // The loops from `first` on that do not reduce, around a block of the init alone.
  std::optional<Node> make_init(const Nest& nest, size_t first, const Vars& reduce_loops, const Vars& reduce_iters) {
    std::optional<std::vector<Node>> views = views_of_init(nest.block, reduce_iters);
    if (!views) return std::nullopt;
    std::vector<Node> from, to, reduce_vars, reduce_starts;
    std::vector<tir::For> kept;
    Arith arith(b_, arith_);
    for (size_t i = first; i < nest.loops.size(); ++i) {
      const tir::For& loop = nest.loops[i];
      if (reduce_loops.count(loop.loop_var().get())) {
        reduce_vars.push_back(loop.loop_var());
        reduce_starts.push_back(loop.min());
        continue;
      }
      // An extent that depends on a reduction loop cannot stand before it.
      if (uses_any(b_, loop.min(), reduce_loops) || uses_any(b_, loop.extent(), reduce_loops)) return std::nullopt;
      kept.push_back(loop);
      from.push_back(loop.loop_var());
      to.push_back(b_.var(loop.loop_var().to<ir::Var>().name(), loop.loop_var().dtype()));
    }
    for (const tir::For& loop : nest.loops) arith.bind_range(loop.loop_var(), loop.min(), loop.extent());
    // A condition on the reduction alone may go when its first step, if there is one, meets it.
    for (const tir::For& loop : nest.loops)
      if (reduce_loops.count(loop.loop_var().get()))
        arith.enter(b_.lt(b_.imm(0, loop.extent().dtype()), loop.extent()));
    std::vector<Node> terms, kept_terms;
    split_conjunction(nest.realize.predicate(), terms);
    for (const Node& t : terms) {
      if (!uses_any(b_, t, reduce_loops))
        kept_terms.push_back(substituted(b_, t, from, to));
      else if (!arith.can_prove(substituted(b_, t, reduce_vars, reduce_starts)))
        return std::nullopt;
    }

    std::vector<Node> iters, values, old_iters, new_iters, writes;
    NodeRange block_iters = nodes(nest.block.iter_vars()), block_values = nodes(nest.realize.iter_values());
    for (size_t i = 0; i < block_iters.size(); ++i) {
      const auto& iter = block_iters[i].to<tir::IterVar>();
      if (reduce_iters.count(iter.var().get())) continue;
      Node var = b_.var(iter.var().to<ir::Var>().name(), iter.var().dtype());
      old_iters.push_back(iter.var());
      new_iters.push_back(var);
      iters.push_back(b_.make<tir::IterVar>({iter.domain(), iter.iter_kind(), var}));
      values.push_back(substituted(b_, block_values[i], from, to));
    }
    for (const Node& w : nodes(nest.block.writes())) writes.push_back(substituted(b_, w, old_iters, new_iters));
    for (Node& view : *views) view = substituted(b_, view, old_iters, new_iters);
    Node body = substituted(b_, as_node(nest.block.init()), old_iters, new_iters);
    Node block = as_node(b_.renew(
        Value(b_.make<tir::Block>({b_.string(std::string(nest.block.name()) + "_init"), b_.array(iters), b_.array({}),
                                   b_.array(*views), b_.array({}), b_.array(writes), b_.map({}), Value(), body},
                                  nest.block.span()))));
    Node stmt = b_.make<tir::BlockRealize>({b_.array(values), conjunction(b_, kept_terms), block}, nest.realize.span());
    for (size_t i = kept.size(); i-- > 0;) {
      const tir::For& loop = kept[i];
      stmt =
          b_.make<tir::For>({substituted(b_, loop.min(), from, to), substituted(b_, loop.extent(), from, to),
                             loop.loop_kind(), b_.string(loop.thread()), b_.map_value(loop.annotations()), to[i], stmt},
                            loop.span());
    }
    return stmt;
  }

  const TnHostArith* arith_;
  Vars outer_;  // variables of loops around the nests
};

}  // namespace

Value decompose_reduction(PassesLoop& self, const PassArgs&, const Node& function) {
  return Decompose(self.builder(), self.arith()).function(function.to<tir::PrimFunc>());
}

}  // namespace tenon::loop
