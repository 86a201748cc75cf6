// Text to tokens: indentation, line joining inside brackets, comments, numbers and strings of Python.
#ifndef TENON_CORE_SCRIPT_LEXER_H
#define TENON_CORE_SCRIPT_LEXER_H

#include <memory_resource>
#include <vector>

#include "script/limits.h"
#include "script/source.h"

namespace tenon::script {

enum class Tok : uint8_t { End, Newline, Indent, Dedent, Name, Keyword, Int, Float, String, Op };

struct Token {
  Tok kind = Tok::End;
  bool big = false;       // an Int above INT64_MAX; `integer` has its 64 bits
  Position begin, end;    // the end is past the last character
  std::string_view text;  // as written; of a String its decoded content
  int64_t integer = 0;
  double number = 0;
  bool is(std::string_view s) const { return (kind == Tok::Op || kind == Tok::Keyword) && text == s; }
};

struct Tokens {
  std::vector<Token> list;  // ends with Tok::End
  uint32_t brackets = 0;    // the most that were open at one place
  uint32_t blocks = 0;      // the deepest indentation
  uint32_t prefixes = 0;    // the longest run of signs and `not`
};

// Decoded strings live in `memory`, all other text in the source.
Tokens tokenize(const Source& source, const ScriptLimits& limits, std::pmr::memory_resource& memory);

// True for the words that Python reserves.
bool is_python_keyword(std::string_view word);

}  // namespace tenon::script
#endif
