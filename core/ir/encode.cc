#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <unordered_map>

#include "diag/sha256.h"
#include "ir/bytes.h"
#include "ir/bytes_format.h"
#include "ir/hash.h"
#include "ir/limits.h"
#include "ir/make.h"
#include "ir/walk.h"

namespace tenon {
namespace {

using namespace bytes_format;

constexpr size_t kObjectsInPart = 8'000;  // what a second-level cache holds

class Output {
 public:
  void byte(uint8_t b) {
    room(1);
    *at_++ = static_cast<char>(b);
  }
  void raw(const void* data, size_t size) {
    room(size);
    if (size) std::memcpy(at_, data, size);
    at_ += size;
  }
  void number(uint64_t v) {
    room(10);
    for (; v >= 0x80; v >>= 7) *at_++ = static_cast<char>(v | 0x80);
    *at_++ = static_cast<char>(v);
  }
  void signed_number(int64_t v) { number(static_cast<uint64_t>(v) << 1 ^ static_cast<uint64_t>(v >> 63)); }
  void text(std::string_view s) {
    number(s.size());
    raw(s.data(), s.size());
  }
  void clear() { at_ = begin_.get(); }
  std::string_view bytes() const { return {begin_.get(), static_cast<size_t>(at_ - begin_.get())}; }

 private:
  struct Free {
    void operator()(char* p) const { std::free(p); }
  };
  void room(size_t size) {
    if (static_cast<size_t>(end_ - at_) < size) grow(size);
  }
  void grow(size_t size) {
    size_t used = bytes().size(), capacity = std::max<size_t>(2 * (used + size), 256);
    char* bigger = static_cast<char*>(std::realloc(begin_.get(), capacity));
    if (!bigger) throw std::bad_alloc();
    (void)begin_.release();
    begin_.reset(bigger);
    at_ = bigger + used;
    end_ = bigger + capacity;
  }
  std::unique_ptr<char, Free> begin_;
  char* at_ = nullptr;
  char* end_ = nullptr;
};

// The number of each distinct text.
class TextIndex {
 public:
  // The number of the text, and whether it is new. The characters outlive the index.
  std::pair<uint64_t, bool> add(std::string_view s) {
    if ((texts_.size() + 1) * 2 > entries_.size()) grow();
    const uint64_t hash = hash_text(0, s);
    size_t i = hash & (entries_.size() - 1);
    for (; entries_[i].number; i = (i + 1) & (entries_.size() - 1))
      if (entries_[i].hash == hash && texts_[entries_[i].number - 1] == s) return {entries_[i].number - 1, false};
    texts_.push_back(s);
    entries_[i] = {hash, texts_.size()};
    return {texts_.size() - 1, true};
  }
  size_t size() const { return texts_.size(); }
  void clear() {
    texts_.clear();
    std::fill(entries_.begin(), entries_.end(), Entry{});
  }

 private:
  struct Entry {
    uint64_t hash, number;  // 1 + that of the text; 0: free
  };
  void grow() {
    std::vector<Entry> old(entries_.empty() ? 64 : entries_.size() * 4);
    old.swap(entries_);
    for (const Entry& e : old) {
      if (!e.number) continue;
      size_t i = e.hash & (entries_.size() - 1);
      while (entries_[i].number) i = (i + 1) & (entries_.size() - 1);
      entries_[i] = e;
    }
  }
  std::vector<Entry> entries_;
  std::vector<std::string_view> texts_;
};

// Nobody but the place where it was met refers to it, so it is met once.
bool is_single(const TnObject* object) {
  return static_cast<uint32_t>(__atomic_load_n(&object->counts, __ATOMIC_RELAXED)) == 1;
}

class Encoder {
 public:
  // The table's objects have the numbers before the first one that is written. `keeps`: what is written is added to
  // them, for a later part or tree.
  Encoder(ObjectTable& known, bool keeps)
      : start_(known.objects.size()), first_(start_), count_(start_), known_(known), keeps_(keeps) {}

