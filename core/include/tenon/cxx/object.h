// C++ values over abi.h: owning references, exceptions for errors, and the fence that keeps exceptions inside a
// library.
//
// Everything here is header-only and has the layout of the C structures, so that a slot of a node can be read in place.
#ifndef TENON_CXX_OBJECT_H
#define TENON_CXX_OBJECT_H

#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "../runtime.h"

namespace tenon {

// An error in flight inside one library. At a boundary it becomes a TnError (see `guard`) and back (see `check`).
class Error : public std::exception {
 public:
  Error(int32_t code, std::string message, std::string where = {}, std::string hint = {})
      : code(code), message(std::move(message)), where(std::move(where)), hint(std::move(hint)) {}
  // Copies a TnError with its causes: the first so many, for a plugin may make rings of them.
  explicit Error(const TnError* error, int causes = 64)
      : code(error->code), message(error->message), where(error->where), hint(error->hint) {
    if (error->cause && causes > 0)
      cause = std::make_shared<Error>(reinterpret_cast<const TnError*>(error->cause), causes - 1);
  }
  const char* what() const noexcept override { return message.c_str(); }

  int32_t code;
  std::string message;
  std::string where;
  std::string hint;
  std::shared_ptr<Error> cause;
};

// An owning reference to an object whose C structure is T. Null is allowed.
template <class T>
class Ref {
 public:
  using Object = T;
  Ref() = default;
  Ref(const Ref& other) : p_(other.p_) {
    if (p_) tn_object_retain(header());
  }
  Ref(Ref&& other) noexcept : p_(std::exchange(other.p_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(p_, other.p_);
    return *this;
  }
  ~Ref() {
    if (p_) tn_object_release(header());
  }
  // Takes over a reference that the caller owns.
  static Ref adopt(T* p) {
    Ref r;
    r.p_ = p;
    return r;
  }
  // Adds a reference to one that the caller keeps.
  static Ref share(const T* p) {
    Ref r;
    r.p_ = const_cast<T*>(p);
    if (p) tn_object_retain(r.header());
    return r;
  }
  const T* get() const { return p_; }
  T* get() { return p_; }
  const T* operator->() const { return p_; }
  explicit operator bool() const { return p_ != nullptr; }
  // Gives the reference away.
  T* release() { return std::exchange(p_, nullptr); }
  TnObject* header() const { return reinterpret_cast<TnObject*>(const_cast<std::remove_const_t<T>*>(p_)); }

 protected:
  // Read in place from the payload of a TnValue (Value::ref), where it is stored as a TnObject*.
  typedef T* __attribute__((may_alias)) Pointer;
  Pointer p_ = nullptr;
};

inline std::string_view string_view_of(const TnValue& v) {
  switch (v.type_index) {
    case TN_STRING:
    case TN_BYTES: {
      auto* s = reinterpret_cast<const TnString*>(v.as.object);
      return {s->data, s->size};
    }
    case TN_SMALL_STRING:
    case TN_SMALL_BYTES: return {v.as.small, v.small_size};
    case TN_C_STRING: return v.as.s;
    default: return {};
  }
}

inline bool is_string(const TnValue& v) {
  return v.type_index == TN_STRING || v.type_index == TN_SMALL_STRING || v.type_index == TN_C_STRING;
}

// A TnValue that owns what it holds. Constructing one from a C string borrows the characters: use it for arguments
// only.
class Value {
 public:
  Value() : v_{TN_NONE, 0, {0}} {}
  Value(int64_t i) : v_{TN_INT, 0, {i}} {}
  Value(int i) : Value(static_cast<int64_t>(i)) {}
  Value(bool b) : v_{TN_BOOL, 0, {b ? 1 : 0}} {}
  Value(double f) : v_{TN_FLOAT, 0, {0}} { v_.as.f = f; }
  Value(DLDataType t) : v_{TN_DTYPE, 0, {0}} { v_.as.dtype = t; }
  Value(DLDevice d) : v_{TN_DEVICE, 0, {0}} { v_.as.device = d; }
  Value(const char* s) : v_{TN_C_STRING, 0, {0}} { v_.as.s = s; }
  Value(DLTensor* t) : v_{TN_DLTENSOR, 0, {0}} { v_.as.p = t; }
  template <class T>
  Value(Ref<T> ref) : v_{TN_NONE, 0, {0}} {
    if (!ref) return;
    v_.as.object = ref.header();
    v_.type_index = v_.as.object->type_index;
    (void)ref.release();
  }
  Value(const Value& other) : v_(other.v_) { tn_value_retain(&v_); }
  Value(Value&& other) noexcept : v_(other.v_) { other.v_ = {TN_NONE, 0, {0}}; }
  Value& operator=(Value other) noexcept {
    std::swap(v_, other.v_);
    return *this;
  }
  ~Value() { tn_value_release(&v_); }
  static Value adopt(const TnValue& v) {
    Value r;
    r.v_ = v;
    return r;
  }
  static Value share(const TnValue& v) {
    tn_value_retain(&v);
    return adopt(v);
  }
  static const Value& view(const TnValue& v) { return reinterpret_cast<const Value&>(v); }

