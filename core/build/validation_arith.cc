// "tenon.host.arith/1" as a plugin gets it: analyzers are handles of the layer, which outlive their destruction.
#include <atomic>
#include <cstring>

#include "build/validation_state.h"
#include "tenon/ext/arith.h"

namespace tenon::validation {
namespace {

struct Handle {
  uint64_t magic = kMagic + 1;
  Service* service = nullptr;
  TnAnalyzer* real = nullptr;
  std::atomic<bool> busy{false};
  std::atomic<bool> told{false};
  int constraints = 0;
};

const TnHostArith& real_table(const Service& s) { return *static_cast<const TnHostArith*>(s.real); }

// Holds an analyzer for one call of one of its slots; reports when that may not be.
class Use {
 public:
  explicit Use(TnAnalyzer* analyzer) : frame_(current_frame()) {
    uint64_t magic = 0;
    if (!analyzer || !peek(analyzer, &magic, sizeof magic) || magic != kMagic + 1) {
      if (frame_) frame_->report("S1", "an analyzer is used that the host did not make");
      return;
    }
    auto* h = reinterpret_cast<Handle*>(analyzer);
    if (frame_) ++frame_->state.calls;
    if (!h->real) {
      if (frame_) frame_->report("S1", "an analyzer is used after it was destroyed");
      return;
    }
    if (h->busy.exchange(true)) {
      if (frame_ && !h->told.exchange(true))
        frame_->report("T1", "an analyzer is used by two threads at the same time");
      return;
    }
    handle_ = h;
    if (frame_ && frame_->parallel > 0) std::this_thread::yield();  // lets another thread run into it
  }
  ~Use() {
    if (handle_) handle_->busy = false;
  }
  explicit operator bool() const { return handle_ != nullptr; }
  Handle& operator*() const { return *handle_; }
  Frame* frame() const { return frame_; }
  bool node(const TnNode* n, const char* what) const { return !frame_ || check_node(*frame_, n, what); }
  int refuse(TnValue* ret) const {
    if (frame_ && !frame_->violations.empty()) return validation::refuse(ret, *frame_);
    return tn_runtime()->error(TN_ERROR_PLUGIN, "an analyzer was used against the contract", nullptr, nullptr, nullptr,
                               ret);
  }

 private:
  Frame* frame_;
  Handle* handle_ = nullptr;
};

TnAnalyzer* create(void* self) {
  auto* service = static_cast<Service*>(self);
  uint64_t magic = 0;
  if (!self || !peek(self, &magic, sizeof magic) || magic != kMagic) {
    if (Frame* f = current_frame()) f->report("E8", "a service is called with a `self` that is not that of its table");
    return nullptr;
  }
  TnAnalyzer* real = real_table(*service).create(real_table(*service).self);
  if (!real) return nullptr;
  auto h = std::make_shared<Handle>();
  h->service = service;
  h->real = real;
  std::lock_guard lock(service->state->mutex);
  ++service->plugin->analyzers;
  service->handles.push_back(h);
  return reinterpret_cast<TnAnalyzer*>(h.get());
}
void destroy(TnAnalyzer* analyzer) {
  if (!analyzer) return;
  Use use(analyzer);
  if (!use) return;
  Handle& h = *use;
  real_table(*h.service).destroy(h.real);
  h.real = nullptr;
  std::lock_guard lock(h.service->state->mutex);
  --h.service->plugin->analyzers;
}
int bind_range(TnAnalyzer* a, const TnNode* var, const TnNode* min, const TnNode* extent, TnValue* ret) {
  Use use(a);
  const char* what = "TnHostArith.bind_range";
  if (!use || !use.node(var, what) || !use.node(min, what) || !use.node(extent, what)) return use.refuse(ret);
  return real_table(*(*use).service).bind_range((*use).real, var, min, extent, ret);
}
int bind_value(TnAnalyzer* a, const TnNode* var, const TnNode* value, TnValue* ret) {
  Use use(a);
  const char* what = "TnHostArith.bind_value";
  if (!use || !use.node(var, what) || !use.node(value, what)) return use.refuse(ret);
  return real_table(*(*use).service).bind_value((*use).real, var, value, ret);
}
int enter_constraint(TnAnalyzer* a, const TnNode* condition, TnValue* ret) {
  Use use(a);
  if (!use || !use.node(condition, "TnHostArith.enter_constraint")) return use.refuse(ret);
  int status = real_table(*(*use).service).enter_constraint((*use).real, condition, ret);
  if (status == 0) ++(*use).constraints;
  return status;
}
void leave_constraint(TnAnalyzer* a) {
  Use use(a);
  if (!use) return;
  if ((*use).constraints == 0) {
    if (use.frame()) use.frame()->report("S2", "leave_constraint is called where no constraint was entered");
    return;
  }
  --(*use).constraints;
  real_table(*(*use).service).leave_constraint((*use).real);
}
int simplify(TnAnalyzer* a, const TnNode* expr, TnValue* ret) {
  Use use(a);
  if (!use || !use.node(expr, "TnHostArith.simplify")) return use.refuse(ret);
  int status = real_table(*(*use).service).simplify((*use).real, expr, ret);
  if (Frame* frame = use.frame()) {
    std::lock_guard lock(frame->state.mutex);
    frame->state.watch.see(*ret, nullptr, "");
    if (status != 0 && ret->type_index == TN_ERROR) frame->errors.push_back(ret->as.object);
  }
  return status;
}
int can_prove(TnAnalyzer* a, const TnNode* condition) {
  Use use(a);
  return use && use.node(condition, "TnHostArith.can_prove")
             ? real_table(*(*use).service).can_prove((*use).real, condition)
             : 0;
}
void bounds(TnAnalyzer* a, const TnNode* expr, int64_t* min, int64_t* max) {
  *min = INT64_MIN;
  *max = INT64_MAX;
  Use use(a);
  if (use && use.node(expr, "TnHostArith.bounds")) real_table(*(*use).service).bounds((*use).real, expr, min, max);
}
void modular(TnAnalyzer* a, const TnNode* expr, int64_t* coefficient, int64_t* base) {
  *coefficient = 1;
  *base = 0;
  Use use(a);
  if (use && use.node(expr, "TnHostArith.modular"))
    real_table(*(*use).service).modular((*use).real, expr, coefficient, base);
}

}  // namespace

void wrap_arith(Service& service) {
  TnHostArith t = {sizeof(TnHostArith), &service,          &create,   &destroy,   &bind_range, &bind_value,
                   &enter_constraint,   &leave_constraint, &simplify, &can_prove, &bounds,     &modular};
  service.table.resize(sizeof t);
  std::memcpy(service.table.data(), &t, sizeof t);
}

}  // namespace tenon::validation
