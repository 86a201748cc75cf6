// What the analyzer costs on the expressions that loop lowering asks about, beside making the same nodes.
#include <benchmark/benchmark.h>

#include "arith/analyzer.h"
#include "ir/ir_table.h"

namespace tenon {
namespace {

// A matrix product tiled by 16 and 4: the variables of its loops, bound.
struct Tiles {
  Builder b = core_builder();
  Analyzer a;
  Node n = b.var("n"), m = b.var("m"), i0 = b.var("i0"), i1 = b.var("i1"), j0 = b.var("j0"), j1 = b.var("j1"),
       k = b.var("k");

  Tiles() {
    a.bind_range(n, imm(1), imm(1 << 20));
    a.bind_range(m, imm(1), imm(1 << 20));
    a.bind_range(i0, imm(0), b.floordiv(b.add(n, imm(15)), imm(16)));
    a.bind_range(i1, imm(0), imm(16));
    a.bind_range(j0, imm(0), imm(64));
    a.bind_range(j1, imm(0), imm(16));
    a.bind_range(k, imm(0), m);
  }
  Node imm(int64_t v) const { return b.imm(v); }
  Node row() const { return b.add(b.mul(i0, imm(16)), i1); }
  Node column() const { return b.add(b.mul(j0, imm(16)), j1); }
  Node flat() const { return b.add(b.mul(row(), imm(1024)), column()); }
  Node strided() const { return b.add(b.mul(row(), m), k); }
  Node split() const { return b.floormod(b.floordiv(flat(), imm(1024)), imm(16)); }
  Node inside() const { return b.lt(row(), n); }
  Node extent() const { return b.sub(b.min(b.add(b.mul(i0, imm(16)), imm(16)), n), b.mul(i0, imm(16))); }
};

void make_nodes(benchmark::State& state) {
  Tiles t;
  for (auto _ : state) benchmark::DoNotOptimize(t.flat());
}
BENCHMARK(make_nodes);

template <Node (Tiles::*Expression)() const>
void simplify(benchmark::State& state) {
  Tiles t;
  Node e = (t.*Expression)();
  for (auto _ : state) benchmark::DoNotOptimize(t.a.simplify(e));
}
BENCHMARK(simplify<&Tiles::row>);
BENCHMARK(simplify<&Tiles::flat>);
BENCHMARK(simplify<&Tiles::strided>);
BENCHMARK(simplify<&Tiles::split>);
BENCHMARK(simplify<&Tiles::inside>);
BENCHMARK(simplify<&Tiles::extent>);

void prove_in_bounds(benchmark::State& state) {
  Tiles t;
  Node c = t.b.lt(t.strided(), t.b.mul(t.b.add(t.n, t.imm(15)), t.m));
  if (!t.a.can_prove(c)) state.SkipWithError("not proven");
  for (auto _ : state) benchmark::DoNotOptimize(t.a.can_prove(c));
}
BENCHMARK(prove_in_bounds);

void bounds_of_extent(benchmark::State& state) {
  Tiles t;
  Node e = t.extent();
  for (auto _ : state) benchmark::DoNotOptimize(t.a.bounds(e));
}
BENCHMARK(bounds_of_extent);

void assume_and_simplify(benchmark::State& state) {
  Tiles t;
  Node c = t.inside(), e = t.b.min(t.row(), t.b.sub(t.n, t.imm(1)));
  for (auto _ : state) {
    Analyzer::Scope scope(t.a, c);
    benchmark::DoNotOptimize(t.a.simplify(e));
  }
}
BENCHMARK(assume_and_simplify);

void new_analyzer(benchmark::State& state) {
  for (auto _ : state) {
    Tiles t;
    benchmark::DoNotOptimize(t.a.simplify(t.flat()));
  }
}
BENCHMARK(new_analyzer);

void sum_of_terms(benchmark::State& state) {
  Builder b = core_builder();
  Analyzer a;
  Node sum = b.var("x");
  for (int64_t i = 1; i < state.range(0); ++i) sum = b.add(sum, b.mul(b.var("x" + std::to_string(i)), b.imm(i)));
  for (auto _ : state) benchmark::DoNotOptimize(a.simplify(sum));
  state.SetComplexityN(state.range(0));
}
BENCHMARK(sum_of_terms)->RangeMultiplier(8)->Range(8, 4000)->Complexity();

}  // namespace
}  // namespace tenon
BENCHMARK_MAIN();
