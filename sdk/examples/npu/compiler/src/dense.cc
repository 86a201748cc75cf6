// Dense of the domain com.example.npu: int8 x [rows, k] and weight [k, n], int32 bias [n]; relu; with a shift, int8
// again:
//   clamp((y * multiplier + (1 << (shift - 1))) >> shift, -128, 127)
// It becomes operators that everybody knows, so that any machine computes it.
#include "partition.h"

using namespace tenon;

namespace npu {

namespace {

Node number(const Builder& b, int64_t value) {
  DLTensor t{&value, {kDLCPU, 0}, 0, kInt64, nullptr, nullptr, 0};
  Value bytes = call([&](TnValue* ret) { return b.ir()->constant(b.ir()->self, &t, ret); });
  return b.make<ir::Constant>({b.make<relax::TensorType>({b.array({}), kInt64, int64_t{0}, b.map({})}), bytes});
}

}  // namespace

std::vector<Node> convert_dense(Compiler& self, const OnnxNodeArgs& n) {
  const Builder& b = self.builder();
  auto attribute = [&](const char* name, int64_t otherwise) {
    const Value* v = n.attribute(name);
    if (v && !v->is_int()) throw Error(TN_ERROR_TYPE, std::string("the attribute '") + name + "' is no integer");
    return v ? v->as_int() : otherwise;
  };
  auto as = [&](const Node& x, const char* dtype) { return n.call("relax.astype", {x}, {{"dtype", b.string(dtype)}}); };
  Node y = n.call("relax.matmul", {as(n.input(0), "int32"), as(n.input(1), "int32")});
  y = n.call("relax.add", {y, n.input(2)});
  if (attribute("relu", 0)) y = n.call("relax.nn.relu", {y});
  const int64_t shift = attribute("shift", 0);
  if (shift < 0 || shift > 62) throw Error(TN_ERROR_ARGUMENT, "the shift is not between 0 and 62");
  if (!shift) return {y};
  y = n.call("relax.multiply", {as(y, "int64"), number(b, attribute("multiplier", 1))});
  y = n.call("relax.add", {y, number(b, int64_t{1} << (shift - 1))});
  y = n.call("relax.floor_divide", {y, number(b, int64_t{1} << shift)});
  return {as(n.call("relax.clip", {y}, {{"min", Value(-128.0)}, {"max", Value(127.0)}}), "int8")};
}

}  // namespace npu
