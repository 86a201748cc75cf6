// One pass that returns a broken module, in the way that its option names.
#include <tenon/pass_plugin.h>

#include <cstdlib>
#include <cstring>

#include "ways.h"

namespace tenon {
namespace {

// What the ways are written with. The input holds the loop function `kernel`, of one buffer of float32.
struct Breaker {
  const Builder& b;
  const Node& input;
  Node x = b.buffer("x", kFloat32, b.array({b.imm(16)}));
  Node flags = b.buffer("flags", kBool, b.array({b.imm(16)}));
  Node k = b.var("k"), h = b.var("h", kHandle), f = b.var("f", kFloat32);
  Node n = b.var("n"), four = b.imm(4);
  Node t = b.var("t", Value(tensor({n, four}))), flag = b.var("flag", Value(tensor({}, kBool)));
  Node y = b.var("y", Value());

  // ---- Modules
  Value with_function(const char* name, const Value& function) const {
    const Map& old = input.to<ir::Module>().functions();
    return Value(b.with(input, ir::ModuleSlot::functions, Value(b.with(old, name, function))));
  }
  Value loop_function(const std::vector<Node>& params, const Node& body, const Builder::Entries& attrs = {}) const {
    return with_function("main", b.make<tir::PrimFunc>({b.array(params), b.map(attrs), Value(), body}));
  }
  Value loop(const Node& body) const { return loop_function({x, flags, k, h, f}, body); }
  Value expression(const Node& e) const { return loop(evaluate(e)); }
  Value graph(const Node& body, const Value& ret_type = {}, bool pure = true) const {
    return with_function("main", b.make<relax::Function>({{}, b.array({t, flag}), b.map({}), ret_type, pure, body}));
  }
  Value bound(const Node& value, const Value& type = {}) const {
    Node v = b.var("v", type);
    return graph(seq({block({bind(v, value)})}, v));
  }
  const Node& kernel() const { return as_node(*input.to<ir::Module>().functions().find("kernel")); }

  // ---- Loop level
  Node evaluate(const Node& e) const { return b.make<tir::Evaluate>({e}); }
  Node call(const char* name, const std::vector<Node>& args) const {
    return b.make<ir::Call>({{}, global(name), b.array(args)});
  }
  Node block_of(const Value& init, const std::vector<Node>& reads, const std::vector<Node>& matches = {},
                const std::vector<Node>& allocates = {}, bool realized = true,
                const std::vector<Node>& writes = {}) const {
    Node v = b.var("v");
    Node axis = b.make<tir::IterVar>({b.make<ir::Range>({b.imm(0), four}), TN_ITER_SPATIAL, v});
    Node inner = b.make<tir::Block>({b.string("block"), b.array({axis}), b.array(allocates), b.array(matches),
                                     b.array(reads), b.array(writes), b.map({}), init, evaluate(v)});
    std::vector<Node> values;
    if (realized) values.push_back(k);
    return b.make<tir::BlockRealize>({b.array(values), b.imm(1, kBool), inner});
  }
  Node region(std::initializer_list<std::pair<int64_t, int64_t>> ranges) const {
    std::vector<Node> all;
    for (auto [min, extent] : ranges) all.push_back(b.make<ir::Range>({b.imm(min), b.imm(extent)}));
    return b.make<tir::BufferRegion>({x, b.array(all)});
  }

