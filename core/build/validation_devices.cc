// The tables of devices and loaders that the host gets in place of a plugin's. What a plugin's slot makes (a device, a
// queue, a fence, a module) is handed on as a handle of the layer, since later slots get nothing else to know it by;
// memory and functions are passed as they are.
#include <cstring>

#include "build/validation_state.h"
#include "tenon/ext/draft/loader.h"

namespace tenon::validation {
namespace {

struct Handle {
  CapabilityUse& use;
  void* real;
  bool on_layer = false;  // of a module: its device is a handle too
};
Handle& handle(void* h) { return *static_cast<Handle*>(h); }

CapabilityUse& use_of(void* plugin, const char* id) { return *static_cast<Plugin*>(plugin)->capabilities.at(id); }

// Calls a slot within a frame. `slot` gets the plugin's table and gives its status; it may look at what came out.
template <class Table, class F>
int guarded(CapabilityUse& use, const char* name, TnValue* ret, F&& slot, bool may_time_out = false) {
  Frame frame(*use.state, *use.plugin, use.id + " " + name);
  frame.thorough = false;
  check_table(frame, use);
  *ret = {TN_NONE, 0, {0}};
  int status = -1;
  try {
    status = slot(*reinterpret_cast<const Table*>(use.copy.data()), frame);
  } catch (const std::exception& e) {
    frame.report("F1", std::string("an exception left the slot: ") + e.what());
    tn_runtime()->error(TN_ERROR_PLUGIN, "let an exception escape", nullptr, nullptr, nullptr, ret);
  } catch (...) {
    frame.report("F1", "an exception left the slot");
    tn_runtime()->error(TN_ERROR_PLUGIN, "let an exception escape", nullptr, nullptr, nullptr, ret);
  }
  check_table(frame, use);
  bool timed_out = may_time_out && status == 1;
  status = frame.finish(timed_out ? 0 : status, ret);
  return status == 0 && timed_out ? 1 : status;
}
// A slot that gives nothing.
template <class Table, class F>
void guarded_end(CapabilityUse& use, const char* name, F&& slot) {
  TnValue none{TN_NONE, 0, {0}};
  guarded<Table>(use, name, &none, [&](const Table& t, Frame&) { return slot(t), 0; });
  tn_value_release(&none);
}
// A slot that makes something; `undo` ends it where the call is refused.
template <class Table, class F, class Undo>
int guarded_make(CapabilityUse& use, const char* name, void** made, TnValue* ret, F&& slot, Undo&& undo) {
  void* real = nullptr;
  int said = -1;
  int status = guarded<Table>(use, name, ret, [&](const Table& t, Frame& frame) {
    said = slot(t, &real);
    if (said == 0 && !real) frame.report("V4", "the slot succeeded and made nothing");
    return said;
  });
  if (status == 0) {
    *made = new Handle{use, real};
  } else if (said == 0 && real) {
    undo(*reinterpret_cast<const Table*>(use.copy.data()), real);
  }
  return status;
}

// Null where the plugin's table has nothing.
template <class Table>
void exchange_present(CapabilityUse& use, Table& out) {
  constexpr size_t kWords = sizeof(Table) / sizeof(void*);
  auto* words = reinterpret_cast<void**>(&out);
  auto* real = reinterpret_cast<void* const*>(use.copy.data());
  for (size_t i = 1; i < kWords; ++i)
    if (i * sizeof(void*) >= use.size || !real[i]) words[i] = nullptr;
  out.size = sizeof out;
  use.wrapped.resize(sizeof out);
  std::memcpy(use.wrapped.data(), &out, sizeof out);
}

// ---- Devices
// ---------------------------------------------------------------------------------------------------------

using Device = TnDeviceApi;

int list(void* self, TnValue* ret) {
  CapabilityUse& use = use_of(self, TN_DEVICE_API);
  return guarded<Device>(use, "list", ret, [&](const Device& t, Frame& frame) {
    int status = t.list(use.instance, ret);
    if (status == 0 && ret->type_index <= TN_SMALL_BYTES) frame.report("V4", "the slot gives no array");
    return status;
  });
}
int open(void* self, const char* name, void** device, TnValue* ret) {
  CapabilityUse& use = use_of(self, TN_DEVICE_API);
  return guarded_make<Device>(
      use, "open", device, ret, [&](const Device& t, void** made) { return t.open(use.instance, name, made, ret); },
      [](const Device& t, void* made) { t.close(made); });
}
// The end of what a handle stands for, by the slot that ends it.
template <void (*Device::*slot)(void*)>
void end(void* h, const char* name) {
  guarded_end<Device>(handle(h).use, name, [&](const Device& t) { (t.*slot)(handle(h).real); });
  delete &handle(h);
}
int alloc(void* device, int32_t space, uint64_t bytes, void** memory, TnValue* ret) {
  return guarded<Device>(handle(device).use, "alloc", ret, [&](const Device& t, Frame&) {
    return t.alloc(handle(device).real, space, bytes, memory, ret);
  });
}
void free_memory(void* device, int32_t space, void* memory) {
  guarded_end<Device>(handle(device).use, "free", [&](const Device& t) { t.free(handle(device).real, space, memory); });
}
int queue_create(void* device, void** queue, TnValue* ret) {
  return guarded_make<Device>(
      handle(device).use, "queue_create", queue, ret,
      [&](const Device& t, void** made) { return t.queue_create(handle(device).real, made, ret); },
      [](const Device& t, void* made) { t.queue_destroy(made); });
}
int fence_create(void* device, void** fence, TnValue* ret) {
  return guarded_make<Device>(
      handle(device).use, "fence_create", fence, ret,
      [&](const Device& t, void** made) { return t.fence_create(handle(device).real, made, ret); },
      [](const Device& t, void* made) { t.fence_destroy(made); });
}

void wrap_device(CapabilityUse& use) {
  Device out{};
  out.list = &list;
  out.open = &open;
  out.close = [](void* device) { end<&Device::close>(device, "close"); };
  out.alloc = &alloc;
  out.free = &free_memory;
  out.queue_create = &queue_create;
  out.queue_destroy = [](void* queue) { end<&Device::queue_destroy>(queue, "queue_destroy"); };
  out.copy_in = [](void* queue, const void* host, void* memory, uint64_t offset, uint64_t bytes, TnValue* ret) {
    return guarded<Device>(handle(queue).use, "copy_in", ret, [&](const Device& t, Frame&) {
      return t.copy_in(handle(queue).real, host, memory, offset, bytes, ret);
    });
  };
  out.copy_out = [](void* queue, void* memory, uint64_t offset, void* host, uint64_t bytes, TnValue* ret) {
    return guarded<Device>(handle(queue).use, "copy_out", ret, [&](const Device& t, Frame&) {
      return t.copy_out(handle(queue).real, memory, offset, host, bytes, ret);
    });
  };
  out.copy_within = [](void* queue, void* from, uint64_t from_offset, void* to, uint64_t to_offset, uint64_t bytes,
                       TnValue* ret) {
    return guarded<Device>(handle(queue).use, "copy_within", ret, [&](const Device& t, Frame&) {
      return t.copy_within(handle(queue).real, from, from_offset, to, to_offset, bytes, ret);
    });
  };
  out.fence_create = &fence_create;
  out.fence_destroy = [](void* fence) { end<&Device::fence_destroy>(fence, "fence_destroy"); };
  out.queue_wait = [](void* queue, void* fence, uint64_t value, TnValue* ret) {
    return guarded<Device>(handle(queue).use, "queue_wait", ret, [&](const Device& t, Frame&) {
      return t.queue_wait(handle(queue).real, handle(fence).real, value, ret);
    });
  };
  out.queue_signal = [](void* queue, void* fence, uint64_t value, TnValue* ret) {
    return guarded<Device>(handle(queue).use, "queue_signal", ret, [&](const Device& t, Frame&) {
      return t.queue_signal(handle(queue).real, handle(fence).real, value, ret);
    });
  };
  out.fence_wait = [](void* fence, uint64_t value, int64_t timeout_ns, TnValue* ret) {
    return guarded<Device>(
        handle(fence).use, "fence_wait", ret,
        [&](const Device& t, Frame&) { return t.fence_wait(handle(fence).real, value, timeout_ns, ret); }, true);
  };
  out.fence_signal = [](void* fence, uint64_t value, TnValue* ret) {
    return guarded<Device>(handle(fence).use, "fence_signal", ret,
                           [&](const Device& t, Frame&) { return t.fence_signal(handle(fence).real, value, ret); });
  };
  out.queue_cancel = [](void* queue, TnValue* ret) {
    return guarded<Device>(handle(queue).use, "queue_cancel", ret,
                           [&](const Device& t, Frame&) { return t.queue_cancel(handle(queue).real, ret); });
  };
  exchange_present(use, out);
}

// ---- Loaders
// ---------------------------------------------------------------------------------------------------------

using Loader = TnLoader;

int accepts(void* self, const char* format, const TnValue* requirements, const TnValue* properties, int32_t* answer,
            TnValue* ret) {
  CapabilityUse& use = use_of(self, TN_LOADER);
  return guarded<Loader>(use, "accepts", ret, [&](const Loader& t, Frame& frame) {
    frame.borrow(*requirements);
    frame.borrow(*properties);
    int status = t.accepts(use.instance, format, requirements, properties, answer, ret);
    if (status == 0 && (*answer < TN_ACCEPT_NO || *answer > TN_ACCEPT_BEST))
      frame.report("V5", "the answer is " + std::to_string(*answer));
    return status;
  });
}
int load(void* self, const TnPayload* payload, const TnLoadTarget* target, void** module, TnValue* ret) {
  CapabilityUse& use = use_of(self, TN_LOADER);
  // The plugin gets the device as its own plugin knows it.
  TnLoadTarget own = *target;
  bool on_layer = target->api && target->api->alloc == &alloc;
  if (on_layer) {
    own.api = static_cast<const TnDeviceApi*>(handle(target->device).use.real);
    own.device = handle(target->device).real;
  }
  int status = guarded_make<Loader>(
      use, "load", module, ret,
      [&](const Loader& t, void** made) { return t.load(use.instance, payload, &own, made, ret); },
      [](const Loader& t, void* made) { t.unload(made); });
  if (status == 0) handle(*module).on_layer = on_layer;
  return status;
}

void wrap_loader(CapabilityUse& use) {
  Loader out{};
  out.formats = reinterpret_cast<const Loader*>(use.copy.data())->formats;
  out.accepts = &accepts;
  out.load = &load;
  out.unload = [](void* module) {
    guarded_end<Loader>(handle(module).use, "unload", [&](const Loader& t) { t.unload(handle(module).real); });
    delete &handle(module);
  };
  out.function = [](void* module, const char* symbol, TnLoadedFunction* function, TnValue* ret) {
    return guarded<Loader>(handle(module).use, "function", ret, [&](const Loader& t, Frame& frame) {
      int status = t.function(handle(module).real, symbol, function, ret);
      if (status == 0 && !function->function) frame.report("V4", "the slot succeeded without a function");
      if (status == 0 && (function->inputs < 0 || function->outputs < 0))
        frame.report("V4", "a function has a negative number of arguments");
      return status;
    });
  };
  out.launch = [](void* module, void* function, void* queue, const TnValue* args, int32_t n, TnValue* ret) {
    return guarded<Loader>(handle(module).use, "launch", ret, [&](const Loader& t, Frame&) {
      void* real = queue && handle(module).on_layer ? handle(queue).real : queue;
      return t.launch(handle(module).real, function, real, args, n, ret);
    });
  };
  exchange_present(use, out);
}

}  // namespace

bool wrap_device_capability(CapabilityUse& use) {
  if (use.id == TN_DEVICE_API)
    wrap_device(use);
  else if (use.id == TN_LOADER)
    wrap_loader(use);
  else
    return false;
  return true;
}

}  // namespace tenon::validation
