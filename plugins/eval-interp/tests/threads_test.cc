// One loaded function, called from many threads at once, after its module is gone.
#include <atomic>
#include <thread>

#include "support.h"

namespace tenon::test {
namespace {

// out[i] = sum over j of A[i, j] * j, through a workspace; A (n, m).
Node weighted_sums() {
  const Builder& b = builder();
  Node n = b.var("n"), m = b.var("m"), i = b.var("i"), j = b.var("j"), k = b.var("k");
  Node a = b.buffer("A", kFloat32, b.array({n, m})), out = b.buffer("out", kFloat32, b.array({n}));
  Node work = b.buffer("work", kFloat32, b.array({m}));
  Node fill = b.loop(j, m, b.store(work, b.array({j}), b.mul(b.load(a, b.array({i, j})), b.cast(j, kFloat32))));
  Node sum = b.loop(k, m, b.store(out, b.array({i}), b.add(b.load(out, b.array({i})), b.load(work, b.array({k})))));
  Node alloc = b.make<tir::AllocBuffer>({b.map({}), work});
  return prim_func({a, out},
                   b.loop(i, n, b.seq({alloc, b.store(out, b.array({i}), b.real(0)), fill, sum}), TN_FOR_PARALLEL));
}

TEST(Threads, CallTheSameFunction) {
  Value f = load_one(weighted_sums());
  constexpr int64_t n = 7, m = 40;
  Tensor<float> a({n, m});
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i % 17) * 0.37f;
  Tensor<float> expected({n});
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j < m; ++j) expected[i] += a[i * m + j] * static_cast<float>(j);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 16; ++t)
    threads.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        Tensor<float> input({n, m}, a.data()), out({n});
        invoke(f, {input.value(), out.value()});
        if (out.data() != expected.data()) ++wrong;
      }
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace tenon::test
