// The checked entry: what every compiled or interpreted function requires of its arguments, in one place and one
// wording.
#include <stdio.h>

#include "runtime/internal.h"

namespace tenon::rt {
namespace {

constexpr int kMaxStack = 32;  // of a dimension's postfix program
constexpr int32_t kMaxParams = 4096;

// Text of bounded length.
struct Text {
  char data[512];
  size_t size = 0;
  __attribute__((format(printf, 2, 3))) void add(const char* format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(data + size, sizeof data - size, format, args);
    va_end(args);
    if (n > 0) size = size + static_cast<size_t>(n) < sizeof data ? size + static_cast<size_t>(n) : sizeof data - 1;
  }
};

void add_dtype(Text& t, DLDataType d) {
  static constexpr const char* names[] = {"int", "uint", "float", "opaque", "bfloat", "complex", "bool"};
  if (d.code == TN_DL_BOOL)
    t.add("bool");
  else if (d.code == kDLOpaqueHandle)
    t.add("handle");
  else
    t.add("%s%d", d.code < 7 ? names[d.code] : "dtype", d.bits);
  if (d.lanes != 1) t.add("x%d", d.lanes);
}

struct Checker {
  const TnSignature& signature;
  const TnValue* args;
  int64_t* symbols;
  int32_t* bound_by;  // for each symbol, the parameter that bound it, or -1
  TnValue* ret;

  const TnParam& param(int32_t i) const {
    return *reinterpret_cast<const TnParam*>(reinterpret_cast<const char*>(signature.params) +
                                             static_cast<size_t>(i) * signature.param_size);
  }
  const char* symbol_name(int64_t s) const { return signature.symbols ? signature.symbols[s] : "?"; }
  const DLTensor* tensor(int32_t i) const {
    if (args[i].type_index == TN_DLTENSOR) return static_cast<const DLTensor*>(args[i].as.p);
    return &reinterpret_cast<const TnTensor*>(args[i].as.object)->tensor;
  }

  // A dimension's program as a person writes it; its end is returned.
  const int64_t* add_dim(Text& out, const int64_t* p) const {
    static constexpr const char* signs[] = {"+", "-", "*", "//", "%"};
    char stack[8][96];
    int n = 0;
    for (; *p != TN_DIM_END; ++p) {
      if (*p == TN_DIM_CONST && n < 8) {
        snprintf(stack[n++], 96, "%lld", static_cast<long long>(*++p));
      } else if (*p == TN_DIM_SYMBOL && n < 8) {
        ++p;
        if (bound_by[*p] >= 0)
          snprintf(stack[n++], 96, "%s=%lld", symbol_name(*p), static_cast<long long>(symbols[*p]));
        else
          snprintf(stack[n++], 96, "%s", symbol_name(*p));
      } else if (n >= 2) {
        char joined[96];
        if (*p >= TN_DIM_MIN)
          snprintf(joined, 96, "%s(%.40s, %.40s)", *p == TN_DIM_MIN ? "min" : "max", stack[n - 2], stack[n - 1]);
        else
          snprintf(joined, 96, "%.44s%s%.44s", stack[n - 2], signs[*p - TN_DIM_ADD], stack[n - 1]);
        memcpy(stack[--n - 1], joined, 96);
      } else if (*p == TN_DIM_CONST || *p == TN_DIM_SYMBOL) {
        ++p;
      }
    }
    out.add("%s", n == 1 ? stack[0] : "...");
    return p + 1;
  }

  void add_expected(Text& t, const TnParam& p) const {
    add_dtype(t, p.dtype);
    t.add(" (");
    const int64_t* program = p.dims;
    for (int32_t d = 0; d < p.ndim; ++d) {
      if (d) t.add(", ");
      program = add_dim(t, program);
    }
    t.add(p.ndim == 1 ? ",)" : ")");
  }

  static void add_actual(Text& t, const DLTensor& a) {
    add_dtype(t, a.dtype);
    t.add(" (");
    for (int32_t d = 0; d < a.ndim; ++d) t.add(d ? ", %lld" : "%lld", static_cast<long long>(a.shape[d]));
    t.add(a.ndim == 1 ? ",)" : ")");
  }

