#include <tenon/instrument_plugin.h>

using namespace tenon;

struct Plugin : PluginInstance {
  using PluginInstance::PluginInstance;
};

// Called after each pass. An error that is thrown here ends the run, naming the instrument and the pass.
static void after(Plugin& self, const CallArgs& args, const Map& record, const Node&, const Node& module) {
  if (!record.find("changed")->as_bool()) return;
  int64_t loops = 0;
  self.builder().walk(Value(module), [&](const Node& node) { loops += node.is<tir::For>(); });
  args.report(TN_SEVERITY_NOTE, std::to_string(loops) + " loops");
}

static constexpr auto instrument_table = instrument<Plugin, &after>();
TENON_PLUGIN(Plugin, instrument_table)
