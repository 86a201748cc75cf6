// A service that an older host does not have, used without asking.
// says: (base operand of '->'|is not a pointer|no 'operator->')
// says: (cannot convert|no viable conversion)
// says: (no match for 'operator\*'|indirection requires pointer)
#include <tenon/pass_plugin.h>

struct Plugin : tenon::PluginInstance {
  using PluginInstance::PluginInstance;
};

tenon::Value record(const Plugin& self) {
  auto ops = self.service<TnHostOps>();
#if !defined(MISTAKE)
  return ops.call<&TnHostOps::find>("relax.add");
#elif MISTAKE == 1
  TnValue ret;
  ops->find(nullptr, "relax.add", &ret);
  return {};
#elif MISTAKE == 2
  const TnHostOps* table = ops;
  return table ? tenon::Value() : tenon::Value(1);
#else
  TnValue ret;
  (*ops).find(nullptr, "relax.add", &ret);
  return {};
#endif
}
