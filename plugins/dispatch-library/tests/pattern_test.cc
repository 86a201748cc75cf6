// Patterns against a search that tries everything, on random graphs; and texts of any content against the reader.
#include <graph_pattern/graph_pattern.h>
#include <gtest/gtest.h>
#include <tenon/compiler_session.h>

#include <random>

namespace tenon {
namespace {

struct Operator {
  const char* name;
  size_t operands;
  bool commutative;
};
constexpr Operator kOperators[] = {
    {"add", 2, true}, {"multiply", 2, true}, {"subtract", 2, false}, {"exp", 1, false}, {"nn.relu", 1, false}};

// A graph of values: the first `kInputs` are parameters, each of the others an operator on earlier ones.
constexpr size_t kInputs = 3;
struct Graph {
  struct Value {
    const Operator* op = nullptr;
    std::vector<size_t> operands;
  };
  std::vector<Value> values;
  std::set<size_t> outputs;

  static std::string name(size_t i) { return (i < kInputs ? "x" : "v") + std::to_string(i); }
  std::string text() const {
    std::string out = "@R.function\ndef main(";
    for (size_t i = 0; i < kInputs; ++i) out += (i ? ", " : "") + name(i) + ": R.Tensor((4,), \"float32\")";
    out += "):\n    with R.dataflow():\n";
    std::string results;
    for (size_t i = kInputs; i < values.size(); ++i) {
      out += "        " + name(i) + " = R." + values[i].op->name + "(";
      for (size_t k = 0; k < values[i].operands.size(); ++k) out += (k ? ", " : "") + name(values[i].operands[k]);
      out += ")\n";
      if (outputs.contains(i)) results += (results.empty() ? "" : ", ") + name(i);
    }
    return out + "        R.output(" + results + ")\n    return (" + results + ",)\n";
  }
};

// A pattern as a tree: an operator on two or one more, or a name ("" for `_`).
struct Tree {
  const Operator* op = nullptr;
  std::string name;
  std::vector<Tree> operands;

  std::string text() const {
    if (!op) return name.empty() ? "_" : name;
    std::string out = std::string("R.") + op->name + "(";
    for (size_t k = 0; k < operands.size(); ++k) out += (k ? ", " : "") + operands[k].text();
    return out + ")";
  }
  int commutative() const {
    int n = op && op->commutative ? 1 : 0;
    for (const Tree& t : operands) n += t.commutative();
    return n;
  }
};

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}
  size_t pick(size_t n) { return random_() % n; }

  Graph graph() {
    Graph g;
    g.values.resize(kInputs);
    size_t n = kInputs + 3 + pick(8);
    while (g.values.size() < n) {
      Graph::Value v;
      v.op = &kOperators[pick(std::size(kOperators))];
      // Recent values more often, so that trees grow deep.
      for (size_t k = 0; k < v.op->operands; ++k)
        v.operands.push_back(pick(2) ? g.values.size() - 1 - pick(std::min<size_t>(2, g.values.size()))
                                     : pick(g.values.size()));
      g.values.push_back(v);
    }
    g.outputs.insert(n - 1);
    if (pick(2)) g.outputs.insert(kInputs + pick(n - kInputs));
    return g;
  }

  Tree tree(int depth) {
    Tree t;
    if (depth == 0 || (depth < 3 && pick(3) == 0)) {
      t.name = std::vector<std::string>{"", "a", "b", "c"}[pick(4)];
      return t;
    }
    t.op = &kOperators[pick(std::size(kOperators))];
    for (size_t k = 0; k < t.op->operands; ++k) t.operands.push_back(tree(depth - 1));
    return t;
  }

 private:
  std::mt19937_64 random_;
};

// Every way in which the operands that commute may stand is tried on its own.
class Oracle {
 public:
  Oracle(const Graph& g, const Tree& t) : g_(g), t_(t) {}

  // The sets of values that a match which ends in `root` may consist of.
  std::set<std::set<size_t>> matches(size_t root) {
    std::set<std::set<size_t>> out;
    for (unsigned turns = 0; turns < 1u << t_.commutative(); ++turns) {
      turns_ = turns;
      next_ = 0;
      named_.clear();
      members_.clear();
      leaves_.clear();
      if (fits(t_, root) && is_closed(root)) out.insert(members_);
    }
    return out;
  }

 private:
  bool fits(const Tree& t, size_t value) {
    if (!t.op) {
      leaves_.push_back(value);
      return t.name.empty() || named_.emplace(t.name, value).first->second == value;
    }
    if (g_.values[value].op != t.op) return false;
    members_.insert(value);
    bool turned = t.op->commutative && (turns_ >> next_++ & 1) != 0;
    bool fit = true;
    for (size_t k = 0; k < t.operands.size(); ++k)
      fit = fits(t.operands[k], g_.values[value].operands[turned ? 1 - k : k]) && fit;
    return fit;
  }
  bool is_closed(size_t root) const {
    for (size_t m : members_) {
      if (m == root) continue;
      if (g_.outputs.contains(m)) return false;
      for (size_t i = 0; i < g_.values.size(); ++i)
        for (size_t o : g_.values[i].operands)
          if (o == m && !members_.contains(i)) return false;
    }
    for (size_t leaf : leaves_)
      if (members_.contains(leaf)) return false;
    return true;
  }

  const Graph& g_;
  const Tree& t_;
  unsigned turns_ = 0;
  int next_ = 0;
  std::map<std::string, size_t> named_;
  std::set<size_t> members_;
  std::vector<size_t> leaves_;
};

