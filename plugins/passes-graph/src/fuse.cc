// fuse: calls of loop functions that are better computed together become primitive functions.
//
//   lv = R.call_tir(cls.matmul, (x, w), ...)      @R.function(private=True)   # "primitive": True
//   lv1 = R.call_tir(cls.add, (lv, b), ...)   ->  def fused_matmul_add_relu(x, w, b): ... the three calls ...
//   gv = R.call_tir(cls.relu, (lv1,), ...)        gv = cls.fused_matmul_add_relu(x, w, b)
//
// Which ones says fuse_groups.h. Functions that are marked as primitive already stay as they are, and so do their
// calls.
#include <algorithm>

#include "fuse_groups.h"

namespace tenon::graph {
namespace {

using Counts = std::map<const TnNode*, size_t>;

// How often each variable stands in a tree.
void count(const Builder& b, const Value& tree, Counts& out) {
  b.walk(tree, [&](const Node& n) {
    if (n.is<ir::Var>()) ++out[n.get()];
  });
}

class Fuser {
 public:
  Fuser(PassesGraph& self, const PassArgs& args, const Node& module)
      : b_(self.builder()),
        module_(module.to<ir::Module>()),
        ops_(self.ops),
        analysis_(b_, &self.service<TnHostArith>().required(), self.ops),
        max_operators_(static_cast<size_t>(args.number("max_operators"))) {
    if (const int64_t given = args.number("max_operators"); given < 1)
      throw Error(TN_ERROR_ARGUMENT, "max_operators is at least 1, not " + std::to_string(given));
  }

  Value run() {
    functions_ = Builder::entries(module_.functions());
    for (const auto& [name, f] : functions_) {
      names_.insert(name);
      if (as_node(f).is<relax::Function>()) known_[as_node(f).hash()].emplace_back(name, as_node(f));
    }
    bool changed = false;
    size_t own = functions_.size();
    for (size_t i = 0; i < own; ++i) {
      Node function = as_node(functions_[i].second);
      const auto* f = function.as<relax::Function>();
      if (!f || is_primitive(f->attrs())) continue;
      total_.clear();
      count(b_, f->body(), total_);
      Node body = sequence(f->body());
      if (body.same_as(f->body())) continue;
      changed = true;
      functions_[i].second = b_.with(*f, relax::Function::Slot::body, body);
    }
    if (!changed) return module_;
    return b_.with(module_, ir::Module::Slot::functions, Value(b_.map(functions_)));
  }

 private:
  // A call of a loop function as fusion sees it.
  struct Member {
    Node var;
    ir::Call call;
    std::string callee;
    std::vector<Node> arguments;
  };

  Node sequence(const Node& e) {
    const auto* seq = e.as<relax::SeqExpr>();
    if (!seq) return e;
    std::vector<Node> blocks;
    bool changed = false;
    for (const Node& block : nodes(seq->blocks())) {
      blocks.push_back(fused(block));
      changed = changed || !blocks.back().same_as(block);
    }
    return changed ? b_.with(e, relax::SeqExpr::Slot::blocks, Value(b_.array(blocks))) : e;
  }

  Node fused(const Node& block) {
    constexpr uint32_t slot = relax::DataflowBlock::Slot::bindings;
    static_assert(uint32_t{relax::BindingBlock::Slot::bindings} == slot);
    std::vector<Node> bindings;
    bool changed = false;
    for (const Node& n : nodes(block.slot(slot).ref<Array>())) {
      bindings.push_back(with_branches(n));
      changed = changed || !bindings.back().same_as(n);
    }
    std::vector<std::optional<Member>> members;
    for (const Node& n : bindings) members.push_back(member(n));
    for (const std::vector<size_t>& group : fuse_groups(describe(bindings, members), max_operators_)) {
      std::vector<const Member*> of;
      for (size_t i : group) of.push_back(&*members[i]);
      Node call = primitive_call(of);
      for (size_t i : group) bindings[i] = Node();
      bindings[group.back()] = b_.make<relax::VarBinding>({call, of.back()->var}, call.span());
      changed = true;
    }
    if (!changed) return block;
    std::erase_if(bindings, [](const Node& n) { return !n; });
    return b_.with(block, slot, Value(b_.array(bindings)));
  }

