// Expressions on registers. The meaning of each operation is that of sdk/lib/loop_ops.
#include <loop_ops/loop_ops.h>

#include "handlers.h"

namespace tenon::interp {
namespace {

struct EqualOp {
  template <class T>
  static bool f(T a, T b) {
    return a == b;
  }
};
struct NotEqualOp {
  template <class T>
  static bool f(T a, T b) {
    return a != b;
  }
};
struct LessOp {
  template <class T>
  static bool f(T a, T b) {
    return a < b;
  }
};
struct LessEqualOp {
  template <class T>
  static bool f(T a, T b) {
    return a <= b;
  }
};
struct GreaterOp {
  template <class T>
  static bool f(T a, T b) {
    return a > b;
  }
};
struct GreaterEqualOp {
  template <class T>
  static bool f(T a, T b) {
    return a >= b;
  }
};
struct BothOp {
  template <class T>
  static bool f(T a, T b) {
    return a && b;
  }
};
struct EitherOp {
  template <class T>
  static bool f(T a, T b) {
    return a || b;
  }
};

template <class Op, class T>
const Instr* binary(const Instr* i, Scalar* r, Activation&) {
  r[i->d] = put(Op::f(get<T>(r[i->a]), get<T>(r[i->b])));
  return i + 1;
}

template <class Op, class T>
const Instr* divide(const Instr* i, Scalar* r, Activation& act) {
  const T divisor = get<T>(r[i->b]);
  if (divisor == 0)
    fail(act, i, TN_ERROR_CHECK_FAILED, "division of " + std::to_string(get<T>(r[i->a])) + " by zero",
         "guard the division with a condition");
  r[i->d] = put(Op::f(get<T>(r[i->a]), divisor));
  return i + 1;
}

enum class Takes { Numbers, All, Bool };

template <class Op, Takes takes, bool divides>
Handler select(DLDataType dtype) {
  return with_type(dtype, []<class T>() -> Handler {
    constexpr bool is_bool = std::is_same_v<T, bool>;
    if constexpr ((takes == Takes::Numbers && is_bool) || (takes == Takes::Bool && !is_bool))
      return nullptr;
    else if constexpr (divides && std::is_integral_v<T>)
      return &divide<Op, T>;
    else
      return &binary<Op, T>;
  });
}

struct Row {
  uint32_t kind;
  Handler (*select)(DLDataType);
};
constexpr Row kRows[] = {
    {tir::Add::kKind, &select<AddOp, Takes::Numbers, false>},
    {tir::Sub::kKind, &select<SubOp, Takes::Numbers, false>},
    {tir::Mul::kKind, &select<MulOp, Takes::Numbers, false>},
    {tir::Div::kKind, &select<DivOp, Takes::Numbers, true>},
    {tir::FloorDiv::kKind, &select<FloorDivOp, Takes::Numbers, true>},
    {tir::FloorMod::kKind, &select<FloorModOp, Takes::Numbers, true>},
    {tir::TruncDiv::kKind, &select<TruncDivOp, Takes::Numbers, true>},
    {tir::TruncMod::kKind, &select<TruncModOp, Takes::Numbers, true>},
    {tir::Min::kKind, &select<MinOp, Takes::All, false>},
    {tir::Max::kKind, &select<MaxOp, Takes::All, false>},
    {tir::EQ::kKind, &select<EqualOp, Takes::All, false>},
    {tir::NE::kKind, &select<NotEqualOp, Takes::All, false>},
    {tir::LT::kKind, &select<LessOp, Takes::All, false>},
    {tir::LE::kKind, &select<LessEqualOp, Takes::All, false>},
    {tir::GT::kKind, &select<GreaterOp, Takes::All, false>},
    {tir::GE::kKind, &select<GreaterEqualOp, Takes::All, false>},
    {tir::And::kKind, &select<BothOp, Takes::Bool, false>},
    {tir::Or::kKind, &select<EitherOp, Takes::Bool, false>},
};

template <class To, class From>
const Instr* cast(const Instr* i, Scalar* r, Activation&) {
  r[i->d] = put(cast_to<To>(get<From>(r[i->a])));
  return i + 1;
}

template <class To, class From>
const Instr* reinterpret(const Instr* i, Scalar* r, Activation&) {
  To to;
  const From from = get<From>(r[i->a]);
  std::memcpy(&to, &from, sizeof(To));
  r[i->d] = put(to);
  return i + 1;
}

}  // namespace

Handler binary_handler(uint32_t kind, DLDataType operands) {
  for (const Row& row : kRows)
    if (row.kind == kind) return row.select(operands);
  return nullptr;
}

Handler cast_handler(DLDataType to, DLDataType from) {
  return with_type(to, [&]<class To>() -> Handler {
    return with_type(from, []<class From>() -> Handler { return &cast<To, From>; });
  });
}

Handler reinterpret_handler(DLDataType to, DLDataType from) {
  return with_type(to, [&]<class To>() -> Handler {
    return with_type(from, []<class From>() -> Handler {
      if constexpr (sizeof(To) == sizeof(From) && !std::is_same_v<To, bool> && !std::is_same_v<From, bool>)
        return &reinterpret<To, From>;
      else
        return nullptr;
    });
  });
}

const Instr* logical_not(const Instr* i, Scalar* r, Activation&) {
  r[i->d].i = r[i->a].i == 0;
  return i + 1;
}

const Instr* select_value(const Instr* i, Scalar* r, Activation&) {
  r[i->d] = r[i->a].i != 0 ? r[i->b] : r[i->c];
  return i + 1;
}

const Instr* move(const Instr* i, Scalar* r, Activation&) {
  r[i->d] = r[i->a];
  return i + 1;
}

const Instr* scalar_function(const Instr* i, Scalar* r, Activation&) {
  const Scalar args[3] = {r[i->b], r[i->c], r[i->e]};
  r[i->d] = reinterpret_cast<ScalarFunction>(r[i->a].p)(args);
  return i + 1;
}

}  // namespace tenon::interp
