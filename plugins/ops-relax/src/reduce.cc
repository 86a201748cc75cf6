// Reductions over chosen axes, and the softmax family built from them.
#include <algorithm>
#include <limits>

#include "definitions.h"

namespace tenon::ops {
namespace {

struct Axes {
  std::vector<bool> reduced;  // for each axis of the input
  Shape extents, shape;       // of the reduction, of the result
  bool keep;
};

// Attribute `axis`: one axis, a list, or none for all; `keepdims` leaves dimensions of 1.
Axes axes_of(const Compute& f, const Tensor& x) {
  Axes a;
  a.reduced.assign(x.rank(), !f.attr("axis"));
  for (int64_t n : f.attr_ints("axis", {})) a.reduced[f.axis(n, x.rank())] = true;
  a.keep = f.attr_int("keepdims", 0) != 0;
  for (size_t d = 0; d < x.rank(); ++d) {
    if (a.reduced[d]) a.extents.push_back(x.shape[d]);
    if (!a.reduced[d])
      a.shape.push_back(x.shape[d]);
    else if (a.keep)
      a.shape.push_back(f.dim(1));
  }
  return a;
}

// The input element for result index `i` and reduction index `r`.
Node element(const Axes& a, const Tensor& x, const Indices& i, const Indices& r) {
  Indices at;
  size_t out = 0, in = 0;
  for (size_t d = 0; d < x.rank(); ++d) {
    if (a.reduced[d]) {
      at.push_back(r[in++]);
      if (a.keep) ++out;
    } else {
      at.push_back(i[out++]);
    }
  }
  return x(at);
}

// In what the sum over `extents` is kept: in single precision ever more of each addend is lost as the sum grows, and
// 2^24 ones are as many as it can count.
DLDataType accumulator(const Compute& f, DLDataType t, const Shape& extents) {
  constexpr int64_t kFew = 256;
  if (!same_dtype(t, kFloat32)) return t;
  auto count = Compute::constant(f.simplify(f.product(extents)));
  return count && *count <= kFew ? t : make_dtype(kDLFloat, 64);
}

template <class Combine>
void reduction(Compute& f, const Node& init, Combine&& combine) {
  const Tensor& x = f.in(0);
  Axes a = axes_of(f, x);
  Tensor y = f.output(a.shape, x.dtype);
  auto value = [&](const Indices& i, const Indices& r) { return element(a, x, i, r); };
  if (a.extents.empty()) return f.spatial(y, "copy", [&](const Indices& i) { return x(i); });
  f.reduce(y, f.op().substr(f.op().rfind('.') + 1), a.extents, init, combine, value);
}

// Greatest element along one axis, then exp(x - greatest) and its sum: the parts of softmax that cannot overflow.
struct Exponentials {
  size_t axis;
  Tensor greatest, total;
};

Indices without(const Indices& i, size_t axis) {
  Indices out = i;
  out.erase(out.begin() + static_cast<long>(axis));
  return out;
}

Indices with(const Indices& i, size_t axis, const Node& at) {
  Indices out = i;
  out.insert(out.begin() + static_cast<long>(axis), at);
  return out;
}

Exponentials exponentials(Compute& f, const Tensor& x) {
  require_floating(f);
  size_t axis = f.axis(f.attr_int("axis", -1), x.rank());
  Shape shape = without(x.shape, axis);
  const DLDataType wide = accumulator(f, x.dtype, {x.shape[axis]});
  Exponentials e{axis, f.temporary("greatest", shape, x.dtype), f.temporary("total", shape, wide)};
  f.reduce(
      e.greatest, "greatest", {x.shape[axis]}, least(f, x.dtype),
      [&](const Node& a, const Node& v) { return f.b.max(a, v); },
      [&](const Indices& i, const Indices& r) { return x(with(i, axis, r[0])); });
  f.sum(e.total, "total", {x.shape[axis]}, [&](const Indices& i, const Indices& r) {
    return f.b.cast(f.b.intrinsic(x.dtype, "tir.exp", {f.b.sub(x(with(i, axis, r[0])), e.greatest(i))}), wide);
  });
  return e;
}

}  // namespace

Node least(const Compute& f, DLDataType t) {
  if (is_floating(t)) return f.b.real(-std::numeric_limits<double>::infinity(), t);
  return f.b.intrinsic(t, "tir.min_value", {});
}

Node greatest(const Compute& f, DLDataType t) {
  if (is_floating(t)) return f.b.real(std::numeric_limits<double>::infinity(), t);
  return f.b.intrinsic(t, "tir.max_value", {});
}

void sum(Compute& f) {
  require_numbers(f);
  const Tensor& x = f.in(0);
  Axes a = axes_of(f, x);
  const DLDataType wide = accumulator(f, x.dtype, a.extents);
  if (same_dtype(wide, x.dtype))
    return reduction(f, f.b.constant_of(0, x.dtype), [&](const Node& s, const Node& v) { return f.b.add(s, v); });
  Tensor total = f.temporary("total", a.shape, wide), y = f.output(a.shape, x.dtype);
  f.sum(total, "sum", a.extents,
        [&](const Indices& i, const Indices& r) { return f.b.cast(element(a, x, i, r), wide); });
  f.spatial(y, "rounded", [&](const Indices& i) { return f.b.cast(total(i), x.dtype); });
}

void product(Compute& f) {
  require_numbers(f);
  Node one = f.b.constant_of(1, f.in(0).dtype);
  reduction(f, one, [&](const Node& a, const Node& v) { return f.b.mul(a, v); });
}

void max(Compute& f) {
  reduction(f, least(f, f.in(0).dtype), [&](const Node& a, const Node& v) { return f.b.max(a, v); });
}

void min(Compute& f) {
  reduction(f, greatest(f, f.in(0).dtype), [&](const Node& a, const Node& v) { return f.b.min(a, v); });
}

// Integers are summed and divided in 64 bits: neither their sum nor their number need fit into their own dtype.
void mean(Compute& f) {
  require_numbers(f);
  const Tensor& x = f.in(0);
  Axes a = axes_of(f, x);
  Tensor y = f.output(a.shape, x.dtype);
  if (a.extents.empty()) return f.spatial(y, "copy", [&](const Indices& i) { return x(i); });
  const bool floating = is_floating(x.dtype);
  const DLDataType wide = floating ? accumulator(f, x.dtype, a.extents) : x.dtype.bits == 64 ? x.dtype : kInt64;
  Tensor total = f.temporary("total", a.shape, wide);
  f.sum(total, "sum", a.extents,
        [&](const Indices& i, const Indices& r) { return f.b.cast(element(a, x, i, r), wide); });
  Node count = f.b.cast(f.product(a.extents), wide);
  f.spatial(y, "mean", [&](const Indices& i) -> Node {
    if (floating) return f.b.cast(f.b.div(total(i), count), x.dtype);
    return f.b.cast(f.b.make<tir::TruncDiv>({wide, total(i), count}), x.dtype);
  });
}

void softmax(Compute& f) {
  const Tensor& x = f.in(0);
  Exponentials e = exponentials(f, x);
  Tensor y = f.output(x.shape, x.dtype);
  f.spatial(y, "softmax", [&](const Indices& i) {
    Indices rest = without(i, e.axis);
    return f.b.div(f.b.intrinsic(x.dtype, "tir.exp", {f.b.sub(x(i), e.greatest(rest))}),
                   f.b.cast(e.total(rest), x.dtype));
  });
}

void log_softmax(Compute& f) {
  const Tensor& x = f.in(0);
  Exponentials e = exponentials(f, x);
  Tensor y = f.output(x.shape, x.dtype);
  f.spatial(y, "log_softmax", [&](const Indices& i) {
    Indices rest = without(i, e.axis);
    return f.b.sub(f.b.sub(x(i), e.greatest(rest)),
                   f.b.intrinsic(x.dtype, "tir.log", {f.b.cast(e.total(rest), x.dtype)}));
  });
}

}  // namespace tenon::ops
