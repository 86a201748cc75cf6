// Extents that are negative for small inputs: of a window that reaches beyond its data, of a size from which another is
// taken away. Fusion and views hide them, and what is allocated for (-1) * (-1) elements is never written.
#ifndef PASSES_GRAPH_EXTENTS_H
#define PASSES_GRAPH_EXTENTS_H

#include <tenon/cxx/arith.h>

#include "passes.h"

namespace tenon::graph {

class Extents {
 public:
  explicit Extents(const PassesGraph& self) : b_(self.builder()), arith_(b_, self.arith) {}
  // Whether it is negative for some sizes of inputs, none of which is.
  bool may_be_negative(const Node& extent);

 private:
  const Builder& b_;
  Arith arith_;
  std::vector<Node> sizes_;  // variables that are known to be 0 or more
};

// y = R.nn.max_pool2d(x, ...)   ->   y_fits = R.match_cast(R.shape([T.max(h - 2, 0)]), R.Shape([h - 2])); y = ...
// wherever the type of `y` has such an extent; nothing within functions that become one loop function or another's
// code.
Node with_checked_extents(const PassesGraph& self, const Node& function);
// Whether a dimension of a match_cast is one of these: what is had is the wanted one, or 0 when that is negative.
bool is_extent_check(const Builder& b, const Node& wanted, const Node& had);

}  // namespace tenon::graph
#endif
