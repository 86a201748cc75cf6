// What is verified at the cost of what changed agrees with what is verified whole: random edits of random modules,
// legal and broken, each judged by both.
#include "ir/verified_units.h"

#include <map>
#include <random>

#include "ir/test_support.h"
#include "ir/verify.h"

namespace tenon {
namespace {

using test::error_of;

const Builder b = core_builder();

Node tensor(const std::vector<Node>& shape, DLDataType dtype = kFloat32) {
  return b.make<relax::TensorType>({b.array(shape), dtype, static_cast<int64_t>(shape.size()), b.map({})});
}
Node global(const char* name) { return b.make<ir::GlobalVar>({{}, b.string(name)}); }
Node tuple(const std::vector<Node>& fields) { return b.make<relax::Tuple>({Value(), b.array(fields)}); }
Node invoke(const Node& callee, const std::vector<Node>& args, Value type = {}) {
  return b.make<ir::Call>({std::move(type), callee, b.array(args), b.map({}), b.array({})});
}
Node op_call(const char* op, const std::vector<Node>& args, const std::vector<Node>& types = {}) {
  return b.make<ir::Call>({Value(), b.make<ir::Op>({{}, b.string(op)}), b.array(args), b.map({}), b.array(types)});
}
Node bind(const Node& v, const Node& value) { return b.make<relax::VarBinding>({value, v}); }

// copy(A (m, extent), B (m, extent)), a loop function.
Node copy(int64_t extent) {
  Node m = b.var("m"), zero = b.imm(0);
  Node in = b.buffer("A", kFloat32, b.array({m, b.imm(extent)}));
  Node out = b.buffer("B", kFloat32, b.array({m, b.imm(extent)}));
  Node body = b.store(out, b.array({zero, zero}), b.load(in, b.array({zero, zero})));
  return b.make<tir::PrimFunc>({b.array({in, out}), b.map({}), Value(), body});
}
// id(v (r, 4)), a graph function.
Node id(bool pure, bool typed = true) {
  Node r = b.var("r"), v = b.var("v", Value(tensor({r, b.imm(4)})));
  return b.make<relax::Function>(
      {{}, b.array({v}), b.map({}), typed ? Value(tensor({r, b.imm(4)})) : Value(), pure, v});
}

// A function of the graph as lists that are easily edited.
struct Graph {
  struct Block {
    bool dataflow = false;
    std::vector<Node> bindings;
    std::vector<Node> outputs;
  };
  Node n = b.var("n"), x, flag;
  bool pure = true;
  std::vector<Block> blocks{2};
  Node result;

  Graph() {
    x = b.var("x", Value(tensor({n, b.imm(4)})));
    flag = b.var("flag", Value(tensor({}, kBool)));
    result = x;
  }
  Node function() const {
    std::vector<Node> all;
    for (const Block& k : blocks)
      all.push_back(k.dataflow ? Node(b.make<relax::DataflowBlock>({b.array(k.bindings), b.array(k.outputs)}))
                               : Node(b.make<relax::BindingBlock>({b.array(k.bindings)})));
    Node body = b.make<relax::SeqExpr>({{}, b.array(all), result});
    return b.make<relax::Function>({{}, b.array({x, flag}), b.map({}), Value(), pure, body});
  }
};

struct State {
  Graph main, other;
  std::vector<Node> statements;  // of the loop function
  std::map<std::string, Node> callees;
  Node buffer = b.buffer("T", kInt64, b.array({b.imm(64)})), k = b.var("k");

  Node module() const {
    Builder::Entries functions;
    for (const auto& [name, f] : callees) functions.emplace_back(name, Value(f));
    functions.emplace_back("main", Value(main.function()));
    functions.emplace_back("other", Value(other.function()));
    Node loop = b.make<tir::PrimFunc>({b.array({buffer, k}), b.map({}), Value(), b.seq(statements)});
    functions.emplace_back("loop", Value(loop));
    return b.make<ir::Module>({b.map({}), b.map({}), b.map(functions), b.array({})});
  }
};

class Editor {
 public:
  explicit Editor(unsigned seed) : random_(seed) {
    state.callees = {{"copy", copy(4)}, {"id", id(true)}, {"log", id(false)}};
  }
  State state;
  unsigned below(size_t n) { return static_cast<unsigned>(random_() % n); }

