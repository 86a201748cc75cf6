// Whether two runs gave the same: integers exactly, floating-point numbers within a table of tolerances.
#ifndef TENON_BUILD_CHECK_COMPARE_H
#define TENON_BUILD_CHECK_COMPARE_H

#include <optional>
#include <string>
#include <vector>

#include "tenon/cxx/builder.h"

namespace tenon {

// What a run gave: the tensors and numbers of the result and of the parameters, by name ("result[1]", "out").
struct NamedValue {
  std::string name;
  Value value;
};
using Outcome = std::vector<NamedValue>;
// Adds a value, its fields one by one.
void add_outcome(const std::string& name, const Value& value, Outcome& out);

// How far elements may differ, as a part of the greatest magnitude in the tensor: half-ulp errors of `reduction_length`
// additions, in whatever order. 0 for what is compared exactly.
double tolerance(DLDataType dtype, int64_t reduction_length);

// What differs first, as a sentence: "result[0] is 3.5 at [1, 2] where ..."; nothing when the runs agree. NaN equals
// NaN.
std::optional<std::string> difference(const Outcome& expected, const Outcome& got, int64_t reduction_length);

// Whether a floating-point number among them is NaN.
bool has_nan(const Outcome& outcome);

// The greatest number of elements that a block of the module's loop functions reduces to one; a symbolic extent counts
// as `symbol_size`.
int64_t reduction_length(const Builder& b, const Node& module, int64_t symbol_size);

}  // namespace tenon
#endif
