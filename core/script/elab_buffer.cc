// Buffers: parameters, allocations, views.
#include "diag/suggest.h"
#include "script/elaborate.h"

namespace tenon::script {

// `first` arguments stand before the shape. `subscripted`: T.Buffer[(n, m), "float32"].
Node Elaborator::buffer(const Expr& e, std::string_view name, size_t first, bool subscripted) {
  static constexpr std::string_view kNames[] = {"shape",       "dtype",           "data",  "strides",
                                                "elem_offset", "scope",           "align", "offset_factor",
                                                "buffer_type", "axis_separators", "layout"};
  const Expr* given[std::size(kNames)] = {};
  std::span<const Expr* const> items = e.items.subspan(std::min(first, e.items.size()));
  // T.Buffer[(16, 16), "float32"], T.Buffer[16, "float32"], T.Buffer[(16,)].
  if (subscripted && items.size() > 2) expected(e, "T.Buffer[shape, dtype]");
  if (items.size() > std::size(kNames))
    fail(e, "a buffer has at most " + std::to_string(std::size(kNames)) + " arguments");
  for (size_t i = 0; i < items.size(); ++i) {
    bool scope_third = i == 2 && items[i]->kind == Syntax::String;  // T.alloc_buffer(shape, dtype, "shared")
    given[scope_third ? 5 : i] = items[i];
  }
  Builder::Entries attrs;
  for (const Keyword& k : e.keywords) {
    size_t i = 0;
    for (; i < std::size(kNames) && kNames[i] != k.name; ++i) {}
    if (i < std::size(kNames)) {
      if (given[i]) source_.fail(k.where, "'" + std::string(k.name) + "' of the buffer is given twice");
      given[i] = k.value;
    } else if (k.name == "attrs") {
      for (auto& entry : Builder::entries(attribute_map(*k.value))) attrs.push_back(std::move(entry));
    } else if (k.name == "offset") {
      given[4] = k.value;
    } else if (k.name != "annotations" && k.name != "type") {
      source_.fail(k.where, "a buffer has no argument '" + std::string(k.name) + "'",
                   did_you_mean(k.name, std::vector<std::string>(std::begin(kNames), std::end(kNames))));
    } else if (k.name == "type") {
      given[8] = k.value;
    }
  }
  auto some = [&](size_t i) { return given[i] && given[i]->kind != Syntax::None ? given[i] : nullptr; };
  if (!some(0)) source_.fail(e.begin, "the buffer '" + std::string(name) + "' misses its shape");
  auto dims = [&](const Expr& list_of, bool strides) {
    std::vector<Value> out;
    auto dim = [&](const Expr& d) {
      // As TVM prints them: a string in a shape may define what it names, one in the strides is a symbol of its own.
      if (d.kind == Syntax::String && strides) {
        uses_symbols_ = true;
        out.push_back(make<ir::Var>(d, {kInt64, text(d.text)}));
      } else {
        out.push_back(dimension(d));
      }
    };
    if (list_of.kind == Syntax::Tuple || list_of.kind == Syntax::List)
      for (const Expr* d : list_of.items) dim(*d);
    else
      dim(list_of);
    return list(out);
  };
  DLDataType t = some(1) ? dtype(*some(1), "the dtype of the buffer") : kFloat32;
  Value shape = dims(*some(0), false);
  Value strides = some(3) ? dims(*some(3), true) : list({});
  size_t rank = strides.ref<Array>().size();
  if (rank != 0 && rank != shape.ref<Array>().size())
    fail(*some(3), "the buffer '" + std::string(name) + "' has " + std::to_string(shape.ref<Array>().size()) +
                       " dimensions and " + std::to_string(rank) + " strides");
  Value offset = some(4) ? Value(index(*some(4))) : Value();
  std::string_view scope = some(5) ? string_of(*some(5), "the scope") : "global";
  if (scope.empty()) scope = "global";
  auto number = [&](size_t i) {
    if (!some(i)) return;
    int64_t v = int_of(*some(i), kNames[i]);
    if (v > 0) attrs.emplace_back(std::string(kNames[i]), Value(v));
  };
  number(6);
  number(7);
  if (some(8)) {
    std::string_view type = string_of(*some(8), "buffer_type");
    if (type != "" && type != "default") attrs.emplace_back("buffer_type", text(type));
  }
  if (some(9)) {
    Value v = attribute(*some(9));
    if (!v.is_array() || v.ref<Array>().size()) attrs.emplace_back("axis_separators", v);
  }
  if (some(10)) source_.refuse(some(10)->begin, "the layout of a buffer", "write the shape that the layout gives");
  return make<tir::Buffer>(e, {text(name), t, shape, strides, offset, text(scope), b_.map(attrs)});
}

// V = A.view(8, 8), V = A.view("int32"): the elements of A in another shape or as another dtype.
bool Elaborator::view(const Stmt& s, const Expr& target, const Expr& call, std::vector<Node>& out) {
  if (call.kind != Syntax::Call || call.a->kind != Syntax::Attribute || call.a->text != "view" || path(*call.a))
    return false;
  Node from = buffer_of(*call.a->a, "a buffer before '.view'");
  if (target.kind != Syntax::Name) expected(target, "a name for the buffer");
  if (!call.keywords.empty()) source_.refuse(call.keywords[0].where, "the layout of a view", "write T.decl_buffer");
  if (call.items.empty()) fail(call, "the view misses its shape", "write A.view(8, 8)");
  const auto& of = from.to<tir::Buffer>();
  DLDataType t = of.dtype();
  Value offset = of.elem_offset();
  std::vector<Value> dims;
  if (call.items.size() == 1 && (call.items[0]->kind == Syntax::String || dtype_name(*call.items[0]))) {
    const Expr& at = *call.items[0];
    DLDataType as = dtype(at, "the dtype of the view");
    int from_bits = t.bits * t.lanes, bits = as.bits * as.lanes;
    if (bits == 0 || (from_bits % bits && bits % from_bits))
      fail(at, "a view of " + dtype_text(t) + " as " + dtype_text(as) + " has elements that are parts of others",
           "one width is a multiple of the other");
    auto scaled = [&](const Node& n) -> Node {
      if (bits == from_bits) return n;
      bool wider = bits > from_bits;
      int64_t ratio = wider ? bits / from_bits : from_bits / bits;
      Node factor = make<ir::IntImm>(at, {n.dtype(), ratio});
      const auto* imm = n.as<ir::IntImm>();
      if (imm && (!wider || imm->value() % ratio == 0) && imm->value() < INT32_MAX)
        return make<ir::IntImm>(at, {n.dtype(), wider ? imm->value() / ratio : imm->value() * ratio});
      return wider ? make<tir::FloorDiv>(at, {n.dtype(), n, factor}) : make<tir::Mul>(at, {n.dtype(), n, factor});
    };
    for (const Value& d : of.shape()) dims.push_back(d);
    if (dims.empty() || !of.strides().empty())
      fail(call,
           "a view as another dtype of a buffer " + std::string(dims.empty() ? "without dimensions" : "with strides"),
           "write T.decl_buffer");
    dims.back() = scaled(as_node(dims.back()));
    if (offset.is_node()) offset = scaled(as_node(offset));
    t = as;
  } else {
    for (const Expr* d : call.items) {
      Term extent = term(*d);
      if (extent.kind == Term::Int && extent.i < 0)
        source_.refuse(d->begin, "an extent that follows from the others", "write the extent");
      dims.push_back(index(*d));
    }
    if (!of.strides().empty()) fail(call, "a view in another shape of a buffer with strides", "write T.decl_buffer");
  }
  Node made =
      make<tir::Buffer>(call, {text(target.text), t, list(dims), list({}), offset, text(of.scope()), b_.map({})});
  define(target, made);
  out.push_back(make<tir::DeclBuffer>(s, {from, made}));
  return true;
}

// A = T.alloc_buffer(...) and its kin; false when `call` is none of them.
bool Elaborator::buffer_statement(const Stmt& s, const Expr& target, const Expr& call, std::vector<Node>& out) {
  if (view(s, target, call, out)) return true;
  Path p = call_path(call);
  if (p.root != 'T') return false;
  auto name = [&] {
    if (target.kind != Syntax::Name) expected(target, "a name for the buffer");
    return target.text;
  };
  if (p.name == "match_buffer") {
    if (call.items.empty()) fail(call, "T.match_buffer misses the parameter or region that it matches");
    const Expr& source = *call.items[0];
    auto param = source.kind == Syntax::Name ? function_.params.find(source.text) : function_.params.end();
    if (param != function_.params.end() && !block_) {
      if (keyword(call, "data")) fail(*keyword(call, "data"), "T.match_buffer of a parameter has no data");
      Node made = buffer(call, name(), 1);
      Value& place = (*function_.param_nodes)[param->second];
      if (as_node(place).is<tir::Buffer>())
        fail(source, "the parameter '" + std::string(source.text) + "' is matched twice");
      place = made;
      define(target, made);
      return true;
    }
    if (!block_) {
      if (source.kind == Syntax::Name) binding(source);
      expected(source, "a handle parameter of the function",
               "T.match_buffer matches a parameter `a: T.handle` at the top of a function, or a region in a block");
    }
    if (!out.empty()) head_after_body(s);
    Node from = region(source);
    Node made = buffer(call, name(), 1);
    define(target, made);
    block_->match_buffers.push_back(make<tir::MatchBufferRegion>(s, {from, made}));
    return true;
  }
  bool in_block = p.name == "sblock_alloc_buffer" || (p.name == "alloc_buffer" && block_ && block_->legacy);
  bool local = p.name == "alloc_local", shared = p.name == "alloc_shared";
  if (p.name == "alloc_buffer" || p.name == "sblock_alloc_buffer" || local || shared) {
    if (keyword(call, "data")) fail(*keyword(call, "data"), "an allocation has no data", "write T.decl_buffer");
    Node made = buffer(call, name(), 0);
    if (local || shared) made = b_.with(made, tir::BufferSlot::scope, text(local ? "local" : "shared"));
    define(target, made);
    if (in_block && block_) {
      if (!out.empty()) head_after_body(s);
      block_->alloc_buffers.push_back(made);
    } else {
      const Expr* annotations = keyword(call, "annotations");
      out.push_back(make<tir::AllocBuffer>(s, {annotations ? attribute_map(*annotations) : b_.map({}), made}));
    }
    return true;
  }
  if (p.name == "decl_buffer" || p.name == "Buffer") {
    const Expr* data = keyword(call, "data");
    if (!data && call.items.size() > 2 && call.items[2]->kind != Syntax::String) data = call.items[2];
    if (data && data->kind == Syntax::None) data = nullptr;
    Value from = data ? Value(expr(*data)) : Value();
    Node made = buffer(call, name(), 0);
    define(target, made);
    if (data)
      out.push_back(make<tir::DeclBuffer>(s, {from, made}));
    else
      out.push_back(make<tir::AllocBuffer>(s, {b_.map({}), made}));
    return true;
  }
  return false;
}

}  // namespace tenon::script
