// A-normal form: every operand is a variable, a constant or a shape; every variable has a type.
#include <tenon/cxx/types.h>

#include <map>

#include "passes.h"

namespace tenon::graph {
namespace {

constexpr int kMaxNesting = 512;  // of calls within calls in one binding

class Normalizer {
 public:
  Normalizer(PassesGraph& self, const PassArgs& args, const Node& function)
      : self_(self), args_(args), b_(self.builder()), f_(function.to<relax::Function>()) {}

  Value run() {
    for (const Node& p : nodes(f_.params())) known_.merge(symbols_of_type(b_, p.slot(0)));
    Node body = sequence(f_.body());
    if (body.same_as(f_.body())) return f_;
    return b_.with(f_, relax::Function::Slot::body, body);
  }

 private:
  // What a binding block becomes: bindings under construction.
  using Bindings = std::vector<Node>;

  // The body of a function or branch as a relax.SeqExpr whose result is a variable or another leaf.
  Node sequence(const Node& e) {
    std::set<const TnNode*> outer = known_;
    std::vector<Node> blocks;
    Node result = e;
    bool changed = true;
    if (auto* seq = e.as<relax::SeqExpr>()) {
      changed = false;
      for (const Node& block : nodes(seq->blocks())) {
        blocks.push_back(bindings_of(block));
        changed = changed || !blocks.back().same_as(block);
      }
      result = seq->body();
    }
    Bindings extra;
    Node leaf = operand(result, extra, 0);
    if (!extra.empty()) blocks.push_back(b_.make<relax::BindingBlock>({b_.array(extra)}));
    changed = changed || !leaf.same_as(result) || !extra.empty();
    std::set<const TnNode*> own;  // the symbols that end with the sequence
    for (const TnNode* v : known_)
      if (!outer.count(v)) own.insert(v);
    known_ = outer;
    if (!changed) return e;
    return b_.make<relax::SeqExpr>({without_symbols(b_, type_of(leaf), own), b_.array(blocks), leaf}, e.span());
  }

  Node bindings_of(const Node& block) {
    auto* dataflow = block.as<relax::DataflowBlock>();
    const Array& old = dataflow ? dataflow->bindings() : block.to<relax::BindingBlock>().bindings();
    Bindings out;
    bool changed = false;
    for (const Node& binding : nodes(old)) {
      size_t before = out.size();
      if (auto* cast = binding.as<relax::MatchCast>()) {
        Node value = operand(cast->value(), out, 0);
        Node type = renamed(cast->cast_type());
        Node var = define(cast->var(), Value(type));
        known_.merge(symbols_of_type(b_, Value(type)));
        bool same = value.same_as(cast->value()) && type.same_as(cast->cast_type()) && var.same_as(cast->var());
        out.push_back(same ? binding : b_.make<relax::MatchCast>({value, type, var}, binding.span()));
      } else {
        auto& vb = binding.to<relax::VarBinding>();
        Node value = expression(vb.value(), out, 0);
        Node var = define(vb.var(), type_of(value));
        bool same = value.same_as(vb.value()) && var.same_as(vb.var());
        out.push_back(same ? binding : b_.make<relax::VarBinding>({value, var}, binding.span()));
      }
      changed = changed || out.size() != before + 1 || !out.back().same_as(binding);
    }
    if (!changed) return block;
    if (!dataflow) return b_.make<relax::BindingBlock>({b_.array(out)}, block.span());
    std::vector<Node> outputs;
    for (const Node& v : nodes(dataflow->outputs())) outputs.push_back(renamed(v));
    return b_.make<relax::DataflowBlock>({b_.array(out), b_.array(outputs)}, block.span());
  }

  // The variable with the inferred type when it had none, or a coarser one.
  Node define(const Node& var, const Value& inferred) {
    auto& v = var.to<ir::Var>();
    Value declared = v.type().is_node() ? Value(renamed(as_node(v.type()))) : v.type();
    Value type = declared;
    if (inferred.is_node() && (!declared.is_node() || is_finer(as_node(inferred), as_node(declared)))) type = inferred;
    if (!type.is_node())
      throw Error(
          TN_ERROR_TYPE,
          "normalize: the type of " + std::string(v.name()) + " in " + std::string(args_.name) + " cannot be inferred",
          where(var), "annotate it: " + std::string(v.name()) + ": R.Tensor(...) = ...");
    if (type.is_node() && v.type().is_node() && as_node(type).same_as(as_node(v.type()))) return var;
    Node made = b_.make<ir::Var>({type, b_.string(v.name())}, var.span());
    map_[var.get()] = made;
    return made;
  }

  // Whether `a` says more than `b`: a tensor type with a shape, where b has none.
  static bool is_finer(const Node& a, const Node& b) {
    auto *x = a.as<relax::TensorType>(), *y = b.as<relax::TensorType>();
    if (x && y)
      return (!x->shape().is_none() && y->shape().is_none()) || (!x->dtype().is_none() && y->dtype().is_none());
    return !b.is<relax::AnyType>() ? false : !a.is<relax::AnyType>();
  }

