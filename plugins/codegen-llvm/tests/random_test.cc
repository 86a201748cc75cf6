// Random loop functions, compiled as they are and after the pipeline `cpu`, against the interpreter.
#include <cmath>
#include <random>

#include "support.h"

namespace tenon::test {
namespace {

const Builder& b = builder();

constexpr int64_t kRows = 7, kColumns = 24;
constexpr int kIntegers = 3, kReals = 2;

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  // Loops over the rows and columns of outputs that no two steps share.
  Node function() {
    n_ = b.var("n");
    m_ = b.var("m");
    Array shape = pick(2) ? b.array({n_, m_}) : b.array({b.imm(kRows), b.imm(kColumns)});
    std::vector<Node> params;
    for (int k = 0; k < kIntegers; ++k)
      params.push_back(integers_[k] = b.buffer("I" + std::to_string(k), integer_type(k), shape));
    for (int k = 0; k < kReals; ++k) params.push_back(reals_[k] = b.buffer("F" + std::to_string(k), kFloat32, shape));
    Node int_out = b.buffer("int_out", kInt64, shape), real_out = b.buffer("real_out", kFloat32, shape);
    params.push_back(int_out);
    params.push_back(real_out);
    if (!nodes(shape)[0].is<ir::Var>()) n_ = b.imm(kRows), m_ = b.imm(kColumns);
    i_ = b.var("i");
    j_ = b.var("j");
    Node t = b.var("t");
    std::vector<Node> stmts;
    if (pick(2)) {
      stmts.push_back(b.make<tir::Bind>({b.floormod(integer(2, kInt64), b.imm(50)), t}));
      bound_ = t;
    }
    stmts.push_back(store_at(int_out, {i_, j_}, integer(3, kInt64)));
    stmts.push_back(store_at(real_out, {i_, j_}, real(4)));
    if (pick(3) == 0)
      stmts.push_back(
          b.make<tir::IfThenElse>({condition(2, true), store_at(int_out, {i_, j_}, integer(2, kInt64)), Value()}));
    if (pick(3) == 0) stmts.push_back(sum(real_out));
    Node body = b.make<tir::Seq>({b.array(stmts)});
    constexpr int64_t inner_kinds[] = {TN_FOR_SERIAL, TN_FOR_VECTORIZED, TN_FOR_UNROLLED, TN_FOR_PARALLEL};
    constexpr int64_t outer_kinds[] = {TN_FOR_SERIAL, TN_FOR_PARALLEL};
    return prim_func(params, b.loop(i_, n_, b.loop(j_, m_, body, inner_kinds[pick(4)]), outer_kinds[pick(2)]));
  }
  static DLDataType integer_type(int k) { return k == 0 ? kInt64 : k == 1 ? kInt32 : make_dtype(kDLUInt, 8); }

 private:
  int64_t pick(int64_t n) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(n)); }

  // A small reduction into the element that this step owns.
  Node sum(const Node& out) {
    Node k = b.var("k");
    Node value = b.add(load_at(out, {i_, j_}), load_at(reals_[pick(kReals)], {i_, k}));
    return b.loop(k, b.imm(1 + pick(8)), store_at(out, {i_, j_}, value), pick(2) ? TN_FOR_SERIAL : TN_FOR_UNROLLED);
  }

  Node index(const Node& own, const Node& extent) {
    if (pick(2)) return own;
    // Inside for any value.
    return b.floormod(integer(1, kInt64), extent);
  }

  Node integer(int depth, DLDataType t) {
    int64_t c = depth <= 0 ? pick(4) : pick(17);
    auto operand = [&] { return integer(depth - 1, t); };
    switch (c) {
      case 0: return b.cast(i_, t);
      case 1: return b.cast(j_, t);
      case 2: return b.imm(pick(20) - (t.code == kDLUInt ? 0 : 6), t);
      case 3: {
        if (bound_ && pick(3) == 0) return b.cast(bound_, t);
        int64_t k = pick(kIntegers);
        return b.cast(load_at(integers_[k], {i_, j_}), t);
      }
      case 4: return b.add(operand(), operand());
      case 5: return b.sub(operand(), operand());
      case 6: return b.mul(operand(), operand());
      case 7: return b.min(operand(), operand());
      case 8: return b.max(operand(), operand());
      case 9: {  // by a constant of either sign
        int64_t d = 1 + pick(9);
        if (t.code == kDLInt && pick(3) == 0) d = -d;
        Node a = operand(), by = b.imm(d, t);
        return pick(2) ? b.floordiv(a, by) : b.floormod(a, by);
      }
      case 10: {  // by something that is never zero
        Node a = operand(), by = b.max(operand(), b.imm(1, t));
        return pick(2) ? b.floordiv(a, by) : b.floormod(a, by);
      }
      case 11: return b.select(condition(depth - 1, false), operand(), operand());
      case 12:
      case 13: {  // by something that only the condition keeps from zero; both are often the same for many steps
        Node a = operand(), by = pick(2) ? b.cast(pick(2) ? i_ : j_, t) : operand();
        Node zero = b.imm(0, t), quotient = pick(2) ? b.floordiv(a, by) : b.floormod(a, by);
        if (pick(2)) return b.intrinsic(t, "tir.if_then_else", {b.ne(by, zero), quotient, operand()});
        return b.intrinsic(t, "tir.if_then_else",
                           {b.logical_and(b.gt(by, zero), b.lt(quotient, b.imm(7, t))), quotient, b.imm(3, t)});
      }
      case 14: {
        constexpr const char* ops[] = {"tir.bitwise_and", "tir.bitwise_or", "tir.bitwise_xor"};
        Node a = operand(), c2 = operand();
        return b.intrinsic(t, ops[pick(3)], {a, c2});
      }
      case 15: {  // amounts from below zero to beyond the width
        Node a = operand(), by = pick(2) ? b.imm(pick(t.bits), t) : operand();
        // Bits that left do not count: what counts as an index must not overflow.
        if (t.bits == 64 || pick(2)) return b.intrinsic(t, "tir.shift_right", {a, by});
        return b.intrinsic(t, "tir.shift_left", {a, by});
      }
      default: {
        DLDataType narrow = pick(2) ? kInt32 : make_dtype(kDLInt, 16);
        return b.cast(integer(depth - 1, narrow), t);
      }
    }
  }

  // Real values take no part in it: rounding would decide.
  Node condition(int depth, bool may_load) {
    Node a = integer(depth - 1, kInt64), c = integer(depth - 1, kInt64);
    Node k = pick(2) ? b.lt(a, c) : b.eq(b.floormod(a, b.imm(3)), b.imm(1));
    if (depth > 1 && pick(3) == 0) return pick(2) ? b.logical_and(k, condition(depth - 1, may_load)) : b.logical_not(k);
    return k;
  }

  Node real(int depth) {
    auto operand = [&] { return real(depth - 1); };
    switch (depth <= 0 ? pick(3) : pick(10)) {
      case 0: return load_at(reals_[pick(kReals)], {i_, j_});
      case 1: return load_at(reals_[pick(kReals)], {index(i_, n_), index(j_, m_)});
      case 2: return b.real(static_cast<double>(pick(9) - 4) / 4);
      case 3: return b.add(operand(), operand());
      case 4: return b.mul(operand(), operand());
      case 5: return b.max(operand(), operand());
      case 6: return b.intrinsic(kFloat32, "tir.tanh", {operand()});
      case 7: return b.intrinsic(kFloat32, "tir.sigmoid", {operand()});
      case 8: {
        Node a = operand(), c = operand();
        if (pick(2)) return b.select(condition(1, false), a, c);
        return b.intrinsic(kFloat32, "tir.if_then_else", {condition(1, true), a, c});
      }
      default: return b.cast(b.floormod(integer(depth - 1, kInt64), b.imm(5)), kFloat32);
    }
  }

  std::mt19937_64 random_;
  Node n_, m_, i_, j_, bound_, integers_[kIntegers], reals_[kReals];
};

