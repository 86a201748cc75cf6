#include "ir/structural_equal.h"

#include <algorithm>

#include "ir/make.h"
#include "ir/scoped_walk.h"

namespace tenon {
namespace {

bool is_shared(const TnNode* n) {
  return static_cast<uint32_t>(__atomic_load_n(&n->header.counts, __ATOMIC_RELAXED)) > 1;
}

class Comparison {
 public:
  explicit Comparison(bool map_free) : map_free_(map_free) {}

  std::optional<std::string> run(const TnValue& a, const TnValue& b) {
    switch (begin(a, b, TN_ROLE_USE, false, false)) {
      case Step::kEqual: return std::nullopt;
      case Step::kDifferent: return "<root>";
      case Step::kDescend: break;
    }
    while (!frames_.empty())
      if (!step()) return path();
    return std::nullopt;
  }

 private:
  enum class Step { kEqual, kDifferent, kDescend };
  enum class What : uint8_t { kNode, kArray, kMap };
  struct Frame {
    const TnObject* a;
    const TnObject* b;
    size_t index;  // of the child that comes next; the one before it is being compared
    size_t mark;   // of a scope: how many pairs were in scope before it
    int32_t role;  // of an array or map: that of its slot
    What what;
    bool shape;
    bool variable;
  };
  struct Pair {
    const TnNode* partner = nullptr;
    bool active = false;
  };

  static const TnNode* node(const TnObject* o) { return reinterpret_cast<const TnNode*>(o); }
  static const TnArray* array(const TnObject* o) { return reinterpret_cast<const TnArray*>(o); }
  static const TnMap* map(const TnObject* o) { return reinterpret_cast<const TnMap*>(o); }

  // Goes on in the frame at the top. False at a difference.
  bool step() {
    Frame& f = frames_.back();
    size_t i = f.index++;
    switch (f.what) {
      case What::kNode: {
        const TnNode *a = node(f.a), *b = node(f.b);
        if (i >= a->slot_count) return finish_node(a, b);
        const TnSlotSchema& slot = kind_info(a->kind)->schema.slots[i];
        if (slot.role == TN_ROLE_NAME) return true;
        bool shape = slot.role == TN_ROLE_SHAPES || (slot.role == TN_ROLE_SHAPE && f.shape);
        return begin(a->slots[i], b->slots[i], slot.role, shape, false) != Step::kDifferent;
      }
      case What::kArray: {
        const TnArray *a = array(f.a), *b = array(f.b);
        if (i >= a->size || i >= b->size) {
          if (a->size != b->size) return false;
          frames_.pop();
          return true;
        }
        return begin(a->data[i], b->data[i], f.role, f.shape, true) != Step::kDifferent;
      }
      case What::kMap: {
        const TnMap *a = map(f.a), *b = map(f.b);
        if (i >= a->size || i >= b->size) {
          if (a->size != b->size) return false;
          frames_.pop();
          return true;
        }
        if (string_view_of(a->data[i].key) != string_view_of(b->data[i].key)) return false;
        return begin(a->data[i].value, b->data[i].value, f.role, f.shape, true) != Step::kDifferent;
      }
    }
    return false;
  }

  bool finish_node(const TnNode* a, const TnNode* b) {
    const Frame f = frames_.back();
    frames_.pop();
    if (f.variable) return true;
    if (kind_info(a->kind)->is_scope()) close(f.mark);
    if (may_remember(a, b)) equal_.insert(a, b);
    return true;
  }

  // Counts what an array or map holds: those that several places share are compared at each of them.
  void enter(const TnObject* container) {
    places_ += elements_of(container) + 1;
    if (places_ > kLimits.places) refuse_places();
  }

  // Compares two values; for what has parts, pushes a frame.
  Step begin(const TnValue& a, const TnValue& b, int32_t role, bool shape, bool in_array) {
    if (is_string(a) && is_string(b)) return answer(string_view_of(a) == string_view_of(b));
    if (a.type_index != b.type_index) return Step::kDifferent;
    switch (a.type_index) {
      case TN_NONE: return Step::kEqual;
      case TN_BYTES:
      case TN_SMALL_BYTES: return answer(string_view_of(a) == string_view_of(b));
      case TN_DTYPE: return answer(same_dtype(a.as.dtype, b.as.dtype));
      case TN_SHAPE: {
        auto *x = reinterpret_cast<const TnShape*>(a.as.object), *y = reinterpret_cast<const TnShape*>(b.as.object);
        return answer(x->size == y->size && std::equal(x->data, x->data + x->size, y->data));
      }
      case TN_CONSTANT: {
        auto* x = reinterpret_cast<const TnConstant*>(a.as.object);
        auto* y = reinterpret_cast<const TnConstant*>(b.as.object);
        return answer(x->size == y->size && std::string_view(x->digest) == y->digest);
      }
      case TN_ARRAY:
        if (a.as.p == b.as.p && !renamed_ && role != TN_ROLE_DEF) return Step::kEqual;
        if (role == TN_ROLE_DEF) pair_all(array(a.as.object), array(b.as.object));
        enter(a.as.object);
        frames_.push({a.as.object, b.as.object, 0, 0, role, What::kArray, shape, false});
        return Step::kDescend;
      case TN_MAP:
        if (a.as.p == b.as.p && !renamed_) return Step::kEqual;
        enter(a.as.object);
        frames_.push({a.as.object, b.as.object, 0, 0, role, What::kMap, shape, false});
        return Step::kDescend;
      case TN_NODE: return begin_node(node(a.as.object), node(b.as.object), role, shape, in_array);
      default: return answer(a.as.i == b.as.i);
    }
  }

