// Pattern partition: what matches a pattern becomes a private graph function of its own, marked for a code generator.
//
//   lv = R.nn.conv2d(x, w)                        @R.function(private=True)
//   y = R.nn.relu(lv)                             def conv2d_relu(x, w):
//                          ->                         R.func_attr({"codegen": "com.vendor.npu", "composite":
//                          "conv2d_relu"})
//   y = cls.conv2d_relu(x, w)                         lv = R.nn.conv2d(x, w); y = R.nn.relu(lv); return y
//
// What the pattern has as any value becomes a parameter, also where it is a constant here; what it has as `const(...)`
// stays inside, where the code generator sees its bytes. Equal functions are placed once.
//
// Rows come from the option `patterns`, and from the manifests of the partitioners that the option `partitioners`
// names; those are asked about each match (ext/draft/partitioner.h). For one that is taken under a condition there are
// two branches:
//   def dense_choice(x, w): if n <= 64: r = cls.dense(x, w) else: r = cls.dense_host(x, w)
#include <graph_pattern/graph_pattern.h>
#include <tenon/cxx/arith.h>
#include <tenon/provider_call.h>

#include <cctype>
#include <map>
#include <set>

#include "passes.h"

namespace tenon::graph {
namespace {

class Partitioner {
 public:
  Partitioner(PassesGraph& self, const PassArgs& args, const Node& module)
      : self_(self), args_(args), b_(self.builder()), module_(module.to<ir::Module>()) {
    const Value *patterns = args.options.find("patterns"), *partitioners = args.options.find("partitioners");
    if (!patterns || !patterns->is_array() || !partitioners || !partitioners->is_array())
      throw Error(TN_ERROR_ARGUMENT, "the options 'patterns' and 'partitioners' are no lists");
    const Array& rows = patterns->ref<Array>();
    for (size_t i = 0; i < rows.size(); ++i) add_row(rows[i], i, args.text("codegen"), nullptr);
    for (const Value& v : partitioners->ref<Array>()) add_partitioner(v);
    for (const Map::Entry& e : module_.functions()) names_.insert(std::string(e.key()));
    b_.walk(Value(module), [&](const Node& n) {  // an external function keeps its name for itself
      if (auto* e = n.as<ir::ExternFunc>()) names_.insert(std::string(e->symbol()));
      if (auto* s = n.as<ir::StringImm>()) names_.insert(std::string(s->value()));
    });
  }

  Value run() {
    Builder::Entries functions;
    bool changed = false;
    for (const Map::Entry& e : module_.functions()) {
      Node f = as_node(e.value());
      if (auto* graph = f.as<relax::Function>(); graph && !is_marked(graph->attrs()) && !rows_.empty())
        f = partitioned(std::string(e.key()), f);
      changed = changed || !f.same_as(as_node(e.value()));
      functions.emplace_back(std::string(e.key()), f);
    }
    if (!changed) return module_;
    functions.insert(functions.end(), made_.begin(), made_.end());
    return b_.with(module_, ir::Module::Slot::functions, Value(b_.map(functions)));
  }

 private:
  static bool is_marked(const Map& attrs) { return attrs.find("composite") || attrs.find("codegen"); }

  // A pattern, and who decides about its matches: null for whoever wrote the row.
  struct Row {
    std::string codegen;
    const Provider<TnPartitioner>* partitioner;
  };
  // What became of an operator.
  struct Placement {
    std::string to, pattern, function, when, reason;
  };

  void add_row(const Value& row, size_t number, std::string_view default_codegen,
               const Provider<TnPartitioner>* partitioner) {
    patterns_.push_back(pattern_of_option(b_, self_.ops, row, number, {"codegen"}));
    const Value* codegen = row.ref<Map>().find("codegen");
    rows_.push_back(
        {std::string(codegen && codegen->is_string() ? codegen->as_string() : default_codegen), partitioner});
  }

