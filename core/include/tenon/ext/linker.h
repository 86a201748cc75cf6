/* "tenon.linker/1": object files in, a shared library out. [isolable] */
#ifndef TENON_EXT_LINKER_H
#define TENON_EXT_LINKER_H

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TN_LINKER "tenon.linker/1"
typedef struct TnLinker {
  size_t size;
  /* Links `objects`, an array of file names, into the shared library `output`, which is created or replaced. Sections that
   * are not loaded keep their alignment within the file. Symbols that no object defines are looked up in the C and maths
   * libraries and refused, by name, when they are not there. Thread: one call at a time. `*ret` is none. */
  int (*link)(void* instance, const TnContext* context, const TnValue* objects, const char* output, TnValue* ret);
} TnLinker;

#ifdef __cplusplus
}
#endif
#endif
