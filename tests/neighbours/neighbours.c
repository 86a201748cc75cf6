/* Two compilers in one process: ours, whose code generator holds LLVM 19, and LLVM 15 by its C interface. Each function compiles
 * something and runs it; 0 says that the result was right. The order in which they are called is the test's to choose. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <tenon/compiler.h>

#define NEIGHBOUR __attribute__((visibility("default")))

static int complain(const char* what, const TnValue* error) {
  const char* why = error && error->type_index == TN_ERROR ? ((const TnError*)error->as.object)->message : "";
  fprintf(stderr, "neighbours: %s: %s\n", what, why);
  return 1;
}

static const char kText[] =
    "@I.ir_module\n"
    "class Module:\n"
    "    @T.prim_func\n"
    "    def triple(A: T.Buffer((4,), \"int64\"), B: T.Buffer((4,), \"int64\")):\n"
    "        for i in range(4):\n"
    "            B[i] = A[i] * T.int64(3)\n";

NEIGHBOUR int use_tenon(void);
int use_tenon(void) {
  const TnCompiler* c = tn_compiler();
  TnSession* session = NULL;
  TnValue v = {TN_NONE, 0, {0}}, none = {TN_NONE, 0, {0}}, module, pipeline, lowered, functions;
  if (c->session_create(&none, &session, &v) != 0) return complain("session", &v);
  if (c->parse(session, kText, sizeof kText - 1, "triple.py", &module) != 0) return complain("parse", &module);
  c->runtime->string("cpu", 3, &pipeline);
  if (c->run_pipeline(session, (const TnNode*)module.as.object, &pipeline, &none, &lowered) != 0)
    return complain("pipeline", &lowered);
  const TnValue* result = tn_map_find(&lowered, "module");
  if (c->load(session, (const TnNode*)result->as.object, "codegen-llvm", &none, &functions) != 0)
    return complain("load", &functions);
  TnFunction* triple = (TnFunction*)tn_map_find(&functions, "triple")->as.object;
  int64_t in[4] = {1, 2, 3, -4}, out[4] = {0, 0, 0, 0}, shape[1] = {4};
  DLTensor a = {in, {kDLCPU, 0}, 1, {kDLInt, 64, 1}, shape, NULL, 0}, b = a;
  b.data = out;
  TnValue args[2] = {{TN_DLTENSOR, 0, {0}}, {TN_DLTENSOR, 0, {0}}};
  args[0].as.p = &a;
  args[1].as.p = &b;
  if (triple->call(triple, args, 2, &v) != 0) return complain("call", &v);
  tn_value_release(&functions);
  tn_value_release(&lowered);
  tn_value_release(&pipeline);
  tn_value_release(&module);
  c->session_destroy(session);
  for (int i = 0; i < 4; ++i)
    if (out[i] != 3 * in[i]) return complain("the result is wrong", NULL);
  return 0;
}

/* The C interface of LLVM 15, as far as it is needed. */
typedef void* Ref;
#define SLOT(type, name, parameters)      \
  type(*name) parameters;                 \
  *(void**)&name = dlsym(library, #name); \
  if (!name) return complain("libLLVM-15 has no " #name, NULL)

NEIGHBOUR int use_llvm15(const char* path);
int use_llvm15(const char* path) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) return complain(dlerror(), NULL);
  SLOT(void, LLVMLinkInMCJIT, (void));
#if defined(__x86_64__)
  SLOT(void, LLVMInitializeX86TargetInfo, (void));
  SLOT(void, LLVMInitializeX86Target, (void));
  SLOT(void, LLVMInitializeX86TargetMC, (void));
  SLOT(void, LLVMInitializeX86AsmPrinter, (void));
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
#else
  SLOT(void, LLVMInitializeAArch64TargetInfo, (void));
  SLOT(void, LLVMInitializeAArch64Target, (void));
  SLOT(void, LLVMInitializeAArch64TargetMC, (void));
  SLOT(void, LLVMInitializeAArch64AsmPrinter, (void));
  LLVMInitializeAArch64TargetInfo();
  LLVMInitializeAArch64Target();
  LLVMInitializeAArch64TargetMC();
  LLVMInitializeAArch64AsmPrinter();
#endif
  SLOT(Ref, LLVMContextCreate, (void));
  SLOT(Ref, LLVMModuleCreateWithNameInContext, (const char*, Ref));
  SLOT(Ref, LLVMInt64TypeInContext, (Ref));
  SLOT(Ref, LLVMFunctionType, (Ref, Ref*, unsigned, int));
  SLOT(Ref, LLVMAddFunction, (Ref, const char*, Ref));
  SLOT(Ref, LLVMAppendBasicBlockInContext, (Ref, Ref, const char*));
  SLOT(Ref, LLVMCreateBuilderInContext, (Ref));
  SLOT(void, LLVMPositionBuilderAtEnd, (Ref, Ref));
  SLOT(Ref, LLVMGetParam, (Ref, unsigned));
  SLOT(Ref, LLVMBuildMul, (Ref, Ref, Ref, const char*));
  SLOT(Ref, LLVMBuildRet, (Ref, Ref));
  SLOT(void, LLVMDisposeBuilder, (Ref));
  SLOT(int, LLVMCreateJITCompilerForModule, (Ref*, Ref, unsigned, char**));
  SLOT(uint64_t, LLVMGetFunctionAddress, (Ref, const char*));
  SLOT(void, LLVMDisposeExecutionEngine, (Ref));
  SLOT(void, LLVMContextDispose, (Ref));
  LLVMLinkInMCJIT();
  Ref context = LLVMContextCreate(), module = LLVMModuleCreateWithNameInContext("other", context);
  Ref i64 = LLVMInt64TypeInContext(context);
  Ref f = LLVMAddFunction(module, "square", LLVMFunctionType(i64, &i64, 1, 0)),
      builder = LLVMCreateBuilderInContext(context);
  LLVMPositionBuilderAtEnd(builder, LLVMAppendBasicBlockInContext(context, f, "entry"));
  LLVMBuildRet(builder, LLVMBuildMul(builder, LLVMGetParam(f, 0), LLVMGetParam(f, 0), "x"));
  LLVMDisposeBuilder(builder);
  Ref engine = NULL;
  char* message = NULL;
  if (LLVMCreateJITCompilerForModule(&engine, module, 2, &message) != 0) return complain(message, NULL);
  int64_t (*square)(int64_t);
  uint64_t address = LLVMGetFunctionAddress(engine, "square");
  memcpy(&square, &address, sizeof square);
  int right = square && square(12) == 144;
  LLVMDisposeExecutionEngine(engine);
  LLVMContextDispose(context);
  return right ? 0 : complain("LLVM 15 computes something else", NULL);
}
