#include "ir/make.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>

#include "ir/hash.h"
#include "ir/limits.h"
#include "ir/span.h"
#include "tenon/cxx/device.h"
#include "tenon/cxx/dtype.h"

namespace tenon {
namespace {

// ---- Release ---------------------------------------------------------------------------------------------------

// Nodes whose content waits to be released, linked through their hash: a deep tree takes bounded stack.
struct ReleaseQueue {
  TnNode* first = nullptr;
  bool running = false;
};
thread_local ReleaseQueue release_queue;

void release_content(TnNode* node) {
  for (uint32_t i = 0; i < node->slot_count; ++i) tn_value_release(&node->slots[i]);
  if (node->span) tn_object_release(const_cast<TnObject*>(&node->span->header));
}

void delete_node(void* self, int flags) {
  auto* node = static_cast<TnNode*>(self);
  if (flags != 3) {  // somebody holds a weak reference
    if (flags & 1) release_content(node);
    if (flags & 2) std::free(node);
    return;
  }
  ReleaseQueue& queue = release_queue;
  node->hash = reinterpret_cast<uint64_t>(queue.first);
  queue.first = node;
  if (queue.running) return;
  queue.running = true;
  while (queue.first) {
    TnNode* n = queue.first;
    queue.first = reinterpret_cast<TnNode*>(n->hash);
    release_content(n);
    std::free(n);
  }
  queue.running = false;
}

// ---- Values ----------------------------------------------------------------------------------------------------

[[noreturn]] void refuse_value(const TnValue& v) {
  throw Error(TN_ERROR_ARGUMENT, "a tree cannot hold " + describe(v), {},
              "IR holds numbers, strings, bytes, dtypes, devices, shapes, arrays, maps, nodes and constants");
}

const TnNode* node_of(const TnValue& v) { return reinterpret_cast<const TnNode*>(v.as.object); }
bool is_identity_node(const TnNode* n) { return (flags_of(n) & kIsVariable) != 0; }

// Adds up what the elements of an array or map are.
class ContainerSummary {
 public:
  explicit ContainerSummary(const TnValue& v) : is_array_(v.type_index == TN_ARRAY) {
    total_.hash =
        mix_hash(static_cast<uint64_t>(v.type_index), is_array_ ? reinterpret_cast<const TnArray*>(v.as.object)->size
                                                                : reinterpret_cast<const TnMap*>(v.as.object)->size);
    total_.all_nodes = total_.all_variables = is_array_;
  }
  void add(const Summary& e) {
    total_.places += e.places;
    if (total_.places > kLimits.places) refuse_places();
    total_.hash = mix_hash(total_.hash, e.hash);
    total_.depth = std::max(total_.depth, e.depth);
    total_.flags |= e.flags;
    total_.nesting = std::max(total_.nesting, e.nesting);
    total_.bare_variable |= e.bare_variable;
    total_.all_nodes &= e.all_nodes && e.nesting == 0;
    total_.all_variables &= e.all_variables && e.nesting == 0;
  }
  void add(std::string_view key, const Summary& e) {
    total_.hash = hash_text(total_.hash, key);
    add(e);
  }
  Summary finish() {
    if (++total_.nesting > kLimits.nesting) refuse_nesting();
    return total_;
  }
  [[noreturn]] static void refuse_nesting() {
    throw Error(TN_ERROR_LIMIT, "arrays and maps are nested more than " + std::to_string(kLimits.nesting) + " deep", {},
                "hold what is deeper in nodes");
  }
  [[noreturn]] static void refuse_places() {
    throw Error(TN_ERROR_LIMIT,
                "arrays and maps hold values in more than " + std::to_string(kLimits.places) + " places", {},
                "an array that stands in several places counts at each of them: hold it once");
  }

