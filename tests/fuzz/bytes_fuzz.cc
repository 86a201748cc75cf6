// Any bytes are decoded or refused; what was decoded encodes, and decodes again to an equal tree.
#include "fuzz.h"

using namespace tenon;

namespace {

Value decode(const Builder& b, const char* data, size_t size) {
  return call([&](TnValue* ret) { return b.ir()->decode(b.ir()->self, data, size, ret); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Builder& b = fuzz::session().builder();
  try {
    Value tree = decode(b, reinterpret_cast<const char*>(data), size);
    Value bytes = call([&](TnValue* ret) { return b.ir()->encode(b.ir()->self, tree.ptr(), ret); });
    const auto* s = reinterpret_cast<const TnString*>(bytes.raw().as.object);
    fuzz::require(bytes.type_index() == TN_BYTES, "encode gives bytes");
    fuzz::require(fuzz::equal(b, tree, decode(b, s->data, s->size)), "encode then decode gives an equal tree");
  } catch (const Error& e) { fuzz::refuse_internal(e); }
  return 0;
}
