#include "build/check_compare.h"

#include <algorithm>
#include <cstdio>

#include "build/check_inputs.h"
#include "tenon/cxx/numbers.h"

namespace tenon {

namespace {

struct EpsilonRow {
  uint8_t code, bits;
  double epsilon;
};
constexpr EpsilonRow kEpsilons[] = {
    {kDLFloat, 64, 0x1p-52}, {kDLFloat, 32, 0x1p-23}, {kDLFloat, 16, 0x1p-10}, {kDLBfloat, 16, 0x1p-7}};

// Multiples of epsilon for reductions of at most so many elements. Errors of sums in another order grow like the square
// root of the length; the rest is headroom for several layers and for fused multiply-add.
struct LengthRow {
  int64_t up_to;
  double factor;
};
constexpr LengthRow kLengths[] = {{16, 16}, {256, 64}, {4096, 256}, {65536, 1024}, {INT64_MAX, 4096}};

std::string number_text(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", x);
  return text;
}

std::string index_text(const DLTensor& t, int64_t at) {
  std::string out;
  for (int32_t d = t.ndim; d-- > 0; at /= t.shape[d])
    out = std::to_string(at % t.shape[d]) + (out.empty() ? "" : ", ") + out;
  return "[" + out + "]";
}

std::optional<std::string> tensors_differ(const std::string& name, const DLTensor& want, const DLTensor& got,
                                          int64_t reduction_length) {
  if (shape_text(want) != shape_text(got))
    return name + " is " + shape_text(got) + " where " + shape_text(want) + " is due";
  const double relative = tolerance(want.dtype, reduction_length);
  const auto bytes = static_cast<size_t>(dtype_bytes(want.dtype));
  const auto *x = static_cast<const char*>(want.data) + want.byte_offset,
             *y = static_cast<const char*>(got.data) + got.byte_offset;
  const int64_t n = element_count(want);
  double greatest = 0;
  if (relative > 0)
    for (int64_t i = 0; i < n; ++i)
      if (double v = std::fabs(element(want, i)); std::isfinite(v)) greatest = std::max(greatest, v);
  for (int64_t i = 0; i < n; ++i) {
    const size_t at = static_cast<size_t>(i) * bytes;
    if (std::memcmp(x + at, y + at, bytes) == 0) continue;
    double a = 0, b = 0;
    bool known = true;
    try {
      a = element(want, i), b = element(got, i);
    } catch (const Error&) { known = false; }
    if (known && relative > 0) {
      if (std::isnan(a) && std::isnan(b)) continue;
      if (a == b || std::fabs(a - b) <= relative * greatest) continue;
    }
    std::string out = name + " at " + index_text(want, i) + " of " + shape_text(want);
    if (!known) return out + " has other bits than it had";
    out += " is " + number_text(b) + " where " + number_text(a) + " is due";
    if (relative > 0) out += " (tolerance " + number_text(relative * greatest) + ")";
    return out;
  }
  return std::nullopt;
}

std::optional<std::string> values_differ(const std::string& name, const Value& want, const Value& got,
                                         int64_t reduction_length) {
  if (want.type_index() == TN_TENSOR && got.type_index() == TN_TENSOR)
    return tensors_differ(name, tensor_of(want), tensor_of(got), reduction_length);
  auto text = [](const Value& v) -> std::string {
    if (v.type_index() == TN_TENSOR) return shape_text(tensor_of(v));
    if (v.is_float()) return number_text(v.as_float());
    if (v.is_int() || v.is_bool()) return std::to_string(v.as_int());
    if (v.is_string()) return "'" + std::string(v.as_string()) + "'";
    if (v.type_index() == TN_SHAPE) {
      const auto* s = reinterpret_cast<const TnShape*>(v.raw().as.object);
      std::string out;
      for (size_t i = 0; i < s->size; ++i) out += (i ? ", " : "(") + std::to_string(s->data[i]);
      return out + ")";
    }
    return v.is_none() ? "nothing" : "a value of another kind";
  };
  if (want.is_float() && got.is_float()) {
    double a = want.as_float(), b = got.as_float();
    if (a == b || (std::isnan(a) && std::isnan(b)) ||
        std::fabs(a - b) <= tolerance(kFloat32, reduction_length) * std::fabs(a))
      return std::nullopt;
  } else if (text(want) == text(got)) {
    return std::nullopt;
  }
  return name + " is " + text(got) + " where " + text(want) + " is due";
}

}  // namespace

void add_outcome(const std::string& name, const Value& value, Outcome& out) {
  if (!value.is_array()) {
    out.push_back({name, value});
    return;
  }
  const Array& fields = value.ref<Array>();
  for (size_t i = 0; i < fields.size(); ++i) add_outcome(name + "[" + std::to_string(i) + "]", fields[i], out);
}

double tolerance(DLDataType dtype, int64_t reduction_length) {
  for (const EpsilonRow& row : kEpsilons) {
    if (row.code != dtype.code || row.bits != dtype.bits) continue;
    for (const LengthRow& length : kLengths)
      if (reduction_length <= length.up_to) return row.epsilon * length.factor;
  }
  return 0;
}

std::optional<std::string> difference(const Outcome& expected, const Outcome& got, int64_t reduction_length) {
  if (expected.size() != got.size())
    return "it gives " + std::to_string(got.size()) + " values where " + std::to_string(expected.size()) + " are due";
  for (size_t i = 0; i < expected.size(); ++i)
    if (auto d = values_differ(expected[i].name, expected[i].value, got[i].value, reduction_length)) return d;
  return std::nullopt;
}

bool has_nan(const Outcome& outcome) {
  for (const NamedValue& v : outcome) {
    if (v.value.is_float() && std::isnan(v.value.as_float())) return true;
    if (v.value.type_index() != TN_TENSOR || !is_floating(tensor_of(v.value).dtype)) continue;
    const DLTensor& t = tensor_of(v.value);
    for (int64_t i = 0, n = element_count(t); i < n; ++i)
      if (std::isnan(element(t, i))) return true;
  }
  return false;
}

int64_t reduction_length(const Builder& b, const Node& module, int64_t symbol_size) {
  int64_t greatest = 1;
  b.walk(Value(module), [&](const Node& n) {
    const auto* block = n.as<tir::Block>();
    if (!block) return;
    int64_t length = 1;
    for (const Node& v : nodes(block->iter_vars())) {
      const auto& iter = v.to<tir::IterVar>();
      if (iter.iter_kind() != TN_ITER_REDUCE) continue;
      const auto* extent = iter.domain().to<ir::Range>().extent().as<ir::IntImm>();
      if (__builtin_mul_overflow(length, extent ? extent->value() : symbol_size, &length)) length = INT64_MAX / 2;
    }
    greatest = std::max(greatest, length);
  });
  return greatest;
}

}  // namespace tenon
