// Checks a module against the rules of the IR. Every rule has an id, which ends the message: [scope].
//
// Rules of every function:
//   node               Nodes are made by the host, and none stands below itself.
//   module             The functions of a module are functions, under names that are not empty.
//   scope              A variable or buffer is used after its definition and inside of its scope.
//   single-definition  A variable or buffer is defined in one place of a function; a node that defines it may stand in
//                      several places whose scopes do not overlap. A symbolic dimension may be met in several types.
//   owner              A variable or buffer belongs to one function.
//   global             A GlobalVar names a function of the module.
//   attribute          An attribute that Tenon knows has a value of its type.
//   public-name        Public functions have different names.
// The rules of loop functions stand in verify_loop.h, those of graph functions in verify_graph.h.
#ifndef TENON_CORE_IR_VERIFY_H
#define TENON_CORE_IR_VERIFY_H

#include <functional>

#include "ir/op_table.h"
#include "ir/verify_cache.h"

namespace tenon {

// What is known beside the module. All of it may be left out; then fewer mistakes are found.
struct VerifyServices {
  const OpTable* ops = nullptr;
  // Whether two integer expressions differ for every value of their variables.
  std::function<bool(const Node& a, const Node& b)> differ = {};
  // The type of a call of a graph operator whose arguments are all typed; none when it is not known. Throws where the
  // operator does not take these arguments.
  std::function<Value(const Node& call)> infer_type = {};
  // What is known to be legal from the last time; brought up to date. What it holds is looked at no further.
  VerifyCache* cache = nullptr;
};

// Throws TN_ERROR_VERIFY naming the function, the place and the rule. Bounded stack.
void verify_module(const Node& module, const VerifyServices& services);
inline void verify_module(const Node& module, const OpTable* ops = nullptr) {
  verify_module(module, VerifyServices{ops});
}

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
