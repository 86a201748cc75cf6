// Rebuilding the bindings of a graph function's sequences.
#ifndef PASSES_GRAPH_SEQUENCES_H
#define PASSES_GRAPH_SEQUENCES_H

#include <vector>

#include "passes.h"

namespace tenon::graph {

// The sequence with other bindings: each(binding, out) appends to `out` what stands in its place. Dataflow blocks go on
// to give the variables that keeps(var) says they still define. The same node when nothing changed; what is no sequence
// stays.
template <class Each, class Keeps>
Node with_bindings(const Builder& b, const Node& e, Each&& each, Keeps&& keeps) {
  auto* seq = e.as<relax::SeqExpr>();
  if (!seq) return e;
  std::vector<Node> blocks;
  bool changed = false;
  for (const Node& block : nodes(seq->blocks())) {
    auto* dataflow = block.as<relax::DataflowBlock>();
    const Array& old = dataflow ? dataflow->bindings() : block.to<relax::BindingBlock>().bindings();
    std::vector<Node> bindings;
    for (const Node& n : nodes(old)) each(n, bindings);
    bool same = bindings.size() == old.size();
    for (size_t i = 0; same && i < bindings.size(); ++i) same = bindings[i].same_as(nodes(old)[i]);
    changed = changed || !same;
    if (same) {
      blocks.push_back(block);
    } else if (!bindings.empty() && dataflow) {
      std::vector<Node> outputs;
      for (const Node& v : nodes(dataflow->outputs()))
        if (keeps(v)) outputs.push_back(v);
      blocks.push_back(b.make<relax::DataflowBlock>({b.array(bindings), b.array(outputs)}, block.span()));
    } else if (!bindings.empty()) {
      blocks.push_back(b.make<relax::BindingBlock>({b.array(bindings)}, block.span()));
    }
  }
  if (!changed) return e;
  return b.make<relax::SeqExpr>({seq->type(), b.array(blocks), seq->body()}, e.span());
}

// A binding of an `if` with sequence(branch) in place of its branches; the same node when nothing changed.
template <class Sequence>
Node with_branches(const Builder& b, const relax::VarBinding& n, Sequence&& sequence) {
  auto& branch = n.value().to<relax::If>();
  Node t = sequence(branch.then_branch()), e = sequence(branch.else_branch());
  if (t.same_as(branch.then_branch()) && e.same_as(branch.else_branch())) return Node(n.get());
  Node made = b.make<relax::If>({branch.type(), branch.condition(), t, e}, branch.span());
  return b.make<relax::VarBinding>({made, n.var()}, n.span());
}

}  // namespace tenon::graph
#endif
