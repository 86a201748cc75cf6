// Values that are no expressions: attributes, constants, and the escapes I.* for what has no syntax.
#include <cmath>
#include <cstring>

#include "diag/suggest.h"
#include "script/elaborate.h"
#include "script/strings.h"

namespace tenon::script {

// T.int32(3), T.bool(True), T.float64("inf"), T.StringImm("x"): in attributes they are the plain values.
std::optional<Value> Elaborator::literal_form(const Expr& e) {
  Path p = call_path(e);
  if (p.root != 'T' || e.items.size() != 1 || !e.keywords.empty()) return std::nullopt;
  const Expr& arg = *e.items[0];
  if (p.is('T', "StringImm") && arg.kind == Syntax::String) return text(arg.text);
  auto t = dtype_name(*e.a);
  if (!t || t->lanes != 1) return std::nullopt;
  if (arg.kind == Syntax::String) {
    auto v = non_finite_value(arg.text);
    if (!v || !is_floating(*t)) expected(arg, "a number");
    return Value(*v);
  }
  bool is_number = arg.kind == Syntax::Int || arg.kind == Syntax::Float || arg.kind == Syntax::True ||
                   arg.kind == Syntax::False || arg.kind == Syntax::Unary;
  if (!is_number) return std::nullopt;
  Term v = term(arg);
  if (!v.is_literal()) return std::nullopt;
  if (is_bool(*t)) return Value(v.i != 0);
  if (is_floating(*t)) return Value(v.kind == Term::Float ? v.f : static_cast<double>(v.i));
  if (v.kind == Term::Float) expected(arg, "an integer");
  return Value(v.i);
}

Value Elaborator::attribute(const Expr& e) {
  switch (e.kind) {
    case Syntax::String: return text(e.text);
    case Syntax::None: return {};
    case Syntax::True: return true;
    case Syntax::False: return false;
    case Syntax::Int:
      if (e.big) fail(e, "the integer does not fit int64");
      return e.integer;
    case Syntax::Float: return e.number;
    case Syntax::List:
    case Syntax::Tuple: {
      std::vector<Value> items;
      for (const Expr* item : e.items) items.push_back(attribute(*item));
      return list(items);
    }
    case Syntax::Dict: return attribute_map(e);
    case Syntax::Call:
      if (auto v = literal_form(e)) return *v;
      if (Path p = path(*e.a); p.root == 'I') return escape(e, p);
      break;
    default: break;
  }
  if (is_type(e)) return type(e);
  if (e.kind == Syntax::Attribute)
    if (auto t = dtype_name(e)) return *t;
  if (function_.graph && call_path(e).root == 'R') return graph_expr(e);
  Term t = term(e);
  switch (t.kind) {
    case Term::Int:
      if (t.big) fail(e, "the integer does not fit int64");
      return t.i;
    case Term::Float: return t.f;
    case Term::Bool: return t.i != 0;
    case Term::String: return text(t.s);
    default: return finish(t, e);
  }
}

Map Elaborator::attribute_map(const Expr& e) {
  if (e.kind != Syntax::Dict) expected(e, "a map: {\"key\": value}");
  Builder::Entries entries;
  for (size_t i = 0; i + 1 < e.items.size(); i += 2) {
    const Expr& key = *e.items[i];
    if (key.kind != Syntax::String) expected(key, "a string as the key of a map");
    for (const auto& other : entries)
      if (other.first == key.text) fail(key, "the key \"" + other.first + "\" comes twice in a map");
    entries.emplace_back(std::string(key.text), attribute(*e.items[i + 1]));
  }
  return b_.map(entries);
}

Value Elaborator::slot(const Expr& e, const TnSlotSchema& schema) {
  auto node_of = [&](const Expr& x) -> Value {
    if (is_type(x)) return type(x);
    if (call_path(x).root == 'I') return escape(x, call_path(x));
    if (call_path(x).root == 'R') return graph_expr(x);
    if (x.kind == Syntax::Dict || x.kind == Syntax::List || x.kind == Syntax::String || x.kind == Syntax::None)
      return attribute(x);
    return expr(x);
  };
  switch (schema.type) {
    case TN_SLOT_NODE: return node_of(e);
    case TN_SLOT_ARRAY: {
      if (e.kind != Syntax::List && e.kind != Syntax::Tuple) expected(e, "a list");
      std::vector<Value> items;
      for (const Expr* item : e.items) items.push_back(node_of(*item));
      return list(items);
    }
    case TN_SLOT_MAP: return attribute_map(e);
    case TN_SLOT_STR: return text(string_of(e, schema.name));
    case TN_SLOT_INT: return int_of(e, schema.name);
    case TN_SLOT_BOOL: return bool_of(e, schema.name);
    case TN_SLOT_DTYPE: return dtype(e, schema.name);
    case TN_SLOT_FLOAT: {
      Value v = attribute(e);
      if (!v.is_float() && !v.is_int()) expected(e, std::string(schema.name) + " as a number");
      return v.as_float();
    }
    default: return attribute(e);
  }
}

Node Elaborator::generic_node(const Expr& e) {
  if (e.items.empty()) fail(e, "I.node misses the id of the kind", "write I.node(\"com.vendor.kind/1\", slot=value)");
  std::string id(string_of(*e.items[0], "the id of the kind"));
  const TnHostIr* ir = b_.ir();
  uint32_t kind = ir->find_kind(ir->self, id.c_str());
  const TnKindSchema* schema = kind ? ir->schema(ir->self, kind) : nullptr;
  if (!schema)
    fail(*e.items[0], "unknown kind \"" + id + "\"",
         "a kind of a plugin is known when its manifest is found; ids end with a revision, as in \"tir.For/1\"");
  if (e.items.size() > 1) fail(*e.items[1], "the slots of a node are given by name");
  std::vector<Value> slots(schema->slot_count);
  std::vector<bool> given(schema->slot_count);
  std::optional<Scopes::Block> scope;
  if (schema->flags & TN_KIND_SCOPE) scope.emplace(scopes_);
  for (const Keyword& k : e.keywords) {
    uint32_t i = 0;
    while (i < schema->slot_count && k.name != schema->slots[i].name) ++i;
    if (i == schema->slot_count) {
      std::vector<std::string> names;
      for (uint32_t j = 0; j < schema->slot_count; ++j) names.emplace_back(schema->slots[j].name);
      source_.fail(k.where, "the kind " + id + " has no slot '" + std::string(k.name) + "'",
                   did_you_mean(k.name, names));
    }
    slots[i] = slot(*k.value, schema->slots[i]);
    given[i] = true;
  }
  for (uint32_t i = 0; i < schema->slot_count; ++i) {
    if (given[i]) continue;
    switch (schema->slots[i].type) {
      case TN_SLOT_ARRAY: slots[i] = list({}); break;
      case TN_SLOT_MAP: slots[i] = b_.map({}); break;
      case TN_SLOT_STR: slots[i] = text(""); break;
      case TN_SLOT_INT: slots[i] = 0; break;
      case TN_SLOT_BOOL: slots[i] = false; break;
      case TN_SLOT_FLOAT: slots[i] = 0.0; break;
      case TN_SLOT_ANY: break;
      default: fail(e, "the node of kind " + id + " misses its slot '" + schema->slots[i].name + "'");
    }
  }
  try {
    return make_kind(kind, e, slots);
  } catch (Error& error) {
    if (error.code == TN_ERROR_ARGUMENT) source_.fail(e.begin, error.message, error.hint);
    throw;
  }
}

Value Elaborator::inline_constant(const Expr& at, const void* bytes, DLDataType dtype,
                                  const std::vector<int64_t>& shape) {
  DLTensor t{};
  t.data = const_cast<void*>(bytes);
  t.device = {kDLCPU, 0};
  t.ndim = static_cast<int32_t>(shape.size());
  t.dtype = dtype;
  t.shape = const_cast<int64_t*>(shape.data());
  if (context_.make_constant) return context_.make_constant(t);
  const TnHostIr* ir = b_.ir();
  if (!ir->constant)
    fail(at, "met a constant, and there is no store for constants here", "parse the text in a session");
  return tenon::call([&](TnValue* ret) { return ir->constant(ir->self, &t, ret); });
}

Value Elaborator::constant_data(const Expr& e) {
  const Expr& arg = *arguments(e, "I.data", {"digest"}, 1)[0];
  std::string_view digest = string_of(arg, "the digest of the bytes");
  if (digest.substr(0, 4) == "hex:") {
    auto bytes = hex_bytes(digest.substr(4));
    if (!bytes) expected(arg, "an even number of hex digits after \"hex:\"");
    return inline_constant(e, bytes->data(), make_dtype(kDLUInt, 8), {static_cast<int64_t>(bytes->size())});
  }
  if (digest.substr(0, 7) != "sha256:" || digest.size() != 71)
    expected(arg, "\"sha256:\" and 64 hex digits, or \"hex:\" and the bytes");
  Value constant = context_.find_constant ? context_.find_constant(digest) : Value();
  if (constant.is_none())
    fail(arg, "no constant store here has the bytes of " + std::string(digest),
         "give the store that was written with this text");
  return constant;
}

Value Elaborator::escape(const Expr& e, const Path& p) {
  auto one = [&](std::string_view name) -> const Expr& {
    return *arguments(e, "I." + std::string(p.name), {name}, 1)[0];
  };
  if (p.name == "node") return generic_node(e);
  if (p.name == "data") return constant_data(e);
  if (p.name == "dtype") return dtype(one("name"), "the dtype");
  if (p.name == "op") return make<ir::Op>(e, {Value(), text(string_of(one("id"), "the id of the op"))});
  if (p.name == "name") return global_var(e, string_of(one("name"), "the name of the function"));
  if (p.name == "string") return make<ir::StringImm>(e, {Value(), text(string_of(one("value"), "the text"))});
  if (p.name == "define") {
    auto args = arguments(e, "I.define", {"name", "type"}, 2);
    std::string_view name = string_of(*args[0], "the name");
    Binding b;
    b.where = e.begin;
    Path t = call_path(*args[1]);
    if (t.is('T', "Buffer"))
      b.node = buffer(*args[1], name, 0);
    else
      b.node = make<ir::Var>(e, {loop_type(*args[1]), text(name)});
    return scopes_.define(name, std::move(b)).node;
  }
  if (p.name == "typed") {
    auto args = arguments(e, "I.typed", {"value", "type"}, 2);
    Value n = call_path(*args[0]).root == 'R' || function_.graph ? Value(graph_expr(*args[0])) : Value(expr(*args[0]));
    const TnKindSchema* schema = b_.ir()->schema(b_.ir()->self, as_node(n).kind());
    if (!(schema->flags & TN_KIND_EXPR) || (schema->flags & TN_KIND_IDENTITY))
      expected(*args[0], "an expression that is no variable");
    return b_.with(as_node(n), 0, loop_type(*args[1]));
  }
  if (p.name == "constant") {
    auto args = arguments(e, "I.constant", {"data", "type"}, 1);
    return make<ir::Constant>(e, {args[1] ? loop_type(*args[1]) : Value(), attribute(*args[0])});
  }
  if (p.name == "bytes") {
    auto bytes = hex_bytes(string_of(one("hex"), "the bytes in hex digits"));
    if (!bytes) expected(one("hex"), "an even number of hex digits");
    return tenon::call([&](TnValue* ret) { return b_.runtime()->bytes(bytes->data(), bytes->size(), ret); });
  }
  if (p.name == "bits") {  // a float by its bits, for NaN with a payload
    auto bytes = hex_bytes(string_of(one("hex"), "the bits in hex digits"));
    if (!bytes || bytes->size() != 8) expected(one("hex"), "16 hex digits");
    uint64_t bits = 0;
    for (char c : *bytes) bits = (bits << 8) | static_cast<unsigned char>(c);
    double value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
  }
  if (p.name == "shape") {
    const Expr& items = one("extents");
    std::vector<int64_t> extents;
    for (const Expr* item : items.items) extents.push_back(int_of(*item, "an extent"));
    return tenon::call([&](TnValue* ret) { return b_.runtime()->shape(extents.data(), extents.size(), ret); });
  }
  if (p.name == "device") {
    auto args = arguments(e, "I.device", {"type", "id"}, 2);
    return DLDevice{static_cast<DLDeviceType>(int_of(*args[0], "the type")),
                    static_cast<int32_t>(int_of(*args[1], "the id"))};
  }
  unknown_form(e, p,
               {"node", "data", "dtype", "op", "name", "string", "define", "typed", "constant", "bytes", "bits",
                "shape", "device", "seq", "var", "ir_module", "module_attrs", "module_global_infos"});
}

}  // namespace tenon::script
