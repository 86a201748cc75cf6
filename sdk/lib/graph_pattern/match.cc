// Where patterns match: a search over pairs of a pattern and an expression, with either order tried where operands
// commute.
#include <algorithm>

#include "graph_pattern/condition.h"
#include "graph_pattern/graph_pattern.h"

namespace tenon {
namespace {

constexpr int kMaxSteps = 20000;  // of one search

// An attribute of a call against a literal of the pattern. A number stands for a list of nothing but itself.
bool equal_literals(const Value& have, const Value& want) {
  if (want.is_none() || have.is_none()) return want.is_none() && have.is_none();
  if (want.is_array() && have.is_array()) {
    const Array &a = have.ref<Array>(), &b = want.ref<Array>();
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); ++i)
      if (!equal_literals(a[i], b[i])) return false;
    return true;
  }
  if (have.is_array()) {
    if (!want.is_int()) return false;
    for (const Value& v : have.ref<Array>())
      if (!equal_literals(v, want)) return false;
    return true;
  }
  if (want.is_array())
    return have.is_int() && want.ref<Array>().size() == 1 && equal_literals(have, want.ref<Array>()[0]);
  if (have.is_node()) {
    if (auto* i = as_node(have).as<ir::IntImm>()) return equal_literals(i->value(), want);
    if (auto* f = as_node(have).as<ir::FloatImm>()) return equal_literals(f->value(), want);
    return false;
  }
  if (have.is_dtype()) return want.is_string() && dtype_text(have.as_dtype()) == want.as_string();
  if (have.is_string() || want.is_string())
    return have.is_string() && want.is_string() && have.as_string() == want.as_string();
  if (have.is_bool() || want.is_bool()) return have.is_bool() && want.is_bool() && have.as_bool() == want.as_bool();
  bool numbers = (have.is_int() || have.is_float()) && (want.is_int() || want.is_float());
  return numbers && have.as_float() == want.as_float();
}

// Constants are compared by what they refer to, everything else by identity.
bool same_value(const Node& a, const Node& b) {
  if (a.same_as(b)) return true;
  auto *x = a.as<ir::Constant>(), *y = b.as<ir::Constant>();
  if (!x || !y || x->data().type_index() != TN_CONSTANT || y->data().type_index() != TN_CONSTANT) return false;
  auto* p = reinterpret_cast<const TnConstant*>(x->data().raw().as.object);
  auto* q = reinterpret_cast<const TnConstant*>(y->data().raw().as.object);
  return p->size == q->size && std::string_view(p->digest) == q->digest;
}

}  // namespace

const Value& type_of_value(const Node& expression) { return expression.slot(0); }

PatternMatcher::PatternMatcher(const Builder& b, const TnHostOps* ops, const TnHostArith* arith, const Node& function)
    : b_(b), ops_(ops), arith_(arith) {
  add_sequence(function.to<relax::Function>().body());
}

void PatternMatcher::add_sequence(const Node& expression) {
  auto* seq = expression.as<relax::SeqExpr>();
  if (!seq) return add_uses(expression, nullptr);
  int number = sequences_++;
  for (const Node& block : nodes(seq->blocks())) {
    auto* dataflow = block.as<relax::DataflowBlock>();
    for (const Node& n : nodes(dataflow ? dataflow->bindings() : block.to<relax::BindingBlock>().bindings())) {
      auto* binding = n.as<relax::VarBinding>();
      if (!binding) {
        add_uses(n, nullptr);
        continue;
      }
      bool is_pure = dataflow || is_pure_value(binding->value());
      defined_by_.emplace(binding->var().get(), order_.size());
      order_.push_back({n, number, is_pure});
      if (auto* branch = binding->value().as<relax::If>()) {
        add_uses(branch->condition(), nullptr);
        add_sequence(branch->then_branch());
        add_sequence(branch->else_branch());
      } else {
        add_uses(binding->value(), n.get());
      }
    }
  }
  add_sequence(seq->body());
}

