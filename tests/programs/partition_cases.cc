// Random graphs: with their parts as functions of their own, they compute what they computed before.
#include <cmath>
#include <cstdlib>

#include "harness.h"
#include "random_graph.h"

namespace tenon::programs {
namespace {

// Pairs and chains that random graphs hold, without conditions: whatever matches becomes a function.
const std::string kPartition =
    "passes-graph:partition{patterns: ["
    "{name: chain, pattern: 'R.nn.relu(R.add(x, R.multiply(y, z)))'}, "
    "{name: square_sum, pattern: 'R.add(R.multiply(x, x), y)'}, "
    "{name: product_relu, pattern: 'R.nn.relu(R.matmul(x, w))'}, "
    "{name: add_any, pattern: 'R.add(x, y)'}, "
    "{name: multiply_any, pattern: 'R.multiply(x, y)'}, "
    "{name: relu_any, pattern: 'R.nn.relu(x)'}, "
    "{name: transposed_any, pattern: 'R.permute_dims(x)'}, "
    "{name: reshaped_any, pattern: 'R.reshape(x, _)'}]}";

TEST(RandomPartitions, ComputeWhatTheGraphComputes) {
  const char* given = getenv("TENON_TEST_SEED");
  uint64_t seed = given ? std::stoull(given) : std::random_device{}();
  std::printf("TENON_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  size_t made = 0;
  for (const uint64_t last = seed + 6; seed < last && !testing::Test::HasFailure(); ++seed) {
    const bool symbolic = seed % 2 != 0;
    RandomGraph graph(seed, symbolic, 4 + static_cast<int>(seed % 12));
    SCOPED_TRACE("TENON_TEST_SEED=" + std::to_string(seed) + "\n" + graph.text());
    Session session;
    const Node module = session.transform(session.parse_text(graph.text(), "graph.py"), {"passes-graph:normalize"});
    const Node parts = session.transform(module, {kPartition});
    session.verify(parts);
    made += parts.to<ir::Module>().functions().size() - module.to<ir::Module>().functions().size();
    const Map before = session.load_module(module, "eval-interp"), after = session.load_module(parts, "eval-interp"),
              compiled = session.load_module(session.transform(parts, {"cpu"}), "codegen-llvm");
    std::mt19937_64 random(seed);
    for (int64_t n : symbolic ? std::vector<int64_t>{1, 5} : std::vector<int64_t>{1}) {
      std::vector<Tensor<float>> inputs;
      for (Extents shape : graph.inputs()) {
        for (int64_t& d : shape) d = d == 0 ? n : d;
        inputs.emplace_back(shape, random, -1.0F, 1.0F);
      }
      std::vector<Value> args;
      for (Tensor<float>& t : inputs) args.push_back(t.value());
      Results want, interpreted, machine;
      append_floats(invoke(before, "main", args), want);
      append_floats(invoke(after, "main", args), interpreted);
      append_floats(invoke(compiled, "main", args), machine);
      EXPECT_EQ(interpreted, want) << "the same operators in the same order";
      ASSERT_EQ(machine.size(), want.size());
      for (size_t k = 0; k < want.size(); ++k)
        for (size_t i = 0; i < want[k].size(); ++i)
          ASSERT_NEAR(machine[k][i], want[k][i], 2e-4 * (1 + std::fabs(want[k][i]))) << "result " << k;
    }
  }
  if (!given) { EXPECT_GT(made, 0u) << "no graph was partitioned at all"; }
}

}  // namespace
}  // namespace tenon::programs
