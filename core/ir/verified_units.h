// The bindings and statements of a function that were verified, so that they are not looked at again where they stand
// in its next state.
//
// A unit is a binding of a block or a statement of a sequence, and its facts are all that its verdict rests on beside
// itself: the variables of the function that it uses, those that it defines, and the graph functions that it calls; the
// op table, and the signatures of what it names, are the function's (VerifyCache).
// Nodes are never written and a unit's address is held, so the same address is the same tree with the same rules
// applied to it; what is left is where it stands, and that is asked anew: what it uses is in scope and not hidden by a
// dataflow block, what it defines is defined nowhere else, what a shape defined is still not in scope, and the block is
// of the same sort. Where any of this fails the unit is looked at like a new one, so that what is refused does not
// depend on what was verified before.
#ifndef TENON_CORE_IR_VERIFIED_UNITS_H
#define TENON_CORE_IR_VERIFIED_UNITS_H

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "ir/pointer_map.h"
#include "tenon/cxx/node.h"

namespace tenon {

class VerifiedUnits {
 public:
  enum class Role : uint8_t {
    kUse,          // a variable of the function around it
    kDefine,       // it is in scope after the unit
    kDefineInner,  // and is not
    kShape,        // defined by a shape, in scope after the unit
    kShapeInner,   // and not
    kCall          // of a graph function, by its site
  };
  struct Fact {
    const TnNode* node;
    const TnNode* by;  // of kDefine and kDefineInner: the node in whose slots it is defined
    Role role;
  };

  // For a function of this kind; forgets all.
  void begin(uint32_t kind, bool is_pure);
  bool is_for(uint32_t kind, bool is_pure) const { return kind_ == kind && is_pure_ == is_pure; }

  // The facts of a unit of the state before, or met in this one, that was verified in a block of this sort; false when
  // there is none. What stands in neither is not held, and its address may be another node's.
  bool find(const TnNode* unit, bool in_dataflow, std::span<const Fact>* facts);

  // Facts are added between the two.
  void open() { mark_ = facts_.size(); }
  void add(const Fact& fact) { facts_.push_back(fact); }
  std::span<Fact> opened() { return {facts_.data() + mark_, facts_.size() - mark_}; }
  void close(const Node& unit, bool in_dataflow);

  // All that was neither found nor closed since the last time is of an earlier state.
  void finish();

 private:
  struct Unit {
    uint32_t first = 0, count = 0;
    uint32_t round = 0;  // in which it was last met; 0 for none
    bool in_dataflow = false;
  };
  uint32_t kind_ = 0, round_ = 1;
  bool is_pure_ = false;
  size_t mark_ = 0;
  size_t met_ = 0, met_facts_ = 0;  // units in this round, and theirs
  PointerMap<Unit> units_;
  std::vector<Fact> facts_;
};

}  // namespace tenon
#endif