struct Data {
  Tensor<int64_t> wide{{kRows, kColumns}};
  Tensor<int32_t> middle{{kRows, kColumns}};
  Tensor<uint8_t> narrow{{kRows, kColumns}};
  Tensor<float> x{{kRows, kColumns}}, y{{kRows, kColumns}};
  Tensor<int64_t> int_out{{kRows, kColumns}};
  Tensor<float> real_out{{kRows, kColumns}};
  explicit Data(uint64_t seed) {
    std::mt19937_64 random(seed);
    for (size_t k = 0; k < x.size(); ++k) {
      wide[k] = static_cast<int64_t>(random() % 41) - 20;  // products stay within int64, where it counts as an index
      middle[k] = static_cast<int32_t>(random() % 200) - 100;
      narrow[k] = static_cast<uint8_t>(random());
      x[k] = static_cast<float>(random() % 1000) / 500 - 1;
      y[k] = static_cast<float>(random() % 1000) / 500 - 1;
    }
  }
  void run(const Value& f) {
    invoke(f, {wide.value(), middle.value(), narrow.value(), x.value(), y.value(), int_out.value(), real_out.value()});
  }
};

TEST(Random, CompiledFunctionsComputeWhatTheInterpreterComputes) {
  const char* given = getenv("TENON_TEST_SEED");
  uint64_t seed = given ? std::stoull(given) : std::random_device{}();
  const char* rounds = getenv("TENON_TEST_ROUNDS");
  uint64_t last = seed + (rounds ? std::stoull(rounds) : 60);
  for (; seed < last && !testing::Test::HasFailure(); ++seed) {
    // Before the round, so that a signal can be charged to it.
    printf("TENON_TEST_SEED=%llu TENON_TEST_ROUNDS=1\n", static_cast<unsigned long long>(seed));
    fflush(stdout);
    Generator generator(seed);
    Node f = generator.function();
    Node module = module_of({{"main", f}});
    Data expected(seed);
    expected.run(*load(module, "eval-interp").find("main"));
    Node lowered = run_pipeline(module, "cpu");
    struct Way {
      const char* name;
      Node module;
      const char* executor;
    };
    for (const Way& way :
         {Way{"compiled as it is", module, "codegen-llvm"}, Way{"lowered and interpreted", lowered, "eval-interp"},
          Way{"lowered and compiled", lowered, "codegen-llvm"}}) {
      Data actual(seed);
      actual.run(*load(way.module, way.executor).find("main"));
      for (size_t k = 0; k < actual.x.size(); ++k) {
        ASSERT_EQ(actual.int_out[k], expected.int_out[k])
            << way.name << ", element " << k << ", TENON_TEST_SEED=" << seed;
        float e = expected.real_out[k], a = actual.real_out[k];
        ASSERT_TRUE((std::isnan(e) && std::isnan(a)) || std::fabs(a - e) <= 1e-4F * (1 + std::fabs(e)))
            << way.name << ", element " << k << ": " << a << " for " << e << ", TENON_TEST_SEED=" << seed;
      }
    }
  }
}

}  // namespace
}  // namespace tenon::test
