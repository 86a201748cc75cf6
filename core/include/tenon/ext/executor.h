/* "tenon.executor/1": makes the functions of a module callable in this process. [in-process] */
#ifndef TENON_EXT_EXECUTOR_H
#define TENON_EXT_EXECUTOR_H

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TN_EXECUTOR "tenon.executor/1"
typedef struct TnExecutor {
  size_t size;
  /* `imports` maps names of external functions to function values. `options` holds every option of the manifest's schema.
   * `*ret` is a map from the name of each public function of the module to a function value that stays callable after the
   * instance's module is gone, from any thread. Loop functions take their parameters in order (destination passing) and
   * return none; graph functions return their result. */
  int (*load)(void* instance, const TnContext* context, const TnNode* module, const TnValue* imports,
              const TnValue* options, TnValue* ret);
} TnExecutor;

#ifdef __cplusplus
}
#endif
#endif