  // "f: argument 1 (B): expected float32 (k, m), got float32 (2, 3): WHY"
  __attribute__((format(printf, 4, 5))) int refuse(int32_t code, int32_t i, const char* format, ...) const {
    char why[256];
    va_list list;
    va_start(list, format);
    vsnprintf(why, sizeof why, format, list);
    va_end(list);
    Text t;
    const TnParam& p = param(i);
    t.add("%s: argument %d (%s): ", signature.name, i, p.name);
    if (p.kind == TN_PARAM_TENSOR && (args[i].type_index == TN_TENSOR || args[i].type_index == TN_DLTENSOR)) {
      t.add("expected ");
      add_expected(t, p);
      t.add(", got ");
      add_actual(t, *tensor(i));
      t.add(": ");
    }
    t.add("%s", why);
    return make_error(code, t.data, signature.name, nullptr, nullptr, ret);
  }

  int check_tensor(int32_t i, void** data) const {
    const TnParam& p = param(i);
    if (args[i].type_index != TN_TENSOR && args[i].type_index != TN_DLTENSOR) {
      Text t;
      add_expected(t, p);
      return refuse(TN_ERROR_TYPE, i, "expected a tensor %s, got %s", t.data, type_name(args[i].type_index));
    }
    const DLTensor& a = *tensor(i);
    if (a.device.device_type != kDLCPU)
      return refuse(TN_ERROR_DEVICE, i, "it is on device type %d, and this function runs on the CPU",
                    static_cast<int>(a.device.device_type));
    if (a.dtype.code != p.dtype.code || a.dtype.bits != p.dtype.bits || a.dtype.lanes != p.dtype.lanes)
      return refuse(TN_ERROR_TYPE, i, "the dtypes differ");
    if (a.ndim != p.ndim) return refuse(TN_ERROR_SHAPE, i, "it has rank %d where %d is expected", a.ndim, p.ndim);
    bool empty = false;
    for (int32_t d = 0; d < a.ndim; ++d) {
      if (a.shape[d] < 0) return refuse(TN_ERROR_SHAPE, i, "dimension %d is negative", d);
      empty = empty || a.shape[d] == 0;
    }
    if (!(p.flags & TN_PARAM_STRIDED) && a.strides && !empty) {
      int64_t step = 1;
      for (int32_t d = a.ndim; d-- > 0; step *= a.shape[d])
        if (a.shape[d] != 1 && a.strides[d] != step)
          return refuse(
              TN_ERROR_ARGUMENT, i,
              "it is not contiguous: dimension %d has stride %lld, needs %lld (in elements); pass a contiguous copy", d,
              static_cast<long long>(a.strides[d]), static_cast<long long>(step));
    }
    if (!a.data && !empty) return refuse(TN_ERROR_ARGUMENT, i, "its data pointer is null");
    *data = static_cast<char*>(a.data) + a.byte_offset;
    size_t bytes = (static_cast<size_t>(a.dtype.bits) + 7) / 8, alignment = bytes < 16 ? bytes : 16;
    while (alignment & (alignment - 1)) alignment &= alignment - 1;
    if (!empty && alignment && reinterpret_cast<uintptr_t>(*data) % alignment)
      return refuse(TN_ERROR_ARGUMENT, i, "its data is not aligned to its elements of %zu bytes", bytes);
    return 0;
  }

  static const char* type_name(int32_t index) {
    const char* key = type_key(index);
    return key ? key : "a value of an unknown type";
  }

  int check_scalar(int32_t i, void** data) const {
    const TnParam& p = param(i);
    const TnValue& a = args[i];
    bool wants_float = p.dtype.code == kDLFloat || p.dtype.code == kDLBfloat;
    bool fits = wants_float ? a.type_index == TN_FLOAT : a.type_index == TN_INT || a.type_index == TN_BOOL;
    if (!fits) {
      Text t;
      add_dtype(t, p.dtype);
      return refuse(TN_ERROR_TYPE, i, "expected a scalar of dtype %s, got %s", t.data, type_name(a.type_index));
    }
    *data = const_cast<void*>(static_cast<const void*>(&a.as));
    if (wants_float) return 0;
    if (p.dtype.bits < 64 && p.dtype.code != TN_DL_BOOL) {
      bool is_signed = p.dtype.code == kDLInt;
      int64_t low = is_signed ? -(int64_t{1} << (p.dtype.bits - 1)) : 0;
      int64_t high = (int64_t{1} << (p.dtype.bits - (is_signed ? 1 : 0))) - 1;
      if (a.as.i < low || a.as.i > high)
        return refuse(TN_ERROR_ARGUMENT, i, "%lld does not fit into %d bits", static_cast<long long>(a.as.i),
                      p.dtype.bits);
    }
    return p.symbol >= 0 ? bind(i, -1, p.symbol, a.as.i) : 0;
  }

