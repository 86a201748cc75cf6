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
#include <graph_pattern/graph_pattern.h>

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
    const Array& rows = args.options.find("patterns")->ref<Array>();
    for (size_t i = 0; i < rows.size(); ++i) {
      GraphPattern pattern = pattern_of_option(b_, self.ops, rows[i], i, {"codegen"});
      const Value* codegen = rows[i].ref<Map>().find("codegen");
      codegens_.emplace_back(codegen && codegen->is_string() ? codegen->as_string() : args.text("codegen"));
      patterns_.push_back(std::move(pattern));
    }
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
      if (auto* graph = f.as<relax::Function>(); graph && !is_marked(graph->attrs())) f = partitioned(f);
      changed = changed || !f.same_as(as_node(e.value()));
      functions.emplace_back(std::string(e.key()), f);
    }
    if (!changed) return module_;
    functions.insert(functions.end(), made_.begin(), made_.end());
    return b_.with(module_, ir::Module::Slot::functions, Value(b_.map(functions)));
  }

 private:
  static bool is_marked(const Map& attrs) { return attrs.find("composite") || attrs.find("codegen"); }

  Node partitioned(const Node& function) {
    std::vector<std::pair<PatternMatch, Node>> replacements;
    for (PatternMatch& match : PatternMatcher(b_, self_.ops, self_.arith, function).find_all(patterns_))
      if (Node call = outlined(match)) replacements.emplace_back(std::move(match), call);
    return replace_matches(b_, function, replacements);
  }

  // The call of a function that computes what the match computes; null when no function can.
  Node outlined(const PatternMatch& match) {
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
        return declined(match, "an operand is no tensor of known shape");
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
      return declined(match, "its result is no tensor of known shape");
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
    const std::string& codegen = codegens_[static_cast<size_t>(match.pattern - patterns_.data())];
    Builder::Entries attrs{{"composite", b_.string(match.pattern->name)}};
    if (!codegen.empty()) attrs.emplace_back("codegen", b_.string(codegen));
    Node f = b_.make<relax::Function>({Value(), b_.array(params), b_.map(attrs), type, true, body});
    f = b_.substitute(Value(f), b_.array(from), b_.array(to)).ref<Node>();
    if (std::string symbol = unbound_symbol(f, types); !symbol.empty())
      return declined(match, "no operand has the symbolic dimension " + symbol + " as an extent");
    std::string name = place(b_.renew(Value(f)).ref<Node>(), match.pattern->name);
    return b_.make<ir::Call>(
        {type, b_.make<ir::GlobalVar>({Value(), b_.string(name)}), b_.array(args), b_.map({}), b_.array({})},
        match.bindings.back().span());
  }

  Node declined(const PatternMatch& match, const std::string& why) const {
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
  std::vector<std::string> codegens_;
  std::set<std::string> names_;
  Builder::Entries made_;
};

}  // namespace

Value partition(PassesGraph& self, const PassArgs& args, const Node& module) {
  return Partitioner(self, args, module).run();
}

}  // namespace tenon::graph
