#include "pass/pass_manager.h"

#include <chrono>
#include <memory>
#include <optional>

#include "ir/vocabulary.h"
#include "pass/dump.h"
#include "pass/function_pass.h"
#include "pass/plugin_failure.h"

namespace tenon {

namespace {

// The same failure, its message led by what was being done; the original stays as the cause.
Error led_by(const std::string& lead, const Error& e) {
  Error out(e.code, lead + e.message, e.where, e.hint);
  out.cause = e.cause;
  return out;
}

std::string bug_hint(const PassInfo& pass) { return plugin_bug(pass.plugin); }

// Whether a graph function holds a call whose type nobody has inferred yet: text is read without asking the operators.
bool has_untyped_calls(const Builder& b, const Node& module) {
  bool found = false;
  for (const Map::Entry& f : module.to<ir::Module>().functions())
    if (as_node(f.value()).is<relax::Function>())
      b.walk(f.value(), [&](const Node& n) { found = found || (n.is<ir::Call>() && n.slot(0).is_none()); });
  return found;
}

// An exception that nothing in the plugin foresaw reaches us as an internal error; it is the plugin's, not ours.
Error blamed(const PassInfo& pass, Error e) {
  if (e.code != TN_ERROR_INTERNAL) return e;
  e.code = TN_ERROR_PLUGIN;
  if (e.hint.empty()) e.hint = bug_hint(pass);
  return e;
}

void verify(const Builder& b, const Node& module) {
  call([&](TnValue* ret) { return b.ir()->verify(b.ir()->self, module.get(), ret); });
}

void verify_after(const Builder& b, const PassInfo& pass, const Node& before, const Node& module) {
  try {
    verify(b, module);
  } catch (const Error& e) {
    Error named = led_by("after " + pass.full_name() + ": ", e);
    std::string hint = bug_hint(pass);
    if (has_untyped_calls(b, before)) {
      hint =
          "the types that the pass inferred and those that the module states do not agree; where the module is "
          "right, " +
          hint;
    } else {
      named.code = TN_ERROR_PLUGIN;
      hint += ", not of the input";
    }
    named.hint = named.hint.empty() ? hint : named.hint + "; " + hint;
    throw named;
  }
}

// The module with known(function) for each function; the same when none changes.
template <class F>
Node known_module(const Builder& b, const Node& module, F&& known) {
  Builder::Entries functions;
  bool changed = false;
  for (const Map::Entry& e : module.to<ir::Module>().functions()) {
    try {
      functions.emplace_back(std::string(e.key()), known(as_node(e.value())));
    } catch (const Error& error) { throw led_by("function '" + std::string(e.key()) + "': ", error); }
    changed = changed || !as_node(functions.back().second).same_as(as_node(e.value()));
  }
  return changed ? b.with(module, ir::Module::Slot::functions, Value(b.map(functions))) : module;
}

// Refuses what stayed on the host because nothing took it.
void require_placed(const std::vector<Fact>& facts) {
  size_t asked = 0, left = 0;
  const Map* first = nullptr;
  for (const Fact& f : facts) {
    if (f.topic != "placement" || !f.data.is_map()) continue;
    ++asked;
    const Value* to = f.data.ref<Map>().find("to");
    const Value* when = f.data.ref<Map>().find("when");
    bool on_host = !to || !to->is_string() || to->as_string().empty() || (when && when->is_string());
    if (!on_host) continue;
    if (!first) first = &f.data.ref<Map>();
    ++left;
  }
  auto text = [&](const char* key) {
    const Value* v = first ? first->find(key) : nullptr;
    return v && v->is_string() ? std::string(v->as_string()) : std::string();
  };
  if (asked == 0)
    throw Error(TN_ERROR_UNSUPPORTED, "nothing may fall back to the host, and no pass of the pipeline places operators",
                {}, "add a pass that partitions, or leave out --no-fallback");
  if (left == 0) return;
  std::string more = left > 1 ? " (and " + std::to_string(left - 1) + " more)" : "";
  throw Error(TN_ERROR_UNSUPPORTED,
              "the operator " + text("operator") + " of the function '" + text("function") + "' stays on the host" +
                  (text("when").empty() ? "" : " unless " + text("when")) + more + ": " + text("reason"),
              text("where"), "allow the host to compute it by leaving out --no-fallback");
}

}  // namespace

Node PassManager::run_pass(const Stage& stage, const Node& given_module, std::vector<Diagnostic>& diagnostics,
                           std::vector<Fact>& facts) {
  const PassInfo& pass = *stage.pass;
  const Node module = pass.lowers_kinds ? source_.lower_graph_kinds(given_module) : given_module;
  const Builder& b = *environment_.builder;
  PassCode code = source_.open(pass);
  CompileContext context(environment_, module, pass.full_name());
  Value options = b.map_value(stage.options);
  auto take = [&] {
    for (Diagnostic& d : context.take_diagnostics()) diagnostics.push_back(std::move(d));
    for (Fact& f : context.take_facts()) facts.push_back(std::move(f));
  };
  // What the pass knows of the IR, unless it says that it leaves the rest alone.
  auto known = [&](const Node& tree) {
    return pass.preserves_unknown ? tree : as_node(convert_down(Value(tree), pass.consumes, "it"));
  };
  try {
    Node after;
    if (pass.level == Level::kModule) {
      if (!TN_HAS(code.table, run_module))
        throw Error(TN_ERROR_PLUGIN, "its plugin has no slot run_module, which passes of level module need", {},
                    bug_hint(pass));
      Node given = known_module(b, module, known);
      Value result = call_plugin(pass.plugin, "", [&](TnValue* ret) {
        return code.table->run_module(code.instance, context.c(), pass.name.c_str(), given.get(), options.ptr(), ret);
      });
      if (!result.is_node() || !as_node(result).is<ir::Module>())
        throw Error(TN_ERROR_PLUGIN, "returned " + kind_text(b, result) + " where ir.Module/1 is due", {},
                    bug_hint(pass));
      after = as_node(result).same_as(given) ? module : as_node(result);
    } else {
      if (!TN_HAS(code.table, run_function))
        throw Error(TN_ERROR_PLUGIN,
                    "its plugin has no slot run_function, which passes of level " +
                        std::string(level_name(pass.level)) + " need",
                    {}, bug_hint(pass));
      after = map_functions(b, pass, module, [&](const std::string& name, const Node& function) {
        try {
          Node given = known(function);
          Value result = call_plugin(pass.plugin, "", [&](TnValue* ret) {
            return code.table->run_function(code.instance, context.c(), pass.name.c_str(), name.c_str(), given.get(),
                                            options.ptr(), ret);
          });
          return result.is_node() && as_node(result).same_as(given) ? Value(function) : result;
        } catch (const Error& e) { throw led_by("function '" + name + "': ", e); }
      });
    }
    take();
    return after;
  } catch (const Error& e) {
    take();
    throw blamed(pass, led_by(pass.full_name() + ": ", e));
  }
}

RunResult PassManager::run(const Node& module, const Pipeline& pipeline, const RunOptions& options,
                           std::vector<Diagnostic>& diagnostics) {
  const Builder& b = *environment_.builder;
  size_t begin = 0, end = pipeline.stages.size();
  if (!options.start_from.empty()) begin = find_stage(pipeline, options.start_from, "start from");
  if (!options.stop_after.empty()) end = find_stage(pipeline, options.stop_after, "stop after") + 1;
  if (begin >= end && !pipeline.stages.empty() && !options.stop_after.empty())
    throw Error(TN_ERROR_ARGUMENT, "the pipeline is to stop before the stage that it is to start from");
  std::optional<ModuleDump> dump;
  if (!options.dump_dir.empty()) {
    dump.emplace(b, options.dump_dir);
    dump->write(0, "input", module);
  }
  if (options.verify) verify(b, module);
  RunResult result{module, {}, {}, {}};
  for (size_t i = begin; i < end; ++i) {
    const Stage& stage = pipeline.stages[i];
    PassRecord record{stage.pass->full_name(), i + 1, false, false, 0};
    Node before = result.module;
    if (environment_.cancelled && environment_.cancelled())
      throw Error(TN_ERROR_CANCELLED, "cancelled before the pass " + record.pass);
    if (options.disabled.contains(record.pass)) {
      record.disabled = true;
    } else {
      for (const auto& look : options.before) look(record, before);
      auto start = std::chrono::steady_clock::now();
      result.module = run_pass(stage, before, diagnostics, result.facts);
      record.milliseconds = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
      record.changed = !result.module.same_as(before);
    }
    if (record.changed && dump) dump->write(record.number, record.pass, result.module);
    if (record.changed && options.verify) verify_after(b, *stage.pass, before, result.module);
    for (const Instrument& instrument : options.instruments) instrument(record, before, result.module);
    result.records.push_back(std::move(record));
  }
  if (!options.fallback) require_placed(result.facts);
  return result;
}

}  // namespace tenon
