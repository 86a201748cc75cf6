// What the accelerator's compiler is to Tenon: the ONNX node of its domain, what it takes of a graph, and its code.
#include "partition.h"

namespace npu {
namespace {

constexpr tenon::OnnxRow<Compiler> converters[] = {{"Dense", &convert_dense}};
constexpr auto converter_table = tenon::onnx_converter<Compiler, converters>();
constexpr auto partitioner_table = tenon::partitioner<Compiler, &decide>();
constexpr auto codegen_table = tenon::codegen<Compiler, &generate>();

}  // namespace
}  // namespace npu

TENON_PLUGIN(npu::Compiler, npu::converter_table, npu::partitioner_table, npu::codegen_table)
