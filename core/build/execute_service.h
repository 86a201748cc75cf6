// "tenon.host.execute/1": functions of a module, run while compiling by a bounded executor.
#ifndef TENON_BUILD_EXECUTE_SERVICE_H
#define TENON_BUILD_EXECUTE_SERVICE_H

#include "build/plugin_info.h"
#include "tenon/ext/execute.h"

namespace tenon {

class Session;

class ExecuteService {
 public:
  explicit ExecuteService(Session& session);
  ExecuteService(const ExecuteService&) = delete;
  ExecuteService& operator=(const ExecuteService&) = delete;

  const TnHostExecute* table() const { return &table_; }
  // `limits`: max_steps, max_bytes; absent ones take their defaults. Any thread.
  Value run(const Node& module, std::string_view name, const TnValue* args, int32_t n, const Map& limits);
  // A map from the names of public functions to function values, of the first executor that keeps to bounds. Any
  // thread.
  Map load(const Node& module, const Map& imports, const Map& options);

 private:
  Session& session_;
  TnHostExecute table_;
};

// What the executor `plugin` made of a module: functions that are callable, one for each public function. What they
// give and how they fail is held to the contract at each call.
Map executor_functions(const Builder& b, const std::string& plugin, const ir::Module& module, const Value& loaded);

}  // namespace tenon
#endif
