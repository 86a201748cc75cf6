#define _GNU_SOURCE
#include <pthread.h>
#include <tenon/c_plugin.h>
#include <tenon/ext/draft/device.h>
#include <time.h>

/* Commands are carried out when nothing that they wait for is missing: by whoever enqueues, or signals a fence. A driver does
 * that on the device, and calls of this file become calls of it. */
enum { MEMORY = 1 << 28, QUEUES = 8 };
typedef struct Device {
  const TnRuntime* runtime;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  struct Queue* queues[QUEUES];
} Device;
typedef struct Fence {
  Device* device;
  uint64_t value;
} Fence;
typedef struct Command {
  struct Command* next;
  Fence *wait, *signal; /* or a copy */
  uint64_t value, bytes;
  void* to;
  const void* from;
} Command;
typedef struct Queue {
  Device* device;
  Command *first, **last;
} Queue;

static int done(TnValue* ret) { return *ret = (TnValue){TN_NONE, 0, {0}}, 0; }
static int no_room(const TnRuntime* rt, TnValue* ret) {
  return rt->error(TN_ERROR_OUT_OF_MEMORY, "the device has no room", NULL, NULL, NULL, ret);
}

static int list(void* instance, TnValue* ret) {
  const TnRuntime* rt = ((TnInstance*)instance)->runtime;
  TnValue v[6] = {{TN_C_STRING, 0, {0}}, {TN_C_STRING, 0, {0}}, {TN_C_STRING, 0, {0}}, {TN_INT, 0, {0}}}, space, spaces,
          device;
  v[0].as.s = "name", v[1].as.s = "main", v[2].as.s = "bytes", v[3].as.i = MEMORY;
  if (rt->map(v, 2, &space)) return *ret = space, -1;
  int status = rt->array(&space, 1, &spaces);
  tn_value_release(&space);
  if (status) return *ret = spaces, -1;
  v[1].as.s = TENON_PLUGIN_ID ":0", v[2].as.s = "spaces", v[3] = spaces, v[4] = v[5] = v[2];
  v[4].as.s = "queues", v[5].type_index = TN_INT, v[5].as.i = QUEUES;
  status = rt->map(v, 3, &device);
  tn_value_release(&spaces);
  if (status) return *ret = device, -1;
  status = rt->array(&device, 1, ret);
  tn_value_release(&device);
  return status;
}
static int open_device(void* instance, const char* name, void** device, TnValue* ret) {
  const TnRuntime* rt = ((TnInstance*)instance)->runtime;
  if (strcmp(name, TENON_PLUGIN_ID ":0"))
    return rt->error(TN_ERROR_NOT_FOUND, "there is no such device", name, "there is " TENON_PLUGIN_ID ":0", NULL, ret);
  Device* d = calloc(1, sizeof *d);
  if (!d) return no_room(rt, ret);
  d->runtime = rt;
  pthread_mutex_init(&d->lock, NULL);
  pthread_cond_init(&d->changed, NULL);
  return *device = d, done(ret);
}
static void close_device(void* device) {
  pthread_cond_destroy(&((Device*)device)->changed);
  pthread_mutex_destroy(&((Device*)device)->lock);
  free(device);
}

static int alloc_memory(void* device, int32_t space, uint64_t bytes, void** memory, TnValue* ret) {
  Device* d = device;
  if (space != 0 || bytes > MEMORY) return no_room(d->runtime, ret);
  *memory = aligned_alloc(64, (bytes / 64 + 1) * 64);
  return *memory ? done(ret) : no_room(d->runtime, ret);
}
static void free_memory(void* device, int32_t space, void* memory) { (void)device, (void)space, free(memory); }

/* With the lock held: what can be done is done. */
static void pump(Device* d) {
  for (int again = 1; again;) {
    again = 0;
    for (int i = 0; i < QUEUES; ++i)
      for (Queue* q = d->queues[i]; q && q->first && (!q->first->wait || q->first->wait->value >= q->first->value);
           again = 1) {
        Command* c = q->first;
        if (c->bytes) memmove(c->to, c->from, c->bytes);
        if (c->signal && c->signal->value < c->value) c->signal->value = c->value;
        if (!(q->first = c->next)) q->last = &q->first;
        free(c);
      }
  }
  pthread_cond_broadcast(&d->changed);
}
static int enqueue(Queue* q, Command what, TnValue* ret) {
  Command* c = malloc(sizeof *c);
  if (!c) return no_room(q->device->runtime, ret);
  *c = what;
  pthread_mutex_lock(&q->device->lock);
  *q->last = c;
  q->last = &c->next;
  pump(q->device);
  pthread_mutex_unlock(&q->device->lock);
  return done(ret);
}

