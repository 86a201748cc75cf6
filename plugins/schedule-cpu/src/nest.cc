// Reads nests of loops around one block, and refuses what is not plainly understood.
#include "schedule.h"

namespace tenon::cpu {

std::optional<int64_t> constant_of(const Node& e) {
  const auto* imm = e ? e.as<ir::IntImm>() : nullptr;
  return imm ? std::optional<int64_t>(imm->value()) : std::nullopt;
}

bool uses_any(const Builder& b, const Value& tree, const Vars& vars) {
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

bool uses(const Builder& b, const Node& tree, const Node& var) { return uses_any(b, Value(tree), {var.get()}); }

bool same(const Builder& b, const Value& x, const Value& y) { return !b.difference(x, y).has_value(); }

Node substituted(const Builder& b, const Node& tree, const std::vector<Node>& from, const std::vector<Node>& to) {
  if (from.empty()) return tree;
  Value v = b.substitute(Value(tree), b.array(from), b.array(to));
  return as_node(v);
}

std::optional<Nest> Reader::nest(const Node& stmt) const {
  Nest nest;
  nest.stmt = stmt;
  const Node* at = &stmt;
  for (; at->is<tir::For>(); at = &at->to<tir::For>().body()) nest.loops.push_back(at->to<tir::For>());
  const auto* realize = at->as<tir::BlockRealize>();
  if (!realize || nest.loops.empty()) return std::nullopt;
  nest.realize = *realize;
  nest.block = realize->block().to<tir::Block>();
  const tir::Block& block = nest.block;
  if (constant_of(realize->predicate()) != 1 || !block.match_buffers().empty() || !block.alloc_buffers().empty() ||
      !block.annotations().empty())
    return std::nullopt;

  Vars loop_vars;
  for (const tir::For& loop : nest.loops) loop_vars.insert(loop.loop_var().get());
  for (const tir::For& loop : nest.loops) {
    if (loop.loop_kind() != TN_FOR_SERIAL || !loop.annotations().empty() || constant_of(loop.min()) != 0 ||
        !same_dtype(loop.loop_var().dtype(), kInt64) || uses_any(b_, Value(loop.extent()), loop_vars))
      return std::nullopt;
    bool reads = false;
    b_.walk(Value(loop.extent()), [&](const Node& n) { reads = reads || n.is<tir::BufferLoad>() || n.is<ir::Call>(); });
    if (reads) return std::nullopt;
  }

  // Each axis is one loop, and each loop one axis; an axis of one step may be bound to 0.
  std::map<const TnNode*, const tir::IterVar*> axis_of;
  std::vector<Node> fixed, zeros;
  NodeRange axes = nodes(block.iter_vars()), values = nodes(realize->iter_values());
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto& axis = axes[i].to<tir::IterVar>();
    if (axis.iter_kind() != TN_ITER_SPATIAL && axis.iter_kind() != TN_ITER_REDUCE) return std::nullopt;
    const auto& domain = axis.domain().to<ir::Range>();
    if (constant_of(domain.min()) != 0 || !same_dtype(axis.var().dtype(), kInt64)) return std::nullopt;
    if (constant_of(values[i]) == 0 && constant_of(domain.extent()) == 1) {
      fixed.push_back(axis.var());
      zeros.push_back(b_.imm(0));
      continue;
    }
    if (!values[i].is<ir::Var>() || !loop_vars.count(values[i].get())) return std::nullopt;
    if (!axis_of.emplace(values[i].get(), &axis).second) return std::nullopt;
  }
  for (const tir::For& loop : nest.loops) {
    auto it = axis_of.find(loop.loop_var().get());
    if (it == axis_of.end()) return std::nullopt;
    const auto& domain = it->second->domain().to<ir::Range>();
    if (!same(b_, Value(domain.extent()), Value(loop.extent()))) return std::nullopt;
    Axis axis{it->second->var(), loop.extent(), constant_of(loop.extent())};
    (it->second->iter_kind() == TN_ITER_SPATIAL ? nest.spatial : nest.reduce).push_back(axis);
  }
  if (!fixed.empty()) {
    std::vector<Value> slots(block.slots(), block.slots() + block.slot_count());
    slots[tir::Block::Slot::body] = substituted(b_, block.body(), fixed, zeros);
    if (!block.init().is_none()) slots[tir::Block::Slot::init] = substituted(b_, as_node(block.init()), fixed, zeros);
    Node plain = b_.make(block.kind(), slots, block.span());
    nest.block = plain.to<tir::Block>();
  }
  return nest;
}

bool Reader::is_pure_op(std::string_view id) const {
  if (auto it = pure_.find(id); it != pure_.end()) return it->second;
  std::string name(id);
  Value record = call([&](TnValue* ret) { return ops_->find(ops_->self, name.c_str(), ret); });
  const Value* effects = record.is_map() ? record.ref<Map>().find("effects") : nullptr;
  bool pure = effects && effects->as_string() == "pure";
  return pure_.emplace(name, pure).first->second;
}

bool Reader::is_pure(const Node& value) const {
  bool pure = true;
  b_.walk(Value(value), [&](const Node& n) {
    if (is_handle(n.dtype()) || n.dtype().lanes > 1) pure = false;
    if (const auto* c = n.as<ir::Call>()) {
      const auto* op = c->op().as<ir::Op>();
      pure = pure && op && is_pure_op(op->id());
    }
  });
  return pure;
}

std::optional<Compute> Reader::compute(const Nest& nest) const {
  const auto* store = nest.block.body().as<tir::BufferStore>();
  if (!store || !is_pure(store->value())) return std::nullopt;
  const auto& buffer = store->buffer().to<tir::Buffer>();
  if (buffer.dtype().lanes != 1 || is_handle(buffer.dtype())) return std::nullopt;
  Compute out{nest, *store, Node()};
  // Every spatial axis is one index of what is stored, and no other index moves.
  Vars seen, all;
  for (const Axis& a : nest.spatial) all.insert(a.var.get());
  for (const Axis& a : nest.reduce) all.insert(a.var.get());
  for (const Node& i : nodes(store->indices())) {
    if (i.is<ir::Var>() && all.count(i.get())) {
      if (!seen.insert(i.get()).second) return std::nullopt;
    } else if (!constant_of(i)) {
      return std::nullopt;
    }
  }
  for (const Axis& a : nest.spatial)
    if (!seen.count(a.var.get())) return std::nullopt;
  for (const Axis& a : nest.reduce)
    if (seen.count(a.var.get())) return std::nullopt;
  bool plain = true;
  b_.walk(Value(store->value()), [&](const Node& n) {
    const auto* load = n.as<tir::BufferLoad>();
    if (load && load->buffer().same_as(store->buffer()))
      plain = plain && same(b_, b_.array_value(load->indices()), b_.array_value(store->indices()));
  });
  if (!plain) return std::nullopt;
  if (nest.reduce.empty()) {
    if (!nest.block.init().is_none()) return std::nullopt;
    return out;
  }
  if (nest.block.init().is_none()) return std::nullopt;
  const auto* init = as_node(nest.block.init()).as<tir::BufferStore>();
  if (!init || !init->buffer().same_as(store->buffer()) ||
      !same(b_, b_.array_value(init->indices()), b_.array_value(store->indices())) || !is_pure(init->value()))
    return std::nullopt;
  // The initial value is the same for all reduction steps and reads nothing that the nest writes.
  for (const Axis& a : nest.reduce)
    if (uses(b_, init->value(), a.var)) return std::nullopt;
  if (uses(b_, init->value(), store->buffer())) return std::nullopt;
  out.init = init->value();
  return out;
}

bool Reader::is_parallel(const Nest& nest, const Axis& axis) const {
  // Every access to a buffer that is stored to has the axis alone in one and the same dimension.
  std::map<const TnNode*, size_t> dimension;
  bool ok = true;
  auto visit_stores = [&](const Node& n) {
    if (n.is<tir::AllocBuffer>() || n.is<tir::DeclBuffer>() || n.is<tir::BlockRealize>()) ok = false;
    const auto* store = n.as<tir::BufferStore>();
    if (!store) return;
    NodeRange indices = nodes(store->indices());
    size_t d = 0;
    while (d < indices.size() && !indices[d].same_as(axis.var)) ++d;
    if (d == indices.size()) {
      ok = false;
      return;
    }
    auto [it, added] = dimension.emplace(store->buffer().get(), d);
    ok = ok && (added || it->second == d);
  };
  auto visit_loads = [&](const Node& n) {
    if (const auto* c = n.as<ir::Call>()) {
      const auto* op = c->op().as<ir::Op>();
      ok = ok && op && is_pure_op(op->id());
    }
    auto check = [&](const Node& buffer, const Array& indices) {
      auto it = dimension.find(buffer.get());
      if (it != dimension.end() && !nodes(indices)[it->second].same_as(axis.var)) ok = false;
    };
    if (const auto* load = n.as<tir::BufferLoad>()) check(load->buffer(), load->indices());
    if (const auto* store = n.as<tir::BufferStore>()) check(store->buffer(), store->indices());
  };
  b_.walk(Value(nest.block.body()), visit_stores);
  if (!nest.block.init().is_none()) b_.walk(nest.block.init(), visit_stores);
  b_.walk(Value(nest.block.body()), visit_loads);
  if (!nest.block.init().is_none()) b_.walk(nest.block.init(), visit_loads);
  return ok && !dimension.empty();
}

}  // namespace tenon::cpu
