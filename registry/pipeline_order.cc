#include "registry/pipeline_order.h"

#include <algorithm>
#include <map>
#include <set>

#include "diag/suggest.h"

namespace tenon {

namespace {

bool contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

class OrderCheck {
 public:
  OrderCheck(const Pipeline& pipeline, PluginProvider& provider, std::vector<Error>& complaints)
      : stages_(pipeline.stages), provider_(provider), complaints_(complaints) {}

  void run(const std::vector<std::string>& assumed) {
    held_.insert(initial_properties().begin(), initial_properties().end());
    held_.insert(assumed.begin(), assumed.end());
    for (size_t i = 0; i < stages_.size(); ++i) {
      const PassInfo& pass = *stages_[i].pass;
      if (pass.level != Level::kModule) require(i, std::string(level_name(pass.level)));
      for (const std::string& property : pass.required) require(i, property);
      for (const std::string& property : pass.invalidated)
        if (held_.erase(property)) taken_[property] = i;
      for (const std::string& property : pass.provided) held_.insert(property);
      check_neighbours(i, pass.after, true);
      check_neighbours(i, pass.before, false);
    }
  }

 private:
  // "stage 3, passes-loop:simplify (p.yaml:4:5)"
  std::string stage_text(size_t i) const {
    return "stage " + std::to_string(i + 1) + ", " + stages_[i].pass->full_name() +
           (stages_[i].where.empty() ? "" : " (" + stages_[i].where + ")");
  }
  void complain(size_t i, const std::string& message, const std::string& hint) {
    complaints_.emplace_back(TN_ERROR_VERIFY, stages_[i].pass->full_name() + " " + message, stages_[i].where, hint);
  }

  void require(size_t i, const std::string& property) {
    if (!held_.insert(property).second) return;  // held from here on, so that it is said once
    if (auto taken = taken_.find(property); taken != taken_.end()) {
      std::string by = stage_text(taken->second);
      const PassInfo& pass = *stages_[i].pass;
      if (property == level_name(pass.level) && !contains(pass.required, property))
        return complain(i, "works on " + property + " functions, of which " + by + ", leaves none",
                        "put it before " + stages_[taken->second].pass->full_name());
      return complain(i, "requires '" + property + "', which " + by + ", takes away",
                      "put it before " + stages_[taken->second].pass->full_name());
    }
    std::string hint;
    for (size_t j = i + 1; j < stages_.size() && hint.empty(); ++j)
      if (contains(stages_[j].pass->provided, property)) hint = "put " + stage_text(j) + ", before it";
    if (hint.empty()) hint = who_provides(property);
    complain(i, "requires '" + property + "', which no stage before it provides", hint);
  }

  std::string who_provides(const std::string& property) {
    std::string list;
    std::vector<std::string> known = initial_properties();
    for (const PluginInfo& p : provider_.plugins())
      for (const PassRef& pass : p.passes) {
        known.insert(known.end(), pass->provided.begin(), pass->provided.end());
        if (contains(pass->provided, property)) list += (list.empty() ? "" : " or ") + pass->full_name();
      }
    if (!list.empty()) return "put " + list + " before it, or state the property under 'assumes'";
    return did_you_mean(property, known,
                        "no installed pass provides it; state it under 'assumes' where modules have it");
  }

  // `after`: one of each pass that is in the pipeline at all stands before stage i; else behind it.
  void check_neighbours(size_t i, const std::vector<std::string>& names, bool after) {
    for (const std::string& name : names) {
      size_t other = stages_.size();
      bool right = false;
      for (size_t j = 0; j < stages_.size() && !right; ++j) {
        if (j == i || stages_[j].pass->full_name() != name) continue;
        right = after ? j < i : j > i;
        other = j;
      }
      if (right || other == stages_.size()) continue;
      bool circle =
          contains(after ? stages_[other].pass->after : stages_[other].pass->before, stages_[i].pass->full_name());
      complain(i, std::string(after ? "must come after " : "must come before ") + stage_text(other),
               circle ? "that one asks for the same of this one: leave one of them out" : "exchange them");
    }
  }

  const std::vector<Stage>& stages_;
  PluginProvider& provider_;
  std::vector<Error>& complaints_;
  std::set<std::string> held_;
  std::map<std::string, size_t> taken_;  // by which stage
};

}  // namespace

const std::vector<std::string>& initial_properties() {
  static const std::vector<std::string> names{"graph", "loop", "blocks"};
  return names;
}

void check_order(const Pipeline& pipeline, const std::vector<std::string>& assumed, PluginProvider& provider,
                 std::vector<Error>& complaints) {
  OrderCheck(pipeline, provider, complaints).run(assumed);
}

std::vector<size_t> constrained_order(const std::vector<PassRef>& passes, std::vector<size_t>& stuck) {
  size_t n = passes.size();
  auto precedes = [&](size_t x, size_t y) {
    return x != y && passes[x] && passes[y] &&
           (contains(passes[y]->after, passes[x]->full_name()) || contains(passes[x]->before, passes[y]->full_name()));
  };
  std::vector<size_t> order;
  std::vector<bool> placed(n, false);
  while (order.size() < n) {
    size_t next = n;
    for (size_t y = 0; y < n && next == n; ++y) {
      bool free = !placed[y];
      for (size_t x = 0; x < n && free; ++x) free = placed[x] || !precedes(x, y);
      if (free) next = y;
    }
    if (next == n) {
      for (size_t y = 0; y < n; ++y)
        if (!placed[y]) stuck.push_back(y);
      order.insert(order.end(), stuck.begin(), stuck.end());
      break;
    }
    placed[next] = true;
    order.push_back(next);
  }
  return order;
}

}  // namespace tenon
