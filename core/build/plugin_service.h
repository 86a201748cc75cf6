// "tenon.host.plugins/1": plugins find what other plugins offer.
#ifndef TENON_BUILD_PLUGIN_SERVICE_H
#define TENON_BUILD_PLUGIN_SERVICE_H

#include "build/plugin_instances.h"
#include "tenon/ext/plugins.h"

namespace tenon {

class PluginService {
 public:
  PluginService(const Builder& b, PluginProvider& provider, PluginInstances& instances);
  PluginService(const PluginService&) = delete;
  PluginService& operator=(const PluginService&) = delete;

  const TnHostPlugins* table() const { return &table_; }

 private:
  Value providers(std::string_view capability);
  void open(std::string_view plugin, const char* capability, TnProvided* provided);

  const Builder& b_;
  PluginProvider& provider_;
  PluginInstances& instances_;
  TnHostPlugins table_;
};

}  // namespace tenon
#endif
