// Node kinds of a plugin in C++ (ext/draft/kind.h): a table of rows {id, function}.
//
//   static Value lower_load(MyPlugin& self, const CallArgs& args, const Node& node);
//   static constexpr KindRow<MyPlugin> kinds[] = {{"com.vendor.tile_load/1", &lower_load}};
//   static constexpr auto kind_table = kind_lowering<MyPlugin, kinds>();
#ifndef TENON_SDK_KIND_PLUGIN_H
#define TENON_SDK_KIND_PLUGIN_H

#include <tenon/plugin.h>

namespace tenon {

template <class Instance>
struct KindRow {
  const char* id;
  Value (*lower)(Instance& self, const CallArgs& args, const Node& node);
};

template <class Instance, const auto& rows>
constexpr TnKind kind_lowering() {
  return make_table<TnKind>(+[](void* instance, const TnContext* context, const TnNode* node, TnValue* ret) -> int {
    return slot<Instance>(instance, ret, [&](Instance& self) {
      const TnHostIr* ir = self.builder().ir();
      std::string_view id = ir->schema(ir->self, node->kind)->id;
      for (const auto& row : rows)
        if (id == row.id) return row.lower(self, {context, Map()}, Builder::borrow(node));
      throw Error(TN_ERROR_PLUGIN, "this library does not lower " + std::string(id), {},
                  "its manifest lists a kind that its table does not");
    });
  });
}

// The number of a kind in this process; throws TN_ERROR_NOT_FOUND when no manifest declares it.
inline uint32_t kind_number(const Builder& b, const char* id) {
  uint32_t kind = b.ir()->find_kind(b.ir()->self, id);
  if (!kind) throw Error(TN_ERROR_NOT_FOUND, "no plugin that is installed declares the kind " + std::string(id));
  return kind;
}

}  // namespace tenon
#endif
