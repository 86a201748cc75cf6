// The value of a call whose arguments are constants, computed by the host's executor.
#ifndef PASSES_GRAPH_EVALUATE_H
#define PASSES_GRAPH_EVALUATE_H

#include <tenon/ext/constants.h>
#include <tenon/ext/execute.h>

#include <map>
#include <vector>

#include "passes.h"

namespace tenon::graph {

// The extents of a shape that has no symbols; false when it has.
bool extents_of(const Array& shape, std::vector<int64_t>& out);

class Evaluator {
 public:
  // Reads the options max_growth, small_bytes, max_steps and max_bytes of the pass.
  Evaluator(PassesGraph& self, const PassArgs& args, const ir::Module& module);

  // What the variable stands for: an ir.Constant, or a relax.Tuple of such.
  void define(const Node& var, const Node& value) { known_.insert_or_assign(var.get(), value); }
  // The constant, or the tuple of constants, that an expression other than a call is; null when that is not known.
  Node resolved(const Node& e) const;
  // The constant or tuple of constants that a call gives; null when it is not to be folded. Throws what the executor
  // throws.
  Node value(const ir::Call& call);
  // "'f'", for messages.
  static std::string callee(const ir::Call& call);

 private:
  // A function and the arguments to call it with: the outputs are made for it.
  struct Work {
    Node module;
    std::string function;
    std::vector<Node> inputs;    // ir.Constant
    std::vector<Value> scalars;  // behind the outputs
    Array outputs;               // types
    Value type;                  // of the result
  };
  bool work_of_loop_function(const ir::Call& call, Work& work);
  bool work_of_operator(const ir::Call& call, Work& work);
  bool add_inputs(const Node& argument, Work& work) const;
  Value input_tensor(const ir::Constant& constant, int64_t& bytes) const;
  Node run(const Work& work) const;
  bool is_pure(const std::string& function);

  PassesGraph& self_;
  const PassArgs& args_;
  const Builder& b_;
  const ir::Module& module_;
  const TnHostExecute* execute_;
  const TnHostConstants* constants_;
  std::map<const TnNode*, Node> known_;
  std::map<std::string, bool> pure_;
};

}  // namespace tenon::graph
#endif
