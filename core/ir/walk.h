// Visits the nodes of a tree, in the order of the slots, with bounded stack.
//
// Every place is entered: a node that stands in several places is entered at each of them, so that what `enter` and
// `leave` keep about where they are (loops, scopes) is right. Whoever needs each node once keeps the nodes that it has
// seen and does not enter them again (walk_distinct does). A tree with more than Limits.places places is refused.
// A Var or Buffer is entered where it stands, its own slots only in a slot that defines it.
#ifndef TENON_CORE_IR_WALK_H
#define TENON_CORE_IR_WALK_H

#include "ir/kind_table.h"
#include "ir/limits.h"
#include "ir/pointer_map.h"
#include "tenon/cxx/node.h"

namespace tenon {

enum class Below { kEnter, kSkip, kStop };

// A stack of frames whose first ones need no allocation.
template <class Frame, size_t kInline = 64>
class FrameStack {
 public:
  FrameStack() : begin_(inline_), end_(inline_), limit_(inline_ + kInline) {}
  ~FrameStack() {
    if (begin_ != inline_) delete[] begin_;
  }
  FrameStack(const FrameStack&) = delete;
  FrameStack& operator=(const FrameStack&) = delete;
  bool empty() const { return begin_ == end_; }
  size_t size() const { return static_cast<size_t>(end_ - begin_); }
  Frame& back() { return end_[-1]; }
  Frame& operator[](size_t i) { return begin_[i]; }
  void pop() { --end_; }
  Frame& push(const Frame& f) {
    if (end_ == limit_) grow();
    *end_ = f;
    return *end_++;
  }

 private:
  void grow() {
    size_t n = size();
    auto* bigger = new Frame[n * 2];
    for (size_t i = 0; i < n; ++i) bigger[i] = begin_[i];
    if (begin_ != inline_) delete[] begin_;
    begin_ = bigger;
    end_ = begin_ + n;
    limit_ = begin_ + n * 2;
  }
  Frame inline_[kInline];
  Frame* begin_;
  Frame* end_;
  Frame* limit_;
};

[[noreturn]] void refuse_places();

// enter(const TnNode*) -> Below, leave(const TnNode*) -> bool (false stops). Returns false when it was stopped.
template <class Enter, class Leave>
bool walk_tree(const TnValue& tree, Enter&& enter, Leave&& leave) {
  struct Frame {
    const TnValue* next;
    const TnValue* end;
    const TnNode* node;  // null for an array or a map
    uint64_t defines;    // bit 0: what stands at `next` is defined there
    uint32_t stride;     // in values: 2 for the entries of a map
    bool repeats;        // an array: `defines` holds for each element
  };
  FrameStack<Frame> frames;
  frames.push({&tree, &tree + 1, nullptr, 0, 1, true});
  uint64_t places = 0;
  while (!frames.empty()) {
    Frame& f = frames.back();
    if (f.next >= f.end) {
      const TnNode* node = f.node;
      frames.pop();
      if (node && !leave(node)) return false;
      continue;
    }
    const TnValue& v = *f.next;
    bool defined = (f.defines & 1) != 0;
    f.next += f.stride;
    if (!f.repeats) f.defines >>= 1;
    if (v.type_index == TN_NODE) {
      auto* n = reinterpret_cast<const TnNode*>(v.as.object);
      if (++places > kLimits.places) refuse_places();
      Below below = enter(n);
      if (below == Below::kStop) return false;
      if (below == Below::kSkip) continue;
      const KindInfo* info = kind_info(n->kind);
      if (info->is_identity() && !defined) {
        if (!leave(n)) return false;
        continue;
      }
      frames.push({n->slots, n->slots + n->slot_count, n, info->def_slots, 1, false});
    } else if (v.type_index == TN_ARRAY) {
      auto* a = reinterpret_cast<const TnArray*>(v.as.object);
      if (a->size) frames.push({a->data, a->data + a->size, nullptr, defined ? 1u : 0u, 1, true});
    } else if (v.type_index == TN_MAP) {
      auto* m = reinterpret_cast<const TnMap*>(v.as.object);
      if (m->size) frames.push({&m->data->value, &m->data->value + 2 * m->size, nullptr, 0, 2, true});
    }
  }
  return true;
}

// Calls visit(const TnNode*) once for each distinct node, before what is below it.
template <class Visit>
void walk_distinct(const TnValue& tree, Visit&& visit) {
  PointerMap<char> seen;
  walk_tree(
      tree,
      [&](const TnNode* n) {
        bool shared = static_cast<uint32_t>(__atomic_load_n(&n->header.counts, __ATOMIC_RELAXED)) > 1;
        if (shared) {
          size_t before = seen.size();
          seen[n] = 1;
          if (seen.size() == before) return Below::kSkip;
        }
        visit(n);
        return Below::kEnter;
      },
      [](const TnNode*) { return true; });
}

}  // namespace tenon
#endif
