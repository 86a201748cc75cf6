#include "evaluate.h"

namespace tenon::graph {

bool extents_of(const Array& shape, std::vector<int64_t>& out) {
  for (const Node& d : nodes(shape)) {
    auto* imm = d.as<ir::IntImm>();
    if (!imm) return false;
    out.push_back(imm->value());
  }
  return true;
}

Evaluator::Evaluator(PassesGraph& self, const PassArgs& args, const ir::Module& module)
    : self_(self),
      args_(args),
      b_(self.builder()),
      module_(module),
      execute_(&self.service<TnHostExecute>().required()),
      constants_(&self.service<TnHostConstants>().required()) {
  if (!execute_ || !constants_)
    throw Error(TN_ERROR_UNSUPPORTED, "the host offers no " +
                                          std::string(execute_ ? TN_HOST_CONSTANTS : TN_HOST_EXECUTE) +
                                          ", so nothing can be computed while compiling");
}

Node Evaluator::resolved(const Node& e) const {
  if (auto* constant = e.as<ir::Constant>()) {
    auto* type = constant->type().is_node() ? as_node(constant->type()).as<relax::TensorType>() : nullptr;
    std::vector<int64_t> extents;
    bool known = type && type->dtype().is_dtype() && type->shape().is_array() &&
                 extents_of(type->shape().ref<Array>(), extents) && constant->data().type_index() == TN_CONSTANT;
    return known ? e : Node();
  }
  if (e.is<ir::Var>()) {
    auto it = known_.find(e.get());
    return it == known_.end() ? Node() : it->second;
  }
  if (auto* get = e.as<relax::TupleGetItem>()) {
    Node tuple = resolved(get->tuple());
    auto* t = tuple ? tuple.as<relax::Tuple>() : nullptr;
    bool inside = t && get->index() >= 0 && static_cast<size_t>(get->index()) < t->fields().size();
    return inside ? nodes(t->fields())[static_cast<size_t>(get->index())] : Node();
  }
  auto* tuple = e.as<relax::Tuple>();
  if (!tuple) return Node();
  std::vector<Node> fields;
  for (const Node& f : nodes(tuple->fields())) {
    fields.push_back(resolved(f));
    if (!fields.back()) return Node();
  }
  return b_.with(e, relax::Tuple::Slot::fields, Value(b_.array(fields)));
}

std::string Evaluator::callee(const ir::Call& call) {
  std::string_view id = op_of(call);
  if (id == "relax.call_tir")
    if (auto* g = nodes(call.args())[0].as<ir::GlobalVar>()) return "'" + std::string(g->name()) + "'";
  return "'" + std::string(id) + "'";
}

// The constants behind an argument, tuples flattened: the order of the loop function's parameters.
bool Evaluator::add_inputs(const Node& argument, Work& work) const {
  Node value = resolved(argument);
  if (!value) return false;
  if (auto* tuple = value.as<relax::Tuple>()) {
    for (const Node& f : nodes(tuple->fields()))
      if (!add_inputs(f, work)) return false;
    return true;
  }
  work.inputs.push_back(value);
  return true;
}

bool Evaluator::work_of_loop_function(const ir::Call& call, Work& work) {
  auto* g = nodes(call.args())[0].as<ir::GlobalVar>();
  if (!g || !add_inputs(nodes(call.args())[1], work)) return false;
  if (call.args().size() > 2) {
    auto* symbols = nodes(call.args())[2].as<relax::ShapeExpr>();
    std::vector<int64_t> values;
    if (!symbols || !extents_of(symbols->values(), values)) return false;
    for (int64_t v : values) work.scalars.push_back(Value(v));
  }
  work.module = module_;
  work.function = g->name();
  work.outputs = call.type_args();
  return is_pure(work.function);
}

bool Evaluator::work_of_operator(const ir::Call& call, Work& work) {
  Value record = tenon::call(
      [&](TnValue* ret) { return self_.ops->find(self_.ops->self, std::string(op_of(call)).c_str(), ret); });
  if (!record.is_map() || !call.type().is_node()) return false;
  const Value *effects = record.ref<Map>().find("effects"), *functions = record.ref<Map>().find("functions");
  bool computes = false;
  if (functions && functions->is_array())
    for (const Value& f : functions->ref<Array>()) computes = computes || f.as_string() == "compute";
  if (!computes || !effects || effects->as_string() != "pure") return false;
  for (const Node& a : nodes(call.args())) {
    std::vector<int64_t> values;
    auto* shape = a.as<relax::ShapeExpr>();
    bool known = shape ? extents_of(shape->values(), values)
                       : a.is<relax::PrimValue>() || a.is<ir::StringImm>() || a.is<relax::DataTypeImm>();
    if (!known && (shape || !add_inputs(a, work))) return false;
  }
  bool is_tuple = as_node(call.type()).is<relax::TupleType>();
  work.outputs = is_tuple ? as_node(call.type()).to<relax::TupleType>().fields() : b_.array({call.type()});
  work.function = "folded";
  Node f = as_node(
      tenon::call([&](TnValue* ret) { return self_.ops->compute(self_.ops->self, args_.context, call.get(), ret); }));
  work.module = b_.with(module_, ir::Module::Slot::functions, Value(b_.map({{work.function, Value(f)}})));
  return true;
}

Node Evaluator::value(const ir::Call& call) {
  Work work;
  work.type = call.type();
  std::string_view id = op_of(call);
  bool foldable =
      id == "relax.call_tir" ? work_of_loop_function(call, work) : !id.empty() && work_of_operator(call, work);
  return foldable ? run(work) : Node();
}

Value Evaluator::input_tensor(const ir::Constant& constant, int64_t& bytes) const {
  auto& type = as_node(constant.type()).to<relax::TensorType>();
  std::vector<int64_t> extents;
  extents_of(type.shape().ref<Array>(), extents);
  bytes += static_cast<int64_t>(reinterpret_cast<const TnConstant*>(constant.data().raw().as.object)->size);
  return call([&](TnValue* ret) {
    return constants_->view(constants_->self, constant.data().ptr(), type.dtype().as_dtype(),
                            static_cast<int32_t>(extents.size()), extents.data(), ret);
  });
}

Node Evaluator::run(const Work& work) const {
  std::vector<std::vector<int64_t>> shapes;
  int64_t input_bytes = 0, output_bytes = 0;
  for (const Node& t : nodes(work.outputs)) {
    auto* type = t.as<relax::TensorType>();
    shapes.emplace_back();
    if (!type || !type->dtype().is_dtype() || !type->shape().is_array() ||
        !extents_of(type->shape().ref<Array>(), shapes.back()))
      return Node();
    int64_t bytes = dtype_bytes(type->dtype().as_dtype());
    for (int64_t extent : shapes.back())
      if (__builtin_mul_overflow(bytes, extent, &bytes)) return Node();
    if (__builtin_add_overflow(output_bytes, bytes, &output_bytes)) return Node();
  }
  std::vector<Value> arguments, outputs;
  for (const Node& n : work.inputs) arguments.push_back(input_tensor(n.to<ir::Constant>(), input_bytes));
  const Value* growth = args_.options.find("max_growth");
  double allowed = (growth ? growth->as_float() : 0) * static_cast<double>(input_bytes);
  if (output_bytes > args_.number("small_bytes") && static_cast<double>(output_bytes) > allowed) return Node();

  for (size_t k = 0; k < shapes.size(); ++k) {
    DLDataType dtype = nodes(work.outputs)[k].to<relax::TensorType>().dtype().as_dtype();
    outputs.push_back(call([&](TnValue* ret) {
      return constants_->tensor(constants_->self, dtype, static_cast<int32_t>(shapes[k].size()), shapes[k].data(), ret);
    }));
  }
  arguments.insert(arguments.end(), outputs.begin(), outputs.end());
  arguments.insert(arguments.end(), work.scalars.begin(), work.scalars.end());
  Value limits =
      b_.map({{"max_steps", Value(args_.number("max_steps"))}, {"max_bytes", Value(args_.number("max_bytes"))}});
  call([&](TnValue* ret) {
    return execute_->run(execute_->self, work.module.get(), work.function.c_str(),
                         reinterpret_cast<const TnValue*>(arguments.data()), static_cast<int32_t>(arguments.size()),
                         limits.ptr(), ret);
  });
  std::vector<Node> constants;
  for (size_t k = 0; k < outputs.size(); ++k) {
    Value data = call([&](TnValue* ret) { return constants_->seal(constants_->self, outputs[k].ptr(), ret); });
    constants.push_back(b_.make<ir::Constant>({work.outputs[k], data}));
  }
  bool is_tuple = work.type.is_node() && as_node(work.type).is<relax::TupleType>();
  if (!is_tuple && constants.size() == 1) return constants[0];
  return b_.make<relax::Tuple>({work.type, b_.array(constants)});
}

// Whether the loop function, with all that it calls, does nothing but write its outputs.
bool Evaluator::is_pure(const std::string& function) {
  auto [it, is_new] = pure_.try_emplace(function, false);
  if (!is_new) return it->second;
  const Value* f = module_.functions().find(function);
  bool pure = f && as_node(*f).is<tir::PrimFunc>();
  if (pure)
    b_.walk(*f, [&](const Node& n) {
      auto* c = n.as<ir::Call>();
      if (!c || !pure) return;
      if (auto* g = c->op().as<ir::GlobalVar>()) {
        pure = is_pure(std::string(g->name()));
        return;
      }
      Value record = op_of(n).empty() ? Value() : tenon::call([&](TnValue* ret) {
        return self_.ops->find(self_.ops->self, std::string(op_of(n)).c_str(), ret);
      });
      const Value* effects = record.is_map() ? record.ref<Map>().find("effects") : nullptr;
      pure = effects && effects->as_string() == "pure";
    });
  pure_[function] = pure;
  return pure;
}

}  // namespace tenon::graph
