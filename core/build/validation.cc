#include "build/validation.h"

#include <cstdio>
#include <cstring>

#include "build/validation_state.h"
#include "tenon/ext/draft/loader.h"

namespace tenon {

using namespace validation;

namespace {

const void* host_service(void* self, const char* id) {
  auto* plugin = static_cast<Plugin*>(self);
  Frame* frame = current_frame();
  if (plugin->destroyed || !plugin->real_host) {
    if (frame)
      frame->report("E9", "the host of an instance that is destroyed is asked for " + std::string(id ? id : "null"));
    return nullptr;
  }
  if (!id) {
    if (frame) frame->report("V3", "the id of a service is null");
    return nullptr;
  }
  const void* real = plugin->real_host->service(plugin->real_host->self, id);
  if (!real || !frame) return real && !frame ? real : nullptr;
  const void* wrapped = wrap_service(frame->state, *plugin, id, real);
  return wrapped ? wrapped : real;
}

Plugin& plugin_of(Validation::State& state, const std::string& id) {
  std::lock_guard lock(state.mutex);
  std::unique_ptr<Plugin>& p = state.plugins[id];
  if (!p) {
    p = std::make_unique<Plugin>();
    p->id = id;
  }
  return *p;
}

}  // namespace

void Validation::State::report(const Plugin& plugin, const std::string& during, const char* rule, std::string message) {
  std::lock_guard lock(mutex);
  if (closed)
    std::fprintf(stderr, "tenon: the plugin '%s' broke rule %s of the contract: %s\n", plugin.id.c_str(), rule,
                 message.c_str());
  else
    reports.push_back({rule, plugin.id, during, std::move(message)});
}

Validation::Validation(const std::vector<std::string>& conversions) : state_(new State) {
  state_->conversions.insert(conversions.begin(), conversions.end());
}

Validation::~Validation() {
  std::lock_guard lock(state_->mutex);
  for (const Report& r : state_->reports)
    std::fprintf(stderr, "tenon: the plugin '%s' broke rule %s of the contract: %s%s%s\n", r.plugin.c_str(),
                 r.rule.c_str(), r.message.c_str(), r.during.empty() ? "" : ", in ", r.during.c_str());
  state_->reports.clear();
  state_->closed = true;
  state_->watch.clear();
  // A list that holds what may still be come back to, so that it is not taken for lost.
  static std::mutex mutex;
  static auto& closed = *new std::vector<State*>;
  std::lock_guard closing(mutex);
  closed.push_back(state_);
}

std::vector<Validation::Report> Validation::take_reports() {
  std::lock_guard lock(state_->mutex);
  return std::exchange(state_->reports, {});
}

Validation::Calls Validation::calls() const { return {state_->calls, state_->nodes, state_->callbacks}; }

int Validation::create(const std::string& id, const TnPlugin& table, const TnHost& host, void** instance,
                       TnValue* ret) {
  Plugin& plugin = plugin_of(*state_, id);
  plugin.real_host = &host;
  plugin.destroyed = false;
  plugin.capabilities.clear();
  plugin.kept.clear();
  plugin.host = {sizeof(TnHost), &plugin, runtime_table(), &host_service};
  plugin.pristine = plugin.host;
  Frame frame(*state_, plugin, "create");
  *instance = nullptr;
  *ret = {TN_NONE, 0, {0}};
  int status = -1;
  try {
    status = table.create(&plugin.host, instance, ret);
  } catch (...) { frame.report("F1", "an exception left the slot"); }
  if (status == 0 && !*instance) frame.report("E6", "create succeeded without an instance");
  if (status == 0 && ret->type_index != TN_NONE && ret->type_index < TN_OBJECT) *ret = {TN_NONE, 0, {0}};
  bool made = status == 0;
  status = frame.finish(status, ret);
  if (made && status != 0 && *instance) {
    table.destroy(*instance);
    plugin.destroyed = true;
  }
  return status;
}

void Validation::destroy(const std::string& id, const TnPlugin& table, void* instance) {
  Plugin& plugin = plugin_of(*state_, id);
  Frame frame(*state_, plugin, "destroy");
  std::map<const TnObject*, uint32_t> before;
  for (const auto& [object, kept] : plugin.kept)
    if (kept > 0 && state_->watch.health(object) == Health::kAlive)
      before.emplace(object, static_cast<uint32_t>(object->counts));
  try {
    table.destroy(instance);
  } catch (...) { frame.report("F1", "an exception left the slot"); }
  {
    std::lock_guard lock(state_->mutex);
    for (const auto& [object, count] : before) {
      int64_t given_back = static_cast<int32_t>(count - static_cast<uint32_t>(object->counts));
      if (given_back < plugin.kept[object])
        frame.report("O7", name_of_object(object) + " that was borrowed was retained, and is still held after destroy");
    }
    for (Watched* w : state_->watch.left_by(&plugin))
      frame.report("O6", name_of_object(w->object) + " is still there after destroy; it was made in " + w->during);
    if (plugin.analyzers)
      frame.report("S3", std::to_string(plugin.analyzers) + " analyzers are still there after destroy");
  }
  TnValue none{TN_NONE, 0, {0}};
  frame.finish(0, &none);
  tn_value_release(&none);
  plugin.destroyed = true;
}

namespace {

Validation::Wrapped wrapped(Validation::State& state, Plugin& plugin, const std::string& capability, const void* table,
                            void* instance) {
  std::lock_guard lock(state.mutex);
  std::unique_ptr<CapabilityUse>& use = plugin.capabilities[capability];
  auto given = [&]() -> Validation::Wrapped {
    if (use->wrapped.empty()) return {table, instance};
    bool by_plugin = capability == TN_DEVICE_API || capability == TN_LOADER;
    return {use->wrapped.data(), by_plugin ? static_cast<void*>(&plugin) : use.get()};
  };
  if (use) {
    if (use->real != table)
      state.report(plugin, "capability", "E4", "the table of " + capability + " is another one than before");
    return given();
  }
  use = std::make_unique<CapabilityUse>();
  use->state = &state;
  use->plugin = &plugin;
  use->id = capability;
  use->real = table;
  use->instance = instance;
  size_t size = *static_cast<const size_t*>(table);
  if (size < 2 * sizeof(void*) || size > 4096 || size % sizeof(void*)) {
    state.report(plugin, "capability", "E5",
                 "the table of " + capability + " says that it has " + std::to_string(size) + " bytes");
    throw Error(TN_ERROR_PLUGIN, "the plugin '" + plugin.id + "' broke rule E5 of the contract: the table of " +
                                     capability + " says that it has " + std::to_string(size) + " bytes");
  }
  use->size = size;
  use->copy.resize(4096);
  std::memcpy(use->copy.data(), table, size);
  wrap_capability(*use);
  return given();
}

// TnPlugin.capability of a plugin that the runtime was given.
const void* front_capability(void* self, const char* id) {
  auto& plugin = *static_cast<Plugin*>(self);
  const void* table = plugin.table->capability(plugin.instance, id);
  if (!table) return nullptr;
  try {
    return wrapped(*plugin.state, plugin, id, table, plugin.instance).table;
  } catch (const Error&) { return nullptr; }  // it was reported
}

}  // namespace

Validation::Wrapped Validation::capability(const std::string& id, const std::string& capability, const void* table,
                                           void* instance) {
  return wrapped(*state_, plugin_of(*state_, id), capability, table, instance);
}

Validation::Wrapped Validation::whole(const std::string& id, const TnPlugin& table, void* instance) {
  Plugin& plugin = plugin_of(*state_, id);
  plugin.table = &table;
  plugin.instance = instance;
  plugin.state = state_;
  plugin.front = table;
  plugin.front.size = sizeof plugin.front;
  plugin.front.capability = &front_capability;
  return {&plugin.front, &plugin};
}

}  // namespace tenon
