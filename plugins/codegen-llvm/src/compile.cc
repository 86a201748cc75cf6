#include "compile.h"

#include <llvm/Analysis/TargetLibraryInfo.h>
#include <llvm/IR/DiagnosticInfo.h>
#include <llvm/IR/DiagnosticPrinter.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Object/ELFObjectFile.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Passes/StandardInstrumentations.h>
#include <llvm/Support/MemoryBuffer.h>
#include <llvm/Target/TargetMachine.h>
#include <llvm/TargetParser/Triple.h>

#include "module_emitter.h"

namespace tenon::backend {
namespace {

// Errors of the back ends, collected; the first is thrown when the step ends.
struct Diagnostics : llvm::DiagnosticHandler {
  explicit Diagnostics(std::string* first) : first(first) {}
  bool handleDiagnostics(const llvm::DiagnosticInfo& info) override {
    if (info.getSeverity() == llvm::DS_Error && first->empty()) {
      llvm::raw_string_ostream stream(*first);
      llvm::DiagnosticPrinterRawOStream printer(stream);
      info.print(printer);
    }
    return true;
  }
  std::string* first;
};

void check_cancelled(const TnContext* context) {
  if (context && TN_HAS(context, cancelled) && context->cancelled(context->self))
    throw Error(TN_ERROR_CANCELLED, "the compilation was cancelled");
}

void optimize(llvm::Module& m, llvm::TargetMachine& machine, int level) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = level >= 2;
  tuning.SLPVectorization = level >= 2;
  tuning.LoopInterleaving = level >= 2;
  llvm::PassInstrumentationCallbacks callbacks;
  llvm::OptNoneInstrumentation optnone(false);
  optnone.registerCallbacks(callbacks);
  llvm::PassBuilder passes(&machine, tuning, std::nullopt, &callbacks);
  functions.registerPass(
      [&] { return llvm::TargetLibraryAnalysis(llvm::TargetLibraryInfoImpl(machine.getTargetTriple())); });
  passes.registerModuleAnalyses(modules);
  passes.registerCGSCCAnalyses(components);
  passes.registerFunctionAnalyses(functions);
  passes.registerLoopAnalyses(loops);
  passes.crossRegisterProxies(loops, functions, components, modules);
  const llvm::OptimizationLevel levels[] = {llvm::OptimizationLevel::O0, llvm::OptimizationLevel::O1,
                                            llvm::OptimizationLevel::O2, llvm::OptimizationLevel::O3};
  if (level == 0)
    passes.buildO0DefaultPipeline(levels[0]).run(m, modules);
  else
    passes.buildPerModuleDefaultPipeline(levels[std::min(level, 3)]).run(m, modules);
}

std::string machine_code(llvm::Module& m, llvm::TargetMachine& machine, llvm::CodeGenFileType type) {
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, stream, nullptr, type))
    throw Error(TN_ERROR_INTERNAL, "LLVM cannot write this kind of file for " + machine.getTargetTriple().str());
  passes.run(m);
  return std::string(bytes.begin(), bytes.end());
}

std::vector<std::string> undefined_symbols(const std::string& object) {
  auto file = llvm::object::ObjectFile::createObjectFile(llvm::MemoryBufferRef(object, "object"));
  if (!file)
    throw Error(TN_ERROR_INTERNAL, "LLVM made an object that it cannot read: " + llvm::toString(file.takeError()));
  std::vector<std::string> out;
  for (const llvm::object::SymbolRef& s : (*file)->symbols()) {
    auto flags = s.getFlags();
    auto name = s.getName();
    if (!flags || !name) throw Error(TN_ERROR_INTERNAL, "LLVM made an object with an unreadable symbol");
    if ((*flags & llvm::object::SymbolRef::SF_Undefined) && !name->empty()) out.push_back(name->str());
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

CompileOptions read_options(const Value& options) {
  CompileOptions out;
  if (!options.is_map()) return out;
  const Map& map = options.ref<Map>();
  if (const Value* v = map.find("emit")) out.emit = v->as_string();
  if (const Value* v = map.find("opt_level")) out.opt_level = static_cast<int>(v->as_int());
  if (const Value* v = map.find("bounds_checks")) out.bounds_checks = v->as_string();
  auto one_of = [](const char* option, const std::string& value, std::initializer_list<const char*> choices) {
    std::string list;
    for (const char* c : choices) {
      if (value == c) return;
      list += (list.empty() ? "" : ", ") + std::string(c);
    }
    throw Error(TN_ERROR_ARGUMENT, std::string("codegen-llvm: option ") + option + " is '" + value + "'", {},
                "it is one of " + list);
  };
  one_of("emit", out.emit, {"elf-object", "llvm-ir", "asm"});
  one_of("bounds_checks", out.bounds_checks, {"none", "data-dependent", "all"});
  if (out.opt_level < 0 || out.opt_level > 3)
    throw Error(TN_ERROR_ARGUMENT, "codegen-llvm: option opt_level is " + std::to_string(out.opt_level), {},
                "it is 0, 1, 2 or 3");
  return out;
}

Compiled compile(const Builder& b, const TnHostArith* arith, const TnContext* context, const ir::Module& module,
                 const TargetSpec& target, const CompileOptions& options) {
  llvm::LLVMContext llvm_context;
  std::string problem;
  llvm_context.setDiagnosticHandler(std::make_unique<Diagnostics>(&problem));
  llvm_context.setDiscardValueNames(options.emit != "llvm-ir");
  std::unique_ptr<llvm::TargetMachine> machine = make_target_machine(target, options.opt_level);
  llvm::Module m("tenon", llvm_context);
  m.setTargetTriple(target.triple);
  m.setDataLayout(machine->createDataLayout());
  m.setPICLevel(llvm::PICLevel::BigPIC);

  EmitOptions emit;
  emit.bounds_checks = options.bounds_checks == "none"  ? BoundsChecks::kNone
                       : options.bounds_checks == "all" ? BoundsChecks::kAll
                                                        : BoundsChecks::kDataDependent;
  ModuleEmitter emitter(b, arith, module, target, emit, m);
  emitter.emit();
  check_cancelled(context);
  optimize(m, *machine, options.opt_level);
  check_cancelled(context);

  Compiled out;
  if (options.emit == "llvm-ir") {
    llvm::raw_string_ostream stream(out.bytes);
    m.print(stream, nullptr);
  } else {
    bool object = options.emit == "elf-object";
    out.bytes =
        machine_code(m, *machine, object ? llvm::CodeGenFileType::ObjectFile : llvm::CodeGenFileType::AssemblyFile);
    if (object && problem.empty()) out.symbols = undefined_symbols(out.bytes);
  }
  if (!problem.empty()) throw Error(TN_ERROR_INTERNAL, "LLVM: " + problem);
  out.exports = emitter.exports();
  out.imports = emitter.imports();
  out.constants = emitter.constants();
  return out;
}

}  // namespace tenon::backend
