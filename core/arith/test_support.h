// What the tests of core/arith share: expressions as text, (i*16 + j) // 16, both ways.
#ifndef TENON_ARITH_TEST_SUPPORT_H
#define TENON_ARITH_TEST_SUPPORT_H

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "arith/analyzer.h"
#include "ir/ir_table.h"

namespace tenon::test {

// A number from the environment.
inline int64_t setting(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoll(text, nullptr, 10) : otherwise;
}

// Reads and prints expressions over int64 variables made at their first use.
//   a + b  a - b  a * b  a // b  a % b  truncdiv(a, b)  truncmod(a, b)  min(a, b)  max(a, b)  select(c, a, b)
//   if(c, a, b)  i32(a)  i64(a)  load(a)  ramp(a, s, lanes)  bcast(a, lanes)  < <= > >= == !=  && || !
// A name that begins with `w` is an int32 variable, one that begins with `p` a boolean, with `f` a float32.
class Expressions {
 public:
  Builder b = core_builder();

  Node var(std::string_view name) {
    auto [it, added] = vars_.try_emplace(std::string(name));
    if (added) {
      DLDataType t = name[0] == 'w' ? kInt32 : name[0] == 'p' ? kBool : name[0] == 'f' ? kFloat32 : kInt64;
      it->second = b.var(name, t);
    }
    return it->second;
  }

  Node parse(std::string_view text) {
    rest_ = text;
    Node n = junction();
    if (peek() != '\0') ADD_FAILURE() << "cannot read '" << text << "' at '" << rest_ << "'";
    return n;
  }

  static std::string print(const Node& n) { return print(n, 0); }

