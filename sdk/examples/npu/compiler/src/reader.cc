#include "reader.h"

#include <tenon/cxx/numbers.h>

#include <map>
#include <optional>

using namespace tenon;

namespace npu {
namespace {

class Reader {
 public:
  Reader(const std::string& name, const relax::Function& f) : name_(name), f_(f) {}

  Product read() {
    bind();
    NodeRange params = nodes(f_.params());
    if (params.size() != 1) refuse("it has " + std::to_string(params.size()) + " parameters, not one");
    p_.in = tensor(params[0], 8);
    const Node* at = &value_of(f_.body().to<relax::SeqExpr>().body());
    p_.out = tensor(*at, 0);
    at = &requantise(*at);
    if (const ir::Call* relu = call_of(*at, "relax.nn.relu")) {
      p_.command.flags |= NPU_RELU;
      at = &arg(*relu, 0);
    }
    const ir::Call* add = call_of(*at, "relax.add");
    if (add) at = &arg(*add, constant_of(arg(*add, 1)) ? 0 : 1);
    product(*at, params[0]);
    if (add) bias(arg(*add, constant_of(arg(*add, 1)) ? 1 : 0));
    if (p_.out.bits != (p_.command.flags & NPU_REQUANTISE ? 8 : 32))
      refuse("its result is neither int32 nor requantised");
    return std::move(p_);
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(TN_ERROR_UNSUPPORTED, "function '" + name_ + "' is not for the accelerator: " + why, {},
                "it takes a product of int8 with a constant weight, and bias, relu and a shift back to int8 after it");
  }

  // The variables and what they stand for.
  void bind() {
    const auto* seq = f_.body().as<relax::SeqExpr>();
    if (!seq) refuse("its body is no sequence of bindings");
    for (const Node& block : nodes(seq->blocks())) {
      const auto* dataflow = block.as<relax::DataflowBlock>();
      for (const Node& n : nodes(dataflow ? dataflow->bindings() : block.to<relax::BindingBlock>().bindings())) {
        const auto* binding = n.as<relax::VarBinding>();
        if (!binding) refuse("it does more than call operators");
        values_.emplace(binding->var().get(), binding->value());
      }
    }
  }
  // Views (ir::Call and such) look at a Node in its place: what is given on here stays where it is.
  const Node& value_of(const Node& n) const {
    const Node* at = &n;
    for (auto it = values_.find(at->get()); it != values_.end(); it = values_.find(at->get())) at = &it->second;
    return *at;
  }
  const Node& arg(const ir::Call& call, size_t i) const { return value_of(nodes(call.args())[i]); }
  static const ir::Call* call_of(const Node& n, std::string_view op) {
    const auto* call = n.as<ir::Call>();
    const auto* callee = call ? call->op().as<ir::Op>() : nullptr;
    return callee && callee->id() == op ? call : nullptr;
  }
  static const ir::Constant* constant_of(const Node& n) { return n.as<ir::Constant>(); }

