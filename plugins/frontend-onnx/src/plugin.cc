#include "importer.h"

namespace tenon::onnx {
namespace {

int import(void* instance, const TnContext* context, const TnModelSource* source, const TnValue*, TnValue* ret) {
  auto& self = *static_cast<FrontendOnnx*>(instance);
  return guard(self.runtime(), ret, [&] { return Importer(self, context, source).run(); });
}

constexpr auto table = make_table<TnFrontend>(&import);

}  // namespace
}  // namespace tenon::onnx

TENON_PLUGIN(tenon::onnx::FrontendOnnx, tenon::onnx::table)
