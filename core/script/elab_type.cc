// Dtypes and types.
#include "diag/suggest.h"
#include "script/elaborate.h"
#include "script/strings.h"

namespace tenon::script {

std::optional<DLDataType> Elaborator::dtype_name(const Expr& e) const {
  std::string_view name;
  if (e.kind == Syntax::String) {
    name = e.text;
  } else if (Path p = path(e); p.root == 'T') {
    name = p.name;
    if (name == "boolean") name = "bool";
    if (name == "void") return std::nullopt;
  } else {
    return std::nullopt;
  }
  return dtype_from_text(name);
}

DLDataType Elaborator::dtype(const Expr& e, std::string_view what) const {
  if (auto t = dtype_name(e)) return *t;
  if (call_path(e).is('I', "dtype")) return dtype(*arguments(e, "I.dtype", {"name"}, 1)[0], what);
  static const std::vector<std::string> kKnown = {"float32", "float64", "float16", "bfloat16", "int8",
                                                  "int16",   "int32",   "int64",   "uint8",    "uint16",
                                                  "uint32",  "uint64",  "bool",    "handle"};
  std::string hint = "dtypes are written \"float32\", \"int64\", \"bool\", \"float32x4\", ...";
  if (e.kind == Syntax::String) {
    std::string nearest = nearest_name(e.text, kKnown);
    fail(e, quote(e.text) + " is no dtype; expected " + std::string(what),
         nearest.empty() ? hint : "did you mean \"" + nearest + "\"?");
  }
  if (Path p = path(e); p.root == 'T') unknown_form(e, p, kKnown);
  // x.dtype
  if (e.kind == Syntax::Attribute && e.text == "dtype") {
    Term t = const_cast<Elaborator*>(this)->term(e);
    if (auto named = dtype_from_text(t.s)) return *named;
  }
  expected(e, std::string(what), hint);
}

Value Elaborator::loop_type(const Expr& e) {
  if (e.kind == Syntax::None) return {};
  if (auto t = dtype_name(e)) return *t;
  Path p = e.kind == Syntax::Subscript ? path(*e.a) : call_path(e);
  if (p.is('T', "handle") || p.is('T', "Ptr")) return kHandle;
  if (is_type(e) || p.root == 'R' || path(e).root == 'R') return type(e);
  if (p.is('I', "node")) return generic_node(e);
  return dtype(e, "a dtype");
}

bool Elaborator::is_type(const Expr& e) const {
  Path p = e.kind == Syntax::Call ? path(*e.a) : path(e);
  if (p.root != 'R') return false;
  for (std::string_view name : {"Tensor", "Shape", "Tuple", "Prim", "Object", "Any", "Callable"})
    if (p.name == name) return true;
  return false;
}

// A dimension: an integer expression, or one in a string, which defines the names in it that are new: ("n", "n * 2").
Node Elaborator::dimension(const Expr& e) {
  if (e.kind != Syntax::String) return index(e);
  const Expr* inner = parse_expression(source_, e.text, e.begin, *program_.memory);
  bool outer = std::exchange(function_.header, true);
  Node n = index(*inner);
  function_.header = outer;
  return n;
}

Value Elaborator::shape_values(const Expr& e) {
  if (e.kind != Syntax::Tuple && e.kind != Syntax::List) expected(e, "a shape, such as (n, 4)");
  std::vector<Value> dims;
  for (const Expr* d : e.items) dims.push_back(dimension(*d));
  return list(dims);
}

Node Elaborator::tensor_type(const Expr& e) {
  Builder::Entries attrs;
  Expr plain = e;  // without what is no argument by position
  std::vector<Keyword> keywords;
  for (const Keyword& k : e.keywords) {
    if (k.name == "attrs")
      attrs = Builder::entries(attribute_map(*k.value));
    else if (k.name == "vdevice" && k.value->kind == Syntax::String)
      attrs.emplace_back("vdevice", text(k.value->text));
    else
      keywords.push_back(k);
  }
  plain.keywords = keywords;
  auto args = arguments(plain, "R.Tensor", {"shape", "dtype", "ndim"}, 0);
  Value shape, type;
  int64_t ndim = -1;
  // R.Tensor("float32") alone names a dtype.
  if (args[0] && !args[1] && args[0]->kind == Syntax::String && dtype_name(*args[0])) std::swap(args[0], args[1]);
  if (args[0] && args[0]->kind != Syntax::None) {
    if (args[0]->kind == Syntax::Tuple || args[0]->kind == Syntax::List) {
      shape = shape_values(*args[0]);
      ndim = static_cast<int64_t>(shape.ref<Array>().size());
    } else {
      shape = graph_expr(*args[0]);
    }
  }
  if (args[1] && args[1]->kind != Syntax::None && !(args[1]->kind == Syntax::String && args[1]->text.empty()))
    type = dtype(*args[1], "the dtype of the tensor");
  if (args[2]) ndim = int_of(*args[2], "ndim");
  return make<relax::TensorType>(e, {shape, type, ndim, b_.map(attrs)});
}

Node Elaborator::type(const Expr& e) {
  if (call_path(e).is('I', "node")) return generic_node(e);
  if (std::optional<DLDataType> t = e.kind == Syntax::Attribute ? dtype_name(e) : std::nullopt)  // T.int64
    return make<relax::PrimType>(e, {*t});
  Expr empty = e;
  if (e.kind != Syntax::Call) empty.items = {};
  const Expr& call = e.kind == Syntax::Call ? e : empty;
  Path p = e.kind == Syntax::Call ? path(*e.a) : path(e);
  if (!is_type(e)) {
    if (p.root == 'R') unknown_form(e, p, {"Tensor", "Shape", "Tuple", "Prim", "Object", "Callable"});
    expected(e, "a type, such as R.Tensor((n, 4), \"float32\")");
  }
  if (p.name == "Tensor") return tensor_type(call);
  if (p.name == "Object" || p.name == "Any") {
    arguments(call, "R.Object", {}, 0);
    return make<relax::AnyType>(e, {});
  }
  if (p.name == "Prim") {
    auto args = arguments(call, "R.Prim", {"dtype", "value"}, 0);
    if (args[1]) source_.refuse(args[1]->begin, "the value of a R.Prim", "write R.Prim(\"int64\")");
    if (!args[0]) fail(e, "R.Prim misses its dtype");
    return make<relax::PrimType>(e, {dtype(*args[0], "the dtype")});
  }
  if (p.name == "Shape") {
    auto args = arguments(call, "R.Shape", {"values", "ndim"}, 0);
    Value values;
    int64_t ndim = -1;
    if (args[0] && args[0]->kind != Syntax::None) {
      values = shape_values(*args[0]);
      ndim = static_cast<int64_t>(values.ref<Array>().size());
    }
    if (args[1]) ndim = int_of(*args[1], "ndim");
    return make<relax::ShapeType>(e, {values, ndim});
  }
  if (p.name == "Tuple") {
    std::span<const Expr* const> items = call.items;
    if (items.size() == 1 && (items[0]->kind == Syntax::List || items[0]->kind == Syntax::Tuple))
      items = items[0]->items;
    std::vector<Value> fields;
    for (const Expr* item : items) fields.push_back(type(*item));
    return make<relax::TupleType>(e, {list(fields)});
  }
  auto args = arguments(call, "R.Callable", {"params", "ret", "purity"}, 0);
  Scopes::Block scope(scopes_);
  bool outer = std::exchange(function_.header, true);
  Value params;
  if (args[0] && args[0]->kind != Syntax::None) {
    if (args[0]->kind != Syntax::Tuple && args[0]->kind != Syntax::List)
      expected(*args[0], "the types of the parameters, as a tuple");
    std::vector<Value> list_of;
    for (const Expr* item : args[0]->items) list_of.push_back(type(*item));
    params = list(list_of);
  }
  Value ret = args[1] && args[1]->kind != Syntax::None ? Value(type(*args[1])) : Value();
  function_.header = outer;
  bool pure = !args[2] || bool_of(*args[2], "purity");
  return make<relax::FuncType>(e, {params, ret, pure});
}

}  // namespace tenon::script
