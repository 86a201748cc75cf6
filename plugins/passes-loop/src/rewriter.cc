#include "rewriter.h"

namespace tenon::loop {

// The value with rewritten nodes; nothing when it stays as it is.
std::optional<Value> Rewriter::changed(const Value& v) {
  if (v.is_node()) {
    Node after = visit(as_node(v));
    if (after.same_as(as_node(v))) return std::nullopt;
    return Value(after);
  }
  if (v.is_array()) {
    const Array& a = v.ref<Array>();
    std::vector<Value> items(a.begin(), a.end());
    bool any = false;
    for (Value& item : items) {
      std::optional<Value> after = changed(item);
      if (after) item = *after, any = true;
    }
    return any ? std::optional<Value>(b_.array(items)) : std::nullopt;
  }
  return std::nullopt;
}

Node Rewriter::children(const Node& n) {
  // A variable or buffer belongs to its definition: whoever changes one replaces it everywhere.
  if (n.is<ir::Var>() || n.is<tir::Buffer>()) return n;
  std::vector<Value> slots(n.slots(), n.slots() + n.slot_count());
  bool any = false;
  for (Value& slot : slots) {
    std::optional<Value> after = changed(slot);
    if (after) slot = *after, any = true;
  }
  if (!any) return n;
  if (n.is<tir::Seq>()) {
    std::vector<Node> stmts;
    for (const Node& s : nodes(slots[tir::Seq::Slot::stmts].ref<Array>())) stmts.push_back(s);
    return flat_seq(b_, stmts);
  }
  return b_.make(n.kind(), slots, n.span());
}

bool is_nothing(const Node& stmt) {
  if (const auto* seq = stmt.as<tir::Seq>()) return seq->stmts().empty();
  const auto* evaluate = stmt.as<tir::Evaluate>();
  return evaluate && evaluate->value().is<ir::IntImm>();
}

// Memory that ends with its list is not made to live on with what follows.
static bool allocates(const tir::Seq& seq) {
  for (const Node& s : nodes(seq.stmts()))
    if (s.is<tir::AllocBuffer>()) return true;
  return false;
}

Node flat_seq(const Builder& b, const std::vector<Node>& stmts) {
  std::vector<Node> out;
  for (size_t i = 0; i < stmts.size(); ++i) {
    const Node& s = stmts[i];
    if (is_nothing(s)) continue;
    const auto* seq = s.as<tir::Seq>();
    if (seq && (i + 1 == stmts.size() || !allocates(*seq)))
      for (const Node& inner : nodes(seq->stmts())) out.push_back(inner);
    else
      out.push_back(s);
  }
  if (out.empty()) return b.make<tir::Evaluate>({b.imm(0)});
  // A declaration stands in a list, even alone.
  bool declares =
      out.size() == 1 && (out[0].is<tir::Bind>() || out[0].is<tir::AllocBuffer>() || out[0].is<tir::DeclBuffer>());
  return declares ? b.make<tir::Seq>({b.array(out)}) : b.seq(out);
}

std::optional<int64_t> constant_of(const Node& e) {
  const auto* imm = e.as<ir::IntImm>();
  return imm ? std::optional<int64_t>(imm->value()) : std::nullopt;
}

bool is_constant(const Node& e, int64_t value) { return constant_of(e) == value; }

bool uses_any(const Builder& b, const Value& tree, const std::set<const TnNode*>& vars) {
  bool found = false;
  b.walk(
      tree,
      [&](const Node& n) {
        found = found || vars.count(n.get()) > 0;
        return !found;
      },
      [](const Node&) {});
  return found;
}

Node substituted(const Builder& b, const Node& tree, const std::vector<Node>& from, const std::vector<Node>& to) {
  if (from.empty()) return tree;
  Value v = b.substitute(Value(tree), b.array(from), b.array(to));
  return as_node(v);
}

Node copy_with(const Builder& b, const Node& tree, const std::vector<Node>& from, const std::vector<Node>& to) {
  Value v = b.renew(Value(substituted(b, tree, from, to)));
  return as_node(v);
}

void split_conjunction(const Node& condition, std::vector<Node>& out) {
  if (const auto* both = condition.as<tir::And>()) {
    split_conjunction(both->a(), out);
    split_conjunction(both->b(), out);
  } else if (!is_constant(condition, 1)) {
    out.push_back(condition);
  }
}

Node conjunction(const Builder& b, const std::vector<Node>& terms) {
  Node all;
  for (const Node& t : terms) all = all ? b.logical_and(all, t) : t;
  return all ? all : b.imm(1, kBool);
}

std::vector<Node> strides_of(const Builder& b, const tir::Buffer& buffer) {
  std::vector<Node> out;
  if (!buffer.strides().empty()) {
    for (const Node& s : nodes(buffer.strides())) out.push_back(b.cast(s, kInt64));
    return out;
  }
  NodeRange shape = nodes(buffer.shape());
  out.resize(shape.size());
  Node product = b.imm(1);
  for (size_t d = shape.size(); d-- > 0;) {
    out[d] = product;
    Node extent = b.cast(shape[d], kInt64);
    product = is_constant(product, 1) ? extent : b.mul(extent, product);
  }
  return out;
}

}  // namespace tenon::loop
