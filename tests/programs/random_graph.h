// Random graph functions over the listed operators, as text.
#ifndef TENON_TESTS_PROGRAMS_RANDOM_GRAPH_H
#define TENON_TESTS_PROGRAMS_RANDOM_GRAPH_H

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace tenon::programs {

// An extent: a number, or 0 for the symbol n.
using Extents = std::vector<int64_t>;

class RandomGraph {
 public:
  // `symbolic`: the leading dimension of the first input is n.
  RandomGraph(uint64_t seed, bool symbolic, int operators);
  const std::string& text() const { return text_; }
  // The shapes of the parameters of `main`.
  const std::vector<Extents>& inputs() const { return inputs_; }

 private:
  // A value of the graph; no element is greater than `bound` in magnitude.
  struct Tensor {
    std::string name;
    Extents shape;
    double bound;
  };

  int64_t pick(int64_t n) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(n)); }
  Tensor input(Extents shape);
  const Tensor& any() { return values_[static_cast<size_t>(pick(static_cast<int64_t>(values_.size())))]; }
  void define(const std::string& call, Extents shape, double bound);
  static std::string shape_text(const Extents& shape, bool quoted);
  static std::string list_text(const std::vector<int64_t>& items);

  // One operator on a value; false when the value's shape does not suit it.
  bool add_operator(const Tensor& x);
  bool unary(const Tensor& x);
  bool binary(const Tensor& x);
  bool with_parameter(const Tensor& x);
  bool product(const Tensor& x);
  bool reduction(const Tensor& x);
  bool permutation(const Tensor& x);
  bool reshaped(const Tensor& x);
  bool concatenation(const Tensor& x);
  bool convolution(const Tensor& x);
  bool pooling(const Tensor& x);
  bool broadcast(const Tensor& x);
  bool unit_axis(const Tensor& x);
  bool choice(const Tensor& x);
  bool softmax(const Tensor& x);
  bool batch_norm(const Tensor& x);

  std::mt19937_64 random_;
  std::vector<Extents> inputs_;
  std::vector<Tensor> values_;
  std::string body_, text_;
  int next_ = 0;
};

}  // namespace tenon::programs
#endif
