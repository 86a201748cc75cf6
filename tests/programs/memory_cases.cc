// The memory plan: a chain needs a fraction of its intermediates' memory, whatever its batch; random programs compute
// the same with and without a plan, and no two buffers that are alive together overlap.
#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <set>

#include "harness.h"

namespace tenon::programs {
namespace {

const std::vector<std::string> kFusion = {"passes-graph:fuse", "passes-graph:merge-fused"};

// The stages of the graph level, up to the plan or without it.
std::vector<std::string> stages(bool fused, const std::string& plan) {
  std::vector<std::string> out = {"passes-graph:normalize", "passes-graph:eliminate-dead", "passes-graph:legalize"};
  if (fused) out.insert(out.end(), kFusion.begin(), kFusion.end());
  out.push_back("passes-graph:lower-to-host");
  if (!plan.empty()) out.push_back(plan);
  out.push_back("passes-graph:remove-unused-functions");
  return out;
}
std::vector<std::string> loop_stages() {
  return {"passes-loop:sink-spatial", "passes-loop:decompose-reduction", "passes-loop:lower-match-buffers",
          "passes-loop:lower-blocks", "passes-loop:simplify"};
}

const tir::PrimFunc& function_of(const Node& module, const char* name) {
  return as_node(*module.to<ir::Module>().functions().find(name)).to<tir::PrimFunc>();
}

using Env = std::map<const TnNode*, int64_t>;

int64_t evaluate(const Node& e, const Env& env) {
  auto a = [&] { return evaluate(as_node(e.slot(1)), env); };
  auto b = [&] { return evaluate(as_node(e.slot(2)), env); };
  switch (e.kind()) {
    case TN_KIND_ir_IntImm: return e.to<ir::IntImm>().value();
    case TN_KIND_ir_Var: return env.at(e.get());
    case TN_KIND_tir_Add: return a() + b();
    case TN_KIND_tir_Sub: return a() - b();
    case TN_KIND_tir_Mul: return a() * b();
    case TN_KIND_tir_FloorDiv: return a() / b();  // never negative here
    case TN_KIND_tir_Max: return std::max(a(), b());
    case TN_KIND_tir_Min: return std::min(a(), b());
    default: throw Error(TN_ERROR_INTERNAL, "an expression of kind " + std::to_string(e.kind()));
  }
}

// Follows one host function for given dimensions: when each buffer of the arena is used, and where it lies.
class ArenaCheck {
 public:
  ArenaCheck(const Session& session, const Node& module, const char* function, int64_t n)
      : b_(session.builder()), module_(module) {
    const tir::PrimFunc& f = function_of(module, function);
    b_.walk(Value(b_.array_value(f.params())), [&](const Node& p) {
      if (const auto* buffer = p.as<tir::Buffer>())
        for (const Node& d : nodes(buffer->shape()))
          if (d.is<ir::Var>()) env_[d.get()] = n;
    });
    visit(f.body());
  }

  int64_t arena_bytes() const { return arena_bytes_; }
  size_t buffers() const { return buffers_.size(); }

  // What is wrong, or nothing.
  std::string complaint() {
    struct Tenant {
      const Use* first;
      int64_t begin, end;
      int from, until;
    };
    std::vector<Tenant> tenants;
    std::vector<const Use*> order;
    for (const auto& [node, use] : buffers_)
      if (!use.times.empty()) order.push_back(&use);
    std::sort(order.begin(), order.end(), [](const Use* x, const Use* y) { return x->times[0] < y->times[0]; });
    for (const Use* u : order) {
      if (u->begin < 0 || u->end > arena_bytes_) return u->name + " leaves the arena";
      if (u->first_is_write) {
        if (u->begin % 64 != 0) return u->name + " is not aligned";
        tenants.push_back({u, u->begin, u->end, u->times[0], u->times.back()});
        continue;
      }
      // Read before it is written: a view of what was put there last.
      Tenant* owner = nullptr;
      for (Tenant& t : tenants)
        if (t.begin <= u->begin && u->end <= t.end && (!owner || t.from > owner->from)) owner = &t;
      if (!owner) return u->name + " is read where nothing was written";
      owner->until = std::max(owner->until, u->times.back());
    }
    for (size_t i = 0; i < tenants.size(); ++i)
      for (size_t k = 0; k < i; ++k) {
        const Tenant &x = tenants[i], &y = tenants[k];
        if (x.begin < y.end && y.begin < x.end && x.from <= y.until && y.from <= x.until)
          return x.first->name + " and " + y.first->name + " are alive together and overlap";
      }
    return "";
  }

