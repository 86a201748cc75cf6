#include "fuse_groups.h"

#include <numeric>

namespace tenon::graph {
namespace {

constexpr size_t kNone = SIZE_MAX;

class Groups {
 public:
  Groups(const std::vector<FuseNode>& nodes, size_t max_operators)
      : nodes_(nodes), max_operators_(max_operators), parent_(nodes.size()), state_(nodes.size()) {
    std::iota(parent_.begin(), parent_.end(), size_t{0});
    size_t epoch = 0;
    for (size_t i = 0; i < nodes.size(); ++i) {
      epoch += nodes[i].has_effects ? 1 : 0;
      epochs_.push_back(epoch);
      const LoopSummary* s = nodes[i].summary;
      if (s) state_[i] = {1, s->is_spatial() ? size_t{0} : size_t{1}, s->is_free};
    }
  }

  std::vector<std::vector<size_t>> run() {
    find_meetings();
    for (size_t i = 0; i < nodes_.size(); ++i) join(i);
    std::map<size_t, std::vector<size_t>> members;
    for (size_t i = 0; i < nodes_.size(); ++i) members[root(i)].push_back(i);
    std::map<size_t, std::vector<size_t>> by_result;
    for (auto& [r, list] : members)
      if (list.size() > 1) by_result[list.back()] = std::move(list);
    std::vector<std::vector<size_t>> out;
    for (auto& [result, list] : by_result) out.push_back(std::move(list));
    return out;
  }

 private:
  struct State {
    size_t size = 1, anchors = 0;
    bool is_free = false;
  };

  size_t root(size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }

  // For each binding the first one that all ways from it lead to: its immediate post-dominator.
  void find_meetings() {
    size_t n = nodes_.size();
    meeting_.assign(n, kNone);
    depth_.assign(n, 0);
    for (size_t i = n; i-- > 0;) {
      if (nodes_[i].used_outside || nodes_[i].uses.empty()) continue;
      size_t at = nodes_[i].uses[0].user;
      for (const FuseNode::Use& use : nodes_[i].uses) at = common(at, use.user);
      meeting_[i] = at;
      depth_[i] = at == kNone ? 0 : depth_[at] + 1;
    }
  }
  size_t common(size_t a, size_t b) const {
    while (a != b) {
      if (a == kNone || b == kNone) return kNone;
      size_t da = depth_[a], db = depth_[b];
      if (da >= db) a = meeting_[a];
      if (db >= da) b = meeting_[b];
    }
    return a;
  }

  // Joins a binding, where it leads to, and what lies between, when all of it may be one group.
  void join(size_t i) {
    if (!nodes_[i].summary || meeting_[i] == kNone) return;
    size_t end = meeting_[i];
    State from = state_[root(i)];
    bool anchored = from.anchors > 0;
    std::vector<size_t> way{i};  // grows while it is gone through
    std::set<size_t> seen{i}, roots{root(i)};
    bool repeated = false, all_free = from.is_free;
    for (size_t k = 0; k < way.size(); ++k) {
      size_t at = way[k];
      if (at == end) continue;
      for (const FuseNode::Use& use : nodes_[at].uses) {
        const LoopSummary* reader = nodes_[use.user].summary;
        if (!reader || epochs_[use.user] != epochs_[i]) return;
        bool may_end = use.user == end && !anchored && reader->pattern == LoopPattern::kReduction;
        if (!reader->is_spatial() && !may_end) return;
        if (anchored && use.access != LoopAccess::kIdentity) return;
        repeated = repeated || use.access == LoopAccess::kRepeated;
        if (!seen.insert(use.user).second) continue;
        if (use.user != end) all_free = all_free && state_[root(use.user)].is_free;
        roots.insert(root(use.user));
        way.push_back(use.user);
      }
    }
    if (roots.size() == 1 || (repeated && !all_free)) return;
    State sum{0, 0, true};
    for (size_t r : roots) {
      sum.size += state_[r].size;
      sum.anchors += state_[r].anchors;
      sum.is_free = sum.is_free && state_[r].is_free;
    }
    if (sum.anchors > 1 || sum.size > max_operators_) return;
    size_t r = *roots.begin();
    for (size_t other : roots) parent_[other] = r;
    state_[r] = sum;
  }

  const std::vector<FuseNode>& nodes_;
  size_t max_operators_;
  std::vector<size_t> parent_, meeting_, depth_, epochs_;
  std::vector<State> state_;  // of roots
};

}  // namespace

std::vector<std::vector<size_t>> fuse_groups(const std::vector<FuseNode>& nodes, size_t max_operators) {
  return Groups(nodes, max_operators).run();
}

}  // namespace tenon::graph