  void add_partitioner(const Value& id) {
    if (partitioners_.empty()) partitioners_ = self_.providers<TnPartitioner>();
    std::string known;
    for (const Provider<TnPartitioner>& p : partitioners_) {
      known += (known.empty() ? "there are: " : ", ") + p.plugin();
      if (!id.is_string() || id.as_string() != p.plugin()) continue;
      Map offer = p.offer();
      const Value *patterns = offer.find("patterns"), *codegen = offer.find("codegen");
      if (!patterns || !patterns->is_array())
        throw Error(TN_ERROR_PLUGIN, "the manifest of the partitioner '" + p.plugin() + "' offers no list of patterns",
                    {}, "write offers: {" TN_PARTITIONER ": {patterns: [...]}}");
      size_t number = 0;
      for (const Value& row : patterns->ref<Array>()) try {
          add_row(row, number++, codegen && codegen->is_string() ? codegen->as_string() : std::string_view(p.plugin()),
                  &p);
        } catch (const Error& e) {
          throw Error(e.code, "the manifest of the partitioner '" + p.plugin() + "': " + e.message, e.where, e.hint);
        }
      return;
    }
    throw Error(TN_ERROR_NOT_FOUND,
                id.is_string() ? "no plugin '" + std::string(id.as_string()) + "' that is installed is a partitioner"
                               : std::string("the option 'partitioners' is a list of plugins"),
                {}, known.empty() ? "no plugin that is installed is one" : known);
  }

  Node partitioned(const std::string& name, const Node& function) {
    std::map<const TnNode*, Node> calls;        // root of a match -> what it becomes
    std::map<const TnNode*, Placement> placed;  // binding -> where it went, or why not
    auto accept = [&](const PatternMatch& match) {
      Placement p{{}, match.pattern->name, {}, {}, {}};
      Node call = outlined(match, p);
      if (call) calls[match.bindings.back().get()] = call;
      for (const Node& n : match.bindings) {
        Placement& at = placed[n.get()];
        std::string earlier = at.reason;
        at = p;
        if (!call && !earlier.empty()) at.reason = earlier + "; " + p.reason;
      }
      return static_cast<bool>(call);
    };
    std::vector<std::pair<PatternMatch, Node>> replacements;
    for (PatternMatch& match : PatternMatcher(b_, self_.ops, self_.arith, function).find_all(patterns_, accept)) {
      Node call = calls.at(match.bindings.back().get());
      replacements.emplace_back(std::move(match), call);
    }
    b_.walk(Value(function), [&](const Node& n) {
      auto* binding = n.as<relax::VarBinding>();
      std::string_view op = binding ? op_of(binding->value()) : std::string_view();
      if (op.empty()) return;
      auto it = placed.find(n.get());
      record(name, op, n, it == placed.end() ? Placement{{}, {}, {}, {}, "no pattern matches it"} : it->second);
    });
    return replace_matches(b_, function, replacements);
  }

  void record(const std::string& function, std::string_view op, const Node& at, const Placement& p) const {
    if (!TN_HAS(args_.context, record)) return;
    Builder::Entries e{{"function", b_.string(function)},
                       {"operator", b_.string(op)},
                       {"value", b_.string(at.to<relax::VarBinding>().var().to<ir::Var>().name())},
                       {"to", b_.string(p.to)},
                       {"where", b_.string(where(at))},
                       {"reason", b_.string(p.reason)}};
    if (!p.pattern.empty()) e.emplace_back("pattern", b_.string(p.pattern));
    if (!p.function.empty()) e.emplace_back("as", b_.string(p.function));
    if (!p.when.empty()) e.emplace_back("when", b_.string(p.when));
    Value data = b_.map(e);
    args_.context->record(args_.context->self, "placement", data.ptr());
  }

