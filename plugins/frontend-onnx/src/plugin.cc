#include "importer.h"

namespace tenon::onnx {
namespace {

int import(void* instance, const TnContext* context, const TnModelSource* source, const TnValue*, TnValue* ret) {
  auto& self = *static_cast<FrontendOnnx*>(instance);
  return guard(self.runtime(), ret, [&] { return Importer(self, context, source).run(); });
}

constexpr TnFrontend table = {sizeof(TnFrontend), &import};

}  // namespace
}  // namespace tenon::onnx

TENON_PLUGIN(tenon::onnx::FrontendOnnx, "frontend-onnx", "0.1.0", {TN_FRONTEND, &tenon::onnx::table})
