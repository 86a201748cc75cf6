#include <tenon/pass_plugin.h>

using namespace tenon;

struct Plugin : PluginInstance {
  using PluginInstance::PluginInstance;
};

static bool is_zero(const Node& e) {
  const auto* imm = e.as<ir::IntImm>();
  return imm && imm->value() == 0;
}

// Called for each function; the nodes come children first, and an empty value keeps a node.
static Value fold_add_zero(Plugin& self, const PassArgs&, const Node& function) {
  return self.builder().rewrite(function, [](const Node&, const Node& node) -> Value {
    const auto* add = node.as<tir::Add>();
    if (add && is_zero(add->b())) return add->a();
    if (add && is_zero(add->a())) return add->b();
    return {};
  });
}

static constexpr FunctionPass<Plugin> passes[] = {{"fold-add-zero", &fold_add_zero}};
static constexpr TnPass pass_table = function_passes<Plugin, passes>();
TENON_PLUGIN(Plugin, pass_table)
