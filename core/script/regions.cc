#include "script/regions.h"

#include <set>

#include "ir/structural_equal.h"

namespace tenon::script {
namespace {

struct Access {
  Node buffer;
  std::vector<Node> first;  // the indices of the first access
  std::vector<bool> whole;  // per dimension
};

class Collector {
 public:
  Collector(const Builder& b, const TnSpan* span) : b_(b), span_(span) {}

  void exclude(const Node& n) { inner_.insert(n.get()); }
  void define_all(const Node& tree) {
    b_.walk(Value(tree), [&](const Node& n) {
      if (const auto* f = n.as<tir::For>()) exclude(f->loop_var());
      if (const auto* v = n.as<tir::Bind>()) exclude(v->var());
      if (const auto* v = n.as<tir::Let>()) exclude(v->var());
      if (const auto* v = n.as<tir::IterVar>()) exclude(v->var());
      if (const auto* a = n.as<tir::AllocBuffer>()) exclude(a->buffer());
      if (const auto* d = n.as<tir::DeclBuffer>()) exclude(d->buffer());
      if (const auto* block = n.as<tir::Block>())
        for (const Node& a : nodes(block->alloc_buffers())) exclude(a);
      if (const auto* m = n.as<tir::MatchBufferRegion>()) exclude(m->buffer());
    });
  }
  void collect(const Node& tree) {
    b_.walk(Value(tree), [&](const Node& n) {
      if (const auto* load = n.as<tir::BufferLoad>()) {
        access(reads, load->buffer(), load->indices());
      } else if (const auto* store = n.as<tir::BufferStore>()) {
        access(writes, store->buffer(), store->indices());
      } else if (const auto* call = n.as<ir::Call>()) {
        const auto* op = call->op().as<ir::Op>();
        bool address = op && op->id() == "tir.address_of";
        for (const Node& a : nodes(call->args())) {
          const auto* of = a.as<tir::BufferLoad>();
          if (a.is<tir::Buffer>() || (address && of)) {
            all_of(reads, of ? of->buffer() : a);
            all_of(writes, of ? of->buffer() : a);
          }
        }
      } else if (const auto* decl = n.as<tir::DeclBuffer>()) {
        if (decl->data().is<tir::Buffer>()) {
          all_of(reads, decl->data());
          all_of(writes, decl->data());
        }
      } else if (const auto* match = n.as<tir::MatchBufferRegion>()) {
        region(reads, match->source());
        region(writes, match->source());
      }
    });
  }
  void region(std::vector<Access>& list, const Node& source) {
    const auto& r = source.to<tir::BufferRegion>();
    std::vector<Value> at;
    bool points = true;
    for (const Node& n : nodes(r.region())) {
      const auto* extent = n.to<ir::Range>().extent().as<ir::IntImm>();
      points = points && extent && extent->value() == 1;
      at.push_back(n.to<ir::Range>().min());
    }
    if (points)
      access(list, r.buffer(), b_.array(std::span<const Value>(at)));
    else
      all_of(list, r.buffer());
  }
  std::vector<Value> regions(const std::vector<Access>& list, const std::vector<Access>* without) const {
    std::vector<Value> out;
    for (const Access& a : list) {
      bool skip = false;
      if (without)
        for (const Access& w : *without) skip = skip || w.buffer.same_as(a.buffer);
      if (skip) continue;
      const auto& buffer = a.buffer.to<tir::Buffer>();
      std::vector<Value> ranges;
      for (size_t i = 0; i < buffer.shape().size(); ++i) {
        Node extent = as_node(buffer.shape()[i]);
        Node min = a.whole[i] ? b_.make<ir::IntImm>({extent.dtype(), int64_t{0}}, span_) : a.first[i];
        if (!a.whole[i]) extent = b_.make<ir::IntImm>({min.dtype(), int64_t{1}}, span_);
        ranges.push_back(b_.make<ir::Range>({min, extent}, span_));
      }
      out.push_back(b_.make<tir::BufferRegion>({a.buffer, b_.array(std::span<const Value>(ranges))}, span_));
    }
    return out;
  }

  std::vector<Access> reads, writes;

 private:
  bool depends(const Node& index) const {
    bool found = false;
    b_.walk(Value(index), [&](const Node& n) { found = found || inner_.count(n.get()) || n.is<tir::BufferLoad>(); });
    return found || index.dtype().lanes != 1;
  }
  Access* find(std::vector<Access>& list, const Node& buffer, bool* fresh) {
    *fresh = false;
    if (inner_.count(buffer.get())) return nullptr;
    for (Access& a : list)
      if (a.buffer.same_as(buffer)) return &a;
    *fresh = true;
    size_t rank = buffer.to<tir::Buffer>().shape().size();
    list.push_back({buffer, std::vector<Node>(rank), std::vector<bool>(rank, false)});
    return &list.back();
  }
  void access(std::vector<Access>& list, const Node& buffer, const Array& indices) {
    bool fresh;
    Access* a = find(list, buffer, &fresh);
    if (!a) return;
    for (size_t i = 0; i < a->whole.size() && i < indices.size(); ++i) {
      const Node& index = as_node(indices[i]);
      if (fresh) {
        a->first[i] = index;
        a->whole[i] = depends(index);
      } else if (!a->whole[i]) {
        a->whole[i] = first_difference(*Value(a->first[i]).ptr(), *Value(index).ptr()).has_value();
      }
    }
  }
  void all_of(std::vector<Access>& list, const Node& buffer) {
    bool fresh;
    Access* a = find(list, buffer, &fresh);
    if (a) a->whole.assign(a->whole.size(), true);
  }

  const Builder& b_;
  const TnSpan* span_;
  std::set<const TnNode*> inner_;  // defined within the block: no region outlives them
};

}  // namespace

BlockRegions block_regions(const Builder& b, const Node& body, const Node& init, const std::vector<Value>& allocated,
                           const std::vector<Value>& matched, const TnSpan* span) {
  Collector c(b, span);
  for (const Value& v : allocated) c.exclude(as_node(v));
  for (const Value& v : matched) c.exclude(as_node(v).to<tir::MatchBufferRegion>().buffer());
  c.define_all(body);
  if (init) c.define_all(init);
  if (init) c.collect(init);
  c.collect(body);
  for (const Value& v : matched) {
    c.region(c.reads, as_node(v).to<tir::MatchBufferRegion>().source());
    c.region(c.writes, as_node(v).to<tir::MatchBufferRegion>().source());
  }
  return {c.regions(c.reads, init ? &c.writes : nullptr), c.regions(c.writes, nullptr)};
}

}  // namespace tenon::script
