// Parallel outer loops for nests that keep their form.
#include <algorithm>

#include "schedule.h"

namespace tenon::cpu {
namespace {

constexpr int64_t kEnough = 32;  // iterations that keep many threads busy

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

Node schedule_outer(const Context& c, const Reader& reader, const Nest& nest) {
  const Builder& b = c.b;
  std::map<const TnNode*, const Axis*> axis_of;  // by the variable of the loop
  NodeRange axes = nodes(nest.block.iter_vars()), values = nodes(nest.realize.iter_values());
  for (size_t i = 0; i < axes.size(); ++i)
    for (const Axis& a : nest.spatial)
      if (axes[i].to<tir::IterVar>().var().same_as(a.var)) axis_of[values[i].get()] = &a;

  size_t outer = 0;
  while (outer < nest.loops.size()) {
    auto it = axis_of.find(nest.loops[outer].loop_var().get());
    if (it == axis_of.end() || !reader.is_parallel(nest, *it->second)) break;
    ++outer;
  }
  // The innermost loop stays one of its own, for vectors.
  if (outer == nest.loops.size() && outer > 1) --outer;
  if (outer == 0) return {};
  size_t taken = 0;
  Node count = b.imm(1);
  for (int64_t product = 1; taken < outer && product < kEnough; ++taken) {
    const Node& extent = nest.loops[taken].extent();
    auto n = constant_of(extent);
    product = n ? product * std::min<int64_t>(*n, kEnough) : kEnough;
    auto so_far = constant_of(count);
    count = so_far == 1 ? extent : n == 1 ? count : n && so_far ? b.imm(*so_far * *n) : b.mul(count, extent);
  }
  bool vector = !nest.loops.back().loop_var().same_as(nest.loops[0].loop_var());
  Node cycles = b.imm(step_cost(b, nest.block, vector));
  for (size_t i = taken; i < nest.loops.size(); ++i) {
    auto x = constant_of(cycles), y = constant_of(nest.loops[i].extent());
    int64_t product = 0;
    cycles =
        x && y && !__builtin_mul_overflow(*x, *y, &product) ? b.imm(product) : b.mul(cycles, nest.loops[i].extent());
  }
  std::optional<Map> annotations = parallel_annotations(c, count, cycles);
  if (!annotations) return {};

  Node fused = taken == 1 ? nest.loops[0].loop_var() : b.var("fused");
  Node body = static_cast<const Node&>(nest.realize);
  if (taken > 1) {
    Node rest = fused;
    std::vector<Node> from, to;
    for (size_t i = taken; i-- > 0;) {
      from.push_back(nest.loops[i].loop_var());
      to.push_back(i == 0 ? rest : b.floormod(rest, nest.loops[i].extent()));
      rest = b.floordiv(rest, nest.loops[i].extent());
    }
    body = substituted(b, body, from, to);
  }
  for (size_t i = nest.loops.size(); i-- > taken;) body = b.with(nest.loops[i], tir::For::Slot::body, body);
  return b.make<tir::For>({b.imm(0), count, int64_t{TN_FOR_PARALLEL}, "", *annotations, fused, body}, nest.stmt.span());
}

}  // namespace tenon::cpu
