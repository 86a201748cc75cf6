// Lifetimes, views and slots.
#include "memory_plan.h"

#include <algorithm>

namespace tenon::graph {

void MemoryPlan::make(const tir::PrimFunc& f) {
  arith_.emplace(b_, table_);
  buffers_.clear();
  index_.clear();
  known_at_start_.clear();
  slots_.clear();
  copies_.clear();
  sizes_.clear();
  time_ = scopes_ = 0;
  auto know = [&](const Node& v) {
    if (known_at_start_.insert(v.get()).second && is_integer(v.dtype())) arith_->enter(b_.le(b_.imm(0, v.dtype()), v));
  };
  for (const Node& p : nodes(f.params())) {
    if (const auto* buffer = p.as<tir::Buffer>()) {
      buffers_[static_cast<size_t>(add(p, 0))].is_param = true;
      for (const Node& d : nodes(buffer->shape()))
        if (d.is<ir::Var>()) know(d);
    } else if (is_integer(p.dtype())) {
      known_at_start_.insert(p.get());
    }
  }
  scan(f.body(), 0);
  if (options_.views) view_copies();
  assign_slots();
}

int MemoryPlan::find(const Node& buffer) const {
  auto it = index_.find(buffer.get());
  return it == index_.end() ? -1 : it->second;
}

int MemoryPlan::root_of(int i) const {
  while (buffers_[static_cast<size_t>(i)].lies_in >= 0) i = buffers_[static_cast<size_t>(i)].lies_in;
  return i;
}

int MemoryPlan::add(const Node& buffer, int scope) {
  auto [it, is_new] = index_.emplace(buffer.get(), static_cast<int>(buffers_.size()));
  if (is_new) {
    PlannedBuffer p;
    p.buffer = buffer;
    p.scope = scope;
    buffers_.push_back(p);
  }
  return it->second;
}

void MemoryPlan::use(const Node& buffer, int time) {
  int i = find(buffer);
  if (i < 0) return;
  PlannedBuffer& root = buffers_[static_cast<size_t>(root_of(i))];
  if (root.first < 0) root.first = time;
  root.last = std::max(root.last, time);
}

// ---- Reading the function --------------------------------------------------------------------------------------

void MemoryPlan::scan(const Node& stmt, int scope) {
  if (const auto* seq = stmt.as<tir::Seq>()) {
    int inner = scope == 0 && scopes_ == 0 ? 0 : ++scopes_;
    if (scopes_ == 0) scopes_ = 1;
    for (const Node& s : nodes(seq->stmts())) scan(s, inner);
    return;
  }
  if (const auto* branch = stmt.as<tir::IfThenElse>()) {
    int time = time_++;
    b_.walk(Value(branch->condition()), [&](const Node& n) {
      if (n.is<tir::Buffer>()) use(n, time);
    });
    scan(branch->then_case(), ++scopes_);
    if (!branch->else_case().is_none()) scan(as_node(branch->else_case()), ++scopes_);
    return;
  }
  leaf(stmt, scope);
}

void MemoryPlan::leaf(const Node& stmt, int scope) {
  int time = time_++;
  if (const auto* alloc = stmt.as<tir::AllocBuffer>()) {
    const auto& buffer = alloc->buffer().to<tir::Buffer>();
    PlannedBuffer& p = buffers_[static_cast<size_t>(add(alloc->buffer(), scope))];
    int64_t element = is_handle(buffer.dtype()) ? 0 : dtype_bytes(buffer.dtype());
    p.can_move = element > 0 && kArenaAlign % element == 0 && buffer.scope() == "global" && buffer.strides().empty() &&
                 buffer.elem_offset().is_none() && alloc->annotations().empty();
    for (const Node& d : nodes(buffer.shape()))
      b_.walk(Value(d), [&](const Node& n) {
        if (n.is<ir::Var>()) p.can_move = p.can_move && known_at_start_.count(n.get());
        if (n.is<tir::BufferLoad>() || n.is<ir::Call>()) p.can_move = false;
      });
    return;
  }
  if (const auto* decl = stmt.as<tir::DeclBuffer>()) {
    const auto& buffer = decl->buffer().to<tir::Buffer>();
    int i = add(decl->buffer(), scope);
    if (decl->data().is<tir::Buffer>()) {
      buffers_[static_cast<size_t>(i)].lies_in = find(decl->data());
      use(decl->data(), time);
    }
    if (!buffer.elem_offset().is_none()) buffers_[static_cast<size_t>(i)].own_offset = as_node(buffer.elem_offset());
  }
  const auto* evaluate = stmt.as<tir::Evaluate>();
  const Node* direct = evaluate ? &evaluate->value() : nullptr;
  b_.walk(Value(stmt), [&](const Node& n) {
    if (n.is<tir::Buffer>()) use(n, time);
    if (const auto* store = n.as<tir::BufferStore>()) note_write(store->buffer(), time);
    if (const auto* call = n.as<ir::Call>()) note_call(*call, time, scope, direct && direct->same_as(n));
  });
}

// Functions of the module write what find_written_params says; every other call may write each buffer that it is given.
void MemoryPlan::note_call(const ir::Call& call, int time, int scope, bool is_statement) {
  NodeRange args = nodes(call.args());
  const auto* callee = call.op().as<ir::GlobalVar>();
  auto it = callee ? written_.find(std::string(callee->name())) : written_.end();
  for (size_t i = 0; i < args.size(); ++i) {
    bool writes = it == written_.end() || i >= it->second.size() || it->second[i];
    if (writes) note_write(args[i], time);
    // An address may be kept.
    if (const auto* op = call.op().as<ir::Op>(); op && op->id() == "tir.address_of")
      if (const auto* load = args[i].as<tir::BufferLoad>(); load && find(load->buffer()) >= 0)
        buffers_[static_cast<size_t>(root_of(find(load->buffer())))].can_move = false;
  }
  if (!is_statement || !callee || args.size() < 2) return;
  int from = find(args[0]), to = find(args[1]);
  if (from >= 0 && to >= 0 && is_reshape(callee->name())) copies_.push_back({time, scope, from, to});
}

void MemoryPlan::note_write(const Node& buffer_or_region, int time) {
  const auto* region = buffer_or_region.as<tir::BufferRegion>();
  int i = find(region ? region->buffer() : buffer_or_region);
  if (i >= 0) buffers_[static_cast<size_t>(root_of(i))].writes.push_back(time);
}

// ---- Copies that become views ----------------------------------------------------------------------------------

namespace {

bool any_within(const std::vector<int>& times, int after, int until) {
  return std::any_of(times.begin(), times.end(), [&](int t) { return t > after && t <= until; });
}

}  // namespace

void MemoryPlan::view_copies() {
  for (const Copy& c : copies_)
    if (!view_of_source(c)) view_of_result(c);
}

// copy(from, to), then `to` is only read, and `from` is not written while it is: `to` is a view of `from`.
bool MemoryPlan::view_of_source(const Copy& c) {
  PlannedBuffer& to = buffers_[static_cast<size_t>(c.to)];
  int source = root_of(c.from);
  if (!to.can_move || to.lies_in >= 0 || source == c.to || to.scope != c.scope || to.first != c.at) return false;
  if (buffers_[static_cast<size_t>(c.from)].own_offset || to.writes.size() != 1) return false;
  if (any_within(buffers_[static_cast<size_t>(source)].writes, c.at - 1, to.last)) return false;
  to.copy_at = c.at;
  to.writes.clear();
  merge(c.to, c.from, c.at);
  return true;
}

// `from` is not used after copy(from, to), and `to`, which the caller gave, not before it: `from` is a view of `to`.
bool MemoryPlan::view_of_result(const Copy& c) {
  PlannedBuffer& from = buffers_[static_cast<size_t>(c.from)];
  PlannedBuffer& to = buffers_[static_cast<size_t>(c.to)];
  if (!from.can_move || from.lies_in >= 0 || !to.is_param || to.first != c.at || from.last != c.at) return false;
  if (to.writes.size() != 1 || from.scope != c.scope) return false;
  to.copy_at = c.at;  // the statement goes; the result itself stays where it is
  merge(c.from, c.to, c.at);
  return true;
}

// `inner` lies in the memory of `outer` from now on.
void MemoryPlan::merge(int inner, int outer, int without_write) {
  PlannedBuffer& from = buffers_[static_cast<size_t>(inner)];
  PlannedBuffer& root = buffers_[static_cast<size_t>(root_of(outer))];
  from.lies_in = outer;
  root.first = root.first < 0 ? from.first : std::min(root.first, from.first);
  root.last = std::max(root.last, from.last);
  for (int t : from.writes)
    if (t != without_write) root.writes.push_back(t);
}

// One copy, or several one after the other through buffers of the function's own.
bool MemoryPlan::is_reshape(std::string_view callee) {
  auto known = reshapes_.find(callee);
  if (known != reshapes_.end()) return known->second;
  bool& answer = reshapes_[std::string(callee)];
  answer = false;
  const Value* found = module_.functions().find(callee);
  const auto* f = found ? as_node(*found).as<tir::PrimFunc>() : nullptr;
  if (!f || f->params().size() < 2) return false;
  for (size_t i = 0; i < f->params().size(); ++i)
    if (nodes(f->params())[i].is<tir::Buffer>() != (i < 2)) return false;
  const Node &in = nodes(f->params())[0], &out = nodes(f->params())[1];
  std::vector<Node> stmts;
  if (const auto* seq = f->body().as<tir::Seq>())
    for (const Node& s : nodes(seq->stmts())) stmts.push_back(s);
  else
    stmts.push_back(f->body());
  Node at = in;
  for (const Node& s : stmts) {
    if (s.is<tir::AllocBuffer>()) continue;
    at = reshape_target(s, at);
    if (!at) return false;
  }
  answer = at.same_as(out);
  return answer;
}

// The buffer into which the statement copies all of `from` in row-major order; null when it does anything else.
Node MemoryPlan::reshape_target(const Node& stmt, const Node& from) {
  std::vector<tir::For> loops;
  const Node* at = &stmt;
  while (const auto* loop = at->as<tir::For>()) {
    loops.push_back(*loop);
    at = &loop->body();
  }
  const auto* realize = at->as<tir::BlockRealize>();
  if (!realize) return {};
  const auto& block = realize->block().to<tir::Block>();
  const auto* always = realize->predicate().as<ir::IntImm>();
  const auto* store = block.body().as<tir::BufferStore>();
  const auto* load = store ? store->value().as<tir::BufferLoad>() : nullptr;
  if (!always || always->value() != 1 || !load || !block.init().is_none() || !block.match_buffers().empty()) return {};
  if (!load->buffer().same_as(from)) return {};
  const auto& in = from.to<tir::Buffer>();
  const auto& out = store->buffer().to<tir::Buffer>();
  if (!same_dtype(in.dtype(), out.dtype()) || !in.strides().empty() || !out.strides().empty()) return {};

  // Axis d runs over dimension d of the result, all of it.
  Arith arith(b_, table_);
  size_t rank = out.shape().size();
  NodeRange axes = nodes(block.iter_vars()), values = nodes(realize->iter_values());
  if (loops.size() != rank || axes.size() != rank || store->indices().size() != rank) return {};
  for (const tir::Buffer* buffer : {&in, &out})
    b_.walk(b_.array_value(buffer->shape()), [&](const Node& d) {
      if (d.is<ir::Var>()) arith.enter(b_.le(b_.imm(1, d.dtype()), d));  // without elements there is nothing to copy
    });
  for (size_t d = 0; d < rank; ++d) {
    const auto& axis = axes[d].to<tir::IterVar>();
    const Node& extent = nodes(out.shape())[d];
    if (!values[d].same_as(loops[d].loop_var()) || !nodes(store->indices())[d].same_as(axis.var())) return {};
    if (!arith.can_prove_equal(loops[d].extent(), extent) || !arith.can_prove(b_.eq(loops[d].min(), b_.imm(0))))
      return {};
    arith.bind_range(axis.var(), b_.imm(0), extent);
  }
  auto row_major = [&](const Array& shape, const Array& indices) {
    Node element = b_.imm(0);
    for (size_t d = 0; d < shape.size(); ++d)
      element = b_.add(b_.mul(element, b_.cast(nodes(shape)[d], kInt64)), b_.cast(nodes(indices)[d], kInt64));
    return arith.simplify(element);
  };
  auto count = [&](const Array& shape) {
    Node elements = b_.imm(1);
    for (const Node& d : nodes(shape)) elements = b_.mul(elements, b_.cast(d, kInt64));
    return arith.simplify(elements);
  };
  bool same = arith.can_prove_equal(count(in.shape()), count(out.shape())) &&
              arith.can_prove_equal(row_major(in.shape(), load->indices()), row_major(out.shape(), store->indices()));
  return same ? store->buffer() : Node();
}

// ---- Slots -----------------------------------------------------------------------------------------------------

Node MemoryPlan::bytes_of(const tir::Buffer& buffer) {
  Node bytes = b_.imm(dtype_bytes(buffer.dtype()));
  for (const Node& d : nodes(buffer.shape())) bytes = b_.mul(bytes, b_.cast(d, kInt64));
  return arith_->simplify(bytes);
}

bool MemoryPlan::at_most(const Node& a, const Node& b) {
  const auto *x = a.as<ir::IntImm>(), *y = b.as<ir::IntImm>();
  if (x && y) return x->value() <= y->value();
  return !b_.difference(Value(a), Value(b)) || arith_->can_prove(b_.le(a, b));
}

Node MemoryPlan::units(const Node& bytes) {
  Node n = arith_->simplify(b_.floordiv(b_.add(bytes, b_.imm(kArenaAlign - 1)), b_.imm(kArenaAlign)));
  return arith_->bounds(n).min >= 0 ? n : b_.max(n, b_.imm(0));
}

Node MemoryPlan::slot_bytes(const ArenaSlot& slot) {
  Node bytes = slot.bytes[0];
  for (size_t i = 1; i < slot.bytes.size(); ++i) bytes = b_.max(bytes, slot.bytes[i]);
  return bytes;
}

// In the order of first use, each allocation takes the slot that is free then and suits it best: one that is large
// enough, else one that grows.
void MemoryPlan::assign_slots() {
  std::vector<int> order;
  for (size_t i = 0; i < buffers_.size(); ++i) {
    PlannedBuffer& p = buffers_[i];
    if (!p.can_move) continue;
    Node bytes = bytes_of(p.buffer.to<tir::Buffer>());
    auto same = std::find_if(sizes_.begin(), sizes_.end(),
                             [&](const auto& s) { return !b_.difference(Value(s.first), Value(bytes)); });
    if (same == sizes_.end())
      sizes_.emplace_back(bytes, 1);
    else
      ++same->second;
    if (p.lies_in < 0 && p.first >= 0) order.push_back(static_cast<int>(i));
  }
  std::sort(order.begin(), order.end(), [&](int x, int y) {
    return std::pair(buffers_[static_cast<size_t>(x)].first, x) < std::pair(buffers_[static_cast<size_t>(y)].first, y);
  });
  for (int i : order) {
    PlannedBuffer& p = buffers_[static_cast<size_t>(i)];
    Node need = bytes_of(p.buffer.to<tir::Buffer>());
    int best = -1, best_rank = 4;
    for (size_t k = 0; options_.reuse && k < slots_.size(); ++k) {
      const ArenaSlot& slot = slots_[k];
      if (slot.free_after >= p.first) continue;
      auto fits = [&](const Node& size) { return at_most(need, size); };
      auto grows = [&](const Node& size) { return at_most(size, need); };
      bool enough = std::any_of(slot.bytes.begin(), slot.bytes.end(), fits);
      bool less = std::all_of(slot.bytes.begin(), slot.bytes.end(), grows);
      int rank = enough && less ? 0 : enough ? 1 : less ? 2 : 3;
      bool tighter = best >= 0 && rank == best_rank &&
                     ((rank == 1 && at_most(slot_bytes(slot), slot_bytes(slots_[static_cast<size_t>(best)]))) ||
                      (rank == 2 && at_most(slot_bytes(slots_[static_cast<size_t>(best)]), slot_bytes(slot))));
      if (rank < best_rank || tighter) {
        best = static_cast<int>(k);
        best_rank = rank;
      }
    }
    if (best < 0) {
      best = static_cast<int>(slots_.size());
      slots_.push_back({{need}, -1});
      best_rank = 0;
    }
    ArenaSlot& slot = slots_[static_cast<size_t>(best)];
    if (best_rank >= 2) {
      std::erase_if(slot.bytes, [&](const Node& size) { return at_most(size, need); });
      slot.bytes.push_back(need);
    }
    slot.free_after = p.last;
    p.slot = best;
  }
}

}  // namespace tenon::graph
