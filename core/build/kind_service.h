// The node kinds that plugins declare: registered from their manifests, lowered by their libraries.
#ifndef TENON_BUILD_KIND_SERVICE_H
#define TENON_BUILD_KIND_SERVICE_H

#include <map>
#include <mutex>

#include "build/plugin_instances.h"
#include "pass/compile_context.h"

namespace tenon {

class KindService {
 public:
  KindService(PluginProvider& provider, PluginInstances& instances) : provider_(provider), instances_(instances) {}
  KindService(const KindService&) = delete;
  KindService& operator=(const KindService&) = delete;

  // Makes the kinds of all manifests known, once. Any thread.
  void declare();
  // Kinds that could not be declared: one id with two schemas.
  const std::vector<Error>& problems();
  enum class Where { kEverywhere, kGraph };
  // The module without kinds of plugins, or its graph functions without; the same when it has none. `purpose` ("to generate code") is for messages.
  // Throws TN_ERROR_UNSUPPORTED naming kind and function for what cannot be lowered, TN_ERROR_PLUGIN for a wrong
  // lowering.
  Node lower(const Node& module, const CompileEnvironment& environment, const std::string& purpose,
             Where where = Where::kEverywhere);

 private:
  struct Owner {
    const PluginInfo* plugin;
  };
  PluginProvider& provider_;
  PluginInstances& instances_;
  std::once_flag declared_;
  std::map<uint32_t, Owner> owners_;
  std::vector<Error> problems_;
};

}  // namespace tenon
#endif
