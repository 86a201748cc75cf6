// What the passes of this plugin share: top-down rewriting of statements, and small questions about them.
#ifndef TENON_PASSES_LOOP_REWRITER_H
#define TENON_PASSES_LOOP_REWRITER_H

#include <tenon/cxx/arith.h>
#include <tenon/pass_plugin.h>

#include <map>
#include <optional>
#include <set>
#include <vector>

namespace tenon::loop {

struct PassesLoop : PluginInstance {
  using PluginInstance::PluginInstance;
  const TnHostArith* arith() const { return &service<TnHostArith>().required(); }
};

// Rebuilds a tree from the top, so that a derived class knows what stands around a node. Nodes whose children do not
// change are kept.
class Rewriter {
 public:
  explicit Rewriter(const Builder& b) : b_(b) {}
  virtual ~Rewriter() = default;
  // The function with another body; the same node when the body stays.
  Node function(const tir::PrimFunc& f) {
    Node body = visit(f.body());
    return body.same_as(f.body()) ? static_cast<const Node&>(f) : b_.with(f, tir::PrimFunc::Slot::body, body);
  }

 protected:
  // What becomes of a node. The default visits its children.
  virtual Node visit(const Node& n) { return children(n); }
  Node children(const Node& n);
  const Builder& b_;

 private:
  std::optional<Value> changed(const Value& v);
};

// The statements of a list without nested lists and statements that do nothing; `pass` when nothing is left.
Node flat_seq(const Builder& b, const std::vector<Node>& stmts);
bool is_nothing(const Node& stmt);
bool is_constant(const Node& e, int64_t value);
std::optional<int64_t> constant_of(const Node& e);

// Whether any of the variables stands in the tree.
bool uses_any(const Builder& b, const Value& tree, const std::set<const TnNode*>& vars);
Node substituted(const Builder& b, const Node& tree, const std::vector<Node>& from, const std::vector<Node>& to);
// The same as a copy beside the first: everything that the tree defines is made anew.
Node copy_with(const Builder& b, const Node& tree, const std::vector<Node>& from, const std::vector<Node>& to);
// The terms of a conjunction, and back.
void split_conjunction(const Node& condition, std::vector<Node>& out);
Node conjunction(const Builder& b, const std::vector<Node>& terms);
// The strides that a buffer declares, or the row-major ones of its shape; int64.
std::vector<Node> strides_of(const Builder& b, const tir::Buffer& buffer);

// ---- The passes, one file each. Each takes a tir.PrimFunc and returns it as it is after the pass.
Value inline_elementwise(PassesLoop& self, const PassArgs& args, const Node& function);
Value sink_spatial(PassesLoop& self, const PassArgs& args, const Node& function);
Value decompose_reduction(PassesLoop& self, const PassArgs& args, const Node& function);
Value lower_match_buffers(PassesLoop& self, const PassArgs& args, const Node& function);
Value lower_blocks(PassesLoop& self, const PassArgs& args, const Node& function);
Value simplify(PassesLoop& self, const PassArgs& args, const Node& function);
Value vectorize_loops(PassesLoop& self, const PassArgs& args, const Node& function);
Value unroll_loops(PassesLoop& self, const PassArgs& args, const Node& function);
Value flatten_buffers(PassesLoop& self, const PassArgs& args, const Node& function);

}  // namespace tenon::loop
#endif