  const relax::TensorType& type_of(const Node& n) const {
    const Value& type = n.slot(0);
    const auto* t = type.is_node() ? as_node(type).as<relax::TensorType>() : nullptr;
    if (!t || !t->shape().is_array() || !t->dtype().is_dtype()) refuse("a value has no shape or dtype that is known");
    return *t;
  }
  // With `bits`, it must have them.
  NpuTensor tensor(const Node& n, int bits) const {
    const relax::TensorType& t = type_of(n);
    const DLDataType d = t.dtype().as_dtype();
    if (d.code != kDLInt || (bits && d.bits != bits) || (d.bits != 8 && d.bits != 32))
      refuse("a value is " + dtype_text(d) + ", and what goes in is int8, what comes out int8 or int32");
    NpuTensor out{d.bits, 0, {}};
    for (const Node& extent : nodes(t.shape().ref<Array>())) {
      if (out.ndim == NPU_RANK) refuse("a value has more than four dimensions");
      const auto* number = extent.as<ir::IntImm>();
      if (!number && out.ndim) refuse("an extent other than the batch is symbolic");
      out.dims[out.ndim++] = number ? number->value() : -1;
    }
    if (!out.ndim) refuse("a value is a scalar");
    return out;
  }
  // The elements of a constant as numbers; its shape in `dims`.
  std::vector<int64_t> numbers(const ir::Constant& c, std::vector<int64_t>* dims) const {
    const relax::TensorType& t = type_of(Builder::borrow(c.get()));
    int64_t count = 1;
    for (const Node& extent : nodes(t.shape().ref<Array>())) {
      dims->push_back(extent.to<ir::IntImm>().value());
      count *= dims->back();
    }
    auto* data = reinterpret_cast<const TnConstant*>(c.data().raw().as.object);
    DLTensor view{const_cast<void*>(data->data), {kDLCPU, 0}, 1, t.dtype().as_dtype(), &count, nullptr, 0};
    std::vector<int64_t> out;
    for (int64_t i = 0; i < count; ++i) out.push_back(static_cast<int64_t>(element(view, i)));
    return out;
  }
  std::optional<int64_t> scalar(const Node& n) const {
    const ir::Constant* c = constant_of(n);
    std::vector<int64_t> dims;
    if (!c) return std::nullopt;
    std::vector<int64_t> all = numbers(*c, &dims);
    return all.size() == 1 ? std::optional(all[0]) : std::nullopt;
  }
  // What an operation with a number has as its other side.
  const Node& other_side(const ir::Call* call, int64_t* number, const char* what) const {
    if (!call) refuse(std::string("what makes int8 of the result lacks ") + what);
    for (size_t i : {size_t{1}, size_t{0}})
      if (std::optional<int64_t> n = scalar(arg(*call, i))) {
        *number = *n;
        return arg(*call, 1 - i);
      }
    refuse(std::string("what makes int8 of the result has no number in ") + what);
  }

  const Node& requantise(const Node& result) {
    const ir::Call* to_int8 = call_of(result, "relax.astype");
    if (!to_int8) return result;
    const ir::Call* clip = call_of(arg(*to_int8, 0), "relax.clip");
    auto bound = [&](const char* key) {
      const Value* v = clip ? clip->attrs().find(key) : nullptr;
      return !v ? 0.0 : v->is_int() ? static_cast<double>(v->as_int()) : v->as_float();
    };
    if (bound("min") != -128 || bound("max") != 127)
      refuse("int8 is made of the result without R.clip to -128 and 127");
    const ir::Call* divide = call_of(arg(*clip, 0), "relax.floor_divide");
    if (!divide) refuse("what makes int8 of the result lacks R.floor_divide");
    const std::optional<int64_t> by = scalar(arg(*divide, 1));
    int shift = 1;
    while (by && shift < 62 && (int64_t{1} << shift) != *by) ++shift;
    if (!by || (int64_t{1} << shift) != *by) refuse("R.floor_divide is not by a power of two");
    int64_t half = 0, multiplier = 0;
    const Node* at = &other_side(call_of(arg(*divide, 0), "relax.add"), &half, "R.add");
    if (half != int64_t{1} << (shift - 1)) refuse("what is added before the shift is not half of it");
    at = &other_side(call_of(*at, "relax.multiply"), &multiplier, "R.multiply");
    if (multiplier != static_cast<int32_t>(multiplier)) refuse("the multiplier does not fit into 32 bits");
    if (const ir::Call* wide = call_of(*at, "relax.astype")) at = &arg(*wide, 0);
    p_.command.flags |= NPU_REQUANTISE;
    p_.command.multiplier = static_cast<int32_t>(multiplier);
    p_.command.shift = shift;
    return *at;
  }

  // A weight: int8 as int32, or int32 that fits.
  void weight(const Node& n, std::vector<int64_t>* dims) {
    const ir::Call* cast = call_of(n, "relax.astype");
    const ir::Constant* c = constant_of(cast ? arg(*cast, 0) : n);
    if (!c) refuse("the weight is no constant");
    for (int64_t v : numbers(*c, dims)) {
      if (v != static_cast<int8_t>(v)) refuse("the weight does not fit into int8");
      p_.weight.push_back(static_cast<int8_t>(v));
    }
  }

