// A hash map from addresses, for the memos of walks over shared trees. No erase; cleared as a whole.
#ifndef TENON_CORE_IR_POINTER_MAP_H
#define TENON_CORE_IR_POINTER_MAP_H

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace tenon {

template <class V>
class PointerMap {
 public:
  // Null when there is none. Valid until the next insertion.
  V* find(const void* key) {
    if (count_ == 0) return nullptr;
    for (size_t i = start(key);; i = (i + 1) & (entries_.size() - 1)) {
      if (entries_[i].first == key) return &entries_[i].second;
      if (!entries_[i].first) return nullptr;
    }
  }
  // The value of the key, made when it is not there.
  V& operator[](const void* key) {
    if ((count_ + 1) * 2 > entries_.size()) grow(entries_.empty() ? 32 : entries_.size() * 2);
    size_t i = start(key);
    while (entries_[i].first && entries_[i].first != key) i = (i + 1) & (entries_.size() - 1);
    if (!entries_[i].first) {
      entries_[i].first = key;
      ++count_;
    }
    return entries_[i].second;
  }
  // Makes room for `count` keys in all.
  void reserve(size_t count) {
    while (count * 2 > entries_.size()) grow(std::max<size_t>(32, std::bit_ceil(count * 2)));
  }
  size_t size() const { return count_; }
  void clear() {
    entries_.clear();
    count_ = 0;
  }
  template <class F>
  void for_each(F&& f) {
    for (auto& [key, value] : entries_)
      if (key) f(key, value);
  }

 private:
  size_t start(const void* key) const {
    uint64_t h = (reinterpret_cast<uint64_t>(key) >> 4) * 0x9E3779B97F4A7C15u;
    return (h >> 20) & (entries_.size() - 1);
  }
  void grow(size_t size) {
    std::vector<std::pair<const void*, V>> old(size);
    old.swap(entries_);
    count_ = 0;
    for (auto& [key, value] : old)
      if (key) (*this)[key] = std::move(value);
  }

  std::vector<std::pair<const void*, V>> entries_;
  size_t count_ = 0;
};

}  // namespace tenon
#endif
