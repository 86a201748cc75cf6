// Makes nodes: checks kind, slots and depth, fills in defaults, computes depth, hash and flags.
#ifndef TENON_CORE_IR_MAKE_H
#define TENON_CORE_IR_MAKE_H

#include <string>

#include "ir/kind_table.h"
#include "tenon/cxx/node.h"

namespace tenon {

// What is known of the tree below a node, kept in TnNode.reserved.
enum NodeFlags : uint32_t {
  kHasVariables = 1,    // a Var or Buffer stands somewhere in it
  kHasDefinitions = 2,  // it defines variables
  kDefinesOutward = 4,  // it defines variables of the enclosing scope
  kShapeDefines = 8,    // it defines when it stands in a shape context
  kIsVariable = 16,     // it is of a kind with an identity: a Var or a Buffer
  kHasNewer = 32,       // a slot or kind that came after vocabulary 1, and is used
  kHasForeign = 64      // a kind that a plugin declares
};

// What a node needs to know of a value in one of its slots. Arrays and maps do not carry it: it is computed from what
// they hold, each time a node is made, unless the caller has it.
struct Summary {
  uint64_t hash = 0;
  uint32_t depth = 0;
  uint32_t flags = 0;
  uint32_t nesting = 0;        // of arrays and maps
  bool bare_variable = false;  // a Var or Buffer, or a container with one directly in it
  bool all_nodes = false;      // a node, or an array of nodes alone
  bool all_variables = false;  // a Var or Buffer, or an array of them alone
  uint64_t places = 1;         // of values in arrays and maps: what they share counts at each of its places
};

// Throws for values that a tree cannot hold: pointers, functions, tensors, objects of plugins.
Summary summarize(const TnValue& value);
// Of an array or map, given those of its elements (of a map: of its values).
Summary summarize_container(const TnValue& container, const Summary* elements);

inline uint32_t flags_of(const TnNode* node) { return node->reserved; }

// Whether the host made the node: its kind is known then, and its slots are those of the kind.
bool is_made_by_host(const TnNode* node);

// TnHostIr.make. `known`, when not null, holds the summary of each of the given slots.
Node make_node(uint32_t kind, const TnSpan* span, const TnValue* slots, int32_t count, const Summary* known = nullptr);
// The same, taking over the references of the slots, which hold no borrowed characters; the caller keeps them when it
// throws.
Node make_node_taking(uint32_t kind, const TnSpan* span, const TnValue* slots, int32_t count);

// The value of a slot that is not given; none for the types that have no default.
TnValue slot_default(int32_t slot_type);
// True when a reader that does not know the slot loses nothing.
bool is_slot_default(int32_t slot_type, const TnValue& value);

// "an int", "a tir.For node", ...: for messages.
std::string describe(const TnValue& value);

}  // namespace tenon
#endif
