// Nodes and their typed views. A view (tir::For) is a Node whose kind was checked; its accessors read the slots in
// place and return borrowed references.
#ifndef TENON_CXX_NODE_H
#define TENON_CXX_NODE_H

#include <cassert>
#include <iterator>

#include "../ir.h"
#include "dtype.h"
#include "object.h"

namespace tenon {

class Node : public Ref<const TnNode> {
 public:
  Node() = default;
  Node(Ref<const TnNode> r) : Ref(std::move(r)) {}
  explicit Node(const TnNode* shared) : Ref(Ref::share(shared)) {}

  uint32_t kind() const { return p_->kind; }
  uint64_t hash() const { return p_->hash; }
  uint32_t depth() const { return p_->depth; }
  const TnSpan* span() const { return p_->span; }
  uint32_t slot_count() const { return p_->slot_count; }
  const Value& slot(uint32_t i) const { return Value::view(p_->slots[i]); }
  const Value* slots() const { return reinterpret_cast<const Value*>(p_->slots); }
  bool same_as(const Node& other) const { return p_ == other.p_; }

  template <class View>
  bool is() const {
    return p_ && p_->kind == View::kKind;
  }
  // Null when the node is of another kind.
  template <class View>
  const View* as() const {
    return is<View>() ? static_cast<const View*>(this) : nullptr;
  }
  // Throws when the node is of another kind: for what the caller has already established.
  template <class View>
  const View& to() const {
    if (p_ && p_->kind == TN_KIND_FREED)
      throw Error(TN_ERROR_PLUGIN, "a node is used after its release [O2]", {}, "sdk/docs/contract.md, rule O2");
    if (!is<View>())
      throw Error(TN_ERROR_INTERNAL, std::string("a node is not the ") + View::kId + " that was expected");
    return *static_cast<const View*>(this);
  }
  // The dtype of a loop-level expression or of anything whose first slot holds one; {0, 0, 0} otherwise.
  DLDataType dtype() const {
    return p_->slot_count && p_->slots[0].type_index == TN_DTYPE ? p_->slots[0].as.dtype : DLDataType{0, 0, 0};
  }
};

// A value that holds a node, as a node; a null node when it is none.
inline const Node& as_node(const Value& v) { return v.ref<Node>(); }

// The nodes of an array:  for (const Node& n : nodes(block.iter_vars())) ...
class NodeRange {
 public:
  explicit NodeRange(const Array& a) : begin_(a.begin()), size_(a.size()) {}
  struct Iterator {
    const Value* p;
    const Node& operator*() const { return p->ref<Node>(); }
    Iterator& operator++() {
      ++p;
      return *this;
    }
    bool operator!=(const Iterator& o) const { return p != o.p; }
    bool operator==(const Iterator& o) const { return p == o.p; }
  };
  Iterator begin() const { return {begin_}; }
  Iterator end() const { return {begin_ + size_}; }
  size_t size() const { return size_; }
  const Node& operator[](size_t i) const { return begin_[i].ref<Node>(); }

 private:
  const Value* begin_;
  size_t size_;
};
inline NodeRange nodes(const Array& a) { return NodeRange(a); }

namespace slot_type {  // how a slot of each schema type is read
struct Node {
  static const tenon::Node& get(const Value& v) { return v.ref<tenon::Node>(); }
};
struct Array {
  static const tenon::Array& get(const Value& v) { return v.ref<tenon::Array>(); }
};
struct Map {
  static const tenon::Map& get(const Value& v) { return v.ref<tenon::Map>(); }
};
struct Str {
  static std::string_view get(const Value& v) { return v.as_string(); }
};
struct Int {
  static int64_t get(const Value& v) { return v.as_int(); }
};
struct Bool {
  static bool get(const Value& v) { return v.as_bool(); }
};
struct Float {
  static double get(const Value& v) { return v.as_float(); }
};
struct DType {
  static DLDataType get(const Value& v) { return v.as_dtype(); }
};
struct Any {
  static const Value& get(const Value& v) { return v; }
};
struct Values {
  static const tenon::Array& get(const Value& v) { return v.ref<tenon::Array>(); }
};
}  // namespace slot_type

// For each kind, the indices of its slots: tir::ForSlot::body.
#define TN_SLOT_ENUM_OPEN(number, ns, Name, revision, flags) \
  namespace ns {                                             \
  struct Name##Slot {                                        \
    enum : uint32_t {
#define TN_SLOT_ENUM(name, type, role) name,
#define TN_SLOT_ENUM_CLOSE() \
  count_                     \
  }                          \
  ;                          \
  }                          \
  ;                          \
  }
TN_KINDS(TN_SLOT_ENUM_OPEN, TN_SLOT_ENUM, TN_SLOT_ENUM_CLOSE)
#undef TN_SLOT_ENUM_OPEN
#undef TN_SLOT_ENUM
#undef TN_SLOT_ENUM_CLOSE

// For each kind, its view: tir::For with loop_var(), body(), ...
#define TN_VIEW_OPEN(number, ns, Name, revision, flags) \
  namespace ns {                                        \
  class Name : public tenon::Node {                     \
   public:                                              \
    using Slot = Name##Slot;                            \
    static constexpr uint32_t kKind = number;           \
    static constexpr const char* kId = #ns "." #Name "/" #revision;
#define TN_VIEW_SLOT(name, type, role) \
  decltype(auto) name() const { return slot_type::type::get(slot(Slot::name)); }
#define TN_VIEW_CLOSE() \
  }                     \
  ;                     \
  }
TN_KINDS(TN_VIEW_OPEN, TN_VIEW_SLOT, TN_VIEW_CLOSE)
#undef TN_VIEW_OPEN
#undef TN_VIEW_SLOT
#undef TN_VIEW_CLOSE

static_assert(sizeof(Node) == sizeof(void*));

}  // namespace tenon
#endif
