#include "registry/worker/isolated.h"

#include <cstdio>

#include "build/catalog.h"
#include "diag/render.h"
#include "ir/ir_table.h"
#include "registry/probe/cache.h"
#include "registry/worker/wire.h"

namespace tenon::worker {

namespace {

constexpr uint64_t kLittleMemory = 64 << 20;  // a worker alone uses a part of it
constexpr int64_t kOpenDeadlineMs = 30'000;
constexpr int64_t kCancelGraceMs = 2'000;
constexpr size_t kReports = 100'000, kReportBytes = 64 << 20, kQuestions = 4'000'000;  // in one call

std::string name_of(const PluginInfo& p) { return "the plugin '" + p.id + "' " + p.version; }

std::string last_line(const std::string& log) {
  size_t end = log.find_last_not_of("\n\r ");
  if (end == std::string::npos) return "";
  size_t begin = log.rfind('\n', end);
  return log.substr(begin == std::string::npos ? 0 : begin + 1, end - (begin == std::string::npos ? 0 : begin + 1) + 1);
}

}  // namespace

namespace {
[[noreturn]] void refuse_capability(const PluginInfo& plugin, const std::string& capability) {
  throw Error(TN_ERROR_UNSUPPORTED,
              name_of(plugin) + " cannot run in a process of its own: it provides " + capability +
                  ", which runs in the process that uses it",
              plugin.manifest, "leave it out of what is isolated");
}
}  // namespace

void require_isolable(const PluginInfo& plugin) {
  for (const std::string& capability : plugin.provides)
    if (forwarding_table(capability)) return;
  if (!plugin.provides.empty()) refuse_capability(plugin, plugin.provides[0]);
}

IsolatedPlugin::IsolatedPlugin(const PluginInfo& plugin, RegistryPlace place, const IsolationSettings& settings,
                               Session& session)
    : b_(core_builder()), plugin_(plugin), place_(std::move(place)), settings_(settings), session_(session) {
  require_isolable(plugin_);
  start();
}

IsolatedPlugin::~IsolatedPlugin() = default;

const void* IsolatedPlugin::capability(const char* id) {
  if (!plugin_.has(id)) return nullptr;
  const void* table = forwarding_table(id);
  if (!table) refuse_capability(plugin_, id);
  return table;
}

Patience IsolatedPlugin::patience(const TnContext* context, int64_t deadline_ms) {
  using Clock = std::chrono::steady_clock;
  auto deadline = Clock::now() + std::chrono::milliseconds(deadline_ms);
  auto cancelled_at = std::make_shared<std::optional<Clock::time_point>>();
  auto ended_at = std::make_shared<std::optional<Clock::time_point>>();
  return [=, this] {
    auto now = Clock::now();
    if (now >= deadline) throw Stopped{Ending::How::kDeadline};
    // What it started may keep the connection open.
    if (!*ended_at && child_->has_ended()) *ended_at = now;
    if (*ended_at && now - **ended_at > kLastWords) throw Broken{false};
    if (!context || !context->cancelled(context->self)) return;
    child_->control().cancel = 1;
    if (!*cancelled_at) *cancelled_at = now;
    if (now - **cancelled_at > std::chrono::milliseconds(kCancelGraceMs)) throw Stopped{Ending::How::kCancelled};
  };
}

void IsolatedPlugin::start() {
  exchange_.reset();
  child_.reset();
  child_ = std::make_unique<Child>(settings_.worker, ChildLimits{settings_.memory_bytes});
  exchange_ = std::make_unique<Exchange>(child_->channel(), session_.constant_store(), false);
  exchange_->declare_kinds = [this] { session_.kinds().declare(); };
  Request open{-1, {}, "starting", nullptr, {}};
  OpenRequest message{plugin_, place_, false};
  try {
    converse(open, kOpenDeadlineMs, [&](const Patience& p) { exchange_->send(Kind::kOpen, message.to_array(b_), p); });
  } catch (...) {
    exchange_.reset();
    child_.reset();
    throw;
  }
}

template <class Send>
Value IsolatedPlugin::converse(const Request& request, int64_t deadline_ms, Send&& send) {
  child_->control().cancel = 0;
  Patience patience = this->patience(request.context, deadline_ms);
  struct Clear {
    std::vector<Value>& said;
    ~Clear() { said.clear(); }
  } clear{said_};
  size_t reports = 0, report_bytes = 0, questions = 0;
  try {
    send(patience);
    for (;;) {
      Array message;
      Kind kind;
      try {
        kind = exchange_->receive(&message, patience);
      } catch (const Error& e) {
        if (e.code == TN_ERROR_CORRUPT) throw Broken{true};
        throw Refused{e};
      } catch (const std::bad_alloc&) {
        throw Refused{Error(TN_ERROR_OUT_OF_MEMORY, "this process has not the memory for it")};
      }
      if (kind == Kind::kReport) {
        report_bytes += exchange_->last_bytes();
        if (++reports > kReports || report_bytes > kReportBytes) throw Stopped{Ending::How::kTalk};
        take_report(request.context, message);
      } else if (kind == Kind::kAsk) {
        if (++questions > kQuestions) throw Stopped{Ending::How::kTalk};
        answer_question(request, message, patience);
      } else if (kind == Kind::kAnswer) {
        return take_answer(request, message);
      } else {
        throw Broken{true};
      }
    }
  } catch (const Broken& broken) {
    fail(request, broken.garbage ? Ending::How::kGarbage : Ending::How::kClosed, deadline_ms);
  } catch (const Stopped& stopped) { fail(request, stopped.how, deadline_ms); } catch (const Refused& refused) {
    // The two ends do not know the same any more.
    exchange_.reset();
    child_.reset();
    const std::string doing = request.slot < 0 ? "when it was started" : "in " + request.what;
    throw Error(refused.error.code,
                "what " + name_of(plugin_) + " gave " + doing + " cannot be taken: " + refused.error.message,
                plugin_.library, refused.error.hint);
  }
}

Value IsolatedPlugin::forward(Request request) {
  std::lock_guard lock(mutex_);
  if (child_ && (child_->control().last || !child_->is_alive())) {
    Ending ending = child_->end(Ending::How::kClosed);
    child_.reset();
    if (request.context)
      request.context->report(request.context->self, TN_SEVERITY_WARNING,
                              (name_of(plugin_) + " " + ending.text + " between two calls; it is started anew").c_str(),
                              nullptr, nullptr);
  }
  if (!child_) start();
  std::vector<Value> all{Value(request.slot), request.context ? Value::share(*request.context->target) : Value()};
  for (Value& v : request.args) all.push_back(std::move(v));
  said_ = {Value(b_.array(all))};
  all.clear();
  return converse(request, settings_.deadline_ms, [&](const Patience& p) {
    try {
      exchange_->forget_if_many(p);
      exchange_->send(Kind::kCall, said_[0].ref<Array>(), p);
    } catch (const Error&) {  // the worker may have a part of it
      exchange_.reset();
      child_.reset();
      throw;
    }
  });
}

bool IsolatedPlugin::has_loaded(const std::string& id) {
  std::lock_guard lock(loaded_mutex_);
  return loaded_.contains(id);
}

void IsolatedPlugin::take_report(const TnContext* context, const Array& body) {
  if (body.size() == 2 && context && TN_HAS(context, record))
    return context->record(context->self, std::string(body[0].as_string()).c_str(), body[1].ptr());
  if (body.size() != 4 || !context) return;
  std::string message(body[1].as_string()), hint(body[3].as_string());
  Place place = parse_place(std::string(body[2].as_string()));
  Value span;
  if (place.line > 0)
    span = call([&](TnValue* ret) {
      return b_.ir()->span(b_.ir()->self, place.file.c_str(), place.line, place.column, 0, 0, ret);
    });
  context->report(context->self, static_cast<int32_t>(body[0].as_int()), message.c_str(),
                  span.is_none() ? nullptr : reinterpret_cast<const TnSpan*>(span.raw().as.object), hint.c_str());
}

void IsolatedPlugin::answer_question(const Request& request, const Array& question, const Patience& patience) {
  Array reply;
  if (replayed_) {
    reply =
        b_.array({Value(false), error_value(b_, Error(TN_ERROR_NOT_FOUND, "the reproducer has no answer to this"))});
    if (Array recorded = replayed_->next(); !recorded.empty()) reply = recorded;
  } else {
    try {
      Value value;
      if (!question.empty() && question[0].as_string() == "signature" && question.size() == 2 && request.context) {
        std::string name(question[1].as_string());
        value =
            call([&](TnValue* ret) { return request.context->signature(request.context->self, name.c_str(), ret); });
      } else if (request.answer) {
        value = request.answer(question);
      } else {
        throw Error(TN_ERROR_PLUGIN, "the worker asked for something that this call does not offer");
      }
      reply = b_.array({Value(true), value});
    } catch (const Error& e) { reply = b_.array({Value(false), error_value(b_, e)}); }
  }
  said_.push_back(Value(question));
  said_.push_back(Value(reply));
  exchange_->send(Kind::kReply, reply, patience);
}

Value IsolatedPlugin::take_answer(const Request& request, const Array& answer) {
  if (answer.size() != 4 || !answer[0].is_bool() || !answer[2].is_array() || !answer[3].is_array()) throw Broken{true};
  if (const Array& loaded = answer[3].ref<Array>(); !loaded.empty()) {
    std::lock_guard lock(loaded_mutex_);
    for (const Value& id : loaded) loaded_.emplace(id.as_string());
  }
  if (std::string log = child_->take_log(); !log.empty()) std::fwrite(log.data(), 1, log.size(), stderr);
  for (const Value& change : answer[2].ref<Array>())
    if (request.context)
      request.context->report(
          request.context->self, TN_SEVERITY_WARNING,
          (name_of(plugin_) + " " + std::string(change.as_string()) + " and left it so, in its own process").c_str(),
          nullptr, "a plugin leaves its process as it found it");
  if (answer[0].as_bool()) return answer[1];
  throw error_from(answer[1]);
}

void IsolatedPlugin::fail(const Request& request, Ending::How how, int64_t deadline_ms) {
  std::string log = child_->take_log();
  Ending ending = child_->end(how);
  log += child_->take_log();
  exchange_.reset();
  child_.reset();
  int32_t code = ending.memory ? TN_ERROR_OUT_OF_MEMORY : TN_ERROR_PLUGIN;
  std::string doing = request.slot < 0 ? "when it was started" : "in " + request.what;
  // Another plugin that this one had called.
  const PluginInfo* inner = nullptr;
  if (!ending.inner.empty() && ending.inner != plugin_.id)
    for (const PluginInfo& p : session_.provider().plugins())
      if (p.id == ending.inner) inner = &p;
  std::string message =
      inner ? name_of(*inner) + ", which " + name_of(plugin_) + " had called, " : name_of(plugin_) + " ";
  if (how == Ending::How::kDeadline) {
    code = TN_ERROR_LIMIT;
    message += "did not answer within " + std::to_string(deadline_ms) + " ms " + doing + "; its process was ended";
  } else if (how == Ending::How::kCancelled) {
    code = TN_ERROR_CANCELLED;
    message += "went on after it was cancelled " + doing + "; its process was ended";
  } else if (how == Ending::How::kTalk) {
    code = TN_ERROR_LIMIT;
    message += "reported or asked without end " + doing + "; its process was ended";
  } else {
    message += ending.text + " " + doing;
  }
  std::string hint = "it ran in a process of its own, and the next call starts it anew";
  if (settings_.memory_bytes < kLittleMemory && (ending.memory || request.slot < 0))
    hint += "; its process may use " + std::to_string(settings_.memory_bytes >> 20) +
            " MiB, which is little: raise memory_mb of 'isolation'";
  if (request.slot >= 0 && !replayed_ && code != TN_ERROR_CANCELLED) {
    std::string why;
    std::string folder = write_reproducer(settings_, plugin_, request, said_, message, log, &why);
    hint += folder.empty() ? "; no reproducer was written: " + why
                           : "; see it again with: " + replay_command(folder, place_);
  }
  Error error(code, message, (inner ? *inner : plugin_).library, hint);
  if (std::string said = last_line(log); !said.empty())
    error.cause = std::make_shared<Error>(TN_ERROR_PLUGIN, "the last that it printed is: " + said.substr(0, 300));
  throw error;
}

Value IsolatedPlugin::replay(Reproducer& reproducer) {
  std::lock_guard lock(mutex_);
  if (!child_) start();
  replayed_ = &reproducer;
  Request request{reproducer.slot, {}, reproducer.what, nullptr, {}};
  reproducer.start();
  return converse(request, settings_.deadline_ms,
                  [&](const Patience& p) { exchange_->send(Kind::kCall, reproducer.next(), p); });
}

namespace {
// An error's text but for where in memory it happened, which is elsewhere each time.
std::string without_addresses(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const bool address = text.substr(at).starts_with("0x");
    out += address ? "0x" : text.substr(at, 1);
    at = address ? std::min(text.find_first_not_of("0123456789abcdef", at + 2), text.size()) : at + 1;
  }
  return out;
}
}  // namespace

