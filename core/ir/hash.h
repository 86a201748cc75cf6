// The mixing function behind structural hashes. Hashes are never stored.
#ifndef TENON_CORE_IR_HASH_H
#define TENON_CORE_IR_HASH_H

#include <cstdint>
#include <cstring>
#include <string_view>

namespace tenon {

inline uint64_t mix_hash(uint64_t h, uint64_t value) {
  h = (h ^ value) * 0x9E3779B97F4A7C15u;
  return h ^ (h >> 29);
}

inline uint64_t hash_text(uint64_t h, std::string_view text) {
  h = mix_hash(h, text.size());
  for (; text.size() >= 8; text.remove_prefix(8)) {
    uint64_t word;
    std::memcpy(&word, text.data(), 8);
    h = mix_hash(h, word);
  }
  uint64_t tail = 0;
  if (!text.empty()) std::memcpy(&tail, text.data(), text.size());
  return mix_hash(h, tail);
}

}  // namespace tenon
#endif
