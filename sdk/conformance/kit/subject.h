// The plugin under test: its manifest, its library, and instances of it below a session, called slot by slot.
#ifndef TENON_CONFORMANCE_SUBJECT_H
#define TENON_CONFORMANCE_SUBJECT_H

#include <tenon/compiler_session.h>
#include <tenon/ext/context.h>
#include <tenon/ext/plugins.h>

#include <functional>
#include <map>
#include <memory>

#include "findings.h"
#include "kit.h"
#include "pins.h"

namespace tenon::conformance {

// A rule that a call broke.
struct Violation {
  std::string rule, what;
};

// Calls f(TnValue* ret) -> int as a host does and checks what every slot promises. Throws Error when the slot refuses,
// Violation when it breaks a rule.
Value call_slot(const std::function<int(TnValue*)>& f);

// What a map of strings says; "" when it does not.
std::string text_of(const Map& m, const char* key);

// The folder and the library of a target.
struct Place {
  std::string folder, library;
};
Place place_of(const std::string& target);

class Subject {
 public:
  explicit Subject(const Options& options);

  const Options& options() const { return options_; }
  const CompilerSession& session() const { return *session_; }
  // `validate`: the validation layer stands between its host and the plugins.
  std::unique_ptr<CompilerSession> another_session(bool validate = false) const;
  const Builder& b() const { return session_->builder(); }
  const std::string& id() const { return id_; }
  const std::string& folder() const { return place_.folder; }
  const std::string& library() const { return place_.library; }
  const Map& info() const { return info_; }  // of TnCompiler.plugins
  bool provides(std::string_view capability) const;
  const Array& list(const char* key) const;  // "passes", "ops"; empty when there is none
  // What the library's entry returns. Opens it.
  const TnPlugin* table() const;
  bool has_plugin(const std::string& id) const;
  const Array& plugins() const { return all_.find("plugins")->ref<Array>(); }  // of TnCompiler.plugins

 private:
  Options options_;
  Place place_;
  std::unique_ptr<CompilerSession> session_;
  Map all_, info_;
  std::string id_;
  mutable const TnPlugin* table_ = nullptr;
};

// An instance of the plugin over the services of a session.
class Instance {
 public:
  // The host's own: its slots are called as the session calls them, with what the session has in between.
  struct OfTheHost {};
  Instance(const Subject& subject, const CompilerSession& session, OfTheHost);
  // `alone`: no other plugin's capability is there, only the services of the host.
  Instance(const Subject& subject, const CompilerSession& session, Pins* pins = nullptr, bool alone = false);
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  ~Instance() { destroy(); }
  void destroy();

  const Subject& subject() const { return subject_; }
  void* self() const { return self_; }
  // What the slots of a capability's table are called with.
  void* self(const char* capability) const;
  // Throws Violation when the plugin does not answer.
  template <class Table>
  const Table* table(const char* capability) const {
    return static_cast<const Table*>(find(capability));
  }
  // The context of a call that compiles `module`: one a thread, valid until the thread asks again.
  const TnContext* context(const Node& module) const;

 private:
  const void* find(const char* capability) const;
  const TnProvided& provided(const char* capability) const;
  static const void* service(void* self, const char* id);

  const Subject& subject_;
  const CompilerSession& session_;
  Pins* pins_ = nullptr;
  bool alone_ = false;
  std::vector<char> host_bytes_;
  TnHost* host_ = nullptr;
  void* self_ = nullptr;
  bool made_ = false;
  const TnHostPlugins* of_the_host_ = nullptr;
  mutable std::map<std::string, TnProvided> provided_;
};

// The bytes of a result, as text that is the same wherever it is computed.
std::string canonical(const Builder& b, const Value& v);

// f() for everything that may go wrong in it: an Error is `refused`, a Violation a finding. False when it did not
// return.
bool attempt(Findings& findings, const std::function<void()>& f, std::string* refusal = nullptr);

}  // namespace tenon::conformance
#endif
