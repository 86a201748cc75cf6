// tn_compiler: the C table of libtenon over Session and Registry.
#include "tenon/compiler.h"

#include <set>

#include "build/catalog.h"
#include "build/session.h"
#include "build/target.h"
#include "diag/temporary.h"
#include "ir/ir_table.h"
#include "pass/dump.h"
#include "registry/describe.h"
#include "registry/lock.h"
#include "registry/package/actions.h"
#include "registry/probe/quarantine.h"
#include "registry/registry.h"
#include "registry/worker/isolated.h"

using namespace tenon;

// The registry and the session that uses it; the session goes first.
struct TnSession {
  TnSession(RegistryOptions options, bool validate)
      : registry(b, std::move(options), reinterpret_cast<const void*>(&tn_compiler)),
        session(registry, validate, Registry::conversions()) {}
  Builder b = core_builder();
  Registry registry;
  Session session;
};

namespace {

// Reads the entries of an options map; unknown keys and wrong types are refused by complete_options.
struct Options {
  Options(const Builder& b, const TnValue* given, const OptionSchemas& schemas, const char* what) {
    Map m;
    if (given && given->type_index == TN_MAP)
      m = Value::view(*given).ref<Map>();
    else if (given && given->type_index != TN_NONE)
      throw Error(TN_ERROR_TYPE,
                  "the options of " + std::string(what) + " are a map, not " + value_kind(Value::view(*given)));
    map = complete_options(b, schemas, m, {what, {}});
  }
  const Value& operator[](std::string_view key) const { return *map.find(key); }
  std::string text(std::string_view key) const { return std::string((*this)[key].as_string()); }
  bool flag(std::string_view key) const { return (*this)[key].as_bool(); }
  std::vector<std::string> texts(std::string_view key) const {
    std::vector<std::string> out;
    const Value& v = (*this)[key];
    if (v.is_array())
      for (const Value& item : v.ref<Array>()) out.emplace_back(item.as_string());
    return out;
  }
  Map map;
};

OptionSchema row(const char* name, OptionType type, Value fallback = {}) {
  return {name, type, false, std::move(fallback), {}, ""};
}

const TnRuntime* rt() { return tn_runtime(); }

// The fence of a slot: f(session's parts) -> Value.
template <class F>
int slot(TnValue* ret, F&& f) {
  return guard(rt(), ret, std::forward<F>(f));
}

IsolationSettings isolation_of(const Builder& b, const Value& which, const Value& given) {
  IsolationSettings s;
  const Options o(b, given.ptr(),
                  {row("deadline_ms", OptionType::kInt, Value(s.deadline_ms)),
                   row("memory_mb", OptionType::kInt, Value(int64_t{0})), row("repro_dir", OptionType::kString),
                   row("keep_weights", OptionType::kBool, Value(false)),
                   row("probe_deadline_ms", OptionType::kInt, Value(s.probe_deadline_ms))},
                  "'isolation'");
  auto number = [&](const char* key, int64_t least, int64_t most) {
    int64_t n = o[key].as_int();
    if (n < least || n > most) throw Error(TN_ERROR_ARGUMENT, isolation_problem(key, n, most));
    return n;
  };
  s.deadline_ms = number("deadline_ms", 1, kMostMs);
  s.memory_bytes = static_cast<uint64_t>(number("memory_mb", 0, kMostMemoryMb)) << 20;
  s.repro_dir = o.text("repro_dir");
  s.keep_weights = o.flag("keep_weights");
  s.probe_deadline_ms = number("probe_deadline_ms", 1, kMostMs);
  if (which.is_bool())
    s.all = which.as_bool();
  else if (which.is_array())
    for (const Value& id : which.ref<Array>()) s.ids.emplace(id.as_string());
  else if (!which.is_none())
    throw Error(TN_ERROR_TYPE, "'isolate' is true, false or an array of plugin ids, not " + value_kind(which));
  return s;
}

// TENON_VALIDATE=1; a program with more rights than its user does not listen to it.
bool is_validation_asked_for() {
  const char* asked = secure_getenv("TENON_VALIDATE");
  return asked && std::string_view(asked) == "1";
}

// What a caller names by id must be there: an unknown name that is passed over would look as if it were heeded.
void require_asked_for(Registry& registry, const std::vector<std::string>& use, const Value& isolate) {
  if (isolate.is_array())
    for (const Value& id : isolate.ref<Array>()) find_plugin(registry, id.as_string());
  for (const std::string& line : use) {
    const size_t equals = line.find('=');
    if (equals == std::string::npos) continue;  // refused where it is read
    const std::string id = line.substr(0, equals), version = line.substr(equals + 1);
    const PluginInfo& here = find_plugin(registry, id);
    if (here.version == version || (!here.digest.empty() && here.digest.starts_with(version))) continue;
    throw Error(TN_ERROR_NOT_FOUND, "the version " + version + " of the plugin '" + id + "' is not installed",
                here.manifest, "installed is " + here.version + (here.digest.empty() ? "" : ", " + here.digest));
  }
}

int session_create(const TnValue* options, TnSession** session, TnValue* ret) {
  return slot(ret, [&] {
    Builder b = core_builder();
    const Options o(b, options,
                    {row("plugin_dirs", OptionType::kList), row("config", OptionType::kString),
                     row("search_defaults", OptionType::kBool, Value(true)), row("target", OptionType::kString),
                     row("isolate", OptionType::kAny), row("isolation", OptionType::kMap),
                     row("probe", OptionType::kBool, Value(true)),
                     row("validate", OptionType::kBool, Value(is_validation_asked_for())),
                     row("policy", OptionType::kString), row("use", OptionType::kList)},
                    "a session");
    auto made =
        std::make_unique<TnSession>(RegistryOptions{o.texts("plugin_dirs"), o.text("config"), o.flag("search_defaults"),
                                                    isolation_of(b, o["isolate"], o["isolation"]), o.flag("probe"),
                                                    o.text("policy"), o.texts("use")},
                                    o.flag("validate"));
    require_asked_for(made->registry, o.texts("use"), o["isolate"]);
    if (!o.text("target").empty()) made->session.set_target(made->session.target_of(o.text("target")));
    *session = made.release();
    return Value();
  });
}

void session_destroy(TnSession* session) { delete session; }

int plugins(TnSession* s, TnValue* ret) {
  return slot(ret, [&] { return describe_plugins(s->session, s->registry); });
}

int load_plugin_slot(TnSession* s, const char* id, TnValue* ret) {
  return slot(ret, [&] {
    const PluginInfo& plugin = find_plugin(s->registry, id);
    if (!plugin.provides.empty()) s->session.instances().use(plugin, plugin.provides[0].c_str());
    return Value();
  });
}

int pipelines(TnSession* s, TnValue* ret) {
  return slot(ret, [&] { return texts_value(s->b, s->registry.pipeline_names()); });
}

int pipeline(TnSession* s, const char* name_or_file, TnValue* ret) {
  return slot(ret, [&] {
    return describe_pipeline(s->b, s->registry, s->registry.pipeline(name_or_file, s->session.target()));
  });
}

int check_manifest(TnSession* s, const char* file, TnValue* ret) {
  return slot(ret, [&] { return describe_complaints(s->b, read_manifest(s->b, file).complaints); });
}

int target(TnSession* s, TnValue* ret) {
  return slot(ret, [&] { return s->b.map_value(s->session.target()); });
}

int set_target(TnSession* s, const char* text, TnValue* ret) {
  return slot(ret, [&] {
    s->session.set_target(s->session.target_of(text));
    return Value();
  });
}

const void* service(TnSession* s, const char* id) {
  try {
    return s->session.service(id);
  } catch (...) { return nullptr; }
}

int parse(TnSession* s, const char* text, size_t size, const char* file, TnValue* ret) {
  return slot(ret, [&] { return s->session.parse({text, size}, file); });
}

int print(TnSession* s, const TnValue* tree, TnValue* ret) {
  return slot(ret, [&] { return s->b.string(s->session.print(Value::view(*tree))); });
}

int verify(TnSession* s, const TnNode* module, TnValue* ret) {
  return slot(ret, [&] {
    s->session.verify(Builder::borrow(module));
    return Value();
  });
}

Stage stage_of(TnSession* s, const Value& v) {
  if (v.is_string()) return parse_stage(s->b, s->registry, std::string(v.as_string()));
  const Value* pass = v.is_map() ? v.ref<Map>().find("pass") : nullptr;
  const Value* options = v.is_map() ? v.ref<Map>().find("options") : nullptr;
  if (!pass || !pass->is_string() || (options && !options->is_map()))
    throw Error(TN_ERROR_TYPE, "a stage is a string or a map {pass, options}, not " + value_kind(v));
  return make_stage(s->b, s->registry, pass->as_string(), options ? options->ref<Map>() : Map(), "");
}

Pipeline pipeline_of(TnSession* s, const Value& v) {
  if (v.is_string()) {
    std::string name(v.as_string());
    PipelineResult r = s->registry.pipeline(name, s->session.target());
    raise(r.complaints, "tenon pipeline check " + name);
    return r.pipeline;
  }
  if (!v.is_array()) throw Error(TN_ERROR_TYPE, "a pipeline is a string or an array of stages, not " + value_kind(v));
  Pipeline p;
  for (const Value& stage : v.ref<Array>()) p.stages.push_back(stage_of(s, stage));
  return p;
}

// Wraps a function value as an instrument.
Instrument instrument_of(const Builder& b, const Value& function) {
  if (function.type_index() != TN_FUNCTION)
    throw Error(TN_ERROR_TYPE, "'on_pass' takes a function, not " + value_kind(function));
  return [&b, function](const PassRecord& record, const Node& before, const Node& after) {
    const Value args[] = {describe_record(b, record), Value(before), Value(after)};
    auto* f = reinterpret_cast<TnFunction*>(function.raw().as.object);
    call([&](TnValue* ret) { return f->call(f, reinterpret_cast<const TnValue*>(args), 3, ret); });
  };
}

int run_pipeline(TnSession* s, const TnNode* module, const TnValue* pipeline_value, const TnValue* options,
                 TnValue* ret) {
  return slot(ret, [&] {
    const Options o(s->b, options,
                    {row("verify", OptionType::kBool, Value(true)), row("dump_dir", OptionType::kString),
                     row("stop_after", OptionType::kString), row("start_from", OptionType::kString),
                     row("disable", OptionType::kList), row("on_pass", OptionType::kAny),
                     row("check_each", OptionType::kBool, Value(false)), row("instruments", OptionType::kList),
                     row("fallback", OptionType::kBool, Value(true)),
                     row("check_steps", OptionType::kInt, Value(RunOptions().check_steps))},
                    "run_pipeline");
    RunOptions run;
    run.verify = o.flag("verify");
    run.fallback = o.flag("fallback");
    run.dump_dir = o.text("dump_dir");
    run.stop_after = o.text("stop_after");
    run.start_from = o.text("start_from");
    run.check_each = o.flag("check_each");
    run.check_steps = o["check_steps"].as_int();
    for (const std::string& name : o.texts("disable")) run.disabled.insert(find_pass(s->registry, name)->full_name());
    if (!o["on_pass"].is_none()) run.instruments.push_back(instrument_of(s->b, o["on_pass"]));
    RunResult result = s->session.run(Builder::borrow(module), pipeline_of(s, Value::view(*pipeline_value)), run,
                                      o.texts("instruments"));
    std::vector<Value> records;
    for (const PassRecord& r : result.records) records.push_back(describe_record(s->b, r));
    std::vector<Value> facts;
    for (const Fact& f : result.facts)
      facts.push_back(
          Value(s->b.map({{"topic", s->b.string(f.topic)}, {"from", s->b.string(f.from)}, {"data", f.data}})));
    Builder::Entries entries{{"module", result.module}, {"passes", s->b.array(records)}, {"facts", s->b.array(facts)}};
    if (run.check_each) entries.emplace_back("check", result.check);
    return Value(s->b.map(entries));
  });
}

void cancel(TnSession* s) { s->session.cancel(); }

int diagnostics(TnSession* s, TnValue* ret) {
  return slot(ret, [&] { return describe_diagnostics(s->b, s->session.take_diagnostics()); });
}

int register_function(TnSession* s, const char* name, const TnValue* function, TnValue* ret) {
  return slot(ret, [&] {
    s->session.register_function(name, Value::view(*function));
    return Value();
  });
}

// A map, none, or the text of one: {opt_level: 3}.
Map options_of(TnSession* s, const TnValue* given) {
  if (!given || given->type_index == TN_NONE) return Map();
  Value v = Value::share(*given);
  if (v.is_string()) {
    const std::string from = "the options";
    v = yaml_value(s->b, parse_yaml(std::string(v.as_string()), from), from);
  }
  if (!v.is_map()) throw Error(TN_ERROR_TYPE, "options are a map, such as {opt_level: 3}, not " + value_kind(v));
  return v.ref<Map>();
}

int load(TnSession* s, const TnNode* module, const char* executor, const TnValue* options, TnValue* ret) {
  return slot(
      ret, [&] { return s->session.load(Builder::borrow(module), executor ? executor : "", options_of(s, options)); });
}

int generate(TnSession* s, const TnNode* module, const char* codegen, const TnValue* options, TnValue* ret) {
  return slot(ret, [&] {
    return s->session.generate(Builder::borrow(module), codegen ? codegen : "", options_of(s, options));
  });
}

int import_model(TnSession* s, const char* path, const TnValue* options, TnValue* ret) {
  return slot(ret, [&] {
    const Options o(s->b, options, {row("frontend", OptionType::kString), row("constants", OptionType::kMap)},
                    "the options of import_model");
    Map constants = o["constants"].is_map() ? o["constants"].ref<Map>() : Map();
    return s->session.import_model(path, o.text("frontend"), constants);
  });
}

int compile(TnSession* s, const TnNode* module, const char* path, const TnValue* options, TnValue* ret) {
  return slot(ret, [&] {
    const Options o(s->b, options,
                    {row("codegen", OptionType::kString), row("codegen_options", OptionType::kMap),
                     row("linker", OptionType::kString), row("lock", OptionType::kString)},
                    "the options of compile");
    Map codegen_options = o["codegen_options"].is_map() ? o["codegen_options"].ref<Map>() : Map();
    s->session.write_artifact_file(Builder::borrow(module), path, o.text("codegen"), codegen_options, o.text("linker"),
                                   o.text("lock"));
    return Value();
  });
}

int save(TnSession* s, const TnNode* module, const char* path, TnValue* ret) {
  return slot(ret, [&] {
    std::set<std::string> written;
    write_module_text(s->session.builder(), Builder::borrow(module), path, written);
    return Value();
  });
}

int lock(TnSession* s, const TnValue* parts, TnValue* ret) {
  return slot(ret, [&] {
    const Options o(s->b, parts,
                    {{"pipeline", OptionType::kAny, true, {}, {}, ""},
                     row("name", OptionType::kString),
                     row("stop_after", OptionType::kString),
                     row("disable", OptionType::kList),
                     row("codegen", OptionType::kString),
                     row("linker", OptionType::kString),
                     row("codegen_options", OptionType::kMap),
                     row("others", OptionType::kList),
                     row("complete", OptionType::kBool, Value(false))},
                    "a lock");
    LockParts p;
    p.core_version = TENON_VERSION;
    p.pipeline = pipeline_of(s, o["pipeline"]);
    if (!o.text("name").empty()) p.pipeline.name = o.text("name");
    std::vector<Stage>& stages = p.pipeline.stages;
    if (!o.text("stop_after").empty()) stages.resize(find_stage(p.pipeline, o.text("stop_after"), "stop after") + 1);
    for (const std::string& name : o.texts("disable"))
      std::erase_if(stages, [pass = find_pass(s->registry, name)->full_name()](const Stage& stage) {
        return stage.pass->full_name() == pass;
      });
    p.target = s->session.target();
    const PluginInfo& codegen = s->session.codegen_plugin(o.text("codegen"));
    p.codegen = codegen.id;
    Map given = o["codegen_options"].is_map() ? o["codegen_options"].ref<Map>() : Map();
    p.codegen_options =
        complete_options(s->b, codegen.codegen->options, given, {"the code generator " + codegen.id, {}});
    p.linker = s->session.linker_plugin(o.text("linker")).id;
    p.others = o.texts("others");
    p.complete = o.flag("complete");
    if (p.complete)
      for (const PluginInfo& plugin : s->registry.plugins())
        if (s->session.instances().is_loaded(plugin.id)) p.others.push_back(plugin.id);
    return s->b.string(lock_text(s->registry, p));
  });
}

int read_lock_slot(TnSession* s, const char* text, size_t size, const char* file, const TnValue* options,
                   TnValue* ret) {
  return slot(ret, [&] {
    const Options o(s->b, options,
                    {row("use", OptionType::kBool, Value(false)), row("same_target", OptionType::kBool, Value(false))},
                    "reading a lock");
    LockReading r = read_lock(s->b, s->registry, TENON_VERSION, std::string(text, size), file,
                              o.flag("same_target") ? &s->session.target() : nullptr);
    if (o.flag("use")) {
      raise(r.differences, "tenon pipeline check " + std::string(file));
      s->session.set_target(r.lock.find("target")->ref<Map>());
    }
    return Value(
        s->b.map({{"lock", s->b.map_value(r.lock)}, {"differences", describe_complaints(s->b, r.differences)}}));
  });
}

int instantiate(TnSession* s, const char* path, const TnValue* options, TnValue* ret) {
  return slot(ret, [&] {
    Map given = options && options->type_index == TN_MAP ? Value::view(*options).ref<Map>() : s->b.map({});
    return s->session.instantiate(path, given);
  });
}

Value standing_value(const Builder& b, const Standing& s) {
  return b.map({{"state", b.string(s.state)}, {"reason", b.string(s.reason)}, {"since", b.string(s.since)}});
}

int probe(TnSession* s, const char* id, TnValue* ret) {
  return slot(ret, [&] { return standing_value(s->b, s->registry.probe(find_plugin(s->registry, id))); });
}

int replay(TnSession* s, const char* folder, TnValue* ret) {
  return slot(ret, [&] { return worker::replay_folder(s->session, s->registry, folder); });
}

void note_signal(int number) {
  Journal::note_signal(number);
  remove_temporaries();
}

int violations(TnSession* s, int finish, TnValue* ret) {
  return slot(ret, [&] {
    std::vector<Value> out;
    if (Validation* validation = s->session.validation()) {
      if (finish) s->session.instances().destroy_all();
      for (const Validation::Report& r : validation->take_reports())
        out.push_back(s->b.map({{"rule", s->b.string(r.rule)},
                                {"plugin", s->b.string(r.plugin)},
                                {"during", s->b.string(r.during)},
                                {"message", s->b.string(r.message)}}));
    }
    return Value(s->b.array(out));
  });
}

int package(TnSession* s, const char* action, const TnValue* options, TnValue* ret) {
  return slot(ret, [&] { return package_action(s->b, s->registry, action, options_of(s, options)); });
}

}  // namespace

extern "C" TN_EXPORT const TnCompiler* tn_compiler(void) {
  static const TnCompiler table = {sizeof(TnCompiler),
                                   TN_ABI_VERSION,
                                   TN_IR_VOCABULARY,
                                   TENON_VERSION,
                                   tn_runtime(),
                                   session_create,
                                   session_destroy,
                                   plugins,
                                   load_plugin_slot,
                                   pipelines,
                                   pipeline,
                                   check_manifest,
                                   target,
                                   set_target,
                                   service,
                                   parse,
                                   print,
                                   verify,
                                   run_pipeline,
                                   cancel,
                                   diagnostics,
                                   register_function,
                                   load,
                                   generate,
                                   import_model,
                                   compile,
                                   save,
                                   instantiate,
                                   lock,
                                   read_lock_slot,
                                   probe,
                                   replay,
                                   note_signal,
                                   violations,
                                   package};
  return &table;
}
