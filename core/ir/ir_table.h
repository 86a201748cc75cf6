// The IR service as a table, for whoever programs against tenon/cxx.
#ifndef TENON_CORE_IR_IR_TABLE_H
#define TENON_CORE_IR_IR_TABLE_H

#include "tenon/cxx/builder.h"

namespace tenon {

// TnHostIr without print and parse, which the session adds. It has no state: constants are made in stores of their own,
// and decode refuses bytes that refer to constants (constant_store.h and bytes.h offer both with a store).
const TnHostIr& ir_table();

Builder core_builder();

}  // namespace tenon
#endif