  // The call of a function that computes what the match computes; null when no function can, or the partitioner does
  // not want it.
  Node outlined(const PatternMatch& match, Placement& placement) {
    std::vector<Node> params, args;
    std::vector<Value> from, to;
    std::map<const TnNode*, Node> constants;
    std::vector<Node> types;
    for (const auto& [name, value] : match.operands) {
      bool is_constant = value.is<ir::Constant>();
      if (!is_constant && !value.is<ir::Var>()) continue;  // shapes and numbers stay inside
      bool known = constants.contains(value.get());
      for (const Node& a : args) known = known || a.same_as(value);
      if (known) continue;
      const Value& type = type_of_value(value);
      if (!type.is_node() || !are_tensors(as_node(type)))
        return declined(match, placement, "an operand is no tensor of known shape");
      std::string hint = !name.empty() ? name : "arg" + std::to_string(params.size());
      params.push_back(b_.make<ir::Var>({type, b_.string(hint)}));
      args.push_back(value);
      types.push_back(as_node(type));
      if (is_constant) {
        constants[value.get()] = params.back();
      } else {
        from.push_back(value);
        to.push_back(params.back());
      }
    }
    const Node& result = match.result();
    const Value& type = result.to<ir::Var>().type();
    if (!type.is_node() || !are_tensors(as_node(type)))
      return declined(match, placement, "its result is no tensor of known shape");
    std::vector<Node> bindings;
    for (const Node& n : match.bindings) {
      Value made = b_.rewrite(Value(n), [&](const Node& original, const Node&) -> Value {
        auto it = constants.find(original.get());
        return it == constants.end() ? Value() : Value(it->second);
      });
      bindings.push_back(as_node(made));
    }
    Node block = b_.make<relax::DataflowBlock>({b_.array(bindings), b_.array({result})});
    Node body = b_.make<relax::SeqExpr>({type, b_.array({block}), result});
    const Row& row = rows_[static_cast<size_t>(match.pattern - patterns_.data())];
    const std::string& codegen = row.codegen;
    Builder::Entries attrs{{"composite", b_.string(match.pattern->name)}};
    if (!codegen.empty()) attrs.emplace_back("codegen", b_.string(codegen));
    Node f = b_.make<relax::Function>({Value(), b_.array(params), b_.map(attrs), type, true, body});
    f = b_.substitute(Value(f), b_.array(from), b_.array(to)).ref<Node>();
    if (std::string symbol = unbound_symbol(f, types); !symbol.empty())
      return declined(match, placement, "no operand has the symbolic dimension " + symbol + " as an extent");
    f = b_.renew(Value(f)).ref<Node>();
    Node condition;
    if (row.partitioner && !wanted(*row.partitioner, match, f, condition, placement)) return {};
    std::string name = condition ? place_choice(f, condition, match.pattern->name, placement.function)
                                 : (placement.function = place(f, match.pattern->name));
    placement.to = codegen.empty() ? "a function" : codegen;
    return b_.make<ir::Call>(
        {type, b_.make<ir::GlobalVar>({Value(), b_.string(name)}), b_.array(args), b_.map({}), b_.array({})},
        match.bindings.back().span());
  }

  // Asks a partitioner about the function that a match would become. `condition` is set when it is taken under one.
  bool wanted(const Provider<TnPartitioner>& partitioner, const PatternMatch& match, const Node& f, Node& condition,
              Placement& placement) {
    std::string what = "the partitioner '" + partitioner.plugin() + "' about '" + match.pattern->name + "'";
    const Value answer =
        call_provider<&TnPartitioner::decide>(partitioner, what, args_.context, match.pattern->name.c_str(), f.get());
    auto wrong = [&](const std::string& why) {
      throw Error(TN_ERROR_PLUGIN, what + " answers wrongly: " + why, where(match.bindings.back()),
                  "this is a bug of the plugin '" + partitioner.plugin() + "'");
    };
    if (!answer.is_map()) wrong("it is no map");
    const Map& map = answer.ref<Map>();
    const Value *take = map.find("take"), *when = map.find("when"), *reason = map.find("reason");
    if (!take || !take->is_bool()) wrong("it does not say whether it takes the operators");
    if (reason && reason->is_string()) placement.reason = reason->as_string();
    bool conditional = when && !when->is_none();
    if ((conditional || !take->as_bool()) && placement.reason.empty()) wrong("it gives no reason");
    if (!take->as_bool()) {
      placement.reason = partitioner.plugin() + " declines '" + match.pattern->name + "': " + placement.reason;
      return false;
    }
    if (!conditional) return true;
    if (!when->is_node() || !is_bool(as_node(*when).dtype())) wrong("its condition is no expression of dtype bool");
    std::set<const TnNode*> known;
    for (const Node& p : nodes(f.to<relax::Function>().params()))
      b_.walk(p.slot(0), [&](const Node& n) {
        if (n.is<ir::Var>()) known.insert(n.get());
      });
    b_.walk(*when, [&](const Node& n) {
      if (n.is<ir::Var>() && !known.contains(n.get()))
        wrong("its condition names '" + std::string(n.to<ir::Var>().name()) +
              "', which is no dimension of a parameter");
    });
    Arith arith(b_, self_.arith);
    Node simple = arith.simplify(as_node(*when));
    if (auto* number = simple.as<ir::IntImm>()) {
      if (number->value()) return true;
      placement.reason = partitioner.plugin() + " takes '" + match.pattern->name +
                         "' under a condition that never holds: " + placement.reason;
      return false;
    }
    condition = simple;
    placement.when = text_of(condition);
    return true;
  }

  // The condition as a person reads it.
  std::string text_of(const Node& condition) const {
    Value imports = b_.map({{"imports", Value(false)}});
    Value text = tenon::call([&](TnValue* ret) {
      Value tree(condition);
      return b_.ir()->print(b_.ir()->self, tree.ptr(), imports.ptr(), ret);
    });
    std::string out(text.as_string());
    while (!out.empty() && out.back() == '\n') out.pop_back();
    size_t line = out.rfind('\n');  // variables may be declared before
    return line == std::string::npos ? out : out.substr(line + 1);
  }

