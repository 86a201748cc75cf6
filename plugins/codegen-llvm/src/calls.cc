#include "function_emitter.h"

namespace tenon::backend {

llvm::Value* FunctionEmitter::call_expr(const ir::Call& call, bool used) {
  if (const auto* callee = call.op().as<ir::GlobalVar>()) {
    const FunctionInfo* info = m_.find(callee->name());
    if (!info)
      refuse(call, "the call of '" + std::string(callee->name()) + "', which is no loop function of the module",
             "external functions are called through T.call_packed");
    return call_function(call, *info);
  }
  const auto* op = call.op().as<ir::Op>();
  if (!op) refuse(call, "a call of something that is neither an intrinsic nor a function of the module");
  if (op->id() == "tir.call_packed") return call_packed(call, used);
  EmitIntrinsic emit = find_intrinsic(op->id());
  if (!emit) emit = find_builtin(op->id());
  if (!emit) refuse(call, "the intrinsic " + std::string(op->id()) + " has no translation");
  return emit(*this, call);
}

void FunctionEmitter::call_statement(const ir::Call& call) {
  const auto* op = call.op().as<ir::Op>();
  if (op && op->id() == "tir.ret") return return_handle(call);
  call_expr(call, false);
}

// ---- Functions of the module -----------------------------------------------------------------------------------

// The value of a dimension's program; leaves `program` behind its end.
llvm::Value* FunctionEmitter::eval_dim(const int64_t*& program, const std::vector<llvm::Value*>& symbols) {
  constexpr std::pair<int64_t, uint32_t> operators[] = {{TN_DIM_ADD, TN_KIND_tir_Add},
                                                        {TN_DIM_SUB, TN_KIND_tir_Sub},
                                                        {TN_DIM_MUL, TN_KIND_tir_Mul},
                                                        {TN_DIM_MIN, TN_KIND_tir_Min},
                                                        {TN_DIM_MAX, TN_KIND_tir_Max}};
  std::vector<llvm::Value*> stack;
  for (; *program != TN_DIM_END; ++program) {
    if (*program == TN_DIM_CONST) {
      stack.push_back(ir_.getInt64(static_cast<uint64_t>(*++program)));
    } else if (*program == TN_DIM_SYMBOL) {
      stack.push_back(symbols[static_cast<size_t>(*++program)]);
    } else {
      llvm::Value* b = stack.back();
      stack.pop_back();
      llvm::Value* a = stack.back();
      stack.pop_back();
      llvm::Value* v = nullptr;
      for (auto [code, kind] : operators)
        if (code == *program) v = binary_arith(kind, kInt64, a, b);
      if (!v) {  // floor division; extents are no less than zero and what divides them is greater
        llvm::Value* divisor = ir_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, b, ir_.getInt64(1));
        llvm::Value* r = ir_.CreateSRem(a, divisor);
        llvm::Value* below = ir_.CreateICmpSLT(r, ir_.getInt64(0));
        v = *program == TN_DIM_FLOORDIV
                ? ir_.CreateAdd(ir_.CreateSDiv(a, divisor), ir_.CreateSExt(below, ir_.getInt64Ty()))
                : ir_.CreateAdd(r, ir_.CreateSelect(below, divisor, ir_.getInt64(0)));
      }
      stack.push_back(v);
    }
  }
  ++program;
  return stack.back();
}

