#include "script/lexer.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "script/strings.h"

namespace tenon::script {
namespace {

constexpr std::string_view kKeywords[] = {"False",  "None",   "True",    "and",      "as",       "assert", "async",
                                          "await",  "break",  "class",   "continue", "def",      "del",    "elif",
                                          "else",   "except", "finally", "for",      "from",     "global", "if",
                                          "import", "in",     "is",      "lambda",   "nonlocal", "not",    "or",
                                          "pass",   "raise",  "return",  "try",      "while",    "with",   "yield"};

// Longest first.
constexpr std::string_view kOperators[] = {
    "**=", "//=", "<<=", ">>=", "...", "**", "//", "<<", ">>", "<=", ">=", "==", "!=", "->", "+=", "-=",
    "*=",  "/=",  "%=",  "&=",  "|=",  "^=", "@=", ":=", "+",  "-",  "*",  "/",  "%",  "@",  "&",  "|",
    "^",   "~",   "<",   ">",   "(",   ")",  "[",  "]",  "{",  "}",  ",",  ":",  ".",  ";",  "="};

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name(char c) { return is_name_start(c) || is_digit(c); }

class Lexer {
 public:
  Lexer(const Source& source, const ScriptLimits& limits, std::pmr::memory_resource& memory)
      : source_(source),
        limits_(limits),
        memory_(memory),
        at_(source.text.data()),
        end_(at_ + source.text.size()),
        line_begin_(at_),
        counted_(at_) {}

  Tokens run() {
    if (source_.text.size() > limits_.bytes) source_.limit({1, 1}, "the text is longer", limits_.bytes);
    out_.list.reserve(source_.text.size() / 4 + 16);
    if (source_.text.substr(0, 3) == "\xEF\xBB\xBF") begin_line(at_ += 3);
    indents_.push_back(0);
    while (at_ < end_) {
      if (begins_line_ && open_.empty() && !indentation()) continue;
      token();
    }
    if (!open_.empty())
      source_.fail(open_.back().where, std::string("this '") + open_.back().bracket + "' is never closed");
    if (!begins_line_) push(Tok::Newline, here(), "");
    while (indents_.size() > 1) {
      indents_.pop_back();
      push(Tok::Dedent, here(), "");
    }
    push(Tok::End, here(), "");
    return std::move(out_);
  }

 private:
  struct Open {
    char bracket;
    Position where;
  };

  // Columns count characters.
  Position here() {
    for (; counted_ < at_; ++counted_) continued_ += (static_cast<unsigned char>(*counted_) & 0xc0) == 0x80;
    return {line_, static_cast<int32_t>(at_ - line_begin_ - continued_) + 1};
  }
  void begin_line(const char* at) {
    line_begin_ = counted_ = at;
    continued_ = 0;
  }
  char peek(size_t ahead = 0) const { return at_ + ahead < end_ ? at_[ahead] : '\0'; }

  Token& push(Tok kind, Position begin, std::string_view text) {
    Token& t = out_.list.emplace_back();
    t.kind = kind;
    t.begin = begin;
    t.end = here();
    t.text = text;
    bool prefix = text == "-" || text == "+" || text == "~" || text == "not";
    run_ = prefix ? run_ + 1 : 0;
    if (run_ > out_.prefixes) out_.prefixes = run_;
    return t;
  }

  void next_line() {
    ++at_;
    ++line_;
    begin_line(at_);
  }

  // Reads the white space that begins a line; false when the line holds nothing else.
  bool indentation() {
    const char* first = at_;
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\f')) ++at_;
    if (at_ == end_) return false;
    if (*at_ == '#') {
      while (at_ < end_ && *at_ != '\n') ++at_;
      return false;
    }
    if (*at_ == '\r' && peek(1) == '\n') ++at_;
    if (*at_ == '\n') {
      next_line();
      return false;
    }
    if (std::memchr(first, '\t', static_cast<size_t>(at_ - first)))
      source_.fail({line_, 1}, "this line is indented with a tab", "indent with spaces");
    begins_line_ = false;
    auto width = static_cast<uint32_t>(at_ - first);
    if (width > indents_.back()) {
      indents_.push_back(width);
      auto depth = static_cast<uint32_t>(indents_.size() - 1);
      if (depth > limits_.blocks) source_.limit(here(), "blocks are indented deeper", limits_.blocks);
      out_.blocks = std::max(out_.blocks, depth);
      push(Tok::Indent, here(), "");
    }
    while (width < indents_.back()) {
      indents_.pop_back();
      if (width > indents_.back())
        source_.fail(here(), "this line is indented by " + std::to_string(width) + " spaces, like no block around it",
                     "the nearest block is indented by " + std::to_string(indents_.back()));
      push(Tok::Dedent, here(), "");
    }
    return true;
  }

