// Slots of other capabilities, each of which does what it is asked to; the pass calls them in the place of the host.
#include <fenv.h>
#include <tenon/ext/draft/instrument.h>
#include <tenon/ext/draft/kind.h>
#include <tenon/ext/draft/loader.h>
#include <tenon/ext/draft/onnx_converter.h>
#include <tenon/ext/draft/partitioner.h>
#include <tenon/ext/plugins.h>

#include <stdexcept>
#include <utility>

#include "violator.h"

namespace {

thread_local std::string_view asked;  // the rule that the next slot breaks; "" for none
thread_local const TnRuntime* runtime = nullptr;
char thing;  // what is made: anything at an address

bool is_asked(std::string_view rule) { return asked == rule; }
int deed(TnValue* ret) {
  *ret = {TN_NONE, 0, {0}};
  if (is_asked("F1")) throw std::runtime_error("out of cheese");
  if (is_asked("F2")) return 3;
  if (is_asked("F3")) return -1;
  if (is_asked("F4")) return runtime->error(99, "a code of its own", nullptr, nullptr, nullptr, ret);
  if (is_asked("F5")) return runtime->error(TN_ERROR_TYPE, "returned with 0", nullptr, nullptr, nullptr, ret), 0;
  if (is_asked("V2")) return *ret = {60, 0, {0x1234}}, 0;
  if (is_asked("P1")) return fesetround(FE_UPWARD), 0;
  return 0;
}
int make(void** made, TnValue* ret) { return *made = is_asked("V4") ? nullptr : &thing, deed(ret); }
int list(void*, TnValue* ret) {
  int status = deed(ret);
  if (is_asked("V4")) return *ret = {TN_INT, 0, {1}}, 0;
  return status == 0 && ret->type_index == TN_NONE ? runtime->array(nullptr, 0, ret) : status;
}
void end(void*) {
  if (is_asked("F1")) throw std::runtime_error("out of cheese");
}

const TnPartitioner kPartitioner = {
    sizeof(TnPartitioner), [](void*, const TnContext*, const char*, const TnNode*, TnValue* ret) { return deed(ret); }};
const TnKind kKind = {sizeof(TnKind), [](void*, const TnContext*, const TnNode*, TnValue* ret) { return deed(ret); }};
const TnInstrument kInstrument = {
    sizeof(TnInstrument),
    [](void*, const TnContext*, const TnValue*, const TnNode*, TnValue* ret) { return deed(ret); },
    [](void*, const TnContext*, const TnValue*, const TnNode*, const TnNode*, TnValue* ret) { return deed(ret); }};
const TnOnnxConverter kConverter = {sizeof(TnOnnxConverter),
                                    [](void*, const TnContext*, const TnValue*, TnValue* ret) { return deed(ret); }};
const TnDeviceApi kDevice = {sizeof(TnDeviceApi),
                             &list,
                             [](void*, const char*, void** device, TnValue* ret) { return make(device, ret); },
                             &end,
                             [](void*, int32_t, uint64_t, void** memory, TnValue* ret) { return make(memory, ret); },
                             [](void*, int32_t, void* memory) { end(memory); },
                             [](void*, void** queue, TnValue* ret) { return make(queue, ret); },
                             &end,
                             [](void*, const void*, void*, uint64_t, uint64_t, TnValue* ret) { return deed(ret); },
                             [](void*, void*, uint64_t, void*, uint64_t, TnValue* ret) { return deed(ret); },
                             [](void*, void*, uint64_t, void*, uint64_t, uint64_t, TnValue* ret) { return deed(ret); },
                             [](void*, void** fence, TnValue* ret) { return make(fence, ret); },
                             &end,
                             [](void*, void*, uint64_t, TnValue* ret) { return deed(ret); },
                             [](void*, void*, uint64_t, TnValue* ret) { return deed(ret); },
                             [](void*, uint64_t, int64_t, TnValue* ret) { return deed(ret); },
                             [](void*, uint64_t, TnValue* ret) { return deed(ret); },
                             [](void*, TnValue* ret) { return deed(ret); }};
const char* const kFormats[] = {"violator/1", nullptr};
const TnLoader kLoader = {
    sizeof(TnLoader),
    kFormats,
    [](void*, const char*, const TnValue*, const TnValue*, int32_t* answer, TnValue* ret) {
      return *answer = is_asked("V5") ? 9 : int32_t{TN_ACCEPT_BEST}, deed(ret);
    },
    [](void*, const TnPayload*, const TnLoadTarget*, void** module, TnValue* ret) { return make(module, ret); },
    &end,
    [](void*, const char*, TnLoadedFunction* function, TnValue* ret) {
      return function->function = is_asked("V4") ? nullptr : &thing, deed(ret);
    },
    [](void*, void*, void*, const TnValue*, int32_t, TnValue* ret) { return deed(ret); }};

// What a slot is called with, as a host would.
struct Host {
  const Call& c;
  std::string_view rule;
  TnValue ret{TN_NONE, 0, {0}}, none{TN_NONE, 0, {0}};
  void *device = nullptr, *queue = nullptr, *fence = nullptr, *memory = nullptr, *module = nullptr;
  void* kept[5] = {};
  char bytes[8] = {};

