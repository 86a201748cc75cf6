// plan-memory: the intermediates of a host function share one arena.
//
//   lv = T.alloc_buffer((n, 4), "float32")      arena = T.alloc_buffer(((n * 16 + 63) // 64 * 64,), "uint8")
//   cls.f(x, lv)                                lv = T.decl_buffer((n, 4), "float32", data=arena.data, elem_offset=0)
//   lv1 = T.alloc_buffer((n * 4,), "float32")   cls.f(x, lv)
//   cls.reshape(lv, lv1)                   ->   lv1 = T.decl_buffer((n * 4,), "float32", data=arena.data,
//   elem_offset=0) cls.g(lv1, out)                             cls.g(lv1, out)
//
// Buffers that are never alive together lie in one slot, whose size is the greatest that it has to hold; a copy that
// only changes the shape becomes a view. Results are the caller's and never lie in the arena. The allocation is
// annotated `tenon.arena`: views of it that one call receives are apart, or meant to be one.
#include "memory_plan.h"

namespace tenon::graph {
namespace {

class PlannedFunction {
 public:
  PlannedFunction(PassesGraph& self, MemoryPlan& plan, std::string_view name, const tir::PrimFunc& f)
      : b_(self.builder()), plan_(plan), name_(name), f_(f) {}

  Node build() {
    plan_.make(f_);
    std::vector<Node> prologue = arena();
    for (size_t i = 0; i < plan_.buffers().size(); ++i)
      if (int at = plan_.buffers()[i].copy_at; at >= 0) copies_.emplace(at, static_cast<int>(i));
    if (prologue.empty() && copies_.empty()) return f_;
    for (size_t i = 0; i < plan_.buffers().size(); ++i) declare(static_cast<int>(i));
    std::vector<Node> body = prologue;
    for (const Node& s : nodes(f_.body().to<tir::Seq>().stmts())) append(s, body);
    if (body.empty()) body.push_back(b_.make<tir::Evaluate>({b_.imm(0, kInt32)}));
    Value planned = b_.make<tir::Seq>({b_.array(body)}, f_.body().span());
    planned = b_.substitute(planned, b_.array(from_), b_.array(to_));
    Builder::Entries attrs = Builder::entries(f_.attrs());
    attrs.emplace_back("tenon.arena_bytes", said(arena_bytes_));
    attrs.emplace_back("tenon.unplanned_bytes", said(unplanned_bytes()));
    Node made = b_.with(f_, tir::PrimFunc::Slot::attrs, Value(b_.map(attrs)));
    return b_.with(made, tir::PrimFunc::Slot::body, planned);
  }

 private:
  // The statements that make the arena: nothing when no buffer lies in it.
  std::vector<Node> arena() {
    std::vector<Node> out;
    arena_bytes_ = b_.imm(0);
    if (plan_.slots().empty()) return out;
    if (Node fits = sizes_fit())
      out.push_back(b_.make<tir::Assert>(
          {fits, b_.string("the intermediate tensors of '" + name_ + "' need more memory than there are addresses")}));
    Node end = b_.imm(0);  // in units of kArenaAlign bytes
    for (const ArenaSlot& slot : plan_.slots()) {
      offsets_.push_back(end);
      end = plan_.simplify(b_.add(end, plan_.units(plan_.slot_bytes(slot))));
      if (end.is<ir::IntImm>()) continue;
      Node v = b_.var("arena_end" + std::to_string(offsets_.size()));
      out.push_back(b_.make<tir::Bind>({end, v}));
      arena_units_ = arena_units_ ? as_node(b_.substitute(Value(end), b_.array(ends_), b_.array(end_values_))) : end;
      ends_.push_back(v);
      end_values_.push_back(arena_units_);
      end = v;
    }
    arena_bytes_ = b_.mul(arena_units_ ? arena_units_ : end, b_.imm(kArenaAlign));
    if (!arena_units_) arena_bytes_ = plan_.simplify(arena_bytes_);
    Node size = plan_.simplify(b_.mul(end, b_.imm(kArenaAlign)));
    arena_ = b_.buffer("arena", make_dtype(kDLUInt, 8), b_.array({Value(size)}));
    out.push_back(b_.make<tir::AllocBuffer>({b_.map({{"tenon.arena", Value(int64_t{1})}}), arena_}));
    return out;
  }

