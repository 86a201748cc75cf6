// Emits the body of one loop function.
#ifndef TENON_CODEGEN_LLVM_FUNCTION_EMITTER_H
#define TENON_CODEGEN_LLVM_FUNCTION_EMITTER_H

#include <functional>

#include "module_emitter.h"
#include "ranges.h"

namespace tenon::backend {

// Where a buffer's elements are.
struct BufferBinding {
  llvm::Value* base;       // the address that elem_offset counts from
  llvm::Align align;       // of that address
  bool noalias;            // no other buffer reaches its memory
  bool read_only = false;  // a constant
};

// A buffer or a region of one, as an argument of a call.
struct BufferView {
  tir::Buffer buffer;
  llvm::Value* data;
  std::vector<llvm::Value*> extents;
  std::vector<llvm::Value*> strides;  // empty when the buffer is contiguous by declaration
};

// The address of an access: one element, or `lanes` of them.
struct Access {
  llvm::Value* index;  // in elements: a scalar, or a vector for a gather
  int lanes;
  bool contiguous;  // lanes > 1: at index, index + 1, ...
  llvm::Align align;
};

class FunctionEmitter {
 public:
  FunctionEmitter(ModuleEmitter& m, const FunctionInfo& info);
  void emit();

  // ---- Expressions (expressions.cc)
  llvm::Value* expr(const Node& e);
  llvm::Value* index(const Node& e);  // as int64
  // Both sides are computed here: operands of the given dtype.
  llvm::Value* binary_arith(uint32_t kind, DLDataType type, llvm::Value* a, llvm::Value* b);
  llvm::Value* convert(llvm::Value* v, DLDataType from, DLDataType to);
  // if_true and if_false run only when needed.
  llvm::Value* branch(llvm::Value* condition, llvm::Type* type, const std::function<llvm::Value*()>& if_true,
                      const std::function<llvm::Value*()>& if_false);

  // ---- For the emitters of intrinsics
  ModuleEmitter& module() { return m_; }
  llvm::IRBuilder<>& ir() { return ir_; }
  llvm::Value* constant(llvm::Type* type, double value);
  llvm::Value* integer(llvm::Type* type, int64_t value);
  llvm::Value* splat(llvm::Value* v, int lanes);
  [[noreturn]] void refuse(const Node& at, const std::string& what, const std::string& hint = {}) const;
  // Leaves the function with an error unless `ok`.
  void require(llvm::Value* ok, int32_t code, const std::string& message, const Node& at, const std::string& hint = {});
  // The same with a message that has places for two int64 numbers (%lld).
  void require_numbers(llvm::Value* ok, int32_t code, const std::string& format, llvm::Value* a, llvm::Value* b,
                       const Node& at, const std::string& hint = {});
  // Calls a slot of TnRuntime.
  llvm::Value* call_runtime(size_t slot_offset, llvm::Type* result, llvm::ArrayRef<llvm::Value*> args);
  // Leaves the function, whose `ret` already holds the error, unless status is 0.
  void propagate(llvm::Value* status);
  llvm::Value* address_of(const tir::BufferLoad& load);
  llvm::Value* ret() { return frame_.ret; }
  llvm::Value* field(llvm::Value* base, size_t offset, llvm::Type* type);
  llvm::Value* stack_slot(llvm::Type* type, llvm::Value* count, const std::string& name);

  // ---- Handles (handles.cc)
  // TnValues that start as none and are released at the exits of the function.
  llvm::Value* handle_slots(uint64_t count, const std::string& name);
  llvm::Value* take_result();
  llvm::Value* tensor_in(const Node& at, llvm::Value* handle, const std::string& what);
  void require_kept(const Node& at, llvm::Value* handle);
  void store_argument(const Node& at, const Node& arg, llvm::Value* slot);
  // Null when the call has no result, or its result is not `used`.
  llvm::Value* call_expr(const ir::Call& call, bool used = true);

 private:
  friend struct ParallelEmitter;
  // What belongs to the LLVM function that is being filled. A parallel body has its own.
  struct Cleanup {
    std::function<void()> emit;
    llvm::BasicBlock* exit = nullptr;
  };
  struct Frame {
    llvm::Function* function = nullptr;
    llvm::BasicBlock* entry = nullptr;
    llvm::Value* context = nullptr;
    llvm::Value* ret = nullptr;
    llvm::BasicBlock* failed = nullptr;     // returns -1
    llvm::BasicBlock* succeeded = nullptr;  // returns 0, for tir.ret
    std::vector<std::pair<llvm::Value*, uint64_t>> handles;
    std::vector<Cleanup> cleanups;
    int64_t stack_bytes = 0;
    std::map<const TnNode*, llvm::Value*> vars;
    std::map<const TnNode*, BufferBinding> buffers;
  };

