// Numbers computed another way: long double functions, __int128 arithmetic, and values of the C standard's annex F.
#include <gtest/gtest.h>
#include <loop_ops/loop_ops.h>

#include <array>
#include <cinttypes>
#include <functional>
#include <random>
#include <set>
#include <string>

namespace tenon {
namespace {

DLDataType type_of(const char* text) { return *dtype_from_text(text); }

template <class T>
T eval(const char* id, DLDataType dtype, std::initializer_list<T> args) {
  std::array<Scalar, 3> scalars{};
  size_t n = 0;
  for (T a : args) scalars[n++] = put(a);
  const LoopOp* op = find_loop_op(id);
  EXPECT_NE(op, nullptr) << id;
  EXPECT_EQ(op->arity, static_cast<int32_t>(n)) << id;
  return get<T>(op->of(dtype)(scalars.data()));
}

TEST(LoopOps, RefuseDtypesThatTheyDoNotTake) {
  EXPECT_EQ(find_loop_op("tir.no_such_op"), nullptr);
  EXPECT_EQ(find_loop_op("tir.exp")->of(kInt32), nullptr);
  EXPECT_EQ(find_loop_op("tir.shift_left")->of(kFloat32), nullptr);
  EXPECT_EQ(find_loop_op("tir.exp")->of(make_dtype(kDLFloat, 16)), nullptr);
  EXPECT_EQ(find_loop_op("tir.exp")->of(kHandle), nullptr);
  Scalar s;
  EXPECT_FALSE(loop_constant("tir.infinity", kInt32, &s));
}

TEST(LoopOps, HaveDistinctIds) {
  std::set<std::string> ids;
  for (const LoopOp& op : loop_ops()) EXPECT_TRUE(ids.insert(op.id).second) << op.id;
}

TEST(LoopOps, TranscendentalsAreWithinFourUlp) {
  struct Row {
    const char* id;
    long double (*exact)(long double);
    double low, high;
  };
  const Row rows[] = {
      {"tir.exp", [](long double x) { return expl(x); }, -20, 20},
      {"tir.exp2", [](long double x) { return exp2l(x); }, -20, 20},
      {"tir.exp10", [](long double x) { return powl(10, x); }, -8, 8},
      {"tir.log", [](long double x) { return logl(x); }, 1e-3, 1e3},
      {"tir.log2", [](long double x) { return log2l(x); }, 1e-3, 1e3},
      {"tir.log10", [](long double x) { return log10l(x); }, 1e-3, 1e3},
      {"tir.log1p", [](long double x) { return log1pl(x); }, -0.9, 10},
      {"tir.sqrt", [](long double x) { return sqrtl(x); }, 0, 1e6},
      {"tir.rsqrt", [](long double x) { return 1 / sqrtl(x); }, 1e-3, 1e6},
      {"tir.sigmoid", [](long double x) { return 1 / (1 + expl(-x)); }, -10, 10},
      {"tir.sin", [](long double x) { return sinl(x); }, -10, 10},
      {"tir.cos", [](long double x) { return cosl(x); }, -10, 10},
      {"tir.tan", [](long double x) { return tanl(x); }, -1.5, 1.5},
      {"tir.tanh", [](long double x) { return tanhl(x); }, -5, 5},
      {"tir.atan", [](long double x) { return atanl(x); }, -5, 5},
      {"tir.erf", [](long double x) { return erfl(x); }, -3, 3},
  };
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (const Row& row : rows) {
    std::uniform_real_distribution<double> draw(row.low, row.high);
    for (int i = 0; i < 500; ++i) {
      float x = static_cast<float>(draw(random));
      long double exact = row.exact(x);
      float got = eval<float>(row.id, kFloat32, {x});
      float ulp = std::nextafter(std::fabs(static_cast<float>(exact)), 1e38f) - std::fabs(static_cast<float>(exact));
      EXPECT_LE(std::fabs(static_cast<double>(got - exact)), 4.0 * ulp) << row.id << " of " << x;
      double xd = draw(random);
      long double exact_d = row.exact(xd);
      double got_d = eval<double>(row.id, kFloat64, {xd});
      double ulp_d =
          std::nextafter(std::fabs(static_cast<double>(exact_d)), 1e300) - std::fabs(static_cast<double>(exact_d));
      EXPECT_LE(std::fabs(static_cast<double>(got_d - exact_d)), 4.0 * ulp_d) << row.id << " of " << xd;
    }
  }
}

TEST(LoopOps, EdgesOfTheDomain) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(eval<float>("tir.exp", kFloat32, {1000.f}), inf);
  EXPECT_EQ(eval<float>("tir.log", kFloat32, {0.f}), -inf);
  EXPECT_TRUE(std::isnan(eval<float>("tir.log", kFloat32, {-1.f})));
  EXPECT_TRUE(std::isnan(eval<float>("tir.sqrt", kFloat32, {-1.f})));
  EXPECT_EQ(eval<float>("tir.sigmoid", kFloat32, {-inf}), 0.f);
  EXPECT_EQ(eval<float>("tir.sigmoid", kFloat32, {inf}), 1.f);
  EXPECT_EQ(eval<float>("tir.rsqrt", kFloat32, {0.f}), inf);
  EXPECT_EQ(eval<float>("tir.pow", kFloat32, {nan, 0.f}), 1.f);
  for (const LoopOp& op : loop_ops())
    if (op.arity == 1 && op.result == LoopOp::Same && op.of(kFloat32)) {
      EXPECT_TRUE(std::isnan(eval<float>(op.id, kFloat32, {nan}))) << op.id;
    }
}

TEST(LoopOps, RoundsHalvesToEven) {
  const std::pair<float, float> rows[] = {{0.5f, 0.f},   {1.5f, 2.f},
                                          {2.5f, 2.f},   {3.5f, 4.f},
                                          {-0.5f, -0.f}, {-1.5f, -2.f},
                                          {-2.5f, -2.f}, {2.4f, 2.f},
                                          {2.6f, 3.f},   {8388609.f, 8388609.f},
                                          {-2.6f, -3.f}, {1e30f, 1e30f},
                                          {0.f, 0.f},    {4503599.5f, 4503600.f}};
  for (auto [x, expected] : rows) {
    float got = eval<float>("tir.round", kFloat32, {x});
    EXPECT_EQ(got, expected) << x;
    EXPECT_EQ(std::signbit(got), std::signbit(x)) << x;
  }
}

TEST(LoopOps, FusesWithOneRounding) {
  float x = 1.f + 0x1p-12f;
  EXPECT_EQ(eval<float>("tir.fma", kFloat32, {x, x, -1.f}), 0x1p-11f + 0x1p-24f);
}

TEST(LoopOps, ShiftsMoveEveryBitOutBeyondTheWidth) {
  EXPECT_EQ(eval<int32_t>("tir.shift_left", kInt32, {1, 31}), INT32_MIN);
  EXPECT_EQ(eval<int32_t>("tir.shift_left", kInt32, {1, 32}), 0);
  EXPECT_EQ(eval<int32_t>("tir.shift_left", kInt32, {1, -1}), 0);
  EXPECT_EQ(eval<int32_t>("tir.shift_right", kInt32, {-8, 1}), -4);
  EXPECT_EQ(eval<int32_t>("tir.shift_right", kInt32, {-8, 40}), -1);
  EXPECT_EQ(eval<uint8_t>("tir.shift_right", type_of("uint8"), {uint8_t{200}, uint8_t{3}}), 25);
  EXPECT_EQ(eval<uint8_t>("tir.shift_left", type_of("uint8"), {uint8_t{200}, uint8_t{1}}), 144);
}

TEST(LoopOps, Bits) {
  EXPECT_EQ(eval<int8_t>("tir.bitwise_not", type_of("int8"), {int8_t{5}}), -6);
  EXPECT_EQ(eval<uint8_t>("tir.bitwise_not", type_of("uint8"), {uint8_t{5}}), 250);
  EXPECT_EQ(eval<bool>("tir.bitwise_not", kBool, {true}), false);
  EXPECT_EQ(eval<int8_t>("tir.popcount", type_of("int8"), {int8_t{-1}}), 8);
  EXPECT_EQ(eval<int32_t>("tir.clz", kInt32, {1}), 31);
  EXPECT_EQ(eval<int32_t>("tir.clz", kInt32, {0}), 32);
  EXPECT_EQ(eval<int8_t>("tir.abs", type_of("int8"), {int8_t{-128}}), -128);
}

TEST(LoopOps, ReinterpretKeepsBits) {
  EXPECT_EQ(reinterpret_scalar(put(1.0f), kFloat32, kInt32).i, 0x3f800000);
  EXPECT_EQ(reinterpret_scalar(put(-0.0f), kFloat32, kInt32).i, INT32_MIN);
  EXPECT_EQ(reinterpret_scalar(put(int32_t{0x3f800000}), kInt32, kFloat32).f, 1.0f);
  EXPECT_EQ(reinterpret_scalar(put(int8_t{-1}), type_of("int8"), type_of("uint8")).i, 255);
}

// Every pair of int8 and uint8 values against __int128 arithmetic cut to eight bits.
template <class T>
void check_all_pairs() {
  auto cut = [](__int128_t v) { return static_cast<T>(static_cast<uint8_t>(static_cast<uint64_t>(v) & 0xff)); };
  for (int a = std::numeric_limits<T>::min(); a <= std::numeric_limits<T>::max(); ++a) {
    for (int b = std::numeric_limits<T>::min(); b <= std::numeric_limits<T>::max(); ++b) {
      T x = static_cast<T>(a), y = static_cast<T>(b);
      ASSERT_EQ(AddOp::f<T>(x, y), cut(a + b));
      ASSERT_EQ(SubOp::f<T>(x, y), cut(a - b));
      ASSERT_EQ(MulOp::f<T>(x, y), cut(a * b));
      ASSERT_EQ(MinOp::f<T>(x, y), cut(a < b ? a : b));
      if (b == 0) continue;
      int floor_quotient = static_cast<int>(std::floor(static_cast<double>(a) / b));
      ASSERT_EQ(FloorDivOp::f<T>(x, y), cut(floor_quotient)) << a << " // " << b;
      ASSERT_EQ(FloorModOp::f<T>(x, y), cut(a - floor_quotient * b)) << a << " % " << b;
      ASSERT_EQ(TruncDivOp::f<T>(x, y), cut(a / b));
      ASSERT_EQ(TruncModOp::f<T>(x, y), cut(a % b));
    }
  }
}
TEST(Scalars, EightBitArithmeticIsExact) {
  check_all_pairs<int8_t>();
  check_all_pairs<uint8_t>();
}

TEST(Scalars, CastsSaturateAndNanGivesZero) {
  EXPECT_EQ((cast_to<int32_t, float>(3e9f)), INT32_MAX);
  EXPECT_EQ((cast_to<int32_t, float>(-3e9f)), INT32_MIN);
  EXPECT_EQ((cast_to<int32_t, float>(std::nanf(""))), 0);
  EXPECT_EQ((cast_to<int32_t, float>(-1.9f)), -1);
  EXPECT_EQ((cast_to<uint8_t, double>(-5.0)), 0);
  EXPECT_EQ((cast_to<uint8_t, double>(255.9)), 255);
  EXPECT_EQ((cast_to<uint8_t, double>(256.0)), 255);
  EXPECT_EQ((cast_to<int64_t, double>(9.3e18)), INT64_MAX);
  EXPECT_EQ((cast_to<uint64_t, float>(1e30f)), UINT64_MAX);
  EXPECT_EQ((cast_to<float, int64_t>((int64_t{1} << 24) + 1)), 16777216.f);
  EXPECT_EQ((cast_to<float, uint64_t>(UINT64_MAX)), 18446744073709551616.f);
  EXPECT_EQ((cast_to<bool, float>(std::nanf(""))), true);
  EXPECT_EQ((cast_to<int8_t, int32_t>(300)), 44);
}

TEST(Scalars, MinAndMaxPropagateNan) {
  const double nan = std::nan("");
  EXPECT_TRUE(std::isnan(MinOp::f(nan, 1.0)));
  EXPECT_TRUE(std::isnan(MinOp::f(1.0, nan)));
  EXPECT_TRUE(std::isnan(MaxOp::f(nan, 1.0)));
  EXPECT_TRUE(std::isnan(MaxOp::f(1.0, nan)));
}

}  // namespace
}  // namespace tenon
