// The checks of what a plugin computes: against the interpreter, and against what it says itself.
#include <tenon/cxx/numbers.h>
#include <tenon/ext/codegen.h>
#include <tenon/ext/executor.h>
#include <tenon/ext/frontend.h>
#include <tenon/ext/op.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <random>
#include <thread>

#include "check.h"
#include "matches.h"
#include "meaning.h"
#include "memory_source.h"

namespace tenon::conformance {

namespace {

constexpr DLDataType kDtypes[] = {make_dtype(kDLFloat, 32),
                                  make_dtype(kDLFloat, 64),
                                  make_dtype(kDLFloat, 16),
                                  make_dtype(kDLBfloat, 16),
                                  make_dtype(kDLInt, 8),
                                  make_dtype(kDLInt, 16),
                                  make_dtype(kDLInt, 32),
                                  make_dtype(kDLInt, 64),
                                  make_dtype(kDLUInt, 8),
                                  make_dtype(kDLUInt, 16),
                                  make_dtype(kDLUInt, 32),
                                  make_dtype(kDLUInt, 64),
                                  kBool};

std::vector<Program> corpus(const Subject& s, uint64_t random) {
  std::vector<Program> all = sample_programs(s);
  for (uint64_t seed = 1; seed <= random; ++seed) all.push_back(random_program(s, seed, seed % 2 == 0));
  for (const Program& p : graph_programs(s)) all.push_back(p);
  return all;
}

}  // namespace

void check_pass_meaning(const Subject& s, Findings& f) {
  if (!needs_interpreter(s, f)) return;
  const Builder& b = s.b();
  std::vector<Program> programs = corpus(s, 4);
  for (const Program& p : loop_programs(s)) programs.push_back(p);
  for (size_t k = 0, n = programs.size(); k < n; ++k)
    if (k % 3 == 0)
      for (const Program& state : states_of(s, programs[k])) programs.push_back(state);
  for (const Value& row : s.list("passes")) {
    const std::string pass = s.id() + ":" + text_of(row.ref<Map>(), "name");
    size_t changed = 0, same = 0, refused = 0, unchecked = 0;
    for (const Program& p : programs) {
      f.at(pass + " on " + p.name);
      try {
        Map done = s.session().run_pipeline(p.module, b.array({b.string(pass)}),
                                            b.map({{"check_each", Value(true)}, {"check_steps", Value(20'000'000)}}));
        const Map& check = done.find("check")->ref<Map>();
        if (!check.find("not_checked")->ref<Array>().empty()) ++unchecked;
        (as_node(*done.find("module")).same_as(p.module) ? same : changed)++;
      } catch (const Error& e) {
        if (is_bug(e)) f.fail(e.code == TN_ERROR_VERIFY ? "N4" : "R2", e.message);
        ++refused;
      }
    }
    f.note(pass + ": changed " + std::to_string(changed) + ", unchanged " + std::to_string(same) + ", refused " +
           std::to_string(refused) + (unchecked ? ", could not be run " + std::to_string(unchecked) : ""));
  }
}

namespace {

// The part of a graph goes to the code generator; what is left calls it.
Node handed_over(const Subject& s, const Node& module) {
  const Builder& b = s.b();
  const auto& part = main_of(module).to<relax::Function>();
  Builder::Entries attrs;
  for (const auto& [key, value] : Builder::entries(part.attrs()))
    if (key != "global_symbol") attrs.emplace_back(key, value);
  attrs.emplace_back("codegen", b.string(s.id()));
  Node inner = b.with(part, relax::FunctionSlot::attrs, b.map(attrs));
  if (const auto* body = part.body().as<relax::SeqExpr>(); body && part.ret_type().is_none())
    inner = b.with(inner, relax::FunctionSlot::ret_type, body->body().slot(0));
  // The caller is a copy of the function whose body is the call.
  Node outer = as_node(b.renew(Value(main_of(module))));
  const auto& caller = outer.to<relax::Function>();
  std::vector<Node> args;
  for (const Node& p : nodes(caller.params())) args.push_back(p);
  Node call = b.make<ir::Call>(
      {Value(), b.make<ir::GlobalVar>({Value(), b.string("part")}), b.array(args), b.map({}), b.array({})});
  Node var = b.make<ir::Var>({Value(), b.string("r")});
  Node binding = b.make<relax::VarBinding>({call, var});
  Node block = b.make<relax::BindingBlock>({b.array({Value(binding)})});
  Node body = b.make<relax::SeqExpr>({Value(), b.array({Value(block)}), var});
  outer = b.with(outer, relax::FunctionSlot::body, body);
  Builder::Entries functions;
  for (const Map::Entry& e : module.to<ir::Module>().functions())
    if (e.key() != "main") functions.emplace_back(std::string(e.key()), e.value());
  functions.emplace_back("part", inner);
  functions.emplace_back("main", outer);
  return b.with(module, ir::ModuleSlot::functions, b.map(functions));
}

// Runs what the code generator under test made of a lowered module, through an artifact.
std::vector<Value> compiled_outcome(const Subject& s, const Node& module, const std::vector<Value>& inputs) {
  const Builder& b = s.b();
  const char* folder = std::getenv("TMPDIR");
  const std::string path =
      std::string(folder && *folder ? folder : "/tmp") + "/tenon-check-" + std::to_string(getpid()) + ".so";
  s.session().compile(module, path, b.map({{"codegen", b.string(s.id())}}));
  Value opened;
  try {
    opened = call([&](TnValue* ret) { return b.runtime()->artifact_open(path.c_str(), nullptr, 1, ret); });
  } catch (...) {
    unlink(path.c_str());
    throw;
  }
  unlink(path.c_str());
  const Value* main = opened.ref<Map>().find("functions")->ref<Map>().find("main");
  if (!main) throw Error(TN_ERROR_PLUGIN, "the artifact has no function main");
  return outcome_of(b, *main, inputs);
}

}  // namespace

void check_codegen_meaning(const Subject& s, Findings& f) {
  if (!needs_interpreter(s, f)) return;
  const bool is_graph = text_of(s.info().find("codegen")->ref<Map>(), "level") == "graph";
  std::vector<Program> programs = corpus(s, 12);
  if (!is_graph)
    for (const Program& p : loop_programs(s)) programs.push_back(p);
  // What partitioners hand to it.
  for (const Value& p : s.plugins())
    if (is_graph && codegen_of(p.ref<Map>()) == s.id() && !patterns_of(s, p.ref<Map>()).empty())
      for (const Match& m : matches_of(s, p.ref<Map>(), 3))
        programs.push_back({m.pattern + " in " + m.name, module_of(s.b(), m.candidate)});
  size_t right = 0, refused = 0;
  std::string first_refusal;
  for (const Program& p : programs) {
    f.at("code for " + p.name);
    try {
      Node due_module = lowered(s, p.module), own = due_module;
      if (is_graph) {
        Node typed = through(s, p.module, {"passes-graph:normalize"});
        Node parted = through(s, handed_over(s, typed), {"passes-graph:normalize", "passes-graph:external-codegen"});
        own = lowered(s, parted);
      }
      for (int64_t size : {1, 5}) {
        std::vector<Value> inputs = make_inputs(s.b(), main_of(p.module), size);
        std::vector<Value> due = outcome_in(s, kInterpreter, due_module, inputs);
        std::vector<Value> got = is_graph ? outcome_in(s, kInterpreter, own, inputs) : compiled_outcome(s, own, inputs);
        std::string d = difference(due, got);
        if (!d.empty()) f.fail("R3", d);
      }
      ++right;
    } catch (const Error& e) {
      if (is_bug(e)) f.fail("R3", e.message);
      if (first_refusal.empty()) first_refusal = e.message;
      ++refused;
    }
  }
  f.note(counts(right, refused));
  if (right == 0)
    f.fail("R3",
           "it takes none of the functions, so nothing was compared: give --sample FILE.py with one that it takes (" +
               first_refusal + ")");
}

namespace {

// The functions that an executor made are called from any thread.
void call_at_once(const Subject& s, const Node& module, const Node& function, Findings& f) {
  const Map functions = s.session().load(module, s.id(), Value());
  const Value* main = functions.find("main");
  if (!main) return;
  std::vector<std::vector<Value>> inputs, due;
  for (int64_t size : {3, 5, 33, 67}) {
    inputs.push_back(make_inputs(s.b(), function, size));
    due.push_back(outcome_of(s.b(), *main, inputs.back()));
  }
  std::vector<std::string> wrong(inputs.size());
  std::vector<std::thread> threads;
  std::atomic<int> ready{0};
  for (size_t k = 0; k < inputs.size(); ++k)
    threads.emplace_back([&, k] {
      ++ready;
      while (ready < static_cast<int>(inputs.size())) std::this_thread::yield();
      const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
      try {
        do wrong[k] = difference(due[k], outcome_of(s.b(), *main, inputs[k]));
        while (wrong[k].empty() && std::chrono::steady_clock::now() < end);
      } catch (const Error& e) { wrong[k] = e.message; }
    });
  for (std::thread& t : threads) t.join();
  for (const std::string& why : wrong)
    if (!why.empty()) f.fail("T4", why);
}

}  // namespace

void check_executor_meaning(const Subject& s, Findings& f) {
  const std::string other = s.id() == kInterpreter ? "codegen-llvm" : kInterpreter;
  if (!s.has_plugin(other)) return f.skip("there is no other executor to compare with: " + other + " is not installed");
  std::vector<Program> programs = corpus(s, 6);
  for (const Program& p : loop_programs(s)) programs.push_back(p);
  size_t right = 0, refused = 0;
  for (const Program& p : programs) {
    f.at(p.name);
    try {
      Node module = lowered(s, p.module);
      for (int64_t size : {1, 5, 0, 67}) {
        std::vector<Value> inputs = make_inputs(s.b(), main_of(p.module), size);
        std::string d = difference(outcome_in(s, other, module, inputs), outcome_in(s, s.id(), module, inputs));
        if (!d.empty()) f.fail("R3", d);
      }
      f.at(p.name + ", called from four threads at once");
      call_at_once(s, module, main_of(p.module), f);
      ++right;
      f.at(p.name + ", called with wrong arguments");
      Map functions = s.session().load(module, s.id(), Value());
      auto* main = reinterpret_cast<TnFunction*>(functions.find("main")->raw().as.object);
      std::vector<Value> inputs = make_inputs(s.b(), main_of(p.module));
      std::vector<std::vector<Value>> wrong = {
          {},
          std::vector<Value>(inputs.size(), Value(1.5)),
          std::vector<Value>(inputs.size() + 1, inputs.empty() ? Value(1) : inputs[0])};
      for (const std::vector<Value>& args : wrong) {
        if (args.empty() && inputs.empty()) continue;
        bool accepted = attempt(f, [&] {
          call_slot([&](TnValue* ret) {
            return main->call(main, reinterpret_cast<const TnValue*>(args.data()), static_cast<int32_t>(args.size()),
                              ret);
          });
        });
        if (accepted) f.fail("R3", "it accepts wrong arguments");
      }
    } catch (const Error& e) {
      if (is_bug(e)) f.fail("R3", e.message);
      ++refused;
    }
  }
  f.note(counts(right, refused));
  if (right == 0) f.fail("R3", "it runs none of the programs");
}

namespace {

struct CellResult {
  std::string result, note;
};

std::string type_text(const DLTensor& t) {
  std::string out = dtype_text(t.dtype);
  for (int32_t d = 0; d < t.ndim; ++d) out += " " + std::to_string(t.shape[d]);
  return out;
}
std::string type_text(const relax::TensorType& t) {
  std::string out = t.dtype().is_dtype() ? dtype_text(t.dtype().as_dtype()) : "?";
  if (!t.shape().is_array()) return out + " ?";
  for (const Node& e : nodes(t.shape().ref<Array>()))
    out += " " + (e.is<ir::IntImm>() ? std::to_string(e.to<ir::IntImm>().value()) : std::string("?"));
  return out;
}

// An operator of the graph level: what infer_type says, what compute computes in the interpreter, and what the
// installed code generator makes of it.
CellResult graph_cell(const Subject& s, Instance& i, const Map& op, DLDataType dtype, const char* arguments) {
  const Builder& b = s.b();
  OpCall c;
  try {
    c = make_op_call(i, op, dtype, arguments);
  } catch (const Error& e) { return {is_bug(e) ? "wrong" : "refused", e.message}; }
  Node var = b.make<ir::Var>({c.call.slot(0), b.string("y")});
  Node block = b.make<relax::BindingBlock>({b.array({Value(b.make<relax::VarBinding>({c.call, var}))})});
  Node main =
      b.make<relax::Function>({Value(), b.array(c.params), b.map({{"global_symbol", b.string("main")}}), c.call.slot(0),
                               true, b.make<relax::SeqExpr>({c.call.slot(0), b.array({Value(block)}), var})});
  Node module = b.make<ir::Module>({b.map({}), b.map({}), b.map({{"main", main}}), b.array({})});
  try {
    s.session().verify(module);
    if (!has_function(op, "compute")) return {"not run", "it has no compute"};
    std::vector<Value> inputs = make_inputs(b, main);
    Node loops = through(s, module, {"passes-graph:normalize", "passes-graph:legalize"});
    std::vector<Value> due = outcome_in(s, kInterpreter, loops, inputs);
    const auto* type = as_node(c.call.slot(0)).as<relax::TensorType>();
    if (type && !due.empty() && due[0].type_index() == TN_TENSOR) {
      const DLTensor& t = reinterpret_cast<const TnTensor*>(due[0].raw().as.object)->tensor;
      const std::string said = type_text(*type), is = type_text(t);
      if (said.find('?') == std::string::npos && said != is)
        return {"wrong", "infer_type says " + said + ", compute gives " + is};
    }
    if (s.has_plugin("codegen-llvm")) {
      std::string d = difference(due, outcome_in(s, "codegen-llvm", lowered(s, module), inputs));
      if (!d.empty()) return {"wrong", "compiled, " + d};
    }
  } catch (const Error& e) {
    return {e.code == TN_ERROR_UNSUPPORTED || e.code == TN_ERROR_TYPE ? "refused" : "wrong", e.message};
  }
  return {"ok", ""};
}

// An intrinsic of the loop level: `evaluate` against the interpreter, number by number.
CellResult loop_cell(const Subject& s, Instance& i, const Map& op, DLDataType dtype) {
  const Builder& b = s.b();
  if (!has_function(op, "evaluate") || text_of(op, "effects") != "pure") return {"not run", "it has no evaluate"};
  OpCall c = make_op_call(i, op, dtype);
  const size_t n = c.params.size();
  if (n == 0 || c.call.slot(0).is_none()) return {"not run", "it has no arguments"};
  const DLDataType out = c.call.dtype();
  constexpr int64_t kCount = 6;
  Array shape = b.array({Value(b.imm(kCount))});
  std::vector<Node> params;
  std::vector<Value> from, to;
  Node k = b.var("k");
  for (size_t a = 0; a < n; ++a) {
    params.push_back(b.buffer("A" + std::to_string(a), dtype, shape));
    from.push_back(Value(c.params[a]));
    to.push_back(Value(b.load(params.back(), b.array({Value(k)}))));
  }
  params.push_back(b.buffer("B", out, shape));
  const auto* table = i.table<TnOp>(TN_OP);
  try {
    Node value = as_node(b.substitute(Value(c.call), b.array(from), b.array(to)));
    Node body = b.loop(k, b.imm(kCount), b.store(params.back(), b.array({Value(k)}), value));
    Node main = b.make<tir::PrimFunc>({b.array(params), b.map({{"global_symbol", b.string("main")}}), Value(), body});
    Node module = b.make<ir::Module>({b.map({}), b.map({}), b.map({{"main", main}}), b.array({})});
    s.session().verify(module);
    std::vector<Value> inputs = make_inputs(b, main);
    std::vector<Value> due = outcome_in(s, kInterpreter, module, inputs);
    const DLTensor& result = reinterpret_cast<const TnTensor*>(due.back().raw().as.object)->tensor;
    for (int64_t e = 0; e < kCount; ++e) {
      std::vector<TnValue> args;
      for (size_t a = 0; a < n; ++a) {
        double x = element(reinterpret_cast<const TnTensor*>(inputs[a].raw().as.object)->tensor, e);
        args.push_back(is_floating(dtype) ? Value(x).raw()
                       : is_bool(dtype)   ? Value(x != 0).raw()
                                          : Value(static_cast<int64_t>(x)).raw());
      }
      Value got = call_slot([&](TnValue* ret) {
        return table->evaluate(i.self(TN_OP), i.context(Node()), c.call.get(), args.data(), static_cast<int32_t>(n),
                               ret);
      });
      const double x = got.is_float() ? got.as_float() : static_cast<double>(got.as_int()), y = element(result, e);
      if (!(x == y || (std::isnan(x) && std::isnan(y)) || std::fabs(x - y) <= 1e-5 * std::fabs(y)))
        return {"wrong", "evaluate gives " + std::to_string(x) + ", the interpreter " + std::to_string(y)};
    }
  } catch (const Error& e) { return {is_bug(e) && e.code != TN_ERROR_VERIFY ? "wrong" : "refused", e.message}; }
  return {"ok", ""};
}

CellResult cell(const Subject& s, Instance& i, const Map& op, DLDataType dtype, const char* arguments = nullptr) {
  try {
    return text_of(op, "level") == "loop" ? loop_cell(s, i, op, dtype) : graph_cell(s, i, op, dtype, arguments);
  } catch (const Error& e) { return {"refused", e.message}; } catch (const Violation& v) {
    return {"wrong", "[" + v.rule + "] " + v.what};
  }
}

}  // namespace

void check_op_meaning(const Subject& s, Findings& f) {
  if (!needs_interpreter(s, f)) return;
  Instance i(s, s.session());
  size_t right = 0, refused = 0, not_run = 0;
  for (const Value& row : s.list("ops")) {
    const Map& op = row.ref<Map>();
    size_t right_before = right;
    std::string note;
    for (DLDataType dtype : {kFloat32, kInt32, make_dtype(kDLFloat, 16), make_dtype(kDLFloat, 64), kBool}) {
      f.at(text_of(op, "id") + " on " + dtype_text(dtype));
      CellResult r = cell(s, i, op, dtype);
      if (r.result == "wrong") f.fail("R4", r.note);
      (r.result == "ok" ? right : r.result == "refused" ? refused : not_run)++;
      if (note.empty()) note = r.note;
    }
    // Arguments that have no dimension, that are empty, and that are longer than a vector.
    for (const char* arguments : {"T", "T0x6", "T33x67"}) {
      if (text_of(op, "level") == "loop") break;
      f.at(text_of(op, "id") + " on " + (arguments[1] ? arguments + 1 : "scalars"));
      CellResult r = cell(s, i, op, kFloat32, arguments);
      if (r.result == "wrong") f.fail("R4", r.note);
    }
    if (right == right_before) f.note(text_of(op, "id") + " was not run: " + note);
  }
  f.note(counts(right, refused) + ", not run " + std::to_string(not_run));
  if (right == 0 && refused > 0) f.fail("R4", "no operator could be run");
}

void fill_matrix(const Subject& s, Findings& f, const std::string& after_op, const std::string& after_dtype) {
  Instance i(s, s.session());
  bool begun = after_op.empty();
  for (const Value& row : s.list("ops"))
    for (DLDataType dtype : kDtypes) {
      const std::string id = text_of(row.ref<Map>(), "id"), type = dtype_text(dtype);
      if (begun) {
        f.at(id + "\t" + type);
        CellResult r = cell(s, i, row.ref<Map>(), dtype);
        f.cell(id, type, r.result, r.note);
      }
      begun = begun || (id == after_op && type == after_dtype);
    }
}

void check_frontend_damage(const Subject& s, Findings& f) {
  constexpr int kCuts = 64, kFlips = 200, kBlocks = 40;
  Instance i(s, s.session());
  auto* table = i.table<TnFrontend>(TN_FRONTEND);
  const Builder& b = s.b();
  Node empty = b.make<ir::Module>({b.map({}), b.map({}), b.map({}), b.array({})});
  size_t imported = 0, refused = 0, samples = 0;
  auto read = [&](const std::string& name, const std::string& bytes) {
    f.at(name);
    std::string why;
    bool done = attempt(
        f,
        [&] {
          MemorySource source(b, "damaged", bytes);
          Value o(b.map({}));
          Value m = call_slot([&](TnValue* ret) {
            return table->import(i.self(TN_FRONTEND), i.context(empty), source.raw(), o.ptr(), ret);
          });
          if (!m.is_node() || !as_node(m).is<ir::Module>()) throw Violation{"V4", "it returned no module"};
          s.session().verify(as_node(m));
        },
        &why);
    ++(done ? imported : refused);
    return done;
  };
  std::mt19937_64 random(7);
  for (const std::string& path : s.options().samples) {
    if (path.ends_with(".py")) continue;
    ++samples;
    const std::string bytes = read_bytes(path), name = path.substr(path.rfind('/') + 1);
    if (!read(name + " as it is", bytes)) f.fail("R5", "the sample itself is refused");
    for (int k = 0; k < kCuts; ++k) {
      const size_t n = bytes.size() * static_cast<size_t>(k) / kCuts;
      read(name + " cut to " + std::to_string(n) + " bytes", bytes.substr(0, n));
    }
    for (int k = 0; k < kFlips && !bytes.empty(); ++k) {
      std::string damaged = bytes;
      // The beginning of a file holds more of its structure than its weights do.
      const size_t range = k % 2 ? bytes.size() : std::min<size_t>(bytes.size(), 512), at = random() % range;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << (random() % 8)));
      read(name + " with a bit flipped in byte " + std::to_string(at), damaged);
    }
    for (int k = 0; k < kBlocks && bytes.size() > 8; ++k) {
      std::string damaged = bytes;
      const size_t from = random() % bytes.size(), to = random() % bytes.size(), n = 1 + random() % 16;
      damaged.replace(std::min(to, damaged.size() - 1), n, bytes.substr(from, n));
      read(name + " with bytes of " + std::to_string(from) + " at " + std::to_string(to), damaged);
    }
  }
  if (samples == 0) return f.skip("there is no model to damage: give --sample FILE");
  f.note(std::to_string(imported) + " imported, " + std::to_string(refused) + " refused");
}

}  // namespace tenon::conformance
