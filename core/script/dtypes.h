// Questions about dtypes that an unknown one ({0, 0, 0}) answers with no.
#ifndef TENON_CORE_SCRIPT_DTYPES_H
#define TENON_CORE_SCRIPT_DTYPES_H

#include "tenon/cxx/dtype.h"

namespace tenon::script {

constexpr bool is_int(DLDataType t) { return t.bits != 0 && is_integer(t); }
constexpr bool is_number(DLDataType t) { return t.bits != 0 && (is_integer(t) || is_floating(t) || is_bool(t)); }

}  // namespace tenon::script
#endif
