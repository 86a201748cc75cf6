// The graph level: functions over tensors, tuples, shapes and scalars, run binding by binding on values.
//
// An operator runs as the loop function that its `compute` gives; calls of loop functions and external functions
// allocate their outputs here (destination passing).
#ifndef TENON_INTERP_GRAPH_H
#define TENON_INTERP_GRAPH_H

#include <tenon/ext/op.h>

#include "machine.h"

namespace tenon::interp {

struct GraphFunction {
  std::string name;
  Node function;  // a relax.Function
  FunctionSignature signature;
  std::unique_ptr<SignatureView> view;
};

// What a call of an operator runs. Symbols of the graph function that no tensor's shape gives are its first parameters.
struct OperatorCode {
  std::unique_ptr<Code> code;
  std::vector<Node> symbols;
};
using OperatorCodes = std::map<const TnNode*, OperatorCode>;  // by the ir.Call

// The signatures of all graph functions, and the loop function behind each call of an operator.
struct GraphProgram {
  std::map<std::string, std::unique_ptr<GraphFunction>, std::less<>> functions;
  OperatorCodes operators;
};

struct ModuleScope;
// `ops` and `context` are used for the length of the call; `ops` may be null when no operator needs it.
void compile_graph(const ModuleScope& scope, const TnHostOps* ops, const TnContext* context, const Builder& b,
                   GraphProgram& out);

// A call from outside: tensors that are only borrowed are copied when they are part of the result.
Value enter_graph(Machine& machine, const GraphFunction& function, const TnValue* args, int32_t n);
// A call from a loop function: the last arguments are the tensors that the results are copied into.
void enter_graph_with_outputs(Machine& machine, const GraphFunction& function, const TnValue* args, int32_t n);

}  // namespace tenon::interp
#endif
