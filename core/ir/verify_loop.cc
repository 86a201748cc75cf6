#include "ir/verify_loop.h"

#include "ir/verify_parts.h"

namespace tenon {

using namespace verify_parts;
namespace {

// ---- What each slot holds --------------------------------------------------------------------------------------

enum class Holds {
  kStatement,
  kStatementOrNone,
  kStatements,
  kExpression,  // with a dtype
  kInteger,     // scalar
  kIntegers,
  kCondition,  // scalar bool
  kEffect,     // an expression, with or without a dtype
  kBuffer,
  kVariable,
  kRange,
  kRanges,
  kAxes,
  kRegions,
  kMatches,
  kBlock,
};

struct SlotRow {
  uint32_t kind;
  uint32_t slot;
  Holds holds;
};

constexpr SlotRow kSlots[] = {
    {TN_KIND_ir_Range, ir::RangeSlot::min, Holds::kInteger},
    {TN_KIND_ir_Range, ir::RangeSlot::extent, Holds::kInteger},
    {TN_KIND_tir_Not, tir::NotSlot::a, Holds::kExpression},
    {TN_KIND_tir_Select, tir::SelectSlot::condition, Holds::kExpression},
    {TN_KIND_tir_Select, tir::SelectSlot::true_value, Holds::kExpression},
    {TN_KIND_tir_Select, tir::SelectSlot::false_value, Holds::kExpression},
    {TN_KIND_tir_Cast, tir::CastSlot::value, Holds::kExpression},
    {TN_KIND_tir_BufferLoad, tir::BufferLoadSlot::buffer, Holds::kBuffer},
    {TN_KIND_tir_Ramp, tir::RampSlot::base, Holds::kInteger},
    {TN_KIND_tir_Ramp, tir::RampSlot::stride, Holds::kInteger},
    {TN_KIND_tir_Broadcast, tir::BroadcastSlot::value, Holds::kExpression},
    {TN_KIND_tir_Let, tir::LetSlot::value, Holds::kExpression},
    {TN_KIND_tir_Let, tir::LetSlot::var, Holds::kVariable},
    {TN_KIND_tir_Let, tir::LetSlot::body, Holds::kExpression},
    {TN_KIND_tir_For, tir::ForSlot::min, Holds::kInteger},
    {TN_KIND_tir_For, tir::ForSlot::extent, Holds::kInteger},
    {TN_KIND_tir_For, tir::ForSlot::loop_var, Holds::kVariable},
    {TN_KIND_tir_For, tir::ForSlot::body, Holds::kStatement},
    {TN_KIND_tir_While, tir::WhileSlot::condition, Holds::kCondition},
    {TN_KIND_tir_While, tir::WhileSlot::body, Holds::kStatement},
    {TN_KIND_tir_IfThenElse, tir::IfThenElseSlot::condition, Holds::kCondition},
    {TN_KIND_tir_IfThenElse, tir::IfThenElseSlot::then_case, Holds::kStatement},
    {TN_KIND_tir_IfThenElse, tir::IfThenElseSlot::else_case, Holds::kStatementOrNone},
    {TN_KIND_tir_Seq, tir::SeqSlot::stmts, Holds::kStatements},
    {TN_KIND_tir_Evaluate, tir::EvaluateSlot::value, Holds::kEffect},
    {TN_KIND_tir_Bind, tir::BindSlot::value, Holds::kExpression},
    {TN_KIND_tir_Bind, tir::BindSlot::var, Holds::kVariable},
    {TN_KIND_tir_AllocBuffer, tir::AllocBufferSlot::buffer, Holds::kBuffer},
    {TN_KIND_tir_DeclBuffer, tir::DeclBufferSlot::buffer, Holds::kBuffer},
    {TN_KIND_tir_BufferStore, tir::BufferStoreSlot::buffer, Holds::kBuffer},
    {TN_KIND_tir_BufferStore, tir::BufferStoreSlot::value, Holds::kExpression},
    {TN_KIND_tir_Assert, tir::AssertSlot::condition, Holds::kCondition},
    {TN_KIND_tir_Attr, tir::AttrSlot::body, Holds::kStatement},
    {TN_KIND_tir_BlockRealize, tir::BlockRealizeSlot::iter_values, Holds::kIntegers},
    {TN_KIND_tir_BlockRealize, tir::BlockRealizeSlot::predicate, Holds::kCondition},
    {TN_KIND_tir_BlockRealize, tir::BlockRealizeSlot::block, Holds::kBlock},
    {TN_KIND_tir_Block, tir::BlockSlot::iter_vars, Holds::kAxes},
    {TN_KIND_tir_Block, tir::BlockSlot::alloc_buffers, Holds::kBuffer},
    {TN_KIND_tir_Block, tir::BlockSlot::match_buffers, Holds::kMatches},
    {TN_KIND_tir_Block, tir::BlockSlot::reads, Holds::kRegions},
    {TN_KIND_tir_Block, tir::BlockSlot::writes, Holds::kRegions},
    {TN_KIND_tir_Block, tir::BlockSlot::init, Holds::kStatementOrNone},
    {TN_KIND_tir_Block, tir::BlockSlot::body, Holds::kStatement},
    {TN_KIND_tir_IterVar, tir::IterVarSlot::domain, Holds::kRange},
    {TN_KIND_tir_IterVar, tir::IterVarSlot::var, Holds::kVariable},
    {TN_KIND_tir_BufferRegion, tir::BufferRegionSlot::buffer, Holds::kBuffer},
    {TN_KIND_tir_BufferRegion, tir::BufferRegionSlot::region, Holds::kRanges},
    {TN_KIND_tir_MatchBufferRegion, tir::MatchBufferRegionSlot::buffer, Holds::kBuffer},
    {TN_KIND_tir_PrimFunc, tir::PrimFuncSlot::body, Holds::kStatement},
};

// Null when the node belongs there, else the rule that it breaks and what belongs there.
struct Expected {
  const char* rule;
  const char* what;
};

std::optional<Expected> expect(const Node& n, Holds holds) {
  auto need = [](bool ok, const char* rule, const char* text) -> std::optional<Expected> {
    return ok ? std::nullopt : std::optional<Expected>({rule, text});
  };
  bool expression = (flags_of_kind(n) & TN_KIND_EXPR) != 0;
  switch (holds) {
    case Holds::kStatement:
    case Holds::kStatementOrNone:
    case Holds::kStatements: return need((flags_of_kind(n) & TN_KIND_STMT) != 0, "level", "a statement");
    case Holds::kEffect: return need(expression, "level", "an expression");
    case Holds::kExpression: return need(expression && has_dtype(n), "level", "an expression with a dtype");
    case Holds::kInteger:
    case Holds::kIntegers:
      return need(expression && is_integer_scalar(n), "index-integer", "a scalar integer expression");
    case Holds::kCondition:
      return need(expression && is_bool(n.dtype()) && is_scalar(n.dtype()), "condition-bool", "a bool expression");
    case Holds::kBuffer: return need(n.is<tir::Buffer>(), "level", "a tir.Buffer");
    case Holds::kVariable: return need(n.is<ir::Var>(), "level", "an ir.Var");
    case Holds::kRange:
    case Holds::kRanges: return need(n.is<ir::Range>(), "level", "an ir.Range");
    case Holds::kAxes: return need(n.is<tir::IterVar>(), "level", "a tir.IterVar");
    case Holds::kRegions: return need(n.is<tir::BufferRegion>(), "level", "a tir.BufferRegion");
    case Holds::kMatches: return need(n.is<tir::MatchBufferRegion>(), "level", "a tir.MatchBufferRegion");
    case Holds::kBlock: return need(n.is<tir::Block>(), "level", "a tir.Block");
  }
  return std::nullopt;
}

[[noreturn]] void refuse_slot(const Node& n, const SlotRow& row, const Node& child, size_t index) {
  auto expected = expect(child, row.holds);
  std::string slot = kind_info(n.kind())->schema.slots[row.slot].name;
  if (n.slot(row.slot).is_array()) slot += "[" + std::to_string(index) + "]";
  throw Violation{expected->rule,
                  "`" + slot + "` of " + name_of(n.get()) + " must be " + expected->what + ", but is " + what(child)};
}

void check_slot(const Node& n, const SlotRow& row) {
  const Value& v = n.slot(row.slot);
  if (v.is_array() && row.holds != Holds::kStatementOrNone) {
    size_t i = 0;
    for (const Node& child : nodes(v.ref<Array>())) {
      if (expect(child, row.holds)) refuse_slot(n, row, child, i);
      ++i;
    }
  } else if (v.is_node()) {
    if (expect(as_node(v), row.holds)) refuse_slot(n, row, as_node(v), 0);
  } else if (row.holds != Holds::kStatementOrNone || !v.is_none()) {
    throw Violation{"level", "`" + std::string(kind_info(n.kind())->schema.slots[row.slot].name) + "` of " +
                                 name_of(n.get()) + " is " + describe(v.raw())};
  }
}

constexpr RowTable kRows = make_row_table(kSlots);

// ---- Rules -----------------------------------------------------------------------------------------------------

void check_binary(const Node& n) {
  const Node &a = as_node(n.slot(1)), &b = as_node(n.slot(2));
  for (const Node& operand : {a, b})
    if (!(flags_of_kind(operand) & TN_KIND_EXPR) || !has_dtype(operand))
      throw Violation{"level", "an operand of " + name_of(n.get()) + " must be an expression with a dtype, but is " +
                                   what(operand)};
  DLDataType t = a.dtype();
  if (!same_dtype(t, b.dtype()))
    throw Violation{"dtype-operands",
                    "the operands of " + name_of(n.get()) + " are " + dtype_text(t) + " and " + dtype_text(b.dtype()),
                    "cast one of them"};
  bool logical = n.is<tir::And>() || n.is<tir::Or>();
  bool comparison = n.kind() >= TN_KIND_tir_EQ && n.kind() <= TN_KIND_tir_GE;
  bool equality = n.is<tir::EQ>() || n.is<tir::NE>();
  if (logical && !is_bool(t))
    throw Violation{"condition-bool", "the operands of " + name_of(n.get()) + " are " + dtype_text(t) + ", not bool"};
  if (is_handle(t) && !equality) throw Violation{"dtype-operands", name_of(n.get()) + " is not defined on handles"};
  if (is_bool(t) && !logical && !comparison && !n.is<tir::Min>() && !n.is<tir::Max>())
    throw Violation{"dtype-operands", name_of(n.get()) + " is arithmetic, but its operands are bool",
                    "cast them to an integer"};
  require_result(n, logical || comparison ? with_lanes(kBool, t.lanes) : t);
}

void check_access(const Node& n, const tir::Buffer& buffer, const Array& indices, DLDataType* element) {
  if (indices.size() != buffer.shape().size())
    throw Violation{"index-rank", name_of(buffer.get()) + " has " + std::to_string(buffer.shape().size()) +
                                      " dimensions, but " + name_of(n.get()) + " gives " +
                                      std::to_string(indices.size()) + " indices"};
  uint16_t lanes = 1;
  for (size_t i = 0; i < indices.size(); ++i) {
    const Node& index = as_node(indices[i]);
    if (!(flags_of_kind(index) & TN_KIND_EXPR) || !is_integer(index.dtype()))
      throw Violation{"index-integer", "index " + std::to_string(i) + " of " + name_of(buffer.get()) +
                                           " must be an integer, but is " + what(index)};
    if (index.dtype().lanes > 1 && i + 1 < indices.size())
      throw Violation{"index-integer", "index " + std::to_string(i) + " of " + name_of(buffer.get()) +
                                           " is a vector, but only the last index may be one"};
    lanes = index.dtype().lanes;
  }
  *element = with_lanes(buffer.dtype(), static_cast<uint16_t>(buffer.dtype().lanes * lanes));
}

void check_load(const tir::BufferLoad& n) {
  DLDataType element;
  check_access(n, n.buffer().to<tir::Buffer>(), n.indices(), &element);
  require_result(n, element);
}

void check_store(const tir::BufferStore& n) {
  DLDataType element;
  check_access(n, n.buffer().to<tir::Buffer>(), n.indices(), &element);
  if (!same_dtype(n.value().dtype(), element))
    throw Violation{"store-dtype",
                    "a value of dtype " + dtype_text(n.value().dtype()) + " is stored in " + name_of(n.buffer().get()) +
                        ", which holds " + dtype_text(element) + " there",
                    "cast the value"};
}

void check_select(const tir::Select& n) {
  DLDataType t = n.true_value().dtype(), c = n.condition().dtype();
  if (!same_dtype(t, n.false_value().dtype()))
    throw Violation{"dtype-operands",
                    "the values of tir.Select are " + dtype_text(t) + " and " + dtype_text(n.false_value().dtype()),
                    "cast one of them"};
  if (!is_bool(c) || (c.lanes != 1 && c.lanes != t.lanes))
    throw Violation{"condition-bool",
                    "the condition of tir.Select is " + dtype_text(c) + " beside values of " + dtype_text(t)};
  require_result(n, t);
}

void check_cast(const tir::Cast& n) {
  DLDataType from = n.value().dtype();
  if (!has_dtype(n) || n.dtype().lanes != from.lanes || is_handle(from) || is_handle(n.dtype()))
    throw Violation{"dtype-result", "tir.Cast leads from " + dtype_text(from) + " to " + dtype_text(n.dtype()),
                    "a cast keeps the lanes, and handles are not cast"};
}

void check_vector(const Node& n, const Node& scalar, int64_t lanes) {
  if (lanes < 2 || lanes > UINT16_MAX || !is_scalar(scalar.dtype()))
    throw Violation{"vector-lanes",
                    name_of(n.get()) + " makes " + std::to_string(lanes) + " lanes of " + dtype_text(scalar.dtype())};
  require_result(n, with_lanes(scalar.dtype(), static_cast<uint16_t>(lanes)));
}

void check_integer_constant(const ir::IntImm& n) {
  DLDataType t = n.dtype();
  int64_t v = n.value();
  bool ok = is_scalar(t);
  if (is_bool(t))
    ok &= v == 0 || v == 1;
  else if (t.code == kDLInt)
    ok &= t.bits >= 64 || (v >= -(int64_t{1} << (t.bits - 1)) && v < (int64_t{1} << (t.bits - 1)));
  else if (t.code == kDLUInt)
    ok &= t.bits >= 64 || (v >= 0 && v < (int64_t{1} << t.bits));
  else
    ok &= is_handle(t) && v == 0;
  if (!ok)
    throw Violation{"constant-range", "the integer constant " + std::to_string(v) + " is no value of " +
                                          (has_dtype(n) ? dtype_text(t) : "a constant without a dtype")};
}

void check_loop(const tir::For& n) {
  const Node& v = n.loop_var();
  if (!is_integer_scalar(v))
    throw Violation{"loop-variable",
                    name_of(v.get()) + " of a loop must be a scalar integer, but is " + dtype_text(v.dtype())};
  check_equal_dtype("loop-variable", "the start of a loop", n.min().dtype(), name_of(v.get()), v.dtype());
  check_equal_dtype("loop-variable", "the extent of a loop", n.extent().dtype(), name_of(v.get()), v.dtype());
  if (n.loop_kind() < TN_FOR_SERIAL || n.loop_kind() > TN_FOR_THREAD_BINDING)
    throw Violation{"loop-kind", "a loop has the unknown kind " + std::to_string(n.loop_kind())};
  if ((n.loop_kind() == TN_FOR_THREAD_BINDING) != !n.thread().empty())
    throw Violation{"loop-kind", n.thread().empty() ? "a loop is bound to a thread without a name"
                                                    : "a loop names the thread `" + std::string(n.thread()) +
                                                          "` but is not bound to one"};
  if (n.step().is_none()) return;
  const auto* step = n.step().is_node() ? as_node(n.step()).as<ir::IntImm>() : nullptr;
  if (!step || step->value() < 1)
    throw Violation{"loop-step", "the step of a loop must be a positive integer constant", "leave it out for 1"};
  check_equal_dtype("loop-step", "the step of a loop", step->dtype(), name_of(v.get()), v.dtype());
}

void check_axis(const tir::IterVar& n) {
  const Node& v = n.var();
  if (!is_integer_scalar(v))
    throw Violation{"loop-variable",
                    name_of(v.get()) + " of an axis must be a scalar integer, but is " + dtype_text(v.dtype())};
  if (n.iter_kind() < TN_ITER_SPATIAL || n.iter_kind() > TN_ITER_OPAQUE)
    throw Violation{"block-axes",
                    "the axis " + name_of(v.get()) + " has the unknown kind " + std::to_string(n.iter_kind())};
  const auto& domain = n.domain().to<ir::Range>();
  check_equal_dtype("loop-variable", "the extent of an axis", domain.extent().dtype(), name_of(v.get()), v.dtype());
}

void check_realize(const tir::BlockRealize& n) {
  const auto& block = n.block().to<tir::Block>();
  size_t values = n.iter_values().size(), axes = block.iter_vars().size();
  if (values != axes)
    throw Violation{"block-axes", "the block `" + std::string(block.name()) + "` has " + std::to_string(axes) +
                                      " axes, but is realized with " + std::to_string(values) + " values"};
  for (size_t i = 0; i < axes; ++i) {
    auto* axis = as_node(block.iter_vars()[i]).as<tir::IterVar>();
    if (!axis) continue;  // refused where the block is checked
    check_equal_dtype("loop-variable", "the value of an axis", as_node(n.iter_values()[i]).dtype(),
                      name_of(axis->var().get()), axis->var().dtype());
  }
}

void check_written(const tir::BufferRegion& n);

void check_block(const tir::Block& n) {
  for (const Node& region : nodes(n.writes()))
    if (auto* r = region.as<tir::BufferRegion>()) check_written(*r);
  if (n.init().is_none()) return;
  for (const Node& axis : nodes(n.iter_vars()))
    if (axis.to<tir::IterVar>().iter_kind() == TN_ITER_REDUCE) return;
  throw Violation{"block-init", "the block `" + std::string(n.name()) + "` has an init but no reduction axis"};
}

void check_region(const tir::BufferRegion& n) {
  const auto& buffer = n.buffer().to<tir::Buffer>();
  if (n.region().size() != buffer.shape().size())
    throw Violation{"block-region", "a region of " + name_of(buffer.get()) + " has " +
                                        std::to_string(n.region().size()) + " ranges, but the buffer has " +
                                        std::to_string(buffer.shape().size()) + " dimensions"};
}

void check_match(const tir::MatchBufferRegion& n) {
  auto* source = n.source().as<tir::BufferRegion>();
  if (!source || !source->buffer().is<tir::Buffer>())
    throw Violation{"level",
                    "`source` of tir.MatchBufferRegion must be a tir.BufferRegion, but is " + what(n.source())};
  const auto& whole = source->buffer().to<tir::Buffer>();
  const auto& part = n.buffer().to<tir::Buffer>();
  if (!same_dtype(whole.dtype(), part.dtype()))
    throw Violation{"block-region", name_of(part.get()) + " holds " + dtype_text(part.dtype()) + ", but matches " +
                                        name_of(whole.get()) + ", which holds " + dtype_text(whole.dtype())};
  if (part.shape().size() > source->region().size())
    throw Violation{"block-region", name_of(part.get()) + " has " + std::to_string(part.shape().size()) +
                                        " dimensions, but the region that it matches has " +
                                        std::to_string(source->region().size())};
}

// What a block writes lies in the buffer; what it reads may lie outside where a condition guards it.
void check_written(const tir::BufferRegion& n) {
  if (!n.buffer().is<tir::Buffer>()) return;  // refused where the region is checked
  const auto& buffer = n.buffer().to<tir::Buffer>();
  if (n.region().size() != buffer.shape().size()) return;
  for (size_t d = 0; d < n.region().size(); ++d) {
    auto* range = as_node(n.region()[d]).as<ir::Range>();
    auto* min = range ? range->min().as<ir::IntImm>() : nullptr;
    auto* extent = range ? range->extent().as<ir::IntImm>() : nullptr;
    auto* size = as_node(buffer.shape()[d]).as<ir::IntImm>();
    if (!min || !extent || !size) continue;
    int64_t end;
    if (min->value() < 0 || extent->value() < 0 || __builtin_add_overflow(min->value(), extent->value(), &end) ||
        end > size->value())
      throw Violation{"block-region", "a region of " + name_of(buffer.get()) + " begins at " +
                                          std::to_string(min->value()) + " and has the extent " +
                                          std::to_string(extent->value()) + " in dimension " + std::to_string(d) +
                                          ", but the buffer has the extent " + std::to_string(size->value())};
  }
}

void check_declared(const tir::DeclBuffer& n) {
  const Node& data = n.data();
  bool handle = (flags_of_kind(data) & TN_KIND_EXPR) && is_handle(data.dtype());
  if (!handle && !data.is<tir::Buffer>() && !data.is<ir::Constant>())
    throw Violation{"level", "`data` of tir.DeclBuffer must be a buffer, a constant or a handle, but is " + what(data)};
  auto* constant = data.as<ir::Constant>();
  if (!constant) return;
  auto& buffer = n.buffer().to<tir::Buffer>();
  if (buffer.strides().size() != 0 || !buffer.elem_offset().is_none()) return;
  if (auto why = constant_mismatch(*constant, buffer.dtype(), buffer.shape(), false)) throw Violation{"constant", *why};
}

void check_function(const tir::PrimFunc& n) {
  for (const Node& p : nodes(n.params()))
    if (p.is<ir::Var>() && !has_dtype(p))
      throw Violation{"parameter", "a parameter, " + name_of(p.get()) + ", has no dtype"};
  if (!n.ret_type().is_none() && !(n.ret_type().is_dtype() && is_handle(n.ret_type().as_dtype())))
    throw Violation{"parameter", "a loop function returns nothing or a handle",
                    "write results to a buffer that is a parameter"};
}

}  // namespace

void LoopRules::check_definition(const Node& v) const {
  if (v.is<ir::Var>()) {
    if (!has_dtype(v)) throw Violation{"level", name_of(v.get()) + " has no dtype"};
    return;
  }
  auto& b = v.to<tir::Buffer>();
  if (b.dtype().bits == 0) throw Violation{"buffer", name_of(v.get()) + " has no dtype"};
  if (b.strides().size() != 0 && b.strides().size() != b.shape().size())
    throw Violation{"buffer", name_of(v.get()) + " has " + std::to_string(b.shape().size()) + " extents but " +
                                  std::to_string(b.strides().size()) + " strides"};
  auto integer = [&](const Node& n, const char* of) {
    if (!(flags_of_kind(n) & TN_KIND_EXPR) || !is_integer_scalar(n))
      throw Violation{"buffer",
                      std::string(of) + " of " + name_of(v.get()) + " must be a scalar integer, but is " + what(n)};
  };
  for (const Node& n : nodes(b.shape())) {
    integer(n, "an extent");
    if (auto* i = n.as<ir::IntImm>(); i && i->value() < 0)
      throw Violation{"buffer", "an extent of " + name_of(v.get()) + " is " + std::to_string(i->value()),
                      "an extent is 0 or more"};
  }
  for (const Node& n : nodes(b.strides())) integer(n, "a stride");
  if (b.elem_offset().is_node())
    integer(as_node(b.elem_offset()), "the offset");
  else if (!b.elem_offset().is_none())
    throw Violation{"buffer", "the offset of " + name_of(v.get()) + " is " + describe(b.elem_offset().raw())};
}

void LoopRules::check(const Node& n, const TnNode* parent) {
  if (n.kind() < std::size(kRows.of))
    for (size_t i = kRows.of[n.kind()].first; i < kRows.of[n.kind()].last; ++i) check_slot(n, kSlots[i]);
  switch (n.kind()) {
    case ir::IntImm::kKind: check_integer_constant(n.to<ir::IntImm>()); break;
    case ir::FloatImm::kKind:
      if (!is_floating(n.dtype()) || !is_scalar(n.dtype()))
        throw Violation{"constant-range",
                        "a float constant has the dtype " + (has_dtype(n) ? dtype_text(n.dtype()) : "none")};
      break;
    case ir::Call::kKind: check_call(n.to<ir::Call>()); break;
    case tir::Not::kKind:
      if (!is_bool(as_node(n.slot(tir::NotSlot::a)).dtype()))
        throw Violation{"condition-bool", "the operand of tir.Not is " + what(n.to<tir::Not>().a())};
      require_result(n, n.to<tir::Not>().a().dtype());
      break;
    case tir::Select::kKind: check_select(n.to<tir::Select>()); break;
    case tir::Cast::kKind: check_cast(n.to<tir::Cast>()); break;
    case tir::BufferLoad::kKind: check_load(n.to<tir::BufferLoad>()); break;
    case tir::BufferStore::kKind:
      check_store(n.to<tir::BufferStore>());
      check_written_memory(n.to<tir::BufferStore>());
      break;
    case tir::Ramp::kKind:
      check_equal_dtype("dtype-operands", "the stride of tir.Ramp", n.to<tir::Ramp>().stride().dtype(), "its base",
                        n.to<tir::Ramp>().base().dtype());
      check_vector(n, n.to<tir::Ramp>().base(), n.to<tir::Ramp>().lanes());
      break;
    case tir::Broadcast::kKind: check_vector(n, n.to<tir::Broadcast>().value(), n.to<tir::Broadcast>().lanes()); break;
    case tir::Let::kKind: {
      auto& let = n.to<tir::Let>();
      check_equal_dtype("bind-dtype", name_of(let.var().get()), let.var().dtype(), "its value", let.value().dtype());
      require_result(n, let.body().dtype());
      break;
    }
    case tir::Bind::kKind: {
      auto& bind = n.to<tir::Bind>();
      check_equal_dtype("bind-dtype", name_of(bind.var().get()), bind.var().dtype(), "its value", bind.value().dtype());
      break;
    }
    case tir::For::kKind: check_loop(n.to<tir::For>()); break;
    case tir::IterVar::kKind: check_axis(n.to<tir::IterVar>()); break;
    case tir::BlockRealize::kKind: check_realize(n.to<tir::BlockRealize>()); break;
    case tir::Block::kKind:
      check_block(n.to<tir::Block>());
      for (const Node& b : nodes(n.to<tir::Block>().alloc_buffers())) add_memory(b);
      break;
    case tir::AllocBuffer::kKind: add_memory(n.to<tir::AllocBuffer>().buffer()); break;
    case tir::BufferRegion::kKind: check_region(n.to<tir::BufferRegion>()); break;
    case tir::MatchBufferRegion::kKind: {
      auto& match = n.to<tir::MatchBufferRegion>();
      check_match(match);
      add_view(match.buffer(), match.source().to<tir::BufferRegion>().buffer());
      break;
    }
    case tir::DeclBuffer::kKind:
      check_declared(n.to<tir::DeclBuffer>());
      add_view(n.to<tir::DeclBuffer>().buffer(), n.to<tir::DeclBuffer>().data());
      check_view(n.to<tir::DeclBuffer>());
      break;
    case tir::PrimFunc::kKind:
      check_function(n.to<tir::PrimFunc>());
      for (const Node& p : nodes(n.to<tir::PrimFunc>().params())) add_memory(p);
      break;
    default:
      if (n.kind() >= TN_KIND_tir_Add && n.kind() <= TN_KIND_tir_Or) check_binary(n);
      if (n.kind() >= TN_KIND_relax_Function && n.kind() < TN_KIND_FIRST_DYNAMIC)
        throw Violation{"level", name_of(n.get()) + " belongs to the graph level, but stands in a loop function"};
  }
  bool flat = n.is<tir::Bind>() || n.is<tir::AllocBuffer>() || n.is<tir::DeclBuffer>();
  if (flat && (!parent || parent->kind != tir::Seq::kKind))
    throw Violation{"statement-place", name_of(n.get()) + " must stand directly in a tir.Seq",
                    "wrap it and what follows it in a tir.Seq"};
}

}  // namespace tenon
