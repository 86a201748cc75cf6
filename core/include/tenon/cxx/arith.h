// The analyzer of integer expressions as a C++ object over "tenon.host.arith/1" (ext/arith.h says what it promises).
//
//   Arith arith(builder, &service<TnHostArith>().required());
//   arith.bind_range(i, b.imm(0), n);
//   { auto inside = arith.assume(b.lt(i, m)); e = arith.simplify(e); }
#ifndef TENON_CXX_ARITH_H
#define TENON_CXX_ARITH_H

#include "../ext/arith.h"
#include "builder.h"

namespace tenon {

class Arith {
 public:
  Arith(const Builder& b, const TnHostArith* table) : b_(b), t_(table), a_(table->create(table->self)) {
    if (a_ == nullptr) throw std::bad_alloc();
  }
  ~Arith() { t_->destroy(a_); }
  Arith(const Arith&) = delete;
  Arith& operator=(const Arith&) = delete;

  void bind_range(const Node& var, const Node& min, const Node& extent) {
    call([&](TnValue* ret) { return t_->bind_range(a_, var.get(), min.get(), extent.get(), ret); });
  }
  void bind_value(const Node& var, const Node& value) {
    call([&](TnValue* ret) { return t_->bind_value(a_, var.get(), value.get(), ret); });
  }

  // Holds the condition for as long as it lives; the scopes of one analyzer nest.
  class Scope {
   public:
    Scope(Scope&& other) noexcept : arith_(std::exchange(other.arith_, nullptr)) {}
    Scope& operator=(Scope&&) = delete;
    ~Scope() {
      if (arith_) arith_->leave();
    }

   private:
    friend class Arith;
    explicit Scope(Arith* arith) : arith_(arith) {}
    Arith* arith_;
  };
  [[nodiscard]] Scope assume(const Node& condition) {
    enter(condition);
    return Scope(this);
  }
  void enter(const Node& condition) {
    call([&](TnValue* ret) { return t_->enter_constraint(a_, condition.get(), ret); });
  }
  void leave() { t_->leave_constraint(a_); }

  Node simplify(const Node& expr) {
    Value v = call([&](TnValue* ret) { return t_->simplify(a_, expr.get(), ret); });
    return as_node(v);
  }
  bool can_prove(const Node& condition) { return t_->can_prove(a_, condition.get()) != 0; }
  bool can_prove_equal(const Node& a, const Node& b) { return a.same_as(b) || can_prove(b_.eq(a, b)); }
  // The value of an integer expression that is the same for every assignment.
  std::optional<int64_t> constant(const Node& expr) {
    Bounds r = bounds(expr);
    return r.min == r.max ? std::optional<int64_t>(r.min) : std::nullopt;
  }

  struct Bounds {
    int64_t min, max;  // INT64_MIN and INT64_MAX stand for none
  };
  Bounds bounds(const Node& expr) {
    Bounds r{};
    t_->bounds(a_, expr.get(), &r.min, &r.max);
    return r;
  }
  struct Modular {
    int64_t coefficient, base;
  };
  Modular modular(const Node& expr) {
    Modular r{};
    t_->modular(a_, expr.get(), &r.coefficient, &r.base);
    return r;
  }

 private:
  Builder b_;
  const TnHostArith* t_;
  TnAnalyzer* a_;
};

}  // namespace tenon
#endif
