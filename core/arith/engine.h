// The reasoning behind Analyzer. Expressions become canonical sums over interned atoms (linear.h, atom.h), rules work
// on those, and the result is emitted as nodes.
//
//   atoms.cc      interning and the order of output        visit.cc    nodes to sums, everything that is no integer
//   knowledge.cc  bounds, congruence, facts, undoing       vector.cc   ramps and broadcasts
//   prove.cc      lower bounds through facts               emit.cc     sums to nodes
//   divide.cc     the four divisions                       combine.cc  products, min and max, select, cast
//   logic.cc      comparisons, and, or, not                scan.cc     what an expression contains
//
// The value of a Linear is that of the expression that it stands for, as an unbounded integer. Sums and products are
// emitted in another order and may wrap around on the way, which does no harm; the operands of everything else must fit
// their dtype, so a rule that splits an operand checks the parts (`fits`).
#ifndef TENON_ARITH_ENGINE_H
#define TENON_ARITH_ENGINE_H

#include <deque>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "arith/atom.h"
#include "tenon/cxx/builder.h"

namespace tenon::arith {

// A boolean: known, or the atom that decides it.
struct Truth {
  Atom* atom = nullptr;
  bool known = false;  // the value, when there is no atom
  static Truth of(bool value) { return {nullptr, value}; }
  bool is(bool value) const { return atom == nullptr && known == value; }
  bool is_known() const { return atom == nullptr; }
};

// A vector whose lane l is base + stride * l.
struct Lanes {
  Linear base, stride;
  int64_t count;
  DLDataType element;
};

// A few distinct divisors to try, the largest first.
class Divisors {
 public:
  void add(int64_t d) {
    if (d <= 1 || size_ == 4) return;
    size_t i = 0;
    while (i < size_ && values_[i] > d) ++i;
    if (i < size_ && values_[i] == d) return;
    for (size_t j = size_++; j > i; --j) values_[j] = values_[j - 1];
    values_[i] = d;
  }
  const int64_t* begin() const { return values_; }
  const int64_t* end() const { return values_ + size_; }

 private:
  int64_t values_[4] = {};
  size_t size_ = 0;
};

struct Effort {
  int64_t steps = 2'000'000;  // in one question, about 10 ns each
  int level = 48;             // nesting of operations that are no sums; below it expressions are left as they are
  uint32_t atom_depth = 80;   // nesting of atoms
  int64_t search = 128;       // relaxations tried in one proof
};

class Engine {
 public:
  explicit Engine(const Builder& b) : b_(b) {}

  // ---- Questions: each starts a new count of steps and never throws GiveUp.
  Node simplify(const Node& expr);
  bool prove(const Node& condition);
  Interval bounds(const Node& expr);
  Modular modular(const Node& expr);
  void bind_range(const Node& var, const Node& min, const Node& extent);
  void bind_value(const Node& var, const Node& value);
  void enter(const Node& condition);
  void leave();
  size_t open_scopes() const { return scopes_.size(); }

 private:
  // ---- scan.cc
  enum : uint8_t { kImpure = 1, kUnsafe = 2, kReads = 4, kBranches = 8 };
  void begin(const Node& expr);  // starts a question about the expression
  void finish();
  bool has(const Node& n, uint8_t flag) const;

  // ---- visit.cc
  Node any(const Node& n);
  Linear integer(const Node& n);
  Linear sum(const Node& n);     // Add, Sub and Mul of the index type
  Linear narrow(const Node& n);  // the same of types that wrap around
  Linear operation(const Node& n);
  Truth boolean(const Node& n);
  Node rebuild(const Node& n);
  Node floating(const Node& n);
  Node let(const Node& n);
  bool mentions(const Node& tree, const Node& var);
  Node branch(const Node& n);                         // Select and if_then_else of neither integers nor booleans
  bool integers(const Node& a, const Node& b) const;  // of one dtype that is reasoned about
  Linear variable(const Node& n);
  struct Branches {
    const Node *condition = nullptr, *if_true = nullptr, *if_false = nullptr;
    bool lazy = false;
  };
  static Branches branches_of(const Node& n);
  // f(), for the operand n that counts only where t is `value`.
  template <class F>
  auto under(const Truth& t, bool value, const Node& n, bool lazy, F&& f);

