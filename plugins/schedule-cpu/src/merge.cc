// Takes the last two axes of what is stored as one, so that tiles need not end where rows of an image do.
//
//   for o, y, x, c: Y[o, y, x] += X[c, y, x] * W[o, c]   ->   for o, p, c: Y'[o, p] += X'[c, p] * W[o, c]
//
// Y' and X' are views of the same memory. What does not lie in this order is read at p // width and p % width.
#include "schedule.h"

namespace tenon::cpu {
namespace {

class Merger {
 public:
  Merger(const Builder& b, const Axis& outer, const Axis& inner)
      : b_(b),
        outer_(outer),
        inner_(inner),
        at_(b.var(std::string(outer.var.to<ir::Var>().name()) + "_" + std::string(inner.var.to<ir::Var>().name()))) {}

  const Node& axis() const { return at_; }
  // The access through a view; nothing when the two axes are not one dimension behind the other and nowhere else.
  std::optional<std::pair<Node, Array>> merged(const Node& buffer, const Array& indices) {
    const auto& declared = buffer.to<tir::Buffer>();
    NodeRange items = nodes(indices), shape = nodes(declared.shape());
    std::optional<size_t> place;
    for (size_t d = 0; d + 1 < items.size(); ++d)
      if (items[d].same_as(outer_.var) && items[d + 1].same_as(inner_.var)) place = d;
    if (!place || !declared.strides().empty() || constant_of(shape[*place + 1]) != inner_.constant) return std::nullopt;
    std::vector<Node> out, dims;
    for (size_t d = 0; d < items.size(); ++d) {
      if (d == *place) {
        out.push_back(at_);
        auto rows = constant_of(shape[d]);
        dims.push_back(rows ? b_.imm(*rows * *inner_.constant) : b_.mul(shape[d], shape[d + 1]));
        ++d;
        continue;
      }
      if (uses_any(b_, Value(items[d]), {outer_.var.get(), inner_.var.get()})) return std::nullopt;
      out.push_back(items[d]);
      dims.push_back(shape[d]);
    }
    auto key = std::make_pair(buffer.get(), *place);
    auto it = views_.find(key);
    if (it == views_.end()) {
      Node view = b_.make<tir::Buffer>({b_.string(declared.name()), declared.dtype(), b_.array(dims), b_.array({}),
                                        declared.elem_offset(), b_.string(declared.scope()), b_.map({})});
      it = views_.emplace(key, std::make_pair(buffer, view)).first;
      order_.push_back(key);
    }
    return std::make_pair(it->second.second, b_.array(out));
  }
  Node value(const Node& e) {
    Value loads = b_.rewrite(Value(e), [&](const Node&, const Node& n) -> Value {
      const auto* load = n.as<tir::BufferLoad>();
      if (!load) return Value();
      auto through = merged(load->buffer(), load->indices());
      return through ? Value(b_.load(through->first, through->second)) : Value();
    });
    return substituted(b_, as_node(loads), {outer_.var, inner_.var},
                       {b_.floordiv(at_, inner_.extent), b_.floormod(at_, inner_.extent)});
  }
  std::optional<tir::BufferStore> store(const tir::BufferStore& s) {
    auto through = merged(s.buffer(), s.indices());
    if (!through) return std::nullopt;
    Node out = b_.store(through->first, through->second, value(s.value()));
    return out.to<tir::BufferStore>();
  }
  // The views of memory that exists.
  std::vector<Node> declarations(const Vars& gone) const {
    std::vector<Node> out;
    for (const auto& key : order_) {
      const auto& [buffer, view] = views_.at(key);
      if (!gone.count(buffer.get())) out.push_back(b_.make<tir::DeclBuffer>({buffer, view}));
    }
    return out;
  }

 private:
  using Key = std::pair<const TnNode*, size_t>;
  const Builder& b_;
  const Axis &outer_, &inner_;
  Node at_;
  std::map<Key, std::pair<Node, Node>> views_;  // the buffer and its view
  std::vector<Key> order_;
};

}  // namespace

std::optional<Merged> merge_last_axes(const Builder& b, const Compute& compute, const std::vector<Stage>& stages) {
  NodeRange indices = nodes(compute.store.indices());
  if (indices.size() < 2) return std::nullopt;
  const Axis *outer = nullptr, *inner = nullptr;
  for (const Axis& a : compute.nest.spatial) {
    if (a.var.same_as(indices[indices.size() - 2])) outer = &a;
    if (a.var.same_as(indices[indices.size() - 1])) inner = &a;
  }
  constexpr int64_t kMost = int64_t{1} << 30;
  if (!outer || !inner || !outer->constant || !inner->constant || *outer->constant < 2 || *inner->constant < 2 ||
      *outer->constant > kMost || *inner->constant > kMost)
    return std::nullopt;
  Merger merger(b, *outer, *inner);
  Merged out{compute, {}, {}};
  Vars gone;
  for (const Stage& s : stages) {
    std::optional<tir::BufferStore> store = merger.store(s.store);
    if (!store) return std::nullopt;
    if (!s.keep) gone.insert(s.store.buffer().get());
    out.stages.push_back({*store, s.keep});
  }
  out.compute.store = out.stages[0].store;
  out.compute.init = merger.value(compute.init);
  out.compute.nest.spatial.clear();
  for (const Axis& a : compute.nest.spatial) {
    if (&a == inner) continue;
    int64_t extent = *outer->constant * *inner->constant;
    out.compute.nest.spatial.push_back(&a == outer ? Axis{merger.axis(), b.imm(extent), extent} : a);
  }
  // The stage that is not the last is always in memory of the tile, the last one always stored.
  gone.erase(stages.back().store.buffer().get());
  out.views = merger.declarations(gone);
  return out;
}

}  // namespace tenon::cpu
