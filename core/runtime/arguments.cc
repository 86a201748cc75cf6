// The checked entry: what every compiled or interpreted function requires of its arguments, in one place and one
// wording.
#include <stdio.h>

#include "runtime/signature_text.h"

namespace tenon::rt {
namespace {

constexpr int kMaxStack = 32;  // of a dimension's postfix program
constexpr int32_t kMaxParams = 4096;
constexpr const char* kDevices[] = {"none",   "CPU",   "CUDA", "CUDA host", "OpenCL",    "FPGA", "none",
                                    "Vulkan", "Metal", "VPI",  "ROCm",      "ROCm host", "ext",  "CUDA managed"};

long long wide(int64_t i) { return static_cast<long long>(i); }

bool is_tensor(const TnValue& v) { return v.type_index == TN_TENSOR || (v.type_index == TN_DLTENSOR && v.as.p); }

const DLTensor& tensor_of(const TnValue& v) {
  return v.type_index == TN_DLTENSOR ? *static_cast<const DLTensor*>(v.as.p)
                                     : reinterpret_cast<const TnTensor*>(v.as.object)->tensor;
}

int64_t element_bytes(const DLTensor& t) { return (int64_t{t.dtype.bits} * t.dtype.lanes + 7) / 8; }

bool is_empty(const DLTensor& t) {
  for (int32_t d = 0; d < t.ndim; ++d)
    if (t.shape[d] == 0) return true;
  return false;
}

// The bytes that a tensor may touch, [low, high); false for none.
bool touched(const DLTensor& t, uintptr_t* low, uintptr_t* high) {
  if (is_empty(t)) return false;
  int64_t element = element_bytes(t), before = 0, after = 0, step = 1;
  for (int32_t d = t.ndim; d-- > 0;) {
    int64_t reach = (t.shape[d] - 1) * (t.strides ? t.strides[d] : step);
    (reach < 0 ? before : after) += reach;
    step *= t.shape[d];
  }
  auto first = reinterpret_cast<uintptr_t>(t.data) + t.byte_offset;
  *low = first + static_cast<uintptr_t>(before * element);
  *high = first + static_cast<uintptr_t>((after + 1) * element);
  return true;
}

class Checker {
 public:
  Checker(const TnSignature& signature, const TnValue* args, int64_t* values, int32_t* bound_by, TnValue* ret)
      : signature_(signature), args_(args), symbols_{signature, values, bound_by}, ret_(ret) {}

  int check(void** data) const {
    int32_t n = signature_.param_count;
    for (int32_t i = 0; i < n; ++i)
      if (check_one(i, &data[i])) return -1;
    for (int32_t i = 0; i < n; ++i)
      if (param(i).kind == TN_PARAM_TENSOR && bind_dims(i)) return -1;
    for (int32_t i = 0; i < n; ++i)
      if (param(i).kind == TN_PARAM_TENSOR && compare_dims(i)) return -1;
    for (int32_t i = 0; i < n; ++i)
      if (param(i).kind == TN_PARAM_TENSOR && (param(i).flags & TN_PARAM_WRITTEN) && check_overlap(i)) return -1;
    return 0;
  }

  int refuse_count(int32_t n) const {
    Text message, hint;
    message.add("%s: expected %d arguments, got %d", signature_.name, signature_.param_count, n);
    hint.add("the parameters are ");
    add_parameters(hint, symbols_);
    return make_error(TN_ERROR_ARGUMENT, message.data(), signature_.name, hint.data(), nullptr, ret_);
  }

 private:
  const TnParam& param(int32_t i) const { return param_of(signature_, i); }

  // "f: argument 1 (B): expected float32 (k, m), got float32 (2, 3): WHY"
  __attribute__((format(printf, 5, 6))) int refuse(int32_t code, int32_t i, const char* hint, const char* format,
                                                   ...) const {
    char why[512];
    va_list list;
    va_start(list, format);
    vsnprintf(why, sizeof why, format, list);
    va_end(list);
    Text message;
    message.add("%s: argument %d (%s): ", signature_.name, i, param(i).name);
    if (param(i).kind != TN_PARAM_HANDLE) {
      message.add("expected ");
      add_expected(message, symbols_, param(i));
      message.add(", got ");
      if (!is_tensor(args_[i])) {
        message.add("%s", type_name(args_[i].type_index));
      } else {
        if (param(i).kind == TN_PARAM_SCALAR) message.add("a tensor ");
        add_actual(message, tensor_of(args_[i]));
      }
      if (*why) message.add(": ");
    }
    message.add("%s", why);
    return make_error(code, message.data(), signature_.name, hint, nullptr, ret_);
  }

