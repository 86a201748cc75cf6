// Plain values (none, bool, int, float, text, bytes, arrays, maps) as bytes: how the index of an artifact is stored.
//
// A value is a tag byte and a payload: 'n' none; 't' 'f' bool; 'i' int64; 'd' double (8 bytes, little endian each);
// 's' text and 'b' bytes (uint64 size, then the bytes); 'a' array (uint64 count, then values); 'm' map (uint64 count,
// then text and value in turn).
#ifndef TENON_RUNTIME_VALUE_BYTES_H
#define TENON_RUNTIME_VALUE_BYTES_H

#include "runtime/internal.h"

namespace tenon::rt {

// Fails with TN_ERROR_CORRUPT for anything that is not exactly one value; nesting is bounded.
int decode_value(const char* data, size_t size, TnValue* ret);

}  // namespace tenon::rt
#endif