 private:
  char peek() {
    while (!rest_.empty() && rest_[0] == ' ') rest_.remove_prefix(1);
    return rest_.empty() ? '\0' : rest_[0];
  }
  bool take(std::string_view s) {
    peek();
    if (rest_.substr(0, s.size()) != s) return false;
    rest_.remove_prefix(s.size());
    return true;
  }
  Node junction() {
    Node a = conjunction();
    while (take("||")) a = b.logical_or(a, conjunction());
    return a;
  }
  Node conjunction() {
    Node a = comparison();
    while (take("&&")) a = b.logical_and(a, comparison());
    return a;
  }
  Node comparison() {
    if (peek() == '!' && rest_.substr(0, 2) != "!=") {
      take("!");
      return b.logical_not(comparison());
    }
    Node a = sum();
    if (take("<=")) return b.le(a, literal_like(a, sum()));
    if (take(">=")) return b.ge(a, literal_like(a, sum()));
    if (take("==")) return b.eq(a, literal_like(a, sum()));
    if (take("!=")) return b.ne(a, literal_like(a, sum()));
    if (take("<")) return b.lt(a, literal_like(a, sum()));
    if (take(">")) return b.gt(a, literal_like(a, sum()));
    return a;
  }
  Node sum() {
    Node a = term();
    while (true) {
      if (take("+"))
        a = b.add(a, literal_like(a, term()));
      else if (take("-"))
        a = b.sub(a, literal_like(a, term()));
      else
        return a;
    }
  }
  Node term() {
    Node a = primary();
    while (true) {
      if (take("//"))
        a = b.floordiv(a, literal_like(a, primary()));
      else if (take("*"))
        a = b.mul(a, literal_like(a, primary()));
      else if (take("%"))
        a = b.floormod(a, literal_like(a, primary()));
      else
        return a;
    }
  }
  // A literal takes the dtype of what it is combined with.
  Node literal_like(const Node& a, Node c) {
    const ir::IntImm* i = c.as<ir::IntImm>();
    return i && a.dtype().lanes == 1 && !same_dtype(a.dtype(), c.dtype()) ? Node(b.imm(i->value(), a.dtype())) : c;
  }
  Node primary() {
    char c = peek();
    if (c == '(') {
      take("(");
      Node n = junction();
      EXPECT_TRUE(take(")")) << rest_;
      return n;
    }
    bool negative = c == '-';
    if (negative) take("-");
    if (std::isdigit(static_cast<unsigned char>(peek()))) {
      size_t n = 0;
      while (n < rest_.size() && std::isdigit(static_cast<unsigned char>(rest_[n]))) ++n;
      auto value = static_cast<int64_t>(std::stoull(std::string(rest_.substr(0, n))));
      rest_.remove_prefix(n);
      return b.imm(negative ? -value : value);
    }
    if (negative) return b.sub(b.imm(0), primary());
    size_t n = 0;
    while (n < rest_.size() && (std::isalnum(static_cast<unsigned char>(rest_[n])) || rest_[n] == '_')) ++n;
    std::string name(rest_.substr(0, n));
    rest_.remove_prefix(n);
    if (name == "true" || name == "false") return b.imm(name == "true", kBool);
    if (!take("(")) return var(name);
    std::vector<Node> args;
    do args.push_back(junction());
    while (take(","));
    EXPECT_TRUE(take(")")) << rest_;
    return apply(name, args);
  }
  Node apply(const std::string& name, std::vector<Node>& a) {
    if (name == "min") return b.min(a[0], a[1]);
    if (name == "max") return b.max(a[0], a[1]);
    if (name == "truncdiv") return b.make<tir::TruncDiv>({a[0].dtype(), a[0], a[1]});
    if (name == "truncmod") return b.make<tir::TruncMod>({a[0].dtype(), a[0], a[1]});
    if (name == "select") return b.select(a[0], a[1], a[2]);
    if (name == "if") return b.intrinsic(a[1].dtype(), "tir.if_then_else", {a[0], a[1], a[2]});
    if (name == "i32") return b.make<tir::Cast>({kInt32, a[0]});
    if (name == "i64") return b.make<tir::Cast>({kInt64, a[0]});
    if (name == "f32") return b.make<tir::Cast>({kFloat32, a[0]});
    if (name == "load") return b.load(buffer(), b.array({a[0]}));
    if (name == "rand") return b.intrinsic(kInt64, "tir.rand", {a[0]});
    if (name == "let") return b.make<tir::Let>({a[2].dtype(), a[1], a[0], a[2]});
    if (name == "ramp") {
      int64_t n = a[2].to<ir::IntImm>().value();
      return b.make<tir::Ramp>({with_lanes(a[0].dtype(), static_cast<uint16_t>(n)), a[0], a[1], n});
    }
    if (name == "bcast") {
      int64_t n = a[1].to<ir::IntImm>().value();
      return b.make<tir::Broadcast>({with_lanes(a[0].dtype(), static_cast<uint16_t>(n)), a[0], n});
    }
    ADD_FAILURE() << "no function " << name;
    return a[0];
  }
  Node buffer() {
    if (!buffer_) buffer_ = b.buffer("data", kInt64, b.array({b.imm(64)}));
    return buffer_;
  }

