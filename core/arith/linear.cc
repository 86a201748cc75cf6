#include "arith/linear.h"

#include <algorithm>

#include "arith/atom.h"

namespace tenon::arith {

void Linear::grow(uint32_t size) {
  if (size <= capacity_) return;
  uint32_t capacity = std::max(size, capacity_ * 2);
  Term* heap = new Term[capacity];
  std::memcpy(heap, data(), sizeof(Term) * size_);
  delete[] heap_;
  heap_ = heap;
  capacity_ = capacity;
}

void Linear::assign(const Term* terms, uint32_t size) {
  grow(size);
  std::memcpy(data(), terms, sizeof(Term) * size);
  size_ = size;
}

int64_t Linear::coef_of(const Atom* atom) const {
  const Term* t =
      std::lower_bound(begin(), end(), atom, [](const Term& x, const Atom* y) { return x.atom->id < y->id; });
  return t != end() && t->atom == atom ? t->coef : 0;
}

bool Linear::operator==(const Linear& o) const {
  if (size_ != o.size_ || constant_ != o.constant_) return false;
  for (uint32_t i = 0; i < size_; ++i)
    if (data()[i].atom != o.data()[i].atom || data()[i].coef != o.data()[i].coef) return false;
  return true;
}

void Linear::add(Atom* atom, int64_t coef) {
  if (coef == 0) return;
  uint32_t i = size_;
  while (i > 0 && data()[i - 1].atom->id > atom->id) --i;
  if (i > 0 && data()[i - 1].atom == atom) {
    int64_t sum = checked_add(data()[i - 1].coef, coef);
    data()[i - 1].coef = sum;
    if (sum == 0) {
      std::copy(data() + i, data() + size_, data() + i - 1);
      --size_;
    }
    return;
  }
  grow(size_ + 1);
  std::copy_backward(data() + i, data() + size_, data() + size_ + 1);
  data()[i] = {atom, coef};
  ++size_;
}

void Linear::add_scaled(const Linear& o, int64_t k) {
  if (k == 0) return;
  constant_ = checked_add(constant_, checked_mul(o.constant_, k));
  if (o.size_ == 0) return;
  if (o.size_ <= 2 && this != &o) {
    for (const Term& t : o) add(t.atom, checked_mul(t.coef, k));
    return;
  }
  Linear sum(constant_);
  sum.grow(size_ + o.size_);
  const Term *x = begin(), *y = o.begin();
  while (x != end() || y != o.end()) {
    if (y == o.end() || (x != end() && x->atom->id < y->atom->id)) {
      sum.push(x->atom, x->coef);
      ++x;
    } else if (x == end() || y->atom->id < x->atom->id) {
      sum.push(y->atom, checked_mul(y->coef, k));
      ++y;
    } else {
      int64_t c = checked_add(x->coef, checked_mul(y->coef, k));
      if (c != 0) sum.push(x->atom, c);
      ++x;
      ++y;
    }
  }
  *this = std::move(sum);
}

void Linear::scale(int64_t k) {
  if (k == 0) {
    *this = Linear();
    return;
  }
  constant_ = checked_mul(constant_, k);
  for (uint32_t i = 0; i < size_; ++i) data()[i].coef = checked_mul(data()[i].coef, k);
}

Linear operator+(Linear a, const Linear& b) {
  a.add_scaled(b, 1);
  return a;
}
Linear operator-(Linear a, const Linear& b) {
  a.add_scaled(b, -1);
  return a;
}
Linear operator*(Linear a, int64_t k) {
  a.scale(k);
  return a;
}
Linear operator+(Linear a, int64_t c) {
  a.add_constant(c);
  return a;
}

}  // namespace tenon::arith