  // The sequences inside of a branch are fused by themselves.
  Node with_branches(const Node& binding) {
    const auto* vb = binding.as<relax::VarBinding>();
    const auto* branch = vb ? vb->value().as<relax::If>() : nullptr;
    if (!branch) return binding;
    Node t = sequence(branch->then_branch()), e = sequence(branch->else_branch());
    if (t.same_as(branch->then_branch()) && e.same_as(branch->else_branch())) return binding;
    Node made = b_.make<relax::If>({branch->type(), branch->condition(), t, e}, branch->span());
    return b_.make<relax::VarBinding>({made, vb->var()}, binding.span());
  }

  static bool is_tensor(const Node& n) {
    if (!n.is<ir::Var>() && !n.is<ir::Constant>()) return false;
    const auto* t = n.slot(0).is_node() ? as_node(n.slot(0)).as<relax::TensorType>() : nullptr;
    return t && t->shape().is_array() && t->dtype().is_dtype();
  }

  // A call of one loop function with tensors in and one tensor out; the parameters are inputs, output, symbols.
  std::optional<Member> member(const Node& binding) {
    const auto* vb = binding.as<relax::VarBinding>();
    if (!vb || op_of(vb->value()) != "relax.call_tir" || !is_tensor(vb->var())) return std::nullopt;
    Member m{vb->var(), vb->value().to<ir::Call>(), "", {}};
    NodeRange args = nodes(m.call.args());
    const auto* callee = args.size() >= 2 ? args[0].as<ir::GlobalVar>() : nullptr;
    const auto* operands = args.size() >= 2 ? args[1].as<relax::Tuple>() : nullptr;
    if (!callee || !operands || m.call.type_args().size() != 1) return std::nullopt;
    m.callee = callee->name();
    const Value* f = module_.functions().find(m.callee);
    const auto* prim = f ? as_node(*f).as<tir::PrimFunc>() : nullptr;
    if (!prim || summary(m.callee, *prim).pattern == LoopPattern::kOpaque) return std::nullopt;
    for (const Node& a : nodes(operands->fields())) {
      if (!is_tensor(a)) return std::nullopt;
      m.arguments.push_back(a);
    }
    const auto* symbols = args.size() == 3 ? args[2].as<relax::ShapeExpr>() : nullptr;
    if (args.size() > 3 || (args.size() == 3 && !symbols)) return std::nullopt;
    size_t tensors = m.arguments.size() + 1, scalars = symbols ? symbols->values().size() : 0;
    NodeRange params = nodes(prim->params());
    if (params.size() != tensors + scalars) return std::nullopt;
    for (size_t i = 0; i < params.size(); ++i)
      if (params[i].is<tir::Buffer>() != (i < tensors)) return std::nullopt;
    return m;
  }

  const LoopSummary& summary(const std::string& name, const tir::PrimFunc& f) {
    auto [it, is_new] = summaries_.try_emplace(name);
    if (!is_new) return it->second;
    // An attribute that is not known may mean anything: a schedule, a target.
    constexpr std::string_view harmless[] = {"global_symbol", "tir.noalias", "op_pattern"};
    for (const Map::Entry& e : f.attrs())
      if (std::find(std::begin(harmless), std::end(harmless), e.key()) == std::end(harmless)) return it->second;
    constexpr int64_t kOpaqueByHand = 8;  // as TVM numbers its patterns
    if (const Value* given = f.attrs().find("op_pattern"); given && given->is_int() && given->as_int() == kOpaqueByHand)
      return it->second;
    return it->second = analysis_.function(f);
  }

  std::vector<FuseNode> describe(const std::vector<Node>& bindings, const std::vector<std::optional<Member>>& members) {
    std::vector<FuseNode> out(bindings.size());
    std::map<const TnNode*, size_t> defined;
    Counts inside;
    for (size_t i = 0; i < bindings.size(); ++i) {
      Counts here;
      const auto* vb = bindings[i].as<relax::VarBinding>();
      const Node& value = vb ? vb->value() : bindings[i].to<relax::MatchCast>().value();
      count(b_, Value(value), here);
      out[i].has_effects = vb && may_have_effects(value);
      if (members[i]) out[i].summary = &summaries_.at(members[i]->callee);
      for (const auto& [var, n] : here) {
        inside[var] += n;
        auto it = defined.find(var);
        if (it != defined.end()) out[it->second].uses.push_back({i, access(members[i], var)});
      }
      defined[(vb ? vb->var() : bindings[i].to<relax::MatchCast>().var()).get()] = i;
    }
    // One occurrence is the definition.
    for (const auto& [var, i] : defined) out[i].used_outside = total_[var] > inside[var] + 1;
    return out;
  }

