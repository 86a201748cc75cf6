// What the tests of eval-interp share: a session, modules built in C++, tensors over vectors.
#ifndef TENON_INTERP_TEST_SUPPORT_H
#define TENON_INTERP_TEST_SUPPORT_H

#include <gtest/gtest.h>
#include <tenon/cxx/builder.h>

#include <functional>
#include <string>
#include <vector>

namespace tenon::test {

const Builder& builder();

// A service of the session.
const void* service(const char* id);

// Loads a module into eval-interp: its public functions.
Map load(const Node& module, const Map& imports = {}, const Map& options = {});
// The one function of a module that has one.
Value load_one(const Node& function, const Map& imports = {}, const Map& options = {});

// A public function and a module of it, by name "main".
Node prim_func(const std::vector<Node>& params, const Node& body);
Node module_of(const Builder::Entries& functions);

Node range(const Node& min, const Node& extent);
Node iter_var(const Node& var, const Node& extent, int64_t kind);
Node block(const std::string& name, const std::vector<Node>& axes, const std::vector<Node>& values, const Node& body,
           const Value& init = {}, const std::vector<Node>& alloc = {}, const std::vector<Node>& match = {});

template <class T>
constexpr DLDataType dtype_for() {
  if constexpr (std::is_same_v<T, bool>)
    return kBool;
  else
    return make_dtype(std::is_floating_point_v<T> ? kDLFloat : std::is_signed_v<T> ? kDLInt : kDLUInt, sizeof(T) * 8);
}

// A contiguous tensor over the elements of a vector.
template <class T>
class Tensor {
 public:
  explicit Tensor(std::vector<int64_t> shape, T fill = T{}) : shape_(std::move(shape)) {
    size_t n = 1;
    for (int64_t d : shape_) n *= static_cast<size_t>(d);
    data_.assign(n, fill);
  }
  Tensor(std::vector<int64_t> shape, std::vector<T> data) : shape_(std::move(shape)), data_(std::move(data)) {}
  // A view that must not outlive the tensor.
  Value value() {
    tensor_ = {
        data_.data(), {kDLCPU, 0}, static_cast<int32_t>(shape_.size()), dtype_for<T>(), shape_.data(), nullptr, 0};
    return Value(&tensor_);
  }
  T& operator[](size_t i) { return data_[i]; }
  const std::vector<T>& data() const { return data_; }
  size_t size() const { return data_.size(); }

 private:
  std::vector<int64_t> shape_;
  std::vector<T> data_;
  DLTensor tensor_{};
};

// Calls a function value; throws its error.
Value invoke(const Value& function, std::vector<Value> args);
// The error of a call or a load; code 0 when there is none.
template <class F>
Error error_of(F&& f) {
  try {
    f();
  } catch (const Error& e) { return e; }
  return Error(0, "no error");
}
// A function value from a lambda `Value(const TnValue* args, int32_t n)`.
using Native = std::function<Value(const TnValue* args, int32_t n)>;
Value native(Native f);

}  // namespace tenon::test
#endif
