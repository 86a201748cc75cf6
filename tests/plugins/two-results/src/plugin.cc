#include <tenon/compute.h>
#include <tenon/onnx_converter_plugin.h>

namespace tenon {
namespace {

struct Plugin : PluginInstance {
  using PluginInstance::PluginInstance;
};

void sum_and_difference(Compute& f) {
  const Tensor &x = f.in(0), &y = f.in(1);
  if (!is_floating(x.dtype) || !same_dtype(x.dtype, y.dtype))
    f.refuse(TN_ERROR_TYPE, "takes floating point of one dtype");
  if (f.text(x.shape) != f.text(y.shape)) f.refuse(TN_ERROR_SHAPE, "takes tensors of one shape");
  const Node scale = f.b.constant_of(f.attr_float("scale", 1), x.dtype);
  Tensor sum = f.output(x.shape, x.dtype), difference = f.output(x.shape, x.dtype);
  f.spatial(sum, "sum", [&](const Indices& i) { return f.b.mul(scale, f.b.add(x(i), y(i))); });
  f.spatial(difference, "difference", [&](const Indices& i) { return f.b.mul(scale, f.b.sub(x(i), y(i))); });
}
constexpr OpDefinition ops[] = {{"com.example.sum_and_difference", &sum_and_difference}};
constexpr TnOp op_rows = op_table<Plugin, ops>();

std::vector<Node> convert(Plugin& self, const OnnxNodeArgs& n) {
  const Node both = n.call("com.example.sum_and_difference", {n.input(0), n.input(1)}, {{"scale", Value(2.0)}});
  auto part = [&](int64_t i) { return self.builder().make<relax::TupleGetItem>({Value(), both, i}); };
  return {part(0), part(1)};
}
constexpr OnnxRow<Plugin> rows[] = {{"SumAndDifference", &convert}};
constexpr auto converter_rows = onnx_converter<Plugin, rows>();

}  // namespace
}  // namespace tenon

TENON_PLUGIN(tenon::Plugin, tenon::op_rows, tenon::converter_rows)
