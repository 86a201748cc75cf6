// schedule: takes a function apart into its nests, joins what follows a reduction to it, and schedules each.
#include <algorithm>

#include "schedule.h"

namespace tenon::cpu {
namespace {

class Scheduler {
 public:
  Scheduler(const Context& c, const Reader& reader, const tir::PrimFunc& f) : c_(c), b_(c.b), reader_(reader), f_(f) {
    // Buffers that reach the memory of another one.
    b_.walk(Value(f.body()), [&](const Node& n) {
      if (const auto* decl = n.as<tir::DeclBuffer>(); decl && !decl->data().is<ir::Constant>()) {
        aliased_.insert(decl->buffer().get());
        if (decl->data().is<tir::Buffer>()) aliased_.insert(decl->data().get());
      }
      if (const auto* match = n.as<tir::MatchBufferRegion>()) {
        aliased_.insert(match->buffer().get());
        aliased_.insert(match->source().to<tir::BufferRegion>().buffer().get());
      }
      if (const auto* alloc = n.as<tir::AllocBuffer>())
        if (alloc->annotations().empty()) locals_.insert(alloc->buffer().get());
    });
  }

  Node run() {
    const Node& body = f_.body();
    const auto* realize = body.as<tir::BlockRealize>();
    if (!realize) return with_body(statements(body, {}));
    const auto& root = realize->block().to<tir::Block>();
    if (!root.iter_vars().empty() || !root.init().is_none() || !root.match_buffers().empty() ||
        !root.annotations().empty() || constant_of(realize->predicate()) != 1)
      return static_cast<const Node&>(f_);
    Vars allocated;
    for (const Node& buffer : nodes(root.alloc_buffers())) allocated.insert(buffer.get());
    locals_.insert(allocated.begin(), allocated.end());
    Node inner = statements(root.body(), allocated);
    if (inner.same_as(root.body())) return static_cast<const Node&>(f_);
    std::vector<Node> kept;
    for (const Node& buffer : nodes(root.alloc_buffers()))
      if (uses(b_, inner, buffer)) kept.push_back(buffer);
    Node block = b_.with(root, tir::Block::Slot::body, inner);
    block = b_.with(block, tir::Block::Slot::alloc_buffers, b_.array(kept));
    return with_body(b_.with(*realize, tir::BlockRealize::Slot::block, block));
  }

 private:
  Node with_body(const Node& body) const {
    return body.same_as(f_.body()) ? static_cast<const Node&>(f_) : b_.with(f_, tir::PrimFunc::Slot::body, body);
  }

  Node statements(const Node& body, const Vars&) {
    stmts_.clear();
    if (const auto* seq = body.as<tir::Seq>())
      for (const Node& s : nodes(seq->stmts())) stmts_.push_back(s);
    else
      stmts_.push_back(body);
    std::vector<Node> out;
    bool any = false;
    for (size_t i = 0; i < stmts_.size();) {
      size_t end = i + 1;
      Node done = at(i, &end, out);
      any = any || done;
      out.push_back(done ? done : stmts_[i]);
      i = end;
    }
    if (!any) return body;
    // Memory that nothing uses any more is not allocated.
    std::vector<Node> kept;
    for (size_t i = 0; i < out.size(); ++i) {
      const auto* alloc = out[i].as<tir::AllocBuffer>();
      bool used = !alloc;
      for (size_t j = i + 1; j < out.size() && !used; ++j) used = uses(b_, out[j], alloc->buffer());
      if (used) kept.push_back(out[i]);
    }
    return b_.seq(kept);
  }

  // The schedule of the nest at `i`, null when it stays; `end` is behind what went into it. Allocations among what it
  // takes are put before it.
  Node at(size_t i, size_t* end, std::vector<Node>& out) {
    std::optional<Nest> nest = reader_.nest(stmts_[i]);
    if (!nest || touches_aliases(nest->stmt)) return {};
    std::optional<Compute> compute = reader_.compute(*nest);
    if (compute && compute->init) {
      std::vector<Stage> stages{{compute->store, true}};
      std::vector<Node> allocations;
      size_t next = i + 1;
      if (c_.options.fuse_epilogues) next = join(*compute, i, stages, allocations);
      for (Stage& s : stages) s.keep = is_kept(s.store.buffer(), i, next);
      if (Node tiled = schedule_reduction(c_, *compute, stages)) {
        out.insert(out.end(), allocations.begin(), allocations.end());
        *end = next;
        return tiled;
      }
    }
    return schedule_outer(c_, reader_, *nest);
  }

  bool touches_aliases(const Node& stmt) const { return !aliased_.empty() && uses_any(b_, Value(stmt), aliased_); }
  // Whether the buffer is seen by more than the statements [begin, end).
  bool is_kept(const Node& buffer, size_t begin, size_t end) const {
    if (!locals_.count(buffer.get())) return true;
    for (size_t i = 0; i < stmts_.size(); ++i)
      if ((i < begin || i >= end) && !stmts_[i].is<tir::AllocBuffer>() && uses(b_, stmts_[i], buffer)) return true;
    return false;
  }

