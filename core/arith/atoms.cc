// Interning: equal atoms are the same pointer. Order of output: the same in every analyzer and every run.
#include <algorithm>

#include "arith/engine.h"

namespace tenon::arith {
namespace {

uint64_t mix(uint64_t h, uint64_t v) {
  h ^= v + 0x9e3779b97f4a7c15u + (h << 6) + (h >> 2);
  h *= 0xff51afd7ed558ccdu;
  return h ^ (h >> 32);
}

uint64_t bits_of(DLDataType t) { return t.code | (uint64_t{t.bits} << 8) | (uint64_t{t.lanes} << 16); }

uint64_t key_of(const Linear& x) {
  uint64_t h = mix(17, static_cast<uint64_t>(x.constant()));
  for (const Term& t : x) h = mix(mix(h, t.atom->id), static_cast<uint64_t>(t.coef));
  return h;
}

uint64_t text_hash(std::string_view s) {
  uint64_t h = 0xcbf29ce484222325u;
  for (char c : s) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return h;
}

bool same_value(const Value& a, const Value& b) {
  if (a.is_string() || b.is_string()) return a.is_string() && b.is_string() && a.as_string() == b.as_string();
  if (a.type_index() != b.type_index()) return false;
  if (a.is_dtype()) return same_dtype(a.as_dtype(), b.as_dtype());
  return a.as_int() == b.as_int();  // the payload: equal bits of a float, one object
}

}  // namespace

// Does not depend on the order of terms, which is that of ids.
uint64_t order_of(const Linear& x) {
  uint64_t sum = 0;
  for (const Term& t : x) sum += mix(t.atom->order, static_cast<uint64_t>(t.coef));
  return mix(sum, static_cast<uint64_t>(x.constant()));
}

// Whether the trees have the same content, variables and buffers by pointer. Gives up on very large trees with "no".
bool Engine::same_tree(const Node& a, const Node& b) {
  if (a.same_as(b)) return true;
  if (a.hash() != b.hash() || a.depth() != b.depth()) return false;
  std::vector<std::pair<const Value*, const Value*>> work;
  Value first = a, second = b;
  work.emplace_back(&first, &second);
  for (int budget = 1 << 16; !work.empty(); --budget) {
    if (budget == 0) return false;
    auto [x, y] = work.back();
    work.pop_back();
    if (x->is_node() && y->is_node()) {
      const Node &m = as_node(*x), &n = as_node(*y);
      if (m.same_as(n)) continue;
      if (m.kind() != n.kind() || m.hash() != n.hash() || m.slot_count() != n.slot_count()) return false;
      if (m.is<ir::Var>() || m.is<tir::Buffer>()) return false;
      for (uint32_t i = 0; i < m.slot_count(); ++i) work.emplace_back(&m.slot(i), &n.slot(i));
    } else if (x->is_array() && y->is_array()) {
      const Array &m = x->ref<Array>(), &n = y->ref<Array>();
      if (m.size() != n.size()) return false;
      for (size_t i = 0; i < m.size(); ++i) work.emplace_back(&m[i], &n[i]);
    } else if (x->is_map() && y->is_map()) {
      const Map &m = x->ref<Map>(), &n = y->ref<Map>();
      if (m.size() != n.size()) return false;
      for (size_t i = 0; i < m.size(); ++i) {
        if (m.begin()[i].key() != n.begin()[i].key()) return false;
        work.emplace_back(&m.begin()[i].value(), &n.begin()[i].value());
      }
    } else if (!same_value(*x, *y)) {
      return false;
    }
  }
  return true;
}

Atom* Engine::intern(Atom&& c) {
  spend();
  if (atoms_.size() * 2 >= table_.size()) {
    std::vector<Atom*> larger(std::max<size_t>(256, table_.size() * 2));
    for (Atom& a : atoms_) {
      size_t i = a.key & (larger.size() - 1);
      while (larger[i] != nullptr) i = (i + 1) & (larger.size() - 1);
      larger[i] = &a;
    }
    table_ = std::move(larger);
  }
  size_t i = c.key & (table_.size() - 1);
  for (; table_[i] != nullptr; i = (i + 1) & (table_.size() - 1)) {
    Atom& a = *table_[i];
    if (a.key != c.key || a.op != c.op || !same_dtype(a.dtype, c.dtype)) continue;
    if (c.op == Op::Leaf ? same_tree(a.node, c.node)
                         : same_dtype(a.from, c.from) && a.a == c.a && a.b == c.b && a.args == c.args)
      return &a;
  }
  c.id = static_cast<uint32_t>(atoms_.size());
  if (is_analyzed(c.dtype) && c.op != Op::Product) c.range = Interval::of(c.dtype);
  atoms_.push_back(std::move(c));
  return table_[i] = &atoms_.back();
}

Atom* Engine::leaf(const Node& n) {
  Atom c(Op::Leaf, n.dtype(), {});
  c.node = n;
  if (const ir::Var* v = n.as<ir::Var>()) {
    c.key = mix(1, reinterpret_cast<uintptr_t>(n.get()));
    c.order = text_hash(v->name());
  } else {
    c.key = mix(2, n.hash());
    c.order = n.hash();
    c.depth = 1;
  }
  return intern(std::move(c));
}

Atom* Engine::make(Op op, DLDataType t, const Linear& a, const Linear& b, DLDataType from, std::vector<Atom*> args) {
  Atom c(op, t, from);
  for (const Linear* x : {&a, &b})
    for (const Term& term : *x) c.depth = std::max(c.depth, term.atom->depth);
  uint64_t seed = mix(mix(bits_of(t), bits_of(from)), static_cast<uint64_t>(op));
  c.key = mix(mix(seed, key_of(a)), key_of(b));
  c.order = mix(mix(seed, order_of(a)), order_of(b));
  for (Atom* arg : args) {
    c.depth = std::max(c.depth, arg->depth);
    c.key = mix(c.key, arg->id);
    c.order += mix(arg->order, 3);
  }
  if (++c.depth > limits_.atom_depth) throw GiveUp{};
  spend(static_cast<int64_t>(a.size() + b.size() + args.size()));
  c.a = a;
  c.b = b;
  c.args = std::move(args);
  return intern(std::move(c));
}

bool Engine::before(const Atom* x, const Atom* y) {
  if (x == y) return false;
  if (x->depth != y->depth) return x->depth > y->depth;
  if (x->op != y->op) return x->op < y->op;
  if (x->is_variable() && y->is_variable()) {
    int order = x->node.to<ir::Var>().name().compare(y->node.to<ir::Var>().name());
    if (order != 0) return order < 0;
  }
  if (x->order != y->order) return x->order < y->order;
  return x->id < y->id;
}

Atom* Engine::first(const Linear& x) {
  return std::min_element(x.begin(), x.end(), [](const Term& a, const Term& b) { return before(a.atom, b.atom); })
      ->atom;
}

}  // namespace tenon::arith
