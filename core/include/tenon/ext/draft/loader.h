/* "tenon.loader/1" (draft): makes payloads of a format callable on a device. [in-process]
 *
 * The host program calls what a payload exports like any external function. Arguments in host memory are copied to the
 * device before the call and results back after it; arguments that lie on the device are passed as they are. */
#ifndef TENON_EXT_DRAFT_LOADER_H
#define TENON_EXT_DRAFT_LOADER_H

#include "device.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How well a payload fits a device. */
enum {
  TN_ACCEPT_NO = 0,        /* never on this device */
  TN_ACCEPT_RECOMPILE = 1, /* not these bytes: the model has to be compiled for this device */
  TN_ACCEPT_WORKS = 2,     /* right, but compiled for something less */
  TN_ACCEPT_BEST = 3       /* compiled for exactly this */
};

/* Where a payload is loaded to. Borrowed for the call, but for `device`, which lives until `unload`. */
typedef struct TnLoadTarget {
  size_t size;
  const char* name;       /* "com.vendor.npu:0", or "cpu:0" for a payload that runs in the host */
  const TnDeviceApi* api; /* null in the host, as is `device` */
  void* device;           /* what TnDeviceApi.open gave */
} TnLoadTarget;

typedef struct TnLoadedFunction {
  size_t size;
  void* function;  /* what `launch` takes; lives as long as the module */
  int32_t inputs;  /* arguments that are read, tensors and scalars */
  int32_t outputs; /* tensors that are written, after them */
} TnLoadedFunction;

#define TN_LOADER "tenon.loader/1"
typedef struct TnLoader {
  size_t size;
  const char* const* formats; /* that it reads, "com.vendor.npu-stream/1", ended by null */
  /* Whether it can load a payload of `format` on the device with these `properties` (an entry of TnDeviceApi.list; none in
   * the host). Asked before anything is loaded, allocated or run. `requirements` is the map that the code generator wrote.
   * `*answer` is one of the above, `*ret` a string: the reason, which people read when the answer is not best. */
  int (*accepts)(void* instance, const char* format, const TnValue* requirements, const TnValue* properties,
                 int32_t* answer, TnValue* ret);
  /* `payload` and what it points to live until `unload`. Bytes that do not decode are TN_ERROR_CORRUPT. */
  int (*load)(void* instance, const TnPayload* payload, const TnLoadTarget* target, void** module, TnValue* ret);
  void (*unload)(void* module); /* no function of it is running */
  /* The function behind a symbol of the payload's exports; TN_ERROR_NOT_FOUND. `function->size` is set. */
  int (*function)(void* module, const char* symbol, TnLoadedFunction* function, TnValue* ret);
  /* Enqueues a call and returns; in the host (`queue` is null) calls. `args` are the inputs, then the outputs: scalars, and
   * contiguous tensors as TN_DLTENSOR, whose data is memory of the device and whose byte_offset is the offset in it. What
   * they point to is borrowed for the call; the memory stays until the call is carried out. dtypes and shapes are checked
   * here. Thread: any, concurrently for different queues. `*ret` is none. */
  int (*launch)(void* module, void* function, void* queue, const TnValue* args, int32_t n, TnValue* ret);
} TnLoader;

#ifdef __cplusplus
}
#endif
#endif
