#include "build/op_service.h"

#include "build/catalog.h"
#include "diag/suggest.h"
#include "ir/kind_table.h"
#include "pass/compile_context.h"
#include "pass/function_pass.h"
#include "pass/plugin_failure.h"

namespace tenon {

namespace {

[[noreturn]] void refuse(const OpRecord& op, const Node& call, const char* slot, const std::string& what) {
  throw Error(TN_ERROR_PLUGIN,
              "the plugin '" + op.plugin + "': " + slot + " of the operator '" + op.id + "' returned " + what,
              span_where(call.span()), plugin_bug(op.plugin));
}

bool is_type(const Value& v) {
  if (v.is_dtype()) return true;
  const KindInfo* info = v.is_node() ? kind_info(as_node(v).kind()) : nullptr;
  return info && (info->schema.flags & TN_KIND_TYPE);
}

using TensorTypes = std::vector<const relax::TensorType*>;

const relax::TensorType* tensor_type(const Value& type) {
  return type.is_node() ? as_node(type).as<relax::TensorType>() : nullptr;
}

// The types of the tensors among the arguments, tuples flattened. False when they cannot be told.
bool add_argument(const Node& arg, TensorTypes& out) {
  if (const auto* tuple = arg.as<relax::Tuple>()) {
    for (const Node& field : nodes(tuple->fields()))
      if (!add_argument(field, out)) return false;
    return true;
  }
  if (arg.slot_count() == 0 || arg.is<ir::GlobalVar>() || arg.is<ir::ExternFunc>()) return false;
  if (const auto* tensor = tensor_type(arg.slot(0))) out.push_back(tensor);
  return !arg.slot(0).is_node() || !as_node(arg.slot(0)).is<relax::TupleType>();
}

// The same of the result.
bool add_result(const Value& type, TensorTypes& out) {
  if (const auto* tensor = tensor_type(type)) return out.push_back(tensor), true;
  const auto* tuple = type.is_node() ? as_node(type).as<relax::TupleType>() : nullptr;
  if (!tuple) return false;
  for (const Value& field : tuple->fields())
    if (!add_result(field, out)) return false;
  return true;
}

// What compute gave takes the tensors among the call's arguments, then its results.
void check_loops(const Builder& b, const OpRecord& op, const ir::Call& call, const Value& made) {
  if (!made.is_node() || !as_node(made).is<tir::PrimFunc>())
    refuse(op, call, "compute", kind_text(b, made) + " where tir.PrimFunc/1 is due");
  TensorTypes due;
  for (const Node& arg : nodes(call.args()))
    if (!add_argument(arg, due)) return;
  if (!add_result(call.type(), due)) return;
  const Array& params = as_node(made).to<tir::PrimFunc>().params();
  const std::string what = "a loop function ";
  if (params.size() != due.size())
    refuse(op, call, "compute",
           what + "with " + std::to_string(params.size()) + " parameters, where " + std::to_string(due.size()) +
               " are due");
  for (size_t i = 0; i < due.size(); ++i) {
    const auto* buffer = nodes(params)[i].as<tir::Buffer>();
    const std::string which = what + "whose parameter " + std::to_string(i);
    if (!buffer) refuse(op, call, "compute", which + " is no buffer");
    const auto rank = static_cast<int64_t>(buffer->shape().size());
    if (due[i]->ndim() >= 0 && due[i]->ndim() != rank)
      refuse(
          op, call, "compute",
          which + " has " + std::to_string(rank) + " dimensions, where " + std::to_string(due[i]->ndim()) + " are due");
    if (due[i]->dtype().is_dtype() && !same_dtype(due[i]->dtype().as_dtype(), buffer->dtype()))
      refuse(op, call, "compute",
             which + " holds " + dtype_text(buffer->dtype()) + ", where " + dtype_text(due[i]->dtype().as_dtype()) +
                 " is due");
  }
}

}  // namespace

Value texts_value(const Builder& b, const std::vector<std::string>& texts) {
  std::vector<Value> values;
  for (const std::string& t : texts) values.push_back(b.string(t));
  return b.array(values);
}

Value schemas_value(const Builder& b, const OptionSchemas& schemas) {
  Builder::Entries all;
  for (const OptionSchema& s : schemas) {
    Builder::Entries one{{"type", b.string(option_type_name(s.type))}};
    if (s.required)
      one.emplace_back("required", Value(true));
    else
      one.emplace_back("default", s.default_value);
    if (!s.choices.empty()) one.emplace_back("choices", b.array(s.choices));
    if (!s.summary.empty()) one.emplace_back("summary", b.string(s.summary));
    all.emplace_back(s.name, b.map(one));
  }
  return b.map(all);
}

OpService::OpService(const Builder& b, PluginProvider& provider, PluginInstances& instances)
    : b_(b), provider_(provider), instances_(instances), calls_(provider.calls()) {
  table_.size = sizeof table_;
  table_.self = this;
  table_.find = [](void* self, const char* id, TnValue* ret) -> int {
    auto* ops = static_cast<OpService*>(self);
    return guard(ops->b_.runtime(), ret, [&] { return ops->record(id); });
  };
  table_.infer_type = [](void* self, const TnContext* context, const TnNode* call, TnValue* ret) -> int {
    auto* ops = static_cast<OpService*>(self);
    return guard(ops->b_.runtime(), ret, [&] { return ops->infer_type(context, Builder::borrow(call)); });
  };
  table_.compute = [](void* self, const TnContext* context, const TnNode* call, TnValue* ret) -> int {
    auto* ops = static_cast<OpService*>(self);
    return guard(ops->b_.runtime(), ret, [&] { return ops->compute(context, Builder::borrow(call)); });
  };
  table_.evaluate = [](void* self, const TnContext* context, const TnNode* call, const TnValue* args, int32_t n,
                       TnValue* ret) -> int {
    auto* ops = static_cast<OpService*>(self);
    return guard(ops->b_.runtime(), ret, [&] { return ops->evaluate(context, Builder::borrow(call), args, n); });
  };
  table_.suggest = [](void* self, const char* id, TnValue* ret) -> int {
    auto* ops = static_cast<OpService*>(self);
    return guard(ops->b_.runtime(), ret, [&] {
      return ops->b_.string(did_you_mean(id, ops->op_table().ids(), "no installed plugin declares it"));
    });
  };
}

const OpTable& OpService::op_table() {
  std::call_once(filled_, [this] {
    for (const PluginInfo& plugin : provider_.plugins())
      for (const OpRow& op : plugin.ops) ops_.add_or_dispute(op.row, plugin.id, op.origin);
  });
  return ops_;
}

Value OpService::record(std::string_view id) {
  const OpRecord* op = op_table().find(id);
  return op ? Value(op->data) : Value();
}

const OpRecord& OpService::record_of(const Node& call) {
  const auto* c = call.as<ir::Call>();
  const auto* op = c ? c->op().as<ir::Op>() : nullptr;
  if (!op) throw Error(TN_ERROR_ARGUMENT, "the node is not a call of an op");
  return op_table().get(op->id(), span_where(call.span()));
}

PluginInstances::Use OpService::use(const OpRecord& op, std::string_view function) {
  if (!op.has_function(function)) return {};
  return instances_.use(find_plugin(provider_, op.plugin), TN_OP);
}

Value OpService::infer_type(const TnContext* context, const Node& call) {
  const OpRecord& op = record_of(call);
  if (PluginInstances::Use use = this->use(op, "infer_type"); use.table) {
    auto* table = static_cast<const TnOp*>(use.table);
    CallMark mark(calls_, op.plugin + " " + op.id);
    if (TN_HAS(table, infer_type)) {
      Value type = call_plugin(op.plugin, "",
                               [&](TnValue* ret) { return table->infer_type(use.instance, context, call.get(), ret); });
      if (!is_type(type)) refuse(op, call, "infer_type", kind_text(b_, type) + " where a type is due");
      return type;
    }
    throw Error(TN_ERROR_PLUGIN,
                "the plugin '" + op.plugin + "' has no infer_type, though its manifest says so for " + op.id);
  }
  if (op.result == "given") return call.to<ir::Call>().type();
  if (std::optional<DLDataType> dtype = op_table().dtype_of_call(call)) return Value(*dtype);
  throw Error(TN_ERROR_UNSUPPORTED, "the op '" + op.id + "' says nothing about the type of its result",
              span_where(call.span()), "its manifest needs 'result', or 'infer_type' among its functions");
}

Value OpService::compute(const TnContext* context, const Node& call) {
  const OpRecord& op = record_of(call);
  PluginInstances::Use use = this->use(op, "compute");
  auto* table = static_cast<const TnOp*>(use.table);
  if (!table)
    throw Error(TN_ERROR_UNSUPPORTED, "the op '" + op.id + "' has no compute", span_where(call.span()),
                "it can be run by what implements it, not be turned into loops");
  if (!TN_HAS(table, compute))
    throw Error(TN_ERROR_PLUGIN,
                "the plugin '" + op.plugin + "' has no compute, though its manifest says so for " + op.id);
  CallMark mark(calls_, op.plugin + " " + op.id);
  Value made =
      call_plugin(op.plugin, "", [&](TnValue* ret) { return table->compute(use.instance, context, call.get(), ret); });
  check_loops(b_, op, call.to<ir::Call>(), made);
  return made;
}

Value OpService::evaluate(const TnContext* context, const Node& call, const TnValue* args, int32_t n) {
  const OpRecord& op = record_of(call);
  PluginInstances::Use use = this->use(op, "evaluate");
  auto* table = static_cast<const TnOp*>(use.table);
  if (!table)
    throw Error(TN_ERROR_UNSUPPORTED, "the op '" + op.id + "' has no evaluate", span_where(call.span()),
                "it has no value that is known while compiling");
  if (!TN_HAS(table, evaluate))
    throw Error(TN_ERROR_PLUGIN,
                "the plugin '" + op.plugin + "' has no evaluate, though its manifest says so for " + op.id);
  CallMark mark(calls_, op.plugin + " " + op.id);
  return call_plugin(op.plugin, "",
                     [&](TnValue* ret) { return table->evaluate(use.instance, context, call.get(), args, n, ret); });
}

}  // namespace tenon
