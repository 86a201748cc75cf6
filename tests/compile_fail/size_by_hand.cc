// A size that is written by hand, and wrong.
// says: (wrong size|not a constant expression|the table's size is not|constant expression)
#include <tenon/pass_plugin.h>

struct Plugin : tenon::PluginInstance {
  using PluginInstance::PluginInstance;
};

struct Thing {
  size_t size;
  int (*tune)(void* instance, TnValue* ret);
  int (*reset)(void* instance, TnValue* ret);
};
TENON_CAPABILITY(Thing, "com.vendor.thing/1")
static int tune(void*, TnValue*) { return 0; }
#ifdef MISTAKE
static constexpr Thing table = {offsetof(Thing, reset), &tune, &tune};
#else
static constexpr auto table = tenon::make_table<Thing>(&tune, &tune);
#endif
TENON_PLUGIN(Plugin, table)