  int refuse_kind(int32_t i, const char* hint) const { return refuse(TN_ERROR_TYPE, i, hint, "%s", ""); }

  int check_one(int32_t i, void** data) const {
    switch (param(i).kind) {
      case TN_PARAM_TENSOR: return check_tensor(i, data);
      case TN_PARAM_SCALAR: return check_scalar(i, data);
      default: *data = const_cast<TnValue*>(&args_[i]); return 0;
    }
  }

  // All of a tensor but its extents.
  int check_tensor(int32_t i, void** data) const {
    const TnParam& p = param(i);
    if (!is_tensor(args_[i])) return refuse_kind(i, "pass a tensor");
    const DLTensor& t = tensor_of(args_[i]);
    if (device_type(t.device) != kDLCPU) return refuse_device(i, t.device);
    if (t.dtype.code != p.dtype.code || t.dtype.bits != p.dtype.bits || t.dtype.lanes != p.dtype.lanes) {
      Text hint;
      hint.add("convert it to ");
      add_dtype(hint, p.dtype);
      return refuse(TN_ERROR_TYPE, i, hint.data(), "the dtypes differ");
    }
    if (t.ndim != p.ndim) return refuse(TN_ERROR_SHAPE, i, "", "it has rank %d where %d is expected", t.ndim, p.ndim);
    if (t.ndim && !t.shape) return refuse(TN_ERROR_ARGUMENT, i, "", "it has no shape");
    if (check_size(i, t)) return -1;
    *data = static_cast<char*>(t.data) + t.byte_offset;
    if (is_empty(t)) return 0;
    if (!t.data) return refuse(TN_ERROR_ARGUMENT, i, "", "its data pointer is null");
    return check_strides(i, t) || check_alignment(i, *data) || check_writable(i) ? -1 : 0;
  }

  int refuse_device(int32_t i, DLDevice device) const {
    auto type = static_cast<uint32_t>(device_type(device));
    const char* name = type < sizeof kDevices / sizeof *kDevices ? kDevices[type] : "an unknown kind";
    if (const char* key = type_key(device_type(device)); key && !strncmp(key, "device ", 7)) name = key + 7;
    return refuse(TN_ERROR_DEVICE, i, "copy it to the CPU first",
                  "it is on device %s:%d (type %u), and this function runs on the CPU", name, device.device_id, type);
  }

  // The extents and strides are such that what follows may calculate with them.
  int check_size(int32_t i, const DLTensor& t) const {
    for (int32_t d = 0; d < t.ndim; ++d)
      if (t.shape[d] < 0) return refuse(TN_ERROR_SHAPE, i, "", "dimension %d is negative", d);
    if (is_empty(t)) return 0;
    int64_t element = element_bytes(t), bytes = element, reach = element;
    bool overflow = false;
    for (int32_t d = 0; d < t.ndim; ++d) {
      int64_t stride = t.strides ? t.strides[d] : 0;
      if (stride < 0) overflow |= __builtin_sub_overflow(int64_t{0}, stride, &stride);
      overflow |= __builtin_mul_overflow(bytes, t.shape[d], &bytes);
      overflow |= __builtin_mul_overflow(stride, t.shape[d] - 1, &stride);
      overflow |= __builtin_mul_overflow(stride, element, &stride);
      overflow |= __builtin_add_overflow(reach, stride, &reach);
    }
    return overflow ? refuse(TN_ERROR_SHAPE, i, "", "its size does not fit into 63 bits") : 0;
  }

  int check_strides(int32_t i, const DLTensor& t) const {
    if (!t.strides) return 0;
    bool strided = param(i).flags & TN_PARAM_STRIDED, written = param(i).flags & TN_PARAM_WRITTEN;
    int64_t step = 1;
    for (int32_t d = t.ndim; d-- > 0; step *= t.shape[d]) {
      if (t.shape[d] == 1) continue;
      if (!strided && t.strides[d] != step)
        return refuse(TN_ERROR_ARGUMENT, i, "pass a contiguous copy",
                      "it is not contiguous: dimension %d has stride %lld, needs %lld (in elements)", d,
                      wide(t.strides[d]), wide(step));
      if (written && t.strides[d] == 0)
        return refuse(TN_ERROR_ALIAS, i, "pass a contiguous copy",
                      "it is written, but dimension %d has stride 0: its elements share memory", d);
    }
    return 0;
  }

