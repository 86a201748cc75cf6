#include "runtime/signature_text.h"

#include <stdio.h>

namespace tenon::rt {
namespace {

constexpr const char* kDtypeNames[] = {"int", "uint", "float", "handle", "bfloat", "complex", "bool"};
constexpr int32_t kMaxListed = 16;  // parameters, dimensions

bool has_operand(int64_t op) { return op == TN_DIM_CONST || op == TN_DIM_SYMBOL; }

enum Precedence { kSum = 1, kProduct = 2, kAtom = 3 };

// A part of a dimension's expression while it is being written.
struct Term {
  char text[96];
  Precedence precedence;
};

struct Operator {
  const char* format;
  Precedence precedence;
};
constexpr Operator kOperators[] = {{"%s + %s", kSum},     {"%s - %s", kSum},      {"%s*%s", kProduct},
                                   {"%s//%s", kProduct},  {"%s %% %s", kProduct}, {"min(%s, %s)", kAtom},
                                   {"max(%s, %s)", kAtom}};

// `text`, or `text` in parentheses.
struct Enclosed {
  char text[100];
  Enclosed(const Term& t, bool parentheses) { snprintf(text, sizeof text, parentheses ? "(%s)" : "%s", t.text); }
};

Term join(const Term& a, const Term& b, const Operator& op) {
  bool call = op.precedence == kAtom;
  Enclosed left(a, !call && a.precedence < op.precedence), right(b, !call && b.precedence <= op.precedence);
  char text[224];
  snprintf(text, sizeof text, op.format, left.text, right.text);
  Term t = {"", op.precedence};
  snprintf(t.text, sizeof t.text, "%.95s", strlen(text) < sizeof t.text ? text : "...");
  return t;
}

}  // namespace

void Text::add(const char* format, ...) {
  va_list args;
  va_start(args, format);
  int n = vsnprintf(data_ + size_, sizeof data_ - size_, format, args);
  va_end(args);
  size_t room = sizeof data_ - size_ - 1, length = n > 0 ? static_cast<size_t>(n) : 0;
  size_ += length < room ? length : room;
}

const int64_t* next_dim(const int64_t* p) {
  while (*p != TN_DIM_END) p += has_operand(*p) ? 2 : 1;
  return p + 1;
}

void add_dtype(Text& out, DLDataType d) {
  if (d.code >= sizeof kDtypeNames / sizeof *kDtypeNames)
    out.add("dtype %d of %d bits", d.code, d.bits);
  else if (d.code == TN_DL_BOOL || d.code == kDLOpaqueHandle)
    out.add("%s", kDtypeNames[d.code]);
  else
    out.add("%s%d", kDtypeNames[d.code], d.bits);
  if (d.lanes != 1) out.add("x%d", d.lanes);
}

void add_dim(Text& out, const Symbols& symbols, const int64_t* p) {
  Term stack[8];
  size_t n = 0;
  for (; *p != TN_DIM_END; p += has_operand(*p) ? 2 : 1) {
    if (has_operand(*p)) {
      if (n == 8) break;
      stack[n].precedence = kAtom;
      if (*p == TN_DIM_CONST)
        snprintf(stack[n++].text, sizeof stack->text, "%lld", static_cast<long long>(p[1]));
      else
        snprintf(stack[n++].text, sizeof stack->text, "%.95s", symbols.name(p[1]));
    } else {
      if (n < 2 || *p < TN_DIM_ADD || *p > TN_DIM_MAX) break;
      --n;
      stack[n - 1] = join(stack[n - 1], stack[n], kOperators[*p - TN_DIM_ADD]);
    }
  }
  out.add("%s", *p == TN_DIM_END && n == 1 ? stack[0].text : "...");
}

void add_expected(Text& out, const Symbols& symbols, const TnParam& p) {
  add_dtype(out, p.dtype);
  if (p.kind != TN_PARAM_TENSOR) return;
  out.add(" (");
  const int64_t* program = p.dims;
  for (int32_t d = 0; d < p.ndim; ++d, program = next_dim(program)) {
    if (d) out.add(", ");
    add_dim(out, symbols, program);
    if (is_bare_symbol(program) && symbols.is_bound(program[1]))
      out.add("=%lld", static_cast<long long>(symbols.values[program[1]]));
  }
  out.add(p.ndim == 1 ? ",)" : ")");
}

void add_actual(Text& out, const DLTensor& t) {
  add_dtype(out, t.dtype);
  if (t.ndim > 0 && !t.shape) return out.add(" without a shape");
  out.add(" (");
  for (int32_t d = 0; d < t.ndim && d < kMaxListed; ++d)
    out.add(d ? ", %lld" : "%lld", static_cast<long long>(t.shape[d]));
  out.add(t.ndim > kMaxListed ? ", ...)" : t.ndim == 1 ? ",)" : ")");
}

void add_parameters(Text& out, const Symbols& symbols) {
  const TnSignature& s = symbols.signature;
  out.add("(");
  for (int32_t i = 0; i < s.param_count && i < kMaxListed; ++i) {
    const TnParam& p = param_of(s, i);
    out.add(i ? ", %s: " : "%s: ", p.name);
    if (p.kind == TN_PARAM_HANDLE)
      out.add("any value");
    else
      add_expected(out, symbols, p);
  }
  out.add(s.param_count > kMaxListed ? ", ...)" : ")");
}

void add_bindings(Text& out, const Symbols& symbols, const int64_t* program) {
  const char* separator = "";
  for (const int64_t* p = program; *p != TN_DIM_END; p += has_operand(*p) ? 2 : 1) {
    if (*p != TN_DIM_SYMBOL || !symbols.is_bound(p[1])) continue;
    bool said = false;
    for (const int64_t* q = program; q < p; q += has_operand(*q) ? 2 : 1)
      said = said || (*q == TN_DIM_SYMBOL && q[1] == p[1]);
    if (said) continue;
    int32_t by = symbols.bound_by[p[1]];
    out.add("%s%s is %lld by argument %d (%s)", separator, symbols.name(p[1]),
            static_cast<long long>(symbols.values[p[1]]), by, param_of(symbols.signature, by).name);
    separator = ", ";
  }
}

const char* type_name(int32_t type_index) {
  const char* key = type_key(type_index);
  return key ? key : "a value of an unknown type";
}

}  // namespace tenon::rt