  const TnValue& raw() const { return v_; }
  const TnValue* ptr() const { return &v_; }
  TnValue release() { return std::exchange(v_, TnValue{TN_NONE, 0, {0}}); }

  int32_t type_index() const { return v_.type_index; }
  bool is_none() const { return v_.type_index == TN_NONE; }
  bool is_int() const { return v_.type_index == TN_INT; }
  bool is_bool() const { return v_.type_index == TN_BOOL; }
  bool is_float() const { return v_.type_index == TN_FLOAT; }
  bool is_dtype() const { return v_.type_index == TN_DTYPE; }
  bool is_string() const { return tenon::is_string(v_); }
  bool is_node() const { return v_.type_index == TN_NODE; }
  bool is_array() const { return v_.type_index == TN_ARRAY; }
  bool is_map() const { return v_.type_index == TN_MAP; }
  int64_t as_int() const { return v_.as.i; }
  bool as_bool() const { return v_.as.i != 0; }
  double as_float() const { return v_.type_index == TN_INT ? static_cast<double>(v_.as.i) : v_.as.f; }
  DLDataType as_dtype() const { return v_.as.dtype; }
  std::string_view as_string() const { return string_view_of(v_); }
  // In-place views of an object payload as the C++ reference of that type (Node, Array, Map, ...). Unchecked.
  template <class R>
  const R& ref() const {
    return *reinterpret_cast<const R*>(reinterpret_cast<const char*>(&v_) + offsetof(TnValue, as));
  }

 private:
  TnValue v_;
};
static_assert(sizeof(Value) == sizeof(TnValue));

// What a call is given, without a reference of its own: it is written in the call and lives no longer.
class Argument {
 public:
  Argument() : v_{TN_NONE, 0, {0}} {}
  Argument(int64_t i) : v_{TN_INT, 0, {i}} {}
  Argument(int i) : Argument(static_cast<int64_t>(i)) {}
  Argument(bool b) : v_{TN_BOOL, 0, {b ? 1 : 0}} {}
  Argument(double f) : v_{TN_FLOAT, 0, {0}} { v_.as.f = f; }
  Argument(DLDataType t) : v_{TN_DTYPE, 0, {0}} { v_.as.dtype = t; }
  Argument(const char* s) : v_{TN_C_STRING, 0, {0}} { v_.as.s = s; }
  Argument(const Value& v) : v_(v.raw()) {}
  template <class T>
  Argument(const Ref<T>& ref) : v_{TN_NONE, 0, {0}} {
    if (!ref) return;
    v_.as.object = ref.header();
    v_.type_index = v_.as.object->type_index;
  }

