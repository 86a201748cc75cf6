// SHA-256 (FIPS 180-4) in plain C++, without the C++ library.
#ifndef TENON_RUNTIME_SHA256_H
#define TENON_RUNTIME_SHA256_H

#include <stddef.h>
#include <stdint.h>

namespace tenon::rt {

void sha256(const void* data, size_t size, uint8_t digest[32]);

}  // namespace tenon::rt
#endif
