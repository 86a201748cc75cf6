/* "tenon.partitioner/1": which parts of a graph a code generator wants. [isolable]
 *
 * The patterns are data in the manifest, under `offers`, as docs/patterns.md describes them:
 *   tenon.partitioner/1:
 *     codegen: com.vendor.npu          # who compiles what is taken; the plugin itself when left out
 *     patterns: [{name: dense, pattern: "R.add(R.matmul(x, const(w)), b)", where: ["x.dtype == 'int8'"]}, ...]
 * The pass that partitions finds the matches and asks about each of them. */
#ifndef TENON_EXT_DRAFT_PARTITIONER_H
#define TENON_EXT_DRAFT_PARTITIONER_H

#include "../context.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TN_PARTITIONER "tenon.partitioner/1"
typedef struct TnPartitioner {
  size_t size;
  /* `pattern` is the name of the row that matched; `candidate` is a relax.Function: the match as a function of its own, as
   * the code generator would get it. Its symbolic dimensions are the variables (int64) in the shapes of its parameters.
   * `*ret` is a map:
   *   take    bool
   *   when    a condition over the symbolic dimensions (an expression of dtype bool), or absent: it is taken for the values
   *           that satisfy it, and the host program keeps the other branch
   *   reason  string: why not, why only then, or why; for the report; not empty when `take` is false or `when` is there
   * The same candidate gets the same answer. Thread: one call at a time. */
  int (*decide)(void* instance, const TnContext* context, const char* pattern, const TnNode* candidate, TnValue* ret);
} TnPartitioner;

#ifdef __cplusplus
}
#endif
#endif
