// Statements of the loop level.
#include "diag/suggest.h"
#include "script/elaborate.h"
#include "script/operators.h"

namespace tenon::script {
namespace {

bool mentions(const Expr& e, std::string_view name) {
  if (e.is_name(name)) return true;
  for (const Expr* part : {e.a, e.b, e.c})
    if (part && mentions(*part, name)) return true;
  for (const Expr* item : e.items)
    if (item && mentions(*item, name)) return true;
  for (const Keyword& k : e.keywords)
    if (mentions(*k.value, name)) return true;
  return false;
}

}  // namespace

Node Elaborator::sequence(std::vector<Node>& stmts, const Stmt& at) const {
  // What defines a name for the statements after it stands in a sequence, also when there are none.
  auto defines = [](const Node& n) { return n.is<tir::Bind>() || n.is<tir::AllocBuffer>() || n.is<tir::DeclBuffer>(); };
  if (stmts.size() == 1 && !defines(stmts[0])) return stmts[0];
  std::vector<Value> items(stmts.begin(), stmts.end());
  return make<tir::Seq>(at, {list(items)});
}

Node Elaborator::body(Body stmts, const Stmt& at) {
  Scopes::Block scope(scopes_);
  std::vector<Node> out;
  body_into(stmts, out);
  return sequence(out, at);
}

void Elaborator::body_into(Body stmts, std::vector<Node>& out) {
  for (size_t i = 0; i < stmts.size(); ++i) {
    if (wraps_rest(*stmts[i], stmts.subspan(i + 1), out)) return;
    function_.rest = stmts.subspan(i + 1);
    statement(*stmts[i], out);
  }
}

void Elaborator::statement(const Stmt& s, std::vector<Node>& out) {
  if (block_ && block_statement(s)) {
    if (!out.empty()) head_after_body(s);
    return;
  }
  switch (s.form) {
    case Form::Expression: return expression_statement(s, out);
    case Form::Assign: return assign(s, out);
    case Form::Annotated: return annotated(s, out);
    case Form::Augmented: return augmented(s, out);
    case Form::Pass: return;
    case Form::If: return out.push_back(if_statement(s));
    case Form::With: return with(s, out);
    case Form::For: {
      BlockState* outer = std::exchange(block_, nullptr);
      for_statement(s, out);
      block_ = outer;
      return;
    }
    case Form::While: {
      Node c = condition(*s.value);
      BlockState* outer = std::exchange(block_, nullptr);
      Node inner = body(s.body, s);
      block_ = outer;
      return out.push_back(make<tir::While>(s, {c, inner}));
    }
    case Form::Assert: {
      Node c = condition(*s.value);
      return out.push_back(make<tir::Assert>(s, {c, text(s.annotation ? assert_message(*s.annotation) : "")}));
    }
    case Form::Return: {
      if (!s.value || s.value->kind == Syntax::None)
        source_.refuse(s.begin, "a return without a value inside of a function", "let the function end");
      const Expr* items[] = {s.value};
      Node value = expr(*items[0]);
      Node op = make<ir::Op>(s, {Value(), text("tir.ret")});
      Value type = value.dtype().bits ? Value(value.dtype()) : Value();
      Node call = make<ir::Call>(s, {type, op, list({value}), b_.map({}), list({})});
      return out.push_back(make<tir::Evaluate>(s, {call}));
    }
    case Form::Function:
      source_.refuse(s.begin, "a function inside of a function", "move it to the module: cls." + std::string(s.text));
    case Form::Class: source_.refuse(s.begin, "a class inside of a function");
  }
}

// "message", or as TVM prints it ("ValueError", ["parts of ", "the message"]).
std::string Elaborator::assert_message(const Expr& e) const {
  bool pair = e.kind == Syntax::Tuple && e.items.size() == 2 &&
              (e.items[1]->kind == Syntax::List || e.items[1]->kind == Syntax::Tuple);
  if (!pair) return std::string(string_of(e, "the message"));
  std::string_view kind = string_of(*e.items[0], "the kind of the error");
  std::string message = kind == "RuntimeError" ? "" : std::string(kind) + ": ";
  for (const Expr* part : e.items[1]->items) message += string_of(*part, "a part of the message");
  return message;
}

// n = T.int64() and n, m = T.int64(), T.int64(); false when `value` declares nothing.
bool Elaborator::declare_symbol(const Expr& target, const Expr& value) {
  Path p = call_path(value);
  if (!p) return false;
  std::optional<DLDataType> t;
  bool exact = false;
  if (p.is('T', "var") || p.is('I', "var") || p.is('T', "dynamic")) {
    exact = p.root == 'I';
    if (value.items.size() == 1) t = dtype(*value.items[0], "the dtype");
    if (value.items.empty() && !exact) t = kInt64;
  } else if (p.root == 'T' && value.items.empty()) {
    t = dtype_name(*value.a);
    if (t)
      for (const Keyword& k : value.keywords)
        if (k.name != "is_size_var") return false;
  }
  if (!t) return false;
  if (target.kind != Syntax::Name) expected(target, "a name for the symbol");
  if (function_.symbols.count(target.text) && scopes_.find(target.text))
    return true;  // the head of the graph function has it already
  Binding b;
  b.declared = *t;
  b.where = target.begin;
  if (exact) b.node = make<ir::Var>(target, {*t, text(target.text)});
  scopes_.define(target.text, std::move(b));
  return true;
}

void Elaborator::assign(const Stmt& s, std::vector<Node>& out) {
  const Expr& target = *s.target;
  const Expr& value = *s.value;
  if (target.kind == Syntax::Subscript) {
    Node buffer = buffer_of(*target.a, "a buffer before '['");
    return store(s, target, expr_as(value, buffer.to<tir::Buffer>().dtype()), out);
  }
  if (target.kind == Syntax::Tuple || target.kind == Syntax::List) {
    if (value.kind != Syntax::Tuple && value.kind != Syntax::List)
      expected(value, std::to_string(target.items.size()) + " values, one for each name");
    if (value.items.size() != target.items.size())
      fail(value, "met " + std::to_string(value.items.size()) + " values for " + std::to_string(target.items.size()) +
                      " names");
    // The statements are made one after the other: no value may name what one before it has assigned.
    for (size_t i = 1; i < target.items.size(); ++i)
      for (size_t j = 0; j < i; ++j)
        if (target.items[j]->kind == Syntax::Name && mentions(*value.items[i], target.items[j]->text))
          source_.refuse(value.items[i]->begin,
                         "an assignment that uses '" + std::string(target.items[j]->text) + "' and assigns it at once",
                         "write one statement for each name");
    for (size_t i = 0; i < target.items.size(); ++i) assign_name(s, *target.items[i], *value.items[i], out);
    return;
  }
  assign_name(s, target, value, out);
}

void Elaborator::assign_name(const Stmt& s, const Expr& target, const Expr& value, std::vector<Node>& out) {
  if (target.kind != Syntax::Name) expected(target, "a name or an element of a buffer");
  if (target.is_name("cls") && !module_name_.empty() && value.is_name(module_name_)) return;
  if (assign_variable(s, target, value, out)) return;
  if (declare_symbol(target, value) || buffer_statement(s, target, value, out)) return;
  Path p = call_path(value);
  if (p.is('T', "meta_var")) return define(target, expr(*arguments(value, "T.meta_var", {"value"}, 1)[0]));
  if (p.is('T', "bind") || p.is('T', "let")) {
    auto args = arguments(value, "T.bind", {"value", "dtype"}, 1);
    std::optional<Value> type;
    if (args[1]) type = loop_type(*args[1]);
    return bind(s, target, *args[0], type, out);
  }
  if (!variable(s, target, &value, std::nullopt, out)) bind(s, target, value, std::nullopt, out);
}

void Elaborator::bind(const Stmt& s, const Expr& target, const Expr& value, std::optional<Value> type,
                      std::vector<Node>& out) {
  Node n = type && type->is_dtype() ? expr_as(value, type->as_dtype()) : expr(value);
  if (n.is<tir::Buffer>()) return define(target, n);  // another name for the buffer
  if (type && type->is_dtype() && n.dtype().bits && !is_handle(type->as_dtype()))
    n = to_dtype(n, value, type->as_dtype());
  if (!type) {
    if (n.dtype().bits == 0)
      fail(value, "the dtype of this value is not known",
           "annotate the name: " + std::string(target.text) + ": T.int64 = ...");
    type = n.dtype();
  }
  // The value is read before the name is defined.
  Node var = define_var(target, *type);
  out.push_back(make<tir::Bind>(s, {n, var}));
}

void Elaborator::annotated(const Stmt& s, std::vector<Node>& out) {
  const Expr& target = *s.target;
  if (target.kind != Syntax::Name) expected(target, "a name before ':'");
  if (!s.value) {  // n: T.int64 declares a symbol
    auto t = dtype_name(*s.annotation);
    if (!t) expected(*s.annotation, "a dtype, such as T.int64");
    if (variable(s, target, nullptr, t, out)) return;
    Binding b;
    b.declared = *t;
    b.where = target.begin;
    scopes_.define(target.text, std::move(b));
    return;
  }
  if (buffer_statement(s, target, *s.value, out)) return;
  const Expr* value = s.value;
  Path annotation = s.annotation->kind == Syntax::Subscript ? path(*s.annotation->a) : Path();
  const Expr* type = s.annotation;
  if (annotation.is('T', "let") && s.annotation->items.size() == 1)
    type = s.annotation->items[0];  // x: T.let[T.int64] = ...
  if (path(*s.annotation).is('T', "let")) return bind(s, target, *value, std::nullopt, out);
  if (call_path(*value).is('T', "bind") || call_path(*value).is('T', "let"))
    value = arguments(*value, "T.bind", {"value"}, 1)[0];
  Value t = loop_type(*type);
  bool plain = type == s.annotation && value == s.value && t.is_dtype();
  if (!plain || !variable(s, target, value, t.as_dtype(), out)) bind(s, target, *value, t, out);
}

void Elaborator::augmented(const Stmt& s, std::vector<Node>& out) {
  const Expr& target = *s.target;
  Binding* b = target.kind == Syntax::Name ? scopes_.find(target.text) : nullptr;
  if (target.kind != Syntax::Subscript && !(b && b->variable))
    source_.refuse(s.begin, "an update of a name",
                   "bind the new value to a new name, or keep it in a buffer of one element");
  Expr operation{};
  operation.kind = Syntax::Binary;
  operation.begin = s.begin;
  operation.end = s.end;
  operation.text = s.text;
  operation.a = s.target;
  operation.b = s.value;
  if (b) {
    assign_variable(s, target, operation, out);
    return;
  }
  store(s, target, finish(binary(operation, term(target), term(*s.value)), operation), out);
}

void Elaborator::store(const Stmt& s, const Expr& target, const Node& value, std::vector<Node>& out) {
  Node place = finish(subscript(target), target);
  const auto* load = place.as<tir::BufferLoad>();
  if (!load) expected(target, "an element of a buffer");
  Node v = to_dtype(value, *s.value, load->dtype());
  out.push_back(make<tir::BufferStore>(s, {load->buffer(), v, load->indices()}));
}

Node Elaborator::as_statement(const Stmt& s, const Expr& value, Term t) {
  Node n = finish(t, value);
  if (const TnKindSchema* schema = b_.ir()->schema(b_.ir()->self, n.kind()); schema && (schema->flags & TN_KIND_STMT))
    return n;
  return make<tir::Evaluate>(s, {n});
}

void Elaborator::expression_statement(const Stmt& s, std::vector<Node>& out) {
  const Expr& value = *s.value;
  if (value.kind == Syntax::String) return;  // a docstring
  if (value.kind == Syntax::Ellipsis) fail(value, "met '...', expected a statement", "write `pass` for an empty block");
  Path p = call_path(value);
  if (p.is('T', "func_attr")) {
    if (block_) fail(value, "T.func_attr stands at the top of a function");
    Map m = attribute_map(*arguments(value, "T.func_attr", {"attrs"}, 1)[0]);
    for (auto& entry : Builder::entries(m)) function_.attrs.push_back(std::move(entry));
    return;
  }
  if (p.is('T', "evaluate")) {
    const Expr& arg = *arguments(value, "T.evaluate", {"value"}, 1)[0];
    return out.push_back(make<tir::Evaluate>(s, {expr(arg)}));
  }
  if (p.is('T', "Assert")) fail(value, "T.Assert stands in a `with`", "write assert condition, \"message\"");
  if (p.is('T', "buffer_store")) {
    auto args = arguments(value, "T.buffer_store", {"buffer", "value", "indices"}, 3);
    Node buffer = buffer_of(*args[0], "a buffer");
    std::vector<Value> indices;
    if (args[2]->kind == Syntax::List || args[2]->kind == Syntax::Tuple)
      for (const Expr* i : args[2]->items) indices.push_back(index(*i));
    else
      indices.push_back(index(*args[2]));
    uint16_t lanes = indices.empty() ? 1 : as_node(indices.back()).dtype().lanes;
    DLDataType t = buffer.to<tir::Buffer>().dtype();
    t.lanes = static_cast<uint16_t>(t.lanes * lanes);
    return out.push_back(make<tir::BufferStore>(s, {buffer, converted(*args[1], t), list(indices)}));
  }
  if (value.kind != Syntax::Call)
    expected(value, "a statement",
             value.kind == Syntax::Binary && value.text == "==" ? "a single = assigns"
                                                                : "T.evaluate(x) computes a value and drops it");
  out.push_back(as_statement(s, value, term(value)));
}

Node Elaborator::if_statement(const Stmt& s) {
  struct Branch {
    const Stmt* stmt;
    Node condition, body;
  };
  std::vector<Branch> branches;
  Node otherwise;
  BlockState* outer = std::exchange(block_, nullptr);
  for (const Stmt* at = &s;;) {
    Node c = condition(*at->value);
    branches.push_back({at, c, body(at->body, *at)});
    if (at->orelse.empty()) break;
    // `elif`, and an `else` that holds one `if`, are the same tree; the chain is a loop here.
    if (at->orelse.size() == 1 && at->orelse[0]->form == Form::If) {
      at = at->orelse[0];
    } else {
      otherwise = body(at->orelse, *at);
      break;
    }
  }
  block_ = outer;
  for (size_t i = branches.size(); i-- > 0;)
    otherwise = make<tir::IfThenElse>(*branches[i].stmt, {branches[i].condition, branches[i].body, Value(otherwise)});
  return otherwise;
}

Node Elaborator::attr_statement(const Stmt& s, const Expr& call, const std::function<Node()>& rest) {
  if (call.items.size() == 1 && call.items[0]->kind == Syntax::Dict) {  // T.attr({"key": value}): of no node
    Map entries = attribute_map(*call.items[0]);
    Node inner = rest();
    for (size_t i = entries.size(); i-- > 0;)
      inner = make<tir::Attr>(s, {text(entries.begin()[i].key()), int64_t{0}, entries.begin()[i].value(), inner});
    return inner;
  }
  auto args = arguments(call, "T.attr", {"target", "key", "value"}, 3);
  Value target = attribute(*args[0]);
  Value key = text(string_of(*args[1], "the key"));
  Value value = attribute(*args[2]);
  return make<tir::Attr>(s, {key, target, value, rest()});
}

Node Elaborator::launch_thread(const Stmt& s, const Expr& call, const Expr* target, const std::function<Node()>& rest) {
  auto args = arguments(call, "T.launch_thread", {"thread", "extent"}, 2);
  std::string_view thread = string_of(*args[0], "the thread, such as \"threadIdx.x\",");
  Interval range = interval(nullptr, *args[1], *args[1]);
  Expr unnamed{};
  unnamed.kind = Syntax::Name;
  unnamed.begin = call.begin;
  unnamed.end = call.end;
  unnamed.text = "_";
  Scopes::Block scope(scopes_);
  Node var = define_var(target ? *target : unnamed, range.extent.dtype());
  Node inner = rest();
  return make<tir::For>(
      s, {range.min, range.extent, int64_t{TN_FOR_THREAD_BINDING}, text(thread), b_.map({}), var, inner});
}

bool Elaborator::wraps_rest(const Stmt& s, Body rest, std::vector<Node>& out) {
  const Expr* value = s.form == Form::Expression || s.form == Form::Assign ? s.value : nullptr;
  if (!value) return false;
  Path p = call_path(*value);
  if (p.root != 'T' || (p.name != "attr" && p.name != "launch_thread")) return false;
  // Each nests what follows it one deeper.
  static constexpr uint32_t kMost = 64;
  if (++wraps_ > kMost) source_.limit(s.begin, "more statements in one another hold for all that follows them", kMost);
  BlockState* outer = std::exchange(block_, nullptr);  // the head of a block does not go on below
  auto below = [&] { return body(rest, s); };
  out.push_back(p.name == "attr" ? attr_statement(s, *value, below) : launch_thread(s, *value, s.target, below));
  --wraps_;
  block_ = outer;
  return true;
}

void Elaborator::with(const Stmt& s, std::vector<Node>& out) {
  if (s.items.size() != 1) fail(*s.items[1].value, "met a second item of a `with`", "nest two `with` statements");
  const Expr& call = *s.items[0].value;
  const Expr* target = s.items[0].target;
  Path p = call_path(call);
  BlockState* outer = block_;
  auto below = [&] {
    block_ = nullptr;
    Node n = body(s.body, s);
    block_ = outer;
    return n;
  };
  if (p.is('T', "block") || p.is('T', "sblock")) return out.push_back(block(s, call, p.name == "block"));
  if (p.is('I', "seq")) {
    block_ = nullptr;
    Scopes::Block scope(scopes_);
    std::vector<Node> inner;
    body_into(s.body, inner);
    block_ = outer;
    std::vector<Value> items(inner.begin(), inner.end());
    return out.push_back(make<tir::Seq>(s, {list(items)}));
  }
  if (p.is('T', "attr")) return out.push_back(attr_statement(s, call, below));
  if (p.is('T', "launch_thread")) return out.push_back(launch_thread(s, call, target, below));
  if (p.is('T', "init")) fail(call, "T.init() stands directly in a block");
  // Forms whose definition holds for their body: a statement, then the body, as one sequence.
  Scopes::Block scope(scopes_);
  std::vector<Node> inner;
  if (p.is('T', "let") || p.is('T', "LetStmt")) {
    const Expr* var = keyword(call, "var");
    const Expr* value = call.items.empty() ? nullptr : call.items.back();
    if (call.items.size() == 2) var = call.items[0];
    if (!var) var = target;
    if (!var || !value)
      fail(call, "met T." + std::string(p.name) + " without a name or without a value", "write x: T.int64 = value");
    Binding* declared = var->kind == Syntax::Name ? scopes_.find(var->text) : nullptr;
    std::optional<Value> type;
    if (declared && !declared->node) type = Value(declared->declared);
    bind(s, *var, *value, type, inner);
  } else if (p.is('T', "Assert")) {
    auto args = arguments(call, "T.Assert", {"condition", "message"}, 2);
    inner.push_back(make<tir::Assert>(s, {condition(*args[0]), text(string_of(*args[1], "the message"))}));
  } else if (target && buffer_statement(s, *target, call, inner)) {
  } else if (p.root == 'T') {
    unknown_form(call, p,
                 {"block", "sblock", "init", "attr", "launch_thread", "let", "decl_buffer", "alloc_buffer", "Assert"});
  } else {
    expected(call, "T.sblock(...), T.init(), T.attr(...), T.launch_thread(...) or I.seq()");
  }
  block_ = nullptr;
  body_into(s.body, inner);
  block_ = outer;
  out.push_back(sequence(inner, s));
}

}  // namespace tenon::script
