// The validation layer: stands between the host and the plugins of a session that asks for it, and reports what breaks
// the contract, by the number of the rule in sdk/docs/contract.md.
//
// It works by exchanging tables: the plugin gets tables of the layer in place of the host's, and the host gets tables
// of the layer in place of the plugin's. Without it nothing is exchanged, and nothing is paid.
#ifndef TENON_BUILD_VALIDATION_H
#define TENON_BUILD_VALIDATION_H

#include <memory>
#include <string>
#include <vector>

#include "tenon/cxx/object.h"

namespace tenon {

class Validation {
 public:
  struct Report {
    std::string rule;    // "O3"
    std::string plugin;  // its id
    std::string during;  // the slot, such as "tenon.pass/1 run_module(fold)"; "" when unknown
    std::string message;
  };
  struct State;  // validation_state.h

  // `conversions`: ids of capabilities that are defined elsewhere and have one slot,
  // int (*)(void* instance, const TnContext*, const TnValue* given, TnValue* ret).
  explicit Validation(const std::vector<std::string>& conversions = {});
  // What was never taken goes to standard error.
  ~Validation();
  Validation(const Validation&) = delete;
  Validation& operator=(const Validation&) = delete;

  // TnPlugin.create and destroy, with the layer's host in place of `host`.
  int create(const std::string& plugin, const TnPlugin& table, const TnHost& host, void** instance, TnValue* ret);
  void destroy(const std::string& plugin, const TnPlugin& table, void* instance);
  // What the host uses in place of a capability's table and the instance.
  struct Wrapped {
    const void* table;
    void* instance;
  };
  Wrapped capability(const std::string& plugin, const std::string& id, const void* table, void* instance);

  // The same for a plugin as a whole, whose devices and loaders the runtime asks for itself.
  Wrapped whole(const std::string& plugin, const TnPlugin& table, void* instance);

  std::vector<Report> take_reports();
  // How often the boundary was crossed: slots of plugins, and of the host's services and runtime table.
  struct Calls {
    uint64_t all = 0;
    uint64_t nodes = 0;      // TnHostIr.make
    uint64_t callbacks = 0;  // from a service back into a plugin: visits, rewrites
  };
  Calls calls() const;

 private:
  State* state_;  // never freed: a plugin that breaks the contract may come back to it at any time
};

}  // namespace tenon
#endif
