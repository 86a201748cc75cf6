// Expressions and bindings of the graph level.
#include "graph_ops.h"
#include "tensors.h"

namespace tenon::interp {

GraphRun::GraphRun(Machine& machine, const GraphFunction& function) : machine_(machine), function_(function) {
  if (machine.depth >= program().options.max_depth)
    throw Error(TN_ERROR_LIMIT,
                "calls are nested deeper than " + std::to_string(program().options.max_depth) + " functions",
                "function '" + function.name + "'", "raise the option max_depth of eval-interp, or end the recursion");
  ++machine_.depth;
}

GraphRun::~GraphRun() { --machine_.depth; }

void GraphRun::fail_at(const Node& at, int32_t code, const std::string& message, const std::string& hint) const {
  const std::string where = position_text(at ? at.span() : nullptr);
  throw Error(code, message, where + (where.empty() ? "function '" : ", function '") + function_.name + "'", hint);
}

Value GraphRun::run(const std::vector<Value>& args, const int64_t* symbols) {
  const auto& function = function_.function.to<relax::Function>();
  for (size_t k = 0; k < function_.signature.symbols.size(); ++k)
    symbols_.emplace(function_.signature.symbols[k].get(), symbols[k]);
  NodeRange params = nodes(function.params());
  for (size_t k = 0; k < params.size(); ++k) {
    const auto& var = params[k].to<ir::Var>();
    if (function_.signature.params[k].kind == TN_PARAM_HANDLE)
      match(args[k], var.type(), "argument '" + std::string(var.name()) + "'", var);
    vars_.emplace(var.get(), args[k]);
  }
  const Value result = eval(function.body());
  match(result, function.ret_type(), "the result", function);
  return result;
}

Value GraphRun::eval(const Node& e) {
  const TnRuntime* rt = program().runtime;
  switch (e.kind()) {
    case relax::SeqExpr::kKind: return eval_sequence(e.to<relax::SeqExpr>());
    case relax::If::kKind: return eval_if(e.to<relax::If>());
    case ir::Constant::kKind: return eval_constant(e.to<ir::Constant>());
    case ir::Call::kKind: return eval_call(e.to<ir::Call>());
    case ir::StringImm::kKind: return e.slot(ir::StringImmSlot::value);
    case ir::FloatImm::kKind: return Value(e.to<ir::FloatImm>().value());
    case relax::DataTypeImm::kKind: return Value(e.to<relax::DataTypeImm>().dtype());
    case ir::ExternFunc::kKind: return Value(external(e));
    case relax::PrimValue::kKind: {
      const Node& value = e.to<relax::PrimValue>().value();
      if (value.is<ir::FloatImm>()) return eval(value);
      return is_bool(value.dtype()) ? Value(integer(value) != 0) : Value(integer(value));
    }
    case ir::Var::kKind: {
      auto it = vars_.find(e.get());
      return it != vars_.end() ? it->second : Value(integer(e));
    }
    case relax::Tuple::kKind: {
      std::vector<Value> fields;
      for (const Node& field : nodes(e.to<relax::Tuple>().fields())) fields.push_back(eval(field));
      return call(
          [&](TnValue* ret) { return rt->array(reinterpret_cast<const TnValue*>(fields.data()), fields.size(), ret); });
    }
    case relax::TupleGetItem::kKind: {
      const auto& get = e.to<relax::TupleGetItem>();
      const Value tuple = eval(get.tuple());
      if (!tuple.is_array() || get.index() < 0 || static_cast<size_t>(get.index()) >= tuple.ref<Array>().size())
        fail_at(e, TN_ERROR_TYPE, "there is no tuple with a value number " + std::to_string(get.index()));
      return tuple.ref<Array>()[static_cast<size_t>(get.index())];
    }
    case relax::ShapeExpr::kKind: {
      const std::vector<int64_t> values = extents(e.to<relax::ShapeExpr>().values());
      return call([&](TnValue* ret) { return rt->shape(values.data(), values.size(), ret); });
    }
    default:
      if (e.kind() == ir::IntImm::kKind || (e.kind() >= tir::Add::kKind && e.kind() <= tir::Or::kKind))
        return Value(integer(e));
      fail_at(e, TN_ERROR_UNSUPPORTED, "an expression of this kind is not interpreted at the graph level");
  }
}

Value GraphRun::eval_sequence(const relax::SeqExpr& seq) {
  for (const Node& block : nodes(seq.blocks())) {
    const Array& bindings = block.is<relax::DataflowBlock>() ? block.to<relax::DataflowBlock>().bindings()
                                                             : block.to<relax::BindingBlock>().bindings();
    for (const Node& binding : nodes(bindings)) {
      if (const auto* cast = binding.as<relax::MatchCast>()) {
        const Value value = eval(cast->value());
        match(value, Value(cast->cast_type()), "the value of '" + std::string(cast->var().to<ir::Var>().name()) + "'",
              binding);
        vars_.insert_or_assign(cast->var().get(), value);
      } else {
        const auto& bind = binding.to<relax::VarBinding>();
        vars_.insert_or_assign(bind.var().get(), eval(bind.value()));
      }
    }
  }
  return eval(seq.body());
}

Value GraphRun::eval_if(const relax::If& branch) {
  const Value condition = eval(branch.condition());
  bool taken = false;
  if (condition.is_bool() || condition.is_int()) {
    taken = condition.as_int() != 0;
  } else if (condition.type_index() == TN_TENSOR && tensor_of(condition.raw()).ndim == 0 &&
             is_bool(tensor_of(condition.raw()).dtype)) {
    const DLTensor& t = tensor_of(condition.raw());
    taken = static_cast<const uint8_t*>(t.data)[t.byte_offset] != 0;
  } else {
    fail_at(branch, TN_ERROR_TYPE, "a condition is neither a bool nor a tensor of one bool without dimensions");
  }
  return eval(taken ? branch.then_branch() : branch.else_branch());
}

Value GraphRun::eval_constant(const ir::Constant& constant) {
  const auto* type = constant.type().is_node() ? as_node(constant.type()).as<relax::TensorType>() : nullptr;
  if (constant.data().type_index() == TN_TENSOR) return constant.data();
  if (!type || !type->dtype().is_dtype() || constant.data().type_index() != TN_CONSTANT)
    fail_at(constant, TN_ERROR_VERIFY, "a constant has no bytes or no type");
  return constant_tensor(program().runtime, reinterpret_cast<const TnConstant*>(constant.data().raw().as.object),
                         type->dtype().as_dtype(), extents(tensor_type_shape(*type)));
}

Value GraphRun::eval_call(const ir::Call& c) {
  if (--machine_.steps_left < 0)
    fail_at(c, TN_ERROR_LIMIT, "the limit of " + std::to_string(program().options.max_steps) + " steps was reached",
            "raise the option max_steps of eval-interp (0 for no limit)");
  const GraphProgram& graph = *program().graph;
  if (const auto* op = c.op().as<ir::Op>()) {
    auto code = graph.operators.find(c.get());
    return code != graph.operators.end() ? call_operator(c, code->second) : call_builtin_op(c, op->id());
  }
  if (c.op().is<ir::ExternFunc>()) return call_value(c, external(c.op()), 0);
  if (const auto* global = c.op().as<ir::GlobalVar>()) {
    auto callee = graph.functions.find(global->name());
    if (callee != graph.functions.end()) return call_graph(c, *callee->second);
    fail_at(c, TN_ERROR_VERIFY, "'" + std::string(global->name()) + "' is called as a graph function, but it is none",
            "call loop functions through relax.call_tir");
  }
  const Value function = eval(c.op());
  if (function.type_index() != TN_FUNCTION) fail_at(c, TN_ERROR_TYPE, "what is called is not a function");
  return call_value(c, Ref<TnFunction>::share(reinterpret_cast<const TnFunction*>(function.raw().as.object)), 0);
}

// ---- Entries

namespace {

// Arguments as values: borrowed tensors become tensor objects over the same memory, for the length of the call.
std::vector<Value> own_arguments(const TnRuntime* rt, const TnValue* args, size_t n) {
  std::vector<Value> out;
  for (size_t k = 0; k < n; ++k)
    out.push_back(args[k].type_index == TN_DLTENSOR ? borrowed_tensor(rt, *static_cast<const DLTensor*>(args[k].as.p))
                                                    : Value::share(args[k]));
  return out;
}

Value checked_run(Machine& machine, const GraphFunction& function, const TnValue* args, int32_t n,
                  const std::vector<Value>& owned) {
  std::vector<void*> data(function.signature.params.size());
  std::vector<int64_t> symbols(function.signature.symbols.size());
  call([&](TnValue* ret) {
    return machine.program.runtime->check_arguments(&function.view->raw(), args, n, data.data(), symbols.data(), ret);
  });
  return GraphRun(machine, function).run(owned, symbols.data());
}

// The result without borrowed memory: tensors that lie in an argument which was only lent are copied.
Value without_borrowed(const Machine& machine, const Value& result, const TnValue* args, int32_t n) {
  if (result.is_array()) {
    std::vector<Value> fields;
    for (const Value& field : result.ref<Array>()) fields.push_back(without_borrowed(machine, field, args, n));
    return call([&](TnValue* ret) {
      return machine.program.runtime->array(reinterpret_cast<const TnValue*>(fields.data()), fields.size(), ret);
    });
  }
  if (result.type_index() != TN_TENSOR) return result;
  const DLTensor& tensor = tensor_of(result.raw());
  for (int32_t k = 0; k < n; ++k) {
    if (args[k].type_index != TN_DLTENSOR || static_cast<const DLTensor*>(args[k].as.p)->data != tensor.data) continue;
    const Value copy = fresh_tensor(machine, tensor.dtype, {tensor.shape, tensor.shape + tensor.ndim});
    copy_tensor(tensor, tensor_of(copy.raw()), "the result");
    return copy;
  }
  return result;
}

void flatten(const Value& value, std::vector<Value>& out) {
  if (value.is_array())
    for (const Value& field : value.ref<Array>()) flatten(field, out);
  else
    out.push_back(value);
}

}  // namespace

Value enter_graph(Machine& machine, const GraphFunction& function, const TnValue* args, int32_t n) {
  const std::vector<Value> owned = own_arguments(machine.program.runtime, args, static_cast<size_t>(n));
  return without_borrowed(machine, checked_run(machine, function, args, n, owned), args, n);
}

void enter_graph_with_outputs(Machine& machine, const GraphFunction& function, const TnValue* args, int32_t n) {
  const auto params = static_cast<int32_t>(function.signature.params.size());
  const int32_t inputs = n < params ? n : params;
  const std::vector<Value> owned = own_arguments(machine.program.runtime, args, static_cast<size_t>(inputs));
  std::vector<Value> results;
  flatten(checked_run(machine, function, args, inputs, owned), results);
  if (results.size() != static_cast<size_t>(n - inputs))
    throw Error(TN_ERROR_ARGUMENT,
                "'" + function.name + "' has " + std::to_string(results.size()) + " results, but the call gives " +
                    std::to_string(n - inputs) + " outputs",
                "function '" + function.name + "'");
  for (size_t k = 0; k < results.size(); ++k) {
    const std::string what = "result " + std::to_string(k) + " of '" + function.name + "'";
    const TnValue& output = args[static_cast<size_t>(inputs) + k];
    if (results[k].type_index() != TN_TENSOR || (output.type_index != TN_DLTENSOR && output.type_index != TN_TENSOR))
      throw Error(TN_ERROR_TYPE, what + " or its output is not a tensor", "function '" + function.name + "'");
    copy_tensor(tensor_of(results[k].raw()), tensor_of(output), what);
  }
}

}  // namespace tenon::interp
