// An ONNX model as plain data that points into the file.
#ifndef FRONTEND_ONNX_MODEL_H
#define FRONTEND_ONNX_MODEL_H

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tenon::onnx {

struct TensorData {
  std::string name;
  int32_t type = 0;  // TensorProto.DataType
  std::vector<int64_t> dims;
  std::string_view raw;  // little endian, in the file
  bool has_raw = false;
  std::vector<float> floats;  // the typed fields, used when there is no raw data
  std::vector<int32_t> ints;
  std::vector<int64_t> longs;
  std::vector<double> doubles;
  std::vector<uint64_t> unsigned_longs;
  bool external = false;
  std::map<std::string, std::string> location;  // of external data: location, offset, length
};

enum AttributeType : int32_t { kFloat = 1, kInt = 2, kString = 3, kTensor = 4, kFloats = 6, kInts = 7 };

struct Attribute {
  int32_t type = 0;
  float f = 0;
  int64_t i = 0;
  std::string s;
  TensorData t;
  std::vector<float> floats;
  std::vector<int64_t> ints;
};

struct OnnxNode {
  std::string name, op, domain;
  std::vector<std::string> inputs, outputs;
  std::map<std::string, Attribute> attributes;
};

struct Dimension {
  int64_t value = -1;  // -1: unknown
  std::string symbol;  // its name, when it has one
};

struct ValueInfo {
  std::string name;
  int32_t type = 0;
  bool is_tensor = false, has_shape = false;
  std::vector<Dimension> shape;
};

struct Model {
  int64_t ir_version = 0;
  std::map<std::string, int64_t> opsets;  // by domain
  std::string graph_name;
  std::vector<OnnxNode> nodes;
  std::vector<TensorData> initializers;
  std::vector<ValueInfo> inputs, outputs;
  size_t functions = 0, sparse = 0;  // local functions and sparse initializers, which are not supported
};

// Throws TN_ERROR_CORRUPT for bytes that are no ONNX model, TN_ERROR_LIMIT for one that is too large to be one.
Model read_model(std::string_view bytes, const std::string& file);

}  // namespace tenon::onnx
#endif
