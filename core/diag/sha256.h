// SHA-256 (FIPS 180-4). Uses the instructions of the processor where it has them. sha256.cc needs no C++ library: it is
// a part of libtenon_rt too.
#ifndef TENON_CORE_DIAG_SHA256_H
#define TENON_CORE_DIAG_SHA256_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tenon {

using Digest = std::array<uint8_t, 32>;

class Sha256 {
 public:
  Sha256();
  void update(const void* data, size_t size);
  void update(std::string_view text) { update(text.data(), text.size()); }
  Digest finish();  // once, at the end

 private:
  uint32_t state_[8];
  uint64_t total_ = 0;
  uint8_t pending_[64];
};

Digest sha256(std::string_view bytes);

// "sha256:" and 64 hex digits, the form in which digests are written everywhere.
std::string digest_text(const Digest& digest);
inline constexpr size_t kDigestTextSize = 7 + 64;

namespace internal {
// The two implementations, for their test. The second returns false where the processor has no such instructions.
void sha256_blocks_portable(uint32_t state[8], const uint8_t* data, size_t blocks);
bool sha256_blocks_native(uint32_t state[8], const uint8_t* data, size_t blocks);
}  // namespace internal

}  // namespace tenon
#endif
