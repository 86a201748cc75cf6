// What simplify gives: one row a case. The random test checks that it is right; this one that it is useful.
#include "arith/test_support.h"

namespace tenon {
namespace {

struct Row {
  const char* given;
  const char* expression;
  const char* expected;
};

class Simplify : public testing::TestWithParam<Row> {};

TEST_P(Simplify, Gives) {
  const Row& row = GetParam();
  test::Workbench w;
  w.given(row.given);
  Node result = w.analyzer.simplify(w.parse(row.expression));
  EXPECT_EQ(w.print(result), row.expected) << row.expression << " given " << row.given;
  EXPECT_TRUE(w.analyzer.simplify(result).same_as(result))
      << "is not kept: " << w.print(result) << " becomes " << w.print(w.analyzer.simplify(result));
}

#define ROWS(name, ...)                    \
  constexpr Row k##name[] = {__VA_ARGS__}; \
  INSTANTIATE_TEST_SUITE_P(name, Simplify, testing::ValuesIn(k##name))

// clang-format off
ROWS(Constants,
  Row{"", "2 + 3*4", "14"}, Row{"", "7 // 2", "3"}, Row{"", "-7 // 2", "-4"}, Row{"", "7 // -2", "-4"}, Row{"", "-7 // -2", "3"},
  Row{"", "-7 % 3", "2"}, Row{"", "7 % -3", "-2"}, Row{"", "truncdiv(-7, 2)", "-3"}, Row{"", "truncmod(-7, 2)", "-1"},
  Row{"", "truncmod(7, -2)", "1"}, Row{"", "5 // 0", "5//0"}, Row{"", "5 % 0", "5%0"}, Row{"", "truncdiv(5, 0)", "truncdiv(5, 0)"},
  Row{"", "x // 0", "x//0"}, Row{"", "min(3, 5) + max(3, 5)", "8"}, Row{"", "3 < 5 && 2 != 2", "false"},
  Row{"", "(x*y*(-9223372036854775807 - 1)) // (x*-1)", "x*y*-9223372036854775808//(x*-1)"});

// The least integer divided by -1 is itself.
ROWS(WrappedQuotients,
  Row{"w0 < 0", "w0 // -1 > 0", "w0//-1 >= 1"}, Row{"w0 < 0", "truncdiv(w0, i32(-1)) > 0", "truncdiv(w0, -1) >= 1"},
  Row{"w0 < 0; w1 < 0", "truncdiv(w0, w1) >= 0", "truncdiv(w0, w1) >= 0"},
  Row{"", "i32(-2147483648) // -1 > w0", "w0 < -2147483648//-1"},
  Row{"", "truncdiv(i32(-2147483648) // -1, i32(3))", "truncdiv(-2147483648//-1, 3)"},
  Row{"w0 < 0; w0 > -9", "w0 // -1 > 0", "true"});

ROWS(Sums,
  Row{"", "x + 0", "x"}, Row{"", "x - x", "0"}, Row{"", "y + x", "x + y"}, Row{"", "x + y - x", "y"}, Row{"", "x + x + x", "x*3"},
  Row{"", "(x + 1)*4 - x*4", "4"}, Row{"", "3 - x + 2", "5 - x"}, Row{"", "x*2*3 + y", "x*6 + y"}, Row{"", "0 - x", "x*-1"},
  Row{"", "j + i*16", "i*16 + j"}, Row{"", "(i + 1)*n - n", "i*n"}, Row{"", "(i*n + j)*m + k", "(i*n + j)*m + k"},
  Row{"", "i*n*4 + n*j + 4", "(i*4 + j)*n + 4"}, Row{"", "n*m - m*n", "0"}, Row{"", "(x + y)*(x - y)", "x*x - y*y"});

ROWS(SplitAndFuse,
  Row{"j in 16", "(i*16 + j) // 16", "i"}, Row{"j in 16", "(i*16 + j) % 16", "j"},
  Row{"", "(i*16 + j) // 16", "j//16 + i"}, Row{"", "(i*16 + j) % 16", "j%16"},
  Row{"", "(x // 16)*16 + x % 16", "x"}, Row{"", "(x // 16)*16 + x % 16 + y", "x + y"},
  Row{"", "(x // 64)*64 + (x % 64 // 16)*16 + x % 16", "x"}, Row{"", "x // 4 // 8", "x//32"}, Row{"", "x % 64 % 16", "x%16"},
  Row{"", "x % 64 // 16", "x//16%4"}, Row{"i in 4; j in 16", "(i*16 + j) // 64", "0"}, Row{"j in 16", "(i*16 + j) // 64", "i//4"},
  Row{"j in 16", "(i*16 + j) % 64", "i%4*16 + j"}, Row{"x in 64", "x // 16 % 4", "x//16"}, Row{"x in 64", "x % 64", "x"},
  Row{"", "4*x // 16", "x//4"}, Row{"", "(4*x + 3) // 16", "x//4"}, Row{"", "4*x % 16", "x%4*4"}, Row{"", "17*x % 16", "x%16"},
  Row{"i in 8; j in 4; k in 32", "((i*4 + j)*32 + k) // 128", "i"}, Row{"i in 8; j in 4; k in 32", "((i*4 + j)*32 + k) // 32 % 4", "j"},
  Row{"i in 8; j in 4; k in 32", "((i*4 + j)*32 + k) % 128 // 32", "j"}, Row{"i in 8; j in 4; k in 32", "((i*4 + j)*32 + k) % 32", "k"},
  Row{"", "x - x // 8 * 8", "x%8"}, Row{"", "(x + 8) // 8 - x // 8", "1"}, Row{"", "(x - 8) % 8", "x%8"},
  Row{"x in 8", "(x + 16) // 8", "2"}, Row{"x in 1..9", "(x - 1) // 8", "0"},
  Row{"f0 in 8", "x * 1", "x"});

ROWS(SymbolicStrides,
  Row{"j in m", "(i*m + j) // m", "i"}, Row{"j in m", "(i*m + j) % m", "j"}, Row{"i in n; j in m", "(i*m + j) // m", "i"},
  Row{"", "i*m // m", "i"}, Row{"", "i*m % m", "0"}, Row{"", "x // m * m + x % m", "x"},
  Row{"j in m; k in l", "((i*m + j)*l + k) // l // m", "i"}, Row{"j in m; k in l", "((i*m + j)*l + k) // l % m", "j"},
  Row{"j in m*l", "(i*m*l + j) // (m*l)", "i"}, Row{"j in m + 1", "(i*(m + 1) + j) // (m + 1)", "i"},
  Row{"i in n", "i // n", "0"}, Row{"i in n", "i % n", "i"}, Row{"n = 16*k", "n // 16", "k"}, Row{"n = 16*k", "(n + 15) // 16", "k"});

ROWS(Congruence,
  Row{"n % 16 == 0", "n % 16", "0"}, Row{"n % 16 == 0", "n % 8", "0"}, Row{"n % 16 == 3", "n % 4", "3"},
  Row{"n % 16 == 0", "n // 16 * 16", "n"}, Row{"n % 16 == 0", "(n + 15) // 16", "n//16"}, Row{"n % 16 == 0", "(n + 5) % 16", "5"},
  Row{"n % 16 == 0", "n*3 % 48", "0"}, Row{"n == 16*k", "n // 16", "k"});

ROWS(Comparisons,
  Row{"", "x + 1 < x + 2", "true"}, Row{"", "x < x", "false"}, Row{"", "x + 1 > x", "true"}, Row{"i in 16", "i < 16", "true"},
  Row{"i in 16", "i < 8", "i < 8"}, Row{"i in 16", "i >= 16", "false"}, Row{"i in n", "i < n", "true"}, Row{"i in n", "i + 1 <= n", "true"},
  Row{"i in 16; n >= 0; n < 99", "i*16 + 15 < n*16", "i < n"}, Row{"", "x == x", "true"}, Row{"", "x == x + 1", "false"},
  Row{"i in 99; j in 99", "i*2 == j*2 + 1", "false"}, Row{"", "n > m", "m < n"}, Row{"", "x + 1 <= y", "x < y"}, Row{"i in 9; j in 9", "i + 1 <= j", "i < j"},
  Row{"i in 9; j in 16", "i*16 + j == 0", "i == 0 && j == 0"}, Row{"i in 9", "i != 3 + 1", "i != 4"}, Row{"i in 9", "4 == i", "i == 4"}, Row{"", "!(x < y)", "y <= x"},
  Row{"", "!(x == y)", "x != y"}, Row{"i in 9", "!(i < 4)", "i >= 4"});

ROWS(Boundaries,
  Row{"i0 in n // 16; i1 in 16; n % 16 == 0", "i0*16 + i1 < n", "true"}, Row{"i0 in (n + 15) // 16; i1 in 16; n % 16 == 0", "i0*16 + i1 < n", "true"},
  Row{"n = 16*k; i0 in k; i1 in 16", "i0*16 + i1 < n", "true"}, Row{"i0 in n; i1 in 16; n % 16 == 0; n >= 1; n < 4096; i0 < 4096", "i0*16 + i1 < n", "i0*16 < n"},
  Row{"i0 in (n + 15) // 16; i1 in 16; n >= 1; n < 4096", "i0*16 + i1 < n", "i0*16 + i1 < n"},
  Row{"n >= 1; n < 4096; i in n // 16", "i*16 + 15 < n", "true"}, Row{"m >= 1; i in n; j in m", "i*m + j < n*m", "true"}, Row{"m >= 1; l >= 1; i in n; j in m; k in l", "(i*m + j)*l + k < n*m*l", "true"},
  Row{"m >= 0; i in 16; j in m", "i*m + j < 16*m", "true"}, Row{"n >= 1; n < 4096; i in n", "min(i + 1, n)", "i + 1"},
  Row{"i in 8", "min(i*16 + 16, 128)", "i*16 + 16"}, Row{"i0*16 + i1 < n", "i0*16 + i1 < n", "true"}, Row{"i0*16 + i1 < n", "i0*16 + i1 < n + 1", "true"});

ROWS(MinMax,
  Row{"", "min(x, x)", "x"}, Row{"", "min(x, x + 1)", "x"}, Row{"", "max(x, x + 1)", "x + 1"}, Row{"", "min(min(x, y), x)", "min(x, y)"},
  Row{"i in 8", "min(i, 7)", "i"}, Row{"i in 8", "max(i, 3)", "max(i, 3)"}, Row{"i in 8", "max(i, -1)", "i"}, Row{"", "min(y, x) - min(x, y)", "0"},
  Row{"", "max(min(x, 4), 5)", "5"}, Row{"", "min(3, min(x, 5))", "min(x, 3)"});

ROWS(Booleans,
  Row{"", "p && true", "p"}, Row{"", "p && false", "false"}, Row{"", "p || true", "true"}, Row{"", "p && p", "p"}, Row{"", "p && !p", "false"},
  Row{"", "p || !p", "true"}, Row{"", "!(!p)", "p"}, Row{"i in 99", "i < 10 && i < 20", "i < 10"}, Row{"i in 99", "i < 20 && i < 10", "i < 10"},
  Row{"i in 99", "i < 10 && i > 20", "false"}, Row{"i in 99", "i < 10 || i >= 5", "true"}, Row{"p", "p && p1", "p1"}, Row{"!p", "p || p1", "p1"},
  Row{"", "!(p && p1)", "!p || !p1"}, Row{"i in 99; i < 10 && p", "i < 12 && p", "true"});

ROWS(Branches,
  Row{"", "select(true, x, y)", "x"}, Row{"", "select(p, x, x)", "x"}, Row{"i in 8", "select(i < 8, x, y)", "x"}, Row{"", "select(!p, x, y)", "select(p, y, x)"},
  Row{"i in 99", "select(i < 8, min(i, 8), 0)", "select(i < 8, i, 0)"}, Row{"i in 99", "if(i < 8, min(i, 8), 0)", "if(i < 8, i, 0)"},
  Row{"i in 99", "select(i < 8, load(min(i, 8)), 0)", "select(i < 8, load(min(i, 8)), 0)"},
  Row{"i in 99", "if(i < 8, load(min(i, 8)), 0)", "if(i < 8, load(i), 0)"}, Row{"", "select(x < y, p, p)", "p"}, Row{"", "select(p, true, false)", "p"},
  Row{"", "select(p, f0, f0)", "select(p, f0, f0)"}, Row{"p", "select(p, f0, f1)", "f0"});

ROWS(Casts,
  Row{"w in 64", "i64(w + 1) - 1", "i64(w)"}, Row{"", "i64(w + 1)", "i64(w + 1)"}, Row{"i in 64", "i64(i32(i + 1))", "i + 1"}, Row{"", "i64(i32(x))", "i64(i32(x))"},
  Row{"", "i32(5000000000)", "705032704"}, Row{"w in 64", "w*16 // 16", "w"}, Row{"", "w*16 // 16", "w*16//16"});

ROWS(LeftAlone,
  Row{"", "rand(x) - rand(x)", "rand(x) - rand(x)"}, Row{"", "rand(x + 0)*0", "rand(x)*0"}, Row{"", "f0 + f0 - f0", "f0 + f0 - f0"}, Row{"", "load(x + 0) - load(x)", "0"},
  Row{"", "f0 == f0", "f0 == f0"});

// What would be shorter but wrong at the edges.
ROWS(Edges,
  Row{"", "(x*4 + y) // x", "(x*4 + y)//x"}, Row{"y in 99", "(x*4 + y) // x", "y//x + 4"},
  Row{"w in 99", "w // -4", "w*-1//4"}, Row{"w in 99", "(w // -2147483648) * 2", "w//-2147483648*2"},
  Row{"", "(x // 4 + 3) // 8", "(x//4 + 3)//8"}, Row{"x in 99", "(x // 4 + 3) // 8", "(x + 12)//32"}, Row{"", "(x + y*16 + z) // 16", "(y*16 + x + z)//16"},
  Row{"x in 99; z in 99", "(x + y*16 + z) // 16", "(x + z)//16 + y"}, Row{"", "x // -1", "x//-1"}, Row{"", "0 - (0 - 9223372036854775807 - 1)", "0 - (0 - 9223372036854775807 - 1)"},
  Row{"", "x < 9223372036854775806 && (x + 2) // 4 < 5", "x < 9223372036854775806 && (x + 2)//4 < 5"},
  Row{"", "select(y > 0, x // max(y, 1), 0)", "select(y >= 1, x//max(y, 1), 0)"}, Row{"", "if(y > 0, x // max(y, 1), 0)", "if(y >= 1, x//y, 0)"},
  Row{"", "x + y + 1 < z + 1", "x + y + 1 < z + 1"}, Row{"x >= 0; y >= 0; z >= 0", "x + y + 1 < z + 1", "x + y < z"}, Row{"", "truncdiv(x, 4)", "truncdiv(x, 4)"},
  Row{"", "truncdiv(x*4 + 8, 4)", "x + 2"}, Row{"x >= 0", "truncdiv(x, 4)", "x//4"}, Row{"w in 4", "w + 2147483644 < 2147483647", "w < 3"}, Row{"w in 5", "w + 2147483644 < 2147483647", "w + 2147483644 < 2147483647"});

ROWS(Values,
  Row{"x = y + 1", "x - y", "1"}, Row{"x = load(y)", "x", "x"}, Row{"x = 5", "x*2", "10"}, Row{"x = y + 1; y = 3", "x", "4"}, Row{"p = true", "p && p1", "p1"},
  Row{"", "let(x, 4, x + y)", "y + 4"}, Row{"", "let(x, y, x + y)", "y*2"}, Row{"", "let(x, load(y), x*x)", "let(x, load(y), x*x)"}, Row{"i in 7..8", "i", "7"}, Row{"i in n..n + 1", "i", "n"});

ROWS(Vectors,
  Row{"", "ramp(x + 0, 1, 4)", "ramp(x, 1)"}, Row{"", "ramp(x, 1, 4) + bcast(y, 4)", "ramp(x + y, 1)"}, Row{"", "ramp(x, 1, 4)*bcast(4, 4)", "ramp(x*4, 4)"},
  Row{"", "ramp(x*16, 1, 4) // bcast(16, 4)", "bcast(x)"}, Row{"", "ramp(x*16, 1, 4) % bcast(16, 4)", "ramp(0, 1)"}, Row{"", "ramp(x, 1, 4) // bcast(16, 4)", "ramp(x, 1)//bcast(16)"},
  Row{"", "ramp(x, 16, 4) // bcast(16, 4)", "ramp(x//16, 1)"}, Row{"x in 13", "ramp(x, 1, 4) < bcast(16, 4)", "bcast(true)"}, Row{"x in 14", "ramp(x, 1, 4) < bcast(16, 4)", "ramp(x, 1) < bcast(16)"},
  Row{"", "bcast(x, 4) - bcast(x, 4)", "bcast(0)"}, Row{"", "ramp(x, 1, 4) - ramp(x, 1, 4)", "bcast(0)"});
// clang-format on

}  // namespace
}  // namespace tenon
