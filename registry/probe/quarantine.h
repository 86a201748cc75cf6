// Which plugins may be loaded into this process: those that survived a first loading in another one. The verdicts are
// kept by the digest of library and manifest, together with what they depend on.
#ifndef TENON_REGISTRY_PROBE_QUARANTINE_H
#define TENON_REGISTRY_PROBE_QUARANTINE_H

#include <functional>
#include <map>

#include "build/plugin_info.h"
#include "registry/probe/cache.h"
#include "registry/probe/journal.h"

namespace tenon {

// What a probe found.
struct ProbeResult {
  enum class State { kOk, kFaulty, kRefused };
  State state = State::kOk;
  std::string reason;  // of kFaulty: "was stopped by SIGSEGV (segmentation fault) ... when it was loaded"
  Error error{0, ""};  // of kRefused: what loading it here would have said
};

struct ProbeSettings {
  bool enabled = true;
  std::string worker;                                 // the program
  std::function<ProbeResult(const PluginInfo&)> run;  // in a process of its own
  std::function<bool(const PluginInfo&)> is_exempt;   // of the installation itself
};

// What is known of a plugin, for people.
struct Standing {
  std::string state;   // "exempt", "new", "ok", "quarantined"
  std::string reason;  // of a quarantine
  std::string since;   // when that was found: "2026-01-31 12:00:00 UTC"
};

class Quarantine {
 public:
  explicit Quarantine(ProbeSettings settings);
  // Before the plugin's library is opened here. Probes it when it is new; throws TN_ERROR_PLUGIN when it is in
  // quarantine, and what the probe met when the plugin cannot be loaded.
  void admit(const PluginInfo& plugin);
  // Probes it whatever is known, and forgets an earlier verdict.
  Standing probe(const PluginInfo& plugin);
  // Without probing.
  Standing standing(const PluginInfo& plugin);
  CallObserver* calls() { return settings_.enabled ? &journal_ : nullptr; }

 private:
  struct Identity {
    std::string digest, dependencies;
  };
  Identity identity(const PluginInfo& plugin);
  std::string verdict_file(const std::string& digest) const;
  bool still_holds(const Record& verdict, const Identity& id) const;
  Record judge(const PluginInfo& plugin, const Identity& id, ProbeResult* result);
  void charge_deaths();
  [[noreturn]] void refuse(const PluginInfo& plugin, const std::string& reason) const;

  ProbeSettings settings_;
  std::string folder_;  // of the cache; "" for none
  std::string worker_state_;
  std::mutex mutex_;
  bool charged_ = false;
  std::map<std::string, bool> admitted_;  // by digest
  Journal journal_;
};

}  // namespace tenon
#endif
