#include "registry/package/version.h"

#include <cstdint>

namespace tenon {

namespace {

// Takes the number before the next dot; 0 when there is none.
uint64_t next_number(std::string_view& rest) {
  uint64_t n = 0;
  size_t i = 0;
  for (; i < rest.size() && rest[i] >= '0' && rest[i] <= '9'; ++i)
    if (n < (uint64_t{1} << 59)) n = n * 10 + static_cast<uint64_t>(rest[i] - '0');
  rest.remove_prefix(i < rest.size() && rest[i] == '.' ? i + 1 : i);
  return n;
}

bool is_numbers(std::string_view s) {
  bool digit = false;
  for (char c : s) {
    if (c == '.' && !digit) return false;
    if (c != '.' && (c < '0' || c > '9')) return false;
    digit = c != '.';
  }
  return digit;
}

std::string_view trimmed(std::string_view s) {
  while (!s.empty() && s.front() == ' ') s.remove_prefix(1);
  while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
  return s;
}

// Calls f(operator, version) for the parts between commas.
template <class F>
void each_part(std::string_view text, F&& f) {
  for (;;) {
    size_t comma = text.find(',');
    std::string_view part = trimmed(text.substr(0, comma));
    size_t n = part.find_first_not_of("<>=");
    if (n == std::string_view::npos) n = part.size();
    f(part.substr(0, n), trimmed(part.substr(n)));
    if (comma == std::string_view::npos) return;
    text.remove_prefix(comma + 1);
  }
}

bool is_operator(std::string_view op) {
  return op.empty() || op == ">=" || op == ">" || op == "<=" || op == "<" || op == "=" || op == "==";
}

}  // namespace

int compare_versions(std::string_view a, std::string_view b) {
  size_t dash_a = a.find('-'), dash_b = b.find('-');
  std::string_view x = a.substr(0, dash_a), y = b.substr(0, dash_b);
  while (!x.empty() || !y.empty()) {
    uint64_t m = next_number(x), n = next_number(y);
    if (m != n) return m < n ? -1 : 1;
    if ((!x.empty() && (x[0] < '0' || x[0] > '9')) || (!y.empty() && (y[0] < '0' || y[0] > '9'))) break;
  }
  bool pre_a = dash_a != std::string_view::npos, pre_b = dash_b != std::string_view::npos;
  if (pre_a != pre_b) return pre_a ? -1 : 1;
  return pre_a ? a.substr(dash_a).compare(b.substr(dash_b)) : 0;
}

std::string VersionRange::problem(std::string_view text) {
  std::string out;
  each_part(text, [&](std::string_view op, std::string_view version) {
    if (out.empty() && (!is_operator(op) || !is_numbers(version)))
      out = "'" + std::string(op) + std::string(version) + "' is no part of a range of versions";
  });
  return out;
}

VersionRange::VersionRange(std::string_view text) {
  each_part(text, [&](std::string_view op, std::string_view version) {
    parts_.push_back({std::string(op), std::string(version)});
  });
}

bool VersionRange::contains(std::string_view version) const {
  for (const Part& part : parts_) {
    int order = compare_versions(version, part.version);
    bool holds = part.op == ">="  ? order >= 0
                 : part.op == ">" ? order > 0
                 : part.op == "<" ? order < 0
                 : part.op == "<="
                     ? order <= 0
                     : order == 0 || (version.size() > part.version.size() && version.starts_with(part.version) &&
                                      version[part.version.size()] == '.');
    if (!holds) return false;
  }
  return true;
}

}  // namespace tenon
