// Converters of convolution, pooling, normalisation, products, softmax and reductions.
#include <algorithm>
#include <cmath>
#include <limits>

#include "importer.h"

namespace tenon::onnx {
namespace {

// A list with one value for each spatial axis or, for pads, two; all between `least` and 2^31 - 1.
std::vector<int64_t> spatial(Importer& m, const char* name, size_t count, int64_t least) {
  constexpr int64_t most = std::numeric_limits<int32_t>::max();
  std::vector<int64_t> values = m.attr_ints(name).value_or(std::vector<int64_t>(count, least));
  if (values.size() != count)
    m.refuse(TN_ERROR_SHAPE, std::string(name) + " has " + std::to_string(values.size()) + " values, not " +
                                 std::to_string(count) + ": one for each spatial axis" +
                                 (least == 0 ? " and end" : ""));
  for (int64_t v : values)
    if (v < least || v > most)
      m.refuse(TN_ERROR_ARGUMENT, std::string(name) + " holds " + std::to_string(v) + ": values from " +
                                      std::to_string(least) + " to " + std::to_string(most) + " are possible");
  return values;
}

// `pads` as (all begins, all ends), with auto_pad resolved.
std::vector<int64_t> padding(Importer& m, const Node& x, const std::vector<int64_t>& kernel,
                             const std::vector<int64_t>& strides, const std::vector<int64_t>& dilations) {
  size_t axes = kernel.size();
  std::string mode = m.attr_text("auto_pad", "NOTSET");
  std::vector<int64_t> pads = spatial(m, "pads", 2 * axes, 0);
  if (mode == "NOTSET" || mode.empty()) return pads;
  pads.assign(2 * axes, 0);
  if (mode == "VALID") return pads;
  if (mode != "SAME_UPPER" && mode != "SAME_LOWER")
    m.refuse(TN_ERROR_UNSUPPORTED, "auto_pad '" + mode + "' is unknown");
  for (size_t a = 0; a < axes; ++a) {
    auto* extent = nodes(m.shape(x))[2 + a].as<ir::IntImm>();
    if (!extent && strides[a] != 1)
      m.refuse(TN_ERROR_UNSUPPORTED, "auto_pad with strides needs spatial dimensions that are known");
    int64_t n = extent ? extent->value() : 1,
            out = (n + strides[a] - 1) / strides[a];  // of stride 1: the same for all n
    int64_t total = std::max<int64_t>((out - 1) * strides[a] + (kernel[a] - 1) * dilations[a] + 1 - n, 0);
    pads[a] = mode == "SAME_UPPER" ? total / 2 : total - total / 2;
    pads[axes + a] = total - pads[a];
  }
  return pads;
}

const char* by_rank(Importer& m, const char* const (&names)[3], size_t axes) {
  if (axes < 1 || axes > 3)
    m.refuse(TN_ERROR_UNSUPPORTED, std::to_string(axes) + " spatial axes are not supported: 1 to 3 are");
  return names[axes - 1];
}

void conv(Importer& m) {
  static constexpr const char* names[] = {"relax.nn.conv1d", "relax.nn.conv2d", "relax.nn.conv3d"};
  Node x = m.input(0), w = m.input(1);
  if (m.rank(x) < 3 || m.rank(x) != m.rank(w))
    m.refuse(TN_ERROR_SHAPE,
             "data of rank " + std::to_string(m.rank(x)) + " and weights of rank " + std::to_string(m.rank(w)));
  size_t axes = m.rank(x) - 2;
  std::vector<int64_t> kernel;
  for (size_t a = 0; a < axes; ++a) {
    auto* k = nodes(m.shape(w))[2 + a].as<ir::IntImm>();
    if (!k) m.refuse(TN_ERROR_UNSUPPORTED, "the kernel has a symbolic dimension");
    kernel.push_back(k->value());
  }
  if (auto given = m.attr_ints("kernel_shape"); given && *given != kernel)
    m.refuse(TN_ERROR_SHAPE, "kernel_shape differs from the shape of the weights");
  std::vector<int64_t> strides = spatial(m, "strides", axes, 1), dilations = spatial(m, "dilations", axes, 1);
  Node y = m.call(by_rank(m, names, axes), {x, w},
                  {{"strides", m.list(strides)},
                   {"padding", m.list(padding(m, x, kernel, strides, dilations))},
                   {"dilation", m.list(dilations)},
                   {"groups", m.attr_int("group", 1)}});
  if (m.has_input(2)) y = m.call("relax.nn.bias_add", {y, m.input(2)}, {{"axis", 1}});
  m.set_output(0, y);
}

void pool(Importer& m, const char* const (&names)[3], bool average) {
  Node x = m.input(0);
  auto kernel = m.attr_ints("kernel_shape");
  if (!kernel || m.rank(x) != kernel->size() + 2)
    m.refuse(TN_ERROR_SHAPE, "kernel_shape does not fit data of rank " + std::to_string(m.rank(x)));
  size_t axes = kernel->size();
  kernel = spatial(m, "kernel_shape", axes, 1);
  std::vector<int64_t> strides = spatial(m, "strides", axes, 1), dilations = spatial(m, "dilations", axes, 1);
  Builder::Entries attrs = {{"pool_size", m.list(*kernel)},
                            {"strides", m.list(strides)},
                            {"dilation", m.list(dilations)},
                            {"padding", m.list(padding(m, x, *kernel, strides, dilations))},
                            {"ceil_mode", m.attr_int("ceil_mode", 0) != 0}};
  if (average) attrs.emplace_back("count_include_pad", m.attr_int("count_include_pad", 0) != 0);
  m.set_output(0, m.call(by_rank(m, names, axes), {x}, attrs));
  if (average || m.node().outputs.size() < 2 || m.node().outputs[1].empty()) return;
  attrs.emplace_back("storage_order", m.attr_int("storage_order", 0));
  m.set_output(1, m.call("relax.nn.max_pool_indices", {x}, attrs));
}

void max_pool(Importer& m) {
  static constexpr const char* names[] = {"relax.nn.max_pool1d", "relax.nn.max_pool2d", "relax.nn.max_pool3d"};
  pool(m, names, false);
}

void average_pool(Importer& m) {
  static constexpr const char* names[] = {"relax.nn.avg_pool1d", "relax.nn.avg_pool2d", "relax.nn.avg_pool3d"};
  pool(m, names, true);
}

void global_pool(Importer& m, const char* op) {
  Node x = m.input(0);
  std::vector<int64_t> axes;
  for (size_t a = 2; a < m.rank(x); ++a) axes.push_back(static_cast<int64_t>(a));
  m.set_output(0, m.call(op, {x}, {{"axis", m.list(axes)}, {"keepdims", true}}));
}
void global_average_pool(Importer& m) { global_pool(m, "relax.mean"); }
void global_max_pool(Importer& m) { global_pool(m, "relax.max"); }

void batch_normalization(Importer& m) {
  if (m.attr_int("training_mode", 0)) m.refuse(TN_ERROR_UNSUPPORTED, "training mode is not supported");
  if (m.attr_int("spatial", 1) == 0) m.refuse(TN_ERROR_UNSUPPORTED, "spatial=0 is not supported");
  for (size_t i = 1; i < m.node().outputs.size(); ++i)
    if (!m.node().outputs[i].empty()) m.refuse(TN_ERROR_UNSUPPORTED, "outputs of training are not supported");
  Node x = m.input(0);
  bool vector = m.rank(x) == 1;  // one channel
  if (vector) x = m.call("relax.expand_dims", {x}, {{"axis", m.list({1})}});
  std::vector<Node> args{x};
  for (size_t i = 1; i < 5; ++i) args.push_back(m.astype(m.input(i), m.dtype(x)));
  Node y = m.call("relax.nn.batch_norm_inference", args, {{"axis", 1}, {"epsilon", m.attr_float("epsilon", 1e-5)}});
  m.set_output(0, vector ? m.call("relax.squeeze", {y}, {{"axis", m.list({1})}}) : y);
}

void matmul(Importer& m) { m.set_output(0, m.call("relax.matmul", {m.input(0), m.input(1)})); }

void gemm(Importer& m) {
  auto matrix = [&](size_t i, const char* transposed) {
    Node x = m.input(i);
    if (m.rank(x) != 2) m.refuse(TN_ERROR_SHAPE, "operands are matrices, got rank " + std::to_string(m.rank(x)));
    return m.attr_int(transposed, 0) ? m.call("relax.permute_dims", {x}, {{"axes", m.list({1, 0})}}) : x;
  };
  Node y = m.call("relax.matmul", {matrix(0, "transA"), matrix(1, "transB")});
  auto scaled = [&](const Node& x, const char* by) {
    double factor = m.attr_float(by, 1);
    if (factor == 1) return x;
    if (!is_floating(m.dtype(x)) && factor != std::trunc(factor))
      m.refuse(TN_ERROR_UNSUPPORTED, std::string(by) + " is no whole number, which integers cannot be multiplied with");
    return m.call("relax.multiply", {x, m.scalar(factor, m.dtype(x))});
  };
  y = scaled(y, "alpha");
  if (m.has_input(2) && m.attr_float("beta", 1) != 0) {
    Node sum = m.call("relax.add", {y, scaled(m.input(2), "beta")});
    bool grown = m.rank(sum) != 2;
    for (size_t d = 0; d < 2 && !grown; ++d) {
      auto *before = nodes(m.shape(y))[d].as<ir::IntImm>(), *after = nodes(m.shape(sum))[d].as<ir::IntImm>();
      grown = before && (!after || after->value() != before->value());
    }
    if (grown) m.refuse(TN_ERROR_SHAPE, "the product would have to be broadcast to the shape of C");
    y = sum;
  }
  m.set_output(0, y);
}

// Before opset 13 the tensor is seen as a matrix, split at the axis; each row is normalised as a whole.
void softmax(Importer& m, const char* op) {
  Node x = m.input(0);
  int64_t axis = m.attr_int("axis", m.opset() < 13 ? 1 : -1);
  if (m.opset() >= 13) return m.set_output(0, m.call(op, {x}, {{"axis", axis}}));
  Array shape = m.shape(x);
  std::vector<Node> dims;
  for (const Node& d : nodes(shape)) dims.push_back(d);
  Node matrix = m.call("relax.flatten", {x}, {{"axis", axis}});
  m.set_output(0, m.call("relax.reshape", {m.call(op, {matrix}, {{"axis", -1}}), m.shape_expr(dims)}));
}
void softmax_row(Importer& m) { softmax(m, "relax.nn.softmax"); }
void log_softmax_row(Importer& m) { softmax(m, "relax.nn.log_softmax"); }

enum class Before { kNothing, kAbsolute, kSquare, kExp };
enum class After { kNothing, kSqrt, kLog };

// f(reduction(g(x))) over the axes of an attribute or of an input.
template <const char* const& op, Before before, After after>
void reduction(Importer& m) {
  Node x = m.input(0);
  Builder::Entries attrs{{"keepdims", m.attr_int("keepdims", 1) != 0}};
  std::optional<std::vector<int64_t>> axes = m.attr_ints("axes");
  if (m.has_input(1)) axes = m.known_ints(1, "axes");
  if (axes && axes->empty()) axes.reset();
  if (!axes && m.attr_int("noop_with_empty_axes", 0)) return m.set_output(0, x);
  if (axes) attrs.emplace_back("axis", m.list(*axes));
  DLDataType t = m.dtype(x);
  if (after != After::kNothing && !is_floating(t)) x = m.astype(x, kFloat64);
  if (before == Before::kAbsolute) x = m.call("relax.abs", {x});
  if (before == Before::kSquare) x = m.call("relax.square", {x});
  if (before == Before::kExp) x = m.call("relax.exp", {x});
  Node y = m.call(op, {x}, attrs);
  if (after == After::kSqrt) y = m.call("relax.sqrt", {y});
  if (after == After::kLog) y = m.call("relax.log", {y});
  m.set_output(0, m.astype(y, t));
}

// log(sum(exp(x))) without overflow: the greatest element is taken out first, unless it is infinite.
void reduce_log_sum_exp(Importer& m) {
  DLDataType given = m.dtype(m.input(0)), t = is_floating(given) ? given : kFloat64;
  Node x = m.astype(m.input(0), t);
  Builder::Entries kept{{"keepdims", true}}, wanted{{"keepdims", m.attr_int("keepdims", 1) != 0}};
  std::optional<std::vector<int64_t>> axes = m.attr_ints("axes");
  if (m.has_input(1)) axes = m.known_ints(1, "axes");
  if (axes && !axes->empty()) {
    kept.emplace_back("axis", m.list(*axes));
    wanted.emplace_back("axis", m.list(*axes));
  }
  auto greatest = [&](const Builder::Entries& attrs) {
    Node y = m.call("relax.max", {x}, attrs);
    Node infinite = m.call("relax.equal", {m.call("relax.abs", {y}), m.scalar(INFINITY, t)});
    return m.call("relax.where", {infinite, m.scalar(0, t), y});
  };
  Node exponentials = m.call("relax.exp", {m.call("relax.subtract", {x, greatest(kept)})});
  Node sum = m.call("relax.log", {m.call("relax.sum", {exponentials}, wanted)});
  m.set_output(0, m.astype(m.call("relax.add", {sum, greatest(wanted)}), given));
}

constexpr const char* kAxes = "axes keepdims noop_with_empty_axes";  // attributes of a reduction

constexpr const char *kSum = "relax.sum", *kMean = "relax.mean", *kMax = "relax.max", *kMin = "relax.min",
                     *kProd = "relax.prod";

}  // namespace

const std::vector<Converter>& layer_converters() {
  constexpr Before none = Before::kNothing;
  constexpr After done = After::kNothing;
  static const std::vector<Converter> rows = {
      {"Conv", conv, 3, "auto_pad dilations group kernel_shape pads strides"},
      {"MaxPool", max_pool, 1, "auto_pad ceil_mode dilations kernel_shape pads storage_order strides"},
      {"AveragePool", average_pool, 1, "auto_pad ceil_mode count_include_pad dilations kernel_shape pads strides"},
      {"GlobalAveragePool", global_average_pool},
      {"GlobalMaxPool", global_max_pool},
      {"BatchNormalization", batch_normalization, 5, "epsilon is_test momentum spatial<9 training_mode"},
      {"MatMul", matmul, 2},
      {"Gemm", gemm, 3, "alpha beta broadcast<7 transA transB"},
      {"Softmax", softmax_row, 1, "axis"},
      {"LogSoftmax", log_softmax_row, 1, "axis"},
      {"ReduceSum", reduction<kSum, none, done>, 2, kAxes},
      {"ReduceMean", reduction<kMean, none, done>, 2, kAxes},
      {"ReduceMax", reduction<kMax, none, done>, 2, kAxes},
      {"ReduceMin", reduction<kMin, none, done>, 2, kAxes},
      {"ReduceProd", reduction<kProd, none, done>, 2, kAxes},
      {"ReduceL1", reduction<kSum, Before::kAbsolute, done>, 2, kAxes},
      {"ReduceL2", reduction<kSum, Before::kSquare, After::kSqrt>, 2, kAxes},
      {"ReduceSumSquare", reduction<kSum, Before::kSquare, done>, 2, kAxes},
      {"ReduceLogSum", reduction<kSum, none, After::kLog>, 2, kAxes},
      {"ReduceLogSumExp", reduce_log_sum_exp, 2, kAxes},
  };
  return rows;
}

}  // namespace tenon::onnx
