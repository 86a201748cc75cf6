// Random expressions over variables with random ranges, values and conditions: what the analyzer says is compared with
// the values that the expressions have. The seed is printed; TENON_SEED sets it, TENON_EXPRESSIONS the number.
#include <cstdio>
#include <deque>
#include <random>

#include "arith/evaluate.h"
#include "arith/test_support.h"

namespace tenon {
namespace {

using test::Assignment;
using test::evaluate;
using test::Evaluation;
using test::Int128;
using test::setting;

constexpr DLDataType kInt8 = make_dtype(kDLInt, 8), kInt16 = make_dtype(kDLInt, 16);
constexpr DLDataType kUInt8 = make_dtype(kDLUInt, 8), kUInt16 = make_dtype(kDLUInt, 16),
                     kUInt32 = make_dtype(kDLUInt, 32), kUInt64 = make_dtype(kDLUInt, 64);
constexpr int64_t kSmallest = INT64_MIN, kGreatest = INT64_MAX;

constexpr uint32_t kComparisons[] = {TN_KIND_tir_EQ, TN_KIND_tir_NE, TN_KIND_tir_LT,
                                     TN_KIND_tir_LE, TN_KIND_tir_GT, TN_KIND_tir_GE};

struct Variable {
  Node node;
  bool bounded = false;
  int64_t min = 0, extent = 1;         // when bounded
  const Variable* symbolic = nullptr;  // the extent is this variable, plus `min` as an offset of the start
  int64_t fixed_factor = 0;            // the value is this times `symbolic`
};

class World {
 public:
  explicit World(std::mt19937_64& random) : random_(random) {
    extreme_ = one_in(6);
    for (int i = 0; i < 5; ++i) add_variable("x" + std::to_string(i), kInt64);
    add_variable("w0", kInt32);
    add_variable("w1", kInt32);
    add_variable("c0", kInt8);
    add_variable("u0", kUInt8);
    add_variable("s0", kInt16);
    add_variable("h0", kUInt16);
    add_variable("m0", kUInt32);
    add_variable("q0", kUInt64);
    flag_ = b.var("p0", kBool);
    int conditions = static_cast<int>(below(3));
    for (int i = 0; i < conditions; ++i) {
      Node c = condition();
      analyzer.enter_constraint(c);
      conditions_.push_back(c);
    }
  }

  Builder b = core_builder();
  Analyzer analyzer;

  uint64_t below(uint64_t n) { return random_() % n; }
  bool one_in(uint64_t n) { return below(n) == 0; }
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(below(static_cast<uint64_t>(high - low) + 1));
  }

  DLDataType any_type() {
    constexpr DLDataType types[] = {kInt64, kInt32, kInt32, kInt8, kUInt8, kInt16, kUInt16, kUInt32, kUInt64};
    return types[below(std::size(types))];
  }

  Node integer(int depth, DLDataType t) {
    if (depth == 0 || one_in(8)) return one_in(4) ? literal(t) : variable(t);
    if (!pool_.empty() && one_in(6)) {
      Node n = pool_[below(pool_.size())];
      if (same_dtype(n.dtype(), t)) return n;
    }
    Node n = composed(depth - 1, t);
    if (one_in(3)) pool_.push_back(n);
    return n;
  }

  Node boolean(int depth) {
    if (depth == 0) return one_in(6) ? b.imm(one_in(2), kBool) : flag_;
    switch (below(14)) {
      case 0: return b.logical_and(boolean(depth - 1), boolean(depth - 1));
      case 1: return b.logical_or(boolean(depth - 1), boolean(depth - 1));
      case 2: return b.logical_not(boolean(depth - 1));
      case 3: return b.select(boolean(depth - 1), boolean(depth - 1), boolean(depth - 1));
      case 4: {
        Node c = boolean(depth - 1), x = boolean(depth - 1), y = boolean(depth - 1);
        return b.intrinsic(kBool, "tir.if_then_else", {c, x, y});
      }
      case 5: {
        Node x = boolean(depth - 1), y = boolean(depth - 1);
        return one_in(2) ? b.eq(x, y) : b.ne(x, y);
      }
      case 6: {
        Node v = b.var("flag", kBool), value = boolean(depth - 1), other = boolean(depth - 1);
        return b.make<tir::Let>({kBool, value, v, one_in(2) ? b.logical_and(v, other) : b.logical_or(other, v)});
      }
      case 7: return b.make<tir::Cast>({kBool, integer(depth - 1, any_type())});
      default: break;
    }
    DLDataType t = one_in(5) ? any_type() : kInt64;
    Node x = integer(depth - 1, t), y = one_in(2) ? literal(t) : integer(depth - 1, t);
    std::vector<Value> slots{kBool, x, y};
    return b.make(kComparisons[below(6)], slots);
  }

