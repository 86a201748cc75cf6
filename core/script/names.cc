#include "script/names.h"

#include "script/strings.h"

namespace tenon::script {

std::string identifier_of(std::string_view hint, std::string_view otherwise) {
  if (is_identifier(hint)) return std::string(hint);
  std::string s;
  bool any = false;
  for (char c : hint) {
    bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    any = any || (good && c != '_');
    s += good ? c : '_';
  }
  if (!any) return std::string(otherwise);
  if (s[0] >= '0' && s[0] <= '9') s.insert(s.begin(), '_');
  if (!is_identifier(s)) s += '_';
  return s;
}

std::string Names::fresh(std::string_view hint) {
  std::string base = identifier_of(hint, "v"), name = base;
  uint64_t number = 0;
  if (taken_.count(base)) {
    uint64_t& next = next_[base];
    for (number = std::max<uint64_t>(next, 1);; ++number) {
      name = base + "_" + std::to_string(number);
      if (!taken_.count(name)) break;
    }
    next = number + 1;
  }
  taken_.emplace(name, 0);
  defined_.push_back({nullptr, name, std::move(base), number, false});
  return name;
}

const std::string& Names::alias(const Node& n, const std::string& name) {
  defined_.push_back({n.get(), name, {}, 0, true});
  return names_[n.get()] = name;
}

const std::string& Names::define(const Node& n, std::string_view hint) {
  auto [it, inserted] = names_.try_emplace(n.get());
  if (!inserted) return it->second;
  std::string name = fresh(hint);
  defined_.back().node = n.get();
  return names_[n.get()] = std::move(name);
}

void Names::back_to(size_t mark) {
  while (defined_.size() > mark) {
    Defined& d = defined_.back();
    if (d.node) names_.erase(d.node);
    if (!d.alias) taken_.erase(d.name);
    if (d.number) {
      uint64_t& next = next_[d.base];
      next = std::min(next, d.number);
    }
    defined_.pop_back();
  }
}

}  // namespace tenon::script
