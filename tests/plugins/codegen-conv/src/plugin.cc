// Implements functions that compute relu(conv2d(x, w)): hands out the object of kernel.c and a table with the numbers
// of each function, read from its IR.
#include <tenon/codegen_plugin.h>

#include <algorithm>

#include "kernel.h"

namespace tenon {
namespace {

constexpr unsigned char kKernel[] = {
#include "kernel_object.inc"
};

struct CodegenConv : PluginInstance {
  using PluginInstance::PluginInstance;
};

// One function that is to be implemented.
struct Reader {
  std::string name;
  const relax::Function& f;
  std::vector<Node> calls;  // the operators, in the order of the program

  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(TN_ERROR_UNSUPPORTED, "function '" + name + "': " + why, {},
                "hand over what the pattern R.nn.relu(R.nn.conv2d(x, w)) matches, in float32 with known extents");
  }

  void read_calls() {
    auto* seq = f.body().as<relax::SeqExpr>();
    if (!seq) refuse("its body is no sequence of bindings");
    for (const Node& block : nodes(seq->blocks())) {
      auto* dataflow = block.as<relax::DataflowBlock>();
      for (const Node& n : nodes(dataflow ? dataflow->bindings() : block.to<relax::BindingBlock>().bindings())) {
        auto* binding = n.as<relax::VarBinding>();
        if (!binding || !binding->value().is<ir::Call>()) refuse("it does more than call operators");
        calls.push_back(binding->value());
      }
    }
  }

  static std::string_view op_of(const Node& call) {
    auto* op = call.to<ir::Call>().op().as<ir::Op>();
    return op ? op->id() : std::string_view();
  }

  // Four extents; -1 stands for a symbolic one where that is allowed.
  std::vector<int64_t> extents(const Node& value, bool any_batch) const {
    const Value& type = value.slot(0);
    auto* t = type.is_node() ? as_node(type).as<relax::TensorType>() : nullptr;
    if (!t || !t->shape().is_array() || t->shape().ref<Array>().size() != 4 || !t->dtype().is_dtype() ||
        !same_dtype(t->dtype().as_dtype(), kFloat32))
      refuse("an operand is no float32 tensor of four dimensions");
    std::vector<int64_t> out;
    for (const Node& d : nodes(t->shape().ref<Array>())) {
      auto* number = d.as<ir::IntImm>();
      if (!number && !(any_batch && out.empty())) refuse("an extent other than the batch is symbolic");
      out.push_back(number ? number->value() : -1);
    }
    return out;
  }

  // An attribute that is a list of `n` numbers; a shorter one is repeated.
  std::vector<int64_t> numbers(const ir::Call& call, const char* attr, size_t n, int64_t otherwise) const {
    std::vector<int64_t> out;
    const Value* v = call.attrs().find(attr);
    if (v && v->is_int()) out.push_back(v->as_int());
    if (v && v->is_array())
      for (const Value& item : v->ref<Array>())
        out.push_back(item.is_node() ? as_node(item).to<ir::IntImm>().value() : item.as_int());
    if (out.empty()) out.push_back(otherwise);
    while (out.size() < n) out.push_back(out[out.size() - (out.size() == 1 ? 1 : 2)]);
    if (out.size() != n) refuse(std::string("attribute ") + attr + " has a wrong number of numbers");
    return out;
  }

  ConvRow row(std::vector<Value>& constants) const {
    if (calls.size() != 2 || op_of(calls[0]) != "relax.nn.conv2d" || op_of(calls[1]) != "relax.nn.relu")
      refuse("it does not compute relu of conv2d");
    auto& conv = calls[0].to<ir::Call>();
    const Node &x = nodes(conv.args())[0], &w = nodes(conv.args())[1];
    std::vector<int64_t> in = extents(x, true), filter = extents(w, false);
    ConvRow r{};
    r.batch = in[0];
    r.channels = in[1];
    r.height = in[2];
    r.width = in[3];
    r.filters = filter[0];
    r.kernel_height = filter[2];
    r.kernel_width = filter[3];
    std::vector<int64_t> stride = numbers(conv, "strides", 2, 1), padding = numbers(conv, "padding", 4, 0),
                         dilation = numbers(conv, "dilation", 2, 1);
    r.stride_y = stride[0];
    r.stride_x = stride[1];
    r.pad_top = padding[0];
    r.pad_left = padding[1];
    r.pad_bottom = padding[2];
    r.pad_right = padding[3];
    r.dilation_y = dilation[0];
    r.dilation_x = dilation[1];
    const Value* groups = conv.attrs().find("groups");
    r.groups = groups ? groups->as_int() : 1;
    const NodeRange params = nodes(f.params());
    bool is_constant = w.is<ir::Constant>();
    if (params.size() != (is_constant ? 1u : 2u) || !params[0].same_as(x) || (!is_constant && !params[1].same_as(w)))
      refuse("its parameters are not the data and the weight");
    r.weight_constant = -1;
    if (is_constant) {
      r.weight_constant = static_cast<int64_t>(constants.size()) + 1;  // after the table
      constants.push_back(w.to<ir::Constant>().data());
    }
    return r;
  }
};

Value generate(CodegenConv& self, const CallArgs& args, const Node& module) {
  const Builder& b = self.builder();
  std::string fault(args.text("fault"));
  if (fault == "fails") throw Error(TN_ERROR_UNSUPPORTED, "the vendor's compiler ran out of registers", {}, "use less");
  std::vector<ConvRow> rows;
  std::vector<Value> constants;
  Builder::Entries exports;
  for (const Map::Entry& e : module.to<ir::Module>().functions()) {
    auto& f = as_node(e.value()).to<relax::Function>();
    Reader reader{std::string(e.key()), f, {}};
    reader.read_calls();
    if (rows.size() == CONV_ENTRIES)
      reader.refuse("one module may have " + std::to_string(CONV_ENTRIES) + " functions");
    exports.emplace_back(reader.name,
                         b.string("conv_relu_" + std::to_string(fault == "other-symbol" ? 99 : rows.size())));
    rows.push_back(reader.row(constants));
  }
  if (fault == "no-export") exports.clear();
  int64_t words = static_cast<int64_t>(rows.size() * sizeof(ConvRow) / sizeof(int64_t));
  DLTensor table{rows.data(), {kDLCPU, 0}, 1, kInt64, &words, nullptr, 0};
  constants.insert(constants.begin(), call([&](TnValue* r) { return b.ir()->constant(b.ir()->self, &table, r); }));
  Value bytes = call([&](TnValue* r) {
    return b.runtime()->bytes(reinterpret_cast<const char*>(kKernel), fault == "no-bytes" ? 0 : sizeof kKernel, r);
  });
  const char* format = fault == "other-format"   ? "com.vendor.image/1"
                       : fault == "newer-format" ? "com.example.npu-stream/2"
                                                 : "elf-object/1";
  return b.map({{"format", b.string(format)},
                {"bytes", bytes},
                {"exports", b.map(exports)},
                {"imports", b.array({})},
                {"constants", b.array(constants)},
                {"symbols", b.array({})}});
}

constexpr auto table = codegen<CodegenConv, &generate>();

}  // namespace
}  // namespace tenon

TENON_PLUGIN(tenon::CodegenConv, tenon::table)
