// The run that a thread is in: what its caller asked of it.
#ifndef TENON_RUNTIME_RUN_H
#define TENON_RUNTIME_RUN_H

#include "runtime/device.h"

namespace tenon::rt {

// Blocks of the caller's memory, given out like a stack.
struct Scratch {
  char* begin;
  char* end;
  char* top;
  char* newest;  // the block that was given out last, or null
};

struct Run {
  TnRunContext context;
  Run* outer;  // the run that called this one, on the same thread
  Scratch own_scratch;
  Scratch* scratch;
};

// Null in a plain call.
extern __thread Run* current_run;

int64_t now_ns();
// 0, or -1 with TN_ERROR_CANCELLED when the run, or one around it, is cancelled or late.
int check_run(const Run* run, TnValue* ret);
int check_current_run(TnValue* ret);
inline bool can_stop(const Run* run) {
  for (; run; run = run->outer)
    if (run->context.cancel || run->context.deadline_ns) return true;
  return false;
}
// How long to wait for something before looking at the run again.
int64_t wait_slice_ns(const Run* run);
// The queue that the run's caller gave for a device, or null.
QueueObject* run_queue(const Run* run, const Device* device);

int run_function(TnFunction* function, const TnRunContext* context, const TnValue* args, int32_t n, TnValue* ret);
// Fields of `defaults` hold where those of the current run are zero.
// Replaces a function by one that runs it so; when that fails the error is in its place.
int bind_function(TnValue* function, const TnRunContext& defaults);

void tell_profiler(const Run* run, int32_t kind, const char* name, const char* device, int64_t begin_ns,
                   uint64_t bytes);

void* scratch_alloc(Scratch* scratch, size_t bytes);  // null when there is no room
bool scratch_free(const Run* run, void* memory);      // whether it was memory of a scratch

}  // namespace tenon::rt
#endif
