// Visits a tree place by place like walk.h and tells where variables and buffers begin and end to be in scope.
#ifndef TENON_CORE_IR_SCOPED_WALK_H
#define TENON_CORE_IR_SCOPED_WALK_H

#include <string>
#include <vector>

#include "ir/walk.h"

namespace tenon {

// What happens during a scoped walk; a visitor derives from it and declares what it needs.
struct ScopeVisitor {
  void admit(const TnNode*, uint32_t /*depth*/) {
  }  // of every node, before anything else; it must be less deep than that
  Below enter(const TnNode*) { return Below::kEnter; }  // of a node that is no variable
  void leave(const TnNode*) {}
  void define(const TnNode*, bool /*by_shape*/) {}  // before its own slots are visited
  void use(const TnNode*, bool /*in_scope*/) {}
  void end(const TnNode*) {}  // its scope ends
};

template <class Visitor>
class ScopedWalk {
 public:
  explicit ScopedWalk(Visitor& visitor) : visitor_(visitor) {}

  // False when the visitor stopped it.
  bool run(const TnValue& tree) {
    frames_.push({&tree, &tree + 1, &tree, nullptr, nullptr, 0, TN_ROLE_USE, 1, UINT32_MAX, false, false, false});
    while (!frames_.empty()) {
      Frame& f = frames_.back();
      if (f.next < f.end) {
        if (!step(f)) return false;
        continue;
      }
      Frame done = f;
      frames_.pop();
      if (!done.node || done.variable) continue;
      visitor_.leave(done.node);
      if (done.scope) close(done.mark);
    }
    close(0);
    return true;
  }

  // The way from the root to what is being visited: functions["main"].body.stmts[2]. Frames before `from` are left out.
  std::string path(size_t from = 1) {
    std::string s;
    for (size_t k = from; k < frames_.size(); ++k) {
      const Frame& f = frames_[k];
      size_t i = static_cast<size_t>(f.next - f.first) / f.stride;
      if (i == 0) continue;  // its own slots are not visited yet
      --i;
      if (f.node) {
        if (!s.empty()) s += '.';
        s += kind_info(f.node->kind)->schema.slots[i].name;
      } else if (f.stride == 1) {
        s += "[" + std::to_string(i) + "]";
      } else {
        s += "[\"" + std::string(string_view_of((f.next - f.stride)[-1])) + "\"]";
      }
    }
    return s;
  }
  // The node in whose slots the visit stands, or null; `n` is passed over.
  const TnNode* enclosing(const TnNode* n = nullptr) {
    for (size_t k = frames_.size(); k-- > 0;)
      if (frames_[k].node && frames_[k].node != n) return frames_[k].node;
    return nullptr;
  }
  // The source of the innermost enclosing node that has one, or null.
  const TnSpan* span() {
    for (size_t k = frames_.size(); k-- > 0;)
      if (frames_[k].node && frames_[k].node->span) return frames_[k].node->span;
    return nullptr;
  }
  // The innermost relax.VarBinding or relax.MatchCast in whose slots the visit stands, or null.
  const TnNode* enclosing_binding() {
    for (size_t k = frames_.size(); k-- > 0;) {
      const TnNode* n = frames_[k].node;
      if (n && (n->kind == TN_KIND_relax_VarBinding || n->kind == TN_KIND_relax_MatchCast)) return n;
    }
    return nullptr;
  }
  size_t depth() const { return frames_.size(); }
  // A definition of what the visitor did not enter: in scope until that of the place ends.
  void define_skipped(const TnNode* n) {
    ++active_[n];
    trail_.push_back(n);
  }

 private:
  struct Frame {
    const TnValue* next;
    const TnValue* end;
    const TnValue* first;
    const TnNode* node;         // null for an array or a map
    const TnSlotSchema* slots;  // of a node: the schema of the slot at `next`
    size_t mark;                // of a scope: how many variables were in scope before it
    int32_t role;               // of an array or map: that of its slot
    uint32_t stride;
    uint32_t depth;  // of the node, or of that which holds the array or map
    bool shape;      // it stands in a shape context
    bool scope;
    bool variable;
  };

