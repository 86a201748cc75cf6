#include "pass/compile_context.h"

#include <algorithm>

namespace tenon {

std::string span_where(const TnSpan* span) {
  if (!span) return "";
  return std::string(span->source) + ":" + std::to_string(span->line) + ":" + std::to_string(span->column);
}

CompileContext::CompileContext(const CompileEnvironment& environment, const Node& module, std::string from)
    : environment_(environment), module_(module), from_(std::move(from)), mark_(environment.calls, from_) {
  target_ = environment.builder->map_value(environment.target);
  table_.size = sizeof table_;
  table_.self = this;
  table_.target = target_.ptr();
  table_.report = [](void* self, int32_t severity, const char* message, const TnSpan* span, const char* hint) {
    auto* context = static_cast<CompileContext*>(self);
    std::lock_guard lock(context->mutex_);
    context->diagnostics_.push_back({std::clamp<int32_t>(severity, TN_SEVERITY_NOTE, TN_SEVERITY_ERROR),
                                     message ? message : "", span_where(span), hint ? hint : "", context->from_});
  };
  table_.cancelled = [](void* self) -> int {
    const auto& cancelled = static_cast<CompileContext*>(self)->environment_.cancelled;
    return cancelled && cancelled() ? 1 : 0;
  };
  table_.signature = [](void* self, const char* name, TnValue* ret) -> int {
    auto* context = static_cast<CompileContext*>(self);
    return guard(context->environment_.builder->runtime(), ret, [&] { return context->signature(name); });
  };
  table_.record = [](void* self, const char* topic, const TnValue* data) {
    auto* context = static_cast<CompileContext*>(self);
    std::lock_guard lock(context->mutex_);
    context->facts_.push_back({topic ? topic : "", data ? Value::share(*data) : Value(), context->from_});
  };
}

std::vector<Fact> CompileContext::take_facts() {
  std::lock_guard lock(mutex_);
  return std::exchange(facts_, {});
}

std::vector<Diagnostic> CompileContext::take_diagnostics() {
  std::lock_guard lock(mutex_);
  return std::exchange(diagnostics_, {});
}

Value CompileContext::signature(std::string_view name) const {
  if (!module_) return Value();
  const Value* found = module_.to<ir::Module>().functions().find(name);
  if (!found) return Value();
  const Builder& b = *environment_.builder;
  const Node& function = as_node(*found);
  if (function.is<tir::PrimFunc>()) return b.with(function, tir::PrimFuncSlot::body, b.make<tir::Seq>({b.array({})}));
  if (function.is<relax::Function>())
    return b.with(function, relax::FunctionSlot::body, b.make<relax::Tuple>({Value(), b.array({})}));
  return *found;
}

}  // namespace tenon
