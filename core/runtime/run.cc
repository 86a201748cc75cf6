#include "runtime/run.h"

#include <time.h>

#include "runtime/payload.h"

namespace tenon::rt {

__thread Run* current_run;

namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kLook = 2'000'000;  // how often a wait looks whether the caller wants to stop

// What the caller gave, read as a known prefix; a field that this runtime does not know must be zero.
int read_context(const TnRunContext* given, TnRunContext* out, TnValue* ret) {
  memset(out, 0, sizeof *out);
  if (!given) return 0;
  if (given->size < sizeof(size_t) || given->size > 4096)
    return fail(TN_ERROR_ARGUMENT, ret, "a run context of %zu bytes: its size is not set", given->size);
  for (size_t i = sizeof *out; i < given->size; ++i)
    if (reinterpret_cast<const char*>(given)[i])
      return fail(TN_ERROR_UNSUPPORTED, ret, "the run context asks for something that this runtime does not know");
  memcpy(out, given, given->size < sizeof *out ? given->size : sizeof *out);
  out->size = sizeof *out;
  for (int32_t i = 0; i < out->queue_count; ++i) {
    QueueObject* q = as_queue(out->queues[i]);
    if (!q) return fail(TN_ERROR_ARGUMENT, ret, "entry %d of the queues of a run is no queue", i);
    for (int32_t k = 0; k < i; ++k)
      if (as_queue(out->queues[k])->device == q->device)
        return fail(TN_ERROR_ARGUMENT, ret, "a run has two queues of the device '%s'", q->device->name);
  }
  const struct {
    const TnFencePoint* points;
    int32_t count;
  } lists[] = {{out->wait, out->wait_count}, {out->signal, out->signal_count}};
  for (const auto& list : lists)
    for (int32_t i = 0; i < list.count; ++i)
      if (!is_fence(list.points[i].fence))
        return fail(TN_ERROR_ARGUMENT, ret, "what a run waits for or signals is no fence");
  return 0;
}

class Running {
 public:
  explicit Running(Run* run) : run_(run) {
    run->outer = current_run;
    TnRunContext& c = run->context;
    const auto begin = reinterpret_cast<uintptr_t>(c.scratch), aligned = (begin + 63) & ~uintptr_t{63};
    const bool usable = c.scratch && c.scratch_bytes > aligned - begin;
    auto* data = reinterpret_cast<char*>(aligned);
    run->own_scratch = {data, usable ? data + (c.scratch_bytes - (aligned - begin)) : data, data, nullptr};
    run->scratch = usable ? &run->own_scratch : run->outer ? run->outer->scratch : nullptr;
    if (const Run* outer = run->outer) {
      if (!c.queue_count) {
        c.queues = outer->context.queues;
        c.queue_count = outer->context.queue_count;
      }
      if (!c.threads) c.threads = outer->context.threads;
      if (!c.profiler) c.profiler = outer->context.profiler;
      if (!c.allocator) c.allocator = outer->context.allocator;
    }
    current_run = run;
  }
  ~Running() { current_run = run_->outer; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  Run* run_;
};

// A fence of a device that has a queue here is waited for by the queue, when nothing else reads what it guards.
int wait_for(const Run& run, const TnFencePoint& point, bool on_queue, TnValue* ret) {
  void* handle = nullptr;
  const Device* device = fence_device(point.fence, &handle);
  QueueObject* queue = device && on_queue ? run_queue(&run, device) : nullptr;
  if (queue) {
    if (TnObject* error = fence_error(point.fence)) {
      int status = make_error(TN_ERROR_CANCELLED, "a fence that the run waits for has failed", device->name, nullptr,
                              error, ret);
      tn_object_release(error);
      return status;
    }
    return wait_on_queue(queue->device, &queue->queue, point.fence, point.value, ret);
  }
  for (;;) {
    int status = fence_wait(point.fence, point.value, wait_slice_ns(&run), ret);
    if (status != 1) return status;
    if (check_run(&run, ret)) return -1;
  }
}

int drain(const Run& run, const Device* except, TnValue* ret) {
  for (int32_t i = 0; i < run.context.queue_count; ++i) {
    QueueObject* q = as_queue(run.context.queues[i]);
    if (q->device != except && wait_queue(q->device, &q->queue, "the run", ret)) return -1;
  }
  return 0;
}

int signal_all(const Run& run, TnValue* ret) {
  const TnRunContext& c = run.context;
  for (int32_t i = 0; i < c.signal_count; ++i) {
    const TnFencePoint& point = c.signal[i];
    void* handle = nullptr;
    const Device* device = fence_device(point.fence, &handle);
    QueueObject* queue = device ? run_queue(&run, device) : nullptr;
    if (drain(run, queue ? queue->device : nullptr, ret)) return -1;
    if (queue ? signal_from_queue(queue->device, &queue->queue, point.fence, point.value, ret)
              : fence_signal(point.fence, point.value, nullptr, ret))
      return -1;
  }
  return 0;
}

bool has_host_tensor(const TnValue* args, int32_t n) {
  for (int32_t i = 0; i < n; ++i) {
    const DLTensor* t = args[i].type_index == TN_DLTENSOR ? static_cast<const DLTensor*>(args[i].as.p)
                        : args[i].type_index == TN_TENSOR
                            ? &reinterpret_cast<const TnTensor*>(args[i].as.object)->tensor
                            : nullptr;
    if (t && device_type(t->device) == kDLCPU) return true;
  }
  return false;
}

int body(const Run& run, TnFunction* f, const TnValue* args, int32_t n, TnValue* ret) {
  const TnRunContext& c = run.context;
  if (check_run(&run, ret)) return -1;
  const bool on_queue = is_device_function(f) && !has_host_tensor(args, n);
  const int64_t start = c.profiler ? now_ns() : 0;
  for (int32_t i = 0; i < c.wait_count; ++i)
    if (wait_for(run, c.wait[i], on_queue, ret)) return -1;
  if (c.profiler && c.wait_count) tell_profiler(&run, TN_PROFILE_WAIT, "fences", "cpu:0", start, 0);
  const int64_t begin = c.profiler ? now_ns() : 0;
  if (f->call(f, args, n, ret)) return -1;
  Owned failure;
  if (c.signal_count ? signal_all(run, failure.ret()) : drain(run, nullptr, failure.ret())) {
    tn_value_release(ret);
    *ret = failure.take();
    return -1;
  }
  if (c.profiler) tell_profiler(&run, TN_PROFILE_RUN, "", "cpu:0", begin, 0);
  return 0;
}

// A function of an instance that has bindings of its own.
struct BoundFunction {
  TnFunction* inner;
  TnRunContext defaults;
};

int call_bound(void* self, const TnValue* args, int32_t n, TnValue* ret) {
  auto& f = *static_cast<BoundFunction*>(static_cast<TnFunction*>(self)->context);
  Run run;
  memset(&run.context, 0, sizeof run.context);
  run.context.size = sizeof run.context;
  Running running(&run);
  TnRunContext& c = run.context;  // what the run around it says is in it already
  if (!c.threads) c.threads = f.defaults.threads;
  if (!c.profiler) c.profiler = f.defaults.profiler;
  if (!c.allocator) c.allocator = f.defaults.allocator;
  const int64_t begin = c.profiler && !run.outer ? now_ns() : 0;
  int status = f.inner->call(f.inner, args, n, ret);
  if (status == 0 && begin) tell_profiler(&run, TN_PROFILE_RUN, "", "cpu:0", begin, 0);
  return status;
}

void free_bound(void* context) {
  auto* f = static_cast<BoundFunction*>(context);
  tn_object_release(&f->inner->header);
  free(f);
}

}  // namespace

int64_t now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * kSecond + t.tv_nsec;
}

