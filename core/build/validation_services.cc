// The tables that a plugin gets in place of the host's services.
#include <algorithm>
#include <cstring>
#include <tuple>

#include "build/validation_state.h"
#include "tenon/ext/arith.h"
#include "tenon/ext/codegen.h"
#include "tenon/ext/constants.h"
#include "tenon/ext/execute.h"
#include "tenon/ext/op.h"

namespace tenon::validation {
namespace {

// What is looked at in the arguments of a slot, beside what their types say.
enum Policy : unsigned {
  kPlain = 0,
  kArray = 1,     // the value that stands before a number is the first of so many
  kFresh = 2,     // the result was made for the caller, and its arguments become part of it
  kNullable = 4,  // values may be null
};

// The service of a table, when a plugin calls it as it may; reports when not.
Service* open_service(void* self) {
  uint64_t magic = 0;
  Frame* frame = current_frame();
  if (!self || !peek(self, &magic, sizeof magic) || magic != kMagic) {
    if (frame) frame->report("E8", "a service is called with a `self` that is not that of its table");
    return nullptr;
  }
  auto* service = static_cast<Service*>(self);
  if (service->plugin->destroyed) {
    const char* message = "a service is called by an instance that is destroyed: ";
    if (frame)
      frame->report("E9", message + service->id);
    else
      service->state->report(*service->plugin, "", "E9", message + service->id);
    return nullptr;
  }
  return service;
}

int no_service(TnValue* ret) {
  return tn_runtime()->error(TN_ERROR_PLUGIN, "a service was called against the contract", nullptr, nullptr, nullptr,
                             ret);
}

// ---- Arguments

template <unsigned policy>
struct Arguments {
  Frame& frame;
  const char* name;
  bool good = true;
  const TnValue* values = nullptr;  // the last one met
  bool first = true;

  void operator()(const TnNode* n) {
    if (good) good = check_node(frame, n, name);
    first = false;
  }
  void operator()(const TnValue* v) {
    if constexpr ((policy & kArray) != 0) {
      values = v;
      return;
    }
    if (!v && (policy & kNullable)) return;
    one(v);
  }
  void operator()(int32_t n) {
    if constexpr ((policy & kArray) != 0) {
      if (n < 0) return refuse("V5", " is given " + std::to_string(n) + " values");
      for (int32_t i = 0; i < n && good; ++i) one(values ? values + i : nullptr);
      values = nullptr;
    }
  }
  void operator()(const char* text) {
    if (!text && !(policy & kNullable)) refuse("V3", " is given a text that is null");
  }
  void operator()(TnValue* ret) {
    if (!ret) refuse("V3", " is given no place for its result");
  }
  template <class T>
  void operator()(T) {}

