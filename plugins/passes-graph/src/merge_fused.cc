// merge-fused: each primitive function becomes one loop function of the same name, and its calls call that.
//
//   @R.function(private=True)                            @T.prim_func(private=True)
//   def fused_exp_add(x, z):       # "primitive": True   def fused_exp_add(x, z, out):
//     lv = R.call_tir(cls.exp, (x,), ...)           ->     lv = T.alloc_buffer(...)
//     gv = R.call_tir(cls.add, (lv, z), ...)               for ...: lv[...] = exp(x[...])
//     return gv                                            for ...: out[...] = lv[...] + z[...]
//
// The loops are those of the called functions, one after the other. A primitive function that has no such form
// (something other than calls of loop functions, shapes that are not known) stays a graph function, with a note that
// says why.
#include <loop_analysis/loop_analysis.h>

#include <algorithm>

#include "passes.h"

namespace tenon::graph {
namespace {

// Why a primitive function stays as it is.
struct Refusal {
  std::string why;
};

const relax::TensorType& known_tensor(const Value& type, const std::string& what) {
  const auto* t = type.is_node() ? as_node(type).as<relax::TensorType>() : nullptr;
  if (!t || !t->shape().is_array() || !t->dtype().is_dtype()) throw Refusal{what + " is no tensor of known shape"};
  return *t;
}

// Pairs of what is replaced and by what, for Builder::substitute.
struct Substitution {
  std::vector<Value> from, to;
  std::set<const TnNode*> seen;
  bool add(const Node& variable, const Node& value) {
    if (!seen.insert(variable.get()).second) return false;
    from.push_back(variable);
    to.push_back(value);
    return true;
  }
  Value apply(const Builder& b, const Value& tree) const {
    return from.empty() ? tree : b.substitute(tree, b.array(from), b.array(to));
  }
};

// A primitive function as a loop function.
struct Merged {
  Node function;
  std::vector<bool> is_tensor;  // of each parameter of the graph function; the others are shapes
  std::vector<Node> dims;       // the symbols that its shape parameters give, parameters of the loop function
  std::vector<Node> out_types;  // in the symbols of the graph function
};

class Merger {
 public:
  Merger(PassesGraph& self, const ir::Module& module, LoopAnalysis& analysis, const relax::Function& f)
      : b_(self.builder()), module_(module), analysis_(analysis), f_(f) {}

  Merged run() {
    for (const Node& p : nodes(f_.params())) add_parameter(p);
    const auto* seq = f_.body().as<relax::SeqExpr>();
    if (!seq) throw Refusal{"it holds no calls of loop functions"};
    collect(*seq);
    choose_results(seq->body());
    for (const Node& binding : bindings_) bind(binding.to<relax::VarBinding>());
    std::vector<Node> params = params_;
    for (const Node& r : results_) params.push_back(r);
    params.insert(params.end(), merged_.dims.begin(), merged_.dims.end());
    std::vector<Node> body = prologue_;
    body.insert(body.end(), statements_.begin(), statements_.end());
    Builder::Entries attrs;
    for (const Map::Entry& e : f_.attrs())
      if (e.key() != "primitive" && e.key() != "Primitive") attrs.emplace_back(std::string(e.key()), e.value());
    merged_.function = b_.make<tir::PrimFunc>({b_.array(params), b_.map(attrs), Value(), b_.seq(body)}, f_.span());
    // The graph function goes on beside it when it is public: each has variables of its own.
    merged_.function = as_node(b_.renew(Value(merged_.function)));
    return std::move(merged_);
  }

 private:
  // What a variable holds: a buffer, or the fields of a tuple.
  struct Item {
    Node buffer;
    std::vector<Item> fields;
  };

  void add_parameter(const Node& p) {
    const auto& v = p.to<ir::Var>();
    const auto* shape = v.type().is_node() ? as_node(v.type()).as<relax::ShapeType>() : nullptr;
    if (shape) {
      if (!shape->values().is_array()) throw Refusal{"the values of a shape parameter are not known"};
      for (const Node& d : nodes(shape->values().ref<Array>())) {
        if (!d.is<ir::Var>() || !symbols_.insert(d.get()).second)
          throw Refusal{"a shape parameter holds something else than dimensions of its own"};
        merged_.dims.push_back(d);
      }
      merged_.is_tensor.push_back(false);
      return;
    }
    std::string name(v.name());
    const relax::TensorType& t = known_tensor(v.type(), "parameter " + name);
    for (const Node& d : nodes(t.shape().ref<Array>()))
      if (d.is<ir::Var>()) symbols_.insert(d.get());
    params_.push_back(b_.buffer(name, t.dtype().as_dtype(), t.shape().ref<Array>()));
    items_[p.get()] = {params_.back(), {}};
    merged_.is_tensor.push_back(true);
  }

