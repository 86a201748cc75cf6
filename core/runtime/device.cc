// Devices that are open, their queues and the tensors in their memory.
#include <stdio.h>

#include "runtime/run.h"

namespace tenon::rt {
namespace {

constexpr int32_t kQueues = 4;  // of a device that does not say how many it has
constexpr uint64_t kAlignment = 64;
constexpr int64_t kPatience = 100'000'000;  // between looks at a device that works

bool is_stuck(Device* d) {
  Lock lock(&d->mutex);
  return d->stuck;
}

void drop_pending(Queue* q) {
  for (size_t i = 0; i < q->pending_count; ++i) tn_object_release(q->pending[i].fence);
  q->pending_count = 0;
}

void close_queue(Device* d, Queue* q) {
  drop_pending(q);
  free(q->pending);
  if (is_stuck(d)) return;
  if (q->staging) d->api->free(d->handle, 0, q->staging);
  if (q->fence) d->api->fence_destroy(q->fence);
  if (q->handle) d->api->queue_destroy(q->handle);
}

int device_gave_nothing(const Device* d, const char* what, TnValue* ret) {
  char text[256];
  snprintf(text, sizeof text, "the device '%.120s' did not fail and made no %s", d->name, what);
  return make_error(TN_ERROR_PLUGIN, text, d->plugin->file, "this is a bug of the plugin", nullptr, ret);
}

int open_queue(Device* d, Queue* q, TnValue* ret) {
  memset(q, 0, sizeof *q);
  if (d->api->queue_create(d->handle, &q->handle, ret)) return device_failed(d, "opening a queue", ret);
  if (!q->handle) return device_gave_nothing(d, "queue", ret);
  if (d->api->fence_create(d->handle, &q->fence, ret)) {
    d->api->queue_destroy(q->handle);
    return device_failed(d, "opening a queue", ret);
  }
  if (q->fence) return 0;
  d->api->queue_destroy(q->handle);
  return device_gave_nothing(d, "fence", ret);
}

void destroy_device(void* self) {
  auto* d = static_cast<Device*>(self);
  while (Queue* q = d->idle) {
    d->idle = q->next;
    close_queue(d, q);
    free(q);
  }
  if (d->handle && !d->stuck) d->api->close(d->handle);
  tn_value_release(&d->properties);
  free(d->name);
  pthread_cond_destroy(&d->freed);
  pthread_mutex_destroy(&d->mutex);
  tn_object_release(&d->plugin->header);
}

void destroy_queue(void* self) {
  auto* q = static_cast<QueueObject*>(self);
  if (q->queue.handle) {
    Owned ignored;
    wait_queue(q->device, &q->queue, "its end", ignored.ret());
    close_queue(q->device, &q->queue);
  }
  tn_object_release(&q->device->header);
}

// The entry of the device's list with this name.
int find_properties(Plugin* p, const char* name, TnValue* ret) {
  Owned list;
  if (settle(p, kListing, p->devices->list(p->instance, list.ret()), list.ret(), true)) {
    *ret = list.take();
    return -1;
  }
  char there[256] = "";
  if (list.get().type_index == TN_ARRAY)
    for (size_t i = 0; i < array_of(list.get()).size; ++i) {
      const TnValue& entry = array_of(list.get()).data[i];
      const char* found = find_text(entry, "name", "");
      if (!strcmp(found, name)) {
        *ret = entry;
        tn_value_retain(ret);
        return 0;
      }
      size_t used = strlen(there);
      snprintf(there + used, sizeof there - used, "%s%s", i ? ", " : "", found);
    }
  char text[256], hint[320];
  snprintf(text, sizeof text, "there is no device '%.120s' here", name);
  snprintf(hint, sizeof hint, *there ? "the plugin '%s' has: %s" : "the plugin '%s' finds no device on this machine%s",
           p->table->id, there);
  return make_error(TN_ERROR_NOT_FOUND, text, p->file, hint, nullptr, ret);
}

}  // namespace

Device* as_device(const TnObject* object) {
  return object && is_made_with(object, destroy_device) ? reinterpret_cast<Device*>(const_cast<TnObject*>(object))
                                                        : nullptr;
}

QueueObject* as_queue(const TnObject* object) {
  return object && is_made_with(object, destroy_queue) ? reinterpret_cast<QueueObject*>(const_cast<TnObject*>(object))
                                                       : nullptr;
}

int device_open(TnObject* plugin, const char* name, TnValue* ret) {
  Plugin* p = as_plugin(plugin);
  if (!p || !p->devices)
    return fail(TN_ERROR_ARGUMENT, ret, "the device '%.120s' is opened by a plugin that brings devices", name);
  DLDevice number;
  if (device_number(name, &number, ret)) return -1;
  Owned full;  // with the number of the device
  if (device_name(number, full.ret())) {
    *ret = full.take();
    return -1;
  }
  Owned properties;
  if (find_properties(p, text_of(full.get()), properties.ret())) {
    *ret = properties.take();
    return -1;
  }
  auto* d = static_cast<Device*>(allocate(sizeof(Device), type_index("tenon.runtime.Device"), destroy_device));
  if (!d) return out_of_memory(ret);
  d->plugin = p;
  tn_object_retain(&p->header);
  d->api = p->devices;
  d->number = number;
  d->properties = properties.take();
  const int64_t alignment = find_int(d->properties, "alignment", kAlignment);
  const int64_t queues = find_int(d->properties, "queues", kQueues);
  d->alignment = alignment > 0 && alignment <= 1 << 20 ? static_cast<uint64_t>(alignment) : kAlignment;
  d->max_queues = queues < 1 ? 1 : queues > 256 ? 256 : static_cast<int32_t>(queues);
  d->name = strdup(text_of(full.get()));
  pthread_mutex_init(&d->mutex, nullptr);
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&d->freed, &attributes);
  pthread_condattr_destroy(&attributes);
  if (!d->name) {
    tn_object_release(&d->header);
    return out_of_memory(ret);
  }
  if (d->api->open(p->instance, d->name, &d->handle, ret)) {
    d->handle = nullptr;
    device_failed(d, "being opened", ret);
    tn_object_release(&d->header);
    return -1;
  }
  if (!d->handle) {
    device_gave_nothing(d, "device", ret);
    tn_object_release(&d->header);
    return -1;
  }
  return give(d, ret);
}

