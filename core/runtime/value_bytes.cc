#include "runtime/value_bytes.h"

namespace tenon::rt {
namespace {

constexpr int kMaxNesting = 32;

struct Decoder {
  const char* begin;
  const char* at;
  const char* end;
  TnValue* ret;

  int corrupt(const char* what) const {
    return fail(TN_ERROR_CORRUPT, ret, "%s at byte %zu", what, static_cast<size_t>(at - begin));
  }
  size_t left() const { return static_cast<size_t>(end - at); }

  bool word(uint64_t* out) {
    if (left() < 8) return false;
    uint64_t v = 0;
    for (int i = 0; i < 8; ++i) v |= uint64_t{static_cast<uint8_t>(at[i])} << (8 * i);
    at += 8;
    *out = v;
    return true;
  }

  int text(char tag, TnValue* out) {
    uint64_t size;
    if (!word(&size) || size > left()) return corrupt("a text that is cut off");
    const char* data = at;
    at += size;
    int status = tag == 's' ? make_string(data, size, out) : make_bytes(data, size, out);
    if (status) *ret = *out;
    return status;
  }

  // Reads `count` values into a new block and makes the container of them.
  int container(char tag, int depth, TnValue* out) {
    uint64_t count;
    if (!word(&count) || count > left()) return corrupt("a container that is cut off");
    size_t items = tag == 'm' ? 2 * count : count;
    auto* values = static_cast<TnValue*>(calloc(items ? items : 1, sizeof(TnValue)));
    if (!values) return out_of_memory(ret);
    int status = 0;
    size_t made = 0;
    for (; made < items && status == 0; ++made) {
      bool key = tag == 'm' && made % 2 == 0;
      if (key && (left() == 0 || *at != 's'))
        status = corrupt("a key that is no text");
      else
        status = value(depth + 1, &values[made]);
      if (status) break;
    }
    if (status == 0) {
      status = tag == 'm' ? make_map(values, count, out) : make_array(values, count, out);
      if (status) *ret = *out;
    }
    for (size_t i = 0; i < made; ++i) tn_value_release(&values[i]);
    free(values);
    return status;
  }

  int value(int depth, TnValue* out) {
    if (depth > kMaxNesting) return corrupt("values that are nested too deep");
    if (left() == 0) return corrupt("a value that is cut off");
    char tag = *at++;
    uint64_t bits;
    *out = TnValue{TN_NONE, 0, {0}};
    switch (tag) {
      case 'n': return 0;
      case 't':
      case 'f':
        out->type_index = TN_BOOL;
        out->as.i = tag == 't';
        return 0;
      case 'i':
      case 'd':
        if (!word(&bits)) return corrupt("a number that is cut off");
        out->type_index = tag == 'i' ? TN_INT : TN_FLOAT;
        memcpy(&out->as, &bits, 8);
        return 0;
      case 's':
      case 'b': return text(tag, out);
      case 'a':
      case 'm': return container(tag, depth, out);
      default: --at; return corrupt("an unknown tag");
    }
  }
};

}  // namespace

int decode_value(const char* data, size_t size, TnValue* ret) {
  Decoder d{data, data, data + size, ret};
  TnValue out;
  if (d.value(0, &out)) return -1;
  if (d.left()) {
    tn_value_release(&out);
    return d.corrupt("more bytes than one value");
  }
  *ret = out;
  return 0;
}

}  // namespace tenon::rt
