// Library dispatch: patterns of operators become calls of external functions in destination-passing style.
//
//   y = R.matmul(x, w)   ->   y = R.call_dps_packed("mylib.matmul", (x, w), out_ty=R.Tensor(("n", 64), "float32"))
//
// The table of patterns is an option; without one the pass changes nothing.
#include <graph_pattern/graph_pattern.h>
#include <tenon/pass_plugin.h>

#include <algorithm>

namespace tenon {
namespace {

struct DispatchLibrary : PluginInstance {
  explicit DispatchLibrary(const TnHost* host)
      : PluginInstance(host), ops(&service<TnHostOps>().required()), arith(&service<TnHostArith>().required()) {}
  const TnHostOps* ops;
  const TnHostArith* arith;
};

// One row of the option.
struct Rule {
  GraphPattern pattern;
  std::string function;
  std::vector<std::string> args;  // what the function is given, in its order; empty: as the pattern names it
  bool has_args = false;
};

Rule read_rule(const DispatchLibrary& self, const Value& row, size_t number) {
  Rule rule;
  rule.pattern = pattern_of_option(self.builder(), self.ops, row, number, {"function", "args"});
  const Map& m = row.ref<Map>();
  const Value* function = m.find("function");
  if (!function || !function->is_string() || function->as_string().empty())
    throw Error(TN_ERROR_ARGUMENT, "the pattern '" + rule.pattern.name + "' does not say which function it stands for",
                {}, "add function: NAME, the name under which the application registers it");
  rule.function = function->as_string();
  if (const Value* args = m.find("args")) {
    if (!args->is_array())
      throw Error(TN_ERROR_TYPE, "the pattern '" + rule.pattern.name + "': 'args' is not a list of names");
    rule.has_args = true;
    const std::vector<std::string>& names = rule.pattern.names;
    for (const Value& v : args->ref<Array>()) {
      rule.args.emplace_back(v.as_string());
      if (std::find(names.begin(), names.end(), rule.args.back()) != names.end()) continue;
      std::string list;
      for (const std::string& n : names) list += (list.empty() ? "" : ", ") + n;
      throw Error(TN_ERROR_NOT_FOUND,
                  "the pattern '" + rule.pattern.name + "': 'args' names '" + rule.args.back() +
                      "', which the pattern does not",
                  {}, list.empty() ? "it names nothing" : "it names: " + list);
    }
  }
  return rule;
}

bool is_tensor_of_known_shape(const Value& type) {
  if (!type.is_node()) return false;
  if (auto* tuple = as_node(type).as<relax::TupleType>()) {
    for (const Value& field : tuple->fields())
      if (!is_tensor_of_known_shape(field)) return false;
    return true;
  }
  auto* t = as_node(type).as<relax::TensorType>();
  return t && t->shape().is_array() && t->dtype().is_dtype();
}

// The call that computes what the match computes; null when an argument is no tensor, or the result has no known shape.
Node library_call(const Builder& b, const Rule& rule, const PatternMatch& match) {
  const Value& type = match.result().to<ir::Var>().type();
  if (!is_tensor_of_known_shape(type)) return {};
  std::vector<Node> args;
  if (rule.has_args)
    for (const std::string& name : rule.args) args.push_back(match.named.at(name));
  else
    for (const auto& [name, value] : match.operands) args.push_back(value);
  std::vector<Value> types;
  for (const Node& a : args) {
    const Value& t = type_of_value(a);
    if (!t.is_node() || !as_node(t).is<relax::TensorType>()) return {};
    types.push_back(t);
  }
  Node callee = b.make<ir::ExternFunc>({Value(), b.string(rule.function), b.map({})});
  Node tuple = b.make<relax::Tuple>({b.make<relax::TupleType>({b.array(types)}), b.array(args)});
  auto* fields = as_node(type).as<relax::TupleType>();
  return b.make<ir::Call>({type, b.make<ir::Op>({Value(), "relax.call_dps_packed"}), b.array({callee, tuple}),
                           b.map({}), fields ? Value(fields->fields()) : Value(b.array({type}))},
                          match.bindings.back().span());
}

Value dispatch(DispatchLibrary& self, const PassArgs& args, const Node& function) {
  const Builder& b = self.builder();
  const Value* given = args.options.find("patterns");
  if (!given || !given->is_array()) throw Error(TN_ERROR_ARGUMENT, "the option 'patterns' is no list of rows");
  const Array& rows = given->ref<Array>();
  std::vector<Rule> rules;
  for (size_t i = 0; i < rows.size(); ++i) rules.push_back(read_rule(self, rows[i], i));
  std::vector<GraphPattern> patterns;
  for (const Rule& rule : rules) patterns.push_back(rule.pattern);
  std::vector<std::pair<PatternMatch, Node>> replacements;
  for (PatternMatch& match : PatternMatcher(b, self.ops, self.arith, function).find_all(patterns)) {
    const Rule& rule = rules[static_cast<size_t>(match.pattern - patterns.data())];
    if (Node call = library_call(b, rule, match)) replacements.emplace_back(std::move(match), call);
  }
  return replace_matches(b, function, replacements);
}

constexpr FunctionPass<DispatchLibrary> rows[] = {{"dispatch", &dispatch}};
constexpr TnPass table = function_passes<DispatchLibrary, rows>();

}  // namespace
}  // namespace tenon

TENON_PLUGIN(tenon::DispatchLibrary, tenon::table)
