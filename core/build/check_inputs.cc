#include "build/check_inputs.h"

#include "arith/analyzer.h"
#include "tenon/cxx/numbers.h"

namespace tenon {

namespace {

constexpr int64_t kPrimeSizes[] = {5, 7, 11, 3, 13};
constexpr int64_t kOnePrimeSize = 7;
constexpr int64_t kScalarInt = 2;
constexpr double kScalarFloat = 0.5;
constexpr int64_t kMaxElements = int64_t{1} << 24;  // of one input

[[noreturn]] void refuse(const std::string& name, const std::string& why) {
  throw Error(TN_ERROR_UNSUPPORTED, "inputs cannot be made for the parameter '" + name + "': " + why);
}

}  // namespace

Value copy_of(const Value& value) {
  if (value.is_array()) {
    std::vector<Value> fields;
    for (const Value& f : value.ref<Array>()) fields.push_back(copy_of(f));
    return call([&](TnValue* ret) {
      return tn_runtime()->array(reinterpret_cast<const TnValue*>(fields.data()), fields.size(), ret);
    });
  }
  if (value.type_index() != TN_TENSOR) return value;
  const DLTensor& t = tensor_of(value);
  Value copy = call([&](TnValue* ret) { return tn_runtime()->tensor({kDLCPU, 0}, t.dtype, t.ndim, t.shape, ret); });
  size_t bytes = static_cast<size_t>(element_count(t) * dtype_bytes(t.dtype));
  if (bytes) std::memcpy(tensor_of(copy).data, static_cast<const char*>(t.data) + t.byte_offset, bytes);
  return copy;
}

CheckInputs::CheckInputs(const Builder& b, const Node& function) : b_(b) {
  if (const auto* f = function.as<tir::PrimFunc>())
    params_ = f->params();
  else
    params_ = function.to<relax::Function>().params();
  for (const Node& p : nodes(params_)) {
    if (const auto* buffer = p.as<tir::Buffer>()) {
      names_.emplace_back(buffer->name());
      if (!buffer->strides().empty() || !buffer->elem_offset().is_none())
        refuse(names_.back(), "it has strides or an offset of its own");
      has_integers_ = has_integers_ || is_integer(buffer->dtype());
      add_symbols(buffer->shape());
    } else {
      names_.emplace_back(p.to<ir::Var>().name());
      add_type(names_.back(), p.to<ir::Var>().type());
    }
  }
}

void CheckInputs::add_type(const std::string& name, const Value& type) {
  if (type.is_dtype()) {
    if (is_handle(type.as_dtype())) refuse(name, "it is a handle");
    return;
  }
  const Node& t = type.is_node() ? as_node(type) : Node();
  if (!t) refuse(name, "it has no type");
  if (const auto* tuple = t.as<relax::TupleType>()) {
    for (const Value& f : tuple->fields()) add_type(name, f);
    return;
  }
  if (t.is<relax::PrimType>()) return;
  const auto* tensor = t.as<relax::TensorType>();
  if (!tensor) refuse(name, "it is no tensor, tuple of tensors or number");
  if (!tensor->dtype().is_dtype()) refuse(name, "its dtype is not known");
  if (!tensor->shape().is_array()) refuse(name, "its shape is not known");
  has_integers_ = has_integers_ || is_integer(tensor->dtype().as_dtype());
  add_symbols(tensor->shape().ref<Array>());
}

void CheckInputs::add_symbols(const Array& shape) {
  for (const Node& extent : nodes(shape))
    b_.walk(Value(extent), [&](const Node& n) {
      if (!n.is<ir::Var>()) return;
      for (const Node& known : symbols_)
        if (known.same_as(n)) return;
      symbols_.push_back(n);
    });
}

int64_t CheckInputs::size_of(size_t symbol, Sizes sizes) const {
  if (sizes == kOne) return 1;
  if (sizes == kTwo) return 2;
  return sizes == kOnePrime ? kOnePrimeSize : kPrimeSizes[symbol % std::size(kPrimeSizes)];
}

std::string CheckInputs::dims_text(Sizes sizes) const {
  std::string out;
  for (size_t i = 0; i < symbols_.size(); ++i)
    out += (i ? ", " : "") + std::string(symbols_[i].to<ir::Var>().name()) + "=" + std::to_string(size_of(i, sizes));
  return out;
}

int64_t CheckInputs::extent(const Node& e, Sizes sizes) const {
  if (const auto* imm = e.as<ir::IntImm>()) return imm->value();
  std::vector<Value> from, to;
  for (size_t i = 0; i < symbols_.size(); ++i) {
    from.push_back(Value(symbols_[i]));
    to.push_back(Value(b_.imm(size_of(i, sizes), symbols_[i].dtype())));
  }
  Analyzer analyzer(b_);
  Node n = analyzer.simplify(b_.substitute(Value(e), b_.array(from), b_.array(to)).ref<Node>());
  const auto* imm = n.as<ir::IntImm>();
  if (!imm || imm->value() < 0) throw Error(TN_ERROR_SHAPE, "an extent has no value for " + dims_text(sizes));
  return imm->value();
}

Value CheckInputs::tensor(DLDataType dtype, const Array& shape, Sizes sizes, const DrawRange& range,
                          uint64_t& seed) const {
  std::vector<int64_t> extents;
  int64_t count = 1;
  for (const Node& e : nodes(shape)) {
    extents.push_back(extent(e, sizes));
    if (__builtin_mul_overflow(count, extents.back(), &count) || count > kMaxElements)
      throw Error(TN_ERROR_LIMIT, "an input has more than " + std::to_string(kMaxElements) + " elements");
  }
  Value t = call([&](TnValue* ret) {
    return tn_runtime()->tensor({kDLCPU, 0}, dtype, static_cast<int32_t>(extents.size()), extents.data(), ret);
  });
  bool real = is_floating(dtype);
  fill_random(tensor_of(t), ++seed, real ? range.float_low : range.int_low, real ? range.float_high : range.int_high);
  for (int64_t i = kFirstLarge; real && i < count; i += kLargeEvery)
    set_element(tensor_of(t), i, kLargeTimes * element(tensor_of(t), i));
  return t;
}

Value CheckInputs::value_of_type(const Value& type, Sizes sizes, const DrawRange& range, uint64_t& seed) const {
  const Node& t = as_node(type);
  if (const auto* tuple = t.as<relax::TupleType>()) {
    std::vector<Value> fields;
    for (const Value& f : tuple->fields()) fields.push_back(value_of_type(f, sizes, range, seed));
    return call([&](TnValue* ret) {
      return tn_runtime()->array(reinterpret_cast<const TnValue*>(fields.data()), fields.size(), ret);
    });
  }
  if (const auto* prim = t.as<relax::PrimType>()) {
    if (is_floating(prim->dtype())) return Value(kScalarFloat);
    return is_bool(prim->dtype()) ? Value(true) : Value(kScalarInt);
  }
  const auto& tensor_type = t.to<relax::TensorType>();
  return tensor(tensor_type.dtype().as_dtype(), tensor_type.shape().ref<Array>(), sizes, range, seed);
}

Value CheckInputs::value_of(const Node& param, Sizes sizes, const DrawRange& range, uint64_t& seed) const {
  if (const auto* buffer = param.as<tir::Buffer>()) return tensor(buffer->dtype(), buffer->shape(), sizes, range, seed);
  const Value& type = param.to<ir::Var>().type();
  if (!type.is_dtype()) return value_of_type(type, sizes, range, seed);
  if (is_floating(type.as_dtype())) return Value(kScalarFloat);
  if (is_bool(type.as_dtype())) return Value(true);
  for (size_t i = 0; i < symbols_.size(); ++i)
    if (symbols_[i].same_as(param)) return Value(size_of(i, sizes));
  return Value(kScalarInt);
}

std::vector<Value> CheckInputs::make(Sizes sizes, const DrawRange& range) const {
  std::vector<Value> values;
  uint64_t seed = 0x7e0;
  for (const Node& p : nodes(params_)) values.push_back(value_of(p, sizes, range, seed));
  return values;
}

std::string CheckInputs::text(const std::vector<Value>& values) const {
  std::string out;
  for (size_t i = 0; i < values.size(); ++i) {
    std::string what = values[i].type_index() == TN_TENSOR ? shape_text(tensor_of(values[i]))
                       : values[i].is_array()              ? std::string("a tuple")
                       : values[i].is_float()              ? "= " + std::to_string(values[i].as_float())
                                                           : "= " + std::to_string(values[i].as_int());
    out += (i ? ", " : "") + names_[i] + " " + what;
  }
  return out;
}

}  // namespace tenon
