// Nodes of the IR beside the same program in a native C++ class hierarchy: construct, traverse, rewrite, release.
//
// The program has 10,000 operations: 100 loop nests, each 10 stores of 10 operations. Each pair of rows does the same
// work on the same shape; goal: traversal at most twice the native time. Both sides count references atomically, as
// compilers that share trees between threads must; the native side knows its types at compile time and its children by
// name.
#include <benchmark/benchmark.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "ir/content_key.h"
#include "ir/ir_table.h"
#include "ir/rewrite.h"
#include "ir/structural_equal.h"
#include "ir/walk.h"

namespace {

constexpr int64_t kNests = 100;
constexpr int kStores = 10, kOperations = 10;

// ---- Native ----------------------------------------------------------------------------------------------------

namespace native {

class Visitor;

struct Base {
  virtual ~Base() = default;
  virtual void accept(Visitor& v) const = 0;
  mutable std::atomic<uint64_t> count{0};
};

template <class T>
class Ptr {
 public:
  Ptr() = default;
  Ptr(const T* p) : p_(p) {
    if (p_) p_->count.fetch_add(1, std::memory_order_relaxed);
  }
  Ptr(const Ptr& o) : Ptr(o.p_) {}
  Ptr(Ptr&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  template <class U>
  Ptr(const Ptr<U>& o) : Ptr(o.get()) {}
  Ptr& operator=(Ptr o) noexcept {
    std::swap(p_, o.p_);
    return *this;
  }
  ~Ptr() {
    if (p_ && p_->count.fetch_sub(1, std::memory_order_acq_rel) == 1) delete p_;
  }
  const T* get() const { return p_; }
  const T* operator->() const { return p_; }

 private:
  const T* p_ = nullptr;
};
using Node = Ptr<Base>;

struct Var : Base {
  explicit Var(std::string name) : name(std::move(name)) {}
  std::string name;
  void accept(Visitor& v) const override;
};
struct Int : Base {
  explicit Int(int64_t value) : value(value) {}
  int64_t value;
  void accept(Visitor& v) const override;
};
struct Buffer : Base {
  Buffer(std::string name, std::vector<Node> shape) : name(std::move(name)), shape(std::move(shape)) {}
  std::string name;
  std::vector<Node> shape;
  void accept(Visitor& v) const override;
};
struct Add : Base {
  Add(Node a, Node b) : a(std::move(a)), b(std::move(b)) {}
  Node a, b;
  void accept(Visitor& v) const override;
};
struct Mul : Base {
  Mul(Node a, Node b) : a(std::move(a)), b(std::move(b)) {}
  Node a, b;
  void accept(Visitor& v) const override;
};
struct Load : Base {
  Load(Ptr<Buffer> buffer, std::vector<Node> indices) : buffer(std::move(buffer)), indices(std::move(indices)) {}
  Ptr<Buffer> buffer;
  std::vector<Node> indices;
  void accept(Visitor& v) const override;
};
struct Store : Base {
  Store(Ptr<Buffer> buffer, Node value, std::vector<Node> indices)
      : buffer(std::move(buffer)), value(std::move(value)), indices(std::move(indices)) {}
  Ptr<Buffer> buffer;
  Node value;
  std::vector<Node> indices;
  void accept(Visitor& v) const override;
};
struct Seq : Base {
  explicit Seq(std::vector<Node> stmts) : stmts(std::move(stmts)) {}
  std::vector<Node> stmts;
  void accept(Visitor& v) const override;
};
struct For : Base {
  For(Ptr<Var> var, Node min, Node extent, Node body)
      : var(std::move(var)), min(std::move(min)), extent(std::move(extent)), body(std::move(body)) {}
  Ptr<Var> var;
  Node min, extent, body;
  void accept(Visitor& v) const override;
};

class Visitor {
 public:
  virtual ~Visitor() = default;
  virtual void visit(const Var&) = 0;
  virtual void visit(const Int&) = 0;
  virtual void visit(const Buffer&) = 0;
  virtual void visit(const Add&) = 0;
  virtual void visit(const Mul&) = 0;
  virtual void visit(const Load&) = 0;
  virtual void visit(const Store&) = 0;
  virtual void visit(const Seq&) = 0;
  virtual void visit(const For&) = 0;
};
void Var::accept(Visitor& v) const { v.visit(*this); }
void Int::accept(Visitor& v) const { v.visit(*this); }
void Buffer::accept(Visitor& v) const { v.visit(*this); }
void Add::accept(Visitor& v) const { v.visit(*this); }
void Mul::accept(Visitor& v) const { v.visit(*this); }
void Load::accept(Visitor& v) const { v.visit(*this); }
void Store::accept(Visitor& v) const { v.visit(*this); }
void Seq::accept(Visitor& v) const { v.visit(*this); }
void For::accept(Visitor& v) const { v.visit(*this); }

struct Counter : Visitor {
  uint64_t nodes = 0, loads = 0;
  void go(const Base* n) { n->accept(*this); }
  void visit(const Var&) override { ++nodes; }
  void visit(const Int&) override { ++nodes; }
  void visit(const Buffer&) override { ++nodes; }
  void visit(const Add& n) override { ++nodes, go(n.a.get()), go(n.b.get()); }
  void visit(const Mul& n) override { ++nodes, go(n.a.get()), go(n.b.get()); }
  void visit(const Load& n) override {
    ++nodes, ++loads;
    go(n.buffer.get());
    for (const Node& i : n.indices) go(i.get());
  }
  void visit(const Store& n) override {
    ++nodes;
    go(n.buffer.get());
    go(n.value.get());
    for (const Node& i : n.indices) go(i.get());
  }
  void visit(const Seq& n) override {
    ++nodes;
    for (const Node& s : n.stmts) go(s.get());
  }
  void visit(const For& n) override { ++nodes, go(n.min.get()), go(n.extent.get()), go(n.var.get()), go(n.body.get()); }
};

// Replaces the integer `from`, and remakes only what stands above a change.
struct Replacer : Visitor {
  int64_t from, to;
  Node result;
  Replacer(int64_t from, int64_t to) : from(from), to(to) {}
  Node go(const Base* n) {
    n->accept(*this);
    return std::move(result);
  }
  bool go(const std::vector<Node>& in, std::vector<Node>* out) {
    bool changed = false;
    for (const Node& n : in) {
      out->push_back(go(n.get()));
      changed |= out->back().get() != n.get();
    }
    return changed;
  }
  void visit(const Var& n) override { result = Node(&n); }
  void visit(const Int& n) override { result = n.value == from ? Node(new Int(to)) : Node(&n); }
  void visit(const Buffer& n) override { result = Node(&n); }
  template <class T>
  void binary(const T& n) {
    Node a = go(n.a.get()), b = go(n.b.get());
    result = a.get() == n.a.get() && b.get() == n.b.get() ? Node(&n) : Node(new T(a, b));
  }
  void visit(const Add& n) override { binary(n); }
  void visit(const Mul& n) override { binary(n); }
  void visit(const Load& n) override {
    std::vector<Node> indices;
    result = go(n.indices, &indices) ? Node(new Load(n.buffer, std::move(indices))) : Node(&n);
  }
  void visit(const Store& n) override {
    Node value = go(n.value.get());
    std::vector<Node> indices;
    bool changed = go(n.indices, &indices) || value.get() != n.value.get();
    result = changed ? Node(new Store(n.buffer, std::move(value), std::move(indices))) : Node(&n);
  }
  void visit(const Seq& n) override {
    std::vector<Node> stmts;
    result = go(n.stmts, &stmts) ? Node(new Seq(std::move(stmts))) : Node(&n);
  }
  void visit(const For& n) override {
    Node min = go(n.min.get()), extent = go(n.extent.get()), body = go(n.body.get());
    bool same = min.get() == n.min.get() && extent.get() == n.extent.get() && body.get() == n.body.get();
    result = same ? Node(&n) : Node(new For(n.var, std::move(min), std::move(extent), std::move(body)));
  }
};

Node program(int64_t count = kNests) {
  std::vector<Node> nests;
  Ptr<Buffer> x(new Buffer("x", {Node(new Int(1024))})), y(new Buffer("y", {Node(new Int(1024))}));
  for (int64_t k = 0; k < count; ++k) {
    Ptr<Var> i(new Var("i"));
    std::vector<Node> stores;
    for (int s = 0; s < kStores; ++s) {
      Node e(new Load(x, {Node(i)}));
      for (int o = 0; o < kOperations; o += 2)
        e = Node(
            new Add(Node(new Mul(e, Node(new Int(o)))), Node(new Load(x, {Node(new Add(Node(i), Node(new Int(k))))}))));
      stores.emplace_back(new Store(y, std::move(e), {Node(i)}));
    }
    nests.emplace_back(new For(i, Node(new Int(0)), Node(new Int(1024)), Node(new Seq(std::move(stores)))));
  }
  return Node(new Seq(std::move(nests)));
}

}  // namespace native

// ---- Tenon -----------------------------------------------------------------------------------------------------

tenon::Node program(int64_t count = kNests) {
  using tenon::Node;
  tenon::Builder b = tenon::core_builder();
  std::vector<Node> nests;
  Node x = b.buffer("x", tenon::kInt64, b.array({b.imm(1024)})),
       y = b.buffer("y", tenon::kInt64, b.array({b.imm(1024)}));
  for (int64_t k = 0; k < count; ++k) {
    Node i = b.var("i");
    std::vector<Node> stores;
    for (int s = 0; s < kStores; ++s) {
      Node e = b.load(x, b.array({i}));
      for (int o = 0; o < kOperations; o += 2) e = b.add(b.mul(e, b.imm(o)), b.load(x, b.array({b.add(i, b.imm(k))})));
      stores.push_back(b.store(y, b.array({i}), e));
    }
    nests.push_back(b.loop(i, b.imm(1024), b.seq(stores)));
  }
  return b.seq(nests);
}

class ReplaceConstant : public tenon::RewritePolicy {
 public:
  ReplaceConstant(int64_t from, int64_t to) : from_(from), to_(to) {}
  tenon::Value replace(const TnNode*, const TnNode* n) override {
    if (n->kind != TN_KIND_ir_IntImm || n->slots[tenon::ir::IntImmSlot::value].as.i != from_) return {};
    return tenon::core_builder().imm(to_);
  }

