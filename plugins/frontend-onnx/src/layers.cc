// Converters of convolution, pooling, normalisation, products, softmax and reductions.
#include <algorithm>

#include "importer.h"

namespace tenon::onnx {
namespace {

// `pads` as (all begins, all ends), with auto_pad resolved.
std::vector<int64_t> padding(Importer& m, const Node& x, const std::vector<int64_t>& kernel,
                             const std::vector<int64_t>& strides, const std::vector<int64_t>& dilations) {
  size_t axes = kernel.size();
  std::string mode = m.attr_text("auto_pad", "NOTSET");
  std::vector<int64_t> pads = m.attr_ints("pads").value_or(std::vector<int64_t>(2 * axes, 0));
  if (mode == "NOTSET" || mode.empty()) return pads;
  pads.assign(2 * axes, 0);
  if (mode == "VALID") return pads;
  if (mode != "SAME_UPPER" && mode != "SAME_LOWER")
    m.refuse(TN_ERROR_UNSUPPORTED, "auto_pad '" + mode + "' is unknown");
  for (size_t a = 0; a < axes; ++a) {
    auto* extent = nodes(m.shape(x))[2 + a].as<ir::IntImm>();
    if (!extent) m.refuse(TN_ERROR_UNSUPPORTED, "auto_pad needs spatial dimensions that are known");
    int64_t n = extent->value(), out = (n + strides[a] - 1) / strides[a];
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
  auto strides = m.attr_ints("strides").value_or(std::vector<int64_t>(axes, 1));
  auto dilations = m.attr_ints("dilations").value_or(std::vector<int64_t>(axes, 1));
  if (strides.size() != axes || dilations.size() != axes)
    m.refuse(TN_ERROR_SHAPE, "strides and dilations need one value for each spatial axis");
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
  auto strides = m.attr_ints("strides").value_or(std::vector<int64_t>(axes, 1));
  auto dilations = m.attr_ints("dilations").value_or(std::vector<int64_t>(axes, 1));
  if (strides.size() != axes || dilations.size() != axes)
    m.refuse(TN_ERROR_SHAPE, "strides and dilations need one value for each spatial axis");
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
  m.set_output(0, m.call("relax.nn.batch_norm_inference", {m.input(0), m.input(1), m.input(2), m.input(3), m.input(4)},
                         {{"axis", 1}, {"epsilon", m.attr_float("epsilon", 1e-5)}}));
}

void matmul(Importer& m) { m.set_output(0, m.call("relax.matmul", {m.input(0), m.input(1)})); }

void gemm(Importer& m) {
  auto matrix = [&](size_t i, const char* transposed) {
    Node x = m.input(i);
    if (m.rank(x) != 2) m.refuse(TN_ERROR_SHAPE, "operands are matrices, got rank " + std::to_string(m.rank(x)));
    return m.attr_int(transposed, 0) ? m.call("relax.permute_dims", {x}, {{"axes", m.list({1, 0})}}) : x;
  };
  Node y = m.call("relax.matmul", {matrix(0, "transA"), matrix(1, "transB")});
  auto scaled = [&](const Node& x, double by) {
    return by == 1 ? x : m.call("relax.multiply", {x, m.scalar(by, m.dtype(x))});
  };
  y = scaled(y, m.attr_float("alpha", 1));
  if (m.has_input(2)) y = m.call("relax.add", {y, scaled(m.input(2), m.attr_float("beta", 1))});
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
  if (before == Before::kAbsolute) x = m.call("relax.abs", {x});
  if (before == Before::kSquare) x = m.call("relax.square", {x});
  if (before == Before::kExp) x = m.call("relax.exp", {x});
  Node y = m.call(op, {x}, attrs);
  if (after == After::kSqrt) y = m.call("relax.sqrt", {y});
  if (after == After::kLog) y = m.call("relax.log", {y});
  m.set_output(0, y);
}

// log(sum(exp(x))) without overflow: the greatest element is taken out first.
void reduce_log_sum_exp(Importer& m) {
  Node x = m.input(0);
  Builder::Entries kept{{"keepdims", true}}, wanted{{"keepdims", m.attr_int("keepdims", 1) != 0}};
  std::optional<std::vector<int64_t>> axes = m.attr_ints("axes");
  if (m.has_input(1)) axes = m.known_ints(1, "axes");
  if (axes && !axes->empty()) {
    kept.emplace_back("axis", m.list(*axes));
    wanted.emplace_back("axis", m.list(*axes));
  }
  Node exponentials = m.call("relax.exp", {m.call("relax.subtract", {x, m.call("relax.max", {x}, kept)})});
  Node sum = m.call("relax.log", {m.call("relax.sum", {exponentials}, wanted)});
  m.set_output(0, m.call("relax.add", {sum, m.call("relax.max", {x}, wanted)}));
}

constexpr const char *kSum = "relax.sum", *kMean = "relax.mean", *kMax = "relax.max", *kMin = "relax.min",
                     *kProd = "relax.prod";

}  // namespace

const std::vector<Converter>& layer_converters() {
  constexpr Before none = Before::kNothing;
  constexpr After done = After::kNothing;
  static const std::vector<Converter> rows = {
      {"Conv", conv},
      {"MaxPool", max_pool},
      {"AveragePool", average_pool},
      {"GlobalAveragePool", global_average_pool},
      {"GlobalMaxPool", global_max_pool},
      {"BatchNormalization", batch_normalization},
      {"MatMul", matmul},
      {"Gemm", gemm},
      {"Softmax", softmax_row},
      {"LogSoftmax", log_softmax_row},
      {"ReduceSum", reduction<kSum, none, done>},
      {"ReduceMean", reduction<kMean, none, done>},
      {"ReduceMax", reduction<kMax, none, done>},
      {"ReduceMin", reduction<kMin, none, done>},
      {"ReduceProd", reduction<kProd, none, done>},
      {"ReduceL1", reduction<kSum, Before::kAbsolute, done>},
      {"ReduceL2", reduction<kSum, Before::kSquare, After::kSqrt>},
      {"ReduceSumSquare", reduction<kSum, Before::kSquare, done>},
      {"ReduceLogSum", reduction<kSum, none, After::kLog>},
      {"ReduceLogSumExp", reduce_log_sum_exp},
  };
  return rows;
}

}  // namespace tenon::onnx
