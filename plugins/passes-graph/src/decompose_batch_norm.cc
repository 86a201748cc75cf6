// Batch normalisation as a product and a sum with values per channel, which are known while compiling when its
// parameters are.
#include "sequences.h"

namespace tenon::graph {
namespace {

class Decomposer {
 public:
  Decomposer(PassesGraph& self, const PassArgs& args) : self_(self), args_(args), b_(self.builder()) {}

  Node sequence(const Node& e) {
    return with_bindings(
        b_, e, [&](const Node& n, std::vector<Node>& out) { out.push_back(binding(n, out)); },
        [](const Node&) { return true; });
  }

 private:
  Node binding(const Node& n, std::vector<Node>& out) {
    auto* vb = n.as<relax::VarBinding>();
    if (!vb) return n;
    if (vb->value().is<relax::If>()) return with_branches(b_, *vb, [&](const Node& e) { return sequence(e); });
    if (op_of(vb->value()) != "relax.nn.batch_norm_inference") return n;
    auto& norm = vb->value().to<ir::Call>();
    auto* type = norm.type().is_node() ? as_node(norm.type()).as<relax::TensorType>() : nullptr;
    if (!type || !type->shape().is_array() || !type->dtype().is_dtype()) return n;
    DLDataType dtype = type->dtype().as_dtype();
    if (!same_dtype(dtype, kFloat32) && !same_dtype(dtype, kFloat64)) return n;

    const auto args = nodes(norm.args());
    const Value *axis_attr = norm.attrs().find("axis"), *epsilon_attr = norm.attrs().find("epsilon");
    const Array& shape = type->shape().ref<Array>();
    auto rank = static_cast<int64_t>(shape.size());
    int64_t axis = axis_attr ? number(*axis_attr) : 1;
    if (axis < 0) axis += rank;
    auto bind = [&](const char* name, const Node& value) {
      Node var = b_.make<ir::Var>({value.slot(0), b_.string(name)}, n.span());
      out.push_back(b_.make<relax::VarBinding>({value, var}, n.span()));
      return var;
    };
    Node sum = bind("variance", call("relax.add", {args[4], scalar(epsilon_attr ? real(*epsilon_attr) : 1e-5, dtype)}));
    Node a = bind("scale", call("relax.divide", {args[1], bind("deviation", call("relax.sqrt", {sum}))}));
    Node b = bind("shift", call("relax.subtract", {args[2], bind("mean", call("relax.multiply", {args[3], a}))}));
    if (axis + 1 < rank) {
      std::vector<Node> extents{nodes(shape)[static_cast<size_t>(axis)]};
      for (int64_t d = axis + 1; d < rank; ++d) extents.push_back(b_.imm(1));
      Value shape_type = b_.make<relax::ShapeType>({Value(b_.array(extents)), static_cast<int64_t>(extents.size())});
      Node to = b_.make<relax::ShapeExpr>({shape_type, b_.array(extents)});
      a = bind("scale", call("relax.reshape", {a, to}));
      b = bind("shift", call("relax.reshape", {b, to}));
    }
    Node scaled = bind("scaled", call("relax.multiply", {args[0], a}));
    return b_.make<relax::VarBinding>({call("relax.add", {scaled, b}), vb->var()}, n.span());
  }

  static int64_t number(const Value& v) { return v.is_node() ? as_node(v).to<ir::IntImm>().value() : v.as_int(); }
  static double real(const Value& v) { return v.is_node() ? as_node(v).to<ir::FloatImm>().value() : v.as_float(); }

  Node call(const char* op, const std::vector<Node>& args) const {
    Node made = b_.make<ir::Call>({Value(), b_.make<ir::Op>({Value(), op}), b_.array(args), b_.map({}), b_.array({})});
    Value type = tenon::call(
        [&](TnValue* ret) { return self_.ops->infer_type(self_.ops->self, args_.context, made.get(), ret); });
    return b_.with(made, ir::Call::Slot::type, type);
  }

  Node scalar(double value, DLDataType dtype) const {
    auto narrow = static_cast<float>(value);
    bool is_narrow = same_dtype(dtype, kFloat32);
    DLTensor t{};
    t.data = is_narrow ? static_cast<void*>(&narrow) : &value;
    t.device = {kDLCPU, 0};
    t.dtype = dtype;
    Value data = tenon::call([&](TnValue* ret) { return b_.ir()->constant(b_.ir()->self, &t, ret); });
    return b_.make<ir::Constant>(
        {b_.make<relax::TensorType>({Value(b_.array({})), dtype, int64_t{0}, b_.map({})}), data});
  }

  PassesGraph& self_;
  const PassArgs& args_;
  const Builder& b_;
};

}  // namespace

Value decompose_batch_norm(PassesGraph& self, const PassArgs& args, const Node& function) {
  auto& f = function.to<relax::Function>();
  Node body = Decomposer(self, args).sequence(f.body());
  if (body.same_as(f.body())) return f;
  return self.builder().with(f, relax::Function::Slot::body, body);
}

}  // namespace tenon::graph
