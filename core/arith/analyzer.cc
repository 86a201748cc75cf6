#include "arith/analyzer.h"

#include "arith/engine.h"
#include "ir/ir_table.h"

namespace tenon {
namespace {

void require_variable(const Node& var, const char* action) {
  if (!var || !var.is<ir::Var>())
    throw Error(TN_ERROR_ARGUMENT, std::string("cannot bind ") + action + ": what is bound is not a variable", {},
                "pass an ir.Var");
}

void require_expression(const Node& n, const char* action) {
  if (!n) throw Error(TN_ERROR_ARGUMENT, std::string("cannot ") + action + ": there is no expression");
}

}  // namespace

Analyzer::Analyzer() : Analyzer(core_builder()) {}
Analyzer::Analyzer(const Builder& b) : b_(b), engine_(std::make_unique<arith::Engine>(b)) {}
Analyzer::~Analyzer() = default;
Analyzer::Analyzer(Analyzer&&) noexcept = default;
Analyzer& Analyzer::operator=(Analyzer&&) noexcept = default;

void Analyzer::bind_range(const Node& var, const Node& min, const Node& extent) {
  require_variable(var, "a range");
  require_expression(min, "bind a range");
  require_expression(extent, "bind a range");
  engine_->bind_range(var, min, extent);
}

void Analyzer::bind_value(const Node& var, const Node& value) {
  require_variable(var, "a value");
  require_expression(value, "bind a value");
  engine_->bind_value(var, value);
}

void Analyzer::enter_constraint(const Node& condition) {
  require_expression(condition, "assume a condition");
  engine_->enter(condition);
}

void Analyzer::leave_constraint() { engine_->leave(); }

Node Analyzer::simplify(const Node& expr) {
  require_expression(expr, "simplify");
  return engine_->simplify(expr);
}

bool Analyzer::can_prove(const Node& condition) {
  require_expression(condition, "prove a condition");
  return engine_->prove(condition);
}

bool Analyzer::can_prove_equal(const Node& a, const Node& b) {
  return a.same_as(b) || (same_dtype(a.dtype(), b.dtype()) && can_prove(b_.eq(a, b)));
}

Analyzer::Bounds Analyzer::bounds(const Node& expr) {
  require_expression(expr, "bound");
  arith::Interval i = engine_->bounds(expr);
  auto clamp = [](arith::Wide v) {
    return v <= arith::kMin64 ? arith::kMin64 : v >= arith::kMax64 ? arith::kMax64 : static_cast<int64_t>(v);
  };
  return {clamp(i.lo), clamp(i.hi)};
}

Analyzer::Modular Analyzer::modular(const Node& expr) {
  require_expression(expr, "find the congruence of");
  arith::Modular m = engine_->modular(expr);
  return {m.m, m.b};
}

}  // namespace tenon
