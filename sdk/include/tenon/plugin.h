// The C++ side of a plugin: what it is (TENON_PLUGIN) and the services of the host that it was given.
//
//   struct MyPlugin : tenon::PluginInstance { using PluginInstance::PluginInstance; ... };
//   TENON_PLUGIN(MyPlugin, "com.vendor.thing", "1.0.0", {"tenon.pass/1", &pass_table})
#ifndef TENON_SDK_PLUGIN_H
#define TENON_SDK_PLUGIN_H

#include <tenon/cxx/builder.h>
#include <tenon/ext/arith.h>
#include <tenon/ext/context.h>
#include <tenon/ext/op.h>

namespace tenon {

// What every instance holds. A plugin derives from it and adds its own state.
class PluginInstance {
 public:
  explicit PluginInstance(const TnHost* host) : host_(host), b_(host->runtime, service<TnHostIr>(TN_HOST_IR)) {}

  const TnHost* host() const { return host_; }
  const TnRuntime* runtime() const { return host_->runtime; }
  const Builder& builder() const { return b_; }
  // A service table; null when the host (or another plugin) does not offer it.
  template <class Table>
  const Table* service(const char* id) const {
    return static_cast<const Table*>(host_->service(host_->self, id));
  }

 private:
  const TnHost* host_;
  Builder b_;
};

struct Capability {
  const char* id;
  const void* table;
};

// The C slots of a plugin whose instances are of class Instance.
template <class Instance>
struct PluginEntry {
  static int create(const TnHost* host, void** instance, TnValue* ret) {
    return guard(host->runtime, ret, [&] {
      *instance = new Instance(host);
      return Value();
    });
  }
  static void destroy(void* instance) { delete static_cast<Instance*>(instance); }
};

}  // namespace tenon

// Declares the plugin: its instance class, id, version, and its capabilities as {id, table} pairs.
#define TENON_PLUGIN(Instance, plugin_id, plugin_version, ...)                            \
  static const void* tenon_plugin_capability(void*, const char* id) {                     \
    static constexpr tenon::Capability capabilities[] = {__VA_ARGS__};                    \
    for (const tenon::Capability& c : capabilities)                                       \
      if (std::string_view(c.id) == id) return c.table;                                   \
    return nullptr;                                                                       \
  }                                                                                       \
  static constexpr TnPlugin tenon_plugin_table = {sizeof(TnPlugin),                       \
                                                  TN_ABI_VERSION,                         \
                                                  TN_IR_VOCABULARY,                       \
                                                  plugin_id,                              \
                                                  plugin_version,                         \
                                                  &tenon::PluginEntry<Instance>::create,  \
                                                  &tenon::PluginEntry<Instance>::destroy, \
                                                  &tenon_plugin_capability};              \
  extern "C" TN_EXPORT const TnPlugin* tenon_plugin(void) { return &tenon_plugin_table; }

#endif
