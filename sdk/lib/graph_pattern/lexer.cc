#include "graph_pattern/lexer.h"

#include <tenon/cxx/object.h>

#include <charconv>

namespace tenon::graph_pattern {
namespace {

constexpr size_t kMaxTokens = 4096;
constexpr std::string_view kMarks[] = {"==", "!=", "<=", ">=", "//", "(", ")", "[", "]", ",",
                                       "=",  "<",  ">",  "+",  "-",  "*", "%", "{", "}"};

bool starts_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

Reader::Reader(std::string_view text, std::string what, std::string where)
    : what_(std::move(what)), where_(std::move(where)) {
  int line = 1, column = 1;
  size_t i = 0;
  auto step = [&](size_t n) {
    for (; n > 0; --n, ++i) {
      column = text[i] == '\n' ? 1 : column + 1;
      line += text[i] == '\n';
    }
  };
  while (true) {
    while (i < text.size() && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r')) step(1);
    Token t;
    t.line = line;
    t.column = column;
    if (i == text.size()) {
      tokens_.push_back(t);
      return;
    }
    if (tokens_.size() == kMaxTokens) fail(t, "it is longer than " + std::to_string(kMaxTokens) + " words");
    size_t end = i;
    if (starts_name(text[i])) {
      while (end < text.size() && (starts_name(text[end]) || is_digit(text[end]) ||
                                   (text[end] == '.' && end + 1 < text.size() && starts_name(text[end + 1]))))
        ++end;
      t.kind = Token::kName;
      t.text = text.substr(i, end - i);
    } else if (is_digit(text[i])) {
      while (end < text.size() && is_digit(text[end])) ++end;
      bool real = end < text.size() && (text[end] == '.' || text[end] == 'e');
      while (real && end < text.size() &&
             (is_digit(text[end]) || text[end] == '.' || text[end] == 'e' ||
              ((text[end] == '-' || text[end] == '+') && text[end - 1] == 'e')))
        ++end;
      t.kind = real ? Token::kFloat : Token::kInt;
      t.text = text.substr(i, end - i);
      auto [stop, error] = real ? std::from_chars(text.data() + i, text.data() + end, t.number)
                                : std::from_chars(text.data() + i, text.data() + end, t.integer);
      if (error != std::errc{} || stop != text.data() + end) fail(t, "'" + t.text + "' is not a number");
    } else if (text[i] == '\'' || text[i] == '"') {
      end = text.find(text[i], i + 1);
      if (end == std::string_view::npos) fail(t, "a string is not closed");
      t.kind = Token::kString;
      t.text = text.substr(i + 1, end - i - 1);
      ++end;
    } else {
      for (std::string_view mark : kMarks)
        if (text.substr(i, mark.size()) == mark) {
          t.kind = Token::kMark;
          t.text = mark;
          break;
        }
      if (t.kind != Token::kMark) fail(t, "the character '" + std::string(1, text[i]) + "' has no meaning");
      end = i + t.text.size();
    }
    tokens_.push_back(t);
    step(end - i);
  }
}

bool Reader::accept(std::string_view mark) {
  if (peek().kind != Token::kMark || peek().text != mark) return false;
  ++at_;
  return true;
}

void Reader::expect(std::string_view mark, const std::string& hint) {
  if (!accept(mark)) expected("'" + std::string(mark) + "'", hint);
}

void Reader::expect_end() {
  if (peek().kind != Token::kEnd) expected("the end");
}

void Reader::expected(const std::string& what, const std::string& hint) const {
  const Token& t = peek();
  fail(t, "expected " + what + ", met " + (t.kind == Token::kEnd ? "the end" : "'" + t.text + "'"), hint);
}

void Reader::fail(const Token& at, const std::string& why, const std::string& hint, int32_t code) const {
  throw Error(code ? code : TN_ERROR_PARSE,
              what_ + ", line " + std::to_string(at.line) + ", column " + std::to_string(at.column) + ": " + why,
              where_, hint);
}

}  // namespace tenon::graph_pattern
