// simplify: expressions in their simplest form, given the loops and conditions around them; what never runs or does
// nothing is gone.
//
//   for i in 8:                         for i in 8:
//     for j in 1:                         B[i] = A[i]
//       if i < 8:
//         B[i + j] = A[i * 4 // 4]
//   for k in 0: C[k] = 1
//
// Where blocks are not lowered yet, a loop that reduces and may have no step stays as it is: it leaves an initial
// value.
//
// int64 is taken not to overflow where it is index arithmetic: over loop variables, symbols and scalar parameters. What
// is read from memory may be any number, and arithmetic on it wraps: it stays as it is, its indices and conditions
// apart.
#include <unordered_map>

#include "rewriter.h"

namespace tenon::loop {
namespace {

// Tells arithmetic on data from index arithmetic.
class DataArithmetic {
 public:
  // A variable that stands for a value of memory.
  void bind(const Node& var, const Node& value) {
    if (of(value).reads) data_.insert(var.get());
  }
  // Whether there is int64 arithmetic with an operand that is read from memory or called for.
  bool in(const Node& e) { return of(e).computes; }

 private:
  struct Answer {
    bool reads = false, computes = false;
  };
  Answer of(const Node& n) {
    if (n.is<ir::Var>()) return {data_.count(n.get()) != 0, false};
    if (n.slot_count() < 2) return {};
    auto known = known_.find(n.get());
    if (known != known_.end()) return known->second.second;
    Answer a;
    const auto* call = n.as<ir::Call>();
    const auto* op = call ? call->op().as<ir::Op>() : nullptr;
    bool choice = op && (op->id() == "tir.if_then_else" || op->id() == "tir.likely");
    if (n.is<tir::BufferLoad>()) {
      a.reads = true;  // its indices are index arithmetic
    } else if (call) {
      for (const Node& arg : nodes(call->args())) merge(a, of(arg));
      a.reads = a.reads || !choice;
    } else {
      if (const auto* let = n.as<tir::Let>()) bind(let->var(), let->value());
      for (uint32_t i = 1; i < n.slot_count(); ++i)
        if (n.slot(i).is_node()) merge(a, of(as_node(n.slot(i))));
      bool arithmetic = n.kind() >= TN_KIND_tir_Add && n.kind() <= TN_KIND_tir_TruncMod;
      DLDataType t = n.dtype();
      a.computes = a.computes || (arithmetic && a.reads && t.code == kDLInt && t.bits == 64);
    }
    known_.emplace(n.get(), std::pair(n, a));
    return a;
  }
  static void merge(Answer& a, Answer b) {
    a.reads = a.reads || b.reads;
    a.computes = a.computes || b.computes;
  }

  std::set<const TnNode*> data_;
  std::unordered_map<const TnNode*, std::pair<Node, Answer>>
      known_;  // the nodes are kept, so that addresses stay theirs
};

class Simplify : public Rewriter {
 public:
  Simplify(const Builder& b, const TnHostArith* table, const tir::PrimFunc& f) : Rewriter(b), arith_(b, table) {
    b.walk(Value(f.body()), [&](const Node& n) { has_blocks_ = has_blocks_ || n.is<tir::Block>(); });
    for (const Node& p : nodes(f.params())) {
      const auto* buffer = p.as<tir::Buffer>();
      if (!buffer) continue;
      for (const Node& dim : nodes(buffer->shape()))
        if (dim.is<ir::Var>()) arith_.enter(b.ge(dim, b.imm(0, dim.dtype())));
    }
  }

 protected:
  Node visit(const Node& n) override {
    switch (n.kind()) {
      case TN_KIND_tir_Seq: return visit_seq(n.to<tir::Seq>());
      case TN_KIND_tir_For: return visit_for(n.to<tir::For>());
      case TN_KIND_tir_IfThenElse: return visit_if(n.to<tir::IfThenElse>());
      case TN_KIND_tir_BlockRealize: return visit_block(n.to<tir::BlockRealize>());
      case TN_KIND_tir_BufferStore: return visit_store(n);
      case TN_KIND_tir_Assert: {
        Node after = children(n);
        return is_constant(after.to<tir::Assert>().condition(), 1) ? nothing() : after;
      }
      case TN_KIND_tir_Evaluate: {
        Node after = children(n);
        return after.to<tir::Evaluate>().value().is<ir::Call>() ? after : nothing();
      }
      case TN_KIND_tir_While: return visit_while(n.to<tir::While>());
      default: break;
    }
    const TnKindSchema* schema = b_.ir()->schema(b_.ir()->self, n.kind());
    bool expression = (schema->flags & TN_KIND_EXPR) != 0 && !n.is<ir::Op>() && !n.is<ir::GlobalVar>();
    if (!expression) return children(n);
    if (n.dtype().bits == 0) return children(n);
    if (n.is<ir::Var>()) return n;
    return data_.in(n) ? chosen(children(n)) : arith_.simplify(n);
  }