  // `e` as something that may stand as an operand; what must be computed first is appended to `out`.
  Node operand(const Node& e, Bindings& out, int depth) {
    Node value = expression(e, out, depth);
    bool leaf = value.is<ir::Var>() || value.is<ir::Constant>() || value.is<relax::ShapeExpr>() ||
                value.is<relax::PrimValue>() || value.is<ir::StringImm>() || value.is<relax::DataTypeImm>() ||
                value.is<ir::GlobalVar>() || value.is<ir::ExternFunc>() || value.is<relax::Tuple>();
    if (leaf) return value;
    Value type = type_of(value);
    if (!type.is_node())
      throw Error(TN_ERROR_TYPE,
                  "normalize: the type of an expression in " + std::string(args_.name) + " cannot be inferred",
                  where(e), "bind it to an annotated variable");
    Node var = b_.make<ir::Var>({type, b_.string("lv")}, e.span());
    out.push_back(b_.make<relax::VarBinding>({value, var}, e.span()));
    return var;
  }

  // `e` with operands in normal form and its own type filled in.
  Node expression(const Node& e, Bindings& out, int depth) {
    if (depth > kMaxNesting)
      throw Error(
          TN_ERROR_LIMIT,
          "normalize: calls are nested deeper than " + std::to_string(kMaxNesting) + " in " + std::string(args_.name),
          where(e), "bind inner results to variables");
    if (e.is<ir::Var>()) return renamed(e);
    if (auto* call = e.as<ir::Call>()) return normalized_call(*call, out, depth);
    if (auto* tuple = e.as<relax::Tuple>()) {
      std::vector<Node> fields, types;
      bool changed = !tuple->type().is_node(), typed = true;
      for (const Node& f : nodes(tuple->fields())) {
        fields.push_back(operand(f, out, depth + 1));
        changed = changed || !fields.back().same_as(f);
        Value t = type_of(fields.back());
        typed = typed && t.is_node();
        if (typed) types.push_back(as_node(t));
      }
      if (!changed) return e;
      Value type = typed ? Value(b_.make<relax::TupleType>({b_.array(types)})) : Value();
      return b_.make<relax::Tuple>({type, b_.array(fields)}, e.span());
    }
    if (auto* get = e.as<relax::TupleGetItem>()) {
      Node tuple = operand(get->tuple(), out, depth + 1);
      Value type = get->type();
      Value of = type_of(tuple);
      if (of.is_node())
        if (auto* t = as_node(of).as<relax::TupleType>()) {
          if (get->index() < 0 || get->index() >= static_cast<int64_t>(t->fields().size()))
            throw Error(TN_ERROR_TYPE,
                        "normalize: field " + std::to_string(get->index()) + " of a tuple of " +
                            std::to_string(t->fields().size()),
                        where(e));
          type = t->fields()[static_cast<size_t>(get->index())];
        }
      if (tuple.same_as(get->tuple()) && type.raw().as.object == get->type().raw().as.object) return e;
      return b_.make<relax::TupleGetItem>({type, tuple, get->index()}, e.span());
    }
    if (auto* branch = e.as<relax::If>()) {
      Node condition = operand(branch->condition(), out, depth + 1);
      Node then_branch = sequence(branch->then_branch()), else_branch = sequence(branch->else_branch());
      Value type = branch->type().is_node() ? branch->type() : type_of(then_branch);
      if (condition.same_as(branch->condition()) && then_branch.same_as(branch->then_branch()) &&
          else_branch.same_as(branch->else_branch()) && branch->type().is_node())
        return e;
      return b_.make<relax::If>({type, condition, then_branch, else_branch}, e.span());
    }
    if (auto* shape = e.as<relax::ShapeExpr>()) {
      Node made = renamed(e);
      if (shape->type().is_node()) return made;
      Value type = b_.make<relax::ShapeType>(
          {Value(made.to<relax::ShapeExpr>().values()), static_cast<int64_t>(shape->values().size())});
      return b_.with(made, relax::ShapeExpr::Slot::type, type);
    }
    if (e.is<relax::SeqExpr>())
      throw Error(TN_ERROR_UNSUPPORTED, "a sequence inside an expression", where(e), "bind its parts one by one");
    return e.kind() >= TN_KIND_FIRST_DYNAMIC ? normalized_foreign(e, out, depth) : renamed(e);
  }

