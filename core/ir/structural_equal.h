// Compares trees by structure: variables and buffers are paired where they are defined.
#ifndef TENON_CORE_IR_STRUCTURAL_EQUAL_H
#define TENON_CORE_IR_STRUCTURAL_EQUAL_H

#include <optional>
#include <string>

#include "tenon/cxx/node.h"

namespace tenon {

// Nothing when equal, else the path to the first difference: functions["main"].body.stmts[2].value, or <root>.
// Free variables are equal by pointer, or paired in order when `map_free`. Names and spans are not compared, floats by
// their bits, constants by digest.
std::optional<std::string> first_difference(const TnValue& a, const TnValue& b, bool map_free = false);

}  // namespace tenon
#endif
