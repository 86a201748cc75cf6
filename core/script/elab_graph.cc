// Functions of the graph level: bindings, dataflow blocks, branches.
#include "diag/suggest.h"
#include "script/elaborate.h"
#include "script/graph_types.h"
#include "tenon/cxx/types.h"

namespace tenon::script {

Node Elaborator::graph_function(const Stmt& s, const Expr& decorator) {
  function_ = FunctionState();
  function_.graph = true;
  Scopes::Block scope(scopes_);
  std::vector<Value> params;
  function_.header = true;
  for (const Param& p : s.params) {
    if (p.name == "self" && !p.annotation)
      source_.refuse(p.where, "a method", "leave `self` out: functions of a module have none");
    Expr name{};
    name.kind = Syntax::Name;
    name.begin = name.end = p.where;
    name.end.column += static_cast<int32_t>(p.name.size());
    name.text = p.name;
    Value type = p.annotation ? loop_type(*p.annotation) : Value();
    params.push_back(define_var(name, type));
    function_.known.merge(symbols_of_type(b_, type));
  }
  Value ret_type = s.annotation ? loop_type(*s.annotation) : Value();
  function_.header = false;
  Node body = graph_sequence(s.body, s, {});
  auto flag = [&](std::string_view name, bool otherwise) {
    const Expr* k = decorator.kind == Syntax::Call ? keyword(decorator, name) : nullptr;
    return k ? bool_of(*k, name) : otherwise;
  };
  bool has_symbol = false;
  for (const auto& entry : function_.attrs) has_symbol = has_symbol || entry.first == "global_symbol";
  if (!has_symbol && !flag("private", false)) function_.attrs.emplace_back("global_symbol", text(function_name(s)));
  return make<relax::Function>(s, {Value(), list(params), b_.map(function_.attrs), ret_type, flag("pure", true), body});
}

// The statements of a function (`result` empty: it ends with `return`) or of a branch (it ends with the binding of
// `result`, or with `result = I.result(value)`).
Node Elaborator::graph_sequence(Body stmts, const Stmt& at, std::string_view result) {
  std::vector<Value> bindings, blocks;
  FunctionState outer = function_;
  function_.bindings = &bindings;
  function_.blocks = &blocks;
  function_.outputs = nullptr;
  function_.result = Node();
  function_.ended = false;
  function_.body_type.reset();
  function_.announced.clear();
  function_.branch_result = result;
  for (const Stmt* s : stmts) {
    if (function_.ended)
      source_.fail(s->begin, result.empty() ? "met a statement after `return`"
                                            : "met a statement after the result of the branch");
    graph_statement(*s);
  }
  flush_bindings(at);
  Node value = function_.result;
  std::optional<Value> body_type = function_.body_type;
  auto attrs = std::move(function_.attrs);
  std::set<const TnNode*> own;  // the symbols that end with the sequence
  for (const TnNode* v : function_.known)
    if (!outer.known.count(v)) own.insert(v);
  function_ = std::move(outer);
  function_.attrs = std::move(attrs);
  if (!value && !result.empty()) {
    Binding* b = scopes_.find(result);
    if (b && b->node.is<ir::Var>()) value = b->node;
  }
  if (!value)
    source_.fail(at.begin,
                 result.empty() ? "the function '" + std::string(at.text) + "' ends without `return`"
                                : "a branch ends without a binding of '" + std::string(result) + "'",
                 result.empty() ? "write `return x`" : "both branches end with a binding of the same name");
  Value outside = body_type ? *body_type : without_symbols(b_, graph_type_of(value), own);
  return make<relax::SeqExpr>(at, {outside, list(blocks), value});
}

void Elaborator::flush_bindings(const Stmt& at, bool even_empty) {
  if (function_.bindings->empty() && !even_empty) return;
  function_.blocks->push_back(make<relax::BindingBlock>(at, {list(*function_.bindings)}));
  function_.bindings->clear();
}

void Elaborator::graph_statement(const Stmt& s) {
  switch (s.form) {
    case Form::Pass: return;
    case Form::Assign:
      if (s.target->kind == Syntax::Tuple && s.value->kind == Syntax::Tuple &&
          s.target->items.size() == s.value->items.size()) {
        bool symbols = true;
        for (size_t i = 0; i < s.target->items.size() && symbols; ++i)
          symbols = declare_symbol(*s.target->items[i], *s.value->items[i]);
        if (symbols) return;
      }
      return graph_bind(s, *s.target, *s.value, nullptr);
    case Form::Annotated:
      if (!s.value) {
        if (auto t = dtype_name(*s.annotation)) {
          Binding b;
          b.declared = *t;
          b.where = s.target->begin;
          scopes_.define(s.target->text, std::move(b));
        } else {
          function_.announced[s.target->text] = loop_type(*s.annotation);
        }
        return;
      }
      return graph_bind(s, *s.target, *s.value, s.annotation);
    case Form::Return:
      if (!function_.branch_result.empty() || function_.outputs)
        source_.refuse(s.begin, "a `return` inside of a branch or a dataflow block",
                       "bind the result and return it at the end");
      if (!s.value)
        source_.fail(s.begin, "met `return` without a value", "a function without a result returns R.tuple()");
      function_.result = graph_expr(*s.value);
      function_.ended = true;
      return;
    case Form::If: return graph_if(s);
    case Form::With: return graph_with(s);
    case Form::Expression: {
      const Expr& value = *s.value;
      if (value.kind == Syntax::String) return;
      Path p = call_path(value);
      if (p.is('R', "func_attr") || p.is('T', "func_attr")) {
        for (auto& entry : Builder::entries(attribute_map(*arguments(value, "R.func_attr", {"attrs"}, 1)[0])))
          function_.attrs.push_back(std::move(entry));
        return;
      }
      if (p.is('I', "body_type")) {
        function_.body_type = loop_type(*arguments(value, "I.body_type", {"type"}, 1)[0]);
        return;
      }
      if (p.is('R', "output")) {
        if (!function_.outputs)
          fail(value, "R.output stands in a dataflow block", "write it under `with R.dataflow():`");
        for (const Expr* item : value.items) {
          if (item->kind != Syntax::Name) expected(*item, "a name");
          function_.outputs->push_back(lookup(*item));
        }
        return;
      }
      if (value.kind != Syntax::Call) expected(value, "a statement");
      Expr unnamed{};
      unnamed.kind = Syntax::Name;
      unnamed.begin = unnamed.end = value.begin;
      unnamed.text = "_";
      return graph_bind(s, unnamed, value, nullptr);
    }
    case Form::Augmented: source_.refuse(s.begin, "an update of a name", "bind the new value to a name");
    case Form::For:
    case Form::While:
      source_.refuse(s.begin, "a loop in a graph function",
                     "write the loop in a @T.prim_func, or the function recursively");
    case Form::Assert: source_.refuse(s.begin, "an assert in a graph function", "write R.assert_op(condition)");
    case Form::Function:
      source_.refuse(s.begin, "a closure", "move the function to the module and pass it what it needs");
    case Form::Class: source_.refuse(s.begin, "a class inside of a function");
  }
}

void Elaborator::add_binding(const Stmt& s, const Expr& target, const Node& value, std::optional<Value> type) {
  if (target.kind != Syntax::Name)
    expected(target, "a name", target.kind == Syntax::Tuple ? "bind the tuple, then take its fields: x[0], x[1]" : "");
  Node var = define_var(target, type ? *type : graph_type_of(value));
  function_.bindings->push_back(make<relax::VarBinding>(s, {value, var}));
}

void Elaborator::graph_bind(const Stmt& s, const Expr& target, const Expr& value, const Expr* annotation) {
  if (target.is_name("cls") && !module_name_.empty() && value.is_name(module_name_)) return;
  if (!annotation && declare_symbol(target, value)) return;
  std::optional<Value> type;
  if (annotation) type = loop_type(*annotation);
  Path p = call_path(value);
  if (p.is('R', "match_cast")) {
    auto args = arguments(value, "R.match_cast", {"value", "type"}, 2);
    Node from = graph_expr(*args[0]);
    Node cast = this->type(*args[1]);
    Node var = define_var(target, type ? *type : Value(cast));
    function_.bindings->push_back(make<relax::MatchCast>(s, {from, cast, var}));
    function_.known.merge(symbols_of_type(b_, Value(cast)));
    return;
  }
  if (p.is('I', "result")) {
    if (target.kind != Syntax::Name || target.text != function_.branch_result)
      fail(value, "I.result stands at the end of a branch", "it gives the value of the branch without a binding");
    function_.result = graph_expr(*arguments(value, "I.result", {"value"}, 1)[0]);
    function_.ended = true;
    return;
  }
  Node expected_type = type && type->is_node() ? as_node(*type) : Node();
  Node made = graph_expr(value, expected_type ? &expected_type : nullptr);
  add_binding(s, target, made, type);
}

void Elaborator::graph_if(const Stmt& s) {
  if (function_.outputs) source_.refuse(s.begin, "an `if` in a dataflow block", "end the dataflow block before it");
  if (s.orelse.empty())
    source_.fail(s.begin, "met an `if` without `else`", "both branches end with a binding of the same name");
  // The name that both branches bind last.
  std::string_view name;
  for (Body branch : {s.body, s.orelse}) {
    const Stmt* last = branch.empty() ? nullptr : branch.back();
    std::string_view bound;
    if (last && (last->form == Form::Assign || last->form == Form::Annotated) && last->target->kind == Syntax::Name)
      bound = last->target->text;
    // A nested `if` binds what its own branches end with.
    for (const Stmt* at = last; bound.empty() && at && at->form == Form::If && !at->body.empty();) {
      at = at->body.back();
      if ((at->form == Form::Assign || at->form == Form::Annotated) && at->target->kind == Syntax::Name)
        bound = at->target->text;
    }
    if (bound.empty() || (!name.empty() && bound != name))
      source_.fail(last ? last->begin : s.begin,
                   "the branches of an `if` end with " +
                       (bound.empty() ? std::string("no binding") : "a binding of '" + std::string(bound) + "'") +
                       ", expected a binding of " +
                       (name.empty() ? std::string("a name") : "'" + std::string(name) + "'"),
                   "both branches end with a binding of the same name, which holds the result");
    name = bound;
  }
  Node condition = graph_expr(*s.value);
  auto branch = [&](Body stmts) {
    Scopes::Block scope(scopes_);
    return graph_sequence(stmts, s, name);
  };
  Node then_branch = branch(s.body);
  Node else_branch = branch(s.orelse);
  auto announced = function_.announced.find(name);
  std::optional<Value> type;
  if (announced != function_.announced.end()) {
    type = announced->second;
    function_.announced.erase(announced);
  }
  Node want = type && type->is_node() ? as_node(*type) : Node();
  Node made = with_type(make<relax::If>(s, {Value(), condition, then_branch, else_branch}), want ? &want : nullptr);
  Expr target{};
  target.kind = Syntax::Name;
  target.begin = target.end = s.begin;
  target.text = name;
  add_binding(s, target, made, type);
}

void Elaborator::graph_with(const Stmt& s) {
  const Expr& call = *s.items[0].value;
  Path p = call_path(call);
  bool dataflow = p.is('R', "dataflow"), plain = p.is('I', "seq");
  if (!dataflow && !plain) {
    if (p.root == 'R') unknown_form(call, p, {"dataflow"});
    expected(call, "R.dataflow()");
  }
  if (s.items.size() != 1) fail(*s.items[1].value, "met a second item of a `with`");
  if (function_.outputs)
    source_.refuse(s.begin, "a block inside of a dataflow block", "end the dataflow block before it");
  flush_bindings(s);
  std::vector<Value> outputs;
  if (dataflow) function_.outputs = &outputs;
  for (const Stmt* inner : s.body) {
    if (plain && inner->form == Form::With) source_.refuse(inner->begin, "a block inside of a block");
    graph_statement(*inner);
  }
  function_.outputs = nullptr;
  if (plain) return flush_bindings(s, true);
  function_.blocks->push_back(make<relax::DataflowBlock>(s, {list(*function_.bindings), list(outputs)}));
  function_.bindings->clear();
}

}  // namespace tenon::script
