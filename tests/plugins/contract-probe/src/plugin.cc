// See manifest.yaml.
#include <tenon/instrument_plugin.h>
#include <tenon/kind_plugin.h>
#include <tenon/onnx_converter_plugin.h>
#include <tenon/partitioner_plugin.h>
#include <tenon/pass_plugin.h>

#include "greeter.h"

TENON_CAPABILITY(ComExampleGreeter, COM_EXAMPLE_GREETER)

namespace tenon {
namespace {

struct Probe : PluginInstance {
  using PluginInstance::PluginInstance;
};

// ---- Passes

Value greet_all(Probe& self, const PassArgs& args, const Node& module) {
  for (const auto& provider : self.providers<ComExampleGreeter>()) {
    auto greeter = provider.open();
    std::string text(greeter.call<&ComExampleGreeter::greet>("module").as_string());
    const Value* language = provider.offer().find("language");
    text += " (" + provider.plugin() + " " + std::string(provider.version()) + ", language " +
            std::string(language ? language->as_string() : "unknown") + ", " +
            (greeter.has<&ComExampleGreeter::louder>() ? "can" : "cannot") + " be louder)";
    args.context->report(args.context->self, TN_SEVERITY_NOTE, text.c_str(), nullptr, nullptr);
  }
  return module;
}

Value count_steps(Probe& self, const PassArgs& args, const Node& function) {
  int64_t steps = 0, loops = 0;
  self.builder().walk(Value(function), [&](const Node& n) {
    const auto* loop = n.as<tir::For>();
    loops += loop != nullptr;
    steps += loop && !loop->step().is_none();
  });
  std::string text = std::to_string(loops) + " loops, " + std::to_string(steps) + " with a step";
  args.context->report(args.context->self, TN_SEVERITY_NOTE, text.c_str(), nullptr, nullptr);
  return function;
}

Value nothing(Probe&, const PassArgs&, const Node& function) { return function; }

// Reads options otherwise than the manifest says.
Value misread(Probe&, const PassArgs& args, const Node& function) {
  if (args.number("depth") > 1) args.flag("deep");
  args.flag("depth");
  return function;
}

constexpr ModulePass<Probe> module_passes[] = {{"greet", &greet_all}};
constexpr FunctionPass<Probe> function_passes[] = {
    {"count-steps", &count_steps}, {"keep-steps", &count_steps}, {"nothing", &nothing}, {"misread", &misread}};
constexpr auto pass_table = all_passes<Probe, module_passes, function_passes>();

// ---- Kinds: the operand is slot 1, after the type

Value lower_twice(Probe& self, const CallArgs&, const Node& n) {
  const Node& a = as_node(n.slot(1));
  return self.builder().add(a, a);
}
Value lower_fill(Probe& self, const CallArgs&, const Node& n) {
  const Builder& b = self.builder();
  const Node& buffer = as_node(n.slot(0));
  const auto& target = buffer.to<tir::Buffer>();
  std::vector<Node> vars;
  std::vector<Value> indices;
  for (size_t i = 0; i < target.shape().size(); ++i) {
    vars.push_back(b.var("i" + std::to_string(i)));
    indices.push_back(vars.back());
  }
  Node body = b.store(buffer, b.array(indices), b.real(n.slot(1).as_float(), target.dtype()));
  for (size_t i = vars.size(); i-- > 0;) body = b.loop(vars[i], as_node(target.shape()[i]), body);
  return body;
}
Value lower_square(Probe& self, const CallArgs&, const Node& n) {
  const Builder& b = self.builder();
  const Node& x = as_node(n.slot(1));
  return b.make<ir::Call>(
      {n.slot(0), b.make<ir::Op>({Value(), "relax.multiply"}), b.array({x, x}), b.map({}), b.array({})});
}
Value lower_again(Probe&, const CallArgs&, const Node& n) { return n; }
Value lower_wrong_role(Probe& self, const CallArgs&, const Node& n) {
  return self.builder().make<tir::Evaluate>({as_node(n.slot(1))});
}
Value lower_wrong_dtype(Probe& self, const CallArgs&, const Node& n) {
  return self.builder().cast(as_node(n.slot(1)), kFloat64);
}
Value lower_gives_up(Probe&, const CallArgs&, const Node&) {
  throw Error(TN_ERROR_UNSUPPORTED, "only multiples of 3 can be lowered", {}, "use multiples of 3");
}

constexpr KindRow<Probe> kinds[] = {
    {"com.example.twice/1", &lower_twice},           {"com.example.fill/1", &lower_fill},
    {"com.example.square/1", &lower_square},         {"com.example.again/1", &lower_again},
    {"com.example.wrong_role/1", &lower_wrong_role}, {"com.example.wrong_dtype/1", &lower_wrong_dtype},
    {"com.example.gives_up/1", &lower_gives_up}};
constexpr auto kind_table = kind_lowering<Probe, kinds>();

// ---- The partitioner: each pattern gets another kind of answer

Decision decide(Probe& self, const CallArgs&, std::string_view pattern, const relax::Function& candidate) {
  const Builder& b = self.builder();
  const Node& x = nodes(candidate.params())[0];
  const auto& type = as_node(x.slot(0)).to<relax::TensorType>();
  const Node batch = nodes(type.shape().ref<Array>())[0];
  if (pattern == "conv_relu")
    return batch.is<ir::IntImm>() ? Decision::take()
                                  : Decision::take_when(b.le(batch, b.imm(4)), "the command buffer holds 4 images");
  if (pattern == "conv") return Decision::decline("a convolution alone is not worth the transfer");
  if (pattern == "exp") return Decision::take_when(b.lt(batch, batch), "never");
  if (pattern == "log") return Decision::take_when(b.le(b.var("m"), b.imm(4)), "a variable of nobody");
  if (pattern == "sqrt") return Decision::take_when(batch, "no condition");
  if (pattern == "sin") return Decision::decline("");
  throw Error(TN_ERROR_INTERNAL, "the cost model is not calibrated");
}
constexpr auto partitioner_table = partitioner<Probe, &decide>();

// ---- The rest

void after_pass(Probe& self, const CallArgs& args, const Map& record, const Node&, const Node& after) {
  int64_t nodes = 0;
  self.builder().walk(Value(after), [&](const Node&) { ++nodes; });
  if (nodes > 100000) throw Error(TN_ERROR_LIMIT, "the module has more than 100000 nodes");
  args.report(TN_SEVERITY_NOTE, "after " + std::string(record.find("pass")->as_string()) + ": " +
                                    (record.find("changed")->as_bool() ? "changed" : "unchanged"));
}
constexpr auto instrument_table = instrument<Probe, &after_pass>();

std::vector<Node> convert_add_twice(Probe&, const OnnxNodeArgs& n) {
  Node sum = n.call("relax.add", {n.input(0), n.input(1)});
  return {n.call("relax.add", {sum, sum})};
}
std::vector<Node> convert_two(Probe&, const OnnxNodeArgs& n) { return {n.input(0), n.input(0)}; }
std::vector<Node> convert_none(Probe&, const OnnxNodeArgs&) { return {Node()}; }
constexpr OnnxRow<Probe> converters[] = {
    {"AddTwice", &convert_add_twice}, {"TwoOutputs", &convert_two}, {"NoExpression", &convert_none}};
constexpr auto converter_table = onnx_converter<Probe, converters>();

int greet(void* instance, const char* whom, TnValue* ret) {
  return slot<Probe>(instance, ret, [&](Probe& self) { return self.builder().string("hello, " + std::string(whom)); });
}
constexpr auto greeter_table = make_table<ComExampleGreeter>(&greet, nullptr);

}  // namespace
}  // namespace tenon

TENON_PLUGIN(tenon::Probe, tenon::pass_table, tenon::kind_table, tenon::partitioner_table, tenon::instrument_table,
             tenon::converter_table, tenon::greeter_table)
