#include "diag/sha256.h"

namespace tenon {

std::string digest_text(const Digest& digest) {
  constexpr char hex[] = "0123456789abcdef";
  std::string s = "sha256:";
  for (uint8_t byte : digest) {
    s += hex[byte >> 4];
    s += hex[byte & 15];
  }
  return s;
}

}  // namespace tenon
