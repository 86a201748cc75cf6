// Blocks: the predicate, then the axes and their domains, then buffers, then init on the first step of the reduction,
// then the body.
#include <algorithm>
#include <set>

#include "compiler.h"

namespace tenon::interp {
namespace {

using Vars = std::set<const TnNode*>;

bool uses_any(const Builder& b, const Node& tree, const Vars& vars) {
  bool found = false;
  b.walk(Value(tree), [&](const Node& n) { found = found || vars.count(n.get()) != 0; });
  return found;
}

void split_conjunction(const Node& condition, std::vector<Node>& out) {
  if (const auto* both = condition.as<tir::And>()) {
    split_conjunction(both->a(), out);
    split_conjunction(both->b(), out);
  } else {
    out.push_back(condition);
  }
}

}  // namespace

void FunctionCompiler::block_realize(const tir::BlockRealize& realize) {
  const auto& block = realize.block().to<tir::Block>();
  asm_.at(block.span());
  NodeRange axes = nodes(block.iter_vars()), values = nodes(realize.iter_values());
  if (axes.size() != values.size())
    refuse(TN_ERROR_VERIFY,
           "block '" + std::string(block.name()) + "' has " + std::to_string(axes.size()) + " axes and " +
               std::to_string(values.size()) + " bindings",
           block);
  Label skip;
  const auto* always = realize.predicate().as<ir::IntImm>();
  if (!always || always->value() == 0) jump_when(realize.predicate(), false, skip);
  for (size_t i = 0; i < axes.size(); ++i) bind_axis(axes[i].to<tir::IterVar>(), values[i]);
  for (const Node& m : nodes(block.match_buffers())) match_buffer(m.to<tir::MatchBufferRegion>());
  for (const Node& b : nodes(block.alloc_buffers())) alloc_buffer(b.to<tir::Buffer>());
  block_init(block);
  stmt(block.body());
  asm_.bind(skip);
}

void FunctionCompiler::bind_axis(const tir::IterVar& axis, const Node& value) {
  const auto& var = axis.var().to<ir::Var>();
  const Operand bound = scalar_expr(value, "the binding of a block axis");
  if (!within_domain(axis, value)) {
    const auto& domain = axis.domain().to<ir::Range>();
    const Operand min = scalar_expr(domain.min(), "the domain of a block axis");
    const Operand extent = scalar_expr(domain.extent(), "the domain of a block axis");
    asm_.emit(check_domain, 0, bound.reg, min.reg, extent.reg);
    asm_.can_fail(var.get());
  }
  vars_.insert_or_assign(var.get(), Operand{bound.reg, var.dtype()});
}

// Whether the binding is a loop variable whose range is, as written, the domain of the axis.
bool FunctionCompiler::within_domain(const tir::IterVar& axis, const Node& value) const {
  auto same = [](const Node& a, const Node& b) {
    if (a.same_as(b)) return true;
    const auto *x = a.as<ir::IntImm>(), *y = b.as<ir::IntImm>();
    return x && y && x->value() == y->value();
  };
  const auto& domain = axis.domain().to<ir::Range>();
  auto loop = loops_.find(value.get());
  return loop != loops_.end() && same(loop->second.min, domain.min()) && same(loop->second.extent, domain.extent());
}

void FunctionCompiler::block_init(const tir::Block& block) {
  if (block.init().is_none()) return;
  Label skip;
  for (const Node& n : nodes(block.iter_vars())) {
    const auto& axis = n.to<tir::IterVar>();
    if (axis.iter_kind() != TN_ITER_REDUCE) continue;
    const Operand first = scalar_expr(axis.domain().to<ir::Range>().min(), "the domain of a block axis");
    asm_.jump_to(skip, jump_if_differ, 0, variable(axis.var().to<ir::Var>()).reg, first.reg);
  }
  stmt(as_node(block.init()));
  asm_.bind(skip);
}

// A reduction without a step leaves the initial value. The loops that reduce may stand in any order, but no extent and
// no condition may couple them with the loops that do not.
std::optional<FunctionCompiler::Reduction> FunctionCompiler::reduction_at(const tir::For& loop) const {
  Reduction found;
  std::vector<tir::For> nest{loop};
  while (const auto* inner = nest.back().body().as<tir::For>()) nest.push_back(*inner);
  const auto* realize = nest.back().body().as<tir::BlockRealize>();
  if (!realize) return std::nullopt;
  const auto& block = realize->block().to<tir::Block>();
  if (block.init().is_none()) return std::nullopt;
  Vars in_nest, reducing, spatial, reduce_axes;
  for (const tir::For& l : nest) in_nest.insert(l.loop_var().get());
  bool goes_on_outside = false;
  NodeRange axes = nodes(block.iter_vars()), values = nodes(realize->iter_values());
  for (size_t i = 0; i < std::min(axes.size(), values.size()); ++i) {
    const bool reduces = axes[i].to<tir::IterVar>().iter_kind() == TN_ITER_REDUCE;
    if (reduces) reduce_axes.insert(axes[i].to<tir::IterVar>().var().get());
    scope_.builder.walk(Value(values[i]), [&](const Node& n) {
      if (in_nest.count(n.get()))
        (reduces ? reducing : spatial).insert(n.get());
      else
        goes_on_outside = goes_on_outside || (reduces && loops_.count(n.get()));
    });
  }
  if (goes_on_outside || !reducing.count(loop.loop_var().get())) return std::nullopt;
  bool may_be_empty = false;
  for (const tir::For& l : nest) {
    const bool reduces = reducing.count(l.loop_var().get()) != 0;
    if (reduces && spatial.count(l.loop_var().get())) return std::nullopt;
    if (uses_any(scope_.builder, l.extent(), in_nest) || uses_any(scope_.builder, l.min(), in_nest))
      return std::nullopt;
    const auto* extent = l.extent().as<ir::IntImm>();
    may_be_empty = may_be_empty || (reduces && (!extent || extent->value() <= 0));
    if (!reduces)
      found.kept.push_back(l);
    else if (!l.same_as(loop) && (!extent || extent->value() <= 0))
      found.inner_extents.push_back(l.extent());
  }
  if (!may_be_empty) return std::nullopt;
  // The axes that reduce, what the block allocates, and a view of what depends on the reduction, are not there without
  // a step.
  const Node& init = as_node(block.init());
  if (uses_any(scope_.builder, init, reduce_axes)) return std::nullopt;
  for (const Node& buffer : nodes(block.alloc_buffers()))
    if (uses_any(scope_.builder, init, {buffer.get()})) return std::nullopt;
  for (const Node& m : nodes(block.match_buffers())) {
    const auto& match = m.to<tir::MatchBufferRegion>();
    Vars defined{match.buffer().get()};  // and perhaps the symbols of its shape
    const auto& view = match.buffer().to<tir::Buffer>();
    for (const Array& sizes : {view.shape(), view.strides()})
      for (const Node& size : nodes(sizes))
        if (size.is<ir::Var>()) defined.insert(size.get());
    if (!view.elem_offset().is_none()) defined.insert(as_node(view.elem_offset()).get());
    if (!uses_any(scope_.builder, init, defined)) continue;
    if (uses_any(scope_.builder, match.source(), reduce_axes)) return std::nullopt;
    found.views.push_back(match);
    for (const TnNode* n : defined)
      if (!vars_.count(n)) found.symbols.insert(n);
  }
  std::vector<Node> terms;
  split_conjunction(realize->predicate(), terms);
  for (const Node& term : terms) {
    if (!uses_any(scope_.builder, term, reducing))
      found.conditions.push_back(term);
    else if (uses_any(scope_.builder, term, spatial))
      return std::nullopt;
  }
  found.realize = *realize;
  return found;
}

void FunctionCompiler::init_loops(const Reduction& reduction, size_t depth) {
  if (depth < reduction.kept.size()) {
    const tir::For& loop = reduction.kept[depth];
    const auto& var = loop.loop_var().to<ir::Var>();
    const Operand min = scalar_expr(loop.min(), "the start of a loop");
    const Operand extent = scalar_expr(loop.extent(), "the extent of a loop");
    const uint32_t index = asm_.fresh(), end = asm_.fresh();
    vars_.insert_or_assign(var.get(), Operand{index, var.dtype()});
    loops_.insert_or_assign(var.get(), Loop{loop.min(), loop.extent()});
    Label body, done;
    asm_.jump_to(done, loop_begin, index, min.reg, extent.reg, end);
    asm_.can_fail(var.get());
    asm_.bind(body);
    init_loops(reduction, depth + 1);
    asm_.jump_to(body, loop_next, index, end);
    asm_.can_fail(var.get());
    asm_.bind(done);
    return;
  }
  const auto& block = reduction.realize.block().to<tir::Block>();
  NodeRange axes = nodes(block.iter_vars()), values = nodes(reduction.realize.iter_values());
  Label skip;
  for (const Node& condition : reduction.conditions) jump_when(condition, false, skip);
  for (size_t i = 0; i < axes.size(); ++i)
    if (axes[i].to<tir::IterVar>().iter_kind() != TN_ITER_REDUCE) bind_axis(axes[i].to<tir::IterVar>(), values[i]);
  for (const TnNode* symbol : reduction.symbols) vars_.erase(symbol);  // the steps of the loops have bound them
  for (const tir::MatchBufferRegion& view : reduction.views) match_buffer(view);
  stmt(as_node(block.init()));
  asm_.bind(skip);
}

void FunctionCompiler::match_buffer(const tir::MatchBufferRegion& match) {
  const auto& region = match.source().to<tir::BufferRegion>();
  const auto& buffer = match.buffer().to<tir::Buffer>();
  const BufferPlace source = place_of(region.buffer());
  if (!same_dtype(buffer.dtype(), source.dtype))
    refuse(TN_ERROR_VERIFY, "match_buffer views " + dtype_text(source.dtype) + " as " + dtype_text(buffer.dtype()),
           match);
  NodeRange shape = nodes(buffer.shape()), strides = nodes(buffer.strides());
  if (shape.size() > source.ndim)
    refuse(TN_ERROR_VERIFY,
           "match_buffer gives buffer '" + std::string(buffer.name()) + "' more dimensions than its region has", match);
  BufferPlace view = region_place(region);
  // Dimensions that the view does not have are the outer ones of the region, of extent 1.
  const uint32_t dropped = source.ndim - static_cast<uint32_t>(shape.size());
  BufferPlace place = reserve(buffer);
  place.data = source.data;
  place.bytes = source.bytes;
  place.read_only = source.read_only;
  asm_.emit(move, place.base, view.base);
  for (uint32_t k = 0; k < dropped; ++k) {
    asm_.emit(check_equal, 0, view.extent(k), asm_.constant(1), asm_.text("a dimension of the region"));
    asm_.can_fail(buffer.get());
  }
  for (uint32_t k = 0; k < place.ndim; ++k) {
    asm_.emit(move, place.extent(k), view.extent(k + dropped));
    asm_.emit(move, place.stride(k), view.stride(k + dropped));
    bind_or_check(shape[k], place.extent(k), buffer, "dimension " + std::to_string(k));
  }
  for (uint32_t k = 0; k < strides.size(); ++k)
    bind_or_check(strides[k], place.stride(k), buffer, "stride " + std::to_string(k));
  if (!buffer.elem_offset().is_none()) {
    const uint32_t offset = asm_.fresh();
    asm_.emit(pointer_distance, offset, place.base, place.data, 0, 0, static_cast<uint32_t>(dtype_bytes(place.dtype)));
    bind_or_check(as_node(buffer.elem_offset()), offset, buffer, "the element offset");
  }
  buffers_.insert_or_assign(buffer.get(), place);
}

}  // namespace tenon::interp
