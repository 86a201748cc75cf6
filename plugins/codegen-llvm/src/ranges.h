// What is known about the integers of a function while it is emitted: loop ranges, bindings and branch conditions.
#ifndef TENON_CODEGEN_LLVM_RANGES_H
#define TENON_CODEGEN_LLVM_RANGES_H

#include <tenon/cxx/builder.h>
#include <tenon/ext/arith.h>

namespace tenon::backend {

// An analyzer of the host. Without one it knows nothing, which costs speed only.
class Ranges {
 public:
  Ranges(const Builder& b, const TnHostArith* table) : b_(b), table_(table) {
    if (table_) analyzer_ = table_->create(table_->self);
  }
  ~Ranges() {
    if (analyzer_) table_->destroy(analyzer_);
  }
  Ranges(const Ranges&) = delete;
  Ranges& operator=(const Ranges&) = delete;

  void bind_range(const Node& var, const Node& min, const Node& extent) {
    if (!analyzer_) return;
    call([&](TnValue* ret) { return table_->bind_range(analyzer_, var.get(), min.get(), extent.get(), ret); });
  }
  void bind_value(const Node& var, const Node& value) {
    if (!analyzer_ || !is_integer(value.dtype()) || value.dtype().lanes != 1) return;
    call([&](TnValue* ret) { return table_->bind_value(analyzer_, var.get(), value.get(), ret); });
  }
  // A dimension: no less than zero.
  void bind_dimension(const Node& var) { always(b_.ge(var, b_.imm(0, var.dtype()))); }
  // Holds until the enclosing Scope ends.
  void always(const Node& condition) {
    if (!analyzer_ || condition.dtype().lanes != 1) return;
    call([&](TnValue* ret) { return table_->enter_constraint(analyzer_, condition.get(), ret); });
    ++depth_;
  }
  // What is learnt while it lives is forgotten with it.
  class Scope {
   public:
    explicit Scope(Ranges& ranges) : ranges_(ranges), depth_(ranges.depth_) {}
    Scope(Ranges& ranges, const Node& condition) : Scope(ranges) { ranges.always(condition); }
    ~Scope() {
      for (; ranges_.depth_ > depth_; --ranges_.depth_) ranges_.table_->leave_constraint(ranges_.analyzer_);
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Ranges& ranges_;
    int depth_;
  };

  bool proves(const Node& condition) const { return analyzer_ && table_->can_prove(analyzer_, condition.get()) == 1; }
  int64_t least(const Node& e) const { return bounds(e).first; }
  int64_t greatest(const Node& e) const { return bounds(e).second; }

 private:
  std::pair<int64_t, int64_t> bounds(const Node& e) const {
    std::pair<int64_t, int64_t> r{INT64_MIN, INT64_MAX};
    if (const auto* imm = e.as<ir::IntImm>()) return {imm->value(), imm->value()};
    if (analyzer_ && is_integer(e.dtype()) && e.dtype().lanes == 1)
      table_->bounds(analyzer_, e.get(), &r.first, &r.second);
    return r;
  }

  const Builder& b_;
  const TnHostArith* table_;
  TnAnalyzer* analyzer_ = nullptr;
  int depth_ = 0;  // constraints entered
};

}  // namespace tenon::backend
#endif
