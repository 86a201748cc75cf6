/* The runtime table of libtenon_rt: what plugins, generated code and applications call to make and run things.
 *
 * libtenon_rt exports one symbol, `tn_runtime`. Plugins and artifacts do not link it: they receive the table. */
#ifndef TENON_RUNTIME_H
#define TENON_RUNTIME_H

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The versioned DLPack exchange structure, for headers that are older than it. */
#if !defined(DLPACK_MAJOR_VERSION)
typedef struct TnDLManagedTensorVersioned {
  struct {
    uint32_t major;
    uint32_t minor;
  } version;
  void* manager_ctx;
  void (*deleter)(struct TnDLManagedTensorVersioned* self);
  uint64_t flags; /* bit 0: read only */
  DLTensor dl_tensor;
} TnDLManagedTensorVersioned;
#else
typedef DLManagedTensorVersioned TnDLManagedTensorVersioned;
#endif

/* ---- Checked entry ------------------------------------------------------------------------------------------ */

/* A dimension is a postfix program over int64 words, ended by TN_DIM_END. Programs that are one symbol bind it to the
 * actual extent, the first one met; every other program is evaluated afterwards and compared. */
enum {
  TN_DIM_END = 0,
  TN_DIM_CONST = 1,  /* the next word is pushed */
  TN_DIM_SYMBOL = 2, /* the next word is an index into symbols, whose value is pushed */
  TN_DIM_ADD = 3,
  TN_DIM_SUB = 4,
  TN_DIM_MUL = 5,
  TN_DIM_FLOORDIV = 6,
  TN_DIM_FLOORMOD = 7,
  TN_DIM_MIN = 8,
  TN_DIM_MAX = 9
};

enum { TN_PARAM_TENSOR = 0, TN_PARAM_SCALAR = 1, TN_PARAM_HANDLE = 2 };
enum {
  TN_PARAM_WRITTEN = 1u, /* must not overlap any other tensor argument */
  TN_PARAM_STRIDED = 2u  /* any strides are accepted; without it the tensor must be contiguous */
};

typedef struct TnParam {
  const char* name;
  int32_t kind;
  uint32_t flags;
  DLDataType dtype;
  int32_t ndim;
  int32_t symbol;      /* for an integer scalar: the symbol that it binds, or -1 */
  const int64_t* dims; /* `ndim` postfix programs, one after another */
} TnParam;

/* What a compiled or interpreted function accepts. Constant data; its size travels with it. */
typedef struct TnSignature {
  size_t size;
  size_t param_size; /* sizeof(TnParam) of the writer */
  const char* name;  /* the function, for messages */
  const TnParam* params;
  int32_t param_count;
  int32_t symbol_count;
  const char* const* symbols; /* names, for messages */
} TnSignature;

/* ---- Generated code ------------------------------------------------------------------------------------------ */

/* The context of a loaded module; generated functions receive it first. Appended to only. */
typedef struct TnModuleContext {
  size_t size;
  const struct TnRuntime* runtime;
  TnFunction* const* imports;   /* in the order of the payload's import list */
  const void* const* constants; /* base addresses, in the order of the payload's constant list */
} TnModuleContext;

/* One share of a parallel loop: task `index` of `count`. Returns 0, or -1 with `*ret` owning the error. */
typedef int (*TnTask)(void* data, int32_t index, int32_t count, TnValue* ret);

/* ---- Runs ----------------------------------------------------------------------------------------------------- */

/* Where tensors of a run get their host memory from. It outlives them. */
typedef struct TnAllocator {
  size_t size;
  void* self;
  void* (*alloc)(void* self, size_t bytes, size_t alignment); /* null when there is none */
  void (*free)(void* self, void* memory, size_t bytes);
} TnAllocator;

enum {
  TN_PROFILE_RUN = 0,
  TN_PROFILE_LAUNCH = 1,
  TN_PROFILE_COPY_IN = 2,
  TN_PROFILE_COPY_OUT = 3,
  TN_PROFILE_WAIT = 4
};

typedef struct TnProfileEvent {
  size_t size;
  int32_t kind;
  int32_t reserved;
  const char* name;   /* the function, or the format of its payload */
  const char* device; /* "com.vendor.npu:0", "cpu:0" */
  int64_t begin_ns;   /* of CLOCK_MONOTONIC */
  int64_t end_ns;
  uint64_t bytes; /* copied */
} TnProfileEvent;

/* Told of every stage of a run, on the thread of the run. With one, stages are waited for one by one. */
typedef struct TnProfiler {
  size_t size;
  void* self;
  void (*event)(void* self, const TnProfileEvent* event); /* borrowed for the call */
} TnProfiler;

/* A fence (TnRuntime.fence) and the value that it has to reach. */
typedef struct TnFencePoint {
  TnObject* fence;
  uint64_t value;
} TnFencePoint;

