// Calls of partitioners, kinds, instruments and converters.
#include <tenon/ext/draft/instrument.h>
#include <tenon/ext/draft/kind.h>
#include <tenon/ext/draft/onnx_converter.h>
#include <tenon/ext/draft/partitioner.h>

#include "converter_calls.h"
#include "exercises.h"
#include "kind_calls.h"
#include "matches.h"

namespace tenon::conformance {

namespace {

Node empty_module(const Builder& b) { return b.make<ir::Module>({b.map({}), b.map({}), b.map({}), b.array({})}); }

// ---- Partitioners

Value decide(Instance& i, const std::string& pattern, const Node& candidate) {
  const Builder& b = i.subject().b();
  auto* t = i.table<TnPartitioner>(TN_PARTITIONER);
  auto run = need(t, &TnPartitioner::decide, "decide");
  Value answer = call_slot([&](TnValue* ret) {
    return run(i.self(TN_PARTITIONER), i.context(Node()), pattern.c_str(), candidate.get(), ret);
  });
  if (!answer.is_map()) throw Violation{"V4", "decide returned no map"};
  const Map& m = answer.ref<Map>();
  const Value *take = m.find("take"), *when = m.find("when"), *reason = m.find("reason");
  if (!take || !take->is_bool()) throw Violation{"C1", "its answer does not say `take`"};
  const bool conditional = when && !when->is_none();
  if ((conditional || !take->as_bool()) && (!reason || !reason->is_string() || reason->as_string().empty()))
    throw Violation{"C1", "it declines or makes a condition without a reason"};
  if (conditional && !when->is_node()) throw Violation{"C1", "its condition is no expression"};
  // As text, since a condition is about the variables of its candidate.
  return Value(b.map({{"take", *take},
                      {"reason", reason ? *reason : Value()},
                      {"when", conditional ? b.string(i.subject().session().print(*when)) : Value()}}));
}

void add_partitioner(std::vector<Exercise>& out, const Subject& s, bool few) {
  for (const Match& m : matches_of(s, s.info(), few ? 2 : 6))
    out.push_back({"decide about " + m.pattern + " in " + m.name,
                   false,
                   [=](Instance& i) { return decide(i, m.pattern, m.candidate); },
                   {Value(m.candidate)}});
}

void add_wrong_partitioner(std::vector<Exercise>& out, const Subject& s) {
  const Builder& b = s.b();
  const Node nothing = b.make<relax::Tuple>({Value(), b.array({})});
  const Node function = b.make<relax::Function>(
      {Value(), b.array({}), b.map({}), Value(), true, b.make<relax::SeqExpr>({Value(), b.array({}), nothing})});
  const std::vector<Program> trees = {
      {"an empty module", empty_module(b)}, {"a number", b.imm(1)}, {"a function without parameters", function}};
  std::vector<std::string> patterns{"no_such_pattern"};
  for (const Value& row : patterns_of(s, s.info())) patterns.push_back(text_of(row.ref<Map>(), "name"));
  for (const Program& t : trees)
    for (const std::string& pattern : patterns)
      out.push_back({"decide about '" + pattern + "' in " + t.name,
                     false,
                     [=](Instance& i) { return decide(i, pattern, t.module); },
                     {}});
}

// ---- Kinds

Value lower(Instance& i, const Node& node) {
  auto* t = i.table<TnKind>(TN_KIND);
  auto run = need(t, &TnKind::lower, "lower");
  Value v = call_slot([&](TnValue* ret) { return run(i.self(TN_KIND), i.context(Node()), node.get(), ret); });
  if (!v.is_node()) throw Violation{"V4", "lower returned no node"};
  return v;
}

void add_kinds(std::vector<Exercise>& out, const Subject& s, bool few) {
  for (const KindCall& c : kind_calls(s, few ? 4 : 24))
    out.push_back({"lower " + c.name,
                   false,
                   [=](Instance& i) {
                     // As text: what stands below is defined by nobody here.
                     const Builder& b = i.subject().b();
                     return b.string(i.subject().session().print(Value(program_of(b, c, as_node(lower(i, c.node))))));
                   },
                   {Value(c.node)}});
}

void add_wrong_kinds(std::vector<Exercise>& out, const Subject& s) {
  const Builder& b = s.b();
  for (const Program& t : {Program{"an empty module", empty_module(b)}, Program{"a number", b.imm(1)}})
    out.push_back({"lower " + t.name + ", which is of another kind",
                   false,
                   [=](Instance& i) -> Value {
                     lower(i, t.module);
                     throw Violation{"N7", "it lowered a node that is not of its kinds"};
                   },
                   {}});
}

// ---- Instruments

Value look_on(Instance& i, const Map& record, const Node& before, const Node& after) {
  auto* t = i.table<TnInstrument>(TN_INSTRUMENT);
  if (t->size < sizeof(size_t) + sizeof(void*)) throw Violation{"E5", "its table has no slot"};
  Value r(record), out;
  if (TN_HAS(t, before_pass))
    out = call_slot([&](TnValue* ret) {
      return t->before_pass(i.self(TN_INSTRUMENT), i.context(before), r.ptr(), before.get(), ret);
    });
  if (!out.is_none()) throw Violation{"V4", "before_pass returned something else than none"};
  if (TN_HAS(t, after_pass))
    out = call_slot([&](TnValue* ret) {
      return t->after_pass(i.self(TN_INSTRUMENT), i.context(after), r.ptr(), before.get(), after.get(), ret);
    });
  if (!out.is_none()) throw Violation{"V4", "after_pass returned something else than none"};
  return {};
}

void add_instrument(std::vector<Exercise>& out, const Subject& s, bool few) {
  const Builder& b = s.b();
  std::vector<Program> programs = graph_programs(s);
  for (const Program& p : loop_programs(s)) programs.push_back(p);
  if (few && programs.size() > 4) programs.resize(4);
  const Map record = b.map({{"pass", b.string("passes-loop:simplify")},
                            {"number", Value(1)},
                            {"changed", Value(true)},
                            {"disabled", Value(false)},
                            {"milliseconds", Value(0.5)}});
  for (const Program& p : programs)
    out.push_back({"look on at " + p.name,
                   false,
                   [=](Instance& i) { return look_on(i, record, p.module, p.module); },
                   {Value(p.module)}});
}

void add_wrong_instrument(std::vector<Exercise>& out, const Subject& s) {
  const Builder& b = s.b();
  const Node module = empty_module(b), number = b.imm(1);
  const Map record = b.map({{"pass", b.string("no:such-pass")},
                            {"number", Value(0)},
                            {"changed", Value(false)},
                            {"disabled", Value(false)},
                            {"milliseconds", Value(0.0)}});
  out.push_back(
      {"look on at an empty module", false, [=](Instance& i) { return look_on(i, record, module, module); }, {}});
  out.push_back({"look on at a number", false, [=](Instance& i) { return look_on(i, record, number, number); }, {}});
}

// ---- Converters

void add_converter(std::vector<Exercise>& out, const Subject& s, bool few) {
  for (const ConverterCall& c : converter_calls(s, few))
    out.push_back({"convert " + c.name,
                   true,
                   [=](Instance& i) {
                     // As the text of a program, since the inputs are variables of nobody.
                     const Builder& b = i.subject().b();
                     return b.string(i.subject().session().print(Value(program_of(b, c, convert(i, c)))));
                   },
                   {c.node}});
}

}  // namespace

void add_extension_exercises(std::vector<Exercise>& out, const Subject& s, bool few) {
  if (s.provides(TN_PARTITIONER)) add_partitioner(out, s, few);
  if (s.provides(TN_KIND)) add_kinds(out, s, few);
  if (s.provides(TN_INSTRUMENT)) add_instrument(out, s, few);
  if (s.provides(TN_ONNX_CONVERTER)) add_converter(out, s, few);
}

void add_extension_wrong_calls(std::vector<Exercise>& out, const Subject& s) {
  if (s.provides(TN_PARTITIONER)) add_wrong_partitioner(out, s);
  if (s.provides(TN_KIND)) add_wrong_kinds(out, s);
  if (s.provides(TN_INSTRUMENT)) add_wrong_instrument(out, s);
  if (s.provides(TN_ONNX_CONVERTER))
    for (const ConverterCall& c : wrong_converter_calls(s))
      out.push_back(
          {"convert " + c.name, false, [=](Instance& i) { return Value(i.subject().b().array(convert(i, c))); }, {}});
}

}  // namespace tenon::conformance