  Step begin_node(const TnNode* a, const TnNode* b, int32_t role, bool shape, bool) {
    if (a->kind != b->kind || a->slot_count != b->slot_count) return Step::kDifferent;
    const KindInfo* info = kind_info(a->kind);
    if (info->is_identity()) return begin_variable(a, b, role, shape);
    if (a == b && (!renamed_ || !(flags_of(a) & kHasVariables)) && !defines_outward(a)) return Step::kEqual;
    if (may_remember(a, b) && equal_.contains(a, b)) return Step::kEqual;
    frames_.push({&a->header, &b->header, 0, trail_.size(), 0, What::kNode, shape, false});
    return Step::kDescend;
  }

  Step begin_variable(const TnNode* a, const TnNode* b, int32_t role, bool shape) {
    Pair pa = pair_of(left_, a), pb = pair_of(right_, b);
    bool partners = pa.partner == b && pb.partner == a;
    bool defines = role == TN_ROLE_DEF || (shape && a->kind == ir::Var::kKind && !pa.active && !pb.active);
    if (!defines) {
      if (pa.partner || pb.partner) return answer(partners);
      if (!map_free_) return answer(a == b);
    }
    if (!(defines && partners && pa.active && pb.active)) pair(a, b);
    frames_.push({&a->header, &b->header, 0, 0, 0, What::kNode, false, true});
    return Step::kDescend;
  }

  static Pair pair_of(PointerMap<Pair>& map, const TnNode* n) {
    Pair* p = map.find(n);
    return p ? *p : Pair{};
  }

  void pair(const TnNode* a, const TnNode* b) {
    Pair& pa = left_[a];
    Pair& pb = right_[b];
    // What was found equal under other pairs says nothing under these.
    if ((pa.partner && pa.partner != b) || (pb.partner && pb.partner != a)) equal_.clear();
    pa = {b, true};
    pb = {a, true};
    renamed_ |= a != b;
    trail_.emplace_back(a, b);
  }

  // The variables of an array of definitions are in scope for the shapes of all of its elements.
  void pair_all(const TnArray* a, const TnArray* b) {
    for (size_t i = 0; i < a->size && i < b->size; ++i) {
      if (a->data[i].type_index != TN_NODE || b->data[i].type_index != TN_NODE) continue;
      const TnNode *x = node(a->data[i].as.object), *y = node(b->data[i].as.object);
      if (x->kind == ir::Var::kKind && y->kind == ir::Var::kKind) pair(x, y);
    }
  }

  void close(size_t mark) {
    for (; trail_.size() > mark; trail_.pop_back()) {
      left_[trail_.back().first].active = false;
      right_[trail_.back().second].active = false;
    }
  }

  static Step answer(bool equal) { return equal ? Step::kEqual : Step::kDifferent; }
  static bool defines_outward(const TnNode* n) { return (flags_of(n) & (kDefinesOutward | kShapeDefines)) != 0; }
  static bool may_remember(const TnNode* a, const TnNode* b) {
    return is_shared(a) && is_shared(b) && !defines_outward(a) && !defines_outward(b);
  }

  // The way from the root to the children that are being compared.
  std::string path() {
    std::string s;
    for (size_t k = 0; k < frames_.size(); ++k) {
      const Frame& f = frames_[k];
      size_t i = f.index - 1;
      if (f.what == What::kNode) {
        if (!s.empty()) s += '.';
        s += kind_info(node(f.a)->kind)->schema.slots[i].name;
      } else if (f.what == What::kArray) {
        s += "[" + std::to_string(i) + "]";
      } else {
        const TnMap *a = map(f.a), *b = map(f.b);
        std::string_view key = i < a->size ? string_view_of(a->data[i].key) : string_view_of(b->data[i].key);
        if (i < a->size && i < b->size) key = std::min(key, string_view_of(b->data[i].key));
        s += "[\"" + std::string(key) + "\"]";
      }
    }
    return s;
  }

  // Pairs of shared nodes that were found equal.
  class EqualPairs {
   public:
    bool contains(const TnNode* a, const TnNode* b) {
      std::vector<const TnNode*>* partners = map_.find(a);
      return partners && std::find(partners->begin(), partners->end(), b) != partners->end();
    }
    void insert(const TnNode* a, const TnNode* b) { map_[a].push_back(b); }
    void clear() { map_.clear(); }

   private:
    PointerMap<std::vector<const TnNode*>> map_;
  };

  bool map_free_;
  bool renamed_ = false;  // some variable was paired with another one
  FrameStack<Frame> frames_;
  PointerMap<Pair> left_, right_;
  std::vector<std::pair<const TnNode*, const TnNode*>> trail_;  // the pairs in scope
  EqualPairs equal_;
  uint64_t places_ = 0;  // within arrays and maps
};

}  // namespace

std::optional<std::string> first_difference(const TnValue& a, const TnValue& b, bool map_free) {
  return Comparison(map_free).run(a, b);
}

}  // namespace tenon
