// Passes that break the rules, one rule each.
#include <tenon/pass_plugin.h>

#include <stdexcept>

namespace tenon {
namespace {

struct WrongPasses : PluginInstance {
  using PluginInstance::PluginInstance;
};

Value use_undefined(WrongPasses& self, const PassArgs&, const Node& function) {
  const Builder& b = self.builder();
  return b.rewrite(function, [&](const Node&, const Node& n) -> Value {
    return n.is<tir::BufferStore>() ? Value(b.with(n, tir::BufferStoreSlot::value, b.var("ghost", kInt32))) : Value();
  });
}
Value return_number(WrongPasses&, const PassArgs&, const Node&) { return Value(3); }
Value return_function(WrongPasses&, const PassArgs&, const Node& module) {
  return module.to<ir::Module>().functions().begin()->value();
}
Value throw_exception(WrongPasses&, const PassArgs&, const Node&) { throw std::runtime_error("index out of range"); }
Value give_up(WrongPasses&, const PassArgs& args, const Node& function) {
  args.context->report(args.context->self, TN_SEVERITY_WARNING, "this will not go well", function.span(), nullptr);
  throw Error(TN_ERROR_UNSUPPORTED, "there is no loop to turn", "in.py:4:9", "write a loop");
}
Value new_name(WrongPasses& self, const PassArgs& args, const Node& function) {
  if (args.name == "helper") return function;
  return self.builder().array({function, self.builder().map({{"helper", function}})});
}

// ---- Legal modules that compute something else

Value scale_constants(WrongPasses& self, const PassArgs& args, const Node& function) {
  const Builder& b = self.builder();
  return b.rewrite(function, [&](const Node&, const Node& n) -> Value {
    auto* imm = n.as<ir::FloatImm>();
    if (!imm || imm->value() == 0) return Value();
    double factor = args.options.find("factor")->as_float();
    return Value(b.with(n, ir::FloatImm::Slot::value, Value(imm->value() * factor)));
  });
}
Value shorten_loops(WrongPasses& self, const PassArgs&, const Node& function) {
  const Builder& b = self.builder();
  return b.rewrite(function, [&](const Node&, const Node& n) -> Value {
    auto* loop = n.as<tir::For>();
    if (!loop || loop->extent().is<ir::IntImm>()) return Value();
    return Value(b.with(n, tir::For::Slot::extent, b.mul(b.floordiv(loop->extent(), b.imm(2)), b.imm(2))));
  });
}
Value shift_loads(WrongPasses& self, const PassArgs&, const Node& function) {
  const Builder& b = self.builder();
  return b.rewrite(function, [&](const Node&, const Node& n) -> Value {
    auto* load = n.as<tir::BufferLoad>();
    if (!load || load->indices().empty()) return Value();
    std::vector<Node> indices;
    for (const Node& i : nodes(load->indices())) indices.push_back(b.add(i, b.imm(1, i.dtype())));
    return Value(b.with(n, tir::BufferLoad::Slot::indices, Value(b.array(indices))));
  });
}

Value drop_bounds(WrongPasses& self, const PassArgs&, const Node& function) {
  return self.builder().rewrite(function, [&](const Node&, const Node& n) -> Value {
    auto* min = n.as<tir::Min>();
    return min && min->b().is<ir::FloatImm>() ? Value(min->a()) : Value();
  });
}

constexpr FunctionPass<WrongPasses> function_rows[] = {
    {"use-undefined", &use_undefined}, {"return-number", &return_number},
    {"throw", &throw_exception},       {"give-up", &give_up},
    {"new-name", &new_name},           {"scale-constants", &scale_constants},
    {"shorten-loops", &shorten_loops}, {"shift-loads", &shift_loads},
    {"drop-bounds", &drop_bounds}};
constexpr ModulePass<WrongPasses> module_rows[] = {{"return-function", &return_function}};
constexpr TnPass pass_table = all_passes<WrongPasses, module_rows, function_rows>();

}  // namespace
}  // namespace tenon

TENON_PLUGIN(tenon::WrongPasses, tenon::pass_table)
