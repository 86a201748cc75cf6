// Loaders in C++ (ext/draft/loader.h): a class that a payload becomes, and a function that says whether it fits a
// device.
//
//   struct Stream {
//     Stream(MyPlugin& plugin, const TnPayload& payload, const TnLoadTarget& target);   // both live as long as it does
//     const void* find(std::string_view symbol, int32_t& inputs, int32_t& outputs);     // null: there is no such
//     function void launch(const void* function, void* queue, std::span<const TnValue> args);
//   };
//   static Fit accepts(MyPlugin& self, std::string_view format, const Map& requirements, const Map& properties);
//   static constexpr const char* formats[] = {"com.vendor.stream/1", nullptr};
//   static constexpr auto loader_table = loader<MyPlugin, Stream, formats, &accepts>();
//
// A program that only runs models opens such a plugin too; there PluginInstance has no builder and no services.
#ifndef TENON_SDK_LOADER_PLUGIN_H
#define TENON_SDK_LOADER_PLUGIN_H

#include <tenon/ext/draft/loader.h>
#include <tenon/plugin.h>

#include <memory>

TENON_CAPABILITY(TnLoader, TN_LOADER)

namespace tenon {

// The answer to whether a payload fits; anything but TN_ACCEPT_BEST has a reason.
struct Fit {
  int32_t answer;
  std::string reason;
};

template <class Instance, class Module, const auto& formats,
          Fit (*accepts)(Instance&, std::string_view format, const Map& requirements, const Map& properties)>
constexpr TnLoader loader() {
  struct Loaded {
    const TnRuntime* runtime;
    Module module;
  };
  auto map_of = [](const TnValue* v) { return v && v->type_index == TN_MAP ? Value::view(*v).ref<Map>() : Map(); };
  return make_table<TnLoader>(
      formats,
      +[](void* instance, const char* format, const TnValue* requirements, const TnValue* properties, int32_t* answer,
          TnValue* ret) -> int {
        return slot<Instance>(instance, ret, [&](Instance& self) {
          const Fit fit = accepts(self, format, decltype(map_of)()(requirements), decltype(map_of)()(properties));
          *answer = fit.answer;
          return call([&](TnValue* r) { return self.runtime()->string(fit.reason.data(), fit.reason.size(), r); });
        });
      },
      +[](void* instance, const TnPayload* payload, const TnLoadTarget* target, void** module, TnValue* ret) -> int {
        return slot<Instance>(instance, ret, [&](Instance& self) {
          *module = new Loaded{self.runtime(), Module(self, *payload, *target)};
          return Value();
        });
      },
      +[](void* module) { delete static_cast<Loaded*>(module); },
      +[](void* module, const char* symbol, TnLoadedFunction* function, TnValue* ret) -> int {
        auto& m = *static_cast<Loaded*>(module);
        return guard(m.runtime, ret, [&] {
          function->function = const_cast<void*>(m.module.find(symbol, function->inputs, function->outputs));
          if (!function->function)
            throw Error(TN_ERROR_NOT_FOUND, "the payload has no function '" + std::string(symbol) + "'");
          return Value();
        });
      },
      +[](void* module, void* function, void* queue, const TnValue* args, int32_t n, TnValue* ret) -> int {
        auto& m = *static_cast<Loaded*>(module);
        return guard(m.runtime, ret, [&] {
          m.module.launch(function, queue, std::span(args, static_cast<size_t>(n)));
          return Value();
        });
      });
}

}  // namespace tenon
#endif