  void begin(const TnValue& tree) { visit(tree); }
  // Writes until all is written or there are about so many objects.
  bool write(size_t objects) {
    while (!frames_.empty() && count_ - first_ < objects) step();
    return frames_.empty();
  }
  // Takes out of the table what was written since the last part, and all that an index says of it.
  void undo_part() {
    known_.objects.resize(first_);
    known_.index.clear();
    known_.indexed = 0;
    known_.recent.clear();
  }
  // What was written since the last time. `tree` stands in the last part.
  std::string take(const TnValue& tree) {
    next_number_ = 0;
    value(objects_, tree);
    size_t total = 0;
    const std::pair<const Output*, uint64_t> tables[] = {{&texts_, text_index_.size()},
                                                         {&kinds_, kind_index_.size()},
                                                         {&spans_, span_count_},
                                                         {&constants_, constant_index_.size()},
                                                         {&objects_, count_ - first_}};
    for (const auto& [table, count] : tables) total += table->bytes().size() + 10;
    if (total > kLimits.bytes)
      throw Error(TN_ERROR_LIMIT, "a tree encodes to more than " + std::to_string(kLimits.bytes) + " bytes");
    std::string all(kMagic);
    all.reserve(kHeaderSize + total);
    const uint32_t versions[2] = {kBytesVersion, TN_IR_VOCABULARY};
    for (uint32_t v : versions)
      for (int i = 0; i < 4; ++i) all += static_cast<char>(v >> (8 * i));
    all.append(kChecksumSize, '\0');
    for (const auto& [table, count] : tables) {
      Output length;
      length.number(count);
      all += length.bytes();
      all += table->bytes();
    }
    internal::seal_bytes(&all);
    return all;
  }
  // What comes is written on its own.
  void finish_part() {
    known_.constants = std::move(constant_list_);
    if (frames_.empty() && count_ > start_) known_.recent = std::move(recent_);
    constant_list_.clear();
    for (Output* table : {&texts_, &kinds_, &spans_, &constants_, &objects_}) table->clear();
    text_index_.clear();
    kind_index_.clear();
    constant_index_.clear();
    span_index_.clear();
    last_kind_ = 0;
    last_source_ = nullptr;
    span_count_ = 0;
    first_ = count_;
  }

 private:
  struct Frame {
    const TnObject* object;
    const TnValue* next;
    const TnValue* end;
    uint32_t stride;
    uint32_t count;  // of slots that are written
    size_t numbers;  // where those of its children begin
  };

  // Notes the number of an object, or pushes it when it is not written yet.
  void visit(const TnValue& v) {
    if (v.type_index != TN_NODE && v.type_index != TN_ARRAY && v.type_index != TN_MAP) return;
    if (is_empty(v)) return;
    const TnObject* object = v.as.object;
    if (!is_single(object)) {
      if (std::optional<uint32_t> number = known_.find(object, start_)) return numbers_.push_back(*number);
    }
    if (v.type_index == TN_NODE) {
      auto* n = reinterpret_cast<const TnNode*>(object);
      uint32_t count = written_slots(n);
      frames_.push({object, n->slots, n->slots + count, 1, count, numbers_.size()});
    } else if (v.type_index == TN_ARRAY) {
      auto* a = reinterpret_cast<const TnArray*>(object);
      frames_.push({object, a->data, a->data + a->size, 1, 0, numbers_.size()});
    } else {
      auto* m = reinterpret_cast<const TnMap*>(object);
      const TnValue* first = m->size ? &m->data->value : nullptr;
      frames_.push({object, first, first + 2 * m->size, 2, 0, numbers_.size()});
    }
  }