  void collect(const relax::SeqExpr& seq) {
    for (const Node& block : nodes(seq.blocks())) {
      const auto* dataflow = block.as<relax::DataflowBlock>();
      for (const Node& n : nodes(dataflow ? dataflow->bindings() : block.to<relax::BindingBlock>().bindings())) {
        if (!n.is<relax::VarBinding>()) throw Refusal{"it holds an R.match_cast"};
        bindings_.push_back(n);
      }
    }
  }

  // The buffers of the results exist before what computes them, as parameters.
  void choose_results(const Node& body) {
    std::vector<Node> leaves;
    if (const auto* tuple = body.as<relax::Tuple>())
      for (const Node& f : nodes(tuple->fields())) leaves.push_back(f);
    else
      leaves.push_back(body);
    for (const Node& leaf : leaves) {
      Node var = leaf;
      for (size_t i = bindings_.size(); i-- > 0;) {  // through other names for the same value
        const auto& vb = bindings_[i].to<relax::VarBinding>();
        if (vb.var().same_as(var) && vb.value().is<ir::Var>()) var = vb.value();
      }
      bool computed = false;
      for (const Node& n : bindings_) {
        const auto& vb = n.to<relax::VarBinding>();
        computed = computed || (vb.var().same_as(var) && vb.value().is<ir::Call>());
      }
      if (!computed) throw Refusal{"a result is not the result of a call of its own"};
      const relax::TensorType& t = known_tensor(var.slot(0), "a result");
      std::string name = leaves.size() == 1 ? "out" : "out" + std::to_string(results_.size());
      results_.push_back(b_.buffer(name, t.dtype().as_dtype(), t.shape().ref<Array>()));
      if (!destinations_.emplace(var.get(), results_.back()).second) throw Refusal{"a value is returned twice"};
      merged_.out_types.push_back(t);
    }
  }

  void bind(const relax::VarBinding& vb) { items_[vb.var().get()] = value(vb.value(), vb.var()); }

  Item value(const Node& e, const Node& var) {
    if (e.is<ir::Constant>()) return {constant(e), {}};
    if (auto it = items_.find(e.get()); it != items_.end()) return it->second;
    if (const auto* tuple = e.as<relax::Tuple>()) {
      Item item;
      for (const Node& f : nodes(tuple->fields())) item.fields.push_back(value(f, Node()));
      return item;
    }
    if (const auto* get = e.as<relax::TupleGetItem>()) {
      Item item = value(get->tuple(), Node());
      if (static_cast<size_t>(get->index()) >= item.fields.size())
        throw Refusal{"it takes a field of what is no tuple"};
      return item.fields[static_cast<size_t>(get->index())];
    }
    if (op_of(e) == "relax.call_tir" && var) return call(e.to<ir::Call>(), var);
    const auto* c = e.as<ir::Call>();
    if (c && c->op().is<ir::GlobalVar>())
      throw Refusal{"it calls the graph function " + std::string(c->op().to<ir::GlobalVar>().name())};
    throw Refusal{c ? "it calls " + std::string(op_of(e)) + ", which is no call of a loop function"
                    : "it holds something other than calls of loop functions"};
  }

  Node constant(const Node& n) {
    auto [it, is_new] = constants_.try_emplace(n.get());
    if (is_new) {
      const relax::TensorType& t = known_tensor(n.to<ir::Constant>().type(), "a constant");
      it->second =
          b_.buffer("constant" + std::to_string(constants_.size() - 1), t.dtype().as_dtype(), t.shape().ref<Array>());
      prologue_.push_back(b_.make<tir::DeclBuffer>({n, it->second}, n.span()));
    }
    return it->second;
  }

  static void flatten(const Item& item, std::vector<Node>& out) {
    if (item.buffer) out.push_back(item.buffer);
    for (const Item& f : item.fields) flatten(f, out);
  }

