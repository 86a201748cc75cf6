// One call of a plugin's slot: what is looked at before and after it.
#include <fenv.h>
#include <limits.h>
#include <locale.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "build/validation_state.h"
#include "ir/make.h"

namespace tenon::validation {
namespace {

uint32_t strong(const TnObject* o) { return static_cast<uint32_t>(__atomic_load_n(&o->counts, __ATOMIC_ACQUIRE)); }

// The control word of the floating-point unit: rounding, flush to zero, traps.
uint64_t float_mode() {
  fenv_t env;
  fegetenv(&env);
#if defined(__x86_64__)
  return (env.__mxcsr & ~0x3fu) | uint64_t{env.__control_word} << 32;
#elif defined(__aarch64__)
  return env.__fpcr;
#else
  return static_cast<uint64_t>(fegetround());
#endif
}

bool is_known_type(int32_t index) {
  return index >= TN_NONE &&
         (index <= TN_SMALL_BYTES || (index >= TN_STRING && index <= TN_MAP) ||
          (index >= TN_NODE && index <= TN_CONSTANT) || (index >= TN_OBJECT && tn_runtime()->type_key(index)));
}
bool is_borrowed_type(int32_t index) {
  return index == TN_C_STRING || index == TN_DLTENSOR || index == TN_BYTE_ARRAY || index == TN_RVALUE;
}

// Why a value that a plugin gave is none; "" when it is one.
std::string unsound(const TnValue& v) {
  if (!is_known_type(v.type_index)) return "has the unknown type index " + std::to_string(v.type_index);
  if (v.type_index == TN_BOOL && v.as.i != 0 && v.as.i != 1) return "is a bool of " + std::to_string(v.as.i);
  if ((v.type_index == TN_SMALL_STRING || v.type_index == TN_SMALL_BYTES) && v.small_size > sizeof v.as.small)
    return "is a small string of " + std::to_string(v.small_size) + " bytes";
  if (v.type_index < TN_OBJECT) return "";
  TnObject header;
  if (!v.as.object) return "is an object at no address";
  if (reinterpret_cast<uintptr_t>(v.as.object) % alignof(TnObject) || !peek(v.as.object, &header, sizeof header))
    return "is an object at an address where none is";
  if (header.type_index != v.type_index)
    return "says that it has the type index " + std::to_string(v.type_index) + ", but its object has " +
           std::to_string(header.type_index);
  return "";
}

}  // namespace

Frame*& current_frame() {
  static thread_local Frame* frame = nullptr;
  return frame;
}

bool peek(const void* from, void* to, size_t bytes) {
  iovec local{to, bytes}, remote{const_cast<void*>(from), bytes};
  long n = syscall(SYS_process_vm_readv, getpid(), &local, 1ul, &remote, 1ul, 0ul);
  if (n >= 0) return static_cast<size_t>(n) == bytes;
  if (errno == EFAULT) return false;
  std::memcpy(to, from, bytes);  // the system does not allow the question
  return true;
}

int refuse(TnValue* ret, const Frame& frame) {
  const Violation& last = frame.violations.back();
  return tn_runtime()->error(TN_ERROR_PLUGIN, ("broke rule " + last.rule + " of the contract: " + last.message).c_str(),
                             nullptr, "sdk/docs/contract.md says what the rule asks for", nullptr, ret);
}

// ---- Arguments of services
// -------------------------------------------------------------------------------------------

bool check_value(Frame& frame, const TnValue& v, const char* what) {
  std::lock_guard lock(frame.state.mutex);
  if (std::string why = unsound(v); !why.empty()) {
    // An object that is gone still answers for its type.
    frame.report("V2", std::string(what) + " " + why);
    return false;
  }
  if (v.type_index < TN_OBJECT) return true;
  Watch& watch = frame.state.watch;
  Watched* w = watch.find(v.as.object);
  if (w && watch.health(v.as.object) == Health::kDead) {
    bool own = !w->handed && !w->lent;
    frame.report(own ? "O2" : "O1",
                 std::string(what) + " is " + name_of_object(v.as.object) +
                     (own ? " that was released" + (w->during.empty() ? "" : ", made in " + w->during)
                          : " that was borrowed for a call that is over"));
    return false;
  }
  if (!w && v.type_index == TN_NODE && !is_made_by_host(reinterpret_cast<const TnNode*>(v.as.object))) {
    frame.report("N3", std::string(what) + " is a node that the host did not make");
    return false;
  }
  if (v.type_index == TN_ARRAY) {
    auto* a = reinterpret_cast<const TnArray*>(v.as.object);
    for (size_t i = 0; i < a->size; ++i)
      if (a->data[i].type_index >= TN_OBJECT && watch.health(a->data[i].as.object) == Health::kDead) {
        frame.report("O3", std::string(what) + " is an array whose element " + std::to_string(i) +
                               " was released, though the array holds it");
        return false;
      }
  }
  return true;
}

bool check_node(Frame& frame, const TnNode* n, const char* what) {
  if (!n) {
    frame.report("V3", std::string(what) + " is null");
    return false;
  }
  TnValue v{TN_NODE, 0, {0}};
  v.as.p = const_cast<TnNode*>(n);
  return check_value(frame, v, what);
}

// ---- The frame
// -------------------------------------------------------------------------------------------------------

struct Frame::Process {
  uint64_t float_mode;
  fenv_t environment;
  std::string locale;
  char directory[PATH_MAX];
  sigset_t signals;
};

Frame::Frame(Validation::State& s, Plugin& p, std::string d)
    : state(s), plugin(p), during(std::move(d)), outer(current_frame()), process_(new Process{}) {
  {
    std::lock_guard lock(state.mutex);
    if (!outer) {
      alone = state.active++ == 0;
      started = ++state.started;
    } else {
      alone = outer->alone && outer->parallel == 0;
      started = outer->started;
    }
  }
  ++state.calls;
  process_->float_mode = float_mode();
  fegetenv(&process_->environment);
  process_->locale = setlocale(LC_ALL, nullptr);
  if (!getcwd(process_->directory, sizeof process_->directory)) process_->directory[0] = 0;
  pthread_sigmask(SIG_SETMASK, nullptr, &process_->signals);
  current_frame() = this;
}

Frame::~Frame() {
  current_frame() = outer;
  if (outer) return;
  std::lock_guard lock(state.mutex);
  --state.active;
}

void Frame::report(const char* rule, std::string message) {
  std::lock_guard lock(state.mutex);
  violations.push_back({rule, message});
  state.report(plugin, during, rule, std::move(message));
}

void Frame::borrow(const TnValue& v) {
  std::lock_guard lock(state.mutex);
  state.watch.see(v, nullptr, "", true);
  if (v.type_index >= TN_OBJECT && state.watch.find(v.as.object)) roots.push_back({v, strong(v.as.object)});
}

void Frame::borrow(const TnNode* n) {
  TnValue v{TN_NODE, 0, {0}};
  v.as.p = const_cast<TnNode*>(n);
  if (n) borrow(v);
}

// What a plugin calls through its context.
namespace {
ContextUse* open_context(void* self) {
  auto* use = static_cast<ContextUse*>(self);
  if (use->over) {
    Frame* frame = current_frame();
    std::string message = "the context of " + use->during + " is used after that call";
    if (frame)
      frame->report("O9", message);
    else
      use->state->report(*use->plugin, use->during, "O9", message);
    return nullptr;
  }
  return use;
}
void context_report(void* self, int32_t severity, const char* message, const TnSpan* span, const char* hint) {
  ContextUse* use = open_context(self);
  if (!use) return;
  Frame* frame = current_frame();
  if (frame && !message) return frame->report("V3", "the message of a diagnostic is null");
  if (frame && (severity < TN_SEVERITY_NOTE || severity > TN_SEVERITY_ERROR))
    return frame->report("V5", "a diagnostic has the severity " + std::to_string(severity));
  use->real->report(use->real->self, severity, message, span, hint);
}
int context_cancelled(void* self) {
  ContextUse* use = open_context(self);
  return use ? use->real->cancelled(use->real->self) : 1;
}
int context_signature(void* self, const char* name, TnValue* ret) {
  ContextUse* use = open_context(self);
  Frame* frame = current_frame();
  if (use && frame && !name) {
    frame->report("V3", "the name that TnContext.signature is asked for is null");
    return refuse(ret, *frame);
  }
  if (!use)
    return tn_runtime()->error(TN_ERROR_PLUGIN, "the context of a call is used after the call [O9]", nullptr, nullptr,
                               nullptr, ret);
  return use->real->signature(use->real->self, name, ret);
}
}  // namespace

const TnContext* Frame::context(const TnContext* real) {
  if (!real) return nullptr;
  if (real->target) borrow(*real->target);
  std::lock_guard lock(state.mutex);
  ContextUse& use = state.contexts.emplace_back();
  use.real = real;
  use.state = &state;
  use.plugin = &plugin;
  use.during = during;
  // Slots that the layer does not know are not offered: they would be called with the layer's `self`.
  constexpr size_t known = offsetof(TnContext, signature) + sizeof use.table.signature;
  use.table.size = std::min(real->size, known);
  use.table.self = &use;
  use.table.target = real->target;
  use.table.report = &context_report;
  use.table.cancelled = &context_cancelled;
  use.table.signature = &context_signature;
  context_ = &use;
  return &use.table;
}

void Frame::check_process() {
  if (float_mode() != process_->float_mode) {
    fesetenv(&process_->environment);
    report("P1", "the floating-point mode is another one than before the call");
  }
  if (process_->locale != setlocale(LC_ALL, nullptr)) {
    setlocale(LC_ALL, process_->locale.c_str());
    report("P2", "the locale is another one than before the call");
  }
  char directory[PATH_MAX];
  if (getcwd(directory, sizeof directory) && std::strcmp(directory, process_->directory) != 0) {
    report("P2", std::string("the working directory is ") + directory + ", and was " + process_->directory);
    if (chdir(process_->directory) != 0) report("P2", "and there is no way back to it");
  }
  sigset_t signals;
  pthread_sigmask(SIG_SETMASK, nullptr, &signals);
  for (int s = 1; s < SIGRTMIN; ++s)
    if (sigismember(&signals, s) != sigismember(&process_->signals, s)) {
      pthread_sigmask(SIG_SETMASK, &process_->signals, nullptr);
      report("P2", "the mask of signals is another one than before the call");
      break;
    }
}

// Leaves `*ret` in a form that the host can take over, whatever the plugin wrote.
void Frame::check_result(int* status, TnValue* ret) {
  bool unknown = *status != 0 && *status != -1;
  if (unknown) {
    report("F2", "the slot returned " + std::to_string(*status));
    *status = -1;
  }
  std::string why = unsound(*ret);
  if (!why.empty()) {
    report("V2", "the result " + why);
    *ret = {TN_NONE, 0, {0}};
    return;
  }
  if (is_borrowed_type(ret->type_index)) {
    report("V1", "the result is a borrowed value, of the type index " + std::to_string(ret->type_index));
    *ret = {TN_NONE, 0, {0}};
    return;
  }
  bool object = ret->type_index >= TN_OBJECT;
  if (object && state.watch.health(ret->as.object) == Health::kDead) {
    report("O2", "the result is " + name_of_object(ret->as.object) + " that was released");
    *ret = {TN_NONE, 0, {0}};
    return;
  }
  if (ret->type_index == TN_NODE && !state.watch.find(ret->as.object) &&
      !is_made_by_host(reinterpret_cast<const TnNode*>(ret->as.object))) {
    report("N3", "the result is a node that the host did not make");
    *ret = {TN_NONE, 0, {0}};
    return;
  }
  if (unknown) return;
  if (*status == -1) {
    if (ret->type_index != TN_ERROR) return report("F3", "the slot failed without an error");
    auto* e = reinterpret_cast<const TnError*>(ret->as.object);
    if (e->code < TN_ERROR_INTERNAL || e->code > TN_ERROR_CHECK_FAILED)
      report("F4", "the error has the unknown code " + std::to_string(e->code));
    if (!e->message || !*e->message) report("F4", "the error has no message");
  } else if (ret->type_index == TN_ERROR) {
    report("F5", "the slot succeeded with an error as its result");
  }
}

// References to what was borrowed: a plugin gives back what it took, and no more.
void Frame::check_counts(const TnValue& ret) {
  {
    std::lock_guard lock(state.mutex);
    if (!alone || state.active != 1 || (!outer && state.started != started)) return;
  }
  std::map<const TnObject*, Root> once;
  for (const Root& r : roots) once.emplace(r.value.as.object, r);
  for (auto& [object, root] : once) {
    bool is_result = ret.type_index >= TN_OBJECT && ret.as.object == object;
    int64_t delta = static_cast<int64_t>(static_cast<int32_t>(strong(object) - root.count)) - (is_result ? 1 : 0);
    if (delta == 0) continue;
    if (delta < 0) {
      int64_t& kept = plugin.kept[object];
      if (kept + delta >= 0) {
        kept += delta;
        continue;
      }
      if (is_result)
        report("O5", "the result is " + name_of_object(object) + " that was borrowed, and was not retained");
      else
        report("O4", name_of_object(object) + " that was borrowed was released " + std::to_string(-delta) +
                         (delta == -1 ? " time" : " times"));
      __atomic_fetch_add(&const_cast<TnObject*>(object)->counts, static_cast<uint64_t>(-delta), __ATOMIC_ACQ_REL);
    } else if (!state.watch.contains(ret, object)) {
      plugin.kept[object] += delta;
    }
  }
}

int Frame::finish(int status, TnValue* ret) {
  check_process();
  std::lock_guard lock(state.mutex);
  check_result(&status, ret);
  check_counts(*ret);
  for (const Root& root : roots)
    for (Watched* w : state.watch.damaged(root.value, thorough))
      report(w->object->type_index == TN_NODE ? "N1" : "N2",
             name_of_object(w->object) + " that was borrowed has been written");
  state.watch.see(*ret, nullptr, "");
  for (TnObject* error : errors) {
    bool passed_on = ret->type_index == TN_ERROR && state.watch.contains(*ret, error);
    Watched* w = state.watch.find(error);
    if (passed_on || !w || w->handed || state.watch.health(error) != Health::kAlive) continue;
    w->handed = true;  // and is none of the leaks
    report("F6", "an error that a service returned was not taken: " +
                     std::string(reinterpret_cast<const TnError*>(error)->message));
  }
  state.watch.hand_over(*ret);
  if (!scratch.empty())
    report("O8", std::to_string(scratch.size()) + " pieces of scratch memory were not given back within the call");
  if (plugin.real_host && std::memcmp(&plugin.host, &plugin.pristine, sizeof plugin.host) != 0) {
    plugin.host = plugin.pristine;
    report("E7", "the plugin wrote into the table TnHost");
  }
  for (auto& [id, service] : plugin.services)
    if (service->table != service->pristine) {
      service->table = service->pristine;
      report("E7", "the plugin wrote into the table of " + id);
    }
  if (context_) context_->over = true;
  if (thorough || state.watch.is_due())
    for (Watched* w : state.watch.sweep())
      report("O3", name_of_object(w->object) + " was released again after it was gone" +
                       (w->during.empty() ? "" : "; it was made in " + w->during));
  if (outer || violations.empty()) {
    if (outer) outer->violations.insert(outer->violations.end(), violations.begin(), violations.end());
    return status;
  }
  // The host gets the first as an error, with what the plugin said as its cause.
  const Violation& first = violations.front();
  std::string message = "broke rule " + first.rule + " of the contract: " + first.message;
  if (violations.size() > 1) message += " (and " + std::to_string(violations.size() - 1) + " more)";
  TnValue said = *ret;
  TnObject* cause = said.type_index == TN_ERROR ? said.as.object : nullptr;
  tn_runtime()->error(TN_ERROR_PLUGIN, message.c_str(), nullptr, "sdk/docs/contract.md says what the rule asks for",
                      cause, ret);
  tn_value_release(&said);
  return -1;
}

}  // namespace tenon::validation