  LoopAccess access(const std::optional<Member>& m, const TnNode* var) const {
    if (!m) return LoopAccess::kRepeated;
    const LoopSummary& s = summaries_.at(m->callee);
    LoopAccess all = LoopAccess::kUnused;
    for (size_t k = 0; k < m->arguments.size(); ++k) {
      if (m->arguments[k].get() != var || s.inputs[k] == LoopAccess::kUnused) continue;
      bool both_identity = all == LoopAccess::kIdentity && s.inputs[k] == LoopAccess::kIdentity;
      all = all == LoopAccess::kUnused || both_identity ? s.inputs[k] : LoopAccess::kRepeated;
    }
    return all == LoopAccess::kUnused ? LoopAccess::kIdentity : all;
  }

  // Whether the order of a binding and the others matters.
  bool may_have_effects(const Node& value) {
    bool effects = false;
    b_.walk(Value(value), [&](const Node& n) {
      const auto* call = n.as<ir::Call>();
      if (!call || effects) return;
      if (const auto* g = call->op().as<ir::GlobalVar>()) {
        effects = function_may_have_effects(std::string(g->name()));
        return;
      }
      effects = !is_pure_operator(std::string(op_of(n)));
    });
    return effects;
  }
  bool is_pure_operator(const std::string& id) {
    if (id == "relax.call_tir" || id == "relax.call_dps_packed" || id == "relax.call_pure_packed") return true;
    auto [it, is_new] = pure_.try_emplace(id, false);
    if (!is_new || id.empty()) return it->second;
    Value record = tenon::call([&](TnValue* ret) { return ops_->find(ops_->self, id.c_str(), ret); });
    const Value* effects = record.is_map() ? record.ref<Map>().find("effects") : nullptr;
    return it->second = effects && effects->as_string() == "pure";
  }
  bool function_may_have_effects(const std::string& name) {
    auto [it, is_new] = effects_.try_emplace(name, true);  // a recursive function counts as one with effects
    if (!is_new) return it->second;
    const Value* f = module_.functions().find(name);
    const auto* graph = f ? as_node(*f).as<relax::Function>() : nullptr;
    bool effects = !graph || !graph->is_pure() || may_have_effects(graph->body());
    return effects_[name] = effects;
  }

  // ---- The primitive function of a group, and its call

