// Inside of the graph level: the environment of one running function, and the calls that are no operators.
#ifndef TENON_INTERP_GRAPH_OPS_H
#define TENON_INTERP_GRAPH_OPS_H

#include <span>
#include <unordered_map>

#include "graph.h"

namespace tenon::interp {

// Whether a call of this op is run by the interpreter itself (relax.call_tir and its kin).
bool is_graph_builtin(std::string_view id);
// How many tensors a result of this type is.
size_t output_count(const Value& type);

// One running graph function: the values of its variables and the extents behind its symbols.
class GraphRun {
 public:
  GraphRun(Machine& machine, const GraphFunction& function);
  ~GraphRun();
  GraphRun(const GraphRun&) = delete;
  GraphRun& operator=(const GraphRun&) = delete;
  Value run(const std::vector<Value>& args, const int64_t* symbols);

  // ---- graph_run.cc
  Value eval(const Node& e);
  [[noreturn]] void fail_at(const Node& at, int32_t code, const std::string& message,
                            const std::string& hint = {}) const;
  const Program& program() const { return machine_.program; }
  Machine& machine() { return machine_; }

  // ---- graph_types.cc
  int64_t integer(const Node& e) const;
  std::vector<int64_t> extents(const Array& dims) const;
  // Fails unless the value is of the type; symbols that nothing has bound yet are bound to the extents that are met.
  void match(const Value& value, const Value& type, const std::string& what, const Node& at);

  // ---- graph_calls.cc
  Value call_builtin_op(const ir::Call& c, std::string_view id);
  Value call_operator(const ir::Call& c, const OperatorCode& op);
  Value call_graph(const ir::Call& c, const GraphFunction& callee);
  Value call_value(const ir::Call& c, const Ref<TnFunction>& function, size_t first_arg);
  const Ref<TnFunction>& external(const Node& callee) const;

 private:
  Value eval_sequence(const relax::SeqExpr& seq);
  Value eval_if(const relax::If& branch);
  Value eval_constant(const ir::Constant& constant);
  Value eval_call(const ir::Call& c);
  bool match_tensor(const Value& value, const relax::TensorType& type, const std::string& what, const Node& at);
  void match_extents(const Array& dims, const int64_t* actual, size_t n, const std::string& what, const Node& at);
  // The tensors that a result of this type needs, appended to `out`.
  void allocate_outputs(const Value& type, const Node& at, std::vector<Value>& out);
  Value pack_outputs(const Value& type, const std::vector<Value>& tensors, size_t* next) const;
  Value array_of(const std::vector<Value>& fields) const;
  Value destination_call(const ir::Call& c, bool in_place);
  void invoke(const Node& callee, const std::vector<Value>& args, const Node& at);

  Machine& machine_;
  const GraphFunction& function_;
  std::unordered_map<const TnNode*, Value> vars_;
  std::unordered_map<const TnNode*, int64_t> symbols_;
};

}  // namespace tenon::interp
#endif
