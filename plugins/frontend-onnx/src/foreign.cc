// Nodes that the tables here do not convert: whoever offers "tenon.onnx_converter/1" for their domain is asked.
#include <tenon/onnx_converter_plugin.h>
#include <tenon/provider_call.h>

#include <functional>
#include <set>

#include "importer.h"

namespace tenon::onnx {
namespace {

std::string_view canonical(std::string_view domain) { return domain.empty() ? "ai.onnx" : domain; }

// Makes bindings of an expression that a converter returned; what stands in several places is bound once.
class Binder {
 public:
  using Refuse = std::function<void(const std::string& what)>;  // throws
  // `given` are the expressions that the converter was given.
  Binder(Importer& importer, Refuse refuse, const std::set<const TnNode*>& given)
      : in_(importer), refuse_(std::move(refuse)), given_(given) {}

  Node operator()(const Node& e) {
    auto known = bound_.find(e.get());
    if (known != bound_.end()) return known->second;
    Node made = e;
    if (const auto* call = e.as<ir::Call>()) {
      const auto* op = call->op().as<ir::Op>();
      if (!op) refuse_("returned a call of what is no operator");
      std::vector<Node> args;
      for (const Node& a : nodes(call->args())) args.push_back((*this)(a));
      made = in_.call(std::string(op->id()).c_str(), args, Builder::entries(call->attrs()));
    } else if (const auto* tuple = e.as<relax::Tuple>()) {
      std::vector<Node> fields;
      for (const Node& f : nodes(tuple->fields())) fields.push_back((*this)(f));
      made = in_.tuple(fields);
    } else if (const auto* item = e.as<relax::TupleGetItem>()) {  // of an operator with several results
      const Node from = (*this)(item->tuple());
      const auto* type = from.slot(0).is_node() ? as_node(from.slot(0)).as<relax::TupleType>() : nullptr;
      if (!type || item->index() < 0 || static_cast<size_t>(item->index()) >= type->fields().size())
        refuse_("took item " + std::to_string(item->index()) + " of what has no such item");
      const Value& own = type->fields()[static_cast<size_t>(item->index())];
      made = in_.variable(in_.b.make<relax::TupleGetItem>({own, from, item->index()}), "lv");
    } else if (!given_.contains(e.get()) && !e.is<ir::Constant>() && !e.is<relax::ShapeExpr>()) {
      refuse_("returned an expression that is neither a call of an operator nor an input of the node nor a constant");
    }
    kept_.push_back(e);
    return bound_[e.get()] = made;
  }

 private:
  Importer& in_;
  const Refuse refuse_;
  const std::set<const TnNode*>& given_;
  std::map<const TnNode*, Node> bound_;
  std::vector<Node> kept_;  // the keys stay alive
};

}  // namespace

Value Importer::attribute_value(const std::string& name, const Attribute& a) {
  switch (a.type) {
    case kFloat: return Value(static_cast<double>(a.f));
    case kInt: return Value(a.i);
    case kString: return b.string(a.s);
    case kTensor: return Value(constant(a.t));
    case kInts: return list(a.ints);
    case kFloats: {
      std::vector<Value> items;
      for (float f : a.floats) items.emplace_back(static_cast<double>(f));
      return b.array(items);
    }
    default:
      refuse(TN_ERROR_UNSUPPORTED, "its attribute '" + name + "' has type " + std::to_string(a.type) +
                                       ", which is not handed to converters of plugins");
  }
}

bool Importer::convert_elsewhere(const OnnxNode& n) {
  std::vector<std::string> others;
  for (const Provider<TnOnnxConverter>& provider : self_.providers<TnOnnxConverter>()) {
    Map offer = provider.offer();
    const Value *domain = offer.find("domain"), *operators = offer.find("operators");
    if (!domain || !domain->is_string() || canonical(domain->as_string()) != canonical(n.domain)) continue;
    if (!operators || !operators->is_array()) continue;
    bool offered = false;
    for (const Value& v : operators->ref<Array>())
      if (v.is_string()) {
        offered = offered || v.as_string() == n.op;
        others.emplace_back(v.as_string());
      }
    if (!offered) continue;
    std::vector<Value> inputs;
    for (size_t i = 0; i < n.inputs.size(); ++i) inputs.push_back(n.inputs[i].empty() ? Value() : Value(input(i)));
    Builder::Entries attributes;
    for (const auto& [name, a] : n.attributes) attributes.emplace_back(name, attribute_value(name, a));
    Value node = b.map({{"name", b.string(n.name)},
                        {"op", b.string(n.op)},
                        {"domain", b.string(canonical(n.domain))},
                        {"version", Value(opset_)},
                        {"inputs", b.array(inputs)},
                        {"outputs", Value(static_cast<int64_t>(n.outputs.size()))},
                        {"attributes", b.map(attributes)}});
    const std::string who = "the converter of '" + provider.plugin() + "'";
    const std::string bug = "this is a bug of the plugin '" + provider.plugin() + "'";
    Value made;
    try {
      made = call_provider<&TnOnnxConverter::convert>(provider, who, context_, node.ptr());
    } catch (const Error& e) { refuse(e.code, e.message, e.hint); }
    if (!made.is_array() || made.ref<Array>().size() != n.outputs.size())
      refuse(TN_ERROR_PLUGIN, who + " did not return one expression for each output", bug);
    std::set<const TnNode*> given;
    for (const Value& v : inputs)
      if (v.is_node()) given.insert(as_node(v).get());
    Binder bind(*this, [&](const std::string& what) { refuse(TN_ERROR_PLUGIN, who + " " + what, bug); }, given);
    for (size_t i = 0; i < n.outputs.size(); ++i) {
      const Value& v = made.ref<Array>()[i];
      if (!v.is_node()) refuse(TN_ERROR_PLUGIN, who + " returned what is no expression", bug);
      set_output(i, bind(as_node(v)));
    }
    return true;
  }
  std::string list;
  for (const std::string& o : others) list += (list.empty() ? "" : ", ") + o;
  if (!list.empty())
    refuse(TN_ERROR_UNSUPPORTED, "the operator " + n.op + " of the domain '" + n.domain + "' has no converter",
           "of this domain, plugins convert: " + list);
  return false;
}

}  // namespace tenon::onnx