llvm::Value* FunctionEmitter::call_function(const ir::Call& call, const FunctionInfo& callee) {
  const FunctionSignature& s = callee.signature;
  NodeRange args = nodes(call.args());
  std::string what = "the call of '" + callee.name + "'";
  auto wrong = [&](const std::string& why) {
    throw Error(TN_ERROR_VERIFY, "codegen-llvm: in '" + info_.name + "': " + what + " " + why, where(call));
  };
  if (args.size() != s.params.size())
    wrong("passes " + std::to_string(args.size()) + " arguments to " + std::to_string(s.params.size()) + " parameters");

  std::vector<llvm::Value*> values = {frame_.context, frame_.ret};
  std::vector<llvm::Value*> symbols(s.symbols.size(), nullptr);
  auto same = [&](llvm::Value* actual, const int64_t*& program, const std::string& message) {
    if (program[0] == TN_DIM_SYMBOL && program[2] == TN_DIM_END && !symbols[static_cast<size_t>(program[1])]) {
      symbols[static_cast<size_t>(program[1])] = actual;
      program += 3;
      return;
    }
    llvm::Value* wanted = eval_dim(program, symbols);
    if (wanted != actual) require(ir_.CreateICmpEQ(wanted, actual), TN_ERROR_SHAPE, message, call);
  };
  // Scalars first: the shapes of all parameters may speak of them.
  std::vector<llvm::Value*> scalars(args.size(), nullptr);
  for (size_t i = 0; i < args.size(); ++i) {
    const SignatureParam& p = s.params[i];
    if (p.kind == TN_PARAM_TENSOR) continue;
    if (!same_dtype(args[i].dtype(), p.dtype))
      wrong("passes " + dtype_text(args[i].dtype()) + " to the parameter '" + p.name + "' of " + dtype_text(p.dtype));
    scalars[i] = expr(args[i]);
    if (p.symbol >= 0) symbols[static_cast<size_t>(p.symbol)] = convert(scalars[i], p.dtype, kInt64);
  }
  for (size_t i = 0; i < args.size(); ++i) {
    const SignatureParam& p = s.params[i];
    if (p.kind == TN_PARAM_TENSOR) {
      BufferView view;
      if (!view_argument(call, args[i], view))
        wrong("passes something else than a buffer to the parameter '" + p.name + "'");
      const tir::Buffer& buffer = view.buffer;
      std::string name = "'" + std::string(buffer.name()) + "'";
      if (!same_dtype(buffer.dtype(), p.dtype))
        wrong("passes the buffer " + name + " of " + dtype_text(buffer.dtype()) + " to the parameter '" + p.name +
              "' of " + dtype_text(p.dtype));
      if (static_cast<int32_t>(view.extents.size()) != p.ndim)
        wrong("passes the buffer " + name + " of rank " + std::to_string(view.extents.size()) + " to the parameter '" +
              p.name + "' of rank " + std::to_string(p.ndim));
      if ((p.flags & TN_PARAM_WRITTEN) && binding(call, buffer).read_only)
        wrong("passes the constant " + name + " to the parameter '" + p.name + "', which it writes");
      values.push_back(view.data);
      const int64_t* program = p.dims.data();
      for (size_t d = 0; d < view.extents.size(); ++d)
        same(view.extents[d], program,
             what + ": dimension " + std::to_string(d) + " of " + name + " is not what the parameter '" + p.name +
                 "' asks for");
      if (p.strides.empty() && view.strides.empty()) continue;
      std::vector<llvm::Value*> actual = view.strides.empty() ? strides(buffer) : view.strides;
      std::string message = what + ": the strides of " + name + " are not those of the parameter '" + p.name + "'";
      if (p.strides.empty()) {
        // Contiguous, but for dimensions of one element.
        llvm::Value* compact = ir_.getInt64(1);
        for (size_t d = actual.size(); d-- > 0;) {
          llvm::Value* single = ir_.CreateICmpEQ(view.extents[d], ir_.getInt64(1));
          require(ir_.CreateOr(single, ir_.CreateICmpEQ(actual[d], compact)), TN_ERROR_SHAPE, message, call,
                  "copy the view into a buffer of its own first");
          compact = ir_.CreateMul(compact, view.extents[d]);
        }
      } else {
        program = p.strides.data();
        for (llvm::Value* stride : actual) same(stride, program, message);
      }
      continue;
    }
    values.push_back(scalars[i]);
  }
  for (int32_t i : callee.extra_symbols)
    values.push_back(convert(symbols[static_cast<size_t>(i)], kInt64, s.symbols[static_cast<size_t>(i)].dtype()));
  propagate(ir_.CreateCall(callee.internal, values));
  return callee.function.ret_type().is_none() ? nullptr : take_result();
}

// ---- External functions ----------------------------------------------------------------------------------------

bool FunctionEmitter::view_argument(const Node& at, const Node& arg, BufferView& view) {
  const auto* region = arg.as<tir::BufferRegion>();
  if (!region && !arg.is<tir::Buffer>()) return false;
  const Node& node = region ? region->buffer() : arg;
  view.buffer = node.to<tir::Buffer>();
  view.data = buffer_pointer(at, node);
  if (!region) {
    for (const Node& dim : nodes(view.buffer.shape())) view.extents.push_back(index(dim));
    if (!view.buffer.strides().empty()) view.strides = strides(view.buffer);
    return true;
  }
  view.strides = strides(view.buffer);
  llvm::Value* offset = ir_.getInt64(0);
  for (size_t d = 0; d < view.strides.size(); ++d) {
    const auto& range = nodes(region->region())[d].to<ir::Range>();
    llvm::Value* min = index(range.min());
    view.extents.push_back(index(range.extent()));
    check_index(at, view.buffer, d, range.min(), min);
    offset = ir_.CreateAdd(offset, ir_.CreateMul(min, view.strides[d]));
  }
  view.data = element_pointer(view.buffer, {view.data, llvm::Align(1), false}, offset);
  return true;
}

