/* IR nodes and the service that makes and changes them, "tenon.host.ir/1".
 *
 * A node is immutable. Every field may be read directly; nodes are made through the service only. */
#ifndef TENON_IR_H
#define TENON_IR_H

#include "abi.h"
#include "kinds.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct TnSpan { /* lines and columns from 1; the end is past the last character; 0 when unknown */
  TN_MADE_BY_HOST(TnSpan)
  TnObject header;
  const char* source; /* file name */
  int32_t line, column, end_line, end_column;
} TnSpan;

typedef struct TnNode {
  TN_MADE_BY_HOST(TnNode)
  TnObject header; /* type index TN_NODE */
  uint32_t kind;
  uint32_t depth;     /* 1 + the greatest depth below; at most Limits.depth (4096) */
  uint64_t hash;      /* structural; ignores the identity of variables, names and spans: a filter, not an identity */
  const TnSpan* span; /* or null */
  uint32_t slot_count;
  uint32_t reserved; /* the host's own */
  TnValue slots[1];  /* slot_count of them; a none slot has a zero payload */
} TnNode;

/* Bytes that the IR refers to and never holds. `data` is readable while the object lives. */
typedef struct TnConstant {
  TN_MADE_BY_HOST(TnConstant)
  TnObject header;
  const void* data;
  uint64_t size;
  const char* digest; /* "sha256:" and 64 hex digits of the bytes */
  const char* store;  /* the file or memory it lies in, for messages */
  uint64_t offset;    /* within the store */
} TnConstant;

enum {
  TN_SLOT_NODE,
  TN_SLOT_ARRAY,
  TN_SLOT_MAP,
  TN_SLOT_STR,
  TN_SLOT_INT,
  TN_SLOT_BOOL,
  TN_SLOT_FLOAT,
  TN_SLOT_DTYPE,
  TN_SLOT_ANY,
  TN_SLOT_VALUES
};
enum { TN_ROLE_USE, TN_ROLE_DEF, TN_ROLE_SHAPES, TN_ROLE_SHAPE, TN_ROLE_NAME };

typedef struct TnSlotSchema {
  const char* name;
  int32_t type;
  int32_t role;
} TnSlotSchema;

typedef struct TnKindSchema {
  size_t size;
  size_t slot_size; /* sizeof(TnSlotSchema) of the writer */
  const char* id;   /* "tir.For/1" */
  uint32_t kind;
  uint32_t flags;
  uint32_t slot_count;
  uint32_t vocabulary; /* TN_IR_VOCABULARY that brought the kind */
  const TnSlotSchema* slots;
  const uint32_t* slot_vocabularies; /* for each slot, the TN_IR_VOCABULARY that brought it */
} TnKindSchema;

/* Called for each node. Returns 0 to go on, 1 not to enter below this node, -1 to stop with `*ret` owning an error. */
typedef int (*TnVisit)(void* context, const TnNode* node, TnValue* ret);
/* Called after the children: `rebuilt` is the node with its new children (the same pointer when none changed).
 * Leave `*ret` none to keep `rebuilt`, or set it to what replaces it: a node, or an array, which is spliced when the node
 * stands in an array. */
typedef int (*TnRewrite)(void* context, const TnNode* original, const TnNode* rebuilt, TnValue* ret);

#define TN_HOST_IR "tenon.host.ir/1"
typedef struct TnHostIr {
  size_t size;
  void* self;
  const TnKindSchema* (*schema)(void* self, uint32_t kind); /* null when unknown; lives for ever */
  uint32_t (*find_kind)(void* self, const char* id);        /* 0 when unknown */
  /* Fewer slots than the schema has: the rest take their defaults. `span` may be null.
   * Fails with TN_ERROR_ARGUMENT (kind, slot count or slot type) or TN_ERROR_LIMIT (depth). */
  int (*make)(void* self, uint32_t kind, const TnSpan* span, const TnValue* slots, int32_t n, TnValue* ret);
  int (*span)(void* self, const char* source, int32_t line, int32_t column, int32_t end_line, int32_t end_column,
              TnValue* ret);
  /* `*ret` is none when equal, else a string: the path to the first difference. Variables are paired where defined;
   * free ones are equal by pointer, or paired in order when `map_free` is not 0. */
  int (*structural_equal)(void* self, const TnValue* a, const TnValue* b, int map_free, TnValue* ret);
  /* The SHA-256 of the canonical bytes of a closed function or module, as "sha256:" and 64 hex digits. */
  int (*content_key)(void* self, const TnValue* tree, TnValue* ret);
  /* Replaces variables and buffers where they are used, shapes included: `from` and `to` are arrays of the same length. In
   * a slot that defines it, a variable is replaced only by another variable or buffer. Variables and buffers defined
   * inside whose type or shape changes are made anew, and their uses follow. */
  int (*substitute)(void* self, const TnValue* tree, const TnValue* from, const TnValue* to, TnValue* ret);
  /* `enter` before and `leave` after the children, either may be null. Every place is entered: a node that stands in
   * several places is entered at each (TN_ERROR_LIMIT beyond Limits.places). Variables are entered where they stand, their
   * own slots only where they are defined. Bounded stack. */
  int (*walk)(void* self, const TnValue* tree, TnVisit enter, TnVisit leave, void* context, TnValue* ret);
  /* Bottom-up; a node that stands in several places is rewritten once, a variable where it is met first. A variable or
   * buffer whose shape changed, or that the callback replaced, is replaced at all of its uses. Bounded stack. */
  int (*rewrite)(void* self, const TnValue* tree, TnRewrite rewrite, void* context, TnValue* ret);
  /* Fails with TN_ERROR_VERIFY naming function, statement and rule. Runs the loop and the graph verifier. */
  int (*verify)(void* self, const TnNode* module, TnValue* ret);
  /* Script text. `options` is a map or none. The result of parse is an ir.Module. */
  int (*print)(void* self, const TnValue* tree, const TnValue* options, TnValue* ret);
  int (*parse)(void* self, const char* text, size_t size, const char* file, TnValue* ret);
  /* The versioned bytes of a tree; constants by digest. */
  int (*encode)(void* self, const TnValue* tree, TnValue* ret);
  int (*decode)(void* self, const char* data, size_t size, TnValue* ret);
  /* A constant whose bytes are copied into a store of the session. `tensor` must be contiguous and on the CPU. */
  int (*constant)(void* self, const DLTensor* tensor, TnValue* ret);
  /* The tree with every variable and buffer that it defines made anew: for a second copy of it beside the first. */
  int (*renew)(void* self, const TnValue* tree, TnValue* ret);
} TnHostIr;

#ifdef __cplusplus
}
#endif
#endif
