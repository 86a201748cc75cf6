// The checked entry of a public function: a TnCall.
#include "module_emitter.h"

namespace tenon::backend {
namespace {

// Builds constant data with the layout of a C structure: fields at their offsets, zeros between them.
class ConstantStruct {
 public:
  explicit ConstantStruct(llvm::LLVMContext& c) : c_(c) {}
  void add(size_t offset, llvm::Constant* value, size_t bytes) {
    pad(offset);
    fields_.push_back(value);
    at_ = offset + bytes;
  }
  void add_pointer(size_t offset, llvm::Constant* value) { add(offset, value, sizeof(void*)); }
  void add_int(size_t offset, uint64_t value, size_t bytes) {
    add(offset, llvm::ConstantInt::get(llvm::IntegerType::get(c_, static_cast<unsigned>(bytes) * 8), value), bytes);
  }
  llvm::Constant* finish(size_t size) {
    pad(size);
    return llvm::ConstantStruct::getAnon(c_, fields_, true);
  }

 private:
  void pad(size_t offset) {
    if (offset == at_) return;
    fields_.push_back(llvm::ConstantAggregateZero::get(llvm::ArrayType::get(llvm::Type::getInt8Ty(c_), offset - at_)));
    at_ = offset;
  }
  llvm::LLVMContext& c_;
  std::vector<llvm::Constant*> fields_;
  size_t at_ = 0;
};

llvm::GlobalVariable* constant_global(llvm::Module& m, llvm::Constant* data, const char* name) {
  auto* g = new llvm::GlobalVariable(m, data->getType(), true, llvm::GlobalValue::PrivateLinkage, data, name);
  g->setAlignment(llvm::Align(8));
  return g;
}

uint32_t dtype_word(DLDataType t) {
  return static_cast<uint32_t>(t.code) | static_cast<uint32_t>(t.bits) << 8 | static_cast<uint32_t>(t.lanes) << 16;
}

}  // namespace

llvm::Constant* ModuleEmitter::signature_constant(const FunctionSignature& s) {
  llvm::Constant* null = llvm::ConstantPointerNull::get(llvm::PointerType::getUnqual(context()));
  std::vector<llvm::Constant*> params, symbols;
  for (const SignatureParam& p : s.params) {
    ConstantStruct row(context());
    row.add_pointer(offsetof(TnParam, name), text(p.name));
    row.add_int(offsetof(TnParam, kind), static_cast<uint32_t>(p.kind), 4);
    row.add_int(offsetof(TnParam, flags), p.flags, 4);
    row.add_int(offsetof(TnParam, dtype), dtype_word(p.dtype), 4);
    row.add_int(offsetof(TnParam, ndim), static_cast<uint32_t>(p.ndim), 4);
    row.add_int(offsetof(TnParam, symbol), static_cast<uint32_t>(p.symbol), 4);
    row.add_pointer(offsetof(TnParam, dims), words(p.dims));
    params.push_back(row.finish(sizeof(TnParam)));
  }
  for (const std::string& name : s.symbol_names) symbols.push_back(text(name));
  auto table = [&](const std::vector<llvm::Constant*>& rows, const char* name) -> llvm::Constant* {
    if (rows.empty()) return null;
    auto* type = llvm::ArrayType::get(rows[0]->getType(), rows.size());
    // Rows of one type only: pointers, or structures of the same fields.
    return constant_global(out_, llvm::ConstantArray::get(type, rows), name);
  };
  ConstantStruct signature(context());
  signature.add_int(offsetof(TnSignature, size), sizeof(TnSignature), 8);
  signature.add_int(offsetof(TnSignature, param_size), sizeof(TnParam), 8);
  signature.add_pointer(offsetof(TnSignature, name), text(s.name));
  signature.add_pointer(offsetof(TnSignature, params), table(params, "params"));
  signature.add_int(offsetof(TnSignature, param_count), s.params.size(), 4);
  signature.add_int(offsetof(TnSignature, symbol_count), s.symbol_names.size(), 4);
  signature.add_pointer(offsetof(TnSignature, symbols), table(symbols, "symbols"));
  return constant_global(out_, signature.finish(sizeof(TnSignature)), "signature");
}

void ModuleEmitter::emit_entry(FunctionInfo& info) {
  std::string symbol = entry_symbol(info.name);
  llvm::Function* entry = new_function(entry_type(), symbol, llvm::GlobalValue::ExternalLinkage);
  entry->setVisibility(llvm::GlobalValue::DefaultVisibility);
  entry->addFnAttr(llvm::Attribute::NoUnwind);
  exports_[info.name] = symbol;

  llvm::IRBuilder<> ir(llvm::BasicBlock::Create(context(), "entry", entry));
  llvm::Type* ptr = ir.getPtrTy();
  auto field = [&](llvm::Value* base, size_t offset, llvm::Type* type) {
    return ir.CreateLoad(type, ir.CreateConstInBoundsGEP1_64(ir.getInt8Ty(), base, offset));
  };
  const FunctionSignature& s = info.signature;
  llvm::Value *self = entry->getArg(0), *args = entry->getArg(1), *n = entry->getArg(2), *ret = entry->getArg(3);
  ir.CreateStore(llvm::Constant::getNullValue(value_type()), ret);
  llvm::Value* module_context = field(self, offsetof(TnFunction, context), ptr);
  llvm::Value* runtime = field(module_context, offsetof(TnModuleContext, runtime), ptr);
  llvm::Value* check = field(runtime, offsetof(TnRuntime, check_arguments), ptr);
  llvm::Value* data = ir.CreateAlloca(ptr, ir.getInt32(static_cast<uint32_t>(s.params.size() + 1)), "data");
  llvm::Value* symbols =
      ir.CreateAlloca(ir.getInt64Ty(), ir.getInt32(static_cast<uint32_t>(s.symbols.size() + 1)), "symbols");
  auto* check_type = llvm::FunctionType::get(ir.getInt32Ty(), {ptr, ptr, ir.getInt32Ty(), ptr, ptr, ptr}, false);
  llvm::Value* status = ir.CreateCall(check_type, check, {signature_constant(s), args, n, data, symbols, ret});
  auto* checked = llvm::BasicBlock::Create(context(), "checked", entry);
  auto* refused = llvm::BasicBlock::Create(context(), "refused", entry);
  ir.CreateCondBr(ir.CreateICmpEQ(status, ir.getInt32(0)), checked, refused);
  ir.SetInsertPoint(refused);
  ir.CreateRet(ir.getInt32(-1));

  ir.SetInsertPoint(checked);
  auto symbol_slot = [&](int32_t i) {
    return ir.CreateConstInBoundsGEP1_64(ir.getInt64Ty(), symbols, static_cast<uint64_t>(i));
  };
  std::vector<llvm::Value*> values = {module_context, ret};
  std::set<int32_t> bound;
  for (size_t i = 0; i < s.params.size(); ++i) {
    const Node& param = nodes(info.function.params())[i];
    llvm::Value* address = ir.CreateLoad(ptr, ir.CreateConstInBoundsGEP1_64(ptr, data, i));
    for (int64_t word_index = 0, size = static_cast<int64_t>(s.params[i].dims.size()); word_index < size; ++word_index)
      if (s.params[i].dims[static_cast<size_t>(word_index)] == TN_DIM_SYMBOL)
        bound.insert(static_cast<int32_t>(s.params[i].dims[static_cast<size_t>(++word_index)]));
      else if (s.params[i].dims[static_cast<size_t>(word_index)] == TN_DIM_CONST)
        ++word_index;
    if (param.is<tir::Buffer>()) {
      values.push_back(address);
    } else if (is_handle(param.dtype())) {
      values.push_back(ir.CreateConstInBoundsGEP1_64(value_type(), args, i));
    } else if (is_floating(param.dtype())) {
      llvm::Value* wide = ir.CreateLoad(ir.getDoubleTy(), address);
      values.push_back(ir.CreateFPCast(wide, type_of(param.dtype())));
    } else {
      if (s.params[i].symbol >= 0) bound.insert(s.params[i].symbol);
      llvm::Value* wide = ir.CreateLoad(ir.getInt64Ty(), address);
      values.push_back(is_bool(param.dtype()) ? ir.CreateICmpNE(wide, ir.getInt64(0))
                                              : ir.CreateTrunc(wide, type_of(param.dtype())));
    }
  }
  // Strides that the function declares are bound to those of the tensor, or checked against them.
  for (size_t i = 0; i < s.params.size(); ++i) {
    const std::vector<int64_t>& strides = s.params[i].strides;
    if (strides.empty()) continue;
    llvm::Value* arg = ir.CreateConstInBoundsGEP1_64(value_type(), args, i);
    llvm::Value* object = field(arg, offsetof(TnValue, as), ptr);
    llvm::Value* is_tensor = ir.CreateICmpEQ(field(arg, 0, ir.getInt32Ty()), ir.getInt32(TN_TENSOR));
    llvm::Value* tensor = ir.CreateSelect(
        is_tensor, ir.CreateConstInBoundsGEP1_64(ir.getInt8Ty(), object, offsetof(TnTensor, tensor)), object);
    llvm::Value* actual = field(tensor, offsetof(DLTensor, strides), ptr);
    llvm::Value* shape = field(tensor, offsetof(DLTensor, shape), ptr);
    llvm::Value* compact = ir.CreateIsNull(actual);
    // The strides of a tensor without any, from the last dimension on.
    std::vector<llvm::Value*> stride(static_cast<size_t>(s.params[i].ndim));
    llvm::Value* product = ir.getInt64(1);
    for (size_t d = stride.size(); d-- > 0;) {
      llvm::Value* table = ir.CreateSelect(compact, shape, actual);
      llvm::Value* given = ir.CreateLoad(ir.getInt64Ty(), ir.CreateConstInBoundsGEP1_64(ir.getInt64Ty(), table, d));
      stride[d] = ir.CreateSelect(compact, product, given);
      llvm::Value* extent = ir.CreateLoad(ir.getInt64Ty(), ir.CreateConstInBoundsGEP1_64(ir.getInt64Ty(), shape, d));
      product = ir.CreateMul(product, extent);
    }
    size_t at = 0;
    for (size_t d = 0; d < stride.size(); ++d) {
      llvm::Value* extent = ir.CreateLoad(ir.getInt64Ty(), ir.CreateConstInBoundsGEP1_64(ir.getInt64Ty(), shape, d));
      std::vector<llvm::Value*> stack;
      bool binds = strides[at] == TN_DIM_SYMBOL && strides[at + 2] == TN_DIM_END &&
                   bound.insert(static_cast<int32_t>(strides[at + 1])).second;
      if (binds) {
        ir.CreateStore(stride[d], symbol_slot(static_cast<int32_t>(strides[at + 1])));
        at += 3;
        continue;
      }
      for (; strides[at] != TN_DIM_END; ++at) {
        auto pop = [&] {
          llvm::Value* v = stack.back();
          stack.pop_back();
          return v;
        };
        int64_t op = strides[at];
        if (op == TN_DIM_CONST) {
          stack.push_back(ir.getInt64(static_cast<uint64_t>(strides[++at])));
        } else if (op == TN_DIM_SYMBOL) {
          stack.push_back(ir.CreateLoad(ir.getInt64Ty(), symbol_slot(static_cast<int32_t>(strides[++at]))));
        } else {
          llvm::Value* b = pop();
          llvm::Value* a = pop();
          if (op != TN_DIM_ADD && op != TN_DIM_SUB && op != TN_DIM_MUL)
            throw Error(TN_ERROR_UNSUPPORTED,
                        "the strides of parameter '" + s.params[i].name + "' of '" + s.name + "' use a division",
                        position_of(info.function), "declare strides as constants, symbols, sums and products");
          stack.push_back(op == TN_DIM_ADD   ? ir.CreateAdd(a, b)
                          : op == TN_DIM_SUB ? ir.CreateSub(a, b)
                                             : ir.CreateMul(a, b));
        }
      }
      ++at;
      // A dimension of at most one element has no stride to speak of.
      llvm::Value* ok = ir.CreateOr(ir.CreateICmpEQ(stack.back(), stride[d]), ir.CreateICmpSLT(extent, ir.getInt64(2)));
      auto* good = llvm::BasicBlock::Create(context(), "strides", entry);
      auto* bad = llvm::BasicBlock::Create(context(), "wrong_strides", entry);
      ir.CreateCondBr(ok, good, bad);
      ir.SetInsertPoint(bad);
      std::string message = s.name + ": argument '" + s.params[i].name + "' has another stride in dimension " +
                            std::to_string(d) + " than the function declares";
      llvm::Value* null = llvm::ConstantPointerNull::get(ir.getPtrTy());
      ir.CreateRet(ir.CreateCall(
          fail_function(), {module_context, ir.getInt32(TN_ERROR_SHAPE), text(message), text(s.name), null, ret}));
      ir.SetInsertPoint(good);
    }
  }
  for (int32_t i : info.extra_symbols) {
    llvm::Value* wide = ir.CreateLoad(ir.getInt64Ty(), symbol_slot(i));
    values.push_back(ir.CreateTrunc(wide, type_of(s.symbols[static_cast<size_t>(i)].dtype())));
  }
  ir.CreateRet(ir.CreateCall(info.internal, values));
}

}  // namespace tenon::backend
