#include "converter_calls.h"

#include <tenon/ext/draft/onnx_converter.h>

#include "exercises.h"

namespace tenon::conformance {

namespace {

struct Input {
  DLDataType dtype;
  std::vector<int64_t> shape;
};
const std::vector<Input> kInputs[] = {
    {{kFloat32, {4, 6}}},
    {{kFloat32, {4, 6}}, {kFloat32, {4, 6}}},
    {{kFloat32, {4, 6}}, {kFloat32, {6, 5}}, {kFloat32, {5}}},
    {{make_dtype(kDLInt, 8), {4, 6}}, {make_dtype(kDLInt, 8), {6, 5}}, {kInt32, {5}}},
    {{kFloat32, {1, 4, 8, 8}}, {kFloat32, {8, 4, 3, 3}}, {kFloat32, {8}}},
    {{kInt32, {4, 6}}, {kInt32, {4, 6}}},
};

ConverterCall make(const Builder& b, const std::string& op, const std::string& domain, const std::vector<Input>& inputs,
                   size_t outputs, const Map& attributes) {
  ConverterCall c{op + " of " + std::to_string(inputs.size()) + " inputs", op, {}, {}, outputs};
  for (size_t i = 0; i < inputs.size(); ++i) {
    std::vector<Node> shape;
    for (int64_t extent : inputs[i].shape) shape.push_back(b.imm(extent));
    Node type =
        b.make<relax::TensorType>({b.array(shape), inputs[i].dtype, static_cast<int64_t>(shape.size()), b.map({})});
    c.params.push_back(b.var("x" + std::to_string(i), Value(type)));
    c.name += (i ? ", " : ": ") + dtype_text(inputs[i].dtype);
    for (int64_t extent : inputs[i].shape) c.name += "x" + std::to_string(extent);
  }
  c.node = Value(b.map({{"name", b.string("node")},
                        {"op", b.string(op)},
                        {"domain", b.string(domain)},
                        {"version", Value(1)},
                        {"inputs", b.array(c.params)},
                        {"outputs", Value(static_cast<int64_t>(outputs))},
                        {"attributes", Value(attributes)}}));
  return c;
}

struct Offer {
  std::string domain;
  std::vector<std::string> operators;
};
Offer offer_of(const Subject& s) {
  Offer out;
  const Value* offers = s.info().find("offers");
  const Value* offer = offers && offers->is_map() ? offers->ref<Map>().find(TN_ONNX_CONVERTER) : nullptr;
  if (!offer || !offer->is_map()) return out;
  out.domain = text_of(offer->ref<Map>(), "domain");
  const Value* list = offer->ref<Map>().find("operators");
  if (list && list->is_array())
    for (const Value& v : list->ref<Array>())
      if (v.is_string()) out.operators.emplace_back(v.as_string());
  return out;
}

}  // namespace

std::vector<ConverterCall> converter_calls(const Subject& s, bool few) {
  std::vector<ConverterCall> out;
  const Offer offer = offer_of(s);
  for (const std::string& op : offer.operators)
    for (const auto& inputs : kInputs)
      if (!few || inputs.size() != 1 || inputs[0].dtype.code == kDLFloat)
        out.push_back(make(s.b(), op, offer.domain, inputs, 1, s.b().map({})));
  return out;
}

std::vector<ConverterCall> wrong_converter_calls(const Subject& s) {
  const Builder& b = s.b();
  std::vector<ConverterCall> out;
  const Offer offer = offer_of(s);
  out.push_back(make(b, "NoSuchOperator", offer.domain, kInputs[0], 1, b.map({})));
  for (const std::string& op : offer.operators) {
    out.push_back(make(b, op, offer.domain, {}, 1, b.map({})));
    ConverterCall c = make(b, op, offer.domain, {}, 1, b.map({}));
    c.name = op + " of inputs that are left out";
    c.node = Value(b.with(c.node.ref<Map>(), "inputs", b.array({Value(), Value(), Value()})));
    out.push_back(c);
    c.name = op + " of a node that is an empty map";
    c.node = Value(b.map({}));
    out.push_back(c);
  }
  return out;
}

std::vector<Node> convert(Instance& i, const ConverterCall& given) {
  const Builder& b = i.subject().b();
  ConverterCall c = given;
  auto* t = i.table<TnOnnxConverter>(TN_ONNX_CONVERTER);
  auto run = need(t, &TnOnnxConverter::convert, "convert");
  Value v =
      call_slot([&](TnValue* ret) { return run(i.self(TN_ONNX_CONVERTER), i.context(Node()), c.node.ptr(), ret); });
  if (!v.is_array()) throw Violation{"V4", "convert returned no array"};
  // How many outputs an operator has is not said anywhere: it is asked again for as many as it gave.
  if (const size_t n = v.ref<Array>().size(); n > 1 && n != c.outputs) {
    c.outputs = n;
    c.node = Value(b.with(c.node.ref<Map>(), "outputs", Value(static_cast<int64_t>(n))));
    v = call_slot([&](TnValue* ret) { return run(i.self(TN_ONNX_CONVERTER), i.context(Node()), c.node.ptr(), ret); });
    if (!v.is_array()) throw Violation{"V4", "convert returned no array"};
  }
  std::vector<Node> out;
  for (const Value& e : v.ref<Array>()) {
    if (!e.is_node()) throw Violation{"C3", "an output is no expression"};
    out.push_back(as_node(e));
  }
  if (out.size() != c.outputs)
    throw Violation{"C3", std::to_string(out.size()) + " expressions for " + std::to_string(c.outputs) + " outputs"};
  return out;
}

Node program_of(const Builder& b, const ConverterCall& c, const std::vector<Node>& outputs) {
  std::vector<Node> bindings, vars;
  for (size_t i = 0; i < outputs.size(); ++i) {
    vars.push_back(b.make<ir::Var>({Value(), b.string("y" + std::to_string(i))}));
    bindings.push_back(b.make<relax::VarBinding>({outputs[i], vars.back()}));
  }
  Node result = vars.size() == 1 ? vars[0] : Node(b.make<relax::Tuple>({Value(), b.array(vars)}));
  Node block = b.make<relax::BindingBlock>({b.array(bindings)});
  Node main =
      b.make<relax::Function>({Value(), b.array(c.params), b.map({{"global_symbol", b.string("main")}}), Value(), true,
                               b.make<relax::SeqExpr>({Value(), b.array({Value(block)}), result})});
  return b.make<ir::Module>({b.map({}), b.map({}), b.map({{"main", b.renew(Value(main))}}), b.array({})});
}

}  // namespace tenon::conformance
