/* "tenon.pass/1": transformations of a module. The manifest names each pass, its level and its options. [isolable] */
#ifndef TENON_EXT_PASS_H
#define TENON_EXT_PASS_H

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TN_PASS "tenon.pass/1"
typedef struct TnPass {
  size_t size;
  /* For passes of level `module`. `*ret` is the module after the pass; the same pointer says that nothing changed.
   * `options` holds every option of the manifest's schema, defaults filled in. Thread: one call at a time. */
  int (*run_module)(void* instance, const TnContext* context, const char* pass, const TnNode* module,
                    const TnValue* options, TnValue* ret);
  /* For passes of level `loop` or `graph`: one function. `*ret` is the function after the pass (the same pointer: nothing
   * changed), or an array {function, map from name hint to new function}; the host makes the hints unique and renames the
   * references. Thread: calls for different functions may be concurrent when the manifest says `concurrent: true`. */
  int (*run_function)(void* instance, const TnContext* context, const char* pass, const char* name,
                      const TnNode* function, const TnValue* options, TnValue* ret);
} TnPass;

#ifdef __cplusplus
}
#endif
#endif
