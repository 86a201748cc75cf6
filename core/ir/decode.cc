#include <algorithm>
#include <cstring>
#include <vector>

#include "diag/sha256.h"
#include "diag/suggest.h"
#include "ir/bytes.h"
#include "ir/bytes_format.h"
#include "ir/limits.h"
#include "ir/make.h"
#include "ir/span.h"

namespace tenon {
namespace {

using namespace bytes_format;

// Keys of maps are compared and hashed where they stand, while the bytes hold each once: their total is bounded in
// proportion to the input, so that time is.
constexpr uint64_t kKeyBytesPerByte = 64;

class Input {
 public:
  explicit Input(std::string_view bytes) : bytes_(bytes) {}
  size_t offset() const { return at_; }
  size_t left() const { return bytes_.size() - at_; }

  [[noreturn]] void corrupt(const std::string& why) const {
    throw Error(TN_ERROR_CORRUPT,
                "the bytes of a tree are damaged at offset " + std::to_string(at_) + " of " +
                    std::to_string(bytes_.size()) + ": " + why,
                {}, "make the file anew");
  }
  uint8_t byte() {
    if (at_ == bytes_.size()) corrupt("they end too early");
    return static_cast<uint8_t>(bytes_[at_++]);
  }
  std::string_view take(uint64_t size) {
    if (size > left()) corrupt("they end too early");
    std::string_view s = bytes_.substr(at_, size);
    at_ += size;
    return s;
  }
  uint64_t number() {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
      uint8_t b = byte();
      if (shift == 63 && b > 1) break;
      v |= static_cast<uint64_t>(b & 0x7f) << shift;
      if (!(b & 0x80)) return v;
    }
    corrupt("a number is too large");
  }
  int64_t signed_number() {
    uint64_t v = number();
    return static_cast<int64_t>((v >> 1) ^ (~(v & 1) + 1));
  }
  int32_t small_number(uint64_t limit = INT32_MAX) {
    uint64_t v = number();
    if (v > limit) corrupt("a number is too large");
    return static_cast<int32_t>(v);
  }
  // How many things follow that take at least `bytes_each`.
  size_t count(size_t bytes_each) {
    uint64_t n = number();
    if (n > left() / bytes_each) corrupt("a count of " + std::to_string(n) + " exceeds what follows");
    return n;
  }
  size_t index(size_t size, const char* of) {
    uint64_t i = number();
    if (i >= size) corrupt(std::string("there is no ") + of + " " + std::to_string(i));
    return i;
  }

 private:
  std::string_view bytes_;
  size_t at_ = 0;
};

// A value and what nodes need to know of it.
struct Decoded {
  Value value;
  Summary summary;
};

class Decoder {
 public:
  // Appends the objects of the tree to those of the table, and takes them out again when it throws.
  Decoder(std::string_view bytes, const ConstantProvider& constants, ObjectTable& table)
      : in_(bytes), bytes_(bytes), provider_(constants), objects_(table.objects), known_(table.objects.size()) {}

  Value decode() {
    try {
      read_header();
      read_texts();
      read_kinds();
      read_spans();
      read_constants();
      read_objects();
      Value tree = value().value;
      if (in_.left()) in_.corrupt("something follows the tree");
      return tree;
    } catch (...) {
      objects_.resize(known_);
      throw;
    }
  }
  // The numbers of what stands directly in the last object.
  std::vector<uint32_t> take_children() { return std::move(children_); }

 private:
  struct Text {
    std::string_view bytes;
    Decoded text, data;  // the value as a string and as bytes, made when first used
  };

