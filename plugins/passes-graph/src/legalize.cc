// Operators become loop functions. A function that two calls share is placed in the module once. What small inputs
// could make negative is checked from here on (extents.h): later passes hide it.
#include <map>
#include <set>

#include "extents.h"

namespace tenon::graph {
namespace {

class Legalizer {
 public:
  Legalizer(PassesGraph& self, const PassArgs& args, const Node& module)
      : self_(self), args_(args), b_(self.builder()), module_(module.to<ir::Module>()) {}

  Value run() {
    functions_ = Builder::entries(module_.functions());
    for (const auto& [name, f] : functions_) {
      names_.insert(name);
      if (as_node(f).is<tir::PrimFunc>()) known_[as_node(f).hash()].emplace_back(name, as_node(f));
    }
    bool changed = false;
    size_t own = functions_.size();
    for (size_t i = 0; i < own; ++i) {
      Node f = as_node(functions_[i].second);
      if (!f.is<relax::Function>()) continue;
      // What kinds of plugins became may be nested.
      const Node given = f;
      if (!is_normal(f)) f = as_node(normalize(self_, args_, f));
      Value made = b_.rewrite(Value(f), [&](const Node&, const Node& n) { return replacement(n); });
      if (!as_node(made).same_as(f)) made = with_checked_extents(self_, as_node(made));
      changed = changed || !as_node(made).same_as(given);
      functions_[i].second = made;
    }
    if (!changed) return module_;
    return b_.with(module_, ir::Module::Slot::functions, Value(b_.map(functions_)));
  }

 private:
  // Whether no call is an operand of anything.
  bool is_normal(const Node& function) const {
    bool normal = true;
    auto plain = [&](const Array& operands) {
      for (const Node& a : nodes(operands)) normal = normal && !a.is<ir::Call>();
    };
    b_.walk(
        Value(function),
        [&](const Node& n) {
          if (const auto* call = n.as<ir::Call>()) plain(call->args());
          if (const auto* tuple = n.as<relax::Tuple>()) plain(tuple->fields());
          return normal;
        },
        [](const Node&) {});
    return normal;
  }

  Value replacement(const Node& n) {
    auto* call = n.as<ir::Call>();
    if (!call || op_of(n).empty()) return Value();
    Value record =
        tenon::call([&](TnValue* ret) { return self_.ops->find(self_.ops->self, std::string(op_of(n)).c_str(), ret); });
    if (!record.is_map() || !has_compute(record.ref<Map>())) return Value();
    Node f = as_node(
        tenon::call([&](TnValue* ret) { return self_.ops->compute(self_.ops->self, args_.context, n.get(), ret); }));
    std::vector<Node> symbols = unbound_symbols(f.to<tir::PrimFunc>());
    std::string name = place(own_variables(f.to<tir::PrimFunc>(), symbols), op_of(n));
    std::vector<Node> arguments;
    for (const Node& a : nodes(call->args())) tensors_of(a, arguments);
    std::vector<Value> operands{b_.make<ir::GlobalVar>({Value(), b_.string(name)}), operands_of(arguments)};
    if (!symbols.empty()) operands.push_back(b_.make<relax::ShapeExpr>({Value(), b_.array(symbols)}));
    Value outputs = as_node(call->type()).is<relax::TupleType>()
                        ? Value(as_node(call->type()).to<relax::TupleType>().fields())
                        : Value(b_.array({call->type()}));
    return b_.make<ir::Call>(
        {call->type(), b_.make<ir::Op>({Value(), "relax.call_tir"}), Value(b_.array(operands)), b_.map({}), outputs},
        n.span());
  }

  Node operands_of(const std::vector<Node>& tensors) const {
    std::vector<Value> types;
    for (const Node& t : tensors) types.push_back(t.slot(0));
    return b_.make<relax::Tuple>({b_.make<relax::TupleType>({b_.array(types)}), b_.array(tensors)});
  }

  static bool has_compute(const Map& record) {
    const Value* functions = record.find("functions");
    if (!functions || !functions->is_array()) return false;
    for (const Value& f : functions->ref<Array>())
      if (f.as_string() == "compute") return true;
    return false;
  }

