#include "script/strings.h"

#include <charconv>
#include <cmath>
#include <cstdint>

#include "diag/utf8.h"
#include "script/lexer.h"

namespace tenon::script {
namespace {

void append_utf8(std::string* out, uint32_t c) {
  auto put = [&](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6)), put(0x80 | (c & 63));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12)), put(0x80 | ((c >> 6) & 63)), put(0x80 | (c & 63));
  } else {
    put(0xF0 | (c >> 18)), put(0x80 | ((c >> 12) & 63)), put(0x80 | ((c >> 6) & 63)), put(0x80 | (c & 63));
  }
}

}  // namespace

bool unescape(std::string_view s, std::string* out, std::string* problem) {
  static constexpr std::string_view kSimple = "abfnrtv\\'\"";
  static constexpr std::string_view kMeans = "\a\b\f\n\r\t\v\\'\"";
  out->reserve(s.size());
  for (size_t i = 0; i < s.size(); ++i) {
    if (s[i] != '\\' || i + 1 == s.size()) {
      out->push_back(s[i]);
      continue;
    }
    char c = s[++i];
    size_t simple = kSimple.find(c);
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (c == '\n') {
      continue;
    } else if (simple != std::string_view::npos) {
      out->push_back(kMeans[simple]);
    } else if (c >= '0' && c <= '7') {
      uint32_t code = 0;
      size_t last = i + 3;
      for (; i < s.size() && i < last && s[i] >= '0' && s[i] <= '7'; ++i)
        code = code * 8 + static_cast<uint32_t>(s[i] - '0');
      --i;
      append_utf8(out, code);
    } else if (digits != 0) {
      uint32_t code = 0;
      std::string_view hex = s.substr(i + 1, digits);
      auto r = std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
      if (hex.size() != digits || r.ptr != hex.data() + hex.size() || code > 0x10FFFF) {
        *problem =
            std::string("an escape \\") + c + " without " + std::to_string(digits) + " hex digits of a character";
        return false;
      }
      i += digits;
      if (code >= 0xDC80 && code <= 0xDCFF) {
        out->push_back(static_cast<char>(code - 0xDC00));
      } else if (code >= 0xD800 && code < 0xE000) {
        *problem = "an escape that is half of a surrogate pair";
        return false;
      } else {
        append_utf8(out, code);
      }
    } else {
      *problem = std::string("the unknown escape \\") + c;
      return false;
    }
  }
  return true;
}

std::string quote(std::string_view s) {
  std::string out = "\"";
  for (size_t i = 0; i < s.size();) {
    char c = s[i];
    size_t length = utf8_length(s, i);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (length == 0) {
      out += "\\udc" + hex_text(s.substr(i, 1));
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += "\\x" + hex_text(s.substr(i, 1));
    } else {
      out += s.substr(i, length);
    }
    i += length ? length : 1;
  }
  return out + '"';
}

std::string float_text(double value) {
  char buffer[40];
  auto r = std::to_chars(buffer, buffer + sizeof(buffer), value);
  std::string s(buffer, r.ptr);
  if (s.find_first_of(".en") == std::string::npos) s += ".0";
  return s;
}

const char* non_finite_name(double value) {
  if (std::isnan(value)) return std::signbit(value) ? "-nan" : "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  return nullptr;
}

std::optional<double> non_finite_value(std::string_view name) {
  if (name == "inf") return INFINITY;
  if (name == "-inf") return -INFINITY;
  if (name == "nan") return std::copysign(NAN, 1.0);
  if (name == "-nan") return std::copysign(NAN, -1.0);
  return std::nullopt;
}

std::string hex_byte(unsigned char c) {
  char byte = static_cast<char>(c);
  return "0x" + hex_text({&byte, 1});
}

std::string hex_text(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (char c : bytes) {
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

std::optional<std::string> hex_bytes(std::string_view text) {
  if (text.size() % 2) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); i += 2) {
    unsigned value = 0;
    auto r = std::from_chars(text.data() + i, text.data() + i + 2, value, 16);
    if (r.ec != std::errc() || r.ptr != text.data() + i + 2) return std::nullopt;
    out.push_back(static_cast<char>(value));
  }
  return out;
}

bool is_identifier(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  for (char c : name)
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_')) return false;
  return !is_python_keyword(name);
}

}  // namespace tenon::script
