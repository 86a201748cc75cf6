// Turns a loop function into instructions. One object compiles one function.
#ifndef TENON_INTERP_COMPILER_H
#define TENON_INTERP_COMPILER_H

#include <optional>
#include <set>
#include <unordered_map>

#include "assembler.h"

namespace tenon::interp {

// What functions of a module know of each other.
struct ModuleScope {
  const Builder& builder;
  const Program& program;
  const ir::Module& module;
  const Map& imports;
};

// The value of an expression: `dtype.lanes` consecutive registers. A handle's register points to a TnValue.
struct Operand {
  uint32_t reg;
  DLDataType dtype;
  // The register of a lane; a scalar serves every lane.
  uint32_t lane(uint32_t k) const { return dtype.lanes > 1 ? reg + k : reg; }
};

class FunctionCompiler {
 public:
  FunctionCompiler(const ModuleScope& scope, Code& code) : scope_(scope), code_(code), asm_(code) {}
  void compile(const tir::PrimFunc& function);

 private:
  struct Loop {  // what is known of a loop variable
    Node min, extent;
  };
  struct Reduction {             // a plain nest around one block with an init, from its outermost loop that reduces on
    std::vector<tir::For> kept;  // its loops that do not reduce
    std::vector<Node> inner_extents;            // of the other loops that reduce
    std::vector<Node> conditions;               // the terms of the block's predicate that hold for the init
    std::vector<tir::MatchBufferRegion> views;  // of the block, that the init uses
    std::set<const TnNode*> symbols;            // that the views bind
    tir::BlockRealize realize;
  };

  // ---- compile_function.cc
  void param(const Node& param, size_t index);
  void param_buffer(const tir::Buffer& buffer, const ParamPlace& place);
  [[noreturn]] void refuse(int32_t code, const std::string& message, const Node& at,
                           const std::string& hint = {}) const;

  // ---- compile_stmt.cc
  void stmt(const Node& n);
  void for_loop(const tir::For& loop);
  void while_loop(const tir::While& loop);
  void if_else(const tir::IfThenElse& branch);
  void evaluate(const Node& value);
  void assertion(const tir::Assert& check);
  void attribute(const tir::Attr& attr);
  // Jumps to `label` when the condition has the value `when`.
  void jump_when(const Node& condition, bool when, Label& label);

  // ---- compile_block.cc
  void block_realize(const tir::BlockRealize& realize);
  void bind_axis(const tir::IterVar& axis, const Node& value);
  bool within_domain(const tir::IterVar& axis, const Node& value) const;
  void block_init(const tir::Block& block);
  // What is to be initialised when `loop` or a loop below it that reduces has no iteration; none when that cannot be.
  std::optional<Reduction> reduction_at(const tir::For& loop) const;
  void init_loops(const Reduction& reduction, size_t depth);
  void match_buffer(const tir::MatchBufferRegion& match);

  // ---- compile_expr.cc
  Operand expr(const Node& n);
  Operand scalar_expr(const Node& n, const char* what);
  Operand number(const Node& n);
  Operand variable(const ir::Var& var) const;
  Operand binary(const Node& n);
  Operand logical(const Node& n, bool is_and);
  Operand choose(const Node& at, DLDataType dtype, const Node& condition, const Node& if_true, const Node& if_false);
  Operand convert(const Node& at, Operand value, DLDataType to, Handler handler);
  Operand ramp(const tir::Ramp& ramp);
  Operand broadcast(Operand value, uint32_t lanes);
  Operand let(const tir::Let& let);
  void move_to(uint32_t target, Operand value, uint32_t lanes);
  uint32_t lanes_of(const Node& n) const;
  // Evaluation cannot fail, has no effect and costs about as much as a jump.
  static bool is_cheap(const Node& n);

  // ---- compile_buffer.cc
  const BufferPlace& place_of(const Node& buffer) const;
  BufferPlace reserve(const Node& buffer);
  void alloc_buffer(const tir::Buffer& buffer);
  void decl_buffer(const tir::DeclBuffer& decl);
  void decl_data(const tir::DeclBuffer& decl, BufferPlace& place);
  // Fills the extents, strides and size of a new buffer in.
  void shape_buffer(const tir::Buffer& buffer, BufferPlace& place);
  Operand load(const tir::BufferLoad& load);
  void store(const tir::BufferStore& store);
  void access_handle(const Node& at, const Node& buffer, uint32_t d, const std::vector<Operand>& index);
  void access(const Node& at, const Node& buffer, uint32_t value, bool value_is_vector, bool is_store, uint32_t lanes,
              const std::vector<Operand>& index);
  std::vector<Operand> index_operands(const Node& at, const Node& buffer, const Array& indices, uint32_t* lanes);
  // The extents of a region, and the element offset of its corner in `*offset`.
  std::vector<uint32_t> region(const tir::BufferRegion& region, uint32_t* offset);
  BufferPlace region_place(const tir::BufferRegion& region);
  // Defines a variable that nothing has defined yet as the register's value; else checks that the value is equal.
  void bind_or_check(const Node& declared, uint32_t reg, const Node& buffer, const std::string& what);

  // ---- compile_call.cc
  Operand call(const ir::Call& call, bool result_used);
  Operand call_op(const ir::Call& call, std::string_view id, bool result_used);
  Operand call_scalar_function(const ir::Call& call, std::string_view id);
  Operand call_function_of_module(const ir::Call& call, std::string_view name, bool result_used);
  Operand call_built_in(const ir::Call& call, const Builtin& builtin, bool result_used);
  Operand emit_call(const ir::Call& call, Handler handler, CallSite site);
  Operand call_external(const ir::Call& call, std::string_view name, size_t first_arg, bool result_used);
  std::vector<CallArgument> arguments(const ir::Call& call, size_t first);
  CallArgument argument(const Node& arg);

  const ModuleScope& scope_;
  Code& code_;
  Assembler asm_;
  std::unordered_map<const TnNode*, Operand> vars_;
  std::unordered_map<const TnNode*, BufferPlace> buffers_;
  std::unordered_map<const TnNode*, Loop> loops_;
};

// "tir.For" for messages.
std::string kind_name(const Node& n);

}  // namespace tenon::interp
#endif
