/* "tenon.host.constants/1": constants as tensors, and tensors that become constants, without a copy of their bytes.
 *
 * A constant that a pass computes is written where it will lie: tensor, write, seal. [in-process] */
#ifndef TENON_EXT_CONSTANTS_H
#define TENON_EXT_CONSTANTS_H

#include "../ir.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TN_HOST_CONSTANTS "tenon.host.constants/1"
typedef struct TnHostConstants {
  size_t size;
  void* self;
  /* A contiguous tensor on the CPU over a new store of the session, filled with zero. */
  int (*tensor)(void* self, DLDataType dtype, int32_t ndim, const int64_t* shape, TnValue* ret);
  /* The constant with the bytes of a tensor that `tensor` made; equal bytes are one constant. The tensor may be read from
   * then on, but not written: its memory is protected. */
  int (*seal)(void* self, const TnValue* tensor, TnValue* ret);
  /* The bytes of a constant as a tensor that is marked read only and keeps the constant alive; a copy where the bytes are
   * not aligned to their dtype. Fails with TN_ERROR_SHAPE when they are not as many as dtype and shape ask for. */
  int (*view)(void* self, const TnValue* constant, DLDataType dtype, int32_t ndim, const int64_t* shape, TnValue* ret);
} TnHostConstants;

#ifdef __cplusplus
}
#endif
#endif
