#include "ir/verified_units.h"

namespace tenon {

constexpr uint64_t kOneWeak = uint64_t{1} << 32;

WeakNode::WeakNode(const Node& node) : node_(node.get()) {
  __atomic_fetch_add(&node.header()->counts, kOneWeak, __ATOMIC_RELAXED);
}

WeakNode::~WeakNode() {
  if (!node_) return;
  auto* header = const_cast<TnObject*>(&node_->header);
  if (__atomic_fetch_sub(&header->counts, kOneWeak, __ATOMIC_ACQ_REL) >> 32 == 1) header->deleter(header, 2);
}

void VerifiedUnits::begin(uint32_t kind, bool is_pure) {
  *this = {};
  kind_ = kind;
  is_pure_ = is_pure;
}

bool VerifiedUnits::find(const TnNode* node, bool in_dataflow, std::span<const Fact>* facts) {
  Unit* unit = units_.find(node);
  if (!unit || unit->in_dataflow != in_dataflow) return false;
  if (std::exchange(unit->round, round_) != round_) {
    ++met_;
    met_facts_ += unit->count;
  }
  *facts = {facts_.data() + unit->first, unit->count};
  return true;
}

void VerifiedUnits::close(const Node& node, bool in_dataflow) {
  Unit& unit = units_[node.get()];
  if (unit.round == 0) held_.emplace_back(node);
  if (unit.round != round_) ++met_;
  unit = {static_cast<uint32_t>(mark_), static_cast<uint32_t>(facts_.size() - mark_), round_, in_dataflow};
  met_facts_ += unit.count;
}

void VerifiedUnits::finish() {
  constexpr size_t kFew = 256;
  if (units_.size() > 2 * met_ + kFew || facts_.size() > 2 * met_facts_ + kFew) {
    PointerMap<Unit> units;
    std::vector<Fact> facts;
    std::vector<WeakNode> held;
    for (WeakNode& h : held_) {
      const Unit* unit = units_.find(h.address());
      if (unit->round != round_) continue;
      Unit& kept = units[h.address()];
      kept = *unit;
      kept.first = static_cast<uint32_t>(facts.size());
      facts.insert(facts.end(), facts_.begin() + unit->first, facts_.begin() + unit->first + unit->count);
      held.push_back(std::move(h));
    }
    units_ = std::move(units);
    facts_ = std::move(facts);
    held_ = std::move(held);
  }
  ++round_;
  met_ = met_facts_ = 0;
}

}  // namespace tenon
