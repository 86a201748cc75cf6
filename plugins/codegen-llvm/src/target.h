// The machine that code is made for, read from the target map: {kind: "cpu", triple, cpu, tune, features}.
#ifndef TENON_CODEGEN_LLVM_TARGET_H
#define TENON_CODEGEN_LLVM_TARGET_H

#include <tenon/cxx/object.h>

#include <memory>
#include <string>

namespace llvm {
class TargetMachine;
}

namespace tenon::backend {

struct TargetSpec {
  std::string triple;
  std::string cpu;       // the instruction set that the features are added to
  std::string tune;      // what the scheduler assumes
  std::string features;  // "+avx2,+fma", sorted
  int vector_bits;       // the preferred vector width; 0 leaves it to LLVM
};

// Registers the targets of this library; may be called again.
void initialize_llvm();

// Throws when the target is of another kind or names a feature that LLVM does not know. A none target is the baseline
// of this machine's architecture.
TargetSpec read_target(const Value& target);

// A machine for one compilation.
std::unique_ptr<llvm::TargetMachine> make_target_machine(const TargetSpec& spec, int opt_level);

// Throws unless this process can execute code for the target.
void require_host_runs(const TargetSpec& spec);

}  // namespace tenon::backend
#endif
