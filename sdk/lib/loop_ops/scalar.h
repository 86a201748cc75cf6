// One scalar of any loop-level dtype in 8 bytes, and the exact arithmetic on it.
//
// Integers wrap to their width, floating types compute in their own precision (float32 never goes through float64).
#ifndef TENON_LIB_LOOP_OPS_SCALAR_H
#define TENON_LIB_LOOP_OPS_SCALAR_H

#include <tenon/cxx/dtype.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace tenon {

// Integers and bool are kept in `i`, sign- or zero-extended from their dtype; float32 in `f`, float64 in `d`.
union Scalar {
  int64_t i;
  double d;
  float f;
  void* p;
};

template <class T>
inline T get(const Scalar& s) {
  if constexpr (std::is_same_v<T, float>)
    return s.f;
  else if constexpr (std::is_same_v<T, double>)
    return s.d;
  else if constexpr (std::is_same_v<T, bool>)
    return s.i != 0;
  else
    return static_cast<T>(s.i);
}

template <class T>
inline Scalar put(T v) {
  Scalar s;
  s.i = 0;
  if constexpr (std::is_same_v<T, float>)
    s.f = v;
  else if constexpr (std::is_same_v<T, double>)
    s.d = v;
  else
    s.i = static_cast<int64_t>(v);
  return s;
}

// f.operator()<T>() for the C++ type of a dtype (lanes are ignored); a default result for dtypes that have none.
template <class F>
auto with_type(DLDataType t, F&& f) -> decltype(f.template operator()<float>()) {
  switch (t.code << 8 | t.bits) {
    case kDLInt << 8 | 8: return f.template operator()<int8_t>();
    case kDLInt << 8 | 16: return f.template operator()<int16_t>();
    case kDLInt << 8 | 32: return f.template operator()<int32_t>();
    case kDLInt << 8 | 64: return f.template operator()<int64_t>();
    case kDLUInt << 8 | 8: return f.template operator()<uint8_t>();
    case kDLUInt << 8 | 16: return f.template operator()<uint16_t>();
    case kDLUInt << 8 | 32: return f.template operator()<uint32_t>();
    case kDLUInt << 8 | 64: return f.template operator()<uint64_t>();
    case TN_DL_BOOL << 8 | 8: return f.template operator()<bool>();
    case kDLFloat << 8 | 32: return f.template operator()<float>();
    case kDLFloat << 8 | 64: return f.template operator()<double>();
    default: return {};
  }
}

// Two's complement of any width: computed in 64 bits without overflow, then cut.
template <class T, class F>
inline T wrapping(T a, T b, F f) {
  return static_cast<T>(f(static_cast<uint64_t>(a), static_cast<uint64_t>(b)));
}

struct AddOp {
  template <class T>
  static T f(T a, T b) {
    if constexpr (std::is_floating_point_v<T>)
      return a + b;
    else
      return wrapping(a, b, [](uint64_t x, uint64_t y) { return x + y; });
  }
};
struct SubOp {
  template <class T>
  static T f(T a, T b) {
    if constexpr (std::is_floating_point_v<T>)
      return a - b;
    else
      return wrapping(a, b, [](uint64_t x, uint64_t y) { return x - y; });
  }
};
struct MulOp {
  template <class T>
  static T f(T a, T b) {
    if constexpr (std::is_floating_point_v<T>)
      return a * b;
    else
      return wrapping(a, b, [](uint64_t x, uint64_t y) { return x * y; });
  }
};

// The divisions of integers need b != 0; the least integer divided by -1 wraps to itself, with remainder 0.
struct TruncDivOp {
  template <class T>
  static T f(T a, T b) {
    if constexpr (std::is_floating_point_v<T>)
      return std::trunc(a / b);
    else if constexpr (std::is_signed_v<T>)
      return b == -1 ? SubOp::f<T>(0, a) : static_cast<T>(a / b);
    else
      return static_cast<T>(a / b);
  }
};
struct TruncModOp {
  template <class T>
  static T f(T a, T b) {
    if constexpr (std::is_floating_point_v<T>)
      return std::fmod(a, b);
    else if constexpr (std::is_signed_v<T>)
      return b == -1 ? T{0} : static_cast<T>(a % b);
    else
      return static_cast<T>(a % b);
  }
};
struct DivOp {  // `/`: IEEE division of floating types, truncating division of integers
  template <class T>
  static T f(T a, T b) {
    if constexpr (std::is_floating_point_v<T>)
      return a / b;
    else
      return TruncDivOp::f(a, b);
  }
};
struct FloorDivOp {
  template <class T>
  static T f(T a, T b) {
    if constexpr (std::is_floating_point_v<T>)
      return std::floor(a / b);
    else if constexpr (std::is_signed_v<T>) {
      T q = TruncDivOp::f(a, b), r = TruncModOp::f(a, b);
      return r != 0 && (r < 0) != (b < 0) ? static_cast<T>(q - 1) : q;
    } else
      return static_cast<T>(a / b);
  }
};
struct FloorModOp {
  template <class T>
  static T f(T a, T b) {
    if constexpr (std::is_floating_point_v<T>)
      return a - std::floor(a / b) * b;
    else if constexpr (std::is_signed_v<T>) {
      T r = TruncModOp::f(a, b);
      return r != 0 && (r < 0) != (b < 0) ? static_cast<T>(r + b) : r;
    } else
      return static_cast<T>(a % b);
  }
};

// NaN propagates: the result is NaN when either operand is. Which zero wins is not specified.
struct MinOp {
  template <class T>
  static T f(T a, T b) {
    if constexpr (std::is_floating_point_v<T>)
      return a != a ? a : (b != b ? b : (b < a ? b : a));
    else
      return b < a ? b : a;
  }
};
struct MaxOp {
  template <class T>
  static T f(T a, T b) {
    if constexpr (std::is_floating_point_v<T>)
      return a != a ? a : (b != b ? b : (a < b ? b : a));
    else
      return a < b ? b : a;
  }
};

// Casts: floating to integer truncates toward zero, saturates, and gives 0 for NaN; integers are cut; to bool is `!=
// 0`; all else rounds to nearest, ties to even.
template <class To, class From>
inline To cast_to(From v) {
  if constexpr (std::is_same_v<To, bool>) {
    return v != From{0};
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    using Limits = std::numeric_limits<To>;
    if (v != v) return 0;
    // 2^digits is a power of two, hence exact: the first value above the range.
    const From above = std::ldexp(From{1}, Limits::digits);
    if (v >= above) return Limits::max();
    if (v <= static_cast<From>(Limits::min())) return Limits::min();
    return static_cast<To>(v);
  } else {
    return static_cast<To>(v);
  }
}

}  // namespace tenon
#endif
