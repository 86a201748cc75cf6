// A table's size compared with ==: a newer host, whose table is longer, would be taken for a broken one. Ask for the slot.
// says: has no member named 'size'|no member named 'size'
// says: base operand of '->' has non-pointer type|member reference type .* is not a pointer|no 'operator->'
#include <tenon/pass_plugin.h>

struct Plugin : tenon::PluginInstance {
  using PluginInstance::PluginInstance;
};

bool can_suggest(const Plugin& self) {
  auto ops = self.service<TnHostOps>();
#if !defined(MISTAKE)
  return ops.has<&TnHostOps::suggest>();
#elif MISTAKE == 1
  return ops.size == sizeof(TnHostOps);
#else
  return ops->size == sizeof(TnHostOps);
#endif
}
