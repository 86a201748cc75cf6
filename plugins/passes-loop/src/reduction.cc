// Nests of loops around a block with an init: when the init may leave the reduction, and as what.
#include "reduction.h"

#include <algorithm>

namespace tenon::loop {

std::optional<Nest> nest_at(const Builder& b, const Node& stmt, const Vars& outer) {
  Nest nest;
  const Node* at = &stmt;
  for (; at->is<tir::For>(); at = &at->to<tir::For>().body()) nest.loops.push_back(at->to<tir::For>());
  const auto* realize = at->as<tir::BlockRealize>();
  if (!realize) return std::nullopt;
  nest.realize = *realize;
  nest.block = realize->block().to<tir::Block>();
  if (nest.block.init().is_none()) return std::nullopt;
  Vars loop_vars;
  for (const tir::For& loop : nest.loops) loop_vars.insert(loop.loop_var().get());
  NodeRange iters = nodes(nest.block.iter_vars()), values = nodes(realize->iter_values());
  for (size_t i = 0; i < iters.size(); ++i) {
    const auto& iter = iters[i].to<tir::IterVar>();
    bool reduces = iter.iter_kind() == TN_ITER_REDUCE;
    nest.other_iters = nest.other_iters || (!reduces && iter.iter_kind() != TN_ITER_SPATIAL);
    if (reduces) nest.reduce_iters.insert(iter.var().get());
    if (reduces && uses_any(b, Value(values[i]), outer)) return std::nullopt;
    b.walk(Value(values[i]), [&](const Node& n) {
      if (loop_vars.count(n.get())) (reduces ? nest.reduce_loops : nest.spatial_loops).insert(n.get());
    });
  }
  for (const TnNode* v : nest.reduce_loops)
    if (nest.spatial_loops.count(v)) return std::nullopt;
  while (nest.first < nest.loops.size() && !nest.reduce_loops.count(nest.loops[nest.first].loop_var().get()))
    ++nest.first;
  return nest;
}

bool may_be_empty(const Nest& nest) {
  for (const tir::For& loop : nest.loops)
    if (nest.reduce_loops.count(loop.loop_var().get()) && constant_of(loop.extent()).value_or(0) <= 0) return true;
  return false;
}

bool extents_depend(const Builder& b, const Nest& nest, const Vars& loops) {
  for (size_t i = nest.first; i < nest.loops.size(); ++i)
    if (uses_any(b, Value(nest.loops[i].min()), loops) || uses_any(b, Value(nest.loops[i].extent()), loops))
      return true;
  return false;
}

Vars loops_from_first(const Nest& nest) {
  Vars out;
  for (size_t i = nest.first; i < nest.loops.size(); ++i) out.insert(nest.loops[i].loop_var().get());
  return out;
}

// The views of the block that its init uses. None when they cannot stand without the reduction.
static std::optional<std::vector<Node>> views_of_init(const Builder& b, const Nest& nest) {
  const Value init(as_node(nest.block.init()));
  for (const Node& buffer : nodes(nest.block.alloc_buffers()))
    if (uses_any(b, init, {buffer.get()})) return std::nullopt;
  std::vector<Node> out;
  for (const Node& m : nodes(nest.block.match_buffers())) {
    const auto& match = m.to<tir::MatchBufferRegion>();
    Vars defined{match.buffer().get()};  // and perhaps the symbols of its shape
    const auto& view = match.buffer().to<tir::Buffer>();
    for (const Array& sizes : {view.shape(), view.strides()})
      for (const Node& size : nodes(sizes))
        if (size.is<ir::Var>()) defined.insert(size.get());
    if (!view.elem_offset().is_none()) defined.insert(as_node(view.elem_offset()).get());
    if (!uses_any(b, init, defined)) continue;
    if (uses_any(b, Value(match.source()), nest.reduce_iters)) return std::nullopt;
    out.push_back(m);
  }
  return out;
}

std::optional<Node> init_nest(const Builder& b, const Nest& nest, const std::vector<Node>& terms) {
  std::optional<std::vector<Node>> views = views_of_init(b, nest);
  if (!views || uses_any(b, Value(as_node(nest.block.init())), nest.reduce_iters)) return std::nullopt;
  std::vector<Node> from, to;
  std::vector<tir::For> kept;
  for (size_t i = nest.first; i < nest.loops.size(); ++i) {
    const tir::For& loop = nest.loops[i];
    if (nest.reduce_loops.count(loop.loop_var().get())) continue;
    kept.push_back(loop);
    from.push_back(loop.loop_var());
    to.push_back(b.var(loop.loop_var().to<ir::Var>().name(), loop.loop_var().dtype()));
  }
  std::vector<Node> iters, values, old_iters, new_iters, writes, conditions;
  for (const Node& t : terms) conditions.push_back(substituted(b, t, from, to));
  NodeRange block_iters = nodes(nest.block.iter_vars()), block_values = nodes(nest.realize.iter_values());
  for (size_t i = 0; i < block_iters.size(); ++i) {
    const auto& iter = block_iters[i].to<tir::IterVar>();
    if (nest.reduce_iters.count(iter.var().get())) continue;
    Node var = b.var(iter.var().to<ir::Var>().name(), iter.var().dtype());
    old_iters.push_back(iter.var());
    new_iters.push_back(var);
    iters.push_back(b.make<tir::IterVar>({iter.domain(), iter.iter_kind(), var}));
    values.push_back(substituted(b, block_values[i], from, to));
  }
  for (const Node& w : nodes(nest.block.writes())) writes.push_back(substituted(b, w, old_iters, new_iters));
  for (Node& view : *views) view = substituted(b, view, old_iters, new_iters);
  Node body = substituted(b, as_node(nest.block.init()), old_iters, new_iters);
  Node block = as_node(
      b.renew(Value(b.make<tir::Block>({b.string(std::string(nest.block.name()) + "_init"), b.array(iters), b.array({}),
                                        b.array(*views), b.array({}), b.array(writes), b.map({}), Value(), body},
                                       nest.block.span()))));
  Node stmt = b.make<tir::BlockRealize>({b.array(values), conjunction(b, conditions), block}, nest.realize.span());
  for (size_t i = kept.size(); i-- > 0;) {
    const tir::For& loop = kept[i];
    stmt = b.make<tir::For>({substituted(b, loop.min(), from, to), substituted(b, loop.extent(), from, to),
                             loop.loop_kind(), b.string(loop.thread()), b.map_value(loop.annotations()), to[i], stmt},
                            loop.span());
  }
  return stmt;
}

// ---- Memory

Memory::Memory(const Builder& b, const Node& body) {
  b.walk(Value(body), [&](const Node& n) {
    if (const auto* decl = n.as<tir::DeclBuffer>()) source_[decl->buffer().get()] = decl->data().get();
    if (const auto* match = n.as<tir::MatchBufferRegion>())
      source_[match->buffer().get()] = match->source().to<tir::BufferRegion>().buffer().get();
  });
}

const TnNode* Memory::of(const Node& buffer) const {
  const TnNode* at = buffer.get();
  for (auto it = source_.find(at); it != source_.end(); it = source_.find(at)) at = it->second;
  return at;
}

// ---- Points that are apart

std::optional<std::map<const TnNode*, int64_t>> linear_in(const Builder& b, const Node& e, const Vars& vars) {
  using Terms = std::map<const TnNode*, int64_t>;
  if (vars.count(e.get())) return Terms{{e.get(), 1}};
  if (!uses_any(b, Value(e), vars)) return Terms{};
  if (const auto* cast = e.as<tir::Cast>()) {
    DLDataType from = cast->value().dtype(), to = e.dtype();
    if (!is_integer(from) || !is_integer(to) || to.bits < from.bits) return std::nullopt;
    return linear_in(b, cast->value(), vars);
  }
  auto sum = [&](const Node& x, const Node& y, int64_t sign) -> std::optional<Terms> {
    std::optional<Terms> out = linear_in(b, x, vars), other = linear_in(b, y, vars);
    if (!out || !other) return std::nullopt;
    for (auto [var, factor] : *other) {
      int64_t scaled = 0;
      if (__builtin_mul_overflow(factor, sign, &scaled) || __builtin_add_overflow((*out)[var], scaled, &(*out)[var]))
        return std::nullopt;
    }
    return out;
  };
  if (const auto* add = e.as<tir::Add>()) return sum(add->a(), add->b(), 1);
  if (const auto* sub = e.as<tir::Sub>()) return sum(sub->a(), sub->b(), -1);
  if (const auto* mul = e.as<tir::Mul>()) {
    std::optional<int64_t> a = constant_of(mul->a()), c = constant_of(mul->b());
    if (!a && !c) return std::nullopt;
    std::optional<Terms> out = linear_in(b, a ? mul->b() : mul->a(), vars);
    if (!out) return std::nullopt;
    for (auto& [var, factor] : *out)
      if (__builtin_mul_overflow(factor, a ? *a : *c, &factor)) return std::nullopt;
    return out;
  }
  return std::nullopt;
}

// Whether the indices differ wherever one of the variables does. `extents` has those of the variables.
static bool tells_apart(const Builder& b, const std::vector<Node>& indices,
                        const std::map<const TnNode*, std::optional<int64_t>>& extents) {
  Vars open;  // variables that the dimensions looked at do not determine
  for (const auto& [var, extent] : extents) open.insert(var);
  std::vector<std::map<const TnNode*, int64_t>> dims;
  for (const Node& index : indices)
    if (auto terms = linear_in(b, index, open)) dims.push_back(*terms);
  for (bool any = true; any && !open.empty();) {
    any = false;
    for (const auto& dim : dims) {
      std::vector<std::pair<int64_t, const TnNode*>> digits;  // as of a number in a mixed radix
      for (auto [var, factor] : dim)
        if (open.count(var) && factor != 0 && factor != INT64_MIN) digits.emplace_back(std::abs(factor), var);
      std::sort(digits.begin(), digits.end(), [](const auto& x, const auto& y) { return x.first < y.first; });
      int64_t reach = 0;  // of the lower digits
      bool apart = !digits.empty();
      for (size_t i = 0; apart && i < digits.size(); ++i) {
        int64_t step = 0;
        apart = digits[i].first > reach;
        if (i + 1 == digits.size()) break;
        std::optional<int64_t> extent = extents.at(digits[i].second);
        apart = apart && extent && !__builtin_mul_overflow(digits[i].first, *extent - 1, &step) &&
                !__builtin_add_overflow(reach, step, &reach);
      }
      if (!apart) continue;
      for (const auto& [factor, var] : digits) open.erase(var);
      any = true;
    }
  }
  return open.empty();
}

bool points_are_apart(const Builder& b, const Nest& nest, const std::vector<tir::For>& loops, const Memory& memory,
                      bool all) {
  const Node &init = as_node(nest.block.init()), &body = nest.block.body();
  struct Access {
    Node buffer;
    Array indices;
    bool stores, in_init;
  };
  std::vector<Access> accesses;
  Vars local;  // what the block itself defines, and its reduction
  bool plain = nest.block.match_buffers().empty();
  auto collect = [&](const Node& tree, bool in_init) {
    b.walk(Value(tree), [&](const Node& n) {
      if (const auto* load = n.as<tir::BufferLoad>())
        accesses.push_back({load->buffer(), load->indices(), false, in_init});
      if (const auto* store = n.as<tir::BufferStore>())
        accesses.push_back({store->buffer(), store->indices(), true, in_init});
      if (const auto* loop = n.as<tir::For>()) local.insert(loop->loop_var().get());
      if (const auto* bind = n.as<tir::Bind>()) local.insert(bind->var().get());
      if (const auto* let = n.as<tir::Let>()) local.insert(let->var().get());
      if (const auto* iter = n.as<tir::IterVar>()) local.insert(iter->var().get());
      if (n.is<tir::MatchBufferRegion>() || n.is<tir::DeclBuffer>()) plain = false;
      if (const auto* call = n.as<ir::Call>()) {  // a call may touch what is handed to it
        const auto* op = call->op().as<ir::Op>();
        plain = plain && op && op->id() != "tir.call_packed";
        for (const Node& a : nodes(call->args())) plain = plain && !a.is<tir::Buffer>() && !a.is<tir::BufferRegion>();
      }
    });
  };
  collect(init, true);
  collect(body, false);
  collect(nest.realize.predicate(), true);  // as the init, it comes earlier or later
  if (!plain) return false;
  local.insert(nest.reduce_iters.begin(), nest.reduce_iters.end());

  std::vector<Node> axes, values;
  NodeRange iters = nodes(nest.block.iter_vars()), given = nodes(nest.realize.iter_values());
  for (size_t i = 0; i < iters.size(); ++i) {
    axes.push_back(iters[i].to<tir::IterVar>().var());
    values.push_back(given[i]);
  }
  std::map<const TnNode*, std::optional<int64_t>> extents;
  for (const tir::For& loop : loops) extents[loop.loop_var().get()] = constant_of(loop.extent());

  std::map<const TnNode*, const Access*> moved;  // the memory that must be apart, by its first store
  Vars stored;
  for (const Access& a : accesses) {
    if (!a.stores) continue;
    stored.insert(memory.of(a.buffer));
    if (all || a.in_init) moved.emplace(memory.of(a.buffer), &a);
  }
  for (const auto& [where, first] : moved) {
    std::vector<Node> indices;
    for (const Node& i : nodes(first->indices)) {
      bool reads = false;
      b.walk(Value(i), [&](const Node& n) { reads = reads || n.is<tir::BufferLoad>(); });
      if (reads || uses_any(b, Value(i), local)) return false;
      indices.push_back(substituted(b, i, axes, values));
    }
    if (!tells_apart(b, indices, extents)) return false;
  }
  for (const Access& a : accesses) {
    auto it = moved.find(memory.of(a.buffer));
    if (it == moved.end()) {
      if (a.in_init && stored.count(memory.of(a.buffer))) return false;
      continue;
    }
    if (!a.buffer.same_as(it->second->buffer)) return false;
    if (b.difference(b.array_value(a.indices), b.array_value(it->second->indices))) return false;
  }
  return true;
}

}  // namespace tenon::loop
