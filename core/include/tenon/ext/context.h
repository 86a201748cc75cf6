/* The compile context: the first argument after the instance in every compile-side slot. Borrowed for the call. */
#ifndef TENON_EXT_CONTEXT_H
#define TENON_EXT_CONTEXT_H

#include "../ir.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TN_SEVERITY_NOTE = 0, TN_SEVERITY_WARNING = 1, TN_SEVERITY_ERROR = 2 };

typedef struct TnContext {
  size_t size;
  void* self;
  /* The target map: {kind: string, features: array of strings, host: map, limits: map, ...}. Borrowed. */
  const TnValue* target;
  /* A diagnostic for the user that does not end the call. `span` and `hint` may be null. */
  void (*report)(void* self, int32_t severity, const char* message, const TnSpan* span, const char* hint);
  /* Not 0 when the caller wants to stop: return TN_ERROR_CANCELLED soon. */
  int (*cancelled)(void* self);
  /* The function of this name in the module being compiled, its body left out: parameters, types and attributes.
   * `*ret` is none when there is no such function. */
  int (*signature)(void* self, const char* name, TnValue* ret);
  /* A fact about this compilation for the user's report: `topic` says of what kind ("placement", docs/partitioner.md), `data`
   * is a map of numbers, texts, arrays and maps. Kept in order; no part of the module. */
  void (*record)(void* self, const char* topic, const TnValue* data);
} TnContext;

#ifdef __cplusplus
}
#endif
#endif
