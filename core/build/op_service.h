// "tenon.host.ops/1": the ops of all manifests, and the functions that their plugins give them.
#ifndef TENON_BUILD_OP_SERVICE_H
#define TENON_BUILD_OP_SERVICE_H

#include <map>

#include "build/plugin_instances.h"
#include "tenon/ext/op.h"

namespace tenon {

class OpService {
 public:
  OpService(const Builder& b, PluginProvider& provider, PluginInstances& instances);
  OpService(const OpService&) = delete;
  OpService& operator=(const OpService&) = delete;

  const TnHostOps* table() const { return &table_; }
  // Null when unknown.
  const OpInfo* find(std::string_view id);
  // The op's record as a map: {id, revision, level, args, variadic, attrs, effects, result, functions, plugin,
  // summary}.
  Value record(std::string_view id);
  Value infer_type(const TnContext* context, const Node& call);
  Value compute(const TnContext* context, const Node& call);

 private:
  struct Row {
    const OpInfo* op;
    const PluginInfo* plugin;
  };
  const std::map<std::string, Row, std::less<>>& rows();
  const Row& row_of(const Node& call);
  // The plugin's table when the op's manifest lists the function, else null.
  PluginInstances::Use use(const Row& row, std::string_view function);

  const Builder& b_;
  PluginProvider& provider_;
  PluginInstances& instances_;
  TnHostOps table_;
  std::mutex mutex_;
  bool filled_ = false;
  std::map<std::string, Row, std::less<>> rows_;
};

// The options of a schema as a map: name -> {type, default, choices, summary, required}.
Value schemas_value(const Builder& b, const OptionSchemas& schemas);
Value texts_value(const Builder& b, const std::vector<std::string>& texts);

}  // namespace tenon
#endif
