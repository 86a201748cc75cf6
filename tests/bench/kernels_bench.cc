// What compiled kernels reach of the machine's multiply-adds: graph functions through the pipeline `cpu` and
// codegen-llvm, against the peak that is measured in the same run, in turn with the kernels.
//
//   tenon_bench_kernels [--rounds=N] [--benchmark_filter=PART OF A NAME]
#include <tenon/compiler_session.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace {

using namespace tenon;

// ---- The peak: independent chains of multiply-adds, more than the latency needs, that never leave the registers, for
// which the loops over them are unrolled whatever the options say.
constexpr int kChains = 12;
#if defined(__x86_64__)
__attribute__((target("avx512f"))) float chains_512(int64_t steps) {
  __m512 x[kChains], a = _mm512_set1_ps(0.999F), c = _mm512_set1_ps(0.001F);
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) x[i] = _mm512_set1_ps(static_cast<float>(i));
  for (int64_t s = 0; s < steps; ++s)
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) x[i] = _mm512_fmadd_ps(x[i], a, c);
#pragma GCC unroll 12
  for (int i = 1; i < kChains; ++i) x[0] = _mm512_add_ps(x[0], x[i]);
  return _mm512_cvtss_f32(x[0]);
}
__attribute__((target("avx2,fma"))) float chains_256(int64_t steps) {
  __m256 x[kChains], a = _mm256_set1_ps(0.999F), c = _mm256_set1_ps(0.001F);
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) x[i] = _mm256_set1_ps(static_cast<float>(i));
  for (int64_t s = 0; s < steps; ++s)
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) x[i] = _mm256_fmadd_ps(x[i], a, c);
#pragma GCC unroll 12
  for (int i = 1; i < kChains; ++i) x[0] = _mm256_add_ps(x[0], x[i]);
  return _mm256_cvtss_f32(x[0]);
}
#endif

struct Peak {
  float (*run)(int64_t steps);
  double flops_per_step;
};
Peak peak() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return {&chains_512, 16.0 * 2 * kChains};
  if (__builtin_cpu_supports("fma")) return {&chains_256, 8.0 * 2 * kChains};
#elif defined(__aarch64__)
  return {[](int64_t steps) {
            float32x4_t x[kChains], a = vdupq_n_f32(0.999F), c = vdupq_n_f32(0.001F);
#pragma GCC unroll 12
            for (int i = 0; i < kChains; ++i) x[i] = vdupq_n_f32(static_cast<float>(i));
            for (int64_t s = 0; s < steps; ++s)
#pragma GCC unroll 12
              for (int i = 0; i < kChains; ++i) x[i] = vfmaq_f32(c, x[i], a);
#pragma GCC unroll 12
            for (int i = 1; i < kChains; ++i) x[0] = vaddq_f32(x[0], x[i]);
            return vaddvq_f32(x[0]);
          },
          4.0 * 2 * kChains};
#endif
  std::fprintf(stderr, "no peak is known for this processor\n");
  std::exit(1);
}

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

constexpr int64_t kPeakSteps = 400'000;
double peak_flops(const TnRuntime* rt, int threads) {
  static Peak p = peak();
  static std::atomic<float> sink;
  auto task = [](void*, int32_t, int32_t, TnValue*) {
    sink = p.run(kPeakSteps);
    return 0;
  };
  TnValue ret;
  double start = seconds();
  rt->parallel_for(task, nullptr, threads, &ret);
  return p.flops_per_step * static_cast<double>(kPeakSteps) * threads / (seconds() - start);
}

// ---- The kernels
struct Kernel {
  const char* name;
  double flops;  // of the products alone
  const char* text;
};