int device_failed(Device* d, const char* doing, TnValue* ret) {
  settle(d->plugin, doing, -1, ret);
  Owned cause;
  *cause.ret() = *ret;
  auto* e = reinterpret_cast<const TnError*>(cause.get().as.object);
  if (e->code == TN_ERROR_DEVICE) {
    Lock lock(&d->mutex);
    d->lost = true;
    pthread_cond_broadcast(&d->freed);
  }
  char text[768];
  snprintf(text, sizeof text, "the device '%s' failed in %.200s: %.400s", d->name, doing, e->message);
  return make_error(e->code, text, e->where, e->hint, &const_cast<TnError*>(e)->header, ret);
}

// ---- Queues ---------------------------------------------------------------------------------------------------------

int take_queue(Device* d, Queue** out, TnValue* ret) {
  {
    Lock lock(&d->mutex);
    for (;;) {
      if (d->lost)
        return make_error(TN_ERROR_DEVICE, "the device was lost", d->name,
                          "what went before says why; instantiate the model again to open the device anew", nullptr,
                          ret);
      if ((*out = d->idle)) {
        d->idle = (*out)->next;
        return 0;
      }
      if (d->open_queues < d->max_queues) break;
      const int64_t until = now_ns() + wait_slice_ns(current_run);
      timespec t = {static_cast<time_t>(until / 1'000'000'000), static_cast<long>(until % 1'000'000'000)};
      pthread_cond_timedwait(&d->freed, &d->mutex, &t);
      if (check_run(current_run, ret)) return -1;
    }
    ++d->open_queues;
  }
  auto* q = static_cast<Queue*>(calloc(1, sizeof(Queue)));
  int status = q ? open_queue(d, q, ret) : out_of_memory(ret);
  if (status == 0) {
    *out = q;
    return 0;
  }
  free(q);
  Lock lock(&d->mutex);
  --d->open_queues;
  pthread_cond_signal(&d->freed);
  return -1;
}

void give_queue(Device* d, Queue* q) {
  Lock lock(&d->mutex);
  q->next = d->idle;
  d->idle = q;
  pthread_cond_signal(&d->freed);
}

