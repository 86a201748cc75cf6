// Dtypes as text ("float32", "int64", "bool", "float32x4", "handle") and their sizes.
#ifndef TENON_CXX_DTYPE_H
#define TENON_CXX_DTYPE_H

#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "../abi.h"

namespace tenon {

constexpr DLDataType make_dtype(uint8_t code, uint8_t bits, uint16_t lanes = 1) {
  return DLDataType{code, bits, lanes};
}
constexpr DLDataType kInt64 = make_dtype(kDLInt, 64);
constexpr DLDataType kInt32 = make_dtype(kDLInt, 32);
constexpr DLDataType kFloat32 = make_dtype(kDLFloat, 32);
constexpr DLDataType kFloat64 = make_dtype(kDLFloat, 64);
constexpr DLDataType kBool = make_dtype(TN_DL_BOOL, 8);
constexpr DLDataType kHandle = make_dtype(kDLOpaqueHandle, 64);

constexpr bool same_dtype(DLDataType a, DLDataType b) {
  return a.code == b.code && a.bits == b.bits && a.lanes == b.lanes;
}
constexpr bool is_integer(DLDataType t) { return t.code == kDLInt || t.code == kDLUInt; }
constexpr bool is_floating(DLDataType t) { return t.code == kDLFloat || t.code == kDLBfloat; }
constexpr bool is_bool(DLDataType t) { return t.code == TN_DL_BOOL; }
constexpr bool is_handle(DLDataType t) { return t.code == kDLOpaqueHandle; }
constexpr DLDataType with_lanes(DLDataType t, uint16_t lanes) {
  t.lanes = lanes;
  return t;
}
constexpr DLDataType element_of(DLDataType t) { return with_lanes(t, 1); }
constexpr int64_t dtype_bytes(DLDataType t) { return (static_cast<int64_t>(t.bits) * t.lanes + 7) / 8; }

inline std::string dtype_text(DLDataType t) {
  std::string s;
  switch (t.code) {
    case kDLInt: s = "int" + std::to_string(t.bits); break;
    case kDLUInt: s = "uint" + std::to_string(t.bits); break;
    case kDLFloat: s = "float" + std::to_string(t.bits); break;
    case kDLBfloat: s = "bfloat" + std::to_string(t.bits); break;
    case TN_DL_BOOL: s = "bool"; break;
    case kDLOpaqueHandle: s = "handle"; break;
    default: s = "dtype(" + std::to_string(t.code) + "," + std::to_string(t.bits) + ")"; break;
  }
  if (t.lanes != 1) s += "x" + std::to_string(t.lanes);
  return s;
}

inline std::optional<DLDataType> dtype_from_text(std::string_view text) {
  struct Prefix {
    std::string_view name;
    uint8_t code;
  };
  constexpr Prefix prefixes[] = {{"int", kDLInt}, {"uint", kDLUInt}, {"float", kDLFloat}, {"bfloat", kDLBfloat}};
  auto number = [](std::string_view& s) -> int {
    int n = 0;
    auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), n);
    if (error != std::errc{} || n <= 0 || n > 4096) return -1;
    s.remove_prefix(static_cast<size_t>(end - s.data()));
    return n;
  };
  DLDataType t = make_dtype(0, 0);
  if (text.substr(0, 4) == "bool") {
    t = kBool;
    text.remove_prefix(4);
  } else if (text.substr(0, 6) == "handle") {
    t = kHandle;
    text.remove_prefix(6);
  } else {
    for (const Prefix& p : prefixes) {
      if (text.substr(0, p.name.size()) != p.name) continue;
      std::string_view rest = text.substr(p.name.size());
      int bits = number(rest);
      if (bits < 1 || bits > 64) return std::nullopt;
      t = make_dtype(p.code, static_cast<uint8_t>(bits));
      text = rest;
      break;
    }
    if (t.bits == 0) return std::nullopt;
  }
  if (text.empty()) return t;
  if (text[0] != 'x') return std::nullopt;
  text.remove_prefix(1);
  int lanes = number(text);
  if (lanes < 1 || !text.empty()) return std::nullopt;
  return with_lanes(t, static_cast<uint16_t>(lanes));
}

}  // namespace tenon
#endif
