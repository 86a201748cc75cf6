// A capability whose table does not begin with its size: nothing could be appended to it.
// says: (constraint|SizedTable)
// says: (constraint|SizedTable)
#include <tenon/pass_plugin.h>

struct Plugin : tenon::PluginInstance {
  using PluginInstance::PluginInstance;
};

#if !defined(MISTAKE)
struct Thing {
  size_t size;
  int (*tune)(void* instance, TnValue* ret);
};
#elif MISTAKE == 1
struct Thing {
  int (*tune)(void* instance, TnValue* ret);
};
#else
struct Thing {  // the size is there, but not first
  int (*tune)(void* instance, TnValue* ret);
  size_t size;
};
#endif
TENON_CAPABILITY(Thing, "com.vendor.thing/1")
static int tune(void*, TnValue*) { return 0; }
static constexpr auto table = tenon::make_table<Thing>(&tune);
TENON_PLUGIN(Plugin, table)
