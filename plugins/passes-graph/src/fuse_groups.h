// Which bindings of a block are computed together. The rules, for values that are used inside of the block alone:
//
//  - a value and all that lies on the ways from it to the first binding that all of its uses lead to form one group, so
//    that a group has one result;
//  - elementwise, broadcast and injective functions join what reads each of their elements at most once (functions that
//    only move or cast elements join any reader), a reduction that reads each element once included;
//  - what follows a reduction, a matrix product or a convolution joins it when it reads element i for element i;
//  - a group has at most one reduction, matrix product or convolution; opaque functions are in no group;
//  - no group reaches across a binding that may have effects (in-place calls, packed calls).
//
// So no element is computed twice that was computed once before.
#ifndef PASSES_GRAPH_FUSE_GROUPS_H
#define PASSES_GRAPH_FUSE_GROUPS_H

#include <loop_analysis/loop_analysis.h>

#include "passes.h"

namespace tenon::graph {

// A binding of the block, as far as fusion looks at it.
struct FuseNode {
  struct Use {
    size_t user;  // position in the block
    LoopAccess access;
  };
  const LoopSummary* summary = nullptr;  // null: takes no part
  bool used_outside = false;
  bool has_effects = false;
  std::vector<Use> uses;  // one for each user
};

// The positions of the members of each group of at least two, in order; groups in the order of their results.
std::vector<std::vector<size_t>> fuse_groups(const std::vector<FuseNode>& nodes, size_t max_operators);

}  // namespace tenon::graph
#endif
