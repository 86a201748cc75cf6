// What an expression contains, found before it is simplified:
//   impure    a call that may have effects: it and what is around it keep their structure
//   unsafe    a load, a call or a division by what may be zero: not simplified under a condition that another operand
//             of an operation states, since both operands may be evaluated
//   reads     memory, or calls: no fact beyond one expression may rest on it
//   branches  an operation that states a condition for its operands
#include <algorithm>

#include "arith/engine.h"

namespace tenon::arith {
namespace {

// Calls that only compute; the others are taken to have effects.
constexpr std::string_view kPure[] = {
    "tir.abs",         "tir.acos",        "tir.acosh",       "tir.asin",         "tir.asinh",      "tir.atan",
    "tir.atan2",       "tir.atanh",       "tir.bitwise_and", "tir.bitwise_not",  "tir.bitwise_or", "tir.bitwise_xor",
    "tir.ceil",        "tir.clz",         "tir.copysign",    "tir.cos",          "tir.cosh",       "tir.erf",
    "tir.exp",         "tir.exp10",       "tir.exp2",        "tir.expm1",        "tir.fabs",       "tir.floor",
    "tir.fma",         "tir.fmod",        "tir.hypot",       "tir.if_then_else", "tir.isfinite",   "tir.isinf",
    "tir.isnan",       "tir.ldexp",       "tir.likely",      "tir.log",          "tir.log10",      "tir.log1p",
    "tir.log2",        "tir.max_value",   "tir.min_value",   "tir.nearbyint",    "tir.nextafter",  "tir.popcount",
    "tir.pow",         "tir.reinterpret", "tir.rint",        "tir.round",        "tir.rsqrt",      "tir.shift_left",
    "tir.shift_right", "tir.sigmoid",     "tir.sin",         "tir.sinh",         "tir.sqrt",       "tir.tan",
    "tir.tanh",        "tir.trunc"};

bool is_pure(std::string_view op) { return std::find(std::begin(kPure), std::end(kPure), op) != std::end(kPure); }

}  // namespace

// The flags of a node itself, without its operands.
static uint8_t own_flags(const Node& n, uint8_t impure, uint8_t unsafe, uint8_t reads, uint8_t branches) {
  switch (n.kind()) {
    case TN_KIND_ir_Call: {
      const Node& op = n.to<ir::Call>().op();
      if (!op.is<ir::Op>() || !is_pure(op.to<ir::Op>().id())) return impure | unsafe | reads;
      std::string_view id = op.to<ir::Op>().id();
      if (id == "tir.if_then_else") return branches;
      return id == "tir.likely" ? 0 : unsafe;
    }
    case TN_KIND_tir_BufferLoad: return unsafe | reads;
    case TN_KIND_tir_Div:
    case TN_KIND_tir_FloorDiv:
    case TN_KIND_tir_FloorMod:
    case TN_KIND_tir_TruncDiv:
    case TN_KIND_tir_TruncMod: {
      const Value& divisor = n.slot(tir::AddSlot::b);
      return as_node(divisor).is<ir::IntImm>() && as_node(divisor).to<ir::IntImm>().value() != 0 ? 0 : unsafe;
    }
    case TN_KIND_tir_Select:
    case TN_KIND_tir_And:
    case TN_KIND_tir_Or: return branches;
    case TN_KIND_tir_Add:
    case TN_KIND_tir_Sub:
    case TN_KIND_tir_Mul:
    case TN_KIND_tir_Min:
    case TN_KIND_tir_Max:
    case TN_KIND_tir_EQ:
    case TN_KIND_tir_NE:
    case TN_KIND_tir_LT:
    case TN_KIND_tir_LE:
    case TN_KIND_tir_GT:
    case TN_KIND_tir_GE:
    case TN_KIND_tir_Not:
    case TN_KIND_tir_Cast:
    case TN_KIND_tir_Ramp:
    case TN_KIND_tir_Broadcast:
    case TN_KIND_tir_Let:
    case TN_KIND_ir_Var:
    case TN_KIND_ir_IntImm:
    case TN_KIND_ir_FloatImm:
    case TN_KIND_ir_StringImm: return 0;
    default: return impure | unsafe | reads;
  }
}

Operands operands_of(const Node& n) {
  switch (n.kind()) {
    case TN_KIND_ir_Call: return {.array = ir::CallSlot::args};
    case TN_KIND_tir_BufferLoad: return {.array = tir::BufferLoadSlot::indices};
    case TN_KIND_tir_Select: return {.first = tir::SelectSlot::condition, .count = 3};
    case TN_KIND_tir_Not: return {.first = tir::NotSlot::a, .count = 1};
    case TN_KIND_tir_Cast: return {.first = tir::CastSlot::value, .count = 1};
    case TN_KIND_tir_Ramp: return {.first = tir::RampSlot::base, .count = 2};
    case TN_KIND_tir_Broadcast: return {.first = tir::BroadcastSlot::value, .count = 1};
    default: break;
  }
  if (n.kind() >= TN_KIND_tir_Add && n.kind() <= TN_KIND_tir_Or) return {.first = tir::AddSlot::a, .count = 2};
  return {};
}

// Calls f(node) for each operand of an expression.
template <class F>
static void for_operands(const Node& n, F&& f) {
  if (const tir::Let* let = n.as<tir::Let>()) {
    f(let->value());
    f(let->body());
    return;
  }
  Operands o = operands_of(n);
  for (uint32_t i = o.first; i < o.first + o.count; ++i) f(as_node(n.slot(i)));
  if (o.array == 0) return;
  for (const Value& e : n.slot(o.array).ref<Array>())
    if (e.is_node()) f(as_node(e));
}

void Engine::begin(const Node& expr) {
  steps_ = 0;
  level_ = 0;
  proving_ = 0;
  whole_flags_ = 0;
  flags_.clear();
  if (expr.is<ir::Var>() || expr.is<ir::IntImm>()) return;
  // The flags of the whole; most expressions have none that matter.
  std::unordered_set<const TnNode*> seen;
  std::vector<const Node*> work{&expr};
  while (!work.empty()) {
    const Node& n = *work.back();
    work.pop_back();
    spend();
    whole_flags_ |= own_flags(n, kImpure, kUnsafe, kReads, kBranches);
    if (n.depth() == 1) continue;
    if (shared(n) && !seen.insert(n.get()).second) continue;
    for_operands(n, [&](const Node& child) { work.push_back(&child); });
  }
  bool parts_matter = (whole_flags_ & kImpure) != 0 || (whole_flags_ & (kUnsafe | kBranches)) == (kUnsafe | kBranches);
  if (!parts_matter) return;
  // The flags of each part: children before parents.
  struct Frame {
    const Node* n;
    bool left;
  };
  std::vector<Frame> frames{{&expr, false}};
  while (!frames.empty()) {
    Frame f = frames.back();
    frames.pop_back();
    if (!f.left) {
      if (flags_.count(f.n->get()) != 0) continue;
      frames.push_back({f.n, true});
      for_operands(*f.n, [&](const Node& child) { frames.push_back({&child, false}); });
      continue;
    }
    uint8_t flags = own_flags(*f.n, kImpure, kUnsafe, kReads, kBranches);
    for_operands(*f.n, [&](const Node& child) { flags |= flags_[child.get()]; });
    flags_[f.n->get()] = flags;
  }
}

void Engine::finish() {
  for (Memo& m : memos_) {
    if (!m.integers.empty()) m.integers.clear();
    if (!m.booleans.empty()) m.booleans.clear();
    if (!m.nodes.empty()) m.nodes.clear();
  }
}

bool Engine::has(const Node& n, uint8_t flag) const {
  if ((whole_flags_ & flag) == 0) return false;
  if (flags_.empty()) return true;
  auto f = flags_.find(n.get());
  return f == flags_.end() || (f->second & flag) != 0;
}

}  // namespace tenon::arith
