// What the runtime costs: a call through the ABI, a fork-join, an object.
#include <benchmark/benchmark.h>
#include <tenon/runtime.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

namespace {

const TnRuntime* rt = tn_runtime();

int nothing(void*, const TnValue*, int32_t, TnValue*) { return 0; }

void empty_call(benchmark::State& state) {
  TnValue f;
  rt->function(nothing, nullptr, nullptr, &f);
  auto* function = reinterpret_cast<TnFunction*>(f.as.object);
  int64_t i = 0;
  for (auto _ : state) {
    TnValue args[3] = {{TN_INT, 0, {i}}, {TN_INT, 0, {2}}, {TN_INT, 0, {3}}}, ret = {TN_NONE, 0, {0}};
    benchmark::DoNotOptimize(function);
    benchmark::DoNotOptimize(function->call(function, args, 3, &ret));
    ++i;
  }
  tn_value_release(&f);
}
BENCHMARK(empty_call);

// What the call is measured against: one through a pointer to a C function.
int native(int64_t, int64_t, int64_t) { return 0; }

void native_call(benchmark::State& state) {
  int (*function)(int64_t, int64_t, int64_t) = native;
  int64_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(function);
    benchmark::DoNotOptimize(function(i, 2, 3));
    ++i;
  }
}
BENCHMARK(native_call);

int no_work(void*, int32_t, int32_t, TnValue*) { return 0; }

// Back to back, so that the workers spin. `best` is that of the fastest fifty, which a busy machine disturbs least.
void fork_join(benchmark::State& state) {
  rt->set_thread_count(static_cast<int32_t>(state.range(0)));
  constexpr int kBatch = 50;
  double best = 1e9;
  for (auto _ : state) {
    auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kBatch; ++i) {
      TnValue ret;
      rt->parallel_for(no_work, nullptr, static_cast<int32_t>(state.range(0)), &ret);
    }
    std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    state.SetIterationTime(time.count() / kBatch);
    best = std::min(best, time.count() / kBatch);
  }
  state.counters["best"] = benchmark::Counter(best);
}
BENCHMARK(fork_join)->Arg(2)->UseManualTime()->Iterations(400);

// What a fork-join is measured against: a cache line goes to another core, and one comes back; nothing else.
void line_round_trip(benchmark::State& state) {
  alignas(64) std::atomic<int> there{0};
  alignas(64) std::atomic<int> back{0};
  std::thread other([&] {
    for (int seen = 0, now = 0; now >= 0; seen = now) {
      while ((now = there.load(std::memory_order_acquire)) == seen) {}
      back.store(now, std::memory_order_release);
    }
  });
  constexpr int kBatch = 50;
  double best = 1e9;
  int turn = 0;
  for (auto _ : state) {
    auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kBatch; ++i) {
      there.store(++turn, std::memory_order_release);
      while (back.load(std::memory_order_acquire) != turn) {}
    }
    std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    state.SetIterationTime(time.count() / kBatch);
    best = std::min(best, time.count() / kBatch);
  }
  there.store(-1);
  other.join();
  state.counters["best"] = benchmark::Counter(best);
}
BENCHMARK(line_round_trip)->UseManualTime()->Iterations(400);

void make_object(benchmark::State& state) {
  for (auto _ : state) {
    TnValue o;
    rt->object(64, TN_FIRST_DYNAMIC, nullptr, &o);
    tn_value_release(&o);
  }
}
BENCHMARK(make_object);

// What an object is measured against.
void calloc_free(benchmark::State& state) {
  for (auto _ : state) {
    void* p = std::calloc(1, 64);
    benchmark::DoNotOptimize(p);
    std::free(p);
  }
}
BENCHMARK(calloc_free);

void make_string(benchmark::State& state) {
  for (auto _ : state) {
    TnValue s;
    rt->string("a text of a usual length", 24, &s);
    tn_value_release(&s);
  }
}
BENCHMARK(make_string);

void check_arguments(benchmark::State& state) {
  static constexpr int64_t dims[] = {TN_DIM_SYMBOL, 0, TN_DIM_END, TN_DIM_CONST, 4, TN_DIM_END};
  static constexpr DLDataType f32 = {kDLFloat, 32, 1};
  static constexpr TnParam params[] = {{"x", TN_PARAM_TENSOR, 0, f32, 2, -1, dims},
                                       {"y", TN_PARAM_TENSOR, TN_PARAM_WRITTEN, f32, 2, -1, dims}};
  static constexpr const char* names[] = {"n"};
  static constexpr TnSignature signature = {sizeof(TnSignature), sizeof(TnParam), "f", params, 2, 1, names};
  float x[8], y[8];
  int64_t shape[] = {2, 4}, symbols[1];
  DLTensor tx = {x, {kDLCPU, 0}, 2, f32, shape, nullptr, 0}, ty = {y, {kDLCPU, 0}, 2, f32, shape, nullptr, 0};
  TnValue args[2] = {{TN_DLTENSOR, 0, {0}}, {TN_DLTENSOR, 0, {0}}}, ret;
  args[0].as.p = &tx;
  args[1].as.p = &ty;
  void* data[2];
  for (auto _ : state) benchmark::DoNotOptimize(rt->check_arguments(&signature, args, 2, data, symbols, &ret));
}
BENCHMARK(check_arguments);

void workspace(benchmark::State& state) {
  for (auto _ : state) {
    void* p = rt->workspace_alloc(100'000);
    benchmark::DoNotOptimize(p);
    rt->workspace_free(p);
  }
}
BENCHMARK(workspace);

}  // namespace

BENCHMARK_MAIN();
