// vectorize-loops: a loop marked as vectorized becomes its body on vectors, one lane per step. A longer loop is cut
// into vectors of `max_lanes` at most. What has no vector form stays a serial loop, and a note says why.
//
//   for j in T.vectorized(16): C[i, j] = C[i, j] + A[i] * B[j]
//     ->   C[i, 0:16] = C[i, 0:16] + broadcast(A[i], 16) * B[0:16]
#include "rewriter.h"

namespace tenon::loop {
namespace {

// Why a body has no vector form.
struct Refusal {
  std::string why;
};

class Body : public Rewriter {
 public:
  Body(const Builder& b, const Node& var, const Node& first, int64_t lanes)
      : Rewriter(b), lanes_(static_cast<uint16_t>(lanes)) {
    varying_.insert(var.get());
    vectors_[var.get()] = ramp(first, b.imm(1, first.dtype()));
  }
  Node run(const Node& body) { return visit(body); }

 protected:
  Node visit(const Node& n) override {
    if (!uses_any(b_, Value(n), varying_)) {
      const TnKindSchema* schema = b_.ir()->schema(b_.ir()->self, n.kind());
      if (n.is<tir::BufferStore>()) throw Refusal{"every step stores to the same element"};
      if (!(schema->flags & TN_KIND_STMT) || n.is<tir::Bind>() || n.is<tir::Assert>()) return n;
    }
    switch (n.kind()) {
      case TN_KIND_ir_Var: {
        auto it = vectors_.find(n.get());
        return it == vectors_.end() ? n : it->second;
      }
      case TN_KIND_tir_Seq: return children(n);
      case TN_KIND_tir_BufferStore: return store(n.to<tir::BufferStore>());
      case TN_KIND_tir_For: return inner_loop(n.to<tir::For>());
      case TN_KIND_tir_IfThenElse: {
        if (uses_any(b_, Value(n.to<tir::IfThenElse>().condition()), varying_))
          throw Refusal{"a condition differs between the steps"};
        return children(n);
      }
      case TN_KIND_tir_Bind: {
        const auto& bind = n.to<tir::Bind>();
        Node value = wide(visit(bind.value()));
        Node var = b_.var(bind.var().to<ir::Var>().name(), value.dtype());
        define(bind.var(), var);
        return b_.make<tir::Bind>({value, var}, n.span());
      }
      case TN_KIND_tir_Let: {
        const auto& let = n.to<tir::Let>();
        Node value = wide(visit(let.value()));
        Node var = b_.var(let.var().to<ir::Var>().name(), value.dtype());
        define(let.var(), var);
        Node body = visit(let.body());
        return b_.make<tir::Let>({body.dtype(), value, var, body});
      }
      case TN_KIND_tir_BufferLoad: {
        const auto& load = n.to<tir::BufferLoad>();
        Array indices = visit_indices(load.indices());
        return b_.make<tir::BufferLoad>({vector_of(load.dtype()), load.buffer(), indices}, n.span());
      }
      case TN_KIND_tir_Cast: {
        Node value = wide(visit(n.to<tir::Cast>().value()));
        return b_.make<tir::Cast>({vector_of(n.dtype()), value}, n.span());
      }
      case TN_KIND_tir_Not: return b_.logical_not(wide(visit(n.to<tir::Not>().a())));
      case TN_KIND_tir_Select: {
        const auto& s = n.to<tir::Select>();
        refuse_what_may_fail(s.true_value());
        refuse_what_may_fail(s.false_value());
        return b_.make<tir::Select>({vector_of(n.dtype()), wide(visit(s.condition())), wide(visit(s.true_value())),
                                     wide(visit(s.false_value()))},
                                    n.span());
      }
      case TN_KIND_ir_Call: return intrinsic(n.to<ir::Call>());
      default: break;
    }
    if (n.kind() >= TN_KIND_tir_Add && n.kind() <= TN_KIND_tir_Or) return binary(n);
    const TnKindSchema* schema = b_.ir()->schema(b_.ir()->self, n.kind());
    throw Refusal{std::string(schema->id) + " has no vector form"};
  }

