/* The published layouts, as C sees them on a 64-bit platform. */
#include <tenon/ir.h>
#include <tenon/runtime.h>

#define SAME(what, expected) _Static_assert((what) == (expected), #what)

SAME(sizeof(TnValue), 16);
SAME(offsetof(TnValue, type_index), 0);
SAME(offsetof(TnValue, small_size), 4);
SAME(offsetof(TnValue, as), 8);

SAME(sizeof(TnObject), 24);
SAME(offsetof(TnObject, counts), 0);
SAME(offsetof(TnObject, type_index), 8);
SAME(offsetof(TnObject, reserved), 12);
SAME(offsetof(TnObject, deleter), 16);

SAME(offsetof(TnString, data), 24);
SAME(offsetof(TnString, size), 32);
SAME(offsetof(TnShape, data), 24);
SAME(offsetof(TnShape, size), 32);
SAME(offsetof(TnTensor, tensor), 24);
SAME(offsetof(TnArray, data), 24);
SAME(offsetof(TnArray, size), 32);
SAME(sizeof(TnMapEntry), 32);
SAME(offsetof(TnMapEntry, value), 16);
SAME(offsetof(TnMap, data), 24);
SAME(offsetof(TnFunction, call), 24);
SAME(offsetof(TnFunction, reserved), 32);
SAME(offsetof(TnFunction, context), 40);
SAME(offsetof(TnError, code), 24);
SAME(offsetof(TnError, message), 32);
SAME(offsetof(TnError, where), 40);
SAME(offsetof(TnError, hint), 48);
SAME(offsetof(TnError, cause), 56);

SAME(offsetof(TnNode, kind), 24);
SAME(offsetof(TnNode, depth), 28);
SAME(offsetof(TnNode, hash), 32);
SAME(offsetof(TnNode, span), 40);
SAME(offsetof(TnNode, slot_count), 48);
SAME(offsetof(TnNode, reserved), 52);
SAME(offsetof(TnNode, slots), 56);

SAME(offsetof(TnSpan, source), 24);
SAME(offsetof(TnSpan, line), 32);
SAME(offsetof(TnConstant, data), 24);
SAME(offsetof(TnConstant, size), 32);
SAME(offsetof(TnConstant, digest), 40);
SAME(offsetof(TnKindSchema, slots), 40);
SAME(offsetof(TnKindSchema, slot_vocabularies), 48);
SAME(sizeof(TnSlotSchema), 16);

SAME(sizeof(TnParam), 40);
SAME(offsetof(TnParam, kind), 8);
SAME(offsetof(TnParam, flags), 12);
SAME(offsetof(TnParam, dtype), 16);
SAME(offsetof(TnParam, ndim), 20);
SAME(offsetof(TnParam, symbol), 24);
SAME(offsetof(TnParam, dims), 32);
SAME(offsetof(TnModuleContext, runtime), 8);
SAME(offsetof(TnModuleContext, imports), 16);
SAME(offsetof(TnModuleContext, constants), 24);

SAME(sizeof(TnFencePoint), 16);
SAME(offsetof(TnFencePoint, value), 8);
SAME(sizeof(TnBlob), 16);
SAME(offsetof(TnBlob, bytes), 8);
SAME(offsetof(TnRunContext, wait_count), 16);
SAME(offsetof(TnRunContext, signal_count), 20);
SAME(offsetof(TnRunContext, queue_count), 40);
SAME(offsetof(TnRunContext, threads), 44);
SAME(offsetof(TnProfileEvent, kind), 8);
SAME(offsetof(TnProfileEvent, name), 16);
SAME(offsetof(TnProfileEvent, device), 24);
SAME(offsetof(TnProfileEvent, begin_ns), 32);
SAME(offsetof(TnProfileEvent, bytes), 48);

/* Indices that other systems share, and numbers that stand for ever. */
SAME(TN_STRING, 65);
SAME(TN_ERROR, 67);
SAME(TN_FUNCTION, 68);
SAME(TN_SHAPE, 69);
SAME(TN_TENSOR, 70);
SAME(TN_ARRAY, 71);
SAME(TN_MAP, 72);
SAME(TN_KIND_ir_Var, 1);
SAME(TN_KIND_tir_For, 128);
SAME(TN_KIND_relax_Function, 192);