  int check_alignment(int32_t i, const void* data) const {
    uintptr_t bytes = (uintptr_t{param(i).dtype.bits} + 7) / 8, alignment = bytes & (~bytes + 1);
    if (alignment > 16) alignment = 16;
    if (!alignment || reinterpret_cast<uintptr_t>(data) % alignment == 0) return 0;
    return refuse(TN_ERROR_ARGUMENT, i, "pass a copy", "its address is not aligned to %zu bytes",
                  static_cast<size_t>(alignment));
  }

  int check_writable(int32_t i) const {
    if (!(param(i).flags & TN_PARAM_WRITTEN) || args_[i].type_index != TN_TENSOR ||
        !is_read_only(reinterpret_cast<const TnTensor*>(args_[i].as.object)))
      return 0;
    return refuse(TN_ERROR_ARGUMENT, i, "pass a copy", "it is written, but its owner gave it as read only");
  }

  int check_scalar(int32_t i, void** data) const {
    const TnParam& p = param(i);
    const TnValue& a = args_[i];
    *data = const_cast<void*>(static_cast<const void*>(&a.as));
    if (p.dtype.code == kDLFloat || p.dtype.code == kDLBfloat)
      return a.type_index == TN_FLOAT ? 0 : refuse_kind(i, "pass a floating-point number");
    if (a.type_index != TN_INT && a.type_index != TN_BOOL) return refuse_kind(i, "pass an integer");
    bool is_signed = p.dtype.code == kDLInt;
    int bits = p.dtype.code == TN_DL_BOOL ? 1 : p.dtype.bits;
    if (bits < 64) {
      int64_t low = is_signed ? -(int64_t{1} << (bits - 1)) : 0;
      int64_t high = (int64_t{1} << (bits - (is_signed ? 1 : 0))) - 1;
      if (a.as.i < low || a.as.i > high)
        return refuse(TN_ERROR_ARGUMENT, i, "", "%lld is not from %lld to %lld", wide(a.as.i), wide(low), wide(high));
    }
    return p.symbol >= 0 ? bind(i, -1, p.symbol, a.as.i) : 0;
  }

  // `d` is the dimension that is one symbol, -1 when the argument is a scalar.
  int bind(int32_t i, int32_t d, int64_t symbol, int64_t value) const {
    if (!symbols_.is_bound(symbol)) {
      symbols_.bound_by[symbol] = i;
      symbols_.values[symbol] = value;
      return 0;
    }
    if (symbols_.values[symbol] == value) return 0;
    Text what;
    if (d >= 0)
      what.add("dimension %d", d);
    else
      what.add("it");
    int32_t by = symbols_.bound_by[symbol];
    return refuse(TN_ERROR_SHAPE, i, "", "%s is %lld where %s was bound to %lld by argument %d (%s)", what.data(),
                  wide(value), symbols_.name(symbol), wide(symbols_.values[symbol]), by, param(by).name);
  }

  int bind_dims(int32_t i) const {
    const int64_t* program = param(i).dims;
    for (int32_t d = 0; d < param(i).ndim; ++d, program = next_dim(program))
      if (is_bare_symbol(program) && bind(i, d, program[1], tensor_of(args_[i]).shape[d])) return -1;
    return 0;
  }

  int compare_dims(int32_t i) const {
    const int64_t* program = param(i).dims;
    for (int32_t d = 0; d < param(i).ndim; ++d, program = next_dim(program)) {
      if (is_bare_symbol(program)) continue;
      int64_t expected = 0, actual = tensor_of(args_[i]).shape[d];
      if (evaluate(i, d, program, &expected)) return -1;
      if (actual == expected) continue;
      Text expression, bindings;
      add_bindings(bindings, symbols_, program);
      if (!*bindings.data())
        return refuse(TN_ERROR_SHAPE, i, "", "dimension %d is %lld where %lld is expected", d, wide(actual),
                      wide(expected));
      add_dim(expression, symbols_, program);
      return refuse(TN_ERROR_SHAPE, i, "", "dimension %d is %lld where %s is %lld (%s)", d, wide(actual),
                    expression.data(), wide(expected), bindings.data());
    }
    return 0;
  }

