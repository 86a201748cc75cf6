#include "build/execute_service.h"

#include <memory>
#include <set>

#include "build/catalog.h"
#include "build/session.h"
#include "diag/suggest.h"
#include "pass/plugin_failure.h"
#include "tenon/ext/executor.h"

namespace tenon {

namespace {

constexpr int64_t kMaxSteps = 100'000'000;
constexpr int64_t kMaxBytes = int64_t{1} << 30;

const Map* attributes_of(const Node& function) {
  if (const auto* f = function.as<tir::PrimFunc>()) return &f->attrs();
  if (const auto* f = function.as<relax::Function>()) return &f->attrs();
  return nullptr;
}

// The function, public under its own name, with what it reaches.
Node module_of(const Builder& b, const ir::Module& m, std::string_view name) {
  std::set<std::string, std::less<>> reached{std::string(name)};
  std::vector<std::string> work{std::string(name)};
  Builder::Entries functions;
  while (!work.empty()) {
    std::string at = std::move(work.back());
    work.pop_back();
    const Value* f = m.functions().find(at);
    if (!f) continue;
    Value kept = *f;
    if (const Map* attrs = attributes_of(as_node(kept))) {
      uint32_t slot = as_node(kept).is<tir::PrimFunc>() ? uint32_t{tir::PrimFunc::Slot::attrs}
                                                        : uint32_t{relax::Function::Slot::attrs};
      Value symbol = at == name ? b.string(name) : Value();
      kept = b.with(as_node(kept), slot, b.with(*attrs, "global_symbol", symbol));
    }
    functions.emplace_back(at, kept);
    b.walk(*f, [&](const Node& n) {
      const auto* g = n.as<ir::GlobalVar>();
      if (g && reached.insert(std::string(g->name())).second) work.emplace_back(g->name());
    });
  }
  return b.with(m, ir::Module::Slot::functions, Value(b.map(functions)));
}

struct ExecutorFunction {
  Value function;
  std::string plugin;
};

int call_executor(void* self, const TnValue* args, int32_t n, TnValue* ret) {
  return guard(tn_runtime(), ret, [&] {
    auto& made = *static_cast<ExecutorFunction*>(static_cast<TnFunction*>(self)->context);
    auto* f = reinterpret_cast<TnFunction*>(made.function.raw().as.object);
    return call_plugin(made.plugin, "", [&](TnValue* r) { return f->call(f, args, n, r); });
  });
}

}  // namespace

Map executor_functions(const Builder& b, const std::string& plugin, const ir::Module& module, const Value& loaded) {
  auto refuse = [&](const std::string& what) {
    throw Error(TN_ERROR_PLUGIN, "the executor '" + plugin + "' " + what, {}, plugin_bug(plugin));
  };
  if (!loaded.is_map()) refuse("returned " + value_kind(loaded) + ", not a map of functions");
  Builder::Entries functions;
  for (const Map::Entry& e : loaded.ref<Map>()) {
    if (e.value().type_index() != TN_FUNCTION)
      refuse("returned " + value_kind(e.value()) + " for '" + std::string(e.key()) + "', not a function");
    auto made = std::make_unique<ExecutorFunction>(ExecutorFunction{e.value(), plugin});
    functions.emplace_back(std::string(e.key()), call([&](TnValue* ret) {
                             return b.runtime()->function(
                                 call_executor, made.get(), [](void* p) { delete static_cast<ExecutorFunction*>(p); },
                                 ret);
                           }));
    (void)made.release();
  }
  for (const Map::Entry& e : module.functions()) {
    const Map* attrs = attributes_of(as_node(e.value()));
    if (attrs && attrs->find("global_symbol") && !loaded.ref<Map>().find(e.key()))
      refuse("did not make the function '" + std::string(e.key()) + "' callable");
  }
  return b.map(functions);
}

ExecuteService::ExecuteService(Session& session) : session_(session) {
  table_.size = sizeof table_;
  table_.self = this;
  table_.run = [](void* self, const TnNode* module, const char* name, const TnValue* args, int32_t n,
                  const TnValue* limits, TnValue* ret) -> int {
    return guard(tn_runtime(), ret, [&] {
      Map given = limits && limits->type_index == TN_MAP ? Value::view(*limits).ref<Map>() : Map();
      return static_cast<ExecuteService*>(self)->run(Builder::borrow(module), name, args, n, given);
    });
  };
}

Map ExecuteService::load(const Node& module, const Map& imports, const Map& options) {
  const Builder& b = session_.builder();
  const PluginInfo& plugin = choose_plugin(session_.provider(), "", TN_EXECUTOR, "an executor that keeps to bounds",
                                           [](const PluginInfo& p) { return p.executor->bounded; });
  Value complete = complete_options(b, plugin.executor->options, options, {"the executor " + plugin.id, {}});
  PluginInstances::Use use = session_.instances().use(plugin, TN_EXECUTOR);
  auto* table = static_cast<const TnExecutor*>(use.table);
  if (!TN_HAS(table, load))
    throw Error(TN_ERROR_PLUGIN, "the executor '" + plugin.id + "' " + plugin.version + " has no slot load",
                plugin.library, "this is a bug of the plugin: ask its vendor");
  CompileContext context(session_.environment(), module, plugin.id);
  const Node readable = session_.readable(module, plugin, "to run it");
  Value given = b.map_value(imports);
  return executor_functions(b, plugin.id, readable.to<ir::Module>(), call_plugin(plugin.id, "", [&](TnValue* ret) {
                              return table->load(use.instance, context.c(), readable.get(), given.ptr(), complete.ptr(),
                                                 ret);
                            }));
}

Value ExecuteService::run(const Node& module, std::string_view name, const TnValue* args, int32_t n,
                          const Map& limits) {
  const Builder& b = session_.builder();
  const auto& m = module.to<ir::Module>();
  if (!m.functions().find(name)) {
    std::vector<std::string> names;
    for (const Map::Entry& e : m.functions()) names.emplace_back(e.key());
    throw Error(TN_ERROR_NOT_FOUND, "the module has no function '" + std::string(name) + "' to run", {},
                did_you_mean(std::string(name), names));
  }
  Map options = b.map({{"max_steps", Value(kMaxSteps)}, {"max_bytes", Value(kMaxBytes)}});
  for (const Map::Entry& e : limits) options = b.with(options, e.key(), e.value());
  Map functions = load(module_of(b, m, name), b.map({}), options);
  const Value* function = functions.find(name);  // is there: it is public
  if (!function) throw Error(TN_ERROR_ARGUMENT, "'" + std::string(name) + "' has no body to run");
  auto* f = reinterpret_cast<TnFunction*>(function->raw().as.object);
  return call([&](TnValue* ret) { return f->call(f, args, n, ret); });
}

}  // namespace tenon
