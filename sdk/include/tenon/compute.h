// Writes an operator's meaning as a loop function of plain blocks. One definition gives both the type and the code:
//
//   void relu(Compute& f) {
//     const Tensor& x = f.in(0);
//     Tensor y = f.output(x.shape, x.dtype);
//     f.spatial(y, "relu", [&](const Indices& i) { return f.b.max(x(i), f.b.constant_of(0, x.dtype)); });
//   }
//
// The function's parameters are the tensors among the call's arguments, in order and with tuples flattened, then the
// outputs. Symbolic dimensions are the variables of the graph: whoever places the function in a module renames them.
#ifndef TENON_SDK_COMPUTE_H
#define TENON_SDK_COMPUTE_H

#include <tenon/plugin.h>

#include <functional>

namespace tenon {

using Indices = std::vector<Node>;
using Shape = std::vector<Node>;

// A tensor at the point where its elements are computed: a buffer, and how it is read.
struct Tensor {
  const Builder* b;
  Node buffer;
  Shape shape;
  DLDataType dtype;
  size_t rank() const { return shape.size(); }
  Node operator()(const Indices& i) const { return b->load(buffer, b->array(i)); }
};

class Compute {
 public:
  enum class Want { kFunction, kTypes };

  Compute(const PluginInstance& plugin, const Node& call, Want want)
      : b(plugin.builder()),
        call_(call.to<ir::Call>()),
        want_(want),
        arith_(&plugin.service<TnHostArith>().required()),
        op_(call_.op().to<ir::Op>().id()) {
    for (const Node& arg : nodes(call_.args())) add_argument(arg);
  }

  const Builder& b;

  // ---- What the operator is called with
  std::string_view op() const { return op_; }
  size_t inputs() const { return inputs_.size(); }
  const Tensor& in(size_t i) const {
    if (i >= inputs_.size()) refuse(TN_ERROR_ARGUMENT, "needs at least " + std::to_string(i + 1) + " tensor arguments");
    return inputs_[i];
  }
  // The values of the i-th argument that is a shape.
  const Shape& shape_argument(size_t i) const {
    if (i >= shapes_.size()) refuse(TN_ERROR_ARGUMENT, "needs a shape argument whose values are known");
    return shapes_[i];
  }
  const Value* attr(std::string_view name) const {
    const Value* v = call_.attrs().find(name);
    return v && !v->is_none() ? v : nullptr;
  }
  int64_t attr_int(std::string_view name, int64_t otherwise) const {
    const Value* v = attr(name);
    return v ? v->as_int() : otherwise;
  }
  double attr_float(std::string_view name, double otherwise) const {
    const Value* v = attr(name);
    return v ? v->as_float() : otherwise;
  }
  std::string_view attr_text(std::string_view name, std::string_view otherwise) const {
    const Value* v = attr(name);
    return v ? v->as_string() : otherwise;
  }
  // A list of integers; a single integer stands for a list of one.
  std::vector<int64_t> attr_ints(std::string_view name, std::vector<int64_t> otherwise) const {
    const Value* v = attr(name);
    if (!v) return otherwise;
    if (!v->is_array()) return {v->as_int()};
    std::vector<int64_t> out;
    for (const Value& item : v->ref<Array>()) out.push_back(item.as_int());
    return out;
  }

  // Ends the definition: the operator does not accept its arguments.
  [[noreturn]] void refuse(int32_t code, const std::string& why, const std::string& hint = {}) const {
    const TnSpan* s = call_.span();
    throw Error(code, std::string(op_) + ": " + why,
                s ? std::string(s->source) + ":" + std::to_string(s->line) + ":" + std::to_string(s->column) : "",
                hint);
  }

