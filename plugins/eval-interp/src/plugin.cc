// The plugin eval-interp: "tenon.executor/1" over a compiled program.
#include <tenon/ext/executor.h>
#include <tenon/plugin.h>

#include "graph.h"
#include "machine.h"

namespace {

using namespace tenon;
using namespace tenon::interp;

struct EvalInterp : PluginInstance {
  using PluginInstance::PluginInstance;
};

int64_t limit_of(const Map& options, std::string_view name) {
  const Value* v = options.find(name);
  if (v && v->is_int() && v->as_int() < 0)
    throw Error(TN_ERROR_ARGUMENT, std::string(name) + " is at least 0, not " + std::to_string(v->as_int()));
  return v && v->is_int() && v->as_int() > 0 ? v->as_int() : INT64_MAX;
}

Options read_options(const TnValue* raw) {
  const Map none;
  const Map& given = raw && raw->type_index == TN_MAP ? Value::view(*raw).ref<Map>() : none;
  Options o;
  o.max_steps = limit_of(given, "max_steps");
  o.max_bytes = limit_of(given, "max_bytes");
  const int64_t depth = limit_of(given, "max_depth");
  o.max_depth = depth == INT64_MAX ? 256 : static_cast<int32_t>(std::min<int64_t>(depth, 4096));
  const Value* fill = given.find("uninitialised");
  o.fill = !fill || fill->as_string() == "poison" ? Fill::Poison
           : fill->as_string() == "zero"          ? Fill::Zero
                                                  : Fill::Leave;
  return o;
}

// What a function value keeps.
struct Entry {
  std::shared_ptr<const Program> program;
  const Code* code;            // or null
  const GraphFunction* graph;  // or null
};

int run_entry(void* self, const TnValue* args, int32_t n, TnValue* ret) {
  const auto& entry = *static_cast<const Entry*>(static_cast<TnFunction*>(self)->context);
  const Program& program = *entry.program;
  return guard(program.runtime, ret, [&] {
    Machine machine{program, program.options.max_steps, program.options.max_bytes, 0};
    return entry.graph ? enter_graph(machine, *entry.graph, args, n) : enter(machine, *entry.code, args, n);
  });
}

Value make_entry(const std::shared_ptr<const Program>& program, const Code* code, const GraphFunction* graph) {
  auto entry = std::make_unique<Entry>(Entry{program, code, graph});
  Value function = call([&](TnValue* ret) {
    return program->runtime->function(
        &run_entry, entry.get(), [](void* context) { delete static_cast<Entry*>(context); }, ret);
  });
  (void)entry.release();
  return function;
}

bool is_public(const Node& function) {
  if (const auto* f = function.as<tir::PrimFunc>()) return f->attrs().find("global_symbol") != nullptr;
  if (const auto* f = function.as<relax::Function>()) return f->attrs().find("global_symbol") != nullptr;
  return false;
}

Value load_module(EvalInterp& self, const ir::Module& module, const Map& imports, const TnValue* options,
                  const TnContext* context) {
  const auto* ops = &self.service<TnHostOps>().required();
  const auto program = compile_program(self.builder(), module, imports, read_options(options), ops, context);
  Builder::Entries entries;
  for (const auto& [name, code] : program->functions)
    if (is_public(as_node(*module.functions().find(name))))
      entries.emplace_back(name, make_entry(program, code.get(), nullptr));
  for (const auto& [name, graph] : program->graph->functions)
    if (is_public(graph->function)) entries.emplace_back(name, make_entry(program, nullptr, graph.get()));
  return self.builder().map(entries);
}

int load(void* instance, const TnContext* context, const TnNode* module, const TnValue* imports, const TnValue* options,
         TnValue* ret) {
  auto& self = *static_cast<EvalInterp*>(instance);
  return guard(self.runtime(), ret, [&] {
    const Map none;
    const Map& given = imports && imports->type_index == TN_MAP ? Value::view(*imports).ref<Map>() : none;
    return load_module(self, Builder::borrow(module).to<ir::Module>(), given, options, context);
  });
}

constexpr auto executor_table = make_table<TnExecutor>(&load);

}  // namespace

TENON_PLUGIN(EvalInterp, executor_table)
