// Random loop functions: what rewriting, equality, content keys, bytes and verification promise about each other, and
// about the simplest recursive implementations, which stand here.
#include <map>
#include <random>

#include "ir/bytes.h"
#include "ir/content_key.h"
#include "ir/make.h"
#include "ir/rewrite.h"
#include "ir/structural_equal.h"
#include "ir/test_support.h"
#include "ir/verify.h"
#include "ir/walk.h"

namespace tenon {
namespace {

const Builder b = core_builder();

// Makes legal functions whose expressions share nodes, also between statements.
class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}
  unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }

  Node function() {
    variables_.clear();
    buffers_.clear();
    shared_.clear();
    Node n = b.var("n"), m = b.var("m");
    std::vector<Node> params = {b.buffer("x", kInt64, b.array({n, b.add(n, b.imm(1))})),
                                b.buffer("y", kInt64, b.array({n, m}))};
    if (below(2)) params.push_back(b.var("k"));
    for (const Node& p : params) (p.is<tir::Buffer>() ? buffers_ : variables_).push_back(p);
    if (params.size() > 2 && below(2)) std::swap(params[0], params[2]);
    variables_.push_back(n);
    variables_.push_back(m);
    Map attrs = b.map({{"global_symbol", b.string("f")}, {"list", b.array({1, Value(b.imm(2))})}});
    return b.make<tir::PrimFunc>({b.array(params), attrs, {}, sequence(3)});
  }

 private:
  Node expression(int depth) {
    if (!shared_.empty() && below(4) == 0) return shared_[below(static_cast<unsigned>(shared_.size()))];
    if (depth == 0 || below(5) == 0)
      return below(2) ? b.imm(below(4)) : variables_[below(static_cast<unsigned>(variables_.size()))];
    Node e;
    switch (below(5)) {
      case 0: e = b.mul(expression(depth - 1), expression(depth - 1)); break;
      case 1: {
        Node v = b.var("v"), value = expression(depth - 1);
        size_t mark = shared_.size();
        variables_.push_back(v);
        Node body = expression(depth - 1);
        e = b.make<tir::Let>({kInt64, value, v, body});
        variables_.pop_back();
        shared_.resize(mark);
        return e;  // standing twice in one scope it would still be legal, but its copy could not
      }
      case 2: e = b.load(buffer(), b.array({expression(depth - 1), expression(0)})); break;
      case 3: e = b.select(b.lt(expression(depth - 1), expression(0)), expression(depth - 1), expression(0)); break;
      default: e = b.add(expression(depth - 1), expression(depth - 1)); break;
    }
    if (!(flags_of(e.get()) & kHasDefinitions)) shared_.push_back(e);
    return e;
  }
  const Node& buffer() { return buffers_[below(static_cast<unsigned>(buffers_.size()))]; }

  Node sequence(int depth) {
    size_t variables = variables_.size(), buffers = buffers_.size(), shared = shared_.size();
    std::vector<Node> stmts;
    for (unsigned i = 0, n = 1 + below(4); i < n; ++i) stmts.push_back(statement(depth));
    stmts.push_back(b.make<tir::Evaluate>({expression(2)}));
    variables_.resize(variables);
    buffers_.resize(buffers);
    shared_.resize(shared);
    return b.make<tir::Seq>({b.array(stmts)});
  }

  Node statement(int depth) {
    switch (below(depth > 0 ? 6 : 3)) {
      case 0: {
        Node value = expression(3), v = b.var("b");
        variables_.push_back(v);
        return b.make<tir::Bind>({value, v});
      }
      case 1: {
        Node a = b.buffer("a", kInt64, b.array({expression(1), b.imm(4)}));
        buffers_.push_back(a);
        return b.make<tir::AllocBuffer>({b.map({}), a});
      }
      case 3:
      case 4: {
        Node extent = expression(2), i = b.var("i");
        size_t shared = shared_.size();
        variables_.push_back(i);
        Node body = sequence(depth - 1);
        variables_.pop_back();
        shared_.resize(shared);
        return b.loop(i, extent, body, below(3));
      }
      case 5:
        return b.make<tir::IfThenElse>(
            {b.lt(expression(2), expression(2)), sequence(depth - 1), below(2) ? Value(sequence(depth - 1)) : Value()});
      default: return b.store(buffer(), b.array({expression(1), expression(1)}), expression(3));
    }
  }

  std::mt19937 random_;
  std::vector<Node> variables_, buffers_, shared_;
};

