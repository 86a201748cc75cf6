/* "tenon.host.execute/1": runs a function of a module while compiling, for passes that fold or check. [in-process] */
#ifndef TENON_EXT_EXECUTE_H
#define TENON_EXT_EXECUTE_H

#include "../ir.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TN_HOST_EXECUTE "tenon.host.execute/1"
typedef struct TnHostExecute {
  size_t size;
  void* self;
  /* Calls the function `name` of `module`, public or private, with `args`: a loop function writes into its parameters and
   * `*ret` is none; a graph function returns its result. Tensors lie on the CPU. Only the function and what it calls are
   * looked at, and no external function is given: nothing but the module's own IR runs, in an executor that keeps to
   * bounds (`bounded` in its manifest). `limits`: none, or a map with any of
   *   max_steps  int   loop iterations and calls; 100,000,000
   *   max_bytes  int   bytes of the buffers that it allocates; 1 GiB
   * Errors: those of the executor, so TN_ERROR_LIMIT and TN_ERROR_UNSUPPORTED; TN_ERROR_NOT_FOUND without such a function or
   * without such an executor. */
  int (*run)(void* self, const TnNode* module, const char* name, const TnValue* args, int32_t n, const TnValue* limits,
             TnValue* ret);
} TnHostExecute;

#ifdef __cplusplus
}
#endif
#endif