  Item call(const ir::Call& c, const Node& var) {
    NodeRange args = nodes(c.args());
    const auto* name = args[0].as<ir::GlobalVar>();
    const Value* found = name ? module_.functions().find(name->name()) : nullptr;
    const auto* callee = found ? as_node(*found).as<tir::PrimFunc>() : nullptr;
    if (!callee) throw Refusal{"it calls by destination passing what is no loop function"};
    std::string what(name->name());
    if (!callee->ret_type().is_none()) throw Refusal{what + " returns a value"};
    std::vector<Node> actual;
    flatten(value(args[1], Node()), actual);
    Item result;
    for (size_t k = 0; k < c.type_args().size(); ++k) {
      const relax::TensorType& t = known_tensor(c.type_args()[k], "the result of " + what);
      auto wanted = destinations_.find(var.get());
      bool is_result = wanted != destinations_.end() && c.type_args().size() == 1;
      Node buffer = is_result ? wanted->second
                              : b_.buffer(var.to<ir::Var>().name(), t.dtype().as_dtype(), t.shape().ref<Array>());
      if (!is_result) prologue_.push_back(b_.make<tir::AllocBuffer>({b_.map({}), buffer}));
      actual.push_back(buffer);
      if (c.type_args().size() == 1)
        result.buffer = buffer;
      else
        result.fields.push_back({buffer, {}});
    }
    if (args.size() > 2) {
      const auto* symbols = args[2].as<relax::ShapeExpr>();
      if (!symbols) throw Refusal{"the symbols that " + what + " takes are not written out"};
      for (const Node& s : nodes(symbols->values())) actual.push_back(s);
    }
    append_body(*callee, what, actual);
    return result;
  }

  // The statements of a called function on these buffers.
  void append_body(const tir::PrimFunc& shared, const std::string& what, const std::vector<Node>& actual) {
    // A copy of its own, for it may be called twice.
    Value copy = b_.renew(Value(shared));
    const auto& callee = as_node(copy).to<tir::PrimFunc>();
    NodeRange params = nodes(callee.params());
    if (params.size() != actual.size()) throw Refusal{what + " takes another number of arguments"};
    Substitution s;
    for (size_t i = 0; i < actual.size(); ++i) {
      const auto* formal = params[i].as<tir::Buffer>();
      const auto* given = actual[i].as<tir::Buffer>();
      if ((formal != nullptr) != (given != nullptr)) throw Refusal{what + " takes other kinds of arguments"};
      s.add(params[i], actual[i]);
      if (!formal) continue;
      if (!formal->strides().empty() || !formal->elem_offset().is_none())
        throw Refusal{what + " takes buffers with strides or offsets"};
      if (!same_dtype(formal->dtype(), given->dtype()) || formal->shape().size() != given->shape().size())
        throw Refusal{"an argument of " + what + " has another dtype or rank than its parameter"};
      for (size_t d = 0; d < formal->shape().size(); ++d)
        if (nodes(formal->shape())[d].is<ir::Var>()) s.add(nodes(formal->shape())[d], nodes(given->shape())[d]);
    }
    for (size_t i = 0; i < actual.size(); ++i) {
      const auto* formal = params[i].as<tir::Buffer>();
      if (!formal) continue;
      for (size_t d = 0; d < formal->shape().size(); ++d) {
        Value extent = s.apply(b_, formal->shape()[d]);
        if (!analysis_.equal(as_node(extent), nodes(actual[i].to<tir::Buffer>().shape())[d]))
          throw Refusal{"dimension " + std::to_string(d) + " of an argument of " + what + " is not shown to fit"};
      }
    }
    Node body = as_node(s.apply(b_, Value(callee.body())));
    LoopBody parts = LoopAnalysis::body_of(body);
    bool plain = std::all_of(parts.statements.begin(), parts.statements.end(),
                             [](const Node& n) { return n.is<tir::For>() || n.is<tir::BlockRealize>(); });
    if (!plain) {  // declarations keep their scope
      statements_.push_back(body);
      return;
    }
    for (const Node& buffer : parts.buffers) prologue_.push_back(b_.make<tir::AllocBuffer>({b_.map({}), buffer}));
    statements_.insert(statements_.end(), parts.statements.begin(), parts.statements.end());
  }

  const Builder& b_;
  const ir::Module& module_;
  LoopAnalysis& analysis_;
  relax::Function f_;
  Merged merged_;
  std::vector<Node> params_, results_, prologue_, statements_, bindings_;
  std::set<const TnNode*> symbols_;
  std::map<const TnNode*, Item> items_;
  std::map<const TnNode*, Node> destinations_, constants_;
};

class MergeFused {
 public:
  MergeFused(PassesGraph& self, const PassArgs& args, const Node& module)
      : self_(self),
        args_(args),
        b_(self.builder()),
        module_(module.to<ir::Module>()),
        analysis_(b_, &self.service<TnHostArith>().required(), self.ops) {}

