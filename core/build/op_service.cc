#include "build/op_service.h"

#include "diag/suggest.h"

namespace tenon {

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
    : b_(b), provider_(provider), instances_(instances) {
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
}

const std::map<std::string, OpService::Row, std::less<>>& OpService::rows() {
  std::lock_guard lock(mutex_);
  if (filled_) return rows_;
  for (const PluginInfo& plugin : provider_.plugins())
    for (const OpInfo& op : plugin.ops) rows_.emplace(op.id, Row{&op, &plugin});
  filled_ = true;
  return rows_;
}

const OpInfo* OpService::find(std::string_view id) {
  auto it = rows().find(id);
  return it == rows_.end() ? nullptr : it->second.op;
}

Value OpService::record(std::string_view id) {
  auto it = rows().find(id);
  if (it == rows_.end()) return Value();
  const OpInfo& op = *it->second.op;
  return b_.map({{"id", b_.string(op.id)},
                 {"revision", Value(op.revision)},
                 {"level", b_.string(level_name(op.level))},
                 {"args", texts_value(b_, op.args)},
                 {"variadic", Value(op.variadic)},
                 {"attrs", schemas_value(b_, op.attrs)},
                 {"effects", b_.string(op.effects)},
                 {"result", b_.string(op.result)},
                 {"functions", texts_value(b_, op.functions)},
                 {"plugin", b_.string(it->second.plugin->id)},
                 {"summary", b_.string(op.summary)}});
}

const OpService::Row& OpService::row_of(const Node& call) {
  const auto* c = call.as<ir::Call>();
  const auto* op = c ? c->op().as<ir::Op>() : nullptr;
  if (!op) throw Error(TN_ERROR_ARGUMENT, "the node is not a call of an op");
  auto it = rows().find(op->id());
  if (it != rows_.end()) return it->second;
  std::vector<std::string> known;
  for (const auto& [id, row] : rows_) known.push_back(id);
  throw Error(TN_ERROR_NOT_FOUND, "there is no op '" + std::string(op->id()) + "'", {},
              did_you_mean(op->id(), known, "ops come from the manifests of plugins: tenon plugin list"));
}

PluginInstances::Use OpService::use(const Row& row, std::string_view function) {
  for (const std::string& f : row.op->functions)
    if (f == function) return instances_.use(*row.plugin, TN_OP);
  return {};
}

Value OpService::infer_type(const TnContext* context, const Node& call) {
  const Row& row = row_of(call);
  if (PluginInstances::Use use = this->use(row, "infer_type"); use.table) {
    auto* table = static_cast<const TnOp*>(use.table);
    if (TN_HAS(table, infer_type))
      return tenon::call([&](TnValue* ret) { return table->infer_type(use.instance, context, call.get(), ret); });
    throw Error(TN_ERROR_PLUGIN,
                "the plugin '" + row.plugin->id + "' has no infer_type, though its manifest says so for " + row.op->id);
  }
  const ir::Call& c = call.to<ir::Call>();
  const std::string& result = row.op->result;
  if (result == "first" && !c.args().empty()) return Value(nodes(c.args())[0].dtype());
  if (result == "given") return c.type();
  if (std::optional<DLDataType> dtype = dtype_from_text(result)) return Value(*dtype);
  throw Error(TN_ERROR_UNSUPPORTED, "the op '" + row.op->id + "' says nothing about the type of its result", {},
              "its manifest needs 'result', or 'infer_type' among its functions");
}

Value OpService::compute(const TnContext* context, const Node& call) {
  const Row& row = row_of(call);
  PluginInstances::Use use = this->use(row, "compute");
  auto* table = static_cast<const TnOp*>(use.table);
  if (!table)
    throw Error(TN_ERROR_UNSUPPORTED, "the op '" + row.op->id + "' has no compute", {},
                "it can be run by what implements it, not be turned into loops");
  if (!TN_HAS(table, compute))
    throw Error(TN_ERROR_PLUGIN,
                "the plugin '" + row.plugin->id + "' has no compute, though its manifest says so for " + row.op->id);
  return tenon::call([&](TnValue* ret) { return table->compute(use.instance, context, call.get(), ret); });
}

}  // namespace tenon
