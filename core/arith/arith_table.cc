// "tenon.host.arith/1" over Analyzer.
#include "arith/analyzer.h"

struct TnAnalyzer {
  tenon::Analyzer analyzer;
};

namespace tenon {
namespace {

// A borrowed node, for the length of a call.
const Node& node(const TnNode* const& n) { return Builder::borrow(n); }

TnAnalyzer* create(void*) {
  try {
    return new TnAnalyzer;
  } catch (...) { return nullptr; }
}

void destroy(TnAnalyzer* a) { delete a; }

int bind_range(TnAnalyzer* a, const TnNode* var, const TnNode* min, const TnNode* extent, TnValue* ret) {
  return guard(tn_runtime(), ret, [&] {
    a->analyzer.bind_range(node(var), node(min), node(extent));
    return Value();
  });
}

int bind_value(TnAnalyzer* a, const TnNode* var, const TnNode* value, TnValue* ret) {
  return guard(tn_runtime(), ret, [&] {
    a->analyzer.bind_value(node(var), node(value));
    return Value();
  });
}

int enter_constraint(TnAnalyzer* a, const TnNode* condition, TnValue* ret) {
  return guard(tn_runtime(), ret, [&] {
    a->analyzer.enter_constraint(node(condition));
    return Value();
  });
}

void leave_constraint(TnAnalyzer* a) { a->analyzer.leave_constraint(); }

int simplify(TnAnalyzer* a, const TnNode* expr, TnValue* ret) {
  return guard(tn_runtime(), ret, [&] { return a->analyzer.simplify(node(expr)); });
}

int can_prove(TnAnalyzer* a, const TnNode* condition) {
  try {
    return a->analyzer.can_prove(node(condition)) ? 1 : 0;
  } catch (...) { return 0; }
}

void bounds(TnAnalyzer* a, const TnNode* expr, int64_t* min, int64_t* max) {
  Analyzer::Bounds b{INT64_MIN, INT64_MAX};
  try {
    b = a->analyzer.bounds(node(expr));
  } catch (...) {}
  *min = b.min;
  *max = b.max;
}

void modular(TnAnalyzer* a, const TnNode* expr, int64_t* coefficient, int64_t* base) {
  Analyzer::Modular m{1, 0};
  try {
    m = a->analyzer.modular(node(expr));
  } catch (...) {}
  *coefficient = m.coefficient;
  *base = m.base;
}

constexpr TnHostArith kTable = {sizeof(TnHostArith), nullptr,          create,   destroy,   bind_range, bind_value,
                                enter_constraint,    leave_constraint, simplify, can_prove, bounds,     modular};

}  // namespace

const TnHostArith& arith_table() { return kTable; }

}  // namespace tenon