  // Adds the elementwise nests that follow; returns the first statement that does not belong to them.
  size_t join(const Compute& compute, size_t i, std::vector<Stage>& stages, std::vector<Node>& allocations) {
    size_t end = i + 1;
    std::vector<Node> waiting;
    for (size_t j = i + 1; j < stmts_.size(); ++j) {
      if (stmts_[j].is<tir::AllocBuffer>()) {
        waiting.push_back(stmts_[j]);
        continue;
      }
      std::optional<Nest> nest = reader_.nest(stmts_[j]);
      if (!nest || touches_aliases(nest->stmt)) break;
      std::optional<Compute> next = reader_.compute(*nest);
      if (!next || next->init) break;
      std::optional<tir::BufferStore> store = on_axes_of(compute, stages, *next);
      if (!store) break;
      stages.push_back({*store, true});
      allocations.insert(allocations.end(), waiting.begin(), waiting.end());
      waiting.clear();
      end = j + 1;
    }
    return end;
  }

  // The elementwise store in terms of the axes of the reduction, when it reads what the stages computed at the very
  // element that they are at, and nothing that they have read or written is changed by it.
  std::optional<tir::BufferStore> on_axes_of(const Compute& compute, const std::vector<Stage>& stages,
                                             const Compute& next) {
    std::map<const TnNode*, const tir::BufferStore*> written;
    for (const Stage& s : stages) written[s.store.buffer().get()] = &s.store;
    if (written.count(next.store.buffer().get())) return std::nullopt;
    for (const Stage& s : stages)
      if (uses(b_, s.store.value(), next.store.buffer())) return std::nullopt;
    if (uses(b_, compute.init, next.store.buffer())) return std::nullopt;

    std::map<const TnNode*, Node> axis_of;  // of `next`, as one of the reduction
    bool ok = true, reads = false;
    b_.walk(Value(next.store.value()), [&](const Node& n) {
      const auto* load = n.as<tir::BufferLoad>();
      auto it = load ? written.find(load->buffer().get()) : written.end();
      if (it == written.end()) return;
      reads = true;
      NodeRange at = nodes(load->indices()), stored = nodes(it->second->indices());
      for (size_t d = 0; d < at.size(); ++d) {
        if (at[d].is<ir::Var>()) {
          auto [known, added] = axis_of.emplace(at[d].get(), stored[d]);
          ok = ok && (added || same(b_, Value(known->second), Value(stored[d])));
        } else {
          ok = ok && constant_of(at[d]) && constant_of(at[d]) == constant_of(stored[d]);
        }
      }
    });
    if (!ok || !reads) return std::nullopt;
    std::vector<Node> from, to;
    Vars covered;
    for (const Axis& a : next.nest.spatial) {
      auto it = axis_of.find(a.var.get());
      if (it == axis_of.end()) return std::nullopt;
      if (!it->second.is<ir::Var>()) {
        if (a.constant != 1 || constant_of(it->second) != 0) return std::nullopt;
      } else {
        const Axis* own = nullptr;
        for (const Axis& s : compute.nest.spatial)
          if (s.var.same_as(it->second)) own = &s;
        if (!own || !same_extent(own->extent, a.extent) || !covered.insert(own->var.get()).second) return std::nullopt;
      }
      from.push_back(a.var);
      to.push_back(it->second);
    }
    for (const Axis& s : compute.nest.spatial)
      if (!covered.count(s.var.get())) return std::nullopt;
    Node store = substituted(b_, next.store, from, to);
    return store.to<tir::BufferStore>();
  }
  bool same_extent(const Node& x, const Node& y) const {
    if (same(b_, Value(x), Value(y))) return true;
    Arith arith(b_, c_.accesses.arith());
    return arith.can_prove(b_.eq(x, y));
  }

  const Context& c_;
  const Builder& b_;
  const Reader& reader_;
  const tir::PrimFunc& f_;
  Vars aliased_, locals_;
  std::vector<Node> stmts_;
};

}  // namespace

Value schedule(ScheduleCpu& self, const PassArgs& args, const Node& function) {
  const auto& f = function.to<tir::PrimFunc>();
  if (const Value* done = f.attrs().find("tir.is_scheduled"); done && done->is_bool() && done->as_bool())
    return function;
  Options options;
  options.parallel = args.flag("parallel");
  options.grain = args.number("grain");
  options.tile_rows = args.number("tile_rows");
  options.tile_vectors = args.number("tile_vectors");
  options.fuse_epilogues = args.flag("fuse_epilogues");
  options.pack = args.flag("pack");
  if (options.grain < 1 || options.tile_rows < 0 || options.tile_vectors < 0)
    throw Error(TN_ERROR_ARGUMENT, "grain is at least 1, tile_rows and tile_vectors at least 0");
  const Builder& b = self.builder();
  Machine machine = machine_of(args.target());
  Reader reader(b, self.ops());
  Accesses accesses(b, self.arith());
  Context context{b, accesses, machine, options};
  return Scheduler(context, reader, f).run();
}

}  // namespace tenon::cpu
