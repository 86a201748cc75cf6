#include "ir/verify_cache.h"

namespace tenon {
namespace {

constexpr uint64_t kOneWeak = uint64_t{1} << 32;

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

WeakNode::WeakNode(const Node& node) : node_(node.get()) {
  __atomic_fetch_add(&node.header()->counts, kOneWeak, __ATOMIC_RELAXED);
}

WeakNode::~WeakNode() {
  if (!node_) return;
  auto* header = const_cast<TnObject*>(&node_->header);
  if (__atomic_fetch_sub(&header->counts, kOneWeak, __ATOMIC_ACQ_REL) >> 32 == 1) header->deleter(header, 2);
}

void VerifyCache::Entry::refers_to(std::string_view name, const Node& callee) {
  if (!callees.contains(name)) callees.emplace(name, signature_of(callee));
}

std::optional<VerifyCache::Entry> VerifyCache::take(std::string_view name, const Node& function,
                                                    const ir::Module& module) {
  auto it = entries_.find(name);
  if (it == entries_.end() || !it->second.function.is(function)) return std::nullopt;
  for (const auto& [callee, known] : it->second.callees) {
    const Value* now = module.functions().find(callee);
    if (!now || !now->is_node()) return std::nullopt;
    std::vector<Value> seen = signature_of(as_node(*now));
    if (seen.size() != known.size()) return std::nullopt;
    for (size_t i = 0; i < seen.size(); ++i)
      if (!is_same(seen[i], known[i])) return std::nullopt;
  }
  Entry found = std::move(it->second);
  entries_.erase(it);
  return found;
}

}  // namespace tenon
