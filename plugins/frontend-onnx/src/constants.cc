// Weights and other constants, and the integer tensors whose elements are known while importing.
#include <cstring>

#include "importer.h"

namespace tenon::onnx {
namespace {

template <class T, class From>
std::vector<T> converted(const std::vector<From>& from) {
  return std::vector<T>(from.begin(), from.end());
}

}  // namespace

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

}  // namespace tenon::onnx
