// The built-in functions on handles: tensors, tuples and boxed scalars that graph-level programs are lowered to.
#ifndef TENON_INTERP_BUILTINS_H
#define TENON_INTERP_BUILTINS_H

#include <span>

#include "machine.h"

namespace tenon::interp {

struct Builtin {
  const char* id;
  size_t least_args;
  bool variadic;
  DLDataType result;  // bits is 0 when there is none
  Value (*run)(Activation& act, std::span<const TnValue> args);
};

// Null when there is none of this id.
const Builtin* find_builtin(std::string_view id);

// The tensor that a value holds; fails naming `what`.
const DLTensor& expect_tensor(const TnValue& value, const std::string& what);

}  // namespace tenon::interp
#endif
