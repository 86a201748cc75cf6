#include <cstring>
#include <unordered_map>

#include "diag/sha256.h"
#include "ir/bytes.h"
#include "ir/bytes_format.h"
#include "ir/limits.h"
#include "ir/make.h"
#include "ir/walk.h"

namespace tenon {
namespace {

using namespace bytes_format;

class Output {
 public:
  void byte(uint8_t b) { bytes_ += static_cast<char>(b); }
  void raw(const void* data, size_t size) { bytes_.append(static_cast<const char*>(data), size); }
  void number(uint64_t v) {
    for (; v >= 0x80; v >>= 7) byte(static_cast<uint8_t>(v | 0x80));
    byte(static_cast<uint8_t>(v));
  }
  void signed_number(int64_t v) { number(static_cast<uint64_t>(v) << 1 ^ static_cast<uint64_t>(v >> 63)); }
  void text(std::string_view s) {
    number(s.size());
    bytes_ += s;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

class Encoder {
 public:
  // `known` objects have the numbers before the first one that is written; the index has them.
  Encoder(PointerMap<uint32_t>& object_index, size_t known)
      : first_(known), count_(known), object_index_(object_index) {}

  std::string encode(const TnValue& tree) {
    visit(tree);
    while (!frames_.empty()) step();
    value(objects_, tree);
    Output body;
    for (const auto& [table, count] : {std::pair{&texts_, text_index_.size()},
                                       {&kinds_, kind_index_.size()},
                                       {&spans_, span_count_},
                                       {&constants_, constant_index_.size()},
                                       {&objects_, count_ - first_}}) {
      body.number(count);
      body.raw(table->bytes().data(), table->bytes().size());
      if (body.bytes().size() > kLimits.bytes)
        throw Error(TN_ERROR_LIMIT, "a tree encodes to more than " + std::to_string(kLimits.bytes) + " bytes");
    }
    std::string all(kMagic);
    const uint32_t versions[2] = {kBytesVersion, TN_IR_VOCABULARY};
    for (uint32_t v : versions)
      for (int i = 0; i < 4; ++i) all += static_cast<char>(v >> (8 * i));
    all.append(kChecksumSize, '\0');
    all += body.bytes();
    internal::seal_bytes(&all);
    return all;
  }
  // The objects that the tree added, in the order of their numbers; alive as long as the tree.
  const std::vector<const TnObject*>& added() const { return added_; }
  const std::vector<const TnConstant*>& constants() const { return constant_list_; }

 private:
  struct Frame {
    const TnObject* object;
    const TnValue* next;
    const TnValue* end;
    uint32_t stride;
  };

  // Pushes an object whose children are not written yet.
  void visit(const TnValue& v) {
    if (v.type_index != TN_NODE && v.type_index != TN_ARRAY && v.type_index != TN_MAP) return;
    if (is_empty(v)) return;
    if (object_index_.find(v.as.object)) return;
    if (v.type_index == TN_NODE) {
      auto* n = reinterpret_cast<const TnNode*>(v.as.object);
      frames_.push({v.as.object, n->slots, n->slots + written_slots(n), 1});
    } else if (v.type_index == TN_ARRAY) {
      auto* a = reinterpret_cast<const TnArray*>(v.as.object);
      frames_.push({v.as.object, a->data, a->data + a->size, 1});
    } else {
      auto* m = reinterpret_cast<const TnMap*>(v.as.object);
      const TnValue* first = m->size ? &m->data->value : nullptr;
      frames_.push({v.as.object, first, first + 2 * m->size, 2});
    }
  }

  void step() {
    Frame& f = frames_.back();
    if (f.next < f.end) {
      const TnValue& v = *f.next;
      f.next += f.stride;
      return visit(v);
    }
    const TnObject* object = f.object;
    frames_.pop();
    if (object_index_.find(object)) return;  // it stands twice in what was above it
    if (object->type_index == TN_NODE)
      write_node(reinterpret_cast<const TnNode*>(object));
    else if (object->type_index == TN_ARRAY)
      write_array(reinterpret_cast<const TnArray*>(object));
    else
      write_map(reinterpret_cast<const TnMap*>(object));
    object_index_[object] = static_cast<uint32_t>(count_++);
    added_.push_back(object);
    if (count_ > kLimits.nodes)
      throw Error(TN_ERROR_LIMIT, "a tree has more than " + std::to_string(kLimits.nodes) + " objects");
  }

  static bool is_empty(const TnValue& v) {
    return (v.type_index == TN_ARRAY && reinterpret_cast<const TnArray*>(v.as.object)->size == 0) ||
           (v.type_index == TN_MAP && reinterpret_cast<const TnMap*>(v.as.object)->size == 0);
  }
  // Without the trailing ones that have their defaults.
  static uint32_t written_slots(const TnNode* n) {
    const TnKindSchema& schema = kind_info(n->kind)->schema;
    uint32_t count = n->slot_count;
    while (count > 0 && is_slot_default(schema.slots[count - 1].type, n->slots[count - 1])) --count;
    return count;
  }

  void write_node(const TnNode* n) {
    uint32_t count = written_slots(n);
    objects_.byte(kNode);
    objects_.number(kind(kind_info(n->kind)->schema));
    objects_.number(span(n->span));
    objects_.number(count);
    for (uint32_t i = 0; i < count; ++i) value(objects_, n->slots[i]);
  }
  void write_array(const TnArray* a) {
    objects_.byte(kArray);
    objects_.number(a->size);
    for (size_t i = 0; i < a->size; ++i) value(objects_, a->data[i]);
  }
  void write_map(const TnMap* m) {
    objects_.byte(kMap);
    objects_.number(m->size);
    for (size_t i = 0; i < m->size; ++i) {
      objects_.number(text(string_view_of(m->data[i].key)));
      value(objects_, m->data[i].value);
    }
  }

  void value(Output& out, const TnValue& v) {
    switch (v.type_index) {
      case TN_NONE: out.byte(kNone); break;
      case TN_INT:
        out.byte(kInt);
        out.signed_number(v.as.i);
        break;
      case TN_BOOL: out.byte(v.as.i ? kTrue : kFalse); break;
      case TN_FLOAT:
        out.byte(kFloat);
        for (int i = 0; i < 8; ++i) out.byte(static_cast<uint8_t>(static_cast<uint64_t>(v.as.i) >> (8 * i)));
        break;
      case TN_DTYPE:
        out.byte(kDType);
        out.byte(v.as.dtype.code);
        out.byte(v.as.dtype.bits);
        out.byte(static_cast<uint8_t>(v.as.dtype.lanes));
        out.byte(static_cast<uint8_t>(v.as.dtype.lanes >> 8));
        break;
      case TN_DEVICE:
        out.byte(kDevice);
        out.number(static_cast<uint32_t>(v.as.i));
        out.number(static_cast<uint64_t>(v.as.i) >> 32);
        break;
      case TN_STRING:
      case TN_SMALL_STRING:
        out.byte(kText);
        out.number(text(string_view_of(v)));
        break;
      case TN_BYTES:
      case TN_SMALL_BYTES:
        out.byte(kBytes);
        out.number(text(string_view_of(v)));
        break;
      case TN_SHAPE: {
        auto* s = reinterpret_cast<const TnShape*>(v.as.object);
        out.byte(kShape);
        out.number(s->size);
        for (size_t i = 0; i < s->size; ++i) out.signed_number(s->data[i]);
        break;
      }
      case TN_CONSTANT:
        out.byte(kConstant);
        out.number(constant(reinterpret_cast<const TnConstant*>(v.as.object)));
        break;
      case TN_NODE:
      case TN_ARRAY:
      case TN_MAP:
        if (is_empty(v)) {
          out.byte(v.type_index == TN_ARRAY ? kEmptyArray : kEmptyMap);
          break;
        }
        out.byte(kObject);
        out.number(count_ - *object_index_.find(v.as.object));
        break;
      default: throw Error(TN_ERROR_ARGUMENT, "cannot encode " + describe(v));
    }
  }

  uint64_t text(std::string_view s) {
    auto [it, added] = text_index_.try_emplace(s, text_index_.size());
    if (added) texts_.text(s);
    return it->second;
  }
  uint64_t kind(const TnKindSchema& schema) {
    if (schema.kind == last_kind_) return last_kind_index_;
    auto [it, added] = kind_index_.try_emplace(schema.kind, kind_index_.size());
    if (added) kinds_.text(schema.id);
    last_kind_ = schema.kind;
    return last_kind_index_ = it->second;
  }
  uint64_t span(const TnSpan* s) {
    if (!s) return 0;
    uint64_t& index = span_index_[s];
    if (index == 0) {
      if (s->source != last_source_) {
        last_source_ = s->source;
        last_source_index_ = text(s->source);
      }
      spans_.number(last_source_index_);
      for (int32_t v : {s->line, s->column, s->end_line, s->end_column}) spans_.number(static_cast<uint64_t>(v));
      index = ++span_count_;
    }
    return index;
  }
  uint64_t constant(const TnConstant* c) {
    auto [it, added] = constant_index_.try_emplace(c->digest, constant_index_.size());
    if (added) {
      constant_list_.push_back(c);
      constants_.text(c->digest);
      constants_.number(c->size);
    }
    return it->second;
  }

  FrameStack<Frame> frames_;
  Output texts_, kinds_, spans_, constants_, objects_;
  std::unordered_map<std::string_view, uint64_t> text_index_;
  std::unordered_map<uint32_t, uint64_t> kind_index_;
  std::unordered_map<std::string_view, uint64_t> constant_index_;
  uint32_t last_kind_ = 0;
  uint64_t last_kind_index_ = 0;
  PointerMap<uint64_t> span_index_;
  const char* last_source_ = nullptr;
  uint64_t last_source_index_ = 0;
  uint64_t span_count_ = 0;
  std::vector<const TnConstant*> constant_list_;
  std::vector<const TnObject*> added_;
  size_t first_, count_;  // the objects that the other end has already, and all
  PointerMap<uint32_t>& object_index_;
};

}  // namespace

std::string encode_tree(const TnValue& tree) {
  PointerMap<uint32_t> index;
  return Encoder(index, 0).encode(tree);
}

std::string encode_tree(const TnValue& tree, ObjectTable& known) {
  Encoder encoder(known.index, known.objects.size());
  std::string bytes = encoder.encode(tree);
  known.objects.reserve(known.objects.size() + encoder.added().size());
  for (const TnObject* object : encoder.added()) {
    TnValue v{object->type_index, 0, {0}};
    v.as.object = const_cast<TnObject*>(object);
    known.objects.push_back(Value::share(v));
  }
  known.constants = encoder.constants();
  return bytes;
}

namespace internal {

void seal_bytes(std::string* bytes) {
  if (bytes->size() < kHeaderSize) return;
  Digest d = sha256(std::string_view(*bytes).substr(kHeaderSize));
  std::memcpy(bytes->data() + kChecksumOffset, d.data(), kChecksumSize);
}

}  // namespace internal
}  // namespace tenon
