#include "math.h"

#include <initializer_list>
#include <limits>

namespace tenon::backend {
namespace {

// Short names for arithmetic on one type. Contraction is the only freedom that the compiler gets here, whatever the
// loop around allows: the reductions of arguments depend on the order of their operations.
class Arithmetic {
 public:
  Arithmetic(llvm::IRBuilder<>& ir, llvm::Type* type) : ir_(ir), guard_(ir), type_(type) {
    llvm::FastMathFlags flags;
    flags.setAllowContract(true);
    ir.setFastMathFlags(flags);
    int_type_ = type->getWithNewType(ir.getInt32Ty());
  }
  llvm::Value* c(double v) { return llvm::ConstantFP::get(type_, v); }
  llvm::Value* i(int64_t v) { return llvm::ConstantInt::get(int_type_, static_cast<uint64_t>(v), true); }
  llvm::Value* mul(llvm::Value* a, llvm::Value* b) { return ir_.CreateFMul(a, b); }
  llvm::Value* add(llvm::Value* a, llvm::Value* b) { return ir_.CreateFAdd(a, b); }
  llvm::Value* sub(llvm::Value* a, llvm::Value* b) { return ir_.CreateFSub(a, b); }
  llvm::Value* div(llvm::Value* a, llvm::Value* b) { return ir_.CreateFDiv(a, b); }
  // a * b + c, in one rounding where the machine has it.
  llvm::Value* fma(llvm::Value* a, llvm::Value* b, llvm::Value* d) {
    return ir_.CreateIntrinsic(llvm::Intrinsic::fmuladd, {type_}, {a, b, d});
  }
  llvm::Value* abs(llvm::Value* a) { return ir_.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, a); }
  llvm::Value* copysign(llvm::Value* a, llvm::Value* sign) {
    return ir_.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, a, sign);
  }
  llvm::Value* less(llvm::Value* a, llvm::Value* b) { return ir_.CreateFCmpOLT(a, b); }
  llvm::Value* equal(llvm::Value* a, llvm::Value* b) { return ir_.CreateFCmpOEQ(a, b); }
  llvm::Value* select(llvm::Value* k, llvm::Value* a, llvm::Value* b) { return ir_.CreateSelect(k, a, b); }
  llvm::Value* bits(llvm::Value* a) { return ir_.CreateBitCast(a, int_type_); }
  llvm::Value* real(llvm::Value* a) { return ir_.CreateBitCast(a, type_); }
  llvm::IRBuilder<>& ir() { return ir_; }
  llvm::Type* type() { return type_; }
  // Horner's scheme, the coefficient of the highest power first.
  llvm::Value* polynomial(llvm::Value* x, std::initializer_list<double> coefficients) {
    llvm::Value* r = nullptr;
    for (double k : coefficients) r = r ? fma(r, x, c(k)) : c(k);
    return r;
  }

 private:
  llvm::IRBuilder<>& ir_;
  llvm::IRBuilder<>::FastMathFlagGuard guard_;
  llvm::Type* type_;
  llvm::Type* int_type_;
};

// ln 2 in two parts; the high one has few bits, so that its product with an exponent is exact (Cephes).
constexpr double kLn2High = 0.693359375, kLn2Low = -2.12194440e-4;

// Cephes expf (S. L. Moshier): x = n ln 2 + r, a polynomial for exp(r), and the exponent in two steps so that results
// below the normal numbers and overflow come out of the multiplications.
llvm::Value* exp_of(Arithmetic& a, llvm::Value* x) {
  constexpr double kRound = 12582912.0;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
  constexpr int64_t kRoundBits = 0x4b400000;
  x = a.select(a.less(x, a.c(-104.5)), a.c(-104.5), x);
  x = a.select(a.less(a.c(89.0), x), a.c(89.0), x);
  llvm::Value* shifted = a.fma(x, a.c(1.44269504088896341), a.c(kRound));
  llvm::Value* n = a.sub(shifted, a.c(kRound));
  llvm::Value* exponent = a.ir().CreateSub(a.bits(shifted), a.i(kRoundBits));
  llvm::Value* r = a.fma(n, a.c(-kLn2High), x);
  r = a.fma(n, a.c(-kLn2Low), r);
  llvm::Value* p = a.polynomial(
      r, {1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1});
  llvm::Value* y = a.add(a.fma(a.mul(r, r), p, r), a.c(1.0));
  llvm::Value* half = a.ir().CreateAShr(exponent, a.i(1));
  llvm::Value* rest = a.ir().CreateSub(exponent, half);
  auto power = [&](llvm::Value* k) { return a.real(a.ir().CreateShl(a.ir().CreateAdd(k, a.i(127)), a.i(23))); };
  return a.mul(a.mul(y, power(half)), power(rest));
}

}  // namespace

llvm::Value* emit_exp(llvm::IRBuilder<>& ir, llvm::Value* x) {
  Arithmetic a(ir, x->getType());
  return exp_of(a, x);
}

