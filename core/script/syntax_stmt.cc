// Statements: blocks, definitions and what of Python is refused by name.
#include "script/syntax_parser.h"

namespace tenon::script {
namespace {

struct RefusedRow {
  std::string_view keyword;
  const char* what;
  const char* hint;
};
constexpr RefusedRow kRefused[] = {
    {"async", "`async`", ""},
    {"await", "`await`", ""},
    {"break", "`break`", "put the condition into the `while`"},
    {"continue", "`continue`", "put the rest of the body under an `if`"},
    {"del", "`del`", "a name ends with its block"},
    {"except", "exception handling", ""},
    {"finally", "exception handling", ""},
    {"global", "`global`", "pass what the function needs as a parameter"},
    {"nonlocal", "`nonlocal`", "pass what the function needs as a parameter"},
    {"lambda", "a lambda", "write the expression where it is used"},
    {"raise", "`raise`", "write `assert condition, \"message\"`"},
    {"try", "exception handling", "a failing `assert` ends the call with an error"},
    {"yield", "a generator", ""},
};

constexpr std::string_view kAugmented[] = {
    "+=", "-=", "*=", "/=", "//=", "%=", "<<=", ">>=", "&=", "|=", "^=", "**=", "@="};

}  // namespace

void SyntaxParser::unexpected(const std::string& expected, std::string hint) {
  source_.fail(peek().begin, "met " + describe(peek()) + ", expected " + expected, std::move(hint));
}

void SyntaxParser::expect(std::string_view s, std::string_view where, std::string hint) {
  if (!accept(s)) {
    std::string expected = "'" + std::string(s) + "'";
    if (!where.empty()) expected += (s == ")" || s == "]" || s == "}" ? " to end " : " after ") + std::string(where);
    unexpected(expected, std::move(hint));
  }
}

const Token& SyntaxParser::name(std::string_view what) {
  if (peek().kind == Tok::Keyword)
    unexpected(std::string(what), "'" + std::string(peek().text) + "' is a word of Python; choose another name");
  if (peek().kind != Tok::Name) unexpected(std::string(what));
  return take();
}

Body SyntaxParser::program(Aliases* aliases) {
  std::vector<const Stmt*> out;
  while (peek().kind != Tok::End) {
    if (peek().kind == Tok::Indent) unexpected("no indentation here", "a text begins in the first column");
    if (at("import") || at("from"))
      import_line(aliases);
    else
      statement(out);
  }
  return keep(out);
}

void SyntaxParser::import_line(Aliases* aliases) {
  Position begin = peek().begin;
  std::string words;
  static constexpr const char* kHint =
      "accepted are `from tvm.script import ir as I`, `... import tir as T`, `... import relax as R`, also from "
      "tenon.script";
  bool from = take().text == "from";
  while (peek().kind == Tok::Name || at(".")) words += take().text;
  bool layout = from && words == "tvm.tirx.layout";  // TVM 0.26 prints this line, and uses it for no buffer we have
  if (!from || (words != "tvm.script" && words != "tenon.script" && words != "tvm.script.parser" && !layout))
    source_.refuse(begin, "this import of '" + words + "'", kHint);
  expect("import", "the module's name");
  bool parentheses = accept("(");
  do {
    if (layout && peek().kind == Tok::Name && peek().text == "Axis") {
      take();
      continue;
    }
    const Token& what = name("ir, tir or relax");
    std::string_view alias = what.text;
    if (accept("as")) alias = name("a name").text;
    if (what.text == "ir")
      aliases->ir = alias;
    else if (what.text == "tir" || what.text == "tirx")
      aliases->tir = alias;
    else if (what.text == "relax")
      aliases->relax = alias;
    else
      source_.refuse(what.begin, "this import of '" + std::string(what.text) + "'", kHint);
  } while (accept(","));
  if (parentheses) expect(")", "the import");
  if (peek().kind != Tok::Newline) unexpected("the end of the line");
  take();
}

Body SyntaxParser::block(std::string_view after) {
  expect(":", after);
  std::vector<const Stmt*> out;
  if (peek().kind != Tok::Newline) {
    statements_of_line(out);
    return keep(out);
  }
  take();
  if (peek().kind != Tok::Indent) unexpected("an indented block after ':'", "write `pass` for an empty block");
  take();
  while (peek().kind != Tok::Dedent && peek().kind != Tok::End) statement(out);
  if (peek().kind == Tok::Dedent) take();
  return keep(out);
}

void SyntaxParser::statements_of_line(std::vector<const Stmt*>& out) {
  for (;;) {
    out.push_back(simple_statement());
    if (!accept(";")) break;
    if (peek().kind == Tok::Newline) break;
  }
  if (peek().kind != Tok::Newline) {
    const Expr* value = out.back()->value;
    bool keyword_like = out.back()->form == Form::Expression && value->kind == Syntax::Name && peek().kind == Tok::Name;
    unexpected("the end of the line", keyword_like ? "'" + std::string(value->text) + "' is no statement" : "");
  }
  take();
}

void SyntaxParser::statement(std::vector<const Stmt*>& out) {
  const Token& t = peek();
  if (t.kind == Tok::Indent)
    unexpected("a statement of the same block", "this line is indented deeper than the one before");
  if (t.is("if")) return out.push_back(if_statement());
  if (t.is("for")) return out.push_back(for_statement());
  if (t.is("while")) return out.push_back(while_statement());
  if (t.is("with")) return out.push_back(with_statement());
  if (t.is("def") || t.is("class") || t.is("@")) return out.push_back(definition());
  statements_of_line(out);
}

void SyntaxParser::refuse_statement() {
  if (peek().kind != Tok::Keyword) return;
  for (const RefusedRow& row : kRefused)
    if (row.keyword == peek().text) source_.refuse(peek().begin, row.what, row.hint);
  if (at("import") || at("from"))
    source_.refuse(peek().begin, "an import inside of a definition", "the import lines stand at the top of the text");
  if (at("else") || at("elif"))
    source_.fail(peek().begin, "met '" + std::string(peek().text) + "' without an `if` before it",
                 "it has the same indentation as its `if`");
}

const Stmt* SyntaxParser::simple_statement() {
  refuse_statement();
  Position begin = peek().begin;
  if (accept("pass")) return done(stmt(Form::Pass, begin));
  if (accept("return")) {
    Stmt* s = stmt(Form::Return, begin);
    if (peek().kind != Tok::Newline && !at(";")) s->value = expression_list();
    return done(s);
  }
  if (accept("assert")) {
    Stmt* s = stmt(Form::Assert, begin);
    s->value = expression();
    if (accept(",")) s->annotation = expression();
    return done(s);
  }
  const Expr* first = expression_list();
  if (accept("=")) {
    Stmt* s = stmt(Form::Assign, begin);
    s->target = first;
    s->value = expression_list();
    if (at("=")) source_.refuse(peek().begin, "an assignment to two targets", "write two statements");
    return done(s);
  }
  if (accept(":")) {
    Stmt* s = stmt(Form::Annotated, begin);
    s->target = first;
    s->annotation = expression();
    if (accept("=")) s->value = expression_list();
    return done(s);
  }
  for (std::string_view op : kAugmented) {
    if (!at(op)) continue;
    take();
    Stmt* s = stmt(Form::Augmented, begin);
    s->target = first;
    s->text = op.substr(0, op.size() - 1);
    s->value = expression();
    return done(s);
  }
  Stmt* s = stmt(Form::Expression, begin);
  s->value = first;
  return done(s);
}

const Stmt* SyntaxParser::if_statement() {
  // An elif chain is nested in the tree and a loop here.
  Stmt* first = nullptr;
  Stmt* last = nullptr;
  for (uint32_t length = 0;; ++length) {
    if (length > limits_.blocks) source_.limit(peek().begin, "an `if` has more branches", limits_.blocks);
    Stmt* s = stmt(Form::If, peek().begin);
    take();  // if, elif
    s->value = expression();
    s->body = block("the condition");
    s->end = last_end();
    if (last)
      last->orelse = keep(std::vector<const Stmt*>{s});
    else
      first = s;
    last = s;
    if (!at("elif")) break;
  }
  if (accept("else")) last->orelse = block("`else`");
  return done(first);
}

const Stmt* SyntaxParser::for_statement() {
  Stmt* s = stmt(Form::For, take().begin);
  std::vector<const Expr*> names;
  bool parentheses = accept("(");
  do {
    if (at("in")) break;
    Expr* e = node(Syntax::Name, peek().begin);
    e->text = name("the name of a loop variable").text;
    names.push_back(done(e));
  } while (accept(","));
  if (parentheses) expect(")", "the loop variables");
  if (names.empty()) unexpected("the name of a loop variable");
  Expr* target = node(Syntax::Tuple, names[0]->begin);
  target->items = keep(names);
  s->target = done(target);
  expect("in", "the loop variables");
  s->value = expression_list();
  s->body = block("the range of the loop");
  if (at("else")) source_.refuse(peek().begin, "`else` after a loop");
  return done(s);
}

const Stmt* SyntaxParser::while_statement() {
  Stmt* s = stmt(Form::While, take().begin);
  s->value = expression();
  s->body = block("the condition");
  if (at("else")) source_.refuse(peek().begin, "`else` after a loop");
  return done(s);
}

const Stmt* SyntaxParser::with_statement() {
  Stmt* s = stmt(Form::With, take().begin);
  std::vector<WithItem> items;
  do {
    WithItem item{expression(), nullptr};
    if (accept("as")) item.target = at("(") ? expression() : postfix();
    items.push_back(item);
  } while (accept(","));
  s->items = keep(items);
  s->body = block("the `with`");
  return done(s);
}

const Stmt* SyntaxParser::definition() {
  Stmt* s = stmt(Form::Function, peek().begin);
  std::vector<const Expr*> decorators;
  while (at("@")) {
    take();
    decorators.push_back(expression());
    if (peek().kind != Tok::Newline) unexpected("the end of the line after the decorator");
    take();
  }
  s->decorators = keep(decorators);
  if (at("def")) return function(s);
  if (at("class")) return class_definition(s);
  if (at("async")) source_.refuse(peek().begin, "`async`");
  unexpected("`def` or `class` after the decorator");
}

const Stmt* SyntaxParser::function(Stmt* s) {
  take();
  s->form = Form::Function;
  const Token& id = name("the name of a function");
  s->text = id.text;
  s->name_where = id.begin;
  expect("(", "the name of the function");
  std::vector<Param> params;
  while (!at(")")) {
    if (at("*") || at("**") || at("/"))
      source_.refuse(peek().begin, "a parameter list with '" + std::string(peek().text) + "'", "name every parameter");
    const Token& t = name("the name of a parameter");
    Param p{t.text, t.begin, nullptr};
    for (const Param& other : params)
      if (other.name == p.name) source_.fail(p.where, "two parameters are called '" + std::string(p.name) + "'");
    if (accept(":")) p.annotation = expression();
    if (at("=")) source_.refuse(peek().begin, "a default value of a parameter", "pass the value in every call");
    params.push_back(p);
    if (!accept(",")) break;
  }
  expect(")", "the parameters");
  if (accept("->")) s->annotation = expression();
  s->params = keep(params);
  s->body = block("the head of the function");
  return done(s);
}

const Stmt* SyntaxParser::class_definition(Stmt* s) {
  take();
  s->form = Form::Class;
  const Token& id = name("the name of a module");
  s->text = id.text;
  s->name_where = id.begin;
  if (at("(")) {
    take();
    if (!at(")")) source_.refuse(peek().begin, "a base class", "a module is `class Module:` under @I.ir_module");
    take();
  }
  s->body = block("the name of the module");
  return done(s);
}

Program parse_syntax(const Source& source, const ScriptLimits& limits, const Tokens& tokens,
                     std::unique_ptr<std::pmr::monotonic_buffer_resource> memory) {
  Program program;
  SyntaxParser parser(source, limits, tokens, *memory);
  program.body = parser.program(&program.aliases);
  program.height = parser.height();
  program.memory = std::move(memory);
  return program;
}

const Expr* SyntaxParser::whole_expression() {
  const Expr* e = expression();
  if (peek().kind != Tok::Newline && peek().kind != Tok::End) unexpected("the end of the expression");
  return e;
}

const Expr* parse_expression(const Source& source, std::string_view text, Position at,
                             std::pmr::memory_resource& memory) {
  ScriptLimits limits;
  limits.brackets = 32;
  Source inner{text, source.file};
  try {
    Tokens tokens = tokenize(inner, limits, memory);
    for (Token& t : tokens.list)
      for (Position* p : {&t.begin, &t.end}) {
        p->column += p->line == 1 ? at.column : 0;
        p->line += at.line - 1;
      }
    return SyntaxParser(inner, limits, tokens, memory).whole_expression();
  } catch (Error& e) {
    e.where = source.where(at);
    throw;
  }
}

}  // namespace tenon::script
