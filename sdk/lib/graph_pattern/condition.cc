#include "graph_pattern/condition.h"

#include <algorithm>

#include "graph_pattern/graph_pattern.h"
#include "graph_pattern/lexer.h"

namespace tenon {
namespace {

using graph_pattern::Reader;
using graph_pattern::Token;

constexpr int kMaxDepth = 64;

class ConditionParser {
 public:
  ConditionParser(Reader& r, const std::vector<std::string>& names) : r_(r), names_(names) {}

  Condition parse() {
    Token first = r_.peek();
    Condition c = either(0);
    r_.expect_end();
    if (!is_bool(c)) r_.fail(first, "it is no condition", "compare, as in x.shape[0] == 4");
    return c;
  }

 private:
  static Condition binary(std::string op, Condition a, Condition b) {
    Condition c;
    c.kind = Condition::kBinary;
    c.text = std::move(op);
    c.operands.push_back(std::move(a));
    c.operands.push_back(std::move(b));
    return c;
  }
  static bool is_text(const Condition& c) { return c.kind == Condition::kText || c.kind == Condition::kDtype; }
  static bool is_bool(const Condition& c) {
    switch (c.kind) {
      case Condition::kContiguous:
      case Condition::kConstantValue:
      case Condition::kStatic:
      case Condition::kNot: return true;
      case Condition::kBinary:
        return c.text.size() == 2 ? c.text != "//" : c.text == "<" || c.text == ">" || c.text == "and";
      default: return false;
    }
  }
  bool accept_word(const char* word) {
    if (r_.peek().kind != Token::kName || r_.peek().text != word) return false;
    r_.next();
    return true;
  }

  // Operands of `and` and `or` are conditions, those of arithmetic are numbers.
  Condition either(int depth) {
    Token at = r_.peek();
    Condition a = both(depth);
    while (accept_word("or")) {
      Condition b = both(depth);
      if (!is_bool(a) || !is_bool(b)) r_.fail(at, "'or' stands between two conditions");
      a = binary("or", std::move(a), std::move(b));
    }
    return a;
  }
  Condition both(int depth) {
    Token at = r_.peek();
    Condition a = comparison(depth);
    while (accept_word("and")) {
      Condition b = comparison(depth);
      if (!is_bool(a) || !is_bool(b)) r_.fail(at, "'and' stands between two conditions");
      a = binary("and", std::move(a), std::move(b));
    }
    return a;
  }
  Condition comparison(int depth) {
    if (depth > kMaxDepth) r_.fail(r_.peek(), "it is nested deeper than " + std::to_string(kMaxDepth) + " levels");
    Token at = r_.peek();
    if (accept_word("not")) {
      Condition c;
      c.kind = Condition::kNot;
      c.operands.push_back(comparison(depth + 1));
      if (!is_bool(c.operands[0])) r_.fail(at, "'not' stands before a condition");
      return c;
    }
    Condition a = sum(depth);
    for (const char* op : {"==", "!=", "<=", ">=", "<", ">"}) {
      if (!r_.accept(op)) continue;
      Condition b = sum(depth);
      bool texts = is_text(a) && is_text(b) && (op[0] == '=' || op[0] == '!');
      bool numbers = !is_text(a) && !is_text(b) && !is_bool(a) && !is_bool(b);
      if (!texts && !numbers)
        r_.fail(at, "'" + std::string(op) + "' cannot compare these", "compare numbers, or a dtype with a text");
      return binary(op, std::move(a), std::move(b));
    }
    return a;
  }
  Condition arithmetic(std::string op, Condition a, Condition b, const Token& at) {
    if (is_text(a) || is_text(b) || is_bool(a) || is_bool(b)) r_.fail(at, "'" + op + "' takes numbers");
    return binary(std::move(op), std::move(a), std::move(b));
  }
  Condition sum(int depth) {
    Token at = r_.peek();
    Condition a = product(depth);
    while (true) {
      const char* op = r_.accept("+") ? "+" : r_.accept("-") ? "-" : nullptr;
      if (!op) return a;
      a = arithmetic(op, std::move(a), product(depth), at);
    }
  }
  Condition product(int depth) {
    Token at = r_.peek();
    Condition a = unary(depth);
    while (true) {
      const char* op = r_.accept("*") ? "*" : r_.accept("//") ? "//" : r_.accept("%") ? "%" : nullptr;
      if (!op) return a;
      a = arithmetic(op, std::move(a), unary(depth), at);
    }
  }
  Condition unary(int depth) {
    if (depth > kMaxDepth) r_.fail(r_.peek(), "it is nested deeper than " + std::to_string(kMaxDepth) + " levels");
    Token at = r_.peek();
    if (r_.accept("-")) {
      Condition c;
      c.kind = Condition::kNegate;
      c.operands.push_back(unary(depth + 1));
      if (is_text(c.operands[0]) || is_bool(c.operands[0])) r_.fail(at, "'-' takes a number");
      return c;
    }
    if (r_.accept("(")) {
      Condition c = either(depth + 1);
      r_.expect(")");
      return c;
    }
    Condition c;
    if (at.kind == Token::kInt) {
      c.integer = r_.next().integer;
      return c;
    }
    if (at.kind == Token::kString) {
      c.kind = Condition::kText;
      c.text = r_.next().text;
      return c;
    }
    if (at.kind != Token::kName) r_.expected("a value such as x.shape[0], x.dtype or a number");
    r_.next();
    return value(at);
  }