// Cephes logf (S. L. Moshier): x = m 2^e with m in [sqrt(1/2), sqrt(2)).
llvm::Value* emit_log(llvm::IRBuilder<>& ir, llvm::Value* x) {
  Arithmetic a(ir, x->getType());
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  llvm::Value* subnormal = a.less(x, a.c(std::numeric_limits<float>::min()));
  llvm::Value* scaled = a.select(subnormal, a.mul(x, a.c(8388608.0)), x);
  llvm::Value* bits = a.bits(scaled);
  llvm::Value* raw = ir.CreateAnd(ir.CreateLShr(bits, a.i(23)), a.i(0xff));
  llvm::Value* e = ir.CreateSub(raw, ir.CreateSelect(subnormal, a.i(126 + 23), a.i(126)));
  llvm::Value* m = a.real(ir.CreateOr(ir.CreateAnd(bits, a.i(0x007fffff)), a.i(0x3f000000)));
  llvm::Value* small = a.less(m, a.c(0.707106781186547524));
  e = ir.CreateSelect(small, ir.CreateSub(e, a.i(1)), e);
  m = a.sub(a.select(small, a.add(m, m), m), a.c(1.0));
  llvm::Value* ef = ir.CreateSIToFP(e, a.type());
  llvm::Value* z = a.mul(m, m);
  llvm::Value* y =
      a.polynomial(m, {7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
                       -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1});
  y = a.mul(a.mul(y, m), z);
  y = a.fma(ef, a.c(kLn2Low), y);
  y = a.fma(z, a.c(-0.5), y);
  llvm::Value* r = a.fma(ef, a.c(kLn2High), a.add(m, y));
  llvm::Value* below = a.select(a.equal(x, a.c(0.0)), a.c(-kInfinity), a.c(std::numeric_limits<double>::quiet_NaN()));
  r = a.select(a.less(a.c(0.0), x), r, below);
  return a.select(a.equal(x, a.c(kInfinity)), x, r);
}

// Cephes tanhf (S. L. Moshier): an odd polynomial near 0, 1 - 2 / (exp(2 |x|) + 1) elsewhere.
llvm::Value* emit_tanh(llvm::IRBuilder<>& ir, llvm::Value* x) {
  Arithmetic a(ir, x->getType());
  llvm::Value* magnitude = a.abs(x);
  llvm::Value* z = a.mul(x, x);
  llvm::Value* p =
      a.polynomial(z, {-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1});
  llvm::Value* near = a.fma(a.mul(p, z), x, x);
  llvm::Value* e = exp_of(a, a.add(magnitude, magnitude));
  llvm::Value* far = a.sub(a.c(1.0), a.div(a.c(2.0), a.add(e, a.c(1.0))));
  return a.select(a.less(magnitude, a.c(0.625)), near, a.copysign(far, x));
}

// With exp(-|x|), which never overflows.
llvm::Value* emit_sigmoid(llvm::IRBuilder<>& ir, llvm::Value* x) {
  Arithmetic a(ir, x->getType());
  llvm::Value* e = exp_of(a, ir.CreateFNeg(a.abs(x)));
  llvm::Value* numerator = a.select(a.less(x, a.c(0.0)), e, a.c(1.0));
  return a.div(numerator, a.add(a.c(1.0), e));
}

// N. Juffa's erff ("https://stackoverflow.com/a/35148199"): a polynomial near 0, 1 - exp(polynomial) elsewhere.
llvm::Value* emit_erf(llvm::IRBuilder<>& ir, llvm::Value* x) {
  Arithmetic a(ir, x->getType());
  llvm::Value* t = a.abs(x);
  llvm::Value* s = a.mul(x, x);
  llvm::Value* r = a.fma(a.c(-1.72853470e-5), t, a.c(3.83197126e-4));
  llvm::Value* u = a.fma(a.c(-3.88396438e-3), t, a.c(2.42546219e-2));
  r = a.fma(r, s, u);
  r = a.fma(r, t, a.c(-1.06777877e-1));
  r = a.fma(r, t, a.c(-6.34846687e-1));
  r = a.fma(r, t, a.c(-1.28717512e-1));
  r = a.fma(r, t, ir.CreateFNeg(t));
  llvm::Value* far = a.copysign(a.sub(a.c(1.0), exp_of(a, r)), x);
  llvm::Value* p =
      a.polynomial(s, {-5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1, -3.76125336e-1, 1.28379166e-1});
  llvm::Value* near = a.fma(p, x, x);
  // Beyond 4 the polynomial is no longer of use; erf is 1 there.
  far = a.select(a.less(a.c(4.0), t), a.copysign(a.c(1.0), x), far);
  return a.select(a.less(a.c(0.927734375), t), far, a.select(a.less(t, a.c(1.0)), near, x));
}

}  // namespace tenon::backend