Value replay_folder(Session& session, Registry& registry, const std::string& folder) {
  const Builder& b = session.builder();
  Reproducer reproducer(b, folder);
  PluginInfo plugin;
  if (const PluginInfo* found = registry.find(reproducer.plugin)) {
    plugin = *found;
  } else {  // such as one of --plugin-dir, where the policy lets its folder
    ManifestResult read = read_manifest(b, reproducer.manifest);
    if (!read.complaints.empty()) find_plugin(registry, reproducer.plugin);  // says that it is not installed
    plugin = read.plugin;
  }
  std::string digest = digest_of_file(plugin.library);
  bool same = digest == reproducer.digest;
  IsolationSettings settings = registry.isolation();
  settings.deadline_ms = reproducer.deadline_ms;
  settings.memory_bytes = reproducer.memory_bytes;
  IsolatedPlugin isolated(plugin, registry.place(), settings, session);
  session.kinds().declare();  // the call may hold nodes of them
  try {
    isolated.replay(reproducer);
  } catch (const Error& e) {
    const bool alike = without_addresses(e.message) == without_addresses(reproducer.error);
    Error again(e.code, e.message, e.where,
                !same   ? "this is another build of the plugin than the one that the reproducer is of"
                : alike ? "it fails as the reproducer says"
                        : "it fails otherwise than the reproducer says, which is: " + reproducer.error);
    again.cause = e.cause;
    throw again;
  }
  return b.map({{"plugin", b.string(plugin.id)},
                {"what", b.string(reproducer.what)},
                {"error", b.string(reproducer.error)},
                {"same_library", Value(same)}});
}

}  // namespace tenon::worker
