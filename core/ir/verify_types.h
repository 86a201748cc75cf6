// Whether a value of one graph type may stand where another is due.
//
// Only what can be proved is a mismatch: a type that is not known, a dimension whose value shows at run time, and an
// R.Object agree with everything. Dimensions differ when they do so for every value of their variables.
#ifndef TENON_CORE_IR_VERIFY_TYPES_H
#define TENON_CORE_IR_VERIFY_TYPES_H

#include <optional>

#include "ir/pointer_map.h"
#include "ir/verify.h"

namespace tenon {

// What the symbolic dimensions and scalar parameters of a callee stand for at a call.
class CallSymbols {
 public:
  void bind(const Node& var, const Node& value);
  bool is_bound(const Node& var) { return bound_.find(var.get()) != nullptr; }
  // The callee's expression in the caller's variables; a variable that is not bound stays as it is.
  Node resolve(const Node& expr);

 private:
  PointerMap<uint32_t> bound_;
  std::vector<Value> from_, to_;
};

class TypeRelation {
 public:
  explicit TypeRelation(const VerifyServices& services) : services_(services) {}

  // Why a value of type `given` cannot be of type `wanted`, such as "its dtype is int64, not float32"; nothing when it
  // may be. None and a dtype are types too: not known, and a scalar.
  std::optional<std::string> mismatch(const Value& given, const Value& wanted) const;
  // The same where `wanted` is written in a callee's variables. Dimensions that are one of them are bound first: call
  // it for all arguments with `bind_only`, then again.
  std::optional<std::string> mismatch(const Value& given, const Value& wanted, CallSymbols* symbols,
                                      bool bind_only) const;

  // Whether two dimensions can be shown to be different.
  bool differ(const Node& a, const Node& b) const;
  // The same for lists of them: "its dimension 1 is 4, not 5".
  std::optional<std::string> shape_mismatch(const Array& given, const Array& wanted, CallSymbols* symbols,
                                            bool bind_only) const;

 private:
  std::optional<std::string> one(const Value& given, const Value& wanted, CallSymbols* symbols, bool bind_only) const;

  const VerifyServices& services_;
};

// The type of an expression of the graph level as far as it is stated: a type node, a dtype, or none.
Value stated_type(const Node& expression);

// The extents of a tensor type; null when they are not listed in it.
const Array* listed_shape(const relax::TensorType& type);

}  // namespace tenon
#endif
