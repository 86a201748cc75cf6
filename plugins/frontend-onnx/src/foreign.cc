// Nodes that the tables here do not convert: whoever offers "tenon.onnx_converter/1" for their domain is asked.
#include <tenon/onnx_converter_plugin.h>

#include "importer.h"

namespace tenon::onnx {
namespace {

std::string_view canonical(std::string_view domain) { return domain.empty() ? "ai.onnx" : domain; }

// Makes bindings of an expression that a converter returned; what stands in several places is bound once.
class Binder {
 public:
  explicit Binder(Importer& importer) : in_(importer) {}

  Node operator()(const Node& e) {
    auto known = bound_.find(e.get());
    if (known != bound_.end()) return known->second;
    Node made = e;
    if (const auto* call = e.as<ir::Call>()) {
      const auto* op = call->op().as<ir::Op>();
      if (!op) in_.refuse(TN_ERROR_PLUGIN, "the converter returned a call of what is no operator");
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
        in_.refuse(TN_ERROR_PLUGIN,
                   "the converter took item " + std::to_string(item->index()) + " of what has no such item");
      const Value& own = type->fields()[static_cast<size_t>(item->index())];
      made = in_.variable(in_.b.make<relax::TupleGetItem>({own, from, item->index()}), "lv");
    }
    kept_.push_back(e);
    return bound_[e.get()] = made;
  }

 private:
  Importer& in_;
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
    Value made;
    try {
      made = provider.open().call<&TnOnnxConverter::convert>(context_, node.ptr());
    } catch (const Error& e) { refuse(e.code, "the converter of '" + provider.plugin() + "': " + e.message, e.hint); }
    if (!made.is_array() || made.ref<Array>().size() != n.outputs.size())
      refuse(TN_ERROR_PLUGIN,
             "the converter of '" + provider.plugin() + "' did not return one expression for each output",
             "this is a bug of the plugin");
    Binder bind(*this);
    for (size_t i = 0; i < n.outputs.size(); ++i) {
      const Value& v = made.ref<Array>()[i];
      if (!v.is_node())
        refuse(TN_ERROR_PLUGIN, "the converter of '" + provider.plugin() + "' returned what is no expression",
               "this is a bug of the plugin");
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
