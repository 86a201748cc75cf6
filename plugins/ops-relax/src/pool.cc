// Pooling over any number of spatial axes, in the layout NC*.
#include "definitions.h"

namespace tenon::ops {
namespace {

struct Windows {
  size_t axes;
  std::vector<int64_t> size, strides, dilation, padding;
  Shape shape;     // of the result
  Shape overhang;  // how far the last window reaches beyond the data, on each spatial axis
};

Windows windows(const Compute& f, const Tensor& x) {
  if (x.rank() < 3) f.refuse(TN_ERROR_SHAPE, "needs data (n, c, ...), got " + f.text(x.shape));
  Windows w;
  w.axes = x.rank() - 2;
  auto list = [&](std::string_view name, size_t n, int64_t otherwise) {
    std::vector<int64_t> v = f.attr_ints(name, std::vector<int64_t>(n, otherwise));
    if (v.size() == 1) v.resize(n, v[0]);
    if (v.size() * 2 == n) v.insert(v.end(), v.begin(), v.begin() + static_cast<long>(n / 2));
    if (v.size() != n) f.refuse(TN_ERROR_ARGUMENT, std::string(name) + " needs " + std::to_string(n) + " values");
    return v;
  };
  w.size = list("pool_size", w.axes, 1);
  w.strides = list("strides", w.axes, 1);
  w.dilation = list("dilation", w.axes, 1);
  w.padding = list("padding", 2 * w.axes, 0);
  bool ceil_mode = f.attr_int("ceil_mode", 0) != 0;
  w.shape = {x.shape[0], x.shape[1]};
  for (size_t a = 0; a < w.axes; ++a) {
    if (w.size[a] < 1 || w.strides[a] < 1 || w.dilation[a] < 1 || w.padding[a] < 0 || w.padding[w.axes + a] < 0)
      f.refuse(TN_ERROR_ARGUMENT, "pool_size, strides and dilation are at least 1, padding at least 0");
    int64_t reach = (w.size[a] - 1) * w.dilation[a] + 1;
    Node room = f.b.add(x.shape[2 + a], f.dim(w.padding[a] + w.padding[w.axes + a] - reach));
    if (ceil_mode) room = f.b.add(room, f.dim(w.strides[a] - 1));
    Node steps = f.b.floordiv(room, f.dim(w.strides[a]));
    // Rounded up, a last window may begin behind the data, in the padding at the end: it is left out.
    if (ceil_mode && w.padding[w.axes + a] + w.strides[a] > reach)
      steps = f.b.min(steps, f.b.floordiv(f.b.add(x.shape[2 + a], f.dim(w.padding[a] - 1)), f.dim(w.strides[a])));
    Node extent = f.simplify(f.b.add(steps, f.dim(1)));
    if (auto e = Compute::constant(extent); e && *e < 1)
      f.refuse(TN_ERROR_SHAPE, "the window does not fit into the padded data " + f.text(x.shape));
    w.shape.push_back(extent);
    Node last = f.b.add(f.b.mul(f.b.sub(extent, f.dim(1)), f.dim(w.strides[a])), f.dim(reach - w.padding[a]));
    w.overhang.push_back(f.simplify(f.b.max(f.b.sub(last, x.shape[2 + a]), f.dim(0))));
  }
  return w;
}

Tensor padded_for(Compute& f, const Tensor& x, const Windows& w, const Node& value) {
  std::vector<int64_t> before(x.rank(), 0);
  Shape after(x.rank(), f.dim(0));
  for (size_t a = 0; a < w.axes; ++a) {
    before[2 + a] = w.padding[a];
    after[2 + a] = w.overhang[a];
  }
  return padded(f, x, before, after, value);
}

// The element of the padded data that step `r` of window `i` looks at.
Indices position(const Compute& f, const Windows& w, const Indices& i, const Indices& r) {
  Indices at{i[0], i[1]};
  for (size_t a = 0; a < w.axes; ++a)
    at.push_back(f.b.add(f.b.mul(i[2 + a], f.dim(w.strides[a])), f.b.mul(r[a], f.dim(w.dilation[a]))));
  return at;
}

Shape window_extents(const Compute& f, const Windows& w) {
  Shape s;
  for (int64_t n : w.size) s.push_back(f.dim(n));
  return s;
}

}  // namespace

void max_pool(Compute& f) {
  const Tensor& x = f.in(0);
  Windows w = windows(f, x);
  Node none = least(f, x.dtype);
  Tensor p = padded_for(f, x, w, none);
  Tensor y = f.output(w.shape, x.dtype);
  f.reduce(
      y, "max_pool", window_extents(f, w), none, [&](const Node& a, const Node& v) { return f.b.max(a, v); },
      [&](const Indices& i, const Indices& r) { return p(position(f, w, i, r)); });
}

// The place of the greatest element of each window in the flattened data, the first one on a tie: int64.
void max_pool_indices(Compute& f) {
  const Tensor& x = f.in(0);
  Windows w = windows(f, x);
  bool column_major = f.attr_int("storage_order", 0) != 0;
  Node lowest = least(f, x.dtype);
  Tensor p = padded_for(f, x, w, lowest);
  Tensor best = f.temporary("best", w.shape, x.dtype);
  f.reduce(
      best, "max_pool", window_extents(f, w), lowest, [&](const Node& a, const Node& v) { return f.b.max(a, v); },
      [&](const Indices& i, const Indices& r) { return p(position(f, w, i, r)); });
  Tensor y = f.output(w.shape, kInt64);
  Node none = f.b.imm(INT64_MAX);
  f.reduce(
      y, "first_of_max", window_extents(f, w), none, [&](const Node& a, const Node& v) { return f.b.min(a, v); },
      [&](const Indices& i, const Indices& r) {
        Indices at = position(f, w, i, r);
        Node place = f.b.add(f.b.mul(i[0], x.shape[1]), i[1]), inner = f.dim(0);
        Node hit = f.b.eq(p(at), best(i));
        for (size_t a = 0; a < w.axes; ++a) {
          Node own = f.b.sub(at[2 + a], f.dim(w.padding[a]));
          hit = f.b.logical_and(hit, f.b.logical_and(f.b.ge(own, f.dim(0)), f.b.lt(own, x.shape[2 + a])));
        }
        for (size_t k = 0; k < w.axes; ++k) {
          size_t a = column_major ? w.axes - 1 - k : k;
          inner = f.b.add(f.b.mul(inner, x.shape[2 + a]), f.b.sub(at[2 + a], f.dim(w.padding[a])));
          place = f.b.mul(place, x.shape[2 + k]);
        }
        return f.b.select(hit, f.b.add(place, inner), none);
      });
}

void avg_pool(Compute& f) {
  const Tensor& x = f.in(0);
  require_floating(f);
  Windows w = windows(f, x);
  bool include_padding = f.attr_int("count_include_pad", 0) != 0;
  Tensor p = padded_for(f, x, w, f.b.constant_of(0, x.dtype));
  Tensor total = f.temporary("total", w.shape, x.dtype);
  f.sum(total, "sum_pool", window_extents(f, w),
        [&](const Indices& i, const Indices& r) { return p(position(f, w, i, r)); });
  Tensor y = f.output(w.shape, x.dtype);
  f.spatial(y, "avg_pool", [&](const Indices& i) {
    Node count = f.dim(1);
    for (size_t a = 0; a < w.axes; ++a) {
      // The steps of the window that fall on data (or on declared padding): those k with 0 <= start + k * dilation <
      // end.
      int64_t margin = include_padding ? w.padding[a] : 0;
      Node start = f.b.sub(f.b.mul(i[2 + a], f.dim(w.strides[a])), f.dim(w.padding[a]));
      Node end = f.b.add(x.shape[2 + a], f.dim(include_padding ? w.padding[w.axes + a] : 0));
      Node d = f.dim(w.dilation[a]);
      Node ceiling = f.dim(w.dilation[a] - 1);
      Node first = f.b.max(f.b.floordiv(f.b.add(f.b.sub(f.dim(-margin), start), ceiling), d), f.dim(0));
      Node last = f.b.min(f.b.floordiv(f.b.add(f.b.sub(end, start), ceiling), d), f.dim(w.size[a]));
      count = f.b.mul(count, f.b.sub(last, first));
    }
    return f.b.div(total(i), f.b.cast(f.simplify(count), x.dtype));
  });
}

}  // namespace tenon::ops
