// From a module of loop functions to an object file, LLVM assembly or machine assembly.
#ifndef TENON_CODEGEN_LLVM_COMPILE_H
#define TENON_CODEGEN_LLVM_COMPILE_H

#include <tenon/cxx/builder.h>
#include <tenon/ext/arith.h>
#include <tenon/ext/context.h>

#include <map>
#include <string>
#include <vector>

#include "target.h"

namespace tenon::backend {

struct CompileOptions {
  std::string emit = "elf-object";  // elf-object, llvm-ir (after optimisation) or asm
  int opt_level = 2;
  std::string bounds_checks = "data-dependent";  // none, data-dependent or all
};

CompileOptions read_options(const Value& options);

struct Compiled {
  std::string bytes;
  std::map<std::string, std::string> exports;  // function -> symbol of its entry
  std::vector<std::string> imports;
  std::vector<Value> constants;
  std::vector<std::string> symbols;  // what an object needs from the C library, sorted
};

// Deterministic: the same module, target and options give the same bytes.
Compiled compile(const Builder& b, const TnHostArith* arith, const TnContext* context, const ir::Module& module,
                 const TargetSpec& target, const CompileOptions& options);

}  // namespace tenon::backend
#endif
