// The model as a whole: its inputs, its nodes in turn, its outputs.
#include <algorithm>
#include <sstream>

#include "importer.h"

namespace tenon::onnx {

constexpr int64_t kOldestOpset = 1, kNewestOpset = 28;

Node Importer::parameter(const ValueInfo& info) {
  if (!info.is_tensor)
    throw Error(TN_ERROR_UNSUPPORTED, "the input '" + info.name + "' of the model is no tensor", source_->name);
  DLDataType dtype = dtype_of(info.type);
  if (dtype.bits == 0)
    throw Error(
        TN_ERROR_UNSUPPORTED,
        "the input '" + info.name + "' has element type " + std::to_string(info.type) + ", which is not supported",
        source_->name);
  if (!info.has_shape)
    throw Error(TN_ERROR_SHAPE, "the input '" + info.name + "' has no shape", source_->name,
                "export the model with input shapes; dimensions may be symbolic");
  std::vector<Node> shape;
  for (size_t i = 0; i < info.shape.size() && i <= kHighestRank; ++i) {
    const Dimension& d = info.shape[i];
    if (d.value >= 0) {
      shape.push_back(b.imm(d.value));
      continue;
    }
    std::string name = d.symbol;
    if (name.empty()) {  // a size of its own
      name = info.name + "_" + std::to_string(i);
      while (!dimension_names_.insert(name).second) name += "_";
    }
    Node& symbol = symbols_[name];
    if (!symbol) symbol = b.var(name);
    shape.push_back(symbol);
  }
  check_size(shape, "the input '" + info.name + "'");
  std::string word = word_of(info.name);
  for (int64_t n = 1; !words_.insert(word).second; ++n) word = word_of(info.name) + "_" + std::to_string(n);
  return b.make<ir::Var>({tensor_type(shape, dtype), b.string(word)});
}

// "float32 (n, 3)"
std::string Importer::text_of(const Node& param) const {
  std::string text;
  for (const Node& d : nodes(shape(param)))
    text += (text.empty() ? "" : ", ") +
            (d.is<ir::IntImm>() ? std::to_string(d.to<ir::IntImm>().value()) : std::string(d.to<ir::Var>().name()));
  return dtype_text(dtype(param)) + " (" + text + ")";
}

// What the user gives for an input that is always the same; null when it is a parameter.
Node Importer::given_constant(const ValueInfo& info, const Node& param) {
  if (!TN_HAS(source_, constant)) return {};
  Value given = tenon::call([&](TnValue* ret) { return source_->constant(source_->self, info.name.c_str(), ret); });
  if (given.is_none()) return {};
  const DLTensor& t = reinterpret_cast<const TnTensor*>(given.raw().as.object)->tensor;
  std::vector<int64_t> dims(t.shape, t.shape + t.ndim);
  bool fits = same_dtype(t.dtype, dtype(param)) && dims.size() == rank(param);
  NodeRange declared = nodes(shape(param));
  for (size_t i = 0; fits && i < dims.size(); ++i)
    fits = !declared[i].is<ir::IntImm>() || declared[i].to<ir::IntImm>().value() == dims[i];
  if (!fits)
    throw Error(TN_ERROR_SHAPE,
                "the constant given for the input '" + info.name + "' has another type or shape than the model says",
                source_->name, "the input is " + text_of(param));
  Value c = tenon::call([&](TnValue* ret) { return b.ir()->constant(b.ir()->self, &t, ret); });
  return constant_of(reinterpret_cast<const TnConstant*>(c.raw().as.object), t.dtype, dims);
}

// An attribute that a converter does not know would be ignored, and the numbers might be wrong.
void Importer::check_attributes(const Converter& row) const {
  std::set<std::string> names;
  std::istringstream words(row.attributes);
  for (std::string word; words >> word;) {
    const size_t end = word.find('<');
    if (end == std::string::npos || opset_ < std::stoll(word.substr(end + 1))) names.insert(word.substr(0, end));
  }
  if (opset_ < 6) names.insert("consumed_inputs");  // a hint for memory
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  for (const auto& [name, value] : node_->attributes)
    if (!names.count(name))
      refuse(TN_ERROR_ARGUMENT, "it has no attribute '" + shown(name) + "' in opset " + std::to_string(opset_),
             list.empty() ? "it has no attributes" : "its attributes are " + list);
}

void Importer::convert(const OnnxNode& n) {
  node_ = &n;
  auto opset = model_.opsets.find(n.domain == "ai.onnx" ? "" : n.domain);
  bool foreign = !n.domain.empty() && n.domain != "ai.onnx";
  if (n.outputs.empty() || n.outputs[0].empty()) refuse(TN_ERROR_CORRUPT, "its first output has no name");
  for (size_t i = 0; i < n.outputs.size(); ++i) {
    const std::string& o = n.outputs[i];
    if (!o.empty() && (values_.count(o) || initializers_.count(o) ||
                       std::find(n.outputs.begin(), n.outputs.begin() + static_cast<long>(i), o) !=
                           n.outputs.begin() + static_cast<long>(i)))
      refuse(TN_ERROR_CORRUPT, "its output '" + shown(o) + "' has the name of another value");
  }
  if (opset == model_.opsets.end() && !foreign)
    refuse(TN_ERROR_CORRUPT, "the model does not say which version of the operators it uses");
  opset_ = opset == model_.opsets.end() ? 1 : opset->second;
  if (foreign) {
    if (convert_elsewhere(n)) return;
    refuse(TN_ERROR_UNSUPPORTED, "operators of the domain '" + shown(n.domain) + "' have no converter here",
           "a plugin that provides tenon.onnx_converter/1 for the domain converts them");
  }
  if (opset_ < kOldestOpset || opset_ > kNewestOpset)
    refuse(TN_ERROR_UNSUPPORTED,
           "opset " + std::to_string(opset_) + " is not supported: " + std::to_string(kOldestOpset) + " to " +
               std::to_string(kNewestOpset) + " are",
           "convert the model with onnx.version_converter");
  for (const auto* table : {&elementwise_converters(), &layer_converters(), &shape_converters()})
    for (const Converter& row : *table)
      if (n.op == row.op) {
        if (n.inputs.size() > row.most)
          refuse(TN_ERROR_ARGUMENT, "it has " + std::to_string(n.inputs.size()) + " inputs: at most " +
                                        std::to_string(row.most) + " are possible");
        check_attributes(row);
        return row.convert(*this);
      }
  if (convert_elsewhere(n)) return;
  refuse(TN_ERROR_UNSUPPORTED, "the operator " + shown(n.op) + " of the domain ai.onnx (opset " +
                                   std::to_string(opset_) + ") has no converter");
}

Value Importer::run() {
  model_ = read_model({source_->data, source_->data_size}, source_->name);
  if (model_.functions)
    throw Error(TN_ERROR_UNSUPPORTED, "the model defines local functions, which are not supported", source_->name,
                "inline them with onnx.inliner");
  if (model_.sparse)
    throw Error(TN_ERROR_UNSUPPORTED, "the model holds sparse initializers, which are not supported", source_->name);
  for (const TensorData& t : model_.initializers)
    if (!initializers_.emplace(t.name, &t).second)
      throw Error(TN_ERROR_CORRUPT, "two initializers are named '" + shown(t.name) + "'", source_->name);
  for (const ValueInfo& info : model_.inputs)
    for (const Dimension& d : info.shape) dimension_names_.insert(d.symbol);
  std::vector<Node> params;
  for (const ValueInfo& info : model_.inputs) {
    if (initializers_.count(info.name)) continue;  // before IR version 4 weights are listed as inputs too
    if (values_.count(info.name))
      throw Error(TN_ERROR_CORRUPT, "two inputs are named '" + shown(info.name) + "'", source_->name);
    Node param = parameter(info);
    if (Node given = given_constant(info, param)) {
      values_[info.name] = given;
      continue;
    }
    params.push_back(param);
    values_[info.name] = param;
  }
  for (const OnnxNode& n : model_.nodes) convert(n);
  node_ = nullptr;
  std::vector<Node> results;
  for (const ValueInfo& info : model_.outputs) {
    auto it = values_.find(info.name);
    if (it != values_.end())
      results.push_back(it->second);
    else if (initializers_.count(info.name))
      results.push_back(constant(*initializers_[info.name]));
    else
      throw Error(TN_ERROR_CORRUPT, "the output '" + info.name + "' is computed by no node", source_->name);
    if (info.type && !same_dtype(dtype_of(info.type), dtype(results.back())))
      throw Error(TN_ERROR_TYPE,
                  "the output '" + shown(info.name) + "' is computed as " + dtype_text(dtype(results.back())) +
                      ", and the model declares element type " + std::to_string(info.type),
                  source_->name);
  }
  if (results.empty()) throw Error(TN_ERROR_CORRUPT, "the model has no outputs", source_->name);
  Node result = results.size() == 1 ? results[0] : tuple(results);
  std::vector<Node> blocks;
  if (!bindings_.empty()) {
    std::set<const TnNode*> bound;
    for (const Node& binding : bindings_)
      if (auto* of = binding.as<relax::VarBinding>()) bound.insert(of->var().get());
    std::vector<Node> outputs;
    for (const Node& r : results)
      if (bound.erase(r.get())) outputs.push_back(r);
    blocks.push_back(b.make<relax::DataflowBlock>({b.array(bindings_), b.array(outputs)}));
  }
  Node body = b.make<relax::SeqExpr>({result.slot(0), b.array(blocks), result});
  Node main = b.make<relax::Function>(
      {Value(), b.array(params), b.map({{"global_symbol", b.string("main")}}), result.slot(0), true, body});
  return b.make<ir::Module>({b.map({}), b.map({}), b.map({{"main", main}}), b.array({})});
}

}  // namespace tenon::onnx
