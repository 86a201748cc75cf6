// Signatures and their arguments in the words of a message.
#ifndef TENON_RUNTIME_SIGNATURE_TEXT_H
#define TENON_RUNTIME_SIGNATURE_TEXT_H

#include "runtime/internal.h"

namespace tenon::rt {

// Text of bounded length; what does not fit is cut off.
class Text {
 public:
  __attribute__((format(printf, 2, 3))) void add(const char* format, ...);
  const char* data() const { return data_; }

 private:
  char data_[768] = "";
  size_t size_ = 0;
};

// What is known of the symbols of a signature while its arguments are checked.
struct Symbols {
  const TnSignature& signature;
  int64_t* values;
  int32_t* bound_by;  // for each symbol the parameter that bound it, or -1

  const char* name(int64_t s) const { return signature.symbols && signature.symbols[s] ? signature.symbols[s] : "?"; }
  bool is_bound(int64_t s) const { return bound_by[s] >= 0; }
};

inline const TnParam& param_of(const TnSignature& s, int32_t i) {
  return *reinterpret_cast<const TnParam*>(reinterpret_cast<const char*>(s.params) +
                                           static_cast<size_t>(i) * s.param_size);
}

// The program that follows the one at `p`.
const int64_t* next_dim(const int64_t* p);
// Whether the program is a symbol and nothing else.
inline bool is_bare_symbol(const int64_t* p) { return p[0] == TN_DIM_SYMBOL && p[2] == TN_DIM_END; }

void add_dtype(Text& out, DLDataType dtype);                              // float32
void add_dim(Text& out, const Symbols& symbols, const int64_t* program);  // n*(m + 1)
void add_expected(Text& out, const Symbols& symbols, const TnParam& p);   // float32 (n=2, k)
void add_actual(Text& out, const DLTensor& tensor);                       // float32 (2, 3)
// (A: float32 (n, k), scale: float32)
void add_parameters(Text& out, const Symbols& symbols);
// n is 2 by argument 0 (A), m is 4 by argument 1 (B)
void add_bindings(Text& out, const Symbols& symbols, const int64_t* program);
const char* type_name(int32_t type_index);

}  // namespace tenon::rt
#endif
