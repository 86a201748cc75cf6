#include <tenon/ext/codegen.h>
#include <tenon/plugin.h>

#include <algorithm>
#include <map>

using namespace tenon;

static constexpr unsigned char kernel[] = {
#include "kernel.inc"
};
static constexpr std::string_view operations[] = {"relax.add", "relax.subtract", "relax.multiply", "relax.divide"};

struct Plugin : PluginInstance {
  using PluginInstance::PluginInstance;
};

static void require(bool holds, const std::string& function) {
  if (holds) return;
  throw Error(TN_ERROR_UNSUPPORTED,
              "function '" + function + "' is more than arithmetic of float32 tensors of one shape", {},
              "hand over sums, differences, products and quotients");
}

// The commands of one function.
static std::vector<int64_t> compile(const Builder& b, const std::string& name, const relax::Function& f) {
  std::map<const TnNode*, int64_t> registers;  // of variables
  std::vector<int64_t> code{0, 0, 0};
  auto register_of = [&](const Node& value) {
    require(registers.contains(value.get()), name);
    return registers[value.get()];
  };
  for (const Node& p : nodes(f.params())) {
    const auto* t = p.slot(0).is_node() ? as_node(p.slot(0)).as<relax::TensorType>() : nullptr;
    require(t && t->shape().is_array() && t->dtype().is_dtype() && same_dtype(t->dtype().as_dtype(), kFloat32), name);
    require(!b.difference(nodes(f.params())[0].slot(0), p.slot(0)) && code[0] < 16, name);
    registers[p.get()] = code[0]++;
  }
  const auto* body = f.body().as<relax::SeqExpr>();
  require(body && code[0] > 0, name);
  for (const Node& block : nodes(body->blocks()))
    for (const Node& n : nodes(block.slot(0).ref<Array>())) {  // the bindings, in both kinds of blocks
      const auto* binding = n.as<relax::VarBinding>();
      const auto* call = binding ? binding->value().as<ir::Call>() : nullptr;
      const auto* op = call ? call->op().as<ir::Op>() : nullptr;
      const auto* row = std::find(operations, std::end(operations), op ? op->id() : "");
      require(row != std::end(operations) && code[0] + code[1] < 64, name);
      code.insert(code.end(),
                  {row - operations, register_of(nodes(call->args())[0]), register_of(nodes(call->args())[1])});
      registers[binding->var().get()] = code[0] + code[1]++;
    }
  code[2] = register_of(body->body());
  return code;
}

static int generate(void* instance, const TnContext*, const TnNode* module, const TnValue*, TnValue* ret) {
  auto& self = *static_cast<Plugin*>(instance);
  return guard(self.runtime(), ret, [&]() -> Value {
    const Builder& b = self.builder();
    std::vector<Value> constants;
    Builder::Entries exports;
    for (const Map::Entry& e : Builder::borrow(module).to<ir::Module>().functions()) {
      std::string name(e.key());
      std::vector<int64_t> code = compile(b, name, as_node(e.value()).to<relax::Function>());
      require(constants.size() < 8, name);  // as many entries as the kernel has
      exports.emplace_back(name, b.string("elementwise_" + std::to_string(constants.size())));
      auto words = static_cast<int64_t>(code.size());
      DLTensor t{code.data(), {kDLCPU, 0}, 1, kInt64, &words, nullptr, 0};
      constants.push_back(call([&](TnValue* r) { return b.ir()->constant(b.ir()->self, &t, r); }));
    }
    const auto* bytes = reinterpret_cast<const char*>(kernel);
    return b.map({{"format", b.string("elf-object/1")},
                  {"bytes", call([&](TnValue* r) { return b.runtime()->bytes(bytes, sizeof kernel, r); })},
                  {"exports", b.map(exports)},
                  {"imports", b.array({})},
                  {"constants", b.array(constants)},
                  {"symbols", b.array({})}});
  });
}

static constexpr auto codegen_table = make_table<TnCodegen>(&generate);
TENON_PLUGIN(Plugin, codegen_table)