  // ---- Statements (statements.cc)
  void stmt(const Node& s);
  void stmt_seq(const tir::Seq& s);
  void stmt_for(const tir::For& s);
  void stmt_while(const tir::While& s);
  void stmt_if(const tir::IfThenElse& s);
  void stmt_assert(const tir::Assert& s);
  void stmt_bind(const tir::Bind& s);
  void counted_loop(const tir::For& s, llvm::Value* first, llvm::Value* count);
  llvm::MDNode* loop_metadata(const tir::For& s);
  void unwind(size_t depth);
  llvm::BasicBlock* exit_block();
  llvm::BasicBlock* block(const std::string& name);
  bool reachable() const;
  void begin(llvm::Function* f);
  void finish();

  // ---- Parallel loops (parallel.cc)
  void stmt_parallel(const tir::For& s);

  // ---- Memory (memory.cc)
  void alloc_buffer(const tir::AllocBuffer& s);
  void decl_buffer(const tir::DeclBuffer& s);
  void store(const tir::BufferStore& s);
  llvm::Value* load(const tir::BufferLoad& e);
  Access access(const Node& at, const tir::Buffer& buffer, const Array& indices);
  const BufferBinding& binding(const Node& at, const Node& buffer);
  std::vector<llvm::Value*> strides(const tir::Buffer& buffer);
  llvm::Value* element_pointer(const tir::Buffer& buffer, const BufferBinding& where, llvm::Value* index);
  llvm::Value* buffer_pointer(const Node& at, const Node& buffer);  // elem_offset applied
  void check_index(const Node& at, const tir::Buffer& buffer, size_t axis, const Node& index, llvm::Value* value);
  bool is_data_dependent(const Node& e) const;

  void alloc_registers(const tir::AllocBuffer& s, const tir::Buffer& buffer);
  llvm::Value* tensor_memory(const tir::DeclBuffer& s, const ir::Call& call);
  void give_handle(const Node& at, const Node& value, llvm::Value* from, llvm::Value* to);
  void return_handle(const ir::Call& call);

  // ---- Calls (calls.cc)
  void call_statement(const ir::Call& call);
  llvm::Value* call_packed(const ir::Call& call, bool used);
  llvm::Value* call_function(const ir::Call& call, const FunctionInfo& callee);
  llvm::Value* eval_dim(const int64_t*& program, const std::vector<llvm::Value*>& symbols);
  // Whether the node is a buffer or a region; then `view` is what it shows.
  bool view_argument(const Node& at, const Node& arg, BufferView& view);
  llvm::Value* tensor_argument(const BufferView& view);
  llvm::Value* unpack_result(const ir::Call& call, llvm::Value* slot, const std::string& callee);

  static bool is_effect(const Node& n);
  bool is_lazy(const Node& e) const;
  llvm::Value* integer_division(uint32_t kind, const Node& e, const Node& a, const Node& b);
  std::string where(const Node& at) const;

  ModuleEmitter& m_;
  const FunctionInfo& info_;
  llvm::IRBuilder<> ir_;
  Ranges ranges_;
  Frame frame_;
  std::set<const TnNode*> data_dependent_;  // variables whose value comes from memory
  const Node* statement_ = nullptr;         // the nearest statement with a span, for messages
  int parallel_bodies_ = 0;
  int conditional_ = 0;  // branches around what is emitted
};

// Signed division of integers by what is not zero; `positive` and `not_minus_one` say what is known of y.
// (expressions.cc)
llvm::Value* divide_signed(llvm::IRBuilder<>& ir, uint32_t kind, llvm::Value* x, llvm::Value* y, bool positive,
                           bool not_minus_one);

// The translation of an intrinsic ("tir.exp"); null when there is none. (intrinsics.cc)
using EmitIntrinsic = llvm::Value* (*)(FunctionEmitter&, const ir::Call&);
EmitIntrinsic find_intrinsic(std::string_view id);
// The same for the operators on handles. (handles.cc)
EmitIntrinsic find_builtin(std::string_view id);

}  // namespace tenon::backend
#endif
