// One fault at a time, chosen by the environment variable TENON_FAULT; without one it is right. The kit must find each
// (parts.txt).
#include <tenon/instrument_plugin.h>
#include <tenon/kind_plugin.h>
#include <tenon/onnx_converter_plugin.h>
#include <tenon/partitioner_plugin.h>
#include <unistd.h>

#include <cfenv>
#include <cstdlib>
#include <cstring>

namespace tenon {
namespace {

bool fault(const char* name) {
  const char* chosen = std::getenv("TENON_FAULT");
  return chosen && std::strcmp(chosen, name) == 0;
}

struct Bad : PluginInstance {
  using PluginInstance::PluginInstance;
  int64_t calls = 0;
};

int borrowed_text(TnValue* ret) {
  *ret = {TN_C_STRING, 0, {0}};
  ret->as.s = "x";
  return 0;
}

// ---- The partitioner: takes products of up to 8 rows, declines exponentials

Decision decide(Bad& self, const CallArgs&, std::string_view pattern, const relax::Function& candidate) {
  const Builder& b = self.builder();
  ++self.calls;
  if (fault("part-crash")) std::abort();
  if (fault("part-rounding")) std::fesetround(FE_UPWARD);
  if (fault("part-keeps-argument")) tn_object_retain(const_cast<TnObject*>(&candidate.get()->header));
  if (fault("part-leaks")) b.string("a text of more than eight bytes").release();
  if (fault("part-forgets") && self.calls % 2) return Decision::decline("not today");
  if (fault("part-differs-by-process") &&
      std::strcmp(std::getenv("HOME") ? std::getenv("HOME") : "", "/nonexistent") == 0)
    return Decision::decline("not in this process");
  if (pattern != "dense" && pattern != "exp") throw Error(TN_ERROR_ARGUMENT, "there is no such pattern");
  if (pattern == "exp") return Decision::decline(fault("part-no-reason") ? "" : "exponentials stay on the host");
  if (fault("part-foreign-variable")) return Decision::take_when(b.lt(b.var("q"), b.imm(3)), "a variable of nobody");
  if (candidate.params().size() == 0) {
    if (fault("part-crash-on-empty")) std::abort();
    throw Error(TN_ERROR_UNSUPPORTED, "the function has no parameters");
  }
  const Node& x = nodes(candidate.params())[0];
  const auto* type = x.slot(0).is_node() ? as_node(x.slot(0)).as<relax::TensorType>() : nullptr;
  if (!type || !type->shape().is_array()) throw Error(TN_ERROR_UNSUPPORTED, "the shape is not known");
  const Node rows = nodes(type->shape().ref<Array>())[0];
  if (rows.is<ir::IntImm>()) return Decision::take();
  return Decision::take_when(b.le(rows, b.imm(8)), "the buffer holds 8 rows");
}
constexpr TnPartitioner right_partitioner = partitioner<Bad, &decide>();

int decide_slot(void* instance, const TnContext* context, const char* pattern, const TnNode* candidate, TnValue* ret) {
  auto* self = static_cast<Bad*>(instance);
  if (fault("part-throws")) throw 7;
  if (fault("part-no-map")) return self->runtime()->string("yes", 3, ret);
  if (fault("part-no-take")) return self->runtime()->map(nullptr, 0, ret);
  if (fault("part-borrowed")) return borrowed_text(ret);
  return right_partitioner.decide(instance, context, pattern, candidate, ret);
}
constexpr TnPartitioner partitioner_table = {sizeof(TnPartitioner), &decide_slot};

// ---- Kinds: com.bad.twice(a) is a + a, com.bad.square(x) is abs(x * x)

Value lower_twice(Bad& self, const CallArgs&, const Node& n) {
  const Builder& b = self.builder();
  const Node& a = as_node(n.slot(1));
  ++self.calls;
  if (fault("kind-crash")) std::abort();
  if (fault("kind-nothing")) throw Error(TN_ERROR_UNSUPPORTED, "not on this machine");
  if (fault("kind-role")) return b.make<tir::Evaluate>({a});
  if (fault("kind-dtype")) return b.cast(a, kFloat64);
  if (fault("kind-lasts")) return n;
  if (fault("kind-effects") && a.is<tir::BufferLoad>()) {
    const auto& load = a.to<tir::BufferLoad>();
    return b.add(b.load(load.buffer(), b.array({Value(b.imm(0))})), a);
  }
  if (fault("kind-by-operand") && !a.is<tir::BufferLoad>()) return a;
  if (fault("kind-differs-by-call")) return b.add(a, b.constant_of(static_cast<double>(self.calls), a.dtype()));
  return b.add(a, a);
}
Value lower_square(Bad& self, const CallArgs&, const Node& n) {
  const Builder& b = self.builder();
  const Node& x = as_node(n.slot(1));
  auto call_of = [&](const char* op, const Array& args) {
    return b.make<ir::Call>({n.slot(0), b.make<ir::Op>({Value(), b.string(op)}), args, b.map({}), b.array({})});
  };
  return call_of("relax.abs", b.array({Value(call_of("relax.multiply", b.array({x, x})))}));
}
constexpr KindRow<Bad> kinds[] = {{"com.bad.twice/1", &lower_twice}, {"com.bad.square/1", &lower_square}};
constexpr TnKind right_kinds = kind_lowering<Bad, kinds>();

int lower_slot(void* instance, const TnContext* context, const TnNode* node, TnValue* ret) {
  if (fault("kind-lowers-anything") && node->kind < TN_KIND_FIRST_DYNAMIC) {
    Value(Node(node)).release();  // with a reference for the result
    *ret = {TN_NODE, 0, {0}};
    ret->as.p = const_cast<TnNode*>(node);
    return 0;
  }
  return right_kinds.lower(instance, context, node, ret);
}
constexpr TnKind kind_table = {sizeof(TnKind), &lower_slot};

// ---- The instrument: counts nodes

int after_pass(void* instance, const TnContext* context, const TnValue* record, const TnNode* before,
               const TnNode* after, TnValue* ret) {
  (void)before;
  return slot<Bad>(instance, ret, [&](Bad& self) -> Value {
    const Builder& b = self.builder();
    if (fault("inst-crash-on-number") && after->kind == TN_KIND_ir_IntImm) std::abort();
    if (fault("inst-ends")) throw Error(TN_ERROR_LIMIT, "it has seen enough");
    if (fault("inst-returns")) return b.string("fine");
    Node module(after);
    b.walk(Value(module), [&](const Node& n) {
      // What no plugin may do: write into a node.
      if (fault("inst-changes") && n.is<ir::FloatImm>()) const_cast<TnNode*>(n.get())->slots[1].as.f += 1;
      ++self.calls;
    });
    (void)context, (void)record;
    return {};
  });
}
constexpr TnInstrument instrument_table = {sizeof(TnInstrument), nullptr, &after_pass};

// ---- The converter: Double(x) is x + x

std::vector<Node> convert_double(Bad& self, const OnnxNodeArgs& n) {
  ++self.calls;
  if (fault("conv-crash-left-out") && n.inputs() > 0 && !n.has_input(0)) std::abort();
  if (fault("conv-together")) {
    static volatile int inside = 0;
    if (inside) std::abort();
    inside = 1;
    usleep(2000);
    inside = 0;
  }
  const Node x = n.input(0);
  if (fault("conv-no-node")) return {Node()};
  if (fault("conv-nothing")) return {};
  if (fault("conv-other-call")) {  // an expression of the call before
    static Node before = x;
    return {n.call("relax.add", {before, before})};
  }
  if (fault("conv-unknown-operator")) return {n.call("com.bad.no_such_operator", {x})};
  if (fault("conv-differs-by-call") && self.calls % 2) return {n.call("relax.multiply", {x, x})};
  return {n.call("relax.add", {x, x})};
}
constexpr OnnxRow<Bad> converters[] = {{"Double", &convert_double}};
constexpr auto converter_table = onnx_converter<Bad, converters>();

}  // namespace
}  // namespace tenon

TENON_PLUGIN(tenon::Bad, tenon::partitioner_table, tenon::kind_table, tenon::instrument_table, tenon::converter_table)
