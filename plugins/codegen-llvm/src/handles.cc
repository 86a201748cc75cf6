// Handles: a value of type handle is the address of a TnValue. What a call makes is owned by a slot of the function
// that is released at its exits; what is read from a register, a parameter or a tuple is borrowed.
#include "function_emitter.h"

namespace tenon::backend {

llvm::Value* FunctionEmitter::field(llvm::Value* base, size_t offset, llvm::Type* type) {
  return ir_.CreateLoad(type, ir_.CreateConstInBoundsGEP1_64(ir_.getInt8Ty(), base, offset));
}

llvm::Value* FunctionEmitter::handle_slots(uint64_t count, const std::string& name) {
  llvm::Value* slots = stack_slot(llvm::ArrayType::get(m_.value_type(), count), nullptr, name);
  frame_.handles.emplace_back(slots, count);
  return slots;
}

// Moves what a call left in `ret` into a slot.
llvm::Value* FunctionEmitter::take_result() {
  llvm::Value* slot = handle_slots(1, "handle");
  ir_.CreateCall(m_.release_range_function(), {slot, ir_.getInt64(1)});
  ir_.CreateStore(ir_.CreateLoad(m_.value_type(), frame_.ret), slot);
  ir_.CreateStore(llvm::Constant::getNullValue(m_.value_type()), frame_.ret);
  return slot;
}

// Whether an expression makes a value that its slot owns.
static bool makes_handle(const Node& e) {
  const auto* call = e.as<ir::Call>();
  const auto* op = call ? call->op().as<ir::Op>() : nullptr;
  return call && (!op || (op->id() != "tir.tuple_get" && op->id() != "tir.if_then_else"));
}

// Gives the value at `from` to `to`: moved out of its slot when it was just made, else with a reference of its own.
void FunctionEmitter::give_handle(const Node& at, const Node& value, llvm::Value* from, llvm::Value* to) {
  llvm::Type* type = m_.value_type();
  if (makes_handle(value)) {
    llvm::Value* moved = ir_.CreateLoad(type, from);
    ir_.CreateStore(llvm::Constant::getNullValue(type), from);
    ir_.CreateCall(m_.release_range_function(), {to, ir_.getInt64(1)});
    ir_.CreateStore(moved, to);
    return;
  }
  require_kept(at, from);
  ir_.CreateCall(m_.retain_function(), {from});
  llvm::Value* kept = ir_.CreateLoad(type, from);
  ir_.CreateCall(m_.release_range_function(), {to, ir_.getInt64(1)});
  ir_.CreateStore(kept, to);
}

void FunctionEmitter::require_kept(const Node& at, llvm::Value* handle) {
  llvm::Value* index = ir_.CreateLoad(ir_.getInt32Ty(), handle);
  require(ir_.CreateICmpNE(index, ir_.getInt32(TN_DLTENSOR)), TN_ERROR_TYPE,
          "a tensor that was passed as a DLTensor cannot be kept after the call", at, "pass a tensor object");
}

// The DLTensor in a handle.
llvm::Value* FunctionEmitter::tensor_in(const Node& at, llvm::Value* handle, const std::string& what) {
  llvm::Value* index = ir_.CreateLoad(ir_.getInt32Ty(), handle);
  llvm::Value* is_tensor = ir_.CreateICmpEQ(index, ir_.getInt32(TN_TENSOR));
  require(ir_.CreateOr(is_tensor, ir_.CreateICmpEQ(index, ir_.getInt32(TN_DLTENSOR))), TN_ERROR_TYPE,
          what + " must be a tensor, but it is something else", at);
  llvm::Value* object = field(handle, offsetof(TnValue, as), ir_.getPtrTy());
  llvm::Value* inside = ir_.CreateConstInBoundsGEP1_64(ir_.getInt8Ty(), object, offsetof(TnTensor, tensor));
  return ir_.CreateSelect(is_tensor, inside, object);
}

llvm::Value* FunctionEmitter::tensor_memory(const tir::DeclBuffer& s, const ir::Call& call) {
  std::string name = "the tensor behind buffer '" + std::string(s.buffer().to<tir::Buffer>().name()) + "'";
  llvm::Value* tensor = tensor_in(s, expr(nodes(call.args())[0]), name);
  require(ir_.CreateCall(m_.is_compact_function(), {tensor}), TN_ERROR_SHAPE, name + " is not contiguous", s);
  llvm::Value* device = field(tensor, offsetof(DLTensor, device), ir_.getInt32Ty());
  require(ir_.CreateICmpEQ(device, ir_.getInt32(kDLCPU)), TN_ERROR_DEVICE, name + " is not in the CPU's memory", s);
  llvm::Value* data = field(tensor, offsetof(DLTensor, data), ir_.getPtrTy());
  return ir_.CreateGEP(ir_.getInt8Ty(), data, field(tensor, offsetof(DLTensor, byte_offset), ir_.getInt64Ty()));
}

// ---- The builtins ----------------------------------------------------------------------------------------------

namespace {

using E = FunctionEmitter;
using V = llvm::Value*;

std::string text_argument(E& e, const ir::Call& c, size_t i) {
  const auto* text = nodes(c.args())[i].as<ir::StringImm>();
  if (!text)
    e.refuse(c, "argument " + std::to_string(i) + " of " + std::string(c.op().to<ir::Op>().id()) + " must be a text");
  return std::string(text->value());
}

DLDataType dtype_argument(E& e, const ir::Call& c, size_t i) {
  std::string text = text_argument(e, c, i);
  auto dtype = dtype_from_text(text);
  if (!dtype) e.refuse(c, "'" + text + "' is not a dtype");
  return *dtype;
}

uint32_t dtype_word(DLDataType t) {
  return static_cast<uint32_t>(t.code) | static_cast<uint32_t>(t.bits) << 8 | static_cast<uint32_t>(t.lanes) << 16;
}

V alloc_tensor(E& e, const ir::Call& c) {
  DLDataType dtype = dtype_argument(e, c, 0);
  NodeRange args = nodes(c.args());
  auto& ir = e.ir();
  V shape = e.stack_slot(llvm::ArrayType::get(ir.getInt64Ty(), args.size() - 1), nullptr, "shape");
  for (size_t d = 1; d < args.size(); ++d)
    ir.CreateStore(e.index(args[d]), ir.CreateConstInBoundsGEP1_64(ir.getInt64Ty(), shape, d - 1));
  // The device and the dtype are structures of 8 and 4 bytes, which both targets pass in a register each.
  e.propagate(e.call_runtime(offsetof(TnRuntime, tensor), ir.getInt32Ty(),
                             {ir.getInt64(kDLCPU), ir.getInt32(dtype_word(dtype)),
                              ir.getInt32(static_cast<uint32_t>(args.size() - 1)), shape, e.ret()}));
  return e.take_result();
}

V match_tensor(E& e, const ir::Call& c) {
  NodeRange args = nodes(c.args());
  auto& ir = e.ir();
  std::string what = text_argument(e, c, 1);
  DLDataType dtype = dtype_argument(e, c, 2);
  V tensor = e.tensor_in(c, e.expr(args[0]), what);
  e.require(
      ir.CreateICmpEQ(e.field(tensor, offsetof(DLTensor, dtype), ir.getInt32Ty()), ir.getInt32(dtype_word(dtype))),
      TN_ERROR_TYPE, what + " is not " + dtype_text(dtype), c);
  V ndim = ir.CreateSExt(e.field(tensor, offsetof(DLTensor, ndim), ir.getInt32Ty()), ir.getInt64Ty());
  V wanted = ir.getInt64(args.size() - 3);
  e.require_numbers(ir.CreateICmpEQ(ndim, wanted), TN_ERROR_SHAPE, what + " has %lld dimensions, not %lld", ndim,
                    wanted, c);
  V shape = e.field(tensor, offsetof(DLTensor, shape), ir.getPtrTy());
  for (size_t d = 3; d < args.size(); ++d) {
    V actual = e.field(shape, (d - 3) * sizeof(int64_t), ir.getInt64Ty());
    V extent = e.index(args[d]);
    e.require_numbers(ir.CreateICmpEQ(actual, extent), TN_ERROR_SHAPE,
                      "dimension " + std::to_string(d - 3) + " of " + what + " is %lld, not %lld", actual, extent, c);
  }
  return nullptr;
}

V tensor_ndim(E& e, const ir::Call& c) {
  V tensor = e.tensor_in(c, e.expr(nodes(c.args())[0]), "the value");
  return e.ir().CreateSExt(e.field(tensor, offsetof(DLTensor, ndim), e.ir().getInt32Ty()),
                           e.module().type_of(c.dtype()));
}

V tensor_dim(E& e, const ir::Call& c) {
  auto& ir = e.ir();
  V tensor = e.tensor_in(c, e.expr(nodes(c.args())[0]), "the value");
  V axis = e.index(nodes(c.args())[1]);
  V ndim = ir.CreateSExt(e.field(tensor, offsetof(DLTensor, ndim), ir.getInt32Ty()), ir.getInt64Ty());
  e.require_numbers(ir.CreateICmpULT(axis, ndim), TN_ERROR_SHAPE,
                    "there is no dimension %lld in a tensor of %lld dimensions", axis, ndim, c);
  V shape = e.field(tensor, offsetof(DLTensor, shape), ir.getPtrTy());
  V extent = ir.CreateLoad(ir.getInt64Ty(), ir.CreateInBoundsGEP(ir.getInt64Ty(), shape, axis));
  return e.convert(extent, kInt64, c.dtype());
}

V make_tuple(E& e, const ir::Call& c) {
  NodeRange args = nodes(c.args());
  auto& ir = e.ir();
  V fields = e.stack_slot(llvm::ArrayType::get(e.module().value_type(), args.size()), nullptr, "fields");
  for (size_t i = 0; i < args.size(); ++i) {
    V v = e.expr(args[i]);
    e.require_kept(c, v);
    ir.CreateStore(ir.CreateLoad(e.module().value_type(), v),
                   ir.CreateConstInBoundsGEP1_64(e.module().value_type(), fields, i));
  }
  e.propagate(e.call_runtime(offsetof(TnRuntime, array), ir.getInt32Ty(), {fields, ir.getInt64(args.size()), e.ret()}));
  return e.take_result();
}

V tuple_get(E& e, const ir::Call& c) {
  auto& ir = e.ir();
  V tuple = e.expr(nodes(c.args())[0]);
  V at = e.index(nodes(c.args())[1]);
  e.require(ir.CreateICmpEQ(ir.CreateLoad(ir.getInt32Ty(), tuple), ir.getInt32(TN_ARRAY)), TN_ERROR_TYPE,
            "a tuple is needed, but there is something else", c);
  V array = e.field(tuple, offsetof(TnValue, as), ir.getPtrTy());
  V size = e.field(array, offsetof(TnArray, size), ir.getInt64Ty());
  e.require_numbers(ir.CreateICmpULT(at, size), TN_ERROR_SHAPE, "there is no value %lld in a tuple of %lld values", at,
                    size, c);
  return ir.CreateInBoundsGEP(e.module().value_type(), e.field(array, offsetof(TnArray, data), ir.getPtrTy()), at);
}

V box(E& e, const ir::Call& c) {
  const Node& value = nodes(c.args())[0];
  if (is_handle(value.dtype())) return e.expr(value);
  V slot = e.handle_slots(1, "boxed");
  e.store_argument(c, value, slot);
  return slot;
}

// A number as {type index, payload}: from a boxed scalar, or the one element of a tensor.
std::pair<V, V> unbox(E& e, const ir::Call& c) {
  auto& ir = e.ir();
  V out = e.stack_slot(e.module().value_type(), nullptr, "number");
  V status = ir.CreateCall(e.module().unbox_function(), {e.expr(nodes(c.args())[0]), out});
  e.require(ir.CreateICmpNE(status, ir.getInt32(1)), TN_ERROR_TYPE, "a number is needed, but there is something else",
            c);
  e.require(ir.CreateICmpNE(status, ir.getInt32(2)), TN_ERROR_SHAPE,
            "a number is needed, but there is a tensor of several elements", c);
  return {ir.CreateLoad(ir.getInt32Ty(), out), e.field(out, offsetof(TnValue, as), ir.getInt64Ty())};
}
V unbox_whole(E& e, const ir::Call& c, const char* needed) {
  auto [type, bits] = unbox(e, c);
  e.require(e.ir().CreateICmpNE(type, e.ir().getInt32(TN_FLOAT)), TN_ERROR_TYPE,
            std::string(needed) + " is needed, but there is a float", c);
  return bits;
}
V unbox_int(E& e, const ir::Call& c) { return e.convert(unbox_whole(e, c, "an integer"), kInt64, c.dtype()); }
V unbox_bool(E& e, const ir::Call& c) { return e.convert(unbox_whole(e, c, "a bool"), kInt64, kBool); }
V unbox_float(E& e, const ir::Call& c) {
  auto [type, bits] = unbox(e, c);
  auto& ir = e.ir();
  V real = ir.CreateBitCast(bits, ir.getDoubleTy()), whole = ir.CreateSIToFP(bits, ir.getDoubleTy());
  return e.convert(ir.CreateSelect(ir.CreateICmpEQ(type, ir.getInt32(TN_FLOAT)), real, whole), kFloat64, c.dtype());
}

struct Row {
  const char* id;
  EmitIntrinsic emit;
};
constexpr Row kRows[] = {
    {"tir.alloc_tensor", alloc_tensor},
    {"tir.match_tensor", match_tensor},
    {"tir.tensor_dim", tensor_dim},
    {"tir.tensor_ndim", tensor_ndim},
    {"tir.make_tuple", make_tuple},
    {"tir.tuple_get", tuple_get},
    {"tir.box", box},
    {"tir.unbox_int", unbox_int},
    {"tir.unbox_float", unbox_float},
    {"tir.unbox_bool", unbox_bool},
};

}  // namespace

EmitIntrinsic find_builtin(std::string_view id) {
  for (const Row& row : kRows)
    if (row.id == id) return row.emit;
  return nullptr;
}

// Ends the function with a value as its result.
void FunctionEmitter::return_handle(const ir::Call& call) {
  if (frame_.function != info_.internal) refuse(call, "tir.ret stands in a parallel loop");
  const Node& value = nodes(call.args())[0];
  llvm::Value* from = expr(value);
  llvm::Value* kept = handle_slots(1, "result");
  give_handle(call, value, from, kept);
  ir_.CreateStore(ir_.CreateLoad(m_.value_type(), kept), frame_.ret);
  ir_.CreateStore(llvm::Constant::getNullValue(m_.value_type()), kept);
  for (size_t i = frame_.cleanups.size(); i-- > 0;) frame_.cleanups[i].emit();
  if (!frame_.succeeded) frame_.succeeded = block("succeeded");
  ir_.CreateBr(frame_.succeeded);
  ir_.SetInsertPoint(block("after_return"));
}

}  // namespace tenon::backend
