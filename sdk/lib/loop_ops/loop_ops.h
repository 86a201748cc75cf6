// The one definition of the loop intrinsics that are functions of scalars: an evaluator by op and dtype.
//
// The interpreter runs it, `evaluate` of the plugin ops-loop folds constants with it.
#ifndef TENON_LIB_LOOP_OPS_LOOP_OPS_H
#define TENON_LIB_LOOP_OPS_LOOP_OPS_H

#include <loop_ops/scalar.h>

#include <span>
#include <string_view>

namespace tenon {

using ScalarFunction = Scalar (*)(const Scalar* args);

struct LoopOp {
  const char* id;
  int32_t arity;
  enum Result { Same, Bool } result;  // the dtype of the result: that of the first argument, or bool
  // The function for arguments of this dtype (lanes are ignored); null when the op does not take it.
  ScalarFunction (*of)(DLDataType dtype);
};

// All rows, in the order of the manifest of ops-loop.
std::span<const LoopOp> loop_ops();
// Null when no row has this id.
const LoopOp* find_loop_op(std::string_view id);

// The ops without arguments: tir.max_value, tir.min_value, tir.infinity and tir.nan of a dtype. False when there is no
// such value.
bool loop_constant(std::string_view id, DLDataType dtype, Scalar* result);

// The bits of a value read as another dtype of the same width.
Scalar reinterpret_scalar(Scalar value, DLDataType from, DLDataType to);

}  // namespace tenon
#endif