// ---- The simplest implementations ------------------------------------------------------------------------------

// Alpha-equivalence by substituting numbers for variables: two closed trees are equal when this text is the same.
class Numbered {
 public:
  std::string text(const Value& v) {
    visit(v, TN_ROLE_USE, false);
    return out_;
  }

 private:
  void visit(const Value& v, int32_t role, bool shape) {
    if (v.is_array()) {
      if (role == TN_ROLE_DEF)
        for (const Value& e : v.ref<Array>())
          if (as_node(e).is<ir::Var>()) define(as_node(e));
      out_ += "[";
      for (const Value& e : v.ref<Array>())
        visit(e, role == TN_ROLE_DEF && as_node(e).is<ir::Var>() ? -1 : role, shape);
      out_ += "]";
    } else if (v.is_map()) {
      for (const Map::Entry& e : v.ref<Map>()) out_ += std::string(e.key()) + "=", visit(e.value(), role, shape);
    } else if (v.is_node()) {
      node(as_node(v), role, shape);
    } else if (v.is_string()) {
      out_ += "'" + std::string(v.as_string()) + "'";
    } else {
      out_ += std::to_string(v.type_index()) + ":" + std::to_string(v.raw().as.i) + ",";
    }
  }
  void node(const Node& n, int32_t role, bool shape) {
    bool variable = n.is<ir::Var>() || n.is<tir::Buffer>();
    if (variable) {
      bool defines = role == TN_ROLE_DEF || role == -1 || (shape && n.is<ir::Var>() && !numbers_.count(n.get()));
      if (!defines) {
        out_ += "v" + std::to_string(numbers_.at(n.get())) + ",";
        return;
      }
      if (role != -1) define(n);
      out_ += "d";
    }
    const TnKindSchema& s = kind_info(n.kind())->schema;
    auto saved = numbers_;
    out_ += std::to_string(n.kind()) + "(";
    for (uint32_t i = 0; i < s.slot_count; ++i)
      if (s.slots[i].role != TN_ROLE_NAME)
        visit(n.slot(i), s.slots[i].role,
              s.slots[i].role == TN_ROLE_SHAPES || (s.slots[i].role == TN_ROLE_SHAPE && shape));
    out_ += ")";
    if (s.flags & TN_KIND_SCOPE) numbers_ = saved;
  }
  void define(const Node& n) { numbers_[n.get()] = numbers_.size(); }

  std::string out_;
  std::map<const TnNode*, size_t> numbers_;
};

// The tree without any sharing but that of variables: every node and container made again.
Value copy(const Value& v) {
  if (v.is_array()) {
    std::vector<Value> items;
    for (const Value& e : v.ref<Array>()) items.push_back(copy(e));
    return b.array(items);
  }
  if (v.is_map()) {
    Builder::Entries entries;
    for (const Map::Entry& e : v.ref<Map>()) entries.emplace_back(std::string(e.key()), copy(e.value()));
    return b.map(entries);
  }
  if (!v.is_node()) return v;
  const Node& n = as_node(v);
  if (n.is<ir::Var>() || n.is<tir::Buffer>()) return v;
  std::vector<Value> slots;
  for (uint32_t i = 0; i < n.slot_count(); ++i) slots.push_back(copy(n.slot(i)));
  return b.make(n.kind(), slots);
}

std::vector<const TnNode*> nodes_of(const Value& tree) {
  std::vector<const TnNode*> all;
  walk_distinct(tree.raw(), [&](const TnNode* n) { all.push_back(n); });
  return all;
}

