// The parts of the registry that have to do with other processes: what is probed, what is isolated.
#include <filesystem>

#include "build/session.h"
#include "diag/suggest.h"
#include "registry/load.h"
#include "registry/probe/probe.h"
#include "registry/registry.h"
#include "registry/worker/isolated.h"

namespace tenon {

namespace {

std::string absolute(const std::string& path) {
  std::error_code error;
  std::filesystem::path whole = std::filesystem::absolute(path, error);
  return error || path.empty() ? path : whole.string();
}

}  // namespace

RegistryPlace Registry::place() const {
  RegistryPlace place{dirs_, installation_, absolute(options_.config), absolute(options_.policy), options_.use};
  for (SearchDir& dir : place.dirs) dir.path = absolute(dir.path);
  return place;
}

// What the session asks for, and for the rest the configuration.
const IsolationSettings& Registry::isolation() {
  const Config& file = config();
  std::lock_guard lock(mutex_);
  if (isolation_) return *isolation_;
  IsolationSettings s = options_.isolation;
  const IsolationSettings fallback, &c = file.isolation;
  s.all = s.all || c.all;
  s.ids.insert(c.ids.begin(), c.ids.end());
  s.where = c.where;
  if (s.deadline_ms == fallback.deadline_ms) s.deadline_ms = c.deadline_ms;
  if (s.probe_deadline_ms == fallback.probe_deadline_ms) s.probe_deadline_ms = c.probe_deadline_ms;
  if (s.memory_bytes == 0) s.memory_bytes = c.memory_bytes ? c.memory_bytes : half_of_memory();
  if (s.repro_dir.empty()) s.repro_dir = c.repro_dir;
  s.keep_weights = s.keep_weights || c.keep_weights;
  if (s.worker.empty()) s.worker = worker_program(installation_);
  isolation_ = s;
  return *isolation_;
}

// Listed in the installation's own plugins.yaml and lying in its own folder: what is not trusted there cannot be
// trusted anywhere.
bool Registry::is_own(const PluginInfo& plugin) {
  if (installation_.empty()) return false;
  std::lock_guard lock(mutex_);
  if (!own_) {
    own_.emplace();
    std::error_code error;
    std::string file = installation_ + "/plugins.yaml";
    if (std::filesystem::exists(file, error))
      for (const std::string& id : read_config(b_, {file}).plugins) own_->insert(id);
  }
  std::error_code error;
  std::filesystem::path folder = std::filesystem::weakly_canonical(plugin.manifest, error).parent_path().parent_path();
  return own_->contains(plugin.id) && !error &&
         folder == std::filesystem::weakly_canonical(installation_ + "/plugins", error);
}

Quarantine& Registry::quarantine() {
  const IsolationSettings limits = isolation();
  std::lock_guard lock(mutex_);
  if (quarantine_) return *quarantine_;
  ProbeSettings settings;
  // Without an installation there is no worker: a program that is its own installation loads what it names.
  settings.enabled = options_.probe && !in_worker_ && !installation_.empty();
  settings.worker = limits.worker;
  settings.is_exempt = [this](const PluginInfo& p) { return is_own(p); };
  settings.run = [this, limits](const PluginInfo& p) {
    return probe_plugin(p, place(), limits.worker,
                        {limits.probe_deadline_ms, std::min(ProbeLimits().memory_bytes, limits.memory_bytes)});
  };
  quarantine_ = std::make_unique<Quarantine>(std::move(settings));
  return *quarantine_;
}

std::string Registry::require_admitted(const PluginInfo& plugin) {
  std::lock_guard lock(mutex_);
  return admit(plugin);
}

const TnPlugin* Registry::load(const PluginInfo& plugin) {
  const std::string digest = require_admitted(plugin);
  if (!in_worker_) quarantine().admit(plugin);
  return load_plugin(plugin, digest);
}

void Registry::require_isolated() {
  if (isolated_are_there_) return;
  const IsolationSettings& settings = isolation();
  for (const std::string& id : settings.ids)
    if (!find(id) && !find_broken(id))
      throw Error(TN_ERROR_NOT_FOUND, "there is no plugin '" + id + "', which 'isolation' names", settings.where,
                  did_you_mean(id, ids(), "install it, or take it out of the list"));
  isolated_are_there_ = true;
}

std::unique_ptr<PluginStandIn> Registry::stand_in(const PluginInfo& plugin, const TnHost& host) {
  if (in_worker_ || plugin.library.empty()) return nullptr;
  require_isolated();
  if (!isolates(plugin)) return nullptr;
  const IsolationSettings& settings = isolation();
  require_admitted(plugin);
  worker::require_isolable(plugin);
  if (settings.worker.empty())
    throw Error(TN_ERROR_NOT_FOUND,
                "the plugin '" + plugin.id +
                    "' cannot run in a process of its own: this installation has no "
                    "libexec/tenon/worker",
                plugin.library, "install Tenon again");
  // `host` is what the session gave its plugins.
  return std::make_unique<worker::IsolatedPlugin>(plugin, place(), settings, *static_cast<Session*>(host.self));
}

CallObserver* Registry::calls() { return in_worker_ ? nullptr : quarantine().calls(); }

Standing Registry::standing(const PluginInfo& plugin) { return quarantine().standing(plugin); }
Standing Registry::probe(const PluginInfo& plugin) {
  require_admitted(plugin);
  return quarantine().probe(plugin);
}

}  // namespace tenon
