// The real functions against the C library in double precision, over the whole range of float.
#include <cmath>
#include <cstring>
#include <limits>

#include "support.h"

namespace tenon::test {
namespace {

// The distance of a float from the exact value, in units in the last place of the exact value as a float.
double ulps(float got, double exact) {
  if (std::isnan(exact)) return std::isnan(got) ? 0 : 1e9;
  if (std::isnan(got)) return 1e9;
  auto rounded = static_cast<float>(exact);
  if (got == rounded) return 0;
  if (std::isinf(got) || std::isinf(rounded)) {
    // Overflow may come one step early or late.
    double limit = std::numeric_limits<float>::max();
    if (std::isinf(got) && std::fabs(exact) < limit) return 1e9;
    if (std::isinf(rounded) && std::fabs(static_cast<double>(got)) < limit) return 1e9;
  }
  int exponent = std::max(std::ilogb(exact), -126);
  return std::fabs(static_cast<double>(got) - exact) / std::ldexp(1.0, exponent - 23);
}

struct Row {
  const char* op;
  double (*exact)(double);
  double bound;
};

constexpr Row kRows[] = {
    {"tir.exp", [](double x) { return std::exp(x); }, 2},
    {"tir.log", [](double x) { return std::log(x); }, 2},
    {"tir.tanh", [](double x) { return std::tanh(x); }, 3},
    {"tir.sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); }, 4},
    {"tir.erf", [](double x) { return std::erf(x); }, 3},
    {"tir.exp2", [](double x) { return std::exp2(x); }, 1},
    {"tir.exp10", [](double x) { return std::pow(10.0, x); }, 1},
    {"tir.log2", [](double x) { return std::log2(x); }, 1},
    {"tir.log10", [](double x) { return std::log10(x); }, 1},
    {"tir.log1p", [](double x) { return std::log1p(x); }, 1},
    {"tir.sin", [](double x) { return std::sin(x); }, 1},
    {"tir.cos", [](double x) { return std::cos(x); }, 1},
    {"tir.tan", [](double x) { return std::tan(x); }, 1},
    {"tir.atan", [](double x) { return std::atan(x); }, 1},
    {"tir.sqrt", [](double x) { return std::sqrt(x); }, 0.5001},
    {"tir.rsqrt", [](double x) { return 1 / std::sqrt(x); }, 2},
    {"tir.floor", [](double x) { return std::floor(x); }, 0},
    {"tir.ceil", [](double x) { return std::ceil(x); }, 0},
    {"tir.trunc", [](double x) { return std::trunc(x); }, 0},
    {"tir.round", [](double x) { return std::nearbyint(x); }, 0},
    {"tir.fabs", [](double x) { return std::fabs(x); }, 0},
};

// Every `kStep`th bit pattern: all exponents, both signs, subnormals, infinities and NaNs.
constexpr uint64_t kStep = 2039;

std::vector<float> samples() {
  std::vector<float> out;
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += kStep) {
    auto word = static_cast<uint32_t>(bits);
    float x;
    std::memcpy(&x, &word, sizeof x);
    out.push_back(x);
  }
  for (float x :
       {0.0F, -0.0F, 1.0F, -1.0F, std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
        std::numeric_limits<float>::quiet_NaN(), 88.72284F, 88.72283F, -103.97F, -87.33655F, 0.625F, 0.5F, 1.5F, 2.5F})
    out.push_back(x);
  return out;
}

TEST(Math, StaysWithinItsBoundOverTheWholeRange) {
  const Builder& b = builder();
  std::vector<float> x = samples();
  auto count = static_cast<int64_t>(x.size());
  Tensor<float> in({count}, x), out({count});
  for (const Row& row : kRows) {
    Node n = b.var("n"), i = b.var("i");
    Node A = b.buffer("A", kFloat32, b.array({n})), B = b.buffer("B", kFloat32, b.array({n}));
    Node value = b.intrinsic(kFloat32, row.op, {load_at(A, {i})});
    Value f = load_one(prim_func({A, B}, b.loop(i, n, store_at(B, {i}, value))));
    invoke(f, {in.value(), out.value()});
    double worst = 0;
    float at = 0;
    for (size_t k = 0; k < x.size(); ++k) {
      double d = ulps(out[k], row.exact(static_cast<double>(x[k])));
      if (d > worst) worst = d, at = x[k];
    }
    RecordProperty(row.op, std::to_string(worst));
    EXPECT_LE(worst, row.bound) << row.op << " at " << at << " of " << x.size() << " samples";
    printf("%-12s %8.3f ulp\n", row.op, worst);
  }
}

TEST(Math, DoublesAreThoseOfTheCLibrary) {
  const Builder& b = builder();
  Node i = b.var("i");
  Node A = b.buffer("A", kFloat64, b.array({b.imm(64)})), B = b.buffer("B", kFloat64, b.array({b.imm(64)}));
  Tensor<double> in({64}), out({64});
  for (size_t k = 0; k < 64; ++k) in[k] = (static_cast<double>(k) - 20) * 0.37;
  for (const Row& row : kRows) {
    Value f = load_one(
        prim_func({A, B}, b.loop(i, b.imm(64), store_at(B, {i}, b.intrinsic(kFloat64, row.op, {load_at(A, {i})})))));
    invoke(f, {in.value(), out.value()});
    for (size_t k = 0; k < 64; ++k) {
      double exact = row.exact(in[k]);
      if (std::isnan(exact) || std::isinf(exact))
        EXPECT_TRUE(std::isnan(exact) ? std::isnan(out[k]) : out[k] == exact) << row.op << " of " << in[k];
      else
        EXPECT_NEAR(out[k], exact, 1e-14 * std::max(1.0, std::fabs(exact))) << row.op << " of " << in[k];
    }
  }
}

TEST(Math, MinAndMaxLetNaNThrough) {
  const Builder& b = builder();
  Node i = b.var("i"), extent = b.imm(40);
  Node A = b.buffer("A", kFloat32, b.array({extent})), B = b.buffer("B", kFloat32, b.array({extent}));
  Node C = b.buffer("C", kFloat32, b.array({extent})), D = b.buffer("D", kFloat32, b.array({extent}));
  Node body = b.make<tir::Seq>({b.array({store_at(C, {i}, b.min(load_at(A, {i}), load_at(B, {i}))),
                                         store_at(D, {i}, b.max(load_at(A, {i}), load_at(B, {i})))})});
  Value f = load_one(prim_func({A, B, C, D}, b.loop(i, extent, body)));
  Tensor<float> a({40}, 1.0F), c({40}, 2.0F), lo({40}), hi({40});
  float nan = std::numeric_limits<float>::quiet_NaN();
  a[3] = nan;
  c[17] = nan;
  a[20] = -0.0F;
  c[20] = 0.0F;
  invoke(f, {a.value(), c.value(), lo.value(), hi.value()});
  for (size_t k = 0; k < 40; ++k) {
    bool is_nan = k == 3 || k == 17;
    EXPECT_EQ(std::isnan(lo[k]), is_nan) << k;
    EXPECT_EQ(std::isnan(hi[k]), is_nan) << k;
    if (is_nan || k == 20) continue;
    EXPECT_EQ(lo[k], 1.0F);
    EXPECT_EQ(hi[k], 2.0F);
  }
  EXPECT_TRUE(std::signbit(lo[20]));
  EXPECT_FALSE(std::signbit(hi[20]));
}

}  // namespace
}  // namespace tenon::test