 private:
  TnValue v_;
};
static_assert(sizeof(Argument) == sizeof(TnValue));

// An immutable array. Null and empty are the same.
class Array : public Ref<TnArray> {
 public:
  Array() = default;
  Array(Ref<TnArray> r) : Ref(std::move(r)) {}
  size_t size() const { return p_ ? p_->size : 0; }
  bool empty() const { return size() == 0; }
  const Value& operator[](size_t i) const { return Value::view(p_->data[i]); }
  const Value* begin() const { return p_ ? reinterpret_cast<const Value*>(p_->data) : nullptr; }
  const Value* end() const { return begin() + size(); }
};

// An immutable map from text, in the order of the keys. Null and empty are the same.
class Map : public Ref<TnMap> {
 public:
  struct Entry {
    TnValue key_value;
    TnValue mapped_value;
    std::string_view key() const { return string_view_of(key_value); }
    const Value& value() const { return Value::view(mapped_value); }
  };
  Map() = default;
  Map(Ref<TnMap> r) : Ref(std::move(r)) {}
  size_t size() const { return p_ ? p_->size : 0; }
  bool empty() const { return size() == 0; }
  const Entry* begin() const { return p_ ? reinterpret_cast<const Entry*>(p_->data) : nullptr; }
  const Entry* end() const { return begin() + size(); }
  // Null when there is no such key.
  const Value* find(std::string_view key) const {
    const Entry* first = begin();
    size_t n = size();
    while (n > 0) {
      const Entry* middle = first + n / 2;
      int order = middle->key().compare(key);
      if (order == 0) return &middle->value();
      if (order < 0) {
        first = middle + 1;
        n -= n / 2 + 1;
      } else {
        n /= 2;
      }
    }
    return nullptr;
  }
};

// Whether a value is what its type index says, as far as can be seen without following what may be no pointer.
inline bool is_sound(const TnValue& v) {
  if (v.type_index < TN_OBJECT) return v.type_index >= TN_NONE && v.type_index <= TN_SMALL_BYTES;
  return v.as.object && v.as.object->type_index == v.type_index;
}

// Turns the result of a slot into a value, or throws the error that it returned.
inline Value check(int status, TnValue& ret) {
  if (!is_sound(ret))
    throw Error(TN_ERROR_PLUGIN,
                "a call returned what is no value (type index " + std::to_string(ret.type_index) + ")");
  Value owned = Value::adopt(ret);
  if (status == 0) return owned;
  if (owned.type_index() != TN_ERROR) throw Error(TN_ERROR_PLUGIN, "a call failed without an error object");
  throw Error(reinterpret_cast<const TnError*>(owned.raw().as.object));
}

// Calls f(TnValue* ret) -> int and checks it:  Value v = call([&](TnValue* ret) { return rt->string(p, n, ret); });
template <class F>
Value call(F&& f) {
  TnValue ret{TN_NONE, 0, {0}};
  int status = f(&ret);
  return check(status, ret);
}

inline int set_error(const TnRuntime* rt, const Error& e, TnValue* ret) {
  TnValue cause{TN_NONE, 0, {0}};
  if (e.cause) set_error(rt, *e.cause, &cause);
  int status =
      rt->error(e.code, e.message.c_str(), e.where.c_str(), e.hint.c_str(), e.cause ? cause.as.object : nullptr, ret);
  tn_value_release(&cause);
  return status;
}

// The fence of a C slot: runs f() -> Value (or anything that converts) and turns exceptions into errors.
template <class F>
int guard(const TnRuntime* rt, TnValue* ret, F&& f) noexcept {
  try {
    *ret = Value(f()).release();
    return 0;
  } catch (const Error& e) { return set_error(rt, e, ret); } catch (const std::bad_alloc&) {
    return rt->error(TN_ERROR_OUT_OF_MEMORY, "out of memory", nullptr, nullptr, nullptr, ret);
  } catch (const std::exception& e) {
    return rt->error(TN_ERROR_INTERNAL, e.what(), nullptr, nullptr, nullptr, ret);
  } catch (...) {
    return rt->error(TN_ERROR_INTERNAL, "an unknown exception reached the boundary of a library", nullptr, nullptr,
                     nullptr, ret);
  }
}

}  // namespace tenon
#endif