int make_queue(TnObject* device, TnValue* ret) {
  Device* d = as_device(device);
  if (!d) return fail(TN_ERROR_ARGUMENT, ret, "a queue is made of a device, not of another object");
  auto* q = static_cast<QueueObject*>(allocate(sizeof(QueueObject), type_index("tenon.runtime.Queue"), destroy_queue));
  if (!q) return out_of_memory(ret);
  q->device = d;
  tn_object_retain(&d->header);
  if (open_queue(d, &q->queue, ret)) {
    q->queue.handle = nullptr;
    tn_object_release(&q->header);
    return -1;
  }
  return give(q, ret);
}

namespace {

// Forgets what the queue has carried out: all up to the last fence that it has signalled.
void prune_pending(Queue* q) {
  size_t done = q->pending_count;
  for (; done > 0; --done) {
    Owned ignored;
    const Pending& p = q->pending[done - 1];
    if (p.is_signal && fence_wait(p.fence, p.value, 0, ignored.ret()) != 1) break;
  }
  for (size_t i = 0; i < done; ++i) tn_object_release(q->pending[i].fence);
  if (done) memmove(q->pending, q->pending + done, (q->pending_count - done) * sizeof(Pending));
  q->pending_count -= done;
}

int add_pending(Queue* q, TnObject* fence, uint64_t value, bool is_signal, TnValue* ret) {
  prune_pending(q);
  auto* grown = static_cast<Pending*>(realloc(q->pending, (q->pending_count + 1) * sizeof(Pending)));
  if (!grown) return out_of_memory(ret);
  q->pending = grown;
  tn_object_retain(fence);
  q->pending[q->pending_count++] = {fence, value, is_signal};
  return 0;
}

// The newest is not enqueued after all.
int withdraw(Device* d, Queue* q, const char* doing, TnValue* ret) {
  tn_object_release(q->pending[--q->pending_count].fence);
  return device_failed(d, doing, ret);
}

}  // namespace

int wait_on_queue(Device* d, Queue* q, TnObject* fence, uint64_t value, TnValue* ret) {
  void* handle = nullptr;
  fence_device(fence, &handle);
  if (add_pending(q, fence, value, false, ret)) return -1;
  return d->api->queue_wait(q->handle, handle, value, ret) ? withdraw(d, q, "waiting for a fence", ret) : 0;
}

int signal_from_queue(Device* d, Queue* q, TnObject* fence, uint64_t value, TnValue* ret) {
  void* handle = nullptr;
  fence_device(fence, &handle);
  if (add_pending(q, fence, value, true, ret)) return -1;
  return d->api->queue_signal(q->handle, handle, value, ret) ? withdraw(d, q, "signalling a fence", ret) : 0;
}

namespace {

// Empties the queue for the reason in `*ret`, which stays.
void empty_queue(Device* d, Queue* q, TnValue* ret) {
  Owned why;
  if (d->api->queue_cancel(q->handle, why.ret())) {
    Lock lock(&d->mutex);
    d->lost = d->stuck = true;
    pthread_cond_broadcast(&d->freed);
  }
  for (size_t i = 0; i < q->pending_count; ++i) {
    Owned ignored, also_ignored;
    const Pending& p = q->pending[i];
    if (p.is_signal && fence_wait(p.fence, p.value, 0, ignored.ret()) == 1)
      fence_signal(p.fence, p.value, ret->as.object, also_ignored.ret());
  }
  drop_pending(q);
}

}  // namespace

int wait_queue(Device* d, Queue* q, const char* doing, TnValue* ret) {
  if (d->api->queue_signal(q->handle, q->fence, ++q->last, ret)) {
    device_failed(d, doing, ret);
    empty_queue(d, q, ret);
    return -1;
  }
  for (;;) {
    int64_t slice = wait_slice_ns(current_run);
    int status = d->api->fence_wait(q->fence, q->last, slice < kPatience ? slice : kPatience, ret);
    if (status == 0) {
      drop_pending(q);
      return 0;
    }
    if (status < 0)
      device_failed(d, doing, ret);
    else if (check_run(current_run, ret) == 0)
      continue;
    empty_queue(d, q, ret);
    return -1;
  }
}

int reserve_staging(Device* d, Queue* q, uint64_t bytes, TnValue* ret) {
  if (bytes <= q->staging_bytes) return 0;
  if (q->staging) d->api->free(d->handle, 0, q->staging);
  q->staging = nullptr;
  q->staging_bytes = 0;
  if (d->api->alloc(d->handle, 0, bytes, &q->staging, ret)) {
    q->staging = nullptr;
    return device_failed(d, "allocating memory for arguments", ret);
  }
  q->staging_bytes = bytes;
  return 0;
}

