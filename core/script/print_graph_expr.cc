// Expressions of the graph level.
#include <cmath>
#include <cstring>

#include "script/graph_types.h"
#include "script/printer.h"
#include "script/strings.h"

namespace tenon::script {
namespace {

constexpr std::string_view kForms[] = {"call_tir",
                                       "call_tir_inplace",
                                       "call_dps_packed",
                                       "call_packed",
                                       "call_pure_packed",
                                       "const",
                                       "prim_value",
                                       "str",
                                       "dtype",
                                       "shape",
                                       "tuple",
                                       "ExternFunc",
                                       "match_cast",
                                       "dataflow",
                                       "output",
                                       "func_attr",
                                       "Tensor",
                                       "Shape",
                                       "Tuple",
                                       "Prim",
                                       "Object",
                                       "Any",
                                       "Callable",
                                       "macro",
                                       "inline",
                                       "vdevice",
                                       "SeqExpr",
                                       "emit"};

bool is_form(std::string_view name) {
  for (std::string_view f : kForms)
    if (f == name) return true;
  return false;
}

bool is_attribute_path(std::string_view s) {
  while (true) {
    size_t dot = s.find('.');
    std::string_view part = s.substr(0, dot);
    if (!is_identifier(part) && !is_identifier(std::string(part) + "_")) return false;
    if (part.empty()) return false;
    if (dot == std::string_view::npos) return true;
    s.remove_prefix(dot + 1);
  }
}

}  // namespace

// Small constants of common dtypes are readable: R.const([1.0, 2.0], "float32").
bool Printer::is_constant_text(const Node& n) const {
  const auto* c = n.as<ir::Constant>();
  if (!c || !c->type().is_node() || c->data().type_index() != TN_CONSTANT) return false;
  const auto* t = as_node(c->type()).as<relax::TensorType>();
  if (!t || !t->shape().is_array() || !t->dtype().is_dtype() || !t->attrs().empty()) return false;
  const Array& dims = t->shape().ref<Array>();
  if (t->ndim() != static_cast<int64_t>(dims.size())) return false;
  DLDataType dtype = t->dtype().as_dtype();
  bool known = dtype.lanes == 1 && ((dtype.code == kDLFloat && (dtype.bits == 32 || dtype.bits == 64)) ||
                                    (is_int(dtype) && dtype.bits >= 8 && dtype.bits % 8 == 0) || is_bool(dtype));
  if (!known) return false;
  const auto* data = reinterpret_cast<const TnConstant*>(c->data().raw().as.object);
  uint64_t count = 1;
  for (const Node& d : nodes(dims)) {
    const auto* extent = d.as<ir::IntImm>();
    if (!extent || !same_dtype(d.dtype(), kInt64) || extent->value() < 1 || extent->value() > 1024) return false;
    count *= static_cast<uint64_t>(extent->value());
    if (count > 1024) return false;
  }
  auto width = static_cast<uint64_t>(dtype.bits / 8);
  if (data->size != count * width || data->size >= options_.inline_bytes) return false;
  const auto* bytes = static_cast<const char*>(data->data);
  for (uint64_t i = 0; i < count; ++i) {
    float f = 0;
    double d = 0;
    if (dtype.code == kDLFloat && dtype.bits == 32) std::memcpy(&f, bytes + i * 4, 4);
    if (dtype.code == kDLFloat && dtype.bits == 64) std::memcpy(&d, bytes + i * 8, 8);
    if (!std::isfinite(f) || !std::isfinite(d)) return false;
    if (is_bool(dtype) && static_cast<unsigned char>(bytes[i]) > 1) return false;
    if (dtype.code == kDLUInt && dtype.bits == 64 && bytes[i * 8 + 7] < 0) return false;
  }
  return true;
}

void Printer::constant_text(const ir::Constant& c) {
  const auto& t = as_node(c.type()).to<relax::TensorType>();
  NodeRange dims = nodes(t.shape().ref<Array>());
  DLDataType dtype = t.dtype().as_dtype();
  const auto* at = static_cast<const char*>(reinterpret_cast<const TnConstant*>(c.data().raw().as.object)->data);
  auto width = static_cast<size_t>(dtype.bits / 8);
  auto element = [&] {
    if (is_bool(dtype)) {
      put(*at ? "True" : "False");
    } else if (is_floating(dtype) && dtype.bits == 32) {
      float f;
      std::memcpy(&f, at, 4);
      put(float_text(f));
    } else if (is_floating(dtype)) {
      double d;
      std::memcpy(&d, at, 8);
      put(float_text(d));
    } else {
      int64_t v = 0;
      std::memcpy(&v, at, width);
      if (dtype.code == kDLInt && width < 8) {  // sign-extended
        int shift = static_cast<int>(64 - 8 * width);
        v = static_cast<int64_t>(static_cast<uint64_t>(v) << shift) >> shift;
      }
      put(std::to_string(v));
    }
    at += width;
  };
  auto rows = [&](auto&& self, size_t level) -> void {
    if (level == dims.size()) return element();
    put("[");
    for (int64_t i = 0; i < dims[level].to<ir::IntImm>().value(); ++i) {
      if (i) put(", ");
      self(self, level + 1);
    }
    put("]");
  };
  put("R.const(");
  rows(rows, 0);
  put(", \"" + dtype_text(dtype) + "\")");
}

void Printer::constant(const ir::Constant& c) {
  bool type_ok = c.type().is_none() || c.type().is_dtype() || (c.type().is_node() && type_is_plain(as_node(c.type())));
  if (!type_ok || c.data().type_index() != TN_CONSTANT) return generic(c);
  put("I.constant(");
  attribute(c.data());
  if (!c.type().is_none()) {
    put(", ");
    annotation_text(c.type());
  }
  put(")");
}

// Writes `n`; `expected` is the type that a binding's annotation would give it.
void Printer::graph_value(const Node& n, const Value* expected) {
  if (n.is<ir::Var>()) return expr(n);
  if (n.is<ir::GlobalVar>() && is_natural(n)) return expr(n);
  if (n.is<ir::Constant>()) {
    const auto& c = n.to<ir::Constant>();
    if (is_constant_text(n)) return constant_text(c);
    return constant(c);
  }
  if (!graph_is_plain(n)) return generic(n);
  Value own = natural_graph_type(b_, n);
  bool inferred = !n.is<ir::StringImm>() && !n.is<relax::DataTypeImm>() && !n.is<ir::ExternFunc>();
  if (inferred && own.is_none() && expected) own = *expected;
  if (equal_values(own, n.slot(0))) return graph_text(n);
  if (!n.slot(0).is_none() && !n.slot(0).is_dtype() && !n.slot(0).is_node()) return generic(n);
  put("I.typed(");
  graph_text(n);
  put(", ");
  annotation_text(n.slot(0));
  put(")");
}

// As an argument of I.typed and I.constant: a dtype is text.
void Printer::annotation_text(const Value& type) {
  if (type.is_dtype()) return put("\"" + dtype_text(type.as_dtype()) + "\"");
  annotation(type);
}

bool Printer::graph_is_plain(const Node& n) const {
  if (n.is<relax::Tuple>() || n.is<relax::DataTypeImm>() || n.is<ir::StringImm>()) return true;
  if (const auto* f = n.as<ir::ExternFunc>()) return f->attrs().empty();
  if (n.is<relax::TupleGetItem>()) return true;
  if (const auto* p = n.as<relax::PrimValue>())
    return !(schema_of(p->value()).flags & TN_KIND_TYPE) &&
           std::string_view(schema_of(p->value()).id).substr(0, 6) != "relax.";
  if (const auto* s = n.as<relax::ShapeExpr>()) {
    for (const Value& v : s->values())
      if (!v.is_node() || !is_int(as_node(v).dtype())) return false;
    return true;
  }
  const auto* c = n.as<ir::Call>();
  if (!c) return false;
  for (const Map::Entry& e : c->attrs())
    if (!is_identifier(e.key()) || e.key() == "ty_args" || e.key() == "sinfo_args" || e.key() == "type_args")
      return false;
  for (const Node& t : nodes(c->type_args()))
    if (!(schema_of(t).flags & TN_KIND_TYPE)) return false;
  if (c->op().is<ir::GlobalVar>()) return is_natural(c->op());
  if (c->op().is<ir::Var>()) return true;
  const auto* op = c->op().as<ir::Op>();
  return op && is_natural(c->op());
}

// The forms that state their output types; false when the call has another shape.
bool Printer::level_call(const ir::Call& c, std::string_view name) {
  NodeRange args = nodes(c.args());
  bool tir = name == "call_tir", inplace = name == "call_tir_inplace", dps = name == "call_dps_packed";
  bool packed = name == "call_packed" || name == "call_pure_packed";
  auto external = [&](const Node& n) {
    const auto* f = n.as<ir::ExternFunc>();
    return f && f->type().is_none() && f->attrs().empty();
  };
  auto types = [&](const char* keyword) {
    const Array& list = c.type_args();
    put(std::string(", ") + keyword + "=");
    if (list.size() == 1) return node_value(as_node(list[0]));
    put("[");
    for (size_t i = 0; i < list.size(); ++i) {
      if (i) put(", ");
      node_value(as_node(list[i]));
    }
    put("]");
  };
  if (packed) {
    if (args.size() == 0 || !external(args[0])) return false;
    put("R." + std::string(name) + "(" + quote(args[0].to<ir::ExternFunc>().symbol()));
    for (size_t i = 1; i < args.size(); ++i) {
      put(", ");
      graph_value(args[i]);
    }
    bool any = true;
    call_attributes(c.attrs(), &any);
    if (!c.type_args().empty()) types("ty_args");
    put(")");
    return true;
  }
  if (!tir && !inplace && !dps) return false;
  if (args.size() < 2 || args.size() > 3 || c.type_args().empty()) return false;
  const auto* tuple = args[1].as<relax::Tuple>();
  if (!tuple || (args.size() == 3 && !args[2].is<relax::ShapeExpr>())) return false;
  if (dps ? !external(args[0]) : !(args[0].is<ir::GlobalVar>() && is_natural(args[0]))) return false;
  const Value* indices = c.attrs().find("inplace_indices");
  if (inplace ? c.attrs().size() != 1 || !indices || !indices->is_array() : !c.attrs().empty()) return false;
  put("R." + std::string(name) + "(");
  if (dps)
    put(quote(args[0].to<ir::ExternFunc>().symbol()));
  else
    expr(args[0]);
  put(", ");
  if (equal_values(natural_graph_type(b_, args[1]), args[1].slot(0))) {
    put("(");
    for (size_t i = 0; i < tuple->fields().size(); ++i) {
      if (i) put(", ");
      graph_value(as_node(tuple->fields()[i]));
    }
    if (tuple->fields().size() == 1) put(",");
    put(")");
  } else {
    graph_value(args[1]);
  }
  if (inplace) {
    put(", inplace_indices=");
    attribute(*indices);
  }
  types("out_ty");
  if (args.size() == 3) {
    put(", tir_vars=");
    graph_value(args[2]);
  }
  put(")");
  return true;
}

void Printer::graph_text(const Node& n) {
  auto list = [&](const Array& items, bool* any) {
    for (const Node& item : nodes(items)) {
      if (*any) put(", ");
      *any = true;
      graph_value(item);
    }
  };
  if (const auto* t = n.as<relax::Tuple>()) {
    // Where all fields are integers, (m, n) would be a shape.
    bool integers = true;
    for (const Node& f : nodes(t->fields()))
      integers = integers && !(f.is<relax::Tuple>() || graph_type_of(f).is_node());
    bool any = false;
    put(integers ? "R.tuple(" : "(");
    list(t->fields(), &any);
    return put(!integers && t->fields().size() == 1 ? ",)" : ")");
  }
  if (const auto* g = n.as<relax::TupleGetItem>()) {
    graph_value(g->tuple());
    return put("[" + std::to_string(g->index()) + "]");
  }
  if (const auto* s = n.as<relax::ShapeExpr>()) {
    put("R.shape([");
    comma_list(s->values());
    return put("])");
  }
  if (const auto* p = n.as<relax::PrimValue>()) {
    put("R.prim_value(");
    expr(p->value());
    return put(")");
  }
  if (const auto* d = n.as<relax::DataTypeImm>()) return put("R.dtype(\"" + dtype_text(d->dtype()) + "\")");
  if (const auto* s = n.as<ir::StringImm>()) return put("R.str(" + quote(s->value()) + ")");
  if (const auto* f = n.as<ir::ExternFunc>()) return put("R.ExternFunc(" + quote(f->symbol()) + ")");
  const auto& c = n.to<ir::Call>();
  const auto* op = c.op().as<ir::Op>();
  std::string_view name = op && op->id().substr(0, 6) == "relax." ? op->id().substr(6) : std::string_view();
  if (!name.empty() && level_call(c, name)) return;
  bool plain = !name.empty() && is_attribute_path(name) && !is_form(name) && c.type_args().empty();
  if (plain)
    put("R." + std::string(name));
  else
    expr(c.op());
  put("(");
  bool any = false;
  list(c.args(), &any);
  call_attributes(c.attrs(), &any);
  if (!c.type_args().empty()) {
    put(any ? ", ty_args=[" : "ty_args=[");
    for (size_t i = 0; i < c.type_args().size(); ++i) {
      if (i) put(", ");
      node_value(as_node(c.type_args()[i]));
    }
    put("]");
  }
  put(")");
}

}  // namespace tenon::script