  // Whether the sizes are less than 2^62 bytes together, computed where nothing overflows; null when that is known.
  Node sizes_fit() {
    Node total;
    for (const auto& [bytes, count] : plan_.sizes()) {
      if (bytes.is<ir::IntImm>()) continue;
      Node real = as_real(bytes);
      Node size = plan_.is_negative_possible(bytes) ? b_.max(real, b_.sub(b_.real(0, kFloat64), real)) : real;
      total = total ? b_.add(total, size) : size;
    }
    return total ? b_.lt(total, b_.real(0x1p62, kFloat64)) : Node();
  }
  // An integer expression in float64; a remainder as what it is taken of, which is not less.
  Node as_real(const Node& e) {
    auto side = [&](uint32_t slot) { return as_real(as_node(e.slot(slot))); };
    constexpr uint32_t a = tir::AddSlot::a, c = tir::AddSlot::b;
    switch (e.kind()) {
      case ir::IntImm::kKind: return b_.real(static_cast<double>(e.to<ir::IntImm>().value()), kFloat64);
      case tir::Add::kKind: return b_.add(side(a), side(c));
      case tir::Sub::kKind: return b_.sub(side(a), side(c));
      case tir::Mul::kKind: return b_.mul(side(a), side(c));
      case tir::Min::kKind: return b_.min(side(a), side(c));
      case tir::Max::kKind: return b_.max(side(a), side(c));
      case tir::FloorDiv::kKind:
        if (as_node(e.slot(c)).is<ir::IntImm>()) return b_.div(side(a), side(c));
        return side(a);
      case tir::FloorMod::kKind: return side(a);
      case tir::Cast::kKind: return is_integer(e.dtype()) ? side(tir::CastSlot::value) : b_.cast(e, kFloat64);
      default: return b_.cast(e, kFloat64);
    }
  }

  // The buffer as it is declared afterwards, when that is another one than before.
  void declare(int i) {
    const PlannedBuffer& p = plan_.buffers()[static_cast<size_t>(i)];
    if (p.is_param || (!p.can_move && p.lies_in < 0)) return;
    const PlannedBuffer& root = plan_.buffers()[static_cast<size_t>(plan_.root_of(i))];
    if (root.slot < 0) return;
    const auto& buffer = p.buffer.to<tir::Buffer>();
    Node offset = plan_.simplify(b_.mul(offsets_[static_cast<size_t>(root.slot)],
                                        b_.imm(kArenaAlign / std::max<int64_t>(1, dtype_bytes(buffer.dtype())))));
    if (p.own_offset) offset = plan_.simplify(b_.add(offset, b_.cast(p.own_offset, kInt64)));
    const auto* begin = offset.as<ir::IntImm>();
    Value elem_offset = begin && begin->value() == 0 ? Value() : Value(offset);
    Node made = b_.make<tir::Buffer>({b_.string(buffer.name()), buffer.dtype(), b_.array_value(buffer.shape()),
                                      b_.array_value(buffer.strides()), elem_offset, b_.string(buffer.scope()),
                                      b_.map_value(buffer.attrs())});
    from_.push_back(p.buffer);
    to_.push_back(made);
    placed_[p.buffer.get()] = made;
  }

  // The declaration of a buffer that no longer has memory of its own.
  Node declaration(int i, const TnSpan* span) {
    const PlannedBuffer& p = plan_.buffers()[static_cast<size_t>(i)];
    const PlannedBuffer& root = plan_.buffers()[static_cast<size_t>(plan_.root_of(i))];
    auto it = placed_.find(p.buffer.get());
    return b_.make<tir::DeclBuffer>(
        {root.slot >= 0 ? arena_ : root.buffer, it == placed_.end() ? p.buffer : it->second}, span);
  }

