// What a loop function accepts, made from its parameters: the data of a TnSignature, owned.
//
// An executor or a code generator describes each function with it, so that interpreted and compiled functions check
// their arguments alike and fail with the same words.
#ifndef TENON_LIB_SIGNATURE_SIGNATURE_H
#define TENON_LIB_SIGNATURE_SIGNATURE_H

#include <tenon/cxx/builder.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tenon {

// For each function, which of its parameters it may write: by a store, a write region, through a view of the buffer, or
// by handing it to a function that writes it. What an external function receives counts as written.
using WrittenParams = std::map<std::string, std::vector<bool>, std::less<>>;
WrittenParams find_written_params(const Builder& b, const ir::Module& module);

struct SignatureParam {
  std::string name;
  int32_t kind;    // TN_PARAM_*
  uint32_t flags;  // TN_PARAM_WRITTEN | TN_PARAM_STRIDED
  DLDataType dtype;
  int32_t symbol;                // what an integer scalar binds, or -1
  std::vector<int64_t> dims;     // the postfix programs of the extents, one after another
  std::vector<int64_t> strides;  // the same for declared strides in elements; empty when none are declared
  int32_t ndim;
};

struct FunctionSignature {
  std::string name;
  std::vector<SignatureParam> params;
  std::vector<Node> symbols;  // the ir.Var behind each symbol, in the order in which they are bound
  std::vector<std::string> symbol_names;

  // The number of a symbol, or -1.
  int32_t symbol_of(const Node& var) const;
};

// `written` has one entry per parameter (find_written_params). Throws TN_ERROR_UNSUPPORTED or TN_ERROR_VERIFY for
// parameters that have no signature.
FunctionSignature function_signature(std::string_view name, const tir::PrimFunc& function,
                                     const std::vector<bool>& written);

// The signature of a graph function, of its parameters alone: tensors whose type gives dtype and extents, scalars of
// primitive type; everything else is a handle, which the function has to match with its type itself.
FunctionSignature graph_signature(std::string_view name, const relax::Function& function);

// The extents that a tensor type gives, as an array of expressions; null when it gives none.
Array tensor_type_shape(const relax::TensorType& type);

// A TnSignature whose tables point into a FunctionSignature, which must outlive it and stay where it is.
class SignatureView {
 public:
  explicit SignatureView(const FunctionSignature& signature);
  SignatureView(const SignatureView&) = delete;
  SignatureView& operator=(const SignatureView&) = delete;
  const TnSignature& raw() const { return raw_; }

 private:
  std::vector<TnParam> params_;
  std::vector<const char*> symbols_;
  TnSignature raw_;
};

}  // namespace tenon
#endif