  void read_header() {
    if (in_.left() < kMagic.size() || in_.take(kMagic.size()) != kMagic)
      throw Error(TN_ERROR_CORRUPT, "these are not the bytes of a tree: they do not begin with its mark (offset 0)");
    if (in_.left() < kHeaderSize - kMagic.size()) in_.corrupt("they end too early");
    uint32_t version = word(), vocabulary = word();
    if (version != kBytesVersion)
      throw Error(TN_ERROR_UNSUPPORTED,
                  "the bytes of a tree have the format " + std::to_string(version) + ", but this version reads " +
                      std::to_string(kBytesVersion),
                  {}, "write them with this version, or read them with a newer one");
    vocabulary_ = vocabulary;
    std::string_view checksum = in_.take(kChecksumSize);
    Digest d = sha256(bytes_.substr(kHeaderSize));
    if (std::memcmp(checksum.data(), d.data(), kChecksumSize) != 0) in_.corrupt("the checksum does not match");
  }

  uint32_t word() {
    uint32_t v = 0;
    for (int i = 0; i < 4; ++i) v |= static_cast<uint32_t>(in_.byte()) << (8 * i);
    return v;
  }

  void read_texts() {
    size_t n = in_.count(1);
    texts_.reserve(n);
    for (size_t i = 0; i < n; ++i) texts_.push_back({in_.take(in_.number()), {}, {}});
  }

  void read_kinds() {
    size_t n = in_.count(1);
    for (size_t i = 0; i < n; ++i) {
      std::string_view id = in_.take(in_.number());
      uint32_t kind = find_kind(id);
      if (!kind)
        throw Error(TN_ERROR_UNSUPPORTED,
                    "the bytes of a tree hold nodes of the unknown kind `" + std::string(id.substr(0, 100)) + "`" +
                        (vocabulary_ > TN_IR_VOCABULARY
                             ? "; they were written with the IR vocabulary " + std::to_string(vocabulary_) +
                                   ", this is " + std::to_string(TN_IR_VOCABULARY)
                             : ""),
                    {}, did_you_mean(id, known_kind_ids(), "install the plugin that declares the kind"));
      kinds_.push_back(kind_info(kind));
    }
  }

  void read_spans() {
    size_t n = in_.count(5);
    spans_.reserve(n);
    for (size_t i = 0; i < n; ++i) {
      const Value& source = text(in_.index(texts_.size(), "text")).value;
      int32_t line = in_.small_number(), column = in_.small_number();
      int32_t end_line = in_.small_number(), end_column = in_.small_number();
      spans_.push_back(make_span(source, line, column, end_line, end_column));
    }
  }

  void read_constants() {
    size_t n = in_.count(2);
    for (size_t i = 0; i < n; ++i) {
      std::string_view digest = in_.take(in_.number());
      uint64_t size = in_.number();
      if (digest.size() != kDigestTextSize || !digest.starts_with("sha256:")) in_.corrupt("a constant has no digest");
      Constant c = provider_ ? provider_(digest, size) : Constant();
      if (!c)
        throw Error(TN_ERROR_NOT_FOUND,
                    "the bytes of a tree refer to the constant " + std::string(digest) + " of " + std::to_string(size) +
                        " bytes, which is not at hand",
                    {}, "give the constants that belong to it");
      if (c->size != size || digest != c->digest) in_.corrupt("a constant is not the one that was written");
      Value v(c);
      Summary s = summarize(v.raw());
      constants_.push_back({std::move(v), s});
    }
  }

  void read_objects() {
    size_t count = in_.count(2);
    if (count > kLimits.nodes) in_.corrupt("there are more than " + std::to_string(kLimits.nodes) + " objects");
    if (known_ + count > objects_.capacity()) objects_.reserve(std::max(2 * objects_.capacity(), known_ + count));
    summaries_of_objects_.reserve(count);
    for (size_t i = 0; i < count; ++i) {
      in_root_ = i + 1 == count;
      Decoded d = object();
      objects_.push_back(std::move(d.value));
      summaries_of_objects_.push_back(d.summary);
    }
    in_root_ = false;
  }

