/* "tenon.op/1": the functions behind the operators that a manifest lists. Every slot may be null. [isolable] */
#ifndef TENON_EXT_OP_H
#define TENON_EXT_OP_H

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TN_OP "tenon.op/1"
typedef struct TnOp {
  size_t size;
  /* The type of an ir.Call: a type node at graph level, a dtype at loop level. */
  int (*infer_type)(void* instance, const TnContext* context, const TnNode* call, TnValue* ret);
  /* The meaning of a graph operator: a tir.PrimFunc of plain blocks in destination-passing style. Its parameters are the
   * tensors among the call's arguments, in order, then the outputs; symbolic dimensions come from their shapes. */
  int (*compute)(void* instance, const TnContext* context, const TnNode* call, TnValue* ret);
  /* For an operator without `compute`: the result for these argument values. */
  int (*evaluate)(void* instance, const TnContext* context, const TnNode* call, const TnValue* args, int32_t n,
                  TnValue* ret);
} TnOp;

/* The op table, a service of the host. */
#define TN_HOST_OPS "tenon.host.ops/1"
typedef struct TnHostOps {
  size_t size;
  void* self;
  /* The record of an op as its manifest gives it: {id, revision, level, args, attrs, effects, plugin, ...}; none when
   * unknown. */
  int (*find)(void* self, const char* id, TnValue* ret);
  int (*infer_type)(void* self, const TnContext* context, const TnNode* call, TnValue* ret);
  int (*compute)(void* self, const TnContext* context, const TnNode* call, TnValue* ret);
  /* The result for these argument values. Fails with TN_ERROR_UNSUPPORTED for an op without `evaluate`. */
  int (*evaluate)(void* self, const TnContext* context, const TnNode* call, const TnValue* args, int32_t n,
                  TnValue* ret);
  /* The hint for an id that no manifest declares: "did you mean 'relax.nn.relu'?", or that none is near. */
  int (*suggest)(void* self, const char* id, TnValue* ret);
} TnHostOps;

#ifdef __cplusplus
}
#endif
#endif
