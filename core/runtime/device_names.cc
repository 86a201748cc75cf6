// Names of devices: what DLPack numbers has its number, every other kind gets one in this process from the table of
// type indices, whose entries for kinds begin with "device ".
#include <stdio.h>

#include "runtime/device.h"

namespace tenon::rt {
namespace {

struct Kind {
  int32_t number;
  const char* name;
};
constexpr Kind kKinds[] = {{1, "cpu"},        {2, "cuda"},     {3, "cuda_host"},     {4, "opencl"},
                           {7, "vulkan"},     {8, "metal"},    {9, "vpi"},           {10, "rocm"},
                           {11, "rocm_host"}, {12, "ext_dev"}, {13, "cuda_managed"}, {14, "oneapi"}};
constexpr const char* kPrefix = "device ";
constexpr size_t kPrefixBytes = 7;
constexpr size_t kMaxKind = 120;

const char* kind_name(int32_t number) {
  for (const Kind& k : kKinds)
    if (k.number == number) return k.name;
  const char* key = number >= TN_FIRST_DYNAMIC ? type_key(number) : nullptr;
  return key && !strncmp(key, kPrefix, kPrefixBytes) ? key + kPrefixBytes : nullptr;
}

bool is_kind_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

}  // namespace

bool split_device_name(const char* name, size_t* kind_bytes, int32_t* ordinal) {
  size_t n = 0;
  while (is_kind_character(name[n])) ++n;
  if (n == 0 || n > kMaxKind) return false;
  *kind_bytes = n;
  *ordinal = -1;
  if (!name[n]) return true;
  if (name[n] != ':' || !name[n + 1]) return false;
  int32_t number = 0;
  for (const char* at = name + n + 1; *at; ++at) {
    if (*at < '0' || *at > '9' || number > 99999) return false;
    number = number * 10 + (*at - '0');
  }
  *ordinal = number;
  return true;
}

int device_number(const char* name, DLDevice* device, TnValue* ret) {
  size_t n = 0;
  int32_t ordinal = 0;
  if (!name || !split_device_name(name, &n, &ordinal)) {
    char text[256];
    snprintf(text, sizeof text, "'%.120s' is no name of a device", name ? name : "");
    return make_error(TN_ERROR_ARGUMENT, text, nullptr,
                      "write KIND:NUMBER, such as cpu:0 or com.vendor.npu:0; a kind is of lower-case letters, digits, "
                      "'.', '-' and '_'",
                      nullptr, ret);
  }
  char key[kPrefixBytes + kMaxKind + 1];
  memcpy(key, kPrefix, kPrefixBytes);
  memcpy(key + kPrefixBytes, name, n);
  key[kPrefixBytes + n] = 0;
  int32_t number = -1;
  for (const Kind& k : kKinds)
    if (!strcmp(k.name, key + kPrefixBytes)) number = k.number;
  if (number < 0) number = type_index(key);
  if (number < 0) return fail(TN_ERROR_LIMIT, ret, "the table of names is full: the device '%s' gets no number", name);
  *device = DLDevice{static_cast<DLDeviceType>(number), ordinal < 0 ? 0 : ordinal};
  *ret = TnValue{TN_NONE, 0, {0}};
  return 0;
}

int device_name(DLDevice device, TnValue* ret) {
  const char* kind = kind_name(device_type(device));
  if (!kind) return fail(TN_ERROR_ARGUMENT, ret, "%d is not the number of a kind of devices", device_type(device));
  char text[kMaxKind + 16];
  int n = snprintf(text, sizeof text, "%s:%d", kind, static_cast<int>(device.device_id));
  return make_string(text, static_cast<size_t>(n), ret);
}

}  // namespace tenon::rt
