// The graph passes of this plugin; plugin.cc lists them by name.
#ifndef PASSES_GRAPH_PASSES_H
#define PASSES_GRAPH_PASSES_H

#include <tenon/pass_plugin.h>

namespace tenon::graph {

struct PassesGraph : PluginInstance {
  explicit PassesGraph(const TnHost* host)
      : PluginInstance(host), ops(&service<TnHostOps>().required()), arith(&service<TnHostArith>().required()) {}
  const TnHostOps* ops;
  const TnHostArith* arith;
};

// x = R.exp(R.add(a, b))   ->   lv: R.Tensor(...) = R.add(a, b); x: R.Tensor(...) = R.exp(lv)
Value normalize(PassesGraph& self, const PassArgs& args, const Node& function);
// x = R.exp(a)   ->   x = R.call_tir(cls.exp, (a,), out_ty=...), and a tir.PrimFunc `exp`
Value legalize(PassesGraph& self, const PassArgs& args, const Node& module);
// y = R.nn.batch_norm_inference(x, gamma, beta, mean, variance)   ->
// a = gamma / R.sqrt(variance + epsilon); b = beta - mean * a; y = x * a + b
Value decompose_batch_norm(PassesGraph& self, const PassArgs& args, const Node& function);
// y = R.call_tir(cls.f, (x, R.const(...)), ...), where f first rewrites its second parameter in a marked block   ->
// w = R.call_tir(cls.f_pack, (R.const(...),), ...); y = R.call_tir(cls.f_packed, (x, w), ...)
Value lift_layout(PassesGraph& self, const PassArgs& args, const Node& module);
// t = R.call_tir(cls.transpose, (R.const(...),), ...)   ->   R.const(...) where t was used
Value fold_constants(PassesGraph& self, const PassArgs& args, const Node& module);
// x = R.exp(a), never used   ->   nothing
Value eliminate_dead(PassesGraph& self, const PassArgs& args, const Node& function);
// functions without `global_symbol` that nothing calls   ->   nothing
Value remove_unused_functions(PassesGraph& self, const PassArgs& args, const Node& module);
// a = R.call_tir(cls.exp, (x,)); y = R.call_tir(cls.add, (a, z))   ->   y = cls.fused_exp_add(x, z)  (see
// fuse_groups.h)
Value fuse(PassesGraph& self, const PassArgs& args, const Node& module);
// y = cls.fused_exp_add(x, z)   ->   y = R.call_tir(cls.fused_exp_add, (x, z), out_ty=...)  (see merge_fused.cc)
Value merge_fused(PassesGraph& self, const PassArgs& args, const Node& module);
// y = R.nn.relu(R.nn.conv2d(x, w))   ->   y = cls.conv2d_relu(x, w), a function for a code generator of its own
Value partition(PassesGraph& self, const PassArgs& args, const Node& module);
// y = cls.conv2d_relu(x, w)   ->   y = R.call_dps_packed("conv2d_relu", (x, w)), and a payload that implements it
Value external_codegen(PassesGraph& self, const PassArgs& args, const Node& module);
// relax.Function   ->   tir.PrimFunc (see host_function.h)
Value lower_to_host(PassesGraph& self, const PassArgs& args, const Node& module);
// lv = T.alloc_buffer(...) of a host function   ->   lv = T.decl_buffer(..., data=arena.data)  (see plan_memory.cc)
Value plan_memory(PassesGraph& self, const PassArgs& args, const Node& module);

// ---- Shared by the passes

// The id of the operator that a call names; empty when it calls something else.
inline std::string_view op_of(const Node& n) {
  auto* call = n.as<ir::Call>();
  auto* op = call ? call->op().as<ir::Op>() : nullptr;
  return op ? op->id() : std::string_view();
}

// Whether a function is to become one loop function: made by `fuse`, or marked by hand. TVM spells it "Primitive".
inline bool is_primitive(const Map& attrs) {
  for (const char* name : {"primitive", "Primitive"})
    if (const Value* v = attrs.find(name); v && (v->is_bool() || v->is_int()) && v->as_int() != 0) return true;
  return false;
}

inline std::string where(const Node& n) {
  const TnSpan* s = n ? n.span() : nullptr;
  return s ? std::string(s->source) + ":" + std::to_string(s->line) + ":" + std::to_string(s->column) : "";
}

}  // namespace tenon::graph
#endif
