// Converters of ONNX nodes in C++ (ext/draft/onnx_converter.h): a table of rows {operator, function}.
//
//   static std::vector<Node> convert_dense(MyPlugin& self, const OnnxNodeArgs& node);
//   static constexpr OnnxRow<MyPlugin> converters[] = {{"FusedDense", &convert_dense}};
//   static constexpr auto converter_table = onnx_converter<MyPlugin, converters>();
#ifndef TENON_SDK_ONNX_CONVERTER_PLUGIN_H
#define TENON_SDK_ONNX_CONVERTER_PLUGIN_H

#include <tenon/ext/draft/onnx_converter.h>
#include <tenon/plugin.h>

TENON_CAPABILITY(TnOnnxConverter, TN_ONNX_CONVERTER)

namespace tenon {

// The node that is being converted.
class OnnxNodeArgs {
 public:
  OnnxNodeArgs(const Builder& b, const TnContext* context, const Map& node) : b(b), context(context), node_(node) {}

  const Builder& b;
  const TnContext* context;
  std::string_view name() const { return text("name"); }
  std::string_view op() const { return text("op"); }
  std::string_view domain() const { return text("domain"); }
  int64_t version() const { return part("version", TN_INT).as_int(); }
  size_t outputs() const { return static_cast<size_t>(part("outputs", TN_INT).as_int()); }
  size_t inputs() const { return part("inputs", TN_ARRAY).ref<Array>().size(); }
  bool has_input(size_t i) const { return i < inputs() && part("inputs", TN_ARRAY).ref<Array>()[i].is_node(); }
  Node input(size_t i) const {
    if (!has_input(i)) throw Error(TN_ERROR_ARGUMENT, "input " + std::to_string(i) + " is missing");
    return as_node(part("inputs", TN_ARRAY).ref<Array>()[i]);
  }
  // Null when the node does not give it.
  const Value* attribute(std::string_view name) const { return part("attributes", TN_MAP).ref<Map>().find(name); }
  // A call of a graph operator, its type to be inferred.
  Node call(std::string_view op, const std::vector<Node>& args, const Builder::Entries& attrs = {}) const {
    return b.make<ir::Call>(
        {Value(), b.make<ir::Op>({Value(), b.string(op)}), b.array(args), b.map(attrs), b.array({})});
  }

 private:
  const Value& part(const char* key, int32_t type) const {
    const Value* v = node_.find(key);
    if (!v || v->type_index() != type)
      throw Error(TN_ERROR_ARGUMENT, std::string("the node does not say its '") + key + "'");
    return *v;
  }
  std::string_view text(const char* key) const {
    const Value* v = node_.find(key);
    if (!v || !v->is_string()) throw Error(TN_ERROR_ARGUMENT, std::string("the node does not say its '") + key + "'");
    return v->as_string();
  }
  const Map& node_;
};

template <class Instance>
struct OnnxRow {
  const char* op;
  std::vector<Node> (*convert)(Instance& self, const OnnxNodeArgs& node);
};

template <class Instance, const auto& rows>
constexpr TnOnnxConverter onnx_converter() {
  return make_table<TnOnnxConverter>(
      +[](void* instance, const TnContext* context, const TnValue* node, TnValue* ret) -> int {
        return slot<Instance>(instance, ret, [&](Instance& self) -> Value {
          OnnxNodeArgs args(self.builder(), context, Value::view(*node).template ref<Map>());
          for (const auto& row : rows)
            if (args.op() == row.op) return self.builder().array(row.convert(self, args));
          throw Error(TN_ERROR_PLUGIN, "this library converts no " + std::string(args.op()), {},
                      "its manifest offers an operator that its table does not");
        });
      });
}

}  // namespace tenon
#endif
