// The elements of tensors as doubles, whatever their dtype.
#ifndef TENON_CXX_NUMBERS_H
#define TENON_CXX_NUMBERS_H

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <string>

#include "dtype.h"
#include "object.h"

namespace tenon {

namespace numbers {

inline float half_to_float(uint16_t h) {
  uint32_t sign = uint32_t{h & 0x8000u} << 16, exponent = (h >> 10) & 31u, fraction = h & 0x3ffu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  float magnitude = std::ldexp(static_cast<float>(fraction), -24);
  return sign ? -magnitude : magnitude;
}

// Rounds to the nearest, ties to even.
inline uint16_t float_to_half(double value) {
  uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  double x = std::fabs(value);
  if (std::isnan(value)) return 0x7e00;
  if (x == 0) return sign;
  if (x >= 65520.0) return sign | 0x7c00;
  int exponent = 0;
  std::frexp(x, &exponent);
  int shift = std::max(exponent - 11, -24);
  double units = std::nearbyint(std::ldexp(x, -shift));
  auto n = static_cast<uint32_t>(units);
  if (shift == -24) return static_cast<uint16_t>(sign | n);
  return static_cast<uint16_t>(sign | ((static_cast<uint32_t>(shift + 24) << 10) + n));
}

inline uint16_t float_to_bfloat(double value) {
  auto bits = std::bit_cast<uint32_t>(static_cast<float>(value));
  if (std::isnan(value)) return 0x7fc0;
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

template <class T>
T load(const char* p) {
  T t;
  std::memcpy(&t, p, sizeof t);
  return t;
}
template <class T>
inline void store(char* p, T t) {
  std::memcpy(p, &t, sizeof t);
}

struct Random {
  uint64_t state;
  uint64_t next() {  // SplitMix64
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }
};

}  // namespace numbers

inline int64_t element_count(const DLTensor& t) {
  int64_t n = 1;
  for (int32_t i = 0; i < t.ndim; ++i) n *= t.shape[i];
  return n;
}

// The elements in row-major order, converted; the tensor is contiguous and on the CPU.
inline double element(const DLTensor& t, int64_t index) {
  const char* p = static_cast<const char*>(t.data) + t.byte_offset + index * dtype_bytes(t.dtype);
  int kind = t.dtype.code * 100 + t.dtype.bits;
  switch (kind) {
    case kDLInt * 100 + 8: return numbers::load<int8_t>(p);
    case kDLInt * 100 + 16: return numbers::load<int16_t>(p);
    case kDLInt * 100 + 32: return numbers::load<int32_t>(p);
    case kDLInt * 100 + 64: return static_cast<double>(numbers::load<int64_t>(p));
    case TN_DL_BOOL * 100 + 8:
    case kDLUInt * 100 + 8: return numbers::load<uint8_t>(p);
    case kDLUInt * 100 + 16: return numbers::load<uint16_t>(p);
    case kDLUInt * 100 + 32: return numbers::load<uint32_t>(p);
    case kDLUInt * 100 + 64: return static_cast<double>(numbers::load<uint64_t>(p));
    case kDLFloat * 100 + 16: return numbers::half_to_float(numbers::load<uint16_t>(p));
    case kDLFloat * 100 + 32: return numbers::load<float>(p);
    case kDLFloat * 100 + 64: return numbers::load<double>(p);
    case kDLBfloat * 100 + 16: return std::bit_cast<float>(uint32_t{numbers::load<uint16_t>(p)} << 16);
    default: throw Error(TN_ERROR_UNSUPPORTED, "elements of " + dtype_text(t.dtype) + " cannot be shown");
  }
}

inline void set_element(const DLTensor& t, int64_t index, double value) {
  char* p = static_cast<char*>(t.data) + t.byte_offset + index * dtype_bytes(t.dtype);
  int kind = t.dtype.code * 100 + t.dtype.bits;
  switch (kind) {
    case kDLInt * 100 + 8: return numbers::store(p, static_cast<int8_t>(value));
    case kDLInt * 100 + 16: return numbers::store(p, static_cast<int16_t>(value));
    case kDLInt * 100 + 32: return numbers::store(p, static_cast<int32_t>(value));
    case kDLInt * 100 + 64: return numbers::store(p, static_cast<int64_t>(value));
    case TN_DL_BOOL * 100 + 8: return numbers::store(p, static_cast<uint8_t>(value != 0));
    case kDLUInt * 100 + 8: return numbers::store(p, static_cast<uint8_t>(value));
    case kDLUInt * 100 + 16: return numbers::store(p, static_cast<uint16_t>(value));
    case kDLUInt * 100 + 32: return numbers::store(p, static_cast<uint32_t>(value));
    case kDLUInt * 100 + 64: return numbers::store(p, static_cast<uint64_t>(value));
    case kDLFloat * 100 + 16: return numbers::store(p, numbers::float_to_half(value));
    case kDLFloat * 100 + 32: return numbers::store(p, static_cast<float>(value));
    case kDLFloat * 100 + 64: return numbers::store(p, value);
    case kDLBfloat * 100 + 16: return numbers::store(p, numbers::float_to_bfloat(value));
    default: throw Error(TN_ERROR_UNSUPPORTED, "elements of " + dtype_text(t.dtype) + " cannot be made");
  }
}

// Fills the tensor: numbers in [low, high), integers in the same range, booleans 0 or 1. The same seed gives the same
// numbers on every machine.
inline void fill_random(const DLTensor& t, uint64_t seed, double low, double high) {
  numbers::Random random{seed};
  bool whole = !is_floating(t.dtype);
  if (t.dtype.code == kDLUInt) low = std::max(low, 0.0);
  for (int64_t i = 0, n = element_count(t); i < n; ++i) {
    double x = low + random.unit() * (high - low);
    set_element(t, i, is_bool(t.dtype) ? static_cast<double>(random.next() & 1) : whole ? std::floor(x) : x);
  }
}

struct Summary {
  double min, max, mean;  // of the finite elements; 0 when there are none
  int64_t not_finite;
};
inline Summary summarize(const DLTensor& t) {
  Summary s{0, 0, 0, 0};
  int64_t finite = 0;
  for (int64_t i = 0, n = element_count(t); i < n; ++i) {
    double x = element(t, i);
    if (!std::isfinite(x)) {
      ++s.not_finite;
      continue;
    }
    s.min = finite ? std::min(s.min, x) : x;
    s.max = finite ? std::max(s.max, x) : x;
    s.mean += (x - s.mean) / static_cast<double>(++finite);
  }
  return s;
}

// "float32[2, 3]"
inline std::string shape_text(const DLTensor& t) {
  std::string out = dtype_text(t.dtype) + "[";
  for (int i = 0; i < t.ndim; ++i) out += (i ? ", " : "") + std::to_string(t.shape[i]);
  return out + "]";
}

}  // namespace tenon
#endif