constexpr Kernel kKernels[] = {
    {"matmul 512x512x512", 2.0 * 512 * 512 * 512, R"(
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((512, 512), "float32"), w: R.Tensor((512, 512), "float32")):
        with R.dataflow():
            y = R.matmul(x, w)
            R.output(y)
        return y
)"},
    {"matmul+bias+relu 512x512x512", 2.0 * 512 * 512 * 512, R"(
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((512, 512), "float32"), w: R.Tensor((512, 512), "float32"), b: R.Tensor((512,), "float32")):
        with R.dataflow():
            y = R.matmul(x, w)
            z = R.add(y, b)
            r = R.nn.relu(z)
            R.output(r)
        return r
)"},
    {"matmul n x 512 x 512, n = 128", 2.0 * 128 * 512 * 512, R"(
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor(("n", 512), "float32"), w: R.Tensor((512, 512), "float32")):
        with R.dataflow():
            y = R.matmul(x, w)
            R.output(y)
        return y
)"},
    {"conv 3x3 56x56x64", 2.0 * 56 * 56 * 64 * 64 * 9, R"(
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((1, 64, 56, 56), "float32"), w: R.Tensor((64, 64, 3, 3), "float32")):
        with R.dataflow():
            y = R.nn.conv2d(x, w, padding=[1, 1, 1, 1])
            R.output(y)
        return y
)"},
    {"conv+bias+relu 3x3 56x56x64", 2.0 * 56 * 56 * 64 * 64 * 9, R"(
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((1, 64, 56, 56), "float32"), w: R.Tensor((64, 64, 3, 3), "float32"), b: R.Tensor((1, 64, 1, 1), "float32")):
        with R.dataflow():
            y = R.nn.conv2d(x, w, padding=[1, 1, 1, 1])
            z = R.add(y, b)
            r = R.nn.relu(z)
            R.output(r)
        return r
)"},
    {"conv 3x3/2 56x56x64 -> 128", 2.0 * 28 * 28 * 64 * 128 * 9, R"(
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((1, 64, 56, 56), "float32"), w: R.Tensor((128, 64, 3, 3), "float32")):
        with R.dataflow():
            y = R.nn.conv2d(x, w, padding=[1, 1, 1, 1], strides=[2, 2])
            R.output(y)
        return y
)"},
    {"conv 1x1 28x28x256 -> 128", 2.0 * 28 * 28 * 256 * 128, R"(
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((1, 256, 28, 28), "float32"), w: R.Tensor((128, 256, 1, 1), "float32")):
        with R.dataflow():
            y = R.nn.conv2d(x, w)
            R.output(y)
        return y
)"},
    {"conv depthwise 3x3 56x56x64", 2.0 * 56 * 56 * 64 * 9, R"(
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((1, 64, 56, 56), "float32"), w: R.Tensor((64, 1, 3, 3), "float32")):
        with R.dataflow():
            y = R.nn.conv2d(x, w, padding=[1, 1, 1, 1], groups=64)
            R.output(y)
        return y
)"},
    {"matmul 1x1024x1024", 2.0 * 1024 * 1024, R"(
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((1, 1024), "float32"), w: R.Tensor((1024, 1024), "float32")):
        with R.dataflow():
            y = R.matmul(x, w)
            R.output(y)
        return y
)"},
    {"matmul 512x512x512, w transposed", 2.0 * 512 * 512 * 512, R"(
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((512, 512), "float32"), w: R.Tensor((512, 512), "float32")):
        with R.dataflow():
            t = R.permute_dims(w)
            y = R.matmul(x, t)
            R.output(y)
        return y
)"},
};

// The dimensions of the tensors of a kernel's parameters, read off its text; "n" is 128.
std::vector<std::vector<int64_t>> shapes_of(const std::string& text) {
  std::vector<std::vector<int64_t>> out;
  size_t end = text.find("):\n        with");
  for (size_t at = 0; (at = text.find("R.Tensor((", at)) < end;) {
    at += 10;
    std::vector<int64_t> shape;
    for (std::string number; text[at] != ')'; ++at) {
      if (std::isdigit(static_cast<unsigned char>(text[at]))) number += text[at];
      if (text[at] == 'n') number = "128";
      if ((text[at + 1] == ',' || text[at + 1] == ')') && !number.empty())
        shape.push_back(std::stoll(number)), number = "";
    }
    out.push_back(shape);
  }
  return out;
}

struct Loaded {
  const Kernel* kernel;
  Value function;
  std::vector<Value> args;
  double compile_seconds;
  std::vector<double> seconds[2];  // on one thread and on two
};