  Decoded object() {
    switch (in_.byte()) {
      case kNode: return node();
      case kArray: return array();
      case kMap: return map();
      default: in_.corrupt("an object begins with an unknown mark");
    }
  }

  Decoded node() {
    const KindInfo* info = kinds_[in_.index(kinds_.size(), "kind")];
    uint64_t range = in_.number();
    if (range > spans_.size()) in_.corrupt("there is no range " + std::to_string(range));
    size_t n = in_.count(1);
    if (n > info->schema.slot_count)
      throw Error(TN_ERROR_UNSUPPORTED,
                  std::string("a node of the kind ") + info->schema.id + " has " + std::to_string(n) +
                      " slots, but this version knows " + std::to_string(info->schema.slot_count),
                  {}, "read it with a newer version");
    slots_.clear();
    summaries_.clear();
    for (size_t i = 0; i < n; ++i) {
      Decoded d = value();
      slots_.push_back(std::move(d.value));
      summaries_.push_back(d.summary);
    }
    auto* slots = reinterpret_cast<const TnValue*>(slots_.data());
    const TnSpan* span = range ? spans_[range - 1].get() : nullptr;
    Node made =
        checked([&] { return make_node(info->schema.kind, span, slots, static_cast<int32_t>(n), summaries_.data()); });
    Summary s = summarize(Value(made).raw());
    return {std::move(made), s};
  }

  Decoded array() {
    size_t n = in_.count(1);
    add_elements(n);
    std::vector<Value> elements;
    std::vector<Summary> summaries;
    elements.reserve(n);
    summaries.reserve(n);
    for (size_t i = 0; i < n; ++i) {
      Decoded d = value();
      elements.push_back(std::move(d.value));
      summaries.push_back(d.summary);
    }
    Value v = call([&](TnValue* ret) {
      return tn_runtime()->array(reinterpret_cast<const TnValue*>(elements.data()), elements.size(), ret);
    });
    Summary s = checked([&] { return summarize_container(v.raw(), summaries.data()); });
    return {std::move(v), s};
  }

  Decoded map() {
    size_t n = in_.count(2);
    add_elements(n);
    std::vector<std::pair<std::string_view, Summary>> order;  // to bring the summaries in the order of the keys
    std::vector<Value> flat;
    order.reserve(n);
    flat.reserve(2 * n);
    for (size_t i = 0; i < n; ++i) {
      size_t key = in_.index(texts_.size(), "text");
      key_bytes_ += texts_[key].bytes.size();
      if (key_bytes_ > kKeyBytesPerByte * bytes_.size()) in_.corrupt("the keys of maps repeat too much text");
      flat.push_back(text(key).value);
      Decoded d = value();
      flat.push_back(std::move(d.value));
      order.emplace_back(texts_[key].bytes, d.summary);
    }
    std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    Value v = checked([&] {
      return call(
          [&](TnValue* ret) { return tn_runtime()->map(reinterpret_cast<const TnValue*>(flat.data()), n, ret); });
    });
    std::vector<Summary> summaries;
    summaries.reserve(n);
    for (const auto& [key, s] : order) summaries.push_back(s);
    Summary s = checked([&] { return summarize_container(v.raw(), summaries.data()); });
    return {std::move(v), s};
  }

