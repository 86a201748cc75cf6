// The elements of tensors as doubles, whatever their dtype.
#ifndef TENON_TOOL_NUMBERS_H
#define TENON_TOOL_NUMBERS_H

#include <tenon/cxx/builder.h>

#include <string>

namespace tenon::tool {

double element(const DLTensor& t, int64_t index);
void set_element(const DLTensor& t, int64_t index, double value);

// Fills the tensor: numbers in [low, high), integers in the same range, booleans 0 or 1. The same seed gives the same
// numbers on every machine.
void fill_random(const DLTensor& t, uint64_t seed, double low, double high);

struct Summary {
  double min, max, mean;  // of the finite elements; 0 when there are none
  int64_t not_finite;
};
Summary summarize(const DLTensor& t);

// "float32[2, 3]"
std::string shape_text(const DLTensor& t);

}  // namespace tenon::tool
#endif