 private:
  Node nothing() const { return b_.make<tir::Evaluate>({b_.imm(0)}); }
  bool holds(const Node& condition) {
    return is_constant(condition, 1) || (!data_.in(condition) && arith_.can_prove(condition));
  }
  bool fails(const Node& condition) {
    return is_constant(condition, 0) || (!data_.in(condition) && arith_.can_prove(b_.logical_not(condition)));
  }
  // A choice whose condition is known.
  static Node chosen(const Node& n) {
    const auto* call = n.as<ir::Call>();
    const auto* op = call ? call->op().as<ir::Op>() : nullptr;
    bool select = n.is<tir::Select>(), choice = op && op->id() == "tir.if_then_else" && call->args().size() == 3;
    if (!select && !choice) return n;
    auto part = [&](uint32_t i) { return select ? as_node(n.slot(i + 1)) : as_node(call->args()[i]); };
    if (is_constant(part(0), 1)) return part(1);
    return is_constant(part(0), 0) ? part(2) : n;
  }

  // Whether a reduction in the loop goes on in its steps.
  bool reduces(const tir::For& loop) {
    std::set<const TnNode*> steps = {loop.loop_var().get()};  // and what is bound to them
    bool found = false;
    b_.walk(Value(loop.body()), [&](const Node& n) {
      if (const auto* bind = n.as<tir::Bind>(); bind && uses_any(b_, Value(bind->value()), steps))
        steps.insert(bind->var().get());
      const auto* realize = n.as<tir::BlockRealize>();
      if (!realize) return;
      const auto& block = realize->block().to<tir::Block>();
      NodeRange iters = nodes(block.iter_vars()), values = nodes(realize->iter_values());
      for (size_t i = 0; i < iters.size(); ++i) {
        const auto& iter = iters[i].to<tir::IterVar>();
        if (!uses_any(b_, Value(values[i]), steps)) continue;
        steps.insert(iter.var().get());
        found = found || (iter.iter_kind() == TN_ITER_REDUCE && !block.init().is_none());
      }
    });
    return found;
  }

  // Whether the loop reduces and may have no step, itself or one in it: its initial value then stands without a step,
  // as far as the form of the nest is one of those that loop-semantics.md lists.
  bool leaves_initial_value(const tir::For& loop) {
    if (!has_blocks_ || !reduces(loop)) return false;
    if (!arith_.can_prove(b_.gt(loop.extent(), b_.imm(0, loop.extent().dtype())))) return true;
    bool found = false;
    b_.walk(Value(loop.body()), [&](const Node& n) {
      const auto* inner = n.as<tir::For>();
      found = found || (inner && constant_of(inner->extent()).value_or(0) <= 0 && reduces(*inner));
    });
    return found;
  }

  Node visit_for(const tir::For& loop) {
    if (leaves_initial_value(loop)) return static_cast<const Node&>(loop);
    Node min = visit(loop.min()), extent = visit(loop.extent());
    if (arith_.can_prove(b_.le(extent, b_.imm(0, extent.dtype())))) return nothing();
    if (is_constant(extent, 1)) return visit(substituted(b_, loop.body(), {loop.loop_var()}, {min}));
    Node body;
    {
      auto runs = arith_.assume(b_.gt(extent, b_.imm(0, extent.dtype())));
      arith_.bind_range(loop.loop_var(), min, extent);
      body = visit(loop.body());
    }
    if (is_nothing(body)) return nothing();
    if (min.same_as(loop.min()) && extent.same_as(loop.extent()) && body.same_as(loop.body()))
      return static_cast<const Node&>(loop);
    return b_.make<tir::For>({min, extent, loop.loop_kind(), b_.string(loop.thread()), b_.map_value(loop.annotations()),
                              loop.loop_var(), body},
                             loop.span());
  }

