#include <tenon/codegen_plugin.h>
#include <tenon/loader_plugin.h>

#include <cmath>
#include <cstring>

using namespace tenon;

struct Plugin : PluginInstance {
  using PluginInstance::PluginInstance;
};

// The payload: a header, then a chain of steps for each function, a letter each, ended by 0. A step works on one
// float32 tensor.
struct Header {
  char magic[8];
  uint32_t functions, bytes;
};
using Chain = char[32];
static constexpr const char* formats[] = {"@ID@-steps/1", nullptr};
static constexpr char magic[8] = "steps/1";
struct Step {
  std::string_view op;
  char letter;
  float (*run)(float x);
};
static constexpr Step steps[] = {{"relax.negative", 'n', [](float x) { return -x; }},
                                 {"relax.abs", 'a', [](float x) { return std::fabs(x); }},
                                 {"relax.nn.relu", 'r', [](float x) { return x > 0 ? x : 0; }}};

// ---- The code generator writes it

static std::string chain_of(const std::string& name, const relax::Function& f) {
  auto require = [&](bool holds) {
    if (!holds)
      throw Error(TN_ERROR_UNSUPPORTED,
                  "function '" + name + "' is no chain of negative, abs and relu on a float32 tensor");
  };
  std::string chain;
  require(f.params().size() == 1 && f.body().is<relax::SeqExpr>());
  Node last = nodes(f.params())[0];
  const auto* type = last.slot(0).is_node() ? as_node(last.slot(0)).as<relax::TensorType>() : nullptr;
  require(type && type->dtype().is_dtype() && same_dtype(type->dtype().as_dtype(), kFloat32));
  for (const Node& block : nodes(f.body().to<relax::SeqExpr>().blocks()))
    for (const Node& n : nodes(block.slot(0).ref<Array>())) {  // the bindings, in both kinds of blocks
      const auto* binding = n.as<relax::VarBinding>();
      const auto* call = binding ? binding->value().as<ir::Call>() : nullptr;
      const auto* op = call ? call->op().as<ir::Op>() : nullptr;
      require(op && call->args().size() == 1 && nodes(call->args())[0].same_as(last));
      for (const Step& step : steps)
        if (step.op == op->id()) chain += step.letter, last = binding->var();
      require(last.same_as(binding->var()) && chain.size() < sizeof(Chain));
    }
  require(f.body().to<relax::SeqExpr>().body().same_as(last));
  return chain;
}

static Value generate(Plugin& self, const CallArgs&, const Node& module) {
  const Builder& b = self.builder();
  Builder::Entries exports;
  std::string chains;
  for (const Map::Entry& e : module.to<ir::Module>().functions()) {
    std::string name(e.key()), chain = chain_of(name, as_node(e.value()).to<relax::Function>());
    exports.emplace_back(name, b.string(std::to_string(exports.size())));
    chain.resize(sizeof(Chain));
    chains += chain;
  }
  Header h{{}, static_cast<uint32_t>(exports.size()), static_cast<uint32_t>(sizeof h + chains.size())};
  std::memcpy(h.magic, magic, sizeof magic);
  const std::string bytes = std::string(reinterpret_cast<const char*>(&h), sizeof h) + chains;
  return b.map({{"format", b.string(formats[0])},
                {"bytes", call([&](TnValue* r) { return b.runtime()->bytes(bytes.data(), bytes.size(), r); })},
                {"exports", b.map(exports)},
                {"imports", b.array({})},
                {"constants", b.array({})},
                {"requirements", b.map({{"steps", Value(static_cast<int64_t>(sizeof(Chain) - 1))}})}});
}

// ---- The loader runs it: here in the host; on a device of yours, target.api and target.device are that one's

struct Steps {
  Steps(Plugin&, const TnPayload& payload, const TnLoadTarget&) {
    auto corrupt = [](bool holds) {
      if (!holds) throw Error(TN_ERROR_CORRUPT, "the payload is not as a code generator of @ID@ writes it");
    };
    corrupt(payload.bytes >= sizeof header);
    std::memcpy(&header, payload.data, sizeof header);
    corrupt(std::memcmp(header.magic, magic, sizeof magic) == 0 && header.bytes == payload.bytes &&
            header.bytes == sizeof header + uint64_t{header.functions} * sizeof(Chain));
    chains = reinterpret_cast<const Chain*>(static_cast<const char*>(payload.data) + sizeof header);
    for (uint32_t i = 0; i < header.functions; ++i) {
      corrupt(std::memchr(chains[i], 0, sizeof(Chain)) != nullptr);
      for (const char* c = chains[i]; *c; ++c) corrupt(std::strchr("nar", *c) != nullptr);
    }
  }
  const void* find(std::string_view symbol, int32_t& inputs, int32_t& outputs) const {
    inputs = outputs = 1;
    for (uint32_t i = 0; i < header.functions; ++i)
      if (std::to_string(i) == symbol) return chains[i];
    return nullptr;
  }
  void launch(const void* function, void*, std::span<const TnValue> args) const {
    const auto *x = args.size() == 2 && args[0].type_index == TN_DLTENSOR ? static_cast<DLTensor*>(args[0].as.p)
                                                                          : nullptr,
               *y = x && args[1].type_index == TN_DLTENSOR ? static_cast<DLTensor*>(args[1].as.p) : nullptr;
    if (!y || !same_dtype(x->dtype, kFloat32) || !same_dtype(y->dtype, kFloat32) || x->ndim != y->ndim ||
        !std::equal(x->shape, x->shape + x->ndim, y->shape))
      throw Error(TN_ERROR_ARGUMENT, "@ID@: two float32 tensors of one shape are due");
    int64_t n = 1;
    for (int32_t d = 0; d < x->ndim; ++d) n *= x->shape[d];
    const auto* from = reinterpret_cast<const float*>(static_cast<const char*>(x->data) + x->byte_offset);
    auto* to = reinterpret_cast<float*>(static_cast<char*>(y->data) + y->byte_offset);
    for (int64_t i = 0; i < n; ++i) {
      float value = from[i];
      for (const char* c = static_cast<const char*>(function); *c; ++c)
        for (const Step& step : steps)
          if (step.letter == *c) value = step.run(value);
      to[i] = value;
    }
  }
  Header header;
  const Chain* chains;  // in the payload, which lives until it is unloaded
};

// `requirements` is what the code generator wrote, `properties` what the device says of itself; none in the host.
static Fit accepts(Plugin&, std::string_view, const Map& requirements, const Map&) {
  const Value* needed = requirements.find("steps");
  if (!needed || !needed->is_int()) return {TN_ACCEPT_NO, "it does not say how many steps its functions have"};
  if (needed->as_int() >= int64_t{sizeof(Chain)})
    return {TN_ACCEPT_RECOMPILE, "its functions have more steps than fit"};
  return {TN_ACCEPT_BEST, ""};
}

static constexpr auto codegen_table = codegen<Plugin, &generate>();
static constexpr auto loader_table = loader<Plugin, Steps, formats, &accepts>();
TENON_PLUGIN(Plugin, codegen_table, loader_table)