  // The tensors among a call's arguments, tuples flattened: the order of the loop function's parameters.
  void tensors_of(const Node& arg, std::vector<Node>& out) {
    if (auto* t = arg.as<relax::Tuple>()) {
      for (const Node& f : nodes(t->fields())) tensors_of(f, out);
      return;
    }
    if (arg.slot(0).is_node() && as_node(arg.slot(0)).is<relax::TensorType>()) out.push_back(arg);
  }

  // The symbolic dimensions that no shape gives before they are used: they are passed beside the tensors.
  std::vector<Node> unbound_symbols(const tir::PrimFunc& f) {
    std::set<const TnNode*> defined;
    std::vector<Node> out;
    for (const Node& p : nodes(f.params()))
      for (const Node& d : nodes(p.to<tir::Buffer>().shape()))
        if (d.is<ir::Var>())
          defined.insert(d.get());
        else
          collect(Value(d), defined, out);
    collect(Value(f.body()), defined, out);
    return out;
  }
  void collect(const Value& tree, std::set<const TnNode*>& defined, std::vector<Node>& out) {
    b_.walk(tree, [&](const Node& n) {
      if (auto* loop = n.as<tir::For>()) defined.insert(loop->loop_var().get());
      if (auto* iter = n.as<tir::IterVar>()) defined.insert(iter->var().get());
      if (auto* let = n.as<tir::Let>()) defined.insert(let->var().get());
      if (n.is<ir::Var>() && defined.insert(n.get()).second) out.push_back(n);
    });
  }

  // The function with variables of its own in place of the graph's, and `symbols` as further parameters.
  Node own_variables(const tir::PrimFunc& f, const std::vector<Node>& symbols) {
    std::vector<Value> from, to;
    std::set<const TnNode*> seen;
    auto rename = [&](const Node& v) {
      if (!v.is<ir::Var>() || !seen.insert(v.get()).second) return;
      from.push_back(v);
      to.push_back(b_.make<ir::Var>({v.to<ir::Var>().type(), b_.string(v.to<ir::Var>().name())}));
    };
    for (const Node& s : symbols) rename(s);
    for (const Node& p : nodes(f.params()))
      for (const Node& d : nodes(p.to<tir::Buffer>().shape())) rename(d);
    Node renamed = b_.substitute(Value(f), b_.array(from), b_.array(to)).ref<Node>();
    if (symbols.empty()) return renamed;
    std::vector<Node> params;
    for (const Node& p : nodes(renamed.to<tir::PrimFunc>().params())) params.push_back(p);
    for (size_t i = 0; i < symbols.size(); ++i) params.push_back(as_node(to[i]));
    return b_.with(renamed, tir::PrimFunc::Slot::params, Value(b_.array(params)));
  }

  // The name of the function in the module: of an equal one, or of this one, placed under a name of its own.
  std::string place(const Node& f, std::string_view op) {
    for (const auto& [name, other] : known_[f.hash()]) {
      Value a(f), c(other);
      if (tenon::call([&](TnValue* ret) {
            return b_.ir()->structural_equal(b_.ir()->self, a.ptr(), c.ptr(), 0, ret);
          }).is_none())
        return name;
    }
    std::string hint(op.substr(op.rfind('.') + 1)), name = hint;
    for (int i = 1; !names_.insert(name).second; ++i) name = hint + std::to_string(i);
    known_[f.hash()].emplace_back(name, f);
    functions_.emplace_back(name, f);
    return name;
  }

  PassesGraph& self_;
  const PassArgs& args_;
  const Builder& b_;
  ir::Module module_;
  Builder::Entries functions_;
  std::set<std::string> names_;
  std::map<uint64_t, std::vector<std::pair<std::string, Node>>> known_;
};

}  // namespace

Value legalize(PassesGraph& self, const PassArgs& args, const Node& module) {
  return Legalizer(self, args, module).run();
}

}  // namespace tenon::graph
