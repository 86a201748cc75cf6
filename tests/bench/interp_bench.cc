// What the interpreter does in a second: multiply-adds of a plain product of matrices.
#include <benchmark/benchmark.h>
#include <tenon/compiler_session.h>

#include <cstdio>
#include <vector>

namespace {

using namespace tenon;

constexpr std::string_view kMatmul = R"(
@I.ir_module
class Module:
    @T.prim_func
    def main(a: T.handle, b: T.handle, c: T.handle):
        n, m, k = T.int64(), T.int64(), T.int64()
        A = T.match_buffer(a, (n, k), "float32")
        B = T.match_buffer(b, (k, m), "float32")
        C = T.match_buffer(c, (n, m), "float32")
        for i, j, l in T.grid(n, m, k):
            with T.block("matmul"):
                vi, vj, vl = T.axis.remap("SSR", [i, j, l])
                with T.init():
                    C[vi, vj] = T.float32(0)
                C[vi, vj] = C[vi, vj] + A[vi, vl] * B[vl, vj]
)";

void interpreted_matmul(benchmark::State& state) {
  const int64_t n = state.range(0);
  CompilerSession session(tn_compiler(), Value());
  Map functions = session.load(session.parse(kMatmul, "matmul.py"), "eval-interp", Value());
  std::vector<float> data[3];
  int64_t shape[] = {n, n};
  std::vector<DLTensor> tensors;
  for (auto& d : data) {
    d.assign(static_cast<size_t>(n * n), 1.0F);
    tensors.push_back({d.data(), {kDLCPU, 0}, 2, kFloat32, shape, nullptr, 0});
  }
  const Value args[] = {Value(&tensors[0]), Value(&tensors[1]), Value(&tensors[2])};
  for (auto _ : state) call_function(*functions.find("main"), args);
  if (data[2][0] != static_cast<float>(n)) state.SkipWithError("the product is wrong");
  state.counters["multiply_adds"] =
      benchmark::Counter(static_cast<double>(n * n * n), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(interpreted_matmul)->Arg(128)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
