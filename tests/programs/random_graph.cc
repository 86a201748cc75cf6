#include "random_graph.h"

#include <algorithm>

namespace tenon::programs {
namespace {

constexpr double kLargest = 20;  // bounds beyond it are brought down by tanh

}  // namespace

std::string RandomGraph::shape_text(const Extents& shape, bool quoted) {
  std::string s = "(";
  for (int64_t d : shape) s += (d == 0 ? std::string(quoted ? "\"n\"" : "n") : std::to_string(d)) + ", ";
  return s + ")";
}

std::string RandomGraph::list_text(const std::vector<int64_t>& items) {
  std::string s;
  for (int64_t i : items) s += (s.empty() ? "" : ", ") + std::to_string(i);
  return "[" + s + "]";
}

RandomGraph::RandomGraph(uint64_t seed, bool symbolic, int operators) : random_(seed) {
  Extents shape;
  const int64_t rank = 2 + pick(3);
  for (int64_t d = 0; d < rank; ++d) shape.push_back(1 + pick(6));
  shape[0] = symbolic ? 0 : shape[0];
  values_.push_back(input(shape));
  for (int k = 0; k < operators;) {
    // Mostly the latest value, so that chains form; sometimes an earlier one, so that they meet.
    const Tensor x = pick(3) ? values_.back() : any();
    if (add_operator(x)) ++k;
  }
  std::string outputs = values_.back().name;
  const size_t computed = values_.size() - 1;
  if (pick(3) == 0 && computed > 2)
    outputs += ", " + values_[1 + static_cast<size_t>(pick(static_cast<int64_t>(computed)))].name;
  if (outputs.find(", ") != std::string::npos && outputs.substr(outputs.find(", ") + 2) == values_.back().name)
    outputs = values_.back().name;
  text_ = "@I.ir_module\nclass Module:\n    @R.function\n    def main(";
  for (size_t i = 0; i < inputs_.size(); ++i)
    text_ += (i ? ", p" : "p") + std::to_string(i) + ": R.Tensor(" + shape_text(inputs_[i], true) + ", \"float32\")";
  text_ += "):\n";
  if (symbolic) text_ += "        n = T.int64()\n";
  const bool several = outputs.find(',') != std::string::npos;
  text_ += "        with R.dataflow():\n" + body_ + "            R.output(" + outputs + ")\n        return " +
           (several ? "(" + outputs + ")" : outputs) + "\n";
}

RandomGraph::Tensor RandomGraph::input(Extents shape) {
  inputs_.push_back(shape);
  return {"p" + std::to_string(inputs_.size() - 1), std::move(shape), 1};
}

void RandomGraph::define(const std::string& call, Extents shape, double bound) {
  auto bind = [&](const std::string& value, double b) {
    const std::string name = "v" + std::to_string(next_++);
    body_ += "            " + name + " = " + value + "\n";
    values_.push_back({name, shape, b});
  };
  bind(call, bound);
  if (bound > kLargest) bind("R.tanh(" + values_.back().name + ")", 1);
}

bool RandomGraph::add_operator(const Tensor& x) {
  switch (pick(19)) {
    case 0:
    case 1:
    case 2: return unary(x);
    case 3:
    case 4: return binary(x);
    case 5:
    case 6: return with_parameter(x);
    case 7:
    case 8: return product(x);
    case 9: return reduction(x);
    case 10: return permutation(x);
    case 11: return reshaped(x);
    case 12: return concatenation(x);
    case 13: return x.shape.size() == 4 && pick(2) ? pooling(x) : convolution(x);
    case 14: return softmax(x);
    case 15: return broadcast(x);
    case 16: return unit_axis(x);
    case 17: return choice(x);
    default: return batch_norm(x);
  }
}

bool RandomGraph::unary(const Tensor& x) {
  struct Row {
    const char *before, *after;
    double factor, limit, at_most;  // of the bound: scaled, what it must not exceed, what it is at most afterwards
  };
  constexpr Row rows[] = {
      {"R.nn.relu(", ")", 1, 1e9, 1e9},
      {"R.tanh(", ")", 1, 1e9, 1},
      {"R.sigmoid(", ")", 1, 1e9, 1},
      {"R.negative(", ")", 1, 1e9, 1e9},
      {"R.abs(", ")", 1, 1e9, 1e9},
      {"R.nn.leakyrelu(", ", alpha=0.1)", 1, 1e9, 1e9},
      {"R.exp(", ")", 8, 2, 1e9},
      {"R.square(", ")", 4, 4, 1e9},
      {"R.clip(", ", min=-0.5, max=0.75)", 1, 1e9, 0.75},
  };
  const Row& row = rows[pick(std::size(rows))];
  if (x.bound > row.limit) return false;
  define(row.before + x.name + row.after, x.shape, std::min(x.bound * row.factor, row.at_most));
  return true;
}

// With a value of the same shape, or with itself.
bool RandomGraph::binary(const Tensor& x) {
  const Tensor y = any();
  if (y.shape != x.shape) return false;
  const std::string both = x.name + ", " + y.name + ")";
  switch (pick(4)) {
    case 0: define("R.add(" + both, x.shape, x.bound + y.bound); return true;
    case 1: define("R.subtract(" + both, x.shape, x.bound + y.bound); return true;
    case 2: define("R.multiply(" + both, x.shape, x.bound * y.bound); return true;
    default: define("R.maximum(" + both, x.shape, std::max(x.bound, y.bound)); return true;
  }
}

// With an input that broadcasts to it.
bool RandomGraph::with_parameter(const Tensor& x) {
  if (x.shape.empty()) return false;
  const auto from = static_cast<long>(pick(static_cast<int64_t>(x.shape.size())));
  Extents shape(x.shape.begin() + from, x.shape.end());
  for (int64_t& d : shape)
    if (pick(3) == 0) d = 1;
  const Tensor y = input(shape);
  if (pick(2))
    define("R.add(" + x.name + ", " + y.name + ")", x.shape, x.bound + 1);
  else
    define("R.multiply(" + y.name + ", " + x.name + ")", x.shape, x.bound);
  return true;
}

bool RandomGraph::product(const Tensor& x) {
  if (x.shape.size() < 2 || x.shape.back() == 0) return false;
  Extents shape = x.shape;
  shape.back() = 1 + pick(9);
  const Tensor w = input({x.shape.back(), shape.back()});
  define("R.matmul(" + x.name + ", " + w.name + ")", shape, x.bound * static_cast<double>(x.shape.back()));
  return true;
}

bool RandomGraph::reduction(const Tensor& x) {
  if (x.shape.empty()) return false;
  const auto axis = static_cast<size_t>(pick(static_cast<int64_t>(x.shape.size())));
  if (x.shape[axis] == 0) return false;  // its length is part of the bound
  const bool keep = x.shape.size() < 3 || pick(2);
  Extents shape = x.shape;
  if (keep)
    shape[axis] = 1;
  else
    shape.erase(shape.begin() + static_cast<long>(axis));
  const char* ops[] = {"sum", "mean", "max", "min"};
  const int64_t op = pick(4);
  const double factor = op == 0 ? static_cast<double>(x.shape[axis]) : 1;
  define("R." + std::string(ops[op]) + "(" + x.name + ", axis=[" + std::to_string(axis) + "]" +
             (keep ? ", keepdims=True)" : ")"),
         shape, x.bound * factor);
  return true;
}

bool RandomGraph::permutation(const Tensor& x) {
  if (x.shape.size() < 2) return false;
  std::vector<int64_t> axes;
  for (size_t d = 0; d < x.shape.size(); ++d) axes.push_back(static_cast<int64_t>(d));
  std::shuffle(axes.begin(), axes.end(), random_);
  Extents shape;
  for (int64_t a : axes) shape.push_back(x.shape[static_cast<size_t>(a)]);
  define("R.permute_dims(" + x.name + ", axes=" + list_text(axes) + ")", shape, x.bound);
  return true;
}

// Two dimensions become one, or one becomes two.
bool RandomGraph::reshaped(const Tensor& x) {
  Extents shape = x.shape;
  if (shape.size() < 2) return false;
  const size_t last = shape.size() - 1;
  if (shape.size() > 2 && shape[last] > 0 && shape[last - 1] > 0 && pick(2)) {
    shape[last - 1] *= shape[last];
    shape.pop_back();
  } else if (shape.size() < 4 && shape[last] > 1 && shape[last] % 2 == 0) {
    shape[last] /= 2;
    shape.push_back(2);
  } else {
    return false;
  }
  define("R.reshape(" + x.name + ", R.shape(" + shape_text(shape, false) + "))", shape, x.bound);
  return true;
}

bool RandomGraph::concatenation(const Tensor& x) {
  const Tensor y = any();
  if (x.shape.empty() || y.shape != x.shape) return false;
  const auto axis = static_cast<size_t>(pick(static_cast<int64_t>(x.shape.size())));
  if (x.shape[axis] == 0 || x.shape[axis] > 8) return false;
  Extents shape = x.shape;
  shape[axis] *= 2;
  define("R.concat((" + x.name + ", " + y.name + "), axis=" + std::to_string(axis) + ")", shape,
         std::max(x.bound, y.bound));
  return true;
}

bool RandomGraph::convolution(const Tensor& x) {
  if (x.shape.size() != 4 || x.shape[1] == 0 || x.shape[2] < 2 || x.shape[3] < 2) return false;
  const bool padded = x.shape[2] < 3 || x.shape[3] < 3 || pick(2);
  Extents shape{x.shape[0], 1 + pick(4), x.shape[2] - (padded ? 0 : 2), x.shape[3] - (padded ? 0 : 2)};
  const Tensor w = input({shape[1], x.shape[1], 3, 3});
  define("R.nn.conv2d(" + x.name + ", " + w.name + (padded ? ", padding=[1, 1])" : ")"), shape,
         x.bound * 9 * static_cast<double>(x.shape[1]));
  return true;
}

bool RandomGraph::pooling(const Tensor& x) {
  if (x.shape.size() != 4 || x.shape[2] < 2 || x.shape[3] < 2) return false;
  const bool padded = pick(2) == 0;
  const int64_t extra = padded ? 2 : 0;
  Extents shape{x.shape[0], x.shape[1], (x.shape[2] + extra - 2) / 2 + 1, (x.shape[3] + extra - 2) / 2 + 1};
  define(std::string(pick(2) ? "R.nn.max_pool2d(" : "R.nn.avg_pool2d(") + x.name +
             ", pool_size=[2, 2], strides=[2, 2]" + (padded ? ", padding=[1, 1])" : ")"),
         shape, x.bound);
  return true;
}

// A dimension of 1 repeated.
bool RandomGraph::broadcast(const Tensor& x) {
  Extents shape = x.shape;
  bool repeats = false;
  for (int64_t& d : shape)
    if (d == 1 && pick(2)) d = inputs_[0][0] == 0 && pick(2) ? 0 : 1 + pick(5), repeats = true;
  if (!repeats) return false;
  define("R.broadcast_to(" + x.name + ", R.shape(" + shape_text(shape, false) + "))", shape, x.bound);
  return true;
}

// A dimension of 1 put in or taken away.
bool RandomGraph::unit_axis(const Tensor& x) {
  Extents shape = x.shape;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] != 1 || shape.size() < 3) continue;
    shape.erase(shape.begin() + static_cast<long>(d));
    define("R.squeeze(" + x.name + ", axis=[" + std::to_string(d) + "])", shape, x.bound);
    return true;
  }
  if (shape.size() > 3) return false;
  const int64_t axis = pick(static_cast<int64_t>(shape.size()) + 1);
  shape.insert(shape.begin() + axis, 1);
  define("R.expand_dims(" + x.name + ", axis=[" + std::to_string(axis) + "])", shape, x.bound);
  return true;
}

