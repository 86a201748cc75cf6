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
  struct { uint32_t major; uint32_t minor; } version;
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
  TN_DIM_ADD = 3, TN_DIM_SUB = 4, TN_DIM_MUL = 5, TN_DIM_FLOORDIV = 6, TN_DIM_FLOORMOD = 7, TN_DIM_MIN = 8, TN_DIM_MAX = 9
};

enum { TN_PARAM_TENSOR = 0, TN_PARAM_SCALAR = 1, TN_PARAM_HANDLE = 2 };
enum { TN_PARAM_WRITTEN = 1u, /* must not overlap any other tensor argument */
       TN_PARAM_STRIDED = 2u  /* any strides are accepted; without it the tensor must be contiguous */ };

typedef struct TnParam {
  const char* name;
  int32_t kind;
  uint32_t flags;
  DLDataType dtype;
  int32_t ndim;
  int32_t symbol;       /* for an integer scalar: the symbol that it binds, or -1 */
  const int64_t* dims;  /* `ndim` postfix programs, one after another */
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
  TnFunction* const* imports;     /* in the order of the payload's import list */
  const void* const* constants;   /* base addresses, in the order of the payload's constant list */
} TnModuleContext;

/* One share of a parallel loop: task `index` of `count`. Returns 0, or -1 with `*ret` owning the error. */
typedef int (*TnTask)(void* data, int32_t index, int32_t count, TnValue* ret);

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
} TnRuntime;

TN_EXPORT const TnRuntime* tn_runtime(void);

#ifdef __cplusplus
}
#endif
#endif
