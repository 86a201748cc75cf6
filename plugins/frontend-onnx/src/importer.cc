#include "importer.h"

#include <tenon/cxx/arith.h>

#include <algorithm>
#include <cstring>
#include <sstream>

namespace tenon::onnx {
namespace {

constexpr int64_t kOldestOpset = 1, kNewestOpset = 28;
constexpr size_t kHighestRank = 64;                    // as tensors at run time
constexpr uint64_t kMostElements = uint64_t{1} << 48;  // of one tensor
constexpr size_t kMostPlaces = 4096;                   // in the expression of one size

template <class T, class From>
std::vector<T> converted(const std::vector<From>& from) {
  return std::vector<T>(from.begin(), from.end());
}

// A name in a module's text.
std::string word_of(std::string_view name) {
  std::string word;
  for (char c : name) word += std::isalnum(static_cast<unsigned char>(c)) || c == '_' ? c : '_';
  return word.empty() || std::isdigit(static_cast<unsigned char>(word[0])) ? "v" + word : word;
}

}  // namespace

std::string shown(const std::string& text) {
  std::string out;
  for (char c : text.substr(0, 100)) out += static_cast<unsigned char>(c) < ' ' || c == 127 ? '?' : c;
  return text.size() > 100 ? out + "..." : out;
}

DLDataType dtype_of(int32_t type) {
  switch (type) {
    case 1: return kFloat32;
    case 2: return make_dtype(kDLUInt, 8);
    case 3: return make_dtype(kDLInt, 8);
    case 4: return make_dtype(kDLUInt, 16);
    case 5: return make_dtype(kDLInt, 16);
    case 6: return kInt32;
    case 7: return kInt64;
    case 9: return kBool;
    case 11: return kFloat64;
    case 12: return make_dtype(kDLUInt, 32);
    case 13: return make_dtype(kDLUInt, 64);
    default: return {0, 0, 0};
  }
}

// ---- The node that is being converted

std::string Importer::node_text() const {
  if (!node_) return "the graph";
  std::string domain = node_->domain.empty() ? "" : node_->domain + ".";
  std::string name = !node_->name.empty() ? node_->name : node_->outputs.empty() ? "" : "-> " + node_->outputs[0];
  return "node '" + shown(name) + "' (" + shown(domain + node_->op) + ")";
}

void Importer::refuse(int32_t code, const std::string& why, const std::string& hint) const {
  throw Error(code, node_text() + ": " + why, source_->name, hint);
}

const Attribute* Importer::attr(const char* name) const {
  auto it = node_->attributes.find(name);
  return it == node_->attributes.end() ? nullptr : &it->second;
}
const Attribute* Importer::attr(const char* name, AttributeType type) const {
  static constexpr const char* names[] = {"none", "FLOAT", "INT", "STRING", "TENSOR", "GRAPH", "FLOATS", "INTS"};
  const Attribute* a = attr(name);
  if (a && a->type != type && a->type != 0)  // old models do not say the type
    refuse(TN_ERROR_TYPE, "the attribute '" + std::string(name) + "' is of type " +
                              (a->type > 0 && a->type < 8 ? names[a->type] : std::to_string(a->type)) + ", not " +
                              names[type]);
  return a;
}
int64_t Importer::attr_int(const char* name, int64_t otherwise) const {
  const Attribute* a = attr(name, kInt);
  return a ? a->i : otherwise;
}
double Importer::attr_float(const char* name, double otherwise) const {
  const Attribute* a = attr(name, kFloat);
  return a ? static_cast<double>(a->f) : otherwise;
}
std::string Importer::attr_text(const char* name, const std::string& otherwise) const {
  const Attribute* a = attr(name, kString);
  return a ? a->s : otherwise;
}
std::optional<std::vector<int64_t>> Importer::attr_ints(const char* name) const {
  const Attribute* a = attr(name, kInts);
  if (!a) return std::nullopt;
  return a->ints;
}

Node Importer::input(size_t i) {
  if (!has_input(i)) refuse(TN_ERROR_ARGUMENT, "input " + std::to_string(i) + " is missing");
  const std::string& name = node_->inputs[i];
  auto it = values_.find(name);
  if (it != values_.end()) return it->second;
  auto data = initializers_.find(name);
  if (data == initializers_.end())
    refuse(TN_ERROR_CORRUPT, "its input '" + shown(name) + "' is computed by no earlier node",
           "the nodes of a model stand in topological order");
  return values_[name] = constant(*data->second);
}

void Importer::set_output(size_t i, const Node& value) {
  if (i < node_->outputs.size() && !node_->outputs[i].empty()) values_[node_->outputs[i]] = value;
}

// ---- Types

const relax::TensorType& Importer::type(const Node& value) const {
  const Value& t = value.slot(0);
  if (!t.is_node() || !as_node(t).is<relax::TensorType>()) refuse(TN_ERROR_TYPE, "an input is no tensor");
  auto& tensor = as_node(t).to<relax::TensorType>();
  if (tensor.shape().is_none()) refuse(TN_ERROR_SHAPE, "the shape of an input is not known");
  return tensor;
}

Node Importer::tensor_type(const std::vector<Node>& shape, DLDataType dtype) const {
  return b.make<relax::TensorType>({b.array(shape), dtype, static_cast<int64_t>(shape.size()), b.map({})});
}

// ---- Making

Node Importer::call(const char* op, std::initializer_list<Node> args, const Builder::Entries& attrs) {
  return call(op, std::vector<Node>(args), attrs);
}

Node Importer::call(const char* op, const std::vector<Node>& args, const Builder::Entries& attrs) {
  Node untyped =
      b.make<ir::Call>({Value(), b.make<ir::Op>({Value(), b.string(op)}), b.array(args), b.map(attrs), b.array({})});
  Value inferred;
  try {
    inferred =
        tenon::call([&](TnValue* ret) { return self_.ops->infer_type(self_.ops->self, context_, untyped.get(), ret); });
  } catch (const Error& e) {
    Error outer(e.code, node_text() + ": " + e.message, source_->name, e.hint);
    throw outer;
  }
  if (auto* t = as_node(inferred).as<relax::TensorType>(); t && !t->shape().is_none()) {
    std::vector<Node> dims;
    for (const Node& d : nodes(t->shape().ref<Array>())) dims.push_back(d);
    check_size(dims, node_text() + ": its result");
  }
  return variable(b.with(untyped, ir::Call::Slot::type, inferred),
                  node_ && !node_->outputs.empty() ? node_->outputs[0] : "lv");
}

Node Importer::variable(const Node& value, std::string_view name) {
  Node var = b.make<ir::Var>({value.slot(0), b.string(word_of(name))});
  bindings_.push_back(b.make<relax::VarBinding>({value, var}));
  return var;
}

// What no machine holds is refused before anything is computed from its size.
void Importer::check_size(const std::vector<Node>& shape, const std::string& what) const {
  if (shape.size() > kHighestRank)
    throw Error(TN_ERROR_SHAPE,
                what + " has rank " + std::to_string(shape.size()) + ": at most " + std::to_string(kHighestRank) +
                    " is supported",
                source_->name);
  uint64_t elements = 1;
  for (const Node& d : shape) {
    auto* n = d.as<ir::IntImm>();
    if (!n) check_places(d, what);
    if (!n || n->value() == 0) continue;
    if (n->value() < 0 || __builtin_mul_overflow(elements, static_cast<uint64_t>(n->value()), &elements) ||
        elements > kMostElements)
      throw Error(TN_ERROR_SHAPE,
                  what + " has a dimension of " + std::to_string(n->value()) + " and in all more than 2^48 elements",
                  source_->name);
  }
}

// A size that is computed from itself several times, again and again, is longer than any program for it.
void Importer::check_places(const Node& size, const std::string& what) const {
  size_t places = 0;
  auto enter = [&](const Node&) { return ++places <= kMostPlaces; };
  b.walk(Value(size), enter, [](const Node&) {});
  if (places > kMostPlaces)
    throw Error(TN_ERROR_LIMIT,
                what + " has a size that is computed from others in more than " + std::to_string(kMostPlaces) + " steps",
                source_->name);
}

void Importer::require_equal(const Node& x, const Node& y) {
  Node is = shape_expr({x}), wanted = shape_expr({y});
  Node var = b.make<ir::Var>({wanted.slot(0), b.string(word_of(node_->outputs[0]) + "_elements")});
  bindings_.push_back(b.make<relax::MatchCast>({is, wanted.slot(0), var}));
}

Value Importer::list(const std::vector<int64_t>& values) const {
  std::vector<Value> items(values.begin(), values.end());
  return b.array(items);
}

Node Importer::shape_expr(const std::vector<Node>& dims) const {
  Value type = b.make<relax::ShapeType>({b.array(dims), static_cast<int64_t>(dims.size())});
  return b.make<relax::ShapeExpr>({type, b.array(dims)});
}

Node Importer::tuple(const std::vector<Node>& fields) const {
  std::vector<Value> types;
  for (const Node& f : fields) types.push_back(f.slot(0));
  return b.make<relax::Tuple>({b.make<relax::TupleType>({b.array(types)}), b.array(fields)});
}

Node Importer::constant_of(const TnConstant* bytes, DLDataType dtype, const std::vector<int64_t>& dims) {
  std::vector<Node> shape;
  for (int64_t d : dims) shape.push_back(b.imm(d));
  Node made = b.make<ir::Constant>({tensor_type(shape, dtype), Value(Ref<const TnConstant>::share(bytes))});
  const bool is_narrow = same_dtype(dtype, kInt32);
  const uint64_t width = is_narrow ? 4 : 8;
  if ((is_narrow || same_dtype(dtype, kInt64)) && bytes->size <= width * 64 && dims.size() <= 1) {  // a shape or axes?
    std::vector<Node> elements;
    for (uint64_t at = 0; at + width <= bytes->size; at += width) {
      int64_t v = 0;
      int32_t narrow = 0;
      std::memcpy(is_narrow ? static_cast<void*>(&narrow) : &v, static_cast<const char*>(bytes->data) + at, width);
      elements.push_back(b.imm(is_narrow ? narrow : v));
    }
    set_known(made, std::move(elements));
  }
  return made;
}

Node Importer::constant_from(const void* data, DLDataType dtype, const std::vector<int64_t>& dims) {
  std::vector<int64_t> shape = dims;
  DLTensor t{const_cast<void*>(data), {kDLCPU, 0}, static_cast<int>(dims.size()), dtype, shape.data(), nullptr, 0};
  Value c = tenon::call([&](TnValue* ret) { return b.ir()->constant(b.ir()->self, &t, ret); });
  return constant_of(reinterpret_cast<const TnConstant*>(c.raw().as.object), dtype, dims);
}

Node Importer::scalar(double value, DLDataType dtype) {
  if (same_dtype(dtype, kFloat32)) {
    float f = static_cast<float>(value);
    return constant_from(&f, dtype, {});
  }
  if (same_dtype(dtype, kFloat64)) return constant_from(&value, dtype, {});
  int64_t i = static_cast<int64_t>(value);  // little endian: the low bytes come first
  return constant_from(&i, dtype, {});
}

Node Importer::integer(int64_t value) { return constant_from(&value, kInt64, {}); }

Node Importer::vector_of(const std::vector<int64_t>& values) {
  int64_t none = 0;
  return constant_from(values.empty() ? &none : values.data(), kInt64, {static_cast<int64_t>(values.size())});
}

Node Importer::vector_of(const std::vector<float>& values) {
  float none = 0;
  return constant_from(values.empty() ? &none : values.data(), kFloat32, {static_cast<int64_t>(values.size())});
}

Node Importer::astype(const Node& x, DLDataType t) {
  return same_dtype(dtype(x), t) ? x : call("relax.astype", {x}, {{"dtype", b.string(dtype_text(t))}});
}

Node Importer::constant(const TensorData& t) {
  DLDataType dtype = dtype_of(t.type);
  if (dtype.bits == 0)
    refuse(TN_ERROR_UNSUPPORTED,
           "the tensor '" + t.name + "' has element type " + std::to_string(t.type) + ", which is not supported");
  if (t.dims.size() > kHighestRank)
    refuse(TN_ERROR_SHAPE, "the tensor '" + t.name + "' has rank " + std::to_string(t.dims.size()));
  uint64_t elements = 1;
  for (int64_t d : t.dims)
    if (d < 0 || __builtin_mul_overflow(elements, static_cast<uint64_t>(d), &elements) || elements > kMostElements)
      refuse(TN_ERROR_SHAPE, "the tensor '" + t.name + "' has a dimension of " + std::to_string(d));
  uint64_t bytes = elements * static_cast<uint64_t>(dtype_bytes(dtype));
  auto wrong = [&](uint64_t got) {
    refuse(TN_ERROR_CORRUPT, "the tensor '" + t.name + "' holds " + std::to_string(got) +
                                 " bytes where its shape needs " + std::to_string(bytes));
  };
  if (t.external) {
    auto part = [&](const char* key, uint64_t otherwise) {
      auto it = t.location.find(key);
      if (it == t.location.end()) return otherwise;
      char* end = nullptr;
      uint64_t n = std::strtoull(it->second.c_str(), &end, 10);
      if (it->second.empty() || *end)
        refuse(TN_ERROR_CORRUPT, "the " + std::string(key) + " of the tensor '" + t.name + "' is no number");
      return n;
    };
    auto file = t.location.find("location");
    if (file == t.location.end()) refuse(TN_ERROR_CORRUPT, "the external tensor '" + t.name + "' names no file");
    uint64_t size = part("length", bytes);
    if (size != bytes) wrong(size);
    uint64_t offset = part("offset", 0);
    Value c;
    try {
      c = tenon::call(
          [&](TnValue* ret) { return source_->external(source_->self, file->second.c_str(), offset, size, ret); });
    } catch (const Error& e) {
      throw Error(e.code, node_text() + ": the tensor '" + t.name + "': " + e.message, e.where, e.hint);
    }
    return constant_of(reinterpret_cast<const TnConstant*>(c.raw().as.object), dtype, t.dims);
  }
  if (t.has_raw) {
    if (t.raw.size() != bytes) wrong(t.raw.size());
    // Elements that do not lie at their alignment in the file are copied.
    if (reinterpret_cast<uintptr_t>(t.raw.data()) % static_cast<uintptr_t>(dtype_bytes(dtype)))
      return constant_from(t.raw.data(), dtype, t.dims);
    Value c = tenon::call([&](TnValue* ret) {
      return source_->view(source_->self, static_cast<uint64_t>(t.raw.data() - source_->data), t.raw.size(), ret);
    });
    return constant_of(reinterpret_cast<const TnConstant*>(c.raw().as.object), dtype, t.dims);
  }
  auto typed = [&](const auto& values) {
    if (values.size() != elements) wrong(values.size() * static_cast<uint64_t>(dtype_bytes(dtype)));
    return constant_from(values.data(), dtype, t.dims);
  };
  switch (t.type) {
    case 1: return typed(t.floats);
    case 11: return typed(t.doubles);
    case 7: return typed(t.longs);
    case 6: return typed(t.ints);
    case 13: return typed(t.unsigned_longs);
    case 12: return typed(converted<uint32_t>(t.unsigned_longs));
    case 4: return typed(converted<uint16_t>(t.ints));
    case 5: return typed(converted<int16_t>(t.ints));
    default: return typed(converted<uint8_t>(t.ints));
  }
}

Node Importer::simplify(const Node& e) const { return Arith(b, self_.arith).simplify(e); }

Node Importer::truncated(const Node& x, const Node& y) const {
  const auto *n = x.as<ir::IntImm>(), *d = y.as<ir::IntImm>();
  if (d && (d->value() == 0 || d->value() == INT64_MIN || (n && n->value() == INT64_MIN))) return {};
  if (n && d) return b.imm(n->value() / d->value());
  Arith arith(b, self_.arith);
  const Node zero = b.imm(0);
  for (const auto& [name, symbol] : symbols_) arith.enter(b.ge(symbol, zero));  // sizes
  if (arith.can_prove(b.lt(y, zero))) return b.sub(zero, truncated(x, simplify(b.sub(zero, y))));
  if (!arith.can_prove(b.ge(y, zero))) return {};
  if (arith.can_prove(b.ge(x, zero))) return b.floordiv(x, y);
  // Dimensions have no division but the one that rounds down: each sign of x by itself, with the other one 0.
  return b.sub(b.floordiv(b.max(x, zero), y), b.floordiv(b.max(b.sub(zero, x), zero), y));
}

const std::vector<Node>* Importer::known(const Node& value) const {
  auto it = known_.find(value.get());
  return it == known_.end() ? nullptr : &it->second.elements;
}

void Importer::set_known(const Node& value, std::vector<Node> elements) {
  const DLDataType t = dtype(value);
  if (!is_integer(t)) return;
  const bool is_signed = t.code == kDLInt;
  const int unused = 64 - t.bits;
  for (Node& e : elements) {
    const auto* n = e.as<ir::IntImm>();
    if (!n) {
      if (!is_signed || t.bits < 32) return;  // sizes are taken to fit into int32
      check_places(e, node_text() + ": its result");
      continue;
    }
    const uint64_t top = static_cast<uint64_t>(n->value()) << unused;
    const int64_t held = is_signed ? static_cast<int64_t>(top) >> unused : static_cast<int64_t>(top >> unused);
    if (!is_signed && held < 0) return;
    if (held != n->value()) e = b.imm(held);
  }
  known_[value.get()] = {value, std::move(elements)};
}

std::vector<int64_t> Importer::known_ints(size_t i, const char* what) {
  const std::vector<Node>* elements = known(input(i));
  std::vector<int64_t> out;
  if (elements)
    for (const Node& e : *elements) {
      if (!e.is<ir::IntImm>()) break;
      out.push_back(e.to<ir::IntImm>().value());
    }
  if (!elements || out.size() != elements->size())
    refuse(TN_ERROR_UNSUPPORTED, std::string(what) + " must be constant; it is computed at run time",
           "an input that is always the same can be given as a constant: --constant NAME=FILE.npy");
  return out;
}

// ---- The graph

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
