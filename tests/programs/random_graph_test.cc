// Random graphs: fused, merged, inlined, scheduled and compiled, they compute what the interpreter makes of the graph.
#include "random_graph.h"

#include <cmath>
#include <cstdlib>

#include "harness.h"

namespace tenon::programs {
namespace {

Results results(const Map& functions, std::vector<Tensor<float>>& inputs) {
  std::vector<Value> args;
  for (Tensor<float>& t : inputs) args.push_back(t.value());
  Results out;
  append_floats(invoke(functions, "main", args), out);
  return out;
}

void expect_near(const Results& got, const Results& expected, const std::string& form) {
  SCOPED_TRACE(form);
  ASSERT_EQ(got.size(), expected.size());
  for (size_t k = 0; k < got.size(); ++k) {
    ASSERT_EQ(got[k].size(), expected[k].size());
    for (size_t i = 0; i < got[k].size(); ++i)
      ASSERT_NEAR(got[k][i], expected[k][i], 2e-4 * (1 + std::fabs(expected[k][i])))
          << "result " << k << ", element " << i;
  }
}

// Compares every form of a graph with the graph itself; returns how many functions were fused.
size_t compare(const RandomGraph& graph, bool symbolic, uint64_t seed) {
  Session session;
  const Node module = session.transform(session.parse_text(graph.text(), "graph.py"), {"passes-graph:normalize"});
  const Node merged = session.transform(module, {"passes-graph:legalize", "passes-graph:fuse",
                                                 "passes-graph:merge-fused", "passes-loop:inline-elementwise"});
  size_t fused = 0;
  for (const Map::Entry& e : merged.to<ir::Module>().functions()) fused += e.key().substr(0, 6) == "fused_" ? 1 : 0;
  const Node called =
      session.transform(module, {"passes-graph:legalize", "passes-graph:fuse", "passes-graph:lower-to-host"});
  const Node lowered = session.transform(module, {"cpu"});
  const Map expected = session.load_module(module, "eval-interp"), inlined = session.load_module(merged, "eval-interp"),
            unmerged = session.load_module(called, "eval-interp"),
            compiled = session.load_module(lowered, "codegen-llvm");
  std::mt19937_64 random(seed);
  for (int64_t n : symbolic ? std::vector<int64_t>{1, 3, 8} : std::vector<int64_t>{1}) {
    std::vector<Tensor<float>> inputs;
    for (Extents shape : graph.inputs()) {
      for (int64_t& d : shape) d = d == 0 ? n : d;
      inputs.emplace_back(shape, random, -1.0F, 1.0F);
    }
    const Results want = results(expected, inputs);
    expect_near(results(inlined, inputs), want, "fused and interpreted, n=" + std::to_string(n));
    expect_near(results(unmerged, inputs), want, "fused functions as host functions, n=" + std::to_string(n));
    expect_near(results(compiled, inputs), want, "compiled, n=" + std::to_string(n));
  }
  return fused;
}

TEST(RandomGraphs, FusedAndCompiledComputeWhatTheGraphComputes) {
  const char* given = getenv("TENON_TEST_SEED");
  uint64_t seed = given ? std::stoull(given) : std::random_device{}();
  std::printf("TENON_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  const char* rounds = getenv("TENON_TEST_ROUNDS");
  const uint64_t last = seed + (rounds ? std::stoull(rounds) : 24);
  size_t fused = 0;
  for (; seed < last && !testing::Test::HasFailure(); ++seed) {
    const bool symbolic = seed % 2 != 0;
    RandomGraph graph(seed, symbolic, 4 + static_cast<int>(seed % 12));
    SCOPED_TRACE("TENON_TEST_SEED=" + std::to_string(seed) + "\n" + graph.text());
    try {
      fused += compare(graph, symbolic, seed);
    } catch (const Error& e) { ADD_FAILURE() << e.message << "\n  at " << e.where; }
  }
  if (!rounds) { EXPECT_GT(fused, 0u) << "no graph was fused at all"; }
}

}  // namespace
}  // namespace tenon::programs
