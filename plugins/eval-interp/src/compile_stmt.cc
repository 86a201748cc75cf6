// Statements: sequence, loops, branches, checks.
#include "compiler.h"

namespace tenon::interp {

void FunctionCompiler::stmt(const Node& n) {
  asm_.at(n.span());
  switch (n.kind()) {
    case tir::Seq::kKind:
      for (const Node& s : nodes(n.to<tir::Seq>().stmts())) stmt(s);
      break;
    case tir::For::kKind: for_loop(n.to<tir::For>()); break;
    case tir::While::kKind: while_loop(n.to<tir::While>()); break;
    case tir::IfThenElse::kKind: if_else(n.to<tir::IfThenElse>()); break;
    case tir::Evaluate::kKind: evaluate(n.to<tir::Evaluate>().value()); break;
    case tir::Bind::kKind: {
      const auto& bind = n.to<tir::Bind>();
      vars_.insert_or_assign(bind.var().get(), expr(bind.value()));
      break;
    }
    case tir::AllocBuffer::kKind: alloc_buffer(n.to<tir::AllocBuffer>().buffer().to<tir::Buffer>()); break;
    case tir::DeclBuffer::kKind: decl_buffer(n.to<tir::DeclBuffer>()); break;
    case tir::BufferStore::kKind: store(n.to<tir::BufferStore>()); break;
    case tir::Assert::kKind: assertion(n.to<tir::Assert>()); break;
    case tir::Attr::kKind: attribute(n.to<tir::Attr>()); break;
    case tir::BlockRealize::kKind: block_realize(n.to<tir::BlockRealize>()); break;
    default: refuse(TN_ERROR_UNSUPPORTED, kind_name(n) + " is not a statement of the loop level", n);
  }
}

void FunctionCompiler::for_loop(const tir::For& loop) {
  if (loop.loop_kind() == TN_FOR_THREAD_BINDING)
    refuse(TN_ERROR_UNSUPPORTED, "a loop bound to the device thread '" + std::string(loop.thread()) + "'", loop,
           "interpret the module before its loops are bound to threads");
  const auto& var = loop.loop_var().to<ir::Var>();
  if (!is_integer(var.dtype()) || var.dtype().lanes != 1)
    refuse(TN_ERROR_UNSUPPORTED, "loop variable '" + std::string(var.name()) + "' is a " + dtype_text(var.dtype()),
           loop);
  const Operand min = scalar_expr(loop.min(), "the start of a loop");
  const Operand extent = scalar_expr(loop.extent(), "the extent of a loop");
  const uint32_t index = asm_.fresh(), end = asm_.fresh();
  vars_.insert_or_assign(var.get(), Operand{index, var.dtype()});
  loops_.insert_or_assign(var.get(), Loop{loop.min(), loop.extent()});
  const TnSpan* span = asm_.span();
  Label body, done, empty;
  const std::optional<Reduction> reduction = reduction_at(loop);
  if (reduction)
    for (const Node& inner : reduction->inner_extents)
      asm_.jump_to(empty, loop_begin, index, asm_.constant(0), scalar_expr(inner, "the extent of a loop").reg, end);
  asm_.jump_to(reduction ? empty : done, loop_begin, index, min.reg, extent.reg, end);
  asm_.can_fail(var.get());
  asm_.bind(body);
  stmt(loop.body());
  asm_.at(span);
  asm_.jump_to(body, loop_next, index, end);
  asm_.can_fail(var.get());
  if (reduction) {
    asm_.jump_to(done, jump_always);
    asm_.bind(empty);
    init_loops(*reduction, 0);
  }
  asm_.bind(done);
}

void FunctionCompiler::while_loop(const tir::While& loop) {
  const TnSpan* span = asm_.span();
  Label top, done;
  asm_.bind(top);
  jump_when(loop.condition(), false, done);
  stmt(loop.body());
  asm_.at(span);
  asm_.jump_to(top, jump_back);
  asm_.can_fail(nullptr);
  asm_.bind(done);
}

void FunctionCompiler::if_else(const tir::IfThenElse& branch) {
  Label otherwise, done;
  jump_when(branch.condition(), false, otherwise);
  stmt(branch.then_case());
  if (branch.else_case().is_none()) {
    asm_.bind(otherwise);
    return;
  }
  asm_.jump_to(done, jump_always);
  asm_.bind(otherwise);
  stmt(as_node(branch.else_case()));
  asm_.bind(done);
}

void FunctionCompiler::jump_when(const Node& condition, bool when, Label& label) {
  // `a and b`: the second is looked at only when the first leaves the result open.
  const bool is_and = condition.is<tir::And>(), is_or = condition.is<tir::Or>();
  if ((is_and || is_or) && condition.dtype().lanes == 1) {
    const Node& a = as_node(condition.slot(tir::AndSlot::a));
    const Node& b = as_node(condition.slot(tir::AndSlot::b));
    if (is_and == !when) {  // leave on the first that decides
      jump_when(a, when, label);
      jump_when(b, when, label);
    } else {
      Label decided;
      jump_when(a, !when, decided);
      jump_when(b, when, label);
      asm_.bind(decided);
    }
    return;
  }
  if (const auto* negated = condition.as<tir::Not>()) return jump_when(negated->a(), !when, label);
  const Operand value = scalar_expr(condition, "a condition");
  if (!is_bool(value.dtype))
    refuse(TN_ERROR_VERIFY, "a condition is a " + dtype_text(value.dtype) + ", not a bool", condition);
  asm_.jump_to(label, when ? jump_if_true : jump_if_false, 0, value.reg);
}

void FunctionCompiler::evaluate(const Node& value) {
  if (const auto* c = value.as<ir::Call>())
    call(*c, false);
  else
    expr(value);
}

void FunctionCompiler::assertion(const tir::Assert& check) {
  Label holds;
  jump_when(check.condition(), true, holds);
  asm_.emit(fail_assert, 0, asm_.text(check.message()));
  asm_.can_fail(nullptr);
  asm_.bind(holds);
}

void FunctionCompiler::attribute(const tir::Attr& attr) {
  for (std::string_view key : {"thread_extent", "virtual_thread"})
    if (attr.key() == key)
      refuse(TN_ERROR_UNSUPPORTED, "the attribute " + std::string(key) + ", which belongs to device code", attr,
             "interpret the module before its loops are bound to threads");
  stmt(attr.body());  // every other attribute is a hint
}

}  // namespace tenon::interp
