// Calls of the graph level: loop functions and external functions in destination-passing style, packed calls,
// operators.
#include "graph_ops.h"
#include "tensors.h"

namespace tenon::interp {
namespace {

struct Row {
  const char* id;
  enum Kind { Destination, InPlace, Packed, ShapeOf } kind;
};
constexpr Row kRows[] = {
    {"relax.call_tir", Row::Destination},     {"relax.call_dps_packed", Row::Destination},
    {"relax.call_tir_inplace", Row::InPlace}, {"relax.call_packed", Row::Packed},
    {"relax.call_pure_packed", Row::Packed},  {"relax.shape_of", Row::ShapeOf},
};

const Row* find_row(std::string_view id) {
  for (const Row& row : kRows)
    if (id == row.id) return &row;
  return nullptr;
}

void flatten_tensors(const Value& value, std::vector<Value>& out) {
  if (value.is_array())
    for (const Value& field : value.ref<Array>()) flatten_tensors(field, out);
  else if (value.type_index() == TN_TENSOR)
    out.push_back(value);
}

}  // namespace

bool is_graph_builtin(std::string_view id) { return find_row(id) != nullptr; }

Value GraphRun::call_builtin_op(const ir::Call& c, std::string_view id) {
  const Row* row = find_row(id);
  NodeRange args = nodes(c.args());
  if (!row || args.size() < 1)
    fail_at(c, TN_ERROR_UNSUPPORTED, "the graph operator " + std::string(id) + " is not interpreted");
  switch (row->kind) {
    case Row::Destination: return destination_call(c, false);
    case Row::InPlace: return destination_call(c, true);
    case Row::Packed: return call_value(c, external(args[0]), 1);
    default: break;
  }
  const Value value = eval(args[0]);
  if (value.type_index() != TN_TENSOR) fail_at(c, TN_ERROR_TYPE, "the shape of a value that is not a tensor");
  const DLTensor& tensor = tensor_of(value.raw());
  return call(
      [&](TnValue* ret) { return program().runtime->shape(tensor.shape, static_cast<size_t>(tensor.ndim), ret); });
}

const Ref<TnFunction>& GraphRun::external(const Node& callee) const {
  std::string_view name;
  if (const auto* function = callee.as<ir::ExternFunc>()) name = function->symbol();
  if (const auto* text = callee.as<ir::StringImm>()) name = text->value();
  if (const auto* global = callee.as<ir::GlobalVar>()) {
    const Value* target = program().module.to<ir::Module>().functions().find(global->name());
    if (target && as_node(*target).is<ir::ExternFunc>()) name = as_node(*target).to<ir::ExternFunc>().symbol();
  }
  auto it = program().imports.find(name);
  if (it == program().imports.end())
    fail_at(callee, TN_ERROR_NOT_FOUND, "the external function '" + std::string(name) + "' was not given",
            "register it with TnCompiler.register_function before the module is loaded");
  return it->second;
}

void GraphRun::allocate_outputs(const Value& type, const Node& at, std::vector<Value>& out) {
  const Node none;
  const Node& t = type.is_node() ? as_node(type) : none;
  if (const auto* tuple = t.as<relax::TupleType>()) {
    for (const Value& field : tuple->fields()) allocate_outputs(field, at, out);
    return;
  }
  const auto* tensor = t.as<relax::TensorType>();
  const Array shape = tensor ? tensor_type_shape(*tensor) : Array();
  if (!shape || !tensor->dtype().is_dtype())
    fail_at(at, TN_ERROR_UNSUPPORTED,
            "the result of this call has no known shape and dtype, so that it cannot be allocated");
  out.push_back(fresh_tensor(machine_, tensor->dtype().as_dtype(), extents(shape)));
}

Value GraphRun::pack_outputs(const Value& type, const std::vector<Value>& tensors, size_t* next) const {
  const auto* tuple = type.is_node() ? as_node(type).as<relax::TupleType>() : nullptr;
  if (!tuple) return tensors[(*next)++];
  std::vector<Value> fields;
  for (const Value& field : tuple->fields()) fields.push_back(pack_outputs(field, tensors, next));
  return array_of(fields);
}

Value GraphRun::array_of(const std::vector<Value>& fields) const {
  return call([&](TnValue* ret) {
    return program().runtime->array(reinterpret_cast<const TnValue*>(fields.data()), fields.size(), ret);
  });
}

// A function of the module or an external one, on arguments that include the outputs.
void GraphRun::invoke(const Node& callee, const std::vector<Value>& args, const Node& at) {
  const auto* raw = reinterpret_cast<const TnValue*>(args.data());
  const auto n = static_cast<int32_t>(args.size());
  if (const auto* global = callee.as<ir::GlobalVar>()) {
    auto code = program().functions.find(global->name());
    if (code != program().functions.end()) {
      enter(machine_, *code->second, raw, n);
      return;
    }
  }
  TnFunction* function = const_cast<TnFunction*>(external(callee).get());
  (void)at;
  call([&](TnValue* ret) { return function->call(function, raw, n, ret); });
}

Value GraphRun::destination_call(const ir::Call& c, bool in_place) {
  NodeRange args = nodes(c.args());
  if (args.size() < 2 || c.type_args().empty())
    fail_at(c, TN_ERROR_VERIFY, "a destination-passing call needs a callee, a tuple of arguments and output types");
  const Value inputs = eval(args[1]);
  std::vector<Value> values;
  if (inputs.is_array())
    values.assign(inputs.ref<Array>().begin(), inputs.ref<Array>().end());
  else
    values.push_back(inputs);

  std::vector<Value> outputs;
  for (const Value& type : c.type_args()) allocate_outputs(type, c, outputs);
  const Value* indices = in_place ? c.attrs().find("inplace_indices") : nullptr;
  if (in_place && (!indices || !indices->is_array() || indices->ref<Array>().size() != outputs.size()))
    fail_at(c, TN_ERROR_VERIFY, "inplace_indices must have one entry for each output");
  std::vector<Value> passed = values;
  for (size_t k = 0; k < outputs.size(); ++k) {
    const int64_t from = indices ? indices->ref<Array>()[k].as_int() : -1;
    if (from >= static_cast<int64_t>(values.size()))
      fail_at(c, TN_ERROR_VERIFY, "inplace_indices names an argument that there is not");
    if (from >= 0)
      outputs[k] = values[static_cast<size_t>(from)];
    else
      passed.push_back(outputs[k]);
  }
  if (args.size() > 2)  // scalars that the callee takes besides
    for (int64_t v : extents(args[2].to<relax::ShapeExpr>().values())) passed.emplace_back(v);
  invoke(args[0], passed, c);
  size_t next = 0;
  if (c.type_args().size() == 1) return pack_outputs(c.type_args()[0], outputs, &next);
  std::vector<Value> fields;  // several output types are those of a tuple
  for (const Value& type : c.type_args()) fields.push_back(pack_outputs(type, outputs, &next));
  return array_of(fields);
}

Value GraphRun::call_value(const ir::Call& c, const Ref<TnFunction>& target, size_t first_arg) {
  std::vector<Value> values;
  NodeRange args = nodes(c.args());
  for (size_t k = first_arg; k < args.size(); ++k) values.push_back(eval(args[k]));
  TnFunction* function = const_cast<TnFunction*>(target.get());
  Value result = call([&](TnValue* ret) {
    return function->call(function, reinterpret_cast<const TnValue*>(values.data()),
                          static_cast<int32_t>(values.size()), ret);
  });
  if (c.type_args().size() == 1) match(result, c.type_args()[0], "the result of an external function", c);
  return result;
}

Value GraphRun::call_operator(const ir::Call& c, const OperatorCode& op) {
  std::vector<Value> passed, outputs;
  for (const Node& symbol : op.symbols) passed.emplace_back(integer(symbol));
  for (const Node& arg : nodes(c.args())) flatten_tensors(eval(arg), passed);
  allocate_outputs(c.type(), c, outputs);
  passed.insert(passed.end(), outputs.begin(), outputs.end());
  enter(machine_, *op.code, reinterpret_cast<const TnValue*>(passed.data()), static_cast<int32_t>(passed.size()));
  size_t next = 0;
  return pack_outputs(c.type(), outputs, &next);
}

Value GraphRun::call_graph(const ir::Call& c, const GraphFunction& callee) {
  std::vector<Value> values;
  for (const Node& arg : nodes(c.args())) values.push_back(eval(arg));
  return enter_graph(machine_, callee, reinterpret_cast<const TnValue*>(values.data()),
                     static_cast<int32_t>(values.size()));
}

}  // namespace tenon::interp
