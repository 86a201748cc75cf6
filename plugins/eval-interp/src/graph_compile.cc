// What is settled when a module with graph functions is loaded: signatures, and the loop function behind each operator.
#include "compiler.h"
#include "graph.h"
#include "graph_ops.h"

namespace tenon::interp {
namespace {

// The loop function that an operator's compute gives, compiled under the operator's name.
std::unique_ptr<Code> compile_operator(const ModuleScope& scope, const TnHostOps* ops, const TnContext* context,
                                       const ir::Call& call_node, std::string_view id, const std::string& function) {
  const std::string where = position_text(call_node.span());
  const std::string place = where + (where.empty() ? "function '" : ", function '") + function + "'";
  if (!ops || !TN_HAS(ops, compute))
    throw Error(TN_ERROR_UNSUPPORTED,
                "cannot interpret this: the operator " + std::string(id) + ", because the host offers no operators",
                place);
  Value computed;
  try {
    computed = call([&](TnValue* ret) { return ops->compute(ops->self, context, call_node.get(), ret); });
  } catch (const Error& e) {
    throw Error(e.code, "cannot interpret the operator " + std::string(id) + ": " + e.message,
                e.where.empty() ? place : e.where, e.hint);
  }
  if (!computed.is_node() || !as_node(computed).is<tir::PrimFunc>())
    throw Error(TN_ERROR_PLUGIN, "compute of the operator " + std::string(id) + " did not give a loop function", place);
  const auto& prim = as_node(computed).to<tir::PrimFunc>();
  // The outputs come last, and nothing else is written.
  std::vector<bool> written(prim.params().size(), false);
  const size_t outputs = output_count(call_node.type());
  for (size_t k = 0; k < outputs && k < written.size(); ++k) written[written.size() - 1 - k] = true;
  auto code = std::make_unique<Code>();
  code->name = function + ": " + std::string(id);
  code->origin = computed;
  code->signature = function_signature(code->name, prim, written);
  code->view = std::make_unique<SignatureView>(code->signature);
  FunctionCompiler compiler(scope, *code);
  compiler.compile(prim);
  return code;
}

}  // namespace

size_t output_count(const Value& type) {
  if (!type.is_node()) return 1;
  const auto* tuple = as_node(type).as<relax::TupleType>();
  if (!tuple) return 1;
  size_t n = 0;
  for (const Value& field : tuple->fields()) n += output_count(field);
  return n;
}

void compile_graph(const ModuleScope& scope, const TnHostOps* ops, const TnContext* context, const Builder& b,
                   GraphProgram& out) {
  for (const Map::Entry& e : scope.module.functions()) {
    const auto* function = as_node(e.value()).as<relax::Function>();
    if (!function) continue;
    auto g = std::make_unique<GraphFunction>();
    g->name = e.key();
    g->function = *function;
    g->signature = graph_signature(e.key(), *function);
    g->view = std::make_unique<SignatureView>(g->signature);
    b.walk(*function, [&](const Node& n) {
      const auto* c = n.as<ir::Call>();
      const auto* op = c ? c->op().as<ir::Op>() : nullptr;
      if (op && op->id().substr(0, 6) == "relax." && !is_graph_builtin(op->id()) && !out.operators.count(n.get()))
        out.operators.emplace(n.get(), compile_operator(scope, ops, context, *c, op->id(), g->name));
    });
    out.functions.emplace(g->name, std::move(g));
  }
}

}  // namespace tenon::interp