  Node vector(int depth, DLDataType element) {
    constexpr int64_t lanes = 4;
    DLDataType t = with_lanes(element, lanes);
    if (depth == 0) {
      if (one_in(3)) return b.make<tir::Broadcast>({t, one_in(2) ? literal(element) : integer(1, element), lanes});
      return b.make<tir::Ramp>({t, integer(2, element), one_in(4) ? variable(element) : literal(element), lanes});
    }
    Node x = vector(depth - 1, element);
    switch (below(12)) {
      case 0: return b.add(x, vector(depth - 1, element));
      case 1: return b.sub(x, vector(depth - 1, element));
      case 8: return b.min(x, vector(depth - 1, element));
      case 9: return b.max(x, vector(depth - 1, element));
      case 10: return b.mul(x, vector(depth - 1, element));
      case 11: {
        Node y = vector(depth - 1, element);
        return one_in(2) ? b.select(vector_condition(depth - 1), x, y) : b.select(boolean(1), x, y);
      }
      case 2: return b.mul(x, b.make<tir::Broadcast>({t, literal(element), lanes}));
      case 3:
      case 4: return b.floordiv(x, b.make<tir::Broadcast>({t, divisor(element, 0), lanes}));
      case 5:
      case 6: return b.floormod(x, b.make<tir::Broadcast>({t, divisor(element, 0), lanes}));
      default: {
        DLDataType from = any_type();
        return b.make<tir::Cast>({t, vector(depth - 1, from)});
      }
    }
  }

  Node vector_condition(int depth) {
    if (depth > 0 && one_in(4)) {
      Node x = vector_condition(depth - 1);
      if (one_in(3)) return b.logical_not(x);
      Node y = vector_condition(depth - 1);
      return one_in(2) ? b.logical_and(x, y) : b.logical_or(x, y);
    }
    DLDataType t = one_in(3) ? any_type() : kInt64;
    std::vector<Value> slots{with_lanes(kBool, 4), vector(depth, t), vector(one_in(2) ? 0 : depth, t)};
    return b.make(kComparisons[below(6)], slots);
  }

  // Values that the bindings and conditions allow; none when they are hard to find.
  std::optional<Assignment> assignment() {
    for (int attempt = 0; attempt < 12; ++attempt) {
      Assignment a;
      bool possible = true;
      for (const Variable& v : variables_) {
        DLDataType t = v.node.dtype();
        int64_t value;
        if (v.fixed_factor != 0) {
          Int128 product = static_cast<Int128>(a.at(v.symbolic->node.get())) * v.fixed_factor;
          possible &= product >= kSmallest && product <= kGreatest;
          value = static_cast<int64_t>(product);
        } else if (v.symbolic != nullptr) {
          int64_t extent = a.at(v.symbolic->node.get());
          possible &= extent > 0 && v.min <= kGreatest - extent;
          if (!possible) break;
          value = v.min + static_cast<int64_t>(below(static_cast<uint64_t>(extent)));
        } else if (v.bounded) {
          value =
              v.min + static_cast<int64_t>(one_in(3) ? (one_in(2) ? 0 : v.extent - 1)
                                                     : static_cast<int64_t>(below(static_cast<uint64_t>(v.extent))));
        } else {
          value = static_cast<int64_t>(test::wrapped(any_value(), t));
        }
        a[v.node.get()] = value;
      }
      a[flag_.get()] = one_in(2);
      for (const Node& c : conditions_) {
        if (!possible) break;
        possible = evaluate(c, a, {}) == std::optional<int64_t>(1);
      }
      if (possible) return a;
    }
    return std::nullopt;
  }

  std::string text() const {
    std::string s;
    for (const Variable& v : variables_) {
      std::string name(v.node.to<ir::Var>().name());
      if (v.fixed_factor != 0)
        s += name + " = " + std::to_string(v.fixed_factor) + "*" + std::string(v.symbolic->node.to<ir::Var>().name());
      else if (v.symbolic != nullptr)
        s += name + " in " + std::to_string(v.min) + " + " + std::string(v.symbolic->node.to<ir::Var>().name());
      else if (v.bounded)
        s += name + " in " + std::to_string(v.min) + " + " + std::to_string(v.extent);
      else
        s += name + " free";
      s += "; ";
    }
    for (const Node& c : conditions_) s += test::Expressions::print(c) + "; ";
    return s;
  }

