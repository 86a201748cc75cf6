// float32 functions made of arithmetic only, so that loops over them stay vectors. Each takes a float or a vector of
// floats. The tests measure the largest error of each in units of the last place.
#ifndef TENON_CODEGEN_LLVM_MATH_H
#define TENON_CODEGEN_LLVM_MATH_H

#include <llvm/IR/IRBuilder.h>

namespace tenon::backend {

llvm::Value* emit_exp(llvm::IRBuilder<>& ir, llvm::Value* x);
llvm::Value* emit_log(llvm::IRBuilder<>& ir, llvm::Value* x);
llvm::Value* emit_tanh(llvm::IRBuilder<>& ir, llvm::Value* x);
llvm::Value* emit_sigmoid(llvm::IRBuilder<>& ir, llvm::Value* x);
llvm::Value* emit_erf(llvm::IRBuilder<>& ir, llvm::Value* x);

}  // namespace tenon::backend
#endif
