// Passes in C++: a table of rows {name, function}, and the C slots made from it.
//
//   static Node simplify(MyPlugin& self, const PassArgs& args, const Node& function);
//   static constexpr FunctionPass<MyPlugin> passes[] = {{"simplify", &simplify}};
//   static constexpr TnPass pass_table = function_passes<MyPlugin, passes>();
#ifndef TENON_SDK_PASS_PLUGIN_H
#define TENON_SDK_PASS_PLUGIN_H

#include <tenon/ext/pass.h>
#include <tenon/plugin.h>

namespace tenon {

// What a pass is called with besides the IR: context, options, target, and a way to tell the user something (CallArgs).
struct PassArgs : CallArgs {
  std::string_view name;  // the name of the function, for function passes
};

// A function pass returns the function, or array {function, map of new functions} (TnPass.run_function).
template <class Instance>
struct FunctionPass {
  const char* name;
  Value (*run)(Instance& self, const PassArgs& args, const Node& function);
};

// A module pass returns the module.
template <class Instance>
struct ModulePass {
  const char* name;
  Value (*run)(Instance& self, const PassArgs& args, const Node& module);
};

template <class Instance, const auto& rows>
int run_pass_row(void* instance, const TnContext* context, const char* pass, const char* name, const TnNode* tree,
                 const TnValue* options, TnValue* ret) {
  auto& self = *static_cast<Instance*>(instance);
  return guard(self.runtime(), ret, [&]() -> Value {
    for (const auto& row : rows)
      if (std::string_view(row.name) == pass)
        return row.run(self, PassArgs{{context, Value::view(*options).template ref<Map>()}, name},
                       Builder::borrow(tree));
    throw Error(TN_ERROR_NOT_FOUND, std::string("this library has no pass named ") + pass, {},
                "its manifest lists a pass that its table does not");
  });
}

// The capability table for plugins with function passes, module passes, or both.
template <class Instance, const auto& function_rows>
constexpr TnPass function_passes() {
  return {sizeof(TnPass), nullptr, &run_pass_row<Instance, function_rows>};
}
template <class Instance, const auto& module_rows>
int run_module_row(void* instance, const TnContext* context, const char* pass, const TnNode* module,
                   const TnValue* options, TnValue* ret) {
  return run_pass_row<Instance, module_rows>(instance, context, pass, "", module, options, ret);
}
template <class Instance, const auto& module_rows>
constexpr TnPass module_passes() {
  return {sizeof(TnPass), &run_module_row<Instance, module_rows>, nullptr};
}
template <class Instance, const auto& module_rows, const auto& function_rows>
constexpr TnPass all_passes() {
  return {sizeof(TnPass), &run_module_row<Instance, module_rows>, &run_pass_row<Instance, function_rows>};
}

}  // namespace tenon
#endif
