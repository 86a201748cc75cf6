// Makes values and nodes through the host's tables, and walks and rewrites trees with lambdas.
#ifndef TENON_CXX_BUILDER_H
#define TENON_CXX_BUILDER_H

#include <initializer_list>
#include <optional>
#include <span>
#include <vector>

#include "node.h"

namespace tenon {

class Builder {
 public:
  Builder(const TnRuntime* rt, const TnHostIr* ir) : rt_(rt), ir_(ir) {}
  const TnRuntime* runtime() const { return rt_; }
  const TnHostIr* ir() const { return ir_; }

  // ---- Values
  Value string(std::string_view s) const {
    return call([&](TnValue* ret) { return rt_->string(s.data(), s.size(), ret); });
  }
  Array array(std::span<const Value> items) const { return array(raw(items.data()), items.size()); }
  Array array(std::initializer_list<Argument> items) const { return array(raw(items.begin()), items.size()); }
  Array array(const std::vector<Node>& items) const {
    std::vector<Value> values(items.begin(), items.end());
    return array(std::span<const Value>(values));
  }
  // Keys and values; a later entry with the same key replaces an earlier one.
  using Entries = std::vector<std::pair<std::string, Value>>;
  Map map(const Entries& entries) const {
    std::vector<Value> flat;
    for (size_t i = 0; i < entries.size(); ++i) {
      bool replaced = false;
      for (size_t j = i + 1; j < entries.size() && !replaced; ++j) replaced = entries[j].first == entries[i].first;
      if (replaced) continue;
      flat.push_back(string(entries[i].first));
      flat.push_back(entries[i].second);
    }
    return to_ref<Map>(call(
        [&](TnValue* ret) { return rt_->map(reinterpret_cast<const TnValue*>(flat.data()), flat.size() / 2, ret); }));
  }
  static Entries entries(const Map& m) {
    Entries out;
    for (const Map::Entry& e : m) out.emplace_back(std::string(e.key()), e.value());
    return out;
  }
  // The map with one entry set, or removed when the value is none.
  Map with(const Map& m, std::string_view key, Value value) const {
    Entries e;
    for (const Map::Entry& old : m)
      if (old.key() != key) e.emplace_back(std::string(old.key()), old.value());
    if (!value.is_none()) e.emplace_back(std::string(key), std::move(value));
    return map(e);
  }

  // ---- Nodes
  Node make(uint32_t kind, std::span<const Value> slots, const TnSpan* span = nullptr) const {
    return make(kind, raw(slots.data()), slots.size(), span);
  }
  template <class View>
  View make(std::initializer_list<Argument> slots, const TnSpan* span = nullptr) const {
    return static_cast<View&&>(make(View::kKind, raw(slots.begin()), slots.size(), span));
  }
  // The node with one slot replaced; the span is kept.
  Node with(const Node& n, uint32_t slot, const Argument& value) const {
    const TnValue* old = raw(n.slots());
    std::vector<TnValue> slots(old, old + n.slot_count());
    slots[slot] = *raw(&value);
    return make(n.kind(), slots.data(), slots.size(), n.span());
  }

