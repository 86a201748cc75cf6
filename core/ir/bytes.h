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
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/constant_store.h"
#include "ir/pointer_map.h"

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

// What both ends of a conversation hold under one numbering: each tree that is sent adds its objects, and a later tree
// refers to them by number, so that what is known already is not sent again and what comes back decodes to the very
// same nodes.
struct ObjectTable {
  std::vector<Value> objects;
  std::vector<const TnConstant*> constants;  // of the tree that was encoded last, each once

  // The number of an object among those below `end`. Finds what stood directly in the last tree without an index of
  // all.
  std::optional<uint32_t> find(const TnObject* object, size_t end);
  PointerMap<uint32_t> index;  // of all objects below `indexed`, and some others
  size_t indexed = 0;
  std::vector<uint32_t> recent;  // what stood directly in the last tree
};

// As above, for one of several trees. The two ends call these in the same order. When encoding throws, the table has
// what was given to `part` and no more.
std::string encode_tree(const TnValue& tree, ObjectTable& known);
// The same in parts, so that the other end reads while this one writes: `part` is given all but the last, each of which
// decodes to none and adds its objects.
std::string encode_tree(const TnValue& tree, ObjectTable& known, const std::function<void(const std::string&)>& part);
Value decode_tree(std::string_view bytes, const ConstantProvider& constants, ObjectTable& known);

namespace internal {
// Writes the checksum of a body that was changed, for tests of the decoder behind it.
void seal_bytes(std::string* bytes);
}  // namespace internal

}  // namespace tenon
#endif
