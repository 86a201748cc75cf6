// From nodes to sums and booleans; and the expressions that are neither, whose operands are simplified in place.
#include <algorithm>

#include "arith/engine.h"

namespace tenon::arith {
namespace {

bool is_one(const Node& n) {
  const ir::FloatImm* f = n.as<ir::FloatImm>();
  return f && f->value() == 1.0;
}

std::optional<bool> known_lanes(const Node& condition) {
  const tir::Broadcast* b = condition.as<tir::Broadcast>();
  const ir::IntImm* i = b ? b->value().as<ir::IntImm>() : condition.as<ir::IntImm>();
  return i ? std::optional<bool>(i->value() != 0) : std::nullopt;
}

std::string_view intrinsic_of(const Node& n) {
  const ir::Call* c = n.as<ir::Call>();
  return c && c->op().is<ir::Op>() ? c->op().to<ir::Op>().id() : std::string_view();
}

}  // namespace

bool Engine::integers(const Node& a, const Node& b) const {
  return is_analyzed(a.dtype()) && same_dtype(a.dtype(), b.dtype());
}

Engine::Branches Engine::branches_of(const Node& n) {
  if (const tir::Select* s = n.as<tir::Select>()) return {&s->condition(), &s->true_value(), &s->false_value(), false};
  if (intrinsic_of(n) != "tir.if_then_else") return {};
  const Array& args = n.to<ir::Call>().args();
  if (args.size() != 3) return {};
  return {&as_node(args[0]), &as_node(args[1]), &as_node(args[2]), true};
}

Node Engine::any(const Node& n) {
  if (n.is<ir::IntImm>() || n.is<ir::FloatImm>() || n.is<ir::StringImm>()) return n;
  DLDataType t = n.dtype();
  if (n.is<ir::Var>() && !is_analyzed(t) && !is_bool(t)) return n;
  if (t.bits == 0 || too_deep()) return n;
  if (has(n, kImpure)) {
    Level level(*this);
    return rebuild(n);
  }
  bool keep = shared(n);
  if (keep) {
    auto known = memos_.back().nodes.find(n.get());
    if (known != memos_.back().nodes.end()) return known->second;
  }
  Node r;
  if (is_analyzed(t)) {
    r = kept(n, emit(integer(n), t));
  } else if (is_bool(t) && t.lanes == 1) {
    r = kept(n, emit(boolean(n)));
  } else {
    Level level(*this);
    if (n.is<tir::Let>())
      r = let(n);
    else if (branches_of(n).condition != nullptr)
      r = branch(n);
    else
      r = t.lanes > 1 ? vector(n) : rebuild(n);
  }
  if (keep) memos_.back().nodes.emplace(n.get(), r);
  return r;
}

Linear Engine::variable(const Node& n) {
  Atom* a = leaf(n);
  if (!a->value) return term(a);
  // The value may mention variables that were given values later.
  Linear value = *a->value, r(value.constant());
  for (const Term& t : value) {
    if (t.atom->is_variable() && t.atom->value) {
      spend();
      r.add_scaled(variable(t.atom->node), t.coef);
    } else {
      r.add_scaled(term(t.atom), t.coef);
    }
  }
  return settle(std::move(r));
}

Linear Engine::integer(const Node& n) {
  spend();
  if (const ir::IntImm* i = n.as<ir::IntImm>()) return Linear(wrap_to(i->value(), n.dtype()));
  if (n.is<ir::Var>()) return variable(n);
  bool ring = n.is<tir::Add>() || n.is<tir::Sub>() || n.is<tir::Mul>();
  if (ring && is_index(n.dtype())) return sum(n);
  if (too_deep()) return Linear(leaf(n));
  bool keep = shared(n);
  if (keep) {
    auto known = memos_.back().integers.find(n.get());
    if (known != memos_.back().integers.end()) return known->second;
  }
  Level level(*this);
  Linear r = ring ? narrow(n) : operation(n);
  if (keep) memos_.back().integers.emplace(n.get(), r);
  return r;
}

// Without recursion through Add, Sub and Mul by a constant, so that sums may be as long as nodes may be deep.
Linear Engine::sum(const Node& root) {
  struct Item {
    const Node* n;
    int64_t k;
  };
  struct Frame {
    const Node* n;
    int64_t k;  // what the enclosing frame takes this one times
    size_t work_begin;
    int64_t constant = 0;
    std::vector<Term> terms;
  };
  std::vector<Item> work;
  std::vector<Frame> frames;
  auto& memo = memos_.back().integers;
  auto open = [&](const Node& n, int64_t k) {
    frames.push_back({&n, k, work.size(), 0, {}});
    work.push_back({&n, 1});
  };
  auto add = [&](const Linear& x, int64_t k) {
    Frame& f = frames.back();
    f.constant = checked_add(f.constant, checked_mul(x.constant(), k));
    for (const Term& t : x) f.terms.push_back({t.atom, checked_mul(t.coef, k)});
    spend(static_cast<int64_t>(x.size()));
  };
  auto is_ring = [](const Node& n) { return n.is<tir::Add>() || n.is<tir::Sub>() || n.is<tir::Mul>(); };
  auto small_constant = [](const Node& n) -> const ir::IntImm* { return n.as<ir::IntImm>(); };
  if (shared(root)) {
    auto known = memo.find(root.get());
    if (known != memo.end()) return known->second;
  }
  open(root, 1);
  while (true) {
    Frame& f = frames.back();
    if (work.size() == f.work_begin) {
      std::sort(f.terms.begin(), f.terms.end(), [](const Term& x, const Term& y) { return x.atom->id < y.atom->id; });
      Linear r(f.constant);
      for (size_t i = 0; i < f.terms.size();) {
        int64_t k = 0;
        Atom* a = f.terms[i].atom;
        for (; i < f.terms.size() && f.terms[i].atom == a; ++i) k = checked_add(k, f.terms[i].coef);
        if (k != 0) r.push(a, k);
      }
      r = settle(std::move(r));
      if (shared(*f.n)) memo.emplace(f.n->get(), r);
      int64_t k = f.k;
      frames.pop_back();
      if (frames.empty()) return r;
      add(r, k);
      continue;
    }
    auto [p, k] = work.back();
    work.pop_back();
    const Node& n = *p;
    spend();
    if (!is_ring(n) || !is_index(as_node(n.slot(tir::AddSlot::a)).dtype())) {
      add(is_ring(n) ? Linear(leaf(n)) : integer(n), k);
      continue;
    }
    if (&n != f.n && shared(n)) {
      auto known = memo.find(n.get());
      if (known != memo.end())
        add(known->second, k);
      else
        open(n, k);
      continue;
    }
    const Node &a = as_node(n.slot(tir::AddSlot::a)), &b = as_node(n.slot(tir::AddSlot::b));
    if (n.is<tir::Mul>()) {
      const ir::IntImm *ca = small_constant(a), *cb = small_constant(b);
      if (cb) {
        work.push_back({&a, checked_mul(k, cb->value())});
      } else if (ca) {
        work.push_back({&b, checked_mul(k, ca->value())});
      } else if (too_deep()) {
        add(Linear(leaf(n)), k);
      } else {
        Level level(*this);
        Linear x = integer(a), y = integer(b);
        auto product = multiply(x, y, kInt64);
        add(product ? *product : Linear(leaf(b_.mul(emit(x, kInt64), emit(y, kInt64)))), k);
      }
    } else {
      work.push_back({&b, n.is<tir::Sub>() ? checked_neg(k) : k});
      work.push_back({&a, k});
    }
  }
}

// Add, Sub and Mul of types that wrap around: a sum only where bounds show that it does not.
Linear Engine::narrow(const Node& n) {
  const Node &a = as_node(n.slot(tir::AddSlot::a)), &b = as_node(n.slot(tir::AddSlot::b));
  DLDataType t = n.dtype();
  if (!integers(a, b) || !same_dtype(a.dtype(), t)) return Linear(leaf(rebuild(n)));
  Linear x = integer(a), y = integer(b);
  Interval i = interval(x), j = interval(y), type = Interval::of(t);
  if (n.is<tir::Mul>()) {
    auto exact = (i * j).within(type) ? multiply(x, y, t) : std::nullopt;
    bool parts = exact && std::all_of(exact->begin(), exact->end(), [&](const Term& term) {
                   return term.atom->op != Op::Product || interval(term.atom).within(type);
                 });
    if (parts) return settle(*exact);
  } else {
    Interval r = n.is<tir::Add>() ? i + j : i - j;
    if (r.within(type)) return settle(n.is<tir::Add>() ? x + y : x - y);
  }
  if (x.is_constant() && y.is_constant()) {
    Wide p = x.constant(), q = y.constant();
    return Linear(wrap_to(n.is<tir::Mul>() ? p * q : n.is<tir::Add>() ? p + q : p - q, t));
  }
  if (n.is<tir::Sub>() && x == y) return Linear();
  if (n.is<tir::Mul>() && (x.is_constant(0) || y.is_constant(0))) return Linear();
  std::vector<Value> slots{t, emit(x, t), emit(y, t)};
  return Linear(leaf(kept(n, b_.make(n.kind(), slots))));
}

Linear Engine::operation(const Node& n) {
  DLDataType t = n.dtype();
  auto opaque = [&] { return term(leaf(rebuild(n))); };
  switch (n.kind()) {
    case TN_KIND_tir_FloorDiv:
    case TN_KIND_tir_FloorMod:
    case TN_KIND_tir_TruncDiv:
    case TN_KIND_tir_TruncMod:
    case TN_KIND_tir_Min:
    case TN_KIND_tir_Max: {
      const Node &a = as_node(n.slot(tir::AddSlot::a)), &b = as_node(n.slot(tir::AddSlot::b));
      if (!integers(a, b) || !same_dtype(a.dtype(), t)) return opaque();
      Linear x = integer(a), y = integer(b);
      switch (n.kind()) {
        case TN_KIND_tir_FloorDiv: return divide(Op::FloorDiv, x, y, t);
        case TN_KIND_tir_FloorMod: return divide(Op::FloorMod, x, y, t);
        case TN_KIND_tir_TruncDiv: return divide(Op::TruncDiv, x, y, t);
        case TN_KIND_tir_TruncMod: return divide(Op::TruncMod, x, y, t);
        default: return extremum(n.is<tir::Min>() ? Op::Min : Op::Max, x, y, t);
      }
    }
    case TN_KIND_tir_Cast: {
      const Node& value = n.to<tir::Cast>().value();
      if (is_analyzed(value.dtype())) return cast(integer(value), value.dtype(), t);
      Node r = rebuild(n);
      const ir::IntImm* i = as_node(r.slot(tir::CastSlot::value)).as<ir::IntImm>();
      if (i && is_bool(i->dtype())) return Linear(i->value() != 0 ? 1 : 0);
      return term(leaf(r));
    }
    case TN_KIND_tir_Let: {
      Node r = let(n);
      return r.is<tir::Let>() ? Linear(leaf(r)) : integer(r);
    }
    default: break;
  }
  Branches s = branches_of(n);
  if (s.condition == nullptr || !is_bool(s.condition->dtype()) || s.condition->dtype().lanes != 1 ||
      !integers(*s.if_true, *s.if_false))
    return opaque();
  Truth c = boolean(*s.condition);
  if (c.is_known()) return integer(c.known ? *s.if_true : *s.if_false);
  Linear x = under(c, true, *s.if_true, s.lazy, [&] { return integer(*s.if_true); });
  Linear y = under(c, false, *s.if_false, s.lazy, [&] { return integer(*s.if_false); });
  return select(s.lazy ? Op::IfThenElse : Op::Select, c, x, y, t);
}

Truth Engine::boolean(const Node& n) {
  spend();
  if (const ir::IntImm* i = n.as<ir::IntImm>()) return Truth::of(i->value() != 0);
  if (n.is<ir::Var>()) return truth(leaf(n));
  if (too_deep()) return truth(leaf(n));
  bool keep = shared(n);
  if (keep) {
    auto known = memos_.back().booleans.find(n.get());
    if (known != memos_.back().booleans.end()) return known->second;
  }
  Level level(*this);
  auto visit = [&]() -> Truth {
    if (n.kind() >= TN_KIND_tir_EQ && n.kind() <= TN_KIND_tir_GE) {
      const Node &a = as_node(n.slot(tir::EQSlot::a)), &b = as_node(n.slot(tir::EQSlot::b));
      if (integers(a, b)) {
        Linear x = integer(a), y = integer(b);
        return compare(n.kind(), x, y, a.dtype());
      }
      return truth(leaf(rebuild(n)));
    }
    if (n.is<tir::And>()) return junction(Op::And, n);
    if (n.is<tir::Or>()) return junction(Op::Or, n);
    if (const tir::Not* not_ = n.as<tir::Not>()) return negate(boolean(not_->a()));
    if (n.is<tir::Let>()) {
      Node r = let(n);
      return r.is<tir::Let>() ? truth(leaf(r)) : boolean(r);
    }
    Branches s = branches_of(n);
    if (s.condition != nullptr && is_bool(s.condition->dtype()) && s.condition->dtype().lanes == 1) {
      Truth c = boolean(*s.condition);
      if (c.is_known()) return boolean(c.known ? *s.if_true : *s.if_false);
      Truth x = under(c, true, *s.if_true, s.lazy, [&] { return boolean(*s.if_true); });
      Truth y = under(c, false, *s.if_false, s.lazy, [&] { return boolean(*s.if_false); });
      if (x.is(true) && y.is(false)) return c;
      if (x.is(false) && y.is(true)) return negate(c);
      if (x.is_known() ? y.is(x.known) : x.atom == y.atom) return x;
      std::vector<Value> operands{emit(c), emit(x), emit(y)};
      if (s.lazy) return truth(leaf(kept(n, b_.with(n, ir::CallSlot::args, b_.array(operands)))));
      return truth(leaf(kept(n, b_.make<tir::Select>({n.dtype(), operands[0], operands[1], operands[2]}))));
    }
    Node r = rebuild(n);
    if (intrinsic_of(r) == "tir.likely" && as_node(r.to<ir::Call>().args()[0]).is<ir::IntImm>())
      return boolean(as_node(r.to<ir::Call>().args()[0]));
    return truth(leaf(r));
  };
  Truth r = visit();
  if (keep) memos_.back().booleans.emplace(n.get(), r);
  return r;
}

// The node with its operands simplified; the very node when none changed.
Node Engine::rebuild(const Node& n) {
  spend();
  if (has(n, kImpure) && n.is<tir::Let>()) return n;
  if (is_floating(n.dtype()) && n.kind() >= TN_KIND_tir_Add && n.kind() <= TN_KIND_tir_Max) return floating(n);
  Operands o = operands_of(n);
  std::vector<Value> slots(n.slots(), n.slots() + n.slot_count());
  bool changed = false;
  auto renew = [&](Value& v) {
    if (!v.is_node()) return false;
    Node r = any(as_node(v));
    if (r.same_as(as_node(v))) return false;
    v = Value(std::move(r));
    return true;
  };
  for (uint32_t i = o.first; i < o.first + o.count; ++i) changed |= renew(slots[i]);
  if (o.array != 0) {
    const Array& given = slots[o.array].ref<Array>();
    std::vector<Value> items(given.begin(), given.end());
    bool any_item = false;
    for (Value& v : items) any_item |= renew(v);
    if (any_item) slots[o.array] = b_.array(items);
    changed |= any_item;
  }
  return changed ? b_.make(n.kind(), slots, n.span()) : n;
}

// Chains of floating-point operations, without recursion through left operands: unrolled reductions are long.
// x * 1 and x / 1 are exact; nothing else is done to them.
Node Engine::floating(const Node& n) {
  auto& memo = memos_.back().nodes;
  std::vector<const Node*> chain;
  const Node* p = &n;
  while (is_floating(p->dtype()) && p->kind() >= TN_KIND_tir_Add && p->kind() <= TN_KIND_tir_Max &&
         !(shared(*p) && memo.count(p->get()) != 0)) {
    chain.push_back(p);
    p = &as_node(p->slot(tir::AddSlot::a));
  }
  Node a = any(*p);
  for (; !chain.empty(); chain.pop_back()) {
    spend();
    const Node& c = *chain.back();
    Node b = any(as_node(c.slot(tir::AddSlot::b)));
    bool same = a.same_as(as_node(c.slot(tir::AddSlot::a))) && b.same_as(as_node(c.slot(tir::AddSlot::b)));
    if (is_one(b) && (c.is<tir::Mul>() || c.is<tir::Div>())) {
      // a stays
    } else if (is_one(a) && c.is<tir::Mul>()) {
      a = b;
    } else if (same) {
      a = c;
    } else {
      std::vector<Value> slots{c.dtype(), a, b};
      a = b_.make(c.kind(), slots, c.span());
    }
    if (shared(c)) memo.emplace(c.get(), a);
  }
  return a;
}

Node Engine::branch(const Node& n) {
  Branches s = branches_of(n);
  if (!is_bool(s.condition->dtype())) return rebuild(n);
  if (s.condition->dtype().lanes != 1) {
    Node r = rebuild(n);
    Branches q = branches_of(r);
    auto known = q.condition ? known_lanes(*q.condition) : std::nullopt;
    return known ? (*known ? *q.if_true : *q.if_false) : r;
  }
  Truth c = boolean(*s.condition);
  if (c.is_known()) return any(c.known ? *s.if_true : *s.if_false);
  Node x = under(c, true, *s.if_true, s.lazy, [&] { return any(*s.if_true); });
  Node y = under(c, false, *s.if_false, s.lazy, [&] { return any(*s.if_false); });
  Node condition = kept(*s.condition, emit(c));
  if (condition.same_as(*s.condition) && x.same_as(*s.if_true) && y.same_as(*s.if_false)) return n;
  if (s.lazy) return b_.with(n, ir::CallSlot::args, b_.array({condition, x, y}));
  std::vector<Value> slots{n.dtype(), condition, x, y};
  return b_.make(n.kind(), slots, n.span());
}

bool Engine::mentions(const Node& tree, const Node& var) {
  std::unordered_set<const TnNode*> seen;
  std::vector<const Node*> work{&tree};
  while (!work.empty()) {
    const Node& n = *work.back();
    work.pop_back();
    spend();
    if (n.same_as(var)) return true;
    if (n.depth() == 1 || !seen.insert(n.get()).second) continue;
    for (uint32_t i = 0; i < n.slot_count(); ++i) {
      const Value& v = n.slot(i);
      if (v.is_node()) work.push_back(&as_node(v));
      if (v.is_array())
        for (const Value& e : v.ref<Array>())
          if (e.is_node()) work.push_back(&as_node(e));
    }
  }
  return false;
}

Node Engine::let(const Node& n) {
  const tir::Let& l = n.to<tir::Let>();
  DLDataType t = l.value().dtype();
  Node value = any(l.value());
  Scope scope(*this, true);
  if (is_analyzed(t) && same_dtype(l.var().dtype(), t)) {
    Linear x = integer(value);
    Atom* var = leaf(l.var());
    bool small = x.size() == 0 || (x.size() == 1 && x[0].coef == 1 && x[0].atom->is_variable());
    if (small && !var->value) {
      set_value(var, x);
    } else {
      set_range(var, interval(x));
      set_congruence(var, modular(x));
    }
  } else if (const ir::IntImm* i = value.as<ir::IntImm>(); i && is_bool(t)) {
    set_truth(leaf(l.var()), i->value() != 0);
  }
  Node body = any(l.body());
  if (!mentions(body, l.var())) return body;
  if (value.same_as(l.value()) && body.same_as(l.body())) return n;
  return b_.make<tir::Let>({n.dtype(), value, l.var(), body}, n.span());
}

}  // namespace tenon::arith
