// R.* in expressions: calls between levels, constants, and every operator of the table.
#include <cstring>

#include "diag/suggest.h"
#include "script/elaborate.h"
#include "script/graph_types.h"
#include "script/strings.h"

namespace tenon::script {

Value Elaborator::types_of(const Expr& e) {
  if (e.kind != Syntax::List && e.kind != Syntax::Tuple) return list({type(e)});
  std::vector<Value> types;
  for (const Expr* item : e.items) types.push_back(type(*item));
  return list(types);
}

Node Elaborator::extern_func(const Expr& at, const Expr& name) {
  std::string_view symbol = string_of(name, "the name of the external function");
  return make<ir::ExternFunc>(at, {Value(), text(symbol), b_.map({})});
}

Node Elaborator::graph_form(const Expr& e, const Path& p) {
  std::string_view f = p.name;
  if (f == "call_tir" || f == "call_tir_inplace" || f == "call_dps_packed") return call_tir(e, f);
  if (f == "call_packed" || f == "call_pure_packed") return graph_call_packed(e, f);
  if (f == "const") return graph_constant(e);
  if (f == "prim_value") {
    const Expr& value = *arguments(e, "R.prim_value", {"value"}, 1)[0];
    return make<relax::PrimValue>(e, {Value(), expr(value)});
  }
  if (f == "str") {
    const Expr& value = *arguments(e, "R.str", {"value"}, 1)[0];
    return make<ir::StringImm>(e, {Value(), text(string_of(value, "the text"))});
  }
  if (f == "dtype") {
    const Expr& value = *arguments(e, "R.dtype", {"value"}, 1)[0];
    return make<relax::DataTypeImm>(e, {Value(), dtype(value, "the dtype")});
  }
  if (f == "shape") {
    const Expr& value = *arguments(e, "R.shape", {"values"}, 1)[0];
    if (value.kind != Syntax::List && value.kind != Syntax::Tuple) expected(value, "a list of extents");
    return shape_expr(e, value.items);
  }
  if (f == "tuple") {
    if (!e.keywords.empty()) source_.fail(e.keywords[0].where, "R.tuple has no keyword arguments");
    return graph_tuple(e.items, e);
  }
  if (f == "ExternFunc") return extern_func(e, *arguments(e, "R.ExternFunc", {"symbol"}, 1)[0]);
  if (f == "match_cast")
    fail(e, "R.match_cast stands alone on the right of a binding", "write x = R.match_cast(y, R.Tensor(...))");
  return graph_op(e, p);
}

Node Elaborator::graph_op(const Expr& e, const Path& p) {
  std::string id = "relax." + std::string(p.name);
  Value record = context_.find_op ? context_.find_op(id) : Value();
  if (context_.find_op && record.is_none())
    unknown_form(e, p,
                 {"call_tir", "call_tir_inplace", "call_dps_packed", "call_packed", "call_pure_packed", "const",
                  "prim_value", "str", "dtype", "shape", "tuple", "match_cast", "dataflow", "output", "func_attr"});
  std::vector<std::string_view> arg_names, attr_names;
  bool variadic = false;
  const Value* known_attrs = nullptr;
  if (record.is_map()) {
    if (const Value* args = record.ref<Map>().find("args"); args && args->is_array())
      for (const Value& v : args->ref<Array>()) {
        std::string_view name = v.as_string();
        if (name.size() >= 3 && name.substr(name.size() - 3) == "...")
          variadic = true;
        else
          arg_names.push_back(name.back() == '?' ? name.substr(0, name.size() - 1) : name);
      }
    known_attrs = record.ref<Map>().find("attrs");
    if (known_attrs && known_attrs->is_map())
      for (const Map::Entry& a : known_attrs->ref<Map>()) attr_names.push_back(a.key());
  }
  // Attributes that say so may follow the arguments by position, R.clip(x, 0, 6), and a single one: R.sum(x, [1]).
  std::span<const Expr* const> positional = e.items;
  std::vector<Keyword> keywords;
  if (record.is_map() && !variadic && positional.size() > arg_names.size()) {
    size_t beyond = positional.size() - arg_names.size();
    std::vector<std::string_view> places(beyond);
    for (const Map::Entry& a : attr_names.empty() ? Map() : known_attrs->ref<Map>()) {
      const Value* at = a.value().is_map() ? a.value().ref<Map>().find("position") : nullptr;
      if (at && at->is_int() && static_cast<size_t>(at->as_int() - 1) < beyond)
        places[static_cast<size_t>(at->as_int() - 1)] = a.key();
    }
    if (beyond == 1 && attr_names.size() == 1) places[0] = attr_names[0];
    if (std::find(places.begin(), places.end(), "") == places.end()) {
      for (size_t i = 0; i < beyond; ++i) {
        const Expr* value = positional[arg_names.size() + i];
        if (call_path(*value).is('R', "prim_value")) value = arguments(*value, "R.prim_value", {"value"}, 1)[0];
        keywords.push_back({places[i], value->begin, value});
      }
      positional = positional.first(arg_names.size());
    }
  }
  std::vector<const Expr*> args(positional.begin(), positional.end());
  Expr attributes = e;
  for (const Keyword& k : e.keywords) {
    bool is_attr = std::find(attr_names.begin(), attr_names.end(), k.name) != attr_names.end();
    auto place = std::find(arg_names.begin(), arg_names.end(), k.name);
    if (is_attr || place == arg_names.end()) {
      keywords.push_back(k);
    } else {
      auto i = static_cast<size_t>(place - arg_names.begin());
      if (i != args.size())
        source_.fail(k.where, "the argument '" + std::string(k.name) + "' of R." + std::string(p.name) +
                                  (i < args.size() ? " is given twice"
                                                   : " comes before '" + std::string(arg_names[args.size()]) + "'"));
      args.push_back(k.value);
    }
  }
  attributes.keywords = keywords;
  if (record.is_map() && !variadic && args.size() > arg_names.size() && !attr_names.empty()) {
    std::string list;
    for (std::string_view n : attr_names) list += (list.empty() ? "" : ", ") + std::string(n);
    fail(*args[arg_names.size()],
         id + " takes " + std::to_string(arg_names.size()) + " argument" + (arg_names.size() == 1 ? "" : "s") +
             " by position, met " + std::to_string(args.size()),
         "give its attributes by name: " + list);
  }
  if (record.is_map()) check_arity(e, record.ref<Map>(), id, args.size());
  std::vector<Value> nodes;
  for (const Expr* a : args) nodes.push_back(graph_expr(*a));
  Map attrs = op_attrs(attributes, record, id, {});
  Node op = make<ir::Op>(*e.a, {Value(), text(id)});
  return make<ir::Call>(e, {Value(), op, list(nodes), attrs, list({})});
}

// R.call_tir(cls.f, (x, y), out_ty=R.Tensor(...), tir_vars=R.shape([n])). Older spellings: out_sinfo=, and
// R.call_tir(cls.f, (x, y), (n, 4), dtype="float32").
Node Elaborator::call_tir(const Expr& e, std::string_view form) {
  std::string what = "R." + std::string(form);
  Expr plain = e;
  std::vector<Keyword> keywords;
  const Expr* old_dtype = nullptr;
  for (const Keyword& k : e.keywords) {
    Keyword made = k;
    if (k.name == "out_sinfo" || k.name == "out_struct_info" || k.name == "ty_args" || k.name == "sinfo_args")
      made.name = "out_ty";
    if (k.name == "dtype" && form == "call_tir")
      old_dtype = k.value;
    else
      keywords.push_back(made);
  }
  plain.keywords = keywords;
  bool inplace = form == "call_tir_inplace";
  auto args = inplace ? arguments(plain, what, {"func", "args", "inplace_indices", "out_ty", "tir_vars"}, 4)
                      : arguments(plain, what, {"func", "args", "out_ty", "tir_vars"}, 3);
  Node callee;
  if (form == "call_dps_packed") {
    callee = args[0]->kind == Syntax::String ? extern_func(*args[0], *args[0]) : graph_expr(*args[0]);
  } else if (args[0]->kind == Syntax::String) {
    if (!heads_.count(args[0]->text))
      fail(*args[0], "the module has no function \"" + std::string(args[0]->text) + "\"",
           "an external function is called by R.call_dps_packed(\"" + std::string(args[0]->text) + "\", ...)");
    callee = global_var(*args[0], heads_[args[0]->text].name);
  } else {
    callee = graph_expr(*args[0]);
    if (!callee.is<ir::GlobalVar>()) expected(*args[0], "a function of the module, such as cls.f");
  }
  std::span<const Expr* const> one(&args[1], 1);
  bool many = args[1]->kind == Syntax::Tuple || args[1]->kind == Syntax::List;
  bool tuple_call = call_path(*args[1]).root != 0;
  Node tuple =
      tuple_call ? graph_expr(*args[1]) : with_type(graph_tuple(many ? args[1]->items : one, *args[1]), nullptr);
  if (!tuple.is<relax::Tuple>()) tuple = with_type(make<relax::Tuple>(*args[1], {Value(), list({tuple})}), nullptr);
  const Expr& out = *args[inplace ? 3 : 2];
  Value types;
  if (old_dtype) {
    Value shape = shape_values(call_path(out).is('R', "shape") && !out.items.empty() ? *out.items[0] : out);
    auto ndim = static_cast<int64_t>(shape.ref<Array>().size());
    types = list({make<relax::TensorType>(out, {shape, dtype(*old_dtype, "the dtype"), ndim, b_.map({})})});
  } else {
    types = types_of(out);
  }
  std::vector<Value> operands{callee, tuple};
  if (const Expr* vars = args[inplace ? 4 : 3]; vars && vars->kind != Syntax::None) {
    bool literal = vars->kind == Syntax::Tuple || vars->kind == Syntax::List;
    operands.push_back(literal ? shape_expr(*vars, vars->items) : graph_expr(*vars));
  }
  Builder::Entries attrs;
  if (inplace) {
    const Expr& indices = *args[2];
    attrs.emplace_back("inplace_indices",
                       indices.kind == Syntax::Int ? list({int_of(indices, "the index")}) : attribute(indices));
  }
  Node op = make<ir::Op>(*e.a, {Value(), text("relax." + std::string(form))});
  return make<ir::Call>(e, {Value(), op, list(operands), b_.map(attrs), types});
}

Node Elaborator::graph_call_packed(const Expr& e, std::string_view form) {
  if (e.items.empty()) fail(e, "R." + std::string(form) + " misses the name of the function");
  std::vector<Value> args{e.items[0]->kind == Syntax::String ? Value(extern_func(*e.items[0], *e.items[0]))
                                                             : Value(graph_expr(*e.items[0]))};
  for (const Expr* a : e.items.subspan(1)) args.push_back(graph_expr(*a));
  Builder::Entries attrs;
  Value types = list({});
  for (const Keyword& k : e.keywords) {
    if (k.name == "sinfo_args" || k.name == "ty_args" || k.name == "type_args")
      types = types_of(*k.value);
    else
      attrs.emplace_back(std::string(k.name), attribute(*k.value));
  }
  Node op = make<ir::Op>(*e.a, {Value(), text("relax." + std::string(form))});
  return make<ir::Call>(e, {Value(), op, list(args), b_.map(attrs), types});
}

namespace {

// The 16-bit float nearest to `value`, ties to even, with these widths of exponent and mantissa.
uint16_t to_half(double value, int exponent_bits, int mantissa_bits) {
  uint64_t bits;
  std::memcpy(&bits, &value, 8);
  auto sign = static_cast<uint16_t>((bits >> 63) << 15);
  int exponent = static_cast<int>((bits >> 52) & 0x7FF);
  uint64_t mantissa = bits & ((uint64_t{1} << 52) - 1);
  int bias = (1 << (exponent_bits - 1)) - 1, most = (1 << exponent_bits) - 1;
  auto infinity = static_cast<uint16_t>(sign | (most << mantissa_bits));
  if (exponent == 0x7FF) return mantissa ? static_cast<uint16_t>(infinity | (1 << (mantissa_bits - 1))) : infinity;
  int e = exponent - 1023 + bias;
  if (e >= most) return infinity;
  uint64_t full = exponent ? mantissa | (uint64_t{1} << 52) : mantissa;
  int shift = 52 - mantissa_bits + (e <= 0 ? 1 - e : 0);
  if (shift > 62) return sign;
  uint64_t kept = full >> shift, rest = full & ((uint64_t{1} << shift) - 1), half = uint64_t{1} << (shift - 1);
  if (rest > half || (rest == half && (kept & 1))) ++kept;
  // A carry out of the mantissa raises the exponent by itself.
  uint64_t base = e <= 0 ? 0 : static_cast<uint64_t>(e - 1) << mantissa_bits;
  return static_cast<uint16_t>(sign | std::min<uint64_t>(base + kept, static_cast<uint64_t>(most) << mantissa_bits));
}

}  // namespace

Node Elaborator::graph_constant(const Expr& e) {
  auto args = arguments(e, "R.const", {"value", "dtype"}, 1);
  std::vector<Term> values;
  std::vector<int64_t> shape;
  bool all_int = true, all_bool = true;
  auto read = [&](auto&& self, const Expr& x, size_t level) -> void {
    if (x.kind == Syntax::List || x.kind == Syntax::Tuple) {
      auto n = static_cast<int64_t>(x.items.size());
      if (level == shape.size() && values.empty()) shape.resize(level + 1, n);
      if (level >= shape.size() || shape[level] != n) fail(x, "the rows of the constant have different lengths");
      for (const Expr* item : x.items) self(self, *item, level + 1);
      return;
    }
    if (level != shape.size()) fail(x, "the rows of the constant have different depths");
    std::optional<Value> plain = literal_form(x);
    Term t;
    if (plain) {
      t.kind = plain->is_float() ? Term::Float : plain->is_bool() ? Term::Bool : Term::Int;
      t.f = plain->is_float() ? plain->as_float() : 0;
      t.i = plain->is_float() ? 0 : plain->as_int();
    } else {
      t = term(x);
    }
    if (auto v = t.kind == Term::String ? non_finite_value(t.s) : std::nullopt) {  // TVM prints R.const("inf", ...)
      t.kind = Term::Float;
      t.f = *v;
    }
    if (!t.is_literal()) expected(x, "a number", "bytes are written I.constant(I.data(\"...\"), R.Tensor(...))");
    all_int = all_int && t.kind != Term::Float;
    all_bool = all_bool && t.kind == Term::Bool;
    values.push_back(t);
  };
  read(read, *args[0], 0);
  DLDataType t = values.empty() || !all_int ? kFloat32 : all_bool ? kBool : kInt32;
  if (args[1]) {
    if (is_type(*args[1])) {
      Node tensor = type(*args[1]);
      const auto* as_tensor = tensor.as<relax::TensorType>();
      if (!as_tensor || !as_tensor->dtype().is_dtype()) expected(*args[1], "a dtype");
      t = as_tensor->dtype().as_dtype();
    } else {
      t = dtype(*args[1], "the dtype of the constant");
    }
  }
  if (t.lanes != 1 || t.bits % 8 != 0 || !(is_int(t) || is_floating(t) || is_bool(t)))
    fail(e, "R.const cannot hold " + dtype_text(t), "write I.constant(I.data(\"hex:...\"), R.Tensor(...))");
  size_t width = t.bits / 8;
  std::string bytes(values.size() * width, '\0');
  for (size_t i = 0; i < values.size(); ++i) {
    char* at = bytes.data() + i * width;
    Term v = values[i];
    if (is_floating(t)) {
      double d = v.kind == Term::Float ? v.f : static_cast<double>(v.i);
      auto f = static_cast<float>(d);
      uint16_t half = t.code == kDLBfloat ? to_half(d, 8, 7) : to_half(d, 5, 10);
      if (t.bits == 64)
        std::memcpy(at, &d, 8);
      else if (t.bits == 32)
        std::memcpy(at, &f, 4);
      else if (t.bits == 16)
        std::memcpy(at, &half, 2);
      else
        fail(e, "R.const cannot hold " + dtype_text(t), "write I.constant(I.data(\"hex:...\"), R.Tensor(...))");
    } else {
      Node checked = literal(v, *args[0], t);
      int64_t value = checked.to<ir::IntImm>().value();
      std::memcpy(at, &value, width);  // the low bytes: little-endian
    }
  }
  std::vector<Value> dims;
  for (int64_t n : shape) dims.push_back(make<ir::IntImm>(e, {kInt64, n}));
  Node tensor = make<relax::TensorType>(e, {list(dims), t, static_cast<int64_t>(shape.size()), b_.map({})});
  return make<ir::Constant>(e, {tensor, inline_constant(e, bytes.data(), t, shape)});
}

}  // namespace tenon::script
