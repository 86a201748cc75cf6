// What tests of plugins are written with: one session for the whole test program, modules built in C++, tensors over
// vectors, external functions from lambdas. Header-only; the test links Tenon::compiler.
#ifndef TENON_SDK_TESTING_H
#define TENON_SDK_TESTING_H

#include <tenon/compiler_session.h>

#include <functional>
#include <random>
#include <string>
#include <vector>

namespace tenon::test {

// The session of the program, with the plugins that the environment names.
inline const CompilerSession& session() {
  static const CompilerSession& s = *new CompilerSession(tn_compiler(), Value());  // outlives what tests keep of it
  return s;
}
inline const Builder& builder() { return session().builder(); }

// ---- Modules

inline Node module_of(const Builder::Entries& functions) {
  const Builder& b = builder();
  return b.make<ir::Module>({b.map({}), b.map({}), b.map(functions), b.array({})});
}
// A loop function of the public name "main".
inline Node prim_func(const std::vector<Node>& params, const Node& body, const Builder::Entries& attrs = {}) {
  const Builder& b = builder();
  Builder::Entries all = attrs;
  all.emplace_back("global_symbol", b.string("main"));
  return b.make<tir::PrimFunc>({b.array(params), b.map(all), Value(), body});
}

// ---- Tensors

template <class T>
constexpr DLDataType dtype_for() {
  if constexpr (std::is_same_v<T, bool>)
    return kBool;
  else
    return make_dtype(std::is_floating_point_v<T> ? kDLFloat : std::is_signed_v<T> ? kDLInt : kDLUInt, sizeof(T) * 8);
}

// A tensor on the CPU over the elements of a vector; contiguous unless strides are given.
template <class T>
class Tensor {
 public:
  explicit Tensor(std::vector<int64_t> shape, T fill = T{}) : shape_(std::move(shape)) {
    size_t n = 1;
    for (int64_t d : shape_) n *= static_cast<size_t>(d);
    data_.assign(n, fill);
  }
  Tensor(std::vector<int64_t> shape, std::vector<T> data) : shape_(std::move(shape)), data_(std::move(data)) {}
  // Drawn uniformly from [low, high].
  Tensor(std::vector<int64_t> shape, std::mt19937_64& random, T low, T high) : Tensor(std::move(shape)) {
    for (T& v : data_) {
      if constexpr (std::is_floating_point_v<T>)
        v = std::uniform_real_distribution<T>(low, high)(random);
      else
        v = static_cast<T>(std::uniform_int_distribution<int64_t>(low, high)(random));
    }
  }
  Tensor& with_strides(std::vector<int64_t> strides, uint64_t byte_offset = 0) {
    strides_ = std::move(strides);
    byte_offset_ = byte_offset;
    return *this;
  }
  // A view that must not outlive the tensor.
  Value value() {
    tensor_ = {data_.data(),   {kDLCPU, 0},   static_cast<int32_t>(shape_.size()),
               dtype_for<T>(), shape_.data(), strides_.empty() ? nullptr : strides_.data(),
               byte_offset_};
    return Value(&tensor_);
  }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T& at(size_t i, size_t j) { return data_[i * static_cast<size_t>(shape_[1]) + j]; }
  std::vector<T>& data() { return data_; }
  const std::vector<T>& data() const { return data_; }
  size_t size() const { return data_.size(); }

 private:
  std::vector<int64_t> shape_, strides_;
  std::vector<T> data_;
  uint64_t byte_offset_ = 0;
  DLTensor tensor_{};
};

// ---- Calls

// Calls a function value; throws its error.
inline Value invoke(const Value& function, const std::vector<Value>& args) {
  return tenon::call_function(function, args);
}

// The error that f throws; code 0 when it throws none.
template <class F>
Error error_of(F&& f) {
  try {
    f();
  } catch (const Error& e) { return e; }
  return Error(0, "no error");
}

// A function value from a lambda.
using Native = std::function<Value(const TnValue* args, int32_t n)>;
inline Value native(const TnRuntime* runtime, Native f) {
  struct Context {
    const TnRuntime* runtime;
    Native native;
  };
  auto context = std::make_unique<Context>(Context{runtime, std::move(f)});
  Value made = call([&](TnValue* ret) {
    return runtime->function(
        [](void* self, const TnValue* args, int32_t n, TnValue* r) {
          auto* c = static_cast<Context*>(static_cast<TnFunction*>(self)->context);
          return guard(c->runtime, r, [&] { return c->native(args, n); });
        },
        context.get(), [](void* c) { delete static_cast<Context*>(c); }, ret);
  });
  (void)context.release();  // the function has it
  return made;
}
inline Value native(Native f) { return native(builder().runtime(), std::move(f)); }

}  // namespace tenon::test
#endif