 private:
  struct Use {
    std::string name;
    int64_t begin = 0, end = 0;
    std::vector<int> times;
    bool first_is_write = false;
  };

  void visit(const Node& s) {
    if (const auto* seq = s.as<tir::Seq>()) {
      for (const Node& c : nodes(seq->stmts())) visit(c);
    } else if (const auto* branch = s.as<tir::IfThenElse>()) {
      visit(branch->then_case());
      if (!branch->else_case().is_none()) visit(as_node(branch->else_case()));
    } else if (const auto* bind = s.as<tir::Bind>()) {
      env_[bind->var().get()] = evaluate(bind->value(), env_);
    } else if (const auto* alloc = s.as<tir::AllocBuffer>()) {
      if (!alloc->annotations().find("tenon.arena")) return;
      arena_ = alloc->buffer();
      arena_bytes_ = evaluate(nodes(arena_.to<tir::Buffer>().shape())[0], env_);
    } else if (const auto* decl = s.as<tir::DeclBuffer>()) {
      if (arena_ && decl->data().same_as(arena_)) declare(decl->buffer().to<tir::Buffer>());
    } else {
      use(s);
    }
  }
  void declare(const tir::Buffer& buffer) {
    Use u;
    u.name = buffer.name();
    int64_t bytes = dtype_bytes(buffer.dtype());
    u.begin = buffer.elem_offset().is_none() ? 0 : evaluate(as_node(buffer.elem_offset()), env_) * bytes;
    for (const Node& d : nodes(buffer.shape())) bytes *= evaluate(d, env_);
    u.end = u.begin + bytes;
    buffers_[buffer.get()] = u;
  }
  void use(const Node& s) {
    const int time = time_++;
    std::set<const TnNode*> written;
    b_.walk(Value(s), [&](const Node& n) {
      if (const auto* store = n.as<tir::BufferStore>()) written.insert(store->buffer().get());
      const auto* call = n.as<ir::Call>();
      if (!call) return;
      NodeRange args = nodes(call->args());
      const auto* callee = call->op().as<ir::GlobalVar>();
      for (size_t i = 0; i < args.size(); ++i)
        if (!callee || stores_into(std::string(callee->name()), i)) written.insert(args[i].get());
    });
    b_.walk(Value(s), [&](const Node& n) {
      auto it = buffers_.find(n.get());
      if (it == buffers_.end()) return;
      if (it->second.times.empty()) it->second.first_is_write = written.count(n.get()) != 0;
      it->second.times.push_back(time);
    });
  }
  bool stores_into(const std::string& callee, size_t param) {
    const tir::PrimFunc& f = function_of(module_, callee.c_str());
    bool found = false;
    b_.walk(f.body(), [&](const Node& n) {
      const auto* store = n.as<tir::BufferStore>();
      found = found || (store && store->buffer().same_as(nodes(f.params())[param]));
    });
    return found;
  }

