#include "diag/suggest.h"

#include <algorithm>

namespace tenon {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t change = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& known) {
  if (name.empty() || name.size() > 200) return "";
  std::string wanted(name);
  std::transform(wanted.begin(), wanted.end(), wanted.begin(), lower);
  size_t best = std::max<size_t>(1, name.size() / 3) + 1;
  std::string nearest;
  for (const std::string& k : known) {
    if (k.size() > 200) continue;
    std::string candidate = k;
    std::transform(candidate.begin(), candidate.end(), candidate.begin(), lower);
    size_t distance = edit_distance(wanted, candidate);
    if (distance < best) {
      best = distance;
      nearest = k;
    }
  }
  return nearest;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& known, std::string otherwise) {
  if (name.size() > 1000) return otherwise;  // nobody mistypes so much
  std::string nearest = nearest_name(name, known);
  if (nearest.empty()) return otherwise;
  return "did you mean '" + nearest + "'?";
}

}  // namespace tenon