void PatternMatcher::add_uses(const Node& tree, const TnNode* by) {
  b_.walk(Value(tree), [&](const Node& n) {
    if (n.is<ir::Var>()) users_[n.get()].insert(by);
  });
}

// Whether the value may be computed later than where it stands.
bool PatternMatcher::is_pure_value(const Node& value) const {
  auto* call = value.as<ir::Call>();
  if (!call) return !value.is<relax::If>();
  auto* op = call->op().as<ir::Op>();
  if (!op) return false;
  if (op->id() == "relax.call_tir" || op->id() == "relax.call_dps_packed" || op->id() == "relax.call_pure_packed")
    return true;
  Value record = tenon::call([&](TnValue* ret) { return ops_->find(ops_->self, std::string(op->id()).c_str(), ret); });
  const Value* effects = record.is_map() ? record.ref<Map>().find("effects") : nullptr;
  return effects && effects->as_string() == "pure";
}

bool PatternMatcher::attributes_match(const Pattern& pattern, const ir::Call& call) const {
  if (pattern.attrs.empty()) return true;
  Value record = tenon::call([&](TnValue* ret) { return ops_->find(ops_->self, pattern.op.c_str(), ret); });
  const Value* declared = record.is_map() ? record.ref<Map>().find("attrs") : nullptr;
  for (const auto& [name, want] : pattern.attrs) {
    Value have;
    if (const Value* given = call.attrs().find(name)) {
      have = *given;
    } else if (const Value* row = declared && declared->is_map() ? declared->ref<Map>().find(name) : nullptr;
               row && row->is_map()) {
      if (const Value* otherwise = row->ref<Map>().find("default")) have = *otherwise;
    }
    if (!equal_literals(have, want)) return false;
  }
  return true;
}

struct PatternMatcher::Search {
  struct Goal {
    const Pattern* pattern;
    Node value;
  };
  struct State {
    std::vector<Goal> goals;  // the next one last
    std::set<size_t> bindings;
    std::vector<std::pair<std::string, Node>> operands;
    std::map<std::string, Node> named;
  };

  const PatternMatcher& m;
  const GraphPattern& pattern;
  size_t root;
  int steps = 0;

  // The expression behind a variable; the bindings on the way are noted. Aliases are followed.
  Node opened(Node value, State& s) const {
    while (value.is<ir::Var>()) {
      auto it = m.defined_by_.find(value.get());
      if (it == m.defined_by_.end()) break;
      s.bindings.insert(it->second);
      value = m.order_[it->second].binding.to<relax::VarBinding>().value();
    }
    return value;
  }

  bool bind(const std::string& name, const Node& value, State& s) const {
    if (name.empty()) return true;
    auto [it, is_new] = s.named.emplace(name, value);
    return is_new || same_value(it->second, value);
  }

  bool solve(State& s, State* solution) {
    while (!s.goals.empty()) {
      if (++steps > kMaxSteps) return false;
      Goal goal = std::move(s.goals.back());
      s.goals.pop_back();
      const Pattern& p = *goal.pattern;
      if (p.kind == Pattern::kAny) {
        bool known = !p.name.empty() && s.named.contains(p.name);
        if (!bind(p.name, goal.value, s)) return false;
        if (!known) s.operands.emplace_back(p.name, goal.value);
        continue;
      }
      Node value = opened(goal.value, s);
      if (p.kind == Pattern::kConstant) {
        if (!value.is<ir::Constant>() || !bind(p.name, value, s)) return false;
        continue;
      }
      Array operands;
      if (p.kind == Pattern::kTuple) {
        if (!value.is<relax::Tuple>()) return false;
        operands = value.to<relax::Tuple>().fields();
      } else if (p.kind == Pattern::kField) {
        auto* field = value.as<relax::TupleGetItem>();
        if (!field || field->index() != p.index) return false;
        s.goals.push_back({&p.operands[0], field->tuple()});
        continue;
      } else {
        auto* call = value.as<ir::Call>();
        auto* op = call ? call->op().as<ir::Op>() : nullptr;
        if (!op || op->id() != p.op || !m.attributes_match(p, *call)) return false;
        operands = call->args();
      }
      if (operands.size() != p.operands.size()) return false;
      size_t n = operands.size();
      if (p.commutative && n == 2) {
        // The operands of the pattern are met in its own order, whichever stands first in the program.
        State other = s;
        other.goals.push_back({&p.operands[1], nodes(operands)[0]});
        other.goals.push_back({&p.operands[0], nodes(operands)[1]});
        s.goals.push_back({&p.operands[1], nodes(operands)[1]});
        s.goals.push_back({&p.operands[0], nodes(operands)[0]});
        return solve(s, solution) || solve(other, solution);
      }
      for (size_t i = n; i-- > 0;) s.goals.push_back({&p.operands[i], nodes(operands)[i]});
    }
    if (!is_closed(s) || !conditions_hold(s)) return false;
    *solution = std::move(s);
    return true;
  }