 private:
  Summary total_;
  bool is_array_;
};

// The number of a device that got it in this process means nothing in another one.
void require_lasting(DLDevice device) {
  const int32_t type = device_type(device);
  const char* key = type >= TN_FIRST_DYNAMIC ? tn_runtime()->type_key(type) : nullptr;
  if (!key || std::strncmp(key, "device ", 7) != 0) return;
  throw Error(TN_ERROR_ARGUMENT,
              "a tree cannot hold the number of the device '" + std::string(key + 7) + ":" +
                  std::to_string(device.device_id) + "', which is of this process alone",
              {}, "write the device's name as a text");
}

// Whether a dtype has a text that reads back (tenon/cxx/dtype.h), or is the unknown one, which the verifiers refuse.
bool is_written(DLDataType t) {
  constexpr uint16_t kMostLanes = 4096;
  if (t.code == 0 && t.bits == 0 && t.lanes == 0) return true;
  if (t.lanes < 1 || t.lanes > kMostLanes) return false;
  switch (t.code) {
    case kDLInt:
    case kDLUInt:
    case kDLFloat:
    case kDLBfloat: return t.bits >= 1 && t.bits <= 64;
    case TN_DL_BOOL: return t.bits == kBool.bits;
    case kDLOpaqueHandle: return t.bits == kHandle.bits;
    default: return false;
  }
}

[[noreturn]] void refuse_dtype(DLDataType t) {
  throw Error(TN_ERROR_ARGUMENT,
              "a tree cannot hold the dtype of code " + std::to_string(t.code) + ", " + std::to_string(t.bits) +
                  " bits and " + std::to_string(t.lanes) + " lanes",
              {}, "take int, uint, float or bfloat of 1 to 64 bits, bool or handle, of 1 to 4096 lanes");
}

Summary summarize_nested(const TnValue& v, uint32_t nesting) {
  uint64_t tag = static_cast<uint64_t>(v.type_index);
  switch (v.type_index) {
    case TN_NONE: return {tag};
    case TN_INT:
    case TN_BOOL:
    case TN_FLOAT: return {mix_hash(tag, static_cast<uint64_t>(v.as.i))};
    case TN_DTYPE:
      if (!is_written(v.as.dtype)) refuse_dtype(v.as.dtype);
      return {mix_hash(tag, v.as.dtype.code | v.as.dtype.bits << 8 | static_cast<uint64_t>(v.as.dtype.lanes) << 16)};
    case TN_DEVICE: require_lasting(v.as.device); return {mix_hash(tag, static_cast<uint64_t>(v.as.i))};
    case TN_SMALL_STRING:
    case TN_C_STRING:
    case TN_STRING: return {hash_text(TN_STRING, string_view_of(v))};
    case TN_SMALL_BYTES:
    case TN_BYTES: return {hash_text(TN_BYTES, string_view_of(v))};
    case TN_SHAPE: {
      auto* s = reinterpret_cast<const TnShape*>(v.as.object);
      return {hash_text(tag, {reinterpret_cast<const char*>(s->data), s->size * sizeof(int64_t)})};
    }
    case TN_CONSTANT: {
      auto* c = reinterpret_cast<const TnConstant*>(v.as.object);
      return {mix_hash(hash_text(tag, c->digest), c->size)};
    }
    case TN_NODE: {
      const TnNode* n = node_of(v);
      if (is_identity_node(n))
        return {n->hash, n->depth, kHasVariables | (n->reserved & (kHasNewer | kHasForeign)), 0, true, true, true};
      return {n->hash, n->depth, n->reserved, 0, false, true, false};
    }
    case TN_ARRAY:
    case TN_MAP: {
      if (nesting == kLimits.nesting) ContainerSummary::refuse_nesting();
      ContainerSummary total(v);
      if (v.type_index == TN_ARRAY) {
        auto* a = reinterpret_cast<const TnArray*>(v.as.object);
        for (size_t i = 0; i < a->size; ++i) total.add(summarize_nested(a->data[i], nesting + 1));
      } else {
        auto* m = reinterpret_cast<const TnMap*>(v.as.object);
        for (size_t i = 0; i < m->size; ++i)
          total.add(string_view_of(m->data[i].key), summarize_nested(m->data[i].value, nesting + 1));
      }
      return total.finish();
    }
    default: refuse_value(v);
  }
}

const TnValue& empty_array() {
  static const Value* const v =
      new Value(call([](TnValue* ret) { return tn_runtime()->array(nullptr, 0, ret); }));  // never destroyed
  return v->raw();
}
const TnValue& empty_map() {
  static const Value* const v =
      new Value(call([](TnValue* ret) { return tn_runtime()->map(nullptr, 0, ret); }));  // never destroyed
  return v->raw();
}
const TnValue& empty_string() {
  static const Value* const v = new Value(call([](TnValue* ret) { return tn_runtime()->string("", 0, ret); }));
  return v->raw();
}

// ---- Slots -----------------------------------------------------------------------------------------------------

constexpr const char* kSlotTypeNames[] = {"a node", "an array of nodes", "a map",   "a string", "an int",
                                          "a bool", "a float",           "a dtype", "anything", "an array"};

// The identity of a slot while its value is checked, for messages.
struct Place {
  const KindInfo* info;
  const TnSpan* span;
  uint32_t slot;
};

[[noreturn]] void refuse_slot(const Place& p, const std::string& why, const char* hint = "") {
  throw Error(
      TN_ERROR_ARGUMENT,
      std::string("cannot make ") + p.info->schema.id + ": slot `" + p.info->schema.slots[p.slot].name + "` " + why,
      location_text(p.span), hint);
}

bool fits(int32_t slot_type, const TnValue& v, const Summary& summary) {
  switch (slot_type) {
    case TN_SLOT_NODE: return v.type_index == TN_NODE;
    case TN_SLOT_ARRAY: return v.type_index == TN_ARRAY && summary.all_nodes;
    case TN_SLOT_VALUES: return v.type_index == TN_ARRAY;
    case TN_SLOT_MAP: return v.type_index == TN_MAP;
    case TN_SLOT_STR: return is_string(v);
    case TN_SLOT_INT: return v.type_index == TN_INT;
    case TN_SLOT_BOOL: return v.type_index == TN_BOOL;
    case TN_SLOT_FLOAT: return v.type_index == TN_FLOAT;
    case TN_SLOT_DTYPE: return v.type_index == TN_DTYPE;
    default: return true;
  }
}

[[noreturn]] void refuse_definition(const Place& p, const TnValue& v) {
  const TnValue* culprit = &v;
  if (v.type_index == TN_ARRAY) {
    auto* a = reinterpret_cast<const TnArray*>(v.as.object);
    for (size_t i = 0; i < a->size && culprit == &v; ++i)
      if (a->data[i].type_index != TN_NODE || !is_identity_node(node_of(a->data[i]))) culprit = &a->data[i];
  }
  refuse_slot(p, "defines, so it must hold a Var or a Buffer, but it holds " + describe(*culprit),
              "replace what a definition defines only by another variable or buffer");
}

void check_slot(const Place& p, const TnValue& v, const Summary& summary) {
  const TnSlotSchema& schema = p.info->schema.slots[p.slot];
  if (!fits(schema.type, v, summary))
    refuse_slot(
        p, std::string("must be ") + kSlotTypeNames[schema.type] + ", but is " + describe(v),
        schema.type == TN_SLOT_FLOAT && v.type_index == TN_INT ? "write the number as a float: Value(1.0)" : "");
  if (schema.role == TN_ROLE_DEF && !summary.all_variables && v.type_index != TN_NONE) refuse_definition(p, v);
  if (p.slot == 0 && (p.info->schema.flags & TN_KIND_EXPR) && v.type_index != TN_NONE && v.type_index != TN_DTYPE &&
      v.type_index != TN_NODE)
    refuse_slot(p, "must be a dtype, a type node or none, but is " + describe(v));
}

// The form in which a slot keeps a value: an owned reference, unused bytes zero, no borrowed characters.
TnValue kept(const TnValue& v) {
  switch (v.type_index) {
    case TN_NONE: return {TN_NONE, 0, {0}};
    case TN_BOOL: return {TN_BOOL, 0, {v.as.i != 0 ? 1 : 0}};
    case TN_INT:
    case TN_FLOAT:
    case TN_DEVICE: return {v.type_index, 0, {v.as.i}};
    case TN_DTYPE: {
      TnValue t{TN_DTYPE, 0, {0}};
      t.as.dtype = v.as.dtype;
      return t;
    }
    case TN_C_STRING:
      return call([&](TnValue* ret) { return tn_runtime()->string(v.as.s, std::strlen(v.as.s), ret); }).release();
    default: tn_value_retain(&v); return v;
  }
}

const KindInfo* known_kind(uint32_t kind) {
  const KindInfo* info = kind_info(kind);
  if (!info)
    throw Error(TN_ERROR_ARGUMENT, "cannot make a node: no kind has the number " + std::to_string(kind), {},
                "take numbers from TN_KIND_... or find_kind");
  return info;
}

// Frees a half-made node when a check throws.
struct HalfMade {
  TnNode* node;
  ~HalfMade() {
    if (!node) return;
    release_content(node);
    std::free(node);
  }
};

}  // namespace

bool is_made_by_host(const TnNode* node) {
  return node->header.deleter == &delete_node && node->header.type_index == TN_NODE;
}

Summary summarize(const TnValue& value) { return summarize_nested(value, 0); }

Summary summarize_container(const TnValue& v, const Summary* elements) {
  ContainerSummary total(v);
  if (v.type_index == TN_ARRAY) {
    auto* a = reinterpret_cast<const TnArray*>(v.as.object);
    for (size_t i = 0; i < a->size; ++i) total.add(elements[i]);
  } else {
    auto* m = reinterpret_cast<const TnMap*>(v.as.object);
    for (size_t i = 0; i < m->size; ++i) total.add(string_view_of(m->data[i].key), elements[i]);
  }
  return total.finish();
}

TnValue slot_default(int32_t slot_type) {
  switch (slot_type) {
    case TN_SLOT_ARRAY:
    case TN_SLOT_VALUES: return empty_array();
    case TN_SLOT_MAP: return empty_map();
    case TN_SLOT_STR: return empty_string();
    case TN_SLOT_INT: return {TN_INT, 0, {0}};
    case TN_SLOT_BOOL: return {TN_BOOL, 0, {0}};
    case TN_SLOT_FLOAT: return {TN_FLOAT, 0, {0}};
    default: return {TN_NONE, 0, {0}};
  }
}

bool is_slot_default(int32_t slot_type, const TnValue& v) {
  switch (slot_type) {
    case TN_SLOT_ARRAY:
    case TN_SLOT_VALUES: return Value::view(v).is_array() && reinterpret_cast<const TnArray*>(v.as.object)->size == 0;
    case TN_SLOT_MAP: return Value::view(v).is_map() && reinterpret_cast<const TnMap*>(v.as.object)->size == 0;
    case TN_SLOT_STR: return string_view_of(v).empty();
    case TN_SLOT_INT:
    case TN_SLOT_BOOL:
    case TN_SLOT_FLOAT: return v.as.i == 0;
    case TN_SLOT_ANY: return v.type_index == TN_NONE;
    default: return false;
  }
}

std::string describe(const TnValue& v) {
  switch (v.type_index) {
    case TN_NONE: return "none";
    case TN_INT: return "an int";
    case TN_BOOL: return "a bool";
    case TN_FLOAT: return "a float";
    case TN_DTYPE: return "a dtype";
    case TN_DEVICE: return "a device";
    case TN_POINTER: return "a pointer";
    case TN_DLTENSOR:
    case TN_TENSOR: return "a tensor";
    case TN_SMALL_STRING:
    case TN_C_STRING:
    case TN_STRING: return "a string";
    case TN_SMALL_BYTES:
    case TN_BYTE_ARRAY:
    case TN_BYTES: return "bytes";
    case TN_FUNCTION: return "a function value";
    case TN_SHAPE: return "a shape";
    case TN_MAP: return "a map";
    case TN_CONSTANT: return "a constant";
    case TN_SPAN: return "a source range";
    case TN_ARRAY: {
      auto* a = reinterpret_cast<const TnArray*>(v.as.object);
      for (size_t i = 0; i < a->size; ++i)
        if (a->data[i].type_index != TN_NODE)
          return "an array whose element " + std::to_string(i) + " is " +
                 (a->data[i].type_index == TN_ARRAY ? "an array" : describe(a->data[i]));
      return "an array of nodes";
    }
    case TN_NODE: {
      std::string_view id = kind_info(node_of(v)->kind)->schema.id;
      std::string article = std::string_view("aeiou").find(id[0]) == std::string_view::npos ? "a " : "an ";
      return article + std::string(id.substr(0, id.rfind('/'))) + " node";
    }
    default: return "an object of type index " + std::to_string(v.type_index);
  }
}

namespace {

Node make(uint32_t kind, const TnSpan* span, const TnValue* slots, int32_t count, const Summary* known, bool take) {
  const KindInfo* info = known_kind(kind);
  const TnKindSchema& schema = info->schema;
  if (count < 0 || static_cast<uint32_t>(count) > schema.slot_count)
    throw Error(TN_ERROR_ARGUMENT,
                std::string("cannot make ") + schema.id + ": " + std::to_string(count) +
                    " slots are given, but it has " + std::to_string(schema.slot_count),
                location_text(span));
  size_t bytes = offsetof(TnNode, slots) + std::max(schema.slot_count, 1u) * sizeof(TnValue);
  HalfMade half{static_cast<TnNode*>(std::malloc(bytes))};
  TnNode* node = half.node;
  if (!node) throw std::bad_alloc();
  node->header = {(uint64_t{1} << 32) | 1, TN_NODE, 0, &delete_node};
  node->kind = kind;
  node->span = nullptr;
  node->slot_count = 0;
  node->slots[0] = {TN_NONE, 0, {0}};
  uint64_t hash = mix_hash(TN_NODE, kind);
  uint32_t depth = 0, flags = 0;
  for (uint32_t i = 0; i < schema.slot_count; ++i) {
    bool given = i < static_cast<uint32_t>(count);
    TnValue v = given ? slots[i] : slot_default(schema.slots[i].type);
    Summary s = known && given ? known[i] : summarize(v);
    check_slot({info, span, i}, v, s);
    node->slots[i] = given && take ? v : kept(v);
    if (!take) node->slot_count = i + 1;
    int32_t role = schema.slots[i].role;
    if (role != TN_ROLE_NAME) hash = mix_hash(hash, s.hash);
    depth = std::max(depth, s.depth + (s.nesting > 1 ? s.nesting - 1 : 0));
    flags |= s.flags & (kHasVariables | kHasDefinitions | kDefinesOutward | kHasNewer | kHasForeign);
    if ((info->newer_slots >> i & 1) && !is_slot_default(schema.slots[i].type, v)) flags |= kHasNewer;
    bool shape_definition = s.bare_variable || (s.flags & kShapeDefines);
    if (role == TN_ROLE_DEF && s.bare_variable) flags |= kHasDefinitions | kDefinesOutward;
    if (role == TN_ROLE_SHAPES && shape_definition) flags |= kHasDefinitions | kDefinesOutward;
    if (role == TN_ROLE_SHAPE && shape_definition) flags |= kHasDefinitions | kShapeDefines;
  }
  if (info->is_scope()) flags &= ~uint32_t{kDefinesOutward | kShapeDefines};
  if (info->is_identity()) flags |= kHasVariables | kIsVariable;
  if (info->is_foreign()) flags |= kHasForeign;
  if (schema.vocabulary > 1) flags |= kHasNewer;
  if (depth >= kLimits.depth)
    throw Error(TN_ERROR_LIMIT,
                std::string("cannot make ") + schema.id + ": it would be more than " + std::to_string(kLimits.depth) +
                    " nodes deep",
                location_text(span), "split the expression by binding parts of it to variables");
  node->slot_count = schema.slot_count;
  node->hash = hash;
  node->depth = depth + 1;
  node->reserved = flags;
  if (span) {
    tn_object_retain(const_cast<TnObject*>(&span->header));
    node->span = span;
  }
  half.node = nullptr;
  return Node(Ref<const TnNode>::adopt(node));
}

}  // namespace

Node make_node(uint32_t kind, const TnSpan* span, const TnValue* slots, int32_t count, const Summary* known) {
  return make(kind, span, slots, count, known, false);
}

Node make_node_taking(uint32_t kind, const TnSpan* span, const TnValue* slots, int32_t count) {
  return make(kind, span, slots, count, nullptr, true);
}

}  // namespace tenon
