// The plugin ops-loop: `evaluate` of the loop intrinsics. Their meaning is the table of sdk/lib/loop_ops.
#include <loop_ops/loop_ops.h>
#include <tenon/plugin.h>

#include <vector>

namespace {

using namespace tenon;

struct OpsLoop : PluginInstance {
  using PluginInstance::PluginInstance;
};

Scalar scalar_of(const TnValue& value, DLDataType dtype) {
  if (is_floating(dtype)) {
    double v = Value::view(value).as_float();
    return dtype.bits == 32 ? put(static_cast<float>(v)) : put(v);
  }
  Scalar s;
  s.i = value.as.i;
  return s;
}

Value value_of(Scalar s, DLDataType dtype) {
  if (is_bool(dtype)) return Value(s.i != 0);
  if (is_floating(dtype)) return Value(dtype.bits == 32 ? static_cast<double>(s.f) : s.d);
  return Value(s.i);
}

[[noreturn]] void refuse(std::string_view id, const std::string& why) {
  throw Error(TN_ERROR_UNSUPPORTED, "cannot evaluate " + std::string(id) + ": " + why, {},
              "the manifest of ops-loop lists what each op takes");
}

Value evaluate_op(const ir::Call& call, const TnValue* values, int32_t n) {
  std::string_view id = call.op().to<ir::Op>().id();
  NodeRange args = nodes(call.args());
  if (static_cast<size_t>(n) != args.size()) refuse(id, "the number of values is not that of the arguments");
  DLDataType type = call.dtype(), first = n > 0 ? args[0].dtype() : type;
  if (type.lanes > 1 || first.lanes > 1) refuse(id, "vectors are evaluated lane by lane");
  for (int32_t i = 0; i < n; ++i)
    if (values[i].type_index < TN_INT || values[i].type_index > TN_FLOAT) refuse(id, "an argument is not a number");

  Scalar result;
  if (n == 0 && loop_constant(id, type, &result)) return value_of(result, type);
  if (n == 1 && id == "tir.likely") return Value::share(values[0]);
  if (n == 1 && id == "tir.reinterpret") {
    if (first.bits != type.bits) refuse(id, "the widths differ");
    return value_of(reinterpret_scalar(scalar_of(values[0], first), first, type), type);
  }
  const LoopOp* row = find_loop_op(id);
  if (!row) refuse(id, "ops-loop has no scalar function for it");
  if (row->arity != n) refuse(id, "it takes " + std::to_string(row->arity) + " arguments");
  ScalarFunction function = row->of(first);
  if (!function) refuse(id, "it does not take " + dtype_text(first));
  std::vector<Scalar> scalars;
  for (int32_t i = 0; i < n; ++i) scalars.push_back(scalar_of(values[i], first));
  return value_of(function(scalars.data()), row->result == LoopOp::Bool ? kBool : first);
}

int evaluate(void* instance, const TnContext*, const TnNode* call, const TnValue* args, int32_t n, TnValue* ret) {
  auto& self = *static_cast<OpsLoop*>(instance);
  return guard(self.runtime(), ret, [&] { return evaluate_op(Builder::borrow(call).to<ir::Call>(), args, n); });
}

constexpr auto op_table = make_table<TnOp>(nullptr, nullptr, &evaluate);

}  // namespace

TENON_PLUGIN(OpsLoop, op_table)
