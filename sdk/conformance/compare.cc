#include "compare.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <regex>

namespace tenon::texttest {
namespace {

constexpr std::string_view kAnyLines = "{{...}}";
constexpr size_t kMaxCells = 40'000'000;  // of the edit table; beyond it only the first difference is shown

std::string_view trimmed(std::string_view s) {
  while (!s.empty() && s.front() == ' ') s.remove_prefix(1);
  while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
  return s;
}

// One expected line: plain text, a pattern, or any number of lines.
class Line {
 public:
  explicit Line(const std::string& text) : text_(text), any_(trimmed(text) == kAnyLines) {
    if (any_ || text.find("{{") == std::string::npos) return;
    std::string pattern;
    size_t at = 0;
    while (at < text.size()) {
      size_t open = text.find("{{", at), close = open == std::string::npos ? open : text.find("}}", open + 2);
      if (close == std::string::npos) open = text.size();
      for (char c : std::string_view(text).substr(at, open - at)) {
        if (std::string_view(R"(\^$.|?*+()[]{})").find(c) != std::string_view::npos) pattern += '\\';
        pattern += c;
      }
      if (open == text.size()) break;
      pattern += "(?:" + text.substr(open + 2, close - open - 2) + ")";
      at = close + 2;
    }
    pattern_ = std::regex(pattern);
  }
  bool any() const { return any_; }
  bool matches(const std::string& actual) const {
    return pattern_ ? std::regex_match(actual, *pattern_) : text_ == actual;
  }

 private:
  const std::string& text_;
  bool any_;
  std::optional<std::regex> pattern_;
};

// The table of least edits from (i, j) to the ends, and the walk along it.
class Edits {
 public:
  Edits(const std::vector<std::string>& expected, const std::vector<std::string>& actual)
      : expected_(expected), actual_(actual), width_(actual.size() + 1) {
    for (const std::string& line : expected) lines_.emplace_back(line);
    cost_.resize((expected.size() + 1) * width_);
    for (size_t i = expected.size() + 1; i-- > 0;)
      for (size_t j = width_; j-- > 0;) cost_[i * width_ + j] = least(i, j);
  }
  bool equal() const { return cost_[0] == 0; }

  std::vector<std::string> marked() const {
    std::vector<std::string> out;
    size_t i = 0, j = 0;
    while (i < expected_.size() || j < actual_.size()) {
      uint32_t here = at(i, j);
      bool more = i < expected_.size(), left = j < actual_.size();
      if (more && lines_[i].any() && at(i + 1, j) == here) {
        ++i;
      } else if (more && left && lines_[i].any() && at(i, j + 1) == here) {
        out.push_back("  " + actual_[j++]);
      } else if (more && left && at(i + 1, j + 1) == here && lines_[i].matches(actual_[j])) {
        out.push_back("  " + actual_[j++]), ++i;
      } else if (more && at(i + 1, j) + 1 == here) {
        out.push_back("- " + expected_[i++]);
      } else {
        out.push_back("+ " + actual_[j++]);
      }
    }
    return out;
  }

 private:
  uint32_t at(size_t i, size_t j) const { return cost_[i * width_ + j]; }
  uint32_t least(size_t i, size_t j) const {
    bool more = i < expected_.size(), left = j < actual_.size();
    if (!more && !left) return 0;
    uint32_t best = UINT32_MAX;
    if (more) best = std::min(best, at(i + 1, j) + (lines_[i].any() ? 0 : 1));
    if (left) best = std::min(best, at(i, j + 1) + (more && lines_[i].any() ? 0 : 1));
    if (more && left && !lines_[i].any() && lines_[i].matches(actual_[j])) best = std::min(best, at(i + 1, j + 1));
    return best;
  }

  const std::vector<std::string>& expected_;
  const std::vector<std::string>& actual_;
  size_t width_;
  std::vector<Line> lines_;
  std::vector<uint32_t> cost_;
};

// Drops what is far from any difference.
std::string with_context(const std::vector<std::string>& marked, size_t context) {
  std::string out;
  size_t next = 0;
  auto changed = [&](size_t i) { return marked[i][0] != ' '; };
  for (size_t i = 0; i < marked.size(); ++i) {
    if (!changed(i)) continue;
    size_t from = std::max(next, i < context ? 0 : i - context);
    if (from > next) out += "@ " + std::to_string(from - next) + " equal lines\n";
    size_t to = i + 1;
    while (to < marked.size() && to <= i + context && !changed(to)) ++to;
    for (size_t k = from; k < to; ++k) out += marked[k] + "\n";
    next = to;
    i = to - 1;
  }
  if (next < marked.size()) out += "@ " + std::to_string(marked.size() - next) + " equal lines\n";
  return out;
}

}  // namespace

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

Comparison compare(std::string_view expected, std::string_view actual) {
  std::vector<std::string> want = split_lines(expected), have = split_lines(actual);
  if (want == have) return {true, ""};
  if ((want.size() + 1) * (have.size() + 1) > kMaxCells) {
    size_t i = 0;
    while (i < want.size() && i < have.size() && want[i] == have[i]) ++i;
    return {false, "@ " + std::to_string(i) + " equal lines\n- " + (i < want.size() ? want[i] : "(end)") + "\n+ " +
                       (i < have.size() ? have[i] : "(end)") + "\n"};
  }
  Edits edits(want, have);
  if (edits.equal()) return {true, ""};
  return {false, with_context(edits.marked(), 2)};
}

}  // namespace tenon::texttest
