// From sums and booleans back to nodes. Terms with large coefficients come first, negative ones last, then the
// constant; a factor that several products have is taken out: i * m + j * m prints as (i + j) * m.
#include <algorithm>

#include "arith/engine.h"

namespace tenon::arith {

Node Engine::kept(const Node& original, Node result) const { return same_tree(original, result) ? original : result; }

Node Engine::emit(const Linear& x, DLDataType t) {
  if (x.is_constant()) return b_.imm(wrap_to(x.constant(), t), t);
  if (Atom* a = x.as_atom()) return emit(a);
  return emit_sum({x.begin(), x.end()}, x.constant(), t);
}

Node Engine::emit_sum(std::vector<Term> terms, int64_t constant, DLDataType t) {
  spend(static_cast<int64_t>(terms.size()) * 4);
  if (terms.empty()) return b_.imm(wrap_to(constant, t), t);
  std::vector<Node> positive, negative;  // summands and what is subtracted

  // Factors that products share, most frequent first.
  for (int round = 0; round < 8 && terms.size() > 1 && terms.size() <= 64; ++round) {
    std::vector<std::pair<Atom*, int>> counts;
    for (const Term& term : terms) {
      if (term.atom->op != Op::Product) continue;
      for (Atom* f : term.atom->args)
        if (std::find_if(counts.begin(), counts.end(), [&](auto& c) { return c.first == f; }) == counts.end())
          counts.emplace_back(f, 0);
    }
    if (counts.empty()) break;
    auto has_factor = [](const Term& term, Atom* f) {
      const auto& args = term.atom->args;
      return term.atom == f || (term.atom->op == Op::Product && std::find(args.begin(), args.end(), f) != args.end());
    };
    for (auto& [f, n] : counts)
      n = static_cast<int>(
          std::count_if(terms.begin(), terms.end(), [&, f = f](const Term& x) { return has_factor(x, f); }));
    auto best = std::min_element(counts.begin(), counts.end(), [&](auto& x, auto& y) {
      return x.second != y.second ? x.second > y.second : before(x.first, y.first);
    });
    if (best->second < 2) break;
    Atom* factor = best->first;
    Linear inner;
    std::vector<Term> rest;
    for (const Term& term : terms) {
      if (!has_factor(term, factor)) {
        rest.push_back(term);
      } else if (term.atom == factor) {
        inner.add_constant(term.coef);
      } else {
        std::vector<Atom*> others = term.atom->args;
        others.erase(std::find(others.begin(), others.end(), factor));
        inner.add(others.size() == 1 ? others[0] : product(std::move(others), t), term.coef);
      }
    }
    bool minus =
        inner.constant() <= 0 && std::all_of(inner.begin(), inner.end(), [](const Term& x) { return x.coef < 0; });
    if (minus) inner.scale(-1);
    (minus ? negative : positive).push_back(binary<tir::Mul>(t, emit(inner, t), emit(factor)));
    terms = std::move(rest);
  }

  std::sort(terms.begin(), terms.end(), [&](const Term& x, const Term& y) {
    if ((x.coef > 0) != (y.coef > 0)) return x.coef > 0;
    uint64_t mx = static_cast<uint64_t>(x.coef > 0 ? x.coef : ~x.coef),
             my = static_cast<uint64_t>(y.coef > 0 ? y.coef : ~y.coef);
    return mx != my ? mx > my : before(x.atom, y.atom);
  });
  auto times = [&](Atom* a, int64_t k) {
    return k == 1 ? emit(a) : binary<tir::Mul>(t, emit(a), b_.imm(wrap_to(k, t), t));
  };
  bool lead = positive.empty() && constant <= 0;  // a negative term has to come first when nothing else can
  for (const Term& term : terms) {
    if (term.coef > 0 || term.coef == kMin64) {
      positive.push_back(times(term.atom, term.coef));
      lead = false;
    } else if (lead && negative.empty()) {
      positive.push_back(times(term.atom, term.coef));
      lead = false;
    } else {
      negative.push_back(times(term.atom, -term.coef));
    }
  }
  // Long sums are halved, so that they stay within the depth that nodes may have.
  auto total = [&](auto& self, const Node* n, size_t count) -> Node {
    if (count > 64) return binary<tir::Add>(t, self(self, n, count / 2), self(self, n + count / 2, count - count / 2));
    Node r = n[0];
    for (size_t i = 1; i < count; ++i) r = binary<tir::Add>(t, r, n[i]);
    return r;
  };
  auto literal = [&](int64_t c) { return b_.imm(wrap_to(c, t), t); };
  Node r;
  if (!positive.empty()) {
    r = total(total, positive.data(), positive.size());
  } else {
    r = literal(constant);
    constant = 0;
  }
  if (negative.size() > 64) {
    r = binary<tir::Sub>(t, r, total(total, negative.data(), negative.size()));
  } else {
    for (const Node& n : negative) r = binary<tir::Sub>(t, r, n);
  }
  if (constant > 0 || constant == kMin64) r = binary<tir::Add>(t, r, literal(constant));
  if (constant < 0 && constant != kMin64) r = binary<tir::Sub>(t, r, literal(-constant));
  return r;
}

Node Engine::emit(Atom* a) {
  if (a->node) return a->node;
  DLDataType t = a->dtype;
  auto junction = [&]<class View>() {
    Node r = emit(a->args[0]);
    for (size_t i = 1; i < a->args.size(); ++i) r = binary<View>(t, r, emit(a->args[i]));
    return r;
  };
  auto pair = [&]<class View>() { return Node(binary<View>(t, emit(a->a, t), emit(a->b, t))); };
  Node r;
  switch (a->op) {
    case Op::Leaf: break;
    case Op::Product: {
      std::vector<Atom*> factors = a->args;
      std::sort(factors.begin(), factors.end(), [&](const Atom* x, const Atom* y) { return before(x, y); });
      r = emit(factors[0]);
      for (size_t i = 1; i < factors.size(); ++i) r = binary<tir::Mul>(t, r, emit(factors[i]));
      break;
    }
    case Op::FloorDiv: r = pair.operator()<tir::FloorDiv>(); break;
    case Op::FloorMod: r = pair.operator()<tir::FloorMod>(); break;
    case Op::TruncDiv: r = pair.operator()<tir::TruncDiv>(); break;
    case Op::TruncMod: r = pair.operator()<tir::TruncMod>(); break;
    case Op::Min: r = pair.operator()<tir::Min>(); break;
    case Op::Max: r = pair.operator()<tir::Max>(); break;
    case Op::Select: r = b_.make<tir::Select>({t, emit(a->args[0]), emit(a->a, t), emit(a->b, t)}); break;
    case Op::IfThenElse:
      r = b_.intrinsic(t, "tir.if_then_else", {emit(a->args[0]), emit(a->a, t), emit(a->b, t)});
      break;
    case Op::Cast: r = b_.make<tir::Cast>({t, emit(a->a, a->from)}); break;
    case Op::And: r = junction.operator()<tir::And>(); break;
    case Op::Or: r = junction.operator()<tir::Or>(); break;
    case Op::Not: {
      const Atom& inner = *a->args[0];
      bool equality = inner.op == Op::EQ0 || inner.op == Op::EQ;
      r = equality ? emit_comparison(inner, true) : b_.make<tir::Not>({t, emit(a->args[0])});
      break;
    }
    default: r = emit_comparison(*a, false); break;
  }
  a->node = r;
  return r;
}

Node Engine::emit_comparison(const Atom& a, bool negated) {
  Sides s = sides(a);
  uint32_t kind = negated ? static_cast<uint32_t>(TN_KIND_tir_NE) : s.kind;
  Node left = emit_sum(std::move(s.left), s.left_constant, a.from);
  Node right = emit_sum(std::move(s.right), s.right_constant, a.from);
  std::vector<Value> slots{a.dtype, left, right};
  return b_.make(kind, slots);
}

Node Engine::emit(const Truth& t) { return t.is_known() ? Node(b_.imm(t.known ? 1 : 0, kBool)) : emit(t.atom); }

}  // namespace tenon::arith
