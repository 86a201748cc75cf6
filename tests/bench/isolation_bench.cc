// What it costs to run a plugin in another process: starting it anew after a fault, a call that changes nothing, and a
// whole compile.
#include <benchmark/benchmark.h>
#include <tenon/compiler_session.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

namespace {

using namespace tenon;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// A session that isolates: every plugin, or none.
struct Isolating {
  explicit Isolating(bool isolate) : b(tn_compiler()->runtime, nullptr), session(tn_compiler(), options(isolate)) {}
  Value options(bool isolate) const {
    return Value(b.map({{"plugin_dirs", Value(b.array({b.string(SABOTAGE_PLUGINS)}))},
                        {"isolate", Value(isolate)},
                        {"isolation", Value(b.map({{"repro_dir", b.string("/tmp/tenon-bench-repro")}}))}}));
  }
  Node run(const Node& module, const char* stage) {
    Map options = b.map({{"verify", Value(false)}});
    return as_node(*session.run_pipeline(module, Value(b.array({b.string(stage)})), Value(options)).find("module"));
  }
  Builder b;
  CompilerSession session;
};

// sabotage-pass does what this file says, and nothing otherwise.
void will(const char* text) {
  static const std::string file = "/tmp/tenon-bench-deed-" + std::to_string(getpid());
  setenv("TENON_SABOTAGE", file.c_str(), 1);
  std::ofstream(file) << text;
}

constexpr std::string_view kSmall =
    "@T.prim_func\ndef main(A: T.Buffer((4,), \"int32\")):\n    for i in range(4):\n        A[i] = i\n";

// From the call after a crash to its answer: a process is started, a plugin opened, a call made.
void respawn(benchmark::State& state) {
  will("");
  Isolating host(true);
  Node module = host.session.parse(kSmall, "small.py");
  for (auto _ : state) {
    will("call segv sabotage-pass");
    try {
      host.run(module, "sabotage-pass:act");
      state.SkipWithError("the plugin did not crash");
    } catch (const Error&) {}
    will("");
    auto start = Clock::now();
    if (!host.run(module, "sabotage-pass:act").same_as(module)) state.SkipWithError("the module changed");
    state.SetIterationTime(seconds_since(start));
  }
}
BENCHMARK(respawn)->UseManualTime()->Iterations(20)->Unit(benchmark::kMillisecond);

// 10,000 operators and 256 constants of 4 MiB.
Node large_module(Isolating& host) {
  constexpr int kConstants = 256, kOps = 10'000;
  const Builder& b = host.session.builder();
  std::vector<float> data(1 << 20);
  int64_t shape[] = {1024, 1024};
  std::vector<std::string> digests;
  for (int i = 0; i < kConstants; ++i) {
    data[0] = static_cast<float>(i);
    DLTensor t{data.data(), {kDLCPU, 0}, 2, kFloat32, shape, nullptr, 0};
    Value c = call([&](TnValue* ret) { return b.ir()->constant(b.ir()->self, &t, ret); });
    digests.emplace_back(reinterpret_cast<const TnConstant*>(c.raw().as.object)->digest);
  }
  std::string text = "@R.function\ndef main(x0: R.Tensor((1024, 1024), \"float32\")):\n";
  for (int i = 0; i < kOps; ++i)
    text += "    x" + std::to_string(i + 1) + " = R.add(x" + std::to_string(i) + ", I.constant(I.data(\"" +
            digests[static_cast<size_t>(i % kConstants)] + "\"), R.Tensor((1024, 1024), \"float32\")))\n";
  return host.session.parse(text + "    return x" + std::to_string(kOps) + "\n", "large.py");
}

// The module with another operator in the binding of this number: what a pass in the middle of a pipeline is given
// after one before it has changed something.
Node with_one_changed(Isolating& host, const Node& module, size_t number) {
  const Builder& b = host.session.builder();
  size_t met = 0;
  return as_node(b.rewrite(Value(module), [&](const Node&, const Node& rebuilt) -> Value {
    if (!rebuilt.is<relax::VarBinding>() || met++ != number) return {};
    Node multiply = b.make<ir::Op>({Value(), "relax.multiply"});
    Node changed = b.with(rebuilt.to<relax::VarBinding>().value(), ir::CallSlot::op, Value(multiply));
    return Value(b.with(rebuilt, relax::VarBindingSlot::value, Value(changed)));
  }));
}

enum Given : int64_t { kFirst, kSame, kChanged };
constexpr const char* kGiven[] = {"first call of a process", "the same module again", "one binding of it changed"};

// Identity over a module of 10,000 operators and 1 GB of constants, as the one who asks for the pass sees it.
void identity_pass(benchmark::State& state) {
  will("");
  const bool isolate = state.range(0) != 0;
  const int64_t given = state.range(1);
  Isolating host(isolate);
  Node module = large_module(host);
  Node small = host.session.parse(kSmall, "small.py");
  host.run(small, "sabotage-pass:act");
  if (given != kFirst) host.run(module, "sabotage-pass:act");
  size_t number = 0;
  for (auto _ : state) {
    if (isolate && given == kFirst) {
      will("call segv sabotage-pass");
      try {
        host.run(small, "sabotage-pass:act");
      } catch (const Error&) {}
      will("");
      host.run(small, "sabotage-pass:act");
    }
    if (given == kChanged) module = with_one_changed(host, module, number += 97);
    auto start = Clock::now();
    if (!host.run(module, "sabotage-pass:act").same_as(module)) state.SkipWithError("the module changed");
    state.SetIterationTime(seconds_since(start));
  }
  state.SetLabel(kGiven[given]);
}
BENCHMARK(identity_pass)
    ->ArgNames({"isolated", "given"})
    ->ArgsProduct({{0, 1}, {kFirst, kSame, kChanged}})
    ->UseManualTime()
    ->Iterations(10)
    ->Unit(benchmark::kMillisecond);

// The digits model from its file to an artifact; every plugin isolated, in processes that are started for it, or none.
void compile_digits(benchmark::State& state) {
  will("");
  for (auto _ : state) {
    auto start = Clock::now();
    Isolating host(state.range(0) != 0);
    Node model = host.session.import_model(DIGITS, Value());
    Map lowered = host.session.run_pipeline(model, host.b.string("cpu"), Value());
    host.session.compile(as_node(*lowered.find("module")), "/tmp/tenon-bench-digits.so", Value());
    state.SetIterationTime(seconds_since(start));
  }
}
BENCHMARK(compile_digits)
    ->ArgName("isolated")
    ->Arg(0)
    ->Arg(1)
    ->UseManualTime()
    ->Iterations(5)
    ->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
