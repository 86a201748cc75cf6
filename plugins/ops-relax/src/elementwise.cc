// Operators that compute each element from the elements at the same place.
#include "definitions.h"

namespace tenon::ops {
namespace {

template <class F>
void unary(Compute& f, F&& value) {
  const Tensor& x = f.in(0);
  Tensor y = f.output(x.shape, x.dtype);
  f.spatial(y, f.op().substr(f.op().rfind('.') + 1), [&](const Indices& i) { return value(x(i)); });
}

template <class F>
void binary(Compute& f, F&& value, bool gives_bool = false) {
  const Tensor &x = f.in(0), &y = f.in(1);
  if (!same_dtype(x.dtype, y.dtype))
    f.refuse(TN_ERROR_TYPE, "both operands need one dtype, got " + dtype_text(x.dtype) + " and " + dtype_text(y.dtype),
             "convert one with R.astype");
  Tensor z = f.output(broadcast(f, x.shape, y.shape), gives_bool ? kBool : x.dtype);
  f.spatial(z, f.op().substr(f.op().rfind('.') + 1),
            [&](const Indices& i) { return value(broadcast_load(f, x, i), broadcast_load(f, y, i)); });
}

template <Node (Builder::*make)(const Node&, const Node&) const>
void arithmetic(Compute& f) {
  binary(f, [&](const Node& a, const Node& b) { return (f.b.*make)(a, b); });
}

template <Node (Builder::*make)(const Node&, const Node&) const>
void comparison(Compute& f) {
  binary(f, [&](const Node& a, const Node& b) { return (f.b.*make)(a, b); }, true);
}

// Truth values are bool; what else may be true is for the model to say, by a comparison.
void require_bool(Compute& f) {
  for (size_t i = 0; i < f.inputs(); ++i)
    if (!is_bool(f.in(i).dtype))
      f.refuse(TN_ERROR_TYPE, "takes bool, not " + dtype_text(f.in(i).dtype), "compare with 0 first: R.not_equal");
}

}  // namespace

void identity(Compute& f) {
  unary(f, [](const Node& x) { return x; });
}

void negative(Compute& f) {
  // -x and not 0 - x, which would lose the sign of zero.
  unary(f, [&](const Node& x) { return f.b.mul(x, f.b.constant_of(-1, x.dtype())); });
}

void absolute(Compute& f) {
  unary(f, [&](const Node& x) { return f.b.intrinsic(x.dtype(), "tir.abs", {x}); });
}

void square(Compute& f) {
  unary(f, [&](const Node& x) { return f.b.mul(x, x); });
}

void relu(Compute& f) {
  unary(f, [&](const Node& x) { return f.b.max(x, f.b.constant_of(0, x.dtype())); });
}

void leaky_relu(Compute& f) {
  double alpha = f.attr_float("alpha", 0.01);
  unary(f, [&](const Node& x) {
    Node zero = f.b.constant_of(0, x.dtype());
    return f.b.select(f.b.lt(x, zero), f.b.mul(x, f.b.constant_of(alpha, x.dtype())), x);
  });
}

void logical_not(Compute& f) {
  require_bool(f);
  unary(f, [&](const Node& x) { return f.b.logical_not(x); });
}

void clip(Compute& f) {
  unary(f, [&](const Node& x) {
    Node y = x;
    if (f.attr("min")) y = f.b.max(y, f.b.constant_of(f.attr_float("min", 0), x.dtype()));
    if (f.attr("max")) y = f.b.min(y, f.b.constant_of(f.attr_float("max", 0), x.dtype()));
    return y;
  });
}

void cast(Compute& f) {
  const Value* given = f.attr("dtype");
  if (!given) f.refuse(TN_ERROR_ARGUMENT, "needs the attribute dtype");
  DLDataType dtype =
      given->is_dtype() ? given->as_dtype() : dtype_from_text(given->as_string()).value_or(DLDataType{0, 0, 0});
  if (dtype.bits == 0) f.refuse(TN_ERROR_TYPE, "unknown dtype '" + std::string(given->as_string()) + "'");
  const Tensor& x = f.in(0);
  Tensor y = f.output(x.shape, dtype);
  f.spatial(y, "cast", [&](const Indices& i) { return f.b.cast(x(i), dtype); });
}

void where(Compute& f) {
  const Tensor &c = f.in(0), &x = f.in(1), &y = f.in(2);
  if (!is_bool(c.dtype)) f.refuse(TN_ERROR_TYPE, "the condition has dtype " + dtype_text(c.dtype) + ", needs bool");
  if (!same_dtype(x.dtype, y.dtype)) f.refuse(TN_ERROR_TYPE, "both values need one dtype");
  Tensor z = f.output(broadcast(f, c.shape, broadcast(f, x.shape, y.shape)), x.dtype);
  f.spatial(z, "where", [&](const Indices& i) {
    return f.b.select(broadcast_load(f, c, i), broadcast_load(f, x, i), broadcast_load(f, y, i));
  });
}

void intrinsic(Compute& f) {
  std::string name = "tir." + std::string(f.op().substr(f.op().rfind('.') + 1));
  unary(f, [&](const Node& x) {
    if (!is_floating(x.dtype())) f.refuse(TN_ERROR_TYPE, "needs a floating-point tensor, got " + dtype_text(x.dtype()));
    return f.b.intrinsic(x.dtype(), name, {x});
  });
}

void add(Compute& f) { arithmetic<&Builder::add>(f); }
void subtract(Compute& f) { arithmetic<&Builder::sub>(f); }
void multiply(Compute& f) { arithmetic<&Builder::mul>(f); }
void maximum(Compute& f) { arithmetic<&Builder::max>(f); }
void minimum(Compute& f) { arithmetic<&Builder::min>(f); }
void floor_divide(Compute& f) { arithmetic<&Builder::floordiv>(f); }
void floor_mod(Compute& f) { arithmetic<&Builder::floormod>(f); }
void equal(Compute& f) { comparison<&Builder::eq>(f); }
void not_equal(Compute& f) { comparison<&Builder::ne>(f); }
void less(Compute& f) { comparison<&Builder::lt>(f); }
void less_equal(Compute& f) { comparison<&Builder::le>(f); }
void greater(Compute& f) { comparison<&Builder::gt>(f); }
void greater_equal(Compute& f) { comparison<&Builder::ge>(f); }
void logical_and(Compute& f) {
  require_bool(f);
  comparison<&Builder::logical_and>(f);
}
void logical_or(Compute& f) {
  require_bool(f);
  comparison<&Builder::logical_or>(f);
}

// Integers are divided towards zero, as ONNX and PyTorch's truncating division do.
void divide(Compute& f) {
  binary(f, [&](const Node& a, const Node& b) -> Node {
    if (is_floating(a.dtype())) return f.b.div(a, b);
    return f.b.make<tir::TruncDiv>({a.dtype(), a, b});
  });
}

void power(Compute& f) {
  binary(f, [&](const Node& a, const Node& b) {
    if (!is_floating(a.dtype())) f.refuse(TN_ERROR_TYPE, "needs floating-point tensors, got " + dtype_text(a.dtype()));
    return f.b.intrinsic(a.dtype(), "tir.pow", {a, b});
  });
}

}  // namespace tenon::ops
