// The rules of loop functions (tir.PrimFunc), each checked at one node and what stands directly below it.
//
//   level            A slot holds what belongs there: a statement, an expression that carries a dtype, a buffer, ...
//   dtype-operands   The operands of a binary operation, and the values of a choice, have one dtype, which is no
//                    handle; arithmetic is not done on bool.
//   dtype-result     An expression has the dtype that its operands give.
//   condition-bool   Conditions and predicates are bool.
//   index-integer    Indices, extents and bounds are integers; only the last index may be a vector.
//   index-rank       A buffer is indexed with as many indices as it has dimensions.
//   store-dtype      A stored value has the dtype of its buffer.
//   bind-dtype       A bound variable has the dtype of its value.
//   loop-variable    The variable of a loop or axis is an integer; bounds and values have its dtype.
//   loop-kind        A loop's kind is known; a thread is named exactly when it is bound.
//   statement-place  Bind, AllocBuffer and DeclBuffer stand directly in a Seq.
//   constant-range   An integer constant lies in the range of its dtype; a float constant has a float dtype.
//   constant         A buffer over a constant takes no more than the bytes that there are, and is not stored to.
//   view             A declared buffer fits into the memory that it views, where the sizes of both are constant.
//   vector-lanes     Ramp and Broadcast make lanes of a scalar: 2 or more.
//   buffer           A buffer has a dtype, integer extents, and strides for all dimensions or none.
//   parameter        A parameter is a buffer or a variable with a dtype; a function returns nothing or a handle.
//   block-axes       A block is realized with one value for each of its axes; axis kinds are known.
//   block-region     A region has a range for each dimension of its buffer.
//   block-init       Only a block with a reduction axis has an init.
//   call-target      What is called is an operator, a function of the module, or an external function.
//   call-arguments   The arguments of a function of the module agree with its parameters.
//   call-packed      tir.call_packed names the external function in its first argument.
//   call-operator    An operator is known, of the loop level, and takes these arguments and attributes.
//   call-dtype       The arguments of an operator have one dtype, of those that its manifest says it takes.
#ifndef TENON_CORE_IR_VERIFY_LOOP_H
#define TENON_CORE_IR_VERIFY_LOOP_H

#include <map>

#include "ir/verify.h"

namespace tenon {

class LoopRules {
 public:
  LoopRules(const ir::Module& module, const OpTable* ops) : module_(module), ops_(ops) {}

  // Throws Violation. `parent` is the node in whose slots it stands, or null.
  void check(const Node& node, const TnNode* parent);
  void check_definition(const Node& variable) const;

 private:
  void check_call(const ir::Call& call) const;
  void check_function_call(const ir::Call& call, std::string_view name) const;
  void check_operator_call(const ir::Call& call, std::string_view id) const;

  void add_memory(const Node& buffer);
  void add_view(const Node& buffer, const Node& data);
  void check_written_memory(const tir::BufferStore& store) const;
  void check_view(const tir::DeclBuffer& declared) const;

  const ir::Module& module_;
  const OpTable* ops_;
  // Of each buffer that the walk has met: the parameter, allocation or constant whose memory it is. What is not known
  // is not in it, such as what stands in a part of the function that is known to be right.
  std::map<const TnNode*, const TnNode*> memory_;
};

}  // namespace tenon
#endif
