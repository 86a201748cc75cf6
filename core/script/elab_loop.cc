// Loops, intervals [start, stop) and regions of buffers.
#include "diag/suggest.h"
#include "script/elaborate.h"

namespace tenon::script {

// `stop - start`: of literals it is computed, start + n gives n, all else is written out.
Elaborator::Interval Elaborator::interval(const Expr* start, const Expr& stop, const Expr& at,
                                          std::optional<DLDataType> want) {
  Term high = term(stop), low;
  low.kind = Term::Int;
  if (start) low = term(*start);
  const Expr& at_low = start ? *start : at;
  auto check = [&](const Term& t, const Expr& e) {
    bool integer = t.kind == Term::Int || (t.is_node() && is_int(t.node.dtype()));
    if (!integer) expected(e, "an integer");
  };
  check(low, at_low);
  check(high, stop);
  if (high.kind == Term::Int && low.kind == Term::Int) {
    DLDataType t = want.value_or(kInt64);
    Term extent = high;
    if (low.big || high.big || __builtin_sub_overflow(high.i, low.i, &extent.i))
      fail(at, "the range does not fit int64");
    return {literal(low, at_low, t), literal(extent, stop, t)};
  }
  auto [min, end] = matched(low, at_low, high, stop, at);
  const auto* first = min.as<ir::IntImm>();
  if (first && first->value() == 0) return {min, end};
  const auto* last = end.as<ir::IntImm>();
  int64_t length = 0;
  if (first && last && !__builtin_sub_overflow(last->value(), first->value(), &length))
    return {min, make<ir::IntImm>(stop, {end.dtype(), length})};
  if (const auto* sum = end.as<tir::Add>(); sum && same(sum->a(), min)) return {min, sum->b()};
  return {min, make<tir::Sub>(at, {end.dtype(), end, min})};
}

// A number from 1 on, written out.
int64_t Elaborator::step_of(const Expr& e) {
  Term t = term(e);
  if (t.kind != Term::Int || t.big || t.i < 1) expected(e, "a step that is a positive number");
  return t.i;
}

void Elaborator::for_statement(const Stmt& s, std::vector<Node>& out) {
  struct Row {
    std::string_view name;
    int64_t kind;
  };
  static constexpr Row kLoops[] = {{"serial", TN_FOR_SERIAL},
                                   {"parallel", TN_FOR_PARALLEL},
                                   {"vectorized", TN_FOR_VECTORIZED},
                                   {"unroll", TN_FOR_UNROLLED},
                                   {"thread_binding", TN_FOR_THREAD_BINDING},
                                   {"grid", TN_FOR_SERIAL},
                                   {"unrolled", TN_FOR_UNROLLED}};
  const Expr& call = *s.value;
  Path p = call_path(call);
  const Row* row = nullptr;
  for (const Row& r : kLoops)
    if (p.is('T', r.name)) row = &r;
  bool plain = call.kind == Syntax::Call && call.a->is_name("range");
  if (!row && !plain) {
    if (p.root == 'T') {
      std::vector<std::string> known;
      for (const Row& r : kLoops) known.emplace_back(r.name);
      unknown_form(call, p, known);
    }
    expected(call, "range(...) or a loop of T: serial, parallel, vectorized, unroll, thread_binding, grid",
             "no Python is run: loops are loops of the program");
  }
  struct Loop {
    Interval range;
    const Expr* name;
  };
  std::vector<Loop> loops;
  std::span<const Expr* const> names = s.target->items;
  std::string thread;
  Builder::Entries given;
  int64_t stride = 1;
  if (row && p.name == "grid") {
    if (!call.keywords.empty()) source_.fail(call.keywords[0].where, "T.grid has no keyword arguments");
    if (call.items.size() != names.size())
      fail(call, "T.grid has " + std::to_string(call.items.size()) + " extents for " + std::to_string(names.size()) +
                     " loop variables");
    for (size_t i = 0; i < names.size(); ++i) {
      const Expr& extent = *call.items[i];
      bool pair = extent.kind == Syntax::Tuple && extent.items.size() == 2;
      loops.push_back(
          {pair ? interval(extent.items[0], *extent.items[1], extent) : interval(nullptr, extent, extent), names[i]});
    }
  } else {
    if (names.size() != 1) expected(*s.target, "one loop variable", "T.grid makes several loops");
    size_t bounds = call.items.size();
    const Expr* step = keyword(call, "step");
    if (bounds == 0 || bounds > (plain ? 3u : 2u))
      fail(call, "a loop takes its extent, or its start and end, met " + std::to_string(bounds) + " arguments");
    if (bounds == 3) step = call.items[2];
    if (step) stride = step_of(*step);
    for (const Keyword& k : call.keywords) {
      if (k.name == "annotations") {
        for (auto& entry : Builder::entries(attribute_map(*k.value))) given.push_back(std::move(entry));
      } else if (k.name == "unroll") {  // what TVM's printer makes of these two annotations
        bool off = k.value->kind == Syntax::False;
        given.emplace_back(off ? "disable_unroll" : "pragma_unroll", off ? Value(true) : attribute(*k.value));
      } else if (k.name == "thread" && p.name == "thread_binding") {
        thread = string_of(*k.value, "the thread");
      } else if (k.name != "step") {
        source_.fail(k.where, "a loop has no argument '" + std::string(k.name) + "'",
                     did_you_mean(k.name, {"annotations", "step", "thread", "unroll"}));
      }
    }
    if (p.name == "thread_binding" && thread.empty()) fail(call, "T.thread_binding misses thread=\"...\"");
    bool both = bounds >= 2;
    loops.push_back({interval(both ? call.items[0] : nullptr, *call.items[both ? 1 : 0], call), names[0]});
  }
  Scopes::Block scope(scopes_);
  std::vector<Node> vars;
  for (const Loop& l : loops) {
    vars.push_back(define_var(*l.name, l.range.extent.dtype()));
    Binding& b = *scopes_.find(l.name->text);
    b.min = l.range.min;
    b.extent = l.range.extent;
  }
  Node inner = body(s.body, s);
  int64_t kind = row ? row->kind : int64_t{TN_FOR_SERIAL};
  Map annotations = b_.map(given);
  for (size_t i = loops.size(); i-- > 0;) {
    Value step = stride == 1 ? Value() : Value(make<ir::IntImm>(s, {vars[i].dtype(), stride}));
    inner = make<tir::For>(
        s, {loops[i].range.min, loops[i].range.extent, kind, text(thread), annotations, vars[i], inner, step});
  }
  out.push_back(inner);
}

Node Elaborator::buffer_of(const Expr& e, std::string_view what) {
  if (e.kind == Syntax::Name || e.kind == Syntax::Attribute) {
    Node n = finish(base_term(e), e);
    if (n.is<tir::Buffer>()) return n;
  }
  expected(e, std::string(what));
}

Node Elaborator::region(const Expr& e) {
  bool whole = e.kind != Syntax::Subscript;
  Node node = buffer_of(whole ? e : *e.a, "a region of a buffer, such as A[i, 0:n]");
  const auto& buffer = node.to<tir::Buffer>();
  std::vector<Value> ranges;
  if (whole) {
    for (const Node& n : nodes(buffer.shape())) {
      Node zero = make<ir::IntImm>(e, {n.dtype(), int64_t{0}});
      ranges.push_back(make<ir::Range>(e, {zero, n}));
    }
  } else {
    if (e.items.size() != buffer.shape().size())
      fail(e, "the buffer '" + std::string(buffer.name()) + "' has " + std::to_string(buffer.shape().size()) +
                  " dimensions, met " + std::to_string(e.items.size()));
    for (size_t i = 0; i < e.items.size(); ++i) {
      const Expr& item = *e.items[i];
      if (item.kind != Syntax::Slice) {
        Node at = index(item);
        ranges.push_back(make<ir::Range>(item, {at, make<ir::IntImm>(item, {at.dtype(), int64_t{1}})}));
        continue;
      }
      if (item.c) fail(*item.c, "a region has no step");
      if (item.b) {
        Interval r = interval(item.a, *item.b, item);
        ranges.push_back(make<ir::Range>(item, {r.min, r.extent}));
        continue;
      }
      Node extent = as_node(buffer.shape()[i]);
      Node min = item.a ? converted(*item.a, extent.dtype()) : make<ir::IntImm>(item, {extent.dtype(), int64_t{0}});
      if (item.a) extent = make<tir::Sub>(item, {extent.dtype(), extent, min});
      ranges.push_back(make<ir::Range>(item, {min, extent}));
    }
  }
  return make<tir::BufferRegion>(e, {node, list(ranges)});
}

}  // namespace tenon::script