  int bind(int32_t i, int32_t d, int64_t symbol, int64_t value) const {
    if (bound_by[symbol] < 0) {
      bound_by[symbol] = i;
      symbols[symbol] = value;
      return 0;
    }
    if (symbols[symbol] == value) return 0;
    if (d < 0)
      return refuse(TN_ERROR_SHAPE, i, "it is %lld where %s is %lld from argument %d (%s)",
                    static_cast<long long>(value), symbol_name(symbol), static_cast<long long>(symbols[symbol]),
                    bound_by[symbol], param(bound_by[symbol]).name);
    return refuse(TN_ERROR_SHAPE, i, "dimension %d is %lld where %s is %lld from argument %d (%s)", d,
                  static_cast<long long>(value), symbol_name(symbol), static_cast<long long>(symbols[symbol]),
                  bound_by[symbol], param(bound_by[symbol]).name);
  }

  static bool is_bare_symbol(const int64_t* p) { return p[0] == TN_DIM_SYMBOL && p[2] == TN_DIM_END; }
  static const int64_t* skip(const int64_t* p) {
    for (; *p != TN_DIM_END; ++p)
      if (*p == TN_DIM_CONST || *p == TN_DIM_SYMBOL) ++p;
    return p + 1;
  }

  int evaluate(int32_t i, int32_t d, const int64_t* p, int64_t* out) const {
    int64_t stack[kMaxStack];
    int n = 0;
    for (; *p != TN_DIM_END; ++p) {
      if (*p == TN_DIM_CONST || *p == TN_DIM_SYMBOL) {
        bool is_symbol = *p++ == TN_DIM_SYMBOL;
        if (n == kMaxStack) return refuse(TN_ERROR_LIMIT, i, "the expression of dimension %d is too deep", d);
        if (is_symbol && bound_by[*p] < 0)
          return refuse(TN_ERROR_SHAPE, i, "%s in dimension %d has no value: no dimension is just %s", symbol_name(*p),
                        d, symbol_name(*p));
        stack[n++] = is_symbol ? symbols[*p] : *p;
        continue;
      }
      if (n < 2) return refuse(TN_ERROR_INTERNAL, i, "the expression of dimension %d is broken", d);
      int64_t b = stack[--n], a = stack[n - 1], r = 0;
      bool overflow = false;
      switch (*p) {
        case TN_DIM_ADD: overflow = __builtin_add_overflow(a, b, &r); break;
        case TN_DIM_SUB: overflow = __builtin_sub_overflow(a, b, &r); break;
        case TN_DIM_MUL: overflow = __builtin_mul_overflow(a, b, &r); break;
        case TN_DIM_MIN: r = a < b ? a : b; break;
        case TN_DIM_MAX: r = a > b ? a : b; break;
        default:
          if (b == 0) return refuse(TN_ERROR_SHAPE, i, "dimension %d divides by zero", d);
          overflow = b == -1 && a == INT64_MIN;
          if (overflow) break;
          int64_t q = a / b - (a % b != 0 && (a % b < 0) != (b < 0));
          r = *p == TN_DIM_FLOORDIV ? q : a - q * b;
      }
      if (overflow) return refuse(TN_ERROR_SHAPE, i, "dimension %d does not fit into 64 bits", d);
      stack[n - 1] = r;
    }
    if (n != 1) return refuse(TN_ERROR_INTERNAL, i, "the expression of dimension %d is broken", d);
    *out = stack[0];
    return 0;
  }

  // Dimensions that are one symbol bind it, or are compared with what it is bound to.
  int bind_dims(int32_t i) const {
    const TnParam& p = param(i);
    const int64_t* program = p.dims;
    for (int32_t d = 0; d < p.ndim; ++d, program = skip(program))
      if (is_bare_symbol(program) && bind(i, d, program[1], tensor(i)->shape[d])) return -1;
    return 0;
  }

