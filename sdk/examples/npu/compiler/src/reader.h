// What a graph function asks of the accelerator: one product with what may follow it.
#ifndef EXAMPLE_NPU_READER_H
#define EXAMPLE_NPU_READER_H

#include <tenon/plugin.h>

#include "../../stream.h"

namespace npu {

struct Product {
  NpuCommand command{};  // without its lanes and constants
  NpuTensor in, out;
  std::vector<int8_t> weight;  // of row r and column c at r * row_stride + c * column_stride
  int64_t row_stride = 0, column_stride = 0;
  std::vector<int32_t> bias;  // empty: none
};

// Reads requantise(relu(product(int32(x), int32(w)) + bias)), of which all but the product may be absent, by the
// operators of the graph level:
//   product     R.matmul, R.nn.conv2d of R.astype(x, "int32") and R.astype(w, "int32"); w is a constant
//   bias        R.add of a constant with one value for each column, or channel
//   relu        R.nn.relu
//   requantise  R.astype(R.clip(R.floor_divide(R.add(R.multiply(acc, m), 1 << (s - 1)), 1 << s), -128, 127), "int8"),
//   in
//               int32 or, with R.astype of acc, in int64
// Throws TN_ERROR_UNSUPPORTED for all else, with what it is.
Product read_product(const std::string& name, const tenon::relax::Function& f);

}  // namespace npu
#endif