  void append(const Node& stmt, std::vector<Node>& out) {
    if (const auto* seq = stmt.as<tir::Seq>()) {
      std::vector<Node> inner;
      for (const Node& s : nodes(seq->stmts())) append(s, inner);
      out.push_back(sequence(inner, seq->span()));
      return;
    }
    if (const auto* branch = stmt.as<tir::IfThenElse>()) {
      ++time_;
      std::vector<Node> then_case, else_case;
      append(branch->then_case(), then_case);
      Value otherwise = branch->else_case();
      if (!otherwise.is_none()) {
        append(as_node(otherwise), else_case);
        otherwise = Value(sequence(else_case, nullptr));
      }
      out.push_back(
          b_.make<tir::IfThenElse>({branch->condition(), sequence(then_case, nullptr), otherwise}, stmt.span()));
      return;
    }
    int time = time_++;
    if (auto copy = copies_.find(time); copy != copies_.end()) {
      if (!plan_.buffers()[static_cast<size_t>(copy->second)].is_param)
        out.push_back(declaration(copy->second, stmt.span()));
      return;
    }
    if (const auto* alloc = stmt.as<tir::AllocBuffer>()) {
      int i = plan_.find(alloc->buffer());
      const PlannedBuffer& p = plan_.buffers()[static_cast<size_t>(i)];
      if (p.can_move && (p.copy_at >= 0 || p.first < 0)) return;  // declared later, or never used
      if (p.can_move) return out.push_back(declaration(i, stmt.span()));
    }
    if (const auto* decl = stmt.as<tir::DeclBuffer>(); decl && decl->data().is<tir::Buffer>())
      if (int i = plan_.find(decl->buffer()); i >= 0 && plan_.buffers()[static_cast<size_t>(i)].lies_in >= 0)
        return out.push_back(declaration(i, stmt.span()));
    out.push_back(stmt);
  }

  Node sequence(const std::vector<Node>& stmts, const TnSpan* span) {
    if (stmts.empty()) return b_.make<tir::Evaluate>({b_.imm(0, kInt32)}, span);
    // A declaration needs a sequence around it, also when it is alone.
    bool flat = stmts[0].is<tir::DeclBuffer>() || stmts[0].is<tir::AllocBuffer>() || stmts[0].is<tir::Bind>();
    if (stmts.size() == 1 && !flat) return stmts[0];
    return b_.make<tir::Seq>({b_.array(stmts)}, span);
  }

  Node unplanned_bytes() {
    Node total = b_.imm(0);
    for (const auto& [bytes, count] : plan_.sizes())
      total = b_.add(total, b_.mul(plan_.units(bytes), b_.imm(count * kArenaAlign)));
    return plan_.simplify(total);
  }
  // A number, or the text of an expression of the function's symbols.
  Value said(const Node& e) {
    if (const auto* imm = e.as<ir::IntImm>()) return Value(imm->value());
    Value v(plan_.simplify(e)), none;
    return call([&](TnValue* ret) { return b_.ir()->print(b_.ir()->self, v.ptr(), none.ptr(), ret); });
  }

  const Builder& b_;
  MemoryPlan& plan_;
  std::string name_;
  tir::PrimFunc f_;
  Node arena_, arena_units_, arena_bytes_;
  std::vector<Node> offsets_;            // of the slots, in units
  std::vector<Node> ends_, end_values_;  // the variables of symbolic offsets, and what they are
  std::vector<Node> from_, to_;
  std::map<const TnNode*, Node> placed_;
  std::map<int, int> copies_;  // when a copy becomes a view -> the buffer that is the view
  int time_ = 0;
};

}  // namespace

Value plan_memory(PassesGraph& self, const PassArgs& args, const Node& module) {
  const Builder& b = self.builder();
  auto& m = module.to<ir::Module>();
  const WrittenParams written = find_written_params(b, m);
  MemoryPlan plan(self, m, written, {args.flag("reuse"), args.flag("views")});
  Builder::Entries functions;
  bool changed = false;
  for (const Map::Entry& e : m.functions()) {
    functions.emplace_back(std::string(e.key()), e.value());
    const auto* f = as_node(e.value()).as<tir::PrimFunc>();
    const Value* host = f ? f->attrs().find("tenon.host") : nullptr;
    if (!host || f->attrs().find("tenon.arena_bytes") || !f->body().is<tir::Seq>()) continue;
    Node planned = PlannedFunction(self, plan, e.key(), *f).build();
    changed = changed || !planned.same_as(*f);
    functions.back().second = planned;
  }
  if (!changed) return m;
  return b.with(m, ir::Module::Slot::functions, Value(b.map(functions)));
}

}  // namespace tenon::graph
