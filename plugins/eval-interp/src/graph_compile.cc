// What is settled when a module with graph functions is loaded: signatures, and the loop function behind each operator.
#include <set>

#include "compiler.h"
#include "graph.h"
#include "graph_ops.h"

namespace tenon::interp {
namespace {

// The variables of a loop function that no shape of its parameters defines before they are used, nor its body.
std::vector<Node> unbound_symbols(const Builder& b, const tir::PrimFunc& f) {
  std::set<const TnNode*> defined;
  std::vector<Node> out;
  auto collect = [&](const Value& tree) {
    b.walk(tree, [&](const Node& n) {
      if (const auto* loop = n.as<tir::For>()) defined.insert(loop->loop_var().get());
      if (const auto* axis = n.as<tir::IterVar>()) defined.insert(axis->var().get());
      if (const auto* bind = n.as<tir::Bind>()) defined.insert(bind->var().get());
      if (const auto* let = n.as<tir::Let>()) defined.insert(let->var().get());
      if (n.is<ir::Var>() && defined.insert(n.get()).second) out.push_back(n);
    });
  };
  for (const Node& p : nodes(f.params())) {
    defined.insert(p.get());
    if (const auto* buffer = p.as<tir::Buffer>())
      for (const Node& d : nodes(buffer->shape())) {
        if (d.is<ir::Var>())
          defined.insert(d.get());
        else
          collect(Value(d));
      }
  }
  collect(Value(f.body()));
  return out;
}

// The loop function that an operator's compute gives, compiled under the operator's name.
OperatorCode compile_operator(const ModuleScope& scope, const Builder& b, const TnHostOps* ops,
                              const TnContext* context, const ir::Call& call_node, std::string_view id,
                              const std::string& function) {
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
  OperatorCode out;
  out.symbols = unbound_symbols(b, as_node(computed).to<tir::PrimFunc>());
  std::vector<Node> params = out.symbols;
  for (const Node& p : nodes(as_node(computed).to<tir::PrimFunc>().params())) params.push_back(p);
  const Node function_node = b.with(as_node(computed), tir::PrimFunc::Slot::params, Value(b.array(params)));
  const auto& prim = function_node.to<tir::PrimFunc>();
  // The outputs come last, and nothing else is written.
  std::vector<bool> written(params.size(), false);
  const size_t outputs = output_count(call_node.type());
  for (size_t k = 0; k < outputs && k < written.size(); ++k) written[written.size() - 1 - k] = true;
  out.code = std::make_unique<Code>();
  out.code->name = function + ": " + std::string(id);
  out.code->origin = Value(function_node);
  out.code->signature = function_signature(out.code->name, prim, written);
  out.code->view = std::make_unique<SignatureView>(out.code->signature);
  FunctionCompiler compiler(scope, *out.code);
  compiler.compile(prim);
  return out;
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
        out.operators.emplace(n.get(), compile_operator(scope, b, ops, context, *c, op->id(), g->name));
    });
    out.functions.emplace(g->name, std::move(g));
  }
}

}  // namespace tenon::interp
