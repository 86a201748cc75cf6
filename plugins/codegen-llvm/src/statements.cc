#include <llvm/IR/MDBuilder.h>

#include "function_emitter.h"

namespace tenon::backend {
namespace {

// Loops whose body may add floating-point numbers in another order say so.
constexpr const char* kReassociate = "tenon.reassociate";
constexpr int64_t kMaxUnroll = 64;

}  // namespace

FunctionEmitter::FunctionEmitter(ModuleEmitter& m, const FunctionInfo& info)
    : m_(m), info_(info), ir_(m.context()), ranges_(m.b(), m.arith()) {
  llvm::FastMathFlags flags;
  flags.setAllowContract(true);
  ir_.setFastMathFlags(flags);
}

void FunctionEmitter::emit() {
  begin(info_.internal);
  llvm::Function* f = frame_.function;
  frame_.context = f->getArg(0);
  frame_.ret = f->getArg(1);
  frame_.context->setName("context");
  frame_.ret->setName("ret");
  NodeRange params = nodes(info_.function.params());
  for (size_t i = 0; i < params.size(); ++i) {
    auto* arg = f->getArg(static_cast<unsigned>(i) + 2);
    const SignatureParam& p = info_.signature.params[i];
    arg->setName(p.name);
    if (const auto* buffer = params[i].as<tir::Buffer>()) {
      llvm::Align align(static_cast<uint64_t>(std::max<int64_t>(1, dtype_bytes(element_of(buffer->dtype())))));
      bool noalias = !info_.may_alias[i];
      llvm::AttrBuilder attrs(m_.context());
      attrs.addAttribute(llvm::Attribute::NonNull).addAttribute(llvm::Attribute::NoUndef);
      if (noalias) attrs.addAttribute(llvm::Attribute::NoAlias);
      if (!(p.flags & TN_PARAM_WRITTEN)) attrs.addAttribute(llvm::Attribute::ReadOnly);
      f->addParamAttrs(static_cast<unsigned>(i) + 2, attrs);
      frame_.buffers[buffer->get()] = {arg, align, noalias};
      const Node& offset = as_node(buffer->elem_offset());
      if (!buffer->elem_offset().is_none() && offset.is<ir::Var>() && info_.signature.symbol_of(offset) < 0)
        frame_.vars.emplace(offset.get(), integer(m_.type_of(offset.dtype()), 0));
    } else {
      frame_.vars[params[i].get()] = arg;
    }
  }
  for (size_t i = 0; i < info_.extra_symbols.size(); ++i) {
    auto* arg = f->getArg(static_cast<unsigned>(params.size() + i) + 2);
    size_t symbol = static_cast<size_t>(info_.extra_symbols[i]);
    arg->setName(info_.signature.symbol_names[symbol]);
    frame_.vars[info_.signature.symbols[symbol].get()] = arg;
  }
  for (const Node& p : params)
    if (const auto* buffer = p.as<tir::Buffer>())
      for (const Node& dim : nodes(buffer->shape()))
        if (dim.is<ir::Var>()) ranges_.bind_dimension(dim);
  // Parameters must not be null, but an empty tensor's data may be: then nothing is known of the pointer.
  for (size_t i = 0; i < params.size(); ++i)
    if (params[i].is<tir::Buffer>()) f->removeParamAttr(static_cast<unsigned>(i) + 2, llvm::Attribute::NonNull);
  stmt(info_.function.body());
  finish();
}

void FunctionEmitter::begin(llvm::Function* f) {
  frame_ = Frame();
  frame_.function = f;
  frame_.entry = llvm::BasicBlock::Create(m_.context(), "entry", f);
  ir_.SetInsertPoint(llvm::BasicBlock::Create(m_.context(), "body", f));
}

void FunctionEmitter::finish() {
  if (reachable() && frame_.succeeded) ir_.CreateBr(frame_.succeeded);
  if (frame_.succeeded) ir_.SetInsertPoint(frame_.succeeded);
  if (reachable()) ir_.CreateRet(ir_.getInt32(0));
  // Handles start as none and are released at both exits.
  llvm::BasicBlock* last = ir_.GetInsertBlock();
  llvm::IRBuilder<> entry(frame_.entry);
  for (auto& [slots, count] : frame_.handles) {
    entry.CreateMemSet(slots, entry.getInt8(0), count * sizeof(TnValue), llvm::Align(8));
    for (llvm::BasicBlock* exit : {last, frame_.failed}) {
      if (!exit) continue;
      llvm::IRBuilder<> ir(exit, exit->getTerminator()->getIterator());
      ir.CreateCall(m_.release_range_function(), {slots, ir.getInt64(count)});
    }
  }
  entry.CreateBr(&*std::next(frame_.function->begin()));
}

llvm::BasicBlock* FunctionEmitter::block(const std::string& name) {
  return llvm::BasicBlock::Create(m_.context(), name, frame_.function);
}

bool FunctionEmitter::reachable() const { return ir_.GetInsertBlock()->getTerminator() == nullptr; }

std::string FunctionEmitter::where(const Node& at) const {
  std::string position = position_of(at);
  if (position.empty() && statement_) position = position_of(*statement_);
  return (position.empty() ? "" : position + ", ") + "function '" + info_.name + "'";
}

void FunctionEmitter::refuse(const Node& at, const std::string& what, const std::string& hint) const {
  throw Error(TN_ERROR_UNSUPPORTED, "codegen-llvm: in '" + info_.name + "': " + what, where(at), hint);
}

// ---- Leaving the function --------------------------------------------------------------------------------------

llvm::BasicBlock* FunctionEmitter::exit_block() {
  llvm::IRBuilder<>::InsertPointGuard guard(ir_);
  if (!frame_.failed) {
    frame_.failed = block("failed");
    ir_.SetInsertPoint(frame_.failed);
    ir_.CreateRet(ir_.getInt32(-1));
  }
  llvm::BasicBlock* next = frame_.failed;
  for (Cleanup& c : frame_.cleanups) {
    if (!c.exit) {
      c.exit = block("unwind");
      ir_.SetInsertPoint(c.exit);
      c.emit();
      ir_.CreateBr(next);
    }
    next = c.exit;
  }
  return next;
}

// Ends the scopes above `depth` on the ordinary path.
void FunctionEmitter::unwind(size_t depth) {
  while (frame_.cleanups.size() > depth) {
    if (reachable()) frame_.cleanups.back().emit();
    frame_.cleanups.pop_back();
  }
}

void FunctionEmitter::require(llvm::Value* ok, int32_t code, const std::string& message, const Node& at,
                              const std::string& hint) {
  if (auto* known = llvm::dyn_cast<llvm::ConstantInt>(ok); known && known->isOne()) return;
  if (ok->getType()->isVectorTy()) ok = ir_.CreateAndReduce(ok);
  llvm::BasicBlock *good = block("ok"), *bad = block("fail");
  llvm::MDBuilder md(m_.context());
  ir_.CreateCondBr(ok, good, bad, md.createBranchWeights(1u << 20, 1));
  ir_.SetInsertPoint(bad);
  llvm::Value* null = llvm::ConstantPointerNull::get(ir_.getPtrTy());
  llvm::Value* hint_text = hint.empty() ? null : m_.text(hint);
  ir_.CreateCall(m_.fail_function(), {frame_.context, ir_.getInt32(static_cast<uint32_t>(code)), m_.text(message),
                                      m_.text(where(at)), hint_text, frame_.ret});
  ir_.CreateBr(exit_block());
  ir_.SetInsertPoint(good);
}

void FunctionEmitter::require_numbers(llvm::Value* ok, int32_t code, const std::string& format, llvm::Value* a,
                                      llvm::Value* b, const Node& at, const std::string& hint) {
  if (auto* known = llvm::dyn_cast<llvm::ConstantInt>(ok); known && known->isOne()) return;
  llvm::BasicBlock *good = block("ok"), *bad = block("fail");
  llvm::MDBuilder md(m_.context());
  ir_.CreateCondBr(ok, good, bad, md.createBranchWeights(1u << 20, 1));
  ir_.SetInsertPoint(bad);
  llvm::Value* null = llvm::ConstantPointerNull::get(ir_.getPtrTy());
  llvm::Value* hint_text = hint.empty() ? null : m_.text(hint);
  ir_.CreateCall(m_.fail_numbers_function(), {frame_.context, ir_.getInt32(static_cast<uint32_t>(code)),
                                              m_.text(format), m_.text(where(at)), hint_text, frame_.ret, a, b});
  ir_.CreateBr(exit_block());
  ir_.SetInsertPoint(good);
}

void FunctionEmitter::propagate(llvm::Value* status) {
  llvm::BasicBlock* good = block("ok");
  llvm::MDBuilder md(m_.context());
  ir_.CreateCondBr(ir_.CreateICmpEQ(status, ir_.getInt32(0)), good, exit_block(), md.createBranchWeights(1u << 20, 1));
  ir_.SetInsertPoint(good);
}

llvm::Value* FunctionEmitter::call_runtime(size_t slot_offset, llvm::Type* result, llvm::ArrayRef<llvm::Value*> args) {
  auto field = [&](llvm::Value* table, size_t offset) {
    return ir_.CreateLoad(ir_.getPtrTy(), ir_.CreateConstInBoundsGEP1_64(ir_.getInt8Ty(), table, offset));
  };
  llvm::Value* runtime = field(frame_.context, offsetof(TnModuleContext, runtime));
  llvm::Value* slot = field(runtime, slot_offset);
  std::vector<llvm::Type*> types;
  for (llvm::Value* a : args) types.push_back(a->getType());
  return ir_.CreateCall(llvm::FunctionType::get(result, types, false), slot, args);
}

// ---- Statements ------------------------------------------------------------------------------------------------

void FunctionEmitter::stmt(const Node& s) {
  const Node* outer = statement_;
  if (s.span()) statement_ = &s;
  switch (s.kind()) {
    case TN_KIND_tir_Seq: stmt_seq(s.to<tir::Seq>()); break;
    case TN_KIND_tir_For: stmt_for(s.to<tir::For>()); break;
    case TN_KIND_tir_While: stmt_while(s.to<tir::While>()); break;
    case TN_KIND_tir_IfThenElse: stmt_if(s.to<tir::IfThenElse>()); break;
    case TN_KIND_tir_Bind: stmt_bind(s.to<tir::Bind>()); break;
    case TN_KIND_tir_Assert: stmt_assert(s.to<tir::Assert>()); break;
    case TN_KIND_tir_AllocBuffer: alloc_buffer(s.to<tir::AllocBuffer>()); break;
    case TN_KIND_tir_DeclBuffer: decl_buffer(s.to<tir::DeclBuffer>()); break;
    case TN_KIND_tir_BufferStore: store(s.to<tir::BufferStore>()); break;
    case TN_KIND_tir_Attr: stmt(s.to<tir::Attr>().body()); break;
    case TN_KIND_tir_Evaluate: {
      const Node& value = s.to<tir::Evaluate>().value();
      if (const auto* call = value.as<ir::Call>())
        call_statement(*call);
      else
        expr(value);
      break;
    }
    case TN_KIND_tir_BlockRealize:
      throw Error(TN_ERROR_UNSUPPORTED,
                  "codegen-llvm: '" + info_.name + "' is not lowered: it still has the block '" +
                      std::string(s.to<tir::BlockRealize>().block().to<tir::Block>().name()) + "'",
                  where(s),
                  "run the passes of pipeline 'cpu' first, which end with passes-loop:lower-blocks and what follows");
    default: {
      const TnKindSchema* schema = m_.b().ir()->schema(m_.b().ir()->self, s.kind());
      refuse(s, std::string("the statement ") + (schema ? schema->id : "of an unknown kind") + " has no translation");
    }
  }
  statement_ = outer;
}

void FunctionEmitter::stmt_seq(const tir::Seq& s) {
  size_t depth = frame_.cleanups.size();
  for (const Node& child : nodes(s.stmts())) stmt(child);
  unwind(depth);
}

void FunctionEmitter::stmt_bind(const tir::Bind& s) {
  llvm::Value* value = expr(s.value());
  if (!value->hasName() && !llvm::isa<llvm::Constant>(value))
    value->setName(llvm::StringRef(s.var().to<ir::Var>().name().data(), s.var().to<ir::Var>().name().size()));
  frame_.vars[s.var().get()] = value;
  if (is_data_dependent(s.value())) data_dependent_.insert(s.var().get());
  ranges_.bind_value(s.var(), s.value());
}

void FunctionEmitter::stmt_assert(const tir::Assert& s) {
  std::string message(s.message());
  require(expr(s.condition()), TN_ERROR_CHECK_FAILED, message.empty() ? "an assertion of the program failed" : message,
          s);
  ranges_.always(s.condition());
}

void FunctionEmitter::stmt_if(const tir::IfThenElse& s) {
  llvm::Value* condition = expr(s.condition());
  bool has_else = !s.else_case().is_none();
  llvm::BasicBlock *then_block = block("then"), *end = block("end");
  llvm::BasicBlock* else_block = has_else ? block("else") : end;
  ir_.CreateCondBr(condition, then_block, else_block);
  ++conditional_;
  ir_.SetInsertPoint(then_block);
  {
    Ranges::Scope holds(ranges_, s.condition());
    stmt(s.then_case());
  }
  if (reachable()) ir_.CreateBr(end);
  if (has_else) {
    ir_.SetInsertPoint(else_block);
    Ranges::Scope holds(ranges_, m_.b().logical_not(s.condition()));
    stmt(as_node(s.else_case()));
    if (reachable()) ir_.CreateBr(end);
  }
  --conditional_;
  ir_.SetInsertPoint(end);
}

void FunctionEmitter::stmt_while(const tir::While& s) {
  llvm::BasicBlock *test = block("while"), *body = block("while_body"), *end = block("while_end");
  ir_.CreateBr(test);
  ir_.SetInsertPoint(test);
  ir_.CreateCondBr(expr(s.condition()), body, end);
  ir_.SetInsertPoint(body);
  Ranges::Scope scope(ranges_, s.condition());
  stmt(s.body());
  if (reachable()) ir_.CreateBr(test);
  ir_.SetInsertPoint(end);
}

void FunctionEmitter::stmt_for(const tir::For& s) {
  if (s.loop_kind() == TN_FOR_THREAD_BINDING)
    refuse(s, "the loop over '" + std::string(s.loop_var().to<ir::Var>().name()) + "' is bound to the thread axis " +
                  std::string(s.thread()) + ", which a CPU does not have");
  Ranges::Scope scope(ranges_);
  if (is_data_dependent(s.min()) || is_data_dependent(s.extent())) data_dependent_.insert(s.loop_var().get());
  ranges_.bind_range(s.loop_var(), s.min(), s.extent());
  llvm::FastMathFlags outer = ir_.getFastMathFlags();
  if (const Value* v = s.annotations().find(kReassociate); v && v->as_int() != 0) {
    llvm::FastMathFlags flags = outer;
    flags.setAllowReassoc(true);
    flags.setNoSignedZeros(true);
    ir_.setFastMathFlags(flags);
  }
  if (s.loop_kind() == TN_FOR_PARALLEL)
    stmt_parallel(s);
  else
    counted_loop(s, expr(s.min()), expr(s.extent()));
  ir_.setFastMathFlags(outer);
}

// for (counter = 0; counter < count; ++counter) { loop_var = first + counter; body }
void FunctionEmitter::counted_loop(const tir::For& s, llvm::Value* first, llvm::Value* count) {
  std::string name(s.loop_var().to<ir::Var>().name());
  llvm::Type* type = count->getType();
  llvm::BasicBlock *body = block(name), *end = block(name + "_end");
  llvm::BasicBlock* before = ir_.GetInsertBlock();
  auto* known = llvm::dyn_cast<llvm::ConstantInt>(count);
  if (known && known->getSExtValue() > 0)
    ir_.CreateBr(body);
  else
    ir_.CreateCondBr(ir_.CreateICmpSGT(count, integer(type, 0)), body, end);
  ir_.SetInsertPoint(body);
  llvm::PHINode* counter = ir_.CreatePHI(type, 2, name);
  counter->addIncoming(integer(type, 0), before);
  auto* zero = llvm::dyn_cast<llvm::ConstantInt>(first);
  frame_.vars[s.loop_var().get()] = zero && zero->isZero() ? counter : ir_.CreateNSWAdd(first, counter, name);
  stmt(s.body());
  if (reachable()) {
    llvm::Value* next = ir_.CreateAdd(counter, integer(type, 1), name + "_next", true, true);
    counter->addIncoming(next, ir_.GetInsertBlock());
    llvm::Instruction* latch = ir_.CreateCondBr(ir_.CreateICmpSLT(next, count), body, end);
    latch->setMetadata(llvm::LLVMContext::MD_loop, loop_metadata(s));
  }
  ir_.SetInsertPoint(end);
}

llvm::MDNode* FunctionEmitter::loop_metadata(const tir::For& s) {
  llvm::LLVMContext& c = m_.context();
  auto flag = [&](const char* name) { return llvm::MDNode::get(c, llvm::MDString::get(c, name)); };
  std::vector<llvm::Metadata*> items = {nullptr, flag("llvm.loop.mustprogress")};
  const auto* extent = s.extent().as<ir::IntImm>();
  if (s.loop_kind() == TN_FOR_UNROLLED && extent && extent->value() <= kMaxUnroll)
    items.push_back(flag("llvm.loop.unroll.full"));
  if (s.loop_kind() == TN_FOR_VECTORIZED) {
    auto* yes = llvm::ConstantAsMetadata::get(llvm::ConstantInt::getTrue(c));
    items.push_back(llvm::MDNode::get(c, {llvm::MDString::get(c, "llvm.loop.vectorize.enable"), yes}));
  }
  llvm::MDNode* node = llvm::MDNode::getDistinct(c, items);
  node->replaceOperandWith(0, node);
  return node;
}

}  // namespace tenon::backend