  // Null where the shapes of the inputs ask for a symbol before one of them gives it.
  Node primitive_call(const std::vector<const Member*>& members) {
    std::vector<Node> inputs;
    std::map<const TnNode*, Node> made;  // tensors of the caller -> variables of the function
    std::vector<Value> from, to;         // symbolic dimensions likewise
    std::set<const TnNode*> symbols, inner;
    for (const Member* m : members) {
      for (const Node& a : m->arguments)
        if (!inner.count(a.get()) && made.emplace(a.get(), Node()).second) inputs.push_back(a);
      inner.insert(m->var.get());
    }
    auto rename = [&](const Value& tree) {
      b_.walk(tree, [&](const Node& n) {
        if (!n.is<ir::Var>() || !n.slot(0).is_dtype() || !symbols.insert(n.get()).second) return;
        from.push_back(n);
        to.push_back(b_.make<ir::Var>({n.slot(0), b_.string(n.to<ir::Var>().name())}));
      });
    };
    for (const Node& i : inputs) rename(i.slot(0));
    for (const Member* m : members) {
      if (m->call.args().size() > 2) rename(m->call.args()[2]);
      rename(m->call.type_args()[0]);
    }
    Array before = b_.array(from), after = b_.array(to);
    auto own = [&](const Value& tree) { return from.empty() ? tree : b_.substitute(tree, before, after); };

    // Symbols that no shape gives before they are used are passed as values, in front of the tensors.
    std::vector<Node> params, arguments, bindings;
    std::set<const TnNode*> given;
    std::vector<Node> rest, rest_values;
    auto need = [&](const Node& symbol) {
      if (!given.insert(symbol.get()).second) return;
      for (size_t k = 0; k < from.size(); ++k)
        if (as_node(from[k]).same_as(symbol)) rest.push_back(as_node(to[k])), rest_values.push_back(symbol);
    };
    for (const Node& i : inputs)
      for (const Node& d : nodes(as_node(i.slot(0)).to<relax::TensorType>().shape().ref<Array>()))
        if (d.is<ir::Var>())
          given.insert(d.get());
        else
          b_.walk(Value(d), [&](const Node& n) { n.is<ir::Var>() ? need(n) : void(); });
    for (const Value& symbol : from) need(as_node(symbol));
    auto shape_type = [&](const std::vector<Node>& values) {
      return b_.make<relax::ShapeType>({b_.array(values), static_cast<int64_t>(values.size())});
    };
    if (!rest.empty()) {
      params.push_back(b_.make<ir::Var>({shape_type(rest), b_.string("symbols")}));
      arguments.push_back(b_.make<relax::ShapeExpr>({shape_type(rest_values), b_.array(rest_values)}));
    }
    for (const Node& i : inputs) {
      const auto* v = i.as<ir::Var>();
      params.push_back(made[i.get()] =
                           b_.make<ir::Var>({own(i.slot(0)), v ? Value(b_.string(v->name())) : b_.string("constant")}));
      arguments.push_back(i);
    }
    for (const Member* m : members) {
      std::vector<Node> operands, types;
      for (const Node& a : m->arguments) {
        operands.push_back(made.at(a.get()));
        types.push_back(as_node(operands.back().slot(0)));
      }
      Node tuple = b_.make<relax::Tuple>({b_.make<relax::TupleType>({b_.array(types)}), b_.array(operands)});
      std::vector<Value> args{m->call.args()[0], tuple};
      if (m->call.args().size() > 2) args.push_back(own(m->call.args()[2]));
      Value type = own(m->call.type_args()[0]);
      Node call = b_.make<ir::Call>(
          {type, m->call.op(), b_.array(args), b_.map_value(m->call.attrs()), b_.array({type})}, m->call.span());
      Node var = b_.make<ir::Var>({type, b_.string(m->var.to<ir::Var>().name())}, m->var.span());
      made[m->var.get()] = var;
      bindings.push_back(b_.make<relax::VarBinding>({call, var}, m->call.span()));
    }
    const Node& result = made.at(members.back()->var.get());
    Node block = b_.make<relax::DataflowBlock>({b_.array(bindings), b_.array({Value(result)})});
    Node body = b_.make<relax::SeqExpr>({result.slot(0), b_.array({Value(block)}), result});
    Node f =
        b_.make<relax::Function>({Value(), b_.array(params), b_.map({{"primitive", true}}), result.slot(0), true, body},
                                 members.back()->call.span());
    Node name = b_.make<ir::GlobalVar>({Value(), b_.string(place(f, members))});
    return b_.make<ir::Call>({members.back()->call.type_args()[0], name, b_.array(arguments), b_.map({}), b_.array({})},
                             members.back()->call.span());
  }

  // The name of the function in the module: of an equal one, or of this one, placed under a name of its own.
  std::string place(const Node& f, const std::vector<const Member*>& members) {
    for (const auto& [name, other] : known_[f.hash()])
      if (!b_.difference(Value(f), Value(other))) return name;
    constexpr size_t kNamed = 8;
    std::string hint = "fused";
    for (size_t i = 0; i < members.size() && i < kNamed; ++i) hint += "_" + members[i]->callee;
    if (members.size() > kNamed) hint += "_and_" + std::to_string(members.size() - kNamed);
    std::string name = hint;
    for (int i = 1; !names_.insert(name).second; ++i) name = hint + std::to_string(i);
    known_[f.hash()].emplace_back(name, f);
    functions_.emplace_back(name, f);
    return name;
  }

  const Builder& b_;
  ir::Module module_;
  const TnHostOps* ops_;
  LoopAnalysis analysis_;
  size_t max_operators_;
  Builder::Entries functions_;
  std::set<std::string> names_;
  std::map<uint64_t, std::vector<std::pair<std::string, Node>>> known_;
  std::map<std::string, LoopSummary> summaries_;
  std::map<std::string, bool> effects_, pure_;  // of functions, of operators
  Counts total_;
};

}  // namespace

Value fuse(PassesGraph& self, const PassArgs& args, const Node& module) { return Fuser(self, args, module).run(); }

}  // namespace tenon::graph
