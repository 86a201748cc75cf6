// The operators of the loop level: how each is written, and which node it makes. Reading and printing share the rows.
#ifndef TENON_CORE_SCRIPT_OPERATORS_H
#define TENON_CORE_SCRIPT_OPERATORS_H

#include <string_view>

#include "tenon/kinds.h"

namespace tenon::script {

struct OperatorRow {
  uint32_t kind;
  std::string_view symbol;    // between the operands; "" when the operator is only written as a call
  std::string_view function;  // T.FloorDiv(a, b): keeps two literals apart where Python would compute
  int precedence;             // as in Python; greater binds tighter
  bool compares;              // the result is bool
};

inline constexpr OperatorRow kOperatorRows[] = {
    {TN_KIND_tir_Add, "+", "Add", 9, false},
    {TN_KIND_tir_Sub, "-", "Sub", 9, false},
    {TN_KIND_tir_Mul, "*", "Mul", 10, false},
    {TN_KIND_tir_Div, "/", "Div", 10, false},
    {TN_KIND_tir_FloorDiv, "//", "FloorDiv", 10, false},
    {TN_KIND_tir_FloorMod, "%", "FloorMod", 10, false},
    {TN_KIND_tir_TruncDiv, "", "truncdiv", 0, false},
    {TN_KIND_tir_TruncMod, "", "truncmod", 0, false},
    {TN_KIND_tir_Min, "", "min", 0, false},
    {TN_KIND_tir_Max, "", "max", 0, false},
    {TN_KIND_tir_EQ, "==", "EQ", 4, true},
    {TN_KIND_tir_NE, "!=", "NE", 4, true},
    {TN_KIND_tir_LT, "<", "LT", 4, true},
    {TN_KIND_tir_LE, "<=", "LE", 4, true},
    {TN_KIND_tir_GT, ">", "GT", 4, true},
    {TN_KIND_tir_GE, ">=", "GE", 4, true},
    {TN_KIND_tir_And, "and", "And", 2, true},
    {TN_KIND_tir_Or, "or", "Or", 1, true},
};
inline constexpr int kNotPrecedence = 3, kAtomPrecedence = 20;

// Other spellings of the calls.
struct SpellingRow {
  std::string_view function;
  uint32_t kind;
};
inline constexpr SpellingRow kSpellingRows[] = {
    {"floordiv", TN_KIND_tir_FloorDiv},
    {"floormod", TN_KIND_tir_FloorMod},
    {"TruncDiv", TN_KIND_tir_TruncDiv},
    {"TruncMod", TN_KIND_tir_TruncMod},
    {"Min", TN_KIND_tir_Min},
    {"Max", TN_KIND_tir_Max},
    {"indexdiv", TN_KIND_tir_FloorDiv},
    {"indexmod", TN_KIND_tir_FloorMod},
    {"div", TN_KIND_tir_Div},
    {"all", TN_KIND_tir_And},
    {"any", TN_KIND_tir_Or},
    {"mul", TN_KIND_tir_Mul},
};

// The infix operators that are calls of intrinsics.
struct BitwiseRow {
  std::string_view symbol;
  std::string_view op;
};
inline constexpr BitwiseRow kBitwiseRows[] = {{"&", "tir.bitwise_and"},
                                              {"|", "tir.bitwise_or"},
                                              {"^", "tir.bitwise_xor"},
                                              {"<<", "tir.shift_left"},
                                              {">>", "tir.shift_right"}};

inline const OperatorRow* operator_of_kind(uint32_t kind) {
  for (const OperatorRow& row : kOperatorRows)
    if (row.kind == kind) return &row;
  return nullptr;
}
inline const OperatorRow* operator_of_symbol(std::string_view symbol) {
  for (const OperatorRow& row : kOperatorRows)
    if (row.symbol == symbol) return &row;
  return nullptr;
}
inline const OperatorRow* operator_of_function(std::string_view name) {
  for (const OperatorRow& row : kOperatorRows)
    if (row.function == name) return &row;
  for (const SpellingRow& row : kSpellingRows)
    if (row.function == name) return operator_of_kind(row.kind);
  return nullptr;
}

// Ops whose literal arguments keep their own dtype, int64 or float32, whatever stands beside them.
inline bool keeps_literals(std::string_view op) {
  return op == "tir.call_packed" || op == "tir.call_extern" || op == "tir.call_pure_extern";
}
// Ops that are written with their dtype first: T.reinterpret("float32", x).
inline bool dtype_stands_first(std::string_view op) {
  return op == "tir.reinterpret" || op == "tir.max_value" || op == "tir.min_value" || op == "tir.infinity" ||
         op == "tir.nan";
}

}  // namespace tenon::script
#endif