  // ---- vector.cc
  Node vector(const Node& n);
  std::optional<Lanes> lanes(const Node& n);
  Node emit(const Lanes& v);
  bool lanes_fit(const Lanes& v);

  // ---- emit.cc
  Node emit(const Linear& x, DLDataType t);
  Node emit(Atom* atom);
  Node emit(const Truth& t);
  Node emit_sum(std::vector<Term> terms, int64_t constant, DLDataType t);
  Node emit_comparison(const Atom& atom, bool negated);
  Node kept(const Node& original, Node result) const;
  template <class View>
  Node binary(DLDataType t, const Node& a, const Node& b) {
    return b_.make<View>({t, a, b});
  }

  // ---- atoms.cc
  Atom* intern(Atom&& candidate);
  Atom* leaf(const Node& n);
  Atom* make(Op op, DLDataType t, const Linear& a, const Linear& b, DLDataType from = {}, std::vector<Atom*> args = {});
  static bool before(const Atom* x, const Atom* y);  // in output
  static Atom* first(const Linear& x);               // the atom that is before the others
  static bool same_tree(const Node& a, const Node& b);

  // ---- knowledge.cc
  const Interval& interval(Atom* atom);
  Interval interval(const Linear& x);
  Interval structural_interval(const Atom& atom);
  const Modular& modular(Atom* atom);
  Modular modular(const Linear& x);
  Linear term(Atom* atom);  // the atom as a sum: a constant where that is known
  // Whether the value fits t; `whole` is a value that does, and of which x is a part.
  bool fits(const Linear& x, DLDataType t, const Linear* whole = nullptr);
  struct Fact {  // sum >= 0
    Linear sum;
    Atom* owner;  // when set, used only to bound this atom
  };
  void add_fact(Linear sum, Atom* owner = nullptr);
  void set_range(Atom* atom, const Interval& i);
  void set_congruence(Atom* atom, const Modular& m);
  void set_truth(Atom* atom, bool value);
  void set_value(Atom* atom, const Linear& value);
  size_t mark() const { return trail_.size(); }
  void undo(size_t mark);
  class Scope;

  // ---- prove.cc
  bool nonnegative(const Linear& x);
  Interval searched(const Linear& x);  // interval, tightened through facts
  Wide lower(const Linear& x, int depth, Wide goal);
  template <class F>
  bool facts_about(Atom* atom, int sign, F&& f);
  template <class F>
  bool relaxations(const Linear& x, F&& f);
  void assume(const Truth& t, bool value);
  void assume_nonnegative(const Linear& x);
  void assume_zero(const Linear& x);

  // ---- divide.cc
  Linear divide(Op op, const Linear& x, const Linear& y, DLDataType t);
  Linear floor_div(const Linear& x, int64_t c, DLDataType t);
  Linear floor_mod(const Linear& x, int64_t c, DLDataType t);
  Linear floor_by(Op op, const Linear& x, const Linear& y, DLDataType t);
  Linear trunc_by(Op op, const Linear& x, const Linear& y, DLDataType t);
  struct Split {  // x = g * high + low with low in [0, g)
    Linear high, low;
  };
  std::optional<Split> split(const Linear& x, int64_t g);
  // The greatest common factor of coefficients and c by which x splits into two sums that are not trivial.
  std::optional<std::pair<int64_t, Split>> split_any(const Linear& x, int64_t c);
  bool in_block(const Linear& x, int64_t c, int64_t* block);  // floor(x / c) is *block throughout

  // ---- combine.cc
  Linear settle(Linear x);
  bool settle_mod(Linear& x, size_t i);
  bool settle_div(Linear& x, size_t i);
  std::optional<Linear> multiply(const Linear& a, const Linear& b, DLDataType t);
  Atom* product(std::vector<Atom*> factors, DLDataType t);
  Linear extremum(Op op, const Linear& a, const Linear& b, DLDataType t);
  Linear select(Op op, const Truth& c, const Linear& a, const Linear& b, DLDataType t);
  Linear cast(const Linear& x, DLDataType from, DLDataType to);

