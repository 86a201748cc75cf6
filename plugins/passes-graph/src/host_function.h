// A graph function as a loop-level host function.
//
//   @R.function                                    @T.prim_func
//   def main(x: R.Tensor((n, 4), "float32")):      def main(x: T.Buffer((n, 4), "float32"), out: T.Buffer((n, 4),
//   "float32")):
//     lv = R.call_tir(cls.f, (x,), ...)      ->      lv = T.alloc_buffer((n, 4), "float32")
//     gv = R.call_tir(cls.g, (lv,), ...)             cls.f(x, lv)
//     return gv                                      cls.g(lv, out)
//
// Tensors are buffers, results are written into the caller's buffers, tuples exist at compile time only. A function
// whose results cannot be allocated by its caller (unknown shape, no tensor) returns a value of dtype handle instead.
#ifndef PASSES_GRAPH_HOST_FUNCTION_H
#define PASSES_GRAPH_HOST_FUNCTION_H

#include <map>
#include <set>

#include "passes.h"

namespace tenon::graph {

// Where the value of a graph expression is at run time.
struct Place {
  enum Kind { kNothing, kBuffer, kScalar, kShape, kHandle, kTuple };
  Kind kind = kNothing;
  Node node;                  // the buffer, the scalar expression, or the expression of dtype handle
  std::vector<Node> dims;     // of a shape
  std::vector<Place> fields;  // of a tuple
};

// The tensors of a type, tuples flattened; false when one of them has no known shape, or is no tensor.
bool tensors_of_type(const Node& type, std::vector<Node>& out);

// Builds the body of one host function.
class HostFunction {
 public:
  HostFunction(PassesGraph& self, const ir::Module& module, std::string name, const relax::Function& f)
      : self_(self), b_(self.builder()), module_(module), name_(std::move(name)), f_(f) {}

  // The function in destination-passing style, or the one that returns a handle.
  Node build();
  bool passes_destinations() const { return passes_destinations_; }

 private:
  using Stmts = std::vector<Node>;

  // host_function.cc: parameters, sequences, branches, results
  void add_parameter(const Node& param);
  bool gives_symbols(const Node& type) const;
  Place sequence(const Node& e, const std::vector<Node>& into, Stmts& out);
  void assign_destinations(const relax::SeqExpr& seq, const std::vector<Node>& into);
  void binding(const Node& n, Stmts& out);
  Place branch(const relax::If& n, const std::vector<Node>& into, Stmts& out);
  Place match_cast(const relax::MatchCast& n, Stmts& out);
  void copy_into(const Place& from, const std::vector<Node>& into, Stmts& out);
  Node handle_of(const Place& place, Stmts& out);

  // host_calls.cc: the value of an expression
  Place value(const Node& e, const std::vector<Node>& into, Stmts& out);
  Place call(const ir::Call& call, const std::vector<Node>& into, Stmts& out);
  Place call_loop_function(const ir::Call& call, const std::vector<Node>& into, Stmts& out);
  void require_buffers(const ir::Call& c, const std::vector<Node>& args) const;
  Place call_in_place(const ir::Call& call, Stmts& out);
  Place call_packed_destinations(const ir::Call& call, const std::vector<Node>& into, Stmts& out);
  Place call_packed(const ir::Call& call, Stmts& out);
  Place call_graph_function(const ir::Call& call, const std::string& callee, const std::vector<Node>& into, Stmts& out);
  Place constant(const Node& n);

  // Buffers for the tensors of a call's output types: those of `into` where given, else allocated.
  std::vector<Node> outputs(const Array& types, const std::vector<Node>& into, std::string_view hint, Stmts& out);
  Place place_of(const Array& types, const std::vector<Node>& buffers, size_t& next) const;
  Place place_of_type(const Node& type, const std::vector<Node>& buffers, size_t& next) const;
  // The operands of a call: buffers and scalars, tuples flattened.
  void append_operands(const Place& place, std::vector<Node>& out) const;
  std::vector<Node> operands(const Node& tuple, Stmts& out);
  Node allocate(const Node& tensor_type, std::string_view hint, Stmts& out);
  // A new register that holds `value`; what loads it.
  Node in_register(const Node& value, Stmts& out);
  Place unpacked(const Node& handle, const Node& type, const std::string& what, Stmts& out);
  Node evaluate(Value type, std::string_view op, const std::vector<Node>& args) const;
  Node callee_name(const Node& n) const;
  [[noreturn]] void refuse(const Node& at, const std::string& why, const std::string& hint = {}) const;

  PassesGraph& self_;
  const Builder& b_;
  const ir::Module& module_;
  std::string name_;
  relax::Function f_;
  std::map<const TnNode*, Place> places_;
  std::map<const TnNode*, std::vector<Node>> destinations_;
  std::set<const TnNode*> symbols_;  // symbolic dimensions that have a value
  Stmts prologue_;                   // constants and registers
  std::map<const TnNode*, Node> constants_;
  std::vector<Node> params_;
  Node registers_;
  int64_t register_count_ = 0;
  bool passes_destinations_ = false;
};

}  // namespace tenon::graph
#endif
