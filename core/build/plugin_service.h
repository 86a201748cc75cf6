// "tenon.host.plugins/1": plugins find what other plugins offer.
#ifndef TENON_BUILD_PLUGIN_SERVICE_H
#define TENON_BUILD_PLUGIN_SERVICE_H

#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "build/marked_calls.h"
#include "build/plugin_instances.h"
#include "tenon/ext/plugins.h"

namespace tenon {

class PluginService {
 public:
  // `conversions`: ids of capabilities that are defined elsewhere (conversion.h).
  PluginService(const Builder& b, PluginProvider& provider, PluginInstances& instances,
                const std::vector<std::string>& conversions);
  PluginService(const PluginService&) = delete;
  PluginService& operator=(const PluginService&) = delete;

  const TnHostPlugins* table() const { return &table_; }

 private:
  Value providers(std::string_view capability);
  void open(std::string_view plugin, const char* capability, TnProvided* provided);

  const Builder& b_;
  PluginProvider& provider_;
  PluginInstances& instances_;
  const std::set<std::string, std::less<>> conversions_;
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<MarkedCalls>> marked_;  // by plugin and capability
  TnHostPlugins table_;
};

}  // namespace tenon
#endif
