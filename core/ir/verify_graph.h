// The rules of graph functions (relax.Function), each checked at one node and what stands directly below it.
//
//   graph-level      A slot holds what belongs there: a binding, a block, an expression of the graph level, a type.
//   type             The extents of a tensor type are int64 expressions, none negative, as many as `ndim` says.
//   parameter        A parameter has a type.
//   symbol           A symbolic dimension is introduced by a parameter or a match_cast, not by a binding's type.
//   binding-type     A bound variable has the type of its value.
//   match-cast       A match_cast may hold: the value is not already known to be of another type.
//   dataflow         What a dataflow block binds is used outside of it only when it is one of its outputs; an output
//                    is bound in the block; there is no branch and no effect in the block.
//   purity           A pure function calls nothing that has effects.
//   branch           The condition of a branch is one bool; both of its sides have one type.
//   return-type      The result of a function has the type that the function declares.
//   tuple            A tuple has the type of its fields; a field of a tuple is one that there is.
//   constant         The bytes of a constant are as many as its type needs.
//   scalar           A relax.PrimValue holds a scalar, of the dtype that its type says.
//   shape            The values of a shape are integers.
//   expression-type  An expression has the type that its parts give it.
//   call-target      What is called is an operator, a function of the module, an external function or a value that
//                    is a function.
//   call-operator    An operator is known, of the graph level, and takes these arguments and attributes.
//   operator-type    A call of an operator has the type that the operator gives for its arguments.
//   call-arguments   The arguments of a function of the module agree with its parameters, and the result with its own.
//   destination      A call in destination-passing style names a function, a tuple of arguments and, with shape and
//                    dtype, every output.
//   in-place         inplace_indices gives each output an argument of its type, which is no constant, or -1.
//   call-packed      A packed call names an external function.
//   recursion        A function that calls itself, over others or not, declares the type of its result.
//
// A mismatch of types is a mistake only where it can be proved (verify_types.h).
#ifndef TENON_CORE_IR_VERIFY_GRAPH_H
#define TENON_CORE_IR_VERIFY_GRAPH_H

#include <map>
#include <set>

#include "ir/call_memo.h"
#include "ir/verify_loop.h"
#include "ir/verify_types.h"

namespace tenon {

// Which graph functions call which, over a whole module.
class CallGraph {
 public:
  // `site` is kept alive by the module.
  void add(std::string_view caller, std::string_view callee, const TnNode* site);
  // A call by which the function comes back to itself; null when there is none.
  const TnNode* cycle(std::string_view function) const;
  // What a function calls, and where.
  std::vector<std::pair<std::string, const TnNode*>> of(std::string_view caller) const;

 private:
  std::map<std::string, std::map<std::string, const TnNode*, std::less<>>, std::less<>> calls_;
};

class GraphRules {
 public:
  // `in_scope` tells whether a variable is defined where the walk stands.
  GraphRules(const ir::Module& module, const VerifyServices& services, LoopRules& loop, CallGraph& calls,
             CallMemo& right, std::function<bool(const TnNode*)> in_scope)
      : module_(module),
        services_(services),
        types_(services),
        loop_(loop),
        calls_(calls),
        right_(right),
        in_scope_(std::move(in_scope)) {}

  void begin(std::string_view name, const relax::Function& function);
  // The following throw Violation. `parent` is the node in whose slots it stands, or null.
  void check(const Node& node, const TnNode* parent);
  void leave(const Node& node);
  void check_definition(const Node& variable);
  void check_use(const TnNode* variable);
  bool is_in_dataflow() const { return !dataflow_.empty(); }
  bool is_hidden(const TnNode* variable) {
    char* hidden = hidden_.find(variable);
    return hidden && *hidden;
  }

 private:
  // verify_graph.cc
  void check_function(const relax::Function& f) const;
  void check_tensor_type(const relax::TensorType& type) const;
  void check_extents(const Value& listed, int64_t ndim, const char* of, bool may_be_negative) const;
  void check_binding(const relax::VarBinding& binding);
  void check_symbols(const Node& type, const Node& var) const;
  void check_match_cast(const relax::MatchCast& cast) const;
  void check_if(const relax::If& branch) const;
  void check_tuple(const relax::Tuple& tuple) const;
  void check_tuple_item(const relax::TupleGetItem& item) const;
  void check_scalar(const relax::PrimValue& value) const;
  void check_own_type(const Node& expression, const Value& natural) const;
  void end_dataflow(const relax::DataflowBlock& block);

  // verify_graph_calls.cc
  struct Operand {  // of a call in destination-passing style: an argument or an output
    Value type;     // a type node, a dtype, or none
    Node value;     // null for an output
    std::string what;
  };
  void check_call(const ir::Call& call);
  void check_call_of(const ir::Call& call, std::string_view op);
  bool has_effects(const ir::Call& call) const;
  void check_operator(const ir::Call& call, std::string_view id) const;
  void check_graph_call(const ir::Call& call, std::string_view name);
  void check_destination_call(const ir::Call& call, std::string_view form) const;
  void check_in_place(const ir::Call& call, const std::vector<Operand>& inputs, std::vector<Operand>& outputs) const;
  void check_loop_arguments(std::string_view name, const tir::PrimFunc& callee, const std::vector<Operand>& operands,
                            size_t outputs) const;
  void check_packed(const ir::Call& call, std::string_view form) const;
  // False when a tuple whose fields are not known is among them.
  bool flatten_arguments(const Node& expression, std::vector<Operand>& out) const;
  bool is_constant(const Node& value) const { return value.is<ir::Constant>() || constants_.contains(value.get()); }
  const Node* function_named(std::string_view name) const;

  const ir::Module& module_;
  const VerifyServices& services_;
  TypeRelation types_;
  LoopRules& loop_;
  CallGraph& calls_;
  CallMemo& right_;  // calls of operators and in destination-passing style that are right in this module
  std::function<bool(const TnNode*)> in_scope_;
  std::string name_;
  bool is_pure_ = false;
  std::vector<const TnNode*> dataflow_;  // the blocks that the walk stands in
  std::set<const TnNode*> constants_;    // variables that are bound to a constant, over others or not
  PointerMap<char> hidden_;              // 1: bound in a dataflow block that has ended, and none of its outputs
};

}  // namespace tenon
#endif
