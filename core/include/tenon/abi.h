/* The Tenon C ABI: values, objects, errors, functions, tensors and the entry of a plugin.
 *
 * Value, object header, string, shape, function and tensor have the layout and type indices of the open tvm-ffi ABI.
 * Rules for every slot in every table of Tenon, unless the slot says otherwise:
 *   thread     any thread, concurrently;
 *   ownership  arguments are borrowed for the call, `*ret` is owned by the caller;
 *   failure    a function that returns int returns 0, or -1 with `*ret` owning a TnError; `*ret` needs no initial value.
 * A table begins with its size in bytes: slots are only appended, and TN_HAS tells whether a table has one. */
#ifndef TENON_ABI_H
#define TENON_ABI_H

#include <dlpack/dlpack.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TN_ABI_VERSION 1u
#define TN_EXPORT __attribute__((visibility("default")))
#define TN_HAS(table, slot) \
  ((table)->size >= (size_t)((const char*)(&(table)->slot + 1) - (const char*)(table)) && (table)->slot != NULL)

/* Objects are made by the host alone, through TnRuntime and TnHostIr: what one side allocates and the other reads would
 * not survive a field that is appended. In C++, a declaration or `new` of one does not compile. */
#if defined(__cplusplus) && !defined(TENON_MAKES_OBJECTS)
#define TN_MADE_BY_HOST(Type) \
  Type() = delete;            \
  void* operator new(size_t) = delete;
#else
#define TN_MADE_BY_HOST(Type)
#endif

/* ---- Values ------------------------------------------------------------------------------------------------- */

enum {
  TN_NONE = 0,          /* payload is zero */
  TN_INT = 1,           /* as.i */
  TN_BOOL = 2,          /* as.i, 0 or 1 */
  TN_FLOAT = 3,         /* as.f */
  TN_POINTER = 4,       /* as.p, borrowed */
  TN_DTYPE = 5,         /* as.dtype */
  TN_DEVICE = 6,        /* as.device */
  TN_DLTENSOR = 7,      /* as.p is a DLTensor*, borrowed, arguments only */
  TN_C_STRING = 8,      /* as.s, borrowed, arguments only */
  TN_BYTE_ARRAY = 9,    /* as.p is a byte-array view, borrowed, arguments only */
  TN_RVALUE = 10,       /* as.p is a TnObject** that may be moved from */
  TN_SMALL_STRING = 11, /* as.small holds `small_size` bytes */
  TN_SMALL_BYTES = 12,
  TN_OBJECT = 64, /* the first index whose value is a counted object */
  TN_STRING = 65,
  TN_BYTES = 66,
  TN_ERROR = 67,
  TN_FUNCTION = 68,
  TN_SHAPE = 69,
  TN_TENSOR = 70,
  TN_ARRAY = 71,
  TN_MAP = 72,
  TN_NODE = 128,         /* an IR node (ir.h) */
  TN_SPAN = 129,         /* a source range (ir.h) */
  TN_CONSTANT = 130,     /* a reference into a constant store (ir.h) */
  TN_FIRST_DYNAMIC = 192 /* from here on, given out at run time by TnRuntime.type_index */
};

/* Dtype codes that Debian 12's DLPack lacks. */
#define TN_DL_BOOL 6u

typedef struct TnObject {
  uint64_t counts; /* strong count in the low half, weak count (one for all strong ones together) in the high half */
  int32_t type_index;
  uint32_t reserved;
  void (*deleter)(void* self, int flags); /* flags: 1 destroy the content, 2 free the memory, 3 both */
} TnObject;

typedef struct TnValue {
  int32_t type_index;
  uint32_t small_size; /* 0, or the length of a small string */
  union {
    int64_t i;
    double f;
    void* p;
    const char* s;
    TnObject* object;
    DLDataType dtype;
    DLDevice device;
    char small[8];
  } as;
} TnValue;

/* ---- Objects ------------------------------------------------------------------------------------------------ */

typedef struct TnString { /* also bytes; data[size] is 0 */
  TN_MADE_BY_HOST(TnString)
  TnObject header;
  const char* data;
  size_t size;
} TnString;

typedef struct TnShape {
  TN_MADE_BY_HOST(TnShape)
  TnObject header;
  const int64_t* data;
  size_t size;
} TnShape;

typedef struct TnTensor {
  TN_MADE_BY_HOST(TnTensor)
  TnObject header;
  DLTensor tensor;
} TnTensor;

typedef struct TnArray { /* immutable */
  TN_MADE_BY_HOST(TnArray)
  TnObject header;
  const TnValue* data;
  size_t size;
} TnArray;

typedef struct TnMapEntry {
  TnValue key; /* a TN_STRING object */
  TnValue value;
} TnMapEntry;

typedef struct TnMap { /* immutable; entries are sorted by the bytes of their keys, keys are distinct */
  TN_MADE_BY_HOST(TnMap)
  TnObject header;
  const TnMapEntry* data;
  size_t size;
} TnMap;

/* The signature of every function value. `self` is the TnFunction when called through one. Arguments are borrowed. */
typedef int (*TnCall)(void* self, const TnValue* args, int32_t n, TnValue* ret);