/* How one call runs. Zero is the default everywhere; what it points to lives until the run is over. */
typedef struct TnRunContext {
  size_t size;
  const TnFencePoint* wait; /* reached before anything is read or written */
  int32_t wait_count;
  int32_t signal_count;
  const TnFencePoint* signal; /* reached when the outputs are ready; fails when the run fails */
  TnObject* const* queues;    /* of TnRuntime.queue, at most one a device: what runs there is enqueued in it */
  int32_t queue_count;
  int32_t threads;       /* that loops may use at most, the caller included; 0: as the process */
  const int32_t* cancel; /* read atomically: not 0 when the caller wants to stop. TN_ERROR_CANCELLED */
  int64_t deadline_ns;   /* of CLOCK_MONOTONIC. TN_ERROR_CANCELLED */
  const TnProfiler* profiler;
  const TnAllocator* allocator;
  void* scratch; /* 64-byte aligned: workspace_alloc on the calling thread takes from here while there is room */
  size_t scratch_bytes;
} TnRunContext;

/* ---- Payloads ------------------------------------------------------------------------------------------------- */

typedef struct TnBlob {
  const void* data;
  uint64_t bytes;
} TnBlob;

/* What a code generator made (ext/codegen.h), as an artifact or a module holds it. */
typedef struct TnPayload {
  size_t size;
  const char* format;
  const char* device; /* "com.vendor.npu", "com.vendor.npu:0"; "" for the host */
  const char* maker;  /* the id of the code generator, for messages */
  const void* data;   /* at the begin of a page */
  uint64_t bytes;
  const TnValue* requirements; /* a map, or none */
  const TnValue* exports;      /* a map: name of a function -> symbol */
  const TnBlob* constants;     /* in the order of the payload's list */
  size_t constant_count;
  TnFunction* const* imports; /* likewise; null for those that other payloads implement and that are not there yet */
  size_t import_count;
} TnPayload;

/* ---- The table ------------------------------------------------------------------------------------------------ */

