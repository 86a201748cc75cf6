// Expressions of the graph level.
#include "diag/suggest.h"
#include "script/elaborate.h"
#include "script/graph_types.h"

namespace tenon::script {

Node Elaborator::with_type(const Node& n, const Node* expected_type) const {
  bool inferred = n.is<ir::Call>() || n.is<relax::Tuple>() || n.is<relax::TupleGetItem>() || n.is<relax::ShapeExpr>() ||
                  n.is<relax::PrimValue>() || n.is<relax::If>();
  if (!inferred) return n;
  Value type = natural_graph_type(b_, n);
  if (type.is_none() && expected_type) type = *expected_type;
  return type.is_none() ? n : b_.with(n, 0, type);
}

Node Elaborator::shape_expr(const Expr& at, std::span<const Expr* const> items) {
  std::vector<Value> dims;
  for (const Expr* d : items) dims.push_back(index(*d));
  return with_type(make<relax::ShapeExpr>(at, {Value(), list(dims)}), nullptr);
}

Node Elaborator::graph_tuple(std::span<const Expr* const> items, const Expr& at) {
  std::vector<Value> fields;
  for (const Expr* item : items) fields.push_back(graph_expr(*item));
  return make<relax::Tuple>(at, {Value(), list(fields)});
}

Node Elaborator::graph_sequence_literal(const Expr& e) {
  // Integers, symbols and arithmetic on them make a shape.
  auto is_dimension = [&](const Expr& item) {
    if (item.kind == Syntax::Int || item.kind == Syntax::Binary || item.kind == Syntax::Unary) return true;
    if (item.kind == Syntax::Call) return path(*item.a).root == 'T';
    if (item.kind != Syntax::Name) return false;
    Binding* b = scopes_.find(item.text);
    return b && (!b->node || is_int(b->node.dtype()));
  };
  bool shape = !e.items.empty();
  for (const Expr* item : e.items) shape = shape && is_dimension(*item);
  return shape ? shape_expr(e, e.items) : graph_tuple(e.items, e);
}

Node Elaborator::graph_expr(const Expr& e, const Node* expected_type) {
  switch (e.kind) {
    case Syntax::Name:
      if (heads_.count(e.text) && !scopes_.find(e.text)) return global_var(e, heads_[e.text].name);
      return lookup(e);
    case Syntax::Attribute:
      if (auto name = function_reference(e)) return global_var(e, *name);
      if (Path p = path(e)) {
        refuse_form(e, p);
        expected(e, "a value");
      }
      source_.refuse(e.begin, "the attribute '." + std::string(e.text) + "' of a value",
                     "bring symbolic shapes in with R.match_cast");
    case Syntax::Tuple:
    case Syntax::List: return with_type(graph_sequence_literal(e), expected_type);
    case Syntax::Subscript: {
      if (e.a->is_name("metadata") && !scopes_.find("metadata")) binding(*e.a);
      if (e.items.size() != 1 || e.items[0]->kind == Syntax::Slice)
        expected(*e.items[0], "the number of a field of a tuple", "a part of a tensor is R.strided_slice(x, ...)");
      Node tuple = graph_expr(*e.a);
      return with_type(make<relax::TupleGetItem>(e, {Value(), tuple, int_of(*e.items[0], "the number of the field")}),
                       expected_type);
    }
    case Syntax::Call:
      if (call_path(e).root == 'I') return graph_call(e);  // says its type itself
      return with_type(graph_call(e), expected_type);
    case Syntax::String: return make<ir::StringImm>(e, {Value(), text(e.text)});
    case Syntax::Int:
    case Syntax::Float:
    case Syntax::True:
    case Syntax::False: return with_type(make<relax::PrimValue>(e, {Value(), expr(e)}), expected_type);
    case Syntax::Binary:
    case Syntax::Unary: {
      if (e.kind == Syntax::Unary && (e.a->kind == Syntax::Int || e.a->kind == Syntax::Float))
        return with_type(make<relax::PrimValue>(e, {Value(), expr(e)}), expected_type);
      std::string hint = e.text == "+"   ? "R.add(a, b)"
                         : e.text == "-" ? "R.subtract(a, b)"
                         : e.text == "*" ? "R.multiply(a, b)"
                         : e.text == "/" ? "R.divide(a, b)"
                                         : "the operator of R";
      source_.refuse(e.begin, "the operator '" + std::string(e.text) + "' in a graph function",
                     "write " + hint + ", or R.prim_value(...) for arithmetic on symbols");
    }
    default: expected(e, "an expression");
  }
}

Node Elaborator::graph_call(const Expr& e) {
  if (Path p = path(*e.a)) {
    if (p.root == 'R') return graph_form(e, p);
    if (p.root == 'I') {
      Value v = escape(e, p);
      if (!v.is_node()) expected(e, "an expression");
      return as_node(v);
    }
    expected(e, "an expression of the graph level", "T.* forms stand in @T.prim_func and in shapes");
  }
  Node callee;
  std::string_view op;
  if (auto name = function_reference(*e.a)) {
    callee = global_var(*e.a, *name);
  } else if (call_path(*e.a).is('I', "op")) {
    op = string_of(*arguments(*e.a, "I.op", {"id"}, 1)[0], "the id of the op");
    op_record(*e.a, {}, op);
    callee = make<ir::Op>(*e.a, {Value(), text(op)});
  } else if (e.a->kind == Syntax::Name || e.a->kind == Syntax::Subscript || e.a->kind == Syntax::Call) {
    callee = graph_expr(*e.a);
  } else {
    fail(*e.a, "met a call of " + describe(*e.a) + ", which is no function",
         "functions of the module are called as cls.f(...), external ones by R.call_packed(\"f\", ...)");
  }
  std::vector<Value> args;
  for (const Expr* a : e.items) args.push_back(graph_expr(*a));
  Builder::Entries attrs;
  Value types = list({});
  for (const Keyword& k : e.keywords) {
    if (k.name == "ty_args" || k.name == "sinfo_args")
      types = types_of(*k.value);
    else
      attrs.emplace_back(std::string(k.name), attribute(*k.value));
  }
  return make<ir::Call>(e, {Value(), callee, list(args), b_.map(attrs), types});
}

}  // namespace tenon::script
