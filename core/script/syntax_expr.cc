// Expressions: precedence climbing over the tokens.
#include <cstring>

#include "script/syntax_parser.h"

namespace tenon::script {
namespace {

struct InfixRow {
  std::string_view text;
  int precedence;
};
// All are left-associative. `**` is refused where it stands.
constexpr InfixRow kBinary[] = {{"or", 1}, {"and", 2}, {"==", 4}, {"!=", 4},  {"<", 4},  {"<=", 4}, {">", 4},
                                {">=", 4}, {"|", 5},   {"^", 6},  {"&", 7},   {"<<", 8}, {">>", 8}, {"+", 9},
                                {"-", 9},  {"*", 10},  {"/", 10}, {"//", 10}, {"%", 10}, {"@", 10}};
constexpr int kNot = 3, kComparison = 4;

const InfixRow* find_binary(const Token& t) {
  if (t.kind != Tok::Op && t.kind != Tok::Keyword) return nullptr;
  for (const InfixRow& row : kBinary)
    if (row.text == t.text) return &row;
  return nullptr;
}

}  // namespace

const Expr* SyntaxParser::done(Expr* e) {
  e->end = last_end();
  uint32_t below = 0;
  auto child = [&](const Expr* c) {
    if (c) below = std::max(below, c->height);
  };
  if (e->kind != Syntax::Binary) child(e->a);
  child(e->b);
  child(e->c);
  for (const Expr* c : e->items) child(c);
  for (const Keyword& k : e->keywords) child(k.value);
  e->height = below + 1;
  if (e->kind == Syntax::Binary) e->height = std::max(e->height, e->a->height);
  if (e->height > limits_.brackets)
    source_.limit(e->begin, "expressions stand deeper in one another", limits_.brackets);
  height_ = std::max(height_, e->height);
  return e;
}

const Expr* SyntaxParser::expression() {
  deeper(peek().begin);
  if (at("lambda")) source_.refuse(peek().begin, "a lambda", "write the expression where it is used");
  const Expr* value = binary(0);
  --depth_;
  if (at(":=")) source_.refuse(peek().begin, "an assignment inside an expression", "assign in a statement of its own");
  if (at("if"))
    source_.refuse(peek().begin, "a conditional expression",
                   "write T.if_then_else(condition, a, b) or T.Select(condition, a, b)");
  return value;
}

const Expr* SyntaxParser::expression_list() {
  const Expr* first = expression();
  if (!at(",")) return first;
  std::vector<const Expr*> items{first};
  while (accept(",")) {
    if (peek().kind == Tok::Newline || at("=") || at(")") || at("]") || at(":") || peek().kind == Tok::End) break;
    items.push_back(expression());
  }
  Expr* e = node(Syntax::Tuple, first->begin);
  e->items = keep(items);
  return done(e);
}

const Expr* SyntaxParser::binary(int least) {
  const Expr* left = nullptr;
  if (at("not") && least <= kNot) {
    const Token& t = take();
    deeper(t.begin);
    Expr* e = node(Syntax::Unary, t.begin);
    e->text = t.text;
    e->a = binary(kNot);
    --depth_;
    left = done(e);
  } else {
    left = unary();
  }
  while (const InfixRow* row = find_binary(peek())) {
    if (row->precedence < least) break;
    const Token& op = take();
    if (row->precedence == kComparison && left->kind == Syntax::Binary && !left->parenthesized) {
      const InfixRow* inner = nullptr;
      for (const InfixRow& r : kBinary)
        if (r.text == left->text) inner = &r;
      if (inner && inner->precedence == kComparison)
        source_.refuse(op.begin, "a chained comparison", "write `a < b and b < c`");
    }
    Expr* e = node(Syntax::Binary, left->begin);
    e->text = op.text;
    e->a = left;
    e->b = binary(row->precedence + 1);
    left = done(e);
  }
  if (at("is")) source_.refuse(peek().begin, "the operator `is`", "write ==");
  if (at("**")) source_.refuse(peek().begin, "the operator **", "write T.pow(x, y) or R.power(x, y)");
  return left;
}

const Expr* SyntaxParser::unary() {
  if (at("-") || at("+") || at("~")) {
    const Token& t = take();
    deeper(t.begin);
    Expr* e = node(Syntax::Unary, t.begin);
    e->text = t.text;
    e->a = unary();
    --depth_;
    return done(e);
  }
  if (at("*") || at("**")) source_.refuse(peek().begin, "an unpacking with *", "write the elements");
  return postfix();
}

const Expr* SyntaxParser::postfix() {
  const Expr* e = atom();
  for (;;) {
    if (at(".")) {
      take();
      Expr* attribute = node(Syntax::Attribute, e->begin);
      attribute->a = e;
      // Keywords may be operator names: R.assert, I.def.
      if (peek().kind != Tok::Name && peek().kind != Tok::Keyword) unexpected("a name after '.'");
      attribute->text = take().text;
      e = done(attribute);
    } else if (at("(")) {
      Expr* call = node(Syntax::Call, e->begin);
      call->a = e;
      arguments(call);
      e = done(call);
    } else if (at("[")) {
      take();
      Expr* subscript = node(Syntax::Subscript, e->begin);
      subscript->a = e;
      std::vector<const Expr*> items;
      while (!at("]")) {
        items.push_back(subscript_item());
        if (!accept(",")) break;
      }
      expect("]", "the subscript");
      // A[()] has no index, A[(i, j)] is A[i, j].
      if (items.size() == 1 && items[0]->kind == Syntax::Tuple)
        subscript->items = items[0]->items;
      else if (items.empty())
        source_.fail(subscript->begin, "met [] without an index", "a buffer of rank 0 is read as A[()]");
      else
        subscript->items = keep(items);
      e = done(subscript);
    } else {
      return e;
    }
  }
}

const Expr* SyntaxParser::subscript_item() {
  Position begin = peek().begin;
  const Expr* parts[3] = {nullptr, nullptr, nullptr};
  bool slice = false;
  for (int i = 0; i < 3; ++i) {
    if (!at(":") && !at(",") && !at("]")) parts[i] = expression();
    if (i < 2 && at(":")) {
      take();
      slice = true;
    } else {
      break;
    }
  }
  if (!slice) {
    if (!parts[0]) unexpected("an index");
    return parts[0];
  }
  Expr* e = node(Syntax::Slice, begin);
  e->a = parts[0];
  e->b = parts[1];
  e->c = parts[2];
  return done(e);
}

void SyntaxParser::arguments(Expr* call) {
  take();  // (
  std::vector<const Expr*> items;
  std::vector<Keyword> keywords;
  while (!at(")")) {
    if (peek().kind == Tok::Name && peek(1).is("=")) {
      Keyword k{peek().text, peek().begin, nullptr};
      for (const Keyword& other : keywords)
        if (other.name == k.name)
          source_.fail(k.where, "the keyword argument '" + std::string(k.name) + "' is given twice");
      take();
      take();
      k.value = expression();
      keywords.push_back(k);
    } else {
      items.push_back(expression());
      refuse_comprehension("a generator");
      if (!keywords.empty())
        source_.fail(items.back()->begin,
                     "met a positional argument after the keyword argument '" + std::string(keywords.back().name) + "'",
                     "positional arguments come first");
    }
    if (!accept(",")) break;
  }
  expect(")", "the arguments");
  call->items = keep(items);
  call->keywords = keep(keywords);
}

void SyntaxParser::refuse_comprehension(std::string_view what) {
  if (at("for") || at("async"))
    source_.refuse(peek().begin, std::string(what) + " comprehension", "write the elements");
}

const Expr* SyntaxParser::atom() {
  const Token& t = peek();
  switch (t.kind) {
    case Tok::Name: {
      Expr* e = node(Syntax::Name, t.begin);
      e->text = take().text;
      return done(e);
    }
    case Tok::Int: {
      Expr* e = node(Syntax::Int, t.begin);
      e->integer = t.integer;
      e->big = t.big;
      take();
      return done(e);
    }
    case Tok::Float: {
      Expr* e = node(Syntax::Float, t.begin);
      e->number = t.number;
      take();
      return done(e);
    }
    case Tok::String: return strings();
    case Tok::Keyword: {
      static constexpr std::pair<std::string_view, Syntax> kConstants[] = {
          {"True", Syntax::True}, {"False", Syntax::False}, {"None", Syntax::None}};
      for (auto [text, kind] : kConstants)
        if (t.text == text) {
          Expr* e = node(kind, t.begin);
          take();
          return done(e);
        }
      if (t.text == "lambda" || t.text == "await" || t.text == "yield")
        source_.refuse(t.begin, "`" + std::string(t.text) + "`", "write the expression where it is used");
      unexpected("an expression");
    }
    case Tok::Op:
      if (t.text == "(") return parenthesized();
      if (t.text == "[") return list();
      if (t.text == "{") return dict();
      if (t.text == "...") {
        Expr* e = node(Syntax::Ellipsis, t.begin);
        take();
        return done(e);
      }
      [[fallthrough]];
    default: unexpected("an expression", t.text == "=" ? "== compares; a single = only names a keyword argument" : "");
  }
}

const Expr* SyntaxParser::strings() {
  Expr* e = node(Syntax::String, peek().begin);
  e->text = take().text;
  while (peek().kind == Tok::String) {  // adjacent literals are one
    std::string_view next = take().text;
    auto* joined = static_cast<char*>(memory_.allocate(e->text.size() + next.size() + 1, 1));
    if (!e->text.empty()) std::memcpy(joined, e->text.data(), e->text.size());
    if (!next.empty()) std::memcpy(joined + e->text.size(), next.data(), next.size());
    e->text = {joined, e->text.size() + next.size()};
  }
  return done(e);
}

const Expr* SyntaxParser::parenthesized() {
  Position begin = take().begin;
  std::vector<const Expr*> items;
  bool comma = false;
  while (!at(")")) {
    items.push_back(expression());
    refuse_comprehension("a generator");
    if (!accept(",")) break;
    comma = true;
  }
  expect(")", "the parentheses");
  if (items.size() == 1 && !comma) {
    auto* e = const_cast<Expr*>(items[0]);  // still ours: the program is not complete
    e->parenthesized = true;
    return e;
  }
  Expr* e = node(Syntax::Tuple, begin);
  e->parenthesized = true;
  e->items = keep(items);
  return done(e);
}

const Expr* SyntaxParser::list() {
  Expr* e = node(Syntax::List, take().begin);
  std::vector<const Expr*> items;
  while (!at("]")) {
    items.push_back(expression());
    refuse_comprehension("a list");
    if (!accept(",")) break;
  }
  expect("]", "the list");
  e->items = keep(items);
  return done(e);
}

const Expr* SyntaxParser::dict() {
  Expr* e = node(Syntax::Dict, take().begin);
  std::vector<const Expr*> items;
  while (!at("}")) {
    items.push_back(expression());
    refuse_comprehension("a set");
    if (at(",") || at("}")) source_.refuse(items.back()->begin, "a set", "write a list, or key: value for a map");
    expect(":", "the key of the map");
    items.push_back(expression());
    refuse_comprehension("a map");
    if (!accept(",")) break;
  }
  expect("}", "the map");
  e->items = keep(items);
  return done(e);
}

std::string describe(const Token& t) {
  switch (t.kind) {
    case Tok::End: return "the end of the text";
    case Tok::Newline: return "the end of the line";
    case Tok::Indent: return "a deeper indentation";
    case Tok::Dedent: return "the end of the block";
    case Tok::String: return "a string";
    case Tok::Int:
    case Tok::Float: return "the number " + std::string(t.text);
    default: return "'" + std::string(t.text) + "'";
  }
}

std::string describe(const Expr& e) {
  switch (e.kind) {
    case Syntax::Name: return "'" + std::string(e.text) + "'";
    case Syntax::Int: return e.big ? "an integer above 2**63 - 1" : "the integer " + std::to_string(e.integer);
    case Syntax::Float: return "a floating-point number";
    case Syntax::String: return "a string";
    case Syntax::True: return "True";
    case Syntax::False: return "False";
    case Syntax::None: return "None";
    case Syntax::Ellipsis: return "...";
    case Syntax::Attribute: {
      std::string s(e.text);
      const Expr* a = e.a;
      for (; a->kind == Syntax::Attribute; a = a->a) s = std::string(a->text) + "." + s;
      return "'" + (a->kind == Syntax::Name ? std::string(a->text) : std::string("(...)")) + "." + s + "'";
    }
    case Syntax::Call: return "a call of " + describe(*e.a);
    case Syntax::Subscript: return "a subscript";
    case Syntax::Binary: return "an expression with '" + std::string(e.text) + "'";
    case Syntax::Unary: return "an expression with '" + std::string(e.text) + "'";
    case Syntax::Tuple: return "a tuple";
    case Syntax::List: return "a list";
    case Syntax::Dict: return "a map";
    case Syntax::Slice: return "a slice";
  }
  return "an expression";
}

}  // namespace tenon::script
