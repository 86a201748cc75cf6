// Conversions of weights out of the functions that use them, to where they happen once: while compiling.
#include <map>
#include <set>

#include "layout_nests.h"
#include "sequences.h"

namespace tenon::graph {
namespace {

class LayoutLifter {
 public:
  LayoutLifter(PassesGraph& self, const PassArgs& args, const ir::Module& module)
      : self_(self), args_(args), b_(self.builder()), module_(module), always_(args.text("lift") == "always") {}

  Value run() {
    functions_ = Builder::entries(module_.functions());
    for (const auto& [name, f] : functions_) names_.insert(name);
    bool changed = false;
    for (size_t i = 0, own = functions_.size(); i < own; ++i) {
      const Node function = as_node(functions_[i].second);  // its own: functions are added meanwhile
      auto* f = function.as<relax::Function>();
      if (!f) continue;
      known_.clear();
      Node body = sequence(f->body());
      if (body.same_as(f->body())) continue;
      changed = true;
      Node made = b_.with(*f, relax::Function::Slot::body, body);
      functions_[i].second = made;
    }
    return changed ? Value(b_.with(module_, ir::Module::Slot::functions, Value(b_.map(functions_)))) : Value(module_);
  }

 private:
  // A loop function taken apart.
  struct Split {
    std::vector<LayoutRewrite> rewrites;
    std::vector<std::string> functions;  // one a rewrite
    std::string packed;                  // what is left
    std::vector<bool> dropped;
  };

  Node sequence(const Node& e) {
    return with_bindings(
        b_, e, [&](const Node& n, std::vector<Node>& out) { out.push_back(binding(n, out)); },
        [](const Node&) { return true; });
  }

  // The binding; conversions that go before it are appended to `out`.
  Node binding(const Node& n, std::vector<Node>& out) {
    auto* vb = n.as<relax::VarBinding>();
    if (!vb) return n;
    if (vb->value().is<relax::If>()) return with_branches(b_, *vb, [&](const Node& e) { return sequence(e); });
    Node value = op_of(vb->value()) == "relax.call_tir" ? lifted(vb->value().to<ir::Call>(), out) : vb->value();
    if (is_known(value)) known_.insert(vb->var().get());
    return value.same_as(vb->value()) ? n : b_.make<relax::VarBinding>({value, vb->var()}, n.span());
  }

  // Whether the value follows from constants alone, so that it can be computed while compiling.
  bool is_known(const Node& e) const {
    if (e.is<ir::Constant>() || known_.count(e.get())) return true;
    if (auto* get = e.as<relax::TupleGetItem>()) return is_known(get->tuple());
    const Array* parts = nullptr;
    if (auto* tuple = e.as<relax::Tuple>()) parts = &tuple->fields();
    if (op_of(e) == "relax.call_tir") {
      const Array& args = e.to<ir::Call>().args();
      return args.size() == 2 && is_known(nodes(args)[1]);
    }
    if (!parts) return false;
    for (const Node& part : nodes(*parts))
      if (!is_known(part)) return false;
    return true;
  }

  // The call with packed arguments; their conversions go to `out` before it.
  Node lifted(const ir::Call& call, std::vector<Node>& out) {
    auto* g = nodes(call.args())[0].as<ir::GlobalVar>();
    auto* tuple = nodes(call.args())[1].as<relax::Tuple>();
    const Value* found = g ? module_.functions().find(g->name()) : nullptr;
    auto* callee = found ? as_node(*found).as<tir::PrimFunc>() : nullptr;
    if (!callee || !tuple) return Node(call.get());
    std::string name(g->name());
    std::vector<LayoutRewrite> chosen;
    for (const LayoutRewrite& r : rewrites_of(name, *callee))
      if (r.source < tuple->fields().size() && (always_ || is_known(nodes(tuple->fields())[r.source])))
        chosen.push_back(r);
    if (chosen.empty()) return Node(call.get());
    const Split& split = split_of(name, *callee, chosen, tuple->fields().size());

    std::vector<Node> arguments, behind;
    for (const Node& a : nodes(tuple->fields())) arguments.push_back(a);
    for (size_t k = 0; k < split.rewrites.size(); ++k) {
      const LayoutRewrite& r = split.rewrites[k];
      Node source = nodes(tuple->fields())[r.source];
      Node type = packed_type(*callee, r, source);
      Node var = b_.make<ir::Var>({type, b_.string(r.packed.to<tir::Buffer>().name())}, call.span());
      out.push_back(b_.make<relax::VarBinding>({call_of(split.functions[k], {source}, {type}, {}, call.span()), var}));
      if (is_known(source)) known_.insert(var.get());
      (split.dropped[k] ? arguments[r.source] : behind.emplace_back()) = var;
    }
    arguments.insert(arguments.end(), behind.begin(), behind.end());
    std::vector<Node> types;
    for (const Node& t : nodes(call.type_args())) types.push_back(t);
    Node symbols = call.args().size() > 2 ? nodes(call.args())[2] : Node();
    return b_.with(call_of(split.packed, arguments, types, symbols, call.span()), ir::Call::Slot::type, call.type());
  }

