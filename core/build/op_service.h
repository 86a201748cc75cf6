// "tenon.host.ops/1": the ops of all manifests, and the functions that their plugins give them.
#ifndef TENON_BUILD_OP_SERVICE_H
#define TENON_BUILD_OP_SERVICE_H

#include <mutex>

#include "build/plugin_instances.h"
#include "ir/op_table.h"
#include "tenon/ext/op.h"

namespace tenon {

class OpService {
 public:
  OpService(const Builder& b, PluginProvider& provider, PluginInstances& instances);
  OpService(const OpService&) = delete;
  OpService& operator=(const OpService&) = delete;

  const TnHostOps* table() const { return &table_; }
  // The operators of all manifests.
  const OpTable& op_table();
  // The op's row as a map with its plugin; none when unknown.
  Value record(std::string_view id);
  Value infer_type(const TnContext* context, const Node& call);
  Value compute(const TnContext* context, const Node& call);
  Value evaluate(const TnContext* context, const Node& call, const TnValue* args, int32_t n);

 private:
  const OpRecord& record_of(const Node& call);
  // The plugin's table when the op's manifest lists the function, else null.
  PluginInstances::Use use(const OpRecord& op, std::string_view function);

  const Builder& b_;
  PluginProvider& provider_;
  PluginInstances& instances_;
  CallObserver* calls_;
  TnHostOps table_;
  std::once_flag filled_;
  OpTable ops_;
};

// The options of a schema as a map: name -> {type, default, choices, summary, required}.
Value schemas_value(const Builder& b, const OptionSchemas& schemas);
Value texts_value(const Builder& b, const std::vector<std::string>& texts);

}  // namespace tenon
#endif
