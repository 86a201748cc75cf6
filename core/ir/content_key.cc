#include "ir/content_key.h"

#include "diag/sha256.h"
#include "ir/make.h"
#include "ir/scoped_walk.h"
#include "ir/verify.h"

namespace tenon {
namespace {

constexpr std::string_view kFormat = "tenon.content/1\n";
// A node deeper than this stands as the digest of its bytes, so that shared nodes are written once. Depth belongs to
// the structure, so equal trees are cut at the same nodes.
constexpr uint32_t kInlineDepth = 4;

class CanonicalWriter {
 public:
  std::string key(const TnValue& tree) {
    bytes_ = kFormat;
    begin(tree, TN_ROLE_USE, false);
    while (!frames_.empty()) step();
    return digest_text(sha256(bytes_));
  }

 private:
  struct Frame {
    const TnNode* node;  // null for an array or a map
    const TnValue* next;
    const TnValue* end;
    const TnSlotSchema* slots;
    size_t start;  // where the bytes of the node begin
    size_t mark;   // how many variables were in scope before it
    int32_t role;
    uint32_t stride;
    bool shape;
    bool variable;
  };
  struct Number {
    uint32_t value = 0;
    uint32_t active = 0;  // how many of its definitions are in scope
    bool given = false;
  };
  struct Known {
    size_t level;
    Digest digest;
  };

  void step() {
    Frame& f = frames_.back();
    if (f.next >= f.end) return finish();
    const TnValue& v = *f.next;
    if (f.stride == 2) text('k', string_view_of(f.next[-1]));
    int32_t role = f.slots ? f.slots->role : f.role;
    bool shape = role == TN_ROLE_SHAPES || (role == TN_ROLE_SHAPE && f.shape);
    bool in_array = !f.node;
    f.next += f.stride;
    if (f.slots) ++f.slots;
    if (role != TN_ROLE_NAME) begin(v, role, shape, in_array);
  }

  void finish() {
    Frame f = frames_.back();
    frames_.pop();
    if (!f.node || f.variable) return;
    const KindInfo* info = kind_info(f.node->kind);
    if (info->is_scope()) close(f.mark);
    if (f.node->depth <= kInlineDepth) return;
    Digest d = sha256(std::string_view(bytes_).substr(f.start));
    bytes_.resize(f.start);
    digest(d);
    if (may_remember(f.node)) known_[f.node].push_back({level_of(f.node, f.mark), d});
  }

  void begin(const TnValue& v, int32_t role, bool shape, bool in_array = false) {
    if (v.type_index == TN_ARRAY || v.type_index == TN_MAP) {
      places_ += elements_of(v.as.object) + 1;
      if (places_ > kLimits.places) refuse_places();
    }
    switch (v.type_index) {
      case TN_NONE: bytes_ += 'n'; break;
      case TN_INT: number('i', static_cast<uint64_t>(v.as.i)); break;
      case TN_BOOL: bytes_ += v.as.i ? 'T' : 'F'; break;
      case TN_FLOAT: number('f', static_cast<uint64_t>(v.as.i)); break;
      case TN_DTYPE:
        number('t', v.as.dtype.code | v.as.dtype.bits << 8 | static_cast<uint64_t>(v.as.dtype.lanes) << 16);
        break;
      case TN_DEVICE: number('d', static_cast<uint64_t>(v.as.i)); break;  // type and number, 4 bytes each
      case TN_STRING:
      case TN_SMALL_STRING: text('s', string_view_of(v)); break;
      case TN_BYTES:
      case TN_SMALL_BYTES: text('y', string_view_of(v)); break;
      case TN_SHAPE: {
        auto* s = reinterpret_cast<const TnShape*>(v.as.object);
        number('h', s->size);
        for (size_t i = 0; i < s->size; ++i) number('i', static_cast<uint64_t>(s->data[i]));
        break;
      }
      case TN_CONSTANT: {
        auto* c = reinterpret_cast<const TnConstant*>(v.as.object);
        number('c', c->size);
        text('s', c->digest);
        break;
      }
      case TN_ARRAY: {
        auto* a = reinterpret_cast<const TnArray*>(v.as.object);
        number('a', a->size);
        if (role == TN_ROLE_DEF) open_all(a);
        frames_.push({nullptr, a->data, a->data + a->size, nullptr, 0, 0, role, 1, shape, false});
        break;
      }
      case TN_MAP: {
        auto* m = reinterpret_cast<const TnMap*>(v.as.object);
        number('m', m->size);
        const TnValue* first = m->size ? &m->data->value : nullptr;
        frames_.push({nullptr, first, first + 2 * m->size, nullptr, 0, 0, role, 2, shape, false});
        break;
      }
      case TN_NODE: begin_node(reinterpret_cast<const TnNode*>(v.as.object), role, shape, in_array); break;
      default: throw Error(TN_ERROR_ARGUMENT, "there is no content key of " + describe(v));
    }
  }

