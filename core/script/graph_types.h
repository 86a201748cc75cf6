// The types that the syntax of the graph level determines: reading fills them in, printing leaves them out.
#ifndef TENON_CORE_SCRIPT_GRAPH_TYPES_H
#define TENON_CORE_SCRIPT_GRAPH_TYPES_H

#include "tenon/cxx/builder.h"

namespace tenon::script {

// The type of an expression of the graph level, none when it is not known.
Value graph_type_of(const Node& e);
// The type that its parts give the expression, whatever its own slot says: a tuple of typed fields, a field of a typed
// tuple, a shape, a call that states its output types, a branch. None for all others.
Value natural_graph_type(const Builder& b, const Node& e);

bool equal_values(const Value& a, const Value& b);

}  // namespace tenon::script
#endif
