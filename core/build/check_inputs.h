// Generated inputs of a function: what --check-each runs every state of a module on.
#ifndef TENON_BUILD_CHECK_INPUTS_H
#define TENON_BUILD_CHECK_INPUTS_H

#include <map>
#include <string>
#include <vector>

#include "tenon/cxx/builder.h"

namespace tenon {

// Where numbers are drawn from: [low, high).
struct DrawRange {
  double int_low, int_high, float_low, float_high;
};
// Tried in this order until the function accepts its inputs: indices stay in range, divisors are not zero.
inline constexpr DrawRange kDrawRanges[] = {
    {-4, 8, -1, 1}, {0, 4, -1, 1}, {0, 2, -1, 1}, {0, 1, -1, 1}, {1, 4, -1, 1},
};
// One number in so many is so many times as large, so that bounds such as those of a clip are reached.
inline constexpr int64_t kFirstLarge = 5, kLargeEvery = 11;
inline constexpr double kLargeTimes = 16;
// For functions that give no number below zero (logarithms, square roots).
inline constexpr double kPositiveLow = 0.25, kPositiveHigh = 1.25;

class CheckInputs {
 public:
  // Throws TN_ERROR_UNSUPPORTED naming the parameter that cannot be made. The function outlives the object.
  CheckInputs(const Builder& b, const Node& function);

  // The sizes that symbolic dimensions take, one assignment after the other: 1, 2, a prime of each one's own. Where a
  // function refuses dimensions that differ, one prime for all of them.
  enum Sizes { kOne, kTwo, kPrimes, kOnePrime };
  bool has_symbols() const { return !symbols_.empty(); }
  bool has_integers() const { return has_integers_; }
  // "n=5, m=7"
  std::string dims_text(Sizes sizes) const;
  // One value a parameter. The same arguments give the same values everywhere.
  std::vector<Value> make(Sizes sizes, const DrawRange& range) const;
  const std::string& name(size_t param) const { return names_[param]; }
  // "x float32[5, 4], w float32[4, 3]"
  std::string text(const std::vector<Value>& values) const;

 private:
  void add_type(const std::string& name, const Value& type);
  void add_symbols(const Array& shape);
  int64_t size_of(size_t symbol, Sizes sizes) const;
  int64_t extent(const Node& e, Sizes sizes) const;
  Value value_of(const Node& param, Sizes sizes, const DrawRange& range, uint64_t& seed) const;
  Value value_of_type(const Value& type, Sizes sizes, const DrawRange& range, uint64_t& seed) const;
  Value tensor(DLDataType dtype, const Array& shape, Sizes sizes, const DrawRange& range, uint64_t& seed) const;

  const Builder& b_;
  Array params_;
  std::vector<std::string> names_;
  std::vector<Node> symbols_;  // in the order in which shapes show them
  bool has_integers_ = false;
};

// The value, its tensors copied: what one run may write into.
Value copy_of(const Value& value);

inline const DLTensor& tensor_of(const Value& v) {
  return reinterpret_cast<const TnTensor*>(v.raw().as.object)->tensor;
}

}  // namespace tenon
#endif
