// What a module is compiled to: for each function a list of instructions over a file of 8-byte registers.
//
// An instruction is the address of its handler and up to six numbers, so running is one indirect call per instruction
// and everything that is known when the module is loaded (types, strides, slots, callees) is settled in the choice of
// the handler and in the registers' initial values. A program is immutable: any number of threads run it at once.
#ifndef TENON_INTERP_PROGRAM_H
#define TENON_INTERP_PROGRAM_H

#include <loop_ops/scalar.h>
#include <signature/signature.h>
#include <tenon/ext/op.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace tenon::interp {

struct Activation;
struct GraphFunction;
struct GraphProgram;
struct Builtin;
struct Instr;

// Executes one instruction on the registers `r` and returns the next one; null ends the function. Throws tenon::Error.
using Handler = const Instr* (*)(const Instr* i, Scalar* r, Activation& act);

// The fields are registers unless the handler says otherwise; a jump's distance stands in `f`.
struct Instr {
  Handler run;
  uint32_t d, a, b, c, e, f;
};

// Where an instruction comes from and what it is about, for messages.
struct Site {
  uint32_t pc;
  const TnSpan* span;     // or null
  const TnNode* subject;  // a buffer, a variable or an expression; or null
};

// A buffer lies in consecutive registers: its address, then extent and stride (in elements) of each dimension.
struct BufferPlace {
  uint32_t base;
  uint32_t ndim;
  DLDataType dtype;
  uint32_t data;   // the start of the memory that the buffer is part of
  uint32_t bytes;  // how much memory there is from `data` on
  bool read_only;  // its memory is a constant
  uint32_t extent(uint32_t dim) const { return base + 1 + 2 * dim; }
  uint32_t stride(uint32_t dim) const { return base + 2 + 2 * dim; }
};

struct ParamPlace {
  int32_t kind;  // TN_PARAM_*
  DLDataType dtype;
  uint32_t reg;        // of a scalar or handle
  BufferPlace buffer;  // of a tensor
};

struct CallArgument {
  enum Kind { Buffer, Number, Text, Handle } kind;
  uint32_t reg;        // of a number or handle
  DLDataType dtype;    // of a number
  BufferPlace buffer;  // of a buffer
  std::string text;
};

struct Code;

struct CallSite {
  std::string name;
  const Code* callee;          // a function of the module, or null
  const Builtin* builtin;      // a built-in, or null
  const GraphFunction* graph;  // a graph function of the module, or null
  Ref<TnFunction> import;
  std::vector<CallArgument> args;
  DLDataType result;  // bits is 0 when the result is not used
  uint32_t slot;      // of the result, when it is a handle
};

struct Code {
  std::string name;
  Value origin;  // keeps names and spans alive that the module does not hold
  FunctionSignature signature;
  std::unique_ptr<SignatureView> view;
  std::vector<ParamPlace> params;
  std::vector<Instr> instrs;
  std::vector<Scalar> registers;  // their values when a call begins
  uint32_t allocation_count = 0;
  uint32_t slot_count = 0;  // values that a call owns: results of calls that are handles
  std::vector<Site> sites;  // ascending in pc
  std::vector<CallSite> calls;
  std::vector<std::string> texts;
};

enum class Fill { Poison, Zero, Leave };

struct Options {
  int64_t max_steps;  // INT64_MAX for no limit
  int64_t max_bytes;
  int32_t max_depth;
  Fill fill;
};

struct Program {
  const TnRuntime* runtime;
  Options options;
  Node module;  // keeps names, spans and constants alive
  std::map<std::string, Ref<TnFunction>, std::less<>> imports;
  std::map<std::string, std::unique_ptr<Code>, std::less<>> functions;  // the loop functions
  std::shared_ptr<GraphProgram> graph;                                  // the graph functions
};

// Compiles every function of a module. Throws for what cannot run, naming it and its place.
// `ops` and `context` serve the operators of graph functions, for the length of the call; `ops` may be null.
std::shared_ptr<const Program> compile_program(const Builder& b, const ir::Module& module, const Map& imports,
                                               const Options& options, const TnHostOps* ops, const TnContext* context);

// "file:line:column", or "" when the span is unknown.
std::string position_text(const TnSpan* span);

}  // namespace tenon::interp
#endif