  Node visit_if(const tir::IfThenElse& s) {
    Node condition = visit(s.condition());
    if (holds(condition)) return visit(s.then_case());
    bool has_else = !s.else_case().is_none();
    if (fails(condition)) return has_else ? visit(as_node(s.else_case())) : nothing();
    Node then_case, else_case;
    {
      auto inside = arith_.assume(condition);
      then_case = visit(s.then_case());
    }
    if (has_else) {
      auto inside = arith_.assume(b_.logical_not(condition));
      else_case = visit(as_node(s.else_case()));
      if (is_nothing(else_case)) else_case = Node();
    }
    if (is_nothing(then_case)) {
      if (!else_case) return nothing();
      return b_.make<tir::IfThenElse>({visit(b_.logical_not(condition)), else_case, Value()}, s.span());
    }
    bool same = condition.same_as(s.condition()) && then_case.same_as(s.then_case()) &&
                (has_else ? else_case && else_case.same_as(as_node(s.else_case())) : true);
    return same ? static_cast<const Node&>(s)
                : b_.make<tir::IfThenElse>({condition, then_case, Value(else_case)}, s.span());
  }

  Node visit_while(const tir::While& s) {
    Node condition = visit(s.condition());
    if (is_constant(condition, 0)) return nothing();
    auto inside = arith_.assume(condition);
    Node body = visit(s.body());
    if (condition.same_as(s.condition()) && body.same_as(s.body())) return static_cast<const Node&>(s);
    return b_.make<tir::While>({condition, body}, s.span());
  }

  Node visit_block(const tir::BlockRealize& realize) {
    const auto& block = realize.block().to<tir::Block>();
    std::vector<Node> values;
    for (const Node& v : nodes(realize.iter_values())) values.push_back(visit(v));
    Node predicate = visit(realize.predicate());
    for (const Node& i : nodes(block.iter_vars())) {
      const auto& iter = i.to<tir::IterVar>();
      const auto& domain = iter.domain().to<ir::Range>();
      arith_.bind_range(iter.var(), domain.min(), domain.extent());
    }
    auto inside = arith_.assume(predicate);
    std::vector<Value> slots(block.slots(), block.slots() + block.slot_count());
    slots[tir::Block::Slot::body] = visit(block.body());
    if (!block.init().is_none()) slots[tir::Block::Slot::init] = visit(as_node(block.init()));
    Node after = b_.make(block.kind(), slots, block.span());
    return b_.make<tir::BlockRealize>({b_.array(values), predicate, after}, realize.span());
  }

  // A store of what stands there already does nothing.
  Node visit_store(const Node& n) {
    Node after = children(n);
    const auto& s = after.to<tir::BufferStore>();
    const auto* load = s.value().as<tir::BufferLoad>();
    if (!load || !load->buffer().same_as(s.buffer())) return after;
    Value a = b_.array_value(load->indices()), c = b_.array_value(s.indices());
    Value difference =
        call([&](TnValue* ret) { return b_.ir()->structural_equal(b_.ir()->self, a.ptr(), c.ptr(), 0, ret); });
    return difference.is_none() ? nothing() : after;
  }

  Node visit_seq(const tir::Seq& seq) {
    std::vector<Node> rest, out;
    for (const Node& child : nodes(seq.stmts())) rest.push_back(child);
    std::vector<Arith::Scope> assumed;  // what assertions established; ends with the list
    bool any = false;
    for (size_t i = 0; i < rest.size(); ++i) {
      Node s = visit(rest[i]);
      any = any || !s.same_as(rest[i]);
      if (const auto* bind = s.as<tir::Bind>()) {
        const Node& value = bind->value();
        if (value.is<ir::IntImm>() || value.is<ir::FloatImm>() || value.is<ir::Var>()) {
          replace_after(rest, i, bind->var(), value);
          any = true;
          continue;
        }
        data_.bind(bind->var(), value);
        if (!data_.in(value)) learn(*bind);
      } else if (s.is<tir::AllocBuffer>() || s.is<tir::DeclBuffer>()) {
        constexpr uint32_t in_alloc = tir::AllocBuffer::Slot::buffer, in_decl = tir::DeclBuffer::Slot::buffer;
        uint32_t slot = s.is<tir::AllocBuffer>() ? in_alloc : in_decl;
        Node before = as_node(s.slot(slot)), after = simple_buffer(before.to<tir::Buffer>());
        if (!after.same_as(before)) {
          replace_after(rest, i, before, after);
          s = b_.with(s, slot, after);
          any = true;
        }
      } else if (const auto* assertion = s.as<tir::Assert>()) {
        assumed.push_back(arith_.assume(assertion->condition()));
      }
      out.push_back(s);
    }
    while (!assumed.empty()) assumed.pop_back();  // the last first
    drop_unused(out);
    return any || out.size() != seq.stmts().size() ? flat_seq(b_, out) : static_cast<const Node&>(seq);
  }