  Node call_of(const std::string& function, const std::vector<Node>& arguments, const std::vector<Node>& types,
               const Node& symbols, const TnSpan* span) const {
    std::vector<Value> fields;
    for (const Node& a : arguments) fields.push_back(a.slot(0));
    Node tuple = b_.make<relax::Tuple>({b_.make<relax::TupleType>({b_.array(fields)}), b_.array(arguments)});
    std::vector<Node> args{b_.make<ir::GlobalVar>({Value(), b_.string(function)}), tuple};
    if (symbols) args.push_back(symbols);
    Value type = types.size() == 1 ? Value(types[0]) : Value();
    return b_.make<ir::Call>(
        {type, b_.make<ir::Op>({Value(), "relax.call_tir"}), b_.array(args), b_.map({}), b_.array(types)}, span);
  }

  // The shape of the packed buffer, in the symbols of the graph function.
  Node packed_type(const tir::PrimFunc& callee, const LayoutRewrite& r, const Node& source) const {
    auto& packed = r.packed.to<tir::Buffer>();
    auto& param = nodes(callee.params())[r.source].to<tir::Buffer>();
    std::vector<Value> from, to;
    const Array& have = as_node(source.slot(0)).to<relax::TensorType>().shape().ref<Array>();
    for (size_t d = 0; d < param.shape().size() && d < have.size(); ++d)
      if (nodes(param.shape())[d].is<ir::Var>()) {
        from.push_back(param.shape()[d]);
        to.push_back(have[d]);
      }
    std::vector<Node> shape;
    for (const Node& extent : nodes(packed.shape()))
      shape.push_back(b_.substitute(Value(extent), b_.array(from), b_.array(to)).ref<Node>());
    return b_.make<relax::TensorType>(
        {b_.array(shape), packed.dtype(), static_cast<int64_t>(shape.size()), b_.map({})});
  }

  const std::vector<LayoutRewrite>& rewrites_of(const std::string& name, const tir::PrimFunc& f) {
    auto [it, is_new] = rewrites_.try_emplace(name);
    if (is_new)
      it->second = layout_rewrites(self_, f, [&](const Node& at, const std::string& why) {
        args_.context->report(args_.context->self, TN_SEVERITY_NOTE, ("'" + name + "': " + why).c_str(), at.span(),
                              nullptr);
      });
    return it->second;
  }

  const Split& split_of(const std::string& name, const tir::PrimFunc& f, const std::vector<LayoutRewrite>& chosen,
                        size_t inputs) {
    std::string key = name + "/" + std::to_string(inputs);
    for (const LayoutRewrite& r : chosen) key += "/" + std::to_string(reinterpret_cast<uintptr_t>(r.packed.get()));
    auto [it, is_new] = splits_.try_emplace(key);
    if (!is_new) return it->second;
    Split& split = it->second;
    split.rewrites = chosen;
    for (const LayoutRewrite& r : chosen)
      split.functions.push_back(place(name + "_" + r.name, rewrite_function(b_, f, r)));
    split.packed = place(name + "_packed", packed_function(b_, f, chosen, inputs, split.dropped));
    return split;
  }

  std::string place(const std::string& hint, const Node& f) {
    std::string name = hint;
    for (int i = 1; !names_.insert(name).second; ++i) name = hint + std::to_string(i);
    functions_.emplace_back(name, f);
    return name;
  }

  PassesGraph& self_;
  const PassArgs& args_;
  const Builder& b_;
  ir::Module module_;
  bool always_;
  Builder::Entries functions_;
  std::set<std::string> names_;
  std::set<const TnNode*> known_;  // variables
  std::map<std::string, std::vector<LayoutRewrite>> rewrites_;
  std::map<std::string, Split> splits_;
};

}  // namespace

Value lift_layout(PassesGraph& self, const PassArgs& args, const Node& module) {
  return LayoutLifter(self, args, module.to<ir::Module>()).run();
}

}  // namespace tenon::graph
