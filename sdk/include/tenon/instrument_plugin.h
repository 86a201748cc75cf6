// Instruments in C++ (ext/draft/instrument.h).
//
//   static void after(MyPlugin& self, const CallArgs& args, const Map& record, const Node& before, const Node& after);
//   static constexpr auto instrument_table = instrument<MyPlugin, &after>();
#ifndef TENON_SDK_INSTRUMENT_PLUGIN_H
#define TENON_SDK_INSTRUMENT_PLUGIN_H

#include <tenon/plugin.h>

namespace tenon {

template <class Instance,
          void (*f)(Instance&, const CallArgs&, const Map& record, const Node& before, const Node& after)>
constexpr TnInstrument instrument() {
  return make_table<TnInstrument>(
      nullptr,
      +[](void* instance, const TnContext* context, const TnValue* record, const TnNode* before, const TnNode* after,
          TnValue* ret) -> int {
        return slot<Instance>(instance, ret, [&](Instance& self) {
          f(self, {context, Map()}, Value::view(*record).template ref<Map>(), Builder::borrow(before),
            Builder::borrow(after));
          return Value();
        });
      });
}

}  // namespace tenon
#endif
