#include "ir/call_memo.h"

#include "ir/hash.h"
#include "ir/kind_table.h"

namespace tenon {
namespace {

// Of what is compared; anything deeper or larger is like nothing else.
constexpr uint32_t kDepth = 16;
constexpr uint32_t kSteps = 4096;

bool is_variable(const TnNode* n) { return kind_info(n->kind)->is_identity(); }
const TnNode* node_of(const TnValue& v) { return reinterpret_cast<const TnNode*>(v.as.object); }

bool is_equal(const TnValue& a, const TnValue& b, uint32_t depth, uint32_t& steps) {
  if (a.type_index == b.type_index && a.small_size == b.small_size && a.as.i == b.as.i) return true;
  if (a.type_index != b.type_index || depth == 0 || steps-- == 0) return false;
  switch (a.type_index) {
    case TN_NODE: {
      const TnNode *x = node_of(a), *y = node_of(b);
      if (x->kind != y->kind || x->hash != y->hash || x->slot_count != y->slot_count || is_variable(x)) return false;
      for (uint32_t i = 0; i < x->slot_count; ++i)
        if (!is_equal(x->slots[i], y->slots[i], depth - 1, steps)) return false;
      return true;
    }
    case TN_ARRAY: {
      auto *x = reinterpret_cast<const TnArray*>(a.as.object), *y = reinterpret_cast<const TnArray*>(b.as.object);
      if (x->size != y->size) return false;
      for (size_t i = 0; i < x->size; ++i)
        if (!is_equal(x->data[i], y->data[i], depth - 1, steps)) return false;
      return true;
    }
    case TN_MAP: {
      auto *x = reinterpret_cast<const TnMap*>(a.as.object), *y = reinterpret_cast<const TnMap*>(b.as.object);
      if (x->size != y->size) return false;
      for (size_t i = 0; i < x->size; ++i)
        if (!is_equal(x->data[i].key, y->data[i].key, depth - 1, steps) ||
            !is_equal(x->data[i].value, y->data[i].value, depth - 1, steps))
          return false;
      return true;
    }
    case TN_STRING: return string_view_of(a) == string_view_of(b);
    default: return false;
  }
}
bool is_equal(const Value& a, const Value& b) {
  uint32_t steps = kSteps;
  return is_equal(a.raw(), b.raw(), kDepth, steps);
}

uint64_t hash_of_value(uint64_t h, const TnValue& v) {
  if (v.type_index == TN_NODE) return mix_hash(h, node_of(v)->hash);
  if (v.type_index < TN_OBJECT) return mix_hash(h, static_cast<uint64_t>(v.as.i));
  return mix_hash(h, static_cast<uint64_t>(v.type_index));
}
uint64_t hash_of_argument(uint64_t h, const TnValue& v, uint32_t depth) {
  if (v.type_index != TN_NODE) return hash_of_value(h, v);
  const TnNode* n = node_of(v);
  if (n->kind == ir::Var::kKind) return hash_of_value(h, n->slots[ir::VarSlot::type]);
  if (n->kind != relax::Tuple::kKind || depth == 0) return mix_hash(h, n->hash);
  auto* fields = reinterpret_cast<const TnArray*>(n->slots[relax::TupleSlot::fields].as.object);
  for (size_t i = 0; i < fields->size; ++i) h = hash_of_argument(h, fields->data[i], depth - 1);
  return mix_hash(h, fields->size);
}

// Compares arguments, and pairs the variables that it meets.
class Arguments {
 public:
  bool are_like(const Array& a, const Array& b, uint32_t depth) {
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); ++i)
      if (!is_like(a[i], b[i], depth)) return false;
    return true;
  }

 private:
  bool is_like(const Value& a, const Value& b, uint32_t depth) {
    if (!a.is_node() || !b.is_node()) return is_equal(a, b);
    const Node &x = as_node(a), &y = as_node(b);
    auto *u = x.as<ir::Var>(), *v = y.as<ir::Var>();
    if (u && v) {
      if (!is_equal(u->type(), v->type())) return false;
      for (auto [p, q] : pairs_)
        if ((p == x.get()) != (q == y.get())) return false;
      pairs_.emplace_back(x.get(), y.get());
      return true;
    }
    auto *s = x.as<relax::Tuple>(), *t = y.as<relax::Tuple>();
    if (s && t && depth > 0) return is_equal(s->type(), t->type()) && are_like(s->fields(), t->fields(), depth - 1);
    return is_equal(a, b);
  }

  std::vector<std::pair<const TnNode*, const TnNode*>> pairs_;
};

constexpr uint32_t kTuples = 4;  // in one another

}  // namespace

uint64_t CallMemo::hash_of(const ir::Call& call) const {
  uint64_t h = mix_hash(call.op().get()->hash, call.attrs().size());
  if (with_type_) h = hash_of_value(h, call.type().raw());
  for (const Value& v : call.args()) h = hash_of_argument(h, v.raw(), kTuples);
  for (const Value& v : call.type_args()) h = hash_of_value(h, v.raw());
  return h;
}

bool CallMemo::is_like(const ir::Call& a, const ir::Call& b) const {
  if (!is_equal(a.slot(ir::CallSlot::op), b.slot(ir::CallSlot::op))) return false;
  if (with_type_ && !is_equal(a.type(), b.type())) return false;
  if (!is_equal(a.slot(ir::CallSlot::attrs), b.slot(ir::CallSlot::attrs))) return false;
  if (!is_equal(a.slot(ir::CallSlot::type_args), b.slot(ir::CallSlot::type_args))) return false;
  return Arguments().are_like(a.args(), b.args(), kTuples);
}

const Value* CallMemo::find(const Node& call) {
  if (entries_.empty()) return nullptr;
  auto& c = call.to<ir::Call>();
  uint64_t hash = hash_of(c);
  for (uint32_t at = heads_[hash & (heads_.size() - 1)]; at != 0; at = entries_[at - 1].next) {
    const Entry& e = entries_[at - 1];
    if (e.hash == hash && is_like(e.call.to<ir::Call>(), c)) return &e.result;
  }
  return nullptr;
}

void CallMemo::keep(const Node& call, Value result) {
  if (entries_.size() >= limit_) clear();
  if (entries_.size() >= heads_.size()) {
    heads_.assign(heads_.empty() ? 64 : heads_.size() * 2, 0);
    for (size_t i = 0; i < entries_.size(); ++i) {
      uint32_t& head = heads_[entries_[i].hash & (heads_.size() - 1)];
      entries_[i].next = std::exchange(head, static_cast<uint32_t>(i) + 1);
    }
  }
  uint64_t hash = hash_of(call.to<ir::Call>());
  uint32_t& head = heads_[hash & (heads_.size() - 1)];
  entries_.push_back({call, std::move(result), hash, head});
  head = static_cast<uint32_t>(entries_.size());
}

void CallMemo::clear() {
  entries_.clear();
  heads_.clear();
}

}  // namespace tenon
