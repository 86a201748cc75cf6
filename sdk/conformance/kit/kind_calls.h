// Nodes of the kinds that a plugin declares, and programs with them.
#ifndef TENON_CONFORMANCE_KIND_CALLS_H
#define TENON_CONFORMANCE_KIND_CALLS_H

#include "corpus.h"

namespace tenon::conformance {

struct KindCall {
  std::string name;  // "com.vendor.thing/1 of a load"
  const TnKindSchema* schema;
  Node node;
  std::vector<Node> params;  // of a function around it
  Node result;               // loop level: the buffer that an expression is stored in
  Node index;                // loop level: the loop around it
  Node operand;              // loop level: the first operand that is an expression; none when there is none
  bool proper = true;        // every operand is an expression of the node's own dtype
  bool is_graph() const { return schema->flags & TN_KIND_GRAPH; }
  bool is_statement() const { return schema->flags & TN_KIND_STMT; }
};

// At most `most` for each kind: slots are filled with what their types allow.
std::vector<KindCall> kind_calls(const Subject& subject, size_t most);
// A module whose function main computes the node, or what stands in its place.
Node program_of(const Builder& b, const KindCall& c, const Node& in_its_place);

}  // namespace tenon::conformance
#endif