  // ---- Loop-level expressions. Operands of a binary operation have the same dtype.
  Node imm(int64_t value, DLDataType dtype = kInt64) const { return make<ir::IntImm>({dtype, value}); }
  Node real(double value, DLDataType dtype = kFloat32) const { return make<ir::FloatImm>({dtype, value}); }
  // A constant of any dtype; a vector dtype gives a broadcast.
  Node constant_of(double value, DLDataType dtype) const {
    if (dtype.lanes > 1)
      return make<tir::Broadcast>({dtype, constant_of(value, element_of(dtype)), int64_t{dtype.lanes}});
    return is_floating(dtype) ? real(value, dtype) : imm(static_cast<int64_t>(value), dtype);
  }
  Node var(std::string_view name, Value type = kInt64) const { return make<ir::Var>({std::move(type), string(name)}); }
  Node add(const Node& a, const Node& b) const { return binary<tir::Add>(a, b); }
  Node sub(const Node& a, const Node& b) const { return binary<tir::Sub>(a, b); }
  Node mul(const Node& a, const Node& b) const { return binary<tir::Mul>(a, b); }
  Node div(const Node& a, const Node& b) const { return binary<tir::Div>(a, b); }
  Node floordiv(const Node& a, const Node& b) const { return binary<tir::FloorDiv>(a, b); }
  Node floormod(const Node& a, const Node& b) const { return binary<tir::FloorMod>(a, b); }
  Node min(const Node& a, const Node& b) const { return binary<tir::Min>(a, b); }
  Node max(const Node& a, const Node& b) const { return binary<tir::Max>(a, b); }
  Node eq(const Node& a, const Node& b) const { return compare<tir::EQ>(a, b); }
  Node ne(const Node& a, const Node& b) const { return compare<tir::NE>(a, b); }
  Node lt(const Node& a, const Node& b) const { return compare<tir::LT>(a, b); }
  Node le(const Node& a, const Node& b) const { return compare<tir::LE>(a, b); }
  Node gt(const Node& a, const Node& b) const { return compare<tir::GT>(a, b); }
  Node ge(const Node& a, const Node& b) const { return compare<tir::GE>(a, b); }
  Node logical_and(const Node& a, const Node& b) const { return compare<tir::And>(a, b); }
  Node logical_or(const Node& a, const Node& b) const { return compare<tir::Or>(a, b); }
  Node logical_not(const Node& a) const { return make<tir::Not>({with_lanes(kBool, a.dtype().lanes), a}); }
  Node select(const Node& condition, const Node& if_true, const Node& if_false) const {
    return make<tir::Select>({if_true.dtype(), condition, if_true, if_false});
  }
  Node cast(const Node& value, DLDataType dtype) const {
    return same_dtype(value.dtype(), dtype) ? value : make<tir::Cast>({dtype, value});
  }
  // A call of a loop-level intrinsic: intrinsic(kFloat32, "tir.exp", {x}).
  Node intrinsic(Value type, std::string_view op, std::initializer_list<Argument> args, const Map& attrs = {}) const {
    return make<ir::Call>(
        {std::move(type), make<ir::Op>({Value(), string(op)}), array(args), map_value(attrs), array({})});
  }

  // ---- Loop-level statements
  Node buffer(std::string_view name, DLDataType dtype, const Array& shape, std::string_view scope = "global") const {
    return make<tir::Buffer>({string(name), dtype, array_value(shape), array({}), Value(), string(scope), map({})});
  }
  Node load(const Node& buffer, const Array& indices) const {
    return make<tir::BufferLoad>({buffer.to<tir::Buffer>().dtype(), buffer, array_value(indices)});
  }
  Node store(const Node& buffer, const Array& indices, const Node& value) const {
    return make<tir::BufferStore>({buffer, value, array_value(indices)});
  }
  Node loop(const Node& var, const Node& extent, const Node& body, int64_t loop_kind = TN_FOR_SERIAL) const {
    return make<tir::For>({imm(0, var.dtype()), extent, loop_kind, "", map({}), var, body});
  }
  // A single statement stands for itself.
  Node seq(const std::vector<Node>& stmts) const {
    return stmts.size() == 1 ? stmts[0] : make<tir::Seq>({array(stmts)});
  }

