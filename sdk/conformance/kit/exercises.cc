#include "exercises.h"

#include <tenon/ext/codegen.h>
#include <tenon/ext/executor.h>
#include <tenon/ext/frontend.h>
#include <tenon/ext/linker.h>
#include <tenon/ext/op.h>
#include <tenon/ext/pass.h>
#include <unistd.h>

#include <climits>
#include <cmath>

#include "memory_source.h"

namespace tenon::conformance {

namespace {

// ---- Passes

struct PassInfo {
  std::string name, level;
  bool concurrent;
  Map options;
};

PassInfo pass_info(const Builder& b, const Value& row) {
  const Map& m = row.ref<Map>();
  return {text_of(m, "name"), text_of(m, "level"), m.find("concurrent")->as_bool(),
          default_options(b, m.find("options"))};
}

bool is_of_level(const std::string& level, const Node& f) {
  return level == "loop" ? f.is<tir::PrimFunc>() : f.is<relax::Function>();
}

// The pass on a module as the host would run it: once, or on each function of its level.
void add_pass(std::vector<Exercise>& out, const PassInfo& p, const Program& program, const Map& options,
              const std::string& suffix = "") {
  const std::string label = p.name + suffix + " on " + program.name;
  if (p.level == "module") {
    out.push_back({label,
                   false,
                   [=](Instance& i) {
                     auto* t = i.table<TnPass>(TN_PASS);
                     auto run = need(t, &TnPass::run_module, "run_module");
                     Value o(options);
                     return call_slot([&](TnValue* ret) {
                       return run(i.self(TN_PASS), i.context(program.module), p.name.c_str(), program.module.get(),
                                  o.ptr(), ret);
                     });
                   },
                   {Value(program.module)}});
    return;
  }
  for (const Map::Entry& e : program.module.to<ir::Module>().functions()) {
    if (!e.value().is_node() || !is_of_level(p.level, as_node(e.value()))) continue;
    const Node f = as_node(e.value());
    const std::string name(e.key());
    out.push_back({label + ", " + name,
                   p.concurrent,
                   [=](Instance& i) {
                     auto* t = i.table<TnPass>(TN_PASS);
                     auto run = need(t, &TnPass::run_function, "run_function");
                     Value o(options);
                     return call_slot([&](TnValue* ret) {
                       return run(i.self(TN_PASS), i.context(program.module), p.name.c_str(), name.c_str(), f.get(),
                                  o.ptr(), ret);
                     });
                   },
                   {Value(f)}});
  }
}

std::vector<Program> pass_programs(const Subject& s, bool few) {
  std::vector<Program> out = sample_programs(s), graph = graph_programs(s);
  for (const Program& p : graph) out.push_back(p);
  for (const Program& p : loop_programs(s)) out.push_back(p);
  size_t n = 0;
  for (const Program& p : graph)
    if (n++ < (few ? 1 : 2))
      for (const Program& state : states_of(s, p)) out.push_back(state);
  if (few && out.size() > 14) {  // every third, so that all levels are there
    std::vector<Program> kept;
    for (size_t i = 0; i < out.size(); ++i)
      if (i < 4 || i % 3 == 0) kept.push_back(out[i]);
    return kept;
  }
  return out;
}

// ---- Code generators and executors

std::vector<Program> lowered_programs(const Subject& s, bool few) {
  std::vector<Program> out, all = loop_programs(s);
  for (const Program& p : graph_programs(s)) all.push_back(p);
  for (const Program& p : sample_programs(s)) all.push_back(p);
  for (size_t i = 0; i < all.size() && out.size() < (few ? 3u : 100u); ++i) {
    std::vector<Program> states = states_of(s, all[i]);
    if (!states.empty()) out.push_back({all[i].name + ", lowered", states.back().module});
  }
  return out;
}

// Graph functions as a code generator of level graph is given them: normalised.
std::vector<Program> graph_functions(const Subject& s, bool few) {
  std::vector<Program> all = sample_programs(s), out;
  for (uint64_t seed = 1; seed <= (few ? 2u : 6u); ++seed) all.push_back(random_program(s, seed, seed % 2 == 0));
  for (const Program& p : graph_programs(s)) all.push_back(p);
  const Builder& b = s.b();
  for (const Program& p : all) try {
      Map done = s.session().run_pipeline(p.module, b.array({b.string("passes-graph:normalize")}), Value());
      out.push_back({p.name, as_node(*done.find("module"))});
    } catch (const Error&) { out.push_back(p); }
  return out;
}

void add_codegen(std::vector<Exercise>& out, const Program& p, const Map& options, const std::string& suffix = "") {
  out.push_back({"generate" + suffix + " for " + p.name,
                 true,
                 [=](Instance& i) {
                   auto* t = i.table<TnCodegen>(TN_CODEGEN);
                   auto run = need(t, &TnCodegen::generate, "generate");
                   Value o(options);
                   return call_slot([&](TnValue* ret) {
                     return run(i.self(TN_CODEGEN), i.context(p.module), p.module.get(), o.ptr(), ret);
                   });
                 },
                 {Value(p.module)}});
}

bool is_graph_codegen(const Subject& s) {
  const Value* c = s.info().find("codegen");
  return c && c->is_map() && text_of(c->ref<Map>(), "level") == "graph";
}

const Value* schemas(const Subject& s, const char* section) {
  const Value* c = s.info().find(section);
  return c && c->is_map() ? c->ref<Map>().find("options") : nullptr;
}

void add_executor(std::vector<Exercise>& out, const Program& p, const Map& options, const std::string& suffix = "") {
  out.push_back({"load and call" + suffix + " " + p.name,
                 true,
                 [=](Instance& i) {
                   const Builder& b = i.subject().b();
                   auto* t = i.table<TnExecutor>(TN_EXECUTOR);
                   auto run = need(t, &TnExecutor::load, "load");
                   Value o(options), imports(b.map({}));
                   Value functions = call_slot([&](TnValue* ret) {
                     return run(i.self(TN_EXECUTOR), i.context(p.module), p.module.get(), imports.ptr(), o.ptr(), ret);
                   });
                   if (!functions.is_map()) throw Violation{"V4", "load returned no map of functions"};
                   const Value* main = functions.ref<Map>().find("main");
                   if (!main || main->type_index() != TN_FUNCTION) throw Violation{"V4", "main is no function"};
                   return Value(b.array(outcome_of(b, *main, make_inputs(b, main_of(p.module)))));
                 },
                 {Value(p.module)}});
}

// ---- Operators

void add_op(std::vector<Exercise>& out, const Subject& s, const Map& op, const char* function) {
  (void)s;
  const std::string id = text_of(op, "id"), what = function;
  out.push_back(
      {what + " of " + id,
       true,
       [=](Instance& i) {
         auto* t = i.table<TnOp>(TN_OP);
         OpCall c = make_op_call(i, op, kFloat32);
         if (what == "evaluate") {
           auto run = need(t, &TnOp::evaluate, "evaluate");
           std::vector<TnValue> args(nodes(c.call.to<ir::Call>().args()).size(), Value(0.5).raw());
           return call_slot([&](TnValue* ret) {
             return run(i.self(TN_OP), i.context(Node()), c.call.get(), args.data(), static_cast<int32_t>(args.size()),
                        ret);
           });
         }
         auto run = what == "compute" ? need(t, &TnOp::compute, "compute") : need(t, &TnOp::infer_type, "infer_type");
         return call_slot([&](TnValue* ret) { return run(i.self(TN_OP), i.context(Node()), c.call.get(), ret); });
       },
       {}});
}

// ---- Frontends and linkers

void add_frontend(std::vector<Exercise>& out, const Subject& s, const std::string& name, const std::string& bytes) {
  (void)s;
  out.push_back({"import of " + name,
                 true,
                 [=](Instance& i) {
                   const Builder& b = i.subject().b();
                   MemorySource source(b, name, bytes);
                   auto* t = i.table<TnFrontend>(TN_FRONTEND);
                   auto run = need(t, &TnFrontend::import, "import");
                   Value o(b.map({}));
                   Node empty = b.make<ir::Module>({b.map({}), b.map({}), b.map({}), b.array({})});
                   Value module = call_slot([&](TnValue* ret) {
                     return run(i.self(TN_FRONTEND), i.context(empty), source.raw(), o.ptr(), ret);
                   });
                   if (!module.is_node() || !as_node(module).is<ir::Module>())
                     throw Violation{"V4", "import returned no module"};
                   i.subject().session().verify(as_node(module));
                   i.subject().session().verify(empty);  // a session keeps what it verified last
                   return module;
                 },
                 {}});
}

std::string scratch_file(const std::string& name) {
  const char* folder = std::getenv("TMPDIR");
  return std::string(folder && *folder ? folder : "/tmp") + "/tenon-check-" + std::to_string(getpid()) + "-" + name;
}

void write_bytes(const std::string& path, std::string_view bytes) {
  FILE* f = std::fopen(path.c_str(), "wb");
  if (!f || std::fwrite(bytes.data(), 1, bytes.size(), f) != bytes.size() || std::fclose(f) != 0)
    throw Error(TN_ERROR_IO, "cannot write", path);
}

Value link(Instance& i, const std::vector<std::string>& objects, const std::string& output) {
  const Builder& b = i.subject().b();
  auto* t = i.table<TnLinker>(TN_LINKER);
  auto run = need(t, &TnLinker::link, "link");
  std::vector<Value> names;
  for (const std::string& o : objects) names.push_back(b.string(o));
  Value list(b.array(names));
  return call_slot(
      [&](TnValue* ret) { return run(i.self(TN_LINKER), i.context(Node()), list.ptr(), output.c_str(), ret); });
}

void add_linker(std::vector<Exercise>& out, const Subject& s) {
  std::vector<Program> lowered = lowered_programs(s, true);
  if (lowered.empty()) return;
  Map payload;
  try {
    payload = s.session().generate(lowered[0].module, "", Value());
  } catch (const Error&) { return; }
  const std::string bytes(string_view_of(payload.find("bytes")->raw()));
  if (text_of(payload, "format") != "elf-object/1") return;
  out.push_back({"link of an object",
                 false,
                 [=](Instance& i) {
                   const std::string object = scratch_file("a.o"), library = scratch_file("a.so");
                   write_bytes(object, bytes);
                   struct Gone {
                     std::string a, c;
                     ~Gone() { unlink(a.c_str()), unlink(c.c_str()); }
                   } gone{object, library};
                   link(i, {object}, library);
                   return i.subject().b().string(read_bytes(library));
                 },
                 {}});
}

// ---- Wrong input

Node empty_module(const Builder& b) { return b.make<ir::Module>({b.map({}), b.map({}), b.map({}), b.array({})}); }

}  // namespace

Map default_options(const Builder& b, const Value* schemas, const std::string& name, const Value& value) {
  Builder::Entries out;
  if (schemas && schemas->is_map())
    for (const Map::Entry& e : schemas->ref<Map>()) {
      const Map& schema = e.value().ref<Map>();
      const Value* otherwise = schema.find("default");
      const std::string type = text_of(schema, "type");
      Value v = otherwise         ? *otherwise
                : type == "int"   ? Value(1)
                : type == "float" ? Value(1.0)
                : type == "bool"  ? Value(true)
                : type == "list"  ? Value(b.array({}))
                : type == "map"   ? Value(b.map({}))
                                  : b.string("");
      out.emplace_back(std::string(e.key()), e.key() == name ? value : v);
    }
  return b.map(out);
}

std::vector<Exercise> exercises(const Subject& s, bool few) {
  const Builder& b = s.b();
  std::vector<Exercise> out;
  if (s.provides(TN_PASS)) {
    const std::vector<Program> programs = pass_programs(s, few);
    for (const Value& row : s.list("passes")) {
      PassInfo p = pass_info(b, row);
      for (const Program& program : programs) add_pass(out, p, program, p.options);
    }
  }
  if (s.provides(TN_CODEGEN))
    for (const Program& p : is_graph_codegen(s) ? graph_functions(s, few) : lowered_programs(s, few))
      add_codegen(out, p, default_options(b, schemas(s, "codegen")));
  if (s.provides(TN_EXECUTOR))
    for (const Program& p : lowered_programs(s, few)) add_executor(out, p, default_options(b, schemas(s, "executor")));
  if (s.provides(TN_OP))
    for (const Value& row : s.list("ops"))
      for (const char* f : {"infer_type", "compute", "evaluate"})
        if (has_function(row.ref<Map>(), f)) add_op(out, s, row.ref<Map>(), f);
  if (s.provides(TN_FRONTEND)) {
    for (const std::string& path : s.options().samples)
      if (!path.ends_with(".py")) add_frontend(out, s, path.substr(path.rfind('/') + 1), read_bytes(path));
    add_frontend(out, s, "empty", "");
  }
  if (s.provides(TN_LINKER)) add_linker(out, s);
  add_extension_exercises(out, s, few);
  add_device_exercises(out, s, few);
  return out;
}

std::vector<Exercise> wrong_calls(const Subject& s) {
  const Builder& b = s.b();
  std::vector<Exercise> out;
  const Node module = empty_module(b), number = b.imm(1);
  const Node loop = b.make<tir::PrimFunc>({b.array({}), b.map({}), Value(), b.make<tir::Seq>({b.array({})})});
  const std::vector<Program> trees = {
      {"an empty module", module}, {"a number", number}, {"an empty loop function", loop}};
  const Map none = b.map({});
  auto bare = [&](const PassInfo& p, const std::string& name, const Node& tree, const Map& options) {
    return [=](Instance& i) {
      auto* t = i.table<TnPass>(TN_PASS);
      Value o(options);
      if (p.level == "module")
        return call_slot([&](TnValue* ret) {
          return need(t, &TnPass::run_module, "run_module")(i.self(TN_PASS), i.context(Node()), name.c_str(),
                                                            tree.get(), o.ptr(), ret);
        });
      return call_slot([&](TnValue* ret) {
        return need(t, &TnPass::run_function, "run_function")(i.self(TN_PASS), i.context(Node()), name.c_str(), "main",
                                                              tree.get(), o.ptr(), ret);
      });
    };
  };
  if (s.provides(TN_PASS))
    for (const Value& row : s.list("passes")) {
      PassInfo p = pass_info(b, row);
      for (const Program& t : trees)
        out.push_back({p.name + " on " + t.name, false, bare(p, p.name, t.module, p.options), {}});
      out.push_back({p.name + " without options", false, bare(p, p.name, p.level == "loop" ? loop : module, none), {}});
      out.push_back({"a pass of an unknown name", false, bare(p, "no-such-pass", module, p.options), {}});
    }
  if (s.provides(TN_CODEGEN))
    for (const Program& t : trees) add_codegen(out, t, none);
  if (s.provides(TN_EXECUTOR))
    for (const Program& t : trees)
      out.push_back({"load of " + t.name,
                     false,
                     [=](Instance& i) {
                       Value imports(i.subject().b().map({})), o(i.subject().b().map({}));
                       auto* x = i.table<TnExecutor>(TN_EXECUTOR);
                       return call_slot([&](TnValue* ret) {
                         return x->load(i.self(TN_EXECUTOR), i.context(Node()), t.module.get(), imports.ptr(), o.ptr(),
                                        ret);
                       });
                     },
                     {}});
  if (s.provides(TN_OP)) {
    const Node unknown = b.make<ir::Call>(
        {Value(), b.make<ir::Op>({Value(), b.string("com.vendor.no_such_op")}), b.array({}), b.map({}), b.array({})});
    std::vector<Program> calls = {{"a call of an unknown operator", unknown}, {"a number", number}};
    for (const Value& row : s.list("ops"))
      for (const char* kind : {"without arguments", "on a number", "with wrong attributes"}) {
        std::vector<Node> args;
        if (kind[0] == 'o' && kind[1] == 'n')
          args.assign(
              std::max<size_t>(1, row.ref<Map>().find("args") ? row.ref<Map>().find("args")->ref<Array>().size() : 1),
              number);
        Builder::Entries attrs;
        if (kind[5] == 'w')
          if (const Value* a = row.ref<Map>().find("attrs"); a && a->is_map())
            for (const Map::Entry& e : a->ref<Map>()) attrs.emplace_back(std::string(e.key()), b.string("wrong"));
        calls.push_back(
            {text_of(row.ref<Map>(), "id") + " " + kind,
             b.make<ir::Call>({Value(kFloat32), b.make<ir::Op>({Value(), b.string(text_of(row.ref<Map>(), "id"))}),
                               b.array(args), b.map(attrs), b.array({})})});
      }
    for (const Program& c : calls)
      for (int slot = 0; slot < 3; ++slot)
        out.push_back({std::string(slot == 0   ? "infer_type"
                                   : slot == 1 ? "compute"
                                               : "evaluate") +
                           " of " + c.name,
                       false,
                       [=](Instance& i) {
                         auto* t = i.table<TnOp>(TN_OP);
                         return call_slot([&](TnValue* ret) -> int {
                           const TnContext* context = i.context(Node());
                           if (slot == 0 && TN_HAS(t, infer_type))
                             return t->infer_type(i.self(TN_OP), context, c.module.get(), ret);
                           if (slot == 1 && TN_HAS(t, compute))
                             return t->compute(i.self(TN_OP), context, c.module.get(), ret);
                           if (slot == 2 && TN_HAS(t, evaluate))
                             return t->evaluate(i.self(TN_OP), context, c.module.get(), nullptr, 0, ret);
                           *ret = {TN_NONE, 0, {0}};
                           return 0;
                         });
                       },
                       {}});
  }
  if (s.provides(TN_FRONTEND))
    for (const char* bytes : {"", "\n", "x", "\377\377\377\377\377\377\377\377", "PK\003\004", "{\"a\": [1, 2"})
      add_frontend(out, s, std::to_string(std::strlen(bytes)) + " bytes of nothing", bytes);
  if (s.provides(TN_LINKER)) {
    struct Row {
      const char* name;
      std::vector<std::string> objects;
      std::string output;
    };
    for (const Row& row : {Row{"an object that is missing", {"/nonexistent/a.o"}, scratch_file("w.so")},
                           Row{"an output that cannot be", {"/nonexistent/a.o"}, "/nonexistent/folder/a.so"},
                           Row{"a folder as object", {"/"}, scratch_file("w.so")},
                           Row{"text as object", {"/etc/hostname"}, scratch_file("w.so")}})
      out.push_back({"link of " + std::string(row.name),
                     false,
                     [=](Instance& i) -> Value {
                       struct Gone {
                         std::string a;
                         ~Gone() { unlink(a.c_str()); }
                       } gone{row.output};
                       link(i, row.objects, row.output);
                       throw Violation{"R6", "it was linked all the same"};
                     },
                     {}});
  }
  add_extension_wrong_calls(out, s);
  add_device_wrong_calls(out, s);
  return out;
}

std::vector<Exercise> wild_options(const Subject& s) {
  const Builder& b = s.b();
  std::vector<Exercise> out;
  auto values = [&](const Map& schema) {
    const std::string type = text_of(schema, "type");
    std::vector<Value> v;
    if (const Value* choices = schema.find("choices"); choices && choices->is_array())
      for (const Value& c : choices->ref<Array>()) v.push_back(c);
    else if (type == "int")
      v = {Value(0), Value(-1), Value(INT64_MIN), Value(INT64_MAX)};
    else if (type == "float")
      v = {Value(0.0), Value(-1.0), Value(std::nan("")), Value(HUGE_VAL)};
    else if (type == "string")
      v = {b.string(""), b.string(std::string(1000, 'x')), b.string("\xff\xfe")};
    else if (type == "list")
      v = {Value(b.array({})), Value(b.array({Value(1), b.string("x"), Value()})), Value(b.array({Value(b.map({}))}))};
    else if (type == "map")
      v = {Value(b.map({})), Value(b.map({{"x", Value(1)}})), Value(b.map({{"codegen-llvm", b.string("x")}}))};
    return v;
  };
  auto each = [&](const Value* schemas, const std::function<void(const Map&, const std::string&)>& add) {
    if (!schemas || !schemas->is_map()) return;
    for (const Map::Entry& e : schemas->ref<Map>()) {
      size_t k = 0;
      for (const Value& v : values(e.value().ref<Map>()))
        add(default_options(b, schemas, std::string(e.key()), v),
            " with " + std::string(e.key()) + " at odd value " + std::to_string(++k));
    }
  };
  if (s.provides(TN_PASS)) {
    std::vector<Program> programs = pass_programs(s, true);
    if (programs.size() > 6) programs.resize(6);
    for (const Value& row : s.list("passes")) {
      PassInfo p = pass_info(b, row);
      each(row.ref<Map>().find("options"), [&](const Map& o, const std::string& suffix) {
        for (const Program& program : programs) add_pass(out, p, program, o, suffix);
      });
    }
  }
  if (s.provides(TN_CODEGEN) && schemas(s, "codegen"))
    for (const Program& p : is_graph_codegen(s) ? graph_functions(s, true) : lowered_programs(s, true))
      each(schemas(s, "codegen"), [&](const Map& o, const std::string& suffix) { add_codegen(out, p, o, suffix); });
  if (s.provides(TN_EXECUTOR) && schemas(s, "executor"))
    for (const Program& p : lowered_programs(s, true))
      each(schemas(s, "executor"), [&](const Map& o, const std::string& suffix) { add_executor(out, p, o, suffix); });
  return out;
}

}  // namespace tenon::conformance
