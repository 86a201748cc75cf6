// The module as an artifact is made of it: without source positions, and with names that follow from its structure. So
// the same bytes come out whether the module came through memory or through the text of a dump.
#ifndef TENON_BUILD_CANONICAL_H
#define TENON_BUILD_CANONICAL_H

#include "tenon/cxx/builder.h"

namespace tenon {

// Parameters of functions, and the symbols in their shapes, keep their names. The name of any other variable or buffer
// loses the number that tells it from others ("relu_2" becomes "relu"), and gets one in the order of appearance where
// it needs one.
Node canonical_module(const Builder& b, const Node& module);

}  // namespace tenon
#endif
