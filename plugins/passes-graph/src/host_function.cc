// Parameters, sequences, branches and results of a host function.
#include "host_function.h"

#include "extents.h"

namespace tenon::graph {

bool tensors_of_type(const Node& type, std::vector<Node>& out) {
  if (auto* tuple = type.as<relax::TupleType>()) {
    for (const Node& f : nodes(tuple->fields()))
      if (!tensors_of_type(f, out)) return false;
    return true;
  }
  auto* t = type.as<relax::TensorType>();
  if (!t || t->shape().is_none() || t->dtype().is_none()) return false;
  out.push_back(type);
  return true;
}

void HostFunction::refuse(const Node& at, const std::string& why, const std::string& hint) const {
  throw Error(TN_ERROR_UNSUPPORTED, "function '" + name_ + "': " + why, where(at), hint);
}

Node HostFunction::build() {
  for (const Node& p : nodes(f_.params())) add_parameter(p);
  Value result_type = f_.ret_type();
  if (auto* seq = f_.body().as<relax::SeqExpr>(); seq && !result_type.is_node()) result_type = seq->body().slot(0);
  std::vector<Node> types;
  passes_destinations_ = result_type.is_node() && tensors_of_type(as_node(result_type), types);
  for (const Node& t : types)  // the caller allocates only what it can know
    b_.walk(Value(t), [&](const Node& n) {
      passes_destinations_ = passes_destinations_ && (!n.is<ir::Var>() || symbols_.count(n.get()));
    });
  std::vector<Node> into;
  if (passes_destinations_)
    for (const Node& t : types) {
      auto& tensor = t.to<relax::TensorType>();
      std::string name = types.size() == 1 ? "out" : "out" + std::to_string(into.size());
      into.push_back(b_.buffer(name, tensor.dtype().as_dtype(), tensor.shape().ref<Array>()));
      params_.push_back(into.back());
    }
  Stmts body;
  Place result = sequence(f_.body(), into, body);
  Builder::Entries attrs;
  for (const Map::Entry& e : f_.attrs())
    if (e.key() != "global_symbol") attrs.emplace_back(std::string(e.key()), e.value());
  attrs.emplace_back("tenon.host", true);
  Value ret_type;
  if (passes_destinations_) {
    copy_into(result, into, body);
    attrs.emplace_back("tenon.num_outputs", static_cast<int64_t>(into.size()));
  } else {
    body.push_back(evaluate(kInt32, "tir.ret", {handle_of(result, body)}));
    ret_type = kHandle;
  }
  if (register_count_ > 0) {
    Node sized = b_.with(registers_, tir::Buffer::Slot::shape, Value(b_.array({Value(b_.imm(register_count_))})));
    for (Node& s : body)
      s = b_.substitute(Value(s), b_.array({Value(registers_)}), b_.array({Value(sized)})).ref<Node>();
    prologue_.insert(prologue_.begin(), b_.make<tir::AllocBuffer>({b_.map({}), sized}));
  }
  body.insert(body.begin(), prologue_.begin(), prologue_.end());
  if (body.empty()) body.push_back(b_.make<tir::Evaluate>({b_.imm(0, kInt32)}));
  return b_.make<tir::PrimFunc>({b_.array(params_), b_.map(attrs), ret_type, b_.make<tir::Seq>({b_.array(body)})},
                                f_.span());
}

void HostFunction::add_parameter(const Node& param) {
  auto& v = param.to<ir::Var>();
  Place place;
  if (v.type().is_dtype()) {
    place = {Place::kScalar, param, {}, {}};
    params_.push_back(param);
    symbols_.insert(param.get());
  } else if (!v.type().is_node()) {
    refuse(param, "parameter " + std::string(v.name()) + " has no type");
  } else if (auto* t = as_node(v.type()).as<relax::TensorType>(); t && !t->shape().is_none() && !t->dtype().is_none()) {
    place = {Place::kBuffer, b_.buffer(v.name(), t->dtype().as_dtype(), t->shape().ref<Array>()), {}, {}};
    for (const Node& d : nodes(t->shape().ref<Array>()))
      if (d.is<ir::Var>()) symbols_.insert(d.get());
    params_.push_back(place.node);
  } else if (gives_symbols(as_node(v.type()))) {
    place.kind = Place::kShape;
    for (const Node& d : nodes(as_node(v.type()).to<relax::ShapeType>().values().ref<Array>())) {
      place.dims.push_back(d);
      params_.push_back(d);
      symbols_.insert(d.get());
    }
  } else if (auto* p = as_node(v.type()).as<relax::PrimType>()) {
    place = {Place::kScalar, b_.var(v.name(), p->dtype()), {}, {}};
    params_.push_back(place.node);
  } else {
    place = {Place::kHandle, b_.var(v.name(), kHandle), {}, {}};
    params_.push_back(place.node);
  }
  places_[param.get()] = place;
}

// A shape that brings symbols of its own is passed as their values; a public function takes it in a box.
bool HostFunction::gives_symbols(const Node& type) const {
  const auto* shape = type.as<relax::ShapeType>();
  if (!shape || !shape->values().is_array() || f_.attrs().find("global_symbol")) return false;
  std::set<const TnNode*> own;
  for (const Node& d : nodes(shape->values().ref<Array>()))
    if (!d.is<ir::Var>() || symbols_.count(d.get()) || !own.insert(d.get()).second) return false;
  return true;
}

// The variables that the sequence returns are computed straight into the caller's buffers.
void HostFunction::assign_destinations(const relax::SeqExpr& seq, const std::vector<Node>& into) {
  if (into.empty()) return;
  std::map<const TnNode*, std::vector<Node>> wanted;
  if (auto* tuple = seq.body().as<relax::Tuple>(); tuple && tuple->fields().size() == into.size()) {
    for (size_t i = 0; i < into.size(); ++i)
      if (nodes(tuple->fields())[i].is<ir::Var>())
        wanted.emplace(nodes(tuple->fields())[i].get(), std::vector<Node>{into[i]});
  } else if (seq.body().is<ir::Var>()) {
    wanted.emplace(seq.body().get(), into);
  }
  for (size_t i = seq.blocks().size(); i-- > 0;) {
    const Node& block = nodes(seq.blocks())[i];
    auto* dataflow = block.as<relax::DataflowBlock>();
    const Array& bindings = dataflow ? dataflow->bindings() : block.to<relax::BindingBlock>().bindings();
    for (size_t k = bindings.size(); k-- > 0;) {
      auto* vb = nodes(bindings)[k].as<relax::VarBinding>();
      if (!vb) continue;
      auto it = wanted.find(vb->var().get());
      if (it == wanted.end()) continue;
      // An alias hands the destination on; a second claim on one variable is served by a copy.
      if (vb->value().is<ir::Var>())
        wanted.emplace(vb->value().get(), it->second);
      else
        destinations_[vb->var().get()] = it->second;
    }
  }
}

Place HostFunction::sequence(const Node& e, const std::vector<Node>& into, Stmts& out) {
  auto* seq = e.as<relax::SeqExpr>();
  if (!seq) return value(e, into, out);
  assign_destinations(*seq, into);
  for (const Node& block : nodes(seq->blocks())) {
    auto* dataflow = block.as<relax::DataflowBlock>();
    for (const Node& n : nodes(dataflow ? dataflow->bindings() : block.to<relax::BindingBlock>().bindings()))
      binding(n, out);
  }
  return value(seq->body(), {}, out);
}

void HostFunction::binding(const Node& n, Stmts& out) {
  if (auto* cast = n.as<relax::MatchCast>()) {
    places_[cast->var().get()] = match_cast(*cast, out);
    return;
  }
  auto& vb = n.to<relax::VarBinding>();
  auto it = destinations_.find(vb.var().get());
  Place place = value(vb.value(), it == destinations_.end() ? std::vector<Node>{} : it->second, out);
  // What came in a box is opened where the variable's type says what is inside.
  const Value& type = vb.var().to<ir::Var>().type();
  if (place.kind == Place::kHandle && type.is_node() && !as_node(type).is<relax::AnyType>())
    place = unpacked(place.node, as_node(type), std::string(vb.var().to<ir::Var>().name()), out);
  places_[vb.var().get()] = place;
}

Place HostFunction::branch(const relax::If& n, const std::vector<Node>& into, Stmts& out) {
  Place condition = value(n.condition(), {}, out);
  Node test = condition.kind == Place::kBuffer ? b_.load(condition.node, b_.array({})) : condition.node;
  if (condition.kind != Place::kBuffer && condition.kind != Place::kScalar)
    refuse(n, "the condition of an if is neither a scalar nor a tensor of rank 0");
  std::vector<Node> types;
  bool known = n.type().is_node() && tensors_of_type(as_node(n.type()), types);
  std::vector<Node> buffers = into;
  Place result;
  if (known && into.size() != types.size()) {
    buffers.clear();
    for (const Node& t : types) buffers.push_back(allocate(t, "branch", out));
  }
  Node joined;
  if (!known) {
    buffers.clear();
    joined = in_register(Node(), out);
  }
  auto lower = [&](const Node& side) {
    Stmts stmts;
    auto outer = destinations_;
    Place place = sequence(side, buffers, stmts);
    if (known)
      copy_into(place, buffers, stmts);
    else
      stmts.push_back(b_.make<tir::BufferStore>({joined.to<tir::BufferLoad>().buffer(), handle_of(place, stmts),
                                                 Value(joined.to<tir::BufferLoad>().indices())}));
    destinations_ = outer;
    if (stmts.empty()) stmts.push_back(b_.make<tir::Evaluate>({b_.imm(0, kInt32)}));
    return b_.seq(stmts);
  };
  Node then_case = lower(n.then_branch()), else_case = lower(n.else_branch());
  out.push_back(b_.make<tir::IfThenElse>({test, then_case, Value(else_case)}, n.span()));
  if (!known) return {Place::kHandle, joined, {}, {}};
  size_t next = 0;
  return place_of_type(as_node(n.type()), buffers, next);
}

// R.match_cast: what the type says is checked, and its new variables are bound.
Place HostFunction::match_cast(const relax::MatchCast& n, Stmts& out) {
  Place from = value(n.value(), {}, out);
  std::string name(n.var().to<ir::Var>().name());
  if (from.kind == Place::kHandle) return unpacked(from.node, n.cast_type(), name, out);
  auto match = [&](const Array& want, auto&& have, size_t rank) {
    if (want.size() != rank)
      refuse(n, name + " is cast to rank " + std::to_string(want.size()) + " but has rank " + std::to_string(rank));
    for (size_t d = 0; d < want.size(); ++d) {
      const Node& w = nodes(want)[d];
      if (w.is<ir::Var>() && symbols_.insert(w.get()).second) out.push_back(b_.make<tir::Bind>({have(d), w}));
    }
    for (size_t d = 0; d < want.size(); ++d) {
      const Node& w = nodes(want)[d];
      const bool fits = is_extent_check(b_, w, have(d));
      out.push_back(b_.make<tir::Assert>(
          {fits ? b_.le(b_.imm(0), w) : b_.eq(w, have(d)),
           b_.string(fits ? "the inputs are too small: an extent of " + name.substr(0, name.rfind("_fits")) +
                                " is negative"
                          : "match_cast of " + name + ": dimension " + std::to_string(d) + " differs")},
          n.span()));
    }
  };
  if (auto* t = n.cast_type().as<relax::TensorType>(); t && from.kind == Place::kBuffer) {
    auto& buffer = from.node.to<tir::Buffer>();
    if (!t->dtype().is_none() && !same_dtype(t->dtype().as_dtype(), buffer.dtype()))
      refuse(n, name + " is cast to " + dtype_text(t->dtype().as_dtype()) + " but has dtype " +
                    dtype_text(buffer.dtype()));
    if (t->shape().is_none()) return from;
    const Array& want = t->shape().ref<Array>();
    match(want, [&](size_t d) { return nodes(buffer.shape())[d]; }, buffer.shape().size());
    Node view = b_.buffer(name, buffer.dtype(), want);
    out.push_back(b_.make<tir::DeclBuffer>({from.node, view}, n.span()));
    return {Place::kBuffer, view, {}, {}};
  }
  if (auto* s = n.cast_type().as<relax::ShapeType>(); s && from.kind == Place::kShape && !s->values().is_none()) {
    match(s->values().ref<Array>(), [&](size_t d) { return from.dims[d]; }, from.dims.size());
    return from;
  }
  refuse(n, "match_cast of " + name + " to a type of another kind");
}

void HostFunction::copy_into(const Place& from, const std::vector<Node>& into, Stmts& out) {
  std::vector<Node> sources;
  append_operands(from, sources);
  if (sources.size() != into.size())
    refuse(f_, "a result of " + std::to_string(sources.size()) + " tensors where " + std::to_string(into.size()) +
                   " are expected");
  for (size_t k = 0; k < into.size(); ++k) {
    if (sources[k].same_as(into[k])) continue;
    if (!sources[k].is<tir::Buffer>()) refuse(f_, "a result that is no tensor");
    std::vector<Node> vars;
    const Array& shape = into[k].to<tir::Buffer>().shape();
    for (size_t d = 0; d < shape.size(); ++d) vars.push_back(b_.var("i" + std::to_string(d)));
    Node body = b_.store(into[k], b_.array(vars), b_.load(sources[k], b_.array(vars)));
    for (size_t d = vars.size(); d-- > 0;) body = b_.loop(vars[d], nodes(shape)[d], body);
    out.push_back(body);
  }
}

// Any value in a box: what a function returns that its caller cannot allocate.
Node HostFunction::handle_of(const Place& place, Stmts& out) {
  switch (place.kind) {
    case Place::kHandle: return place.node;
    case Place::kScalar:
      return in_register(b_.make<ir::Call>({kHandle, b_.make<ir::Op>({Value(), "tir.box"}),
                                            b_.array({Value(place.node)}), b_.map({}), b_.array({})}),
                         out);
    case Place::kBuffer: {
      auto& buffer = place.node.to<tir::Buffer>();
      std::vector<Node> args{b_.make<ir::StringImm>({Value(), b_.string(dtype_text(buffer.dtype()))})};
      for (const Node& d : nodes(buffer.shape())) args.push_back(d);
      Node handle = in_register(b_.make<ir::Call>({kHandle, b_.make<ir::Op>({Value(), "tir.alloc_tensor"}),
                                                   b_.array(args), b_.map({}), b_.array({})}),
                                out);
      Node view = b_.buffer("result", buffer.dtype(), buffer.shape());
      Node data = b_.make<ir::Call>({kHandle, b_.make<ir::Op>({Value(), "tir.tensor_data"}), b_.array({Value(handle)}),
                                     b_.map({}), b_.array({})});
      out.push_back(b_.make<tir::DeclBuffer>({data, view}));
      copy_into(place, {view}, out);
      return handle;
    }
    case Place::kTuple: {
      std::vector<Node> fields;
      for (const Place& f : place.fields) fields.push_back(handle_of(f, out));
      return in_register(b_.make<ir::Call>({kHandle, b_.make<ir::Op>({Value(), "tir.make_tuple"}), b_.array(fields),
                                            b_.map({}), b_.array({})}),
                         out);
    }
    default: refuse(f_, "a shape cannot be returned", "return R.shape_to_tensor of it");
  }
}

}  // namespace tenon::graph
