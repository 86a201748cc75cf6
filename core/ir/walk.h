// Visits the nodes of a tree, in the order of the slots, with bounded stack.
//
// Every place is entered: a node that stands in several places is entered at each of them, so that what `enter` and
// `leave` keep about where they are (loops, scopes) is right. Whoever needs each node once keeps the nodes that it has
// seen and does not enter them again (walk_distinct does). A tree with more than Limits.places places is refused.
// A Var or Buffer is entered where it stands, its own slots only in a slot that defines it.
#ifndef TENON_CORE_IR_WALK_H
#define TENON_CORE_IR_WALK_H

#include <algorithm>
#include <cstddef>
#include <vector>

#include "ir/kind_table.h"
#include "ir/limits.h"
#include "ir/make.h"
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

// The number of elements of an array or map.
inline uint64_t elements_of(const TnObject* container) {
  return container->type_index == TN_ARRAY ? reinterpret_cast<const TnArray*>(container)->size
                                           : reinterpret_cast<const TnMap*>(container)->size;
}

// What a walk still has to do: addresses of objects, the low bits of which say what for.
class WalkStack {
 public:
  static constexpr uintptr_t kLeave = 1, kDefined = 2, kContainer = 4, kBits = 7;

  bool empty() const { return top_ == begin_; }
  uintptr_t pop() { return *--top_; }
  void push(const void* object, uintptr_t bits) { *top_++ = reinterpret_cast<uintptr_t>(object) | bits; }
  // Makes room for so many pushes.
  void reserve(size_t n) {
    if (static_cast<size_t>(limit_ - top_) < n) grow(n);
  }
  // Pushes what stands in a value; there is room for one.
  void push_value(const TnValue& v, uintptr_t bits) {
    if (v.type_index == TN_NODE) {
      __builtin_prefetch(static_cast<const char*>(v.as.p) + offsetof(TnNode, kind));
      push(v.as.p, bits);
    } else if (v.type_index == TN_ARRAY || v.type_index == TN_MAP) {
      push(v.as.p, bits | kContainer);
    }
  }
  // Pushes the elements of an array or map, the first on top.
  void push_elements(const TnObject* container, uintptr_t bits) {
    if (container->type_index == TN_ARRAY) {
      auto* a = reinterpret_cast<const TnArray*>(container);
      reserve(a->size + kMaxSlots + 1);
      for (size_t i = a->size; i-- > 0;) push_value(a->data[i], bits);
    } else {
      auto* m = reinterpret_cast<const TnMap*>(container);
      reserve(m->size + kMaxSlots + 1);
      for (size_t i = m->size; i-- > 0;) push_value(m->data[i].value, 0);
    }
  }
  // Pushes the slots of a node, the first on top.
  void push_slots(const TnNode* n, uint64_t defines) {
    reserve(kMaxSlots + 1);
    for (uint32_t i = n->slot_count; i-- > 0;) {
      const TnValue& v = n->slots[i];
      uintptr_t bits = (defines >> i & 1) ? kDefined : 0;
      if (v.type_index == TN_ARRAY)
        push_elements(v.as.object, bits);
      else
        push_value(v, bits);
    }
  }

 private:
  void grow(size_t n) {
    size_t used = static_cast<size_t>(top_ - begin_), capacity = 2 * (used + n);
    std::vector<uintptr_t> bigger(capacity);
    std::copy(begin_, top_, bigger.begin());
    heap_.swap(bigger);
    begin_ = heap_.data();
    top_ = begin_ + used;
    limit_ = begin_ + capacity;
  }
  uintptr_t inline_[256];
  uintptr_t* begin_ = inline_;
  uintptr_t* top_ = inline_;
  uintptr_t* limit_ = inline_ + 256;
  std::vector<uintptr_t> heap_;
};

// enter(const TnNode*) -> Below, leave(const TnNode*) -> bool (false stops). Returns false when it was stopped.
template <class Enter, class Leave>
bool walk_tree(const TnValue& tree, Enter&& enter, Leave&& leave) {
  WalkStack stack;
  uint64_t places = 0;
  stack.push_value(tree, 0);
  while (!stack.empty()) {
    uintptr_t item = stack.pop();
    auto* object = reinterpret_cast<const void*>(item & ~uintptr_t{WalkStack::kBits});
    auto* n = static_cast<const TnNode*>(object);
    if (item & WalkStack::kLeave) {
      if (!leave(n)) return false;
      continue;
    }
    if (item & WalkStack::kContainer) {
      places += elements_of(static_cast<const TnObject*>(object)) + 1;
      if (places > kLimits.places) refuse_places();
      stack.push_elements(static_cast<const TnObject*>(object), item & WalkStack::kDefined);
      continue;
    }
    if (++places > kLimits.places) refuse_places();
    Below below = enter(n);
    if (below == Below::kStop) return false;
    if (below == Below::kSkip) continue;
    bool variable = (flags_of(n) & kIsVariable) != 0;
    if (n->depth == 1 || (variable && !(item & WalkStack::kDefined))) {  // nothing to enter
      if (!leave(n)) return false;
      continue;
    }
    stack.reserve(1);
    stack.push(n, WalkStack::kLeave);
    stack.push_slots(n, flags_of(n) & kHasDefinitions ? kind_info(n->kind)->def_slots : 0);
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
