// Random facts about loops with symbolic extents: what the analyzer proves of them is true. The seed is printed;
// TENON_SEED sets it, TENON_EXPRESSIONS ten times the number.
#include <cstdio>
#include <random>

#include "arith/evaluate.h"
#include "arith/test_support.h"

namespace tenon {
namespace {

using test::Assignment;
using test::evaluate;
using test::setting;

// Sums and products over loops with symbolic extents, and random facts about them: what is proven is true.
TEST(RandomProofs, AreTrue) {
  int64_t seed = setting("TENON_SEED", static_cast<int64_t>(std::random_device{}()));
  int64_t count = setting("TENON_EXPRESSIONS", 100'000) / 10, proven = 0, checked = 0;
  std::printf("TENON_SEED=%lld\n", static_cast<long long>(seed));
  for (int64_t round = 0; round < count; ++round) {
    std::mt19937_64 random(static_cast<uint64_t>(seed + round));
    auto below = [&](uint64_t n) { return static_cast<int64_t>(random() % n); };
    test::Workbench w;
    static const char* const givens[] = {"n >= 1",
                                         "m >= 1",
                                         "n >= 0; m >= 0",
                                         "n in 8; m in 1..6",
                                         "n % 4 == 0",
                                         "m % 3 == 1",
                                         "n <= m",
                                         "n == 2*m",
                                         "i < j",
                                         "i + j < n",
                                         "2*i <= m + j",
                                         "i*2 + j < 7",
                                         "n // 2 < m",
                                         "i*m + j < n",
                                         "k >= m",
                                         "!(i < 3) || p",
                                         "n == 4*(n // 4)",
                                         "i != 2",
                                         "min(n, m) >= 2",
                                         "max(i, j) < n",
                                         "i // 2 == j",
                                         "n*m >= 4 && i + k > 1",
                                         "(n + 3) // 4 <= m",
                                         "j == m - 1"};
    static const char* const loops[] = {"i in n",    "j in m",     "k in n*m",       "k in (n + 3) // 4",
                                        "i in m..n", "j in i",     "k in min(n, m)", "i in 4",
                                        "j in 3",    "k in n // 2"};
    std::string given, bound;
    for (int64_t c = below(4); c > 0; --c) given += givens[below(std::size(givens))] + std::string(";");
    for (int64_t c = below(4); c > 0; --c) given += loops[below(std::size(loops))] + std::string(";");
    for (int64_t c = below(2); c > 0; --c) given += givens[below(std::size(givens))] + std::string(";");
    w.given(given);
    static const char* const atoms[] = {"i",
                                        "j",
                                        "k",
                                        "n",
                                        "m",
                                        "i*m",
                                        "j*n",
                                        "n*m",
                                        "i*m*n",
                                        "i // 2",
                                        "n // 4",
                                        "(n + 3) // 4",
                                        "n % 4",
                                        "j % 3",
                                        "min(i, m)",
                                        "max(n, 2*m)",
                                        "(i*m + j) // m",
                                        "select(i < j, i, j)",
                                        "k // m",
                                        "k % m",
                                        "k*4",
                                        "1"};
    std::string condition;
    for (int64_t c = 1 + below(5); c > 0; --c)
      condition +=
          (condition.empty() ? "" : " + ") + std::to_string(below(9) - 4) + "*(" + atoms[below(std::size(atoms))] + ")";
    static const char* const ends[] = {" >= 0", " > 0", " <= 0", " < n", " < n*m", " != 0", " <= m", " >= 0 - n"};
    condition += ends[below(std::size(ends))];
    Node c = w.parse(condition);
    bool yes = w.analyzer.can_prove(c);
    Node s = w.analyzer.simplify(c);
    proven += yes;
    // The ranges and conditions, as one condition on the values.
    std::vector<Node> must;
    for (size_t at = 0; at < given.size();) {
      size_t end = given.find(';', at);
      std::string item = given.substr(at, end - at);
      at = end + 1;
      while (!item.empty() && item[0] == ' ') item.erase(0, 1);
      size_t in = item.find(" in ");
      if (in == std::string::npos) {
        must.push_back(w.parse(item));
        continue;
      }
      std::string name = item.substr(0, in), range = item.substr(in + 4), low = "0";
      if (size_t dots = range.find(".."); dots != std::string::npos)
        low = range.substr(0, dots), range = range.substr(dots + 2);
      must.push_back(w.parse(name + " >= " + low + " && " + name + " < " + range));
    }
    for (int sample = 0; sample < 60; ++sample) {
      Assignment a;
      for (const char* name : {"n", "m", "i", "j", "k"})
        a[w.var(name).get()] = sample % 4 == 0 ? below(25) - 8 : below(8);
      a[w.var("p").get()] = below(2);
      bool allowed = true;
      for (const Node& p : must) allowed = allowed && evaluate(p, a, {}) == std::optional<int64_t>(1);
      if (!allowed) continue;
      auto value = evaluate(c, a, {});
      if (!value) continue;
      ++checked;
      std::string words = condition + " given " + given + " became " + w.print(s) + " at";
      for (const char* name : {"n", "m", "i", "j", "k"})
        words += std::string(" ") + name + "=" + std::to_string(a[w.var(name).get()]);
      ASSERT_TRUE(!yes || *value == 1) << words << "\nTENON_SEED=" << seed + round;
      ASSERT_EQ(evaluate(s, a, {.wrap_index = true}), value) << words << "\nTENON_SEED=" << seed + round;
    }
  }
  std::printf("%lld conditions, %lld proven, %lld values checked\n", static_cast<long long>(count),
              static_cast<long long>(proven), static_cast<long long>(checked));
  EXPECT_GT(proven * 50, count);
}

}  // namespace
}  // namespace tenon
