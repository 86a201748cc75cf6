/* One fault at a time, chosen by the environment variable TENON_FAULT; without one it is the accelerator of the
 * example. The kit must find each (device.txt). */
#define _GNU_SOURCE
#include "../../../sdk/examples/npu/runtime/src/plugin.h"

#include <fenv.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>
#include <unistd.h>

const TnPlugin* npu_plugin(void);

static int fault(const char* name) {
  const char* chosen = getenv("TENON_FAULT");
  return chosen && strcmp(chosen, name) == 0;
}

static int done(TnValue* ret) {
  const TnValue none = {TN_NONE, 0, {0}};
  *ret = none;
  return 0;
}

void* volatile g_leaked = NULL;
static volatile int inside = 0;

/* ---- The device ---- */

static int list(void* instance, TnValue* ret) {
  const TnRuntime* rt = ((Plugin*)instance)->runtime;
  if (fault("dev-list-none")) return done(ret);
  if (fault("dev-name") || fault("dev-list-differs")) {
    static int calls = 0;
    TnValue pair[4] = {{TN_C_STRING, 0, {0}}, {TN_C_STRING, 0, {0}}, {TN_C_STRING, 0, {0}}, {TN_INT, 0, {0}}}, map;
    pair[0].as.s = "name";
    pair[1].as.s = fault("dev-name") ? "com.example.other:0" : NPU_KIND ":0";
    pair[2].as.s = "calls";
    pair[3].as.i = fault("dev-name") ? 0 : ++calls;
    if (rt->map(pair, 2, &map)) return *ret = map, -1;
    const int status = rt->array(&map, 1, ret);
    tn_value_release(&map);
    return status;
  }
  return npu_device_api.list(instance, ret);
}

static int open_device(void* instance, const char* name, void** device, TnValue* ret) {
  if (fault("dev-rounding")) fesetround(FE_UPWARD);
  if (fault("dev-leaks-bytes")) g_leaked = malloc(10000);
  if (fault("dev-opens-anything")) name = NPU_KIND ":0";
  return npu_device_api.open(instance, name, device, ret);
}
static void close_device(void* device) {
  if (fault("dev-crash-on-close")) abort();
  npu_device_api.close(device);
}
static int alloc_memory(void* device, int32_t space, uint64_t bytes, void** memory, TnValue* ret) {
  if (fault("dev-endless-memory") && bytes > 1u << 30) bytes = 64;
  if (fault("dev-any-space")) space = 0;
  return npu_device_api.alloc(device, space, bytes, memory, ret);
}
static void free_memory(void* device, int32_t space, void* memory) {
  if (!fault("dev-keeps-memory")) npu_device_api.free(device, space, memory);
}
static int copy_in(void* queue, const void* host, void* memory, uint64_t offset, uint64_t bytes, TnValue* ret) {
  if (fault("dev-one-at-a-time")) {
    if (inside) abort();
    inside = 1;
    usleep(2000);
    inside = 0;
  }
  return npu_device_api.copy_in(queue, host, memory, fault("dev-offset") ? 0 : offset, bytes, ret);
}
static int copy_within(void* queue, void* from, uint64_t from_offset, void* to, uint64_t to_offset, uint64_t bytes,
                       TnValue* ret) {
  if (fault("dev-copies-more") && bytes > 100) bytes += 8;
  return npu_device_api.copy_within(queue, from, from_offset, to, to_offset, bytes, ret);
}
static int queue_wait(void* queue, void* fence, uint64_t value, TnValue* ret) {
  return fault("dev-no-wait") ? done(ret) : npu_device_api.queue_wait(queue, fence, value, ret);
}
static int queue_signal(void* queue, void* fence, uint64_t value, TnValue* ret) {
  if (fault("dev-signals-at-once")) return npu_device_api.fence_signal(fence, value, ret);
  return fault("dev-no-signal") ? done(ret) : npu_device_api.queue_signal(queue, fence, value, ret);
}
static int fence_wait(void* fence, uint64_t value, int64_t timeout_ns, TnValue* ret) {
  if (fault("dev-never-late") && npu_device_api.fence_wait(fence, value, timeout_ns, ret) == 1) return done(ret);
  if (fault("dev-odd-status")) return 2;
  return npu_device_api.fence_wait(fence, value, timeout_ns, ret);
}
static int queue_cancel(void* queue, TnValue* ret) {
  return fault("dev-no-cancel") ? done(ret) : npu_device_api.queue_cancel(queue, ret);
}

