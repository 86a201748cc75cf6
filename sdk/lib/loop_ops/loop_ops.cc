#include <loop_ops/loop_ops.h>

#include <bit>

namespace tenon {
namespace {

// Which dtypes an op takes.
struct Floats {
  template <class T>
  static constexpr bool takes = std::is_floating_point_v<T>;
};
struct Integers {
  template <class T>
  static constexpr bool takes = std::is_integral_v<T> && !std::is_same_v<T, bool>;
};
struct Bits {  // integers and bool
  template <class T>
  static constexpr bool takes = std::is_integral_v<T>;
};
struct Numbers {
  template <class T>
  static constexpr bool takes = !std::is_same_v<T, bool>;
};

template <class Op, int arity, class T>
Scalar apply(const Scalar* a) {
  if constexpr (arity == 1) return put(Op::template f<T>(get<T>(a[0])));
  if constexpr (arity == 2) return put(Op::template f<T>(get<T>(a[0]), get<T>(a[1])));
  if constexpr (arity == 3) return put(Op::template f<T>(get<T>(a[0]), get<T>(a[1]), get<T>(a[2])));
}

template <class Op, int arity, class Dtypes>
ScalarFunction of(DLDataType dtype) {
  return with_type(dtype, []<class T>() -> ScalarFunction {
    if constexpr (Dtypes::template takes<T>)
      return &apply<Op, arity, T>;
    else
      return nullptr;
  });
}

// The functions of the C library, by name.
#define TN_MATH1(Name, function) \
  struct Name {                  \
    template <class T>           \
    static T f(T x) {            \
      return std::function(x);   \
    }                            \
  };
#define TN_MATH2(Name, function)  \
  struct Name {                   \
    template <class T>            \
    static T f(T x, T y) {        \
      return std::function(x, y); \
    }                             \
  };
TN_MATH1(Exp, exp)
TN_MATH1(Exp2, exp2)
TN_MATH1(Log, log)
TN_MATH1(Log2, log2)
TN_MATH1(Log10, log10)
TN_MATH1(Log1p, log1p)
TN_MATH1(Sqrt, sqrt)
TN_MATH1(Sin, sin)
TN_MATH1(Cos, cos)
TN_MATH1(Tan, tan)
TN_MATH1(Asin, asin)
TN_MATH1(Acos, acos)
TN_MATH1(Atan, atan)
TN_MATH1(Sinh, sinh)
TN_MATH1(Cosh, cosh)
TN_MATH1(Tanh, tanh)
TN_MATH1(Asinh, asinh)
TN_MATH1(Acosh, acosh)
TN_MATH1(Atanh, atanh)
TN_MATH1(Erf, erf)
TN_MATH1(Fabs, fabs)
TN_MATH1(Floor, floor)
TN_MATH1(Ceil, ceil)
TN_MATH1(Trunc, trunc)
TN_MATH2(Pow, pow)
TN_MATH2(Atan2, atan2)
TN_MATH2(Fmod, fmod)
TN_MATH2(Hypot, hypot)
TN_MATH2(Copysign, copysign)
TN_MATH2(Nextafter, nextafter)
#undef TN_MATH1
#undef TN_MATH2

struct Exp10 {
  template <class T>
  static T f(T x) {
    return std::pow(T{10}, x);
  }
};
struct Rsqrt {
  template <class T>
  static T f(T x) {
    return T{1} / std::sqrt(x);
  }
};
struct Sigmoid {
  template <class T>
  static T f(T x) {
    return T{1} / (T{1} + std::exp(-x));
  }
};
struct RoundEven {  // independent of the rounding mode of the thread
  template <class T>
  static T f(T x) {
    T r = std::round(x);
    return std::fabs(x - std::trunc(x)) == T{0.5} ? std::copysign(T{2} * std::round(x / T{2}), x) : r;
  }
};
struct Abs {
  template <class T>
  static T f(T x) {
    if constexpr (std::is_floating_point_v<T>)
      return std::fabs(x);
    else if constexpr (std::is_signed_v<T>)
      return x < 0 ? SubOp::f<T>(0, x) : x;
    else
      return x;
  }
};
struct Fma {
  template <class T>
  static T f(T x, T y, T z) {
    return std::fma(x, y, z);
  }
};
struct IsNan {
  template <class T>
  static bool f(T x) {
    return x != x;
  }
};
struct IsInf {
  template <class T>
  static bool f(T x) {
    return std::isinf(x);
  }
};
struct IsFinite {
  template <class T>
  static bool f(T x) {
    return std::isfinite(x);
  }
};

// A shift by a negative amount or by the width or more moves every bit out.
template <class T>
bool within_width(T amount) {
  return amount >= T{0} && static_cast<uint64_t>(amount) < sizeof(T) * 8;
}
struct ShiftLeft {
  template <class T>
  static T f(T x, T amount) {
    return within_width(amount) ? static_cast<T>(static_cast<uint64_t>(x) << amount) : T{0};
  }
};
struct ShiftRight {  // arithmetic for signed, logical for unsigned dtypes
  template <class T>
  static T f(T x, T amount) {
    if (within_width(amount)) return static_cast<T>(x >> amount);
    return x < T{0} ? static_cast<T>(-1) : T{0};
  }
};
struct And {
  template <class T>
  static T f(T x, T y) {
    return static_cast<T>(x & y);
  }
};
struct Or {
  template <class T>
  static T f(T x, T y) {
    return static_cast<T>(x | y);
  }
};
struct Xor {
  template <class T>
  static T f(T x, T y) {
    return static_cast<T>(x ^ y);
  }
};
struct BitNot {
  template <class T>
  static T f(T x) {
    if constexpr (std::is_same_v<T, bool>)
      return !x;
    else
      return static_cast<T>(~x);
  }
};
struct Popcount {
  template <class T>
  static T f(T x) {
    return static_cast<T>(std::popcount(static_cast<std::make_unsigned_t<T>>(x)));
  }
};
struct Clz {
  template <class T>
  static T f(T x) {
    return static_cast<T>(std::countl_zero(static_cast<std::make_unsigned_t<T>>(x)));
  }
};

constexpr LoopOp kRows[] = {
    {"tir.exp", 1, LoopOp::Same, &of<Exp, 1, Floats>},
    {"tir.exp2", 1, LoopOp::Same, &of<Exp2, 1, Floats>},
    {"tir.exp10", 1, LoopOp::Same, &of<Exp10, 1, Floats>},
    {"tir.log", 1, LoopOp::Same, &of<Log, 1, Floats>},
    {"tir.log2", 1, LoopOp::Same, &of<Log2, 1, Floats>},
    {"tir.log10", 1, LoopOp::Same, &of<Log10, 1, Floats>},
    {"tir.log1p", 1, LoopOp::Same, &of<Log1p, 1, Floats>},
    {"tir.sqrt", 1, LoopOp::Same, &of<Sqrt, 1, Floats>},
    {"tir.rsqrt", 1, LoopOp::Same, &of<Rsqrt, 1, Floats>},
    {"tir.sigmoid", 1, LoopOp::Same, &of<Sigmoid, 1, Floats>},
    {"tir.sin", 1, LoopOp::Same, &of<Sin, 1, Floats>},
    {"tir.cos", 1, LoopOp::Same, &of<Cos, 1, Floats>},
    {"tir.tan", 1, LoopOp::Same, &of<Tan, 1, Floats>},
    {"tir.asin", 1, LoopOp::Same, &of<Asin, 1, Floats>},
    {"tir.acos", 1, LoopOp::Same, &of<Acos, 1, Floats>},
    {"tir.atan", 1, LoopOp::Same, &of<Atan, 1, Floats>},
    {"tir.sinh", 1, LoopOp::Same, &of<Sinh, 1, Floats>},
    {"tir.cosh", 1, LoopOp::Same, &of<Cosh, 1, Floats>},
    {"tir.tanh", 1, LoopOp::Same, &of<Tanh, 1, Floats>},
    {"tir.asinh", 1, LoopOp::Same, &of<Asinh, 1, Floats>},
    {"tir.acosh", 1, LoopOp::Same, &of<Acosh, 1, Floats>},
    {"tir.atanh", 1, LoopOp::Same, &of<Atanh, 1, Floats>},
    {"tir.erf", 1, LoopOp::Same, &of<Erf, 1, Floats>},
    {"tir.pow", 2, LoopOp::Same, &of<Pow, 2, Floats>},
    {"tir.atan2", 2, LoopOp::Same, &of<Atan2, 2, Floats>},
    {"tir.fmod", 2, LoopOp::Same, &of<Fmod, 2, Floats>},
    {"tir.hypot", 2, LoopOp::Same, &of<Hypot, 2, Floats>},
    {"tir.copysign", 2, LoopOp::Same, &of<Copysign, 2, Floats>},
    {"tir.nextafter", 2, LoopOp::Same, &of<Nextafter, 2, Floats>},
    {"tir.fabs", 1, LoopOp::Same, &of<Fabs, 1, Floats>},
    {"tir.abs", 1, LoopOp::Same, &of<Abs, 1, Numbers>},
    {"tir.floor", 1, LoopOp::Same, &of<Floor, 1, Floats>},
    {"tir.ceil", 1, LoopOp::Same, &of<Ceil, 1, Floats>},
    {"tir.trunc", 1, LoopOp::Same, &of<Trunc, 1, Floats>},
    {"tir.round", 1, LoopOp::Same, &of<RoundEven, 1, Floats>},
    {"tir.nearbyint", 1, LoopOp::Same, &of<RoundEven, 1, Floats>},
    {"tir.fma", 3, LoopOp::Same, &of<Fma, 3, Floats>},
    {"tir.isnan", 1, LoopOp::Bool, &of<IsNan, 1, Floats>},
    {"tir.isinf", 1, LoopOp::Bool, &of<IsInf, 1, Floats>},
    {"tir.isfinite", 1, LoopOp::Bool, &of<IsFinite, 1, Floats>},
    {"tir.shift_left", 2, LoopOp::Same, &of<ShiftLeft, 2, Integers>},
    {"tir.shift_right", 2, LoopOp::Same, &of<ShiftRight, 2, Integers>},
    {"tir.bitwise_and", 2, LoopOp::Same, &of<And, 2, Bits>},
    {"tir.bitwise_or", 2, LoopOp::Same, &of<Or, 2, Bits>},
    {"tir.bitwise_xor", 2, LoopOp::Same, &of<Xor, 2, Bits>},
    {"tir.bitwise_not", 1, LoopOp::Same, &of<BitNot, 1, Bits>},
    {"tir.popcount", 1, LoopOp::Same, &of<Popcount, 1, Integers>},
    {"tir.clz", 1, LoopOp::Same, &of<Clz, 1, Integers>},
};

}  // namespace

std::span<const LoopOp> loop_ops() { return kRows; }

const LoopOp* find_loop_op(std::string_view id) {
  for (const LoopOp& row : kRows)
    if (id == row.id) return &row;
  return nullptr;
}

bool loop_constant(std::string_view id, DLDataType dtype, Scalar* result) {
  return with_type(dtype, [&]<class T>() -> bool {
    using Limits = std::numeric_limits<T>;
    if (id == "tir.max_value") {
      *result = put(Limits::max());
    } else if (id == "tir.min_value") {
      *result = put(Limits::lowest());
    } else if (std::is_floating_point_v<T> && id == "tir.infinity") {
      *result = put(Limits::infinity());
    } else if (std::is_floating_point_v<T> && id == "tir.nan") {
      *result = put(Limits::quiet_NaN());
    } else {
      return false;
    }
    return true;
  });
}

Scalar reinterpret_scalar(Scalar value, DLDataType from, DLDataType to) {
  // The low bits of `i` hold the bits of every dtype, float32 included.
  int64_t bits = 0;
  if (is_floating(from) && from.bits == 32)
    bits = std::bit_cast<int32_t>(value.f);
  else
    bits = value.i;
  return with_type(to, [&]<class T>() -> Scalar {
    if constexpr (std::is_same_v<T, float>)
      return put(std::bit_cast<float>(static_cast<int32_t>(bits)));
    else if constexpr (std::is_same_v<T, double>)
      return put(std::bit_cast<double>(bits));
    else
      return put(static_cast<T>(bits));
  });
}

}  // namespace tenon
