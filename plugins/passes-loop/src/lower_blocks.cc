// lower-blocks: blocks become plain statements. Iteration variables are replaced by their values, conditions become
// ifs, an init runs when every reduction stands at its start, and what a block allocates is allocated before its body.
//
//   for i in 8:                                  for i in 8:
//     with block("b"):                             if i < 5:
//       vi = axis.spatial(5, i)                       B[i] = A[i] + 1
//       where(i < 5)
//       B[vi] = A[vi] + 1
#include "rewriter.h"

namespace tenon::loop {
namespace {

class LowerBlocks : public Rewriter {
 public:
  using Rewriter::Rewriter;

 protected:
  Node visit(const Node& n) override {
    const auto* realize = n.as<tir::BlockRealize>();
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
};

}  // namespace

Value lower_blocks(PassesLoop& self, const PassArgs&, const Node& function) {
  return LowerBlocks(self.builder()).function(function.to<tir::PrimFunc>());
}

}  // namespace tenon::loop