  int evaluate(int32_t i, int32_t d, const int64_t* p, int64_t* out) const {
    int64_t stack[kMaxStack];
    int n = 0;
    for (; *p != TN_DIM_END; ++p) {
      if (*p == TN_DIM_CONST || *p == TN_DIM_SYMBOL) {
        bool is_symbol = *p++ == TN_DIM_SYMBOL;
        if (n == kMaxStack) return refuse(TN_ERROR_LIMIT, i, "", "the expression of dimension %d is too deep", d);
        if (is_symbol && !symbols_.is_bound(*p))
          return refuse(TN_ERROR_SHAPE, i, "pass the symbol as an argument of its own, or as a dimension",
                        "%s in dimension %d has no value: no dimension is just %s", symbols_.name(*p), d,
                        symbols_.name(*p));
        stack[n++] = is_symbol ? symbols_.values[*p] : *p;
        continue;
      }
      if (n < 2) return refuse(TN_ERROR_INTERNAL, i, "", "the expression of dimension %d is broken", d);
      int64_t b = stack[--n];
      int64_t& a = stack[n - 1];
      if ((*p == TN_DIM_FLOORDIV || *p == TN_DIM_FLOORMOD) && b == 0)
        return refuse(TN_ERROR_SHAPE, i, "", "dimension %d divides by zero", d);
      if (!apply(*p, &a, b)) return refuse(TN_ERROR_SHAPE, i, "", "dimension %d does not fit into 64 bits", d);
    }
    if (n != 1) return refuse(TN_ERROR_INTERNAL, i, "", "the expression of dimension %d is broken", d);
    *out = stack[0];
    return 0;
  }

  // *a = *a OP b; false on overflow.
  static bool apply(int64_t op, int64_t* a, int64_t b) {
    switch (op) {
      case TN_DIM_ADD: return !__builtin_add_overflow(*a, b, a);
      case TN_DIM_SUB: return !__builtin_sub_overflow(*a, b, a);
      case TN_DIM_MUL: return !__builtin_mul_overflow(*a, b, a);
      case TN_DIM_MIN: *a = *a < b ? *a : b; return true;
      case TN_DIM_MAX: *a = *a > b ? *a : b; return true;
      default: break;
    }
    if (b == -1) {  // the quotient is -*a, the remainder 0
      int64_t quotient;
      bool overflow = __builtin_sub_overflow(int64_t{0}, *a, &quotient);
      *a = op == TN_DIM_FLOORDIV ? quotient : 0;
      return op == TN_DIM_FLOORMOD || !overflow;
    }
    int64_t quotient = *a / b, remainder = *a % b;
    bool round_down = remainder != 0 && (remainder < 0) != (b < 0);
    *a = op == TN_DIM_FLOORDIV ? quotient - round_down : remainder + (round_down ? b : 0);
    return true;
  }

  // Argument i, which is written, against all other tensors.
  int check_overlap(int32_t i) const {
    uintptr_t low, high;
    if (!touched(tensor_of(args_[i]), &low, &high)) return 0;
    for (int32_t k = 0; k < signature_.param_count; ++k) {
      uintptr_t other_low, other_high;
      if (k == i || param(k).kind != TN_PARAM_TENSOR || !touched(tensor_of(args_[k]), &other_low, &other_high) ||
          high <= other_low || other_high <= low)
        continue;
      return refuse(TN_ERROR_ALIAS, i, "pass a copy of one of them",
                    "it is written and overlaps argument %d (%s) in memory", k, param(k).name);
    }
    return 0;
  }

  const TnSignature& signature_;
  const TnValue* args_;
  Symbols symbols_;
  TnValue* ret_;
};

}  // namespace

int check_arguments(const TnSignature* signature, const TnValue* args, int32_t n, void** data, int64_t* symbols,
                    TnValue* ret) {
  if (signature->param_count > kMaxParams || signature->symbol_count > kMaxParams)
    return fail(TN_ERROR_LIMIT, ret, "%s: more than %d parameters or symbols", signature->name, kMaxParams);
  int32_t bound_by[kMaxParams];
  for (int32_t s = 0; s < signature->symbol_count; ++s) bound_by[s] = -1;
  Checker checker(*signature, args, symbols, bound_by, ret);
  return n == signature->param_count ? checker.check(data) : checker.refuse_count(n);
}

}  // namespace tenon::rt
