// What the passes that move the loops of a reduction ask about a block in a plain nest of loops.
#ifndef TENON_PASSES_LOOP_REDUCTION_H
#define TENON_PASSES_LOOP_REDUCTION_H

#include "rewriter.h"

namespace tenon::loop {

using Vars = std::set<const TnNode*>;

// A block with an init in a plain nest of loops.
struct Nest {
  std::vector<tir::For> loops;  // from the outside
  tir::BlockRealize realize;
  tir::Block block;
  Vars reduce_iters;                 // the axes that reduce
  Vars reduce_loops, spatial_loops;  // the loops of the nest that the axes of either kind use
  bool other_iters = false;          // an axis is neither spatial nor reduces
  size_t first = 0;                  // the first loop that reduces; the number of loops when there is none
};

// The nest that begins with a statement. None when it is no plain nest around a block with an init, when a loop serves
// an axis that reduces and another, or when a reduction goes on in a loop of `outer`.
std::optional<Nest> nest_at(const Builder& b, const Node& stmt, const Vars& outer);

// Whether a loop that reduces may have no step.
bool may_be_empty(const Nest& nest);
// Whether an extent or a start from the first loop that reduces on depends on a loop of these.
bool extents_depend(const Builder& b, const Nest& nest, const Vars& loops);
// The variables of the loops from the first that reduces on.
Vars loops_from_first(const Nest& nest);

// The loops that do not reduce, from the first that reduces on, around a block of the init alone. `terms` is the
// condition without what depends on the reduction. None when the init cannot stand without the reduction.
std::optional<Node> init_nest(const Builder& b, const Nest& nest, const std::vector<Node>& terms);

// The memory that each view of a function is part of.
class Memory {
 public:
  Memory(const Builder& b, const Node& body);
  const TnNode* of(const Node& buffer) const;

 private:
  std::map<const TnNode*, const TnNode*> source_;
};

// Whether the init and the body of the block, at two points that differ in one of `loops`, touch nothing in common
// that the other writes: each buffer that the init stores (with `all`, that the block stores) is accessed at one index
// alone, which tells the points apart, and the init reads nothing that the block stores elsewhere.
bool points_are_apart(const Builder& b, const Nest& nest, const std::vector<tir::For>& loops, const Memory& memory,
                      bool all);

// The coefficients of the variables in a linear expression; none when it is not linear in them.
std::optional<std::map<const TnNode*, int64_t>> linear_in(const Builder& b, const Node& e, const Vars& vars);

}  // namespace tenon::loop
#endif
