// The type of a device as the number that it is.
#ifndef TENON_CXX_DEVICE_H
#define TENON_CXX_DEVICE_H

#include <cstdint>
#include <cstring>

#include "../abi.h"

namespace tenon {

// DLPack 0.6 declares an enumeration, and C++ reads from one only what it lists: the numbers of other devices are not
// in it.
inline int32_t device_type(const DLDevice& device) {
  int32_t number;
  static_assert(sizeof number == sizeof device.device_type);
  std::memcpy(&number, &device.device_type, sizeof number);
  return number;
}

}  // namespace tenon
#endif