  // A function that calls the one for the code generator where the condition holds, and computes itself elsewhere.
  std::string place_choice(const Node& candidate, const Node& condition, const std::string& pattern,
                           std::string& taken) {
    auto& f = candidate.to<relax::Function>();
    taken = place(candidate, pattern);
    Node host = b_.with(f, relax::Function::Slot::attrs, Value(b_.map({})));
    std::string other = place(b_.renew(Value(host)).ref<Node>(), pattern + "_host");
    Value type = f.ret_type();
    auto side = [&](const std::string& name) {
      Node call = b_.make<ir::Call>(
          {type, b_.make<ir::GlobalVar>({Value(), b_.string(name)}), Value(f.params()), b_.map({}), b_.array({})});
      Node var = b_.make<ir::Var>({type, b_.string("r")});
      Node block = b_.make<relax::BindingBlock>({b_.array({b_.make<relax::VarBinding>({call, var})})});
      return b_.make<relax::SeqExpr>({type, b_.array({block}), var});
    };
    Node test = b_.make<relax::PrimValue>({b_.make<relax::PrimType>({condition.dtype()}), condition});
    Node branch = b_.make<relax::If>({type, test, side(taken), side(other)});
    Node var = b_.make<ir::Var>({type, b_.string("r")});
    Node block = b_.make<relax::BindingBlock>({b_.array({b_.make<relax::VarBinding>({branch, var})})});
    Node body = b_.make<relax::SeqExpr>({type, b_.array({block}), var});
    Node choice = b_.make<relax::Function>({Value(), Value(f.params()), b_.map({}), type, true, body});
    return place(b_.renew(Value(choice)).ref<Node>(), pattern + "_choice");
  }

  Node declined(const PatternMatch& match, Placement& placement, const std::string& why) const {
    placement.reason = why;
    const Node& root = match.bindings.back();
    std::string message = "a match of the pattern '" + match.pattern->name + "' stays as it is: " + why;
    args_.context->report(args_.context->self, TN_SEVERITY_NOTE, message.c_str(), root.span(), nullptr);
    return {};
  }

  static bool are_tensors(const Node& type) {
    if (auto* tuple = type.as<relax::TupleType>()) {
      for (const Node& field : nodes(tuple->fields()))
        if (!are_tensors(field)) return false;
      return true;
    }
    auto* t = type.as<relax::TensorType>();
    return t && t->shape().is_array() && t->dtype().is_dtype();
  }

  // A symbolic dimension that the function uses and its parameters do not bind; "" when there is none.
  std::string unbound_symbol(const Node& function, const std::vector<Node>& types) const {
    std::set<const TnNode*> bound;
    for (const Node& t : types)
      b_.walk(Value(t), [&](const Node& n) {
        auto* tensor = n.as<relax::TensorType>();
        if (!tensor) return;
        for (const Node& d : nodes(tensor->shape().ref<Array>()))
          if (d.is<ir::Var>()) bound.insert(d.get());
      });
    std::string missing;
    b_.walk(Value(function), [&](const Node& n) {
      if (n.is<ir::Var>() && n.dtype().bits && !bound.contains(n.get()) && missing.empty())
        missing = n.to<ir::Var>().name();
    });
    return missing;
  }

  // The name of an equal function that this pass has made, or of this one, placed under a name of its own.
  std::string place(const Node& f, const std::string& pattern) {
    for (const auto& [name, other] : made_)
      if (as_node(other).hash() == f.hash() && !b_.difference(Value(f), other)) return name;
    std::string hint;
    for (char c : pattern) hint += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
    if (hint.empty() || std::isdigit(static_cast<unsigned char>(hint[0]))) hint = "composite_" + hint;
    std::string name = hint;
    for (int i = 1; !names_.insert(name).second; ++i) name = hint + "_" + std::to_string(i);
    made_.emplace_back(name, f);
    return name;
  }

  PassesGraph& self_;
  const PassArgs& args_;
  const Builder& b_;
  ir::Module module_;
  std::vector<GraphPattern> patterns_;
  std::vector<Row> rows_;  // as patterns_
  std::vector<Provider<TnPartitioner>> partitioners_;
  std::set<std::string> names_;
  Builder::Entries made_;
};

}  // namespace

Value partition(PassesGraph& self, const PassArgs& args, const Node& module) {
  return Partitioner(self, args, module).run();
}

}  // namespace tenon::graph