  Condition value(const Token& at) {
    struct Row {
      const char* word;
      Condition::Kind kind;
    };
    constexpr Row predicates[] = {{"contiguous", Condition::kContiguous},
                                  {"constant", Condition::kConstantValue},
                                  {"static", Condition::kStatic}};
    constexpr Row fields[] = {{"shape", Condition::kShape}, {"ndim", Condition::kNdim}, {"dtype", Condition::kDtype}};
    Condition c;
    for (const Row& row : predicates)
      if (at.text == row.word && r_.accept("(")) {
        c.kind = row.kind;
        if (r_.peek().kind != Token::kName) r_.expected("the name of a value");
        Token name = r_.next();
        c.text = known(name, name.text);
        r_.expect(")");
        return c;
      }
    size_t dot = at.text.rfind('.');
    std::string field = dot == std::string::npos ? "" : at.text.substr(dot + 1);
    for (const Row& row : fields) {
      if (field != row.word) continue;
      c.kind = row.kind;
      c.text = known(at, at.text.substr(0, dot));
      if (row.kind != Condition::kShape) return c;
      r_.expect("[", "write one dimension, such as " + at.text + "[0]");
      bool negative = r_.accept("-");
      if (r_.peek().kind != Token::kInt) r_.expected("the number of a dimension");
      c.integer = r_.next().integer;
      if (negative) c.integer = -c.integer;
      r_.expect("]");
      return c;
    }
    r_.fail(at, "'" + at.text + "' is no value",
            "values are x.shape[0], x.ndim, x.dtype, contiguous(x), constant(x), static(x)");
  }

  std::string known(const Token& at, const std::string& name) {
    if (name == "out" || std::find(names_.begin(), names_.end(), name) != names_.end()) return name;
    std::string list = "out";
    for (const std::string& n : names_) list += ", " + n;
    r_.fail(at, "the pattern names nothing '" + name + "'", "it names: " + list, TN_ERROR_NOT_FOUND);
  }

  Reader& r_;
  const std::vector<std::string>& names_;
};

// What a condition asks about is not known: it does not hold.
struct NotKnown {};

class Evaluator {
 public:
  Evaluator(const Builder& b, const std::map<std::string, Node>& values) : b_(b), values_(values) {}

  Node node(const Condition& c) {
    switch (c.kind) {
      case Condition::kInt: return b_.imm(c.integer);
      case Condition::kShape: return extent(c);
      case Condition::kNdim: return b_.imm(static_cast<int64_t>(tensor(c).ndim()));
      case Condition::kContiguous: return truth(contiguous(c));
      case Condition::kConstantValue: return truth(value(c).is<ir::Constant>());
      case Condition::kStatic: return truth(is_static(c));
      case Condition::kNot: {
        Node a = node(c.operands[0]);
        return a.is<ir::IntImm>() ? truth(a.to<ir::IntImm>().value() == 0) : b_.logical_not(a);
      }
      case Condition::kNegate: return b_.sub(b_.imm(0), node(c.operands[0]));
      case Condition::kBinary: return binary(c);
      default: throw NotKnown{};
    }
  }

