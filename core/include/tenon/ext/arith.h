/* "tenon.host.arith/1": integer reasoning about loop-level expressions. An analyzer belongs to one thread at a time. */
#ifndef TENON_EXT_ARITH_H
#define TENON_EXT_ARITH_H

#include "../ir.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct TnAnalyzer TnAnalyzer;

#define TN_HOST_ARITH "tenon.host.arith/1"
typedef struct TnHostArith {
  size_t size;
  void* self;
  TnAnalyzer* (*create)(void* self); /* null when out of memory */
  void (*destroy)(TnAnalyzer* analyzer);
  /* var is in [min, min + extent). Later bindings of the same variable narrow it. */
  int (*bind_range)(TnAnalyzer* analyzer, const TnNode* var, const TnNode* min, const TnNode* extent, TnValue* ret);
  int (*bind_value)(TnAnalyzer* analyzer, const TnNode* var, const TnNode* value, TnValue* ret);
  /* The condition holds until the matching leave. */
  int (*enter_constraint)(TnAnalyzer* analyzer, const TnNode* condition, TnValue* ret);
  void (*leave_constraint)(TnAnalyzer* analyzer);
  int (*simplify)(TnAnalyzer* analyzer, const TnNode* expr, TnValue* ret);
  int (*can_prove)(TnAnalyzer* analyzer, const TnNode* condition); /* 1 proven true, 0 not known */
  /* Inclusive bounds; INT64_MIN and INT64_MAX stand for none. */
  void (*bounds)(TnAnalyzer* analyzer, const TnNode* expr, int64_t* min, int64_t* max);
  /* expr = coefficient * k + base for some integer k; coefficient 0 means that it is `base`, 1 that nothing is known. */
  void (*modular)(TnAnalyzer* analyzer, const TnNode* expr, int64_t* coefficient, int64_t* base);
} TnHostArith;

#ifdef __cplusplus
}
#endif
#endif
