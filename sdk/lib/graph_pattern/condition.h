// Conditions on what a match has named: "x.shape[1] % 4 == 0 and x.dtype == 'float32'".
//
//   x.shape[I], x.ndim      integers; a negative index counts from the end, `out` is the result of the pattern
//   x.dtype                 a text, such as 'float32'
//   contiguous(x)           the type gives neither strides nor a layout
//   constant(x), static(x)  x is a constant; all extents of x are numbers
//   + - * // %  == != < <= > >=  and or not  ( )
//
// A condition holds when it is proven for all values of the symbolic dimensions, which are at least 0.
#ifndef TENON_LIB_GRAPH_PATTERN_CONDITION_H
#define TENON_LIB_GRAPH_PATTERN_CONDITION_H

#include <memory>
#include <string>
#include <vector>

namespace tenon {

struct Condition {
  enum Kind { kInt, kText, kShape, kNdim, kDtype, kContiguous, kConstantValue, kStatic, kBinary, kNot, kNegate };
  Kind kind = kInt;
  int64_t integer = 0;  // kInt, and the axis of kShape
  std::string text;     // kText; the operation of kBinary; the name of a value
  std::vector<Condition> operands;
};

// Throws TN_ERROR_PARSE, and TN_ERROR_NOT_FOUND for a name that is none of `names`.
std::shared_ptr<const Condition> parse_condition(const std::string& text, const std::string& pattern,
                                                 const std::string& where, const std::vector<std::string>& names);

}  // namespace tenon
#endif
