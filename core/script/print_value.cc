// Attributes, and the generic form of any node: I.node("kind/1", slot=value).
#include <cstring>

#include "script/printer.h"
#include "script/strings.h"
#include "tenon/cxx/device.h"

namespace tenon::script {
namespace {

bool is_default(const Value& v, int32_t type) {
  switch (type) {
    case TN_SLOT_ARRAY: return v.is_array() && v.ref<Array>().empty();
    case TN_SLOT_MAP: return v.is_map() && v.ref<Map>().empty();
    case TN_SLOT_STR: return v.is_string() && v.as_string().empty();
    case TN_SLOT_INT: return v.is_int() && v.as_int() == 0;
    case TN_SLOT_BOOL: return v.is_bool() && !v.as_bool();
    case TN_SLOT_ANY: return v.is_none();
    default: return false;
  }
}

}  // namespace

const TnKindSchema& Printer::schema_of(const Node& n) const {
  const TnKindSchema* schema = b_.ir()->schema(b_.ir()->self, n.kind());
  if (!schema) throw Error(TN_ERROR_UNSUPPORTED, "cannot print a node of the unknown kind " + std::to_string(n.kind()));
  return *schema;
}

void Printer::float_value(double v) {
  const char* name = non_finite_name(v);
  if (!name) return put(float_text(v));
  double again = *non_finite_value(name);
  if (std::memcmp(&again, &v, sizeof(v)) == 0) return put("T.float64(" + quote(name) + ")");
  uint64_t bits;
  std::memcpy(&bits, &v, sizeof(bits));
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(bits >> shift);
  put("I.bits(\"" + hex_text(bytes) + "\")");
}

void Printer::constant_data(const Value& v) {
  const auto* c = reinterpret_cast<const TnConstant*>(v.raw().as.object);
  if (c->size < options_.inline_bytes)
    put("I.data(\"hex:" + hex_text({static_cast<const char*>(c->data), static_cast<size_t>(c->size)}) + "\")");
  else
    put("I.data(\"" + std::string(c->digest) + "\")");
}

void Printer::attributes(const Builder::Entries& entries) {
  put("{");
  bool first = true;
  for (const auto& [key, value] : entries) {
    if (!first) put(", ");
    first = false;
    put(quote(key) + ": ");
    attribute(value);
  }
  put("}");
}

void Printer::attribute(const Value& v) {
  if (out_.size() > options_.max_bytes) too_long();
  switch (v.type_index()) {
    case TN_NONE: return put("None");
    case TN_BOOL: return put(v.as_bool() ? "True" : "False");
    case TN_INT: return put(std::to_string(v.as_int()));
    case TN_FLOAT: return float_value(v.as_float());
    case TN_C_STRING:
    case TN_SMALL_STRING:
    case TN_STRING: return put(quote(v.as_string()));
    case TN_SMALL_BYTES:
    case TN_BYTES: return put("I.bytes(\"" + hex_text(v.as_string()) + "\")");
    case TN_DTYPE: return dtype_value(v.as_dtype());
    case TN_DEVICE:
      return put("I.device(" + std::to_string(device_type(v.raw().as.device)) + ", " +
                 std::to_string(v.raw().as.device.device_id) + ")");
    case TN_SHAPE: {
      const auto* s = reinterpret_cast<const TnShape*>(v.raw().as.object);
      put("I.shape([");
      for (size_t i = 0; i < s->size; ++i) put((i ? ", " : "") + std::to_string(s->data[i]));
      return put("])");
    }
    case TN_CONSTANT: return constant_data(v);
    case TN_ARRAY: {
      put("[");
      bool first = true;
      for (const Value& item : v.ref<Array>()) {
        if (!first) put(", ");
        first = false;
        attribute(item);
      }
      return put("]");
    }
    case TN_MAP: return attribute_map(v.ref<Map>());
    case TN_NODE: {
      // Literals stand for plain values here, so that nodes of literals are written out.
      const Node& n = as_node(v);
      if (n.is<ir::IntImm>() || n.is<ir::FloatImm>()) return generic(n);
      return node_value(n);
    }
    default:
      throw Error(TN_ERROR_UNSUPPORTED, "cannot print a value of type index " + std::to_string(v.type_index()), {},
                  "the IR holds numbers, text, dtypes, arrays, maps, nodes and constants");
  }
}

// Where the parser expects a node: types, expressions of the loop level and names have their syntax, the rest is
// generic.
void Printer::node_value(const Node& n) {
  const TnKindSchema& schema = schema_of(n);
  if (schema.flags & TN_KIND_TYPE) return type_is_plain(n) ? type(n) : generic(n);
  if (n.is<ir::Call>() && n.to<ir::Call>().op().is<ir::Op>() &&
      n.to<ir::Call>().op().to<ir::Op>().id().substr(0, 6) == "relax.")
    return generic(n);
  if (const auto* c = n.as<ir::Constant>(); c && c->data().type_index() == TN_CONSTANT) return constant(*c);
  bool graph = std::string_view(schema.id).substr(0, 6) == "relax.";
  if ((schema.flags & (TN_KIND_EXPR | TN_KIND_IDENTITY)) && !graph && n.kind() < TN_KIND_FIRST_DYNAMIC) return expr(n);
  generic(n);
}

void Printer::slot(const Value& v, const TnSlotSchema& schema) {
  if (schema.type == TN_SLOT_DTYPE) return put("\"" + dtype_text(v.as_dtype()) + "\"");
  if (schema.type == TN_SLOT_NODE) return node_value(as_node(v));
  if (schema.type != TN_SLOT_ARRAY) return attribute(v);
  put("[");
  bool first = true;
  for (const Value& item : v.ref<Array>()) {
    if (!first) put(", ");
    first = false;
    item.is_node() ? node_value(as_node(item)) : attribute(item);
  }
  put("]");
}

// I.define("x", type): the variable or buffer is defined at this place.
void Printer::define_inline(const Node& n) {
  std::string type = captured([&] {
    if (buffer_is_plain(n)) {
      put("T.Buffer(");
      buffer_arguments(n.to<tir::Buffer>());
      put(")");
    } else if (n.is<tir::Buffer>()) {
      generic(n);
    } else if (n.slot(0).is_dtype()) {
      put("\"" + dtype_text(n.dtype()) + "\"");
    } else {
      attribute(n.slot(0));
    }
  });
  std::string_view hint = n.is<tir::Buffer>() ? n.to<tir::Buffer>().name() : n.to<ir::Var>().name();
  put("I.define(" + quote(names_.define(n, hint)) + ", " + type + ")");
}

void Printer::generic(const Node& n) {
  if (out_.size() > options_.max_bytes) too_long();
  const TnKindSchema& schema = schema_of(n);
  std::optional<Names::Block> scope;
  if (schema.flags & TN_KIND_SCOPE) scope.emplace(names_);
  ++generic_;
  put("I.node(" + quote(schema.id));
  for (uint32_t i = 0; i < schema.slot_count; ++i) {
    if (is_default(n.slot(i), schema.slots[i].type)) continue;
    put(", " + std::string(schema.slots[i].name) + "=");
    slot(n.slot(i), schema.slots[i]);
  }
  put(")");
  --generic_;
}

}  // namespace tenon::script
