// The translations of the intrinsics of ops-loop, one row each.
#include <cmath>
#include <limits>

#include "function_emitter.h"
#include "math.h"

namespace tenon::backend {
namespace {

using E = FunctionEmitter;
using V = llvm::Value*;

V arg(E& e, const ir::Call& c, size_t i) {
  NodeRange args = nodes(c.args());
  if (i >= args.size()) e.refuse(c, "a call of " + std::string(c.op().to<ir::Op>().id()) + " has too few arguments");
  return e.expr(args[i]);
}

DLDataType arg_type(const ir::Call& c, size_t i) { return nodes(c.args())[i].dtype(); }

void require_real(E& e, const ir::Call& c) {
  if (!is_floating(arg_type(c, 0)))
    e.refuse(c, std::string(c.op().to<ir::Op>().id()) + " is defined on float32 and float64, not on " +
                    dtype_text(arg_type(c, 0)));
}

// One instruction or LLVM intrinsic.
template <llvm::Intrinsic::ID id>
V unary(E& e, const ir::Call& c) {
  require_real(e, c);
  return e.ir().CreateUnaryIntrinsic(id, arg(e, c, 0));
}
template <llvm::Intrinsic::ID id>
V binary(E& e, const ir::Call& c) {
  require_real(e, c);
  V a = arg(e, c, 0), b = arg(e, c, 1);
  return e.ir().CreateBinaryIntrinsic(id, a, b);
}

// A function of the C library, in double precision, lane by lane.
V library(E& e, const char* name, const std::vector<V>& args) {
  llvm::Type* type = args[0]->getType();
  llvm::Type* wide = type->getWithNewType(e.ir().getDoubleTy());
  llvm::FunctionCallee callee = e.module().libm(name, e.ir().getDoubleTy(), static_cast<int>(args.size()));
  std::vector<V> in;
  for (V a : args) in.push_back(e.ir().CreateFPCast(a, wide));
  auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(type);
  if (!vector) return e.ir().CreateFPCast(e.ir().CreateCall(callee, in), type);
  V out = llvm::PoisonValue::get(wide);
  for (unsigned lane = 0; lane < vector->getNumElements(); ++lane) {
    std::vector<V> lanes;
    for (V a : in) lanes.push_back(e.ir().CreateExtractElement(a, lane));
    out = e.ir().CreateInsertElement(out, e.ir().CreateCall(callee, lanes), lane);
  }
  return e.ir().CreateFPCast(out, type);
}
template <const char* const& name, int count>
V libm(E& e, const ir::Call& c) {
  require_real(e, c);
  std::vector<V> args;
  for (int i = 0; i < count; ++i) args.push_back(arg(e, c, static_cast<size_t>(i)));
  return library(e, name, args);
}

// float32 by arithmetic, float64 by the C library.
template <V (*approximate)(llvm::IRBuilder<>&, V), const char* const& name>
V fast(E& e, const ir::Call& c) {
  require_real(e, c);
  V x = arg(e, c, 0);
  return x->getType()->getScalarType()->isFloatTy() ? approximate(e.ir(), x) : library(e, name, {x});
}

V sigmoid(E& e, const ir::Call& c) {
  require_real(e, c);
  V x = arg(e, c, 0);
  if (x->getType()->getScalarType()->isFloatTy()) return emit_sigmoid(e.ir(), x);
  V one = e.constant(x->getType(), 1.0), zero = e.constant(x->getType(), 0.0);
  V t = library(e, "exp", {e.ir().CreateFNeg(e.ir().CreateUnaryIntrinsic(llvm::Intrinsic::fabs, x))});
  V numerator = e.ir().CreateSelect(e.ir().CreateFCmpOLT(x, zero), t, one);
  return e.ir().CreateFDiv(numerator, e.ir().CreateFAdd(one, t));
}

V rsqrt(E& e, const ir::Call& c) {
  require_real(e, c);
  V root = e.ir().CreateUnaryIntrinsic(llvm::Intrinsic::sqrt, arg(e, c, 0));
  return e.ir().CreateFDiv(e.constant(root->getType(), 1.0), root);
}

V exp10(E& e, const ir::Call& c) {
  require_real(e, c);
  V x = arg(e, c, 0);
  return library(e, "pow", {e.constant(x->getType(), 10.0), x});
}

// Small whole powers are products.
V power(E& e, const ir::Call& c) {
  require_real(e, c);
  const Node* y = &nodes(c.args())[1];
  if (const auto* b = y->as<tir::Broadcast>()) y = &b->value();
  const auto* imm = y->as<ir::FloatImm>();
  V x = arg(e, c, 0);
  if (imm && imm->value() == 1.0) return x;
  if (imm && imm->value() == 2.0) return e.ir().CreateFMul(x, x);
  if (imm && imm->value() == -1.0) return e.ir().CreateFDiv(e.constant(x->getType(), 1.0), x);
  return library(e, "pow", {x, arg(e, c, 1)});
}

V next_after(E& e, const ir::Call& c) {
  require_real(e, c);
  V x = arg(e, c, 0), y = arg(e, c, 1);
  llvm::Type* scalar = x->getType()->getScalarType();
  llvm::FunctionCallee callee = e.module().libm(scalar->isFloatTy() ? "nextafterf" : "nextafter", scalar, 2);
  auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(x->getType());
  if (!vector) return e.ir().CreateCall(callee, {x, y});
  V out = llvm::PoisonValue::get(vector);
  for (unsigned lane = 0; lane < vector->getNumElements(); ++lane)
    out = e.ir().CreateInsertElement(
        out, e.ir().CreateCall(callee, {e.ir().CreateExtractElement(x, lane), e.ir().CreateExtractElement(y, lane)}),
        lane);
  return out;
}

V absolute(E& e, const ir::Call& c) {
  V x = arg(e, c, 0);
  DLDataType t = arg_type(c, 0);
  if (is_floating(t)) return e.ir().CreateUnaryIntrinsic(llvm::Intrinsic::fabs, x);
  return t.code == kDLInt ? e.ir().CreateBinaryIntrinsic(llvm::Intrinsic::abs, x, e.ir().getFalse()) : x;
}

V fma(E& e, const ir::Call& c) {
  require_real(e, c);
  V x = arg(e, c, 0), y = arg(e, c, 1), z = arg(e, c, 2);
  return e.ir().CreateIntrinsic(llvm::Intrinsic::fma, {x->getType()}, {x, y, z});
}

V isnan(E& e, const ir::Call& c) {
  require_real(e, c);
  V x = arg(e, c, 0);
  return e.ir().CreateFCmpUNO(x, x);
}
V magnitude_against_infinity(E& e, const ir::Call& c, llvm::CmpInst::Predicate p) {
  require_real(e, c);
  V x = e.ir().CreateUnaryIntrinsic(llvm::Intrinsic::fabs, arg(e, c, 0));
  return e.ir().CreateFCmp(p, x, e.constant(x->getType(), std::numeric_limits<double>::infinity()));
}
V isinf(E& e, const ir::Call& c) { return magnitude_against_infinity(e, c, llvm::CmpInst::FCMP_OEQ); }
V isfinite(E& e, const ir::Call& c) { return magnitude_against_infinity(e, c, llvm::CmpInst::FCMP_OLT); }

// An amount outside of the width moves every bit out.
V shift(E& e, const ir::Call& c, bool left) {
  V x = arg(e, c, 0), n = arg(e, c, 1);
  DLDataType t = arg_type(c, 0), amount = arg_type(c, 1);
  n = e.convert(n, amount, t);
  V inside = e.ir().CreateICmpULT(n, e.integer(x->getType(), t.bits));
  V safe = e.ir().CreateSelect(inside, n, e.integer(x->getType(), t.code == kDLInt && !left ? t.bits - 1 : 0));
  if (!left && t.code == kDLInt) return e.ir().CreateAShr(x, safe);
  V moved = left ? e.ir().CreateShl(x, safe) : e.ir().CreateLShr(x, safe);
  return e.ir().CreateSelect(inside, moved, llvm::Constant::getNullValue(x->getType()));
}
V shift_left(E& e, const ir::Call& c) { return shift(e, c, true); }
V shift_right(E& e, const ir::Call& c) { return shift(e, c, false); }

template <llvm::Instruction::BinaryOps op>
V bitwise(E& e, const ir::Call& c) {
  V a = arg(e, c, 0), b = arg(e, c, 1);
  return e.ir().CreateBinOp(op, a, b);
}
V bitwise_not(E& e, const ir::Call& c) { return e.ir().CreateNot(arg(e, c, 0)); }
V popcount(E& e, const ir::Call& c) { return e.ir().CreateUnaryIntrinsic(llvm::Intrinsic::ctpop, arg(e, c, 0)); }
V clz(E& e, const ir::Call& c) {
  return e.ir().CreateBinaryIntrinsic(llvm::Intrinsic::ctlz, arg(e, c, 0), e.ir().getFalse());
}

V limit(E& e, const ir::Call& c, bool greatest) {
  DLDataType t = c.dtype();
  llvm::Type* type = e.module().type_of(t);
  if (same_dtype(element_of(t), kFloat32))
    return e.constant(
        type, static_cast<double>(greatest ? std::numeric_limits<float>::max() : std::numeric_limits<float>::lowest()));
  if (is_floating(t))
    return e.constant(type, greatest ? std::numeric_limits<double>::max() : std::numeric_limits<double>::lowest());
  bool is_signed = t.code == kDLInt;
  unsigned bits = type->getScalarSizeInBits();
  llvm::APInt v = greatest ? (is_signed ? llvm::APInt::getSignedMaxValue(bits) : llvm::APInt::getMaxValue(bits))
                           : (is_signed ? llvm::APInt::getSignedMinValue(bits) : llvm::APInt::getMinValue(bits));
  return llvm::ConstantInt::get(type, v);
}
V max_value(E& e, const ir::Call& c) { return limit(e, c, true); }
V min_value(E& e, const ir::Call& c) { return limit(e, c, false); }
// What a constant of a floating dtype is asked of.
void require_floating(E& e, const ir::Call& c) {
  if (!is_floating(c.dtype()))
    e.refuse(c, std::string(c.op().to<ir::Op>().id()) + " is defined on float32 and float64, not on " +
                    dtype_text(c.dtype()));
}
V infinity(E& e, const ir::Call& c) {
  require_floating(e, c);
  return e.constant(e.module().type_of(c.dtype()), std::numeric_limits<double>::infinity());
}
V nan(E& e, const ir::Call& c) {
  require_floating(e, c);
  return e.constant(e.module().type_of(c.dtype()), std::numeric_limits<double>::quiet_NaN());
}
V reinterpret(E& e, const ir::Call& c) {
  if (arg_type(c, 0).bits != c.dtype().bits || is_bool(arg_type(c, 0)) || is_bool(c.dtype()))
    e.refuse(c, "tir.reinterpret from " + dtype_text(arg_type(c, 0)) + " to " + dtype_text(c.dtype()));
  return e.ir().CreateBitCast(arg(e, c, 0), e.module().type_of(c.dtype()));
}

V if_then_else(E& e, const ir::Call& c) {
  V condition = arg(e, c, 0);
  if (condition->getType()->isVectorTy()) {
    V a = arg(e, c, 1), b = arg(e, c, 2);
    return e.ir().CreateSelect(condition, a, b);
  }
  return e.branch(condition, e.module().type_of(c.dtype()), [&] { return arg(e, c, 1); }, [&] { return arg(e, c, 2); });
}
V likely(E& e, const ir::Call& c) { return arg(e, c, 0); }
V take_address(E& e, const ir::Call& c) {
  const auto* load = nodes(c.args())[0].as<tir::BufferLoad>();
  if (!load) e.refuse(c, "tir.address_of takes a buffer element");
  return e.address_of(*load);
}

struct Row {
  const char* id;
  EmitIntrinsic emit;
};
#define TENON_LIBM_NAME(name) constexpr const char* name##_name = #name
TENON_LIBM_NAME(exp);
TENON_LIBM_NAME(log);
TENON_LIBM_NAME(tanh);
TENON_LIBM_NAME(erf);
TENON_LIBM_NAME(exp2);
TENON_LIBM_NAME(log2);
TENON_LIBM_NAME(log10);
TENON_LIBM_NAME(log1p);
TENON_LIBM_NAME(sin);
TENON_LIBM_NAME(cos);
TENON_LIBM_NAME(tan);
TENON_LIBM_NAME(asin);
TENON_LIBM_NAME(acos);
TENON_LIBM_NAME(atan);
TENON_LIBM_NAME(sinh);
TENON_LIBM_NAME(cosh);
TENON_LIBM_NAME(asinh);
TENON_LIBM_NAME(acosh);
TENON_LIBM_NAME(atanh);
TENON_LIBM_NAME(atan2);
TENON_LIBM_NAME(fmod);
TENON_LIBM_NAME(hypot);
#undef TENON_LIBM_NAME

constexpr Row kRows[] = {
    {"tir.exp", fast<emit_exp, exp_name>},
    {"tir.log", fast<emit_log, log_name>},
    {"tir.tanh", fast<emit_tanh, tanh_name>},
    {"tir.erf", fast<emit_erf, erf_name>},
    {"tir.sigmoid", sigmoid},
    {"tir.exp2", libm<exp2_name, 1>},
    {"tir.exp10", exp10},
    {"tir.log2", libm<log2_name, 1>},
    {"tir.log10", libm<log10_name, 1>},
    {"tir.log1p", libm<log1p_name, 1>},
    {"tir.sin", libm<sin_name, 1>},
    {"tir.cos", libm<cos_name, 1>},
    {"tir.tan", libm<tan_name, 1>},
    {"tir.asin", libm<asin_name, 1>},
    {"tir.acos", libm<acos_name, 1>},
    {"tir.atan", libm<atan_name, 1>},
    {"tir.sinh", libm<sinh_name, 1>},
    {"tir.cosh", libm<cosh_name, 1>},
    {"tir.asinh", libm<asinh_name, 1>},
    {"tir.acosh", libm<acosh_name, 1>},
    {"tir.atanh", libm<atanh_name, 1>},
    {"tir.pow", power},
    {"tir.atan2", libm<atan2_name, 2>},
    {"tir.fmod", libm<fmod_name, 2>},
    {"tir.hypot", libm<hypot_name, 2>},
    {"tir.sqrt", unary<llvm::Intrinsic::sqrt>},
    {"tir.rsqrt", rsqrt},
    {"tir.fabs", unary<llvm::Intrinsic::fabs>},
    {"tir.abs", absolute},
    {"tir.floor", unary<llvm::Intrinsic::floor>},
    {"tir.ceil", unary<llvm::Intrinsic::ceil>},
    {"tir.trunc", unary<llvm::Intrinsic::trunc>},
    {"tir.round", unary<llvm::Intrinsic::roundeven>},
    {"tir.nearbyint", unary<llvm::Intrinsic::roundeven>},
    {"tir.copysign", binary<llvm::Intrinsic::copysign>},
    {"tir.nextafter", next_after},
    {"tir.fma", fma},
    {"tir.isnan", isnan},
    {"tir.isinf", isinf},
    {"tir.isfinite", isfinite},
    {"tir.shift_left", shift_left},
    {"tir.shift_right", shift_right},
    {"tir.bitwise_and", bitwise<llvm::Instruction::And>},
    {"tir.bitwise_or", bitwise<llvm::Instruction::Or>},
    {"tir.bitwise_xor", bitwise<llvm::Instruction::Xor>},
    {"tir.bitwise_not", bitwise_not},
    {"tir.popcount", popcount},
    {"tir.clz", clz},
    {"tir.max_value", max_value},
    {"tir.min_value", min_value},
    {"tir.infinity", infinity},
    {"tir.nan", nan},
    {"tir.reinterpret", reinterpret},
    {"tir.if_then_else", if_then_else},
    {"tir.likely", likely},
    {"tir.address_of", take_address},
};

}  // namespace

EmitIntrinsic find_intrinsic(std::string_view id) {
  for (const Row& row : kRows)
    if (row.id == id) return row.emit;
  return nullptr;
}

}  // namespace tenon::backend
