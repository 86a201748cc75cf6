// Operators that move elements without changing them, and the helpers about shapes.
#include "definitions.h"

namespace tenon::ops {

Shape broadcast(const Compute& f, const Shape& a, const Shape& b) {
  const Shape &longer = a.size() >= b.size() ? a : b, &shorter = a.size() >= b.size() ? b : a;
  Shape out = longer;
  for (size_t d = 0; d < shorter.size(); ++d) {
    Node& o = out[longer.size() - shorter.size() + d];
    const Node& s = shorter[d];
    if (Compute::is_one(s) || f.same(o, s)) continue;
    if (!Compute::is_one(o))
      f.refuse(TN_ERROR_SHAPE, "shapes " + f.text(a) + " and " + f.text(b) + " do not broadcast",
               "dimensions must be 1 or shown to be equal; R.match_cast can state that they are");
    o = s;
  }
  return out;
}

Node broadcast_load(const Compute& f, const Tensor& x, const Indices& i) {
  Indices at;
  for (size_t d = 0; d < x.rank(); ++d)
    at.push_back(Compute::is_one(x.shape[d]) ? f.dim(0) : i[i.size() - x.rank() + d]);
  return x(at);
}

Tensor padded(Compute& f, const Tensor& x, const std::vector<int64_t>& before, const Shape& after, const Node& value) {
  bool needed = false;
  Shape shape;
  for (size_t d = 0; d < x.rank(); ++d) {
    needed = needed || before[d] != 0 || Compute::constant(after[d]) != 0;
    shape.push_back(f.simplify(f.b.add(f.b.add(x.shape[d], f.dim(before[d])), after[d])));
  }
  if (!needed) return x;
  Tensor p = f.temporary("padded", shape, x.dtype);
  f.spatial(p, "pad", [&](const Indices& i) {
    Indices at;
    Node inside;
    auto require = [&](const Node& c) { inside = inside ? f.b.logical_and(inside, c) : c; };
    for (size_t d = 0; d < x.rank(); ++d) {
      at.push_back(before[d] == 0 ? i[d] : f.b.sub(i[d], f.dim(before[d])));
      if (before[d] != 0) require(f.b.ge(i[d], f.dim(before[d])));
      if (Compute::constant(after[d]) != 0) require(f.b.lt(at[d], x.shape[d]));
    }
    return f.b.intrinsic(x.dtype, "tir.if_then_else", {inside, x(at), value});
  });
  return p;
}

namespace {

// Elements keep their place in row-major order.
void reinterpret_shape(Compute& f, const Tensor& x, const Shape& shape) {
  Tensor y = f.output(shape, x.dtype);
  f.spatial(y, f.op().substr(f.op().rfind('.') + 1), [&](const Indices& i) {
    Node flat = f.dim(0);
    for (size_t d = 0; d < i.size(); ++d) flat = f.b.add(f.b.mul(flat, y.shape[d]), i[d]);
    Indices at(x.rank());
    for (size_t d = x.rank(); d-- > 0;) {
      at[d] = f.simplify(d == 0 ? flat : f.b.floormod(flat, x.shape[d]));
      flat = f.b.floordiv(flat, x.shape[d]);
    }
    return x(at);
  });
}

}  // namespace

// One dimension of the new shape may be -1: it is what is left over.
void reshape(Compute& f) {
  const Tensor& x = f.in(0);
  Shape shape = f.shape_argument(0);
  Node total = f.product(x.shape);
  int64_t open = -1;
  Shape given;
  for (size_t d = 0; d < shape.size(); ++d) {
    auto n = Compute::constant(shape[d]);
    if (n != -1) {
      if (n && *n < 0) f.refuse(TN_ERROR_SHAPE, "a dimension is 0 or more, or -1, got " + f.text(shape));
      given.push_back(shape[d]);
    } else {
      if (open >= 0) f.refuse(TN_ERROR_SHAPE, "at most one dimension may be -1, got " + f.text(shape));
      open = static_cast<int64_t>(d);
    }
  }
  Node known = f.product(given);
  if (open >= 0 && Compute::constant(known) == 0)
    f.refuse(TN_ERROR_SHAPE, "any size of the dimension -1 gives no elements, got " + f.text(shape),
             "write the dimension as a number");
  bool fits =
      open >= 0 ? Compute::constant(f.simplify(f.b.floormod(total, known))).value_or(0) == 0 : f.same(total, known);
  if (!fits)
    f.refuse(TN_ERROR_SHAPE,
             "shapes " + f.text(x.shape) + " and " + f.text(shape) + " hold different numbers of elements");
  if (open >= 0) shape[static_cast<size_t>(open)] = f.simplify(f.b.floordiv(total, known));
  reinterpret_shape(f, x, shape);
}

// One dimension, or with `axis` two: those before it and those from it on.
void flatten(Compute& f) {
  const Tensor& x = f.in(0);
  if (!f.attr("axis")) return reinterpret_shape(f, x, {f.product(x.shape)});
  int64_t at = f.attr_int("axis", 1);
  if (at < 0) at += static_cast<int64_t>(x.rank());
  if (at < 0 || at > static_cast<int64_t>(x.rank()))
    f.refuse(TN_ERROR_SHAPE, "axis is outside the tensor " + f.text(x.shape));
  auto middle = x.shape.begin() + at;
  reinterpret_shape(f, x, {f.product(Shape(x.shape.begin(), middle)), f.product(Shape(middle, x.shape.end()))});
}

void permute_dims(Compute& f) {
  const Tensor& x = f.in(0);
  std::vector<int64_t> reversed;
  for (size_t d = x.rank(); d-- > 0;) reversed.push_back(static_cast<int64_t>(d));
  std::vector<int64_t> axes = f.attr_ints("axes", reversed);
  std::vector<bool> seen(x.rank());
  Shape shape;
  std::vector<size_t> source;
  for (int64_t a : axes) {
    source.push_back(f.axis(a, x.rank()));
    if (seen[source.back()]) f.refuse(TN_ERROR_ARGUMENT, "axes name an axis twice");
    seen[source.back()] = true;
    shape.push_back(x.shape[source.back()]);
  }
  if (source.size() != x.rank()) f.refuse(TN_ERROR_ARGUMENT, "axes must name each axis once");
  Tensor y = f.output(shape, x.dtype);
  f.spatial(y, "permute_dims", [&](const Indices& i) {
    Indices at(x.rank());
    for (size_t d = 0; d < source.size(); ++d) at[source[d]] = i[d];
    return x(at);
  });
}

void concat(Compute& f) {
  const Tensor& first = f.in(0);
  size_t axis = f.axis(f.attr_int("axis", 0), first.rank());
  Shape shape = first.shape, starts{f.dim(0)};
  for (size_t k = 1; k < f.inputs(); ++k) {
    const Tensor& x = f.in(k);
    if (x.rank() != first.rank() || !same_dtype(x.dtype, first.dtype))
      f.refuse(TN_ERROR_SHAPE,
               "all parts need one rank and dtype, got " + f.text(first.shape) + " and " + f.text(x.shape));
    for (size_t d = 0; d < x.rank(); ++d)
      if (d != axis && !f.same(x.shape[d], first.shape[d]))
        f.refuse(TN_ERROR_SHAPE,
                 "parts " + f.text(first.shape) + " and " + f.text(x.shape) + " differ outside the axis");
    starts.push_back(shape[axis]);
    shape[axis] = f.simplify(f.b.add(shape[axis], x.shape[axis]));
  }
  Tensor y = f.output(shape, first.dtype);
  f.spatial(y, "concat", [&](const Indices& i) {
    Node value;
    for (size_t k = f.inputs(); k-- > 0;) {
      Indices at = i;
      if (k > 0) at[axis] = f.b.sub(i[axis], starts[k]);
      Node here = f.in(k)(at);
      value =
          value ? f.b.intrinsic(first.dtype, "tir.if_then_else", {f.b.lt(i[axis], starts[k + 1]), here, value}) : here;
    }
    return value;
  });
}

void expand_dims(Compute& f) {
  const Tensor& x = f.in(0);
  std::vector<int64_t> axes = f.attr_ints("axis", {});
  std::vector<bool> added(x.rank() + axes.size());
  for (int64_t a : axes) {
    size_t d = f.axis(a, added.size());
    if (added[d]) f.refuse(TN_ERROR_ARGUMENT, "axis names an axis twice");
    added[d] = true;
  }
  Shape shape;
  size_t d = 0;
  for (bool is_new : added) shape.push_back(is_new ? f.dim(1) : x.shape[d++]);
  Tensor y = f.output(shape, x.dtype);
  f.spatial(y, "expand_dims", [&](const Indices& i) {
    Indices at;
    for (size_t k = 0; k < added.size(); ++k)
      if (!added[k]) at.push_back(i[k]);
    return x(at);
  });
}

void squeeze(Compute& f) {
  const Tensor& x = f.in(0);
  std::vector<bool> gone(x.rank());
  if (!f.attr("axis"))
    for (size_t d = 0; d < x.rank(); ++d) gone[d] = Compute::is_one(x.shape[d]);
  for (int64_t a : f.attr_ints("axis", {})) {
    size_t d = f.axis(a, x.rank());
    if (!Compute::is_one(x.shape[d]))
      f.refuse(TN_ERROR_SHAPE, "axis " + std::to_string(a) + " of " + f.text(x.shape) + " is not 1");
    gone[d] = true;
  }
  Shape shape;
  for (size_t d = 0; d < x.rank(); ++d)
    if (!gone[d]) shape.push_back(x.shape[d]);
  Tensor y = f.output(shape, x.dtype);
  f.spatial(y, "squeeze", [&](const Indices& i) {
    Indices at;
    size_t k = 0;
    for (size_t d = 0; d < x.rank(); ++d) at.push_back(gone[d] ? f.dim(0) : i[k++]);
    return x(at);
  });
}

void broadcast_to(Compute& f) {
  const Tensor& x = f.in(0);
  const Shape& shape = f.shape_argument(0);
  for (const Node& d : shape)
    if (Compute::constant(d).value_or(0) < 0)
      f.refuse(TN_ERROR_SHAPE, "a dimension is 0 or more, got " + f.text(shape));
  Tensor y = f.output(broadcast(f, x.shape, shape), x.dtype);
  f.spatial(y, "broadcast_to", [&](const Indices& i) { return broadcast_load(f, x, i); });
}

// The extents of a shape as an int64 vector.
void shape_to_tensor(Compute& f) {
  const Shape& s = f.shape_argument(0);
  Tensor y = f.output({f.dim(static_cast<int64_t>(s.size()))}, kInt64);
  f.spatial(y, "shape_to_tensor", [&](const Indices& i) {
    Node value = f.dim(0);
    for (size_t d = s.size(); d-- > 0;) value = f.b.select(f.b.eq(i[0], f.dim(static_cast<int64_t>(d))), s[d], value);
    return value;
  });
}

}  // namespace tenon::ops
