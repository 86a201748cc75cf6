// Convolution over any number of spatial axes, in the layout NC* with weights OI*.
#include "definitions.h"

namespace tenon::ops {

void conv(Compute& f) {
  require_numbers(f);
  const Tensor &x = f.in(0), &w = f.in(1);
  if (x.rank() < 3 || x.rank() != w.rank())
    f.refuse(TN_ERROR_SHAPE, "needs data (n, c, ...) and weights (o, c / groups, ...) of one rank, got " +
                                 f.text(x.shape) + " and " + f.text(w.shape));
  if (!same_dtype(x.dtype, w.dtype)) f.refuse(TN_ERROR_TYPE, "data and weights need one dtype");
  size_t axes = x.rank() - 2;
  std::vector<int64_t> strides = f.attr_ints("strides", std::vector<int64_t>(axes, 1));
  std::vector<int64_t> dilation = f.attr_ints("dilation", std::vector<int64_t>(axes, 1));
  std::vector<int64_t> padding = f.attr_ints("padding", std::vector<int64_t>(2 * axes, 0));
  int64_t groups = f.attr_int("groups", 1);
  if (strides.size() == 1) strides.resize(axes, strides[0]);
  if (dilation.size() == 1) dilation.resize(axes, dilation[0]);
  if (padding.size() == 1) padding.resize(2 * axes, padding[0]);
  if (padding.size() == axes) padding.insert(padding.end(), padding.begin(), padding.begin() + static_cast<long>(axes));
  if (strides.size() != axes || dilation.size() != axes || padding.size() != 2 * axes)
    f.refuse(TN_ERROR_ARGUMENT, "strides and dilation need one value for each spatial axis, padding one or two");
  for (size_t a = 0; a < axes; ++a)
    if (strides[a] < 1 || dilation[a] < 1 || padding[a] < 0 || padding[axes + a] < 0)
      f.refuse(TN_ERROR_ARGUMENT, "strides and dilation are at least 1, padding at least 0");
  if (groups < 1) f.refuse(TN_ERROR_ARGUMENT, "groups is at least 1");
  const Node& in_channels = w.shape[1];
  if (!f.same(x.shape[1], f.simplify(f.b.mul(in_channels, f.dim(groups)))))
    f.refuse(TN_ERROR_SHAPE, "the data has " + f.text({x.shape[1]}) + " channels, the weights need " +
                                 f.text({in_channels}) + " times " + std::to_string(groups) + " groups");
  if (auto o = Compute::constant(w.shape[0]); o && *o % groups != 0)
    f.refuse(TN_ERROR_SHAPE,
             std::to_string(*o) + " output channels do not divide into " + std::to_string(groups) + " groups");

  std::vector<int64_t> before(x.rank(), 0);
  Shape after(x.rank(), f.dim(0));
  Shape shape{x.shape[0], w.shape[0]};
  for (size_t a = 0; a < axes; ++a) {
    before[2 + a] = padding[a];
    after[2 + a] = f.dim(padding[axes + a]);
    // (extent + padding - dilation * (kernel - 1) - 1) / stride + 1
    Node reach = f.b.add(f.b.mul(f.b.sub(w.shape[2 + a], f.dim(1)), f.dim(dilation[a])), f.dim(1));
    Node room = f.b.sub(f.b.add(x.shape[2 + a], f.dim(padding[a] + padding[axes + a])), reach);
    Node extent = f.simplify(f.b.add(f.b.floordiv(room, f.dim(strides[a])), f.dim(1)));
    if (auto e = Compute::constant(extent); e && *e < 1)
      f.refuse(TN_ERROR_SHAPE,
               "the kernel does not fit into the padded data: " + f.text(x.shape) + " and " + f.text(w.shape));
    shape.push_back(extent);
  }
  Tensor p = padded(f, x, before, after, f.b.constant_of(0, x.dtype));
  Tensor y = f.output(shape, x.dtype);
  Shape extents{in_channels};
  extents.insert(extents.end(), w.shape.begin() + 2, w.shape.end());
  Node group_size = f.simplify(f.b.floordiv(w.shape[0], f.dim(groups)));
  f.sum(y, "conv", extents, [&](const Indices& i, const Indices& r) {
    Node channel = r[0];
    if (groups > 1) channel = f.b.add(f.b.mul(f.b.floordiv(i[1], group_size), in_channels), r[0]);
    Indices at{i[0], channel}, weight{i[1], r[0]};
    for (size_t a = 0; a < axes; ++a) {
      Node position = strides[a] == 1 ? i[2 + a] : f.b.mul(i[2 + a], f.dim(strides[a]));
      Node step = dilation[a] == 1 ? r[1 + a] : f.b.mul(r[1 + a], f.dim(dilation[a]));
      at.push_back(f.b.add(position, step));
      weight.push_back(r[1 + a]);
    }
    return f.b.mul(p(at), w(weight));
  });
}

}  // namespace tenon::ops
