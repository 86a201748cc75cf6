/* tenon.device/1 over the simulator, and the plugin's table. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin.h"

static int done(TnValue* ret) {
  const TnValue none = {TN_NONE, 0, {0}};
  *ret = none;
  return 0;
}

static int no_memory(Plugin* p, const char* what, TnValue* ret) {
  return p->runtime->error(TN_ERROR_OUT_OF_MEMORY, what, NULL, NULL, NULL, ret);
}

int npu_lost(Handle* h, TnValue* ret) {
  char text[160];
  const char* why = npu_stopped(h->device);
  snprintf(text, sizeof text, "the accelerator does not answer any more: %s", *why ? why : "its driver has no memory");
  return h->plugin->runtime->error(TN_ERROR_DEVICE, text, NULL, NULL, NULL, ret);
}

static TnValue text(const char* s) {
  TnValue v = {TN_C_STRING, 0, {0}};
  v.as.s = s;
  return v;
}
static TnValue number(int64_t i) {
  TnValue v = {TN_INT, 0, {0}};
  v.as.i = i;
  return v;
}

/* ---- What there is --------------------------------------------------------------------------------------------------
 */

static int properties(Plugin* p, int ordinal, TnValue* ret) {
  const TnRuntime* rt = p->runtime;
  const NpuModel* model = npu_model(p->revisions[ordinal]);
  char name[64];
  snprintf(name, sizeof name, NPU_KIND ":%d", ordinal);
  TnValue space[] = {text("name"), text("main"), text("bytes"), number(model->memory_bytes)}, spaces;
  if (rt->map(space, 2, ret)) return -1;
  const TnValue one = *ret;
  const int status = rt->array(&one, 1, &spaces);
  tn_value_release(&one);
  if (status) {
    *ret = spaces;
    return -1;
  }
  TnValue all[] = {text("name"),       text(name),
                   text("spaces"),     spaces,
                   text("queues"),     number(4),
                   text("family"),     text(NPU_FAMILY),
                   text("revision"),   number(model->revision),
                   text("lanes"),      number(model->lanes),
                   text("sram_bytes"), number(model->sram_bytes)};
  const int made = rt->map(all, sizeof all / sizeof *all / 2, ret);
  tn_value_release(&spaces);
  return made;
}

static int list(void* instance, TnValue* ret) {
  Plugin* p = instance;
  TnValue items[8];
  int n = 0, status = 0;
  while (n < p->count && status == 0) {
    status = properties(p, n, &items[n]);
    if (status == 0) ++n;
  }
  if (status)
    *ret = items[n];
  else
    status = p->runtime->array(items, (size_t)n, ret);
  while (n > 0) tn_value_release(&items[--n]);
  return status;
}

static int open_device(void* instance, const char* name, void** device, TnValue* ret) {
  Plugin* p = instance;
  const char* number = strncmp(name, NPU_KIND ":", sizeof NPU_KIND) == 0 ? name + sizeof NPU_KIND : "";
  char* end = NULL;
  const long ordinal = strtol(number, &end, 10);
  if (end == number || *end || ordinal < 0 || ordinal >= p->count)
    return p->runtime->error(TN_ERROR_NOT_FOUND, "there is no such accelerator", name, NULL, NULL, ret);
  Handle* h = calloc(1, sizeof *h);
  if (!h) return no_memory(p, "out of memory", ret);
  h->plugin = p;
  h->device = npu_open(npu_model(p->revisions[ordinal]));
  if (!h->device) {
    free(h);
    return no_memory(p, "the simulator has no memory", ret);
  }
  *device = h;
  return done(ret);
}

static void close_device(void* device) {
  Handle* h = device;
  npu_close(h->device);
  free(h);
}

/* ---- Memory: an address is a number, which the handle of the memory holds -------------------------------------------
 */

static int alloc_memory(void* device, int32_t space, uint64_t bytes, void** memory, TnValue* ret) {
  Handle* h = device;
  char what[96];
  const uint64_t address = space == 0 ? npu_alloc(h->device, bytes) : 0;
  snprintf(what, sizeof what, "the accelerator has no room for %llu bytes", (unsigned long long)bytes);
  if (!address) return no_memory(h->plugin, what, ret);
  *memory = (void*)(uintptr_t)address;
  return done(ret);
}

static void free_memory(void* device, int32_t space, void* memory) {
  (void)space;
  npu_free(((Handle*)device)->device, (uint64_t)(uintptr_t)memory);
}

/* ---- Queues and fences ----------------------------------------------------------------------------------------------
 */

static int queue_create(void* device, void** queue, TnValue* ret) {
  Handle* h = device;
  Queue* q = calloc(1, sizeof *q);
  if (q) q->handle = h;
  if (q) q->queue = npu_queue(h->device);
  if (!q || !q->queue) {
    free(q);
    return no_memory(h->plugin, "the accelerator has no queue left", ret);
  }
  *queue = q;
  return done(ret);
}

