// The parts of the compiler's plugin: plugin.cc puts them together.
#ifndef EXAMPLE_NPU_PARTITION_H
#define EXAMPLE_NPU_PARTITION_H

#include <tenon/codegen_plugin.h>
#include <tenon/onnx_converter_plugin.h>
#include <tenon/partitioner_plugin.h>

#include "reader.h"

namespace npu {

struct Compiler : tenon::PluginInstance {
  using PluginInstance::PluginInstance;
};

tenon::Value generate(Compiler& self, const tenon::CallArgs& args, const tenon::Node& module);
tenon::Decision decide(Compiler& self, const tenon::CallArgs& args, std::string_view pattern,
                       const tenon::relax::Function& candidate);
// The ONNX node Dense(x, weight, bias) of the domain com.example.npu.
std::vector<tenon::Node> convert_dense(Compiler& self, const tenon::OnnxNodeArgs& node);

}  // namespace npu
#endif
