#include "ir/rewrite.h"

#include "ir/scoped_walk.h"

namespace tenon {
namespace {

bool is_shared(const TnObject* o) { return static_cast<uint32_t>(__atomic_load_n(&o->counts, __ATOMIC_RELAXED)) > 1; }

class Rewriter {
 public:
  explicit Rewriter(RewritePolicy& policy) : policy_(policy) {}
  Rewriter(const Rewriter&) = delete;
  Rewriter& operator=(const Rewriter&) = delete;
  ~Rewriter() {
    for (TnValue& v : out_) tn_value_release(&v);
    memo_.for_each([](const void*, TnValue& v) { tn_value_release(&v); });
    definitions_.for_each([](const void*, TnValue& v) { tn_value_release(&v); });
  }

  Value run(const TnValue& tree) {
    frames_.push({nullptr, &tree, 0, 1, 0, 1, What::kRoot, false, false});
    while (step()) {}
    if (out_.empty()) return Value::share(tree);
    Value result = Value::adopt(out_.back());
    out_.pop_back();
    return result;
  }

 private:
  enum class What : uint8_t { kRoot, kNode, kArray, kMap };
  struct Frame {
    const TnObject* object;
    const TnValue* data;  // the first child
    size_t index, size;
    size_t out;       // where its new children begin in out_, once it has changed
    uint32_t stride;  // in values: 2 for the entries of a map
    What what;
    bool changed;
    bool defines;  // a variable at its definition, or an array of them
  };

  // The child of the top frame stays as it is.
  void keep(Frame& f) {
    if (f.changed) out_.push_back(Value::share(f.data[f.index * f.stride]).release());
    ++f.index;
  }

  // The child of the top frame becomes `result`.
  void accept(Frame& f, Value result) {
    if (!f.changed) {
      f.changed = true;
      f.out = out_.size();
      for (size_t i = 0; i < f.index; ++i) out_.push_back(Value::share(f.data[i * f.stride]).release());
    }
    bool splice = f.what == What::kArray && result.is_array() && f.data[f.index].type_index == TN_NODE;
    ++f.index;
    if (!splice) {
      out_.push_back(result.release());
      return;
    }
    for (const Value& element : as_array(result)) out_.push_back(Value(element).release());
  }

  // Hands a result (none: it stays) to the frame at the top.
  void deliver(Value result) {
    Frame& parent = frames_.back();
    if (result.is_none())
      keep(parent);
    else
      accept(parent, std::move(result));
  }

  static void remember(PointerMap<TnValue>& memo, const TnObject* object, const Value& result) {
    TnValue& slot = memo[object];
    TnValue old = std::exchange(slot, Value(result).release());
    tn_value_release(&old);
  }

  // What a shared object became; null when it has not been met. A variable that was met in a shape before its
  // definition is asked about again there only when it became something that cannot be defined.
  const TnValue* recall(const TnObject* object, bool defined) {
    if (!defined || object->type_index != TN_NODE) return memo_.find(object);
    if (const TnValue* definition = definitions_.find(object)) return definition;
    const TnValue* use = memo_.find(object);
    bool definable =
        use && (use->type_index == TN_NONE ||
                (use->type_index == TN_NODE && kind_info(static_cast<const TnNode*>(use->as.p)->kind)->is_identity()));
    return definable ? use : nullptr;
  }

  bool step() {
    Frame& f = frames_.back();
    if (f.index >= f.size) {
      if (f.what == What::kRoot) return false;
      finish();
      return true;
    }
    const TnValue& v = f.data[f.index * f.stride];
    if (v.type_index != TN_NODE && v.type_index != TN_ARRAY && v.type_index != TN_MAP) {
      keep(f);
      return true;
    }
    const TnObject* object = v.as.object;
    bool defined = f.what == What::kNode ? defines_at(reinterpret_cast<const TnNode*>(f.object), f.index) : f.defines;
    if (is_shared(object)) {
      if (const TnValue* known = recall(object, defined)) {
        if (known->type_index == TN_NONE)
          keep(f);
        else
          accept(f, Value::share(*known));
        return true;
      }
    }
    if (v.type_index == TN_NODE) {
      auto* n = reinterpret_cast<const TnNode*>(object);
      bool variable = (flags_of(n) & kIsVariable) != 0;
      if (!variable && policy_.skip(n)) {
        keep(f);
        return true;
      }
      // A leaf, a use of a variable, or a symbolic dimension where it is met: nothing below it is visited.
      if (variable ? !defined : n->depth == 1) {
        Value replaced = checked(n, policy_.replace(n, n));
        if (variable || is_shared(object)) remember(memo_, object, replaced);
        deliver(std::move(replaced));
        return true;
      }
      frames_.push({object, n->slots, 0, n->slot_count, 0, 1, What::kNode, false, variable});
    } else if (v.type_index == TN_ARRAY) {
      auto* a = reinterpret_cast<const TnArray*>(object);
      frames_.push({object, a->data, 0, a->size, 0, 1, What::kArray, false, defined});
    } else {
      auto* m = reinterpret_cast<const TnMap*>(object);
      frames_.push({object, m->size ? &m->data->value : nullptr, 0, m->size, 0, 2, What::kMap, false, false});
    }
    return true;
  }

