#include <tenon/kind_plugin.h>

using namespace tenon;

struct Plugin : PluginInstance {
  using PluginInstance::PluginInstance;
};

// What a node means, in core kinds: a * b + c. Slot 0 of an expression is its dtype; those of the manifest follow.
static Value multiply_add(Plugin& self, const CallArgs&, const Node& node) {
  const Builder& b = self.builder();
  return b.add(b.mul(as_node(node.slot(1)), as_node(node.slot(2))), as_node(node.slot(3)));
}

static constexpr KindRow<Plugin> kinds[] = {{"@ID@.multiply_add/1", &multiply_add}};
static constexpr auto kind_table = kind_lowering<Plugin, kinds>();
TENON_PLUGIN(Plugin, kind_table)
