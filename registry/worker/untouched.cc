#include "registry/worker/untouched.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "ir/hash.h"

namespace tenon::worker {

namespace {

constexpr size_t kOthers = 1 << 14;  // looked at in one call
constexpr size_t kAhead = 8;

uint32_t references(const TnObject* object) {
  return static_cast<uint32_t>(__atomic_load_n(&object->counts, __ATOMIC_RELAXED));
}

// Two words at a time, for they do not wait for each other.
uint64_t words(uint64_t h, const void* data, size_t size) {
  constexpr uint64_t kOdd = 0x9E3779B97F4A7C15u;
  const char* at = static_cast<const char*>(data);
  uint64_t even = h, odd = ~h, word[2];
  for (; size >= 16; size -= 16, at += 16) {
    std::memcpy(word, at, 16);
    even = (even ^ word[0]) * kOdd;
    odd = (odd ^ word[1]) * kOdd;
  }
  if (size) {
    std::memcpy(word, at, 8);
    even = (even ^ word[0]) * kOdd;
  }
  h = even ^ (odd >> 31) ^ (odd << 33);
  return h ^ (h >> 29);
}

// Asks for the memory of an object that is looked at soon.
void fetch(const ObjectTable& table, size_t number) {
  if (number >= table.objects.size()) return;
  const char* at = reinterpret_cast<const char*>(table.objects[number].raw().as.object);
  __builtin_prefetch(at);
  __builtin_prefetch(at + 64);
}

// Of all that does not change while an object lives.
uint64_t content(const TnObject* object) {
  constexpr size_t kCounts = sizeof object->counts;
  const char* after = reinterpret_cast<const char*>(object) + kCounts;
  switch (object->type_index) {
    case TN_NODE: {
      auto* n = reinterpret_cast<const TnNode*>(object);
      uint64_t h = words(n->slot_count, after, offsetof(TnNode, slots) - kCounts);
      return n->slot_count > 64 ? h : words(h, n->slots, n->slot_count * sizeof(TnValue));
    }
    case TN_ARRAY: {
      auto* a = reinterpret_cast<const TnArray*>(object);
      return words(words(1, after, sizeof *a - kCounts), a->data, a->size * sizeof(TnValue));
    }
    case TN_MAP: {
      auto* m = reinterpret_cast<const TnMap*>(object);
      return words(words(2, after, sizeof *m - kCounts), m->data, m->size * sizeof(TnMapEntry));
    }
    default: return 0;
  }
}

}  // namespace

void Untouched::note(const ObjectTable& table, bool given) {
  const size_t first = seen_.size();
  if (first == table.objects.size()) return;
  for (uint32_t number : table.recent)  // the new message refers to what is known
    if (number < first) ++seen_[number].references;
  for (size_t i = seen_.size(); i < table.objects.size(); ++i) {
    fetch(table, i + kAhead);
    const TnObject* object = table.objects[i].raw().as.object;
    uint32_t caller = i + 1 == table.objects.size() ? 1 : 0;
    seen_.push_back({content(object), given ? references(object) - caller : 1});
  }
}

const char* Untouched::fault_of(const ObjectTable& table, size_t number) const {
  const TnValue& v = table.objects[number].raw();
  const TnObject* object = v.as.object;
  const Seen& seen = seen_[number];
  const uint32_t count = references(object);
  if (count < seen.references || count > INT32_MAX)
    return "released a node or a list that it was given more often than it had retained it";
  if (object->type_index != v.type_index || content(object) != seen.content)
    return "wrote into a node or a list that it was given";
  return nullptr;
}

const char* Untouched::fault(const ObjectTable& table) {
  for (size_t i = last_; i < seen_.size(); ++i) {
    fetch(table, i + kAhead);
    if (const char* fault = fault_of(table, i)) return fault;
  }
  for (size_t n = std::min(kOthers, last_); n > 0; --n) {
    if (next_ >= last_) next_ = 0;
    if (const char* fault = fault_of(table, next_++)) return fault;
  }
  return nullptr;
}

}  // namespace tenon::worker