  void product(const Node& n, const Node& x) {
    const ir::Call *matmul = call_of(n, "relax.matmul"), *conv = call_of(n, "relax.nn.conv2d");
    if (!matmul && !conv) refuse("it computes no product");
    const ir::Call& call = matmul ? *matmul : *conv;
    const ir::Call* cast = call_of(arg(call, 0), "relax.astype");
    if (!cast || !arg(*cast, 0).same_as(x)) refuse("what enters the product is not the parameter as int32");
    std::vector<int64_t> w;
    weight(arg(call, 1), &w);
    NpuCommand& c = p_.command;
    c.x = 0;
    c.out = 1;
    if (matmul) {
      if (w.size() != 2) refuse("the weight of R.matmul is no matrix");
      c.op = NPU_GEMM;
      c.k = static_cast<int32_t>(w[0]);
      c.n = static_cast<int32_t>(w[1]);
      p_.row_stride = w[1];
      p_.column_stride = 1;
      return;
    }
    if (w.size() != 4 || p_.in.ndim != 4) refuse("R.nn.conv2d is not of four dimensions");
    auto list = [&](const char* key, size_t i, int64_t otherwise) {
      const Value* v = call.attrs().find(key);
      if (v && v->is_int()) return v->as_int();
      if (!v || !v->is_array() || v->ref<Array>().empty()) return otherwise;
      const Array& a = v->ref<Array>();
      const Value& item = a[i % a.size()];
      return item.is_node() ? as_node(item).to<ir::IntImm>().value() : item.as_int();
    };
    const Value* groups = call.attrs().find("groups");
    if ((groups && groups->as_int() != 1) || list("dilation", 0, 1) != 1 || list("dilation", 1, 1) != 1)
      refuse("groups and dilation are not for the accelerator");
    c.op = NPU_CONV;
    c.k = static_cast<int32_t>(w[1] * w[2] * w[3]);
    c.n = static_cast<int32_t>(w[0]);
    c.channels = static_cast<int32_t>(w[1]);
    c.kernel_h = static_cast<int32_t>(w[2]);
    c.kernel_w = static_cast<int32_t>(w[3]);
    c.height = static_cast<int32_t>(p_.in.dims[2]);
    c.width = static_cast<int32_t>(p_.in.dims[3]);
    c.stride_h = static_cast<int32_t>(list("strides", 0, 1));
    c.stride_w = static_cast<int32_t>(list("strides", 1, 1));
    c.pad_top = static_cast<int32_t>(list("padding", 0, 0));
    c.pad_left = static_cast<int32_t>(list("padding", 1, 0));
    c.out_h = static_cast<int32_t>(p_.out.dims[2]);
    c.out_w = static_cast<int32_t>(p_.out.dims[3]);
    p_.row_stride = 1;
    p_.column_stride = c.k;
  }

  void bias(const Node& n) {
    const ir::Constant* c = constant_of(n);
    if (!c) refuse("the bias is no constant");
    std::vector<int64_t> dims;
    std::vector<int64_t> values = numbers(*c, &dims);
    // One value for each column: along the last axis of a matrix, along the channels of an image.
    const size_t axis = p_.command.op == NPU_CONV ? 3 : 1;
    bool right = static_cast<int64_t>(values.size()) == p_.command.n && dims.size() >= axis && dims.size() <= 4;
    for (size_t i = 0; i < dims.size(); ++i) right = right && (dims[i] == 1 || i + axis == dims.size());
    if (!right) refuse("the bias has not one value for each column");
    for (int64_t v : values) p_.bias.push_back(static_cast<int32_t>(v));
    p_.command.flags |= NPU_BIAS;
  }

  const std::string& name_;
  const relax::Function& f_;
  std::map<const TnNode*, Node> values_;
  Product p_;
};

}  // namespace

Product read_product(const std::string& name, const relax::Function& f) { return Reader(name, f).read(); }

}  // namespace npu
