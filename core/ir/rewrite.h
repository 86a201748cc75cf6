// Rewrites trees bottom-up with bounded stack: rewrite, substitute, renew.
#ifndef TENON_CORE_IR_REWRITE_H
#define TENON_CORE_IR_REWRITE_H

#include "ir/make.h"

namespace tenon {

// Decides what becomes of each node. A node, wherever it stands, is asked about once per rewrite, and the answer holds
// at all of its places; a variable is asked about at the first of them.
class RewritePolicy {
 public:
  virtual ~RewritePolicy() = default;
  // True when nothing below changes, nor the node itself.
  virtual bool skip(const TnNode*) { return false; }
  // `rebuilt` is the node with its new children. None keeps it; else a node, or an array, which is spliced when the
  // node stands in an array.
  virtual Value replace(const TnNode* original, const TnNode* rebuilt) = 0;
  // For a variable or buffer in a slot that defines it: what is defined instead.
  virtual Value replace_definition(const TnNode* original, const TnNode* rebuilt) { return replace(original, rebuilt); }
  // What its uses become, given what stands at its definition (none: it stays).
  virtual Value replace_uses(const TnNode* original, const Value& definition) {
    static_cast<void>(original);
    return definition;
  }
};

Value rewrite_tree(const TnValue& tree, RewritePolicy& policy);

// Replaces variables and buffers where they are used, and in the shapes that would define them. In a slot that defines
// it, a variable is replaced by another variable or buffer only. Definitions whose shapes change are made anew.
Value substitute(const TnValue& tree, const Array& from, const Array& to);

// The tree with every variable and buffer that it defines made anew, for a second copy beside the first.
Value renew(const TnValue& tree);

}  // namespace tenon
#endif
