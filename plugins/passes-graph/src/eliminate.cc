// What nothing uses: bindings within functions, functions within the module.
#include <set>

#include "passes.h"

namespace tenon::graph {
namespace {

// Whether leaving the value out changes nothing but its own variable.
bool is_pure(PassesGraph& self, const Node& value) {
  auto* call = value.as<ir::Call>();
  if (!call) return !value.is<relax::If>();
  std::string_view id = op_of(value);
  if (id.empty()) return false;  // a function of the module may call something with effects
  if (id == "relax.call_tir" || id == "relax.call_dps_packed" || id == "relax.call_pure_packed") return true;
  Value record =
      tenon::call([&](TnValue* ret) { return self.ops->find(self.ops->self, std::string(id).c_str(), ret); });
  const Value* effects = record.is_map() ? record.ref<Map>().find("effects") : nullptr;
  return effects && effects->as_string() == "pure";
}

using Used = std::set<const TnNode*>;

void mark(const Builder& b, const Value& tree, Used& used) {
  b.walk(tree, [&](const Node& n) {
    if (n.is<ir::Var>()) used.insert(n.get());
  });
}

// Goes through the bindings from the last to the first, so that what is used is known when a definition is met.
Node swept(PassesGraph& self, const Node& sequence, Used& used) {
  const Builder& b = self.builder();
  auto* seq = sequence.as<relax::SeqExpr>();
  if (!seq) {
    mark(b, Value(sequence), used);
    return sequence;
  }
  mark(b, Value(seq->body()), used);
  std::vector<Node> blocks;
  bool changed = false;
  for (size_t i = seq->blocks().size(); i-- > 0;) {
    const Node& block = nodes(seq->blocks())[i];
    auto* dataflow = block.as<relax::DataflowBlock>();
    const Array& old = dataflow ? dataflow->bindings() : block.to<relax::BindingBlock>().bindings();
    std::vector<Node> kept;
    for (size_t k = old.size(); k-- > 0;) {
      const Node& binding = nodes(old)[k];
      auto* vb = binding.as<relax::VarBinding>();
      if (vb && !used.count(vb->var().get()) && is_pure(self, vb->value())) continue;
      Node made = binding;
      if (auto* branch = vb ? vb->value().as<relax::If>() : nullptr) {
        Node t = swept(self, branch->then_branch(), used), e = swept(self, branch->else_branch(), used);
        mark(b, Value(branch->condition()), used);
        if (!t.same_as(branch->then_branch()) || !e.same_as(branch->else_branch()))
          made = b.make<relax::VarBinding>(
              {b.make<relax::If>({branch->type(), branch->condition(), t, e}, branch->span()), vb->var()},
              binding.span());
      } else {
        mark(b, Value(binding), used);
      }
      changed = changed || !made.same_as(binding);
      kept.insert(kept.begin(), made);
    }
    changed = changed || kept.size() != old.size();
    if (kept.empty()) continue;
    if (kept.size() == old.size() && !changed) {
      blocks.insert(blocks.begin(), block);
    } else if (!dataflow) {
      blocks.insert(blocks.begin(), b.make<relax::BindingBlock>({b.array(kept)}, block.span()));
    } else {
      std::vector<Node> outputs;
      for (const Node& v : nodes(dataflow->outputs()))
        if (used.count(v.get())) outputs.push_back(v);
      blocks.insert(blocks.begin(), b.make<relax::DataflowBlock>({b.array(kept), b.array(outputs)}, block.span()));
    }
  }
  if (!changed) return sequence;
  return b.make<relax::SeqExpr>({seq->type(), b.array(blocks), seq->body()}, sequence.span());
}

}  // namespace

Value eliminate_dead(PassesGraph& self, const PassArgs&, const Node& function) {
  auto& f = function.to<relax::Function>();
  Used used;
  Node body = swept(self, f.body(), used);
  if (body.same_as(f.body())) return f;
  return self.builder().with(f, relax::Function::Slot::body, body);
}

Value remove_unused_functions(PassesGraph& self, const PassArgs&, const Node& module) {
  const Builder& b = self.builder();
  auto& m = module.to<ir::Module>();
  std::set<std::string, std::less<>> reached;
  std::vector<const Map::Entry*> work;
  auto attributes = [](const Node& f) -> const Map* {
    if (auto* g = f.as<relax::Function>()) return &g->attrs();
    if (auto* p = f.as<tir::PrimFunc>()) return &p->attrs();
    return nullptr;
  };
  for (const Map::Entry& e : m.functions()) {
    const Map* attrs = attributes(as_node(e.value()));
    if ((attrs && !attrs->find("global_symbol")) || !reached.insert(std::string(e.key())).second) continue;
    work.push_back(&e);
  }
  while (!work.empty()) {
    const Map::Entry* e = work.back();
    work.pop_back();
    b.walk(e->value(), [&](const Node& n) {
      auto* g = n.as<ir::GlobalVar>();
      if (!g || !reached.insert(std::string(g->name())).second) return;
      for (const Map::Entry& other : m.functions())
        if (other.key() == g->name()) work.push_back(&other);
    });
  }
  Builder::Entries kept;
  for (const Map::Entry& e : m.functions())
    if (reached.count(e.key())) kept.emplace_back(std::string(e.key()), e.value());
  if (kept.size() == m.functions().size()) return m;
  return b.with(m, ir::Module::Slot::functions, Value(b.map(kept)));
}

}  // namespace tenon::graph
