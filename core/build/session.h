// A session: the heart of libtenon. It owns the host's service tables, the instances of plugins, the target and the
// external functions; two sessions share nothing. One call at a time, unless a method says otherwise.
#ifndef TENON_BUILD_SESSION_H
#define TENON_BUILD_SESSION_H

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "build/codegen_service.h"
#include "build/constant_service.h"
#include "build/execute_service.h"
#include "build/ir_service.h"
#include "build/kind_service.h"
#include "build/op_service.h"
#include "build/plugin_instances.h"
#include "build/plugin_service.h"
#include "pass/pass_manager.h"

namespace tenon {

struct Link;

class Session : public PassSource {
 public:
  // The provider outlives the session. The target is this machine's CPU until `set_target`.
  // With `validate`, every call between the host and the plugins is checked (build/validation.h).
  // `conversions`: ids of capabilities that are defined elsewhere (conversion.h).
  explicit Session(PluginProvider& provider, bool validate = false, const std::vector<std::string>& conversions = {});
  ~Session() override;

  const Builder& builder() const { return builder_; }
  PluginProvider& provider() { return provider_; }
  PluginInstances& instances() { return *instances_; }
  Validation* validation() { return validation_.get(); }
  OpService& ops() { return *ops_; }
  KindService& kinds() { return *kinds_; }
  ConstantStore& constant_store() { return ir_.constants(); }

  // A service of the host by id; "PLUGIN:CAPABILITY"; or a bare capability, given by the first plugin that provides it.
  // Null when there is none. Any thread.
  const void* service(std::string_view id);

  const Map& target() const { return environment_.target; }
  void set_target(const Map& target) {
    environment_.target = target;
    ir_.forget_verified();
  }
  // A target as a person writes it: cpu and what follows, or a kind that the manifest of a plugin declares.
  Map target_of(const std::string& text);
  // The calls now running end with TN_ERROR_CANCELLED. Any thread.
  void cancel() { cancelled_ = true; }

  Node parse(std::string_view text, const std::string& file);
  std::string print(const Value& tree);
  void verify(const Node& module);

  // `instruments`: ids of plugins that look on.
  RunResult run(const Node& module, const Pipeline& pipeline, const RunOptions& options,
                const std::vector<std::string>& instruments = {});
  PassCode open(const PassInfo& pass) override;
  Node lower_graph_kinds(const Node& module) override;

  // Builder, target and cancellation, for what runs plugins on behalf of the session.
  const CompileEnvironment& environment() const { return environment_; }

  // External functions by name, for modules loaded from then on. None removes one.
  void register_function(const std::string& name, const Value& function);
  // A map from each public function's name to a function value. An empty executor id: the first that is installed. What
  // the module's payloads implement is found like an external function.
  Map load(const Node& module, std::string_view executor, const Map& options);
  // The plugin that generates code or links: the one of this id; for an empty one the first, for the kind of the
  // target.
  const PluginInfo& codegen_plugin(std::string_view id);
  const PluginInfo& linker_plugin(std::string_view id);
  // TnRuntime.instantiate of an artifact, with the devices and loaders of the installed plugins; the session outlives
  // what it gives. `options` are completed.
  Value instantiate(const std::string& path, const Map& options);
  // The payload of a code generator. An empty id: the first for the kind of the target.
  Map generate(const Node& module, std::string_view codegen, const Map& options);

  // The module that a model file holds. An empty frontend id: the first that reads files of its extension. `constants`:
  // name of an input -> the tensor that it always is.
  Node import_model(const std::string& path, std::string_view frontend, const Map& constants);
  // Compiles a lowered module into an artifact at `path`. `lock` says how the module was made.
  void write_artifact_file(const Node& module, const std::string& path, std::string_view codegen, const Map& options,
                           std::string_view linker, const std::string& lock);

  // The module as a plugin can read it: without kinds of other plugins, in the vocabulary that its manifest consumes.
  Node readable(const Node& module, const PluginInfo& plugin, const std::string& purpose);

  // Any thread.
  std::vector<Diagnostic> take_diagnostics();

 private:
  // The external functions that a module may call: those that are registered, and what its payloads implement.
  Map imports(const Node& module);
  // What TnRuntime.instantiate asks for loaders and devices.
  Value find_plugins();
  // How a linker is called; an empty id: the first that is installed.
  Link link_with(const Node& module, std::string_view linker);
  void require_frontend(const std::string& path, const std::string& extension);
  void report(std::vector<Diagnostic> diagnostics);
  void add_instrument(const std::string& id, RunOptions& options);
  template <class F>
  Value with_context(const Node& module, const std::string& plugin, const std::string& from, F&& f);

  PluginProvider& provider_;
  IrService ir_;
  Builder builder_;
  std::atomic<bool> cancelled_{false};
  CompileEnvironment environment_;
  std::map<std::string, Value> functions_;
  std::mutex diagnostics_mutex_;  // `service` is called from any thread
  std::vector<Diagnostic> diagnostics_;
  std::unique_ptr<Validation> validation_;  // or null
  std::unique_ptr<PluginInstances> instances_;
  std::unique_ptr<OpService> ops_;
  std::unique_ptr<KindService> kinds_;
  std::once_flag kinds_declared_;
  std::unique_ptr<PluginService> plugins_;
  ConstantService constants_;
  ExecuteService execute_;
  CodegenService codegen_;
};

}  // namespace tenon
#endif
