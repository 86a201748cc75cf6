#include "graph_pattern/graph_pattern.h"

namespace tenon {

Node replace_matches(const Builder& b, const Node& function,
                     const std::vector<std::pair<PatternMatch, Node>>& replacements) {
  if (replacements.empty()) return function;
  std::map<const TnNode*, const Node*> values;  // of roots; null for the other bindings of a match
  std::set<const TnNode*> gone;                 // variables
  for (const auto& [match, value] : replacements) {
    for (const Node& n : match.bindings) {
      values[n.get()] = nullptr;
      if (!n.same_as(match.bindings.back())) gone.insert(n.to<relax::VarBinding>().var().get());
    }
    values[match.bindings.back().get()] = &value;
  }
  auto new_block = [&](const Node& before, const Node& block) -> Node {
    auto* dataflow = block.as<relax::DataflowBlock>();
    const Array& old = before.is<relax::DataflowBlock>() ? before.to<relax::DataflowBlock>().bindings()
                                                         : before.to<relax::BindingBlock>().bindings();
    const Array& now = dataflow ? dataflow->bindings() : block.to<relax::BindingBlock>().bindings();
    std::vector<Node> bindings, outputs;
    bool changed = false;
    for (size_t i = 0; i < old.size(); ++i) {
      auto it = values.find(nodes(old)[i].get());
      const Node& binding = nodes(now)[i];
      changed = changed || it != values.end();
      if (it == values.end())
        bindings.push_back(binding);
      else if (it->second)
        bindings.push_back(
            b.make<relax::VarBinding>({*it->second, binding.to<relax::VarBinding>().var()}, binding.span()));
    }
    if (!changed) return block;
    if (bindings.empty()) return {};
    if (!dataflow) return b.make<relax::BindingBlock>({b.array(bindings)}, block.span());
    for (const Node& v : nodes(dataflow->outputs()))
      if (!gone.contains(v.get())) outputs.push_back(v);
    return b.make<relax::DataflowBlock>({b.array(bindings), b.array(outputs)}, block.span());
  };
  Value made = b.rewrite(Value(function), [&](const Node& original, const Node& rebuilt) -> Value {
    auto* before = original.as<relax::SeqExpr>();
    if (!before) return {};
    auto& seq = rebuilt.to<relax::SeqExpr>();
    std::vector<Node> blocks;
    bool changed = false;
    for (size_t i = 0; i < before->blocks().size(); ++i) {
      Node block = new_block(nodes(before->blocks())[i], nodes(seq.blocks())[i]);
      changed = changed || !block || !block.same_as(nodes(seq.blocks())[i]);
      if (block) blocks.push_back(block);
    }
    if (!changed) return {};
    return b.with(seq, relax::SeqExpr::Slot::blocks, Value(b.array(blocks)));
  });
  return as_node(made);
}

}  // namespace tenon
