#include <tenon/ext/frontend.h>
#include <tenon/plugin.h>

#include <map>
#include <sstream>

using namespace tenon;

struct Plugin : PluginInstance {
  using PluginInstance::PluginInstance;
};

// Reads "input NAME EXTENT ..." and "NAME OPERATOR NAME ..."; the last line is the result.
static Value read_model(const Plugin& self, const TnContext* context, const TnModelSource& source) {
  const Builder& b = self.builder();
  const auto* ops = &self.service<TnHostOps>().required();
  std::istringstream text(std::string(source.data, source.data_size));
  std::map<std::string, Node> values;
  std::vector<Node> params, bindings;
  Node last;
  std::string line, word, name;
  for (int number = 1; std::getline(text, line); ++number) {
    const std::string where = std::string(source.name) + ":" + std::to_string(number);
    std::istringstream words(line);
    if (!(words >> word >> name)) throw Error(TN_ERROR_CORRUPT, "a line needs two words or more", where);
    std::vector<Node> args;
    if (word == "input") {
      std::vector<Node> shape;
      for (int64_t extent; words >> extent;) {
        if (extent < 1 || extent > 1 << 20 || shape.size() == 8) throw Error(TN_ERROR_CORRUPT, "no such shape", where);
        shape.push_back(b.imm(extent));
      }
      if (!words.eof()) throw Error(TN_ERROR_CORRUPT, "an extent is no number", where);
      Node type = b.make<relax::TensorType>({b.array(shape), kFloat32, static_cast<int64_t>(shape.size()), b.map({})});
      params.push_back(last = b.make<ir::Var>({type, b.string(name)}));
      word = name;
    } else {
      for (std::string arg; words >> arg;) {
        if (!values.contains(arg)) throw Error(TN_ERROR_CORRUPT, "there is no value '" + arg + "' above", where);
        args.push_back(values[arg]);
      }
      Node call = b.make<ir::Call>(
          {Value(), b.make<ir::Op>({Value(), b.string("relax." + name)}), b.array(args), b.map({}), b.array({})});
      Value type = tenon::call([&](TnValue* r) { return ops->infer_type(ops->self, context, call.get(), r); });
      last = b.make<ir::Var>({type, b.string(word)});
      bindings.push_back(b.make<relax::VarBinding>({b.with(call, ir::CallSlot::type, type), last}));
    }
    if (!values.emplace(word, last).second) throw Error(TN_ERROR_CORRUPT, "'" + word + "' is defined twice", where);
  }
  if (!last) throw Error(TN_ERROR_CORRUPT, "the model is empty", source.name);
  Node body =
      b.make<relax::SeqExpr>({last.slot(0), b.array({Value(b.make<relax::BindingBlock>({b.array(bindings)}))}), last});
  Node main = b.make<relax::Function>(
      {Value(), b.array(params), b.map({{"global_symbol", b.string("main")}}), last.slot(0), true, body});
  return b.make<ir::Module>({b.map({}), b.map({}), b.map({{"main", main}}), b.array({})});
}

static int import_model(void* instance, const TnContext* context, const TnModelSource* source, const TnValue*,
                        TnValue* ret) {
  auto& self = *static_cast<Plugin*>(instance);
  return guard(self.runtime(), ret, [&] { return read_model(self, context, *source); });
}

static constexpr auto frontend_table = make_table<TnFrontend>(&import_model);
TENON_PLUGIN(Plugin, frontend_table)
