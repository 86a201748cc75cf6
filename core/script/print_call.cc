// Calls of the loop level.
#include "script/printer.h"
#include "script/strings.h"

namespace tenon::script {
namespace {

// Names of T that are read as something else than a call of the op of that name.
bool is_special_form(std::string_view name) {
  static constexpr std::string_view kForms[] = {"Select",
                                                "Cast",
                                                "cast",
                                                "Ramp",
                                                "ramp",
                                                "Broadcast",
                                                "broadcast",
                                                "Let",
                                                "Not",
                                                "StringImm",
                                                "call_intrin",
                                                "call_llvm_pure_intrin",
                                                "grid",
                                                "serial",
                                                "parallel",
                                                "vectorized",
                                                "unroll",
                                                "thread_binding",
                                                "block",
                                                "sblock",
                                                "init",
                                                "where",
                                                "reads",
                                                "writes",
                                                "alloc_buffer",
                                                "decl_buffer",
                                                "match_buffer",
                                                "sblock_alloc_buffer",
                                                "block_attr",
                                                "sblock_attr",
                                                "func_attr",
                                                "evaluate",
                                                "attr",
                                                "launch_thread",
                                                "Buffer",
                                                "handle",
                                                "bind",
                                                "meta_var",
                                                "let",
                                                "var",
                                                "dynamic",
                                                "boolean",
                                                "Assert",
                                                "LetStmt",
                                                "buffer_store",
                                                "allocate",
                                                "allocate_const",
                                                "buffer_decl",
                                                "preflattened_buffer",
                                                "buffer_realize",
                                                "prefetch",
                                                "macro",
                                                "inline",
                                                "comm_reducer",
                                                "reduce",
                                                "env_thread",
                                                "iter_var",
                                                "store",
                                                "load",
                                                "Load",
                                                "Store",
                                                "ProducerLoad",
                                                "Reduce",
                                                "Shuffle",
                                                "Call",
                                                "Var",
                                                "SizeVar",
                                                "Range",
                                                "index_map",
                                                "target",
                                                "tvm_access_ptr",
                                                "call_cpacked",
                                                "meta_var_list"};
  for (std::string_view f : kForms)
    if (f == name) return true;
  return operator_of_function(name) || dtype_from_text(name) || name.substr(0, 5) == "axis.";
}

bool is_dotted_name(std::string_view s) {
  while (true) {
    size_t dot = s.find('.');
    std::string_view part = s.substr(0, dot);
    // After a dot Python's keywords are read as names.
    bool keyword_like = !part.empty() && !is_identifier(part) && is_identifier(std::string(part) + "_");
    if (!is_identifier(part) && !keyword_like) return false;
    if (dot == std::string_view::npos) return true;
    s.remove_prefix(dot + 1);
  }
}

}  // namespace

bool Printer::has_plain_attrs(const Map& attrs) const {
  for (const Map::Entry& e : attrs)
    if (!is_identifier(e.key()) || e.key() == "dtype") return false;
  return true;
}

void Printer::call(const ir::Call& c) {
  bool plain_type = c.type().is_none() || c.type().is_dtype();
  if (plain_type && c.type_args().empty() && has_plain_attrs(c.attrs())) {
    const auto* op = c.op().as<ir::Op>();
    if (op && is_natural(*op)) return op_call(c, *op);
    const auto* f = c.op().as<ir::GlobalVar>();
    if (f && is_natural(*f)) return function_call(c, *f);
  }
  generic(c);
}

void Printer::call_arguments(const Array& args, size_t first, bool literals_adapt, bool* any) {
  std::optional<DLDataType> anchor;
  for (size_t i = first; i < args.size() && literals_adapt && !anchor; ++i) {
    const Node& n = as_node(args[i]);
    bool bare = n.is<ir::IntImm>() && same_dtype(n.dtype(), kInt64);
    if (bare || n.is<tir::Buffer>()) continue;
    if (is_int(n.dtype()) || is_floating(n.dtype())) anchor = n.dtype();
  }
  for (size_t i = first; i < args.size(); ++i) {
    if (*any) put(", ");
    *any = true;
    const Node& n = as_node(args[i]);
    const auto* imm = n.as<ir::IntImm>();
    if (const auto* s = n.as<ir::StringImm>(); s && is_natural(n))
      put(quote(s->value()));
    else if (imm && is_natural(n) && same_dtype(n.dtype(), kInt64) && anchor && !same_dtype(*anchor, kInt64))
      typed_int(*imm);
    else
      expr(n);
  }
}

void Printer::call_attributes(const Map& attrs, bool* any) {
  for (const Map::Entry& e : attrs) {
    if (*any) put(", ");
    *any = true;
    put(e.key());
    put("=");
    attribute(e.value());
  }
}

// The type that the parser gives the call when the text does not say; null when the text has to say.
std::optional<Value> Printer::natural_result(const ir::Call& c, std::string_view op) const {
  DLDataType first =
      c.args().empty() || as_node(c.args()[0]).is<tir::Buffer>() ? DLDataType{} : as_node(c.args()[0]).dtype();
  std::string_view rule = "first";
  Value record;
  if (options_.find_op) record = options_.find_op(op);
  if (record.is_map())
    if (const Value* r = record.ref<Map>().find("result"); r && r->is_string()) rule = r->as_string();
  if (rule == "given") return std::nullopt;
  if (rule == "first") return first.bits ? Value(first) : Value();
  auto t = dtype_from_text(rule);
  return t ? Value(with_lanes(*t, first.lanes > 1 ? first.lanes : t->lanes)) : Value();
}

void Printer::op_call(const ir::Call& c, const ir::Op& op) {
  std::string_view id = op.id();
  const Array& args = c.args();
  bool tir = id.substr(0, 4) == "tir.";
  std::string_view name = tir ? id.substr(4) : std::string_view();
  bool any = false;
  auto same_type = [&](const Value& v) {
    return v.is_dtype() == c.type().is_dtype() && (!v.is_dtype() || same_dtype(v.as_dtype(), c.type().as_dtype()));
  };
  auto finish = [&](const std::optional<Value>& natural) {
    call_attributes(c.attrs(), &any);
    if (!natural || !same_type(*natural)) {
      if (any) put(", ");
      put(c.type().is_none() ? "dtype=None" : "dtype=\"" + dtype_text(c.type().as_dtype()) + "\"");
    }
    put(")");
  };
  if (id == "tir.if_then_else" && args.size() == 3 && c.attrs().empty()) {
    const Node &a = as_node(args[1]), &b = as_node(args[2]);
    DLDataType t = a.dtype();
    bool number = is_int(t) || is_floating(t) || is_bool(t);
    if (is_bool(as_node(args[0]).dtype()) && number && same_dtype(t, b.dtype()) && same_type(Value(t))) {
      put("T.if_then_else(");
      expr(as_node(args[0]));
      put(", ");
      pair(a, b);
      return put(")");
    }
  }
  bool named = !args.empty() && as_node(args[0]).is<ir::StringImm>() && is_natural(as_node(args[0]));
  if (id == "tir.call_packed" && named) {
    put("T.call_packed(");
    call_arguments(args, 0, false, &any);
    return finish(Value(kInt32));
  }
  if ((id == "tir.call_extern" || id == "tir.call_pure_extern") && named && c.type().is_dtype()) {
    put("T." + std::string(name) + "(\"" + dtype_text(c.type().as_dtype()) + "\"");
    any = true;
    call_arguments(args, 0, false, &any);
    return finish(c.type());
  }
  if (dtype_stands_first(id) && c.type().is_dtype()) {
    put("T." + std::string(name) + "(\"" + dtype_text(c.type().as_dtype()) + "\"");
    any = true;
    call_arguments(args, 0, true, &any);
    return finish(c.type());
  }
  bool special = id == "tir.if_then_else" || id == "tir.call_packed" || id == "tir.call_extern" ||
                 id == "tir.call_pure_extern" || dtype_stands_first(id);
  if (tir && is_dotted_name(name) && !special && !is_special_form(name))
    put("T." + std::string(name) + "(");
  else
    put("I.op(" + quote(id) + ")(");
  call_arguments(args, 0, !keeps_literals(id), &any);
  finish(natural_result(c, id));
}

void Printer::function_call(const ir::Call& c, const ir::GlobalVar& f) {
  function_name(f.name());
  put("(");
  bool any = false;
  call_arguments(c.args(), 0, false, &any);
  call_attributes(c.attrs(), &any);
  auto known = results_.find(f.name());
  Value natural = known == results_.end() ? Value() : known->second;
  bool same = natural.is_dtype() == c.type().is_dtype() &&
              (!natural.is_dtype() || same_dtype(natural.as_dtype(), c.type().as_dtype()));
  if (!same) {
    if (any) put(", ");
    put(c.type().is_none() ? "dtype=None" : "dtype=\"" + dtype_text(c.type().as_dtype()) + "\"");
  }
  put(")");
}

}  // namespace tenon::script