  Value run() {
    std::map<std::string, std::string> refused;
    // One that calls another becomes a loop function after it.
    for (bool changed = true; changed;) {
      changed = false;
      refused.clear();
      for (const auto& [name, before] : Builder::entries(module_.functions())) {
        const auto* marked = as_node(before).as<relax::Function>();
        if (!marked || !is_primitive(marked->attrs())) continue;
        const relax::Function f = as_node(*module_.functions().find(name)).to<relax::Function>();
        try {
          merge(name, f);
          changed = true;
        } catch (const Refusal& r) { refused[name] = r.why; }
      }
    }
    const TnContext* c = args_.context;
    for (const auto& [name, why] : refused)
      if (c && TN_HAS(c, report)) {
        const Node& f = as_node(*module_.functions().find(name));
        c->report(c->self, TN_SEVERITY_NOTE,
                  ("merge-fused: the primitive function " + name + " stays a graph function: " + why).c_str(), f.span(),
                  nullptr);
      }
    return module_;
  }

 private:
  void merge(const std::string& name, const relax::Function& f) {
    Merged merged = Merger(self_, module_, analysis_, f).run();
    auto entries = Builder::entries(module_.functions());
    auto set = [&](const std::string& key, const Node& value) {
      for (auto& [k, v] : entries)
        if (k == key) v = value;
    };
    if (f.attrs().find("global_symbol")) {
      // A public function keeps its interface and calls the loop function.
      std::string kernel = name + "_kernel";
      while (module_.functions().find(kernel)) kernel += "_";
      const auto& prim = merged.function.to<tir::PrimFunc>();
      entries.emplace_back(
          kernel, b_.with(prim, tir::PrimFunc::Slot::attrs, Value(b_.with(prim.attrs(), "global_symbol", Value()))));
      set(name, wrapper(f, merged, kernel));
    } else {
      // Every call is looked at before the first is changed.
      for (auto& [key, value] : entries)
        if (key != name) value = rewritten(as_node(value), name, f, merged);
      set(name, merged.function);
    }
    Node made = b_.with(module_, ir::Module::Slot::functions, Value(b_.map(entries)));
    module_ = made.to<ir::Module>();
  }

  Node wrapper(const relax::Function& f, const Merged& merged, const std::string& kernel) {
    std::vector<Node> tensors;
    for (size_t i = 0; i < merged.is_tensor.size(); ++i)
      if (merged.is_tensor[i]) tensors.push_back(nodes(f.params())[i]);
    const auto& seq = f.body().to<relax::SeqExpr>();
    Value type = seq.body().slot(0);
    Node call = call_tir(kernel, tensors, merged.dims, merged.out_types, type, f.span());
    Node var = b_.make<ir::Var>({type, b_.string("gv")});
    Node block = b_.make<relax::BindingBlock>({b_.array({Value(b_.make<relax::VarBinding>({call, var}))})});
    Node body = b_.make<relax::SeqExpr>({type, b_.array({Value(block)}), var});
    Node made = b_.with(f, relax::Function::Slot::body, body);
    Map attrs = b_.with(b_.with(f.attrs(), "primitive", Value()), "Primitive", Value());
    return b_.with(made, relax::Function::Slot::attrs, Value(attrs));
  }

  Node call_tir(const std::string& callee, const std::vector<Node>& tensors, const std::vector<Node>& dims,
                const std::vector<Node>& out_types, const Value& type, const TnSpan* span) {
    std::vector<Value> types;
    for (const Node& t : tensors) types.push_back(t.slot(0));
    std::vector<Value> args{b_.make<ir::GlobalVar>({Value(), b_.string(callee)}),
                            b_.make<relax::Tuple>({b_.make<relax::TupleType>({b_.array(types)}), b_.array(tensors)})};
    if (!dims.empty())
      args.push_back(b_.make<relax::ShapeExpr>(
          {b_.make<relax::ShapeType>({b_.array(dims), static_cast<int64_t>(dims.size())}), b_.array(dims)}));
    return b_.make<ir::Call>(
        {type, b_.make<ir::Op>({Value(), "relax.call_tir"}), b_.array(args), b_.map({}), b_.array(out_types)}, span);
  }

