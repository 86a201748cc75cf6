// The versioned bytes of a tree: compact, with tables for texts, kinds, ranges and objects, so that what is shared
// stays shared and a variable is one object. Constants stand as their digests.
//
//   magic       8 bytes "TENONIR\n"
//   version     u32, little-endian: the format, kBytesVersion
//   vocabulary  u32: TN_IR_VOCABULARY of the writer
//   checksum    the first 16 bytes of the SHA-256 of all that follows
//   body        texts, kinds, ranges, constants, objects, the tree; counts and numbers are LEB128, signed ones zigzag
//
// Trailing slots with their defaults are left out, so that a reader which does not know them loses nothing.
#ifndef TENON_CORE_IR_BYTES_H
#define TENON_CORE_IR_BYTES_H

#include <functional>
#include <string>
#include <string_view>

#include "ir/constant_store.h"

namespace tenon {

inline constexpr uint32_t kBytesVersion = 1;

// Throws TN_ERROR_ARGUMENT for values that a tree cannot hold. Bounded stack.
std::string encode_tree(const TnValue& tree);

// Answers with the constant of this digest; null when there is none.
using ConstantProvider = std::function<Constant(std::string_view digest, uint64_t size)>;

// Safe for bytes from anywhere: memory and time are bounded by the size of the input. Throws TN_ERROR_CORRUPT with the
// offset, TN_ERROR_UNSUPPORTED for another version or an unknown kind, and TN_ERROR_NOT_FOUND for a constant that the
// provider does not have. Bounded stack.
Value decode_tree(std::string_view bytes, const ConstantProvider& constants = {});

namespace internal {
// Writes the checksum of a body that was changed, for tests of the decoder behind it.
void seal_bytes(std::string* bytes);
}  // namespace internal

}  // namespace tenon
#endif
