#include "build/marked_calls.h"

#include "build/conversion.h"
#include "tenon/ext/draft/partitioner.h"

namespace tenon {

namespace {

struct MarkedCall {
  MarkedCall(void* self, const char* doing)
      : of(*static_cast<const MarkedCalls*>(self)), mark(of.calls, of.plugin + " " + doing) {}
  template <class Table>
  const Table* table() const {
    return static_cast<const Table*>(of.table);
  }
  const MarkedCalls& of;
  CallMark mark;
};

constexpr TnPartitioner kPartitioner = {
    sizeof(TnPartitioner),
    [](void* self, const TnContext* context, const char* pattern, const TnNode* candidate, TnValue* ret) -> int {
      MarkedCall c(self, "decide");
      return c.table<TnPartitioner>()->decide(c.of.instance, context, pattern, candidate, ret);
    }};

constexpr Conversion kConversion = {
    sizeof(Conversion), [](void* self, const TnContext* context, const TnValue* given, TnValue* ret) -> int {
      MarkedCall c(self, "convert");
      return c.table<Conversion>()->convert(c.of.instance, context, given, ret);
    }};

}  // namespace

const void* marked_calls_table(std::string_view capability, bool is_conversion, const void* table) {
  if (is_conversion && TN_HAS(static_cast<const Conversion*>(table), convert)) return &kConversion;
  if (capability == TN_PARTITIONER && TN_HAS(static_cast<const TnPartitioner*>(table), decide)) return &kPartitioner;
  return nullptr;
}

}  // namespace tenon
