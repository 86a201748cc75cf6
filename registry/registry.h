// What is installed: the plugins on the search path and the named pipelines. Reads manifests when first asked, loads a
// library only when `load` is called.
#ifndef TENON_REGISTRY_REGISTRY_H
#define TENON_REGISTRY_REGISTRY_H

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "registry/discover.h"
#include "registry/package/runtimes.h"
#include "registry/pipeline.h"
#include "registry/trust/policy.h"

namespace tenon {

struct RegistryOptions {
  std::vector<std::string> plugin_dirs;  // searched first
  std::string config;                    // a plugins.yaml instead of the installation's and the user's
  bool search_defaults = true;           // TENON_PLUGIN_PATH, stores, the installation, the user's plugins.yaml
  IsolationSettings isolation = {};      // besides what the configuration says
  bool probe = true;                     // try plugins that are not the installation's own in another process first
  std::string policy = {};               // a trust policy instead of the user's
  std::vector<std::string> use = {};     // "ID=VERSION" or "ID=sha256:...", before what the policy says
};

// Where a registry looks, for another process.
struct RegistryPlace {
  std::vector<SearchDir> dirs;
  std::string installation, config;
  std::string policy = {};
  std::vector<std::string> use = {};
};

class Quarantine;
struct Standing;

class Registry : public PluginProvider {
 public:
  Registry(const Builder& b, RegistryOptions options, const void* address_in_library);
  // In the process of a worker: neither probes nor isolates.
  Registry(const Builder& b, RegistryPlace place);
  ~Registry() override;

  const std::vector<PluginInfo>& plugins() override { return found().plugins; }
  const std::vector<BrokenPlugin>& broken() override { return found().broken; }
  const PluginInfo* find(std::string_view id) override;
  const BrokenPlugin* find_broken(std::string_view id) override;
  std::vector<std::string> ids() override;
  const TnPlugin* load(const PluginInfo& plugin) override;
  std::unique_ptr<PluginStandIn> stand_in(const PluginInfo& plugin, const TnHost& host) override;
  CallObserver* calls() override;
  // Capabilities that plugins define for others, with one slot from a value to a value (build/conversion.h).
  static std::vector<std::string> conversions() { return {"tenon.onnx_converter/1"}; }

  // What is known of a plugin from its first loading in another process.
  Standing standing(const PluginInfo& plugin);
  Standing probe(const PluginInfo& plugin);
  // Whether it runs in a process of its own, and how processes are limited.
  bool isolates(const PluginInfo& plugin) { return isolation().isolates(plugin.id); }
  const IsolationSettings& isolation();
  // Throws TN_ERROR_NOT_FOUND when a plugin is to be isolated that is not installed: it would look as if that was
  // heeded.
  void require_isolated();
  RegistryPlace place() const;

  std::vector<std::string> searched() const;
  // The versions that are installed beside those in `plugins`.
  const std::vector<OtherVersion>& others() { return found().others; }
  const std::string& installation() const { return installation_; }
  const RegistryOptions& options() const { return options_; }
  // Throws what is wrong with its files: then nothing is trusted.
  const Policy& policy();
  // Whether the plugin may be loaded; throws the reason, and gives the digest of its library when it is sealed.
  std::string admit(const PluginInfo& plugin);
  std::vector<std::string> pipeline_names();
  // A name of the configuration, or the path of a YAML file, for a target. Throws when there is none.
  PipelineResult pipeline(const std::string& name_or_file, const Map& target);

 private:
  const Discovery& found();
  // Everything when it has been read already, else what there is of one id. With mutex_ held.
  const Discovery& found_of(std::string_view id);
  const Selection& selection();
  Runtimes& runtimes();
  const Config& config();
  Quarantine& quarantine();
  bool is_own(const PluginInfo& plugin);
  std::string require_admitted(const PluginInfo& plugin);  // as `admit`

  const Builder& b_;
  RegistryOptions options_;
  std::vector<SearchDir> dirs_;
  std::string installation_;
  std::mutex mutex_;
  std::mutex trust_mutex_;
  std::optional<Discovery> discovery_;
  std::optional<ManifestList> manifests_;                        // for `find`, until everything has been read
  std::map<std::string, std::unique_ptr<Discovery>> looked_up_;  // what was found when one id was asked for
  std::optional<Config> config_;
  bool in_worker_ = false;
  std::optional<IsolationSettings> isolation_;
  std::atomic<bool> isolated_are_there_{false};
  std::unique_ptr<Quarantine> quarantine_;
  std::optional<std::set<std::string>> own_;  // the ids of the installation's own plugins
  std::optional<Policy> policy_;
  std::optional<Selection> selection_;
  std::optional<Runtimes> runtimes_;
};

}  // namespace tenon
#endif
