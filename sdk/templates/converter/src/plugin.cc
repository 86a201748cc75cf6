#include <tenon/onnx_converter_plugin.h>

using namespace tenon;

struct Plugin : PluginInstance {
  using PluginInstance::PluginInstance;
};

// x * sigmoid(x): an expression for each output; the frontend infers the types.
static std::vector<Node> swish(Plugin&, const OnnxNodeArgs& node) {
  const Node x = node.input(0);
  return {node.call("relax.multiply", {x, node.call("relax.sigmoid", {x})})};
}

static constexpr OnnxRow<Plugin> rows[] = {{"Swish", &swish}};
static constexpr auto converter_table = onnx_converter<Plugin, rows>();
TENON_PLUGIN(Plugin, converter_table)
