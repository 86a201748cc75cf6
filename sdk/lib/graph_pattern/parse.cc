// The text of a pattern.
#include <algorithm>

#include "graph_pattern/condition.h"
#include "graph_pattern/graph_pattern.h"
#include "graph_pattern/lexer.h"

namespace tenon {
namespace {

using graph_pattern::Reader;
using graph_pattern::Token;

constexpr int kMaxDepth = 64;

class PatternParser {
 public:
  PatternParser(const Builder& b, const TnHostOps* ops, Reader& r, std::vector<std::string>& names)
      : b_(b), ops_(ops), r_(r), names_(names) {}

  Pattern parse() {
    Token first = r_.peek();
    Pattern p = pattern(0);
    r_.expect_end();
    if (p.kind != Pattern::kCall)
      r_.fail(first, "a pattern is a call of an operator", "such as relax.nn.relu(relax.nn.conv2d(x, w))");
    return p;
  }

 private:
  Pattern pattern(int depth) {
    if (depth > kMaxDepth) r_.fail(r_.peek(), "it is nested deeper than " + std::to_string(kMaxDepth) + " levels");
    Pattern p = primary(depth);
    while (r_.accept("[")) {
      Pattern field;
      field.kind = Pattern::kField;
      if (r_.peek().kind != Token::kInt) r_.expected("the number of a field");
      field.index = r_.next().integer;
      r_.expect("]");
      field.operands.push_back(std::move(p));
      p = std::move(field);
    }
    return p;
  }

  Pattern primary(int depth) {
    if (r_.accept("(")) {
      Pattern tuple;
      tuple.kind = Pattern::kTuple;
      bool comma = false;
      while (!r_.accept(")")) {
        if (!tuple.operands.empty() && !comma) r_.expected("',' or ')'");
        tuple.operands.push_back(pattern(depth + 1));
        comma = r_.accept(",");
      }
      if (tuple.operands.size() == 1 && !comma) return tuple.operands[0];
      return tuple;
    }
    if (r_.peek().kind != Token::kName)
      r_.expected("an operator, a name or '_'", "such as relax.nn.relu(relax.nn.conv2d(x, w))");
    Token t = r_.next();
    if (r_.accept("(")) return t.text == "const" ? constant() : call(t, depth);
    if (t.text.find('.') != std::string::npos)
      r_.fail(t, "the operator '" + t.text + "' has no arguments", "write " + t.text + "(x)");
    Pattern any;
    if (t.text != "_") any.name = named(t);
    return any;
  }

  std::string named(const Token& t) {
    if (t.text == "out") r_.fail(t, "'out' is the result of the whole pattern", "choose another name");
    if (std::find(names_.begin(), names_.end(), t.text) == names_.end()) names_.push_back(t.text);
    return t.text;
  }

  Pattern constant() {
    Pattern p;
    p.kind = Pattern::kConstant;
    if (r_.accept(")")) return p;
    if (r_.peek().kind != Token::kName) r_.expected("the name of the constant, or ')'");
    Token t = r_.next();
    if (t.text != "_") p.name = named(t);
    r_.expect(")");
    return p;
  }

  Pattern call(const Token& op, int depth) {
    Pattern p;
    p.kind = Pattern::kCall;
    p.op = op.text.starts_with("R.") ? "relax." + op.text.substr(2) : op.text;
    Value found = tenon::call([&](TnValue* ret) { return ops_->find(ops_->self, p.op.c_str(), ret); });
    if (!found.is_map()) {
      std::string hint = "operators are written with their full names, such as relax.nn.relu";
      if (TN_HAS(ops_, suggest)) {
        Value v = tenon::call([&](TnValue* ret) { return ops_->suggest(ops_->self, p.op.c_str(), ret); });
        hint = v.as_string();
      }
      r_.fail(op, "there is no operator '" + p.op + "'", hint, TN_ERROR_NOT_FOUND);
    }
    const Map& record = found.ref<Map>();
    const Value* level = record.find("level");
    if (level && level->as_string() != "graph")
      r_.fail(op, "'" + p.op + "' is an operator of the loop level", "patterns are about graph operators");
    const Value* commutative = record.find("commutative");
    p.commutative = commutative && commutative->as_bool();
    while (!r_.accept(")")) {
      if ((!p.operands.empty() || !p.attrs.empty()) && !r_.accept(",")) r_.expected("',' or ')'");
      if (r_.accept(")")) break;
      bool keyword =
          r_.peek().kind == Token::kName && r_.peek_second().kind == Token::kMark && r_.peek_second().text == "=";
      if (keyword) {
        attribute(p, record);
      } else {
        if (!p.attrs.empty()) r_.expected("an attribute as NAME=VALUE", "attributes stand after all operands");
        p.operands.push_back(pattern(depth + 1));
      }
    }
    check_arity(op, p, record);
    return p;
  }