  // One change, as likely wrong as right.
  void edit() {
    Graph& g = below(2) ? state.main : state.other;
    Graph& there = &g == &state.main ? state.other : state.main;
    Graph::Block& from = g.blocks[below(g.blocks.size())];
    Graph::Block& to = g.blocks[below(g.blocks.size())];
    if (g.blocks[0].bindings.size() + g.blocks[1].bindings.size() < 6) return insert_binding(g);
    if (state.statements.size() < 4) return insert_statement();
    switch (below(17)) {
      case 0:
      case 1: return insert_binding(g);
      case 2:
      case 3: return insert_statement();
      case 4:
        if (!from.bindings.empty()) from.bindings.erase(from.bindings.begin() + below(from.bindings.size()));
        return;
      case 5:
        if (!from.bindings.empty()) std::swap(one(from.bindings), one(from.bindings));
        return;
      case 6:  // twice
        if (!from.bindings.empty()) to.bindings.push_back(Node(one(from.bindings)));
        return;
      case 7:  // moved
        if (!from.bindings.empty()) {
          size_t i = below(from.bindings.size());
          Node moved = from.bindings[i];
          from.bindings.erase(from.bindings.begin() + static_cast<long>(i));
          to.bindings.insert(to.bindings.begin() + below(to.bindings.size() + 1), moved);
        }
        return;
      case 8: from.dataflow = !from.dataflow; return;
      case 9:
        from.outputs.clear();
        for (const Node& binding : from.bindings)
          if (below(4)) from.outputs.push_back(var_of(binding));
        return;
      case 10: g.pure = !g.pure; return;
      case 11: state.callees["copy"] = copy(below(3) ? 4 : 5); return;
      case 12: state.callees[below(2) ? "id" : "log"] = id(below(3) != 0, below(3) != 0); return;
      case 13:
        if (below(2))
          state.callees.erase("copy");
        else
          state.callees["copy"] = copy(4);
        return;
      case 14:  // of the other function
        if (!there.blocks[0].bindings.empty()) from.bindings.push_back(Node(one(there.blocks[0].bindings)));
        return;
      case 15:
        if (!state.statements.empty()) std::swap(one(state.statements), one(state.statements));
        return;
      default:
        if (!state.statements.empty()) {
          size_t i = below(state.statements.size());
          if (below(2))
            state.statements.erase(state.statements.begin() + static_cast<long>(i));
          else
            state.statements.push_back(Node(state.statements[i]));
        }
    }
  }

 private:
  template <class T>
  T& one(std::vector<T>& list) {
    return list[below(list.size())];
  }

  bool wrong() { return below(24) == 0; }

  // A variable of the function; of those that may be used where a binding is to stand, but now and then.
  Node value(const Graph& g) {
    std::vector<Node> all{g.x};
    bool any = wrong();
    for (size_t k = 0; k < g.blocks.size(); ++k) {
      const Graph::Block& block = g.blocks[k];
      for (size_t i = 0; i < block.bindings.size(); ++i) {
        Node v = var_of(block.bindings[i]);
        bool before = k < block_ || (k == block_ && i < place_);
        bool shown = k == block_ || !block.dataflow || is_in(block.outputs, v);
        if (any || (before && shown)) all.push_back(v);
      }
    }
    return one(all);
  }
  static Node var_of(const Node& binding) { return as_node(binding.slot(binding.is<relax::VarBinding>() ? 1 : 2)); }
  static bool is_in(const std::vector<Node>& list, const Node& n) {
    for (const Node& other : list)
      if (other.same_as(n)) return true;
    return false;
  }
  Node value_of(const Graph& g, int depth) {
    switch (below(9)) {
      case 0: return value(g);
      case 1: return invoke(global("id"), {value(g)});
      case 2: return invoke(global(!g.pure || wrong() ? "log" : "id"), {value(g)});
      case 3: return tuple({value(g), value(g)});
      case 4: return b.make<relax::ShapeExpr>({Value(), b.array({b.add(wrong() ? state.main.n : g.n, b.imm(1))})});
      case 5:
        if (depth > 0 && (wrong() || !g.blocks[block_].dataflow)) {
          Node v = b.var("v", Value());
          Node block = b.make<relax::BindingBlock>({b.array({bind(v, value_of(g, depth - 1))})});
          Node side = b.make<relax::SeqExpr>({{}, b.array({block}), v});
          return b.make<relax::If>({Value(), g.flag, side, value(g)});
        }
        return value(g);
      case 6:
        if (&g == &state.main || below(12) == 0) return invoke(global(below(6) ? "other" : "main"), {value(g), g.flag});
        return value(g);
      default: return op_call("relax.call_tir", {global("copy"), tuple({value(g)})}, {out(g)});
    }
  }
  // A type, often the same node as before.
  Node out(const Graph& g) {
    std::vector<Node>& types = types_[&g == &state.main];
    if (types.empty() || below(3) == 0) types.push_back(tensor({wrong() ? state.other.n : g.n, b.imm(4)}));
    return one(types);
  }
  void insert_binding(Graph& g) {
    block_ = below(g.blocks.size());
    Graph::Block& block = g.blocks[block_];
    place_ = below(block.bindings.size() + 1);
    Node binding;
    if (below(6) == 0) {
      Node type = tensor({below(2) ? b.var("s") : g.n, b.imm(4)});
      binding = b.make<relax::MatchCast>({value(g), type, b.var("c", Value(type))});
    } else {
      binding = bind(b.var("w", below(6) ? Value() : Value(out(g))), value_of(g, 2));
    }
    block.bindings.insert(block.bindings.begin() + static_cast<long>(place_), binding);
  }