  Decoded value() {
    switch (in_.byte()) {
      case kNone: return leaf(Value());
      case kInt: return leaf(in_.signed_number());
      case kFalse: return leaf(false);
      case kTrue: return leaf(true);
      case kFloat: {
        uint64_t bits = 0;
        for (int i = 0; i < 8; ++i) bits |= static_cast<uint64_t>(in_.byte()) << (8 * i);
        double f;
        std::memcpy(&f, &bits, 8);
        return leaf(f);
      }
      case kDType: {
        uint8_t code = in_.byte(), bits = in_.byte(), low = in_.byte(), high = in_.byte();
        return checked([&] { return leaf(DLDataType{code, bits, static_cast<uint16_t>(low | high << 8)}); });
      }
      case kDevice: {
        uint64_t type = in_.number(), id = in_.number();
        if (type > UINT32_MAX || id > UINT32_MAX) in_.corrupt("a device is out of range");
        // Its type may be one that this version does not name, so it is no enumerator yet.
        return leaf(Value::adopt({TN_DEVICE, 0, {static_cast<int64_t>(type | id << 32)}}));
      }
      case kText: return text(in_.index(texts_.size(), "text"));
      case kBytes: return data(in_.index(texts_.size(), "text"));
      case kShape: {
        size_t n = in_.count(1);
        std::vector<int64_t> extents(n);
        for (int64_t& e : extents) e = in_.signed_number();
        return leaf(call([&](TnValue* ret) { return tn_runtime()->shape(extents.data(), n, ret); }));
      }
      case kConstant: return constants_[in_.index(constants_.size(), "constant")];
      case kEmptyArray: return leaf(Value::share(slot_default(TN_SLOT_ARRAY)));
      case kEmptyMap: return leaf(Value::share(slot_default(TN_SLOT_MAP)));
      case kObject: {
        uint64_t back = in_.number();
        if (back == 0 || back > objects_.size()) in_.corrupt("an object refers to one that is not before it");
        const size_t number = objects_.size() - back;
        if (in_root_) children_.push_back(static_cast<uint32_t>(number));
        if (number < known_) return leaf(objects_[number]);
        return {objects_[number], summaries_of_objects_[number - known_]};
      }
      default: in_.corrupt("a value begins with an unknown mark");
    }
  }

  static Decoded leaf(Value v) {
    Summary s = summarize(v.raw());
    return {std::move(v), s};
  }

  const Decoded& text(size_t index) {
    Text& t = texts_[index];
    if (t.text.value.is_none())
      t.text = leaf(call([&](TnValue* ret) { return tn_runtime()->string(t.bytes.data(), t.bytes.size(), ret); }));
    return t.text;
  }
  const Decoded& data(size_t index) {
    Text& t = texts_[index];
    if (t.data.value.is_none())
      t.data = leaf(call([&](TnValue* ret) { return tn_runtime()->bytes(t.bytes.data(), t.bytes.size(), ret); }));
    return t.data;
  }

  void add_elements(size_t n) {
    elements_ += n;
    if (elements_ > kLimits.elements)
      in_.corrupt("there are more than " + std::to_string(kLimits.elements) + " elements");
  }

  // What making refuses, the bytes should not have said.
  template <class F>
  auto checked(F&& f) -> decltype(f()) {
    try {
      return f();
    } catch (const Error& e) { in_.corrupt(e.message); }
  }

  Input in_;
  std::string_view bytes_;
  const ConstantProvider& provider_;
  std::vector<Value>& objects_;
  const size_t known_;                         // how many of them earlier trees brought
  std::vector<Summary> summaries_of_objects_;  // of those that this tree brings
  uint32_t vocabulary_ = 0;
  uint64_t elements_ = 0, key_bytes_ = 0;
  std::vector<Text> texts_;
  std::vector<const KindInfo*> kinds_;
  std::vector<Span> spans_;
  std::vector<Decoded> constants_;
  bool in_root_ = false;            // the last object is read, in which all others stand
  std::vector<uint32_t> children_;  // the numbers of what stands directly in it
  std::vector<Value> slots_;        // of the node that is being read
  std::vector<Summary> summaries_;
};

}  // namespace

Value decode_tree(std::string_view bytes, const ConstantProvider& constants) {
  ObjectTable alone;
  return Decoder(bytes, constants, alone).decode();
}

Value decode_tree(std::string_view bytes, const ConstantProvider& constants, ObjectTable& known) {
  Decoder decoder(bytes, constants, known);
  Value tree = decoder.decode();
  known.recent = decoder.take_children();
  return tree;
}

}  // namespace tenon
