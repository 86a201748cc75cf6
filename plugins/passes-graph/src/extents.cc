#include "extents.h"

#include "sequences.h"

namespace tenon::graph {
namespace {

class ExtentChecks {
 public:
  explicit ExtentChecks(const PassesGraph& self) : b_(self.builder()), extents_(self) {}

  Node sequence(const Node& e) {
    const size_t outside = checked_.size();
    Node made = with_bindings(
        b_, e, [&](const Node& n, std::vector<Node>& out) { binding(n, out); }, [](const Node&) { return true; });
    checked_.resize(outside);  // what a branch has checked holds within it
    return made;
  }

 private:
  void binding(const Node& n, std::vector<Node>& out) {
    auto* vb = n.as<relax::VarBinding>();
    if (vb && vb->value().is<relax::If>())
      return out.push_back(with_branches(b_, *vb, [&](const Node& e) { return sequence(e); }));
    if (vb && vb->value().is<ir::Call>()) {
      std::vector<Node> wanted;
      const auto& var = vb->var().to<ir::Var>();
      if (var.type().is_node()) collect(as_node(var.type()), wanted);
      if (!wanted.empty()) out.push_back(check(wanted, std::string(var.name()) + "_fits", n.span()));
    }
    out.push_back(n);
  }

  // The extents of a type that nothing has checked yet.
  void collect(const Node& type, std::vector<Node>& out) {
    if (auto* tuple = type.as<relax::TupleType>())
      for (const Node& f : nodes(tuple->fields())) collect(f, out);
    auto* tensor = type.as<relax::TensorType>();
    if (!tensor || !tensor->shape().is_array()) return;
    for (const Node& d : nodes(tensor->shape().ref<Array>())) {
      if (d.is<ir::IntImm>() || d.is<ir::Var>()) continue;
      bool known = false;
      for (const Node& c : checked_) known = known || (c.hash() == d.hash() && !b_.difference(Value(c), Value(d)));
      if (known) continue;
      checked_.push_back(d);
      if (extents_.may_be_negative(d)) out.push_back(d);
    }
  }

  Node check(const std::vector<Node>& wanted, const std::string& name, const TnSpan* span) const {
    std::vector<Node> had;
    for (const Node& d : wanted) had.push_back(b_.max(d, b_.imm(0)));
    auto shape_type = [&](const std::vector<Node>& dims) {
      return b_.make<relax::ShapeType>({b_.array(dims), static_cast<int64_t>(dims.size())});
    };
    const Node type = shape_type(wanted), value = b_.make<relax::ShapeExpr>({shape_type(had), b_.array(had)});
    return b_.make<relax::MatchCast>({value, type, b_.make<ir::Var>({type, b_.string(name)})}, span);
  }

  const Builder& b_;
  Extents extents_;
  std::vector<Node> checked_;
};

}  // namespace

bool Extents::may_be_negative(const Node& extent) {
  if (auto* n = extent.as<ir::IntImm>()) return n->value() < 0;
  b_.walk(Value(extent), [&](const Node& n) {
    if (!n.is<ir::Var>()) return;
    for (const Node& known : sizes_)
      if (known.same_as(n)) return;
    sizes_.push_back(n);
    arith_.enter(b_.le(b_.imm(0, n.dtype()), n));
  });
  return arith_.bounds(extent).min < 0;
}

Node with_checked_extents(const PassesGraph& self, const Node& function) {
  const auto& f = function.to<relax::Function>();
  if (is_primitive(f.attrs()) || f.attrs().find("codegen") || f.attrs().find("composite")) return function;
  const Builder& b = self.builder();
  Node body = ExtentChecks(self).sequence(f.body());
  return body.same_as(f.body()) ? function : b.with(function, relax::FunctionSlot::body, body);
}

bool is_extent_check(const Builder& b, const Node& wanted, const Node& had) {
  auto* max = had.as<tir::Max>();
  return max && max->b().is<ir::IntImm>() && !b.difference(Value(max->a()), Value(wanted));
}

}  // namespace tenon::graph