static int queue_create(void* device, void** queue, TnValue* ret) {
  Device* d = device;
  Queue* q = calloc(1, sizeof *q);
  int i = 0;
  pthread_mutex_lock(&d->lock);
  while (i < QUEUES && d->queues[i]) ++i;
  if (q && i < QUEUES) d->queues[i] = q, q->device = d, q->last = &q->first;
  pthread_mutex_unlock(&d->lock);
  if (!q || i == QUEUES) return free(q), no_room(d->runtime, ret);
  return *queue = q, done(ret);
}
static int queue_cancel(void* queue, TnValue* ret) {
  Queue* q = queue;
  pthread_mutex_lock(&q->device->lock);
  for (Command* c = q->first; c; c = q->first) q->first = c->next, free(c);
  q->last = &q->first;
  pthread_mutex_unlock(&q->device->lock);
  return done(ret);
}
static void queue_destroy(void* queue) {
  Device* d = ((Queue*)queue)->device;
  pthread_mutex_lock(&d->lock);
  for (int i = 0; i < QUEUES; ++i)
    if (d->queues[i] == queue) d->queues[i] = NULL;
  pthread_mutex_unlock(&d->lock);
  free(queue);
}
static int copy_in(void* queue, const void* host, void* memory, uint64_t offset, uint64_t bytes, TnValue* ret) {
  return enqueue(queue, (Command){.to = (char*)memory + offset, .from = host, .bytes = bytes}, ret);
}
static int copy_out(void* queue, void* memory, uint64_t offset, void* host, uint64_t bytes, TnValue* ret) {
  return enqueue(queue, (Command){.to = host, .from = (char*)memory + offset, .bytes = bytes}, ret);
}
static int copy_within(void* queue, void* from, uint64_t from_offset, void* to, uint64_t to_offset, uint64_t bytes,
                       TnValue* ret) {
  return enqueue(queue, (Command){.to = (char*)to + to_offset, .from = (char*)from + from_offset, .bytes = bytes}, ret);
}

static int fence_create(void* device, void** fence, TnValue* ret) {
  Fence* f = calloc(1, sizeof *f);
  if (!f) return no_room(((Device*)device)->runtime, ret);
  return f->device = device, *fence = f, done(ret);
}
static int queue_wait(void* queue, void* fence, uint64_t value, TnValue* ret) {
  return enqueue(queue, (Command){.wait = fence, .value = value}, ret);
}
static int queue_signal(void* queue, void* fence, uint64_t value, TnValue* ret) {
  return enqueue(queue, (Command){.signal = fence, .value = value}, ret);
}
static int fence_signal(void* fence, uint64_t value, TnValue* ret) {
  Fence* f = fence;
  pthread_mutex_lock(&f->device->lock);
  if (f->value < value) f->value = value;
  pump(f->device);
  pthread_mutex_unlock(&f->device->lock);
  return done(ret);
}
static int fence_wait(void* fence, uint64_t value, int64_t timeout_ns, TnValue* ret) {
  Fence* f = fence;
  struct timespec end;
  int late = 0;
  clock_gettime(CLOCK_MONOTONIC, &end);
  const int64_t at = end.tv_nsec + (timeout_ns < 0 ? 0 : timeout_ns);
  end.tv_sec += at / 1000000000, end.tv_nsec = at % 1000000000;
  pthread_mutex_lock(&f->device->lock);
  while (f->value < value && !late)
    late = timeout_ns < 0 ? pthread_cond_wait(&f->device->changed, &f->device->lock)
                          : pthread_cond_clockwait(&f->device->changed, &f->device->lock, CLOCK_MONOTONIC, &end);
  late = f->value < value;
  pthread_mutex_unlock(&f->device->lock);
  return done(ret), late;
}

static const TnDeviceApi device_table = TENON_TABLE(
    TnDeviceApi, list, open_device, close_device, alloc_memory, free_memory, queue_create, queue_destroy, copy_in,
    copy_out, copy_within, fence_create, free, queue_wait, queue_signal, fence_wait, fence_signal, queue_cancel);
TENON_C_PLUGIN({TN_DEVICE_API, &device_table})