  void attribute(Pattern& p, const Map& record) {
    Token name = r_.next();
    r_.expect("=");
    const Value* attrs = record.find("attrs");
    if (!attrs || !attrs->is_map() || !attrs->ref<Map>().find(name.text)) {
      std::string list;
      if (attrs && attrs->is_map())
        for (const Map::Entry& e : attrs->ref<Map>()) list += (list.empty() ? "" : ", ") + std::string(e.key());
      r_.fail(name, p.op + " has no attribute '" + name.text + "'",
              list.empty() ? "it has none" : "its attributes are: " + list, TN_ERROR_NOT_FOUND);
    }
    p.attrs.emplace_back(name.text, literal(0));
  }

  Value literal(int depth) {
    if (depth > kMaxDepth) r_.fail(r_.peek(), "it is nested too deeply");
    if (r_.accept("[")) {
      std::vector<Value> items;
      while (!r_.accept("]")) {
        if (!items.empty()) r_.expect(",");
        items.push_back(literal(depth + 1));
      }
      return b_.array(items);
    }
    bool negative = r_.accept("-");
    const Token& t = r_.peek();
    if (t.kind == Token::kInt) return negative ? -r_.next().integer : r_.next().integer;
    if (t.kind == Token::kFloat) return negative ? -r_.next().number : r_.next().number;
    if (!negative && t.kind == Token::kString) return b_.string(r_.next().text);
    if (!negative && t.kind == Token::kName) {
      std::string word = t.text;
      if (word == "True" || word == "true" || word == "False" || word == "false") {
        r_.next();
        return word[0] == 'T' || word[0] == 't';
      }
      if (word == "None") {
        r_.next();
        return {};
      }
    }
    r_.expected("a number, a string, True, False, None or a list");
  }

  void check_arity(const Token& op, const Pattern& p, const Map& record) {
    const Value* args = record.find("args");
    if (!args || !args->is_array()) return;
    size_t required = 0, known = 0;
    bool variadic = false;
    std::string list;
    for (const Value& v : args->ref<Array>()) {
      std::string_view arg = v.as_string();
      if (arg.ends_with("...")) {
        variadic = true;
        continue;
      }
      ++known;
      required += !arg.ends_with("?");
      list += (list.empty() ? "" : ", ") + std::string(arg);
    }
    if (p.operands.size() >= required && (variadic || p.operands.size() <= known)) return;
    r_.fail(op,
            p.op + " takes " + std::to_string(required) + (required == 1 ? " operand" : " operands") +
                ", the pattern gives " + std::to_string(p.operands.size()),
            "its operands are: " + list + "; write '_' for one that may be anything");
  }

  const Builder& b_;
  const TnHostOps* ops_;
  Reader& r_;
  std::vector<std::string>& names_;
};

}  // namespace

GraphPattern parse_pattern(const Builder& b, const TnHostOps* ops, const PatternText& text) {
  GraphPattern out;
  out.name = text.name;
  Reader r(text.pattern, "the pattern '" + text.name + "'", text.where);
  out.root = PatternParser(b, ops, r, out.names).parse();
  for (const std::string& condition : text.conditions)
    out.conditions.push_back(parse_condition(condition, text.name, text.where, out.names));
  return out;
}

GraphPattern pattern_of_option(const Builder& b, const TnHostOps* ops, const Value& row, size_t number,
                               const std::vector<std::string>& extra) {
  std::string what = "pattern " + std::to_string(number + 1) + " of the option 'patterns'";
  if (!row.is_map())
    throw Error(TN_ERROR_TYPE, what + " is not a map", {},
                "write {name: conv2d_relu, pattern: \"relax.nn.relu(relax.nn.conv2d(x, w))\"}");
  PatternText text;
  bool has_pattern = false;
  auto texts = [&](const Map::Entry& e) {
    std::vector<std::string> out;
    if (e.value().is_string()) {
      out.emplace_back(e.value().as_string());
    } else if (e.value().is_array()) {
      for (const Value& v : e.value().ref<Array>()) {
        if (!v.is_string()) throw Error(TN_ERROR_TYPE, what + ": '" + std::string(e.key()) + "' holds what is no text");
        out.emplace_back(v.as_string());
      }
    } else {
      throw Error(TN_ERROR_TYPE, what + ": '" + std::string(e.key()) + "' is neither a text nor a list of texts");
    }
    return out;
  };
  auto one = [&](const Map::Entry& e) {
    if (!e.value().is_string()) throw Error(TN_ERROR_TYPE, what + ": '" + std::string(e.key()) + "' is not a text");
    return std::string(e.value().as_string());
  };
  for (const Map::Entry& e : row.ref<Map>()) {
    if (e.key() == "name") {
      text.name = one(e);
    } else if (e.key() == "pattern") {
      text.pattern = one(e);
      has_pattern = true;
    } else if (e.key() == "where") {
      text.conditions = texts(e);
    } else if (std::find(extra.begin(), extra.end(), e.key()) != extra.end()) {
      texts(e);
    } else {
      std::string known = "name, pattern, where";
      for (const std::string& k : extra) known += ", " + k;
      throw Error(TN_ERROR_NOT_FOUND, what + " has the unknown key '" + std::string(e.key()) + "'", {},
                  "its keys are: " + known);
    }
  }
  if (!has_pattern) throw Error(TN_ERROR_ARGUMENT, what + " has no 'pattern'");
  if (text.name.empty()) text.name = std::to_string(number + 1);
  return parse_pattern(b, ops, text);
}

}  // namespace tenon
