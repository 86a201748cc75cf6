// Parameters, and the order in which a function is put together.
#include "compiler.h"

namespace tenon::interp {

std::string kind_name(const Node& n) {
  switch (n.kind()) {
#define TN_NAME_CASE(number, ns, Name, revision, flags) \
  case number: return #ns "." #Name;
#define TN_NAME_NO_SLOT(name, type, role)
#define TN_NAME_NO_END()
    TN_KINDS(TN_NAME_CASE, TN_NAME_NO_SLOT, TN_NAME_NO_END)
#undef TN_NAME_CASE
#undef TN_NAME_NO_SLOT
#undef TN_NAME_NO_END
    default: return "node kind " + std::to_string(n.kind());
  }
}

void FunctionCompiler::refuse(int32_t code, const std::string& message, const Node& at, const std::string& hint) const {
  std::string where = position_text(at && at.span() ? at.span() : asm_.span());
  throw Error(code, "cannot interpret this: " + message,
              where + (where.empty() ? "function '" : ", function '") + code_.name + "'", hint);
}

void FunctionCompiler::compile(const tir::PrimFunc& function) {
  asm_.at(function.span());
  NodeRange params = nodes(function.params());
  for (size_t i = 0; i < params.size(); ++i) param(params[i], i);
  stmt(function.body());
  asm_.emit(end_function);
}

void FunctionCompiler::param(const Node& param, size_t index) {
  ParamPlace place{};
  place.kind = code_.signature.params[index].kind;
  place.dtype = code_.signature.params[index].dtype;
  if (const auto* buffer = param.as<tir::Buffer>()) {
    place.buffer = reserve(param);
    buffers_.emplace(param.get(), place.buffer);
    param_buffer(*buffer, place);
  } else {
    if (place.kind == TN_PARAM_SCALAR && !cast_handler(place.dtype, place.dtype))
      refuse(TN_ERROR_UNSUPPORTED,
             "parameter '" + code_.signature.params[index].name + "' is a " + dtype_text(place.dtype), param);
    place.reg = asm_.fresh();
    // A shape may have bound the symbol already; check_arguments has compared the two.
    vars_.emplace(param.get(), Operand{place.reg, place.dtype});
  }
  code_.params.push_back(place);
}

void FunctionCompiler::param_buffer(const tir::Buffer& buffer, const ParamPlace& place) {
  NodeRange shape = nodes(buffer.shape()), strides = nodes(buffer.strides());
  for (uint32_t k = 0; k < shape.size(); ++k)
    if (const auto* symbol = shape[k].as<ir::Var>())
      vars_.emplace(symbol->get(), Operand{place.buffer.extent(k), symbol->dtype()});
  for (uint32_t k = 0; k < strides.size(); ++k)
    bind_or_check(strides[k], place.buffer.stride(k), buffer, "stride " + std::to_string(k));
  // The address of an argument is that of its first element.
  if (!buffer.elem_offset().is_none())
    bind_or_check(as_node(buffer.elem_offset()), asm_.constant(0), buffer, "the element offset");
}

}  // namespace tenon::interp