  // ---- What it gives
  Tensor output(const Shape& shape, DLDataType dtype) {
    outputs_.push_back(tensor("out" + (outputs_.empty() ? "" : std::to_string(outputs_.size())), shape, dtype));
    return outputs_.back();
  }
  // A tensor between two stages.
  Tensor temporary(std::string_view name, const Shape& shape, DLDataType dtype) {
    temporaries_.push_back(tensor(name, shape, dtype));
    return temporaries_.back();
  }
  // out[i] = value(i) for every index.
  void spatial(const Tensor& out, std::string_view name, const std::function<Node(const Indices&)>& value) {
    if (want_ == Want::kTypes) return;
    stage(out, name, {}, Node(), [&](const Indices& i, const Indices&) { return value(i); });
  }
  // out[i] = init, then out[i] = combine(out[i], value(i, r)) over the reduction extents.
  void reduce(const Tensor& out, std::string_view name, const Shape& extents, const Node& init,
              const std::function<Node(const Node&, const Node&)>& combine,
              const std::function<Node(const Indices&, const Indices&)>& value) {
    if (want_ == Want::kTypes) return;
    stage(out, name, extents, init, [&](const Indices& i, const Indices& r) { return combine(out(i), value(i, r)); });
  }
  void sum(const Tensor& out, std::string_view name, const Shape& extents,
           const std::function<Node(const Indices&, const Indices&)>& value) {
    reduce(
        out, name, extents, b.constant_of(0, out.dtype), [&](const Node& a, const Node& v) { return b.add(a, v); },
        value);
  }

  // ---- Dimensions
  Node dim(int64_t value) const { return b.imm(value); }
  static std::optional<int64_t> constant(const Node& n) {
    if (auto* i = n.as<ir::IntImm>()) return i->value();
    return std::nullopt;
  }
  static bool is_one(const Node& n) { return constant(n) == 1; }
  // Inside a stage, its indices are known to lie in their extents.
  Node simplify(const Node& e) const {
    if (e.is<ir::IntImm>() || e.is<ir::Var>()) return e;
    Analysis a(arith_);
    Node zero = dim(0);
    for (const auto& [index, extent] : index_ranges_)
      call([&](TnValue* ret) { return arith_->bind_range(a.analyzer, index.get(), zero.get(), extent.get(), ret); });
    Value v = call([&](TnValue* ret) { return arith_->simplify(a.analyzer, e.get(), ret); });
    return v.ref<Node>();
  }
  bool same(const Node& x, const Node& y) const {
    if (x.same_as(y)) return true;
    if (auto cx = constant(x), cy = constant(y); cx && cy) return *cx == *cy;
    Analysis a(arith_);
    Node equal = b.eq(x, y);
    return arith_->can_prove(a.analyzer, equal.get()) == 1;
  }
  Node product(const Shape& dims) const {
    Node p = dim(1);
    for (const Node& d : dims) p = is_one(p) ? d : b.mul(p, d);
    return simplify(p);
  }
  std::string text(const Shape& shape) const {
    std::string s = "(";
    for (const Node& d : shape) {
      if (s.size() > 1) s += ", ";
      Value v = Value(d);
      s += call([&](TnValue* ret) {
             Value none;
             return b.ir()->print(b.ir()->self, v.ptr(), none.ptr(), ret);
           }).as_string();
    }
    return s + ")";
  }
  // A negative axis counts from the end.
  size_t axis(int64_t a, size_t rank) const {
    int64_t at = a < 0 ? a + static_cast<int64_t>(rank) : a;
    if (at < 0 || at >= static_cast<int64_t>(rank))
      refuse(TN_ERROR_SHAPE, "axis " + std::to_string(a) + " is outside a tensor of rank " + std::to_string(rank));
    return static_cast<size_t>(at);
  }

