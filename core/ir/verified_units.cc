#include "ir/verified_units.h"

#include <utility>

namespace tenon {

void VerifiedUnits::begin(uint32_t kind, bool is_pure) {
  *this = {};
  kind_ = kind;
  is_pure_ = is_pure;
}

bool VerifiedUnits::find(const TnNode* node, bool in_dataflow, std::span<const Fact>* facts) {
  Unit* unit = units_.find(node);
  if (!unit || unit->round + 1 < round_ || unit->in_dataflow != in_dataflow) return false;
  if (std::exchange(unit->round, round_) != round_) {
    ++met_;
    met_facts_ += unit->count;
  }
  *facts = {facts_.data() + unit->first, unit->count};
  return true;
}

void VerifiedUnits::close(const Node& node, bool in_dataflow) {
  Unit& unit = units_[node.get()];
  if (unit.round != round_) ++met_;
  unit = {static_cast<uint32_t>(mark_), static_cast<uint32_t>(facts_.size() - mark_), round_, in_dataflow};
  met_facts_ += unit.count;
}

void VerifiedUnits::finish() {
  constexpr size_t kFew = 256;
  if (units_.size() > 2 * met_ + kFew || facts_.size() > 2 * met_facts_ + kFew) {
    PointerMap<Unit> units;
    std::vector<Fact> facts;
    units_.for_each([&](const void* node, const Unit& unit) {
      if (unit.round != round_) return;
      Unit& kept = units[node];
      kept = unit;
      kept.first = static_cast<uint32_t>(facts.size());
      facts.insert(facts.end(), facts_.begin() + unit.first, facts_.begin() + unit.first + unit.count);
    });
    units_ = std::move(units);
    facts_ = std::move(facts);
  }
  ++round_;
  met_ = met_facts_ = 0;
}

}  // namespace tenon
