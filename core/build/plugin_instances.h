// The plugins that a session uses: loaded and created at first use, destroyed in reverse order.
#ifndef TENON_BUILD_PLUGIN_INSTANCES_H
#define TENON_BUILD_PLUGIN_INSTANCES_H

#include <deque>
#include <mutex>

#include "build/plugin_info.h"
#include "build/validation.h"

namespace tenon {

class PluginInstances {
 public:
  // `service` of the host that plugins are given; `host_self` is its first argument. With a validation layer (it may be
  // null, and outlives the instances) its tables stand in between.
  PluginInstances(PluginProvider& provider, const TnRuntime* runtime, void* host_self,
                  const void* (*service)(void* self, const char* id), Validation* validation = nullptr);
  PluginInstances(const PluginInstances&) = delete;
  PluginInstances& operator=(const PluginInstances&) = delete;
  ~PluginInstances();

  // A capability of a plugin, and the instance to pass to its slots. Throws when the plugin cannot be loaded or made,
  // or does not answer a capability that its manifest lists.
  struct Use {
    const void* table = nullptr;
    void* instance = nullptr;
  };
  Use use(const PluginInfo& plugin, const char* capability);
  // The plugin's own table, and its instance.
  struct Whole {
    const TnPlugin* table = nullptr;
    void* instance = nullptr;
  };
  Whole whole(const PluginInfo& plugin);
  // The plugin's own table, for another plugin.
  const void* table(const PluginInfo& plugin, const char* capability);
  // Destroys all instances, the last one first; they are made again when they are needed.
  void destroy_all();
  // True once the library has been opened and the instance made.
  bool is_loaded(const std::string& id);
  // The plugins that this session itself has loaded.
  std::vector<std::string> loaded();

 private:
  struct Entry {
    const PluginInfo* info;
    const TnPlugin* table = nullptr;
    void* instance = nullptr;
    bool creating = true;
    TnHost host;
    std::unique_ptr<PluginStandIn> stand_in;  // instead of table and instance

    const void* capability(const char* id) {
      return stand_in ? stand_in->capability(id) : table->capability(instance, id);
    }
  };
  Entry& entry(const PluginInfo& plugin);
  void destroy(Entry& entry);

  PluginProvider& provider_;
  Validation* validation_;
  TnHost host_;
  std::recursive_mutex mutex_;  // creating a plugin may ask for another
  std::deque<Entry> entries_;   // in the order of creation; addresses are stable
};

}  // namespace tenon
#endif