  // All children of the top frame are done.
  void finish() {
    Frame f = frames_.back();
    Value result;
    if (f.changed) {
      const TnValue* children = out_.data() + f.out;
      size_t n = out_.size() - f.out;
      result = rebuild(f, children, n);
      if (f.what == What::kNode) {
        out_.resize(f.out);  // the node has taken them over
      } else {
        for (; out_.size() > f.out; out_.pop_back()) tn_value_release(&out_.back());
      }
    }
    frames_.pop();
    if (f.what == What::kNode) {
      auto* original = reinterpret_cast<const TnNode*>(f.object);
      auto* rebuilt = result.is_none() ? original : reinterpret_cast<const TnNode*>(result.raw().as.object);
      Value replaced = checked(
          original, f.defines ? policy_.replace_definition(original, rebuilt) : policy_.replace(original, rebuilt));
      if (!replaced.is_none()) result = std::move(replaced);
      if (f.defines) {
        remember(definitions_, f.object, result);
        remember(memo_, f.object, checked(original, policy_.replace_uses(original, result)));
        deliver(std::move(result));
        return;
      }
    }
    if (is_shared(f.object)) remember(memo_, f.object, result);
    deliver(std::move(result));
  }

  // What a policy answered, none when it is the node itself.
  static Value checked(const TnNode* original, Value v) {
    if (v.is_none() || v.is_array()) return v;
    if (!v.is_node())
      throw Error(TN_ERROR_ARGUMENT, "a rewrite replaced " + describe(node_value(original)) + " by " +
                                         describe(v.raw()) + ", but only a node or an array can stand there");
    return v.raw().as.p == original ? Value() : v;
  }

  static Value rebuild(const Frame& f, const TnValue* children, size_t n) {
    if (f.what == What::kNode) {
      auto* node = reinterpret_cast<const TnNode*>(f.object);
      return make_node_taking(node->kind, node->span, children, static_cast<int32_t>(n));
    }
    if (f.what == What::kArray) return call([&](TnValue* ret) { return tn_runtime()->array(children, n, ret); });
    auto* m = reinterpret_cast<const TnMap*>(f.object);
    std::vector<TnValue> flat;
    flat.reserve(2 * n);
    for (size_t i = 0; i < n; ++i) {
      flat.push_back(m->data[i].key);
      flat.push_back(children[i]);
    }
    return call([&](TnValue* ret) { return tn_runtime()->map(flat.data(), n, ret); });
  }

  static const Array& as_array(const Value& v) { return v.ref<Array>(); }
  static bool defines_at(const TnNode* n, size_t slot) {
    return (flags_of(n) & kHasDefinitions) != 0 && (kind_info(n->kind)->def_slots >> slot & 1) != 0;
  }
  static TnValue node_value(const TnNode* n) {
    TnValue v{TN_NODE, 0, {0}};
    v.as.p = const_cast<TnNode*>(n);
    return v;
  }

  RewritePolicy& policy_;
  FrameStack<Frame> frames_;
  std::vector<TnValue> out_;         // owned: the new children of the frames that changed
  PointerMap<TnValue> memo_;         // owned: what shared objects became; none: they stay
  PointerMap<TnValue> definitions_;  // owned: what stands where a variable was defined
};

// Gives each variable of a set a new identity.
class Renewal : public RewritePolicy {
 public:
  explicit Renewal(const TnValue& tree) {
    struct Collect : ScopeVisitor {
      PointerMap<char>* defined;
      void define(const TnNode* variable, bool) { (*defined)[variable] = 1; }
    } collect;
    collect.defined = &defined_;
    scoped_walk(tree, collect);
  }
  bool skip(const TnNode* n) override { return (flags_of(n) & kHasVariables) == 0; }
  Value replace(const TnNode* original, const TnNode* rebuilt) override {
    if (!defined_.find(original)) return {};
    return make_node(rebuilt->kind, rebuilt->span, rebuilt->slots, static_cast<int32_t>(rebuilt->slot_count));
  }

 private:
  PointerMap<char> defined_;
};

class Substitution : public RewritePolicy {
 public:
  Substitution(const Array& from, const Array& to) {
    if (from.size() != to.size())
      throw Error(TN_ERROR_ARGUMENT, "cannot substitute " + std::to_string(from.size()) + " variables by " +
                                         std::to_string(to.size()) + " replacements");
    for (size_t i = 0; i < from.size(); ++i) {
      if (!from[i].is_node() || !kind_info(as_node(from[i]).kind())->is_identity())
        throw Error(TN_ERROR_ARGUMENT,
                    "cannot substitute " + describe(from[i].raw()) + ": only a Var or a Buffer can be replaced");
      if (!to[i].is_node())
        throw Error(TN_ERROR_ARGUMENT,
                    "cannot put " + describe(to[i].raw()) + " in the place of a variable: a node is needed");
      map_[as_node(from[i]).get()] = as_node(to[i]).get();
    }
  }
  bool skip(const TnNode* n) override { return (flags_of(n) & kHasVariables) == 0; }
  Value replace(const TnNode* original, const TnNode*) override {
    const TnNode** to = map_.find(original);
    return to ? Value(Node(*to)) : Value();
  }
  Value replace_definition(const TnNode* original, const TnNode*) override {
    const TnNode** to = map_.find(original);
    return to && kind_info((*to)->kind)->is_identity() ? Value(Node(*to)) : Value();
  }
  Value replace_uses(const TnNode* original, const Value& definition) override {
    const TnNode** to = map_.find(original);
    return to ? Value(Node(*to)) : definition;
  }

 private:
  PointerMap<const TnNode*> map_;
};

}  // namespace

Value rewrite_tree(const TnValue& tree, RewritePolicy& policy) { return Rewriter(policy).run(tree); }

Value substitute(const TnValue& tree, const Array& from, const Array& to) {
  Substitution policy(from, to);
  return rewrite_tree(tree, policy);
}

Value renew(const TnValue& tree) {
  Renewal policy(tree);
  return rewrite_tree(tree, policy);
}

}  // namespace tenon