 private:
  void add_variable(const std::string& name, DLDataType t) {
    Variable& v = variables_.emplace_back();
    v.node = b.var(name, t);
    bool index = same_dtype(t, kInt64);
    uint64_t choice = below(extreme_ ? 8 : 6);
    if (choice == 0 && index && variables_.size() > 1) {
      v.symbolic = &variables_[below(variables_.size() - 1)];
      v.min = one_in(2) ? 0 : between(-3, 5);
      analyzer.bind_range(v.node, b.imm(v.min), v.symbolic->node);
    } else if (choice == 1 && index && variables_.size() > 1 && one_in(2)) {
      v.symbolic = &variables_[below(variables_.size() - 1)];
      v.fixed_factor = between(1, 16);
      analyzer.bind_value(v.node, b.mul(v.symbolic->node, b.imm(v.fixed_factor)));
    } else if (choice < 5) {
      static constexpr int64_t extents[] = {1, 2, 3, 4, 8, 16, 16, 32, 64, 100};
      v.bounded = true;
      v.extent = extents[below(10)];
      v.min = one_in(2) || t.code == kDLUInt ? 0 : between(-20, 20);
      if (extreme_ && index && one_in(3)) v.min = one_in(2) ? kSmallest : kGreatest - v.extent;
      if (extreme_ && same_dtype(t, kInt32) && one_in(3)) v.min = one_in(2) ? INT32_MIN : INT32_MAX - v.extent;
      analyzer.bind_range(v.node, b.imm(v.min, t), b.imm(v.extent, t));
    }
  }

  int64_t any_value() {
    if (!extreme_ || one_in(2)) return between(-40, 40);
    switch (below(4)) {
      case 0: return kSmallest + between(0, 20);
      case 1: return kGreatest - between(0, 20);
      case 2: return between(-5000000000, 5000000000);
      default: return static_cast<int64_t>(random_());
    }
  }

  Node literal(DLDataType t) {
    static constexpr int64_t common[] = {0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 32, 64, -1, -2, -3, -4, -8, -16, 100};
    int64_t v = extreme_ && one_in(4) ? any_value() : common[below(std::size(common))];
    return b.imm(static_cast<int64_t>(test::wrapped(v, t)), t);
  }

  Node divisor(DLDataType t, int depth) {
    static constexpr int64_t common[] = {1, 2, 3, 4, 4, 6, 8, 8, 12, 16, 16, 32, 64, -1, -2, -4, -7, 0};
    if (one_in(8)) return variable(t);
    if (one_in(20)) return integer(depth, t);
    return b.imm(static_cast<int64_t>(test::wrapped(common[below(std::size(common))], t)), t);
  }

  // A divisor of known sign that is no number.
  Node signed_divisor(DLDataType t, int depth) {
    if (t.code == kDLUInt) return b.max(integer(depth, t), b.imm(1, t));
    switch (below(4)) {
      case 0: return b.max(integer(depth, t), b.imm(between(1, 4), t));
      case 1: return b.min(integer(depth, t), b.imm(between(-4, -1), t));
      case 2: return b.mul(variable(t), b.imm(one_in(2) ? -1 : between(-8, 8), t));
      default: return b.sub(b.imm(between(-1, 1), t), variable(t));
    }
  }

  Node bits(DLDataType t, int depth) {
    static constexpr const char* unary[] = {"tir.bitwise_not", "tir.abs", "tir.popcount", "tir.clz", "tir.likely"};
    static constexpr const char* binary[] = {"tir.bitwise_and", "tir.bitwise_or", "tir.bitwise_xor"};
    Node x = integer(depth, t);
    switch (below(4)) {
      case 0: return b.intrinsic(t, unary[below(std::size(unary))], {x});
      case 1: return b.intrinsic(t, binary[below(std::size(binary))], {x, integer(depth, t)});
      default: {
        const char* shift = one_in(2) ? "tir.shift_left" : "tir.shift_right";
        if (one_in(4)) return b.intrinsic(t, shift, {x, integer(depth, t)});
        return b.intrinsic(t, shift, {x, b.imm(between(0, t.bits), t)});
      }
    }
  }

