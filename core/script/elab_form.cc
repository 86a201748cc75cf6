// T.* in expressions: arithmetic that has no symbol, casts, vectors, and every op of the table.
#include "diag/suggest.h"
#include "script/elaborate.h"
#include "script/operators.h"
#include "script/strings.h"

namespace tenon::script {

Term Elaborator::form(const Expr& e, const Path& p) {
  struct Row {
    std::string_view name;
    Term (Elaborator::*build)(const Expr&);
  };
  static constexpr Row kForms[] = {
      {"Select", &Elaborator::select_form},
      {"if_then_else", &Elaborator::if_then_else_form},
      {"Cast", &Elaborator::cast_form},
      {"cast", &Elaborator::cast_form},
      {"Ramp", &Elaborator::ramp_form},
      {"ramp", &Elaborator::ramp_form},
      {"Broadcast", &Elaborator::broadcast_form},
      {"broadcast", &Elaborator::broadcast_form},
      {"Let", &Elaborator::let_form},
      {"Not", &Elaborator::not_form},
      {"StringImm", &Elaborator::string_form},
      {"call_packed", &Elaborator::call_packed_form},
      {"call_extern", &Elaborator::call_extern_form},
      {"call_pure_extern", &Elaborator::call_extern_form},
      {"call_intrin", &Elaborator::call_intrin_form},
      {"call_llvm_pure_intrin", &Elaborator::call_extern_form},
      {"reinterpret", &Elaborator::given_form},
      {"max_value", &Elaborator::given_form},
      {"min_value", &Elaborator::given_form},
      {"infinity", &Elaborator::given_form},
      {"nan", &Elaborator::given_form},
  };
  for (const Row& row : kForms) {
    if (row.name != p.name) continue;
    // A call of C's kind needs an op that a plugin declares.
    if (row.build == &Elaborator::call_extern_form && context_.find_op &&
        context_.find_op("tir." + std::string(p.name)).is_none())
      refuse_form(e, p);
    return (this->*row.build)(e);
  }
  if (const OperatorRow* row = operator_of_function(p.name)) return arithmetic_form(e, row->kind);
  if (auto t = dtype_name(*e.a)) return dtype_call(e, *t);
  refuse_form(e, p);
  // Statements and declarations, where a value is expected.
  static const std::vector<std::string> kStatements = {
      "grid",         "serial",         "parallel",     "vectorized",
      "unroll",       "thread_binding", "block",        "sblock",
      "init",         "where",          "reads",        "writes",
      "alloc_buffer", "decl_buffer",    "match_buffer", "sblock_alloc_buffer",
      "block_attr",   "sblock_attr",    "func_attr",    "evaluate",
      "attr",         "launch_thread",  "Buffer",       "handle",
      "bind",         "meta_var"};
  for (const std::string& s : kStatements)
    if (s == p.name) fail(e, "T." + s + " is no value", "it stands in a statement of its own");
  std::string id = "tir." + std::string(p.name);
  if (context_.find_op && context_.find_op(id).is_none()) {
    std::vector<std::string> known = kStatements;
    for (const Row& row : kForms) known.emplace_back(row.name);
    for (const OperatorRow& row : kOperatorRows) known.emplace_back(row.function);
    for (const SpellingRow& row : kSpellingRows) known.emplace_back(row.function);
    unknown_form(e, p, std::move(known));
  }
  return intrinsic(e, id, e.items, std::nullopt);
}

Term Elaborator::dtype_call(const Expr& e, DLDataType dtype) {
  std::vector<const Expr*> args = arguments(e, "T." + dtype_text(dtype), {"value", "is_size_var"}, 0);
  if (!args[0])
    fail(e, "T." + dtype_text(dtype) + "() declares a symbol, which has no value here",
         "declare it in a statement of its own: n = T." + dtype_text(dtype) + "()");
  Term t = term(*args[0]);
  if (t.kind == Term::String) {
    auto v = non_finite_value(t.s);
    if (!v || !is_floating(dtype))
      expected(*args[0], "a number", "\"inf\", \"-inf\" and \"nan\" are floating-point numbers");
    return node_term(make<ir::FloatImm>(e, {dtype, *v}));
  }
  if (t.is_literal()) return node_term(literal(t, e, dtype));
  Node n = finish(t, *args[0]);
  return node_term(
      to_dtype(n, e, n.dtype().lanes > 1 && dtype.lanes == 1 ? with_lanes(dtype, n.dtype().lanes) : dtype));
}

Term Elaborator::arithmetic_form(const Expr& e, uint32_t kind) {
  std::string_view name = operator_of_kind(kind)->function;
  bool chain = kind == TN_KIND_tir_And || kind == TN_KIND_tir_Or;  // T.all(a, b, c)
  if (!e.keywords.empty() || e.items.size() < 2 || (e.items.size() > 2 && !chain))
    fail(e, "T." + std::string(name) + " takes two operands, met " + std::to_string(e.items.size() + e.keywords.size()),
         e.keywords.empty() ? "" : "it has no keyword arguments");
  Term left = term(*e.items[0]);
  const Expr* at_left = e.items[0];
  for (size_t i = 1; i < e.items.size(); ++i) {
    left = binary_node(kind, e, left, *at_left, term(*e.items[i]), *e.items[i]);
    at_left = &e;
  }
  return left;
}

Value Elaborator::op_record(const Expr& at, const Path& p, std::string_view id) const {
  if (!context_.find_op) return {};
  Value record = context_.find_op(id);
  if (record.is_none()) {
    if (p.root == 'T' && id == "tir." + std::string(p.name)) unknown_form(at, p, {});
    std::string nearest = nearest_name(id, context_.op_names ? context_.op_names() : std::vector<std::string>());
    fail(at, "unknown op '" + std::string(id) + "'", nearest.empty() ? "" : "did you mean '" + nearest + "'?");
  }
  return record;
}

void Elaborator::check_arity(const Expr& at, const Map& record, std::string_view id, size_t count) const {
  const Value* args = record.find("args");
  if (!args || !args->is_array()) return;
  size_t least = 0;
  bool variadic = false;
  std::string names;
  for (const Value& v : args->ref<Array>()) {
    if (!v.is_string()) return;
    std::string_view name = v.as_string();
    bool optional = !name.empty() && name.back() == '?';
    if (name.size() > 3 && name.substr(name.size() - 3) == "...")
      variadic = true;
    else if (!optional)
      ++least;
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  if (count < least || (!variadic && count > args->ref<Array>().size()))
    fail(at,
         std::string(id) + " takes " + (variadic ? "at least " : "") + std::to_string(least) + " argument" +
             (least == 1 ? "" : "s") + ", met " + std::to_string(count),
         names.empty() ? "" : "its arguments are " + names);
}

Map Elaborator::op_attrs(const Expr& call, const Value& record, std::string_view id,
                         std::initializer_list<std::string_view> skip) {
  Builder::Entries entries;
  const Value* known = record.is_map() ? record.ref<Map>().find("attrs") : nullptr;
  for (const Keyword& k : call.keywords) {
    if (std::find(skip.begin(), skip.end(), k.name) != skip.end()) continue;
    if (record.is_map() && (!known || !known->is_map() || !known->ref<Map>().find(k.name))) {
      std::vector<std::string> names;
      if (known && known->is_map())
        for (const Map::Entry& e : known->ref<Map>()) names.emplace_back(e.key());
      std::string nearest = nearest_name(k.name, names);
      std::string list;
      for (const std::string& n : names) list += (list.empty() ? "" : ", ") + n;
      source_.fail(k.where, std::string(id) + " has no attribute '" + std::string(k.name) + "'",
                   !nearest.empty() ? "did you mean '" + nearest + "'?"
                   : list.empty()   ? "it has no attributes"
                                    : "its attributes are " + list);
    }
    entries.emplace_back(std::string(k.name), attribute(*k.value));
  }
  return b_.map(entries);
}

Term Elaborator::intrinsic(const Expr& e, std::string_view id, std::span<const Expr* const> args,
                           std::optional<Value> type) {
  Value record = op_record(e, call_path(e), id);
  if (record.is_map()) check_arity(e, record.ref<Map>(), id, args.size());
  std::vector<Term> terms;
  std::optional<DLDataType> anchor;  // what literals adapt to
  for (const Expr* a : args) {
    terms.push_back(term(*a));
    if (!anchor && terms.back().is_node()) {
      DLDataType t = terms.back().node.is<tir::Buffer>() ? DLDataType{} : terms.back().node.dtype();
      if (is_int(t) || is_floating(t)) anchor = t;
    }
  }
  if (keeps_literals(id)) anchor.reset();
  std::vector<Value> nodes;
  for (size_t i = 0; i < terms.size(); ++i) nodes.push_back(finish(terms[i], *args[i], anchor));
  if (const Expr* k = keyword(e, "dtype")) type = k->kind == Syntax::None ? Value() : Value(dtype(*k, "the dtype"));
  if (!type) {
    const Value* rule = record.is_map() ? record.ref<Map>().find("result") : nullptr;
    std::string_view result = rule && rule->is_string() ? rule->as_string() : "first";
    DLDataType first = nodes.empty() ? DLDataType{} : as_node(nodes[0]).dtype();
    if (result == "given") {
      fail(e, "the dtype of the result of " + std::string(id) + " is not given", "add dtype=\"...\"");
    } else if (result == "first") {
      type = first.bits ? Value(first) : Value();
    } else {
      auto t = dtype_from_text(result);
      type = t ? Value(with_lanes(*t, first.lanes > 1 ? first.lanes : t->lanes)) : Value();
    }
  }
  Map attrs = op_attrs(e, record, id, {"dtype"});
  Node op = make<ir::Op>(*e.a, {Value(), text(id)});
  return node_term(make<ir::Call>(e, {*type, op, list(nodes), attrs, list({})}));
}

Term Elaborator::select_form(const Expr& e) {
  auto args = arguments(e, "T.Select", {"condition", "true_value", "false_value"}, 3);
  Node c = condition(*args[0]);
  auto [a, b] = matched(term(*args[1]), *args[1], term(*args[2]), *args[2], e);
  return node_term(make<tir::Select>(e, {a.dtype(), c, a, b}));
}

Term Elaborator::if_then_else_form(const Expr& e) {
  auto args = arguments(e, "T.if_then_else", {"condition", "true_value", "false_value"}, 3);
  Node c = condition(*args[0]);
  auto [a, b] = matched(term(*args[1]), *args[1], term(*args[2]), *args[2], e);
  Node op = make<ir::Op>(*e.a, {Value(), text("tir.if_then_else")});
  return node_term(make<ir::Call>(e, {a.dtype(), op, list({c, a, b}), b_.map({}), list({})}));
}

Term Elaborator::cast_form(const Expr& e) {
  bool as_written = call_path(e).name == "Cast";
  auto args =
      as_written ? arguments(e, "T.Cast", {"dtype", "value"}, 2) : arguments(e, "T.cast", {"value", "dtype"}, 2);
  DLDataType t = dtype(*args[as_written ? 0 : 1], "the dtype");
  const Expr& value = *args[as_written ? 1 : 0];
  Node n = expr(value);
  if (!as_written) return node_term(to_dtype(n, e, with_lanes(t, n.dtype().lanes)));
  if (n.is<tir::Buffer>() || n.dtype().bits == 0) to_dtype(n, value, t);
  return node_term(make<tir::Cast>(e, {t, n}));
}

Term Elaborator::ramp_form(const Expr& e) {
  auto args = arguments(e, "T.Ramp", {"base", "stride", "lanes"}, 3);
  auto [base, stride] = matched(term(*args[0]), *args[0], term(*args[1]), *args[1], e);
  int64_t lanes = int_of(*args[2], "the lanes");
  if (lanes < 1 || lanes > 65535) expected(*args[2], "1 to 65535 lanes");
  return node_term(make<tir::Ramp>(e, {with_lanes(base.dtype(), static_cast<uint16_t>(lanes)), base, stride, lanes}));
}

Term Elaborator::broadcast_form(const Expr& e) {
  auto args = arguments(e, "T.Broadcast", {"value", "lanes"}, 2);
  Node value = expr(*args[0]);
  int64_t lanes = int_of(*args[1], "the lanes");
  if (lanes < 1 || lanes > 65535) expected(*args[1], "1 to 65535 lanes");
  if (value.dtype().bits == 0) to_dtype(value, *args[0], kFloat32);
  return node_term(make<tir::Broadcast>(e, {with_lanes(value.dtype(), static_cast<uint16_t>(lanes)), value, lanes}));
}

Term Elaborator::let_form(const Expr& e) {
  auto args = arguments(e, "T.Let", {"body", "where"}, 2);
  if (args[1]->kind != Syntax::Dict)
    expected(*args[1], "a map of one name to its value: T.Let(body, where={x: value})");
  Scopes::Block names(scopes_);
  std::vector<std::pair<Node, Node>> bound;  // var, value
  for (size_t i = 0; i + 1 < args[1]->items.size(); i += 2) {
    const Expr& name = *args[1]->items[i];
    if (name.kind != Syntax::Name) expected(name, "a name");
    Binding* declared = scopes_.find(name.text);
    std::optional<DLDataType> want;
    if (declared && !declared->node) want = declared->declared;
    Node value = want ? converted(*args[1]->items[i + 1], *want) : expr(*args[1]->items[i + 1]);
    if (value.dtype().bits == 0) to_dtype(value, *args[1]->items[i + 1], kInt64);
    bound.emplace_back(define_var(name, value.dtype()), value);
  }
  Node body = expr(*args[0]);
  for (size_t i = bound.size(); i-- > 0;)
    body =
        make<tir::Let>(e, {body.dtype().bits ? Value(body.dtype()) : Value(), bound[i].second, bound[i].first, body});
  return node_term(body);
}

Term Elaborator::not_form(const Expr& e) {
  const Expr& a = *arguments(e, "T.Not", {"a"}, 1)[0];
  Node n = condition(a);
  return node_term(make<tir::Not>(e, {n.dtype(), n}));
}

Term Elaborator::string_form(const Expr& e) {
  const Expr& value = *arguments(e, "T.StringImm", {"value"}, 1)[0];
  return node_term(make<ir::StringImm>(e, {Value(), text(string_of(value, "the text"))}));
}

Term Elaborator::call_packed_form(const Expr& e) {
  if (e.items.empty()) fail(e, "T.call_packed misses the name of the function");
  string_of(*e.items[0], "the name of the function");
  return intrinsic(e, "tir.call_packed", e.items, Value(kInt32));
}

Term Elaborator::call_extern_form(const Expr& e) {
  std::string id = "tir." + std::string(call_path(e).name);
  if (keyword(e, "dtype")) return intrinsic(e, id, e.items, std::nullopt);
  if (e.items.size() < 2 || e.items[0]->kind != Syntax::String)
    fail(e, id.substr(4) + " takes a dtype, the name of the function and its arguments");
  return intrinsic(e, id, e.items.subspan(1), Value(dtype(*e.items[0], "the dtype")));
}

Term Elaborator::call_intrin_form(const Expr& e) {
  if (e.items.size() < 2) fail(e, "T.call_intrin takes a dtype, the id of the op and its arguments");
  std::string id(string_of(*e.items[1], "the id of the op"));
  return intrinsic(e, id, e.items.subspan(2), Value(dtype(*e.items[0], "the dtype")));
}

Term Elaborator::given_form(const Expr& e) {
  std::string id = "tir." + std::string(call_path(e).name);
  if (keyword(e, "dtype")) return intrinsic(e, id, e.items, std::nullopt);
  if (e.items.empty()) fail(e, "T." + id.substr(4) + " misses its dtype", "write T." + id.substr(4) + "(\"float32\")");
  // Both T.reinterpret("float32", x) and T.reinterpret(x, "float32") have been TVM's order.
  bool first = dtype_name(*e.items[0]).has_value();
  const Expr& name = first ? *e.items[0] : *e.items.back();
  return intrinsic(e, id, first ? e.items.subspan(1) : e.items.first(e.items.size() - 1),
                   Value(dtype(name, "the dtype")));
}

}  // namespace tenon::script
