// ONNX files written by hand: what the tests damage.
#ifndef TENON_TESTS_ONNX_MODEL_H
#define TENON_TESTS_ONNX_MODEL_H

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace tenon::test {

// A message of the wire format of protocol buffers under construction.
class Message {
 public:
  Message& number(uint32_t field, uint64_t value) {
    varint(uint64_t{field} << 3);
    varint(value);
    return *this;
  }
  Message& text(uint32_t field, std::string_view value) {
    varint(uint64_t{field} << 3 | 2);
    varint(value.size());
    bytes_ += value;
    return *this;
  }
  Message& message(uint32_t field, const Message& value) { return text(field, value.bytes_); }
  Message& floats(uint32_t field, const std::vector<float>& values) {
    return text(field, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
  }
  Message& numbers(uint32_t field, const std::vector<int64_t>& values) {
    Message packed;
    for (int64_t v : values) packed.varint(static_cast<uint64_t>(v));
    return text(field, packed.bytes_);
  }
  const std::string& bytes() const { return bytes_; }

 private:
  void varint(uint64_t v) {
    for (; v >= 0x80; v >>= 7) bytes_ += static_cast<char>(v | 0x80);
    bytes_ += static_cast<char>(v);
  }
  std::string bytes_;
};

enum : uint64_t { kFloatType = 1, kInt64Type = 7 };

struct Attribute {
  const char* name;
  std::vector<int64_t> values;
  bool list = true;
  std::string_view text = {};  // instead of the values
};

// What a test may change before the file is written.
struct OnnxModel {
  Message conv_weight = tensor("w", {2, 1, 3, 3}, kFloatType, std::vector<float>(18, 0.5f));
  Message gemm_weight = typed("g", {3, 8}, std::vector<float>(24, 0.25f));
  Message bias = tensor("bias", {3}, kFloatType, std::vector<float>{1, 2, 3});
  Message reshape_to = tensor("to", {2}, kInt64Type, std::vector<int64_t>{0, -1});
  Message input = value_info("x", kFloatType, {-1, 1, 4, 4});
  Message conv =
      node("Conv", {"x", "w"}, {"c"}, "conv0", {{"kernel_shape", {3, 3}}, {"pads", {1, 1, 1, 1}}, {"strides", {1, 1}}});
  Message activation = node("Relu", {"c"}, {"r"}, "relu0", {});
  Message pool = node("MaxPool", {"r"}, {"p"}, "pool0", {{"kernel_shape", {2, 2}}, {"strides", {2, 2}}});
  Message reshape = node("Reshape", {"p", "to"}, {"f"}, "reshape0", {});
  Message gemm = node("Gemm", {"f", "g", "bias"}, {"y"}, "gemm0", {{"transB", {1}, false}});
  Message softmax = node("Softmax", {"y"}, {"out"}, "softmax0", {{"axis", {1}, false}});
  std::string output = "out";
  int64_t opset = 13;
  std::string domain;
  std::vector<Message> more_weights, more_inputs;
  bool has_sparse = false;
  bool has_graph = true, has_opset = true, has_functions = false;

  std::string bytes() const {
    Message graph;
    for (const Message* n : {&conv, &activation, &pool, &reshape, &gemm, &softmax}) graph.message(1, *n);
    graph.text(2, "small");
    for (const Message* t : {&conv_weight, &gemm_weight, &bias, &reshape_to}) graph.message(5, *t);
    for (const Message& t : more_weights) graph.message(5, t);
    if (has_sparse) graph.message(15, Message().numbers(3, {3}));
    graph.message(11, input);
    for (const Message& i : more_inputs) graph.message(11, i);
    graph.message(12, value_info(output, kFloatType, {-1, 3}));
    Message model;
    model.number(1, 8);
    if (has_graph) model.message(7, graph);
    if (has_opset) model.message(8, Message().text(1, domain).number(2, static_cast<uint64_t>(opset)));
    if (has_functions) model.message(25, Message().text(1, "local"));
    return model.bytes();
  }

  static Message header(std::string_view name, const std::vector<int64_t>& dims, uint64_t type) {
    return Message().numbers(1, dims).number(2, type).text(8, name);
  }
  template <class T>
  static Message tensor(std::string_view name, const std::vector<int64_t>& dims, uint64_t type,
                        const std::vector<T>& values) {
    return header(name, dims, type).text(9, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)});
  }
  static Message typed(std::string_view name, const std::vector<int64_t>& dims, const std::vector<float>& values) {
    return header(name, dims, kFloatType).floats(4, values);
  }
  static Message external(std::string_view name, const std::vector<int64_t>& dims,
                          const std::vector<std::pair<std::string, std::string>>& entries) {
    Message m = header(name, dims, kFloatType);
    for (const auto& [key, value] : entries) m.message(13, Message().text(1, key).text(2, value));
    return m.number(14, 1);
  }
  // A dimension of -1 is the symbol `n`.
  static Message value_info(std::string_view name, uint64_t type, const std::vector<int64_t>& dims) {
    Message shape;
    for (int64_t d : dims)
      shape.message(1, d < 0 ? Message().text(2, "n") : Message().number(1, static_cast<uint64_t>(d)));
    return Message().text(1, name).message(2, Message().message(1, Message().number(1, type).message(2, shape)));
  }
  static Message node(std::string_view op, const std::vector<const char*>& inputs,
                      const std::vector<const char*>& outputs, std::string_view name,
                      const std::vector<Attribute>& attributes, std::string_view domain = "") {
    Message n;
    for (const char* i : inputs) n.text(1, i);
    for (const char* o : outputs) n.text(2, o);
    n.text(3, name).text(4, op);
    for (const Attribute& a : attributes) {
      Message m;
      m.text(1, a.name);
      if (!a.text.empty())
        m.text(4, a.text).number(20, 3);
      else if (a.list)
        m.numbers(8, a.values).number(20, 7);
      else
        m.number(3, static_cast<uint64_t>(a.values[0])).number(20, 2);
      n.message(5, m);
    }
    if (!domain.empty()) n.text(7, domain);
    return n;
  }
};

}  // namespace tenon::test
#endif
