// An id and a version that are written by hand a second time, and drift from the manifest's.
// says: (CapabilityId|incomplete type|constraint|implicit instantiation)
// says: (CapabilityId|incomplete type|could not convert|no matching|cannot convert)
#include <tenon/pass_plugin.h>

struct Plugin : tenon::PluginInstance {
  using PluginInstance::PluginInstance;
};

static tenon::Value run(Plugin&, const tenon::PassArgs&, const tenon::Node& function) { return function; }
static constexpr tenon::FunctionPass<Plugin> passes[] = {{"nothing", &run}};
static constexpr TnPass table = tenon::function_passes<Plugin, passes>();
#if !defined(MISTAKE)
TENON_PLUGIN(Plugin, table)
#elif MISTAKE == 1
TENON_PLUGIN(Plugin, "com.vendor.thing", "1.0.0", table)
#else
TENON_PLUGIN(Plugin, {TN_PASS, &table})
#endif