 private:
  DLDataType vector_of(DLDataType t) const {
    if (t.lanes != 1) throw Refusal{"the body holds vectors already"};
    return with_lanes(t, lanes_);
  }
  Node ramp(const Node& base, const Node& stride) const {
    return b_.make<tir::Ramp>({with_lanes(base.dtype(), lanes_), base, stride, int64_t{lanes_}});
  }
  Node wide(const Node& e) const {
    if (e.dtype().lanes == lanes_) return e;
    return b_.make<tir::Broadcast>({vector_of(e.dtype()), e, int64_t{lanes_}});
  }
  void define(const Node& scalar, const Node& vector) {
    varying_.insert(scalar.get());
    vectors_[scalar.get()] = vector;
  }
  // As a vector, it is computed for the lanes too that the condition leaves out.
  void refuse_what_may_fail(const Node& e) const {
    bool loads = false, divides = false;
    b_.walk(Value(e), [&](const Node& n) {
      loads = loads || n.is<tir::BufferLoad>();
      const bool division = n.is<tir::Div>() || n.is<tir::FloorDiv>() || n.is<tir::FloorMod>() ||
                            n.is<tir::TruncDiv>() || n.is<tir::TruncMod>();
      if (!division || !is_integer(n.dtype())) return;
      const auto* divisor = as_node(n.slot(tir::DivSlot::b)).as<ir::IntImm>();
      divides = divides || !divisor || divisor->value() == 0;
    });
    if (loads) throw Refusal{"a conditional value reads memory"};
    if (divides) throw Refusal{"a conditional value divides by what may be zero"};
  }
  Array visit_indices(const Array& indices) {
    std::vector<Node> out;
    for (const Node& i : nodes(indices)) out.push_back(visit(i));
    for (size_t d = 0; d + 1 < out.size(); ++d)
      if (out[d].dtype().lanes != 1) throw Refusal{"it walks along another dimension than the last"};
    return b_.array(out);
  }

  Node store(const tir::BufferStore& s) {
    Array indices = visit_indices(s.indices());
    bool moves = false;
    for (const Node& i : nodes(indices)) moves = moves || i.dtype().lanes != 1;
    if (!moves) throw Refusal{"every step stores to the same element"};
    return b_.make<tir::BufferStore>({s.buffer(), wide(visit(s.value())), indices}, s.span());
  }

  Node inner_loop(const tir::For& loop) {
    if (uses_any(b_, loop.min(), varying_) || uses_any(b_, loop.extent(), varying_))
      throw Refusal{"an inner loop differs between the steps"};
    if (loop.loop_kind() == TN_FOR_PARALLEL || loop.loop_kind() == TN_FOR_VECTORIZED)
      throw Refusal{"an inner loop is parallel or vectorized"};
    return b_.with(loop, tir::For::Slot::body, visit(loop.body()));
  }

  // A ramp stays one where it is moved or scaled.
  Node binary(const Node& n) {
    const auto& both = static_cast<const tir::Add&>(n);  // all have the same slots
    if ((n.is<tir::And>() || n.is<tir::Or>())) refuse_what_may_fail(both.b());
    Node a = visit(both.a()), c = visit(both.b());
    const auto *ra = a.as<tir::Ramp>(), *rc = c.as<tir::Ramp>();
    bool a_scalar = a.dtype().lanes == 1, c_scalar = c.dtype().lanes == 1;
    if (n.is<tir::Add>()) {
      if (ra && c_scalar) return ramp(plus(ra->base(), c), ra->stride());
      if (rc && a_scalar) return ramp(plus(a, rc->base()), rc->stride());
      if (ra && rc) return ramp(plus(ra->base(), rc->base()), plus(ra->stride(), rc->stride()));
    }
    if (n.is<tir::Sub>() && ra && c_scalar) return ramp(b_.sub(ra->base(), c), ra->stride());
    if (n.is<tir::Mul>()) {
      if (ra && c_scalar) return ramp(times(ra->base(), c), times(ra->stride(), c));
      if (rc && a_scalar) return ramp(times(a, rc->base()), times(a, rc->stride()));
    }
    return b_.make(n.kind(), std::vector<Value>{vector_of(n.dtype()), wide(a), wide(c)}, n.span());
  }
  Node plus(const Node& a, const Node& c) const { return is_constant(a, 0) ? c : is_constant(c, 0) ? a : b_.add(a, c); }
  Node times(const Node& a, const Node& c) const {
    if (is_constant(a, 0) || is_constant(c, 1)) return a;
    return is_constant(c, 0) || is_constant(a, 1) ? c : b_.mul(a, c);
  }

