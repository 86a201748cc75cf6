// lower-blocks: blocks become plain statements. Iteration variables are replaced by their values, conditions become
// ifs, an init runs when every reduction stands at its start, and what a block allocates is allocated before its body.
//
//   for i in 8:                                  for i in 8:
//     with block("b"):                             if i < 5:
//       vi = axis.spatial(5, i)                       B[i] = A[i] + 1
//       where(i < 5)
//       B[vi] = A[vi] + 1
//
// A reduction without a step leaves its initial value:
//
//   for i in 8: for k in n:                      for i in 8:
//     with block("c"):                             if n <= 0:
//       vi, vk = "SR"                                C[i] = 0
//       with init(): C[vi] = 0                     else:
//       C[vi] = C[vi] + A[vi, vk]                    for k in n:
//                                                      if k == 0: C[i] = 0
//                                                      C[i] = C[i] + A[i, k]
#include "reduction.h"

namespace tenon::loop {
namespace {

class LowerBlocks : public Rewriter {
 public:
  using Rewriter::Rewriter;

 protected:
  Node visit(const Node& n) override {
    const auto* realize = n.as<tir::BlockRealize>();
    if (const auto* loop = n.as<tir::For>()) return visit_for(*loop);
    if (!realize) return n.is<tir::BufferLoad>() ? n : children(n);
    const auto& block = realize->block().to<tir::Block>();
    if (!block.match_buffers().empty())
      throw Error(TN_ERROR_ARGUMENT, "the block '" + std::string(block.name()) + "' still has windows", {},
                  "run passes-loop:lower-match-buffers before it");
    std::vector<Node> vars, values, stmts;
    Node at_start;
    NodeRange iters = nodes(block.iter_vars()), given = nodes(realize->iter_values());
    for (size_t i = 0; i < iters.size(); ++i) {
      const auto& iter = iters[i].to<tir::IterVar>();
      vars.push_back(iter.var());
      values.push_back(b_.cast(given[i], iter.var().dtype()));
      if (iter.iter_kind() != TN_ITER_REDUCE) continue;
      Node first = b_.eq(values.back(), b_.cast(iter.domain().to<ir::Range>().min(), values.back().dtype()));
      at_start = at_start ? b_.logical_and(at_start, first) : first;
    }
    for (const Node& buffer : nodes(block.alloc_buffers()))
      stmts.push_back(b_.make<tir::AllocBuffer>({b_.map({}), buffer}));
    if (!block.init().is_none()) {
      const Node& init = as_node(block.init());
      stmts.push_back(at_start ? b_.make<tir::IfThenElse>({at_start, init, Value()}, init.span()) : init);
    }
    stmts.push_back(block.body());
    Node body = visit(substituted(b_, flat_seq(b_, stmts), vars, values));
    if (is_constant(realize->predicate(), 1)) return body;
    return b_.make<tir::IfThenElse>({realize->predicate(), body, Value()}, realize->span());
  }

 private:
  Node visit_for(const tir::For& loop) {
    std::optional<Nest> nest = nest_at(b_, loop, outer_);
    std::optional<Node> initial;
    if (nest && nest->first == 0 && !nest->reduce_loops.empty() && may_be_empty(*nest)) initial = without_step(*nest);
    outer_.insert(loop.loop_var().get());
    if (!initial) return children(loop);
    Node empty;  // whether a loop that reduces has no step
    for (const tir::For& l : nest->loops) {
      if (!nest->reduce_loops.count(l.loop_var().get())) continue;
      std::optional<int64_t> extent = constant_of(l.extent());
      if (extent && *extent <= 0) return visit(*initial);
      if (extent) continue;
      Node none = b_.le(l.extent(), b_.imm(0, l.extent().dtype()));
      empty = empty ? b_.logical_or(empty, none) : none;
    }
    return b_.make<tir::IfThenElse>({empty, visit(*initial), children(loop)}, loop.span());
  }

  // The initial value of a nest whose first loop reduces, for when that has no step; none when nothing is written then.
  std::optional<Node> without_step(const Nest& nest) {
    if (extents_depend(b_, nest, loops_from_first(nest))) return std::nullopt;
    std::vector<Node> terms, kept;
    split_conjunction(nest.realize.predicate(), terms);
    for (const Node& t : terms) {
      if (!uses_any(b_, Value(t), nest.reduce_loops))
        kept.push_back(t);
      else if (uses_any(b_, Value(t), nest.spatial_loops))
        return std::nullopt;
    }
    return init_nest(b_, nest, kept);
  }

  Vars outer_;  // variables of loops around
};

}  // namespace

Value lower_blocks(PassesLoop& self, const PassArgs&, const Node& function) {
  return LowerBlocks(self.builder()).function(function.to<tir::PrimFunc>());
}

}  // namespace tenon::loop