  Node variable(DLDataType t) {
    std::vector<const Variable*> fitting;
    for (const Variable& v : variables_)
      if (same_dtype(v.node.dtype(), t)) fitting.push_back(&v);
    return fitting[below(fitting.size())]->node;
  }

  Node composed(int depth, DLDataType t) {
    auto binary = [&](uint32_t kind, const Node& x, const Node& y) {
      std::vector<Value> slots{t, x, y};
      return b.make(kind, slots);
    };
    switch (below(27)) {
      case 22: return bits(t, depth);
      case 23: return b.floordiv(integer(depth, t), signed_divisor(t, depth));
      case 24: return b.floormod(integer(depth, t), signed_divisor(t, depth));
      case 25:
        return binary(one_in(2) ? TN_KIND_tir_TruncDiv : TN_KIND_tir_TruncMod, integer(depth, t),
                      signed_divisor(t, depth));
      case 26: {  // clamped
        Node x = integer(depth, t), low = literal(t), high = one_in(2) ? literal(t) : integer(depth, t);
        return one_in(2) ? b.min(b.max(x, low), high) : b.max(b.min(x, high), low);
      }
      case 0:
      case 1:
      case 2: return b.add(integer(depth, t), integer(depth, t));
      case 3:
      case 4: return b.sub(integer(depth, t), integer(depth, t));
      case 5:
      case 6: return b.mul(integer(depth, t), literal(t));
      case 7: return b.mul(integer(depth, t), integer(depth, t));
      case 8:
      case 9: return b.floordiv(integer(depth, t), divisor(t, depth));
      case 10:
      case 11: return b.floormod(integer(depth, t), divisor(t, depth));
      case 12: return binary(TN_KIND_tir_TruncDiv, integer(depth, t), divisor(t, depth));
      case 13: return binary(TN_KIND_tir_TruncMod, integer(depth, t), divisor(t, depth));
      case 14: return b.min(integer(depth, t), integer(depth, t));
      case 15: return b.max(integer(depth, t), integer(depth, t));
      case 16: return b.select(boolean(depth > 0 ? 1 : 0), integer(depth, t), integer(depth, t));
      case 17: {
        Node c = boolean(depth > 0 ? 1 : 0), x = integer(depth, t), y = integer(depth, t);
        return b.intrinsic(t, "tir.if_then_else", {c, x, y});
      }
      case 18: {
        DLDataType from = any_type();
        return b.make<tir::Cast>({t, one_in(8) ? boolean(1) : integer(depth, from)});
      }
      case 19: {  // split and put together
        Node x = integer(depth, t), d = divisor(t, depth);
        return b.add(b.mul(b.floordiv(x, d), d), b.floormod(x, d));
      }
      case 20: {  // fuse and split
        Node d = divisor(t, depth), fused = b.add(b.mul(integer(depth, t), d), variable(t));
        Node e = one_in(2) ? d : divisor(t, depth);
        return one_in(2) ? b.floordiv(fused, e) : b.floormod(fused, e);
      }
      default: {
        Node v = b.var("let", t), value = integer(depth, t);
        Node body = b.add(b.mul(v, literal(t)), integer(depth, t));
        return b.make<tir::Let>({t, value, v, body});
      }
    }
  }

  Node condition() {
    Node x = variable(kInt64), y = variable(kInt64);
    switch (below(6)) {
      case 0: {
        int64_t m = int64_t{1} << between(1, 5);
        return b.eq(b.floormod(x, b.imm(m)), b.imm(one_in(3) ? between(0, m - 1) : 0));
      }
      case 1: return b.lt(x, b.add(y, b.imm(between(-4, 40))));
      case 2: return b.eq(x, b.mul(y, b.imm(between(1, 8))));
      case 3: return b.ge(x, b.imm(between(-10, 10)));
      case 4: return b.lt(b.floordiv(x, b.imm(between(1, 16))), b.imm(between(-2, 10)));
      default: return boolean(2);
    }
  }