 private:
  int64_t from_, to_;
};

struct Counts {
  uint64_t nodes = 0, loads = 0;
};

Counts count_in_core(const tenon::Node& tree) {
  Counts c;
  tenon::Value v(tree);
  tenon::walk_tree(
      v.raw(),
      [&](const TnNode* n) {
        ++c.nodes;
        c.loads += n->kind == TN_KIND_tir_BufferLoad;
        return tenon::Below::kEnter;
      },
      [](const TnNode*) { return true; });
  return c;
}

Counts count_as_plugin(const tenon::Node& tree) {
  Counts c;
  tenon::core_builder().walk(tree, [&](const tenon::Node& n) {
    ++c.nodes;
    c.loads += n.is<tenon::tir::BufferLoad>();
  });
  return c;
}

// What a plugin that reads slots itself pays: recursion over typed views, as code generators write it.
struct TypedVisitor {
  uint64_t nodes = 0, loads = 0;
  void visit(const tenon::Node& n) {
    ++nodes;
    switch (n.kind()) {
      case TN_KIND_tir_Add:
      case TN_KIND_tir_Mul:
        visit(n.slot(1).ref<tenon::Node>());
        visit(n.slot(2).ref<tenon::Node>());
        break;
      case TN_KIND_tir_BufferLoad: {
        auto& load = static_cast<const tenon::tir::BufferLoad&>(n);
        ++loads;
        visit(load.buffer());
        for (const tenon::Node& i : tenon::nodes(load.indices())) visit(i);
        break;
      }
      case TN_KIND_tir_BufferStore: {
        auto& store = static_cast<const tenon::tir::BufferStore&>(n);
        visit(store.buffer());
        visit(store.value());
        for (const tenon::Node& i : tenon::nodes(store.indices())) visit(i);
        break;
      }
      case TN_KIND_tir_Seq:
        for (const tenon::Node& s : tenon::nodes(static_cast<const tenon::tir::Seq&>(n).stmts())) visit(s);
        break;
      case TN_KIND_tir_For: {
        auto& loop = static_cast<const tenon::tir::For&>(n);
        visit(loop.min());
        visit(loop.extent());
        visit(loop.loop_var());
        visit(loop.body());
        break;
      }
      default: break;
    }
  }
};

void per_node(benchmark::State& state, uint64_t nodes) {
  state.counters["node"] = benchmark::Counter(
      static_cast<double>(nodes), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

// ---- Rows ------------------------------------------------------------------------------------------------------

void construct_native(benchmark::State& state) {
  uint64_t nodes = 0;
  for (auto _ : state) {
    native::Node p = native::program();
    benchmark::DoNotOptimize(p);
  }
  native::Counter c;
  c.go(native::program().get());
  nodes = c.nodes;
  per_node(state, nodes);
}
void construct_tenon(benchmark::State& state) {
  for (auto _ : state) {
    tenon::Node p = program();
    benchmark::DoNotOptimize(p);
  }
  per_node(state, count_in_core(program()).nodes);
}
BENCHMARK(construct_native);
BENCHMARK(construct_tenon);

void traverse_native(benchmark::State& state) {
  native::Node p = native::program(state.range(0));
  uint64_t nodes = 0;
  for (auto _ : state) {
    native::Counter c;
    c.go(p.get());
    benchmark::DoNotOptimize(c.loads);
    nodes = c.nodes;
  }
  per_node(state, nodes);
}
void traverse_tenon_typed(benchmark::State& state) {
  tenon::Node p = program(state.range(0));
  uint64_t nodes = 0;
  for (auto _ : state) {
    TypedVisitor v;
    v.visit(p);
    benchmark::DoNotOptimize(v.loads);
    nodes = v.nodes;
  }
  per_node(state, nodes);
}
void traverse_tenon_generic(benchmark::State& state) {
  tenon::Node p = program(state.range(0));
  Counts c;
  for (auto _ : state) {
    c = count_in_core(p);
    benchmark::DoNotOptimize(c.loads);
  }
  per_node(state, c.nodes);
}
void traverse_tenon_through_abi(benchmark::State& state) {
  tenon::Node p = program(state.range(0));
  Counts c;
  for (auto _ : state) {
    c = count_as_plugin(p);
    benchmark::DoNotOptimize(c.loads);
  }
  per_node(state, c.nodes);
}
// The smaller program, with 2,000 operations, fits the second-level cache on both sides.
BENCHMARK(traverse_native)->Arg(kNests / 5)->Arg(kNests);
BENCHMARK(traverse_tenon_typed)->Arg(kNests / 5)->Arg(kNests);
BENCHMARK(traverse_tenon_generic)->Arg(kNests / 5)->Arg(kNests);
BENCHMARK(traverse_tenon_through_abi)->Arg(kNests / 5)->Arg(kNests);

void rewrite_native(benchmark::State& state) {
  native::Node p = native::program();
  for (auto _ : state) {
    native::Replacer r(4, 5);
    native::Node q = r.go(p.get());
    benchmark::DoNotOptimize(q);
  }
  native::Counter c;
  c.go(p.get());
  per_node(state, c.nodes);
}
void rewrite_tenon(benchmark::State& state) {
  tenon::Node p = program();
  tenon::Value v(p);
  for (auto _ : state) {
    ReplaceConstant policy(4, 5);
    tenon::Value q = tenon::rewrite_tree(v.raw(), policy);
    benchmark::DoNotOptimize(q);
  }
  per_node(state, count_in_core(p).nodes);
}
void rewrite_tenon_through_abi(benchmark::State& state) {
  tenon::Node p = program();
  tenon::Builder b = tenon::core_builder();
  for (auto _ : state) {
    tenon::Value q = b.rewrite(p, [&](const tenon::Node&, const tenon::Node& n) -> tenon::Value {
      auto* imm = n.as<tenon::ir::IntImm>();
      return imm && imm->value() == 4 ? tenon::Value(b.imm(5)) : tenon::Value();
    });
    benchmark::DoNotOptimize(q);
  }
  per_node(state, count_in_core(p).nodes);
}
BENCHMARK(rewrite_native);
BENCHMARK(rewrite_tenon);
BENCHMARK(rewrite_tenon_through_abi);

void compare_equal(benchmark::State& state) {
  tenon::Value a(program()), b(program());
  for (auto _ : state) benchmark::DoNotOptimize(tenon::first_difference(a.raw(), b.raw(), true));
  per_node(state, count_in_core(tenon::as_node(a)).nodes);
}
void content_key(benchmark::State& state) {
  tenon::Builder b = tenon::core_builder();
  tenon::Node p = program();
  // The two buffers are free in the program: a function around it defines them.
  std::vector<tenon::Node> params;
  tenon::walk_distinct(tenon::Value(p).raw(), [&](const TnNode* n) {
    if (n->kind == TN_KIND_tir_Buffer) params.emplace_back(n);
  });
  tenon::Value f(b.make<tenon::tir::PrimFunc>({b.array(params), b.map({}), {}, p}));
  for (auto _ : state) benchmark::DoNotOptimize(tenon::content_key(f.raw()));
  per_node(state, count_in_core(p).nodes);
}
BENCHMARK(compare_equal);
BENCHMARK(content_key);

}  // namespace

BENCHMARK_MAIN();
