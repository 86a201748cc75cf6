#include "module_emitter.h"

#include <llvm/IR/Verifier.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Transforms/Utils/ModuleUtils.h>

#include "function_emitter.h"

namespace tenon::backend {

std::string position_of(const Node& node) {
  const TnSpan* span = node.span();
  if (!span || span->line == 0) return {};
  return std::string(span->source) + ":" + std::to_string(span->line) + ":" + std::to_string(span->column);
}

std::string global_symbol_of(const tir::PrimFunc& f) {
  const Value* v = f.attrs().find("global_symbol");
  return v && v->is_string() ? std::string(v->as_string()) : std::string();
}

std::string entry_symbol(std::string_view name) {
  constexpr char hex[] = "0123456789abcdef";
  std::string s = "tenon_fn_";
  for (char c : name) {
    bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (plain)
      s += c;
    else
      s += {'$', hex[static_cast<unsigned char>(c) >> 4], hex[static_cast<unsigned char>(c) & 15]};
  }
  return s;
}

namespace {

bool has_loop(const Builder& b, const tir::PrimFunc& f) {
  bool found = false;
  b.walk(f.body(), [&](const Node& n) { found = found || n.is<tir::For>() || n.is<tir::While>(); });
  return found;
}

}  // namespace

ModuleEmitter::ModuleEmitter(const Builder& b, const TnHostArith* arith, const ir::Module& module,
                             const TargetSpec& target, EmitOptions options, llvm::Module& out)
    : b_(b), arith_(arith), module_(module), target_(target), options_(options), out_(out) {}

void ModuleEmitter::emit() {
  collect_functions();
  refuse_endless_recursion(b_, module_);
  for (auto& [name, info] : functions_) {
    // A name of its own: LLVM takes a function called `cos` for the C library's.
    info.internal = new_function(internal_type(info), "tenon.body." + name, llvm::GlobalValue::InternalLinkage);
    // Beside a loop a call costs nothing, and many kernels in one function cost LLVM more than their sum.
    if (has_loop(b_, info.function)) info.internal->addFnAttr(llvm::Attribute::NoInline);
    info.internal->addFnAttr(llvm::Attribute::NoUnwind);
  }
  for (auto& [name, info] : functions_) {
    FunctionEmitter(*this, info).emit();
    // A list of calls has nothing to optimize, and its error exits, which all meet in one block, cost LLVM more than
    // the square of their number.
    constexpr size_t kLongestOptimizedList = 2000;  // basic blocks
    if (info.internal->size() > kLongestOptimizedList && !has_loop(b_, info.function)) {
      info.internal->addFnAttr(llvm::Attribute::NoInline);
      info.internal->addFnAttr(llvm::Attribute::OptimizeNone);
    }
    if (!global_symbol_of(info.function).empty()) emit_entry(info);
  }
  for (llvm::Function& f : out_) {
    std::string why;
    llvm::raw_string_ostream stream(why);
    if (!f.isDeclaration() && llvm::verifyFunction(f, &stream))
      throw Error(TN_ERROR_INTERNAL, "codegen-llvm made invalid code for '" + f.getName().str() + "': " + why, {},
                  "this is a bug of codegen-llvm");
  }
}

void ModuleEmitter::collect_functions() {
  WrittenParams written = find_written_params(b_, module_);
  for (const Map::Entry& e : module_.functions()) {
    const Node& f = as_node(e.value());
    if (f.is<ir::ExternFunc>()) continue;
    const auto* prim = f.as<tir::PrimFunc>();
    if (!prim) {
      const TnKindSchema* schema = b_.ir()->schema(b_.ir()->self, f.kind());
      throw Error(TN_ERROR_UNSUPPORTED,
                  "only loop functions can be compiled; '" + std::string(e.key()) + "' is a " +
                      (schema ? schema->id : "node of an unknown kind"),
                  position_of(f), "lower graph functions to loop functions first");
    }
    FunctionInfo info;
    info.name = e.key();
    info.function = *prim;
    info.signature = function_signature(e.key(), *prim, written.find(e.key())->second);
    info.may_alias.assign(prim->params().size(), false);
    std::set<int32_t> passed;
    for (const Node& p : nodes(prim->params()))
      if (p.is<ir::Var>()) passed.insert(info.signature.symbol_of(p));
    for (size_t i = 0; i < info.signature.symbols.size(); ++i)
      if (!passed.count(static_cast<int32_t>(i))) info.extra_symbols.push_back(static_cast<int32_t>(i));
    functions_.emplace(info.name, std::move(info));
  }
  for (auto& [name, info] : functions_) find_aliases(info.function);
}

namespace {

// Where the memory of a buffer begins and ends within the memory that it views, in bytes; unknown ends are -1.
struct Extent {
  const TnNode* root;
  int64_t begin, end;
};

int64_t constant_or(const Value& v, int64_t otherwise) {
  const auto* imm = v.is_node() ? as_node(v).as<ir::IntImm>() : nullptr;
  return v.is_none() ? 0 : imm ? imm->value() : otherwise;
}

Extent extent_of(const tir::Buffer& buffer, const TnNode* root) {
  Extent e{root, constant_or(buffer.elem_offset(), -1), -1};
  int64_t elements = 1;
  for (const Node& dim : nodes(buffer.shape())) {
    int64_t d = constant_or(Value(dim), -1);
    if (d < 0 || __builtin_mul_overflow(elements, d, &elements)) return {root, -1, -1};
  }
  if (e.begin < 0 || !buffer.strides().empty()) return {root, -1, -1};
  int64_t bytes = dtype_bytes(buffer.dtype());
  return {root, e.begin * bytes, (e.begin + elements) * bytes};
}

}  // namespace

// Two arguments of one call that may reach the same memory are not promised to be alone in the callee. Views of an
// allocation that is marked as an arena are: whoever laid it out has proved them disjoint, or meant them to be one.
void ModuleEmitter::find_aliases(const tir::PrimFunc& caller) {
  std::map<const TnNode*, const TnNode*> roots;
  std::set<const TnNode*> arenas;
  auto root_of = [&](const TnNode* buffer) {
    auto it = roots.find(buffer);
    return it == roots.end() ? buffer : it->second;
  };
  b_.walk(caller.body(), [&](const Node& n) {
    if (const auto* alloc = n.as<tir::AllocBuffer>(); alloc && alloc->annotations().find("tenon.arena"))
      arenas.insert(alloc->buffer().get());
    if (const auto* decl = n.as<tir::DeclBuffer>(); decl && decl->data().is<tir::Buffer>())
      roots[decl->buffer().get()] = root_of(decl->data().get());
    const auto* call = n.as<ir::Call>();
    const auto* callee = call ? call->op().as<ir::GlobalVar>() : nullptr;
    auto it = callee ? functions_.find(callee->name()) : functions_.end();
    if (it == functions_.end()) return;
    NodeRange args = nodes(call->args());
    std::vector<Extent> extents;
    for (size_t i = 0; i < args.size() && i < it->second.may_alias.size(); ++i) {
      const auto* region = args[i].as<tir::BufferRegion>();
      const Node& node = region ? region->buffer() : args[i];
      const auto* buffer = node.as<tir::Buffer>();
      extents.push_back(buffer ? extent_of(*buffer, root_of(buffer->get())) : Extent{nullptr, 0, 0});
      for (size_t j = 0; buffer && j < i; ++j) {
        const Extent &a = extents[i], &b = extents[j];
        if (a.root != b.root) continue;
        bool same = args[i].same_as(args[j]);
        bool disjoint = a.begin >= 0 && b.begin >= 0 && (a.end <= b.begin || b.end <= a.begin);
        if (same || (!disjoint && !arenas.count(a.root))) it->second.may_alias[i] = it->second.may_alias[j] = true;
      }
    }
  });
}

const FunctionInfo* ModuleEmitter::find(std::string_view name) const {
  auto it = functions_.find(name);
  return it == functions_.end() ? nullptr : &it->second;
}

llvm::Function* ModuleEmitter::new_function(llvm::FunctionType* type, const std::string& name,
                                            llvm::GlobalValue::LinkageTypes linkage) {
  auto* f = llvm::Function::Create(type, linkage, name, out_);
  f->addFnAttr("target-cpu", target_.cpu);
  f->addFnAttr("tune-cpu", target_.tune);
  if (!target_.features.empty()) f->addFnAttr("target-features", target_.features);
  if (target_.vector_bits) f->addFnAttr("prefer-vector-width", std::to_string(target_.vector_bits));
  f->addFnAttr("no-trapping-math", "true");
  f->setDSOLocal(true);
  return f;
}

llvm::Constant* ModuleEmitter::text(std::string_view s) {
  auto it = texts_.find(s);
  if (it != texts_.end()) return it->second;
  llvm::Constant* data = llvm::ConstantDataArray::getString(context(), llvm::StringRef(s.data(), s.size()));
  auto* g = new llvm::GlobalVariable(out_, data->getType(), true, llvm::GlobalValue::PrivateLinkage, data, "text");
  g->setUnnamedAddr(llvm::GlobalValue::UnnamedAddr::Global);
  texts_.emplace(std::string(s), g);
  return g;
}

llvm::Constant* ModuleEmitter::words(const std::vector<int64_t>& values) {
  if (values.empty()) return llvm::ConstantPointerNull::get(llvm::PointerType::getUnqual(context()));
  llvm::Constant* data = llvm::ConstantDataArray::get(
      context(), llvm::ArrayRef<uint64_t>(reinterpret_cast<const uint64_t*>(values.data()), values.size()));
  auto* g = new llvm::GlobalVariable(out_, data->getType(), true, llvm::GlobalValue::PrivateLinkage, data, "words");
  g->setUnnamedAddr(llvm::GlobalValue::UnnamedAddr::Global);
  return g;
}

int64_t ModuleEmitter::import_index(std::string_view name) {
  for (size_t i = 0; i < imports_.size(); ++i)
    if (imports_[i] == name) return static_cast<int64_t>(i);
  imports_.emplace_back(name);
  return static_cast<int64_t>(imports_.size()) - 1;
}

int64_t ModuleEmitter::constant_index(const Value& constant) {
  for (size_t i = 0; i < constants_.size(); ++i)
    if (constants_[i].raw().as.object == constant.raw().as.object) return static_cast<int64_t>(i);
  constants_.push_back(constant);
  return static_cast<int64_t>(constants_.size()) - 1;
}

llvm::FunctionCallee ModuleEmitter::libm(const std::string& name, llvm::Type* type, int arguments) {
  std::vector<llvm::Type*> params(static_cast<size_t>(arguments), type);
  llvm::FunctionCallee callee = out_.getOrInsertFunction(name, llvm::FunctionType::get(type, params, false));
  auto* f = llvm::cast<llvm::Function>(callee.getCallee());
  f->setDoesNotThrow();
  f->setMemoryEffects(llvm::MemoryEffects::none());
  f->setWillReturn();
  return callee;
}

llvm::Type* ModuleEmitter::type_of(DLDataType t) {
  llvm::Type* element = nullptr;
  if (is_bool(t)) {
    element = llvm::Type::getInt1Ty(context());
  } else if (is_integer(t)) {
    element = llvm::Type::getIntNTy(context(), t.bits);
  } else if (same_dtype(element_of(t), kFloat32)) {
    element = llvm::Type::getFloatTy(context());
  } else if (same_dtype(element_of(t), kFloat64)) {
    element = llvm::Type::getDoubleTy(context());
  } else if (is_handle(t)) {
    element = llvm::PointerType::getUnqual(context());
  } else {
    throw Error(TN_ERROR_UNSUPPORTED, "codegen-llvm has no arithmetic for dtype " + dtype_text(t), {},
                "it computes on bool, int8 to int64, uint8 to uint64, float32 and float64");
  }
  return t.lanes == 1 ? element : llvm::FixedVectorType::get(element, t.lanes);
}

llvm::Type* ModuleEmitter::memory_type(DLDataType t) {
  if (!is_bool(t)) return is_handle(t) ? static_cast<llvm::Type*>(value_type()) : type_of(t);
  llvm::Type* byte = llvm::Type::getInt8Ty(context());
  return t.lanes == 1 ? byte : llvm::FixedVectorType::get(byte, t.lanes);
}

llvm::StructType* ModuleEmitter::value_type() {
  llvm::Type* i32 = llvm::Type::getInt32Ty(context());
  return llvm::StructType::get(context(), {i32, i32, llvm::Type::getInt64Ty(context())});
}

llvm::FunctionType* ModuleEmitter::internal_type(const FunctionInfo& info) {
  llvm::Type* ptr = llvm::PointerType::getUnqual(context());
  std::vector<llvm::Type*> params = {ptr, ptr};
  for (const Node& p : nodes(info.function.params())) params.push_back(p.is<tir::Buffer>() ? ptr : type_of(p.dtype()));
  for (int32_t s : info.extra_symbols)
    params.push_back(type_of(info.signature.symbols[static_cast<size_t>(s)].dtype()));
  return llvm::FunctionType::get(llvm::Type::getInt32Ty(context()), params, false);
}

llvm::FunctionType* ModuleEmitter::entry_type() {
  llvm::Type* ptr = llvm::PointerType::getUnqual(context());
  llvm::Type* i32 = llvm::Type::getInt32Ty(context());
  return llvm::FunctionType::get(i32, {ptr, ptr, i32, ptr}, false);
}

llvm::Function* ModuleEmitter::fail_function() {
  if (fail_) return fail_;
  llvm::Type* ptr = llvm::PointerType::getUnqual(context());
  llvm::Type* i32 = llvm::Type::getInt32Ty(context());
  fail_ = new_function(llvm::FunctionType::get(i32, {ptr, i32, ptr, ptr, ptr, ptr}, false), "tenon.fail",
                       llvm::GlobalValue::InternalLinkage);
  fail_->addFnAttr(llvm::Attribute::NoInline);
  fail_->addFnAttr(llvm::Attribute::Cold);
  fail_->addFnAttr(llvm::Attribute::NoUnwind);
  llvm::IRBuilder<> ir(llvm::BasicBlock::Create(context(), "entry", fail_));
  auto slot = [&](llvm::Value* table, size_t offset) {
    return ir.CreateLoad(ptr, ir.CreateConstInBoundsGEP1_64(ir.getInt8Ty(), table, offset));
  };
  llvm::Value* runtime = slot(fail_->getArg(0), offsetof(TnModuleContext, runtime));
  llvm::Value* error = slot(runtime, offsetof(TnRuntime, error));
  llvm::FunctionType* type = llvm::FunctionType::get(i32, {i32, ptr, ptr, ptr, ptr, ptr}, false);
  llvm::Value* null = llvm::ConstantPointerNull::get(llvm::PointerType::getUnqual(context()));
  ir.CreateRet(ir.CreateCall(
      type, error, {fail_->getArg(1), fail_->getArg(2), fail_->getArg(3), fail_->getArg(4), null, fail_->getArg(5)}));
  return fail_;
}

llvm::Function* ModuleEmitter::fail_numbers_function() {
  if (fail_numbers_) return fail_numbers_;
  constexpr uint64_t kRoom = 512;
  llvm::Type* ptr = llvm::PointerType::getUnqual(context());
  llvm::Type *i32 = llvm::Type::getInt32Ty(context()), *i64 = llvm::Type::getInt64Ty(context());
  llvm::Function* f = new_function(llvm::FunctionType::get(i32, {ptr, i32, ptr, ptr, ptr, ptr, i64, i64}, false),
                                   "tenon.fail_numbers", llvm::GlobalValue::InternalLinkage);
  f->addFnAttr(llvm::Attribute::NoInline);
  f->addFnAttr(llvm::Attribute::Cold);
  f->addFnAttr(llvm::Attribute::NoUnwind);
  llvm::FunctionCallee format =
      out_.getOrInsertFunction("snprintf", llvm::FunctionType::get(i32, {ptr, i64, ptr}, true));
  llvm::IRBuilder<> ir(llvm::BasicBlock::Create(context(), "entry", f));
  llvm::Value* message = ir.CreateAlloca(ir.getInt8Ty(), ir.getInt64(kRoom));
  ir.CreateCall(format, {message, ir.getInt64(kRoom), f->getArg(2), f->getArg(6), f->getArg(7)});
  ir.CreateRet(
      ir.CreateCall(fail_function(), {f->getArg(0), f->getArg(1), message, f->getArg(3), f->getArg(4), f->getArg(5)}));
  return fail_numbers_ = f;
}

llvm::Function* ModuleEmitter::division(uint32_t kind, llvm::Type* t) {
  bool floors = kind == TN_KIND_tir_FloorDiv || kind == TN_KIND_tir_FloorMod;
  std::string name = std::string(kind == 0 ? "tenon.divide_unsigned.i"
                                 : floors  ? "tenon.divide_floor.i"
                                           : "tenon.divide.i") +
                     std::to_string(t->getIntegerBitWidth());
  if (llvm::Function* known = out_.getFunction(name)) return known;
  llvm::Function* f = new_function(llvm::FunctionType::get(t, {t, t, llvm::Type::getInt1Ty(context())}, false), name,
                                   llvm::GlobalValue::InternalLinkage);
  for (auto attribute : {llvm::Attribute::NoInline, llvm::Attribute::NoUnwind, llvm::Attribute::WillReturn,
                         llvm::Attribute::Speculatable, llvm::Attribute::NoSync, llvm::Attribute::NoFree})
    f->addFnAttr(attribute);
  f->setMemoryEffects(llvm::MemoryEffects::none());
  // It is called ahead of the conditions around its calls. LLVM must not conclude from them what its operands are, and
  // leaves alone what is used from elsewhere.
  llvm::appendToCompilerUsed(out_, {f});
  llvm::IRBuilder<> ir(llvm::BasicBlock::Create(context(), "entry", f));
  llvm::Value *x = f->getArg(0), *y = f->getArg(1), *zero = llvm::Constant::getNullValue(t);
  llvm::Value* is_zero = ir.CreateICmpEQ(y, zero);
  y = ir.CreateSelect(is_zero, llvm::ConstantInt::get(t, 1), y);
  llvm::Value *q, *r;
  if (kind == 0) {
    q = ir.CreateUDiv(x, y);
    r = ir.CreateURem(x, y);
  } else {
    q = divide_signed(ir, floors ? TN_KIND_tir_FloorDiv : TN_KIND_tir_TruncDiv, x, y, false, false);
    r = divide_signed(ir, floors ? TN_KIND_tir_FloorMod : TN_KIND_tir_TruncMod, x, y, false, false);
  }
  ir.CreateRet(ir.CreateSelect(is_zero, zero, ir.CreateSelect(f->getArg(2), r, q)));
  return f;
}

llvm::Function* ModuleEmitter::release_function() {
  if (release_) return release_;
  llvm::Type* ptr = llvm::PointerType::getUnqual(context());
  release_ = new_function(llvm::FunctionType::get(llvm::Type::getVoidTy(context()), {ptr}, false), "tenon.release",
                          llvm::GlobalValue::InternalLinkage);
  release_->addFnAttr(llvm::Attribute::NoInline);
  release_->addFnAttr(llvm::Attribute::NoUnwind);
  auto block = [&](const char* name) { return llvm::BasicBlock::Create(context(), name, release_); };
  llvm::IRBuilder<> ir(block("entry"));
  auto *counted = block("counted"), *last = block("last"), *only = block("only"), *weak = block("weak"),
       *gone = block("gone"), *done = block("done");
  auto field = [&](llvm::Value* base, size_t offset, llvm::Type* type) {
    return ir.CreateLoad(type, ir.CreateConstInBoundsGEP1_64(ir.getInt8Ty(), base, offset));
  };
  llvm::Value* index = ir.CreateLoad(ir.getInt32Ty(), release_->getArg(0));
  ir.CreateCondBr(ir.CreateICmpSGE(index, ir.getInt32(TN_OBJECT)), counted, done);
  ir.SetInsertPoint(counted);
  llvm::Value* object = field(release_->getArg(0), offsetof(TnValue, as), ptr);
  using llvm::AtomicOrdering;
  auto subtract = [&](uint64_t n, AtomicOrdering order) {
    return ir.CreateAtomicRMW(llvm::AtomicRMWInst::Sub, object, ir.getInt64(n), llvm::Align(8), order);
  };
  llvm::Value* old = subtract(1, AtomicOrdering::Release);
  ir.CreateCondBr(ir.CreateICmpEQ(ir.CreateTrunc(old, ir.getInt32Ty()), ir.getInt32(1)), last, done);
  ir.SetInsertPoint(last);
  ir.CreateFence(AtomicOrdering::Acquire);
  auto* deleter_type = llvm::FunctionType::get(ir.getVoidTy(), {ptr, ir.getInt32Ty()}, false);
  auto destroy = [&](uint32_t flags) {
    ir.CreateCall(deleter_type, field(object, offsetof(TnObject, deleter), ptr), {object, ir.getInt32(flags)});
  };
  auto is_last_weak = [&](llvm::Value* counts) { return ir.CreateICmpEQ(ir.CreateLShr(counts, 32), ir.getInt64(1)); };
  ir.CreateCondBr(is_last_weak(old), only, weak);
  ir.SetInsertPoint(only);
  destroy(3);
  ir.CreateBr(done);
  ir.SetInsertPoint(weak);
  destroy(1);
  llvm::Value* rest = subtract(uint64_t{1} << 32, AtomicOrdering::AcquireRelease);
  ir.CreateCondBr(is_last_weak(rest), gone, done);
  ir.SetInsertPoint(gone);
  destroy(2);
  ir.CreateBr(done);
  ir.SetInsertPoint(done);
  ir.CreateRetVoid();
  return release_;
}

}  // namespace tenon::backend
