#ifndef TENON_RUNTIME_ARTIFACT_H
#define TENON_RUNTIME_ARTIFACT_H

#include "runtime/internal.h"

namespace tenon::rt {

// See TnRuntime.artifact_open.
int artifact_open(const char* path, const TnValue* imports, int verify_constants, TnValue* ret);

}  // namespace tenon::rt
#endif
