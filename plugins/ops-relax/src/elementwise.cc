// Operators that compute each element from the elements at the same place.
#include <cmath>

#include "definitions.h"

namespace tenon::ops {
namespace {

// The numbers of an integer dtype, as its constants hold them: the greatest of uint64 has no positive one.
struct Range {
  int64_t least, greatest;
};
Range range_of(DLDataType t) {
  if (t.code == kDLUInt) return {0, t.bits >= 63 ? INT64_MAX : (int64_t{1} << t.bits) - 1};
  return {-(int64_t{1} << (t.bits - 2)) * 2, (int64_t{1} << (t.bits - 2)) - 1 + (int64_t{1} << (t.bits - 2))};
}

// A bound of clip for integers: the nearest one inside of it. None where every value of the dtype is inside.
std::optional<int64_t> integer_bound(const Value& given, bool lower, DLDataType t) {
  const Range range = range_of(t);
  int64_t bound = 0;
  if (given.is_int()) {
    bound = given.as_int();
  } else {
    const double x = lower ? std::ceil(given.as_float()) : std::floor(given.as_float());
    // The ends of int64 as doubles: -2^63 is one of its values, 2^63 is none.
    bound = x < -0x1p63 ? INT64_MIN : x >= 0x1p63 ? INT64_MAX : std::isnan(x) ? 0 : static_cast<int64_t>(x);
  }
  if (lower ? bound <= range.least : bound >= range.greatest) return std::nullopt;
  return std::clamp(bound, range.least, range.greatest);
}

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
  require_numbers(f);
  binary(f, [&](const Node& a, const Node& b) { return (f.b.*make)(a, b); });
}

// Also of bool: or, and and.
template <Node (Builder::*make)(const Node&, const Node&) const>
void extremum(Compute& f) {
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

// x ** y of integers, which wraps around: by squaring, one step for each bit that y may have. With a negative y it is
// the quotient 1 / x ** -y towards zero, and 0 for an x of 0.
Node integer_power(const Builder& b, const Node& x, const Node& y) {
  const DLDataType t = x.dtype();
  const bool is_signed = t.code == kDLInt;
  const Node one = b.constant_of(1, t), zero = b.constant_of(0, t);
  const Node base = b.var("base", t), exponent = b.var("exponent", t);
  std::vector<std::pair<Node, Node>> bound = {{base, x}, {exponent, y}};
  Node square = base, power = one;
  for (int64_t bit = 0; bit < t.bits - is_signed; ++bit) {
    if (bit > 0) {
      Node value = b.mul(square, square);
      square = b.var("square", t);
      bound.emplace_back(square, value);
    }
    Node shifted = b.intrinsic(t, "tir.shift_right", {exponent, b.imm(bit, t)});
    Node is_set = b.ne(b.intrinsic(t, "tir.bitwise_and", {shifted, one}), zero);
    Node value = b.select(is_set, b.mul(power, square), power);
    power = b.var("power", t);
    bound.emplace_back(power, value);
  }
  // Only 1 and -1 have whole quotients other than 0, and of these only the parity of the exponent matters.
  Node result = power;
  if (is_signed) {
    Node is_unit = b.logical_or(b.eq(base, one), b.eq(base, b.imm(-1, t)));
    result = b.select(b.logical_or(b.ge(exponent, zero), is_unit), power, zero);
  }
  for (auto it = bound.rbegin(); it != bound.rend(); ++it)
    result = b.make<tir::Let>({t, it->second, it->first, result});
  return result;
}

}  // namespace

void require_numbers(const Compute& f) {
  for (size_t i = 0; i < f.inputs(); ++i)
    if (is_bool(f.in(i).dtype))
      f.refuse(TN_ERROR_TYPE, "computes with numbers, not with bool", "convert with R.astype");
}

void require_floating(const Compute& f) {
  for (size_t i = 0; i < f.inputs(); ++i)
    if (!is_floating(f.in(i).dtype))
      f.refuse(TN_ERROR_TYPE, "needs a floating-point tensor, got " + dtype_text(f.in(i).dtype),
               "convert with R.astype");
}

void identity(Compute& f) {
  unary(f, [](const Node& x) { return x; });
}

void negative(Compute& f) {
  require_numbers(f);
  unary(f, [&](const Node& x) {
    // -1 is no number of an unsigned dtype; 0 - x would lose the sign of a floating-point zero.
    if (!is_floating(x.dtype())) return f.b.sub(f.b.constant_of(0, x.dtype()), x);
    return f.b.mul(x, f.b.constant_of(-1, x.dtype()));
  });
}

void absolute(Compute& f) {
  require_numbers(f);
  unary(f, [&](const Node& x) { return f.b.intrinsic(x.dtype(), "tir.abs", {x}); });
}

void square(Compute& f) {
  require_numbers(f);
  unary(f, [&](const Node& x) { return f.b.mul(x, x); });
}

void relu(Compute& f) {
  unary(f, [&](const Node& x) { return f.b.max(x, f.b.constant_of(0, x.dtype())); });
}

void leaky_relu(Compute& f) {
  require_floating(f);
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
  require_numbers(f);
  unary(f, [&](const Node& x) {
    Node y = x;
    for (bool lower : {true, false}) {
      const Value* given = f.attr(lower ? "min" : "max");
      if (!given) continue;
      Node bound;
      if (is_floating(x.dtype()))
        bound = f.b.real(given->as_float(), x.dtype());
      else if (auto n = integer_bound(*given, lower, x.dtype()))
        bound = f.b.imm(*n, x.dtype());
      if (bound) y = lower ? f.b.max(y, bound) : f.b.min(y, bound);
    }
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
  require_floating(f);
  unary(f, [&](const Node& x) { return f.b.intrinsic(x.dtype(), name, {x}); });
}

void add(Compute& f) { arithmetic<&Builder::add>(f); }
void subtract(Compute& f) { arithmetic<&Builder::sub>(f); }
void multiply(Compute& f) { arithmetic<&Builder::mul>(f); }
void maximum(Compute& f) { extremum<&Builder::max>(f); }
void minimum(Compute& f) { extremum<&Builder::min>(f); }
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
  require_numbers(f);
  binary(f, [&](const Node& a, const Node& b) -> Node {
    if (is_floating(a.dtype())) return f.b.div(a, b);
    return f.b.make<tir::TruncDiv>({a.dtype(), a, b});
  });
}

void power(Compute& f) {
  require_numbers(f);
  binary(f, [&](const Node& x, const Node& y) {
    return is_floating(x.dtype()) ? f.b.intrinsic(x.dtype(), "tir.pow", {x, y}) : integer_power(f.b, x, y);
  });
}

}  // namespace tenon::ops