Value random_tensor(const TnRuntime* rt, const std::vector<int64_t>& shape, std::mt19937& random) {
  Value v = call([&](TnValue* ret) {
    return rt->tensor(DLDevice{kDLCPU, 0}, kFloat32, static_cast<int32_t>(shape.size()), shape.data(), ret);
  });
  auto* t = reinterpret_cast<TnTensor*>(v.raw().as.object);
  int64_t n = 1;
  for (int64_t d : shape) n *= d;
  for (int64_t i = 0; i < n; ++i)
    static_cast<float*>(t->tensor.data)[i] = static_cast<float>(static_cast<int>(random() % 2001) - 1000) * 1e-3F;
  return v;
}

double best_of(std::vector<double> v) { return *std::min_element(v.begin(), v.end()); }
double median_of(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<ptrdiff_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

int run(int rounds, const std::string& filter) {
  const TnCompiler* compiler = tn_compiler();
  const TnRuntime* rt = compiler->runtime;
  CompilerSession session(compiler, Value());
  std::mt19937 random(7);
  std::vector<Loaded> all;
  for (const Kernel& k : kKernels) {
    if (std::string(k.name).find(filter) == std::string::npos) continue;
    double start = seconds();
    Node module = session.parse(k.text, k.name);
    Map done = session.run_pipeline(module, Value("cpu"), Value());
    Map functions = session.load(as_node(*done.find("module")), "codegen-llvm", Value());
    Loaded l{&k, *functions.find("main"), {}, seconds() - start, {}};
    for (const auto& shape : shapes_of(k.text)) l.args.push_back(random_tensor(rt, shape, random));
    all.push_back(std::move(l));
  }
  std::vector<double> peaks[2];
  for (int round = 0; round < rounds; ++round)
    for (int t = 0; t < 2; ++t) {
      rt->set_thread_count(t + 1);
      peaks[t].push_back(peak_flops(rt, t + 1));
      for (Loaded& l : all) {
        call_function(l.function, l.args);  // caches and threads
        for (int i = 0; i < 5; ++i) {
          double start = seconds();
          call_function(l.function, l.args);
          l.seconds[t].push_back(seconds() - start);
        }
      }
    }
  // The peak as the best round, so that shares are not flattered by a disturbed one.
  double top[2] = {*std::max_element(peaks[0].begin(), peaks[0].end()),
                   *std::max_element(peaks[1].begin(), peaks[1].end())};
  std::printf("peak of multiply-adds: %.1f GFLOP/s on 1 thread (median %.1f), %.1f on 2 (median %.1f)\n", top[0] * 1e-9,
              median_of(peaks[0]) * 1e-9, top[1] * 1e-9, median_of(peaks[1]) * 1e-9);
  std::printf("%-34s %10s %9s %7s %7s | %10s %7s %8s | %8s\n", "kernel", "1 thread", "GFLOP/s", "best", "median",
              "2 threads", "best", "speed-up", "compile");
  for (Loaded& l : all) {
    double one = best_of(l.seconds[0]), two = best_of(l.seconds[1]);
    std::printf("%-34s %7.1f us %9.1f %6.1f%% %6.1f%% | %7.1f us %6.1f%% %7.2fx | %5.0f ms\n", l.kernel->name,
                one * 1e6, l.kernel->flops / one * 1e-9, 100 * l.kernel->flops / one / top[0],
                100 * l.kernel->flops / median_of(l.seconds[0]) / top[0], two * 1e6,
                100 * l.kernel->flops / two / top[1], one / two, l.compile_seconds * 1e3);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  int rounds = 20;
  std::string filter;
  for (int i = 1; i < argc; ++i) {
    std::string_view arg = argv[i];
    auto value = [&](std::string_view option) {
      return arg.substr(0, option.size()) == option ? argv[i] + option.size() : nullptr;
    };
    if (const char* n = value("--rounds=")) rounds = std::max(1, std::atoi(n));
    if (const char* text = value("--benchmark_filter=")) filter = text;
  }
  try {
    return run(rounds, filter);
  } catch (const Error& e) {
    std::fprintf(stderr, "%s\n%s\n%s\n", e.message.c_str(), e.where.c_str(), e.hint.c_str());
    return 1;
  }
}