// ---- Tensors --------------------------------------------------------------------------------------------------------

int device_tensor(TnObject* device, DLDataType dtype, int32_t ndim, const int64_t* shape, TnValue* ret) {
  Device* d = as_device(device);
  if (!d) return fail(TN_ERROR_ARGUMENT, ret, "a device tensor is made on a device, not on another object");
  uint64_t bytes = 0;
  if (tensor_bytes(dtype, ndim, shape, &bytes, ret)) return -1;
  void* memory = nullptr;
  if (d->api->alloc(d->handle, 0, bytes ? bytes : 1, &memory, ret)) return device_failed(d, "allocating a tensor", ret);
  auto release = [](TnObject* owner, void* held) {
    auto* on = reinterpret_cast<Device*>(owner);
    if (!is_stuck(on)) on->api->free(on->handle, 0, held);
  };
  if (tensor_over(d->number, memory, dtype, ndim, shape, &d->header, release, ret) == 0) return 0;
  d->api->free(d->handle, 0, memory);
  return -1;
}

namespace {

struct Place {
  const DLTensor* tensor;
  Device* device;  // null: on the host
  uint64_t bytes;
};

int place_of(const TnValue& v, Place* out, TnValue* ret) {
  if (v.type_index == TN_DLTENSOR && v.as.p)
    out->tensor = static_cast<const DLTensor*>(v.as.p);
  else if (v.type_index == TN_TENSOR)
    out->tensor = &reinterpret_cast<const TnTensor*>(v.as.object)->tensor;
  else
    return fail(TN_ERROR_TYPE, ret, "what is copied from and to are tensors");
  const DLTensor& t = *out->tensor;
  out->device =
      v.type_index == TN_TENSOR ? as_device(tensor_owner(reinterpret_cast<const TnTensor*>(v.as.object))) : nullptr;
  if (!out->device && device_type(t.device) != kDLCPU)
    return make_error(TN_ERROR_DEVICE, "a tensor on a device that is not this runtime's cannot be copied", nullptr,
                      "copy between the host and tensors that TnRuntime.device_tensor made", nullptr, ret);
  if (!is_contiguous(t)) return fail(TN_ERROR_SHAPE, ret, "a tensor that is copied must be contiguous");
  return tensor_bytes(t.dtype, t.ndim, t.shape, &out->bytes, ret);
}

}  // namespace

int copy_tensor(const TnValue* from, const TnValue* to, TnValue* ret) {
  Place a, b;
  *ret = TnValue{TN_NONE, 0, {0}};
  if (place_of(*from, &a, ret) || place_of(*to, &b, ret)) return -1;
  if (a.bytes != b.bytes)
    return fail(TN_ERROR_SHAPE, ret, "%llu bytes cannot be copied into a tensor of %llu",
                static_cast<unsigned long long>(a.bytes), static_cast<unsigned long long>(b.bytes));
  if (!a.bytes) return 0;
  auto host = [](const Place& p) { return static_cast<char*>(p.tensor->data) + p.tensor->byte_offset; };
  if (!a.device && !b.device) {
    memmove(host(b), host(a), a.bytes);
    return 0;
  }
  if (a.device && b.device && a.device != b.device)
    return make_error(TN_ERROR_DEVICE, "a tensor cannot be copied from one device to another at once", nullptr,
                      "copy it to the host first", nullptr, ret);
  Device* d = a.device ? a.device : b.device;
  Queue* q = nullptr;
  if (take_queue(d, &q, ret)) return -1;
  const int status =
      !a.device   ? d->api->copy_in(q->handle, host(a), b.tensor->data, b.tensor->byte_offset, a.bytes, ret)
      : !b.device ? d->api->copy_out(q->handle, a.tensor->data, a.tensor->byte_offset, host(b), a.bytes, ret)
                  : d->api->copy_within(q->handle, a.tensor->data, a.tensor->byte_offset, b.tensor->data,
                                        b.tensor->byte_offset, a.bytes, ret);
  int done = status ? device_failed(d, "a copy", ret) : wait_queue(d, q, "a copy", ret);
  give_queue(d, q);
  return done;
}

}  // namespace tenon::rt
