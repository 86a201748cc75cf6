#include "diag/render.h"

#include <algorithm>
#include <fstream>

#include "diag/files.h"
#include "diag/utf8.h"

namespace tenon {

namespace {

constexpr size_t kMaxLine = 200;
constexpr int kMaxCauses = 8;

// The decimal number at the end of `text` after a ':', cut off together with it; -1 when there is none.
int take_number(std::string& text) {
  size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon + 1 == text.size() || text.size() - colon > 9) return -1;
  std::string digits = text.substr(colon + 1);
  if (digits.find_first_not_of("0123456789") != std::string::npos) return -1;
  text.resize(colon);
  return std::stoi(digits);
}

// The source line with a mark below the column; "" when the file cannot be read.
std::string excerpt(const Place& place) {
  if (!is_regular_file(place.file)) return "";
  std::ifstream in(place.file);
  std::string line;
  for (int i = 0; i < place.line && in; ++i) std::getline(in, line);
  if (line.ends_with('\r')) line.pop_back();
  if (place.line == 1 && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
  std::replace(line.begin(), line.end(), '\t', ' ');
  if (!in || line.empty() || line.size() > kMaxLine || printable(line) != line) return "";
  std::string out = "   | " + line + "\n";
  if (place.column >= 1 && static_cast<size_t>(place.column) <= characters_before(line, line.size()) + 1)
    out += "   | " + std::string(static_cast<size_t>(place.column - 1), ' ') + "^\n";
  return out;
}

void append(std::string& out, const Error& e, const char* lead, int depth) {
  out += lead + shown(e.message) + "\n";
  if (!e.where.empty()) {
    out += "  at " + shown(e.where) + "\n";
    if (Place place = parse_place(e.where); place.line > 0) out += excerpt(place);
  }
  if (!e.hint.empty()) out += "  hint: " + shown(e.hint) + "\n";
  if (e.cause && depth < kMaxCauses) append(out, *e.cause, "  because: ", depth + 1);
}

}  // namespace

Place parse_place(const std::string& where) {
  Place place;
  place.file = where;
  int column = take_number(place.file);
  int line = column < 0 ? -1 : take_number(place.file);
  if (line < 0) return {where, 0, 0};
  place.line = line;
  place.column = column;
  return place;
}

std::string shown(const std::string& text) {
  std::string out;
  for (char c : printable(text)) out += c == '\n' ? std::string("\n    ") : std::string(1, c);
  return out;
}

std::string render_error(const Error& error) {
  std::string out;
  append(out, error, "error: ", 0);
  return out;
}

}  // namespace tenon