int check_run(const Run* run, TnValue* ret) {
  for (const Run* r = run; r; r = r->outer) {
    const TnRunContext& c = r->context;
    if (c.cancel && __atomic_load_n(c.cancel, __ATOMIC_ACQUIRE))
      return make_error(TN_ERROR_CANCELLED, "the run was cancelled by its caller", nullptr, nullptr, nullptr, ret);
    if (c.deadline_ns && now_ns() >= c.deadline_ns)
      return make_error(TN_ERROR_CANCELLED, "the deadline of the run has passed", nullptr,
                        "give it more time, or less to do", nullptr, ret);
  }
  return 0;
}

int check_current_run(TnValue* ret) {
  *ret = TnValue{TN_NONE, 0, {0}};
  return check_run(current_run, ret);
}

int64_t wait_slice_ns(const Run* run) {
  int64_t slice = kSecond;
  for (; run; run = run->outer) {
    if (run->context.cancel && slice > kLook) slice = kLook;
    if (!run->context.deadline_ns) continue;
    int64_t left = run->context.deadline_ns - now_ns();
    if (left < 0) left = 0;
    if (left < slice) slice = left;
  }
  return slice;
}

QueueObject* run_queue(const Run* run, const Device* device) {
  if (!run) return nullptr;
  for (int32_t i = 0; i < run->context.queue_count; ++i) {
    QueueObject* q = as_queue(run->context.queues[i]);
    if (q->device == device) return q;
  }
  return nullptr;
}

