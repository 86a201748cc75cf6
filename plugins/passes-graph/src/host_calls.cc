// The value of an expression in a host function: calls, constants, tuples.
#include "host_function.h"

namespace tenon::graph {

Node HostFunction::evaluate(Value type, std::string_view op, const std::vector<Node>& args) const {
  return b_.make<tir::Evaluate>({b_.make<ir::Call>(
      {std::move(type), b_.make<ir::Op>({Value(), b_.string(op)}), b_.array(args), b_.map({}), b_.array({})})});
}

Place HostFunction::value(const Node& e, const std::vector<Node>& into, Stmts& out) {
  if (e.is<ir::Var>()) {
    auto it = places_.find(e.get());
    if (it != places_.end()) return it->second;
    if (e.dtype().bits) return {Place::kScalar, e, {}, {}};  // a symbolic dimension
    refuse(e, "variable " + std::string(e.to<ir::Var>().name()) + " has no value here");
  }
  if (auto* c = e.as<ir::Call>()) return call(*c, into, out);
  if (e.is<ir::Constant>()) return constant(e);
  if (auto* tuple = e.as<relax::Tuple>()) {
    Place place{Place::kTuple, Node(), {}, {}};
    for (const Node& f : nodes(tuple->fields())) place.fields.push_back(value(f, {}, out));
    return place;
  }
  if (auto* get = e.as<relax::TupleGetItem>()) {
    Place tuple = value(get->tuple(), {}, out);
    if (tuple.kind == Place::kTuple) return tuple.fields.at(static_cast<size_t>(get->index()));
    if (tuple.kind != Place::kHandle) refuse(e, "a field of what is no tuple");
    Node field =
        b_.make<ir::Call>({kHandle, b_.make<ir::Op>({Value(), "tir.tuple_get"}),
                           b_.array({Value(tuple.node), Value(b_.imm(get->index()))}), b_.map({}), b_.array({})});
    return {Place::kHandle, in_register(field, out), {}, {}};
  }
  if (auto* branch_node = e.as<relax::If>()) return branch(*branch_node, into, out);
  if (auto* shape = e.as<relax::ShapeExpr>()) {
    Place place{Place::kShape, Node(), {}, {}};
    for (const Node& d : nodes(shape->values())) place.dims.push_back(d);
    return place;
  }
  if (auto* p = e.as<relax::PrimValue>()) return {Place::kScalar, p->value(), {}, {}};
  if (e.is<ir::IntImm>() || e.is<ir::FloatImm>() || e.is<ir::StringImm>()) return {Place::kScalar, e, {}, {}};
  refuse(e, "an expression that has no loop-level form", "run passes-graph:normalize first");
}

Place HostFunction::constant(const Node& n) {
  auto [it, is_new] = constants_.try_emplace(n.get());
  if (is_new) {
    auto& t = as_node(n.to<ir::Constant>().type()).to<relax::TensorType>();
    it->second =
        b_.buffer("constant" + std::to_string(constants_.size() - 1), t.dtype().as_dtype(), t.shape().ref<Array>());
    prologue_.push_back(b_.make<tir::DeclBuffer>({n, it->second}, n.span()));
  }
  return {Place::kBuffer, it->second, {}, {}};
}

Place HostFunction::call(const ir::Call& c, const std::vector<Node>& into, Stmts& out) {
  if (auto* g = c.op().as<ir::GlobalVar>()) return call_graph_function(c, std::string(g->name()), into, out);
  std::string_view id = op_of(c);
  if (id == "relax.call_tir") return call_loop_function(c, into, out);
  if (id == "relax.call_tir_inplace") return call_in_place(c, out);
  if (id == "relax.call_dps_packed") return call_packed_destinations(c, into, out);
  if (id == "relax.call_packed" || id == "relax.call_pure_packed") return call_packed(c, out);
  if (id == "relax.shape_of") {
    Place x = value(nodes(c.args())[0], {}, out);
    if (x.kind != Place::kBuffer)
      refuse(c, "shape_of of what is no tensor with a known shape", "use R.match_cast before it");
    Place place{Place::kShape, Node(), {}, {}};
    for (const Node& d : nodes(x.node.to<tir::Buffer>().shape())) place.dims.push_back(d);
    return place;
  }
  refuse(c, "the operator " + std::string(id) + " has no loop-level form here", "run passes-graph:legalize first");
}

// A loop function takes tensors of which shape and dtype are known.
void HostFunction::require_buffers(const ir::Call& c, const std::vector<Node>& args) const {
  for (size_t i = 0; i < args.size(); ++i)
    if (!args[i].is<tir::Buffer>() && is_handle(args[i].dtype()))
      refuse(c, "the shape or dtype of argument " + std::to_string(i) + " is not known",
             "bring it in with R.match_cast");
}

Place HostFunction::call_loop_function(const ir::Call& c, const std::vector<Node>& into, Stmts& out) {
  std::vector<Node> args = operands(nodes(c.args())[1], out);
  require_buffers(c, args);
  auto& target = nodes(c.args())[0].to<ir::GlobalVar>();
  std::vector<Node> results = outputs(c.type_args(), into, target.name(), out);
  args.insert(args.end(), results.begin(), results.end());
  if (c.args().size() > 2) {
    Place symbols = value(nodes(c.args())[2], {}, out);
    args.insert(args.end(), symbols.dims.begin(), symbols.dims.end());
  }
  Node call_node = b_.make<ir::Call>({Value(), target, b_.array(args), b_.map({}), b_.array({})}, c.span());
  out.push_back(b_.make<tir::Evaluate>({call_node}, c.span()));
  size_t next = 0;
  return place_of(c.type_args(), results, next);
}

// Outputs with an index are the argument of that number, changed in place; -1 is a fresh one.
Place HostFunction::call_in_place(const ir::Call& c, Stmts& out) {
  std::vector<Node> args = operands(nodes(c.args())[1], out);
  require_buffers(c, args);
  const Value* indices = c.attrs().find("inplace_indices");
  std::vector<int64_t> which;
  if (indices && indices->is_array())
    for (const Value& v : indices->ref<Array>()) which.push_back(v.as_int());
  else if (indices)
    which.push_back(indices->as_int());
  if (which.size() != c.type_args().size()) refuse(c, "inplace_indices needs one index for each output");
  std::vector<Node> results, passed = args;
  for (size_t k = 0; k < which.size(); ++k) {
    if (which[k] >= static_cast<int64_t>(args.size())) refuse(c, "inplace_indices names no argument");
    if (which[k] >= 0) {
      results.push_back(args[static_cast<size_t>(which[k])]);
    } else {
      results.push_back(allocate(nodes(c.type_args())[k], "lv", out));
      passed.push_back(results.back());
    }
  }
  Node call_node =
      b_.make<ir::Call>({Value(), nodes(c.args())[0], b_.array(passed), b_.map({}), b_.array({})}, c.span());
  out.push_back(b_.make<tir::Evaluate>({call_node}, c.span()));
  size_t next = 0;
  return place_of(c.type_args(), results, next);
}

Node HostFunction::callee_name(const Node& n) const {
  if (auto* e = n.as<ir::ExternFunc>()) return b_.make<ir::StringImm>({Value(), b_.string(e->symbol())});
  if (n.is<ir::StringImm>()) return n;
  refuse(n, "a packed call needs the name of an external function");
}

Place HostFunction::call_packed_destinations(const ir::Call& c, const std::vector<Node>& into, Stmts& out) {
  std::vector<Node> args{callee_name(nodes(c.args())[0])};
  std::vector<Node> passed = operands(nodes(c.args())[1], out);
  std::vector<Node> results = outputs(c.type_args(), into, "lv", out);
  args.insert(args.end(), passed.begin(), passed.end());
  args.insert(args.end(), results.begin(), results.end());
  out.push_back(evaluate(kInt32, "tir.call_packed", args));
  size_t next = 0;
  return place_of(c.type_args(), results, next);
}

Place HostFunction::call_packed(const ir::Call& c, Stmts& out) {
  std::vector<Node> args{callee_name(nodes(c.args())[0])};
  for (size_t i = 1; i < c.args().size(); ++i) append_operands(value(nodes(c.args())[i], {}, out), args);
  Node result = b_.make<ir::Call>(
      {kHandle, b_.make<ir::Op>({Value(), "tir.call_packed"}), b_.array(args), b_.map({}), b_.array({})}, c.span());
  return {Place::kHandle, in_register(result, out), {}, {}};
}

Place HostFunction::call_graph_function(const ir::Call& c, const std::string& callee, const std::vector<Node>& into,
                                        Stmts& out) {
  const Value* found = module_.functions().find(callee);
  if (!found) refuse(c, "there is no function " + callee);
  std::vector<Node> args;
  for (const Node& a : nodes(c.args())) append_operands(value(a, {}, out), args);
  std::vector<Node> types;
  if (!c.type().is_node() || !tensors_of_type(as_node(c.type()), types)) {
    Node result = b_.make<ir::Call>({kHandle, c.op(), b_.array(args), b_.map({}), b_.array({})}, c.span());
    return {Place::kHandle, in_register(result, out), {}, {}};
  }
  std::vector<Node> results = outputs(b_.array({c.type()}), into, "lv", out);
  args.insert(args.end(), results.begin(), results.end());
  Node call_node = b_.make<ir::Call>({Value(), c.op(), b_.array(args), b_.map({}), b_.array({})}, c.span());
  out.push_back(b_.make<tir::Evaluate>({call_node}, c.span()));
  size_t next = 0;
  return place_of_type(as_node(c.type()), results, next);
}

std::vector<Node> HostFunction::outputs(const Array& types, const std::vector<Node>& into, std::string_view hint,
                                        Stmts& out) {
  std::vector<Node> tensors, buffers;
  for (const Node& t : nodes(types))
    if (!tensors_of_type(t, tensors)) refuse(t, "the shape of an output is not known");
  if (into.size() == tensors.size()) return into;
  for (const Node& t : tensors) buffers.push_back(allocate(t, hint, out));
  return buffers;
}

Place HostFunction::place_of_type(const Node& type, const std::vector<Node>& buffers, size_t& next) const {
  auto* tuple = type.as<relax::TupleType>();
  if (!tuple) return {Place::kBuffer, buffers.at(next++), {}, {}};
  Place place{Place::kTuple, Node(), {}, {}};
  for (const Node& f : nodes(tuple->fields())) place.fields.push_back(place_of_type(f, buffers, next));
  return place;
}

Place HostFunction::place_of(const Array& types, const std::vector<Node>& buffers, size_t& next) const {
  if (types.size() == 1) return place_of_type(nodes(types)[0], buffers, next);
  Place place{Place::kTuple, Node(), {}, {}};
  for (const Node& t : nodes(types)) place.fields.push_back(place_of_type(t, buffers, next));
  return place;
}

void HostFunction::append_operands(const Place& place, std::vector<Node>& out) const {
  if (place.kind == Place::kTuple) {
    for (const Place& f : place.fields) append_operands(f, out);
  } else if (place.kind == Place::kShape) {
    out.insert(out.end(), place.dims.begin(), place.dims.end());
  } else if (place.kind != Place::kNothing) {
    out.push_back(place.node);
  }
}

std::vector<Node> HostFunction::operands(const Node& tuple, Stmts& out) {
  std::vector<Node> args;
  append_operands(value(tuple, {}, out), args);
  return args;
}

Node HostFunction::allocate(const Node& tensor_type, std::string_view hint, Stmts& out) {
  auto& t = tensor_type.to<relax::TensorType>();
  Node buffer = b_.buffer(hint, t.dtype().as_dtype(), t.shape().ref<Array>());
  out.push_back(b_.make<tir::AllocBuffer>({b_.map({}), buffer}));
  return buffer;
}

Node HostFunction::in_register(const Node& v, Stmts& out) {
  if (!registers_) registers_ = b_.buffer("registers", kHandle, b_.array({Value(b_.imm(1))}), "register");
  Array at = b_.array({Value(b_.imm(register_count_++))});
  if (v) out.push_back(b_.store(registers_, at, v));
  return b_.load(registers_, at);
}

// What a handle holds, checked against `type`; the type's new variables are bound.
Place HostFunction::unpacked(const Node& handle, const Node& type, const std::string& what, Stmts& out) {
  if (auto* tuple = type.as<relax::TupleType>()) {
    Place place{Place::kTuple, Node(), {}, {}};
    for (size_t k = 0; k < tuple->fields().size(); ++k) {
      Node field = b_.make<ir::Call>({kHandle, b_.make<ir::Op>({Value(), "tir.tuple_get"}),
                                      b_.array({Value(handle), Value(b_.imm(static_cast<int64_t>(k)))}), b_.map({}),
                                      b_.array({})});
      place.fields.push_back(
          unpacked(in_register(field, out), nodes(tuple->fields())[k], what + "[" + std::to_string(k) + "]", out));
    }
    return place;
  }
  auto* t = type.as<relax::TensorType>();
  if (!t || t->shape().is_none() || t->dtype().is_none()) return {Place::kHandle, handle, {}, {}};
  const Array& shape = t->shape().ref<Array>();
  auto text = [&](const std::string& s) { return b_.make<ir::StringImm>({Value(), b_.string(s)}); };
  // Reading a dimension fails for what is no tensor of that rank; the rest is compared once all variables have values.
  for (size_t d = 0; d < shape.size(); ++d) {
    const Node& w = nodes(shape)[d];
    if (!w.is<ir::Var>() || !symbols_.insert(w.get()).second) continue;
    std::vector<Node> args{handle, b_.imm(static_cast<int64_t>(d))};
    out.push_back(b_.make<tir::Bind>({b_.make<ir::Call>({kInt64, b_.make<ir::Op>({Value(), "tir.tensor_dim"}),
                                                         b_.array(args), b_.map({}), b_.array({})}),
                                      w}));
  }
  std::vector<Node> match{handle, text(what), text(dtype_text(t->dtype().as_dtype()))};
  for (const Node& d : nodes(shape)) match.push_back(d);
  out.push_back(evaluate(kInt32, "tir.match_tensor", match));
  Node view = b_.buffer(what, t->dtype().as_dtype(), shape);
  Node data = b_.make<ir::Call>(
      {kHandle, b_.make<ir::Op>({Value(), "tir.tensor_data"}), b_.array({Value(handle)}), b_.map({}), b_.array({})});
  out.push_back(b_.make<tir::DeclBuffer>({data, view}));
  return {Place::kBuffer, view, {}, {}};
}

}  // namespace tenon::graph