  void token() {
    char c = *at_;
    if (c == ' ' || c == '\t' || c == '\f') {
      ++at_;
    } else if (c == '\r' && peek(1) == '\n') {
      ++at_;
    } else if (c == '\n') {
      if (open_.empty()) {
        push(Tok::Newline, here(), "end of line");
        begins_line_ = true;
      }
      next_line();
    } else if (c == '#') {
      while (at_ < end_ && *at_ != '\n') ++at_;
    } else if (c == '\\' && (peek(1) == '\n' || (peek(1) == '\r' && peek(2) == '\n'))) {
      at_ += peek(1) == '\r' ? 2 : 1;
      next_line();
    } else if (is_name_start(c)) {
      word();
    } else if (is_digit(c) || (c == '.' && is_digit(peek(1)))) {
      number();
    } else if (c == '"' || c == '\'') {
      string(false, here());
    } else {
      operator_token();
    }
  }

  void word() {
    const char* first = at_;
    Position begin = here();
    while (at_ < end_ && is_name(*at_)) ++at_;
    std::string_view text(first, static_cast<size_t>(at_ - first));
    if ((peek() == '"' || peek() == '\'') && text.size() <= 2) {
      std::string prefix(text);
      for (char& ch : prefix) ch = static_cast<char>(ch | 32);
      if (prefix.find('f') != std::string::npos) source_.refuse(begin, "an f-string", "write the text itself");
      if (prefix.find('b') != std::string::npos)
        source_.refuse(begin, "a bytes literal", "write I.bytes(\"...\") with hex digits");
      if (prefix == "r" || prefix == "u") return string(prefix == "r", begin);
    }
    push(is_python_keyword(text) ? Tok::Keyword : Tok::Name, begin, text);
  }

  void number() {
    const char* first = at_;
    Position begin = here();
    int base = 10;
    if (*at_ == '0') {
      char kind = static_cast<char>(peek(1) | 32);
      base = kind == 'x' ? 16 : kind == 'b' ? 2 : kind == 'o' ? 8 : 10;
    }
    bool is_float = false;
    if (base != 10) {
      at_ += 2;
      while (at_ < end_ && is_name(*at_)) ++at_;
    } else {
      auto digits = [&] {
        while (at_ < end_ && (is_digit(*at_) || (*at_ == '_' && is_digit(peek(1))))) ++at_;
      };
      digits();
      if (peek() == '.') {
        is_float = true;
        ++at_;
        digits();
      }
      if ((peek() | 32) == 'e' && (is_digit(peek(1)) || ((peek(1) == '+' || peek(1) == '-') && is_digit(peek(2))))) {
        is_float = true;
        at_ += 2;
        digits();
      }
    }
    std::string_view text(first, static_cast<size_t>(at_ - first));
    if (at_ < end_ && is_name_start(*at_)) {
      if ((*at_ | 32) == 'j') source_.refuse(begin, "a complex number");
      source_.fail(here(), std::string("met '") + *at_ + "' in the number " + std::string(text),
                   "a number ends before a letter");
    }
    std::string plain(text.substr(base == 10 ? 0 : 2));
    plain.erase(std::remove(plain.begin(), plain.end(), '_'), plain.end());
    Token& t = push(is_float ? Tok::Float : Tok::Int, begin, text);
    const char* last = plain.data() + plain.size();
    std::from_chars_result r{};
    if (is_float) {
      r = std::from_chars(plain.data(), last, t.number);
      if (r.ec == std::errc::result_out_of_range)
        source_.fail(begin, "the number " + std::string(text) + " is not representable in 64 bits",
                     "write T.float64(\"inf\") for infinity, 0.0 for what vanishes");
    } else {
      if (base == 10 && plain.size() > 1 && plain[0] == '0' && plain.find_first_not_of('0') != std::string::npos)
        source_.fail(begin, "the integer " + std::string(text) + " begins with 0", "write 0o for octal");
      uint64_t value = 0;
      r = std::from_chars(plain.data(), last, value, base);
      if (r.ec == std::errc::result_out_of_range)
        source_.fail(begin, "the integer " + std::string(text) + " does not fit 64 bits");
      t.big = value > static_cast<uint64_t>(INT64_MAX);
      t.integer = static_cast<int64_t>(value);
    }
    if (r.ec != std::errc() || r.ptr != last || plain.empty())
      source_.fail(begin, "'" + std::string(text) + "' is not a number");
  }

