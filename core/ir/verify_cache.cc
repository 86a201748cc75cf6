#include "ir/verify_cache.h"

namespace tenon {
namespace {

// The slots of a function that its callers depend on: all but the body.
std::vector<Value> signature_of(const Node& function) {
  uint32_t body = function.is<tir::PrimFunc>()     ? uint32_t{tir::PrimFuncSlot::body}
                  : function.is<relax::Function>() ? uint32_t{relax::FunctionSlot::body}
                                                   : UINT32_MAX;
  std::vector<Value> out{Value(static_cast<int64_t>(function.kind()))};
  for (uint32_t i = 0; i < function.slot_count(); ++i)
    if (i != body) out.push_back(function.slot(i));
  return out;
}

bool is_same(const Value& a, const Value& b) {
  const TnValue &x = a.raw(), &y = b.raw();
  return x.type_index == y.type_index && x.small_size == y.small_size && x.as.i == y.as.i;
}

}  // namespace

void VerifyCache::Entry::refers_to(std::string_view name, const Node& callee) {
  if (!callees.contains(name)) callees.emplace(name, signature_of(callee));
}

bool VerifyCache::still_holds(const Entry& entry, const ir::Module& module) {
  for (const auto& [callee, known] : entry.callees) {
    const Value* now = module.functions().find(callee);
    if (!now || !now->is_node()) return false;
    std::vector<Value> seen = signature_of(as_node(*now));
    if (seen.size() != known.size()) return false;
    for (size_t i = 0; i < seen.size(); ++i)
      if (!is_same(seen[i], known[i])) return false;
  }
  return true;
}

std::optional<VerifyCache::Entry> VerifyCache::take(std::string_view name, const Node& function,
                                                    const ir::Module& module) {
  auto it = entries_.find(name);
  if (it == entries_.end() || !it->second.function.same_as(function) || !still_holds(it->second, module))
    return std::nullopt;
  Entry found = std::move(it->second);
  entries_.erase(it);
  return found;
}

VerifyCache::Entry VerifyCache::take_units(std::string_view name, const Node& function, const ir::Module& module) {
  Entry fresh(function);
  auto* graph = function.as<relax::Function>();
  fresh.units.begin(function.kind(), graph && graph->is_pure());
  auto it = entries_.find(name);
  if (it == entries_.end() || !it->second.units.is_for(function.kind(), graph && graph->is_pure()) ||
      !still_holds(it->second, module))
    return fresh;
  // What they name is not kept for each: the function depends on all that any of them has named.
  fresh.units = std::move(it->second.units);
  fresh.callees = std::move(it->second.callees);
  entries_.erase(it);
  return fresh;
}

}  // namespace tenon