static void queue_destroy(void* queue) {
  Queue* q = queue;
  npu_queue_end(q->queue);
  free(q);
}

static int told(Queue* q, int status, TnValue* ret) { return status ? npu_lost(q->handle, ret) : done(ret); }

static int copy_in(void* queue, const void* host, void* memory, uint64_t offset, uint64_t bytes, TnValue* ret) {
  Queue* q = queue;
  return told(q, npu_copy_in(q->queue, host, (uint64_t)(uintptr_t)memory + offset, bytes), ret);
}
static int copy_out(void* queue, void* memory, uint64_t offset, void* host, uint64_t bytes, TnValue* ret) {
  Queue* q = queue;
  return told(q, npu_copy_out(q->queue, (uint64_t)(uintptr_t)memory + offset, host, bytes), ret);
}
static int copy_within(void* queue, void* from, uint64_t from_offset, void* to, uint64_t to_offset, uint64_t bytes,
                       TnValue* ret) {
  Queue* q = queue;
  return told(
      q, npu_copy(q->queue, (uint64_t)(uintptr_t)from + from_offset, (uint64_t)(uintptr_t)to + to_offset, bytes), ret);
}

typedef struct Fence {
  Handle* handle;
  NpuFence* fence;
} Fence;

static int fence_create(void* device, void** fence, TnValue* ret) {
  Handle* h = device;
  Fence* f = calloc(1, sizeof *f);
  if (f) f->handle = h;
  if (f) f->fence = npu_fence(h->device);
  if (!f || !f->fence) {
    free(f);
    return no_memory(h->plugin, "out of memory", ret);
  }
  *fence = f;
  return done(ret);
}
static void fence_destroy(void* fence) {
  npu_fence_end(((Fence*)fence)->fence);
  free(fence);
}
static int queue_wait(void* queue, void* fence, uint64_t value, TnValue* ret) {
  Queue* q = queue;
  return told(q, npu_wait(q->queue, ((Fence*)fence)->fence, value), ret);
}
static int queue_signal(void* queue, void* fence, uint64_t value, TnValue* ret) {
  Queue* q = queue;
  return told(q, npu_signal(q->queue, ((Fence*)fence)->fence, value), ret);
}
static int fence_wait(void* fence, uint64_t value, int64_t timeout_ns, TnValue* ret) {
  Fence* f = fence;
  const int status = npu_fence_wait(f->fence, value, timeout_ns);
  if (status < 0) return npu_lost(f->handle, ret);
  done(ret);
  return status;
}
static int fence_signal(void* fence, uint64_t value, TnValue* ret) {
  npu_fence_set(((Fence*)fence)->fence, value);
  return done(ret);
}
static int queue_cancel(void* queue, TnValue* ret) {
  Queue* q = queue;
  return told(q, npu_queue_cancel(q->queue), ret);
}

const TnDeviceApi npu_device_api = {sizeof(TnDeviceApi), list,         open_device,   close_device, alloc_memory,
                                    free_memory,         queue_create, queue_destroy, copy_in,      copy_out,
                                    copy_within,         fence_create, fence_destroy, queue_wait,   queue_signal,
                                    fence_wait,          fence_signal, queue_cancel};

/* ---- The plugin -----------------------------------------------------------------------------------------------------
 */

/* The machine has an accelerator of the newest and one of the first revision, unless NPU_DEVICES lists others: "2,2,1".
 */
static int create(const TnHost* host, void** instance, TnValue* ret) {
  Plugin* p = calloc(1, sizeof *p);
  if (!p) return host->runtime->error(TN_ERROR_OUT_OF_MEMORY, "out of memory", NULL, NULL, NULL, ret);
  p->runtime = host->runtime;
  const char* given = getenv("NPU_DEVICES");
  for (const char* at = given ? given : "2,1"; *at && p->count < 8; at += strcspn(at, ","), at += *at == ',')
    if (npu_model(atoll(at))) p->revisions[p->count++] = atoll(at);
  *instance = p;
  return done(ret);
}

static void destroy(void* instance) { free(instance); }

static const void* capability(void* instance, const char* id) {
  (void)instance;
  if (!strcmp(id, TN_DEVICE_API)) return &npu_device_api;
  return !strcmp(id, TN_LOADER) ? &npu_loader : NULL;
}

static const TnPlugin table = {sizeof(TnPlugin), TN_ABI_VERSION, 0,       "com.example.npu",
                               "1.0.0",          create,         destroy, capability};

TN_EXPORT const TnPlugin* tenon_plugin(void) { return &table; }
