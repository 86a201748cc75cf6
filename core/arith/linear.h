// The canonical form of integers: a sum of coefficient * atom, each atom once, plus a constant.
#ifndef TENON_ARITH_LINEAR_H
#define TENON_ARITH_LINEAR_H

#include <cstring>
#include <utility>

#include "arith/int_math.h"

namespace tenon::arith {

struct Atom;

struct Term {
  Atom* atom;
  int64_t coef;  // never 0 in a Linear
};

// Terms are in the order of their atoms' ids. Operations throw GiveUp when a coefficient leaves 64 bits.
class Linear {
 public:
  Linear() = default;
  explicit Linear(int64_t constant) : constant_(constant) {}
  explicit Linear(Atom* atom, int64_t coef = 1) : size_(1) { inline_[0] = {atom, coef}; }
  Linear(const Linear& o) : constant_(o.constant_) { assign(o.begin(), o.size_); }
  Linear(Linear&& o) noexcept : constant_(o.constant_) { steal(o); }
  Linear& operator=(const Linear& o) {
    if (this != &o) {
      constant_ = o.constant_;
      assign(o.begin(), o.size_);
    }
    return *this;
  }
  Linear& operator=(Linear&& o) noexcept {
    if (this != &o) {
      release();
      constant_ = o.constant_;
      steal(o);
    }
    return *this;
  }
  ~Linear() { release(); }

  int64_t constant() const { return constant_; }
  void set_constant(int64_t c) { constant_ = c; }
  void add_constant(int64_t c) { constant_ = checked_add(constant_, c); }
  const Term* begin() const { return data(); }
  const Term* end() const { return data() + size_; }
  size_t size() const { return size_; }
  const Term& operator[](size_t i) const { return data()[i]; }

  bool is_constant() const { return size_ == 0; }
  bool is_constant(int64_t c) const { return size_ == 0 && constant_ == c; }
  // One atom with coefficient 1 and nothing else, or null.
  Atom* as_atom() const { return size_ == 1 && constant_ == 0 && data()[0].coef == 1 ? data()[0].atom : nullptr; }
  int64_t coef_of(const Atom* atom) const;
  bool operator==(const Linear& o) const;

  void add(Atom* atom, int64_t coef);
  void add_scaled(const Linear& o, int64_t k);  // *this += k * o
  void scale(int64_t k);
  // Appends a term whose atom's id is greater than those that are there.
  void push(Atom* atom, int64_t coef) {
    if (size_ == capacity_) grow(size_ + 1);
    data()[size_++] = {atom, coef};
  }

 private:
  Term* data() { return heap_ ? heap_ : inline_; }
  const Term* data() const { return heap_ ? heap_ : inline_; }
  void grow(uint32_t size);
  void assign(const Term* terms, uint32_t size);
  void steal(Linear& o) {
    size_ = std::exchange(o.size_, 0);
    capacity_ = std::exchange(o.capacity_, kInline);
    heap_ = std::exchange(o.heap_, nullptr);
    if (!heap_) std::memcpy(inline_, o.inline_, sizeof(Term) * size_);
  }
  void release() {
    delete[] heap_;
    heap_ = nullptr;
    size_ = 0;
    capacity_ = kInline;
  }

  static constexpr uint32_t kInline = 3;
  int64_t constant_ = 0;
  uint32_t size_ = 0;
  uint32_t capacity_ = kInline;
  Term* heap_ = nullptr;
  Term inline_[kInline];
};

Linear operator+(Linear a, const Linear& b);
Linear operator-(Linear a, const Linear& b);
Linear operator*(Linear a, int64_t k);
Linear operator+(Linear a, int64_t c);

}  // namespace tenon::arith
#endif