 private:
  void one(const TnValue* v) {
    if (!v) return refuse("V3", " is given a value that is null");
    if (good) good = check_value(frame, *v, name);
  }
  void refuse(const char* rule, const std::string& what) {
    if (good) frame.report(rule, name + what);
    good = false;
  }
};

template <unsigned policy>
void give(Frame& frame, const TnValue* v) {
  if (!(policy & kFresh) && v && v->type_index >= TN_OBJECT) frame.state.watch.hand_over(*v);
}
template <unsigned policy, class T>
void give(Frame&, T) {}

template <size_t n>
struct Text {
  char text[n];
  constexpr Text(const char (&s)[n]) { std::copy(s, s + n, text); }
};

void take_result(Frame& frame, Service& service, int status, const TnValue& ret, bool fresh, const char* name) {
  std::lock_guard lock(frame.state.mutex);
  bool failed = status != 0 && ret.type_index == TN_ERROR;
  frame.state.watch.see(ret, fresh && !failed ? service.plugin : nullptr, frame.during + ", by " + name);
  if (failed) frame.errors.push_back(ret.as.object);
}

template <auto slot, unsigned policy, Text name>
struct Through;
template <class Table, class... A, int (*Table::*slot)(void*, A...), unsigned policy, Text name>
struct Through<slot, policy, name> {
  static int call(void* self, A... a) {
    auto args = std::make_tuple(a...);
    TnValue* ret = std::get<sizeof...(A) - 1>(args);
    Service* service = open_service(self);
    if (!service) return no_service(ret);
    auto* real = static_cast<const Table*>(service->real);
    Frame* frame = current_frame();
    if (!frame) return (real->*slot)(real->self, a...);  // a thread that the plugin made
    ++frame->state.calls;
    if constexpr (std::string_view(name.text) == "TnHostIr.make") ++frame->state.nodes;
    Arguments<policy> check{*frame, name.text};
    (check(a), ...);
    if (!check.good) return ret ? refuse(ret, *frame) : -1;
    int status = (real->*slot)(real->self, a...);
    {
      std::lock_guard lock(frame->state.mutex);
      (give<policy>(*frame, a), ...);
    }
    take_result(*frame, *service, status, *ret, (policy & kFresh) != 0, name.text);
    return status;
  }
};

template <auto slot, unsigned policy, Text name, class Table>
void put(const Service& service, Table& t) {
  auto* real = static_cast<const Table*>(service.real);
  size_t end =
      static_cast<size_t>(reinterpret_cast<const char*>(&(real->*slot) + 1) - reinterpret_cast<const char*>(real));
  if (end <= real->size && real->*slot) t.*slot = &Through<slot, policy, name>::call;
}

// ---- tenon.host.ir/1: what is not of the usual form

const TnKindSchema* ir_schema(void* self, uint32_t kind) {
  Service* s = open_service(self);
  auto* real = s ? static_cast<const TnHostIr*>(s->real) : nullptr;
  return real ? real->schema(real->self, kind) : nullptr;
}
uint32_t ir_find_kind(void* self, const char* id) {
  Service* s = open_service(self);
  auto* real = s ? static_cast<const TnHostIr*>(s->real) : nullptr;
  if (real && !id && current_frame()) current_frame()->report("V3", "TnHostIr.find_kind is given a text that is null");
  return real && id ? real->find_kind(real->self, id) : 0;
}

// A callback of the plugin, which the host is to call.
struct Callback {
  Frame* frame;
  TnVisit enter, leave;
  TnRewrite rewrite;
  void* context;
};

// What a callback returned, in a form that the host can take; `allowed`: its greatest status.
int checked_status(Frame& frame, int status, int allowed, TnValue* ret) {
  if (status < -1 || status > allowed) {
    frame.report("F7", "a callback returned " + std::to_string(status));
    return refuse(ret, frame);
  }
  if (status == -1 && ret->type_index != TN_ERROR) {
    frame.report("F7", "a callback failed without an error");
    return refuse(ret, frame);
  }
  return status;
}
template <class F>
int fenced(Frame& frame, int allowed, TnValue* ret, F&& f) {
  ++frame.state.calls;
  ++frame.state.callbacks;
  int status = -1;
  try {
    status = f();
  } catch (const std::exception& e) {
    frame.report("F1", std::string("an exception left a callback: ") + e.what());
    return refuse(ret, frame);
  } catch (...) {
    frame.report("F1", "an exception left a callback");
    return refuse(ret, frame);
  }
  return checked_status(frame, status, allowed, ret);
}
int on_enter(void* c, const TnNode* n, TnValue* ret) {
  auto* self = static_cast<Callback*>(c);
  return fenced(*self->frame, 1, ret, [&] { return self->enter(self->context, n, ret); });
}
int on_leave(void* c, const TnNode* n, TnValue* ret) {
  auto* self = static_cast<Callback*>(c);
  return fenced(*self->frame, 1, ret, [&] { return self->leave(self->context, n, ret); });
}
int on_rewrite(void* c, const TnNode* original, const TnNode* rebuilt, TnValue* ret) {
  auto* self = static_cast<Callback*>(c);
  Frame& frame = *self->frame;
  uint32_t before = static_cast<uint32_t>(__atomic_load_n(&original->header.counts, __ATOMIC_ACQUIRE));
  uint32_t rebuilt_before = static_cast<uint32_t>(__atomic_load_n(&rebuilt->header.counts, __ATOMIC_ACQUIRE));
  int status = fenced(frame, 0, ret, [&] { return self->rewrite(self->context, original, rebuilt, ret); });
  if (status != 0 || ret->type_index == TN_NONE) return status;
  bool good = check_value(frame, *ret, "the result of a callback");
  if (good && ret->type_index != TN_NODE && ret->type_index != TN_ARRAY) {
    frame.report("V4", "a callback of rewrite returned neither a node nor an array");
    tn_value_release(ret);
    good = false;
  }
  if (good && (ret->as.p == original || ret->as.p == rebuilt)) {
    uint32_t was = ret->as.p == original ? before : rebuilt_before;
    if (static_cast<uint32_t>(__atomic_load_n(&ret->as.object->counts, __ATOMIC_ACQUIRE)) == was) {
      frame.report("O5", "a callback returned the node that it was given, and did not retain it");
      good = false;
    }
  }
  return good ? 0 : refuse(ret, frame);
}

int ir_walk(void* self, const TnValue* tree, TnVisit enter, TnVisit leave, void* context, TnValue* ret) {
  Service* s = open_service(self);
  if (!s) return no_service(ret);
  auto* real = static_cast<const TnHostIr*>(s->real);
  Frame* frame = current_frame();
  if (!frame) return real->walk(real->self, tree, enter, leave, context, ret);
  Arguments<kPlain> check{*frame, "TnHostIr.walk"};
  check(tree);
  if (!check.good) return refuse(ret, *frame);
  Callback callback{frame, enter, leave, nullptr, context};
  int status = real->walk(real->self, tree, enter ? &on_enter : nullptr, leave ? &on_leave : nullptr, &callback, ret);
  take_result(*frame, *s, status, *ret, false, "TnHostIr.walk");
  return status;
}
int ir_rewrite(void* self, const TnValue* tree, TnRewrite rewrite, void* context, TnValue* ret) {
  Service* s = open_service(self);
  if (!s) return no_service(ret);
  auto* real = static_cast<const TnHostIr*>(s->real);
  Frame* frame = current_frame();
  if (!frame) return real->rewrite(real->self, tree, rewrite, context, ret);
  Arguments<kPlain> check{*frame, "TnHostIr.rewrite"};
  check(tree);
  if (check.good && !rewrite) {
    frame->report("V3", "TnHostIr.rewrite is given a callback that is null");
    check.good = false;
  }
  if (!check.good) return refuse(ret, *frame);
  Callback callback{frame, nullptr, nullptr, rewrite, context};
  int status = real->rewrite(real->self, tree, &on_rewrite, &callback, ret);
  take_result(*frame, *s, status, *ret, false, "TnHostIr.rewrite");
  return status;
}

// ---- The tables

template <class Table, class Fill>
void exchange(Service& s, Fill&& fill) {
  Table t{};
  t.size = std::min(sizeof t, static_cast<const Table*>(s.real)->size);
  t.self = &s;
  fill(t);
  s.table.resize(sizeof t);
  std::memcpy(s.table.data(), &t, sizeof t);
}

void fill_ir(Service& s) {
  exchange<TnHostIr>(s, [&](TnHostIr& t) {
    t.schema = &ir_schema;
    t.find_kind = &ir_find_kind;
    t.walk = &ir_walk;
    t.rewrite = &ir_rewrite;
    put<&TnHostIr::make, kArray | kFresh, "TnHostIr.make">(s, t);
    put<&TnHostIr::span, kFresh | kNullable, "TnHostIr.span">(s, t);
    put<&TnHostIr::structural_equal, kPlain, "TnHostIr.structural_equal">(s, t);
    put<&TnHostIr::content_key, kPlain, "TnHostIr.content_key">(s, t);
    put<&TnHostIr::substitute, kPlain, "TnHostIr.substitute">(s, t);
    put<&TnHostIr::verify, kPlain, "TnHostIr.verify">(s, t);
    put<&TnHostIr::print, kPlain, "TnHostIr.print">(s, t);
    put<&TnHostIr::parse, kNullable, "TnHostIr.parse">(s, t);
    put<&TnHostIr::encode, kPlain, "TnHostIr.encode">(s, t);
    put<&TnHostIr::decode, kPlain, "TnHostIr.decode">(s, t);
    put<&TnHostIr::constant, kPlain, "TnHostIr.constant">(s, t);
    put<&TnHostIr::renew, kPlain, "TnHostIr.renew">(s, t);
  });
}
void fill_ops(Service& s) {
  exchange<TnHostOps>(s, [&](TnHostOps& t) {
    put<&TnHostOps::find, kPlain, "TnHostOps.find">(s, t);
    put<&TnHostOps::infer_type, kPlain, "TnHostOps.infer_type">(s, t);
    put<&TnHostOps::compute, kPlain, "TnHostOps.compute">(s, t);
    put<&TnHostOps::evaluate, kArray, "TnHostOps.evaluate">(s, t);
    put<&TnHostOps::suggest, kPlain, "TnHostOps.suggest">(s, t);
  });
}
void fill_constants(Service& s) {
  exchange<TnHostConstants>(s, [&](TnHostConstants& t) {
    put<&TnHostConstants::tensor, kPlain, "TnHostConstants.tensor">(s, t);
    put<&TnHostConstants::seal, kPlain, "TnHostConstants.seal">(s, t);
    put<&TnHostConstants::view, kPlain, "TnHostConstants.view">(s, t);
  });
}
void fill_execute(Service& s) {
  exchange<TnHostExecute>(s, [&](TnHostExecute& t) { put<&TnHostExecute::run, kNullable, "TnHostExecute.run">(s, t); });
}
void fill_codegen(Service& s) {
  exchange<TnHostCodegen>(
      s, [&](TnHostCodegen& t) { put<&TnHostCodegen::generate, kNullable, "TnHostCodegen.generate">(s, t); });
}

struct Row {
  const char* id;
  void (*fill)(Service& s);
};
constexpr Row kServices[] = {{TN_HOST_IR, &fill_ir},           {TN_HOST_ARITH, &wrap_arith},
                             {TN_HOST_OPS, &fill_ops},         {TN_HOST_CONSTANTS, &fill_constants},
                             {TN_HOST_EXECUTE, &fill_execute}, {TN_HOST_CODEGEN, &fill_codegen}};

}  // namespace

const void* wrap_service(Validation::State& state, Plugin& plugin, const char* id, const void* real) {
  std::lock_guard lock(state.mutex);
  auto known = plugin.services.find(id);
  if (known != plugin.services.end()) return known->second->table.data();
  for (const Row& row : kServices) {
    if (std::strcmp(row.id, id) != 0) continue;
    auto service = std::make_unique<Service>();
    service->state = &state;
    service->plugin = &plugin;
    service->real = real;
    service->id = id;
    row.fill(*service);
    service->pristine = service->table;
    const void* table = service->table.data();
    plugin.services.emplace(id, std::move(service));
    return table;
  }
  return nullptr;
}

}  // namespace tenon::validation