  static std::string print(const Node& n, int tight) {
    struct Infix {
      uint32_t kind;
      const char* text;
      int level;
    };
    constexpr Infix infix[] = {
        {TN_KIND_tir_Or, " || ", 1},    {TN_KIND_tir_And, " && ", 2}, {TN_KIND_tir_LT, " < ", 3},
        {TN_KIND_tir_LE, " <= ", 3},    {TN_KIND_tir_GT, " > ", 3},   {TN_KIND_tir_GE, " >= ", 3},
        {TN_KIND_tir_EQ, " == ", 3},    {TN_KIND_tir_NE, " != ", 3},  {TN_KIND_tir_Add, " + ", 4},
        {TN_KIND_tir_Sub, " - ", 4},    {TN_KIND_tir_Mul, "*", 5},    {TN_KIND_tir_FloorDiv, "//", 5},
        {TN_KIND_tir_FloorMod, "%", 5}, {TN_KIND_tir_Div, "/", 5}};
    for (const Infix& o : infix) {
      if (o.kind != n.kind()) continue;
      std::string s = print(as_node(n.slot(1)), o.level) + o.text + print(as_node(n.slot(2)), o.level + 1);
      return o.level < tight ? "(" + s + ")" : s;
    }
    switch (n.kind()) {
      case TN_KIND_ir_Var: return std::string(n.to<ir::Var>().name());
      case TN_KIND_ir_IntImm: {
        int64_t v = n.to<ir::IntImm>().value();
        return is_bool(n.dtype()) ? (v ? "true" : "false") : std::to_string(v);
      }
      case TN_KIND_ir_FloatImm: return std::to_string(n.to<ir::FloatImm>().value());
      case TN_KIND_tir_Not: return "!" + print(as_node(n.slot(1)), 6);
      case TN_KIND_tir_Min: return "min" + list(n, 1, 2);
      case TN_KIND_tir_Max: return "max" + list(n, 1, 2);
      case TN_KIND_tir_TruncDiv: return "truncdiv" + list(n, 1, 2);
      case TN_KIND_tir_TruncMod: return "truncmod" + list(n, 1, 2);
      case TN_KIND_tir_Select: return "select" + list(n, 1, 3);
      case TN_KIND_tir_Cast:
        return (same_dtype(n.dtype(), kInt32) ? "i32" : is_floating(n.dtype()) ? "f32" : "i64") + list(n, 1, 1);
      case TN_KIND_tir_Ramp: return "ramp" + list(n, 1, 2);
      case TN_KIND_tir_Broadcast: return "bcast" + list(n, 1, 1);
      case TN_KIND_tir_Let: {
        const auto& l = n.to<tir::Let>();
        return "let(" + print(l.var()) + ", " + print(l.value()) + ", " + print(l.body()) + ")";
      }
      case TN_KIND_tir_BufferLoad: return "load(" + print(as_node(n.to<tir::BufferLoad>().indices()[0])) + ")";
      case TN_KIND_ir_Call: {
        const auto& c = n.to<ir::Call>();
        std::string s(c.op().to<ir::Op>().id());
        s = s == "tir.if_then_else" ? "if(" : s.substr(4) + "(";
        for (const Value& v : c.args()) s += (s.back() == '(' ? "" : ", ") + print(as_node(v));
        return s + ")";
      }
      default: return "?";
    }
  }
  static std::string list(const Node& n, uint32_t first, uint32_t count) {
    std::string s = "(";
    for (uint32_t i = 0; i < count; ++i) s += (i ? ", " : "") + print(as_node(n.slot(first + i)));
    return s + ")";
  }

  std::map<std::string, Node, std::less<>> vars_;
  Node buffer_;
  std::string_view rest_;
};

// An analyzer with the bindings and conditions of a text, separated by semicolons:
//   "i in 16" is [0, 16); "j in 2..n" is [2, n); "k = 16*m" a value; anything else is a condition that is entered.
class Workbench : public Expressions {
 public:
  Analyzer analyzer;

  void given(std::string_view text) {
    while (!text.empty()) {
      size_t end = text.find(';');
      std::string_view item = text.substr(0, end);
      text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
      while (!item.empty() && item[0] == ' ') item.remove_prefix(1);
      if (!item.empty()) one(item);
    }
  }
  std::string simplify(std::string_view text) { return print(analyzer.simplify(parse(text))); }
  bool proves(std::string_view text) { return analyzer.can_prove(parse(text)); }

 private:
  void one(std::string_view item) {
    size_t in = item.find(" in "), is = item.find(" = ");
    if (in != std::string_view::npos) {
      Node v = var(item.substr(0, in));
      std::string_view range = item.substr(in + 4);
      size_t dots = range.find("..");
      Node low = b.imm(0, v.dtype());
      if (dots != std::string_view::npos) low = parse(range.substr(0, dots));
      Node high = parse(dots == std::string_view::npos ? range : range.substr(dots + 2));
      if (is_int32(v)) low = b.cast(low, kInt32), high = b.cast(high, kInt32);
      analyzer.bind_range(v, low, dots == std::string_view::npos ? high : b.sub(high, low));
    } else if (is != std::string_view::npos) {
      analyzer.bind_value(var(item.substr(0, is)), parse(item.substr(is + 3)));
    } else {
      analyzer.enter_constraint(parse(item));
    }
  }
  static bool is_int32(const Node& v) { return same_dtype(v.dtype(), kInt32); }
};

}  // namespace tenon::test
#endif
