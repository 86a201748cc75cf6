// The tables that the host gets in place of a plugin's: each slot looks at the call before and after.
#include <algorithm>
#include <cstring>
#include <tuple>

#include "build/conversion.h"
#include "build/validation_state.h"
#include "tenon/ext/codegen.h"
#include "tenon/ext/draft/instrument.h"
#include "tenon/ext/draft/kind.h"
#include "tenon/ext/draft/partitioner.h"
#include "tenon/ext/executor.h"
#include "tenon/ext/frontend.h"
#include "tenon/ext/linker.h"
#include "tenon/ext/op.h"
#include "tenon/ext/pass.h"

namespace tenon::validation {

void check_table(Frame& frame, CapabilityUse& use) {
  if (use.told) return;
  std::vector<char> now(use.size);
  bool there = peek(use.real, now.data(), now.size());
  if (there && std::equal(now.begin(), now.end(), use.copy.begin())) return;
  use.told = true;
  frame.report("E3", "the table of " + use.id + (there ? " has changed" : " is gone") + " while the instance lives");
}

namespace {

template <size_t n>
struct Text {
  char text[n];
  constexpr Text(const char (&s)[n]) { std::copy(s, s + n, text); }
};

void borrow(Frame& frame, const TnNode* n) { frame.borrow(n); }
void borrow(Frame& frame, const TnValue* v) {
  if (v) frame.borrow(*v);
}
template <class T>
void borrow(Frame&, T) {}
void borrow(Frame&, TnValue*) {}

// The name of what a slot is called for, where it has one.
std::string subject(const char* name) { return name ? "(" + std::string(name) + ")" : ""; }
template <class T>
std::string subject(T) {
  return "";
}

template <auto slot, Text name, bool thorough>
struct Guarded;
template <class Table, class... A, int (*Table::*slot)(void*, const TnContext*, A...), Text name, bool thorough>
struct Guarded<slot, name, thorough> {
  static int call(void* self, const TnContext* context, A... a) {
    auto& use = *static_cast<CapabilityUse*>(self);
    auto args = std::make_tuple(a...);
    TnValue* ret = std::get<sizeof...(A) - 1>(args);
    Frame frame(*use.state, *use.plugin, use.id + " " + name.text + subject(std::get<0>(args)));
    frame.thorough = thorough;
    check_table(frame, use);
    (borrow(frame, a), ...);
    const TnContext* wrapped = frame.context(context);
    auto* table = reinterpret_cast<const Table*>(use.copy.data());
    *ret = {TN_NONE, 0, {0}};
    int status = -1;
    try {
      status = (table->*slot)(use.instance, wrapped, a...);
    } catch (const std::exception& e) {
      frame.report("F1", std::string("an exception left the slot: ") + e.what());
      tn_runtime()->error(TN_ERROR_PLUGIN, "let an exception escape", nullptr, nullptr, nullptr, ret);
    } catch (...) {
      frame.report("F1", "an exception left the slot");
      tn_runtime()->error(TN_ERROR_PLUGIN, "let an exception escape", nullptr, nullptr, nullptr, ret);
    }
    check_table(frame, use);
    return frame.finish(status, ret);
  }
};

// A row of what follows: where the slot lies, and what stands in its place.
template <auto slot, Text name, bool thorough = true, class Table>
void guard_slot(const CapabilityUse& use, Table& out) {
  auto* table = reinterpret_cast<const Table*>(use.copy.data());
  size_t end =
      static_cast<size_t>(reinterpret_cast<const char*>(&(table->*slot) + 1) - reinterpret_cast<const char*>(table));
  if (end <= table->size && table->*slot) out.*slot = &Guarded<slot, name, thorough>::call;
}

template <class Table, class Fill>
void exchange(CapabilityUse& use, Fill&& fill) {
  Table out{};
  out.size = sizeof out;
  fill(out);
  use.wrapped.resize(sizeof out);
  std::memcpy(use.wrapped.data(), &out, sizeof out);
}

}  // namespace

bool wrap_capability(CapabilityUse& use) {
  if (use.id == TN_PASS) {
    exchange<TnPass>(use, [&](TnPass& t) {
      guard_slot<&TnPass::run_module, "run_module">(use, t);
      guard_slot<&TnPass::run_function, "run_function">(use, t);
    });
    return true;
  }
  if (use.id == TN_OP) {
    exchange<TnOp>(use, [&](TnOp& t) {
      guard_slot<&TnOp::infer_type, "infer_type", false>(use, t);
      guard_slot<&TnOp::compute, "compute", false>(use, t);
      guard_slot<&TnOp::evaluate, "evaluate", false>(use, t);
    });
    return true;
  }
  if (use.id == TN_CODEGEN) {
    exchange<TnCodegen>(use, [&](TnCodegen& t) { guard_slot<&TnCodegen::generate, "generate">(use, t); });
    return true;
  }
  if (use.id == TN_LINKER) {
    exchange<TnLinker>(use, [&](TnLinker& t) { guard_slot<&TnLinker::link, "link">(use, t); });
    return true;
  }
  if (use.id == TN_FRONTEND) {
    exchange<TnFrontend>(use, [&](TnFrontend& t) { guard_slot<&TnFrontend::import, "import">(use, t); });
    return true;
  }
  if (use.id == TN_EXECUTOR) {
    exchange<TnExecutor>(use, [&](TnExecutor& t) { guard_slot<&TnExecutor::load, "load">(use, t); });
    return true;
  }
  if (use.id == TN_PARTITIONER) {
    exchange<TnPartitioner>(use, [&](TnPartitioner& t) { guard_slot<&TnPartitioner::decide, "decide">(use, t); });
    return true;
  }
  if (use.id == TN_KIND) {
    exchange<TnKind>(use, [&](TnKind& t) { guard_slot<&TnKind::lower, "lower">(use, t); });
    return true;
  }
  if (use.id == TN_INSTRUMENT) {
    exchange<TnInstrument>(use, [&](TnInstrument& t) {
      guard_slot<&TnInstrument::before_pass, "before_pass">(use, t);
      guard_slot<&TnInstrument::after_pass, "after_pass">(use, t);
    });
    return true;
  }
  if (use.state->conversions.contains(use.id)) {
    exchange<Conversion>(use, [&](Conversion& t) { guard_slot<&Conversion::convert, "convert">(use, t); });
    return true;
  }
  return wrap_device_capability(use);
}

}  // namespace tenon::validation