// The greater one of two values, by a comparison.
bool RandomGraph::choice(const Tensor& x) {
  const Tensor y = any();
  if (y.shape != x.shape) return false;
  const std::string greater = "v" + std::to_string(next_++);
  body_ += "            " + greater + " = R.greater(" + x.name + ", " + y.name + ")\n";
  define("R.where(" + greater + ", " + x.name + ", " + y.name + ")", x.shape, std::max(x.bound, y.bound));
  return true;
}

bool RandomGraph::softmax(const Tensor& x) {
  if (x.shape.empty()) return false;
  const int64_t axis = pick(static_cast<int64_t>(x.shape.size()));
  if (x.shape[static_cast<size_t>(axis)] == 0) return false;
  define("R.nn.softmax(" + x.name + ", axis=" + std::to_string(axis) + ")", x.shape, 1);
  return true;
}

// The variance of the parameters is at least 0.25: it is the square of an input, plus epsilon.
bool RandomGraph::batch_norm(const Tensor& x) {
  if (x.shape.size() < 2 || x.shape[1] == 0) return false;
  const Extents channels{x.shape[1]};
  const Tensor scale = input(channels), shift = input(channels), mean = input(channels), root = input(channels);
  define("R.square(" + root.name + ")", channels, 1);
  const std::string variance = values_.back().name;
  define("R.nn.batch_norm_inference(" + x.name + ", " + scale.name + ", " + shift.name + ", " + mean.name + ", " +
             variance + ", axis=1, epsilon=0.25)",
         x.shape, 2 * (x.bound + 1) + 1);
  return true;
}

}  // namespace tenon::programs
