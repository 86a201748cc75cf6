// Atoms: what a sum is made of. Each is made once (engine.h interns them), so that equal atoms are the same pointer.
#ifndef TENON_ARITH_ATOM_H
#define TENON_ARITH_ATOM_H

#include <memory>
#include <vector>

#include "arith/linear.h"
#include "arith/modular.h"
#include "tenon/cxx/node.h"

namespace tenon::arith {

enum class Op : uint8_t {
  Leaf,      // node: a variable, or an expression that is not looked into
  Product,   // args: two or more factors, in the order of their ids; not taken to fit the dtype
  FloorDiv,  // a, b, and so on down to Max
  FloorMod,
  TruncDiv,
  TruncMod,
  Min,
  Max,
  Select,      // args[0] ? a : b
  IfThenElse,  // the same as a call that evaluates one branch
  Cast,        // a, of dtype `from`
  // Booleans; `from` is the dtype of a and b.
  GE0,  // a >= 0
  EQ0,  // a == 0
  LT,   // a < b and so on, where moving terms to one side could overflow
  LE,
  EQ,
  And,  // args
  Or,
  Not,  // args[0]
};

struct Atom {
  Atom(Op op, DLDataType dtype, DLDataType from) : op(op), dtype(dtype), from(from) {}

  Op op;
  DLDataType dtype;
  DLDataType from;
  uint32_t id = 0;
  uint32_t depth = 0;
  uint64_t key = 0;    // hash of the content with atoms by id
  uint64_t order = 0;  // hash of the content with variables by name: the same in every analyzer
  Linear a, b;
  std::vector<Atom*> args;
  Node node;  // of a Leaf; of others, what they were last emitted as

  // What bindings and constraints say (knowledge.cc).
  Interval range;
  Modular congruence;
  int8_t truth = -1;              // of a boolean: 1, 0, or -1 for not known
  std::unique_ptr<Linear> value;  // what a variable is replaced by
  std::vector<uint32_t> facts;    // those that bound this atom

  // Bounds computed at the version of the knowledge.
  uint64_t interval_version = 0;
  uint64_t modular_version = 0;
  Interval interval;
  Modular modular;

  bool is_variable() const { return op == Op::Leaf && node.is<ir::Var>(); }
};

}  // namespace tenon::arith
#endif
