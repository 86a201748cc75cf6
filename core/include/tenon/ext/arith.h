/* "tenon.host.arith/1": integer reasoning about loop-level expressions. An analyzer belongs to one thread at a time.
 *
 * What is said of an expression holds for every assignment of its variables that the bindings and constraints allow and
 * for which the expression has a value: it divides by no zero and no int64 operation in it overflows, operands apart
 * that a select, an `and` or an `or` has no need of. int64 is the type of index arithmetic and is taken not to overflow;
 * every other integer type wraps around, and its operations are reasoned about only where their bounds show that they
 * do not. A simplified expression may add and multiply in another
 * order, so it is to be evaluated with arithmetic that wraps around. Floating-point operations are left as they are.
 *
 * Simplifying is deterministic and its cost is bounded: what is too large or too deep comes back as it was. */
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
  /* var is in [min, min + extent). Later bindings of the same variable narrow it. Nothing is learnt about the variables
   * of min and extent: the range may be empty. A binding made inside a constraint ends with the constraint. */
  int (*bind_range)(TnAnalyzer* analyzer, const TnNode* var, const TnNode* min, const TnNode* extent, TnValue* ret);
  /* var equals value. Simplify replaces the variable where the value reads no memory and calls nothing. */
  int (*bind_value)(TnAnalyzer* analyzer, const TnNode* var, const TnNode* value, TnValue* ret);
  /* The condition holds until the matching leave. Parts of it that read memory or call something are not used. */
  int (*enter_constraint)(TnAnalyzer* analyzer, const TnNode* condition, TnValue* ret);
  void (*leave_constraint)(TnAnalyzer* analyzer);
  /* `*ret` is the very node that was given when nothing changed. */
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
