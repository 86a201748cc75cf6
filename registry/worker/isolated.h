// A plugin in a process of its own, as the session sees it: started when first used, started anew when it has ended.
#ifndef TENON_REGISTRY_WORKER_ISOLATED_H
#define TENON_REGISTRY_WORKER_ISOLATED_H

#include <memory>
#include <mutex>
#include <set>

#include "build/session.h"
#include "registry/registry.h"
#include "registry/worker/child.h"
#include "registry/worker/exchange.h"
#include "registry/worker/reproducer.h"
#include "registry/worker/slots.h"

namespace tenon::worker {

// Throws TN_ERROR_UNSUPPORTED for a plugin of which nothing can run in another process, naming a capability.
void require_isolable(const PluginInfo& plugin);

class IsolatedPlugin : public PluginStandIn, public Forwarder {
 public:
  // For a session, whose store gets the constants that the plugin makes. Starts the worker, opens the plugin. Throws.
  IsolatedPlugin(const PluginInfo& plugin, RegistryPlace place, const IsolationSettings& settings, Session& session);
  ~IsolatedPlugin() override;

  void* instance() override { return static_cast<Forwarder*>(this); }
  const void* capability(const char* id) override;
  bool has_loaded(const std::string& id) override;
  Value forward(Request request) override;
  const Builder& builder() const override { return b_; }
  Value pack(const Value& value) override { return pack_tensor(b_, session_.constant_store(), value); }
  // The call of a reproducer: what was recorded is sent as it was.
  Value replay(Reproducer& reproducer);

 private:
  struct Stopped {
    Ending::How how;
  };
  // What came is whole, and this process cannot take it.
  struct Refused {
    Error error;
  };
  void start();
  // Sends with `send`, then answers what the worker asks until it answers.
  template <class Send>
  Value converse(const Request& request, int64_t deadline_ms, Send&& send);
  void take_report(const TnContext* context, const Array& body);
  void answer_question(const Request& request, const Array& question, const Patience& patience);
  Value take_answer(const Request& request, const Array& answer);
  [[noreturn]] void fail(const Request& request, Ending::How how, int64_t deadline_ms);
  Patience patience(const TnContext* context, int64_t deadline_ms);

  const Builder b_;
  PluginInfo plugin_;
  RegistryPlace place_;
  IsolationSettings settings_;
  Session& session_;
  std::mutex mutex_;
  std::unique_ptr<Child> child_;
  std::unique_ptr<Exchange> exchange_;
  std::mutex loaded_mutex_;  // a call may take long
  std::set<std::string> loaded_;
  std::vector<Value> said_;         // within the call: its message, then questions and replies in turn
  Reproducer* replayed_ = nullptr;  // whose replies are given instead of the host's
};

// Makes the call of a reproducer again: throws what it throws, or gives {plugin, what, error: the text of then}.
Value replay_folder(Session& session, Registry& registry, const std::string& folder);

}  // namespace tenon::worker
#endif
