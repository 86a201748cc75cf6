// Calls whose arguments are known while compiling become the constants that they give.
#include <map>
#include <set>

#include "evaluate.h"
#include "sequences.h"

namespace tenon::graph {
namespace {

class Folder {
 public:
  Folder(PassesGraph& self, const PassArgs& args, const ir::Module& module)
      : self_(self), args_(args), b_(self.builder()), evaluator_(self, args, module) {}

  Node run(const relax::Function& f) {
    find_written(Value(f));
    Node body = sequence(f.body());
    if (body.same_as(f.body())) return Node(f.get());
    Node changed = b_.with(f, relax::Function::Slot::body, body);
    if (from_.empty()) return changed;
    return b_.substitute(Value(changed), b_.array(from_), b_.array(to_)).ref<Node>();
  }

 private:
  // Variables whose memory a call may write: what they stand for is no constant. What such a variable is made of
  // without a call (an alias, a tuple, a branch) counts as well.
  void find_written(const Value& tree) {
    std::vector<std::pair<Node, Node>> aliases;  // variable, value
    b_.walk(tree, [&](const Node& n) {
      if (auto* cast = n.as<relax::MatchCast>()) aliases.emplace_back(cast->var(), cast->value());
      auto* bind = n.as<relax::VarBinding>();
      if (bind && !bind->value().is<ir::Call>()) aliases.emplace_back(bind->var(), bind->value());
      auto* call = n.as<ir::Call>();
      if (call && may_write(*call)) mark_written(Value(call->args()));
    });
    for (bool changed = true; changed;) {
      size_t before = written_.size();
      for (const auto& [var, value] : aliases)
        if (written_.count(var.get())) mark_written(Value(value));
      changed = written_.size() != before;
    }
  }
  void mark_written(const Value& tree) {
    b_.walk(tree, [&](const Node& n) {
      if (n.is<ir::Var>()) written_.insert(n.get());
    });
  }
  static bool may_write(const ir::Call& call) {
    std::string_view id = op_of(call);
    return id.empty() || id == "relax.call_tir_inplace" || id == "relax.call_packed";
  }

  Node sequence(const Node& e) {
    return with_bindings(
        b_, e,
        [&](const Node& n, std::vector<Node>& out) {
          if (Node made = binding(n)) out.push_back(made);
        },
        [&](const Node& var) { return !replaced_.count(var.get()); });
  }

  // The binding as it is from now on; null when its variable stands for a constant everywhere.
  Node binding(const Node& n) {
    if (auto* cast = n.as<relax::MatchCast>()) {
      Node value = evaluator_.resolved(cast->value());
      return has_type(value, cast->cast_type()) && replace(cast->var(), value) ? Node() : n;
    }
    auto& vb = n.to<relax::VarBinding>();
    if (vb.value().is<relax::If>()) return with_branches(b_, vb, [&](const Node& e) { return sequence(e); });
    Node value = evaluator_.resolved(vb.value());
    if (auto* call = vb.value().as<ir::Call>(); call && !written_.count(vb.var().get())) value = folded(*call);
    if (!value) return n;
    if (replace(vb.var(), value)) return Node();
    if (written_.count(vb.var().get())) return n;
    // A tuple of constants stays bound; what takes its fields sees the constants.
    evaluator_.define(vb.var(), value);
    return vb.value().is<ir::Call>() ? rebound(vb, value) : n;
  }

  Node rebound(const relax::VarBinding& n, const Node& value) {
    return b_.make<relax::VarBinding>({value, n.var()}, n.span());
  }

  bool replace(const Node& var, const Node& value) {
    if (!value || !value.is<ir::Constant>() || written_.count(var.get())) return false;
    evaluator_.define(var, value);
    replaced_.insert(var.get());
    from_.push_back(Value(var));
    to_.push_back(Value(value));
    return true;
  }

  // Whether the constant has exactly the shape and dtype of a type without symbols.
  static bool has_type(const Node& constant, const Node& type) {
    auto* t = type.as<relax::TensorType>();
    auto* c = constant ? constant.as<ir::Constant>() : nullptr;
    if (!t || !c) return false;
    auto& have = as_node(c->type()).to<relax::TensorType>();
    if (!t->dtype().is_none() && !same_dtype(t->dtype().as_dtype(), have.dtype().as_dtype())) return false;
    std::vector<int64_t> x, y;
    return t->shape().is_array() && extents_of(t->shape().ref<Array>(), x) &&
           extents_of(have.shape().ref<Array>(), y) && x == y;
  }

  Node folded(const ir::Call& call) {
    try {
      return evaluator_.value(call);
    } catch (const Error& e) {
      if (e.code == TN_ERROR_CANCELLED) throw;
      std::string message = "the call of " + evaluator_.callee(call) +
                            " stays, though its arguments are constants: " + e.message +
                            (e.where.empty() ? "" : " (" + e.where + ")");
      const char* hint =
          e.code == TN_ERROR_LIMIT ? "the options max_steps and max_bytes of the pass allow more" : e.hint.c_str();
      args_.context->report(args_.context->self, TN_SEVERITY_NOTE, message.c_str(), call.span(), hint);
      return Node();
    }
  }

  PassesGraph& self_;
  const PassArgs& args_;
  const Builder& b_;
  Evaluator evaluator_;
  std::set<const TnNode*> written_, replaced_;
  std::vector<Value> from_, to_;
};

}  // namespace

Value fold_constants(PassesGraph& self, const PassArgs& args, const Node& module) {
  // For the executor 0 means no limit, and a pass must end.
  if (args.number("max_steps") < 1 || args.number("max_bytes") < 1)
    throw Error(TN_ERROR_ARGUMENT, "max_steps and max_bytes are at least 1");
  const Builder& b = self.builder();
  auto& m = module.to<ir::Module>();
  Builder::Entries functions = Builder::entries(m.functions());
  bool changed = false;
  for (auto& [name, value] : functions) {
    auto* f = as_node(value).as<relax::Function>();
    if (!f) continue;
    Node made = Folder(self, args, m).run(*f);
    changed = changed || !made.same_as(*f);
    value = made;
  }
  return changed ? Value(b.with(m, ir::Module::Slot::functions, Value(b.map(functions)))) : Value(m);
}

}  // namespace tenon::graph
