// Patterns of graph operators: written as text in the options of a pass, or built in C++, and matched against the
// bindings of a function in normal form.
//
//   GraphPattern p = parse_pattern(ops, {.name = "conv2d_relu",
//                                        .pattern = "relax.nn.relu(relax.nn.conv2d(x, w, groups=1))",
//                                        .conditions = {"x.dtype == 'float32'", "x.shape[1] % 4 == 0"}});
//   for (const PatternMatch& m : PatternMatcher(b, ops, arith, function).find_all({p})) ...
//
// In the text, `relax.OP(...)` is a call of an operator (`R.OP` is the same), its keyword arguments are attributes that
// must be equal; a name is any value, and the same name twice the same value; `_` is any value and has no name;
// `const(w)` is a constant; `(a, b)` is a tuple and `p[0]` a field of one. The operands of an operator whose manifest
// says `commutative` may stand in either order.
//
// A match is a set of bindings of one sequence. None of their values but the last is used outside of the set, and
// nothing with an effect stands between them.
#ifndef TENON_LIB_GRAPH_PATTERN_GRAPH_PATTERN_H
#define TENON_LIB_GRAPH_PATTERN_GRAPH_PATTERN_H

#include <tenon/cxx/builder.h>
#include <tenon/ext/arith.h>
#include <tenon/ext/op.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace tenon {

// One node of a pattern.
struct Pattern {
  enum Kind { kAny, kConstant, kCall, kTuple, kField };
  Kind kind = kAny;
  std::string name;                                  // of kAny and kConstant; "" when the value has no name
  std::string op;                                    // of kCall: "relax.nn.relu"
  bool commutative = false;                          // of kCall
  int64_t index = 0;                                 // of kField
  std::vector<Pattern> operands;                     // of kCall, kTuple, and the one of kField
  std::vector<std::pair<std::string, Value>> attrs;  // of kCall: what each must be
};

// A condition on the values that a match has named, parsed.
struct Condition;

struct GraphPattern {
  std::string name;
  Pattern root;                    // a call
  std::vector<std::string> names;  // of the values that it names, in the order in which they are met
  std::vector<std::shared_ptr<const Condition>> conditions;
};

// A pattern as it is written. `where` tells, in messages, where that is; "" when unknown.
struct PatternText {
  std::string name;
  std::string pattern;
  std::vector<std::string> conditions = {};
  std::string where = {};
};

// Throws TN_ERROR_PARSE with line and column within the text, and TN_ERROR_NOT_FOUND for an operator that no manifest
// declares.
GraphPattern parse_pattern(const Builder& b, const TnHostOps* ops, const PatternText& text);

// The pattern of one map of an option: {name, pattern, where: [conditions]}. `extra` are further keys that it may have,
// all texts or lists; `number` is its place in the list, for messages.
GraphPattern pattern_of_option(const Builder& b, const TnHostOps* ops, const Value& row, size_t number,
                               const std::vector<std::string>& extra);

struct PatternMatch {
  const GraphPattern* pattern = nullptr;
  std::vector<Node> bindings;  // relax.VarBinding, in the order of the program; the last is the root
  // The values that the bindings take from outside and that the pattern has as any value, in the order in which they
  // are met; a name of the pattern, or "" for `_`.
  std::vector<std::pair<std::string, Node>> operands;
  std::map<std::string, Node> named;  // all names, constants included

  const Node& result() const { return bindings.back().to<relax::VarBinding>().var(); }
};

class PatternMatcher {
 public:
  // `function` is a relax.Function in normal form; it and the services outlive the matcher. `arith` may be null: then
  // conditions on symbolic dimensions hold only where they are equal as they stand.
  PatternMatcher(const Builder& b, const TnHostOps* ops, const TnHostArith* arith, const Node& function);

  // The match that ends in this binding.
  std::optional<PatternMatch> match(const GraphPattern& pattern, const Node& binding) const;
  // All matches, disjoint: those of an earlier pattern go before those of a later one, then in the order of the
  // program.
  std::vector<PatternMatch> find_all(const std::vector<GraphPattern>& patterns) const;
  // The same of the matches that `accept` wants; what it refuses is left to later patterns.
  std::vector<PatternMatch> find_all(const std::vector<GraphPattern>& patterns,
                                     const std::function<bool(const PatternMatch&)>& accept) const;

 private:
  struct Search;
  struct Place {
    Node binding;
    int sequence;  // which relax.SeqExpr it stands in
    bool is_pure;
  };
  void add_sequence(const Node& expression);
  void add_uses(const Node& tree, const TnNode* by);
  bool is_pure_value(const Node& value) const;
  bool attributes_match(const Pattern& pattern, const ir::Call& call) const;

  const Builder& b_;
  const TnHostOps* ops_;
  const TnHostArith* arith_;
  std::vector<Place> order_;                                // all bindings of variables
  std::map<const TnNode*, size_t> defined_by_;              // variable -> its place in order_
  std::map<const TnNode*, std::set<const TnNode*>> users_;  // variable -> bindings; null for uses outside of them
  int sequences_ = 0;
};

// The function with each match replaced by one binding of the match's result to a value; what the match computed on the
// way goes away. The matches are disjoint and of this function.
Node replace_matches(const Builder& b, const Node& function,
                     const std::vector<std::pair<PatternMatch, Node>>& replacements);

// Whether a condition holds for every value of the symbolic dimensions. `values` are expressions by name.
bool condition_holds(const Builder& b, const TnHostArith* arith, const Condition& condition,
                     const std::map<std::string, Node>& values);

// The type of an expression in normal form: a type node, or none.
const Value& type_of_value(const Node& expression);

}  // namespace tenon
#endif
