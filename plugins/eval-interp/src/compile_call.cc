// Calls: intrinsics, functions of the module, external functions.
#include <loop_ops/loop_ops.h>

#include "builtins.h"
#include "compiler.h"
#include "graph.h"

namespace tenon::interp {

Operand FunctionCompiler::call(const ir::Call& call, bool result_used) {
  asm_.at(call.span());
  if (const auto* op = call.op().as<ir::Op>()) return call_op(call, op->id(), result_used);
  const auto* global = call.op().as<ir::GlobalVar>();
  if (!global) refuse(TN_ERROR_UNSUPPORTED, "a call of a " + kind_name(call.op()), call);
  const Value* target = scope_.module.functions().find(global->name());
  if (!target) refuse(TN_ERROR_VERIFY, "the module has no function '" + std::string(global->name()) + "'", call);
  if (const auto* external = as_node(*target).as<ir::ExternFunc>())
    return call_external(call, external->symbol(), 0, result_used);
  if (as_node(*target).is<relax::Function>()) {
    if (result_used)
      refuse(TN_ERROR_VERIFY,
             "the result of the graph function '" + std::string(global->name()) + "' is used in a loop function", call,
             "pass buffers for its results after its arguments");
    CallSite site{};
    site.name = global->name();
    site.graph = scope_.program.graph->functions.find(global->name())->second.get();
    site.args = arguments(call, 0);
    return emit_call(call, call_function, std::move(site));
  }
  const Value& returned = as_node(*target).to<tir::PrimFunc>().ret_type();
  const bool returns_handle = returned.is_dtype() && is_handle(returned.as_dtype());
  if (result_used && !returns_handle)
    refuse(TN_ERROR_VERIFY, "the result of '" + std::string(global->name()) + "' is used, but it returns nothing", call,
           "let it store into a buffer that is passed to it");
  return call_function_of_module(call, global->name(), result_used);
}

Operand FunctionCompiler::call_op(const ir::Call& c, std::string_view id, bool result_used) {
  NodeRange args = nodes(c.args());
  if (id == "tir.call_packed") {
    const auto* name = args.size() ? args[0].as<ir::StringImm>() : nullptr;
    if (!name) refuse(TN_ERROR_VERIFY, "tir.call_packed needs the function's name as its first argument", c);
    return call_external(c, name->value(), 1, result_used);
  }
  if (id == "tir.if_then_else" && args.size() == 3) return choose(c, c.dtype(), args[0], args[1], args[2]);
  if (id == "tir.likely" && args.size() == 1) return expr(args[0]);
  if (id == "tir.reinterpret" && args.size() == 1) {
    const Operand value = expr(args[0]);
    return convert(c, value, c.dtype(), reinterpret_handler(c.dtype(), value.dtype));
  }
  if (const Builtin* builtin = find_builtin(id)) return call_built_in(c, *builtin, result_used);
  if (id == "tir.ret" && args.size() == 1) {
    const Operand value = expr(args[0]);
    if (!is_handle(value.dtype))
      refuse(TN_ERROR_UNSUPPORTED, "tir.ret of " + dtype_text(value.dtype), c, "box the value first");
    asm_.emit(set_result, 0, value.reg);
    asm_.can_fail(nullptr);
    asm_.emit(end_function);
    return value;
  }
  Scalar constant;
  if (args.size() == 0 && loop_constant(id, c.dtype(), &constant))
    return {asm_.constant(constant), element_of(c.dtype())};
  return call_scalar_function(c, id);
}

Operand FunctionCompiler::call_scalar_function(const ir::Call& c, std::string_view id) {
  NodeRange args = nodes(c.args());
  const LoopOp* row = find_loop_op(id);
  if (!row)
    refuse(TN_ERROR_UNSUPPORTED, "the intrinsic " + std::string(id), c,
           "the manifest of ops-loop lists the intrinsics that there are");
  if (args.size() != static_cast<size_t>(row->arity))
    refuse(
        TN_ERROR_VERIFY,
        std::string(id) + " takes " + std::to_string(row->arity) + " argument(s), not " + std::to_string(args.size()),
        c);
  Operand values[3] = {};
  uint32_t lanes = 1;
  for (size_t k = 0; k < args.size(); ++k) {
    values[k] = expr(args[k]);
    if (!same_dtype(element_of(values[k].dtype), element_of(values[0].dtype)) ||
        (values[k].dtype.lanes != 1 && lanes != 1 && values[k].dtype.lanes != lanes))
      refuse(TN_ERROR_VERIFY,
             "the arguments of " + std::string(id) + " are " + dtype_text(values[0].dtype) + " and " +
                 dtype_text(values[k].dtype),
             c);
    lanes = std::max<uint32_t>(lanes, values[k].dtype.lanes);
  }
  const ScalarFunction function = row->of(values[0].dtype);
  if (!function) refuse(TN_ERROR_UNSUPPORTED, std::string(id) + " of " + dtype_text(values[0].dtype), c);
  const DLDataType type = row->result == LoopOp::Bool ? kBool : element_of(values[0].dtype);
  if (!same_dtype(element_of(c.dtype()), type))
    refuse(TN_ERROR_VERIFY,
           std::string(id) + " gives " + dtype_text(type) + ", but the call says " + dtype_text(c.dtype()), c);
  Scalar address;
  address.p = reinterpret_cast<void*>(function);
  const uint32_t d = asm_.fresh(lanes), f = asm_.constant(address);
  for (uint32_t k = 0; k < lanes; ++k)
    asm_.emit(scalar_function, d + k, f, values[0].lane(k), values[1].lane(k), values[2].lane(k));
  return {d, with_lanes(type, static_cast<uint16_t>(lanes))};
}

Operand FunctionCompiler::call_function_of_module(const ir::Call& c, std::string_view name, bool result_used) {
  CallSite site{};
  site.name = name;
  site.callee = scope_.program.functions.find(name)->second.get();
  site.args = arguments(c, 0);
  site.result = result_used ? kHandle : DLDataType{0, 0, 0};
  const auto& params = site.callee->signature.params;
  for (size_t k = 0; k < site.args.size() && k < params.size(); ++k)
    if (site.args[k].kind == CallArgument::Buffer && site.args[k].buffer.read_only &&
        (params[k].flags & TN_PARAM_WRITTEN))
      refuse(TN_ERROR_VERIFY,
             "a constant is passed to '" + site.name + "', which writes its parameter '" + params[k].name + "'", c);
  return emit_call(c, call_function, std::move(site));
}

Operand FunctionCompiler::call_built_in(const ir::Call& c, const Builtin& builtin, bool result_used) {
  CallSite site{};
  site.name = builtin.id;
  site.builtin = &builtin;
  site.args = arguments(c, 0);
  if (site.args.size() < builtin.least_args || (site.args.size() > builtin.least_args && !builtin.variadic))
    refuse(TN_ERROR_VERIFY,
           site.name + " takes " + std::to_string(builtin.least_args) + (builtin.variadic ? " or more" : "") +
               " arguments, not " + std::to_string(site.args.size()),
           c);
  if (result_used) {
    site.result = builtin.result;
    if (is_floating(site.result) && is_floating(c.dtype())) site.result = c.dtype();
    if (is_integer(site.result) && is_integer(c.dtype())) site.result = c.dtype();
    if (site.result.bits == 0) refuse(TN_ERROR_VERIFY, "the result of " + site.name + " is used, but it has none", c);
  }
  return emit_call(c, call_builtin, std::move(site));
}

// The call itself; the result is meaningless when it is not used.
Operand FunctionCompiler::emit_call(const ir::Call& c, Handler handler, CallSite site) {
  const Operand result{asm_.fresh(), site.result};
  if (is_handle(site.result)) site.slot = code_.slot_count++;
  code_.calls.push_back(std::move(site));
  asm_.at(c.span());
  asm_.emit(handler, result.reg, static_cast<uint32_t>(code_.calls.size() - 1));
  asm_.can_fail(nullptr);
  return result;
}

Operand FunctionCompiler::call_external(const ir::Call& c, std::string_view name, size_t first_arg, bool result_used) {
  CallSite site{};
  site.name = name;
  const Value* import = scope_.imports.find(name);
  if (!import || import->type_index() != TN_FUNCTION) {
    std::string known;
    for (const Map::Entry& e : scope_.imports) known += (known.empty() ? "" : ", ") + std::string(e.key());
    refuse(TN_ERROR_NOT_FOUND, "the external function '" + site.name + "' was not given", c,
           "register it with TnCompiler.register_function before the module is loaded; registered are: " +
               (known.empty() ? "none" : known));
  }
  site.import = Ref<TnFunction>::share(reinterpret_cast<const TnFunction*>(import->raw().as.object));
  site.args = arguments(c, first_arg);
  site.result = result_used ? c.dtype() : DLDataType{0, 0, 0};
  const bool known_result =
      !result_used || (c.dtype().lanes == 1 && (is_handle(c.dtype()) || cast_handler(c.dtype(), c.dtype())));
  if (!known_result)
    refuse(TN_ERROR_UNSUPPORTED, "a result of dtype " + dtype_text(c.dtype()) + " of '" + site.name + "'", c);
  return emit_call(c, call_import, std::move(site));
}

std::vector<CallArgument> FunctionCompiler::arguments(const ir::Call& c, size_t first) {
  std::vector<CallArgument> out;
  NodeRange args = nodes(c.args());
  for (size_t k = first; k < args.size(); ++k) out.push_back(argument(args[k]));
  return out;
}

CallArgument FunctionCompiler::argument(const Node& arg) {
  CallArgument a{};
  if (arg.is<tir::Buffer>()) {
    a.kind = CallArgument::Buffer;
    a.buffer = place_of(arg);
  } else if (const auto* part = arg.as<tir::BufferRegion>()) {
    a.kind = CallArgument::Buffer;
    a.buffer = region_place(*part);
  } else if (const auto* text = arg.as<ir::StringImm>()) {
    a.kind = CallArgument::Text;
    a.text = text->value();
  } else {
    const Operand value = expr(arg);
    if (value.dtype.lanes != 1) refuse(TN_ERROR_UNSUPPORTED, "an argument of dtype " + dtype_text(value.dtype), arg);
    a.kind = is_handle(value.dtype) ? CallArgument::Handle : CallArgument::Number;
    a.reg = value.reg;
    a.dtype = value.dtype;
  }
  return a;
}

}  // namespace tenon::interp
