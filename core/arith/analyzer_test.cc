// Bounds, congruence, proofs, scopes, refusals, and what a question may cost.
#include <time.h>

#include <random>

#include "arith/evaluate.h"
#include "arith/test_support.h"
#include "ir/test_support.h"

namespace tenon {
namespace {

using test::Workbench;

TEST(Analyzer, RefusesWhatIsNoVariable) {
  Workbench w;
  Error e = test::error_of([&] { w.analyzer.bind_range(w.b.imm(1), w.b.imm(0), w.b.imm(4)); });
  EXPECT_EQ(e.code, TN_ERROR_ARGUMENT);
  EXPECT_EQ(e.message, "cannot bind a range: what is bound is not a variable");
  EXPECT_EQ(test::error_of([&] { w.analyzer.bind_value(w.b.imm(1), w.b.imm(0)); }).code, TN_ERROR_ARGUMENT);
  EXPECT_EQ(test::error_of([&] { w.analyzer.simplify(Node()); }).message, "cannot simplify: there is no expression");
}

TEST(Analyzer, DoesNotProveWhatIsFalseOrUnknown) {
  Workbench w;
  w.given("i in 16; n >= 1");
  for (const char* c :
       {"i < 15", "i > 0", "i == 3", "i < n", "n > 1", "x < y", "x != y", "x*x > x", "i % 2 == 0", "x // 2*2 == x", "p",
        "load(i) == 0", "rand(i) == rand(i)", "x + y >= x", "min(x, y) < x", "false", "f0 == f0"})
    EXPECT_FALSE(w.proves(c)) << c;
}

TEST(Analyzer, ALoopVariableTeachesNothingAboutItsExtent) {
  Workbench w;
  w.given("i in n; j in m..n");
  EXPECT_TRUE(w.proves("i < n"));
  EXPECT_TRUE(w.proves("j >= m"));
  EXPECT_TRUE(w.proves("j + 1 <= n"));
  for (const char* c : {"n > 0", "n >= 1", "m < n", "m <= n", "n != 0"}) EXPECT_FALSE(w.proves(c)) << c;
}

TEST(Analyzer, ProvesSymbolicBounds) {
  Workbench w;
  w.given("n >= 1; m >= 1; i in n; j in m; k in (n + 7) // 8; l in 8; t in max(n - m, 0); s in min(n, m)");
  for (const char* c : {"i < n",
                        "i + 1 <= n",
                        "i*m + j < n*m",
                        "i*m + j >= 0",
                        "(i*m + j) // m < n",
                        "k*8 < n + 8",
                        "k*8 + l < n + 15",
                        "n // 8*8 <= n",
                        "n - n // 8*8 < 8",
                        "n % 8 <= n",
                        "t < n",
                        "s < n",
                        "s < m",
                        "min(i + 4, n) <= n",
                        "max(i, 4) >= i",
                        "min(i*8 + 8, n*8) - i*8 <= 8",
                        "min(i*8 + 8, n*8) - i*8 >= 1",
                        "i != n",
                        "i - n < 0",
                        "select(i < 4, i, 0) < n"})
    EXPECT_TRUE(w.proves(c)) << c;
}

TEST(Analyzer, GivesBounds) {
  Workbench w;
  w.given("i in 16; q in 4..9; j in 4..8; n >= 1; n <= 128; n % 16 == 0; k in n; i + j < 10");
  struct Row {
    const char* e;
    int64_t min, max;
  };
  for (const Row& r : {Row{"j", 4, 7},
                       Row{"n", 16, 128},
                       Row{"k", 0, 127},
                       Row{"k - n", -128, -1},
                       Row{"i + j", 4, 9},
                       Row{"i*3 - j", -7, 11},
                       Row{"i // 4", 0, 1},
                       Row{"-7 // (j - 3)", -7, -2},
                       Row{"x % 5", 0, 4},
                       Row{"x % -5", -4, 0},
                       Row{"truncmod(x, 5)", -4, 4},
                       Row{"min(x, 5)", INT64_MIN, 5},
                       Row{"w", INT32_MIN, INT32_MAX},
                       Row{"x", INT64_MIN, INT64_MAX},
                       Row{"x < y", 0, 1},
                       Row{"ramp(i, 2, 4)", 0, 11},
                       Row{"load(x)", INT64_MIN, INT64_MAX},
                       Row{"min(k*4 + 4, n) - k*4", -380, 4},
                       Row{"x*0", 0, 0},
                       Row{"(x + 3)*q", INT64_MIN, INT64_MAX}}) {
    Analyzer::Bounds b = w.analyzer.bounds(w.parse(r.e));
    EXPECT_EQ(b.min, r.min) << r.e;
    EXPECT_EQ(b.max, r.max) << r.e;
  }
}

TEST(Analyzer, GivesCongruence) {
  Workbench w;
  w.given("n % 16 == 0; m % 6 == 4; m % 4 == 2");
  struct Row {
    const char* e;
    int64_t coefficient, base;
  };
  for (const Row& r : {Row{"n", 16, 0}, Row{"n + 3", 16, 3}, Row{"n*2 + 5", 32, 5}, Row{"x*4 + 2", 4, 2},
                       Row{"x", 1, 0}, Row{"7", 0, 7}, Row{"m", 12, 10}, Row{"n // 8", 2, 0}, Row{"n*n", 256, 0},
                       Row{"min(n, n*x + 8)", 8, 0}, Row{"-3 - n", 16, 13}, Row{"select(p, n, 24)", 8, 0}}) {
    Analyzer::Modular m = w.analyzer.modular(w.parse(r.e));
    EXPECT_EQ(m.coefficient, r.coefficient) << r.e;
    EXPECT_EQ(m.base, r.base) << r.e;
  }
}

TEST(Analyzer, ForgetsAtTheEndOfAScope) {
  Workbench w;
  Node x = w.parse("x"), y = w.var("y");
  {
    Analyzer::Scope a(w.analyzer, w.parse("x > 3 && x % 4 == 1"));
    {
      Analyzer::Scope b(w.analyzer, w.parse("x < 8"));
      EXPECT_EQ(w.simplify("x"), "5");
      w.analyzer.bind_value(y, w.parse("x + 1"));
      EXPECT_EQ(w.simplify("y"), "6");
    }
    EXPECT_EQ(w.simplify("x"), "x");
    EXPECT_EQ(w.simplify("y - x"), "y - x");
    EXPECT_TRUE(w.proves("x >= 5"));
  }
  EXPECT_FALSE(w.proves("x >= 5"));
  EXPECT_EQ(w.analyzer.modular(x).coefficient, 1);
  w.analyzer.leave_constraint();  // one too many does nothing
}

TEST(Analyzer, DoesNotRestOnMemory) {
  Workbench w;
  w.given("load(x) < 5 && x < 7");
  EXPECT_FALSE(w.proves("load(x) < 5"));
  EXPECT_TRUE(w.proves("x < 7"));
  w.given("v = load(x); i in load(x)");
  EXPECT_FALSE(w.proves("v == load(x)"));
  EXPECT_FALSE(w.proves("i < load(x)"));
  EXPECT_TRUE(w.proves("i >= 0"));
}

TEST(Analyzer, SurvivesContradictions) {
  Workbench w;
  w.given("i in 10; i > 20; i % 4 == 1; i % 4 == 2; i == 7; i == 8; j in 0; k in -5");
  w.simplify("i*4 + j // 2 + k % 3");
  w.analyzer.bounds(w.parse("i + j"));
  w.proves("i < 3");
}

TEST(Analyzer, ReturnsTheVeryNodeWhenNothingChanges) {
  Workbench w;
  w.given("i in 99; j in 16");
  for (const char* text :
       {"i*16 + j", "min(i, 7)", "i < 7", "select(i < 7, x, y)", "load(i*4 + j)", "f0 + f1", "p && p1", "ramp(i, 1, 4)",
        "x//3", "i64(w)", "let(v, load(x), v*v)", "if(i < 7, load(i), 0)"}) {
    Node n = w.parse(text);
    EXPECT_TRUE(w.analyzer.simplify(n).same_as(n)) << text << " became " << w.print(w.analyzer.simplify(n));
  }
}

TEST(Analyzer, TheResultDoesNotDependOnWhatWasAskedBefore) {
  const char* text = "z*4 + (a + b)*c + min(y, x) + a*3 + (q + 7) // 4 + d % 5";
  std::string expected = Workbench().simplify(text);
  for (const char* before : {"b + a", "x + y + z", "d % 5 + q", "c*b + c*a", "min(x, y)"}) {
    Workbench w;
    w.simplify(before);
    EXPECT_EQ(w.simplify(text), expected) << before;
  }
}

// ---- What a question may cost

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

// Of processor time on this thread, as if without sanitizers: a busy machine changes nothing.
template <class F>
double seconds(F&& f) {
  auto now = [] {
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
  };
  double start = now();
  f();
  return (now() - start) / (kSanitized ? 20 : 1);
}

Node balanced_sum(const Builder& b, const std::vector<Node>& terms, size_t first, size_t count) {
  if (count == 1) return terms[first];
  return b.add(balanced_sum(b, terms, first, count / 2), balanced_sum(b, terms, first + count / 2, count - count / 2));
}

TEST(Analyzer, TenThousandTermsTakeLessThanASecond) {
  Workbench w;
  std::vector<Node> different, alike;
  for (int i = 0; i < 10'000; ++i) {
    Node x = w.b.var("x" + std::to_string(i));
    different.push_back(i % 3 == 0 ? w.b.floordiv(x, w.b.imm(4)) : w.b.mul(x, w.b.imm(i % 7 + 1)));
    alike.push_back(w.b.mul(w.var("x"), w.b.imm(i)));
  }
  Node sum = balanced_sum(w.b, different, 0, different.size());
  Node s;
  EXPECT_LT(seconds([&] { s = w.analyzer.simplify(sum); }), 1.0);
  EXPECT_FALSE(s.same_as(sum));  // put into order, not given up
  EXPECT_EQ(w.print(w.analyzer.simplify(balanced_sum(w.b, alike, 0, alike.size()))), "x*49995000");
  Node difference = w.b.sub(sum, w.b.add(sum, w.b.imm(1)));
  EXPECT_LT(seconds([&] { EXPECT_EQ(w.print(w.analyzer.simplify(difference)), "-1"); }), 1.0);
  EXPECT_LT(seconds([&] { w.analyzer.bounds(sum); }), 1.0);
}

TEST(Analyzer, NothingBlowsUp) {
  Workbench w;
  w.given("i in n; j in m; n > 0; m > 0; k in n*m; l in min(n, m)");
  Node shared = test::doubling(w.var("x"), 60);
  EXPECT_LT(seconds([&] { EXPECT_EQ(w.print(w.analyzer.simplify(shared)), "x*1152921504606846976"); }), 1.0);
  Node nested = w.var("i"), minimum = w.var("i"), product = w.var("i");
  for (int t = 0; t < 40; ++t) {
    Node v = w.var("v" + std::to_string(t));
    nested = w.b.select(w.b.lt(nested, v), w.b.add(nested, v), w.b.sub(nested, v));
    minimum = w.b.min(w.b.add(minimum, v), w.b.sub(v, minimum));
    product = w.b.mul(w.b.add(product, v), w.b.add(product, w.b.imm(1)));
  }
  for (const Node& n : {nested, minimum, product}) {
    EXPECT_LT(seconds([&] { w.analyzer.simplify(n); }), 1.0);
    EXPECT_LT(seconds([&] { w.analyzer.bounds(n); }), 1.0);
    EXPECT_LT(seconds([&] { w.analyzer.can_prove(w.b.lt(n, w.b.mul(w.var("n"), w.var("m")))); }), 1.0);
  }
}

TEST(Analyzer, LongFloatingPointChainsAreSimplifiedThroughout) {
  Workbench w;
  Node sum = w.var("f"), expected = sum;
  for (int i = 0; i < 2000; ++i) {
    sum = w.b.add(sum, w.b.cast(w.parse("load(x*4 + 3 - x*4)"), kFloat32));
    expected = w.b.add(expected, w.b.cast(w.parse("load(3)"), kFloat32));
  }
  EXPECT_EQ(test::difference(w.analyzer.simplify(sum), expected), "");
  Node doubled = test::doubling(w.var("f"), 1000);
  EXPECT_TRUE(w.analyzer.simplify(doubled).same_as(doubled));
  Node one = w.b.real(1.0), zero = w.b.real(0.0), f = w.var("f");
  EXPECT_TRUE(w.analyzer.simplify(w.b.mul(w.b.mul(one, f), one)).same_as(f));
  for (const Node& n : {w.b.add(f, zero), w.b.mul(f, zero), w.b.sub(f, f), w.b.sub(f, zero)})
    EXPECT_TRUE(w.analyzer.simplify(n).same_as(n)) << w.print(n);
}

// Deep nesting of every operation, within a small stack.
TEST(Analyzer, DeepExpressionsNeedLittleStack) {
  if (kSanitized) GTEST_SKIP() << "sanitizers make frames larger";
  test::with_small_stack([] {
    Workbench w;
    w.given("x in 100; y in x + 3; n % 4 == 0");
    Node x = w.var("x"), y = w.var("y");
    auto deep = [&](auto&& grow) {
      Node n = x;
      while (n.depth() < 4000) n = grow(n);
      Node s = w.analyzer.simplify(n);
      w.analyzer.bounds(n);
      w.analyzer.modular(n);
      w.analyzer.can_prove(w.b.lt(n, y));
      return s;
    };
    EXPECT_EQ(w.print(deep([&](const Node& n) { return w.b.add(n, x); })), "x*4000");
    deep([&](const Node& n) { return w.b.floordiv(w.b.add(n, y), w.b.imm(3)); });
    deep([&](const Node& n) { return w.b.floormod(w.b.mul(n, y), w.b.add(n, x)); });
    deep([&](const Node& n) { return w.b.min(w.b.add(n, y), w.b.mul(n, w.b.imm(2))); });
    deep([&](const Node& n) { return w.b.select(w.b.lt(n, y), n, w.b.max(n, y)); });
    deep([&](const Node& n) { return w.b.select(w.b.logical_and(w.b.lt(n, y), w.b.lt(y, n)), n, y); });
    deep([&](const Node& n) { return w.b.load(w.parse("load(0)").to<tir::BufferLoad>().buffer(), w.b.array({n})); });
    deep([&](const Node& n) { return w.b.mul(n, w.b.add(n, y)); });
    deep([&](const Node& n) { return w.b.cast(w.b.cast(n, kInt32), kInt64); });
    deep([&](const Node& n) {
      Node v = w.b.var("v");
      return w.b.make<tir::Let>({kInt64, w.b.floordiv(n, y), v, w.b.add(v, n)});
    });
    Node f = w.var("f"), p = w.var("p");
    for (int i = 0; i < 4000; ++i) f = w.b.add(f, w.b.cast(x, kFloat32)), p = w.b.logical_and(p, w.b.lt(x, y));
    w.analyzer.simplify(f);
    EXPECT_EQ(w.print(w.analyzer.simplify(p)), "p && x < y");
  });
}

// ---- The C table

TEST(ArithTable, AnswersThroughC) {
  const TnHostArith& t = arith_table();
  Workbench w;
  TnAnalyzer* a = t.create(t.self);
  ASSERT_NE(a, nullptr);
  TnValue ret{};
  Node i = w.var("i"), e = w.parse("(j*16 + i) // 16 + i // 16"), c = w.parse("i < 16");
  EXPECT_EQ(t.bind_range(a, w.b.imm(1).get(), w.b.imm(0).get(), w.b.imm(16).get(), &ret), -1);
  ASSERT_EQ(ret.type_index, TN_ERROR);
  EXPECT_EQ(reinterpret_cast<TnError*>(ret.as.object)->code, TN_ERROR_ARGUMENT);
  tn_value_release(&ret);
  EXPECT_EQ(t.can_prove(a, c.get()), 0);
  ASSERT_EQ(t.bind_range(a, i.get(), w.b.imm(0).get(), w.b.imm(16).get(), &ret), 0);
  EXPECT_EQ(t.can_prove(a, c.get()), 1);
  ASSERT_EQ(t.simplify(a, e.get(), &ret), 0);
  EXPECT_EQ(w.print(as_node(Value::adopt(ret))), "j");
  ASSERT_EQ(t.enter_constraint(a, w.parse("i > 3").get(), &ret), 0);
  int64_t low = 0, high = 0;
  t.bounds(a, i.get(), &low, &high);
  EXPECT_EQ(low, 4);
  EXPECT_EQ(high, 15);
  t.leave_constraint(a);
  t.bounds(a, i.get(), &low, &high);
  EXPECT_EQ(low, 0);
  ASSERT_EQ(t.bind_value(a, w.var("k").get(), w.parse("j*8 + 3").get(), &ret), 0);
  int64_t coefficient = 0, base = 0;
  t.modular(a, w.var("k").get(), &coefficient, &base);
  EXPECT_EQ(coefficient, 8);
  EXPECT_EQ(base, 3);
  t.destroy(a);
}

}  // namespace
}  // namespace tenon
