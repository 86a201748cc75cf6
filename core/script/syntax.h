// The tree of a text before it has meaning: expressions and statements of the Python subset.
//
// Everything lives in the arena of the Program and is only read afterwards.
#ifndef TENON_CORE_SCRIPT_SYNTAX_H
#define TENON_CORE_SCRIPT_SYNTAX_H

#include <initializer_list>
#include <memory>
#include <memory_resource>
#include <span>

#include "script/lexer.h"

namespace tenon::script {

struct Expr;

struct Keyword {
  std::string_view name;
  Position where;
  const Expr* value;
};

enum class Syntax : uint8_t {
  Name,    // text
  Int,     // integer, big
  Float,   // number
  String,  // text
  True,
  False,
  None,
  Ellipsis,
  Attribute,  // a.text
  Call,       // a(items, keywords)
  Subscript,  // a[items]; `bare_tuple` when the items stand without parentheses of their own
  Binary,     // a text b: arithmetic, comparison, and, or
  Unary,      // text a: - + ~ not
  Tuple,
  List,  // items
  Dict,  // items: key, value, key, value, ...
  Slice  // a:b:c, each may be null
};

struct Expr {
  Syntax kind;
  bool big = false;
  bool parenthesized = false;
  uint32_t height = 1;  // the recursion that reading the expression takes: the left operand of an operator adds nothing
  Position begin, end;
  std::string_view text;
  int64_t integer = 0;
  double number = 0;
  const Expr* a = nullptr;
  const Expr* b = nullptr;
  const Expr* c = nullptr;
  std::span<const Expr* const> items;
  std::span<const Keyword> keywords;

  bool is_name(std::string_view s) const { return kind == Syntax::Name && text == s; }
};

struct Param {
  std::string_view name;
  Position where;
  const Expr* annotation;  // or null
};

struct Stmt;
using Body = std::span<const Stmt* const>;

struct WithItem {
  const Expr* value;
  const Expr* target;  // or null
};

enum class Form : uint8_t {
  Expression,  // value
  Assign,      // target = value
  Annotated,   // target: annotation = value; value may be null
  Augmented,   // target text= value
  For,         // for target in value: body
  While,       // while value: body
  If,          // if value: body else: orelse
  With,        // with items: body
  Return,      // return value; value may be null
  Assert,      // assert value, annotation; annotation may be null
  Pass,
  Function,  // decorators, def text(params) -> annotation: body
  Class      // decorators, class text: body
};

struct Stmt {
  Form form;
  Position begin, end;
  std::string_view text;
  Position name_where;
  const Expr* target = nullptr;
  const Expr* value = nullptr;
  const Expr* annotation = nullptr;
  std::span<const Param> params;
  std::span<const Expr* const> decorators;
  std::span<const WithItem> items;
  Body body, orelse;
};

// The names under which the text speaks of I, T and R.
struct Aliases {
  std::string_view ir = "I", tir = "T", relax = "R";
};

struct Program {
  std::unique_ptr<std::pmr::monotonic_buffer_resource> memory;
  Body body;
  Aliases aliases;
  uint32_t height = 0;  // the greatest of its expressions
};

// Throws TN_ERROR_PARSE or TN_ERROR_LIMIT. Its stack is bounded by the brackets and blocks of `tokens`.
Program parse_syntax(const Source& source, const ScriptLimits& limits, const Tokens& tokens,
                     std::unique_ptr<std::pmr::monotonic_buffer_resource> memory);

// One expression that stands in a string: R.Tensor(("n + 1", 4)). Positions count from `at`.
const Expr* parse_expression(const Source& source, std::string_view text, Position at,
                             std::pmr::memory_resource& memory);

// How a token or an expression is called in a message.
std::string describe(const Token& token);
std::string describe(const Expr& expr);

}  // namespace tenon::script
#endif