  template <class Table>
  const Table* open(const char* id, void** instance) {
    auto* plugins = static_cast<const TnHostPlugins*>(c.self.host->service(c.self.host->self, TN_HOST_PLUGINS));
    TnProvided provided{};
    if (plugins->open(plugins->self, "violator", id, &provided, &ret) != 0) drop();
    *instance = provided.instance;
    return static_cast<const Table*>(provided.table);
  }
  void drop() {
    tn_value_release(&ret);
    ret = none;
  }
  // The call that is asked to break the rule, and one that is not.
  template <class F>
  void broken(F&& f) {
    asked = rule;
    f();
    asked = {};
    drop();
  }
  template <class F>
  void right(F&& f) {
    f();
    drop();
  }
};

void call_slot(Host& h, std::string_view slot) {
  void* i = nullptr;
  const TnNode* node = h.c.module;
  auto is = [&](std::string_view name) { return slot == name; };
  if (is("decide")) {
    auto* t = h.open<TnPartitioner>(TN_PARTITIONER, &i);
    return h.broken([&] { t->decide(i, h.c.context, "row", node, &h.ret); });
  }
  if (is("lower")) {
    auto* t = h.open<TnKind>(TN_KIND, &i);
    return h.broken([&] { t->lower(i, h.c.context, node, &h.ret); });
  }
  if (is("before") || is("after")) {
    auto* t = h.open<TnInstrument>(TN_INSTRUMENT, &i);
    return h.broken([&] {
      if (is("before"))
        t->before_pass(i, h.c.context, h.c.options, node, &h.ret);
      else
        t->after_pass(i, h.c.context, h.c.options, node, node, &h.ret);
    });
  }
  if (is("convert")) {
    auto* t = h.open<TnOnnxConverter>(TN_ONNX_CONVERTER, &i);
    return h.broken([&] { t->convert(i, h.c.context, h.c.options, &h.ret); });
  }
  auto* d = h.open<TnDeviceApi>(TN_DEVICE_API, &i);
  if (is("list")) return h.broken([&] { d->list(i, &h.ret); });
  if (is("open")) return h.broken([&] { d->open(i, "violator:0", &h.device, &h.ret); });
  h.right([&] { d->open(i, "violator:0", &h.device, &h.ret); });
  if (is("alloc")) h.broken([&] { d->alloc(h.device, 0, 8, &h.memory, &h.ret); });
  if (is("free")) h.broken([&] { d->free(h.device, 0, &thing); });
  if (is("queue_create")) h.broken([&] { d->queue_create(h.device, &h.kept[0], &h.ret); });
  if (is("fence_create")) h.broken([&] { d->fence_create(h.device, &h.kept[1], &h.ret); });
  h.right([&] { d->queue_create(h.device, &h.queue, &h.ret); });
  h.right([&] { d->fence_create(h.device, &h.fence, &h.ret); });
  if (is("copy_in")) h.broken([&] { d->copy_in(h.queue, h.bytes, &thing, 0, 8, &h.ret); });
  if (is("copy_out")) h.broken([&] { d->copy_out(h.queue, &thing, 0, h.bytes, 8, &h.ret); });
  if (is("copy_within")) h.broken([&] { d->copy_within(h.queue, &thing, 0, &thing, 0, 8, &h.ret); });
  if (is("queue_wait")) h.broken([&] { d->queue_wait(h.queue, h.fence, 1, &h.ret); });
  if (is("queue_signal")) h.broken([&] { d->queue_signal(h.queue, h.fence, 1, &h.ret); });
  if (is("fence_wait")) h.broken([&] { d->fence_wait(h.fence, 1, 0, &h.ret); });
  if (is("fence_signal")) h.broken([&] { d->fence_signal(h.fence, 1, &h.ret); });
  if (is("queue_cancel")) h.broken([&] { d->queue_cancel(h.queue, &h.ret); });
  auto* l = h.open<TnLoader>(TN_LOADER, &i);
  int32_t answer = 0;
  if (is("accepts")) h.broken([&] { l->accepts(i, "violator/1", &h.none, &h.none, &answer, &h.ret); });
  TnPayload payload{};
  TnLoadTarget target{sizeof target, "violator:0", d, h.device};
  if (is("load")) h.broken([&] { l->load(i, &payload, &target, &h.kept[2], &h.ret); });
  h.right([&] { l->load(i, &payload, &target, &h.module, &h.ret); });
  TnLoadedFunction f{sizeof f, nullptr, 0, 0};
  if (is("function")) h.broken([&] { l->function(h.module, "f", &f, &h.ret); });
  if (is("launch")) h.broken([&] { l->launch(h.module, &thing, h.queue, nullptr, 0, &h.ret); });
  auto end = [&](const char* name, void (*slot_of)(void*), void* of) {
    if (is(name))
      h.broken([&] { slot_of(of); });
    else
      slot_of(of);
  };
  end("unload", l->unload, h.module);
  end("fence_destroy", d->fence_destroy, h.fence);
  end("queue_destroy", d->queue_destroy, h.queue);
  end("close", d->close, h.device);
}

}  // namespace

void break_in_slot(const Call& c, std::string_view rule, std::string_view slot) {
  runtime = c.rt;
  Host host{c, rule};
  call_slot(host, slot);
}

const void* other_capability(std::string_view id) {
  const std::pair<std::string_view, const void*> tables[] = {
      {TN_PARTITIONER, &kPartitioner},  {TN_KIND, &kKind},         {TN_INSTRUMENT, &kInstrument},
      {TN_ONNX_CONVERTER, &kConverter}, {TN_DEVICE_API, &kDevice}, {TN_LOADER, &kLoader}};
  for (const auto& [name, table] : tables)
    if (name == id) return table;
  return nullptr;
}