  // ---- logic.cc
  struct Sides {  // a sum compared with zero, as left OP right with no negative coefficients
    std::vector<Term> left, right;
    int64_t left_constant = 0, right_constant = 0;
    uint32_t kind = 0;
  };
  Truth compare(uint32_t kind, const Linear& a, const Linear& b, DLDataType t);
  using Compared = std::pair<const Linear&, const Linear&>;
  // d >= 0 and d == 0; none where the sides could overflow dtype t. What is compared is known to fit.
  std::optional<Truth> try_nonnegative(const Linear& d, DLDataType t, const Compared* given = nullptr);
  std::optional<Truth> try_zero(const Linear& d, DLDataType t, const Compared* given = nullptr);
  std::optional<bool> decide(Atom* atom);
  bool total(const Truth& t);
  Linear tighten(Linear d);
  Sides sides(const Atom& comparison) const;
  bool sides_fit(const Sides& s, DLDataType t, const Compared* given = nullptr);
  Truth negate(const Truth& t);
  static Truth truth(Atom* atom) { return atom->truth < 0 ? Truth{atom, false} : Truth::of(atom->truth != 0); }
  Truth junction(Op op, const std::vector<Truth>& parts);
  Truth junction(Op op, const Node& n);

  void spend(int64_t steps = 1) {
    if ((steps_ += steps) > limits_.steps) throw GiveUp{};
  }
  struct Level {
    explicit Level(Engine& e) : engine(e) { ++e.level_; }
    ~Level() { --engine.level_; }
    Engine& engine;
  };
  bool too_deep() const { return level_ >= limits_.level; }
  // A node that stands in several places is visited once.
  static bool shared(const Node& n) { return static_cast<uint32_t>(n->header.counts) > 1 && n.depth() > 1; }

  Builder b_;
  Effort limits_;
  int64_t steps_ = 0;
  int level_ = 0;
  int proving_ = 0;
  int64_t search_left_ = 0;

  std::deque<Atom> atoms_;
  std::vector<Atom*> table_;  // open addressing by Atom::key

  uint64_t version_ = 1;  // of the knowledge
  uint64_t last_version_ = 1;
  std::vector<Fact> facts_;
  struct Change {
    enum Kind : uint8_t { Range, Congruence, Truth, Value, NewFact } kind;
    Atom* atom;
    Interval range;
    Modular congruence;
    int8_t truth;
    uint64_t version;
  };
  std::vector<Change> trail_;
  std::vector<size_t> scopes_;

  struct Memo {
    std::unordered_map<const TnNode*, Linear> integers;
    std::unordered_map<const TnNode*, Truth> booleans;
    std::unordered_map<const TnNode*, Node> nodes;
  };
  std::deque<Memo> memos_ = std::deque<Memo>(1);      // one for each open assumption; they stay where they are
  std::unordered_map<const TnNode*, uint8_t> flags_;  // of parts, when the whole has impure or unsafe parts
  uint8_t whole_flags_ = 0;
};

// Assumptions made for part of an expression; undone at the end.
class Engine::Scope {
 public:
  // What was simplified before is not taken over, unless the assumptions are about what occurs nowhere else.
  explicit Scope(Engine& e, bool about_new = false) : engine_(e), mark_(e.mark()), about_new_(about_new) {
    if (!about_new_) e.memos_.emplace_back();
  }
  ~Scope() {
    engine_.undo(mark_);
    if (!about_new_) engine_.memos_.pop_back();
  }
  Scope(const Scope&) = delete;

 private:
  Engine& engine_;
  size_t mark_;
  bool about_new_;
};

template <class F>
auto Engine::under(const Truth& t, bool value, const Node& n, bool lazy, F&& f) {
  if (t.is_known() || (!lazy && has(n, kUnsafe))) return f();
  Scope scope(*this);
  assume(t, value);
  return f();
}

// The operands of an expression that are expressions: slots, or the one array slot of a call or load.
struct Operands {
  uint32_t first = 0, count = 0, array = 0;
};
Operands operands_of(const Node& n);

// Hash of the content with variables by name.
uint64_t order_of(const Linear& x);

}  // namespace tenon::arith
#endif
