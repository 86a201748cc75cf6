#include "diag/utf8.h"

#include <cstdio>

namespace tenon {

namespace {

unsigned char byte_at(std::string_view text, size_t at) { return static_cast<unsigned char>(text[at]); }

std::string hex(unsigned char byte) {
  char out[8];
  std::snprintf(out, sizeof out, "\\x%02X", byte);
  return out;
}

// Characters that nobody sees, and those that turn the direction of what stands around them: soft hyphen, Arabic letter
// mark, zero widths and marks, embeddings and overrides, joiners, isolates, byte order mark, tags.
bool is_hidden(std::string_view character) {
  struct Range {
    char32_t first, last;
  };
  constexpr Range kHidden[] = {{0xad, 0xad},     {0x61c, 0x61c},   {0x200b, 0x200f},  {0x202a, 0x202e},
                               {0x2060, 0x2069}, {0xfeff, 0xfeff}, {0xe0000, 0xe007f}};
  char32_t code = byte_at(character, 0) & (0xffu >> (character.size() + 1));
  for (size_t i = 1; i < character.size(); ++i) code = code << 6 | (byte_at(character, i) & 0x3fu);
  for (const Range& r : kHidden)
    if (r.first <= code && code <= r.last) return true;
  return false;
}

}  // namespace

size_t utf8_length(std::string_view text, size_t at) {
  const unsigned char first = byte_at(text, at);
  if (first < 0x80) return 1;
  size_t length = first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : 0;
  if (first >= 0xf0 && first <= 0xf4) length = 4;
  if (length == 0 || at + length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte_at(text, at + i) & 0xc0) != 0x80) return 0;
  const unsigned char second = byte_at(text, at + 1);
  const bool wrong = (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
                     (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
  return wrong ? 0 : length;
}

size_t find_not_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t length = utf8_length(text, at);
    if (length == 0) return at;
    at += length;
  }
  return std::string_view::npos;
}

size_t characters_before(std::string_view text, size_t at) {
  size_t count = 0;
  for (size_t i = 0; i < at && i < text.size(); ++i) count += (byte_at(text, i) & 0xc0) != 0x80;
  return count;
}

std::string printable(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    size_t length = utf8_length(text, at);
    const unsigned char first = byte_at(text, at);
    // The control characters of one byte, and those that UTF-8 writes as C2 80 to C2 9F.
    const bool control = (first < 0x20 && first != '\n' && first != '\t') || first == 0x7f ||
                         (first == 0xc2 && length == 2 && byte_at(text, at + 1) < 0xa0) ||
                         (length > 1 && is_hidden(text.substr(at, length)));
    if (length == 0) length = 1;
    if (control || utf8_length(text, at) == 0)
      for (size_t i = 0; i < length; ++i) out += hex(byte_at(text, at + i));
    else
      out += text.substr(at, length);
    at += length;
  }
  return out;
}

std::string shortened(std::string_view text, size_t limit) {
  std::string out;
  size_t count = 0;
  for (size_t at = 0; at < text.size(); ++count) {
    if (count == limit) return out + "...";
    const size_t length = utf8_length(text, at);
    if (length == 0) {
      out += hex(byte_at(text, at++));
      continue;
    }
    out += text[at] == '\n' ? std::string("\\n") : printable(text.substr(at, length));
    at += length;
  }
  return out;
}

}  // namespace tenon