  const Builder& b_;
  Node module_, arena_;
  Env env_;
  int64_t arena_bytes_ = 0;
  std::map<const TnNode*, Use> buffers_;
  int time_ = 0;
};

class MemoryPlans : public ::testing::Test {
 protected:
  MemoryPlans() : seed_(std::random_device{}()), random_(seed_) {}
  void TearDown() override {
    if (HasFailure()) std::printf("seed %llu\n", static_cast<unsigned long long>(seed_));
  }
  static std::vector<float> floats(const Value& v) {
    const DLTensor& t = reinterpret_cast<const TnTensor*>(v.raw().as.object)->tensor;
    const int64_t n = std::accumulate(t.shape, t.shape + t.ndim, int64_t{1}, std::multiplies<>());
    const auto* data = reinterpret_cast<const float*>(static_cast<const char*>(t.data) + t.byte_offset);
    return {data, data + n};
  }
  uint64_t seed_;
  std::mt19937_64 random_;
};

// ---- A chain of twenty operators ---------------------------------------------------------------------------------

// x (n, 12, 4) through products with w (4, 4), each followed by what fusion may take along.
std::string chain_of_twenty() {
  std::string text =
      "@I.ir_module\nclass Module:\n    @R.function\n    def main(x: R.Tensor((\"n\", 12, 4), \"float32\"), w: "
      "R.Tensor((4, 4), \"float32\")) -> R.Tensor((\"n\", 12, 4), \"float32\"):\n        n = T.int64()\n        with "
      "R.dataflow():\n            v0 = R.matmul(x, w)\n";
  for (int i = 1; i < 20; ++i) {
    std::string from = "v" + std::to_string(i - 1);
    const std::string steps[] = {"R.tanh(" + from + ")", "R.matmul(" + from + ", w)", "R.nn.softmax(" + from + ")",
                                 "R.matmul(" + from + ", w)"};
    text += "            v" + std::to_string(i) + " = " + steps[i % 4] + "\n";
  }
  return text + "            R.output(v19)\n        return v19\n";
}

TEST_F(MemoryPlans, AChainOfTwentyTakesAFifth) {
  Session session;
  const Node chain = session.parse_text(chain_of_twenty(), "chain.py");
  for (bool fused : {false, true}) {
    const Node planned = session.transform(chain, stages(fused, "passes-graph:plan-memory"));
    const Node separate =
        session.transform(chain, stages(fused, "passes-graph:plan-memory{reuse: false, views: false}"));
    for (int64_t n : {1, 7, 64}) {
      ArenaCheck with(session, planned, "main_body", n), without(session, separate, "main_body", n);
      EXPECT_EQ(with.complaint(), "");
      EXPECT_EQ(without.complaint(), "");
      EXPECT_GE(without.buffers(), fused ? 10u : 19u);
      EXPECT_GT(without.arena_bytes(), 0);
      EXPECT_LE(5 * with.arena_bytes(), without.arena_bytes()) << "batch " << n << (fused ? ", fused" : "");
    }
  }
}

TEST_F(MemoryPlans, OneArtifactOfTheChainIsRightForEveryBatch) {
  Session session;
  const Node chain = session.parse_text(chain_of_twenty(), "chain.py");
  const Map functions = session.load_artifact(session.transform(chain, {"cpu"}));
  Tensor<float> w({4, 4}, random_, -1, 1);
  for (int64_t n : {1, 7, 64, 1}) {
    Tensor<float> x({n, 12, 4}, random_, -1, 1);
    std::vector<double> v(x.data().begin(), x.data().end());
    auto product = [&] {
      std::vector<double> out(v.size());
      for (size_t row = 0; row < v.size() / 4; ++row)
        for (size_t j = 0; j < 4; ++j)
          for (size_t k = 0; k < 4; ++k) out[row * 4 + j] += v[row * 4 + k] * w[k * 4 + j];
      v = out;
    };
    product();
    for (int i = 1; i < 20; ++i) {
      if (i % 4 == 0) {
        for (double& e : v) e = std::tanh(e);
      } else if (i % 4 == 2) {
        for (size_t row = 0; row < v.size() / 4; ++row) {
          double sum = 0;
          for (size_t k = 0; k < 4; ++k) sum += std::exp(v[row * 4 + k]);
          for (size_t k = 0; k < 4; ++k) v[row * 4 + k] = std::exp(v[row * 4 + k]) / sum;
        }
      } else {
        product();
      }
    }
    const std::vector<float> got = floats(invoke(functions, "main", {x.value(), w.value()}));
    ASSERT_EQ(got.size(), v.size());
    for (size_t i = 0; i < v.size(); ++i) ASSERT_NEAR(got[i], v[i], 1e-5) << "batch " << n << ", element " << i;
  }
}

// ---- Sizes that cannot be ----------------------------------------------------------------------------------------

TEST_F(MemoryPlans, SizesBeyondTheMachineAreErrors) {
  Session session;
  const Node module = session.parse_text(
      "@I.ir_module\nclass Module:\n    @R.function\n    def main(x: R.Tensor((\"n\", \"k\"), \"float32\"), y: "
      "R.Tensor((\"k\", \"m\"), \"float32\")):\n        product = R.matmul(x, y)\n        sums = R.sum(product, "
      "axis=[1])\n        return sums\n",
      "outer.py");
  const Map planned = session.load_module(session.transform(module, {"cpu"}), "codegen-llvm");
  std::vector<std::string> unplanned_stages = stages(true, "");
  for (const std::string& s : loop_stages()) unplanned_stages.push_back(s);
  const Map unplanned = session.load_module(session.transform(module, unplanned_stages), "codegen-llvm");
  auto code_of = [&](const Map& functions, int64_t n, int64_t m) {
    Tensor<float> x({n, 0}), y({0, m});
    try {
      invoke(functions, "main", {x.value(), y.value()});
      return 0;
    } catch (const Error& e) {
      EXPECT_NE((e.message + e.where).find("main"), std::string::npos) << e.message << " at " << e.where;
      return e.code;
    }
  };
  EXPECT_EQ(code_of(planned, 3, 5), 0);
  EXPECT_EQ(code_of(planned, int64_t{1} << 32, int64_t{1} << 31), TN_ERROR_CHECK_FAILED);   // the product wraps around
  EXPECT_EQ(code_of(planned, int64_t{1} << 24, int64_t{1} << 23), TN_ERROR_OUT_OF_MEMORY);  // 512 TiB
  EXPECT_EQ(code_of(unplanned, int64_t{1} << 32, int64_t{1} << 31), TN_ERROR_LIMIT);
  EXPECT_EQ(code_of(unplanned, int64_t{1} << 24, int64_t{1} << 23), TN_ERROR_OUT_OF_MEMORY);
}

// ---- Random programs ---------------------------------------------------------------------------------------------

// Values of several shapes, used several times, in branches, changed in place, reshaped.
class RandomProgram {
 public:
  explicit RandomProgram(std::mt19937_64& random) : random_(random) {
    pool_[0] = {"x"};
    for (int i = 0; i < 24; ++i) step(8, true);
    std::string last = new_name();
    add(8, last + " = R.tanh(" + pick(0) + ")");
    std::vector<std::string> out = {last};
    for (int shape : {0, 1, 2})
      if (!pool_[static_cast<size_t>(shape)].empty() && pick(shape) != "x") {
        std::string v = new_name();
        add(8, v + " = R.nn.relu(" + pick(shape) + ")");
        out.push_back(v);
      }
    add(8, "return (" +
               std::accumulate(out.begin() + 1, out.end(), out[0], [](auto a, auto b) { return a + ", " + b; }) + ",)");
  }
  std::string text() const {
    return "@I.ir_module\nclass Module:\n"
           "    @T.prim_func(private=True)\n"
           "    def bump(x: T.handle):\n"
           "        n = T.int64()\n"
           "        X = T.match_buffer(x, (n, 8), \"float32\")\n"
           "        for i, j in T.grid(n, 8):\n"
           "            X[i, j] = X[i, j] + T.float32(0.5)\n\n"
           "    @R.function(pure=False)\n"
           "    def main(x: R.Tensor((\"n\", 8), \"float32\"), w: R.Tensor((8, 8), \"float32\"), flag: R.Tensor((), "
           "\"bool\")):\n"
           "        n = T.int64()\n        cls = Module\n" +
           body_;
  }

