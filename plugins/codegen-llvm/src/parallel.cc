// Parallel loops: the body becomes a function over a share of the iterations, run by TnRuntime.parallel_for.
#include <algorithm>

#include "function_emitter.h"

namespace tenon::backend {

// How many iterations of a parallel loop a thread is worth, at least: an integer, or an expression where the loop
// stands.
constexpr const char* kGrain = "tenon.grain";

// What a parallel body needs from around it, in order of first use.
struct ParallelEmitter {
  std::vector<std::pair<const TnNode*, llvm::Value*>> vars;
  std::vector<std::pair<const TnNode*, BufferBinding>> buffers;
  std::vector<llvm::Value*> values;  // what is handed over, each once
  std::vector<llvm::Value*> args;    // the same inside the body

  explicit ParallelEmitter(FunctionEmitter& e, const tir::For& loop) {
    std::set<const TnNode*> seen;
    visit(e, Value(loop.body()), seen);
  }

  void visit(FunctionEmitter& e, const Value& tree, std::set<const TnNode*>& seen) {
    e.m_.b().walk(tree, [&](const Node& n) {
      if (!seen.insert(n.get()).second) return;
      if (auto var = e.frame_.vars.find(n.get()); var != e.frame_.vars.end()) {
        vars.emplace_back(n.get(), var->second);
        hand_over(var->second);
      }
      if (auto buffer = e.frame_.buffers.find(n.get()); buffer != e.frame_.buffers.end()) {
        buffers.emplace_back(n.get(), buffer->second);
        hand_over(buffer->second.base);
        const auto& b = n.to<tir::Buffer>();
        visit(e, e.m_.b().array_value(b.shape()), seen);
        visit(e, e.m_.b().array_value(b.strides()), seen);
        if (!b.elem_offset().is_none()) visit(e, b.elem_offset(), seen);
      }
    });
  }
  void hand_over(llvm::Value* v) {
    if (!llvm::isa<llvm::Constant>(v) && std::find(values.begin(), values.end(), v) == values.end())
      values.push_back(v);
  }
  llvm::Value* inside(llvm::Value* v) const {
    auto it = std::find(values.begin(), values.end(), v);
    return it == values.end() ? v : args[static_cast<size_t>(it - values.begin())];
  }
};

void FunctionEmitter::stmt_parallel(const tir::For& s) {
  llvm::Value *first = expr(s.min()), *count = expr(s.extent());
  llvm::Type* type = count->getType();
  llvm::LLVMContext& c = m_.context();
  llvm::Type *ptr = ir_.getPtrTy(), *i32 = ir_.getInt32Ty();
  ParallelEmitter captured(*this, s);
  std::string name = info_.name + ".parallel" + (parallel_bodies_ ? std::to_string(parallel_bodies_) : "");
  ++parallel_bodies_;

  // What travels in memory: the context, the range, then the captured values.
  std::vector<llvm::Type*> fields = {ptr, type, type};
  std::vector<llvm::Type*> body_params = {ptr, ptr, type, type};
  for (llvm::Value* v : captured.values) {
    fields.push_back(v->getType());
    body_params.push_back(v->getType());
  }
  auto* closure_type = llvm::StructType::get(c, fields);
  llvm::Function* body = m_.new_function(llvm::FunctionType::get(i32, body_params, false), name + ".body",
                                         llvm::GlobalValue::InternalLinkage);
  llvm::Function* task = m_.new_function(llvm::FunctionType::get(i32, {ptr, i32, i32, ptr}, false), name,
                                         llvm::GlobalValue::InternalLinkage);
  body->addFnAttr(llvm::Attribute::NoUnwind);
  body->addFnAttr(llvm::Attribute::NoInline);
  task->addFnAttr(llvm::Attribute::NoUnwind);

  // The caller: fill the closure and run the tasks.
  llvm::Value* closure = stack_slot(closure_type, nullptr, name + ".data");
  auto put = [&](unsigned i, llvm::Value* v) { ir_.CreateStore(v, ir_.CreateStructGEP(closure_type, closure, i)); };
  put(0, frame_.context);
  put(1, first);
  put(2, count);
  for (size_t i = 0; i < captured.values.size(); ++i) put(static_cast<unsigned>(i) + 3, captured.values[i]);
  llvm::BasicBlock *some = block("parallel"), *end = block("parallel_end");
  ir_.CreateCondBr(ir_.CreateICmpSGT(count, integer(type, 0)), some, end);
  ir_.SetInsertPoint(some);
  llvm::Value* threads = ir_.CreateZExt(call_runtime(offsetof(TnRuntime, thread_count), i32, {}), ir_.getInt64Ty());
  llvm::Value* wide_count = ir_.CreateSExt(count, ir_.getInt64Ty());
  llvm::Value* most = wide_count;
  if (const Value* grain = s.annotations().find(kGrain)) {
    llvm::Value *one = ir_.getInt64(1), *each = grain->is_node() ? index(as_node(*grain))
                                                                 : ir_.getInt64(static_cast<uint64_t>(grain->as_int()));
    each = ir_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, each, one);
    most = ir_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, ir_.CreateSDiv(wide_count, each), one);
  }
  llvm::Value* shares = ir_.CreateBinaryIntrinsic(llvm::Intrinsic::smin, threads, most);
  propagate(
      call_runtime(offsetof(TnRuntime, parallel_for), i32, {task, closure, ir_.CreateTrunc(shares, i32), frame_.ret}));
  ir_.CreateBr(end);
  ir_.SetInsertPoint(end);

  {  // The task: its share is [first + begin, first + begin + length).
    llvm::IRBuilder<> t(llvm::BasicBlock::Create(c, "entry", task));
    auto get = [&](unsigned i) { return t.CreateLoad(fields[i], t.CreateStructGEP(closure_type, task->getArg(0), i)); };
    llvm::Value* all = get(2);
    llvm::Value *index = t.CreateZExt(task->getArg(1), type), *tasks = t.CreateZExt(task->getArg(2), type);
    llvm::Value *each = t.CreateUDiv(all, tasks), *rest = t.CreateURem(all, tasks);
    llvm::Value* extra = t.CreateBinaryIntrinsic(llvm::Intrinsic::umin, index, rest);
    llvm::Value* begin = t.CreateAdd(t.CreateMul(index, each), extra);
    llvm::Value* length = t.CreateAdd(each, t.CreateZExt(t.CreateICmpULT(index, rest), type));
    std::vector<llvm::Value*> args = {get(0), task->getArg(3), t.CreateAdd(get(1), begin), length};
    for (size_t i = 0; i < captured.values.size(); ++i) args.push_back(get(static_cast<unsigned>(i) + 3));
    t.CreateRet(t.CreateCall(body, args));
  }

  // The body, with its own frame.
  llvm::IRBuilder<>::InsertPointGuard guard(ir_);
  Frame outer = std::move(frame_);
  begin(body);
  frame_.context = body->getArg(0);
  frame_.ret = body->getArg(1);
  for (size_t i = 0; i < captured.values.size(); ++i) {
    captured.args.push_back(body->getArg(static_cast<unsigned>(i) + 4));
    captured.args.back()->setName(captured.values[i]->getName());
  }
  for (auto& [node, value] : captured.vars) frame_.vars[node] = captured.inside(value);
  for (auto& [node, binding] : captured.buffers) {
    BufferBinding here = binding;
    here.base = captured.inside(binding.base);
    frame_.buffers[node] = here;
    auto* arg = llvm::dyn_cast<llvm::Argument>(here.base);
    if (!arg) continue;
    if (binding.noalias) arg->addAttr(llvm::Attribute::NoAlias);
    if (binding.align.value() > 1) arg->addAttr(llvm::Attribute::getWithAlignment(c, binding.align));
  }
  counted_loop(s, body->getArg(2), body->getArg(3));
  finish();
  frame_ = std::move(outer);
}

}  // namespace tenon::backend
