// NumPy's .npy files, versions 1 to 3, as tensors.
#ifndef TENON_TOOL_NPY_H
#define TENON_TOOL_NPY_H

#include <tenon/cxx/builder.h>
#include <tenon/cxx/numbers.h>

#include <string>

namespace tenon::tool {

// A contiguous tensor on the CPU. Throws with the file's name for what is no array file, is cut short or has a type
// that Tenon lacks; Fortran order and big-endian numbers are refused.
Value read_npy(const Builder& b, const std::string& path);

// bfloat16 has no NumPy type and is written as the 16-bit integers of its bits.
void write_npy(const std::string& path, const DLTensor& tensor);

// A new tensor; its memory is zero.
Value make_tensor(const Builder& b, DLDataType dtype, const std::vector<int64_t>& shape);
inline DLTensor& tensor_of(const Value& v) { return reinterpret_cast<TnTensor*>(v.raw().as.object)->tensor; }

}  // namespace tenon::tool
#endif
