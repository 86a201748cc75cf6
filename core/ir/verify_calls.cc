// The rules call-target, call-arguments, call-packed, call-operator and call-dtype.
#include "diag/suggest.h"
#include "ir/verify_parts.h"

namespace tenon {

using namespace verify_parts;

void LoopRules::check_call(const ir::Call& call) const {
  const Node& op = call.op();
  for (const Node& arg : nodes(call.args()))
    if (!(flags_of_kind(arg) & TN_KIND_EXPR) && !arg.is<tir::Buffer>() && !arg.is<tir::BufferRegion>())
      throw Violation{"level", "an argument of a call must be an expression or a buffer, but is " + what(arg)};
  if (auto* global = op.as<ir::GlobalVar>()) return check_function_call(call, global->name());
  if (auto* o = op.as<ir::Op>()) return check_operator_call(call, o->id());
  if (!op.is<ir::ExternFunc>())
    throw Violation{"call-target", "what is called is " + what(op),
                    "call an ir.Op, an ir.GlobalVar or an ir.ExternFunc"};
}

void LoopRules::check_function_call(const ir::Call& call, std::string_view name) const {
  const Value* target = module_.functions().find(name);
  auto* function = target && target->is_node() ? as_node(*target).as<tir::PrimFunc>() : nullptr;
  if (!function) return;  // the rule `global`, or a function whose parameters the loop level does not know
  std::string callee = "`" + std::string(name) + "`";
  size_t given = call.args().size(), needed = function->params().size();
  if (given != needed)
    throw Violation{"call-arguments", callee + " takes " + std::to_string(needed) + " arguments, but " +
                                          std::to_string(given) + " are given"};
  for (size_t i = 0; i < given; ++i) {
    const Node &arg = as_node(call.args()[i]), &param = as_node(function->params()[i]);
    auto refuse = [&](const std::string& why) {
      throw Violation{"call-arguments",
                      "argument " + std::to_string(i) + " of " + callee + ", for " + name_of(param.get()) + ", " + why};
    };
    auto* buffer = param.as<tir::Buffer>();
    if (!buffer) {
      if (!same_dtype(arg.dtype(), param.dtype()) || arg.is<tir::Buffer>())
        refuse("must be " + dtype_text(param.dtype()) + ", but is " + what(arg));
      continue;
    }
    auto* given_buffer = arg.as<tir::Buffer>();
    if (!given_buffer) {
      if (!is_handle(arg.dtype())) refuse("must be a buffer, but is " + what(arg));
      continue;
    }
    if (!same_dtype(given_buffer->dtype(), buffer->dtype()))
      refuse("must hold " + dtype_text(buffer->dtype()) + ", but " + name_of(arg.get()) + " holds " +
             dtype_text(given_buffer->dtype()));
    if (given_buffer->shape().size() != buffer->shape().size())
      refuse("must have " + std::to_string(buffer->shape().size()) + " dimensions, but " + name_of(arg.get()) +
             " has " + std::to_string(given_buffer->shape().size()));
    for (size_t d = 0; d < buffer->shape().size(); ++d) {
      auto* a = as_node(given_buffer->shape()[d]).as<ir::IntImm>();
      auto* p = as_node(buffer->shape()[d]).as<ir::IntImm>();
      if (a && p && a->value() != p->value())
        refuse("must have the extent " + std::to_string(p->value()) + " in dimension " + std::to_string(d) + ", but " +
               name_of(arg.get()) + " has " + std::to_string(a->value()));
    }
  }
}

void LoopRules::check_operator_call(const ir::Call& call, std::string_view id) const {
  if (id == "tir.call_packed") {
    auto* name = call.args().empty() ? nullptr : as_node(call.args()[0]).as<ir::StringImm>();
    if (!name || name->value().empty())
      throw Violation{"call-packed",
                      "the first argument of tir.call_packed must be an ir.StringImm with the name of the function"};
  }
  if (id == "tir.if_then_else" && call.args().size() == 3) {
    const Node &c = as_node(call.args()[0]), &a = as_node(call.args()[1]), &b = as_node(call.args()[2]);
    if (!is_bool(c.dtype())) throw Violation{"condition-bool", "the condition of tir.if_then_else is " + what(c)};
    check_equal_dtype("dtype-operands", "the second value of tir.if_then_else", b.dtype(), "the first", a.dtype());
    require_result(call, a.dtype());
  }
  if (!ops_) return;
  const OpRecord* op = ops_->find(id);
  if (!op)
    throw Violation{"call-operator", "there is no operator `" + std::string(id) + "`", did_you_mean(id, ops_->ids())};
  if (op->level != OpLevel::kLoop)
    throw Violation{"call-operator",
                    "`" + op->id + "` is an operator of the graph level, but stands in a loop function"};
  if (std::string why = ops_->misfit(call); !why.empty()) throw Violation{"call-operator", why};
  if (std::string why = ops_->dtype_misfit(call); !why.empty())
    throw Violation{"call-dtype", why, call.args().empty() ? "" : "cast the arguments"};
  if (auto t = ops_->dtype_of_call(call)) require_result(call, *t);
}

}  // namespace tenon