  std::mt19937_64& random_;
  bool extreme_ = false;
  std::deque<Variable> variables_;
  Node flag_;
  std::vector<Node> conditions_;
  std::vector<Node> pool_;
};

// Compares everything that is said of one expression with its values. Returns how many values were compared.
int check(World& w, const Node& e) {
  Node s = w.analyzer.simplify(e);
  Analyzer::Bounds bounds = w.analyzer.bounds(e);
  Analyzer::Modular modular = w.analyzer.modular(e);
  bool proven = is_bool(e.dtype()) && w.analyzer.can_prove(e);
  auto words = [&](const Assignment& a) {
    std::string t = "given " + w.text() + "\nof " + test::Expressions::print(e) + "\nsimplified to " +
                    test::Expressions::print(s) + "\nat";
    for (const auto& [n, v] : a)
      t += " " + std::string(reinterpret_cast<const ir::Var&>(Builder::borrow(n)).name()) + "=" + std::to_string(v);
    return t;
  };
  int compared = 0;
  for (int i = 0; i < 8; ++i) {
    std::optional<Assignment> a = w.assignment();
    if (!a) break;
    int lane = static_cast<int>(w.below(e.dtype().lanes));
    // A vector has a value where all its lanes have one.
    bool whole = true;
    for (int l = 0; l < e.dtype().lanes; ++l) whole &= evaluate(e, *a, {.lane = l}).has_value();
    auto expected = evaluate(e, *a, {.lane = lane});
    if (!expected || !whole) continue;
    ++compared;
    auto actual = evaluate(s, *a, {.wrap_index = true, .eager = false, .lane = lane});
    EXPECT_EQ(actual, expected) << words(*a);
    // Bounds are numbers of int64, and say nothing of uint64.
    if (e.dtype().code == kDLUInt && e.dtype().bits == 64) continue;
    EXPECT_TRUE(bounds.min <= *expected && *expected <= bounds.max)
        << *expected << " is not in " << bounds.min << ".." << bounds.max << "\n"
        << words(*a);
    if (e.dtype().lanes > 1) continue;
    Int128 difference = static_cast<Int128>(*expected) - modular.base;
    EXPECT_TRUE(modular.coefficient == 0 ? difference == 0 : difference % modular.coefficient == 0)
        << *expected << " is not " << modular.coefficient << "*k + " << modular.base << "\n"
        << words(*a);
    EXPECT_TRUE(!proven || *expected == 1) << "was proven\n" << words(*a);
    bool divides = evaluate(e, *a, {.wrap_index = false, .eager = true, .lane = lane}).has_value();
    EXPECT_TRUE(!divides || evaluate(s, *a, {.wrap_index = true, .eager = true, .lane = lane})) << "divides by zero\n"
                                                                                                << words(*a);
    if (testing::Test::HasFailure()) break;
  }
  return compared;
}

// What runs over random worlds: each has a seed of its own, so that a failure can be run alone.
template <class Body>
void in_random_worlds(int64_t expressions_in_each, int64_t count, Body&& body) {
  int64_t seed = setting("TENON_SEED", static_cast<int64_t>(std::random_device{}()));
  std::printf("TENON_SEED=%lld\n", static_cast<long long>(seed));
  int64_t compared = 0, with_values = 0;
  for (int64_t i = 0; i < count; i += expressions_in_each) {
    std::mt19937_64 random(static_cast<uint64_t>(seed + i));
    World w(random);
    for (int64_t j = 0; j < expressions_in_each; ++j) {
      int values = body(w);
      compared += values;
      with_values += values > 0;
      if (testing::Test::HasFailure()) {
        std::printf("run it alone: TENON_SEED=%lld TENON_EXPRESSIONS=%lld\n", static_cast<long long>(seed + i),
                    static_cast<long long>(expressions_in_each));
        return;
      }
    }
  }
  std::printf("%lld expressions, %lld with values, %lld values compared\n", static_cast<long long>(count),
              static_cast<long long>(with_values), static_cast<long long>(compared));
  EXPECT_GT(with_values * 3, count);  // the test is of use only where expressions have values
}

TEST(RandomExpressions, KeepTheirValues) {
  in_random_worlds(4, setting("TENON_EXPRESSIONS", 100'000), [](World& w) {
    int depth = static_cast<int>(w.one_in(16) ? w.between(5, 6) : w.between(1, 4));
    return check(w, w.one_in(3) ? w.boolean(depth) : w.integer(depth, w.one_in(3) ? w.any_type() : kInt64));
  });
}

TEST(RandomExpressions, VectorsKeepTheirLanes) {
  in_random_worlds(4, setting("TENON_EXPRESSIONS", 100'000) / 4, [](World& w) {
    int depth = static_cast<int>(w.between(1, 3));
    return check(w, w.one_in(3) ? w.vector_condition(depth) : w.vector(depth, w.one_in(3) ? w.any_type() : kInt64));
  });
}

}  // namespace
}  // namespace tenon
