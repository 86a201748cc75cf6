// The rules of graph functions about calls.
#include "diag/suggest.h"
#include "ir/verify_graph.h"
#include "ir/verify_parts.h"

namespace tenon {

using namespace verify_parts;
namespace {

// The forms of the graph level that are no operators of a plugin.
enum class Form { kDestination, kPacked, kShapeOf };
struct FormRow {
  std::string_view id;
  Form form;
  bool has_effects;
};
constexpr FormRow kForms[] = {
    {"relax.call_tir", Form::kDestination, false},        {"relax.call_tir_inplace", Form::kDestination, false},
    {"relax.call_dps_packed", Form::kDestination, false}, {"relax.call_packed", Form::kPacked, true},
    {"relax.call_pure_packed", Form::kPacked, false},     {"relax.shape_of", Form::kShapeOf, false},
};

const FormRow* find_form(std::string_view id) {
  for (const FormRow& row : kForms)
    if (row.id == id) return &row;
  return nullptr;
}

constexpr uint32_t kInferDepth = 256;  // of a call whose type is inferred: what plugins go through recursively

// Whether an operator can tell the type of a call with this argument.
bool is_typed(const Node& arg) {
  if (arg.is<relax::ShapeExpr>()) return true;
  if (auto* tuple = arg.as<relax::Tuple>()) {
    if (!tuple->type().is_node()) return false;
    for (const Node& f : nodes(tuple->fields()))
      if (!is_typed(f)) return false;
    return true;
  }
  if (arg.slot_count() == 0 || !arg.slot(0).is_node()) return false;
  const Value& type = arg.slot(0);
  if (auto* t = as_node(type).as<relax::TensorType>()) return listed_shape(*t) && t->dtype().is_dtype();
  auto* s = as_node(type).as<relax::ShapeType>();
  return s && s->values().is_array();
}

// The tensors of an output type, tuples flattened. False when a shape or a dtype is not known.
bool flatten_outputs(const Node& type, std::vector<Value>& out) {
  std::vector<const Node*> open{&type};
  while (!open.empty() && out.size() < 4096) {
    const Node& n = *open.back();
    open.pop_back();
    if (auto* tuple = n.as<relax::TupleType>()) {
      for (size_t i = tuple->fields().size(); i-- > 0;) open.push_back(&as_node(tuple->fields()[i]));
      continue;
    }
    auto* t = n.as<relax::TensorType>();
    if (!t || !listed_shape(*t) || !t->dtype().is_dtype()) return false;
    out.push_back(n);
  }
  return true;
}

std::string counted(size_t n, const char* what) { return std::to_string(n) + " " + what + (n == 1 ? "" : "s"); }

}  // namespace

const Node* GraphRules::function_named(std::string_view name) const {
  const Value* target = module_.functions().find(name);
  return target && target->is_node() ? &as_node(*target) : nullptr;
}

// ---- Effects ---------------------------------------------------------------------------------------------------

bool GraphRules::has_effects(const ir::Call& call) const {
  const Node& op = call.op();
  if (auto* o = op.as<ir::Op>()) {
    if (const FormRow* form = find_form(o->id())) return form->has_effects;
    const OpRecord* record = services_.ops ? services_.ops->find(o->id()) : nullptr;
    return record && (record->effects == OpEffects::kWrite || record->effects == OpEffects::kOpaque);
  }
  if (auto* global = op.as<ir::GlobalVar>()) {
    const Node* target = function_named(global->name());
    auto* function = target ? target->as<relax::Function>() : nullptr;
    return function && !function->is_pure();  // another may not be called so at all
  }
  if (op.is<ir::ExternFunc>()) return true;
  Value type = stated_type(op);
  auto* function = type.is_node() ? as_node(type).as<relax::FuncType>() : nullptr;
  return function && !function->is_pure();
}

void GraphRules::check_call(const ir::Call& call) {
  const Node& op = call.op();
  if (auto* o = op.as<ir::Op>()) {
    const OpRecord* record = services_.ops ? services_.ops->find(o->id()) : nullptr;
    if (record ? record->level == OpLevel::kLoop : o->id().starts_with("tir.")) {
      if (!has_dtype(call))
        throw Violation{"call-operator", "`" + std::string(o->id()) +
                                             "` is an operator of the loop level, but stands in a " + "graph function"};
      return loop_.check(call, nullptr);
    }
  }
  if (has_effects(call)) {
    auto* o = op.as<ir::Op>();
    auto* g = op.as<ir::GlobalVar>();
    std::string callee = o   ? "`" + std::string(o->id()) + "`"
                         : g ? "the function `" + std::string(g->name()) + "`"
                             : what(op);
    if (!dataflow_.empty())
      throw Violation{"dataflow", "a call of " + callee + ", which has effects, stands in a dataflow block",
                      "end the dataflow block before it, or call what is pure by R.call_pure_packed"};
    if (is_pure_)
      throw Violation{"purity", "a call of " + callee + ", which has effects, stands in a pure function",
                      "declare the function by @R.function(pure=False), or call what is pure by R.call_pure_packed"};
  }
  if (auto* o = op.as<ir::Op>()) {
    // What follows depends on nothing but what CallMemo compares, and on the module.
    if (right_.find(call)) return;
    check_call_of(call, o->id());
    return right_.keep(call, Value());
  }
  if (auto* global = op.as<ir::GlobalVar>()) return check_graph_call(call, global->name());
  if (op.is<ir::ExternFunc>()) return;
  Value type = stated_type(op);
  bool callable = !type.is_dtype() &&
                  (!type.is_node() || as_node(type).is<relax::FuncType>() || as_node(type).is<relax::AnyType>());
  if (!callable || op.is<ir::Constant>() || op.is<ir::StringImm>() || op.is<relax::Tuple>())
    throw Violation{"call-target", "what is called is " + what(op) + ", which is no function"};
  auto* function = type.is_node() ? as_node(type).as<relax::FuncType>() : nullptr;
  if (function && function->params().is_array() && function->params().ref<Array>().size() != call.args().size())
    throw Violation{"call-arguments", what(op) + " takes " +
                                          counted(function->params().ref<Array>().size(), "argument") + ", but " +
                                          std::to_string(call.args().size()) + " are given"};
}

void GraphRules::check_call_of(const ir::Call& call, std::string_view id) {
  const FormRow* form = find_form(id);
  if (!form) return check_operator(call, id);
  if (form->form == Form::kDestination) return check_destination_call(call, form->id);
  if (form->form == Form::kPacked) return check_packed(call, form->id);
  if (call.args().size() != 1) throw Violation{"call-operator", "relax.shape_of takes 1 argument"};
}

// ---- Operators -------------------------------------------------------------------------------------------------

void GraphRules::check_operator(const ir::Call& call, std::string_view id) const {
  if (!services_.ops) return;
  const OpRecord* op = services_.ops->find(id);
  if (!op)
    throw Violation{"call-operator", "there is no operator `" + std::string(id) + "`",
                    did_you_mean(id, services_.ops->ids())};
  if (std::string why = services_.ops->misfit(call); !why.empty()) throw Violation{"call-operator", why};
  if (!services_.infer_type || !op->has_function("infer_type") || call.depth() > kInferDepth) return;
  for (const Node& arg : nodes(call.args()))
    if (!is_typed(arg)) return;
  Value type;
  try {
    type = services_.infer_type(call);
  } catch (const Error& e) {
    if (e.code != TN_ERROR_TYPE && e.code != TN_ERROR_SHAPE && e.code != TN_ERROR_ARGUMENT) return;
    throw Violation{"operator-type", e.message, e.hint};
  }
  if (auto why = types_.mismatch(call.type(), type))
    throw Violation{"operator-type", "a call of `" + op->id + "` is not of the type that the operator gives: " + *why,
                    "leave the type out, and let it be inferred"};
}

// ---- Calls of graph functions ----------------------------------------------------------------------------------

void GraphRules::check_graph_call(const ir::Call& call, std::string_view name) {
  const Node* target = function_named(name);
  if (!target) return;  // the rule `global`
  std::string callee = "`" + std::string(name) + "`";
  auto* function = target->as<relax::Function>();
  if (!function) {
    bool loop = target->is<tir::PrimFunc>();
    throw Violation{
        "call-target",
        "the " + std::string(loop ? "loop" : "external") + " function " + callee + " is called as a graph function",
        loop ? "call it by relax.call_tir" : "call it by relax.call_packed or relax.call_dps_packed"};
  }
  calls_.add(name_, name, call.get());
  size_t given = call.args().size(), needed = function->params().size();
  if (given != needed)
    throw Violation{"call-arguments", callee + " takes " + counted(needed, "argument") + ", but " +
                                          std::to_string(given) + (given == 1 ? " is given" : " are given")};
  CallSymbols symbols;
  for (bool bind_only : {true, false})
    for (size_t i = 0; i < given; ++i) {
      auto* param = as_node(function->params()[i]).as<ir::Var>();
      if (!param) continue;
      const Node& arg = as_node(call.args()[i]);
      Value type = stated_type(arg);
      if (bind_only && param->type().is_dtype() && is_integer_scalar(arg)) symbols.bind(*param, arg);
      if (auto why = types_.mismatch(type, param->type(), &symbols, bind_only))
        throw Violation{"call-arguments", "argument " + std::to_string(i) + " of " + callee +
                                              " is not of the type of " + name_of(param->get()) + ": " + *why};
    }
  if (auto why = types_.mismatch(call.type(), function->ret_type(), &symbols, false))
    throw Violation{"call-arguments", "a call of " + callee + " is not of the type that the function returns: " + *why};
}

// ---- Destination passing ---------------------------------------------------------------------------------------

bool GraphRules::flatten_arguments(const Node& expression, std::vector<Operand>& out) const {
  struct Item {
    Value type;
    Node value;
  };
  std::vector<Item> open{{stated_type(expression), expression}};
  for (size_t steps = 0; !open.empty(); ++steps) {
    if (steps > (1 << 16)) return false;
    Item item = std::move(open.back());
    open.pop_back();
    if (auto* tuple = item.value.as<relax::Tuple>()) {
      for (size_t i = tuple->fields().size(); i-- > 0;) {
        const Node& f = as_node(tuple->fields()[i]);
        open.push_back({stated_type(f), f});
      }
      continue;
    }
    auto* listed = item.value.as<relax::ShapeExpr>();
    auto* shape = item.type.is_node() ? as_node(item.type).as<relax::ShapeType>() : nullptr;
    if (listed || shape) {  // a shape is passed as its values
      const Array* values = listed                       ? &listed->values()
                            : shape->values().is_array() ? &shape->values().ref<Array>()
                                                         : nullptr;
      if (!values) return false;
      for (const Value& v : *values) {
        if (!v.is_node()) return false;
        DLDataType t = as_node(v).dtype();
        out.push_back({t.bits ? Value(t) : Value(), as_node(v), "argument " + std::to_string(out.size())});
      }
      continue;
    }
    if (auto* type = item.type.is_node() ? as_node(item.type).as<relax::TupleType>() : nullptr) {
      for (size_t i = type->fields().size(); i-- > 0;) open.push_back({type->fields()[i], Node()});
      continue;
    }
    if (item.type.is_none() || (item.type.is_node() && as_node(item.type).is<relax::AnyType>())) {
      bool may_be_tuple = !item.value || !item.value.is<ir::Constant>();
      if (may_be_tuple) return false;
    }
    Node value = item.value;
    if (auto* p = value.as<relax::PrimValue>()) value = Node(p->value());
    out.push_back({std::move(item.type), std::move(value), "argument " + std::to_string(out.size())});
  }
  return true;
}

void GraphRules::check_destination_call(const ir::Call& call, std::string_view form) const {
  std::string called = std::string(form);
  bool packed = form == "relax.call_dps_packed";
  size_t given = call.args().size();
  if (given < 2 || given > (packed ? 2u : 3u))
    throw Violation{"destination", called + " takes a function" + (packed ? " and" : ",") + " a tuple of arguments" +
                                       (packed ? "" : ", and perhaps a shape with further scalars") +
                                       ", but is given " + counted(given, "argument")};
  const Node &callee = as_node(call.args()[0]), &tuple = as_node(call.args()[1]);
  const Node* target = nullptr;
  std::string callee_name;
  if (auto* global = callee.as<ir::GlobalVar>()) {
    callee_name = global->name();
    target = function_named(callee_name);
    if (!target) return;  // the rule `global`
  }
  if (packed) {
    bool external =
        callee.is<ir::ExternFunc>() || callee.is<ir::StringImm>() || (target && target->is<ir::ExternFunc>());
    if (!external)
      throw Violation{
          "destination",
          called + " calls " + (target ? "`" + callee_name + "`" : what(callee)) + ", which is no external function",
          target ? "call a function of the module by relax.call_tir" : ""};
  } else if (!target || !target->is<tir::PrimFunc>()) {
    throw Violation{"destination",
                    called + " calls " + (target ? "`" + callee_name + "`" : what(callee)) +
                        ", which is no loop function of the module",
                    target && target->is<relax::Function>() ? "call a graph function directly"
                                                            : "call an external function by relax.call_dps_packed"};
  }
  Value tuple_type = stated_type(tuple);
  bool is_tuple = tuple.is<relax::Tuple>() || tuple_type.is_none() ||
                  (tuple_type.is_node() &&
                   (as_node(tuple_type).is<relax::TupleType>() || as_node(tuple_type).is<relax::AnyType>()));
  if (!is_tuple)
    throw Violation{"destination", "the arguments of " + called + " must be a tuple, but are " + what(tuple),
                    "write (x,) for a single argument"};
  if (call.type_args().empty())
    throw Violation{"destination", called + " says nothing about its outputs", "give their types by out_ty"};
  std::vector<Value> types;
  for (const Node& t : nodes(call.type_args()))
    if (!flatten_outputs(t, types))
      throw Violation{"destination", "the type of output " + std::to_string(types.size()) + " of " + called +
                                         " must be a tensor with shape and dtype, since the caller allocates it"};
  if (call.type_args().size() == 1) {
    check_own_type(call, call.type_args()[0]);
  } else if (auto* whole = call.type().is_node() ? as_node(call.type()).as<relax::TupleType>() : nullptr) {
    if (whole->fields().size() != call.type_args().size())
      throw Violation{"expression-type", called + " has " + std::to_string(call.type_args().size()) +
                                             " outputs, but a type of " + counted(whole->fields().size(), "field")};
    for (size_t i = 0; i < whole->fields().size(); ++i)
      if (auto why = types_.mismatch(call.type_args()[i], whole->fields()[i]))
        throw Violation{"expression-type",
                        "output " + std::to_string(i) + " of " + called + " is not of the type of the call: " + *why};
  }
  std::vector<Operand> operands, outputs, scalars;
  for (size_t i = 0; i < types.size(); ++i) outputs.push_back({types[i], Node(), "output " + std::to_string(i)});
  bool known = flatten_arguments(tuple, operands);
  if (form == "relax.call_tir_inplace") {
    if (!known) operands.clear();
    check_in_place(call, operands, outputs);
  }
  if (given == 3) {
    const Node& shape = as_node(call.args()[2]);
    Value type = stated_type(shape);
    bool is_shape = shape.is<relax::ShapeExpr>() || type.is_none() ||
                    (type.is_node() && (as_node(type).is<relax::ShapeType>() || as_node(type).is<relax::AnyType>()));
    if (!is_shape)
      throw Violation{"destination", "the scalars that " + called + " passes must be a shape, but are " + what(shape)};
    known = flatten_arguments(shape, scalars) && known;
    for (size_t i = 0; i < scalars.size(); ++i) scalars[i].what = "scalar " + std::to_string(i);
  }
  if (packed || !known) return;
  size_t count = outputs.size();
  operands.insert(operands.end(), outputs.begin(), outputs.end());
  operands.insert(operands.end(), scalars.begin(), scalars.end());
  check_loop_arguments(callee_name, target->to<tir::PrimFunc>(), operands, count);
}

// Leaves the outputs that are allocated for the call.
void GraphRules::check_in_place(const ir::Call& call, const std::vector<Operand>& inputs,
                                std::vector<Operand>& outputs) const {
  const Value* attr = call.attrs().find("inplace_indices");
  std::vector<int64_t> indices;
  if (attr && attr->is_int()) indices.push_back(attr->as_int());
  if (attr && attr->is_array())
    for (const Value& v : attr->ref<Array>()) {
      if (!v.is_int()) throw Violation{"in-place", "inplace_indices holds " + describe(v.raw()) + ", which is no int"};
      indices.push_back(v.as_int());
    }
  if (indices.size() != outputs.size())
    throw Violation{
        "in-place",
        "inplace_indices has " + std::to_string(indices.size()) + " entries for " + counted(outputs.size(), "output"),
        "give one for each output: the number of the argument that it replaces, or -1"};
  std::vector<Operand> fresh;
  for (size_t i = 0; i < indices.size(); ++i) {
    if (indices[i] == -1) {
      fresh.push_back(outputs[i]);
      continue;
    }
    bool outside = indices[i] < -1 || (!inputs.empty() && indices[i] >= static_cast<int64_t>(inputs.size()));
    if (outside)
      throw Violation{"in-place", "inplace_indices[" + std::to_string(i) + "] is " + std::to_string(indices[i]) +
                                      ", but the call has " + counted(inputs.size(), "argument")};
    for (size_t k = 0; k < i; ++k)
      if (indices[k] == indices[i])
        throw Violation{"in-place", "two outputs replace argument " + std::to_string(indices[i])};
    if (inputs.empty()) continue;
    const Operand& input = inputs[static_cast<size_t>(indices[i])];
    if (input.value && is_constant(input.value))
      throw Violation{
          "in-place",
          "output " + std::to_string(i) + " replaces argument " + std::to_string(indices[i]) + ", which is a constant",
          "write a new tensor: -1 in its place, or R.call_tir"};
    if (auto why = types_.mismatch(outputs[i].type, input.type))
      throw Violation{"in-place", "output " + std::to_string(i) + " is not of the type of argument " +
                                      std::to_string(indices[i]) + ", which it replaces: " + *why};
  }
  outputs = std::move(fresh);
}

void GraphRules::check_loop_arguments(std::string_view name, const tir::PrimFunc& callee,
                                      const std::vector<Operand>& operands, size_t outputs) const {
  const Array& params = callee.params();
  std::string function = "`" + std::string(name) + "`";
  if (params.size() != operands.size())
    throw Violation{"call-arguments", function + " takes " + counted(params.size(), "argument") + ", but " +
                                          std::to_string(operands.size() - outputs) + " and " +
                                          counted(outputs, "output") + " are given"};
  CallSymbols symbols;
  for (bool bind_only : {true, false})
    for (size_t i = 0; i < operands.size(); ++i) {
      const Operand& given = operands[i];
      const Node& param = as_node(params[i]);
      auto refuse = [&](const std::string& why) {
        throw Violation{"call-arguments",
                        given.what + " of " + function + " does not fit " + name_of(param.get()) + ": " + why};
      };
      bool tensor = given.type.is_node() && as_node(given.type).is<relax::TensorType>();
      if (auto* buffer = param.as<tir::Buffer>()) {
        if (given.type.is_none() || (given.type.is_node() && as_node(given.type).is<relax::AnyType>())) continue;
        if (!tensor) refuse("it is no tensor");
        auto& type = as_node(given.type).to<relax::TensorType>();
        if (type.dtype().is_dtype() && !same_dtype(type.dtype().as_dtype(), buffer->dtype()))
          refuse("its dtype is " + dtype_text(type.dtype().as_dtype()) + ", not " + dtype_text(buffer->dtype()));
        if (const Array* shape = listed_shape(type)) {
          if (auto why = types_.shape_mismatch(*shape, buffer->shape(), &symbols, bind_only)) refuse(*why);
        } else if (type.ndim() >= 0 && type.ndim() != static_cast<int64_t>(buffer->shape().size())) {
          refuse("it has " + counted(static_cast<size_t>(type.ndim()), "dimension") + ", not " +
                 std::to_string(buffer->shape().size()));
        }
      } else if (param.is<ir::Var>() && !is_handle(param.dtype())) {
        if (tensor) refuse("it is a tensor, not a scalar");
        Value type = given.type;
        if (type.is_node() && as_node(type).is<relax::PrimType>()) type = as_node(type).to<relax::PrimType>().dtype();
        if (type.is_dtype() && !same_dtype(type.as_dtype(), param.dtype()))
          refuse("its dtype is " + dtype_text(type.as_dtype()) + ", not " + dtype_text(param.dtype()));
        if (bind_only && given.value && is_integer_scalar(given.value)) symbols.bind(param, given.value);
      }
    }
}

void GraphRules::check_packed(const ir::Call& call, std::string_view form) const {
  if (call.args().empty()) throw Violation{"call-packed", std::string(form) + " misses the function that it calls"};
  const Node& callee = as_node(call.args()[0]);
  auto* global = callee.as<ir::GlobalVar>();
  const Node* target = global ? function_named(global->name()) : nullptr;
  bool external = callee.is<ir::ExternFunc>() || callee.is<ir::StringImm>() ||
                  (global && (!target || target->is<ir::ExternFunc>()));
  if (!external)
    throw Violation{"call-packed",
                    std::string(form) + " calls " + (global ? "`" + std::string(global->name()) + "`" : what(callee)) +
                        ", which is no external function",
                    "give its name as a string"};
  if (call.type_args().size() == 1) check_own_type(call, call.type_args()[0]);
}

}  // namespace tenon