  Node intrinsic(const ir::Call& c) {
    const auto* op = c.op().as<ir::Op>();
    if (!op || op->id() == "tir.call_packed" || op->id() == "tir.address_of")
      throw Refusal{"a call has no vector form"};
    std::vector<Node> args;
    bool conditional = op->id() == "tir.if_then_else";
    for (const Node& a : nodes(c.args())) {
      Node v = visit(a);
      // A condition that is the same for all steps still decides what is evaluated.
      if (conditional && args.empty() && v.dtype().lanes != 1) {
        refuse_what_may_fail(nodes(c.args())[1]);
        refuse_what_may_fail(nodes(c.args())[2]);
      }
      args.push_back(conditional && args.empty() ? v : wide(v));
    }
    return b_.make<ir::Call>(
        {vector_of(c.dtype()), c.op(), b_.array(args), b_.map_value(c.attrs()), b_.array_value(c.type_args())},
        c.span());
  }

  uint16_t lanes_;
  std::set<const TnNode*> varying_;        // variables that differ between the lanes
  std::map<const TnNode*, Node> vectors_;  // and what they became
};

class Vectorize : public Rewriter {
 public:
  Vectorize(const Builder& b, const PassArgs& args) : Rewriter(b), args_(args), max_lanes_(args.number("max_lanes")) {
    if (max_lanes_ < 1) throw Error(TN_ERROR_ARGUMENT, "max_lanes is at least 1, not " + std::to_string(max_lanes_));
  }

 protected:
  Node visit(const Node& n) override {
    if (n.is<tir::BufferLoad>()) return n;
    Node after = children(n);
    const auto* loop = after.as<tir::For>();
    if (!loop || loop->loop_kind() != TN_FOR_VECTORIZED) return after;
    try {
      return vectorized(*loop);
    } catch (const Refusal& r) {
      note(*loop, r.why);
      return b_.with(after, tir::For::Slot::loop_kind, int64_t{TN_FOR_SERIAL});
    }
  }

 private:
  Node vectorized(const tir::For& loop) {
    std::optional<int64_t> extent = constant_of(loop.extent());
    if (!extent) throw Refusal{"its extent is not a constant"};
    if (*extent <= 1) return b_.with(loop, tir::For::Slot::loop_kind, int64_t{TN_FOR_SERIAL});
    int64_t lanes = *extent;
    if (lanes > max_lanes_)
      for (lanes = max_lanes_; lanes > 1 && *extent % lanes != 0;) lanes /= 2;
    if (lanes < 2) throw Refusal{"its extent " + std::to_string(*extent) + " is not a multiple of a vector"};
    if (lanes == *extent) return Body(b_, loop.loop_var(), loop.min(), lanes).run(loop.body());
    DLDataType type = loop.loop_var().dtype();
    Node outer = b_.var(std::string(loop.loop_var().to<ir::Var>().name()) + "_vector", type);
    Node first = b_.mul(outer, b_.imm(lanes, type));
    if (!is_constant(loop.min(), 0)) first = b_.add(loop.min(), first);
    Node body = Body(b_, loop.loop_var(), first, lanes).run(loop.body());
    return b_.make<tir::For>(
        {b_.imm(0, type), b_.imm(*extent / lanes, type), int64_t{TN_FOR_SERIAL}, "", b_.map({}), outer, body},
        loop.span());
  }

  void note(const tir::For& loop, const std::string& why) {
    const TnContext* c = args_.context;
    if (!c || !TN_HAS(c, report)) return;
    std::string text = "the loop over '" + std::string(loop.loop_var().to<ir::Var>().name()) + "' of '" +
                       std::string(args_.name) + "' stays serial: " + why;
    c->report(c->self, TN_SEVERITY_NOTE, text.c_str(), loop.span(), nullptr);
  }

  const PassArgs& args_;
  int64_t max_lanes_;
};

}  // namespace

Value vectorize_loops(PassesLoop& self, const PassArgs& args, const Node& function) {
  return Vectorize(self.builder(), args).function(function.to<tir::PrimFunc>());
}

}  // namespace tenon::loop