  void begin_node(const TnNode* n, int32_t role, bool shape, bool in_array) {
    if (++places_ > kLimits.places) refuse_places();
    const KindInfo* info = kind_info(n->kind);
    if (info->is_identity()) return begin_variable(n, info, role, shape, in_array);
    if (n->depth > kInlineDepth && may_remember(n))
      if (std::vector<Known>* known = known_.find(n))
        for (const Known& k : *known)
          if (k.level == level_of(n, trail_.size())) return digest(k.digest);
    size_t start = bytes_.size();
    open_node('N', n, info);
    frames_.push(
        {n, n->slots, n->slots + written_slots(n, info), info->schema.slots, start, trail_.size(), 0, 1, shape, false});
  }

  void begin_variable(const TnNode* n, const KindInfo* info, int32_t role, bool shape, bool in_array) {
    Number* known = numbers_.find(n);
    bool in_scope = known && known->active > 0;
    bool defines = role == TN_ROLE_DEF || (shape && !in_scope && n->kind == ir::Var::kKind);
    if (!defines) {
      if (!in_scope)
        throw Error(TN_ERROR_ARGUMENT,
                    "a tree with a free variable has no content key: " + name_of(n) + " is not defined in it", {},
                    "take the key of the whole function or module");
      return number('u', known->value);
    }
    bool opened = in_array && role == TN_ROLE_DEF && n->kind == ir::Var::kKind;
    if (!opened) open(n);
    open_node('V', n, info);
    frames_.push({n, n->slots, n->slots + written_slots(n, info), info->schema.slots, 0, 0, 0, 1, false, true});
  }

  static uint32_t written_slots(const TnNode* n, const KindInfo* info) {
    uint32_t count = n->slot_count;
    while (count > 0 && is_slot_default(info->schema.slots[count - 1].type, n->slots[count - 1])) --count;
    return count;
  }

  void open_node(char tag, const TnNode* n, const KindInfo* info) {
    number(tag, written_slots(n, info));
    if (n->kind < TN_KIND_FIRST_DYNAMIC)
      number('i', n->kind);
    else
      text('s', info->schema.id);
  }

  void open(const TnNode* n) {
    Number& number = numbers_[n];
    auto value = static_cast<uint32_t>(trail_.size());
    if (number.given && number.value != value)
      known_.clear();  // what was written with the other number is not the same
    number = {value, number.active + 1, true};
    trail_.push_back(n);
  }
  void open_all(const TnArray* a) {
    for (size_t i = 0; i < a->size; ++i) {
      if (a->data[i].type_index != TN_NODE) continue;
      auto* n = reinterpret_cast<const TnNode*>(a->data[i].as.object);
      if (n->kind == ir::Var::kKind) open(n);
    }
  }
  void close(size_t mark) {
    for (; trail_.size() > mark; trail_.pop_back()) --numbers_[trail_.back()].active;
  }

  // The bytes of a node depend on how many variables are in scope only when it defines some.
  static size_t level_of(const TnNode* n, size_t level) { return flags_of(n) & kHasDefinitions ? level : 0; }
  static bool may_remember(const TnNode* n) {
    return static_cast<uint32_t>(__atomic_load_n(&n->header.counts, __ATOMIC_RELAXED)) > 1 &&
           !(flags_of(n) & (kDefinesOutward | kShapeDefines));
  }

  void number(char tag, uint64_t value) {
    bytes_ += tag;
    for (int i = 0; i < 8; ++i) bytes_ += static_cast<char>(value >> (8 * i));
  }
  void text(char tag, std::string_view s) {
    number(tag, s.size());
    bytes_ += s;
  }
  void digest(const Digest& d) {
    bytes_ += 'D';
    bytes_.append(reinterpret_cast<const char*>(d.data()), d.size());
  }

  std::string bytes_;
  FrameStack<Frame> frames_;
  PointerMap<Number> numbers_;
  std::vector<const TnNode*> trail_;  // the variables in scope
  PointerMap<std::vector<Known>> known_;
  uint64_t places_ = 0;
};

}  // namespace

std::string content_key(const TnValue& tree) { return CanonicalWriter().key(tree); }

}  // namespace tenon
