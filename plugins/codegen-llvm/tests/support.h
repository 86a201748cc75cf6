// What the tests of codegen-llvm share: a session, modules built in C++, tensors over vectors.
#ifndef TENON_CODEGEN_LLVM_TEST_SUPPORT_H
#define TENON_CODEGEN_LLVM_TEST_SUPPORT_H

#include <gtest/gtest.h>
#include <tenon/cxx/builder.h>

#include <functional>
#include <string>
#include <vector>

namespace tenon::test {

const Builder& builder();

// Loads a module into an executor: its public functions. Imports are registered for the session.
Map load(const Node& module, const char* executor = "codegen-llvm", const Builder::Entries& imports = {},
         const Builder::Entries& options = {});
Value load_one(const Node& function, const char* executor = "codegen-llvm", const Builder::Entries& imports = {},
               const Builder::Entries& options = {});
// The module after a pipeline, verified after every pass.
Node run_pipeline(const Node& module, const char* pipeline);
// The payload for this machine, or for another target.
Map generate(const Node& module, const Builder::Entries& options = {}, const std::string& target = "cpu");

Node prim_func(const std::vector<Node>& params, const Node& body, const Builder::Entries& attrs = {});
Node private_func(const std::vector<Node>& params, const Node& body);
Node module_of(const Builder::Entries& functions);
Node load_at(const Node& buffer, const std::vector<Node>& at);
Node store_at(const Node& buffer, const std::vector<Node>& at, const Node& value);
Node call_packed(Value type, const std::string& name, const std::vector<Node>& args);
Node call_function(const std::string& name, const std::vector<Node>& args);

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
    tensor_ = {data_.data(),   {kDLCPU, 0},   static_cast<int32_t>(shape_.size()),
               dtype_for<T>(), shape_.data(), strides_.empty() ? nullptr : strides_.data(),
               byte_offset_};
    return Value(&tensor_);
  }
  Tensor& with_strides(std::vector<int64_t> strides, uint64_t byte_offset = 0) {
    strides_ = std::move(strides);
    byte_offset_ = byte_offset;
    return *this;
  }
  T& operator[](size_t i) { return data_[i]; }
  std::vector<T>& data() { return data_; }
  size_t size() const { return data_.size(); }

 private:
  std::vector<int64_t> shape_, strides_;
  std::vector<T> data_;
  uint64_t byte_offset_ = 0;
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
// A function value from a lambda.
using Native = std::function<Value(const TnValue* args, int32_t n)>;
Value native(Native f);

}  // namespace tenon::test
#endif