typedef struct TnRuntime {
  size_t size;
  uint32_t abi_version;
  uint32_t reserved;

  /* Objects. Each copies what it is given. */
  int (*string)(const char* data, size_t size, TnValue* ret);
  int (*bytes)(const char* data, size_t size, TnValue* ret);
  int (*shape)(const int64_t* data, size_t size, TnValue* ret);
  int (*array)(const TnValue* data, size_t size, TnValue* ret);
  /* `pairs` keys and values in turn, in any order; a key that comes twice is an error. */
  int (*map)(const TnValue* keys_and_values, size_t pairs, TnValue* ret);
  /* Always returns -1, so that `return runtime->error(...)` reads well. `where`, `hint`, `cause` may be null. */
  int (*error)(int32_t code, const char* message, const char* where, const char* hint, TnObject* cause, TnValue* ret);
  /* `free_context(context)` runs when the function dies; it may be null. */
  int (*function)(TnCall call, void* context, void (*free_context)(void*), TnValue* ret);
  /* Memory for an object of another type, counted once: header filled in, the rest zero. `destroy(self)` runs when the
   * last reference goes; the memory is freed after it: releasing a deep structure uses bounded stack. */
  int (*object)(size_t bytes, int32_t type_index, void (*destroy)(void* self), TnValue* ret);

  /* Type indices: a process-wide append-only table. The same key gives the same index; -1 when the table is full. */
  int32_t (*type_index)(const char* key);
  const char* (*type_key)(int32_t type_index); /* null when unknown; lives for ever */

  /* Tensors. New ones are contiguous, 64-byte aligned and not initialised. */
  int (*tensor)(DLDevice device, DLDataType dtype, int32_t ndim, const int64_t* shape, TnValue* ret);
  /* Takes the structure over, without a copy: its deleter runs when the tensor dies. On failure it is left alone. */
  int (*tensor_from_dlpack)(DLManagedTensor* managed, TnValue* ret);
  int (*tensor_from_dlpack_versioned)(TnDLManagedTensorVersioned* managed, TnValue* ret);
  /* The result keeps the tensor alive and is given back through its own deleter; null with `*ret` owning the error. */
  DLManagedTensor* (*tensor_to_dlpack)(TnTensor* tensor, TnValue* ret);
  TnDLManagedTensorVersioned* (*tensor_to_dlpack_versioned)(TnTensor* tensor, TnValue* ret);
  /* A view that shares memory and keeps `tensor` alive; `strides` may be null for contiguous. Bounds are checked. */
  int (*tensor_view)(TnTensor* tensor, DLDataType dtype, int32_t ndim, const int64_t* shape, const int64_t* strides,
                     uint64_t byte_offset, TnValue* ret);

  /* The checked entry: types, dtypes, ranks, shapes, device, contiguity and overlap of `args` against `signature`.
   * Fills `data` (one address per parameter, byte offset applied; a scalar's is the address of its 8-byte payload)
   * and `symbols` (symbol_count values): first every dimension that is one symbol binds it, then all others are compared.
   * Scalars are not converted: an integer parameter takes an integer or a boolean, a float parameter a float. */
  int (*check_arguments)(const TnSignature* signature, const TnValue* args, int32_t n, void** data, int64_t* symbols,
                         TnValue* ret);

  /* Runs task(data, 0..count-1, count), on the calling thread and the pool, and returns when all are done; the error is
   * that of the lowest failing index. A call from inside a task runs its tasks one after another. */
  int (*parallel_for)(TnTask task, void* data, int32_t count, TnValue* ret);
  int32_t (*thread_count)(void);           /* threads that parallel_for uses, the caller included */
  void (*set_thread_count)(int32_t count); /* from 1; for the calling process; not while a parallel_for runs */

  /* 64-byte aligned scratch memory for the length of a call; null when there is none. */
  void* (*workspace_alloc)(size_t bytes);
  void (*workspace_free)(void* memory);

  /* Opens a compiled model. Its index and code are compared with their digests before any of its code is mapped; its
   * constants too when `verify_constants` is not 0. `imports` maps names of external functions to functions, or is null.
   * `*ret` is {functions: map from name to function, index: what the artifact says of itself}; the functions keep the
   * artifact open. Errors: TN_ERROR_IO, TN_ERROR_CORRUPT, TN_ERROR_ABI_MISMATCH, TN_ERROR_NOT_FOUND (an import). */
  int (*artifact_open)(const char* path, const TnValue* imports, int verify_constants, TnValue* ret);
  void (*sha256)(const void* data, size_t size, uint8_t digest[32]);

  /* Calls a function as `context` says. It returns when the outputs are ready; with signal fences it may return earlier,
   * and outputs that lie on a device are ready when those are reached. */
  int (*run)(TnFunction* function, const TnRunContext* context, const TnValue* args, int32_t n, TnValue* ret);
  /* 0, or -1 when the run that the calling thread is in should stop: for long external functions. */
  int (*check_run)(TnValue* ret);

  /* Like artifact_open, with devices and more. `options`: none, or a map with any of
   *   plugins           array     paths of plugin libraries, or plugins of plugin_open: devices and loaders, in order
   *   find_plugins      function  (format, device name) -> such an array: asked when none of `plugins` reads a format
   *   devices           map       device name in the artifact -> name, or device of device_open, to be used instead
   *   imports           map       name of an external function -> function
   *   verify_constants  bool
   *   check_only        bool      no code is loaded and no device opened: what fits is told, `functions` is absent
   *   threads           int       as in TnRunContext, for every call that is no `run`; the next two likewise
   *   profiler          pointer   to a TnProfiler
   *   allocator         pointer   to a TnAllocator
   * `*ret` is {functions, index, devices: map from device name in the artifact to device, payloads: array of maps {format,
   * device, plugin, answer: "best" | "works" | "recompile" | "no", reason, functions: map from name to function}}; the functions
   * of payloads take tensors in host memory and on their device. Errors: also TN_ERROR_NOT_FOUND (a loader, a device),
   * TN_ERROR_UNSUPPORTED (no, recompile), TN_ERROR_DEVICE. */
  int (*instantiate)(const char* path, const TnValue* options, TnValue* ret);
  /* The same for one payload that lies in memory; `owner` (may be null) keeps it alive. `*ret` is a map of `payloads`, above. */
  int (*payload_load)(const TnPayload* payload, TnObject* owner, const TnValue* options, TnValue* ret);

  /* Opens a plugin's library for its devices and loaders, and makes an instance of its own; or wraps an instance that the
   * caller made, which `owner` keeps alive. No service of a compiler is there: TnHost.service gives null. */
  int (*plugin_open)(const char* path, TnValue* ret);
  int (*plugin_wrap)(const TnPlugin* plugin, void* instance, TnObject* owner, TnValue* ret);

  /* "com.vendor.npu:0" to the numbers of DLPack and back; "com.vendor.npu" is number 0 of its kind. */
  int (*device_number)(const char* name, DLDevice* device, TnValue* ret);
  int (*device_name)(DLDevice device, TnValue* ret);
  int (*device_open)(TnObject* plugin, const char* name, TnValue* ret);
  /* A contiguous tensor in the device's memory, not initialised. */
  int (*device_tensor)(TnObject* device, DLDataType dtype, int32_t ndim, const int64_t* shape, TnValue* ret);
  /* Copies between contiguous tensors of one size, on the host or a device, and waits until it is done. */
  int (*copy)(const TnValue* from, const TnValue* to, TnValue* ret);

  /* One thread at a time for one queue. */
  int (*queue)(TnObject* device, TnValue* ret);
  /* A number that only grows, from 0. `device` may be null: then the host alone signals it and waits for it. */
  int (*fence)(TnObject* device, TnValue* ret);
  /* With an `error` (may be null) the fence has failed: who waits gets it as cause. */
  int (*fence_signal)(TnObject* fence, uint64_t value, TnObject* error, TnValue* ret);
  /* 0 it is reached, 1 `timeout_ns` went by (less than 0: never), -1 it failed. */
  int (*fence_wait)(TnObject* fence, uint64_t value, int64_t timeout_ns, TnValue* ret);
} TnRuntime;

TN_EXPORT const TnRuntime* tn_runtime(void);

/* TnRuntime.run, for programs that link libtenon_rt. */
static inline int tn_run(TnFunction* function, const TnRunContext* context, const TnValue* args, int32_t n,
                         TnValue* ret) {
  return tn_runtime()->run(function, context, args, n, ret);
}

#ifdef __cplusplus
}
#endif
#endif