llvm::Value* FunctionEmitter::tensor_argument(const BufferView& view) {
  unsigned rank = static_cast<unsigned>(view.extents.size());
  llvm::Type* bytes = llvm::ArrayType::get(ir_.getInt8Ty(), sizeof(DLTensor));
  auto* tensor = llvm::cast<llvm::AllocaInst>(stack_slot(bytes, nullptr, "tensor"));
  tensor->setAlignment(llvm::Align(alignof(DLTensor)));
  llvm::Value* shape = stack_slot(llvm::ArrayType::get(ir_.getInt64Ty(), rank), nullptr, "shape");
  auto put = [&](size_t offset, llvm::Value* v) {
    ir_.CreateStore(v, ir_.CreateConstInBoundsGEP1_64(ir_.getInt8Ty(), tensor, offset));
  };
  auto fill = [&](llvm::Value* table, const std::vector<llvm::Value*>& values) {
    for (size_t d = 0; d < values.size(); ++d)
      ir_.CreateStore(values[d], ir_.CreateConstInBoundsGEP1_64(ir_.getInt64Ty(), table, d));
  };
  fill(shape, view.extents);
  llvm::Value* stride_table = llvm::ConstantPointerNull::get(ir_.getPtrTy());
  if (!view.strides.empty()) {
    stride_table = stack_slot(llvm::ArrayType::get(ir_.getInt64Ty(), rank), nullptr, "strides");
    fill(stride_table, view.strides);
  }
  put(offsetof(DLTensor, data), view.data);
  put(offsetof(DLTensor, device), ir_.getInt64(kDLCPU));
  put(offsetof(DLTensor, ndim), ir_.getInt32(rank));
  DLDataType t = view.buffer.dtype();
  put(offsetof(DLTensor, dtype), ir_.getInt32(static_cast<uint32_t>(t.code) | static_cast<uint32_t>(t.bits) << 8 |
                                              static_cast<uint32_t>(t.lanes) << 16));
  put(offsetof(DLTensor, shape), shape);
  put(offsetof(DLTensor, strides), stride_table);
  put(offsetof(DLTensor, byte_offset), ir_.getInt64(0));
  return tensor;
}

// Writes a TnValue that borrows what the argument is.
void FunctionEmitter::store_argument(const Node& at, const Node& arg, llvm::Value* slot) {
  auto put = [&](int32_t type, llvm::Value* payload) {
    ir_.CreateStore(ir_.getInt64(static_cast<uint64_t>(type)), slot);  // no small string: both words at once
    ir_.CreateStore(payload, ir_.CreateConstInBoundsGEP1_64(ir_.getInt8Ty(), slot, offsetof(TnValue, as)));
  };
  if (BufferView view; view_argument(at, arg, view)) {
    if (binding(at, view.buffer).read_only)
      throw Error(TN_ERROR_VERIFY,
                  "codegen-llvm: in '" + info_.name + "': the constant '" + std::string(view.buffer.name()) +
                      "' is passed to an external function, which may write it",
                  where(at), "copy the constant into a buffer first");
    return put(TN_DLTENSOR, tensor_argument(view));
  }
  if (const auto* text = arg.as<ir::StringImm>()) return put(TN_C_STRING, m_.text(text->value()));
  DLDataType t = arg.dtype();
  if (t.lanes != 1) refuse(at, "a vector is passed to an external function");
  llvm::Value* v = expr(arg);
  if (is_handle(t)) {
    const auto* call = arg.as<ir::Call>();
    if (call && call->op().is<ir::Op>() && call->op().to<ir::Op>().id() == "tir.address_of") return put(TN_POINTER, v);
    ir_.CreateStore(ir_.CreateLoad(m_.value_type(), v), slot);
    return;
  }
  if (is_floating(t)) return put(TN_FLOAT, ir_.CreateFPCast(v, ir_.getDoubleTy()));
  put(is_bool(t) ? TN_BOOL : TN_INT, convert(v, t, kInt64));
}