  // A node of a plugin's kind, which has its type first: its operands as those of a call.
  Node normalized_foreign(const Node& e, Bindings& out, int depth) {
    std::vector<Value> slots(e.slots(), e.slots() + e.slot_count());
    bool changed = false;
    auto part = [&](const Value& v) -> Value {
      if (!v.is_node()) return v;
      const Node& n = as_node(v);
      const bool computed = n.is<ir::Call>() || n.is<relax::Tuple>() || n.is<relax::TupleGetItem>() ||
                            n.is<relax::If>() || n.kind() >= TN_KIND_FIRST_DYNAMIC;
      Node made = computed ? operand(n, out, depth + 1) : renamed(n);
      changed = changed || !made.same_as(n);
      return Value(made);
    };
    for (size_t i = 1; i < slots.size(); ++i) {
      if (!slots[i].is_array()) {
        slots[i] = part(slots[i]);
        continue;
      }
      std::vector<Value> items;
      for (const Value& v : slots[i].ref<Array>()) items.push_back(part(v));
      slots[i] = Value(b_.array(items));
    }
    return changed ? b_.make(e.kind(), slots, e.span()) : e;
  }

  Node normalized_call(const ir::Call& call, Bindings& out, int depth) {
    std::vector<Node> arguments;
    bool changed = false;
    for (const Node& a : nodes(call.args())) {
      arguments.push_back(operand(a, out, depth + 1));
      changed = changed || !arguments.back().same_as(a);
    }
    std::vector<Node> types;
    for (const Node& t : nodes(call.type_args())) {
      types.push_back(renamed(t));
      changed = changed || !types.back().same_as(t);
    }
    Node made(call.get());
    if (changed)
      made = b_.make<ir::Call>(
          {call.type(), call.op(), b_.array(arguments), Value(b_.map_value(call.attrs())), b_.array(types)},
          call.span());
    Value type = inferred(made.to<ir::Call>());
    const Value& old = made.to<ir::Call>().type();
    if (!type.is_node() || (old.is_node() && as_node(old).same_as(as_node(type)))) return made;
    return b_.with(made, ir::Call::Slot::type, type);
  }

  Value inferred(const ir::Call& call) {
    if (call.type_args().size() == 1) return call.type_args()[0];
    if (call.type_args().size() > 1) return b_.make<relax::TupleType>({Value(call.type_args())});
    if (auto* g = call.op().as<ir::GlobalVar>()) {
      Value f = tenon::call([&](TnValue* ret) {
        return args_.context->signature(args_.context->self, std::string(g->name()).c_str(), ret);
      });
      auto* callee = f.is_node() ? as_node(f).as<relax::Function>() : nullptr;
      return callee ? call_result(*callee, call) : call.type();
    }
    std::string_view id = op_of(call);
    if (id.empty() || id == "relax.call_packed" || id == "relax.call_pure_packed")
      return call.type().is_node() ? call.type() : Value(b_.make<relax::AnyType>({}));
    return tenon::call(
        [&](TnValue* ret) { return self_.ops->infer_type(self_.ops->self, args_.context, call.get(), ret); });
  }

  // The result type of a graph function for these arguments: its symbolic dimensions are those of the arguments.
  Value call_result(const relax::Function& callee, const ir::Call& call) {
    if (!callee.ret_type().is_node()) return Value(b_.make<relax::AnyType>({}));
    std::vector<Value> from, to;
    for (size_t i = 0; i < callee.params().size() && i < call.args().size(); ++i) {
      const Value& want = nodes(callee.params())[i].slot(0);
      Value have = type_of(nodes(call.args())[i]);
      auto* a = want.is_node() ? as_node(want).as<relax::TensorType>() : nullptr;
      auto* c = have.is_node() ? as_node(have).as<relax::TensorType>() : nullptr;
      if (!a || !c || a->shape().is_none() || c->shape().is_none()) continue;
      const Array &x = a->shape().ref<Array>(), &y = c->shape().ref<Array>();
      for (size_t d = 0; d < x.size() && d < y.size(); ++d)
        if (nodes(x)[d].is<ir::Var>()) {
          from.push_back(x[d]);
          to.push_back(y[d]);
        }
    }
    return b_.substitute(callee.ret_type(), b_.array(from), b_.array(to));
  }

  Value type_of(const Node& e) const {
    if (auto* seq = e.as<relax::SeqExpr>()) return seq->type().is_node() ? seq->type() : type_of(seq->body());
    if (e.is<ir::GlobalVar>() || e.is<ir::Op>()) return Value();
    return e.slot_count() > 0 ? e.slot(0) : Value();
  }

  // The variable as it is now; what is no variable stands for itself. (Types and shapes hold scalar variables only, and
  // those are never made anew.)
  Node renamed(const Node& e) const {
    auto it = map_.find(e.get());
    return it == map_.end() ? e : it->second;
  }

  PassesGraph& self_;
  const PassArgs& args_;
  const Builder& b_;
  relax::Function f_;
  std::map<const TnNode*, Node> map_;
  std::set<const TnNode*> known_;  // the symbols that parameters and match_casts have defined so far
};

}  // namespace

Value normalize(PassesGraph& self, const PassArgs& args, const Node& function) {
  return Normalizer(self, args, function).run();
}

}  // namespace tenon::graph