  void step() {
    Frame& f = frames_.back();
    if (f.next < f.end) {
      const TnValue& v = *f.next;
      f.next += f.stride;
      return visit(v);
    }
    const Frame done = f;
    frames_.pop();
    next_number_ = done.numbers;
    if (done.object->type_index == TN_NODE)
      write_node(reinterpret_cast<const TnNode*>(done.object), done.count);
    else if (done.object->type_index == TN_ARRAY)
      write_array(reinterpret_cast<const TnArray*>(done.object));
    else
      write_map(reinterpret_cast<const TnMap*>(done.object));
    if (frames_.empty()) recent_.assign(numbers_.begin() + static_cast<std::ptrdiff_t>(done.numbers), numbers_.end());
    numbers_.resize(done.numbers);
    numbers_.push_back(static_cast<uint32_t>(count_));
    if (!is_single(done.object)) known_.index[done.object] = static_cast<uint32_t>(count_);
    ++count_;
    if (keeps_) {
      TnValue written{done.object->type_index, 0, {0}};
      written.as.object = const_cast<TnObject*>(done.object);
      known_.objects.push_back(Value::share(written));
    }
    if (count_ - start_ > kLimits.nodes || count_ > UINT32_MAX)
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

  void write_node(const TnNode* n, uint32_t count) {
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
        out.number(count_ - numbers_[next_number_++]);
        break;
      default: throw Error(TN_ERROR_ARGUMENT, "cannot encode " + describe(v));
    }
  }

  uint64_t text(std::string_view s) {
    auto [number, added] = text_index_.add(s);
    if (added) texts_.text(s);
    return number;
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
    uint64_t alone = 0;
    uint64_t& index = is_single(&s->header) ? alone : span_index_[s];
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
  TextIndex text_index_;
  std::unordered_map<uint32_t, uint64_t> kind_index_;
  std::unordered_map<std::string_view, uint64_t> constant_index_;
  uint32_t last_kind_ = 0;
  uint64_t last_kind_index_ = 0;
  PointerMap<uint64_t> span_index_;
  const char* last_source_ = nullptr;
  uint64_t last_source_index_ = 0;
  uint64_t span_count_ = 0;
  std::vector<const TnConstant*> constant_list_;
  std::vector<uint32_t> numbers_;  // of the children of what is being written, outermost first
  size_t next_number_ = 0;         // among those
  std::vector<uint32_t> recent_;
  size_t start_;          // how many objects the other end had before the tree
  size_t first_, count_;  // and before this part, and all
  ObjectTable& known_;
  const bool keeps_;
};

}  // namespace

std::optional<uint32_t> ObjectTable::find(const TnObject* object, size_t end) {
  if (uint32_t* number = index.find(object)) return *number;
  if (indexed >= end) return std::nullopt;
  for (uint32_t number : recent)
    if (objects[number].raw().as.object == object) return number;
  index.reserve(end);
  for (; indexed < end; ++indexed) index[objects[indexed].raw().as.object] = static_cast<uint32_t>(indexed);
  uint32_t* number = index.find(object);
  return number ? std::optional(*number) : std::nullopt;
}

std::string encode_tree(const TnValue& tree) {
  ObjectTable none;
  Encoder encoder(none, false);
  encoder.begin(tree);
  encoder.write(SIZE_MAX);
  return encoder.take(tree);
}

std::string encode_tree(const TnValue& tree, ObjectTable& known) { return encode_tree(tree, known, {}); }

std::string encode_tree(const TnValue& tree, ObjectTable& known, const std::function<void(const std::string&)>& part) {
  Encoder encoder(known, true);
  try {
    encoder.begin(tree);
    while (!encoder.write(part ? kObjectsInPart : SIZE_MAX)) {
      std::string bytes = encoder.take({TN_NONE, 0, {0}});
      encoder.finish_part();
      part(bytes);
    }
    std::string bytes = encoder.take(tree);
    encoder.finish_part();
    return bytes;
  } catch (...) {
    encoder.undo_part();
    throw;
  }
}

namespace internal {

void seal_bytes(std::string* bytes) {
  if (bytes->size() < kHeaderSize) return;
  Digest d = sha256(std::string_view(*bytes).substr(kHeaderSize));
  std::memcpy(bytes->data() + kChecksumOffset, d.data(), kChecksumSize);
}

}  // namespace internal
}  // namespace tenon
