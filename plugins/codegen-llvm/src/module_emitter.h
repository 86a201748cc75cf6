// Makes an LLVM module from a module of lowered loop functions. Per function an internal one with plain arguments; per
// public function an entry of type TnCall that checks its arguments and calls it.
#ifndef TENON_CODEGEN_LLVM_MODULE_EMITTER_H
#define TENON_CODEGEN_LLVM_MODULE_EMITTER_H

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>
#include <signature/signature.h>
#include <tenon/cxx/builder.h>
#include <tenon/ext/arith.h>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "target.h"

namespace tenon::backend {

enum class BoundsChecks { kNone, kDataDependent, kAll };

struct EmitOptions {
  BoundsChecks bounds_checks = BoundsChecks::kDataDependent;
};

// One loop function. The internal function takes, in this order: TnModuleContext*, TnValue* ret, one argument per
// parameter (a buffer's data, a scalar, a TnValue* for a handle), and the symbols that are not parameters. It returns a
// status.
struct FunctionInfo {
  std::string name;
  tir::PrimFunc function;
  FunctionSignature signature;
  std::vector<bool> may_alias;         // per parameter: some call in the module passes its buffer twice
  std::vector<int32_t> extra_symbols;  // numbers of the symbols that are passed after the parameters
  llvm::Function* internal = nullptr;
};

// Throws TN_ERROR_UNSUPPORTED where a function calls itself, over others or not, under no condition.
void refuse_endless_recursion(const Builder& b, const ir::Module& module);

class ModuleEmitter {
 public:
  ModuleEmitter(const Builder& b, const TnHostArith* arith, const ir::Module& module, const TargetSpec& target,
                EmitOptions options, llvm::Module& out);
  // Emits every function. Throws TN_ERROR_UNSUPPORTED or TN_ERROR_VERIFY for what has no translation.
  void emit();

  // ---- Results
  const std::map<std::string, std::string>& exports() const { return exports_; }  // function -> symbol
  const std::vector<std::string>& imports() const { return imports_; }
  const std::vector<Value>& constants() const { return constants_; }

  // ---- For the emitters of functions
  const Builder& b() const { return b_; }
  const TnHostArith* arith() const { return arith_; }
  const EmitOptions& options() const { return options_; }
  llvm::Module& llvm_module() { return out_; }
  llvm::LLVMContext& context() { return out_.getContext(); }
  const FunctionInfo* find(std::string_view name) const;
  // Creates a function with the attributes of the target.
  llvm::Function* new_function(llvm::FunctionType* type, const std::string& name,
                               llvm::GlobalValue::LinkageTypes linkage);
  llvm::Constant* text(std::string_view s);  // address of a constant, ended C string
  llvm::Constant* words(const std::vector<int64_t>& values);
  int64_t import_index(std::string_view name);
  int64_t constant_index(const Value& constant);
  llvm::FunctionCallee libm(const std::string& name, llvm::Type* type, int arguments);
  // i32 fail(ctx, code, message, where, hint, ret): reports an error; always -1.
  llvm::Function* fail_function();
  // i32 fail_numbers(ctx, code, format, where, hint, ret, a, b): the same with the message formatted by the C library.
  llvm::Function* fail_numbers_function();
  // void release(TnValue*): gives up the reference that the value holds, as tn_value_release.
  llvm::Function* release_function();
  // void retain(TnValue*); void release_range(TnValue*, i64): releases that many and leaves none.
  llvm::Function* retain_function();
  llvm::Function* release_range_function();
  llvm::Function* is_compact_function();  // i1 is_compact(DLTensor*)
  llvm::Function* own_tensor_function();
  llvm::Function* unbox_function();
  // t divide(t x, t y, i1 modulo): division that no operand makes fail; 0 when y is 0. Of signed integers in the way of
  // `kind`, of unsigned ones when it is 0.
  llvm::Function* division(uint32_t kind, llvm::Type* t);

  // ---- Types
  llvm::Type* type_of(DLDataType t);      // as a value in a register
  llvm::Type* memory_type(DLDataType t);  // as an element in memory
  llvm::FunctionType* internal_type(const FunctionInfo& info);
  llvm::FunctionType* entry_type();
  llvm::StructType* value_type();  // TnValue

 private:
  llvm::Function* helper(const char* name, llvm::Type* result, llvm::ArrayRef<llvm::Type*> params,
                         const std::function<void(llvm::IRBuilder<>&, llvm::Function*)>& body);
  void collect_functions();
  void find_aliases(const tir::PrimFunc& caller);
  void emit_entry(FunctionInfo& info);
  llvm::Constant* signature_constant(const FunctionSignature& s);

  const Builder& b_;
  const TnHostArith* arith_;
  ir::Module module_;
  const TargetSpec& target_;
  EmitOptions options_;
  llvm::Module& out_;
  std::map<std::string, FunctionInfo, std::less<>> functions_;
  std::map<std::string, std::string> exports_;
  std::vector<std::string> imports_;
  std::vector<Value> constants_;
  std::map<std::string, llvm::Constant*, std::less<>> texts_;
  llvm::Function* fail_ = nullptr;
  llvm::Function* fail_numbers_ = nullptr;
  llvm::Function* release_ = nullptr;
};

// Whether a function carries `global_symbol`, and which.
std::string global_symbol_of(const tir::PrimFunc& f);
// The symbol of an entry: letters, digits and _ stand for themselves, anything else as $ and two hex digits.
std::string entry_symbol(std::string_view name);
// "file:line:col" of the node, or "".
std::string position_of(const Node& node);

}  // namespace tenon::backend
#endif
