// The compile context of one call of a plugin: target, diagnostics, signatures of the module being compiled, cancel.
#ifndef TENON_PASS_COMPILE_CONTEXT_H
#define TENON_PASS_COMPILE_CONTEXT_H

#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/cxx/builder.h"
#include "tenon/ext/context.h"

namespace tenon {

struct Diagnostic {
  int32_t severity = TN_SEVERITY_NOTE;
  std::string message;
  std::string where;
  std::string hint;
  std::string from;  // the pass or plugin that reported it
};

// Is told when a call of a plugin begins and ends, on the thread that makes it. Any thread; never throws.
class CallObserver {
 public:
  virtual ~CallObserver() = default;
  // `who`: "PLUGIN", "PLUGIN:PASS", or "PLUGIN OP". The answer is handed to `leave`.
  virtual int enter(std::string_view who) noexcept = 0;
  virtual void leave(int call) noexcept = 0;
};

// A fact about the compilation, as TnContext.record takes it.
struct Fact {
  std::string topic;
  Value data;
  std::string from;
};

// What does not change from call to call within a session.
struct CompileEnvironment {
  const Builder* builder = nullptr;
  Map target;
  std::function<bool()> cancelled;  // may be empty
  CallObserver* calls = nullptr;    // may be null
};

// The time within which a plugin is being called.
class CallMark {
 public:
  CallMark(CallObserver* calls, std::string_view who) : calls_(calls), call_(calls ? calls->enter(who) : 0) {}
  CallMark(const CallMark&) = delete;
  CallMark& operator=(const CallMark&) = delete;
  ~CallMark() {
    if (calls_) calls_->leave(call_);
  }

 private:
  CallObserver* calls_;
  int call_;
};

class CompileContext {
 public:
  // `module` may be null: then there are no signatures. All arguments outlive the context.
  CompileContext(const CompileEnvironment& environment, const Node& module, std::string from);
  CompileContext(const CompileContext&) = delete;
  CompileContext& operator=(const CompileContext&) = delete;

  const TnContext* c() const { return &table_; }
  std::vector<Diagnostic> take_diagnostics();
  std::vector<Fact> take_facts();

 private:
  Value signature(std::string_view name) const;

  const CompileEnvironment& environment_;
  const Node& module_;
  std::string from_;
  Value target_;
  TnContext table_;
  std::mutex mutex_;
  std::vector<Diagnostic> diagnostics_;
  std::vector<Fact> facts_;
  CallMark mark_;
};

// "file:line:col" of a span; "" for null.
std::string span_where(const TnSpan* span);

}  // namespace tenon
#endif
