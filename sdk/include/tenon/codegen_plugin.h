// Code generators, linkers and executors in C++.
//
//   static Value generate(MyPlugin& self, const CallArgs& args, const Node& module);    // the payload, a map
//   (ext/codegen.h) static constexpr auto codegen_table = codegen<MyPlugin, &generate>();
#ifndef TENON_SDK_CODEGEN_PLUGIN_H
#define TENON_SDK_CODEGEN_PLUGIN_H

#include <tenon/plugin.h>

namespace tenon {

template <class Instance, Value (*f)(Instance&, const CallArgs&, const Node& module)>
constexpr TnCodegen codegen() {
  return make_table<TnCodegen>(
      +[](void* instance, const TnContext* context, const TnNode* module, const TnValue* options, TnValue* ret) -> int {
        return slot<Instance>(instance, ret, [&](Instance& self) {
          return f(self, {context, Value::view(*options).template ref<Map>()}, Builder::borrow(module));
        });
      });
}

template <class Instance, void (*f)(Instance&, const CallArgs&, const Array& objects, const std::string& output)>
constexpr TnLinker linker() {
  return make_table<TnLinker>(
      +[](void* instance, const TnContext* context, const TnValue* objects, const char* output, TnValue* ret) -> int {
        return slot<Instance>(instance, ret, [&](Instance& self) {
          f(self, {context, Map()}, Value::view(*objects).template ref<Array>(), output);
          return Value();
        });
      });
}

template <class Instance, Value (*f)(Instance&, const CallArgs&, const Node& module, const Map& imports)>
constexpr TnExecutor executor() {
  return make_table<TnExecutor>(+[](void* instance, const TnContext* context, const TnNode* module,
                                    const TnValue* imports, const TnValue* options, TnValue* ret) -> int {
    return slot<Instance>(instance, ret, [&](Instance& self) {
      return f(self, {context, Value::view(*options).template ref<Map>()}, Builder::borrow(module),
               Value::view(*imports).template ref<Map>());
    });
  });
}

}  // namespace tenon
#endif
