#include "function_emitter.h"

namespace tenon::backend {
namespace {

// What is put on the stack: one buffer of at most, and all of a function together.
constexpr int64_t kMaxStackBuffer = 64 << 10;
constexpr int64_t kMaxStackFrame = 256 << 10;
constexpr uint64_t kBufferAlign = 64;

}  // namespace

llvm::Value* FunctionEmitter::stack_slot(llvm::Type* type, llvm::Value* count, const std::string& name) {
  llvm::IRBuilder<> entry(frame_.entry, frame_.entry->begin());
  return entry.CreateAlloca(type, count, name);
}

const BufferBinding& FunctionEmitter::binding(const Node& at, const Node& buffer) {
  auto it = frame_.buffers.find(buffer.get());
  if (it == frame_.buffers.end())
    throw Error(TN_ERROR_VERIFY,
                "codegen-llvm: in '" + info_.name + "': buffer '" + std::string(buffer.to<tir::Buffer>().name()) +
                    "' is used where nothing declares it",
                where(at));
  return it->second;
}

// ---- Where buffers lie -----------------------------------------------------------------------------------------

void FunctionEmitter::alloc_buffer(const tir::AllocBuffer& s) {
  const auto& buffer = s.buffer().to<tir::Buffer>();
  std::string name(buffer.name());
  if (is_handle(buffer.dtype())) return alloc_registers(s, buffer);
  llvm::Type* element = m_.memory_type(buffer.dtype());
  int64_t bytes = static_cast<int64_t>(m_.llvm_module().getDataLayout().getTypeAllocSize(element).getFixedValue());
  int64_t constant_bytes = bytes;
  llvm::Value* elements = ir_.getInt64(1);
  llvm::Value* fits = ir_.getTrue();
  auto times = [&](llvm::Value* a, llvm::Value* b) {
    llvm::Value* both = ir_.CreateBinaryIntrinsic(llvm::Intrinsic::smul_with_overflow, a, b);
    fits = ir_.CreateAnd(fits, ir_.CreateNot(ir_.CreateExtractValue(both, 1)));
    return ir_.CreateExtractValue(both, 0);
  };
  for (const Node& dim : nodes(buffer.shape())) {
    const auto* imm = dim.as<ir::IntImm>();
    if (!imm || __builtin_mul_overflow(constant_bytes, imm->value(), &constant_bytes)) constant_bytes = -1;
    if (constant_bytes < 0) constant_bytes = INT64_MIN;  // stays negative or overflows again
    elements = times(elements, index(dim));
  }
  if (!buffer.strides().empty()) {
    // Strided memory reaches from the first to the last element.
    constant_bytes = -1;
    std::vector<llvm::Value*> step = strides(buffer);
    elements = ir_.getInt64(1);
    for (size_t d = 0; d < step.size(); ++d)
      elements = ir_.CreateAdd(elements,
                               ir_.CreateMul(ir_.CreateSub(index(nodes(buffer.shape())[d]), ir_.getInt64(1)), step[d]));
  }
  if (constant_bytes >= 0 && constant_bytes <= kMaxStackBuffer &&
      frame_.stack_bytes + constant_bytes <= kMaxStackFrame) {
    frame_.stack_bytes += constant_bytes;
    auto* type = llvm::ArrayType::get(element, static_cast<uint64_t>(constant_bytes / bytes));
    auto* slot = llvm::cast<llvm::AllocaInst>(stack_slot(type, nullptr, name));
    slot->setAlignment(llvm::Align(kBufferAlign));
    ir_.CreateLifetimeStart(slot, ir_.getInt64(static_cast<uint64_t>(constant_bytes)));
    frame_.buffers[buffer.get()] = {slot, llvm::Align(kBufferAlign), true};
    frame_.cleanups.push_back({[this, slot, constant_bytes] {
      ir_.CreateLifetimeEnd(slot, ir_.getInt64(static_cast<uint64_t>(constant_bytes)));
    }});
    return;
  }
  llvm::Value* size = times(elements, ir_.getInt64(static_cast<uint64_t>(bytes)));
  require(fits, TN_ERROR_LIMIT, "the size of the buffer '" + name + "' does not fit into 64 bits", s);
  auto* memory = llvm::cast<llvm::CallInst>(call_runtime(offsetof(TnRuntime, workspace_alloc), ir_.getPtrTy(), {size}));
  memory->setName(name);
  memory->addRetAttr(llvm::Attribute::NoAlias);
  require_numbers(ir_.CreateIsNotNull(memory), TN_ERROR_OUT_OF_MEMORY,
                  "no memory for the buffer '" + name + "' of %lld bytes", size, size, s,
                  "use smaller dimensions, or free memory");
  ir_.CreateAlignmentAssumption(m_.llvm_module().getDataLayout(), memory, kBufferAlign);
  frame_.buffers[buffer.get()] = {memory, llvm::Align(kBufferAlign), true};
  frame_.cleanups.push_back(
      {[this, memory] { call_runtime(offsetof(TnRuntime, workspace_free), ir_.getVoidTy(), {memory}); }});
}

// Registers belong to the function: they start as none, also when they are met again, and end at its exits.
void FunctionEmitter::alloc_registers(const tir::AllocBuffer& s, const tir::Buffer& buffer) {
  uint64_t count = 1;
  for (const Node& dim : nodes(buffer.shape())) {
    const auto* imm = dim.as<ir::IntImm>();
    if (!imm || imm->value() < 0 || imm->value() > 4096 || count > 4096)
      refuse(s, "the registers '" + std::string(buffer.name()) + "' need a constant extent of at most 4096");
    count *= static_cast<uint64_t>(imm->value());
  }
  llvm::Value* slots = handle_slots(count, std::string(buffer.name()));
  ir_.CreateCall(m_.release_range_function(), {slots, ir_.getInt64(count)});
  frame_.buffers[buffer.get()] = {slots, llvm::Align(8), true};
}

void FunctionEmitter::decl_buffer(const tir::DeclBuffer& s) {
  const Node& data = s.data();
  BufferBinding where_to;
  if (data.is<tir::Buffer>()) {
    where_to = binding(s, data);
  } else if (const auto* constant = data.as<ir::Constant>()) {
    int64_t number = m_.constant_index(constant->data());
    auto constant_load = [&](llvm::Value* p) {
      auto* load = ir_.CreateLoad(ir_.getPtrTy(), p);
      load->setMetadata(llvm::LLVMContext::MD_invariant_load, llvm::MDNode::get(m_.context(), {}));
      return load;
    };
    llvm::Value* table = constant_load(
        ir_.CreateConstInBoundsGEP1_64(ir_.getInt8Ty(), frame_.context, offsetof(TnModuleContext, constants)));
    llvm::Value* base =
        constant_load(ir_.CreateConstInBoundsGEP1_64(ir_.getPtrTy(), table, static_cast<uint64_t>(number)));
    where_to = {base, llvm::Align(1), true, true};
  } else if (const auto* call = data.as<ir::Call>(); call && call->op().is<ir::Op>()) {
    std::string_view id = call->op().to<ir::Op>().id();
    if (id == "tir.tensor_data")
      where_to = {tensor_memory(s, *call), llvm::Align(1), false};
    else if (id == "tir.address_of")
      where_to = {expr(data), llvm::Align(1), false};
    else
      refuse(s, "a buffer view cannot have the result of " + std::string(id) + " as its data");
  } else {
    refuse(s, "a buffer view needs a buffer, a constant or an address as its data");
  }
  frame_.buffers[s.buffer().get()] = where_to;
}

// ---- Addresses -------------------------------------------------------------------------------------------------

std::vector<llvm::Value*> FunctionEmitter::strides(const tir::Buffer& buffer) {
  std::vector<llvm::Value*> out;
  if (!buffer.strides().empty()) {
    for (const Node& s : nodes(buffer.strides())) out.push_back(index(s));
    return out;
  }
  NodeRange shape = nodes(buffer.shape());
  out.resize(shape.size());
  llvm::Value* product = ir_.getInt64(1);
  for (size_t d = shape.size(); d-- > 0;) {
    out[d] = product;
    if (d > 0) product = ir_.CreateMul(product, index(shape[d]), "", false, true);
  }
  return out;
}

bool FunctionEmitter::is_data_dependent(const Node& e) const {
  bool found = false;
  m_.b().walk(
      Value(e),
      [&](const Node& n) {
        found = found || n.is<tir::BufferLoad>() || data_dependent_.count(n.get()) || is_effect(n);
        return !found;
      },
      [](const Node&) {});
  return found;
}

void FunctionEmitter::check_index(const Node& at, const tir::Buffer& buffer, size_t axis, const Node& e,
                                  llvm::Value* value) {
  BoundsChecks checks = m_.options().bounds_checks;
  if (checks == BoundsChecks::kNone) return;
  if (checks == BoundsChecks::kDataDependent && !is_data_dependent(e)) return;
  const Node& extent = nodes(buffer.shape())[axis];
  const Builder& b = m_.b();
  if (e.dtype().lanes == 1 && same_dtype(e.dtype(), extent.dtype()) &&
      ranges_.proves(b.logical_and(b.ge(e, b.imm(0, e.dtype())), b.lt(e, extent))))
    return;
  llvm::Value* limit = index(extent);
  if (auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(value->getType()))
    limit = splat(limit, static_cast<int>(vector->getNumElements()));
  // One unsigned comparison covers both ends.
  llvm::Value* ok = ir_.CreateICmpULT(value, limit);
  std::string tail =
      " is out of bounds for dimension " + std::to_string(axis) + " of buffer '" + std::string(buffer.name()) + "'";
  if (value->getType()->isVectorTy())
    require(ok, TN_ERROR_CHECK_FAILED, "an index" + tail, at);
  else
    require_numbers(ok, TN_ERROR_CHECK_FAILED, "index %lld" + tail + ", whose extent is %lld", value, limit, at,
                    "guard the access with a condition or a predicate, or correct the index");
}

Access FunctionEmitter::access(const Node& at, const tir::Buffer& buffer, const Array& indices) {
  if (buffer.dtype().lanes != 1)
    refuse(
        at,
        "the buffer '" + std::string(buffer.name()) + "' has elements of the vector type " + dtype_text(buffer.dtype()),
        "give it a scalar dtype; vector accesses use ramps");
  NodeRange items = nodes(indices);
  if (items.size() != buffer.shape().size())
    throw Error(TN_ERROR_VERIFY,
                "codegen-llvm: in '" + info_.name + "': the buffer '" + std::string(buffer.name()) + "' has " +
                    std::to_string(buffer.shape().size()) + " dimensions and is accessed with " +
                    std::to_string(items.size()) + " indices",
                where(at));
  std::vector<llvm::Value*> stride = strides(buffer);
  int lanes = 1;
  llvm::Value* base = buffer.elem_offset().is_none() ? ir_.getInt64(0) : index(as_node(buffer.elem_offset()));
  llvm::Value* step = ir_.getInt64(0);  // between lanes, of all ramps together
  llvm::Value* scattered = nullptr;     // what is no ramp
  auto add = [&](llvm::Value* a, llvm::Value* b) { return ir_.CreateAdd(a, b, "", false, true); };
  auto mul = [&](llvm::Value* a, llvm::Value* b) { return ir_.CreateMul(a, b, "", false, true); };
  for (size_t d = 0; d < items.size(); ++d) {
    const Node& e = items[d];
    int e_lanes = e.dtype().lanes;
    if (e_lanes > 1) lanes = e_lanes;
    const auto* ramp = e.as<tir::Ramp>();
    const auto* broadcast = e.as<tir::Broadcast>();
    if (ramp && ramp->base().dtype().lanes == 1) {
      llvm::Value *first = index(ramp->base()), *by = index(ramp->stride());
      check_index(at, buffer, d, ramp->base(), first);
      if (is_data_dependent(e))
        check_index(at, buffer, d, e,
                    add(splat(first, e_lanes),
                        mul(splat(by, e_lanes),
                            index(m_.b().make<tir::Ramp>({with_lanes(kInt64, static_cast<uint16_t>(e_lanes)),
                                                          m_.b().imm(0), m_.b().imm(1), int64_t{e_lanes}})))));
      base = add(base, mul(first, stride[d]));
      step = add(step, mul(by, stride[d]));
    } else if (e_lanes == 1 || (broadcast && broadcast->value().dtype().lanes == 1)) {
      const Node& scalar = e_lanes == 1 ? e : broadcast->value();
      llvm::Value* v = index(scalar);
      check_index(at, buffer, d, scalar, v);
      base = add(base, mul(v, stride[d]));
    } else {
      llvm::Value* v = index(e);
      check_index(at, buffer, d, e, v);
      llvm::Value* term = mul(v, splat(stride[d], e_lanes));
      scattered = scattered ? add(scattered, term) : term;
    }
  }
  llvm::Align align(static_cast<uint64_t>(std::max<int64_t>(1, dtype_bytes(buffer.dtype()))));
  if (lanes == 1) return {base, 1, true, align};
  auto* known_step = llvm::dyn_cast<llvm::ConstantInt>(step);
  if (!scattered && known_step && known_step->isOne()) return {base, lanes, true, align};
  llvm::Value* v = splat(base, lanes);
  if (!known_step || !known_step->isZero()) {
    std::vector<llvm::Constant*> numbers;
    for (int i = 0; i < lanes; ++i) numbers.push_back(ir_.getInt64(static_cast<uint64_t>(i)));
    v = add(v, mul(splat(step, lanes), llvm::ConstantVector::get(numbers)));
  }
  return {scattered ? add(v, scattered) : v, lanes, false, align};
}

llvm::Value* FunctionEmitter::element_pointer(const tir::Buffer& buffer, const BufferBinding& where_at,
                                              llvm::Value* at) {
  return ir_.CreateInBoundsGEP(m_.memory_type(buffer.dtype()), where_at.base, at);
}

llvm::Value* FunctionEmitter::buffer_pointer(const Node& at, const Node& buffer_node) {
  const auto& buffer = buffer_node.to<tir::Buffer>();
  const BufferBinding& where_at = binding(at, buffer_node);
  if (buffer.elem_offset().is_none()) return where_at.base;
  return element_pointer(buffer, where_at, index(as_node(buffer.elem_offset())));
}

llvm::Value* FunctionEmitter::address_of(const tir::BufferLoad& load) {
  const auto& buffer = load.buffer().to<tir::Buffer>();
  Access a = access(load, buffer, load.indices());
  if (a.lanes > 1 && !a.contiguous) refuse(load, "the address of scattered elements is taken");
  return element_pointer(buffer, binding(load, load.buffer()), a.index);
}

// ---- Loads and stores ------------------------------------------------------------------------------------------

llvm::Value* FunctionEmitter::load(const tir::BufferLoad& e) {
  const auto& buffer = e.buffer().to<tir::Buffer>();
  Access a = access(e, buffer, e.indices());
  llvm::Value* p = element_pointer(buffer, binding(e, e.buffer()), a.index);
  if (is_handle(buffer.dtype())) return p;
  llvm::Type* memory = m_.memory_type(with_lanes(buffer.dtype(), static_cast<uint16_t>(a.lanes)));
  llvm::Value* v;
  if (a.contiguous)
    v = ir_.CreateAlignedLoad(memory, p, a.align);
  else
    v = ir_.CreateMaskedGather(memory, p, a.align);
  if (is_bool(buffer.dtype())) v = ir_.CreateICmpNE(v, llvm::Constant::getNullValue(memory));
  return v;
}

void FunctionEmitter::store(const tir::BufferStore& s) {
  const auto& buffer = s.buffer().to<tir::Buffer>();
  if (binding(s, s.buffer()).read_only)
    throw Error(TN_ERROR_VERIFY,
                "codegen-llvm: in '" + info_.name + "': a value is stored into the constant '" +
                    std::string(buffer.name()) + "'",
                where(s), "copy the constant into a buffer first");
  if (is_handle(buffer.dtype())) {
    llvm::Value* from = expr(s.value());
    Access a = access(s, buffer, s.indices());
    return give_handle(s, s.value(), from, element_pointer(buffer, binding(s, s.buffer()), a.index));
  }
  llvm::Value* v = expr(s.value());
  Access a = access(s, buffer, s.indices());
  DLDataType type = with_lanes(buffer.dtype(), static_cast<uint16_t>(a.lanes));
  if (s.value().dtype().lanes == 1 && a.lanes > 1) v = splat(v, a.lanes);
  if (is_bool(buffer.dtype())) v = ir_.CreateZExt(v, m_.memory_type(type));
  llvm::Value* p = element_pointer(buffer, binding(s, s.buffer()), a.index);
  if (a.contiguous)
    ir_.CreateAlignedStore(v, p, a.align);
  else
    ir_.CreateMaskedScatter(v, p, a.align);
}

}  // namespace tenon::backend