  // All stand in one sequence, and nothing between them has an effect that a later computation could see. No value but
  // the last is used by what is not part of the match.
  bool is_closed(const State& s) const {
    for (size_t i = *s.bindings.begin(); i <= root; ++i) {
      const Place& place = m.order_[i];
      if (s.bindings.contains(i) ? place.sequence != m.order_[root].sequence : !place.is_pure) return false;
    }
    for (size_t i : s.bindings) {
      if (i == root) continue;
      auto users = m.users_.find(m.order_[i].binding.to<relax::VarBinding>().var().get());
      if (users == m.users_.end()) continue;
      for (const TnNode* by : users->second) {
        if (!by) return false;
        bool member = false;
        for (size_t k : s.bindings) member = member || m.order_[k].binding.get() == by;
        if (!member) return false;
      }
    }
    // What the match takes from outside is not made inside.
    for (const auto& [name, value] : s.operands)
      if (auto it = m.defined_by_.find(value.get()); it != m.defined_by_.end() && s.bindings.contains(it->second))
        return false;
    return true;
  }

  bool conditions_hold(const State& s) const {
    if (pattern.conditions.empty()) return true;
    std::map<std::string, Node> values = s.named;
    values["out"] = m.order_[root].binding.to<relax::VarBinding>().var();
    for (const auto& condition : pattern.conditions)
      if (!condition_holds(m.b_, m.arith_, *condition, values)) return false;
    return true;
  }
};

std::optional<PatternMatch> PatternMatcher::match(const GraphPattern& pattern, const Node& binding) const {
  auto* vb = binding.as<relax::VarBinding>();
  auto at = vb ? defined_by_.find(vb->var().get()) : defined_by_.end();
  if (at == defined_by_.end() || !vb->value().is<ir::Call>()) return std::nullopt;
  Search search{*this, pattern, at->second};
  Search::State start, solution;
  start.goals.push_back({&pattern.root, vb->var()});
  if (!search.solve(start, &solution)) return std::nullopt;
  PatternMatch out;
  out.pattern = &pattern;
  for (size_t i : solution.bindings) out.bindings.push_back(order_[i].binding);
  out.operands = std::move(solution.operands);
  out.named = std::move(solution.named);
  return out;
}

std::vector<PatternMatch> PatternMatcher::find_all(const std::vector<GraphPattern>& patterns) const {
  return find_all(patterns, [](const PatternMatch&) { return true; });
}

std::vector<PatternMatch> PatternMatcher::find_all(const std::vector<GraphPattern>& patterns,
                                                   const std::function<bool(const PatternMatch&)>& accept) const {
  std::vector<PatternMatch> out;
  std::set<const TnNode*> taken;
  for (const GraphPattern& pattern : patterns)
    for (const Place& place : order_) {
      std::optional<PatternMatch> m = match(pattern, place.binding);
      if (!m) continue;
      bool is_free = true;
      for (const Node& n : m->bindings) is_free = is_free && !taken.contains(n.get());
      if (!is_free || !accept(*m)) continue;
      for (const Node& n : m->bindings) taken.insert(n.get());
      out.push_back(std::move(*m));
    }
  return out;
}

}  // namespace tenon