  // What follows statement `i`, as one tree: a definition that changes is replaced at all its uses.
  void replace_after(std::vector<Node>& rest, size_t i, const Node& from, const Node& to) {
    std::vector<Node> tail(rest.begin() + static_cast<ptrdiff_t>(i) + 1, rest.end());
    if (tail.empty()) return;
    Node after = substituted(b_, b_.make<tir::Seq>({b_.array(tail)}), {from}, {to});
    rest.resize(i + 1);
    for (const Node& s : nodes(after.to<tir::Seq>().stmts())) rest.push_back(s);
  }

  // The buffer with simple extents, strides and offset.
  Node simple_buffer(const tir::Buffer& buffer) {
    std::vector<Value> slots(buffer.slots(), buffer.slots() + buffer.slot_count());
    bool any = false;
    auto simple = [&](const Node& e) {
      Node after = visit(e);
      any = any || !after.same_as(e);
      return after;
    };
    for (uint32_t slot : {tir::Buffer::Slot::shape, tir::Buffer::Slot::strides}) {
      std::vector<Node> items;
      for (const Node& e : nodes(slots[slot].ref<Array>())) items.push_back(simple(e));
      slots[slot] = b_.array(items);
    }
    if (slots[tir::Buffer::Slot::elem_offset].is_node())
      slots[tir::Buffer::Slot::elem_offset] = simple(as_node(buffer.elem_offset()));
    return any ? b_.make(buffer.kind(), slots, buffer.span()) : static_cast<const Node&>(buffer);
  }

  void learn(const tir::Bind& bind) {
    DLDataType t = bind.value().dtype();
    if (!is_integer(t) || t.lanes != 1) return;
    Arith::Bounds r = arith_.bounds(bind.value());
    int64_t extent = 0;
    if (r.min == INT64_MIN || r.max == INT64_MAX || __builtin_sub_overflow(r.max, r.min, &extent) ||
        extent == INT64_MAX)
      return;
    arith_.bind_range(bind.var(), b_.imm(r.min, t), b_.imm(extent + 1, t));
  }

  // Bindings and allocations that nothing behind them uses.
  void drop_unused(std::vector<Node>& stmts) {
    std::set<const TnNode*> used;
    std::vector<Node> kept;
    for (size_t i = stmts.size(); i-- > 0;) {
      const Node& s = stmts[i];
      const auto* bind = s.as<tir::Bind>();
      const auto* alloc = s.as<tir::AllocBuffer>();
      const auto* decl = s.as<tir::DeclBuffer>();
      if (bind && !used.count(bind->var().get()) && is_pure(bind->value())) continue;
      if (alloc && !used.count(alloc->buffer().get())) continue;
      if (decl && !used.count(decl->buffer().get()) && !decl->data().is<ir::Call>()) continue;
      b_.walk(Value(s), [&](const Node& n) {
        if (n.is<ir::Var>() || n.is<tir::Buffer>()) used.insert(n.get());
      });
      if (alloc) use_shape(alloc->buffer(), used);
      if (decl) use_shape(decl->buffer(), used);
      kept.push_back(s);
    }
    stmts.assign(kept.rbegin(), kept.rend());
  }
  void use_shape(const Node& buffer, std::set<const TnNode*>& used) {
    for (uint32_t i = 0; i < buffer.slot_count(); ++i) {
      const Value& slot = buffer.slot(i);
      if (!slot.is_node() && !slot.is_array()) continue;
      b_.walk(slot, [&](const Node& n) {
        if (n.is<ir::Var>()) used.insert(n.get());
      });
    }
  }
  bool is_pure(const Node& e) {
    bool pure = true;
    b_.walk(Value(e), [&](const Node& n) {
      const auto* c = n.as<ir::Call>();
      const auto* op = c ? c->op().as<ir::Op>() : nullptr;
      if (c && (!op || op->id() == "tir.call_packed")) pure = false;
    });
    return pure;
  }

  Arith arith_;
  DataArithmetic data_;
  bool has_blocks_ = false;
};

}  // namespace

Value simplify(PassesLoop& self, const PassArgs&, const Node& function) {
  const auto& f = function.to<tir::PrimFunc>();
  return Simplify(self.builder(), self.arith(), f).function(f);
}

}  // namespace tenon::loop
