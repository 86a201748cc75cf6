#include "build/plugin_service.h"

#include "build/catalog.h"

namespace tenon {

PluginService::PluginService(const Builder& b, PluginProvider& provider, PluginInstances& instances,
                             const std::vector<std::string>& conversions)
    : b_(b), provider_(provider), instances_(instances), conversions_(conversions.begin(), conversions.end()) {
  table_.size = sizeof table_;
  table_.self = this;
  table_.providers = [](void* self, const char* capability, TnValue* ret) -> int {
    return guard(tn_runtime(), ret, [&] { return static_cast<PluginService*>(self)->providers(capability); });
  };
  table_.open = [](void* self, const char* plugin, const char* capability, TnProvided* provided, TnValue* ret) -> int {
    return guard(tn_runtime(), ret, [&] {
      static_cast<PluginService*>(self)->open(plugin, capability, provided);
      return Value();
    });
  };
}

Value PluginService::providers(std::string_view capability) {
  std::vector<Value> out;
  for (const PluginInfo& p : provider_.plugins()) {
    if (!p.has(capability)) continue;
    Builder::Entries e{{"plugin", b_.string(p.id)}, {"version", b_.string(p.version)}, {"vendor", b_.string(p.vendor)}};
    const Value* offer = p.offers.find(capability);
    e.emplace_back("offer", offer ? *offer : Value());
    out.push_back(Value(b_.map(e)));
  }
  return b_.array(out);
}

void PluginService::open(std::string_view plugin, const char* capability, TnProvided* provided) {
  PluginInstances::Use use = instances_.use(find_plugin(provider_, plugin), capability);
  *provided = {use.table, use.instance};
  CallObserver* calls = provider_.calls();
  if (!calls) return;
  if (const void* table = marked_calls_table(capability, conversions_.contains(capability), use.table)) {
    std::lock_guard lock(mutex_);
    std::unique_ptr<MarkedCalls>& marked = marked_[{std::string(plugin), capability}];
    if (!marked || marked->instance != use.instance)  // it was destroyed and made anew
      marked = std::make_unique<MarkedCalls>(MarkedCalls{use.table, use.instance, calls, std::string(plugin)});
    *provided = {table, marked.get()};
  }
}

}  // namespace tenon