 private:
  static constexpr int kShapes = 4;
  static const char* shape(int s) {
    constexpr const char* kText[kShapes] = {"n, 8", "n * 8", "n * 2, 4", "n, 2, 4"};
    return kText[s];
  }
  int draw(int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }
  std::string new_name() { return "v" + std::to_string(names_++); }
  const std::string& pick(int s) {
    return pool_[static_cast<size_t>(s)]
                [static_cast<size_t>(draw(static_cast<int>(pool_[static_cast<size_t>(s)].size())))];
  }
  void add(int indent, const std::string& line) {
    body_ += std::string(static_cast<size_t>(indent), ' ') + line + "\n";
  }

  void step(int indent, bool branches) {
    int s = draw(kShapes);
    while (pool_[static_cast<size_t>(s)].empty()) s = draw(kShapes);
    const std::string a = pick(s), b = pick(s), v = new_name();
    switch (draw(branches ? 8 : 6)) {
      case 0: add(indent, v + " = R.nn.relu(" + a + ")"); break;
      case 1: add(indent, v + " = R.tanh(R.add(" + a + ", " + b + "))"); break;
      case 2: add(indent, v + " = R.multiply(" + a + ", R.sigmoid(" + b + "))"); break;
      case 3:
      case 4: {
        int to = draw(kShapes);
        add(indent, v + " = R.reshape(" + a + ", R.shape([" + shape(to) + "]))");
        s = to;
        break;
      }
      case 5:
        s = 0;
        add(indent, v + " = R.tanh(R.matmul(" + pick(0) + ", w))");
        break;
      case 6: {
        // A fresh value changed where it lies: a reshape of another, or one of which a reshape is kept.
        int from = draw(kShapes);
        while (pool_[static_cast<size_t>(from)].empty()) from = draw(kShapes);
        const std::string fresh = new_name();
        if (draw(2)) {
          add(indent, fresh + " = R.reshape(" + pick(from) + ", R.shape([n, 8]))");
        } else {
          const std::string kept = new_name();
          const int to = draw(kShapes);
          add(indent, fresh + " = R.tanh(" + pick(0) + ")");
          add(indent, kept + " = R.reshape(" + fresh + ", R.shape([" + shape(to) + "]))");
          pool_[static_cast<size_t>(to)].push_back(kept);
        }
        add(indent, v + " = R.call_tir_inplace(cls.bump, (" + fresh +
                        ",), inplace_indices=[0], out_ty=R.Tensor((n, 8), \"float32\"))");
        s = 0;
        break;
      }
      default: {
        auto outer = pool_;
        for (const char* head : {"if flag:", "else:"}) {
          add(indent, head);
          for (int i = draw(3); i > 0; --i) step(indent + 4, false);
          add(indent + 4, v + " = R.add(" + pick(s) + ", " + pick(s) + ")");
          pool_ = outer;
        }
        break;
      }
    }
    pool_[static_cast<size_t>(s)].push_back(v);
  }