  // ---- Graph level
  Node tensor(const std::vector<Node>& shape, DLDataType dtype = kFloat32) const {
    return b.make<relax::TensorType>({b.array(shape), dtype, static_cast<int64_t>(shape.size()), b.map({})});
  }
  Node global(const char* name) const { return b.make<ir::GlobalVar>({{}, b.string(name)}); }
  Node tuple(const std::vector<Node>& fields, Value type = {}) const {
    return b.make<relax::Tuple>({std::move(type), b.array(fields)});
  }
  Node bind(const Node& v, const Node& value) const { return b.make<relax::VarBinding>({value, v}); }
  Node block(const std::vector<Node>& bindings) const { return b.make<relax::BindingBlock>({b.array(bindings)}); }
  Node dataflow(const std::vector<Node>& bindings, const std::vector<Node>& outputs) const {
    return b.make<relax::DataflowBlock>({b.array(bindings), b.array(outputs)});
  }
  Node seq(const std::vector<Node>& blocks, const Node& body) const {
    return b.make<relax::SeqExpr>({{}, b.array(blocks), body});
  }
  Node op(const char* id, const std::vector<Node>& args, const std::vector<Node>& types = {}, Value type = {},
          const Map& attrs = {}) const {
    return b.make<ir::Call>(
        {std::move(type), b.make<ir::Op>({{}, b.string(id)}), b.array(args), b.map_value(attrs), b.array(types)});
  }
  Node packed() const { return op("relax.call_packed", {b.make<ir::ExternFunc>({{}, b.string("f"), b.map({})})}); }
};

// A copy of a node that the host knows nothing of; it is never freed.
const TnNode* forged(const Node& node, bool keep_deleter = false) {
  size_t bytes = offsetof(TnNode, slots) + (node.slot_count() + 1) * sizeof(TnValue);
  auto* copy = static_cast<TnNode*>(std::malloc(bytes));
  std::memcpy(static_cast<void*>(copy), node.get(), bytes - sizeof(TnValue));
  copy->header.counts = (uint64_t{1} << 32) | 1000;
  if (!keep_deleter) copy->header.deleter = [](void*, int) {};
  for (uint32_t i = 0; i < copy->slot_count; ++i) tn_value_retain(&copy->slots[i]);
  return copy;
}
Node forged_node(const Node& node) { return Node(forged(node)); }

// ---- What is no module at all: a raw value, and the status to return with it

struct Raw {
  TnValue value;
  int status;
};
bool raw_way(const Breaker& m, std::string_view way, Raw* out) {
  TnValue object{TN_NODE, 0, {0}};
  if (way == "null_node") return *out = {object, 0}, true;
  if (way == "unknown_type") return *out = {{60, 0, {0x1234}}, 0}, true;
  if (way == "no_error") return *out = {{TN_NONE, 0, {0}}, -1}, true;
  if (way == "mislabelled") {
    TnValue map = m.b.map_value({}).release();
    map.type_index = TN_NODE;
    return *out = {map, 0}, true;
  }
  if (way == "error_as_result") {
    TnValue error;
    m.b.runtime()->error(TN_ERROR_ARGUMENT, "not really", nullptr, nullptr, nullptr, &error);
    return *out = {error, 0}, true;
  }
  return false;
}

// ---- The ways, one row each

struct Way {
  std::string_view name;
  Value (*make)(const Breaker& m);
};
#define M const Breaker& m
const Way kWays[] = {
    {"nothing", [](M) { return (void)m, Value(); }},
    {"number", [](M) { return (void)m, Value(3); }},
    {"text", [](M) { return m.b.string("module"); }},
    {"a_function", [](M) { return Value(m.kernel()); }},
    {"foreign_module", [](M) { return Value(forged_node(m.input)); }},
    {"foreign_function", [](M) { return m.with_function("main", Value(forged_node(m.kernel()))); }},
    {"foreign_node", [](M) { return m.loop(forged_node(m.evaluate(m.k))); }},
    {"foreign_variable", [](M) { return m.expression(forged_node(m.k)); }},
    {"cycle",
     [](M) {
       Node inner = m.b.add(m.k, m.k), outer = m.b.add(inner, m.k);
       tn_value_retain(Value(outer).ptr());
       auto* slots = const_cast<TnValue*>(inner.get()->slots);
       slots[tir::AddSlot::a] = Value(outer).raw();
       return m.expression(outer);
     }},
    {"statement_as_function", [](M) { return m.with_function("main", Value(m.evaluate(m.k))); }},
    {"number_as_function", [](M) { return m.with_function("main", Value(7)); }},
    {"empty_name", [](M) { return m.with_function("", Value(m.kernel())); }},
    {"missing_function", [](M) { return m.expression(m.call("gone", {})); }},
    {"one_public_name_twice",
     [](M) { return m.loop_function({m.k}, m.evaluate(m.k), {{"global_symbol", m.b.string("kernel")}}); }},
    {"public_name_is_number", [](M) { return m.loop_function({m.k}, m.evaluate(m.k), {{"global_symbol", Value(1)}}); }},
    {"payload_is_number",
     [](M) { return Value(m.b.with(m.input, ir::ModuleSlot::payloads, Value(m.b.array({Value(1)})))); }},
    {"undefined_variable", [](M) { return m.expression(m.b.var("ghost")); }},
    {"undefined_buffer",
     [](M) { return m.expression(m.b.load(m.b.buffer("ghost", kFloat32, m.b.array({m.four})), m.b.array({m.k}))); }},
    {"undefined_extent",
     [](M) {
       Node y = m.b.buffer("y", kFloat32, m.b.array({m.b.var("ghost")}));
       return m.loop(m.b.make<tir::Seq>({m.b.array({m.b.make<tir::AllocBuffer>({m.b.map({}), y})})}));
     }},
    {"use_after_scope",
     [](M) {
       Node i = m.b.var("i");
       return m.loop(m.b.seq({m.b.loop(i, m.four, m.evaluate(i)), m.evaluate(i)}));
     }},
    {"two_definitions",
     [](M) {
       Node i = m.b.var("i");
       return m.loop(m.b.seq({m.b.loop(i, m.four, m.evaluate(i)), m.b.loop(i, m.k, m.evaluate(i))}));
     }},
    {"definition_in_own_scope",
     [](M) {
       Node i = m.b.var("i");
       return m.loop(m.b.loop(i, m.four, m.b.loop(i, m.k, m.evaluate(i))));
     }},
    {"parameter_twice", [](M) { return m.loop_function({m.k, m.k}, m.evaluate(m.k)); }},
    {"owned_by_two",
     [](M) { return m.loop_function({as_node(m.kernel().to<tir::PrimFunc>().params()[0])}, m.evaluate(m.b.imm(0))); }},
    {"owned_by_another",
     [](M) {
       Node theirs = as_node(m.kernel().to<tir::PrimFunc>().params()[0]);
       return m.expression(m.b.load(theirs, m.b.array({m.k})));
     }},
    {"undefined_in_annotation",
     [](M) {
       return m.loop(
           m.b.make<tir::For>({m.b.imm(0), m.four, TN_FOR_SERIAL, "", m.b.map({{"limit", Value(m.b.var("ghost"))}}),
                               m.b.var("i"), m.evaluate(m.k)}));
     }},
    {"expression_as_statement", [](M) { return m.loop(m.k); }},
    {"statement_as_expression", [](M) { return m.expression(m.evaluate(m.k)); }},
    {"graph_in_loop", [](M) { return m.expression(m.tuple({m.k})); }},
    {"operand_dtypes", [](M) { return m.expression(m.b.make<tir::Add>({kInt64, m.k, m.b.imm(1, kInt32)})); }},
    {"result_dtype", [](M) { return m.expression(m.b.make<tir::Add>({kInt32, m.k, m.k})); }},
    {"arithmetic_on_handles", [](M) { return m.expression(m.b.add(m.h, m.h)); }},
    {"condition_is_number", [](M) { return m.loop(m.b.make<tir::IfThenElse>({m.k, m.evaluate(m.k)})); }},
    {"index_count", [](M) { return m.expression(m.b.load(m.x, m.b.array({m.k, m.k}))); }},
    {"index_is_float", [](M) { return m.expression(m.b.load(m.x, m.b.array({m.f}))); }},
    {"stored_dtype", [](M) { return m.loop(m.b.store(m.x, m.b.array({m.k}), m.k)); }},
    {"lanes", [](M) { return m.expression(m.b.make<tir::Broadcast>({kFloat32, m.f, 1})); }},
    {"constant_range", [](M) { return m.expression(m.b.imm(300, make_dtype(kDLInt, 8))); }},
    {"loop_kind", [](M) { return m.loop(m.b.loop(m.b.var("i"), m.k, m.evaluate(m.k), 9)); }},
    {"thread_without_name",
     [](M) { return m.loop(m.b.loop(m.b.var("i"), m.k, m.evaluate(m.k), TN_FOR_THREAD_BINDING)); }},
    {"loop_over_float",
     [](M) {
       return m.loop(m.b.make<tir::For>(
           {m.b.imm(0), m.four, TN_FOR_SERIAL, "", m.b.map({}), m.b.var("g", kFloat32), m.evaluate(m.k)}));
     }},
    {"bind_outside_sequence", [](M) { return m.loop(m.b.make<tir::Bind>({m.k, m.b.var("v")})); }},
    {"block_values", [](M) { return m.loop(m.block_of({}, {}, {}, {}, false)); }},
    {"block_init", [](M) { return m.loop(m.block_of(Value(m.evaluate(m.k)), {})); }},
    {"block_region_rank", [](M) { return m.loop(m.block_of({}, {m.region({{0, 1}, {0, 1}})})); }},
    {"block_region_outside", [](M) { return m.loop(m.block_of({}, {}, {}, {}, true, {m.region({{12, 8}})})); }},
    {"block_matches_dtype",
     [](M) {
       Node part = m.b.buffer("part", kInt32, m.b.array({m.four}));
       return m.loop(m.block_of({}, {}, {m.b.make<tir::MatchBufferRegion>({m.region({{0, 4}}), part})}));
     }},
    {"block_allocates_variable", [](M) { return m.loop(m.block_of({}, {}, {}, {m.b.var("v")})); }},
    {"negative_extent",
     [](M) { return m.loop_function({m.b.buffer("y", kFloat32, m.b.array({m.b.imm(-4)}))}, m.evaluate(m.four)); }},
    {"strides",
     [](M) {
       Node y = m.b.make<tir::Buffer>({m.b.string("y"), kFloat32, m.b.array({m.four}), m.b.array({m.four, m.four}),
                                       Value(), m.b.string("global"), m.b.map({})});
       return m.loop_function({y}, m.evaluate(m.four));
     }},
    {"offset_is_text",
     [](M) {
       Node y = m.b.make<tir::Buffer>({m.b.string("y"), kFloat32, m.b.array({m.four}), m.b.array({}), m.b.string("4"),
                                       m.b.string("global"), m.b.map({})});
       return m.loop_function({y}, m.evaluate(m.four));
     }},
    {"init_is_list", [](M) { return m.loop(m.block_of(m.b.array({Value(1)}), {})); }},
    {"unknown_operator", [](M) { return m.expression(m.b.intrinsic(kFloat32, "tir.exq", {m.f})); }},
    {"graph_operator_in_loop", [](M) { return m.expression(m.b.intrinsic(kFloat32, "relax.add", {m.f, m.f})); }},
    {"operator_arguments", [](M) { return m.expression(m.b.intrinsic(kFloat32, "tir.exp", {m.f, m.f})); }},
    {"operator_dtype", [](M) { return m.expression(m.b.intrinsic(kInt64, "tir.exp", {m.k})); }},
    {"operator_dtypes", [](M) { return m.expression(m.b.intrinsic(kFloat32, "tir.pow", {m.f, m.k})); }},
    {"call_arguments", [](M) { return m.expression(m.call("kernel", {})); }},
    {"call_argument_dtype", [](M) { return m.expression(m.call("kernel", {m.flags})); }},
    {"call_a_number", [](M) { return m.expression(m.b.make<ir::Call>({{}, m.k, m.b.array({})})); }},
    {"loop_in_graph", [](M) { return m.bound(m.evaluate(m.four)); }},
    {"function_in_tuple",
     [](M) {
       Node v = m.b.var("v", Value(m.tensor({m.four})));
       return m.bound(m.tuple({m.b.make<relax::Function>({{}, m.b.array({v}), m.b.map({}), {}, true, v})}));
     }},
    {"untyped_parameter",
     [](M) {
       Node p = m.b.var("p", Value());
       return m.with_function("main", m.b.make<relax::Function>({{}, m.b.array({p}), m.b.map({}), {}, true, p}));
     }},
    {"type_rank",
     [](M) {
       Node v = m.b.var("v", Value(m.b.make<relax::TensorType>({m.b.array({m.four}), kFloat32, 2, m.b.map({})})));
       return m.with_function("main", m.b.make<relax::Function>({{}, m.b.array({v}), m.b.map({}), {}, true, v}));
     }},
    {"type_negative",
     [](M) {
       Node v = m.b.var("v", Value(m.tensor({m.b.imm(-3)})));
       return m.with_function("main", m.b.make<relax::Function>({{}, m.b.array({v}), m.b.map({}), {}, true, v}));
     }},
    {"binding_type", [](M) { return m.bound(m.t, Value(m.tensor({m.n, m.four}, kInt64))); }},
    {"unbound_dimension", [](M) { return m.bound(m.t, Value(m.tensor({m.b.var("s"), m.four}))); }},
    {"hidden_variable", [](M) { return m.graph(m.seq({m.dataflow({m.bind(m.y, m.t)}, {})}, m.y)); }},
    {"effect_in_dataflow",
     [](M) { return m.graph(m.seq({m.dataflow({m.bind(m.y, m.packed())}, {m.y})}, m.y), {}, false); }},
    {"effect_in_pure", [](M) { return m.bound(m.packed()); }},
    {"branch_condition", [](M) { return m.bound(m.b.make<relax::If>({{}, m.t, m.t, m.t})); }},
    {"result_type", [](M) { return m.graph(m.t, Value(m.tensor({m.n, m.b.imm(7)}))); }},
    {"tuple_field",
     [](M) {
       Node type = m.b.make<relax::TupleType>({m.b.array({m.tensor({m.n, m.four})})});
       return m.bound(m.b.make<relax::TupleGetItem>({{}, m.tuple({m.t}, Value(type)), 2}));
     }},
    {"constant_bytes",
     [](M) {
       double bytes = 0;
       int64_t shape[] = {1};
       DLTensor tensor{&bytes, {kDLCPU, 0}, 1, kFloat64, shape, nullptr, 0};
       Value data = call([&](TnValue* ret) { return m.b.ir()->constant(m.b.ir()->self, &tensor, ret); });
       return m.bound(m.b.make<ir::Constant>({Value(m.tensor({m.b.imm(16)})), data}));
     }},
    {"graph_operator_type",
     [](M) { return m.bound(m.op("relax.nn.relu", {m.t}, {}, Value(m.tensor({m.n, m.b.imm(5)})))); }},
    {"graph_operator_arguments",
     [](M) {
       Node other = m.b.var("other", Value(m.tensor({m.b.imm(7), m.b.imm(3)})));
       Node sum = m.op("relax.matmul", {m.t, other});
       return m.with_function("main",
                              m.b.make<relax::Function>({{}, m.b.array({m.t, other}), m.b.map({}), {}, true, sum}));
     }},
    {"call_tir_rank",
     [](M) { return m.bound(m.op("relax.call_tir", {m.global("kernel"), m.tuple({})}, {m.tensor({})})); }},
    {"call_tir_count",
     [](M) { return m.bound(m.op("relax.call_tir", {m.global("kernel"), m.tuple({m.t})}, {m.tensor({m.b.imm(8)})})); }},
    {"call_graph_as_loop",
     [](M) { return m.bound(m.op("relax.call_tir", {m.global("main"), m.tuple({})}, {m.tensor({})})); }},
    {"in_place_outside",
     [](M) {
       return m.bound(m.op("relax.call_tir_inplace", {m.global("kernel"), m.tuple({m.t})}, {m.tensor({m.n, m.four})},
                           {}, m.b.map({{"inplace_indices", Value(m.b.array({Value(3)}))}})));
     }},
    {"recursion", [](M) { return m.bound(m.b.make<ir::Call>({{}, m.global("main"), m.b.array({m.t, m.flag})})); }},
};
#undef M

struct BrokenModules : PluginInstance {
  using PluginInstance::PluginInstance;
};

int run_module(void* instance, const TnContext*, const char*, const TnNode* module, const TnValue* options,
               TnValue* ret) {
  auto& self = *static_cast<BrokenModules*>(instance);
  Raw raw{{TN_NONE, 0, {0}}, 0};
  bool is_raw = false;
  int status = guard(self.runtime(), ret, [&] {
    std::string_view way = Value::view(*options).ref<Map>().find("way")->as_string();
    const Node& input = Builder::borrow(module);
    Breaker m{self.builder(), input};
    is_raw = raw_way(m, way, &raw);
    if (is_raw) return Value();
    for (const Way& row : kWays)
      if (row.name == way) return row.make(m);
    throw Error(TN_ERROR_NOT_FOUND, "there is no such way");
  });
  if (!is_raw) return status;
  *ret = raw.value;
  return raw.status;
}

constexpr TnPass pass_table = {sizeof(TnPass), &run_module, nullptr};

}  // namespace
}  // namespace tenon

TENON_PLUGIN(tenon::BrokenModules, tenon::pass_table)
