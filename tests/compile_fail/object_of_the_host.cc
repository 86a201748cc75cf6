// An object that the plugin allocates and the host reads: it would lack whatever is appended to it later.
// says: (use of deleted function|deleted)
// says: (use of deleted function|deleted)
// says: (could not convert|no matching constructor)
// says: (use of deleted function|deleted)
#include <tenon/pass_plugin.h>

struct Plugin : tenon::PluginInstance {
  using PluginInstance::PluginInstance;
};

int fail(const Plugin& self, TnValue* ret) {
#if !defined(MISTAKE)
  return self.runtime()->error(TN_ERROR_DEVICE, "it does not answer", nullptr, nullptr, nullptr, ret);
#elif MISTAKE == 1
  TnError error{};
  ret->as.object = &error.header;
  return self.runtime() ? -1 : 0;
#elif MISTAKE == 2
  ret->as.object = &(new TnError)->header;
  return self.runtime() ? -1 : 0;
#elif MISTAKE == 3
  TnString text = {{}, "text", 4};
  ret->as.object = &text.header;
  return self.runtime() ? -1 : 0;
#else
  struct Mine : TnNode {
    int more;
  } mine;
  ret->as.object = &mine.header;
  return self.runtime() ? -1 : 0;
#endif
}