class Patterns : public ::testing::Test {
 protected:
  Patterns()
      : session_(tn_compiler(), Value()),
        ops_(session_.service<TnHostOps>(TN_HOST_OPS)),
        arith_(session_.service<TnHostArith>(TN_HOST_ARITH)) {}
  const Builder& b() const { return session_.builder(); }

  CompilerSession session_;
  const TnHostOps* ops_;
  const TnHostArith* arith_;
};

TEST_F(Patterns, MatchWhereTryingEverythingDoes) {
  const char* given = std::getenv("TENON_TEST_SEED");
  const uint64_t seed = given ? std::stoull(given) : std::random_device{}();
  std::printf("TENON_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  Generator random(seed);
  size_t matched = 0, refused = 0;
  for (int round = 0; round < 60 && !HasFailure(); ++round) {
    const Graph g = random.graph();
    const Node module = session_.parse(g.text(), "graph.py");
    const auto& main = as_node(*module.to<ir::Module>().functions().find("main")).to<relax::Function>();
    const PatternMatcher matcher(b(), ops_, arith_, main);
    const auto& block = nodes(main.body().to<relax::SeqExpr>().blocks())[0].to<relax::DataflowBlock>();
    for (int k = 0; k < 60; ++k) {
      Tree t = random.tree(3);
      if (!t.op) continue;
      SCOPED_TRACE(g.text() + "pattern " + t.text());
      const GraphPattern pattern = parse_pattern(b(), ops_, {.name = "p", .pattern = t.text()});
      Oracle oracle(g, t);
      for (size_t i = kInputs; i < g.values.size(); ++i) {
        const auto expected = oracle.matches(i);
        const auto found = matcher.match(pattern, nodes(block.bindings())[i - kInputs]);
        ASSERT_EQ(found.has_value(), !expected.empty()) << "at " << Graph::name(i);
        (found ? matched : refused) += 1;
        if (!found) continue;
        std::set<size_t> members;
        for (size_t m = kInputs; m < g.values.size(); ++m)
          for (const Node& n : found->bindings)
            if (n.same_as(nodes(block.bindings())[m - kInputs])) members.insert(m);
        ASSERT_TRUE(expected.contains(members)) << "at " << Graph::name(i);
        ASSERT_EQ(members.size(), found->bindings.size());
      }
    }
  }
  EXPECT_GT(matched, 100u);
  EXPECT_GT(refused, 100u);
}

TEST_F(Patterns, AnyTextIsReadOrRefusedWithItsPlace) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Generator random(seed);
  const std::vector<std::string> words = {"R.add", "relax.nn.relu", "(", ")",  ",", "x",  "_", "const", "[",  "]",
                                          "=",     "axis",          "1", "-1", "'", "\n", "$", ".",     "1e", "R.sum",
                                          "=="};
  size_t refused = 0;
  for (int i = 0; i < 4000; ++i) {
    std::string text = random.pick(2) ? "R.sum(" : "";
    for (size_t n = random.pick(10); n-- > 0;) text += words[random.pick(words.size())] + (random.pick(2) ? " " : "");
    try {
      parse_pattern(b(), ops_, {.name = "p", .pattern = text, .conditions = {"x.ndim == " + text}});
    } catch (const Error& e) {
      ASSERT_TRUE(e.code == TN_ERROR_PARSE || e.code == TN_ERROR_NOT_FOUND) << text << "\n" << e.message;
      ASSERT_NE(e.message.find(", line "), std::string::npos) << text << "\n" << e.message;
      ++refused;
    }
  }
  EXPECT_GT(refused, 3000u);
  std::string deep;
  for (int i = 0; i < 200; ++i) deep += "R.exp(";
  EXPECT_THROW(parse_pattern(b(), ops_, {.name = "p", .pattern = deep}), Error);
}

TEST_F(Patterns, ConditionsHoldWhereTheyAreProven) {
  const Node module = session_.parse(
      "@R.function\ndef main(s: R.Shape([\"n\", \"m\"]), x: R.Tensor((\"n * 4\", 6, \"m\"), \"float32\")):\n    return "
      "x\n",
      "condition.py");
  const auto& main = as_node(*module.to<ir::Module>().functions().find("main")).to<relax::Function>();
  const std::map<std::string, Node> values = {{"x", nodes(main.params())[1]}, {"out", nodes(main.params())[1]}};
  struct Row {
    const char* text;
    bool holds;
  };
  const Row rows[] = {{"x.shape[0] % 4 == 0", true},
                      {"x.shape[0] % 8 == 0", false},
                      {"x.shape[0] >= 0 and x.shape[1] // 4 == 1", true},
                      {"x.shape[2] > 0", false},
                      {"x.shape[2] > 0 or x.shape[2] == 0", true},
                      {"not x.shape[1] == 7", true},
                      {"x.shape[-2] * 2 - 1 == 11", true},
                      {"x.shape[3] == x.shape[3]", false},
                      {"x.ndim == 3 and x.dtype != 'float64'", true},
                      {"static(x)", false},
                      {"contiguous(out) and not constant(x)", true},
                      {"x.shape[1] % 0 == 0", false},
                      {"-x.shape[1] < -5", true},
                      {"x.shape[1] == x.shape[2]", false}};
  for (const Row& row : rows) {
    const GraphPattern p = parse_pattern(b(), ops_, {.name = "p", .pattern = "R.exp(x)", .conditions = {row.text}});
    EXPECT_EQ(condition_holds(b(), arith_, *p.conditions[0], values), row.holds) << row.text;
  }
}

}  // namespace
}  // namespace tenon
