// Fences: numbers that only grow. One of the host is a condition; one of a device is the device's, and the host adds
// that it has failed.
#include <errno.h>
#include <time.h>

#include "runtime/run.h"

namespace tenon::rt {
namespace {

struct Fence {
  TnObject header;
  Device* device;  // or null
  void* handle;    // on the device
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  uint64_t value;  // of a fence of the host
  TnObject* error;
};

void destroy_fence(void* self) {
  auto* f = static_cast<Fence*>(self);
  if (f->handle) f->device->api->fence_destroy(f->handle);
  if (f->error) tn_object_release(f->error);
  pthread_cond_destroy(&f->changed);
  pthread_mutex_destroy(&f->mutex);
  if (f->device) tn_object_release(&f->device->header);
}

Fence* as_fence(const TnObject* object) {
  return object && is_made_with(object, destroy_fence) ? reinterpret_cast<Fence*>(const_cast<TnObject*>(object))
                                                       : nullptr;
}

int no_fence(TnValue* ret) { return fail(TN_ERROR_ARGUMENT, ret, "what was given is no fence"); }

int failed(TnObject* error, TnValue* ret) {
  return make_error(reinterpret_cast<const TnError*>(error)->code,
                    "the fence will not be reached: the run that was to signal it has failed", nullptr, nullptr, error,
                    ret);
}

// 0, 1 or -1, as fence_wait.
int wait_on_host(Fence* f, uint64_t value, int64_t timeout_ns, TnValue* ret) {
  const int64_t end = timeout_ns < 0 ? 0 : now_ns() + timeout_ns;
  Lock lock(&f->mutex);
  while (!f->error && f->value < value) {
    if (timeout_ns < 0) {
      pthread_cond_wait(&f->changed, &f->mutex);
    } else {
      timespec until = {static_cast<time_t>(end / 1'000'000'000), static_cast<long>(end % 1'000'000'000)};
      if (pthread_cond_timedwait(&f->changed, &f->mutex, &until) == ETIMEDOUT && !f->error && f->value < value)
        return 1;
    }
  }
  return f->value >= value ? 0 : failed(f->error, ret);
}

}  // namespace

bool is_fence(const TnObject* fence) { return as_fence(fence) != nullptr; }

Device* fence_device(const TnObject* fence, void** handle) {
  Fence* f = as_fence(fence);
  *handle = f->handle;
  return f->device;
}

TnObject* fence_error(const TnObject* fence) {
  Fence* f = as_fence(fence);
  Lock lock(&f->mutex);
  if (f->error) tn_object_retain(f->error);
  return f->error;
}

int make_fence(TnObject* device, TnValue* ret) {
  Device* d = nullptr;
  if (device && !(d = as_device(device)))
    return fail(TN_ERROR_ARGUMENT, ret, "a fence is of the host or of a device, not of another object");
  void* handle = nullptr;
  if (d && d->api->fence_create(d->handle, &handle, ret)) return device_failed(d, "a fence", ret);
  auto* f = static_cast<Fence*>(allocate(sizeof(Fence), type_index("tenon.runtime.Fence"), destroy_fence));
  if (!f) {
    if (handle) d->api->fence_destroy(handle);
    return out_of_memory(ret);
  }
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&f->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  pthread_mutex_init(&f->mutex, nullptr);
  f->device = d;
  f->handle = handle;
  if (d) tn_object_retain(&d->header);
  return give(f, ret);
}

int fence_signal(TnObject* fence, uint64_t value, TnObject* error, TnValue* ret) {
  Fence* f = as_fence(fence);
  if (!f) return no_fence(ret);
  *ret = TnValue{TN_NONE, 0, {0}};
  if (error && error->type_index != TN_ERROR)
    return fail(TN_ERROR_ARGUMENT, ret, "what a fence fails with is no error object");
  if (f->device && !error)
    return f->device->api->fence_signal(f->handle, value, ret) ? device_failed(f->device, "a fence", ret) : 0;
  {
    Lock lock(&f->mutex);
    if (error && !f->error) {
      tn_object_retain(error);
      f->error = error;
    } else if (!error) {
      if (value < f->value)
        return fail(TN_ERROR_ARGUMENT, ret, "a fence that is at %llu cannot go back to %llu",
                    static_cast<unsigned long long>(f->value), static_cast<unsigned long long>(value));
      f->value = value;
    }
    pthread_cond_broadcast(&f->changed);
  }
  // Who waits on the device wakes up, and finds the error.
  return f->device && f->device->api->fence_signal(f->handle, UINT64_MAX, ret)
             ? device_failed(f->device, "a fence", ret)
             : 0;
}

int fence_wait(TnObject* fence, uint64_t value, int64_t timeout_ns, TnValue* ret) {
  Fence* f = as_fence(fence);
  if (!f) return no_fence(ret);
  *ret = TnValue{TN_NONE, 0, {0}};
  if (!f->device) return wait_on_host(f, value, timeout_ns, ret);
  const int64_t end = timeout_ns < 0 ? 0 : now_ns() + timeout_ns;
  for (int status = 1;;) {
    const int64_t left = timeout_ns < 0 ? int64_t{1'000'000'000} : end - now_ns();
    status = f->device->api->fence_wait(f->handle, value, left < 0 ? 0 : left, ret);
    if (status < 0) return device_failed(f->device, "a fence", ret);
    if (TnObject* error = fence_error(fence)) {
      failed(error, ret);
      tn_object_release(error);
      return -1;
    }
    if (status == 0 || (timeout_ns >= 0 && now_ns() >= end)) return status;
  }
}

}  // namespace tenon::rt