typedef struct TnFunction {
  TN_MADE_BY_HOST(TnFunction)
  TnObject header;
  TnCall call;
  void* reserved; /* null */
  void* context;  /* what the maker of the function keeps; valid for functions made by TnRuntime.function */
} TnFunction;

enum {
  TN_OK = 0,
  TN_ERROR_INTERNAL = 1, /* a bug of Tenon */
  TN_ERROR_PLUGIN = 2,   /* a bug of a plugin */
  TN_ERROR_ARGUMENT = 3, /* a value passed by the caller is not acceptable */
  TN_ERROR_TYPE = 4,     /* wrong type or dtype */
  TN_ERROR_SHAPE = 5,    /* wrong rank or shape */
  TN_ERROR_DEVICE = 6,
  TN_ERROR_ALIAS = 7, /* buffers overlap that must not */
  TN_ERROR_PARSE = 8,
  TN_ERROR_VERIFY = 9,
  TN_ERROR_UNSUPPORTED = 10,
  TN_ERROR_NOT_FOUND = 11,
  TN_ERROR_DUPLICATE = 12,
  TN_ERROR_ABI_MISMATCH = 13,
  TN_ERROR_IO = 14,
  TN_ERROR_LIMIT = 15, /* a bound of Limits was reached */
  TN_ERROR_CANCELLED = 16,
  TN_ERROR_OUT_OF_MEMORY = 17,
  TN_ERROR_CORRUPT = 18,      /* bytes that do not decode or do not match their digest */
  TN_ERROR_CHECK_FAILED = 19, /* a check in the program itself failed */
  TN_ERROR_UNTRUSTED = 20     /* the trust policy does not admit it */
};

typedef struct TnError {
  TN_MADE_BY_HOST(TnError)
  TnObject header;
  int32_t code;
  int32_t reserved;
  const char* message; /* what failed and why */
  const char* where;   /* file:line:col, or function and op; "" when unknown */
  const char* hint;    /* what to do; "" when there is nothing to say */
  TnObject* cause;     /* a TnError, or null */
} TnError;

static inline void tn_object_retain(TnObject* object) {
  __atomic_fetch_add(&object->counts, (uint64_t)1, __ATOMIC_RELAXED);
}

static inline void tn_object_release(TnObject* object) {
  uint64_t old = __atomic_fetch_sub(&object->counts, (uint64_t)1, __ATOMIC_RELEASE);
  if ((uint32_t)old != 1u) return;
  (void)__atomic_load_n(&object->counts, __ATOMIC_ACQUIRE);
  if ((old >> 32) == 1u) {
    object->deleter(object, 3);
    return;
  }
  object->deleter(object, 1);
  old = __atomic_fetch_sub(&object->counts, (uint64_t)1 << 32, __ATOMIC_ACQ_REL);
  if ((old >> 32) == 1u) object->deleter(object, 2);
}

static inline int tn_is_object(const TnValue* value) { return value->type_index >= TN_OBJECT; }

static inline void tn_value_retain(const TnValue* value) {
  if (tn_is_object(value)) tn_object_retain(value->as.object);
}

static inline void tn_value_release(const TnValue* value) {
  if (tn_is_object(value)) tn_object_release(value->as.object);
}

/* The value of a key, borrowed; null when `map` is no map or has no such key. */
static inline const TnValue* tn_map_find(const TnValue* map, const char* key) {
  if (map->type_index != TN_MAP) return (const TnValue*)0;
  const TnMap* m = (const TnMap*)map->as.object;
  for (size_t i = 0; i < m->size; ++i) {
    const TnString* k = (const TnString*)m->data[i].key.as.object;
    size_t n = 0;
    while (n < k->size && key[n] == k->data[n] && key[n]) ++n;
    if (n == k->size && !key[n]) return &m->data[i].value;
  }
  return (const TnValue*)0;
}

/* ---- The entry of a plugin ---------------------------------------------------------------------------------- */

struct TnRuntime; /* runtime.h */

/* What the host offers to a plugin. Lives as long as the plugin's instance. */
typedef struct TnHost {
  size_t size;
  void* self;
  const struct TnRuntime* runtime;
  /* A service table of the host ("tenon.host.ir/1") or a capability of another plugin; null when there is none.
   * The first member of every service table is its size, the second the `self` to pass to its slots. */
  const void* (*service)(void* self, const char* id);
} TnHost;

/* What a plugin is. `tenon_plugin`, the one exported symbol, returns it; it must be constant data. */
typedef struct TnPlugin {
  size_t size;
  uint32_t abi_version;   /* TN_ABI_VERSION of the SDK that built the plugin */
  uint32_t ir_vocabulary; /* TN_IR_VOCABULARY of the SDK that built the plugin, 0 for a plugin that reads no IR */
  const char* id;         /* as in its manifest */
  const char* version;
  /* Makes an instance; called once per session, on the thread that first needs the plugin. */
  int (*create)(const TnHost* host, void** instance, TnValue* ret);
  void (*destroy)(void* instance);
  /* A capability table by id ("tenon.pass/1"), alive as long as the instance; null when the plugin has none. */
  const void* (*capability)(void* instance, const char* id);
} TnPlugin;

typedef const TnPlugin* (*TnPluginEntry)(void);
#define TN_PLUGIN_SYMBOL "tenon_plugin"

#ifdef __cplusplus
}
#endif
#endif