  // A function with its calls of `name` as calls of a loop function. A reference that is no call refuses the merge.
  Node rewritten(const Node& function, const std::string& name, const relax::Function& f, const Merged& merged) {
    size_t references = 0, calls = 0;
    b_.walk(Value(function), [&](const Node& n) {
      if (const auto* g = n.as<ir::GlobalVar>(); g && g->name() == name) ++references;
    });
    if (references == 0) return function;
    bool is_loop = function.is<tir::PrimFunc>();
    if (is_loop && !merged.dims.empty()) throw Refusal{"a loop function calls it with the values of a shape"};
    Value made = b_.rewrite(Value(function), [&](const Node&, const Node& n) -> Value {
      const auto* c = n.as<ir::Call>();
      const auto* g = c ? c->op().as<ir::GlobalVar>() : nullptr;
      if (!g || g->name() != name) return Value();
      return is_loop ? Value() : Value(call_of(*c, name, f, merged));
    });
    b_.walk(Value(function), [&](const Node& n) {
      const auto* c = n.as<ir::Call>();
      const auto* g = c ? c->op().as<ir::GlobalVar>() : nullptr;
      calls += g && g->name() == name ? 1 : 0;
    });
    if (calls != references) throw Refusal{"it is passed on by its name"};
    return as_node(made);
  }

  Node call_of(const ir::Call& c, const std::string& name, const relax::Function& f, const Merged& merged) {
    if (c.args().size() != f.params().size()) throw Refusal{"it is called with another number of arguments"};
    Substitution s;
    std::vector<Node> tensors, dims;
    for (size_t i = 0; i < c.args().size(); ++i) {
      const Node &arg = nodes(c.args())[i], &param = nodes(f.params())[i];
      if (!merged.is_tensor[i]) {
        const auto* shape = arg.as<relax::ShapeExpr>();
        const Array& want = as_node(param.slot(0)).to<relax::ShapeType>().values().ref<Array>();
        if (!shape || shape->values().size() != want.size())
          throw Refusal{"it is called with a shape whose values are not written out"};
        for (size_t d = 0; d < want.size(); ++d) {
          s.add(nodes(want)[d], nodes(shape->values())[d]);
          dims.push_back(nodes(shape->values())[d]);
        }
        continue;
      }
      tensors.push_back(arg);
      const Array &have = known_tensor(arg.slot(0), "an argument that it is called with").shape().ref<Array>(),
                  &want = known_tensor(param.slot(0), "a parameter").shape().ref<Array>();
      if (have.size() != want.size()) throw Refusal{"it is called with an argument of another rank"};
      for (size_t d = 0; d < want.size(); ++d)
        if (nodes(want)[d].is<ir::Var>()) s.add(nodes(want)[d], nodes(have)[d]);
    }
    for (size_t i = 0; i < merged.is_tensor.size(); ++i) {
      if (!merged.is_tensor[i]) continue;
      const auto &have = as_node(nodes(c.args())[i].slot(0)).to<relax::TensorType>(),
                 &want = as_node(nodes(f.params())[i].slot(0)).to<relax::TensorType>();
      if (!same_dtype(have.dtype().as_dtype(), want.dtype().as_dtype()))
        throw Refusal{"it is called with an argument of another dtype"};
      for (size_t d = 0; d < want.shape().ref<Array>().size(); ++d)
        if (!analysis_.equal(as_node(s.apply(b_, want.shape().ref<Array>()[d])), nodes(have.shape().ref<Array>())[d]))
          throw Refusal{"an argument that it is called with is not shown to have the shape of its parameter"};
    }
    std::vector<Node> out_types;
    for (const Node& t : merged.out_types) out_types.push_back(as_node(s.apply(b_, Value(t))));
    Value type = c.type();
    if (!type.is_node())
      type = out_types.size() == 1 ? Value(out_types[0]) : b_.make<relax::TupleType>({b_.array(out_types)});
    return call_tir(name, tensors, dims, out_types, type, c.span());
  }

  PassesGraph& self_;
  const PassArgs& args_;
  const Builder& b_;
  ir::Module module_;
  LoopAnalysis analysis_;
};

}  // namespace

Value merge_fused(PassesGraph& self, const PassArgs& args, const Node& module) {
  return MergeFused(self, args, module).run();
}

}  // namespace tenon::graph
