// Objects that crossed the boundary: watched, compared, poisoned when they are gone.
#include <algorithm>
#include <cstring>

#include "build/validation_state.h"
#include "ir/hash.h"
#include "ir/make.h"

namespace tenon::validation {
namespace {

constexpr uint64_t kOneWeak = uint64_t{1} << 32;
constexpr size_t kQuarantine = size_t{1} << 20;  // objects that are gone and still watched

uint32_t strong(const TnObject* o) { return static_cast<uint32_t>(__atomic_load_n(&o->counts, __ATOMIC_ACQUIRE)); }

// What libtenon_rt releases objects with.
void (*runtime_deleter())(void*, int) {
  static void (*const deleter)(void*, int) = [] {
    Value sample = call([](TnValue* ret) { return tn_runtime()->shape(nullptr, 0, ret); });
    return sample.raw().as.object->deleter;
  }();
  return deleter;
}

bool is_ours(const TnObject* o) {
  return o->deleter == runtime_deleter() || is_made_by_host(reinterpret_cast<const TnNode*>(o));
}

// The memory of an object that never changes.
struct Bytes {
  const void* data = nullptr;
  size_t size = 0;
};
Bytes constant_part(const TnObject* o) {
  switch (o->type_index) {
    case TN_NODE: {
      auto* n = reinterpret_cast<const TnNode*>(o);
      return {&n->kind, offsetof(TnNode, slots) - offsetof(TnNode, kind) + n->slot_count * sizeof(TnValue)};
    }
    case TN_ARRAY: {
      auto* a = reinterpret_cast<const TnArray*>(o);
      return {a->data, a->size * sizeof(TnValue)};
    }
    case TN_MAP: {
      auto* m = reinterpret_cast<const TnMap*>(o);
      return {m->data, m->size * sizeof(TnMapEntry)};
    }
    case TN_STRING:
    case TN_BYTES: {
      auto* s = reinterpret_cast<const TnString*>(o);
      return {s->data, s->size};
    }
    case TN_SHAPE: {
      auto* s = reinterpret_cast<const TnShape*>(o);
      return {s->data, s->size * sizeof(int64_t)};
    }
    case TN_ERROR: return {&reinterpret_cast<const TnError*>(o)->code, sizeof(TnError) - offsetof(TnError, code)};
    default: return {};
  }
}
uint64_t fingerprint_of(const Bytes& b) { return hash_text(1, {static_cast<const char*>(b.data), b.size}); }

// Calls f for each value directly below an object.
template <class F>
void below(const TnObject* o, F&& f) {
  if (o->type_index == TN_NODE) {
    auto* n = reinterpret_cast<const TnNode*>(o);
    for (uint32_t i = 0; i < n->slot_count; ++i) f(n->slots[i]);
    if (n->span) {
      TnValue span{TN_SPAN, 0, {0}};
      span.as.p = const_cast<TnSpan*>(n->span);
      f(span);
    }
  } else if (o->type_index == TN_ARRAY) {
    auto* a = reinterpret_cast<const TnArray*>(o);
    for (size_t i = 0; i < a->size; ++i) f(a->data[i]);
  } else if (o->type_index == TN_MAP) {
    auto* m = reinterpret_cast<const TnMap*>(o);
    for (size_t i = 0; i < m->size; ++i) {
      f(m->data[i].key);
      f(m->data[i].value);
    }
  } else if (o->type_index == TN_ERROR) {
    if (TnObject* cause = reinterpret_cast<const TnError*>(o)->cause) {
      TnValue v{TN_ERROR, 0, {0}};
      v.as.object = cause;
      f(v);
    }
  }
}

void dead_object(void*, int) {}

}  // namespace

void Watch::clear() {
  for (auto& [object, w] : objects_) forget(w);
  objects_.clear();
  dead_.clear();
}

// Gives the weak reference back.
void Watch::forget(Watched& w) {
  auto* o = w.object;
  o->deleter = w.deleter;
  if (__atomic_fetch_sub(&o->counts, kOneWeak, __ATOMIC_ACQ_REL) >> 32 == 1) w.deleter(o, 2);
}

void Watch::see(const TnValue& v, const Plugin* maker, const std::string& during, bool lent) {
  std::vector<std::pair<const TnValue*, const Plugin*>> open{{&v, maker}};
  std::deque<TnValue> made;  // values that lie nowhere else
  while (!open.empty()) {
    auto [at, by] = open.back();
    open.pop_back();
    if (at->type_index < TN_OBJECT || !at->as.object) continue;
    TnObject* o = at->as.object;
    if (o->type_index != at->type_index || objects_.contains(o) || !is_ours(o) || strong(o) == 0) continue;
    __atomic_fetch_add(&o->counts, kOneWeak, __ATOMIC_RELAXED);
    Bytes bytes = constant_part(o);
    Watched& w = objects_[o];
    w.object = o;
    w.deleter = o->deleter;
    w.number = ++count_;
    w.fingerprint = fingerprint_of(bytes);
    w.bytes = bytes.size;
    w.maker = by;
    if (by) w.during = during;
    w.lent = lent;
    below(o, [&](const TnValue& child) {
      if (child.type_index == TN_SPAN || o->type_index == TN_ERROR) {
        made.push_back(child);
        open.emplace_back(&made.back(), nullptr);
      } else {
        open.emplace_back(&child, nullptr);
      }
    });
  }
}

Watched* Watch::find(const TnObject* object) {
  auto it = objects_.find(object);
  return it == objects_.end() ? nullptr : &it->second;
}

Health Watch::health(const TnObject* object) {
  Watched* w = find(object);
  if (!w) return Health::kUnknown;
  uint32_t n = strong(object);
  return w->dead || n == 0 || n >= 0x80000000u ? Health::kDead : Health::kAlive;
}

void Watch::hand_over(const TnValue& v) {
  std::vector<const TnObject*> open;
  auto push = [&](const TnValue& x) {
    Watched* w = x.type_index >= TN_OBJECT ? find(x.as.object) : nullptr;
    if (!w || w->handed || w->dead) return;
    w->handed = true;
    open.push_back(w->object);
  };
  push(v);
  while (!open.empty()) {
    const TnObject* o = open.back();
    open.pop_back();
    below(o, push);
  }
}

bool Watch::contains(const TnValue& v, const TnObject* object) {
  std::unordered_map<const TnObject*, bool> seen;
  std::vector<const TnObject*> open;
  auto push = [&](const TnValue& x) {
    if (x.type_index >= TN_OBJECT && find(x.as.object) && seen.emplace(x.as.object, true).second)
      open.push_back(x.as.object);
  };
  push(v);
  while (!open.empty()) {
    const TnObject* o = open.back();
    open.pop_back();
    if (o == object) return true;
    below(o, push);
  }
  return false;
}

std::vector<Watched*> Watch::damaged(const TnValue& v, bool deep) {
  std::vector<Watched*> out;
  std::unordered_map<const TnObject*, bool> seen;
  std::vector<Watched*> open;
  auto push = [&](const TnValue& x) {
    Watched* w = x.type_index >= TN_OBJECT ? find(x.as.object) : nullptr;
    if (w && health(x.as.object) == Health::kAlive && seen.emplace(x.as.object, true).second) open.push_back(w);
  };
  push(v);
  while (!open.empty()) {
    Watched* w = open.back();
    open.pop_back();
    Bytes bytes = constant_part(w->object);
    if (bytes.size != w->bytes || fingerprint_of(bytes) != w->fingerprint) {
      if (!w->told) out.push_back(w);
      w->told = true;
      continue;  // what lies below may be anything
    }
    if (deep) below(w->object, push);
  }
  return out;
}

std::vector<Watched*> Watch::sweep() {
  calls_ = 0;
  std::vector<Watched*> twice;
  for (auto& [key, w] : objects_) {
    uint32_t n = strong(w.object);
    bool over = n >= 0x80000000u;
    if (n != 0 && !over && !w.dead) continue;
    if ((over || (w.dead && n != 0)) && !w.told) {
      w.told = true;
      twice.push_back(&w);
    }
    w.dead = true;
    if (over) {  // what was taken from the weak count goes back
      __atomic_fetch_add(&w.object->counts, uint64_t{-n}, __ATOMIC_ACQ_REL);
    } else if (n != 0) {
      __atomic_fetch_sub(&w.object->counts, uint64_t{n}, __ATOMIC_ACQ_REL);
    }
    if (w.poisoned) continue;
    w.poisoned = true;
    w.object->deleter = &dead_object;
    if (w.object->type_index == TN_NODE) {
      auto* node = reinterpret_cast<TnNode*>(w.object);
      for (uint32_t i = 0; i < node->slot_count; ++i) node->slots[i] = {TN_NONE, 0, {0}};
      node->kind = TN_KIND_FREED;
      node->slot_count = 0;
      node->span = nullptr;
      node->hash = 0xDDDDDDDDDDDDDDDDu;
    } else if (w.object->type_index == TN_ARRAY) {
      reinterpret_cast<TnArray*>(w.object)->size = 0;
    } else if (w.object->type_index == TN_MAP) {
      reinterpret_cast<TnMap*>(w.object)->size = 0;
    }
    dead_.push_back(key);
  }
  std::sort(twice.begin(), twice.end(), [](const Watched* a, const Watched* b) { return a->number < b->number; });
  while (dead_.size() > kQuarantine) {
    auto it = objects_.find(dead_.front());
    dead_.pop_front();
    if (it == objects_.end() || std::find(twice.begin(), twice.end(), &it->second) != twice.end()) continue;
    forget(it->second);
    objects_.erase(it);
  }
  return twice;
}

std::vector<Watched*> Watch::left_by(const Plugin* plugin) {
  std::map<uint64_t, Watched*> left;
  for (auto& [key, w] : objects_)
    if (w.maker == plugin && !w.handed && health(key) == Health::kAlive) {
      if (w.object->type_index == TN_FUNCTION) return {};  // what it holds cannot be seen
      left.emplace(w.number, &w);
    }
  std::unordered_map<const TnObject*, bool> held;
  for (auto& [number, w] : left)
    below(w->object, [&](const TnValue& v) {
      if (v.type_index >= TN_OBJECT) held.emplace(v.as.object, true);
    });
  std::vector<Watched*> out;
  for (auto& [number, w] : left)
    if (!held.contains(w->object)) out.push_back(w);
  return out;
}

std::string name_of_object(const TnObject* object) {
  switch (object->type_index) {
    case TN_NODE: {
      auto* n = reinterpret_cast<const TnNode*>(object);
      const KindInfo* info = kind_info(n->kind);
      return info ? "a node " + std::string(info->schema.id) : "a node";
    }
    case TN_STRING: return "a string";
    case TN_BYTES: return "bytes";
    case TN_ARRAY: return "an array";
    case TN_MAP: return "a map";
    case TN_ERROR: return "an error";
    case TN_TENSOR: return "a tensor";
    case TN_SHAPE: return "a shape";
    case TN_SPAN: return "a source range";
    case TN_FUNCTION: return "a function";
    case TN_CONSTANT: return "a constant";
    default: return "an object";
  }
}

}  // namespace tenon::validation
