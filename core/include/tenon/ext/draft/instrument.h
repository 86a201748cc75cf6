/* "tenon.instrument/1": looks on while passes run: statistics, checks of a vendor's own, dumps. [in-process]
 *
 * An instrument takes part when the caller names its plugin (`instruments` of run_pipeline, `--instrument`). It changes
 * nothing; an error that it returns ends the run, naming the instrument and the pass. */
#ifndef TENON_EXT_DRAFT_INSTRUMENT_H
#define TENON_EXT_DRAFT_INSTRUMENT_H

#include "../context.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TN_INSTRUMENT "tenon.instrument/1"
typedef struct TnInstrument {
  size_t size;
  /* Before and after each pass that is not disabled; either may be null. `record` is a map {pass, number, changed, disabled,
   * milliseconds}, the last three as after the pass; `*ret` is none. Thread: one call at a time. */
  int (*before_pass)(void* instance, const TnContext* context, const TnValue* record, const TnNode* module,
                     TnValue* ret);
  int (*after_pass)(void* instance, const TnContext* context, const TnValue* record, const TnNode* before,
                    const TnNode* after, TnValue* ret);
} TnInstrument;

#ifdef __cplusplus
}
#endif
#endif