// One change in one place of a copy without sharing: another constant, another variable of the same kind, or none at
// all.
Value mutate(const Value& tree, Generator& random) {
  Value fresh = copy(tree);
  std::vector<const TnNode*> all = nodes_of(fresh), constants, variables;
  for (const TnNode* n : all) {
    if (n->kind == ir::IntImm::kKind) constants.push_back(n);
    if (n->kind == tir::Add::kKind) variables.push_back(n);
  }
  bool constant = variables.empty() || random.below(2);
  const std::vector<const TnNode*>& from = constant ? constants : variables;
  if (from.empty() || random.below(4) == 0) return fresh;
  const TnNode* target = from[random.below(static_cast<unsigned>(from.size()))];
  return b.rewrite(fresh, [&](const Node& original, const Node& rebuilt) -> Value {
    if (original.get() != target) return {};
    if (constant) return b.imm(random.below(4));
    return b.add(as_node(rebuilt.slot(tir::AddSlot::b)), as_node(rebuilt.slot(tir::AddSlot::a)));
  });
}

class Random : public ::testing::TestWithParam<unsigned> {};

TEST_P(Random, PromisesHold) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  Generator random(GetParam());
  Value f(random.function());
  verify_module(b.make<ir::Module>({b.map({}), b.map({}), b.map({{"f", f}}), b.array({})}));
  std::string key = content_key(f.raw());

  // The same tree without sharing is the same tree.
  Value unshared = copy(f);
  EXPECT_EQ(first_difference(f.raw(), unshared.raw()), std::nullopt);
  EXPECT_EQ(as_node(unshared).hash(), as_node(f).hash());
  EXPECT_EQ(as_node(unshared).depth(), as_node(f).depth());
  EXPECT_EQ(content_key(unshared.raw()), key);

  // Renewing keeps the structure, and no variable that is defined.
  Value renewed = renew(f.raw());
  EXPECT_EQ(first_difference(f.raw(), renewed.raw()), std::nullopt);
  EXPECT_EQ(first_difference(renewed.raw(), f.raw()), std::nullopt);
  EXPECT_EQ(content_key(renewed.raw()), key);
  EXPECT_EQ(Numbered().text(renewed), Numbered().text(f));
  std::map<const TnNode*, bool> old;
  for (const TnNode* n : nodes_of(f)) old[n] = true;
  for (const TnNode* n : nodes_of(renewed)) EXPECT_FALSE((flags_of(n) & kIsVariable) && old.count(n));

  // Bytes keep everything.
  Value decoded = decode_tree(encode_tree(f.raw()));
  EXPECT_EQ(first_difference(f.raw(), decoded.raw()), std::nullopt);
  EXPECT_EQ(nodes_of(decoded).size(), nodes_of(f).size());
  EXPECT_EQ(encode_tree(decoded.raw()), encode_tree(f.raw()));

  // Equality, keys and the simplest implementation agree on trees that may differ in one place.
  for (int i = 0; i < 8; ++i) {
    Value other = renew(mutate(f, random).raw());
    bool same = Numbered().text(other) == Numbered().text(f);
    auto difference = first_difference(f.raw(), other.raw());
    EXPECT_EQ(!difference.has_value(), same) << difference.value_or("");
    EXPECT_EQ(content_key(other.raw()) == key, same);
    EXPECT_TRUE(!same || as_node(other).hash() == as_node(f).hash());
  }

  // A rewrite of shared nodes does what it does to the tree without sharing.
  auto increment = [](const Node&, const Node& n) -> Value {
    auto* imm = n.as<ir::IntImm>();
    return imm ? Value(b.imm(imm->value() + 1)) : Value();
  };
  Value once = b.rewrite(f, increment), twice = b.rewrite(unshared, increment);
  EXPECT_EQ(Numbered().text(once), Numbered().text(twice));
}

INSTANTIATE_TEST_SUITE_P(Seeds, Random, ::testing::Range(1u, 201u));

}  // namespace
}  // namespace tenon
