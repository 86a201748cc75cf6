// Reading and writing script text. The goal: one megabyte is read in less than half a second.
#include <benchmark/benchmark.h>

#include "script/parse.h"
#include "script/print.h"

namespace {

using namespace tenon;

// Functions of blocked matrix products with an epilogue, about one megabyte of them.
std::string module_text(size_t bytes) {
  std::string text = "@I.ir_module\nclass Module:\n";
  for (int i = 0; text.size() < bytes; ++i) {
    std::string n = std::to_string(i);
    text += "    @T.prim_func\n    def matmul_" + n +
            R"((A: T.Buffer((128, 64), "float32"), B: T.Buffer((64, 32), "float32"), C: T.Buffer((128, 32), "float32")):
        T.func_attr({"tir.noalias": True})
        D = T.alloc_buffer((128, 32), "float32", scope="global")
        for i, j, k in T.grid(128, 32, 64):
            with T.sblock("matmul"):
                vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                T.reads(A[vi, vk], B[vk, vj])
                T.writes(D[vi, vj])
                with T.init():
                    D[vi, vj] = T.float32(0.0)
                D[vi, vj] = D[vi, vj] + A[vi, vk] * B[vk, vj]
        for i, j in T.grid(128, 32):
            with T.sblock("epilogue"):
                vi, vj = T.axis.remap("SS", [i, j])
                T.reads(D[vi, vj])
                T.writes(C[vi, vj])
                C[vi, vj] = T.if_then_else((vi // 4 * 32 + vj) % 7 < 3 and vj != 5, T.max(D[vi, vj], T.float32(0.0)), T.exp(D[vi, vj] * T.float32(0.5)))

)";
  }
  return text;
}

void parse_megabyte(benchmark::State& state) {
  std::string text = module_text(1 << 20);
  for (auto _ : state) benchmark::DoNotOptimize(parse(text, "bench.py", ParseContext()));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
}
BENCHMARK(parse_megabyte)->Unit(benchmark::kMillisecond);

void print_megabyte(benchmark::State& state) {
  Node module = parse(module_text(1 << 20), "bench.py", ParseContext());
  size_t bytes = 0;
  for (auto _ : state) bytes += print(Value(module)).size();
  state.SetBytesProcessed(static_cast<int64_t>(bytes));
}
BENCHMARK(print_megabyte)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
