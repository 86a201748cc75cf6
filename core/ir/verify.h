// Checks a module against the rules of the IR. Every rule has an id, which ends the message: [scope].
//
// Rules of every function:
//   module             The functions of a module are functions, under names that are not empty.
//   scope              A variable or buffer is used after its definition and inside of its scope.
//   single-definition  A variable or buffer is defined in one place of a function; a node that defines it may stand in
//                      several places whose scopes do not overlap. A symbolic dimension may be met in several types.
//   owner              A variable or buffer belongs to one function.
//   global             A GlobalVar names a function of the module.
// The rules of loop functions stand in verify_loop.h.
#ifndef TENON_CORE_IR_VERIFY_H
#define TENON_CORE_IR_VERIFY_H

#include "ir/op_table.h"

namespace tenon {

// Throws TN_ERROR_VERIFY naming the function, the place and the rule. Without `ops`, calls of operators are not
// compared with their declarations. Bounded stack.
void verify_module(const Node& module, const OpTable* ops = nullptr);

// How a rule is broken. verify_module adds function and place.
struct Violation {
  const char* rule;
  std::string message;
  std::string hint = {};
};

// "the variable `n`", "the buffer `A`", "tir.For": for messages.
std::string name_of(const TnNode* node);

}  // namespace tenon
#endif
