#include "registry/worker/serve.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <memory>
#include <mutex>
#include <new>
#include <set>
#include <utility>

#include "build/session.h"
#include "ir/ir_table.h"
#include "registry/registry.h"
#include "registry/worker/crash.h"
#include "registry/worker/exchange.h"
#include "registry/worker/slots.h"
#include "registry/worker/surroundings.h"
#include "registry/worker/tables.h"
#include "registry/worker/untouched.h"
#include "registry/worker/wire.h"

namespace tenon::worker {

namespace {

// Whether a call is being made, for whoever leaves the process within it.
Control* ending = nullptr;
pid_t serving = 0;  // this process: one that a plugin forks is no worker
std::atomic<bool> in_call{false};
void on_exit() {
  if (in_call && ending && getpid() == serving) ending->ended = 1;
}

// For an allocation that fails: what comes of it is charged to the limit.
void note_out_of_memory() {
  ending->out_of_memory = 1;
  throw std::bad_alloc();
}

// Writes down which plugins are running, for whoever has to say why this process ended.
class RunningCalls : public CallObserver {
 public:
  explicit RunningCalls(Control* control) : control_(control) {}
  int enter(std::string_view who) noexcept override {
    const uint64_t sequence = control_->sequence.fetch_add(1) + 1;
    for (size_t i = 0; i < std::size(control_->running); ++i) {
      RunningCall& c = control_->running[i];
      uint64_t free = 0;
      if (!c.sequence.compare_exchange_strong(free, sequence)) continue;
      const size_t n = std::min(who.size(), sizeof c.who - 1);
      std::memcpy(c.who, who.data(), n);
      c.who[n] = 0;
      return static_cast<int>(i);
    }
    return -1;
  }
  void leave(int call) noexcept override {
    if (call >= 0) control_->running[call].sequence = 0;
  }