static TnDeviceApi g_device;
static TnLoader g_loader;

static void fill_device(void) {
  TnDeviceApi t = npu_device_api;
  t.list = list;
  t.open = open_device;
  t.close = close_device;
  t.alloc = alloc_memory;
  t.free = free_memory;
  t.copy_in = copy_in;
  t.copy_within = copy_within;
  t.queue_wait = queue_wait;
  t.queue_signal = queue_signal;
  t.fence_wait = fence_wait;
  t.queue_cancel = queue_cancel;
  g_device = t;
}

/* ---- The loader ---- */

static int accepts(void* instance, const char* format, const TnValue* requirements, const TnValue* properties,
                   int32_t* answer, TnValue* ret) {
  const int status = npu_loader.accepts(instance, format, requirements, properties, answer, ret);
  if (fault("load-odd-answer")) *answer = 9;
  if (fault("load-no-reason") && status == 0 && *answer != TN_ACCEPT_BEST) {
    tn_value_release(ret);
    return ((Plugin*)instance)->runtime->string("", 0, ret);
  }
  return status;
}
static int load(void* instance, const TnPayload* payload, const TnLoadTarget* target, void** module, TnValue* ret) {
  TnLoadTarget real = *target;
  real.api = &npu_device_api; /* of which ours is a copy */
  if (fault("load-leaks")) g_leaked = malloc(10000);
  const int status = npu_loader.load(instance, payload, &real, module, ret);
  if (status && fault("load-crash-on-damage")) abort();
  if (status && fault("load-takes-anything")) {
    tn_value_release(ret);
    *module = NULL;
    return done(ret);
  }
  return status;
}
static void unload(void* module) {
  if (module) npu_loader.unload(module);
}
static int function(void* module, const char* symbol, TnLoadedFunction* out, TnValue* ret) {
  if (!module || (fault("load-finds-anything") && strncmp(symbol, "npu_", 4) != 0)) return done(ret);
  return npu_loader.function(module, symbol, out, ret);
}
static int launch(void* module, void* f, void* queue, const TnValue* args, int32_t n, TnValue* ret) {
  if (fault("load-skips-launch")) return done(ret);
  const int status = npu_loader.launch(module, f, queue, args, n, ret);
  if (status && fault("load-any-arguments")) {
    tn_value_release(ret);
    return done(ret);
  }
  return status;
}

static void fill_tables(void) {
  fill_device();
  g_loader = npu_loader;
  g_loader.accepts = accepts;
  g_loader.load = load;
  g_loader.unload = unload;
  g_loader.function = function;
  g_loader.launch = launch;
}

static const void* capability(void* instance, const char* id) {
  static once_flag once = ONCE_FLAG_INIT;
  call_once(&once, fill_tables);
  (void)instance;
  if (!strcmp(id, TN_DEVICE_API)) return &g_device;
  return strcmp(id, TN_LOADER) ? NULL : &g_loader;
}

static int create(const TnHost* host, void** instance, TnValue* ret) {
  return npu_plugin()->create(host, instance, ret);
}
static void destroy(void* instance) { npu_plugin()->destroy(instance); }

static const TnPlugin table = {sizeof(TnPlugin),     TN_ABI_VERSION, 0,       TENON_PLUGIN_ID,
                               TENON_PLUGIN_VERSION, create,         destroy, capability};
TN_EXPORT const TnPlugin* tenon_plugin(void);
TN_EXPORT const TnPlugin* tenon_plugin(void) { return &table; }