  // ---- The definition as a value: the tir.PrimFunc, or the type of the result (a tuple type for several outputs)
  Value result() const {
    if (want_ == Want::kTypes) {
      std::vector<Node> types;
      for (const Tensor& t : outputs_)
        types.push_back(
            b.make<relax::TensorType>({b.array(t.shape), t.dtype, static_cast<int64_t>(t.rank()), b.map({})}));
      return types.size() == 1 ? Value(types[0]) : Value(b.make<relax::TupleType>({b.array(types)}));
    }
    std::vector<Node> params, allocs;
    for (const Tensor& t : inputs_) params.push_back(t.buffer);
    for (const Tensor& t : outputs_) params.push_back(t.buffer);
    for (const Tensor& t : temporaries_) allocs.push_back(t.buffer);
    Node body = b.seq(stages_);
    if (!allocs.empty()) {
      Node root = b.make<tir::Block>(
          {"root", b.array({}), b.array(allocs), b.array({}), b.array({}), b.array({}), b.map({}), Value(), body});
      body = b.make<tir::BlockRealize>({b.array({}), b.imm(1, kBool), root});
    }
    return b.make<tir::PrimFunc>({b.array(params), b.map({}), Value(), body}, call_.span());
  }

 private:
  struct Analysis {
    explicit Analysis(const TnHostArith* t) : table(t), analyzer(t->create(t->self)) {
      if (!analyzer) throw std::bad_alloc();
    }
    ~Analysis() { table->destroy(analyzer); }
    const TnHostArith* table;
    TnAnalyzer* analyzer;
  };

  Tensor tensor(std::string_view name, const Shape& shape, DLDataType dtype) const {
    Shape simple;
    for (const Node& d : shape) simple.push_back(simplify(d));
    return {&b, b.buffer(name, dtype, b.array(simple)), simple, dtype};
  }

  void add_argument(const Node& arg) {
    if (auto* shape = arg.as<relax::ShapeExpr>()) {
      shapes_.emplace_back();
      for (const Node& d : nodes(shape->values())) shapes_.back().push_back(d);
      return;
    }
    const Value& type = arg.slot(0);
    if (!type.is_node())
      refuse(TN_ERROR_TYPE, "an argument has no type",
             "the types are inferred by the pass that normalises graph functions, passes-graph:normalize");
    if (auto* fields = arg.as<relax::Tuple>()) {
      for (const Node& f : nodes(fields->fields())) add_argument(f);
      return;
    }
    if (auto* s = as_node(type).as<relax::ShapeType>(); s && !s->values().is_none()) {
      shapes_.emplace_back();
      for (const Node& d : nodes(s->values().ref<Array>())) shapes_.back().push_back(d);
      return;
    }
    auto* t = as_node(type).as<relax::TensorType>();
    const std::string which = "argument " + std::to_string(inputs_.size());
    if (as_node(type).is<relax::AnyType>())
      refuse(TN_ERROR_TYPE, "the type of " + which + " is not known",
             "annotate the variable, or the result of the function that gives it: -> R.Tensor(...)");
    if (!t) refuse(TN_ERROR_TYPE, which + " is not a tensor");
    if (t->shape().is_none() || t->dtype().is_none())
      refuse(TN_ERROR_SHAPE, "the shape or dtype of " + which + " is not known", "bring it in with R.match_cast");
    Shape shape;
    for (const Node& d : nodes(t->shape().ref<Array>())) shape.push_back(d);
    std::string name = "in" + std::to_string(inputs_.size());
    if (auto* v = arg.as<ir::Var>()) name = v->name();
    inputs_.push_back(tensor(name, shape, t->dtype().as_dtype()));
  }

