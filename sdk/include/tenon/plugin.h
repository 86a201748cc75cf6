// The C++ side of a plugin: what it is (TENON_PLUGIN), the services of the host, and what other plugins offer.
//
//   struct MyPlugin : tenon::PluginInstance { using PluginInstance::PluginInstance; ... };
//   TENON_PLUGIN(MyPlugin, pass_table, codegen_table)
//
// Id and version come from the manifest: tenon_add_plugin defines TENON_PLUGIN_ID and TENON_PLUGIN_VERSION.
#ifndef TENON_SDK_PLUGIN_H
#define TENON_SDK_PLUGIN_H

#include <tenon/capability.h>
#include <tenon/cxx/builder.h>

namespace tenon {

// A plugin that provides a capability, as its manifest tells; nothing is loaded before `open`.
template <SizedTable Table>
class Provider {
 public:
  Provider(const TnHost* host, std::string plugin, Map entry)
      : host_(host), plugin_(std::move(plugin)), entry_(std::move(entry)) {}
  const std::string& plugin() const { return plugin_; }
  std::string_view version() const { return entry_.find("version")->as_string(); }
  // What its manifest says about the capability under `offers`; an empty map when nothing.
  Map offer() const {
    const Value* v = entry_.find("offer");
    return v && v->is_map() ? v->ref<Map>() : Map();
  }
  // The capability; the slots get the provider's instance first. Throws when the plugin cannot be loaded.
  TableRef<Table> open() const {
    TnProvided provided{nullptr, nullptr};
    auto* plugins = static_cast<const TnHostPlugins*>(host_->service(host_->self, TN_HOST_PLUGINS));
    TableRef<TnHostPlugins>(plugins, plugins ? plugins->self : nullptr)
        .template call<&TnHostPlugins::open>(plugin_.c_str(), CapabilityId<Table>::value, &provided);
    return {provided.table, provided.instance};
  }

 private:
  const TnHost* host_;
  std::string plugin_;
  Map entry_;
};

// What every instance holds. A plugin derives from it and adds its own state.
class PluginInstance {
 public:
  explicit PluginInstance(const TnHost* host)
      : host_(host), b_(host->runtime, static_cast<const TnHostIr*>(host->service(host->self, TN_HOST_IR))) {}

  const TnHost* host() const { return host_; }
  const TnRuntime* runtime() const { return host_->runtime; }
  // Throws where there is no compiler: in a program that only runs models, which opens plugins for their devices and
  // loaders.
  const Builder& builder() const {
    if (!b_.ir()) service<TnHostIr>().required();
    return b_;
  }
  // A service of the host:  service<TnHostOps>().call<&TnHostOps::find>("relax.add").
  template <SizedTable Table>
  TableRef<Table> service() const {
    auto* table = static_cast<const Table*>(host_->service(host_->self, CapabilityId<Table>::value));
    return {table, table ? table->self : nullptr};
  }
  // The plugins that provide a capability, in the order of preference.
  template <SizedTable Table>
  std::vector<Provider<Table>> providers() const {
    Value found = service<TnHostPlugins>().call<&TnHostPlugins::providers>(CapabilityId<Table>::value);
    std::vector<Provider<Table>> out;
    for (const Value& v : found.ref<Array>())
      out.emplace_back(host_, std::string(v.ref<Map>().find("plugin")->as_string()), v.ref<Map>());
    return out;
  }

 private:
  const TnHost* host_;
  Builder b_;
};

// What a compile-side slot is called with besides its subject.
struct CallArgs {
  const TnContext* context;
  const Map& options;  // complete: defaults are filled in
  // Null for an option without a default that is not given.
  const Value* find(std::string_view option) const { return options.find(option); }
  // An option that is given or has a default, of the type that the manifest says; anything else is an error.
  bool flag(std::string_view option) const { return given(option, &Value::is_bool, "bool").as_bool(); }
  int64_t number(std::string_view option) const { return given(option, &Value::is_int, "int").as_int(); }
  std::string_view text(std::string_view option) const {
    return given(option, &Value::is_string, "string").as_string();
  }
  const Map& target() const { return Value::view(*context->target).ref<Map>(); }
  // A diagnostic for the user that does not end the call.
  void report(int32_t severity, const std::string& message, const TnSpan* span = nullptr,
              const std::string& hint = {}) const {
    context->report(context->self, severity, message.c_str(), span, hint.empty() ? nullptr : hint.c_str());
  }
  // A fact for the user's report; hosts that do not know `record` do without.
  void record(const char* topic, const Value& data) const {
    if (TN_HAS(context, record)) context->record(context->self, topic, data.ptr());
  }

 private:
  const Value& given(std::string_view option, bool (Value::*is_of_type)() const, const char* type) const {
    const Value* v = find(option);
    if (v && (v->*is_of_type)()) return *v;
    throw Error(TN_ERROR_INTERNAL,
                "the plugin reads the option '" + std::string(option) + "' as " + type + ", but " +
                    (v ? "it is of another type" : "there is none"),
                {}, "its manifest.yaml says which options there are, of which types and with which defaults");
  }
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

// The fence of a slot: f(Instance&) -> Value, its exceptions turned into errors.
template <class Instance, class F>
int slot(void* instance, TnValue* ret, F&& f) {
  auto& self = *static_cast<Instance*>(instance);
  return guard(self.runtime(), ret, [&]() -> Value { return f(self); });
}

}  // namespace tenon

// Declares the plugin: its instance class and the tables of its capabilities.
#define TENON_PLUGIN(Instance, ...)                                                       \
  static const void* tenon_plugin_capability(void*, const char* id) {                     \
    static constexpr tenon::Capability capabilities[] = {__VA_ARGS__};                    \
    for (const tenon::Capability& c : capabilities)                                       \
      if (std::string_view(c.id) == id) return c.table;                                   \
    return nullptr;                                                                       \
  }                                                                                       \
  static constexpr TnPlugin tenon_plugin_table = {sizeof(TnPlugin),                       \
                                                  TN_ABI_VERSION,                         \
                                                  TN_IR_VOCABULARY,                       \
                                                  TENON_PLUGIN_ID,                        \
                                                  TENON_PLUGIN_VERSION,                   \
                                                  &tenon::PluginEntry<Instance>::create,  \
                                                  &tenon::PluginEntry<Instance>::destroy, \
                                                  &tenon_plugin_capability};              \
  extern "C" TN_EXPORT const TnPlugin* tenon_plugin(void) { return &tenon_plugin_table; }

#endif
