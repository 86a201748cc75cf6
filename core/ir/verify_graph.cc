#include "ir/verify_graph.h"

#include "ir/verify_parts.h"

namespace tenon {

using namespace verify_parts;
namespace {

// ---- What each slot holds --------------------------------------------------------------------------------------

enum class Holds { kExpression, kCallee, kType, kTypeOrNone, kBlock, kBinding, kVariable };

struct SlotRow {
  uint32_t kind;
  uint32_t slot;
  Holds holds;  // an array: of each element
};

constexpr SlotRow kSlots[] = {
    {TN_KIND_ir_Call, ir::CallSlot::op, Holds::kCallee},
    {TN_KIND_ir_Call, ir::CallSlot::args, Holds::kExpression},
    {TN_KIND_ir_Call, ir::CallSlot::type_args, Holds::kType},
    {TN_KIND_relax_TupleType, relax::TupleTypeSlot::fields, Holds::kType},
    {TN_KIND_relax_FuncType, relax::FuncTypeSlot::params, Holds::kTypeOrNone},
    {TN_KIND_relax_FuncType, relax::FuncTypeSlot::ret, Holds::kTypeOrNone},
    {TN_KIND_relax_Function, relax::FunctionSlot::params, Holds::kVariable},
    {TN_KIND_relax_Function, relax::FunctionSlot::ret_type, Holds::kTypeOrNone},
    {TN_KIND_relax_Function, relax::FunctionSlot::body, Holds::kExpression},
    {TN_KIND_relax_SeqExpr, relax::SeqExprSlot::blocks, Holds::kBlock},
    {TN_KIND_relax_SeqExpr, relax::SeqExprSlot::body, Holds::kExpression},
    {TN_KIND_relax_BindingBlock, relax::BindingBlockSlot::bindings, Holds::kBinding},
    {TN_KIND_relax_DataflowBlock, relax::DataflowBlockSlot::bindings, Holds::kBinding},
    {TN_KIND_relax_DataflowBlock, relax::DataflowBlockSlot::outputs, Holds::kVariable},
    {TN_KIND_relax_VarBinding, relax::VarBindingSlot::value, Holds::kExpression},
    {TN_KIND_relax_VarBinding, relax::VarBindingSlot::var, Holds::kVariable},
    {TN_KIND_relax_MatchCast, relax::MatchCastSlot::value, Holds::kExpression},
    {TN_KIND_relax_MatchCast, relax::MatchCastSlot::cast_type, Holds::kType},
    {TN_KIND_relax_MatchCast, relax::MatchCastSlot::var, Holds::kVariable},
    {TN_KIND_relax_If, relax::IfSlot::condition, Holds::kExpression},
    {TN_KIND_relax_If, relax::IfSlot::then_branch, Holds::kExpression},
    {TN_KIND_relax_If, relax::IfSlot::else_branch, Holds::kExpression},
    {TN_KIND_relax_Tuple, relax::TupleSlot::fields, Holds::kExpression},
    {TN_KIND_relax_TupleGetItem, relax::TupleGetItemSlot::tuple, Holds::kExpression},
};

// What belongs there; null when the node does.
const char* misplaced(const Node& n, Holds holds) {
  uint32_t flags = flags_of_kind(n);
  switch (holds) {
    case Holds::kExpression:
      return (flags & TN_KIND_EXPR) && !n.is<ir::Op>() && !n.is<relax::Function>() ? nullptr : "an expression";
    case Holds::kCallee: return flags & TN_KIND_EXPR ? nullptr : "an operator or a function";
    case Holds::kType:
    case Holds::kTypeOrNone: return flags & TN_KIND_TYPE ? nullptr : "a type";
    case Holds::kBlock:
      return n.is<relax::BindingBlock>() || n.is<relax::DataflowBlock>() ? nullptr : "a block of bindings";
    case Holds::kBinding: return n.is<relax::VarBinding>() || n.is<relax::MatchCast>() ? nullptr : "a binding";
    case Holds::kVariable: return n.is<ir::Var>() ? nullptr : "an ir.Var";
  }
  return nullptr;
}

void check_slot(const Node& n, const SlotRow& row) {
  const Value& v = n.slot(row.slot);
  auto one = [&](const Value& child, const std::string& index) {
    const char* due = nullptr;
    if (!child.is_node())
      due = "a node";
    else
      due = misplaced(as_node(child), row.holds);
    if (!due) return;
    bool function = child.is_node() && as_node(child).is<relax::Function>();
    throw Violation{"graph-level",
                    "`" + std::string(kind_info(n.kind())->schema.slots[row.slot].name) + index + "` of " +
                        name_of(n.get()) + " must be " + due + ", but is " +
                        (child.is_node() ? what(as_node(child)) : describe(child.raw())),
                    function ? "a function stands in the module, and is named here by an ir.GlobalVar" : ""};
  };
  if (v.is_array()) {
    const Array& items = v.ref<Array>();
    for (size_t i = 0; i < items.size(); ++i)
      if (!items[i].is_node() || misplaced(as_node(items[i]), row.holds)) one(items[i], "[" + std::to_string(i) + "]");
  } else if (!v.is_none() || row.holds != Holds::kTypeOrNone) {
    one(v, "");
  }
}

constexpr RowTable kRows = make_row_table(kSlots);

bool is_loop_expression(const Node& n) {
  return (n.kind() >= TN_KIND_tir_Add && n.kind() <= TN_KIND_tir_Let) || n.is<ir::IntImm>() || n.is<ir::FloatImm>();
}

std::string quoted(const Node& var) { return "`" + std::string(var.to<ir::Var>().name()) + "`"; }

}  // namespace

void CallGraph::add(std::string_view caller, std::string_view callee, const TnNode* site) {
  auto it = calls_.find(caller);
  if (it == calls_.end()) it = calls_.emplace(caller, std::map<std::string, const TnNode*, std::less<>>()).first;
  it->second.emplace(callee, site);
}

std::vector<std::pair<std::string, const TnNode*>> CallGraph::of(std::string_view caller) const {
  auto it = calls_.find(caller);
  if (it == calls_.end()) return {};
  return {it->second.begin(), it->second.end()};
}

const TnNode* CallGraph::cycle(std::string_view function) const {
  auto start = calls_.find(function);
  if (start == calls_.end()) return nullptr;
  for (const auto& [first, site] : start->second) {
    std::map<std::string_view, bool> seen;
    std::vector<std::string_view> open{first};
    while (!open.empty()) {
      std::string_view at = open.back();
      open.pop_back();
      if (at == function) return site;
      if (!seen.emplace(at, true).second) continue;
      auto next = calls_.find(at);
      if (next == calls_.end()) continue;
      for (const auto& [name, unused] : next->second) open.push_back(name);
    }
  }
  return nullptr;
}

void GraphRules::begin(std::string_view name, const relax::Function& function) {
  name_ = name;
  is_pure_ = function.is_pure();
  dataflow_.clear();
  hidden_.clear();
}

// ---- Functions and variables -----------------------------------------------------------------------------------

void GraphRules::check_function(const relax::Function& f) const {
  for (const Node& p : nodes(f.params())) {
    const Value& type = p.to<ir::Var>().type();
    if (type.is_none())
      throw Violation{"parameter", "the parameter " + quoted(p) + " has no type", "write R.Object for any value"};
  }
  if (auto why = types_.mismatch(stated_type(f.body()), f.ret_type()))
    throw Violation{"return-type", "the result is not of the type that the function declares: " + *why};
}

void GraphRules::check_definition(const Node& v) {
  if (char* hidden = hidden_.find(v.get())) *hidden = 0;
  if (!v.is<ir::Var>()) throw Violation{"graph-level", name_of(v.get()) + " stands in a graph function"};
  const Value& type = v.to<ir::Var>().type();
  bool is_type = type.is_none() || type.is_dtype() || (type.is_node() && (flags_of_kind(as_node(type)) & TN_KIND_TYPE));
  if (!is_type)
    throw Violation{"graph-level",
                    "the type of " + name_of(v.get()) + " is " + describe(type.raw()) + ", which is no type"};
}

void GraphRules::check_use(const TnNode* v) {
  if (is_hidden(v))
    throw Violation{"dataflow", name_of(v) + " is used outside of the dataflow block that binds it",
                    "add it to the outputs of the block"};
}

// ---- Types -----------------------------------------------------------------------------------------------------

void GraphRules::check_extents(const Value& listed, int64_t ndim, const char* of, bool may_be_negative) const {
  if (!listed.is_array()) {
    if (ndim < -1)
      throw Violation{"type", std::string(of) + " has " + std::to_string(ndim) + " dimensions",
                      "-1 stands for any number"};
    return;
  }
  const Array& extents = listed.ref<Array>();
  for (size_t d = 0; d < extents.size(); ++d) {
    auto refuse = [&](const std::string& why, const char* hint = "") {
      throw Violation{"type", "dimension " + std::to_string(d) + " of " + of + why, hint};
    };
    if (!extents[d].is_node() || !(flags_of_kind(as_node(extents[d])) & TN_KIND_EXPR))
      refuse(" is " + describe(extents[d].raw()) + ", which is no expression");
    const Node& e = as_node(extents[d]);
    if (!same_dtype(e.dtype(), kInt64))
      refuse(" must be an int64, but is " + what(e) +
             (e.is<ir::Var>() && has_dtype(e) ? " of dtype " + dtype_text(e.dtype()) : ""));
    if (auto* i = e.as<ir::IntImm>(); i && i->value() < 0 && !may_be_negative)
      refuse(" is " + std::to_string(i->value()), "an extent is 0 or more");
  }
  if (ndim >= 0 && ndim != static_cast<int64_t>(extents.size()))
    throw Violation{"type", std::string(of) + " lists " + std::to_string(extents.size()) +
                                " dimensions, but its ndim is " + std::to_string(ndim)};
}

void GraphRules::check_tensor_type(const relax::TensorType& type) const {
  check_extents(type.shape(), type.ndim(), "a tensor type", false);
  if (type.shape().is_node()) {
    const Node& shape = as_node(type.shape());
    bool computed = shape.is<ir::Var>() || shape.is<ir::Call>() || shape.is<relax::TupleGetItem>();
    Value of = computed ? stated_type(shape) : Value();
    bool fits =
        of.is_none() || (of.is_node() && (as_node(of).is<relax::ShapeType>() || as_node(of).is<relax::AnyType>()));
    if (!shape.is<relax::ShapeExpr>() && !(computed && fits))
      throw Violation{"type", "the shape of a tensor type is " + what(shape) + ", not a shape"};
  } else if (!type.shape().is_array() && !type.shape().is_none()) {
    throw Violation{"type", "the shape of a tensor type is " + describe(type.shape().raw())};
  }
  if (type.dtype().is_none()) return;
  if (!type.dtype().is_dtype() || type.dtype().as_dtype().bits == 0 || type.dtype().as_dtype().lanes != 1)
    throw Violation{"type",
                    "the dtype of a tensor type is " +
                        (type.dtype().is_dtype() ? dtype_text(type.dtype().as_dtype()) : describe(type.dtype().raw())),
                    "the elements of a tensor are scalars"};
}

// ---- Bindings --------------------------------------------------------------------------------------------------

void GraphRules::check_symbols(const Node& type, const Node& var) const {
  if (!(flags_of(type.get()) & kHasVariables)) return;
  std::vector<const Node*> open{&type};
  for (size_t k = 0; k < open.size() && k < 4096; ++k) {
    const Array* extents = nullptr;
    if (auto* t = open[k]->as<relax::TensorType>()) extents = listed_shape(*t);
    if (auto* s = open[k]->as<relax::ShapeType>(); s && s->values().is_array()) extents = &s->values().ref<Array>();
    if (auto* tuple = open[k]->as<relax::TupleType>())
      for (const Node& f : nodes(tuple->fields())) open.push_back(&f);
    if (!extents) continue;
    for (const Value& e : *extents)
      if (e.is_node() && as_node(e).is<ir::Var>() && !in_scope_(as_node(e).get()))
        throw Violation{"symbol",
                        "the type of " + name_of(var.get()) + " has the dimension " + quoted(as_node(e)) +
                            ", which no parameter and no match_cast gives",
                        "bind the value, then introduce the dimension by R.match_cast"};
  }
}

void GraphRules::check_binding(const relax::VarBinding& binding) {
  if (is_constant(binding.value())) constants_.insert(binding.var().get());
  const Value& type = binding.var().to<ir::Var>().type();
  if (auto why = types_.mismatch(stated_type(binding.value()), type))
    throw Violation{"binding-type",
                    "what " + name_of(binding.var().get()) + " is bound to is not of its type: " + *why};
  if (type.is_node()) check_symbols(as_node(type), binding.var());
}

void GraphRules::check_match_cast(const relax::MatchCast& cast) const {
  if (auto why = types_.mismatch(stated_type(cast.value()), Value(cast.cast_type())))
    throw Violation{"match-cast", "the match_cast of " + name_of(cast.var().get()) + " never holds: " + *why};
  if (auto why = types_.mismatch(Value(cast.cast_type()), cast.var().to<ir::Var>().type()))
    throw Violation{"binding-type", "what " + name_of(cast.var().get()) + " is cast to is not of its type: " + *why};
}

void GraphRules::end_dataflow(const relax::DataflowBlock& block) {
  PointerMap<char> outputs;  // 1: named, 2: bound too
  for (const Node& v : nodes(block.outputs())) outputs[v.get()] = 1;
  auto bound = [&](const Node& var) {
    if (char* output = outputs.find(var.get()))
      *output = 2;
    else
      hidden_[var.get()] = 1;
  };
  for (const Node& n : nodes(block.bindings())) {
    if (auto* b = n.as<relax::VarBinding>()) bound(b->var());
    if (auto* c = n.as<relax::MatchCast>()) bound(c->var());
  }
  for (const Node& v : nodes(block.outputs()))
    if (*outputs.find(v.get()) != 2)
      throw Violation{"dataflow", name_of(v.get()) + " is an output of a dataflow block that does not bind it"};
}

// ---- Expressions -----------------------------------------------------------------------------------------------

void GraphRules::check_own_type(const Node& expression, const Value& natural) const {
  if (auto why = types_.mismatch(natural, expression.slot(0)))
    throw Violation{"expression-type",
                    "the type of " + name_of(expression.get()) + " is not that of its parts: " + *why};
}

void GraphRules::check_if(const relax::If& branch) const {
  if (!dataflow_.empty())
    throw Violation{"dataflow", "a branch stands in a dataflow block", "end the dataflow block before it"};
  Value condition = stated_type(branch.condition());
  if (condition.is_node() && as_node(condition).is<relax::PrimType>())
    condition = as_node(condition).to<relax::PrimType>().dtype();
  if (condition.is_node() && !as_node(condition).is<relax::AnyType>()) {
    auto* t = as_node(condition).as<relax::TensorType>();
    bool scalar = t && (listed_shape(*t) ? listed_shape(*t)->empty() : t->ndim() <= 0);
    if (!scalar || (t->dtype().is_dtype() && !is_bool(t->dtype().as_dtype())))
      throw Violation{"branch",
                      "the condition of a branch is neither a bool nor a tensor of one bool without dimensions"};
  }
  if (condition.is_dtype() && !is_bool(condition.as_dtype()))
    throw Violation{"branch", "the condition of a branch is " + dtype_text(condition.as_dtype()) + ", not bool"};
  Value then_type = stated_type(branch.then_branch()), else_type = stated_type(branch.else_branch());
  if (auto why = types_.mismatch(else_type, then_type))
    throw Violation{"branch", "the second side of a branch is not of the type of the first: " + *why};
  check_own_type(branch, then_type);
  check_own_type(branch, else_type);
}

void GraphRules::check_tuple(const relax::Tuple& tuple) const {
  auto* type = tuple.type().is_node() ? as_node(tuple.type()).as<relax::TupleType>() : nullptr;
  if (!type) {
    if (tuple.type().is_node() && !as_node(tuple.type()).is<relax::AnyType>())
      throw Violation{"tuple", "a tuple has a type that is no relax.TupleType"};
    return;
  }
  if (type->fields().size() != tuple.fields().size())
    throw Violation{"tuple", "a tuple of " + std::to_string(tuple.fields().size()) + " values has a type of " +
                                 std::to_string(type->fields().size()) + " fields"};
  for (size_t i = 0; i < tuple.fields().size(); ++i)
    if (auto why = types_.mismatch(stated_type(as_node(tuple.fields()[i])), type->fields()[i]))
      throw Violation{"tuple",
                      "field " + std::to_string(i) + " of a tuple is not of the type that the tuple states: " + *why};
}

void GraphRules::check_tuple_item(const relax::TupleGetItem& item) const {
  if (item.index() < 0)
    throw Violation{"tuple", "field " + std::to_string(item.index()) + " of a tuple is taken", "fields count from 0"};
  Value type = stated_type(item.tuple());
  if (!type.is_node() || as_node(type).is<relax::AnyType>()) {
    if (type.is_dtype()) throw Violation{"tuple", "a field of a scalar is taken"};
    return;
  }
  auto* tuple = as_node(type).as<relax::TupleType>();
  if (!tuple) throw Violation{"tuple", "a field is taken of a value that is no tuple but " + what(as_node(type))};
  if (static_cast<size_t>(item.index()) >= tuple->fields().size())
    throw Violation{
        "tuple",
        "field " + std::to_string(item.index()) + " is taken of a tuple of " + std::to_string(tuple->fields().size()),
        "fields count from 0"};
  check_own_type(item, tuple->fields()[static_cast<size_t>(item.index())]);
}

void GraphRules::check_scalar(const relax::PrimValue& p) const {
  const Node& v = p.value();
  if (!(flags_of_kind(v) & TN_KIND_EXPR) || !has_dtype(v) || !is_scalar(v.dtype()))
    throw Violation{"scalar", "a relax.PrimValue must hold a scalar expression with a dtype, but holds " + what(v)};
  auto* type = p.type().is_node() ? as_node(p.type()).as<relax::PrimType>() : nullptr;
  if (type && !same_dtype(type->dtype(), v.dtype()))
    throw Violation{
        "scalar", "a relax.PrimValue of " + dtype_text(v.dtype()) + " has the type of a " + dtype_text(type->dtype())};
}

void GraphRules::check(const Node& n, const TnNode* parent) {
  if (is_loop_expression(n)) return loop_.check(n, parent);
  if (n.kind() < std::size(kRows.of))
    for (size_t i = kRows.of[n.kind()].first; i < kRows.of[n.kind()].last; ++i) check_slot(n, kSlots[i]);
  switch (n.kind()) {
    case relax::Function::kKind: check_function(n.to<relax::Function>()); break;
    case relax::TensorType::kKind: check_tensor_type(n.to<relax::TensorType>()); break;
    case relax::ShapeType::kKind:
      check_extents(n.to<relax::ShapeType>().values(), n.to<relax::ShapeType>().ndim(), "a shape type", true);
      break;
    case relax::DataflowBlock::kKind: dataflow_.push_back(n.get()); break;
    case relax::VarBinding::kKind: check_binding(n.to<relax::VarBinding>()); break;
    case relax::MatchCast::kKind: check_match_cast(n.to<relax::MatchCast>()); break;
    case relax::If::kKind: check_if(n.to<relax::If>()); break;
    case relax::Tuple::kKind: check_tuple(n.to<relax::Tuple>()); break;
    case relax::TupleGetItem::kKind: check_tuple_item(n.to<relax::TupleGetItem>()); break;
    case relax::PrimValue::kKind: check_scalar(n.to<relax::PrimValue>()); break;
    case relax::ShapeExpr::kKind:
      for (const Node& v : nodes(n.to<relax::ShapeExpr>().values()))
        if (!(flags_of_kind(v) & TN_KIND_EXPR) || !is_integer_scalar(v))
          throw Violation{"shape", "a value of a shape must be an integer, but is " + what(v)};
      break;
    case ir::Constant::kKind:
      if (auto why = constant_mismatch(n.to<ir::Constant>())) throw Violation{"constant", *why};
      break;
    case ir::ExternFunc::kKind:
      if (n.to<ir::ExternFunc>().symbol().empty())
        throw Violation{"call-packed", "an external function has an empty name"};
      break;
    case ir::Call::kKind: check_call(n.to<ir::Call>()); break;
    default:
      if (n.kind() >= TN_KIND_tir_Add && n.kind() < TN_KIND_relax_Function)
        throw Violation{"graph-level", name_of(n.get()) + " belongs to the loop level, but stands in a graph function",
                        "put it into a loop function, and call that by relax.call_tir"};
  }
}

void GraphRules::leave(const Node& n) {
  if (auto* block = n.as<relax::DataflowBlock>()) {
    dataflow_.pop_back();
    end_dataflow(*block);
  }
}

}  // namespace tenon