  int compare_dims(int32_t i) const {
    const TnParam& p = param(i);
    const int64_t* program = p.dims;
    for (int32_t d = 0; d < p.ndim; ++d, program = skip(program)) {
      if (is_bare_symbol(program)) continue;
      int64_t expected = 0;
      if (evaluate(i, d, program, &expected)) return -1;
      if (tensor(i)->shape[d] != expected)
        return refuse(TN_ERROR_SHAPE, i, "dimension %d is %lld, expected %lld", d,
                      static_cast<long long>(tensor(i)->shape[d]), static_cast<long long>(expected));
    }
    return 0;
  }

  // The bytes that a tensor may touch: [low, high).
  static void extent(const DLTensor& t, uintptr_t* low, uintptr_t* high) {
    int64_t element = (static_cast<int64_t>(t.dtype.bits) * t.dtype.lanes + 7) / 8, before = 0, after = 0, step = 1;
    for (int32_t d = t.ndim; d-- > 0; step *= t.shape[d]) {
      if (t.shape[d] == 0) {
        *low = *high = 0;
        return;
      }
      int64_t reach = (t.shape[d] - 1) * (t.strides ? t.strides[d] : step);
      (reach < 0 ? before : after) += reach;
    }
    auto base = reinterpret_cast<uintptr_t>(t.data) + t.byte_offset;
    *low = base + static_cast<uintptr_t>(before * element);
    *high = base + static_cast<uintptr_t>((after + 1) * element);
  }

  int check_overlap() const {
    for (int32_t i = 0; i < signature.param_count; ++i) {
      if (param(i).kind != TN_PARAM_TENSOR || !(param(i).flags & TN_PARAM_WRITTEN)) continue;
      uintptr_t low, high;
      extent(*tensor(i), &low, &high);
      for (int32_t k = 0; k < signature.param_count; ++k) {
        if (k == i || param(k).kind != TN_PARAM_TENSOR) continue;
        if (k < i && (param(k).flags & TN_PARAM_WRITTEN)) continue;  // compared when k's turn was
        uintptr_t other_low, other_high;
        extent(*tensor(k), &other_low, &other_high);
        if (low < other_high && other_low < high)
          return refuse(TN_ERROR_ALIAS, i, "it is written and overlaps argument %d (%s) in memory; pass a copy", k,
                        param(k).name);
      }
    }
    return 0;
  }
};

}  // namespace

int check_arguments(const TnSignature* signature, const TnValue* args, int32_t n, void** data, int64_t* symbols,
                    TnValue* ret) {
  if (n != signature->param_count)
    return fail(TN_ERROR_ARGUMENT, ret, "%s: expected %d arguments, got %d", signature->name, signature->param_count,
                n);
  if (n > kMaxParams || signature->symbol_count > kMaxParams)
    return fail(TN_ERROR_LIMIT, ret, "%s: more than %d parameters or symbols", signature->name, kMaxParams);
  int32_t few[64];
  int32_t* bound_by = few;
  if (signature->symbol_count > 64) {
    bound_by = static_cast<int32_t*>(malloc(sizeof(int32_t) * static_cast<size_t>(signature->symbol_count)));
    if (!bound_by) return out_of_memory(ret);
  }
  for (int32_t s = 0; s < signature->symbol_count; ++s) bound_by[s] = -1;
  Checker c{*signature, args, symbols, bound_by, ret};
  int status = 0;
  for (int32_t i = 0; i < n && status == 0; ++i) {
    const TnParam& p = c.param(i);
    if (p.kind == TN_PARAM_TENSOR)
      status = c.check_tensor(i, &data[i]);
    else if (p.kind == TN_PARAM_HANDLE)
      data[i] = const_cast<TnValue*>(&args[i]);
    else
      status = c.check_scalar(i, &data[i]);
  }
  for (int32_t i = 0; i < n && status == 0; ++i)
    if (c.param(i).kind == TN_PARAM_TENSOR) status = c.bind_dims(i);
  for (int32_t i = 0; i < n && status == 0; ++i)
    if (c.param(i).kind == TN_PARAM_TENSOR) status = c.compare_dims(i);
  if (status == 0) status = c.check_overlap();
  if (bound_by != few) free(bound_by);
  return status ? -1 : 0;
}

}  // namespace tenon::rt
