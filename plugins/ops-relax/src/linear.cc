// Matrix products and what is applied along a channel axis.
#include "definitions.h"

namespace tenon::ops {

// NumPy's matmul: the last two axes are matrices, the others broadcast; a vector is a row on the left, a column on the
// right, and its axis is absent from the result.
void matmul(Compute& f) {
  require_numbers(f);
  const Tensor &x = f.in(0), &y = f.in(1);
  if (x.rank() == 0 || y.rank() == 0) f.refuse(TN_ERROR_SHAPE, "a scalar has no matrix product");
  if (!same_dtype(x.dtype, y.dtype))
    f.refuse(TN_ERROR_TYPE, "both operands need one dtype, got " + dtype_text(x.dtype) + " and " + dtype_text(y.dtype));
  bool row = x.rank() > 1, column = y.rank() > 1;
  const Node& k = x.shape.back();
  const Node& k2 = y.shape[column ? y.rank() - 2 : 0];
  if (!f.same(k, k2))
    f.refuse(TN_ERROR_SHAPE, "the inner dimensions differ: " + f.text(x.shape) + " and " + f.text(y.shape));
  Shape x_batch(x.shape.begin(), x.shape.end() - (row ? 2 : 1)),
      y_batch(y.shape.begin(), y.shape.end() - (column ? 2 : 1));
  Shape batch = broadcast(f, x_batch, y_batch), shape = batch;
  if (row) shape.push_back(x.shape[x.rank() - 2]);
  if (column) shape.push_back(y.shape.back());
  Tensor z = f.output(shape, x.dtype);
  // The batch indices of one operand: the last ones of `i`, and 0 where its dimension is 1.
  auto batch_indices = [&](const Shape& own, const Indices& i) {
    Indices at;
    for (size_t d = 0; d < own.size(); ++d)
      at.push_back(Compute::is_one(own[d]) ? f.dim(0) : i[batch.size() - own.size() + d]);
    return at;
  };
  f.sum(z, "matmul", {k}, [&](const Indices& i, const Indices& r) {
    Indices a = batch_indices(x_batch, i), b = batch_indices(y_batch, i);
    if (row) a.push_back(i[batch.size()]);
    a.push_back(r[0]);
    b.push_back(r[0]);
    if (column) b.push_back(i.back());
    return f.b.mul(x(a), y(b));
  });
}

// (x - mean) / sqrt(variance + epsilon) * scale + shift, with one value of each for every channel of `axis`.
void batch_norm_inference(Compute& f) {
  require_floating(f);
  const Tensor &x = f.in(0), &scale = f.in(1), &shift = f.in(2), &mean = f.in(3), &variance = f.in(4);
  size_t axis = f.axis(f.attr_int("axis", 1), x.rank());
  for (const Tensor* t : {&scale, &shift, &mean, &variance})
    if (!same_dtype(t->dtype, x.dtype))
      f.refuse(TN_ERROR_TYPE, "all tensors need one dtype, got " + dtype_text(x.dtype) + " and " + dtype_text(t->dtype),
               "convert one with R.astype");
  for (const Tensor* t : {&scale, &shift, &mean, &variance})
    if (t->rank() != 1 || !f.same(t->shape[0], x.shape[axis]))
      f.refuse(TN_ERROR_SHAPE,
               "needs one value for each of the " + f.text({x.shape[axis]}) + " channels, got " + f.text(t->shape));
  Node epsilon = f.b.constant_of(f.attr_float("epsilon", 1e-5), x.dtype);
  Tensor y = f.output(x.shape, x.dtype);
  f.spatial(y, "batch_norm", [&](const Indices& i) {
    Indices c{i[axis]};
    Node deviation = f.b.intrinsic(x.dtype, "tir.sqrt", {f.b.add(variance(c), epsilon)});
    return f.b.add(f.b.mul(f.b.div(f.b.sub(x(i), mean(c)), deviation), scale(c)), shift(c));
  });
}

// x + bias, where bias is a vector along `axis`.
void bias_add(Compute& f) {
  require_numbers(f);
  const Tensor &x = f.in(0), &bias = f.in(1);
  if (!same_dtype(x.dtype, bias.dtype))
    f.refuse(TN_ERROR_TYPE,
             "both operands need one dtype, got " + dtype_text(x.dtype) + " and " + dtype_text(bias.dtype),
             "convert one with R.astype");
  size_t axis = f.axis(f.attr_int("axis", 1), x.rank());
  if (bias.rank() != 1 || !f.same(bias.shape[0], x.shape[axis]))
    f.refuse(TN_ERROR_SHAPE, "needs a bias of shape " + f.text({x.shape[axis]}) + ", got " + f.text(bias.shape));
  Tensor y = f.output(x.shape, x.dtype);
  f.spatial(y, "bias_add", [&](const Indices& i) { return f.b.add(x(i), bias({i[axis]})); });
}

}  // namespace tenon::ops