 private:
  Control* control_;
};

// The worker itself starts none.
bool has_children() {
  siginfo_t info{};
  return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

// Knows where the code of every plugin lies that is opened here, for the note that a crash leaves.
class WatchedRegistry : public Registry {
 public:
  WatchedRegistry(const Builder& b, const RegistryPlace& place, Control* control)
      : Registry(b, place), running_(control) {}
  CallObserver* calls() override { return &running_; }
  const TnPlugin* load(const PluginInfo& plugin) override {
    const TnPlugin* table = Registry::load(plugin);
    std::error_code error;
    std::filesystem::path path = std::filesystem::canonical(plugin.library, error);
    if (!error) watch_library(path.string());
    return table;
  }

 private:
  RunningCalls running_;
};

class Server {
 public:
  Server(Channel& channel, Control* control) : channel_(channel), control_(control) {
    context_ = {
        sizeof(TnContext),
        this,
        nullptr,
        [](void* self, int32_t severity, const char* message, const TnSpan* span, const char* hint) {
          static_cast<Server*>(self)->report(severity, message, span, hint);
        },
        [](void* self) -> int { return static_cast<Server*>(self)->control_->cancel.load(); },
        [](void* self, const char* name, TnValue* ret) -> int {
          auto* s = static_cast<Server*>(self);
          return guard(tn_runtime(), ret,
                       [&] { return s->ask(s->b_.array({s->b_.string("signature"), s->b_.string(name)})); });
        },
        [](void* self, const char* topic, const TnValue* data) { static_cast<Server*>(self)->record(topic, data); }};
  }

  int run() {
    exchange_ = std::make_unique<Exchange>(channel_, early_store_, true);
    exchange_->after_part = [this] { note_given(); };
    for (;;) {
      Array message;
      untouched_.begin();
      Kind kind = exchange_->receive(&message, {});
      note_given();
      if (kind == Kind::kExit) return 0;
      if (kind == Kind::kOpen) {
        open(message);
      } else if (kind == Kind::kCall) {
        serve_call(message);
      } else {
        return 1;
      }
    }
  }

 private:
  Error escaped(const std::string& what) const {
    return Error(TN_ERROR_PLUGIN,
                 "the plugin '" + plugin_.id + "' " + plugin_.version + " let an exception escape" + what,
                 plugin_.library, "this is a bug of the plugin: nothing may be thrown across the boundary");
  }

  // The plugin has not seen what came just now.
  void note_given() {
    if (times_forgotten_ != exchange_->times_forgotten()) untouched_.forget();
    times_forgotten_ = exchange_->times_forgotten();
    untouched_.note(exchange_->known(), true);
  }

  // Makes the call, puts back what it changed around it, and answers. What the call left behind is freed before the
  // answer: what breaks then is its own doing.
  template <class F>
  void answer(F&& f, bool strict) {
    Value result;
    bool ok = false;
    Surroundings before;
    control_->out_of_memory = 0;
    in_call = true;
    try {
      result = f();
      ok = true;
    } catch (const Error& e) { result = error_value(b_, e); } catch (const std::bad_alloc&) {
      result = error_value(b_, Error(TN_ERROR_OUT_OF_MEMORY, "out of memory"));
    } catch (const std::exception& e) { result = error_value(b_, escaped(std::string(": ") + e.what())); } catch (...) {
      result = error_value(b_, escaped(""));
    }
    only_here();
    std::vector<std::string> changed = before.restore();
    for (std::string& c : std::exchange(changes_, {})) changed.push_back(std::move(c));
    std::vector<Value> changes;
    for (const std::string& c : changed) changes.push_back(b_.string(c));
    if (session_ && !strict)
      for (const Diagnostic& d : session_->take_diagnostics()) send_report(d.severity, d.message, d.where, d.hint);
    const Array loaded = newly_loaded();
    Array all = b_.array({Value(ok), result, b_.array(changes), loaded});
    std::lock_guard lock(mutex_);
    std::string body;
    try {
      body = exchange_->prepare(all, {});
    } catch (const Error& e) {  // it is nothing that can be sent
      Error why(e.code == TN_ERROR_LIMIT ? TN_ERROR_LIMIT : TN_ERROR_PLUGIN, "its result cannot be read: " + e.message);
      body = exchange_->prepare(b_.array({Value(false), error_value(b_, why), b_.array(changes), loaded}), {});
    } catch (const std::bad_alloc&) {  // the host may have a part of it
      leave(control_, "gave an answer that its memory does not hold");
    }
    result = {};
    all = {};
    untouched_.note(exchange_->known(), false);
    // Nothing here can be relied on any more.
    if (const char* fault = untouched_.fault(exchange_->known())) leave(control_, fault);
    if (!channel_.can_wait()) control_->last = 1;
    exchange_->send_prepared(Kind::kAnswer, body, {});
    in_call = false;
  }

  // Ends a process that a plugin forked and that has come back from its call: the host talks to one alone.
  static void only_here() {
    if (getpid() != serving) _exit(0);
  }

  // The plugins that were loaded since the last answer: the host's lock names them.
  Array newly_loaded() {
    std::vector<Value> ids;
    if (session_)
      for (const std::string& id : session_->instances().loaded())
        if (told_.insert(id).second) ids.push_back(b_.string(id));
    return b_.array(ids);
  }

  void open(const Array& message) {
    OpenRequest request = OpenRequest::from(message);
    registry_ = std::make_unique<WatchedRegistry>(b_, request.place, control_);
    session_ = std::make_unique<Session>(*registry_, false, Registry::conversions());
    plugin_ = request.plugin;
    exchange_->use_store(session_->constant_store());
    exchange_->declare_kinds = [this] { session_->kinds().declare(); };
    answer(
        [&]() -> Value {
          for (const std::string& capability : plugin_.provides) {
            const void* table = session_->instances().use(plugin_, capability.c_str()).table;
            if (!request.trial || !capability.starts_with("tenon.")) continue;
            if (std::string problem = table_problem(capability, table); !problem.empty())
              throw Error(TN_ERROR_PLUGIN,
                          "the plugin '" + plugin_.id + "' " + plugin_.version + " cannot be used: " + problem,
                          plugin_.library, "this is a bug of the plugin: ask its vendor");
          }
          if (request.trial) session_->instances().destroy_all();
          if (request.trial && has_children()) changes_.emplace_back("started a child");
          return {};
        },
        true);
  }

  // {slot, target, arguments...}
  void serve_call(const Array& message) {
    answer(
        [&]() -> Value {
          const SlotRow* row = message.size() >= 2 && message[0].is_int() ? slot_row(message[0].as_int()) : nullptr;
          if (!row || !session_)
            throw Error(TN_ERROR_INTERNAL, "the host asked for a slot that the worker does not know");
          if (message[1].is_map()) {
            target_ = message[1];
            session_->set_target(target_.ref<Map>());
            context_.target = target_.ptr();
          }
          std::vector<Value> given(message.begin() + 2, message.end());
          Array args = b_.array(given);
          PluginInstances::Use use = session_->instances().use(plugin_, row->capability);
          Ask asking = [this](const Array& question) { return ask(question); };
          Value result = row->invoke({use.table, use.instance, &context_, args, session_->builder(), asking});
          return pack_tensor(b_, session_->constant_store(), result);
        },
        false);
  }

  // What a thread says for a call that is over belongs to no call.
  void send_report(int32_t severity, const std::string& message, const std::string& where, const std::string& hint) {
    only_here();
    std::lock_guard lock(mutex_);
    if (!in_call) return;
    exchange_->send_aside(
        Kind::kReport, b_.array({Value(int64_t{severity}), b_.string(message), b_.string(where), b_.string(hint)}), {});
  }
  void report(int32_t severity, const char* message, const TnSpan* span, const char* hint) {
    try {
      send_report(severity, message ? message : "", span_where(span), hint ? hint : "");
    } catch (...) {}  // a diagnostic that cannot be sent is lost
  }

  void record(const char* topic, const TnValue* data) {
    try {
      only_here();
      std::lock_guard lock(mutex_);
      if (!in_call) return;
      exchange_->send_aside(Kind::kReport,
                            b_.array({b_.string(topic ? topic : ""), data ? Value::share(*data) : Value()}), {});
    } catch (const Error& e) {
      report(TN_SEVERITY_WARNING, ("a fact for the report cannot be sent: " + e.message).c_str(), nullptr, nullptr);
    } catch (...) {}
  }

  Value ask(const Array& question) {
    only_here();
    std::lock_guard lock(mutex_);
    if (!in_call) throw Error(TN_ERROR_PLUGIN, "the call that this context belongs to is over");
    Array reply;
    try {
      exchange_->send(Kind::kAsk, question, {});
      untouched_.note(exchange_->known(), false);
      if (exchange_->receive(&reply, {}) != Kind::kReply || reply.size() != 2 || !reply[0].is_bool())
        throw Broken{true};
    } catch (const Broken&) { leave(control_, kCutOff); }  // an answer may be on its way: it is nobody's
    note_given();
    if (!reply[0].as_bool()) throw error_from(reply[1]);
    return reply[1];
  }

  Channel& channel_;
  Control* control_;
  Builder b_ = core_builder();
  TnContext context_;
  std::recursive_mutex mutex_;  // one message of the worker at a time: plugins report from any thread
  ConstantStore early_store_;   // until there is a session
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Exchange> exchange_;
  Untouched untouched_;
  size_t times_forgotten_ = 0;
  PluginInfo plugin_;
  std::set<std::string> told_;  // ids of plugins that the host knows to be loaded here
  Value target_;
  std::vector<std::string> changes_;  // that a trial found beside those of the surroundings
};

}  // namespace

int serve(Fd socket, Control* control) {
  ending = control;
  serving = getpid();
  std::atexit(&on_exit);
  if (!kSanitized) std::set_new_handler(&note_out_of_memory);
  Channel channel(std::move(socket));
  try {
    // Not destroyed: what plugins hold at the end is theirs.
    auto* server = new Server(channel, control);
    return server->run();
  } catch (const Broken& b) {
    // The host is gone, or a plugin has taken away what leads to it.
    leave(control, b.garbage ? "left its memory in such a state that the host could not be understood" : kCutOff);
  } catch (const Error& e) {
    std::fprintf(stderr, "worker: %s\n", e.message.c_str());
    return 71;
  }
}

}  // namespace tenon::worker