 private:
  Node truth(bool t) { return b_.imm(t ? 1 : 0, kBool); }
  const Node& value(const Condition& c) { return values_.at(c.text); }
  const relax::TensorType& tensor(const Condition& c) {
    const Value& type = type_of_value(value(c));
    if (!type.is_node() || !as_node(type).is<relax::TensorType>()) throw NotKnown{};
    return as_node(type).to<relax::TensorType>();
  }
  Array shape(const Condition& c) {
    const Value& shape = tensor(c).shape();
    if (!shape.is_array()) throw NotKnown{};
    return shape.ref<Array>();
  }
  Node extent(const Condition& c) {
    Array dims = shape(c);
    auto rank = static_cast<int64_t>(dims.size());
    int64_t axis = c.integer < 0 ? c.integer + rank : c.integer;
    if (axis < 0 || axis >= rank) throw NotKnown{};
    return nodes(dims)[static_cast<size_t>(axis)];
  }
  bool contiguous(const Condition& c) {
    const Map& attrs = tensor(c).attrs();
    return !attrs.find("strides") && !attrs.find("layout");
  }
  bool is_static(const Condition& c) {
    for (const Node& d : nodes(shape(c)))
      if (!d.is<ir::IntImm>()) return false;
    return true;
  }
  std::string text(const Condition& c) {
    if (c.kind == Condition::kText) return c.text;
    const Value& dtype = tensor(c).dtype();
    if (!dtype.is_dtype()) throw NotKnown{};
    return dtype_text(dtype.as_dtype());
  }
  Node binary(const Condition& c) {
    const Condition &x = c.operands[0], &y = c.operands[1];
    if (x.kind == Condition::kText || x.kind == Condition::kDtype)
      return truth((text(x) == text(y)) == (c.text == "=="));
    Node a = node(x), b = node(y);
    if (c.text == "and") return b_.logical_and(a, b);
    if (c.text == "or") return b_.logical_or(a, b);
    if (c.text == "+") return b_.add(a, b);
    if (c.text == "-") return b_.sub(a, b);
    if (c.text == "*") return b_.mul(a, b);
    if (c.text == "//" || c.text == "%") {
      if (b.is<ir::IntImm>() && b.to<ir::IntImm>().value() == 0) throw NotKnown{};
      return c.text == "//" ? b_.floordiv(a, b) : b_.floormod(a, b);
    }
    if (c.text == "==") return b_.eq(a, b);
    if (c.text == "!=") return b_.ne(a, b);
    if (c.text == "<") return b_.lt(a, b);
    if (c.text == "<=") return b_.le(a, b);
    if (c.text == ">") return b_.gt(a, b);
    return b_.ge(a, b);
  }

  const Builder& b_;
  const std::map<std::string, Node>& values_;
};

}  // namespace

std::shared_ptr<const Condition> parse_condition(const std::string& text, const std::string& pattern,
                                                 const std::string& where, const std::vector<std::string>& names) {
  Reader r(text, "the condition \"" + text + "\" of the pattern '" + pattern + "'", where);
  return std::make_shared<const Condition>(ConditionParser(r, names).parse());
}

bool condition_holds(const Builder& b, const TnHostArith* arith, const Condition& condition,
                     const std::map<std::string, Node>& values) {
  Node n;
  try {
    n = Evaluator(b, values).node(condition);
  } catch (const NotKnown&) { return false; }
  if (n.is<ir::IntImm>()) return n.to<ir::IntImm>().value() != 0;
  if (!arith) return n.is<tir::EQ>() && n.to<tir::EQ>().a().same_as(n.to<tir::EQ>().b());
  std::unique_ptr<TnAnalyzer, void (*)(TnAnalyzer*)> analyzer(arith->create(arith->self), arith->destroy);
  if (!analyzer) throw std::bad_alloc();
  std::set<const TnNode*> seen;
  size_t constraints = 0;
  auto leave = [&] {
    for (; constraints > 0; --constraints) arith->leave_constraint(analyzer.get());
  };
  b.walk(Value(n), [&](const Node& v) {
    if (!v.is<ir::Var>() || !seen.insert(v.get()).second) return;
    Node positive = b.ge(v, b.imm(0, v.dtype()));
    call([&](TnValue* ret) { return arith->enter_constraint(analyzer.get(), positive.get(), ret); });
    ++constraints;
  });
  bool holds = arith->can_prove(analyzer.get(), n.get()) != 0;
  leave();
  return holds;
}

}  // namespace tenon