  std::mt19937_64& random_;
  std::array<std::vector<std::string>, kShapes> pool_;
  std::string body_;
  int names_ = 0;
};

std::vector<Value> fields(const Value& result) {
  std::vector<Value> out;
  for (const Value& f : result.ref<Array>()) out.push_back(f);
  return out;
}

TEST_F(MemoryPlans, RandomProgramsComputeTheSameWithAPlan) {
  size_t shared = 0;
  for (int round = 0; round < 8; ++round) {
    const std::string text = RandomProgram(random_).text();
    SCOPED_TRACE(text);
    Session session;
    const Node module = session.parse_text(text, "random.py");
    const bool fused = round % 2 == 1;
    const Node planned = session.transform(module, stages(fused, "passes-graph:plan-memory"));
    const Node unplanned = session.transform(module, stages(fused, ""));
    const Node separate =
        session.transform(module, stages(fused, "passes-graph:plan-memory{reuse: false, views: false}"));
    for (int64_t n : {1, 3, 17}) {
      ArenaCheck check(session, planned, "main_body", n), apart(session, separate, "main_body", n);
      ASSERT_EQ(check.complaint(), "") << session.print(planned);
      ASSERT_EQ(apart.complaint(), "");
      ASSERT_LE(check.arena_bytes(), apart.arena_bytes());
      shared += check.arena_bytes() < apart.arena_bytes();
    }
    const Map reference = session.load_module(session.transform(module, {"passes-graph:normalize"}), "eval-interp");
    const Map interpreted = session.load_module(planned, "eval-interp");
    const Map compiled = session.load_module(session.transform(planned, loop_stages()), "codegen-llvm");
    const Map compiled_apart = session.load_module(session.transform(unplanned, loop_stages()), "codegen-llvm");
    for (int64_t n : {0, 1, 5}) {
      Tensor<float> x({n, 8}, random_, -1, 1), w({8, 8}, random_, -1, 1);
      for (bool flag : {true, false}) {
        DLTensor t{&flag, {kDLCPU, 0}, 0, kBool, nullptr, nullptr, 0};
        auto run = [&](const Map& functions) {
          return fields(invoke(functions, "main", {x.value(), w.value(), Value(&t)}));
        };
        const auto want = run(reference), a = run(interpreted), b = run(compiled), c = run(compiled_apart);
        ASSERT_EQ(a.size(), want.size());
        ASSERT_EQ(b.size(), want.size());
        for (size_t k = 0; k < want.size(); ++k) {
          const std::vector<float> expected = floats(want[k]), got = floats(b[k]);
          EXPECT_EQ(floats(a[k]), expected);
          EXPECT_EQ(got, floats(c[k])) << "with and without a plan";
          ASSERT_EQ(got.size(), expected.size());
          for (size_t i = 0; i < got.size(); ++i)
            ASSERT_NEAR(got[i], expected[i], 1e-4 * (1 + std::abs(expected[i]))) << "element " << i;
        }
      }
    }
  }
  EXPECT_GT(shared, 0u) << "no program shared anything";
}

}  // namespace
}  // namespace tenon::programs
