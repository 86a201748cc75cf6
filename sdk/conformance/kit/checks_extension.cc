// The checks of what partitioners, kinds, instruments and converters mean.
#include <tenon/ext/draft/instrument.h>
#include <tenon/ext/draft/kind.h>
#include <tenon/ext/draft/onnx_converter.h>
#include <tenon/ext/draft/partitioner.h>

#include <set>

#include "check.h"
#include "converter_calls.h"
#include "kind_calls.h"
#include "matches.h"
#include "meaning.h"

namespace tenon::conformance {

namespace {

constexpr const char* kCompiled = "codegen-llvm";

// ---- Partitioners

// The module with what the partitioner took as functions of their own.
Node partitioned(const Subject& s, const Node& module) {
  const Builder& b = s.b();
  Value stage(b.map({{"pass", b.string("passes-graph:partition")},
                     {"options", Value(b.map({{"partitioners", b.array({b.string(s.id())})}}))}}));
  return as_node(*s.session().run_pipeline(module, b.array({stage}), Value()).find("module"));
}

// The same with nobody asked to compile them, so that the host does.
Node unmarked(const Builder& b, const Node& module) {
  Builder::Entries functions;
  for (const Map::Entry& e : module.to<ir::Module>().functions()) {
    Node f = as_node(e.value());
    if (const auto* g = f.as<relax::Function>(); g && g->attrs().find("codegen"))
      f = b.with(f, relax::FunctionSlot::attrs, b.with(b.with(g->attrs(), "codegen", Value()), "composite", Value()));
    functions.emplace_back(std::string(e.key()), f);
  }
  return b.with(module, ir::ModuleSlot::functions, b.map(functions));
}

bool compares(Findings& f, const char* rule, const std::vector<Value>& due, const std::vector<Value>& got) {
  std::string d = difference(due, got);
  if (!d.empty()) f.fail(rule, d);
  return d.empty();
}

}  // namespace

void check_partitioner_meaning(const Subject& s, Findings& f) {
  if (!needs_interpreter(s, f)) return;
  const Builder& b = s.b();
  std::vector<Match> matches = matches_of(s, s.info(), 4);
  std::set<std::string> matched;
  for (const Match& m : matches) matched.insert(m.pattern);
  for (const Value& row : patterns_of(s, s.info()))
    if (!matched.contains(text_of(row.ref<Map>(), "name")))
      f.note("no program is known that the pattern " + text_of(row.ref<Map>(), "name") +
             " matches: give --sample FILE");
  size_t taken = 0, declined = 0, refused = 0, handed = 0;
  std::string why;
  const std::string codegen = codegen_of(s.info());
  for (const Match& m : matches) {
    f.at(m.pattern + " in " + m.name);
    try {
      Node parted = partitioned(s, m.module);
      if (parted.same_as(m.module)) {
        ++declined;
        continue;
      }
      ++taken;
      Node due_module = lowered(s, m.module), host = lowered(s, unmarked(b, parted)), own;
      if (s.has_plugin(codegen)) try {
          own = lowered(s, through(s, parted, {"passes-graph:external-codegen"}));
        } catch (const Error& e) { why = e.message; }
      handed += static_cast<bool>(own);
      for (int64_t size : {1, 5, 67}) {
        std::vector<Value> inputs = make_inputs(b, main_of(m.module), size);
        std::vector<Value> due = outcome_in(s, kInterpreter, due_module, inputs);
        compares(f, "R2", due, outcome_in(s, kInterpreter, host, inputs));
        if (own) compares(f, "R3", due, outcome_in(s, kInterpreter, own, inputs));
      }
    } catch (const Error& e) {
      if (is_bug(e)) f.fail("C1", e.message);
      ++refused;
    }
  }
  f.at("the same candidate, asked about by two instances");
  Instance first(s, s.session()), second(s, s.session());
  auto answer = [&](Instance& i, const Match& m, const Node& candidate) -> std::string {
    auto* t = i.table<TnPartitioner>(TN_PARTITIONER);
    try {
      Value v = call_slot([&](TnValue* ret) {
        return t->decide(i.self(TN_PARTITIONER), i.context(m.module), m.pattern.c_str(), candidate.get(), ret);
      });
      if (!v.is_map()) return "no map";
      std::string text;
      for (const Map::Entry& e : v.ref<Map>())
        text += std::string(e.key()) + ": " +
                (e.value().is_node() ? s.session().print(e.value()) : canonical(b, e.value()));
      return text;
    } catch (const Error& e) { return "refused: " + e.message; }
  };
  for (const Match& m : matches) {
    const std::string once = answer(first, m, m.candidate);
    if (once != answer(first, m, m.candidate) || once != answer(second, m, as_node(b.renew(Value(m.candidate)))))
      f.fail("C2", "the answer about " + m.pattern + " differs from time to time");
  }
  f.note("taken " + std::to_string(taken) + ", compiled by " + codegen + " " + std::to_string(handed) + ", declined " +
         std::to_string(declined) + ", refused " + std::to_string(refused) +
         (why.empty() ? "" : "; not compiled: " + why));
  if (matches.empty())
    f.fail("C1", "nothing is known that its patterns match: give --sample FILE.py with what they do");
}

namespace {

// ---- Kinds

Node lower_once(Instance& i, const Node& node) {
  auto* t = i.table<TnKind>(TN_KIND);
  Value v = call_slot([&](TnValue* ret) { return t->lower(i.self(TN_KIND), i.context(Node()), node.get(), ret); });
  if (!v.is_node()) throw Violation{"V4", "lower returned no node"};
  return as_node(v);
}

// What a lowering does that its kind does not admit to; "" when nothing.
std::string more_effects(const Builder& b, const KindCall& c, const Node& lowered) {
  std::set<const TnNode*> given;  // operands may do what they like
  b.walk(Value(c.node), [&](const Node& n) { given.insert(n.get()); });
  std::string out;
  auto enter = [&](const Node& n) {
    if (n.get() != lowered.get() && given.contains(n.get())) return false;
    if (n.is<tir::BufferLoad>() && !(c.schema->flags & (TN_KIND_READS | TN_KIND_WRITES))) out = "it reads memory";
    if (n.is<tir::BufferStore>() && !(c.schema->flags & TN_KIND_WRITES)) out = "it writes memory";
    return true;
  };
  b.walk(Value(lowered), enter, [](const Node&) {});
  return out;
}

}  // namespace

void check_kind_meaning(const Subject& s, Findings& f) {
  if (!needs_interpreter(s, f)) return;
  const Builder& b = s.b();
  Instance i(s, s.session());
  std::map<std::string, std::string> refusals;  // of kinds that were never lowered
  std::set<std::string> right;
  for (const KindCall& c : kind_calls(s, 24)) {
    f.at(c.name);
    const std::string kind = c.schema->id;
    Node low;
    try {
      low = lower_once(i, c.node);
    } catch (const Error& e) {
      refusals.emplace(kind, e.message);
      continue;
    } catch (const Violation& v) {
      f.fail(v.rule, v.what);
      continue;
    }
    const TnKindSchema* schema = b.ir()->schema(b.ir()->self, low.kind());
    constexpr uint32_t kRole = TN_KIND_EXPR | TN_KIND_STMT;
    std::string wrong;
    if (!c.is_graph() && (schema->flags & kRole) != (c.schema->flags & kRole))
      wrong = "it is lowered to " + std::string(schema->id) + ", which is of another role";
    else if (!c.is_graph() && !c.is_statement() && !same_dtype(low.dtype(), c.node.dtype()))
      wrong = "it is of " + dtype_text(c.node.dtype()) + " and lowered to " + dtype_text(low.dtype());
    if (!wrong.empty()) {
      // What comes of operands that do not go with the node is the kit's doing.
      if (c.proper) f.fail("N7", wrong);
      refusals.emplace(kind, wrong);
      continue;
    }
    if (std::string more = more_effects(b, c, low); !more.empty()) f.fail("N10", "its schema says otherwise: " + more);
    try {
      const Node module = program_of(b, c, c.node), core = program_of(b, c, low);
      const std::string text = s.session().print(Value(module));
      if (auto d = b.difference(Value(module), Value(s.session().parse(text, "printed.py"))))
        f.fail("N11", "printed and parsed it differs at " + *d);
      s.session().verify(core);
      std::vector<Value> inputs = make_inputs(b, main_of(core));
      std::vector<Value> due = outcome_in(s, kInterpreter, lowered(s, core), inputs);
      compares(f, "N11", due, outcome_in(s, kInterpreter, module, inputs));
      Node plain = lowered(s, module);
      compares(f, "N11", due, outcome_in(s, kInterpreter, plain, inputs));
      if (s.has_plugin(kCompiled)) compares(f, "N11", due, outcome_in(s, kCompiled, plain, inputs));
      // With a variable in place of an operand, and the operand put back afterwards.
      if (c.operand && !c.is_graph() && !c.operand.is<tir::Buffer>()) {
        Node var = b.var("operand", Value(c.operand.dtype()));
        Node other = as_node(b.rewrite(Value(c.node), [&](const Node& original, const Node&) -> Value {
          return original.same_as(c.operand) ? Value(var) : Value();
        }));
        Node back =
            as_node(b.substitute(Value(lower_once(i, other)), b.array({Value(var)}), b.array({Value(c.operand)})));
        compares(f, "N11", due, outcome_in(s, kInterpreter, lowered(s, program_of(b, c, back)), inputs));
      }
      right.insert(kind);
    } catch (const Error& e) {
      if (is_bug(e) && c.proper) f.fail("N7", e.message);
      refusals.emplace(kind, e.message);
    } catch (const Violation& v) { f.fail(v.rule, v.what); }
  }
  size_t n = 0;
  for (const Program& p : sample_programs(s)) {
    f.at(p.name);
    try {
      Node low = lowered(s, p.module);
      for (int64_t size : {1, 5}) {
        std::vector<Value> inputs = make_inputs(b, main_of(p.module), size);
        std::vector<Value> due = outcome_in(s, kInterpreter, p.module, inputs);
        compares(f, "N11", due, outcome_in(s, kInterpreter, low, inputs));
      }
      ++n;
    } catch (const Error& e) {
      if (is_bug(e)) f.fail("N7", e.message);
    }
  }
  f.note(std::to_string(right.size()) + " kinds right" + (n ? ", " + std::to_string(n) + " samples" : ""));
  for (const Value& id : s.list("kinds")) {
    const std::string kind(id.as_string());
    if (right.contains(kind) || n > 0 || f.failed()) continue;
    f.at(kind);
    f.fail("N7", "it was lowered in no program, so nothing was compared: give --sample FILE.py with one (" +
                     refusals[kind] + ")");
  }
}

void check_instrument_meaning(const Subject& s, Findings& f) {
  const Builder& b = s.b();
  const std::string kind(s.session().target().find("kind")->as_string());
  size_t runs = 0;
  std::vector<Program> programs = graph_programs(s);
  for (const Program& p : loop_programs(s)) programs.push_back(p);
  for (const Program& p : sample_programs(s)) programs.push_back(p);
  for (const Program& p : programs) {
    f.at("the default pipeline on " + p.name);
    Node without;
    try {
      without = lowered(s, p.module);
    } catch (const Error&) { continue; }  // no business of an instrument's
    try {
      const std::string before = canonical(b, Value(p.module));
      Map done =
          s.session().run_pipeline(p.module, b.string(kind), b.map({{"instruments", b.array({b.string(s.id())})}}));
      if (auto d = b.difference(Value(without), *done.find("module")))
        f.fail("C5", "with the instrument the module is another one at " + *d);
      if (before != canonical(b, Value(p.module))) f.fail("C5", "it changed the module that it was shown");
      ++runs;
    } catch (const Error& e) {
      if (is_bug(e)) f.fail("C5", e.message);
      f.note("it ended the run on " + p.name + ": " + e.message);
    }
  }
  f.note(std::to_string(runs) + " runs");
  if (runs == 0) f.fail("C5", "it lets no run come to its end");
}

void check_converter_meaning(const Subject& s, Findings& f) {
  if (!needs_interpreter(s, f)) return;
  const Builder& b = s.b();
  Instance i(s, s.session());
  size_t right = 0, refused = 0;
  std::set<std::string> seen, done;
  std::map<std::string, std::string> refusals;
  auto judge = [&](const Node& module, const std::vector<Value>& inputs) {
    Node typed = through(s, module, {"passes-graph:normalize"});
    Node low = lowered(s, typed);
    std::vector<Value> due = outcome_in(s, kInterpreter, low, inputs);
    if (s.has_plugin(kCompiled)) compares(f, "R3", due, outcome_in(s, kCompiled, low, inputs));
    Node loops = through(s, typed, {"passes-graph:legalize"});
    compares(f, "R4", due, outcome_in(s, kInterpreter, loops, inputs));
  };
  for (const ConverterCall& c : converter_calls(s, true)) {
    f.at(c.name);
    seen.insert(c.op);
    try {
      Node module = program_of(b, c, convert(i, c));
      judge(module, make_inputs(b, main_of(module)));
      done.insert(c.op);
      ++right;
    } catch (const Error& e) {
      // Shapes that do not go together are the kit's doing; what the operators' own types do not allow is told so.
      const bool illegal = e.code == TN_ERROR_VERIFY && e.message.find("[operator-type]") == std::string::npos;
      if (illegal || e.code == TN_ERROR_INTERNAL || e.code == TN_ERROR_CORRUPT) f.fail("C3", e.message);
      refusals.emplace(c.op, e.message);
      ++refused;
    } catch (const Violation& v) { f.fail(v.rule, v.what); }
  }
  size_t models = 0;
  for (const std::string& path : s.options().samples) {
    if (path.ends_with(".py")) continue;
    f.at("the model " + path.substr(path.rfind('/') + 1));
    try {
      Node module = s.session().import_model(path, Value());
      if (auto d = b.difference(Value(module), Value(s.session().import_model(path, Value()))))
        f.fail("R1", "imported again it differs at " + *d);
      for (int64_t size : {1, 5}) judge(module, make_inputs(b, main_of(module), size));
      ++models;
    } catch (const Error& e) { f.fail("C3", e.message); }
  }
  f.note(counts(right, refused) + ", " + std::to_string(models) + " models");
  for (const std::string& op : seen)
    if (!done.contains(op) && models == 0 && !f.failed()) {
      f.at(op);
      f.fail("C3", "it was converted for no inputs that the kit knows: give --sample MODEL (" + refusals[op] + ")");
    }
}

}  // namespace tenon::conformance
