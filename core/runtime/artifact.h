#ifndef TENON_RUNTIME_ARTIFACT_H
#define TENON_RUNTIME_ARTIFACT_H

#include "runtime/payload.h"

namespace tenon::rt {

// See TnRuntime.artifact_open.
int artifact_open(const char* path, const TnValue* imports, int verify_constants, TnValue* ret);
// See TnRuntime.instantiate.
int instantiate(const char* path, const TnValue* options, TnValue* ret);

}  // namespace tenon::rt
#endif
