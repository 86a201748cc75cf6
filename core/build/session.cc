#include "build/session.h"

#include <algorithm>

#include "arith/analyzer.h"
#include "build/artifact_writer.h"
#include "build/canonical.h"
#include "build/catalog.h"
#include "build/execution_check.h"
#include "build/model_source.h"
#include "build/target.h"
#include "diag/suggest.h"
#include "diag/utf8.h"
#include "ir/vocabulary.h"
#include "pass/dump.h"
#include "pass/plugin_failure.h"
#include "tenon/ext/arith.h"
#include "tenon/ext/codegen.h"
#include "tenon/ext/draft/instrument.h"
#include "tenon/ext/executor.h"
#include "tenon/ext/linker.h"

namespace tenon {

Session::Session(PluginProvider& provider, bool validate, const std::vector<std::string>& conversions)
    : provider_(provider),
      builder_(tn_runtime(), ir_.table()),
      constants_(ir_.constants()),
      execute_(*this),
      codegen_(*this) {
  environment_.builder = &builder_;
  environment_.cancelled = [this] { return cancelled_.load(); };
  environment_.target = parse_target(builder_, "cpu");
  environment_.calls = provider.calls();
  if (validate) validation_ = std::make_unique<Validation>(conversions);
  instances_ = std::make_unique<PluginInstances>(
      provider, tn_runtime(), this,
      [](void* self, const char* id) -> const void* { return static_cast<Session*>(self)->service(id); },
      validation_.get());
  ops_ = std::make_unique<OpService>(builder_, provider, *instances_);
  kinds_ = std::make_unique<KindService>(provider, *instances_);
  plugins_ = std::make_unique<PluginService>(builder_, provider, *instances_, conversions);
  ir_.set_kinds([this] {
    std::call_once(kinds_declared_, [this] {
      for (const Error& e : kinds_->problems()) report({{TN_SEVERITY_WARNING, e.message, e.where, e.hint, ""}});
    });
  });
  ir_.set_ops([this]() -> const OpTable& { return ops_->op_table(); });
  ir_.set_inference([this](const Node& module) -> IrService::TypeInference {
    auto context = std::make_shared<CompileContext>(environment_, module, "verify");
    return [this, context](const Node& call) { return ops_->infer_type(context->c(), call); };
  });
}

Session::~Session() {
  functions_.clear();
  instances_.reset();
}

const void* Session::service(std::string_view id) {
  if (id == TN_HOST_IR) return ir_.table();
  if (id == TN_HOST_ARITH) return &arith_table();
  if (id == TN_HOST_OPS) return ops_->table();
  if (id == TN_HOST_CONSTANTS) return constants_.table();
  if (id == TN_HOST_EXECUTE) return execute_.table();
  if (id == TN_HOST_CODEGEN) return codegen_.table();
  if (id == TN_HOST_PLUGINS) return plugins_->table();
  if (id.starts_with("tenon.host.")) return nullptr;
  size_t colon = id.find(':');
  std::string_view plugin = colon == std::string_view::npos ? "" : id.substr(0, colon);
  std::string capability(colon == std::string_view::npos ? id : id.substr(colon + 1));
  for (const PluginInfo& p : provider_.plugins()) {
    if (!p.has(capability) || (!plugin.empty() && p.id != plugin)) continue;
    try {
      return instances_->table(p, capability.c_str());
    } catch (const Error& e) {
      report({{TN_SEVERITY_WARNING, e.message, e.where, e.hint, p.id}});
      return nullptr;
    }
  }
  return nullptr;
}

Node Session::parse(std::string_view text, const std::string& file) { return ir_.parse(text, file); }

std::string Session::print(const Value& tree) { return print_text(builder_, tree); }

void Session::verify(const Node& module) {
  call([&](TnValue* ret) { return ir_.table()->verify(ir_.table()->self, module.get(), ret); });
}

void Session::report(std::vector<Diagnostic> diagnostics) {
  std::scoped_lock lock(diagnostics_mutex_);
  for (Diagnostic& d : diagnostics) diagnostics_.push_back(std::move(d));
}

std::vector<Diagnostic> Session::take_diagnostics() {
  std::scoped_lock lock(diagnostics_mutex_);
  return std::exchange(diagnostics_, {});
}

PassCode Session::open(const PassInfo& pass) {
  PluginInstances::Use use = instances_->use(find_plugin(provider_, pass.plugin), TN_PASS);
  return {static_cast<const TnPass*>(use.table), use.instance};
}

Node Session::lower_graph_kinds(const Node& module) {
  return kinds_->lower(module, environment_, "to loops", KindService::Where::kGraph);
}

Node Session::readable(const Node& module, const PluginInfo& plugin, const std::string& purpose) {
  Node lowered = kinds_->lower(module, environment_, purpose);
  return as_node(convert_down(Value(lowered), std::max<int64_t>(plugin.consumes, 1), "the plugin '" + plugin.id + "'"));
}

Map Session::target_of(const std::string& text) {
  std::string kind = text.substr(0, text.find(':'));
  if (kind == "cpu" || kind == "native" || kind.empty()) return parse_target(builder_, text);
  std::vector<std::string> known{"cpu"};
  for (const PluginInfo& p : provider_.plugins())
    for (const TargetSchema& schema : p.targets) {
      if (schema.kind == kind) return parse_target(builder_, text, schema);
      known.push_back(schema.kind);
    }
  std::string list;
  for (const std::string& k : known) list += (list.empty() ? "" : ", ") + k;
  throw Error(TN_ERROR_NOT_FOUND, "no plugin that is installed declares the target '" + kind + "'", {},
              did_you_mean(kind, known, "there are: " + list));
}

RunResult Session::run(const Node& module, const Pipeline& pipeline, const RunOptions& given,
                       const std::vector<std::string>& instruments) {
  cancelled_ = false;
  struct Reported {  // handed over however the run ends
    Session& session;
    std::vector<Diagnostic> list;
    ~Reported() { session.report(std::move(list)); }
  } reported{*this, {}};
  RunOptions options = given;
  for (const std::string& id : instruments) add_instrument(id, options);
  if (!options.check_each) return PassManager(environment_, *this).run(module, pipeline, options, reported.list);
  auto imports = [this](const Node& m) { return this->imports(m); };
  ExecutionCheck check(builder_, execute_, imports, pipeline, options.dump_dir, options.check_steps);
  RunOptions checked = options;
  checked.instruments.push_back(
      [&](const PassRecord& record, const Node& before, const Node& after) { check.after(record, before, after); });
  RunResult result = PassManager(environment_, *this).run(module, pipeline, checked, reported.list);
  result.check = check.report();
  return result;
}

void Session::add_instrument(const std::string& given, RunOptions& options) {
  const PluginInfo& plugin = choose_plugin(provider_, given, TN_INSTRUMENT, "an instrument", nullptr);
  PluginInstances::Use use = instances_->use(plugin, TN_INSTRUMENT);
  auto* table = static_cast<const TnInstrument*>(use.table);
  const std::string id = plugin.id;
  auto describe = [this](const PassRecord& r) {
    return Value(builder_.map({{"pass", builder_.string(r.pass)},
                               {"number", Value(static_cast<int64_t>(r.number))},
                               {"changed", Value(r.changed)},
                               {"disabled", Value(r.disabled)},
                               {"milliseconds", Value(r.milliseconds)}}));
  };
  auto from = [id](const PassRecord& r) { return "the instrument " + id + " at " + r.pass; };
  if (TN_HAS(table, before_pass))
    options.before.push_back([=, this](const PassRecord& record, const Node& module) {
      Value what = describe(record);
      with_context(module, id, from(record), [&](const TnContext* context, TnValue* ret) {
        return table->before_pass(use.instance, context, what.ptr(), module.get(), ret);
      });
    });
  if (TN_HAS(table, after_pass))
    options.instruments.push_back([=, this](const PassRecord& record, const Node& before, const Node& after) {
      Value what = describe(record);
      with_context(after, id, from(record), [&](const TnContext* context, TnValue* ret) {
        return table->after_pass(use.instance, context, what.ptr(), before.get(), after.get(), ret);
      });
    });
}

Map Session::imports(const Node& module) {
  Builder::Entries entries;
  for (const auto& [name, function] : functions_) entries.emplace_back(name, function);
  std::vector<Payload> payloads = attached_payloads(module.to<ir::Module>());
  check_objects(Map(), "", payloads);
  for (const Payload& payload : payloads) {
    for (const Map::Entry& e : payload.exports)
      if (functions_.contains(std::string(e.key())))
        throw Error(TN_ERROR_DUPLICATE,
                    "the external function '" + std::string(e.key()) +
                        "' is registered, and a payload of the module (of '" + payload.codegen + "') implements it too",
                    {}, "register the function under another name");
    Link link = payload.is_object() ? link_with(module, "") : Link();
    for (const Map::Entry& e : open_payload(builder_, payload, builder_.map(entries), link, find_plugins()))
      entries.emplace_back(std::string(e.key()), e.value());
  }
  return builder_.map(entries);
}

// Those plugins whose manifests say that they load the format, or open devices of the kind.
Value Session::find_plugins() {
  return call([&](TnValue* ret) {
    return tn_runtime()->function(
        [](void* self, const TnValue* args, int32_t n, TnValue* r) -> int {
          auto& session = *static_cast<Session*>(static_cast<TnFunction*>(self)->context);
          return guard(tn_runtime(), r, [&]() -> Value {
            if (n != 2) throw Error(TN_ERROR_ARGUMENT, "a format and a device are expected");
            const std::string format(string_view_of(args[0])), device(string_view_of(args[1]));
            const std::string kind = device.substr(0, device.find(':'));
            auto is_among = [](const std::string& text, const std::vector<std::string>& list) {
              return std::find(list.begin(), list.end(), text) != list.end();
            };
            const std::string stem = format.substr(0, format.rfind('/'));
            auto reads = [&](const LoaderInfo& loader) {  // or another revision, which the message names
              for (const std::string& f : loader.formats)
                if (f.substr(0, f.rfind('/')) == stem) return true;
              return false;
            };
            std::vector<Value> found;
            for (const PluginInfo& p : session.provider_.plugins()) {
              if (!(p.loader && reads(*p.loader)) && !(p.device && is_among(kind, p.device->kinds))) continue;
              PluginInstances::Whole whole = session.instances_->whole(p);
              found.push_back(
                  call([&](TnValue* v) { return tn_runtime()->plugin_wrap(whole.table, whole.instance, nullptr, v); }));
            }
            return Value(session.builder_.array(found));
          });
        },
        this, nullptr, ret);
  });
}

Value Session::instantiate(const std::string& path, const Map& options) {
  Map all = options;
  if (!all.find("find_plugins")) all = builder_.with(all, "find_plugins", find_plugins());
  if (!all.find("imports")) {
    Builder::Entries entries;
    for (const auto& [name, function] : functions_) entries.emplace_back(name, function);
    all = builder_.with(all, "imports", Value(builder_.map(entries)));
  }
  Value given(all);
  return call([&](TnValue* ret) { return tn_runtime()->instantiate(path.c_str(), given.ptr(), ret); });
}

void Session::register_function(const std::string& name, const Value& function) {
  if (function.is_none()) {
    functions_.erase(name);
    return;
  }
  if (function.type_index() != TN_FUNCTION)
    throw Error(TN_ERROR_TYPE, "the external function '" + name + "' is " + value_kind(function) + ", not a function");
  functions_.insert_or_assign(name, function);
}

template <class F>
Value Session::with_context(const Node& module, const std::string& plugin, const std::string& from, F&& f) {
  CompileContext context(environment_, module, from);
  auto take = [&] { report(context.take_diagnostics()); };
  try {
    Value result = call_plugin(plugin, from + ": ", [&](TnValue* ret) { return f(context.c(), ret); });
    take();
    return result;
  } catch (const Error&) {
    take();
    throw;
  }
}

Map Session::load(const Node& module, std::string_view executor, const Map& options) {
  const PluginInfo& plugin = choose_plugin(provider_, executor, TN_EXECUTOR, "an executor", nullptr);
  Value complete = complete_options(builder_, plugin.executor->options, options, {"the executor " + plugin.id, {}});
  PluginInstances::Use use = instances_->use(plugin, TN_EXECUTOR);
  auto* table = static_cast<const TnExecutor*>(use.table);
  if (!TN_HAS(table, load))
    throw Error(TN_ERROR_PLUGIN, "the executor '" + plugin.id + "' " + plugin.version + " has no slot load",
                plugin.library, "this is a bug of the plugin: ask its vendor");
  Value imports = this->imports(module);
  const Node readable = this->readable(module, plugin, "to run it");
  return executor_functions(builder_, plugin.id, readable.to<ir::Module>(),
                            with_context(module, plugin.id, plugin.id, [&](const TnContext* context, TnValue* ret) {
                              return table->load(use.instance, context, readable.get(), imports.ptr(), complete.ptr(),
                                                 ret);
                            }));
}

// Says what can be read where no frontend is for files named like this one.
void Session::require_frontend(const std::string& path, const std::string& extension) {
  std::vector<std::string> known;
  std::string list;
  for (const PluginInfo& p : provider_.plugins())
    if (p.frontend)
      for (const std::string& e : p.frontend->extensions) {
        if (e == extension) return;
        known.push_back("." + e);
        list += "." + e + " (" + p.id + "), ";
      }
  if (known.empty()) return;  // that none is installed is said by who chooses one
  throw Error(TN_ERROR_NOT_FOUND,
              extension.empty() ? "the name of the model has no ending that says what it is"
                                : "no installed frontend reads ." + extension + " files",
              path,
              extension == "so" ? "an artifact is compiled already; tenon run and tenon check take it"
                                : did_you_mean("." + extension, extension.empty() ? std::vector<std::string>() : known,
                                               "what can be read: " + list + ".py (a module's text)"));
}

Node Session::import_model(const std::string& path, std::string_view frontend, const Map& constants) {
  std::string name = path.substr(path.rfind('/') + 1);
  std::string extension = name.rfind('.') == std::string::npos ? "" : name.substr(name.rfind('.') + 1);
  auto accepts = [&](const PluginInfo& p) {
    for (const std::string& e : p.frontend->extensions)
      if (e == extension) return true;
    return false;
  };
  ModelSource source(path, constants);
  if (frontend.empty()) require_frontend(path, extension);
  const PluginInfo& plugin =
      choose_plugin(provider_, frontend, TN_FRONTEND, "a frontend for ." + extension + " files", accepts);
  PluginInstances::Use use = instances_->use(plugin, TN_FRONTEND);
  auto* table = static_cast<const TnFrontend*>(use.table);
  if (!TN_HAS(table, import))
    throw Error(TN_ERROR_PLUGIN, "the frontend '" + plugin.id + "' " + plugin.version + " has no slot import",
                plugin.library, "this is a bug of the plugin: ask its vendor");
  Node empty = builder_.make<ir::Module>({builder_.map({}), builder_.map({}), builder_.map({}), builder_.array({})});
  Value options = builder_.map({});
  Value module = with_context(empty, plugin.id, plugin.id, [&](const TnContext* context, TnValue* ret) {
    return table->import(use.instance, context, &source.raw(), options.ptr(), ret);
  });
  if (!module.is_node() || !as_node(module).is<ir::Module>())
    throw Error(TN_ERROR_PLUGIN, "the frontend '" + plugin.id + "' returned " + value_kind(module) + ", not a module",
                {}, plugin_bug(plugin.id));
  source.require_all_used();
  try {
    verify(as_node(module));
  } catch (const Error& e) {
    throw illegal_module("the frontend '" + plugin.id + "' returned a module that is not legal: ", plugin.id, e);
  }
  const Value* main = as_node(module).to<ir::Module>().functions().find("main");
  const auto* graph = main ? as_node(*main).as<relax::Function>() : nullptr;
  const auto* loops = main ? as_node(*main).as<tir::PrimFunc>() : nullptr;
  if ((!graph && !loops) || !(graph ? graph->attrs() : loops->attrs()).find("global_symbol"))
    throw Error(TN_ERROR_PLUGIN,
                "the frontend '" + plugin.id + "' returned a module " +
                    (!main              ? "without a function `main`, which is the model"
                     : !graph && !loops ? "whose `main` has no body: it is the model"
                                        : "whose `main` is private: it is the model"),
                {}, plugin_bug(plugin.id));
  return as_node(module);
}

void Session::write_artifact_file(const Node& given, const std::string& path, std::string_view codegen,
                                  const Map& options, std::string_view linker, const std::string& lock) {
  const Node module = canonical_module(builder_, given);
  std::vector<Payload> payloads = attached_payloads(module.to<ir::Module>());
  check_objects(Map(), "", payloads);  // before code is generated for nothing
  Map payload;
  try {
    payload = generate(module, codegen, options);
  } catch (const Error&) {
    payload = generate(given, codegen, options);  // to say where the source is refused
  }
  write_artifact(
      builder_,
      {payload, module.to<ir::Module>(), environment_.target, lock, codegen_plugin(codegen).id, std::move(payloads)},
      link_with(module, linker), path);
}

Link Session::link_with(const Node& module, std::string_view linker) {
  const PluginInfo& plugin = linker_plugin(linker);
  PluginInstances::Use use = instances_->use(plugin, TN_LINKER);
  auto* table = static_cast<const TnLinker*>(use.table);
  if (!TN_HAS(table, link))
    throw Error(TN_ERROR_PLUGIN, "the linker '" + plugin.id + "' " + plugin.version + " has no slot link",
                plugin.library, "this is a bug of the plugin: ask its vendor");
  auto run = [this, module, use, table, id = plugin.id](const Array& objects, const std::string& output) {
    Value list = objects;
    with_context(module, id, id, [&](const TnContext* context, TnValue* ret) {
      return table->link(use.instance, context, list.ptr(), output.c_str(), ret);
    });
  };
  return {plugin.id, std::move(run)};
}

const PluginInfo& Session::linker_plugin(std::string_view id) {
  return choose_plugin(provider_, id, TN_LINKER, "a linker", nullptr);
}

const PluginInfo& Session::codegen_plugin(std::string_view id) {
  const Value* kind = environment_.target.find("kind");
  auto accepts = [&](const PluginInfo& p) {
    if (p.codegen->level != Level::kLoop) return false;
    for (const std::string& t : p.codegen->targets)
      if (kind && t == kind->as_string()) return true;
    return false;
  };
  return choose_plugin(provider_, id, TN_CODEGEN, "a code generator", accepts);
}

Map Session::generate(const Node& module, std::string_view codegen, const Map& options) {
  const PluginInfo& plugin = codegen_plugin(codegen);
  Value complete =
      complete_options(builder_, plugin.codegen->options, options, {"the code generator " + plugin.id, {}});
  PluginInstances::Use use = instances_->use(plugin, TN_CODEGEN);
  auto* table = static_cast<const TnCodegen*>(use.table);
  if (!TN_HAS(table, generate))
    throw Error(TN_ERROR_PLUGIN, "the code generator '" + plugin.id + "' " + plugin.version + " has no slot generate",
                plugin.library, "this is a bug of the plugin: ask its vendor");
  const Node readable = this->readable(module, plugin, "to generate code");
  Value payload = with_context(module, plugin.id, plugin.id, [&](const TnContext* context, TnValue* ret) {
    return table->generate(use.instance, context, readable.get(), complete.ptr(), ret);
  });
  if (!payload.is_map())
    throw Error(TN_ERROR_PLUGIN,
                "the code generator '" + plugin.id + "' returned " + value_kind(payload) + ", not a payload", {},
                plugin_bug(plugin.id));
  check_payload(payload.ref<Map>(), plugin.id, module.to<ir::Module>());
  const std::string format(payload.ref<Map>().find("format")->as_string());
  const std::vector<std::string>& listed = plugin.codegen->formats;
  if (std::find(listed.begin(), listed.end(), format) == listed.end())
    refuse_payload(plugin.id, "its format '" + shortened(format) + "' is not among those of the plugin's manifest");
  return payload.ref<Map>();
}

}  // namespace tenon