  Node expression() {
    std::vector<Node> all{state.k, b.imm(below(8))};
    bool any = wrong();
    for (size_t i = 0; i < state.statements.size(); ++i)
      if (auto* v = state.statements[i].as<tir::Bind>(); v && (any || i < place_)) all.push_back(v->var());
    if (!shared_.empty() && below(12) == 0) return one(shared_);
    Node e = b.add(one(all), one(all));
    shared_.push_back(below(3) ? b.add(state.k, b.imm(below(8))) : e);
    return b.add(e, shared_.back());
  }
  Node store() {
    Node into = state.buffer;
    bool any = wrong();
    for (size_t i = 0; i < state.statements.size(); ++i)
      if (auto* a = state.statements[i].as<tir::AllocBuffer>(); a && below(3) == 0 && (any || i < place_))
        into = a->buffer();
    return b.store(into, b.array({expression()}), expression());
  }
  void insert_statement() {
    place_ = below(state.statements.size() + 1);
    Node s;
    switch (below(5)) {
      case 0: s = b.make<tir::Bind>({expression(), b.var("t")}); break;
      case 1: {
        Node i = b.var("i");
        s = b.loop(i, b.imm(4), b.seq({store(), b.store(state.buffer, b.array({i}), expression())}));
        break;
      }
      case 2: s = b.make<tir::AllocBuffer>({b.map({}), b.buffer("L", kInt64, b.array({b.imm(16)}))}); break;
      default: s = store();
    }
    state.statements.insert(state.statements.begin() + static_cast<long>(place_), s);
  }

  std::mt19937 random_;
  std::vector<Node> types_[2], shared_;
  size_t block_ = 0, place_ = 0;  // where a binding or statement is to stand
};

std::string verdict(const Node& module, VerifyCache* cache) {
  VerifyServices services;
  services.cache = cache;
  Error e = error_of([&] { verify_module(module, services); });
  return e.code ? e.message : "";
}
std::string rule(const std::string& message) {
  size_t at = message.rfind('[');
  return at == std::string::npos ? message : message.substr(at);
}

TEST(VerifiedUnits, AgreeWithALookAtEverything) {
  unsigned seed = std::random_device()();
  std::printf("seed %u\n", seed);
  std::mt19937 seeds(seed);
  std::map<std::string, int> rules;
  int edits = 0;
  for (int round = 0; round < 60; ++round) {
    Editor editor(static_cast<unsigned>(seeds()));
    VerifyCache cache;
    State good = editor.state;
    for (int step = 0; step < 120; ++step, ++edits) {
      for (unsigned n = editor.below(3) + 1; n > 0; --n) editor.edit();
      Node module = editor.state.module();
      std::string whole = verdict(module, nullptr), parts = verdict(module, &cache);
      ASSERT_EQ(rule(whole), rule(parts)) << "seed " << seed << ", round " << round << ", step " << step << "\n"
                                          << whole << "\n"
                                          << parts;
      ++rules[whole.empty() ? "legal" : rule(whole)];
      if (whole.empty()) {
        good = editor.state;
      } else if (editor.below(8)) {  // from a broken module to a broken one now and then
        editor.state = good;
        ASSERT_EQ(verdict(good.module(), &cache), "");
      }
    }
  }
  for (const auto& [name, count] : rules) std::printf("%6d %s\n", count, name.c_str());
  // The edits reach what units rest on.
  for (const char* name : {"legal", "[scope]", "[single-definition]", "[owner]", "[global]", "[dataflow]", "[purity]",
                           "[call-arguments]", "[recursion]", "[symbol]"})
    EXPECT_GT(rules[name], 0) << name << " of " << edits;
}

// A unit that is known is not looked at: its dimensions are compared once.
TEST(VerifiedUnits, AreLookedAtOnce) {
  Graph g;
  for (int i = 0; i < 100; ++i) g.blocks[0].bindings.push_back(bind(b.var("w", Value(tensor({g.n, b.imm(4)}))), g.x));
  VerifyCache cache;
  int asked = 0;
  auto verify = [&] {
    VerifyServices services;
    services.cache = &cache;
    services.differ = [&](const Node&, const Node&) { return ++asked, false; };
    verify_module(b.make<ir::Module>({b.map({}), b.map({}), b.map({{"main", Value(g.function())}}), b.array({})}),
                  services);
  };
  auto sum = [&](int64_t i) { return tensor({b.add(g.n, b.imm(i)), b.imm(4)}); };
  for (int i = 0; i < 50; ++i) g.blocks[0].bindings.push_back(bind(b.var("w", Value(sum(i))), g.x));
  verify();
  EXPECT_EQ(asked, 50);
  g.blocks[0].bindings.insert(g.blocks[0].bindings.begin(), bind(b.var("w", Value(sum(1))), g.x));
  verify();
  EXPECT_EQ(asked, 51);
  g.pure = false;
  verify();
  EXPECT_EQ(asked, 102);
}

}  // namespace
}  // namespace tenon
