// Builds the graph function of a model, node after node (graph.cc). Converters are rows in the tables of
// elementwise.cc, layers.cc and shapes.cc; each turns one ONNX node into operators of the graph level with what
// importer.cc and constants.cc give it.
#ifndef FRONTEND_ONNX_IMPORTER_H
#define FRONTEND_ONNX_IMPORTER_H

#include <tenon/ext/frontend.h>
#include <tenon/plugin.h>

#include <optional>
#include <set>

#include "model.h"

namespace tenon::onnx {

struct FrontendOnnx : PluginInstance {
  explicit FrontendOnnx(const TnHost* host)
      : PluginInstance(host), ops(&service<TnHostOps>().required()), arith(&service<TnHostArith>().required()) {}
  const TnHostOps* ops;
  const TnHostArith* arith;
};

class Importer;

// Fills in the outputs of importer.node().
using Convert = void (*)(Importer&);

struct Converter {
  const char* op;
  Convert convert;
  size_t most = 1;              // inputs
  const char* attributes = "";  // by their names; "axis<7" was one before opset 7
};
constexpr size_t kAnyNumber = SIZE_MAX;

const std::vector<Converter>& elementwise_converters();
const std::vector<Converter>& layer_converters();
const std::vector<Converter>& shape_converters();

class Importer {
 public:
  Importer(FrontendOnnx& self, const TnContext* context, const TnModelSource* source)
      : b(self.builder()), self_(self), context_(context), source_(source) {}

  Value run();

  const Builder& b;

  // ---- The node that is being converted
  const OnnxNode& node() const { return *node_; }
  int64_t opset() const { return opset_; }
  [[noreturn]] void refuse(int32_t code, const std::string& why, const std::string& hint = {}) const;
  size_t inputs() const { return node_->inputs.size(); }
  bool has_input(size_t i) const { return i < node_->inputs.size() && !node_->inputs[i].empty(); }
  Node input(size_t i);
  int64_t attr_int(const char* name, int64_t otherwise) const;
  double attr_float(const char* name, double otherwise) const;
  std::string attr_text(const char* name, const std::string& otherwise) const;
  std::optional<std::vector<int64_t>> attr_ints(const char* name) const;
  const Attribute* attr(const char* name) const;
  // The attribute, which must be of this type; null when there is none.
  const Attribute* attr(const char* name, AttributeType type) const;
  void set_output(size_t i, const Node& value);
  Node output(size_t i) const { return values_.at(node_->outputs.at(i)); }

  // ---- Types
  const relax::TensorType& type(const Node& value) const;
  DLDataType dtype(const Node& value) const { return type(value).dtype().as_dtype(); }
  Array shape(const Node& value) const { return type(value).shape().ref<Array>(); }
  size_t rank(const Node& value) const { return shape(value).size(); }

  // ---- Making
  // A call of a graph operator, bound to a variable of the inferred type.
  Node call(const char* op, std::initializer_list<Node> args, const Builder::Entries& attrs = {});
  Node call(const char* op, const std::vector<Node>& args, const Builder::Entries& attrs = {});
  // A typed value, bound to a variable.
  Node variable(const Node& value, std::string_view name);
  Value list(const std::vector<int64_t>& values) const;
  Node shape_expr(const std::vector<Node>& dims) const;
  Node tuple(const std::vector<Node>& fields) const;
  // A scalar of the dtype, as a constant of rank 0.
  Node scalar(double value, DLDataType dtype);
  Node vector_of(const std::vector<int64_t>& values);
  Node vector_of(const std::vector<float>& values);
  Node integer(int64_t value);
  Node astype(const Node& x, DLDataType dtype);
  // States that two numbers, computed from shapes, are equal: checked at run time.
  void require_equal(const Node& x, const Node& y);
  Node simplify(const Node& e) const;
  // The quotient of two numbers computed from shapes, towards zero; null where the sign of y is not known.
  Node truncated(const Node& x, const Node& y) const;
  Node tensor(const TensorData& t) { return constant(t); }

  // ---- Integer tensors whose elements are known while importing: shapes, axes
  const std::vector<Node>* known(const Node& value) const;
  // Kept as the dtype of `value` holds them; nothing is known where that has no such number, or may wrap around.
  void set_known(const Node& value, std::vector<Node> elements);
  // The elements of input i as plain numbers; refuses with `what` when they are not known or symbolic.
  std::vector<int64_t> known_ints(size_t i, const char* what);

 private:
  void convert(const OnnxNode& n);
  void check_attributes(const Converter& row) const;
  // Whether a plugin converted the node (foreign.cc).
  bool convert_elsewhere(const OnnxNode& n);
  Value attribute_value(const std::string& name, const Attribute& a);
  void check_size(const std::vector<Node>& shape, const std::string& what) const;
  void check_places(const Node& size, const std::string& what) const;
  Node constant(const TensorData& t);
  Node constant_of(const TnConstant* bytes, DLDataType dtype, const std::vector<int64_t>& dims);
  Node constant_from(const void* data, DLDataType dtype, const std::vector<int64_t>& dims);
  Node tensor_type(const std::vector<Node>& shape, DLDataType dtype) const;
  Node parameter(const ValueInfo& info);
  std::string text_of(const Node& param) const;
  Node given_constant(const ValueInfo& info, const Node& param);
  std::string node_text() const;

  struct Known {
    Node value;
    std::vector<Node> elements;
  };

  FrontendOnnx& self_;
  const TnContext* context_;
  const TnModelSource* source_;
  Model model_;
  const OnnxNode* node_ = nullptr;
  int64_t opset_ = 0;
  std::map<std::string, Node> values_;
  std::map<std::string, Node> symbols_;
  std::set<std::string> dimension_names_;  // of the model's own, and of dimensions that it does not name
  std::set<std::string> words_;            // the names of parameters
  std::map<std::string, const TensorData*> initializers_;
  std::map<const TnNode*, Known> known_;
  std::vector<Node> bindings_;
};

constexpr size_t kHighestRank = 64;                    // as tensors at run time
constexpr uint64_t kMostElements = uint64_t{1} << 48;  // of one tensor

// A name of the model as one in a module's text.
std::string word_of(std::string_view name);

// Text of a model as messages show it: at most 100 characters, and none that would drive a terminal.
std::string shown(const std::string& text);

// The dtype of a TensorProto.DataType; bits 0 for those that have none here.
DLDataType dtype_of(int32_t type);

}  // namespace tenon::onnx
#endif