  void stage(const Tensor& out, std::string_view name, const Shape& reduce_extents, const Node& init,
             const std::function<Node(const Indices&, const Indices&)>& value) {
    std::vector<Node> loop_vars, iter_vars;
    std::vector<Value> bindings;
    Indices spatial, reduce;
    auto axis = [&](const Node& extent, int64_t kind, size_t at) {
      std::string suffix = (kind == TN_ITER_REDUCE ? "r" : "i") + std::to_string(at);
      Node loop = b.var(suffix), iter = b.var("v" + suffix);
      Node domain = b.make<ir::Range>({b.imm(0), extent});
      iter_vars.push_back(b.make<tir::IterVar>({domain, kind, iter}));
      loop_vars.push_back(loop);
      bindings.push_back(loop);
      index_ranges_.emplace_back(iter, extent);
      (kind == TN_ITER_REDUCE ? reduce : spatial).push_back(iter);
    };
    for (size_t d = 0; d < out.rank(); ++d) axis(out.shape[d], TN_ITER_SPATIAL, d);
    for (size_t d = 0; d < reduce_extents.size(); ++d) axis(reduce_extents[d], TN_ITER_REDUCE, d);
    Array at = b.array(spatial);
    Node stored = value(spatial, reduce);
    index_ranges_.clear();
    Value initial = init ? Value(b.store(out.buffer, at, init)) : Value();
    Node block =
        b.make<tir::Block>({b.string(name), b.array(iter_vars), b.array({}), b.array({}), reads(stored, out.buffer),
                            b.array({region(out.buffer, at)}), b.map({}), initial, b.store(out.buffer, at, stored)});
    Node body = b.make<tir::BlockRealize>({b.array(bindings), b.imm(1, kBool), block});
    for (size_t d = loop_vars.size(); d-- > 0;)
      body = b.loop(loop_vars[d], d < out.rank() ? out.shape[d] : reduce_extents[d - out.rank()], body);
    stages_.push_back(body);
  }

  // The single element of `buffer` at `at`, as a region.
  Node region(const Node& buffer, const Array& at) const {
    std::vector<Node> ranges;
    for (const Node& i : nodes(at)) ranges.push_back(b.make<ir::Range>({i, b.imm(1)}));
    return b.make<tir::BufferRegion>({buffer, b.array(ranges)});
  }

  // What the stored value reads, each region once, in order of appearance; the block's own output is left out.
  Array reads(const Node& stored, const Node& out) const {
    std::vector<Node> regions;
    b.walk(Value(stored), [&](const Node& n) {
      auto* load = n.as<tir::BufferLoad>();
      if (!load || load->buffer().same_as(out)) return;
      Node r = region(load->buffer(), load->indices());
      for (const Node& known : regions) {
        Value x(known), y(r);
        if (call([&](TnValue* ret) {
              return b.ir()->structural_equal(b.ir()->self, x.ptr(), y.ptr(), 0, ret);
            }).is_none())
          return;
      }
      regions.push_back(r);
    });
    return b.array(regions);
  }

  ir::Call call_;
  Want want_;
  const TnHostArith* arith_;
  std::string_view op_;
  std::vector<Tensor> inputs_, outputs_, temporaries_;
  std::vector<Shape> shapes_;
  std::vector<Node> stages_;
  std::vector<std::pair<Node, Node>> index_ranges_;  // of the stage being defined
};

// A row of an operator plugin: the id and its definition.
struct OpDefinition {
  const char* id;
  void (*define)(Compute& f);
};

template <class Instance, const auto& rows, Compute::Want want>
int run_op_row(void* instance, const TnContext*, const TnNode* call, TnValue* ret) {
  auto& self = *static_cast<Instance*>(instance);
  return guard(self.runtime(), ret, [&]() -> Value {
    Compute f(self, Builder::borrow(call), want);
    for (const OpDefinition& row : rows) {
      if (row.id != f.op()) continue;
      row.define(f);
      return f.result();
    }
    throw Error(TN_ERROR_NOT_FOUND, "this library defines no operator " + std::string(f.op()), {},
                "its manifest lists an operator that its table does not");
  });
}

// The capability table "tenon.op/1" made from rows.
template <class Instance, const auto& rows>
constexpr TnOp op_table() {
  return {sizeof(TnOp), &run_op_row<Instance, rows, Compute::Want::kTypes>,
          &run_op_row<Instance, rows, Compute::Want::kFunction>, nullptr};
}

}  // namespace tenon
#endif
