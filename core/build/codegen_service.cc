#include "build/codegen_service.h"

#include "build/catalog.h"
#include "build/payload.h"
#include "build/session.h"

namespace tenon {

CodegenService::CodegenService(Session& session) : session_(session) {
  table_.size = sizeof table_;
  table_.self = this;
  table_.generate = [](void* self, const char* codegen, const TnNode* module, const TnValue* options,
                       TnValue* ret) -> int {
    return guard(tn_runtime(), ret, [&] {
      Map given = options && options->type_index == TN_MAP ? Value::view(*options).ref<Map>() : Map();
      return static_cast<CodegenService*>(self)->generate(codegen, Builder::borrow(module), given);
    });
  };
}

Map CodegenService::generate(std::string_view codegen, const Node& module, const Map& options) {
  const PluginInfo& plugin = choose_plugin(session_.provider(), codegen, TN_CODEGEN, "a code generator",
                                           [](const PluginInfo&) { return false; });
  if (plugin.codegen->level != Level::kGraph)
    throw Error(TN_ERROR_UNSUPPORTED,
                "the code generator '" + plugin.id + "' takes loop functions, not graph functions", {},
                "name one whose manifest says level: graph");
  Map payload = session_.generate(module, plugin.id, options);
  return complete_payload(session_.builder(), session_.constant_store(), payload, plugin.id, module.to<ir::Module>());
}

}  // namespace tenon
