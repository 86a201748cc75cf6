// A table whose capability has no id.
// says: (CapabilityId|incomplete type|implicit instantiation)
#include <tenon/pass_plugin.h>

struct Plugin : tenon::PluginInstance {
  using PluginInstance::PluginInstance;
};

struct Thing {
  size_t size;
  int (*tune)(void* instance, TnValue* ret);
};
#ifndef MISTAKE
TENON_CAPABILITY(Thing, "com.vendor.thing/1")
#endif
static int tune(void*, TnValue*) { return 0; }
static constexpr auto table = tenon::make_table<Thing>(&tune);
TENON_PLUGIN(Plugin, table)
