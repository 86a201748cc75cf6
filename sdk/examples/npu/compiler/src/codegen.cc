// tenon.codegen/1: the graph functions that ask for the accelerator become one command stream, and packed weights.
#include <cstring>

#include "partition.h"

using namespace tenon;

namespace {

template <class T>
Value constant(const Builder& b, const std::vector<T>& data) {
  int64_t count = static_cast<int64_t>(data.size());
  DLTensor t{const_cast<T*>(data.data()), {kDLCPU, 0}, 1, {kDLInt, sizeof(T) * 8, 1}, &count, nullptr, 0};
  return call([&](TnValue* ret) { return b.ir()->constant(b.ir()->self, &t, ret); });
}

template <class T>
void append(std::string& out, const T& part) {
  out.append(reinterpret_cast<const char*>(&part), sizeof part);
}

}  // namespace

Value npu::generate(Compiler& self, const CallArgs& args, const Node& module) {
  const Builder& b = self.builder();
  const int64_t lanes = args.number("lanes");
  std::string functions, commands;
  uint32_t count = 0;
  int64_t sram = 0;
  std::vector<Value> constants;
  Builder::Entries exports;
  for (const Map::Entry& e : module.to<ir::Module>().functions()) {
    const std::string name(e.key());
    if (constants.size() > 253)
      throw Error(TN_ERROR_LIMIT, "a command stream names at most 255 constants", {}, "hand over fewer functions");
    npu::Product p = npu::read_product(name, as_node(e.value()).to<relax::Function>());
    std::vector<int8_t> packed(npu_packed_bytes(lanes, p.command.k, p.command.n));
    npu_pack(lanes, p.command.k, p.command.n, p.weight.data(), p.row_stride, p.column_stride, packed.data());
    p.command.weight = static_cast<uint8_t>(constants.size());
    constants.push_back(constant(b, packed));
    if (!p.bias.empty()) {
      p.command.bias = static_cast<uint8_t>(constants.size());
      constants.push_back(constant(b, p.bias));
    }
    NpuFunction f{};
    const std::string symbol = "npu_" + std::to_string(count);
    std::memcpy(f.symbol, symbol.c_str(), symbol.size());
    f.inputs = f.outputs = 1;
    f.tensors[0] = p.in;
    f.tensors[1] = p.out;
    f.first_command = count++;
    f.command_count = 1;
    append(functions, f);
    append(commands, p.command);
    exports.emplace_back(name, b.string(symbol));
    sram = std::max<int64_t>(sram, (p.command.k + 3) / 4 * 4 * (lanes + 1));  // a panel of weights and a row
  }
  std::string bytes;
  append(bytes, NpuHeader{NPU_MAGIC, static_cast<uint32_t>(lanes), count, count});
  bytes += functions + commands;
  return b.map(
      {{"format", b.string(NPU_FORMAT)},
       {"device", b.string(NPU_KIND)},
       {"requirements",
        Value(b.map({{"family", b.string(NPU_FAMILY)}, {"lanes", Value(lanes)}, {"sram_bytes", Value(sram)}}))},
       {"bytes", call([&](TnValue* r) { return b.runtime()->bytes(bytes.data(), bytes.size(), r); })},
       {"exports", Value(b.map(exports))},
       {"imports", b.array({})},
       {"constants", b.array(constants)},
       {"symbols", b.array({})}});
}
