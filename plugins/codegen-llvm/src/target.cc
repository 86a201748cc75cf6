#include "target.h"

#include <llvm/ADT/StringMap.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/ErrorHandling.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Target/TargetMachine.h>
#include <llvm/TargetParser/Host.h>
#include <llvm/TargetParser/Triple.h>

#include <mutex>
#include <set>

namespace tenon::backend {
namespace {

// What LLVM cannot go on from becomes an error of the call; what it had allocated is lost.
[[noreturn]] void on_fatal_error(void*, const char* reason, bool) {
  throw Error(TN_ERROR_INTERNAL, std::string("LLVM: ") + reason);
}

std::string text_of(const Map& map, std::string_view key) {
  const Value* v = map.find(key);
  return v && v->is_string() ? std::string(v->as_string()) : std::string();
}

const llvm::Target& lookup(const std::string& triple) {
  std::string why;
  const llvm::Target* target = llvm::TargetRegistry::lookupTarget(triple, why);
  if (!target)
    throw Error(TN_ERROR_UNSUPPORTED, "codegen-llvm makes no code for the triple '" + triple + "'", {},
                "x86_64 and aarch64 are supported");
  return *target;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t next = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = std::exchange(row[j], next);
    }
  }
  return row.back();
}

void check_features(const TargetSpec& spec, const std::set<std::string>& names) {
  std::unique_ptr<llvm::MCSubtargetInfo> info(lookup(spec.triple).createMCSubtargetInfo(spec.triple, spec.cpu, ""));
  for (const std::string& signed_name : names) {
    std::string_view name = std::string_view(signed_name).substr(1);
    std::string_view nearest;
    size_t best = 3;
    bool known = false;
    for (const llvm::SubtargetFeatureKV& row : info->getAllProcessorFeatures()) {
      known = known || row.Key == name;
      size_t d = edit_distance(row.Key, name);
      if (d < best) best = d, nearest = row.Key;
    }
    if (!known)
      throw Error(
          TN_ERROR_ARGUMENT,
          "the target names the feature '" + std::string(name) + "', which LLVM does not know for " + spec.triple, {},
          nearest.empty() ? "" : "did you mean '" + std::string(nearest) + "'?");
  }
}

int preferred_vector_bits(const llvm::Triple& triple, const std::set<std::string>& features) {
  if (!triple.isX86()) return 0;
  return features.count("+avx512f") ? 512 : features.count("+avx") || features.count("+avx2") ? 256 : 128;
}

}  // namespace

void initialize_llvm() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
    llvm::install_fatal_error_handler(&on_fatal_error, nullptr);
  });
}

TargetSpec read_target(const Value& target) {
  static const Map none;
  const Map& map = target.is_map() ? target.ref<Map>() : none;
  if (std::string kind = text_of(map, "kind"); !kind.empty() && kind != "cpu")
    throw Error(TN_ERROR_UNSUPPORTED, "codegen-llvm makes code for targets of kind 'cpu', not '" + kind + "'");
  TargetSpec spec;
  spec.triple = text_of(map, "triple");
  if (spec.triple.empty()) spec.triple = llvm::sys::getDefaultTargetTriple();
  llvm::Triple triple(spec.triple);
  spec.cpu = text_of(map, "cpu");
  if (spec.cpu.empty()) spec.cpu = triple.isX86() ? "x86-64" : "generic";
  spec.tune = text_of(map, "tune");
  if (spec.tune.empty()) spec.tune = spec.cpu;

  std::set<std::string> features;
  if (const Value* list = map.find("features"); list && list->is_array()) {
    for (const Value& item : list->ref<Array>()) {
      std::string name(item.as_string());
      if (!name.empty()) features.insert(name[0] == '+' || name[0] == '-' ? name : "+" + name);
    }
  }
  check_features(spec, features);
  for (const std::string& f : features) spec.features += (spec.features.empty() ? "" : ",") + f;
  spec.vector_bits = preferred_vector_bits(triple, features);
  return spec;
}

std::unique_ptr<llvm::TargetMachine> make_target_machine(const TargetSpec& spec, int opt_level) {
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Standard;  // only what carries the contract flag
  options.FunctionSections = false;
  options.TrapUnreachable = false;
  auto level = opt_level == 0   ? llvm::CodeGenOptLevel::None
               : opt_level == 1 ? llvm::CodeGenOptLevel::Less
               : opt_level == 2 ? llvm::CodeGenOptLevel::Default
                                : llvm::CodeGenOptLevel::Aggressive;
  std::unique_ptr<llvm::TargetMachine> machine(lookup(spec.triple)
                                                   .createTargetMachine(spec.triple, spec.cpu, spec.features, options,
                                                                        llvm::Reloc::PIC_, llvm::CodeModel::Small,
                                                                        level));
  if (!machine) throw Error(TN_ERROR_INTERNAL, "LLVM made no target machine for " + spec.triple);
  return machine;
}

void require_host_runs(const TargetSpec& spec) {
  llvm::Triple host(llvm::sys::getProcessTriple()), wanted(spec.triple);
  if (host.getArch() != wanted.getArch())
    throw Error(TN_ERROR_UNSUPPORTED, "code for " + spec.triple + " cannot run in this process, which is " + host.str(),
                {}, "compile for this machine, or run the artifact on the other one");
  llvm::StringMap<bool> have = llvm::sys::getHostCPUFeatures();
  if (have.empty()) return;
  llvm::StringRef rest = spec.features;
  while (!rest.empty()) {
    auto [name, tail] = rest.split(',');
    rest = tail;
    auto it = have.find(name.drop_front());
    if (name.front() == '+' && it != have.end() && !it->second)
      throw Error(
          TN_ERROR_UNSUPPORTED,
          "the target asks for the feature '" + name.drop_front().str() + "', which this processor does not have", {},
          "compile for the features of this machine");
  }
}

}  // namespace tenon::backend
