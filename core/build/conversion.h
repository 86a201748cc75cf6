// A capability that is defined elsewhere, of one slot that makes a value of a value: the core is told its id alone.
#ifndef TENON_BUILD_CONVERSION_H
#define TENON_BUILD_CONVERSION_H

#include "tenon/ext/context.h"

namespace tenon {

struct Conversion {
  size_t size;
  int (*convert)(void* instance, const TnContext* context, const TnValue* given, TnValue* ret);
};

}  // namespace tenon
#endif