  // ---- Whole trees
  Value substitute(const Value& tree, const Array& from, const Array& to) const {
    Value f = array_value(from), t = array_value(to);
    return call([&](TnValue* ret) { return ir_->substitute(ir_->self, tree.ptr(), f.ptr(), t.ptr(), ret); });
  }
  // The tree with everything that it defines made anew: for a second copy of it beside the first.
  Value renew(const Value& tree) const {
    return call([&](TnValue* ret) { return ir_->renew(ir_->self, tree.ptr(), ret); });
  }
  // Nothing when equal, else the path to the first difference.
  std::optional<std::string> difference(const Value& a, const Value& b, bool map_free = false) const {
    Value path =
        call([&](TnValue* ret) { return ir_->structural_equal(ir_->self, a.ptr(), b.ptr(), map_free ? 1 : 0, ret); });
    return path.is_none() ? std::nullopt : std::optional<std::string>(path.as_string());
  }
  // enter(const Node&) -> bool: whether to go below the node; leave(const Node&) after it. Either may throw.
  template <class Enter, class Leave>
  void walk(const Value& tree, Enter&& enter, Leave&& leave) const {
    WalkContext<std::remove_reference_t<Enter>, std::remove_reference_t<Leave>> c{rt_, &enter, &leave};
    call([&](TnValue* ret) { return ir_->walk(ir_->self, tree.ptr(), &c.on_enter, &c.on_leave, &c, ret); });
  }
  // visit(const Node&) before the children of each node.
  template <class Visit>
  void walk(const Value& tree, Visit&& visit) const {
    auto enter = [&](const Node& n) {
      visit(n);
      return true;
    };
    WalkContext<decltype(enter), int> c{rt_, &enter, nullptr};
    call([&](TnValue* ret) { return ir_->walk(ir_->self, tree.ptr(), &c.on_enter, nullptr, &c, ret); });
  }
  // f(const Node& original, const Node& rebuilt) -> Value: none to keep `rebuilt`, or its replacement (TnRewrite).
  template <class F>
  Value rewrite(const Value& tree, F&& f) const {
    struct Context {
      const TnRuntime* rt;
      std::remove_reference_t<F>* f;
    } c{rt_, &f};
    auto on_node = [](void* p, const TnNode* original, const TnNode* rebuilt, TnValue* ret) -> int {
      auto* c = static_cast<Context*>(p);
      return guard(c->rt, ret, [&] { return (*c->f)(borrow(original), borrow(rebuilt)); });
    };
    return call([&](TnValue* ret) { return ir_->rewrite(ir_->self, tree.ptr(), on_node, &c, ret); });
  }

  Value array_value(const Array& a) const { return a ? Value(a) : Value(array({})); }
  Value map_value(const Map& m) const { return m ? Value(m) : Value(map({})); }
  // A borrowed node as a Node, without counting; for the length of a call.
  static const Node& borrow(const TnNode* const& n) { return reinterpret_cast<const Node&>(n); }

 private:
  // The callbacks of a walk, as the C slots want them.
  template <class Enter, class Leave>
  struct WalkContext {
    const TnRuntime* rt;
    Enter* enter;
    Leave* leave;
    static int on_enter(void* p, const TnNode* n, TnValue* ret) {
      auto* c = static_cast<WalkContext*>(p);
      bool below = false;
      int status = guard(c->rt, ret, [&] {
        below = (*c->enter)(borrow(n));
        return Value();
      });
      return status != 0 ? status : (below ? 0 : 1);
    }
    static int on_leave(void* p, const TnNode* n, TnValue* ret) {
      auto* c = static_cast<WalkContext*>(p);
      return guard(c->rt, ret, [&] {
        (*c->leave)(borrow(n));
        return Value();
      });
    }
  };

  template <class View>
  Node binary(const Node& a, const Node& b) const {
    return make<View>({a.dtype(), a, b});
  }
  template <class View>
  Node compare(const Node& a, const Node& b) const {
    return make<View>({with_lanes(kBool, a.dtype().lanes), a, b});
  }
  static const TnValue* raw(const Value* values) { return reinterpret_cast<const TnValue*>(values); }
  static const TnValue* raw(const Argument* values) { return reinterpret_cast<const TnValue*>(values); }
  Array array(const TnValue* items, size_t count) const {
    return to_ref<Array>(call([&](TnValue* ret) { return rt_->array(items, count, ret); }));
  }
  Node make(uint32_t kind, const TnValue* slots, size_t count, const TnSpan* span) const {
    return to_ref<Node>(
        call([&](TnValue* ret) { return ir_->make(ir_->self, kind, span, slots, static_cast<int32_t>(count), ret); }));
  }
  // Takes the object that a value owns over as R.
  template <class R>
  static R to_ref(Value v) {
    using Object = typename R::Object;
    return R(Ref<Object>::adopt(reinterpret_cast<Object*>(v.release().as.object)));
  }

  const TnRuntime* rt_;
  const TnHostIr* ir_;
};

}  // namespace tenon
#endif
