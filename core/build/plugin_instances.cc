#include "build/plugin_instances.h"

#include "pass/plugin_failure.h"

namespace tenon {

namespace {

// One id of a kind is one schema: of two plugins that differ neither can be used.
void refuse_disputed_kinds(PluginProvider& provider, const PluginInfo& plugin) {
  for (const KindDeclaration& mine : plugin.kinds)
    for (const PluginInfo& other : provider.plugins())
      for (const KindDeclaration& theirs : other.kinds)
        if (mine.id == theirs.id && !(mine.flags == theirs.flags && mine.slots == theirs.slots))
          throw Error(TN_ERROR_DUPLICATE,
                      "the plugin '" + plugin.id + "' " + plugin.version + " declares the kind `" + mine.id +
                          "` with another schema than '" + other.id + "' " + other.version + " (" + theirs.origin + ")",
                      mine.origin, "leave one of the two plugins out; a changed kind takes a higher revision");
}

}  // namespace

PluginInstances::PluginInstances(PluginProvider& provider, const TnRuntime* runtime, void* host_self,
                                 const void* (*service)(void* self, const char* id), Validation* validation)
    : provider_(provider), validation_(validation), host_{sizeof(TnHost), host_self, runtime, service} {}

PluginInstances::~PluginInstances() { destroy_all(); }

void PluginInstances::destroy_all() {
  std::lock_guard lock(mutex_);
  while (!entries_.empty()) {
    Entry& last = entries_.back();
    if (last.table && !last.creating) destroy(last);
    entries_.pop_back();
  }
}

void PluginInstances::destroy(Entry& e) {
  if (validation_)
    validation_->destroy(e.info->id, *e.table, e.instance);
  else
    e.table->destroy(e.instance);
}

PluginInstances::Entry& PluginInstances::entry(const PluginInfo& plugin) {
  for (Entry& e : entries_)
    if (e.info->id == plugin.id) {
      if (e.creating)
        throw Error(TN_ERROR_PLUGIN,
                    "the plugin '" + plugin.id + "' " + plugin.version + " is needed while it is being created", {},
                    "two plugins ask for each other in their create; ask at first use instead");
      return e;
    }
  refuse_disputed_kinds(provider_, plugin);
  if (std::unique_ptr<PluginStandIn> stand_in = provider_.stand_in(plugin, host_)) {
    Entry& e = entries_.emplace_back();
    e.info = &plugin;
    e.instance = stand_in->instance();
    e.stand_in = std::move(stand_in);
    e.creating = false;
    return e;
  }
  const TnPlugin* table = provider_.load(plugin);
  Entry& e = entries_.emplace_back();
  e.info = &plugin;
  e.table = table;
  e.host = host_;
  try {
    CallMark mark(provider_.calls(), plugin.id);
    const std::string lead = "the plugin '" + plugin.id + "' " + plugin.version + " could not start: ";
    call_plugin(plugin.id, lead, [&](TnValue* ret) {
      return validation_ ? validation_->create(plugin.id, *table, e.host, &e.instance, ret)
                         : table->create(&e.host, &e.instance, ret);
    });
  } catch (const Error& cause) {
    entries_.pop_back();
    Error named = cause;
    if (named.where.empty()) named.where = plugin.library;
    if (named.hint.empty()) named.hint = "ask the plugin's vendor";
    throw named;
  }
  e.creating = false;
  for (const std::string& capability : plugin.provides) {
    if (table->capability(e.instance, capability.c_str())) continue;
    destroy(e);
    entries_.pop_back();
    throw Error(TN_ERROR_PLUGIN,
                "the plugin '" + plugin.id + "' " + plugin.version + " cannot be used: its manifest provides " +
                    capability + ", its library does not",
                plugin.library, "this is a bug of the plugin: ask its vendor");
  }
  return e;
}

PluginInstances::Use PluginInstances::use(const PluginInfo& plugin, const char* capability) {
  std::lock_guard lock(mutex_);
  Entry& e = entry(plugin);
  const void* table = e.capability(capability);
  if (!table)
    throw Error(TN_ERROR_NOT_FOUND,
                "the plugin '" + plugin.id + "' " + plugin.version + " does not provide " + capability, plugin.library,
                "ask a plugin whose manifest provides it");
  if (!validation_) return {table, e.instance};
  Validation::Wrapped wrapped = validation_->capability(plugin.id, capability, table, e.instance);
  return {wrapped.table, wrapped.instance};
}

const void* PluginInstances::table(const PluginInfo& plugin, const char* capability) {
  std::lock_guard lock(mutex_);
  Entry& e = entry(plugin);
  return e.table->capability(e.instance, capability);
}

PluginInstances::Whole PluginInstances::whole(const PluginInfo& plugin) {
  std::lock_guard lock(mutex_);
  Entry& e = entry(plugin);
  if (!validation_ || !e.table) return {e.table, e.instance};
  Validation::Wrapped wrapped = validation_->whole(plugin.id, *e.table, e.instance);
  return {static_cast<const TnPlugin*>(wrapped.table), wrapped.instance};
}

bool PluginInstances::is_loaded(const std::string& id) {
  std::lock_guard lock(mutex_);
  for (const Entry& e : entries_)
    if ((e.info->id == id && !e.creating) || (e.stand_in && e.stand_in->has_loaded(id))) return true;
  return false;
}

std::vector<std::string> PluginInstances::loaded() {
  std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const Entry& e : entries_)
    if (!e.creating) out.push_back(e.info->id);
  return out;
}

}  // namespace tenon