int run_function(TnFunction* function, const TnRunContext* context, const TnValue* args, int32_t n, TnValue* ret) {
  if (!function) return fail(TN_ERROR_ARGUMENT, ret, "no function was given to run");
  Run run;
  if (read_context(context, &run.context, ret)) return -1;
  const TnRunContext given = run.context;
  Running running(&run);
  if (body(run, function, args, n, ret) == 0) return 0;
  if (ret->type_index != TN_ERROR)
    fail(TN_ERROR_PLUGIN, ret, "a function failed without an error object: a bug of whoever made it");
  // Nothing of the run is left on a device, and nobody waits for it for ever.
  Owned ignored;
  drain(run, nullptr, ignored.ret());
  for (int32_t i = 0; i < given.signal_count; ++i) {
    Owned also_ignored;
    fence_signal(given.signal[i].fence, given.signal[i].value, ret->as.object, also_ignored.ret());
  }
  return -1;
}

int bind_function(TnValue* function, const TnRunContext& defaults) {
  auto* f = static_cast<BoundFunction*>(calloc(1, sizeof(BoundFunction)));
  TnValue made = {TN_NONE, 0, {0}};
  if (!f || make_function(call_bound, f, free_bound, &made)) {
    free(f);
    tn_value_release(&made);
    tn_value_release(function);
    return out_of_memory(function);
  }
  f->inner = reinterpret_cast<TnFunction*>(function->as.object);
  f->defaults = defaults;
  *function = made;
  return 0;
}

void tell_profiler(const Run* run, int32_t kind, const char* name, const char* device, int64_t begin_ns,
                   uint64_t bytes) {
  if (!run || !run->context.profiler) return;
  const TnProfiler* p = run->context.profiler;
  TnProfileEvent event = {sizeof event, kind, 0, name, device, begin_ns, now_ns(), bytes};
  p->event(p->self, &event);
}

// A block is preceded by the one before it, in 64 bytes of its own.
void* scratch_alloc(Scratch* s, size_t bytes) {
  const auto room = static_cast<size_t>(s->end - s->top);
  if (room < 64 || bytes > room - 64) return nullptr;
  const size_t rounded = (bytes + 63) & ~size_t{63};
  memcpy(s->top, &s->newest, sizeof s->newest);
  s->newest = s->top + 64;
  s->top = rounded > room - 64 ? s->end : s->newest + rounded;
  return s->newest;
}

bool scratch_free(const Run* run, void* memory) {
  auto* block = static_cast<char*>(memory);
  for (; run; run = run->outer) {
    Scratch* s = run->scratch;
    if (!s || block < s->begin || block >= s->end) continue;
    if (block == s->newest) {  // others wait for those above them
      s->top = block - 64;
      memcpy(&s->newest, s->top, sizeof s->newest);
    }
    return true;
  }
  return false;
}

}  // namespace tenon::rt
