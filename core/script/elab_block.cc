// Blocks: axes, regions, allocations, the initial statement of a reduction.
#include "script/elaborate.h"
#include "script/regions.h"

namespace tenon::script {

Node Elaborator::block(const Stmt& s, const Expr& call, bool legacy) {
  BlockState state;
  state.legacy = legacy;
  auto args = arguments(call, legacy ? "T.block" : "T.sblock", {"name", "no_realize", "exec_scope"}, 0);
  state.name = args[0] ? string_of(*args[0], "the name of the block") : "";
  if (args[1] && bool_of(*args[1], "no_realize"))
    source_.refuse(args[1]->begin, "a block that nothing realises", "leave no_realize out");
  state.annotations = b_.map({});
  BlockState* outer = std::exchange(block_, &state);
  Scopes::Block scope(scopes_);
  std::vector<Node> stmts;
  body_into(s.body, stmts);
  block_ = outer;
  Node inner = sequence(stmts, s);
  if (!state.predicate) state.predicate = make<ir::IntImm>(call, {kBool, int64_t{1}});
  if (!state.has_reads || !state.has_writes) {
    Span where = span(call);
    BlockRegions found = block_regions(b_, inner, state.init, state.alloc_buffers, state.match_buffers, where.get());
    if (!state.has_reads) state.reads = std::move(found.reads);
    if (!state.has_writes) state.writes = std::move(found.writes);
  }
  Node made = make<tir::Block>(
      s, {text(state.name), list(state.iter_vars), list(state.alloc_buffers), list(state.match_buffers),
          list(state.reads), list(state.writes), state.annotations, Value(state.init), inner});
  return make<tir::BlockRealize>(s, {list(state.iter_values), state.predicate, made});
}

void Elaborator::add_axis(const Expr& target, const Expr& at, int64_t kind, const Interval& domain, const Node& value) {
  DLDataType t = domain.extent.dtype();
  Node bound = to_dtype(value, at, t);
  // The value is read in the scope around the block: it must not see this axis.
  Node var = define_var(target, t);
  Binding& b = *scopes_.find(target.text);
  b.min = domain.min;
  b.extent = domain.extent;
  Node range = make<ir::Range>(at, {domain.min, domain.extent});
  block_->iter_vars.push_back(make<tir::IterVar>(at, {range, kind, var}));
  block_->iter_values.push_back(bound);
}

void Elaborator::axis(const Stmt& s, const Expr& target, const Expr& call, std::string_view form) {
  struct Row {
    std::string_view name;
    int64_t kind;
  };
  static constexpr Row kAxes[] = {{"spatial", TN_ITER_SPATIAL}, {"S", TN_ITER_SPATIAL}, {"reduce", TN_ITER_REDUCE},
                                  {"R", TN_ITER_REDUCE},        {"scan", TN_ITER_SCAN}, {"opaque", TN_ITER_OPAQUE}};
  for (const Row& row : kAxes) {
    if (row.name != form) continue;
    auto args = arguments(call, "T.axis." + std::string(form), {"domain", "binding", "dtype"}, 2);
    Term bound = term(*args[1]);
    std::optional<DLDataType> want;
    if (bound.is_node() && is_int(bound.node.dtype())) want = bound.node.dtype();
    if (args[2]) want = dtype(*args[2], "the dtype");
    const Expr& dom = *args[0];
    bool pair = (dom.kind == Syntax::Tuple || dom.kind == Syntax::List) && dom.items.size() == 2;
    Interval domain = pair ? interval(dom.items[0], *dom.items[1], dom, want) : interval(nullptr, dom, dom, want);
    return add_axis(target, call, row.kind, domain, finish(bound, *args[1], domain.extent.dtype()));
  }
  if (form != "remap") {
    std::vector<std::string> known = {"axis.remap"};
    for (const Row& row : kAxes) known.push_back("axis." + std::string(row.name));
    unknown_form(call, call_path(call), known);
  }
  auto args = arguments(call, "T.axis.remap", {"kinds", "bindings", "dtype"}, 2);
  std::string_view kinds = string_of(*args[0], "the kinds of the axes, such as \"SSR\",");
  if (args[1]->kind != Syntax::List && args[1]->kind != Syntax::Tuple) expected(*args[1], "a list of loop variables");
  std::span<const Expr* const> loops = args[1]->items;
  const Expr* single[] = {&target};
  std::span<const Expr* const> names =
      target.kind == Syntax::Tuple || target.kind == Syntax::List ? target.items : std::span<const Expr* const>(single);
  if (kinds.size() != loops.size() || names.size() != loops.size())
    source_.fail(s.begin, "T.axis.remap has " + std::to_string(kinds.size()) + " kinds and " +
                              std::to_string(loops.size()) + " loop variables for " + std::to_string(names.size()) +
                              " axes");
  // All loop variables are read before the first axis hides a name.
  std::vector<Binding> bound;
  for (const Expr* loop : loops) {
    if (loop->kind != Syntax::Name) expected(*loop, "a loop variable");
    bound.push_back(binding(*loop));
    if (!bound.back().extent)
      expected(*loop, "a loop variable", "bind other values with T.axis.spatial(extent, value)");
  }
  for (size_t i = 0; i < loops.size(); ++i) {
    if (kinds[i] != 'S' && kinds[i] != 'R')
      fail(*args[0], std::string("met the kind '") + kinds[i] + "' of an axis, expected 'S' or 'R'");
    add_axis(*names[i], *loops[i], kinds[i] == 'S' ? int64_t{TN_ITER_SPATIAL} : int64_t{TN_ITER_REDUCE},
             {bound[i].min, bound[i].extent}, bound[i].node);
  }
}

void Elaborator::regions(const Expr& call, std::vector<Value>& out) {
  if (!call.keywords.empty()) source_.fail(call.keywords[0].where, "regions are given by position");
  std::span<const Expr* const> items = call.items;
  if (items.size() == 1 && items[0]->kind == Syntax::List) items = items[0]->items;  // T.reads([A[i], B[j]])
  for (const Expr* item : items) out.push_back(region(*item));
}

bool Elaborator::block_statement(const Stmt& s) {
  if (s.form == Form::Assign && s.value->kind == Syntax::Call) {
    Path p = path(*s.value->a);
    if (p.root != 'T') return false;
    if (p.name.substr(0, 5) == "axis.") {
      axis(s, *s.target, *s.value, p.name.substr(5));
      return true;
    }
    return false;
  }
  if (s.form == Form::Assign && s.target->kind == Syntax::Tuple && s.value->kind == Syntax::Tuple) {
    // vi, vj = T.axis.spatial(16, i), T.axis.spatial(16, j)
    if (s.value->items.size() != s.target->items.size()) return false;
    for (const Expr* v : s.value->items)
      if (Path p = call_path(*v); p.root != 'T' || p.name.substr(0, 5) != "axis.") return false;
    for (size_t i = 0; i < s.value->items.size(); ++i)
      axis(s, *s.target->items[i], *s.value->items[i], call_path(*s.value->items[i]).name.substr(5));
    return true;
  }
  if (s.form == Form::With && s.items.size() == 1 && call_path(*s.items[0].value).is('T', "init")) {
    if (block_->has_init) source_.fail(s.begin, "the block '" + std::string(block_->name) + "' has a second T.init()");
    block_->has_init = true;
    BlockState* outer = std::exchange(block_, nullptr);
    Node made = body(s.body, s);
    block_ = outer;
    block_->init = made;
    return true;
  }
  if (s.form != Form::Expression) return false;
  const Expr& call = *s.value;
  Path p = call_path(call);
  if (p.root != 'T') return false;
  if (p.name == "where") {
    const Expr& c = *arguments(call, "T.where", {"condition"}, 1)[0];
    if (block_->predicate) fail(call, "the block '" + std::string(block_->name) + "' has a second T.where");
    block_->predicate = condition(c);
  } else if (p.name == "reads") {
    block_->has_reads = true;
    regions(call, block_->reads);
  } else if (p.name == "writes") {
    block_->has_writes = true;
    regions(call, block_->writes);
  } else if (p.name == "block_attr" || p.name == "sblock_attr") {
    Builder::Entries all = Builder::entries(block_->annotations);
    for (auto& entry : Builder::entries(attribute_map(*arguments(call, "T.sblock_attr", {"attrs"}, 1)[0])))
      all.push_back(std::move(entry));
    block_->annotations = b_.map(all);
  } else {
    return false;
  }
  return true;
}

}  // namespace tenon::script
