// The recursive descent behind parse_syntax: expressions in syntax_expr.cc, statements in syntax_stmt.cc.
#ifndef TENON_CORE_SCRIPT_SYNTAX_PARSER_H
#define TENON_CORE_SCRIPT_SYNTAX_PARSER_H

#include <vector>

#include "script/syntax.h"

namespace tenon::script {

class SyntaxParser {
 public:
  SyntaxParser(const Source& source, const ScriptLimits& limits, const Tokens& tokens,
               std::pmr::memory_resource& memory)
      : source_(source), limits_(limits), tokens_(tokens), memory_(memory) {}

  Body program(Aliases* aliases);
  const Expr* whole_expression();
  uint32_t height() const { return height_; }

 private:
  // ---- Tokens
  const Token& peek(size_t ahead = 0) const {
    size_t i = at_ + ahead;
    return tokens_.list[i < tokens_.list.size() ? i : tokens_.list.size() - 1];
  }
  bool at(std::string_view s) const { return peek().is(s); }
  const Token& take() { return tokens_.list[at_ + 1 < tokens_.list.size() ? at_++ : at_]; }
  bool accept(std::string_view s) {
    if (!at(s)) return false;
    take();
    return true;
  }
  void expect(std::string_view s, std::string_view where, std::string hint = {});
  const Token& name(std::string_view what);
  [[noreturn]] void unexpected(const std::string& expected, std::string hint = {});
  void deeper(Position where) {
    if (++depth_ > limits_.brackets) source_.limit(where, "expressions stand deeper in one another", limits_.brackets);
  }
  // The end of what was read last, line ends and indentation aside.
  Position last_end() const {
    for (size_t i = at_; i-- > 0;)
      if (tokens_.list[i].kind != Tok::Newline && tokens_.list[i].kind != Tok::Indent &&
          tokens_.list[i].kind != Tok::Dedent)
        return tokens_.list[i].end;
    return {1, 1};
  }

  // ---- Memory
  template <class T>
  T* make() {
    return new (memory_.allocate(sizeof(T), alignof(T))) T{};
  }
  template <class T>
  std::span<const T> keep(const std::vector<T>& list) {
    if (list.empty()) return {};
    auto* data = static_cast<T*>(memory_.allocate(sizeof(T) * list.size(), alignof(T)));
    std::uninitialized_copy(list.begin(), list.end(), data);
    return {data, list.size()};
  }
  Expr* node(Syntax kind, Position begin) {
    Expr* e = make<Expr>();
    e->kind = kind;
    e->begin = begin;
    return e;
  }
  const Expr* done(Expr* e);

  // ---- Expressions
  const Expr* expression();       // with a conditional
  const Expr* expression_list();  // a, b makes a tuple
  const Expr* binary(int least_precedence);
  const Expr* unary();
  const Expr* postfix();
  const Expr* atom();
  const Expr* parenthesized();
  const Expr* list();
  const Expr* dict();
  const Expr* subscript_item();
  const Expr* strings();
  void arguments(Expr* call);
  void refuse_comprehension(std::string_view what);

  // ---- Statements
  Body block(std::string_view after);
  void statements_of_line(std::vector<const Stmt*>& out);
  void statement(std::vector<const Stmt*>& out);
  const Stmt* simple_statement();
  const Stmt* if_statement();
  const Stmt* for_statement();
  const Stmt* while_statement();
  const Stmt* with_statement();
  const Stmt* definition();
  const Stmt* function(Stmt* s);
  const Stmt* class_definition(Stmt* s);
  void import_line(Aliases* aliases);
  void refuse_statement();
  Stmt* stmt(Form form, Position begin) {
    Stmt* s = make<Stmt>();
    s->form = form;
    s->begin = begin;
    return s;
  }
  const Stmt* done(Stmt* s) {
    s->end = last_end();
    return s;
  }

  const Source& source_;
  const ScriptLimits& limits_;
  const Tokens& tokens_;
  std::pmr::memory_resource& memory_;
  size_t at_ = 0;
  uint32_t height_ = 0;
  uint32_t depth_ = 0;  // of expressions and prefix operators in one another
};

}  // namespace tenon::script
#endif
