#include "function_emitter.h"

namespace tenon::backend {

llvm::Value* FunctionEmitter::constant(llvm::Type* type, double value) { return llvm::ConstantFP::get(type, value); }

llvm::Value* FunctionEmitter::integer(llvm::Type* type, int64_t value) {
  return llvm::ConstantInt::get(type, static_cast<uint64_t>(value), true);
}

llvm::Value* FunctionEmitter::splat(llvm::Value* v, int lanes) {
  if (lanes == 1 || v->getType()->isVectorTy()) return v;
  return ir_.CreateVectorSplat(static_cast<unsigned>(lanes), v);
}

llvm::Value* FunctionEmitter::index(const Node& e) {
  DLDataType wide = with_lanes(kInt64, e.dtype().lanes);
  return convert(expr(e), e.dtype(), wide);
}

llvm::Value* FunctionEmitter::expr(const Node& e) {
  switch (e.kind()) {
    case TN_KIND_ir_Var: {
      auto it = frame_.vars.find(e.get());
      if (it == frame_.vars.end())
        throw Error(TN_ERROR_VERIFY,
                    "codegen-llvm: in '" + info_.name + "': the variable '" + std::string(e.to<ir::Var>().name()) +
                        "' is used where nothing defines it",
                    where(e));
      return it->second;
    }
    case TN_KIND_ir_IntImm: {
      if (is_handle(e.dtype())) return handle_slots(1, "none");  // nothing
      int64_t v = e.to<ir::IntImm>().value();
      return is_floating(e.dtype()) ? constant(m_.type_of(e.dtype()), static_cast<double>(v))
                                    : integer(m_.type_of(e.dtype()), v);
    }
    case TN_KIND_ir_FloatImm: return constant(m_.type_of(e.dtype()), e.to<ir::FloatImm>().value());
    case TN_KIND_tir_Not: return ir_.CreateNot(expr(e.to<tir::Not>().a()));
    case TN_KIND_tir_Cast: {
      const auto& c = e.to<tir::Cast>();
      return convert(expr(c.value()), c.value().dtype(), c.dtype());
    }
    case TN_KIND_tir_BufferLoad: return load(e.to<tir::BufferLoad>());
    case TN_KIND_tir_Broadcast: {
      const auto& b = e.to<tir::Broadcast>();
      return splat(expr(b.value()), static_cast<int>(b.lanes()));
    }
    case TN_KIND_tir_Ramp: {
      const auto& r = e.to<tir::Ramp>();
      int lanes = static_cast<int>(r.lanes());
      llvm::Value *base = expr(r.base()), *stride = expr(r.stride());
      std::vector<llvm::Constant*> numbers;
      for (int i = 0; i < lanes; ++i)
        numbers.push_back(llvm::ConstantInt::get(base->getType(), static_cast<uint64_t>(i)));
      return ir_.CreateAdd(splat(base, lanes), ir_.CreateMul(splat(stride, lanes), llvm::ConstantVector::get(numbers)));
    }
    case TN_KIND_tir_Let: {
      const auto& l = e.to<tir::Let>();
      frame_.vars[l.var().get()] = expr(l.value());
      if (is_data_dependent(l.value())) data_dependent_.insert(l.var().get());
      return expr(l.body());
    }
    case TN_KIND_tir_Select: {
      const auto& s = e.to<tir::Select>();
      llvm::Value* condition = expr(s.condition());
      if (s.condition().dtype().lanes == 1 && (is_lazy(s.true_value()) || is_lazy(s.false_value())))
        return branch(
            condition, m_.type_of(e.dtype()),
            [&] {
              Ranges::Scope holds(ranges_, s.condition());
              return expr(s.true_value());
            },
            [&] { return expr(s.false_value()); });
      return ir_.CreateSelect(condition, expr(s.true_value()), expr(s.false_value()));
    }
    case TN_KIND_tir_And:
    case TN_KIND_tir_Or: {
      const auto& both = static_cast<const tir::And&>(e);  // And and Or have the same slots
      bool is_and = e.kind() == TN_KIND_tir_And;
      llvm::Value* a = expr(both.a());
      if (e.dtype().lanes == 1 && is_lazy(both.b())) {
        auto rest = [&] { return expr(both.b()); };
        auto known = [&]() -> llvm::Value* { return is_and ? ir_.getFalse() : ir_.getTrue(); };
        return is_and ? branch(a, ir_.getInt1Ty(), rest, known) : branch(a, ir_.getInt1Ty(), known, rest);
      }
      llvm::Value* b = expr(both.b());
      return is_and ? ir_.CreateAnd(a, b) : ir_.CreateOr(a, b);
    }
    case TN_KIND_ir_Call: {
      llvm::Value* v = call_expr(e.to<ir::Call>());
      if (!v || v->getType()->isVoidTy()) refuse(e, "a call without a result is used as a value");
      return v;
    }
    default: break;
  }
  if (e.kind() < TN_KIND_tir_Add || e.kind() > TN_KIND_tir_GE) {
    const TnKindSchema* schema = m_.b().ir()->schema(m_.b().ir()->self, e.kind());
    refuse(e, std::string("the expression ") + (schema ? schema->id : "of an unknown kind") + " has no translation");
  }
  const auto& binary = static_cast<const tir::Add&>(e);  // all of them have the same slots
  const Node &a = binary.a(), &b = binary.b();
  DLDataType type = a.dtype();
  bool divides = e.kind() >= TN_KIND_tir_Div && e.kind() <= TN_KIND_tir_TruncMod;
  if (divides && !is_floating(type)) return integer_division(e.kind(), e, a, b);
  llvm::Value* x = expr(a);
  llvm::Value* y = expr(b);
  return binary_arith(e.kind(), type, x, y);
}

llvm::Value* FunctionEmitter::branch(llvm::Value* condition, llvm::Type* type,
                                     const std::function<llvm::Value*()>& if_true,
                                     const std::function<llvm::Value*()>& if_false) {
  llvm::BasicBlock *yes = block("if_true"), *no = block("if_false"), *end = block("value");
  ir_.CreateCondBr(condition, yes, no);
  ++conditional_;
  ir_.SetInsertPoint(yes);
  llvm::Value* a = if_true();
  yes = ir_.GetInsertBlock();
  ir_.CreateBr(end);
  ir_.SetInsertPoint(no);
  llvm::Value* b = if_false();
  --conditional_;
  no = ir_.GetInsertBlock();
  ir_.CreateBr(end);
  ir_.SetInsertPoint(end);
  llvm::PHINode* phi = ir_.CreatePHI(type, 2);
  phi->addIncoming(a, yes);
  phi->addIncoming(b, no);
  return phi;
}

// A call that is more than arithmetic on its arguments.
bool FunctionEmitter::is_effect(const Node& n) {
  const auto* call = n.as<ir::Call>();
  const auto* op = call ? call->op().as<ir::Op>() : nullptr;
  return call && (!op || !find_intrinsic(op->id()));
}

// Whether computing it where the program does not ask for it could fault, fail or have an effect.
bool FunctionEmitter::is_lazy(const Node& e) const {
  bool found = false;
  m_.b().walk(
      Value(e),
      [&](const Node& n) {
        bool divides = n.kind() >= TN_KIND_tir_Div && n.kind() <= TN_KIND_tir_TruncMod && !is_floating(n.dtype());
        const auto* divisor = divides ? static_cast<const tir::Div&>(n).b().as<ir::IntImm>() : nullptr;
        found = found || n.is<tir::BufferLoad>() || is_effect(n) || (divides && (!divisor || divisor->value() == 0));
        return !found;
      },
      [](const Node&) {});
  return found;
}

llvm::Value* FunctionEmitter::binary_arith(uint32_t kind, DLDataType type, llvm::Value* a, llvm::Value* b) {
  bool real = is_floating(type);
  bool is_signed = type.code == kDLInt;
  auto floor = [&](llvm::Value* v) { return ir_.CreateUnaryIntrinsic(llvm::Intrinsic::floor, v); };
  auto trunc = [&](llvm::Value* v) { return ir_.CreateUnaryIntrinsic(llvm::Intrinsic::trunc, v); };
  using P = llvm::CmpInst::Predicate;
  auto compare = [&](P of_real, P of_signed, P of_unsigned) {
    return real ? ir_.CreateFCmp(of_real, a, b) : ir_.CreateICmp(is_signed ? of_signed : of_unsigned, a, b);
  };
  switch (kind) {
    case TN_KIND_tir_Add: return real ? ir_.CreateFAdd(a, b) : ir_.CreateAdd(a, b);
    case TN_KIND_tir_Sub: return real ? ir_.CreateFSub(a, b) : ir_.CreateSub(a, b);
    case TN_KIND_tir_Mul: return real ? ir_.CreateFMul(a, b) : ir_.CreateMul(a, b);
    case TN_KIND_tir_Div: return ir_.CreateFDiv(a, b);
    case TN_KIND_tir_FloorDiv: return floor(ir_.CreateFDiv(a, b));
    case TN_KIND_tir_TruncDiv: return trunc(ir_.CreateFDiv(a, b));
    case TN_KIND_tir_FloorMod: return ir_.CreateFSub(a, ir_.CreateFMul(floor(ir_.CreateFDiv(a, b)), b));
    case TN_KIND_tir_TruncMod: return ir_.CreateFRem(a, b);
    // On reals a NaN goes through, and -0 is less than 0.
    case TN_KIND_tir_Min:
      return ir_.CreateBinaryIntrinsic(real        ? llvm::Intrinsic::minimum
                                       : is_signed ? llvm::Intrinsic::smin
                                                   : llvm::Intrinsic::umin,
                                       a, b);
    case TN_KIND_tir_Max:
      return ir_.CreateBinaryIntrinsic(real        ? llvm::Intrinsic::maximum
                                       : is_signed ? llvm::Intrinsic::smax
                                                   : llvm::Intrinsic::umax,
                                       a, b);
    case TN_KIND_tir_EQ: return compare(P::FCMP_OEQ, P::ICMP_EQ, P::ICMP_EQ);
    case TN_KIND_tir_NE: return compare(P::FCMP_UNE, P::ICMP_NE, P::ICMP_NE);
    case TN_KIND_tir_LT: return compare(P::FCMP_OLT, P::ICMP_SLT, P::ICMP_ULT);
    case TN_KIND_tir_LE: return compare(P::FCMP_OLE, P::ICMP_SLE, P::ICMP_ULE);
    case TN_KIND_tir_GT: return compare(P::FCMP_OGT, P::ICMP_SGT, P::ICMP_UGT);
    case TN_KIND_tir_GE: return compare(P::FCMP_OGE, P::ICMP_SGE, P::ICMP_UGE);
    default: throw Error(TN_ERROR_INTERNAL, "codegen-llvm: an operator of kind " + std::to_string(kind));
  }
}

// Signed division by what is not zero; `positive` and `not_minus_one` say what is known of y.
llvm::Value* divide_signed(llvm::IRBuilder<>& ir, uint32_t kind, llvm::Value* x, llvm::Value* y, bool positive,
                           bool not_minus_one) {
  llvm::Type* t = x->getType();
  llvm::Value* zero = llvm::Constant::getNullValue(t);
  bool modulo = kind == TN_KIND_tir_FloorMod || kind == TN_KIND_tir_TruncMod;
  bool floors = kind == TN_KIND_tir_FloorDiv || kind == TN_KIND_tir_FloorMod;
  llvm::Value* is_minus_one = nullptr;
  llvm::Value* divisor = y;
  if (!positive && !not_minus_one) {
    is_minus_one = ir.CreateICmpEQ(y, llvm::Constant::getAllOnesValue(t));
    divisor = ir.CreateSelect(is_minus_one, llvm::ConstantInt::get(t, 1), y);
  }
  llvm::Value *q = nullptr, *r = nullptr;
  if (modulo || floors) r = ir.CreateSRem(x, divisor);
  if (!modulo) q = ir.CreateSDiv(x, divisor);
  if (floors) {
    llvm::Value* below = positive
                             ? ir.CreateICmpSLT(r, zero)
                             : ir.CreateAnd(ir.CreateICmpNE(r, zero), ir.CreateICmpSLT(ir.CreateXor(r, divisor), zero));
    if (modulo)
      r = ir.CreateAdd(r, ir.CreateSelect(below, divisor, zero));
    else
      q = ir.CreateAdd(q, ir.CreateSExt(below, t));
  }
  // With the divisor -1 replaced by 1: the remainder is 0 either way, the quotient changes its sign.
  if (is_minus_one && !modulo) q = ir.CreateSelect(is_minus_one, ir.CreateNeg(x), q);
  return modulo ? r : q;
}

// Division of integers. Division by zero is an error of the program; the least value divided by -1 wraps.
llvm::Value* FunctionEmitter::integer_division(uint32_t kind, const Node& e, const Node& a, const Node& b) {
  DLDataType type = a.dtype();
  llvm::Value *x = expr(a), *y = expr(b);
  llvm::Type* t = x->getType();
  llvm::Value* zero = llvm::Constant::getNullValue(t);
  bool modulo = kind == TN_KIND_tir_FloorMod || kind == TN_KIND_tir_TruncMod;
  bool floors = kind == TN_KIND_tir_FloorDiv || kind == TN_KIND_tir_FloorMod;

  // The divisor as a number, through a broadcast.
  const auto* broadcast = b.as<tir::Broadcast>();
  const Node& scalar = broadcast ? broadcast->value() : b;
  const auto* imm = scalar.as<ir::IntImm>();
  int64_t least_divisor = scalar.dtype().lanes == 1 ? ranges_.least(scalar) : INT64_MIN;
  bool positive = least_divisor > 0;
  bool nonzero = positive || (imm && imm->value() != 0) || (scalar.dtype().lanes == 1 && ranges_.greatest(scalar) < 0);
  if (!nonzero) require(ir_.CreateICmpNE(y, zero), TN_ERROR_CHECK_FAILED, "an integer is divided by zero", e);
  bool guarded = conditional_ > 0 && !t->isVectorTy() && !imm;  // see below
  if (type.code != kDLInt && guarded) return ir_.CreateCall(m_.division(0, t), {x, y, ir_.getInt1(modulo)});
  if (type.code != kDLInt) return modulo ? ir_.CreateURem(x, y) : ir_.CreateUDiv(x, y);

  // What both know to be no less than zero needs no correction.
  int64_t least_dividend = a.dtype().lanes == 1 ? ranges_.least(a) : INT64_MIN;
  if (const auto* ramp = a.as<tir::Ramp>(); ramp && ranges_.least(ramp->stride()) >= 0)
    least_dividend = ranges_.least(ramp->base());
  if (least_dividend >= 0 && positive && !guarded) return modulo ? ir_.CreateURem(x, y) : ir_.CreateUDiv(x, y);
  if (floors && imm && imm->value() > 0 && (imm->value() & (imm->value() - 1)) == 0) {
    if (modulo) return ir_.CreateAnd(x, llvm::ConstantInt::get(t, static_cast<uint64_t>(imm->value() - 1)));
    return ir_.CreateAShr(
        x, llvm::ConstantInt::get(t, static_cast<uint64_t>(__builtin_ctzll(static_cast<uint64_t>(imm->value())))));
  }
  // LLVM 19 guards a division in a conditional part of a loop that it vectorises by the condition of the first lane
  // alone when its operands are the same for all lanes. A function that no operand makes fail needs no guard.
  if (guarded) return ir_.CreateCall(m_.division(kind, t), {x, y, ir_.getInt1(modulo)});
  return divide_signed(ir_, kind, x, y, positive, imm && imm->value() != -1);
}

// Between integers: low bits. From a real to an integer: towards zero, ending at the integer's limits, NaN to zero.
llvm::Value* FunctionEmitter::convert(llvm::Value* v, DLDataType from, DLDataType to) {
  if (same_dtype(from, to)) return v;
  llvm::Type* type = m_.type_of(to);
  if (is_bool(to)) {
    llvm::Constant* zero = llvm::Constant::getNullValue(v->getType());
    return is_floating(from) ? ir_.CreateFCmpUNE(v, zero) : ir_.CreateICmpNE(v, zero);
  }
  if (is_bool(from)) return is_floating(to) ? ir_.CreateUIToFP(v, type) : ir_.CreateZExt(v, type);
  if (is_floating(from) && is_floating(to)) return ir_.CreateFPCast(v, type);
  if (is_floating(to)) return from.code == kDLInt ? ir_.CreateSIToFP(v, type) : ir_.CreateUIToFP(v, type);
  if (is_floating(from))
    return ir_.CreateIntrinsic(to.code == kDLInt ? llvm::Intrinsic::fptosi_sat : llvm::Intrinsic::fptoui_sat,
                               {type, v->getType()}, {v});
  return from.code == kDLInt ? ir_.CreateSExtOrTrunc(v, type) : ir_.CreateZExtOrTrunc(v, type);
}

}  // namespace tenon::backend