  void string(bool raw, Position begin) {
    char quote = *at_;
    bool triple = peek(1) == quote && peek(2) == quote;
    at_ += triple ? 3 : 1;
    const char* first = at_;
    bool escaped = false;
    for (;; ++at_) {
      if (at_ == end_ || (!triple && *at_ == '\n'))
        source_.fail(
            begin, "this string is never closed; expected " + (triple ? std::string(3, quote) : std::string(1, quote)),
            triple ? "" : "a string over several lines stands between triple quotes");
      if (*at_ == '\\' && at_ + 1 < end_) {
        escaped = true;
        ++at_;
      } else if (*at_ == quote && (!triple || (peek(1) == quote && peek(2) == quote))) {
        break;
      }
      if (*at_ == '\n') {
        ++line_;
        begin_line(at_ + 1);
      }
    }
    std::string_view content(first, static_cast<size_t>(at_ - first));
    at_ += triple ? 3 : 1;
    if (escaped && !raw) {
      std::string decoded, problem;
      if (!unescape(content, &decoded, &problem))
        source_.fail(begin, "this string has " + problem, "write a backslash twice to have one");
      auto* copy = static_cast<char*>(memory_.allocate(decoded.size() + 1, 1));
      std::memcpy(copy, decoded.data(), decoded.size());
      content = {copy, decoded.size()};
    }
    push(Tok::String, begin, content);
  }

  void operator_token() {
    Position begin = here();
    std::string_view rest(at_, static_cast<size_t>(end_ - at_));
    for (std::string_view op : kOperators) {
      if (rest.substr(0, op.size()) != op) continue;
      at_ += op.size();
      if (op == "(" || op == "[" || op == "{") {
        open_.push_back({op[0], begin});
        if (open_.size() > limits_.brackets)
          source_.limit(begin, "more brackets are open at one place", limits_.brackets);
        out_.brackets = std::max(out_.brackets, static_cast<uint32_t>(open_.size()));
      } else if (op == ")" || op == "]" || op == "}") {
        close(op[0], begin);
      }
      push(Tok::Op, begin, op);
      return;
    }
    auto c = static_cast<unsigned char>(*at_);
    if (c == '$' || c == '!' || c == '?' || c == '`')
      source_.fail(begin, std::string("met '") + static_cast<char>(c) + "', which begins nothing",
                   c == '!' ? "write `not x`, or != for unequal" : "");
    if (c == '\\') source_.fail(begin, "met a backslash that is not the last character of its line");
    source_.fail(begin, "met the byte " + hex_byte(c) + " outside of a string or comment",
                 c >= 0x80 ? "names are made of ASCII letters, digits and _; other names are written I.name(\"...\")"
                           : "remove the control character");
  }

  void close(char bracket, Position where) {
    char expected = open_.empty() ? '\0' : open_.back().bracket == '(' ? ')' : open_.back().bracket == '[' ? ']' : '}';
    if (!expected) source_.fail(where, std::string("met '") + bracket + "', but no bracket is open");
    if (expected != bracket)
      source_.fail(where, std::string("met '") + bracket + "', expected '" + expected + "' for the '" +
                              open_.back().bracket + "' at " + source_.where(open_.back().where));
    open_.pop_back();
  }

  const Source& source_;
  const ScriptLimits& limits_;
  std::pmr::memory_resource& memory_;
  const char* at_;
  const char* end_;
  const char* line_begin_;
  const char* counted_;           // up to where
  std::ptrdiff_t continued_ = 0;  // bytes of the line that continue a character
  int32_t line_ = 1;
  uint32_t run_ = 0;
  bool begins_line_ = true;
  std::vector<uint32_t> indents_;
  std::vector<Open> open_;
  Tokens out_;
};

}  // namespace

bool is_python_keyword(std::string_view word) {
  return std::binary_search(std::begin(kKeywords), std::end(kKeywords), word);
}

Tokens tokenize(const Source& source, const ScriptLimits& limits, std::pmr::memory_resource& memory) {
  return Lexer(source, limits, memory).run();
}

}  // namespace tenon::script
