// Parallel outer loops for nests that keep their form.
#include <algorithm>

#include "schedule.h"

namespace tenon::cpu {
namespace {

constexpr int64_t kEnough = 32;  // iterations that keep many threads busy
constexpr int64_t kSquare = 16;  // elements of a line of the nearest cache

// The estimated cycles of one step of the block: a few operations a cycle, functions take longer.
int64_t step_cost(const Builder& b, const tir::Block& block, bool vector) {
  int64_t cost = 2;
  b.walk(Value(block.body()), [&](const Node& n) {
    if (n.is<ir::Call>()) cost += 16;
    if (n.is<tir::BufferLoad>()) cost += 2;
    cost += 1;
  });
  return std::max<int64_t>(1, cost / (vector ? 8 : 2));
}

}  // namespace

std::optional<Map> parallel_annotations(const Context& c, const Node& count, const Node& cycles) {
  if (!c.options.parallel) return std::nullopt;
  auto n = constant_of(count), each = constant_of(cycles);
  if (n && *n < 2) return std::nullopt;
  if (each) {
    int64_t total = 0;
    if (n && !__builtin_mul_overflow(*n, *each, &total) && total < 2 * c.options.grain) return std::nullopt;
    return c.b.map({{kGrain, Value(std::max<int64_t>(1, c.options.grain / std::max<int64_t>(1, *each)))}});
  }
  const Builder& b = c.b;
  Node one = b.imm(1);
  return b.map({{kGrain, Value(b.max(b.floordiv(b.imm(c.options.grain), b.max(cycles, one)), one))}});
}

namespace {

// The loops of a nest as they will stand around `body`, and the axis that each moves.
struct Loops {
  std::vector<tir::For> loops;
  std::vector<const Axis*> axes;  // null for a reduction
  Node body;
  bool tiled = false;
};

Loops loops_of(const Nest& nest) {
  Loops out{nest.loops, {}, static_cast<const Node&>(nest.realize)};
  NodeRange axes = nodes(nest.block.iter_vars()), values = nodes(nest.realize.iter_values());
  for (const tir::For& loop : nest.loops) {
    out.axes.push_back(nullptr);
    for (size_t i = 0; i < axes.size(); ++i)
      for (const Axis& a : nest.spatial)
        if (values[i].same_as(loop.loop_var()) && axes[i].to<tir::IterVar>().var().same_as(a.var)) out.axes.back() = &a;
  }
  return out;
}

// Where one access walks along memory with one axis and another access with another, both are cut into squares:
//
//   for i, j: T[i, j] = A[j, i]   ->   for i0, j0: for i1 in 16, j1 in 16: T[i0 * 16 + i1, j0 * 16 + j1] = ...
void tile_turned(const Context& c, const Reader& reader, const Nest& nest, Loops& loops) {
  const Builder& b = c.b;
  const Axis* inner = loops.axes.back();
  if (!nest.reduce.empty() || !inner || loops.loops.size() < 2) return;
  std::optional<Compute> compute = reader.compute(nest);
  if (!compute || c.accesses.step(compute->store.buffer(), compute->store.indices(), inner->var) != Step::kUnit) return;
  size_t other = loops.loops.size();
  b.walk(Value(compute->store.value()), [&](const Node& n) {
    const auto* load = n.as<tir::BufferLoad>();
    if (!load || c.accesses.step(load->buffer(), load->indices(), inner->var) != Step::kOther) return;
    for (size_t i = 0; i + 1 < loops.loops.size(); ++i)
      if (c.accesses.step(load->buffer(), load->indices(), loops.axes[i]->var) == Step::kUnit) other = i;
  });
  if (other == loops.loops.size()) return;
  const Axis* outer = loops.axes[other];
  if (outer->constant.value_or(kSquare) < kSquare || inner->constant.value_or(kSquare) < kSquare) return;
  if (!reader.is_parallel(nest, *outer) || !reader.is_parallel(nest, *inner)) return;

  Node body = loops.body;
  std::vector<tir::For> around;
  std::vector<const Axis*> axes;
  auto outside = [&](const Node& var, const Node& extent, const Axis* axis) {
    Node loop = b.loop(var, extent, b.make<tir::Evaluate>({b.imm(0)}));
    around.push_back(loop.to<tir::For>());
    axes.push_back(axis);
  };
  for (size_t i = 0; i + 1 < loops.loops.size(); ++i)
    if (i != other) around.push_back(loops.loops[i]), axes.push_back(loops.axes[i]);
  std::vector<Node> steps, counts;
  auto cut = [&](size_t at) {
    const tir::For& loop = loops.loops[at];
    std::string name(loop.loop_var().to<ir::Var>().name());
    Node square = b.imm(kSquare), tile = b.var(name + "_tile"), step = b.var(name);
    auto extent = constant_of(loop.extent());
    Node begin = b.mul(tile, square);
    outside(tile,
            extent ? b.imm((*extent + kSquare - 1) / kSquare)
                   : b.floordiv(b.add(loop.extent(), b.imm(kSquare - 1)), square),
            loops.axes[at]);
    steps.push_back(step);
    counts.push_back(extent && *extent % kSquare == 0 ? square : b.min(square, b.sub(loop.extent(), begin)));
    body = substituted(b, body, {loop.loop_var()}, {b.add(begin, step)});
  };
  cut(other);
  cut(loops.loops.size() - 1);
  loops.body = b.loop(steps[0], counts[0], b.loop(steps[1], counts[1], body));
  loops.loops = around;
  loops.axes = axes;
  loops.tiled = true;
}

}  // namespace

Node schedule_outer(const Context& c, const Reader& reader, const Nest& nest) {
  const Builder& b = c.b;
  Loops all = loops_of(nest);
  tile_turned(c, reader, nest, all);
  const std::vector<tir::For>& loops = all.loops;
  size_t outer = 0;
  while (outer < loops.size() && all.axes[outer] && reader.is_parallel(nest, *all.axes[outer])) ++outer;
  // The innermost loop stays one of its own, for vectors.
  if (outer == loops.size() && outer > 1 && !all.tiled) --outer;
  auto unchanged = [&] {
    if (!all.tiled) return Node();
    Node body = all.body;
    for (size_t i = loops.size(); i-- > 0;) body = b.with(loops[i], tir::For::Slot::body, body);
    return body;
  };
  if (outer == 0) return unchanged();
  size_t taken = 0;
  Node count = b.imm(1);
  for (int64_t product = 1; taken < outer && product < kEnough; ++taken) {
    const Node& extent = loops[taken].extent();
    auto n = constant_of(extent);
    product = n ? product * std::min<int64_t>(*n, kEnough) : kEnough;
    auto so_far = constant_of(count);
    count = so_far == 1 ? extent : n == 1 ? count : n && so_far ? b.imm(*so_far * *n) : b.mul(count, extent);
  }
  bool vector = loops.size() > 1;
  Node cycles = b.imm(step_cost(b, nest.block, vector) * (all.tiled ? kSquare * kSquare : 1));
  for (size_t i = taken; i < loops.size(); ++i) {
    auto x = constant_of(cycles), y = constant_of(loops[i].extent());
    int64_t product = 0;
    cycles = x && y && !__builtin_mul_overflow(*x, *y, &product) ? b.imm(product) : b.mul(cycles, loops[i].extent());
  }
  std::optional<Map> annotations = parallel_annotations(c, count, cycles);
  if (!annotations) return unchanged();

  Node fused = taken == 1 ? loops[0].loop_var() : b.var("fused");
  Node body = all.body;
  if (taken > 1) {
    Node rest = fused;
    std::vector<Node> from, to;
    for (size_t i = taken; i-- > 0;) {
      from.push_back(loops[i].loop_var());
      to.push_back(i == 0 ? rest : b.floormod(rest, loops[i].extent()));
      rest = b.floordiv(rest, loops[i].extent());
    }
    body = substituted(b, body, from, to);
  }
  for (size_t i = loops.size(); i-- > taken;) body = b.with(loops[i], tir::For::Slot::body, body);
  return b.make<tir::For>({b.imm(0), count, int64_t{TN_FOR_PARALLEL}, "", *annotations, fused, body}, nest.stmt.span());
}

}  // namespace tenon::cpu
