#include "build/canonical.h"

#include <map>
#include <set>
#include <string>

namespace tenon {

namespace {

std::string_view base_of(std::string_view name) {
  size_t end = name.find_last_not_of("0123456789");
  bool numbered = end != std::string_view::npos && end > 0 && end + 1 < name.size() && name[end] == '_';
  return numbered ? base_of(name.substr(0, end)) : name;
}

// Names for the variables and buffers of one function.
class Names {
 public:
  void keep(const Node& n, std::string_view name) {
    taken_.emplace(name);
    names_.emplace(n.get(), name);
  }
  void give(const Node& n, std::string_view name) {
    if (names_.contains(n.get())) return;
    std::string base(base_of(name)), made = base;
    for (int& i = next_[base]; taken_.contains(made);) made = base + "_" + std::to_string(++i);
    taken_.insert(made);
    names_.emplace(n.get(), made);
  }
  const std::string* find(const Node& n) const {
    auto it = names_.find(n.get());
    return it == names_.end() ? nullptr : &it->second;
  }

 private:
  std::map<const TnNode*, std::string> names_;
  std::map<std::string, int> next_;
  std::set<std::string, std::less<>> taken_;
};

std::string_view name_of_identity(const Node& n) {
  if (const auto* v = n.as<ir::Var>()) return v->name();
  if (const auto* buffer = n.as<tir::Buffer>()) return buffer->name();
  return {};
}

Node canonical_function(const Builder& b, const Node& function) {
  Names names;
  auto visit = [&](const Value& tree, auto&& act) {
    b.walk(tree, [&](const Node& n) {
      if (n.is<ir::Var>() || n.is<tir::Buffer>()) act(n);
    });
  };
  const Array* params = nullptr;
  if (const auto* f = function.as<tir::PrimFunc>()) params = &f->params();
  if (const auto* f = function.as<relax::Function>()) params = &f->params();
  auto keep = [&](const Node& n) { names.keep(n, name_of_identity(n)); };
  for (size_t i = 0; params && i < params->size(); ++i) {
    const Node& p = nodes(*params)[i];
    keep(p);
    for (uint32_t slot = 0; slot < p.slot_count(); ++slot)  // the shape, or the type
      if (p.slot(slot).is_node() || p.slot(slot).is_array()) visit(p.slot(slot), keep);
  }
  visit(Value(function), [&](const Node& n) { names.give(n, name_of_identity(n)); });
  Value made = b.rewrite(Value(function), [&](const Node& original, const Node& n) -> Value {
    const std::string* name = names.find(original);
    bool renamed = name && *name != name_of_identity(original);
    if (!renamed && !n.span()) return Value();
    std::vector<Value> slots(n.slots(), n.slots() + n.slot_count());
    if (renamed)
      slots[n.is<ir::Var>() ? uint32_t{ir::VarSlot::name} : uint32_t{tir::BufferSlot::name}] = b.string(*name);
    return Value(b.make(n.kind(), slots));
  });
  return as_node(made);
}

}  // namespace

Node canonical_module(const Builder& b, const Node& module) {
  Builder::Entries functions;
  for (const Map::Entry& e : module.to<ir::Module>().functions())
    functions.emplace_back(std::string(e.key()), Value(canonical_function(b, as_node(e.value()))));
  std::vector<Value> slots(module.slots(), module.slots() + module.slot_count());
  slots[ir::ModuleSlot::functions] = b.map(functions);
  return b.make(ir::Module::kKind, slots);
}

}  // namespace tenon