  bool step(Frame& f) {
    const TnValue& v = *f.next;
    int32_t role = f.slots ? f.slots->role : f.role;
    bool shape = role == TN_ROLE_SHAPES || (role == TN_ROLE_SHAPE && f.shape);
    f.next += f.stride;
    if (f.slots) ++f.slots;
    if (v.type_index == TN_ARRAY || v.type_index == TN_MAP) {
      places_ += elements_of(v.as.object) + 1;
      if (places_ > kLimits.places) refuse_places();
    }
    if (v.type_index == TN_ARRAY) {
      auto* a = reinterpret_cast<const TnArray*>(v.as.object);
      if (role == TN_ROLE_DEF) open_all(a);
      if (a->size)
        frames_.push({a->data, a->data + a->size, a->data, nullptr, nullptr, 0, role, 1, f.depth, shape, false, false});
    } else if (v.type_index == TN_MAP) {
      auto* m = reinterpret_cast<const TnMap*>(v.as.object);
      if (m->size)
        frames_.push({&m->data->value, &m->data->value + 2 * m->size, &m->data->value, nullptr, nullptr, 0, role, 2,
                      f.depth, shape, false, false});
    } else if (v.type_index == TN_NODE) {
      return node(reinterpret_cast<const TnNode*>(v.as.object), role, shape, f.node == nullptr, f.depth);
    }
    return true;
  }

  bool node(const TnNode* n, int32_t role, bool shape, bool in_array, uint32_t depth) {
    if (++places_ > kLimits.places) refuse_places();
    visitor_.admit(n, depth);
    const KindInfo* info = kind_info(n->kind);
    if (info->is_identity()) {
      bool defines = role == TN_ROLE_DEF;
      if (!defines && shape) defines = n->kind == ir::Var::kKind && !in_scope(n);
      if (!defines) {
        visitor_.use(n, in_scope(n));
        return true;
      }
      bool opened = in_array && role == TN_ROLE_DEF && n->kind == ir::Var::kKind;
      if (!opened) open(n, role != TN_ROLE_DEF);
      frames_.push(
          {n->slots, n->slots + n->slot_count, n->slots, n, info->schema.slots, 0, 0, 1, n->depth, false, false, true});
      return true;
    }
    Below below = visitor_.enter(n);
    if (below == Below::kStop) return false;
    if (below == Below::kEnter)
      frames_.push({n->slots, n->slots + n->slot_count, n->slots, n, info->schema.slots, trail_.size(), 0, 1, n->depth,
                    shape, info->is_scope(), false});
    return true;
  }

  bool in_scope(const TnNode* n) {
    uint32_t* count = active_.find(n);
    return count && *count > 0;
  }
  void open(const TnNode* n, bool by_shape) {
    visitor_.define(n, by_shape);
    ++active_[n];
    trail_.push_back(n);
  }
  void open_all(const TnArray* a) {
    for (size_t i = 0; i < a->size; ++i) {
      if (a->data[i].type_index != TN_NODE) continue;
      auto* n = reinterpret_cast<const TnNode*>(a->data[i].as.object);
      if (n->kind == ir::Var::kKind) open(n, false);
    }
  }
  void close(size_t mark) {
    while (trail_.size() > mark) {
      const TnNode* n = trail_.back();
      trail_.pop_back();
      --active_[n];
      visitor_.end(n);
    }
  }

  Visitor& visitor_;
  FrameStack<Frame> frames_;
  PointerMap<uint32_t> active_;
  std::vector<const TnNode*> trail_;
  uint64_t places_ = 0;
};

template <class Visitor>
bool scoped_walk(const TnValue& tree, Visitor& visitor) {
  return ScopedWalk<Visitor>(visitor).run(tree);
}

}  // namespace tenon
#endif
