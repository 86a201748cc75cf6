// Functions that generated code calls in the same object: what would be long at each place that needs it.
#include "module_emitter.h"

namespace tenon::backend {
namespace {

void mark(llvm::Function* f, std::initializer_list<llvm::Attribute::AttrKind> attributes) {
  for (llvm::Attribute::AttrKind a : attributes) f->addFnAttr(a);
}

}  // namespace

llvm::Function* ModuleEmitter::helper(const char* name, llvm::Type* result, llvm::ArrayRef<llvm::Type*> params,
                                      const std::function<void(llvm::IRBuilder<>&, llvm::Function*)>& body) {
  if (llvm::Function* known = out_.getFunction(name)) return known;
  llvm::Function* f =
      new_function(llvm::FunctionType::get(result, params, false), name, llvm::GlobalValue::InternalLinkage);
  mark(f, {llvm::Attribute::NoInline, llvm::Attribute::NoUnwind});
  llvm::IRBuilder<> ir(llvm::BasicBlock::Create(context(), "entry", f));
  body(ir, f);
  return f;
}

llvm::Function* ModuleEmitter::retain_function() {
  llvm::Type* ptr = llvm::PointerType::getUnqual(context());
  return helper("tenon.retain", llvm::Type::getVoidTy(context()), {ptr}, [&](llvm::IRBuilder<>& ir, llvm::Function* f) {
    auto* counted = llvm::BasicBlock::Create(context(), "counted", f);
    auto* done = llvm::BasicBlock::Create(context(), "done", f);
    llvm::Value* index = ir.CreateLoad(ir.getInt32Ty(), f->getArg(0));
    ir.CreateCondBr(ir.CreateICmpSGE(index, ir.getInt32(TN_OBJECT)), counted, done);
    ir.SetInsertPoint(counted);
    llvm::Value* object =
        ir.CreateLoad(ptr, ir.CreateConstInBoundsGEP1_64(ir.getInt8Ty(), f->getArg(0), offsetof(TnValue, as)));
    ir.CreateAtomicRMW(llvm::AtomicRMWInst::Add, object, ir.getInt64(1), llvm::Align(8),
                       llvm::AtomicOrdering::Monotonic);
    ir.CreateBr(done);
    ir.SetInsertPoint(done);
    ir.CreateRetVoid();
  });
}

llvm::Function* ModuleEmitter::release_range_function() {
  llvm::Type* ptr = llvm::PointerType::getUnqual(context());
  llvm::Type* i64 = llvm::Type::getInt64Ty(context());
  llvm::Function* release = release_function();
  auto body = [&](llvm::IRBuilder<>& ir, llvm::Function* f) {
    auto* entry = ir.GetInsertBlock();
    auto* loop = llvm::BasicBlock::Create(context(), "loop", f);
    auto* done = llvm::BasicBlock::Create(context(), "done", f);
    ir.CreateCondBr(ir.CreateICmpNE(f->getArg(1), ir.getInt64(0)), loop, done);
    ir.SetInsertPoint(loop);
    llvm::PHINode* i = ir.CreatePHI(i64, 2);
    i->addIncoming(ir.getInt64(0), entry);
    llvm::Value* slot = ir.CreateInBoundsGEP(value_type(), f->getArg(0), i);
    ir.CreateCall(release, {slot});
    ir.CreateStore(llvm::Constant::getNullValue(value_type()), slot);
    llvm::Value* next = ir.CreateAdd(i, ir.getInt64(1));
    i->addIncoming(next, loop);
    ir.CreateCondBr(ir.CreateICmpULT(next, f->getArg(1)), loop, done);
    ir.SetInsertPoint(done);
    ir.CreateRetVoid();
  };
  return helper("tenon.release_range", llvm::Type::getVoidTy(context()), {ptr, i64}, body);
}

// Whether the strides of a DLTensor are those of a contiguous one.
llvm::Function* ModuleEmitter::is_compact_function() {
  llvm::Type* ptr = llvm::PointerType::getUnqual(context());
  auto body = [&](llvm::IRBuilder<>& ir, llvm::Function* f) {
    auto block = [&](const char* name) { return llvm::BasicBlock::Create(context(), name, f); };
    auto *start = block("start"), *loop = block("loop"), *next = block("next"), *yes = block("yes"), *no = block("no");
    auto field = [&](size_t offset, llvm::Type* type) {
      return ir.CreateLoad(type, ir.CreateConstInBoundsGEP1_64(ir.getInt8Ty(), f->getArg(0), offset));
    };
    llvm::Value* strides = field(offsetof(DLTensor, strides), ptr);
    llvm::Value* shape = field(offsetof(DLTensor, shape), ptr);
    llvm::Value* ndim = ir.CreateSExt(field(offsetof(DLTensor, ndim), ir.getInt32Ty()), ir.getInt64Ty());
    ir.CreateCondBr(ir.CreateIsNull(strides), yes, start);
    ir.SetInsertPoint(start);
    ir.CreateCondBr(ir.CreateICmpSGT(ndim, ir.getInt64(0)), loop, yes);
    ir.SetInsertPoint(loop);
    llvm::PHINode *left = ir.CreatePHI(ir.getInt64Ty(), 2), *elements = ir.CreatePHI(ir.getInt64Ty(), 2);
    left->addIncoming(ndim, start);
    elements->addIncoming(ir.getInt64(1), start);
    llvm::Value* d = ir.CreateSub(left, ir.getInt64(1));
    auto at = [&](llvm::Value* table) {
      return ir.CreateLoad(ir.getInt64Ty(), ir.CreateInBoundsGEP(ir.getInt64Ty(), table, d));
    };
    llvm::Value *extent = at(shape), *stride = at(strides);
    llvm::Value* ok = ir.CreateOr(ir.CreateICmpEQ(extent, ir.getInt64(1)), ir.CreateICmpEQ(stride, elements));
    ir.CreateCondBr(ok, next, no);
    ir.SetInsertPoint(next);
    left->addIncoming(d, next);
    elements->addIncoming(ir.CreateMul(elements, extent), next);
    ir.CreateCondBr(ir.CreateICmpSGT(d, ir.getInt64(0)), loop, yes);
    ir.SetInsertPoint(yes);
    ir.CreateRet(ir.getTrue());
    ir.SetInsertPoint(no);
    ir.CreateRet(ir.getFalse());
  };
  return helper("tenon.is_compact", llvm::Type::getInt1Ty(context()), {ptr}, body);
}

// i32 own_tensor(context, value): a borrowed tensor in `value` becomes a tensor of its own with the same elements. 0,
// -1 with the error in `value`, or 1 for one that is not contiguous or not in the CPU's memory.
llvm::Function* ModuleEmitter::own_tensor_function() {
  llvm::Type* ptr = llvm::PointerType::getUnqual(context());
  llvm::Type* i32 = llvm::Type::getInt32Ty(context());
  llvm::Function* is_compact = is_compact_function();
  auto body = [&](llvm::IRBuilder<>& ir, llvm::Function* f) {
    auto block = [&](const char* name) { return llvm::BasicBlock::Create(context(), name, f); };
    auto field = [&](llvm::Value* base, size_t offset, llvm::Type* type) {
      return ir.CreateLoad(type, ir.CreateConstInBoundsGEP1_64(ir.getInt8Ty(), base, offset));
    };
    auto *borrowed = block("borrowed"), *start = block("start"), *count = block("count"), *make = block("make"),
         *copy = block("copy"), *done = block("done"), *failed = block("failed"), *strange = block("strange");
    llvm::Value *module_context = f->getArg(0), *value = f->getArg(1);
    llvm::Value* index = ir.CreateLoad(i32, value);
    ir.CreateCondBr(ir.CreateICmpEQ(index, ir.getInt32(TN_DLTENSOR)), borrowed, done);
    ir.SetInsertPoint(borrowed);
    llvm::Value* t = field(value, offsetof(TnValue, as), ptr);
    llvm::Value* on_cpu =
        ir.CreateICmpEQ(field(t, offsetof(DLTensor, device), i32), ir.getInt32(static_cast<uint32_t>(kDLCPU)));
    ir.CreateCondBr(ir.CreateAnd(ir.CreateCall(is_compact, {t}), on_cpu), start, strange);
    ir.SetInsertPoint(start);
    llvm::Value* ndim = field(t, offsetof(DLTensor, ndim), i32);
    llvm::Value* shape = field(t, offsetof(DLTensor, shape), ptr);
    llvm::Value* dtype = field(t, offsetof(DLTensor, dtype), i32);
    llvm::Value* bits = ir.CreateMul(ir.CreateAnd(ir.CreateLShr(dtype, 8), 255), ir.CreateLShr(dtype, 16));
    llvm::Value* element = ir.CreateZExt(ir.CreateLShr(ir.CreateAdd(bits, ir.getInt32(7)), 3), ir.getInt64Ty());
    llvm::Value* wide = ir.CreateSExt(ndim, ir.getInt64Ty());
    ir.CreateCondBr(ir.CreateICmpSGT(wide, ir.getInt64(0)), count, make);
    ir.SetInsertPoint(count);
    llvm::PHINode *d = ir.CreatePHI(ir.getInt64Ty(), 2), *size = ir.CreatePHI(ir.getInt64Ty(), 2);
    d->addIncoming(ir.getInt64(0), start);
    size->addIncoming(element, start);
    llvm::Value* product =
        ir.CreateMul(size, ir.CreateLoad(ir.getInt64Ty(), ir.CreateInBoundsGEP(ir.getInt64Ty(), shape, d)));
    llvm::Value* next = ir.CreateAdd(d, ir.getInt64(1));
    d->addIncoming(next, count);
    size->addIncoming(product, count);
    ir.CreateCondBr(ir.CreateICmpSLT(next, wide), count, make);
    ir.SetInsertPoint(make);
    llvm::PHINode* bytes = ir.CreatePHI(ir.getInt64Ty(), 2);
    bytes->addIncoming(element, start);
    bytes->addIncoming(product, count);
    ir.CreateStore(llvm::Constant::getNullValue(value_type()), value);
    llvm::Value* new_tensor =
        field(field(module_context, offsetof(TnModuleContext, runtime), ptr), offsetof(TnRuntime, tensor), ptr);
    auto* type = llvm::FunctionType::get(i32, {ir.getInt64Ty(), i32, i32, ptr, ptr}, false);
    llvm::Value* status = ir.CreateCall(type, new_tensor, {ir.getInt64(kDLCPU), dtype, ndim, shape, value});
    ir.CreateCondBr(ir.CreateICmpEQ(status, ir.getInt32(0)), copy, failed);
    ir.SetInsertPoint(copy);
    llvm::Value* own = ir.CreateConstInBoundsGEP1_64(ir.getInt8Ty(), field(value, offsetof(TnValue, as), ptr),
                                                     offsetof(TnTensor, tensor));
    auto data = [&](llvm::Value* tensor) {
      return ir.CreateGEP(ir.getInt8Ty(), field(tensor, offsetof(DLTensor, data), ptr),
                          field(tensor, offsetof(DLTensor, byte_offset), ir.getInt64Ty()));
    };
    ir.CreateMemCpy(data(own), llvm::MaybeAlign(1), data(t), llvm::MaybeAlign(1), bytes);
    ir.CreateBr(done);
    ir.SetInsertPoint(done);
    ir.CreateRet(ir.getInt32(0));
    ir.SetInsertPoint(failed);
    ir.CreateRet(status);
    ir.SetInsertPoint(strange);
    ir.CreateStore(llvm::Constant::getNullValue(value_type()), value);
    ir.CreateRet(ir.getInt32(1));
  };
  return helper("tenon.own_tensor", i32, {ptr, ptr}, body);
}

// i32 unbox(value, out): 0 and the number in `out`, 1 for what is no number, 2 for a tensor of several elements.
llvm::Function* ModuleEmitter::unbox_function() {
  llvm::Type* ptr = llvm::PointerType::getUnqual(context());
  auto body = [&](llvm::IRBuilder<>& ir, llvm::Function* f) {
    auto block = [&](const char* name) { return llvm::BasicBlock::Create(context(), name, f); };
    auto field = [&](llvm::Value* base, size_t offset, llvm::Type* type) {
      return ir.CreateLoad(type, ir.CreateConstInBoundsGEP1_64(ir.getInt8Ty(), base, offset));
    };
    auto *scalar = block("scalar"), *object = block("object"), *tensor = block("tensor"), *count = block("count"),
         *next = block("next"), *one = block("one"), *wrong = block("wrong"), *several = block("several");
    llvm::Value *value = f->getArg(0), *out = f->getArg(1);
    llvm::Value* index = ir.CreateLoad(ir.getInt32Ty(), value);
    llvm::Value* is_scalar = ir.CreateICmpULE(ir.CreateSub(index, ir.getInt32(TN_INT)), ir.getInt32(TN_FLOAT - TN_INT));
    ir.CreateCondBr(is_scalar, scalar, object);
    ir.SetInsertPoint(scalar);
    ir.CreateStore(ir.CreateLoad(value_type(), value), out);
    ir.CreateRet(ir.getInt32(0));
    ir.SetInsertPoint(object);
    llvm::Value* is_tensor = ir.CreateICmpEQ(index, ir.getInt32(TN_TENSOR));
    llvm::Value* payload = field(value, offsetof(TnValue, as), ptr);
    ir.CreateCondBr(ir.CreateOr(is_tensor, ir.CreateICmpEQ(index, ir.getInt32(TN_DLTENSOR))), tensor, wrong);
    ir.SetInsertPoint(tensor);
    llvm::Value* t = ir.CreateSelect(
        is_tensor, ir.CreateConstInBoundsGEP1_64(ir.getInt8Ty(), payload, offsetof(TnTensor, tensor)), payload);
    llvm::Value* ndim = ir.CreateSExt(field(t, offsetof(DLTensor, ndim), ir.getInt32Ty()), ir.getInt64Ty());
    llvm::Value* shape = field(t, offsetof(DLTensor, shape), ptr);
    ir.CreateCondBr(ir.CreateICmpSGT(ndim, ir.getInt64(0)), count, one);
    ir.SetInsertPoint(count);
    llvm::PHINode* d = ir.CreatePHI(ir.getInt64Ty(), 2);
    d->addIncoming(ir.getInt64(0), tensor);
    llvm::Value* extent = ir.CreateLoad(ir.getInt64Ty(), ir.CreateInBoundsGEP(ir.getInt64Ty(), shape, d));
    ir.CreateCondBr(ir.CreateICmpEQ(extent, ir.getInt64(1)), next, several);
    ir.SetInsertPoint(next);
    llvm::Value* after = ir.CreateAdd(d, ir.getInt64(1));
    d->addIncoming(after, next);
    ir.CreateCondBr(ir.CreateICmpSLT(after, ndim), count, one);
    ir.SetInsertPoint(one);
    llvm::Value* dtype = field(t, offsetof(DLTensor, dtype), ir.getInt32Ty());
    llvm::Value* data = ir.CreateGEP(ir.getInt8Ty(), field(t, offsetof(DLTensor, data), ptr),
                                     field(t, offsetof(DLTensor, byte_offset), ir.getInt64Ty()));
    auto* cases = ir.CreateSwitch(dtype, wrong);
    struct Case {
      uint8_t code, bits;
      int32_t type;
    };
    constexpr Case kCases[] = {{kDLInt, 8, TN_INT},      {kDLInt, 16, TN_INT},    {kDLInt, 32, TN_INT},
                               {kDLInt, 64, TN_INT},     {kDLUInt, 8, TN_INT},    {kDLUInt, 16, TN_INT},
                               {kDLUInt, 32, TN_INT},    {kDLUInt, 64, TN_INT},   {kDLFloat, 32, TN_FLOAT},
                               {kDLFloat, 64, TN_FLOAT}, {TN_DL_BOOL, 8, TN_BOOL}};
    for (const Case& k : kCases) {
      auto* here = block("element");
      cases->addCase(ir.getInt32(k.code | static_cast<uint32_t>(k.bits) << 8 | 1u << 16), here);
      ir.SetInsertPoint(here);
      llvm::Value* wide;
      if (k.code == kDLFloat) {
        llvm::Type* type = k.bits == 32 ? ir.getFloatTy() : ir.getDoubleTy();
        wide = ir.CreateBitCast(ir.CreateFPCast(ir.CreateLoad(type, data), ir.getDoubleTy()), ir.getInt64Ty());
      } else {
        llvm::Value* v = ir.CreateLoad(ir.getIntNTy(k.bits), data);
        if (k.code == TN_DL_BOOL) v = ir.CreateICmpNE(v, ir.getInt8(0));
        wide = k.code == kDLInt ? ir.CreateSExt(v, ir.getInt64Ty()) : ir.CreateZExt(v, ir.getInt64Ty());
      }
      ir.CreateStore(ir.getInt64(static_cast<uint64_t>(k.type)), out);
      ir.CreateStore(wide, ir.CreateConstInBoundsGEP1_64(ir.getInt8Ty(), out, offsetof(TnValue, as)));
      ir.CreateRet(ir.getInt32(0));
    }
    ir.SetInsertPoint(wrong);
    ir.CreateRet(ir.getInt32(1));
    ir.SetInsertPoint(several);
    ir.CreateRet(ir.getInt32(2));
  };
  return helper("tenon.unbox", llvm::Type::getInt32Ty(context()), {ptr, ptr}, body);
}

}  // namespace tenon::backend