// The result is received in `ret` itself, where an error belongs anyway; it is none again when this returns.
llvm::Value* FunctionEmitter::call_packed(const ir::Call& call, bool used) {
  NodeRange args = nodes(call.args());
  const auto* name = args.size() ? args[0].as<ir::StringImm>() : nullptr;
  if (!name) refuse(call, "tir.call_packed takes the name of the function first");
  unsigned count = static_cast<unsigned>(args.size()) - 1;
  llvm::Value* slots = stack_slot(llvm::ArrayType::get(m_.value_type(), count), nullptr, "args");
  for (unsigned i = 0; i < count; ++i)
    store_argument(call, args[i + 1], ir_.CreateConstInBoundsGEP1_64(m_.value_type(), slots, i));
  auto field = [&](llvm::Value* base, size_t offset) {
    return ir_.CreateLoad(ir_.getPtrTy(), ir_.CreateConstInBoundsGEP1_64(ir_.getInt8Ty(), base, offset));
  };
  llvm::Value* imports = field(frame_.context, offsetof(TnModuleContext, imports));
  llvm::Value* function = field(imports, sizeof(void*) * static_cast<size_t>(m_.import_index(name->value())));
  ir_.CreateStore(llvm::Constant::getNullValue(m_.value_type()), frame_.ret);
  llvm::Value* status = ir_.CreateCall(m_.entry_type(), field(function, offsetof(TnFunction, call)),
                                       {function, slots, ir_.getInt32(count), frame_.ret});
  propagate(status);
  if (used) return unpack_result(call, frame_.ret, std::string(name->value()));
  ir_.CreateCall(m_.release_function(), {frame_.ret});
  ir_.CreateStore(llvm::Constant::getNullValue(m_.value_type()), frame_.ret);
  return nullptr;
}

llvm::Value* FunctionEmitter::unpack_result(const ir::Call& call, llvm::Value* slot, const std::string& callee) {
  DLDataType t = call.dtype();
  if (is_handle(t)) {
    // What the function was lent ends with the call: a tensor that it gives back is copied.
    llvm::Value* status = ir_.CreateCall(m_.own_tensor_function(), {frame_.context, slot});
    require(
        ir_.CreateICmpNE(status, ir_.getInt32(1)), TN_ERROR_SHAPE,
        "the external function '" + callee + "' returned a borrowed tensor that is not contiguous in the CPU's memory",
        call, "let it return a tensor object");
    propagate(status);
    return take_result();
  }
  llvm::Value* payload = ir_.CreateConstInBoundsGEP1_64(ir_.getInt8Ty(), slot, offsetof(TnValue, as));
  llvm::Value* result = nullptr;
  if (t.bits != 0) {
    llvm::Value* type = ir_.CreateLoad(ir_.getInt32Ty(), slot);
    auto is = [&](int32_t index) { return ir_.CreateICmpEQ(type, ir_.getInt32(static_cast<uint32_t>(index))); };
    llvm::Value* whole = ir_.CreateOr(is(TN_INT), is(TN_BOOL));
    llvm::Value* bits = ir_.CreateLoad(ir_.getInt64Ty(), payload);
    llvm::Value* ok = is_floating(t) ? ir_.CreateOr(whole, is(TN_FLOAT)) : whole;
    llvm::BasicBlock *good = block("result"), *bad = block("wrong_result");
    ir_.CreateCondBr(ok, good, bad);
    ir_.SetInsertPoint(bad);
    ir_.CreateCall(m_.release_function(), {slot});
    require(ir_.getFalse(), TN_ERROR_TYPE,
            "the external function '" + callee + "' did not return a value of " + dtype_text(t), call);
    ir_.CreateUnreachable();
    ir_.SetInsertPoint(good);
    if (is_floating(t))
      result = ir_.CreateFPCast(ir_.CreateSelect(is(TN_FLOAT), ir_.CreateBitCast(bits, ir_.getDoubleTy()),
                                                 ir_.CreateSIToFP(bits, ir_.getDoubleTy())),
                                m_.type_of(t));
    else
      result = convert(bits, kInt64, t);
  } else {
    ir_.CreateCall(m_.release_function(), {slot});
  }
  ir_.CreateStore(llvm::Constant::getNullValue(m_.value_type()), slot);
  return result;
}

}  // namespace tenon::backend
