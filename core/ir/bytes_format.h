// The words of the byte format, shared by encoder and decoder.
#ifndef TENON_CORE_IR_BYTES_FORMAT_H
#define TENON_CORE_IR_BYTES_FORMAT_H

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tenon::bytes_format {

inline constexpr std::string_view kMagic{"TENONIR\n", 8};
inline constexpr size_t kChecksumOffset = 16, kChecksumSize = 16, kHeaderSize = 32;

// How a value begins.
enum Tag : uint8_t {
  kNone = 0,
  kInt = 1,  // zigzag
  kFalse = 2,
  kTrue = 3,
  kFloat = 4,      // 8 bytes
  kDType = 5,      // code, bits, lanes in 2 bytes
  kDevice = 6,     // type, id
  kText = 7,       // index of a text
  kBytes = 8,      // index of a text
  kShape = 9,      // count, extents
  kConstant = 10,  // index of a constant
  kEmptyArray = 12,
  kEmptyMap = 13,
  kObject = 11  // how many objects back
};

// How an object begins.
enum Record : uint8_t {
  kNode = 0,   // index of a kind, 1 + index of a range or 0, count of slots, slots
  kArray = 1,  // count, elements
  kMap = 2     // count, pairs of a text and a value
};

}  // namespace tenon::bytes_format
#endif
