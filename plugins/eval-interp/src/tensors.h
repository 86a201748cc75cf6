// Whole tensors: fresh ones, views of constants and of borrowed memory, copies.
#ifndef TENON_INTERP_TENSORS_H
#define TENON_INTERP_TENSORS_H

#include "machine.h"

namespace tenon::interp {

// A contiguous CPU tensor, filled as the options say. Fails when it goes beyond max_bytes.
Value fresh_tensor(const Machine& machine, DLDataType dtype, const std::vector<int64_t>& shape);
// A tensor over the bytes of a constant, which it keeps alive.
Value constant_tensor(const TnRuntime* rt, const TnConstant* constant, DLDataType dtype,
                      const std::vector<int64_t>& shape);
// A tensor object over memory that the caller lends.
Value borrowed_tensor(const TnRuntime* rt, const DLTensor& tensor);
// Copies element by element between CPU tensors of the same dtype and shape, whatever their strides. Fails naming
// `what`.
void copy_tensor(const DLTensor& from, const DLTensor& to, const std::string& what);

}  // namespace tenon::interp
#endif
