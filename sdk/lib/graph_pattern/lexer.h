// Words of patterns and conditions, with their places.
#ifndef TENON_LIB_GRAPH_PATTERN_LEXER_H
#define TENON_LIB_GRAPH_PATTERN_LEXER_H

#include <string>
#include <string_view>
#include <vector>

namespace tenon::graph_pattern {

struct Token {
  enum Kind { kName, kInt, kFloat, kString, kMark, kEnd };
  Kind kind = kEnd;
  std::string text;  // a name with its dots, the content of a string, a mark such as "("
  int64_t integer = 0;
  double number = 0;
  int line = 1, column = 1;
};

// One text that is being read: what it is called in messages, and the token that comes next.
class Reader {
 public:
  // `what` begins messages ("the pattern 'conv2d_relu'"); `where` is where the text stands, or "".
  Reader(std::string_view text, std::string what, std::string where);

  const Token& peek() const { return tokens_[at_]; }
  const Token& peek_second() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
  Token next() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool accept(std::string_view mark);
  void expect(std::string_view mark, const std::string& hint = {});
  void expect_end();
  [[noreturn]] void fail(const Token& at, const std::string& why, const std::string& hint = {}, int32_t code = 0) const;
  [[noreturn]] void expected(const std::string& what, const std::string& hint = {}) const;

 private:
  std::string what_, where_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
};

}  // namespace tenon::graph_pattern
#endif
