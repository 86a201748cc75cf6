// The definitions of the graph operators, by subject; plugin.cc lists which id has which.
#ifndef OPS_RELAX_DEFINITIONS_H
#define OPS_RELAX_DEFINITIONS_H

#include <tenon/compute.h>

namespace tenon::ops {

// ---- Shared by several subjects (manipulate.cc)

// NumPy's broadcasting of two shapes; refuses dimensions that cannot be shown to be equal.
Shape broadcast(const Compute& f, const Shape& a, const Shape& b);
// The element of `x` that stands at `i` of a shape that x broadcasts to.
Node broadcast_load(const Compute& f, const Tensor& x, const Indices& i);
// `x` with a border of `value`: `before` and `after` elements on each axis. The tensor itself when there is no border.
Tensor padded(Compute& f, const Tensor& x, const std::vector<int64_t>& before, const Shape& after, const Node& value);

// ---- What every input must be (elementwise.cc)

// No bool, which has no arithmetic.
void require_numbers(const Compute& f);
void require_floating(const Compute& f);

// ---- Shared by reductions and pooling (reduce.cc)

// What the maximum, or the minimum, of no values is: the infinities of floating-point dtypes, else the end of the
// range.
Node least(const Compute& f, DLDataType t);
Node greatest(const Compute& f, DLDataType t);

// elementwise.cc
using UnaryBuilder = Node (*)(const Compute& f, const Node& x);
void identity(Compute& f);
void negative(Compute& f);
void absolute(Compute& f);
void square(Compute& f);
void relu(Compute& f);
void leaky_relu(Compute& f);
void logical_not(Compute& f);
void clip(Compute& f);
void cast(Compute& f);
void where(Compute& f);
// "relax.exp" is "tir.exp" of each element.
void intrinsic(Compute& f);
void add(Compute& f);
void subtract(Compute& f);
void multiply(Compute& f);
void divide(Compute& f);
void floor_divide(Compute& f);
void floor_mod(Compute& f);
void maximum(Compute& f);
void minimum(Compute& f);
void power(Compute& f);
void equal(Compute& f);
void not_equal(Compute& f);
void less(Compute& f);
void less_equal(Compute& f);
void greater(Compute& f);
void greater_equal(Compute& f);
void logical_and(Compute& f);
void logical_or(Compute& f);

// linear.cc
void matmul(Compute& f);
void batch_norm_inference(Compute& f);
void bias_add(Compute& f);

// conv.cc
void conv(Compute& f);

// pool.cc
void max_pool(Compute& f);
void max_pool_indices(Compute& f);
void avg_pool(Compute& f);

// reduce.cc
void sum(Compute& f);
void mean(Compute& f);
void product(Compute& f);
void max(Compute& f);
void min(Compute& f);
void softmax(Compute& f);
void log_softmax(Compute& f);

// manipulate.cc
void reshape(Compute& f);
void flatten(Compute& f);
void permute_dims(Compute& f);
void concat(Compute& f);
void expand_dims(Compute& f);
void squeeze(Compute& f);
void broadcast_to(Compute& f);
void shape_to_tensor(Compute& f);

}  // namespace tenon::ops
#endif
