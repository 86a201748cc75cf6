// Random modules: what is printed is read back to an equal module.
#include <limits>
#include <random>

#include "script/test_support.h"

namespace tenon::test {
namespace {

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  Node module() {
    Builder::Entries functions;
    int count = pick(3);
    names_ = {"main", "helper", "odd-name", "class", "T", "f1"};
    for (int i = 0; i <= count; ++i)
      functions.emplace_back(names_[static_cast<size_t>(i) % names_.size()], one_in(3) ? graph_function() : function());
    return b_.make<ir::Module>({map(2), b_.map({}), b_.map(functions), b_.array({})});
  }

 private:
  int pick(int below) { return static_cast<int>(random_() % static_cast<uint64_t>(below)); }
  bool one_in(int n) { return pick(n) == 0; }
  template <class T>
  const T& any(const std::vector<T>& list) {
    return list[random_() % list.size()];
  }
  std::string hint() {
    return any<std::string>({"i", "j", "x", "x_1", "v", "n", "", "odd name", "for", "T", "_", "A"});
  }
  DLDataType dtype() {
    return any<DLDataType>({kFloat32, kFloat64, kInt64, kInt64, kInt32, make_dtype(kDLInt, 8), make_dtype(kDLUInt, 8),
                            make_dtype(kDLUInt, 64), kBool, make_dtype(kDLFloat, 16), make_dtype(kDLBfloat, 16)});
  }

  // ---- Values
  Value value(int depth = 2) {
    switch (pick(depth > 0 ? 10 : 6)) {
      case 0: return one_in(2);
      case 1: return integer();
      case 2: return real();
      case 3:
        return b_.string(
            any<std::string>({"", "text", "quote\" \\ \n\t", "\x01\x7f", "caf\xc3\xa9", "\xff\xfe bytes", "{x}"}));
      case 4: return dtype();
      case 5: return literal(dtype());
      case 6:
      case 7: {
        std::vector<Value> items;
        for (int i = pick(3); i > 0; --i) items.push_back(value(depth - 1));
        return b_.array(std::span<const Value>(items));
      }
      default: return map(depth - 1);
    }
  }
  Map map(int depth) {
    Builder::Entries entries;
    for (int i = pick(3); i > 0; --i)
      entries.emplace_back(any<std::string>({"a", "b", "key with space", "tir.x"}), value(depth));
    return b_.map(entries);
  }
  int64_t integer() {
    return any<int64_t>(
        {0, 1, -1, 2, 7, 1000, std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min()});
  }
  double real() {
    if (one_in(3)) {  // any bits
      uint64_t bits = random_();
      double d;
      std::memcpy(&d, &bits, 8);
      return d;
    }
    return any<double>({0.0, -0.0, 1.0, 0.1, 1e300, -2.5e-310, 3.0, 16777217.0, std::numeric_limits<double>::infinity(),
                        -std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()});
  }
  Node literal(DLDataType t) {
    if (is_floating(t)) return b_.real(real(), t);
    if (is_bool(t)) return b_.imm(pick(2), t);
    if (t.bits == 64) return b_.imm(integer(), t);
    return b_.imm(t.code == kDLUInt ? pick(256) : pick(100) - 50, t);
  }

  // ---- Expressions of a dtype
  Node expr(DLDataType t, int depth) {
    std::vector<Node> vars;
    for (const Node& v : vars_)
      if (same_dtype(v.dtype(), t)) vars.push_back(v);
    if (t.lanes > 1) {
      if (is_integer(t) && one_in(2))
        return b_.make<tir::Ramp>(
            {t, expr(element_of(t), depth - 1), expr(element_of(t), depth - 1), int64_t{t.lanes}});
      return b_.make<tir::Broadcast>({t, expr(element_of(t), depth - 1), int64_t{t.lanes}});
    }
    if (depth <= 0 || one_in(4)) return vars.empty() || one_in(3) ? literal(t) : any(vars);
    if (is_bool(t)) {
      DLDataType of = any<DLDataType>({kInt64, kFloat32, kInt32});
      switch (pick(6)) {
        case 0: return b_.logical_and(expr(t, depth - 1), expr(t, depth - 1));
        case 1: return b_.logical_or(expr(t, depth - 1), expr(t, depth - 1));
        case 2: return b_.logical_not(expr(t, depth - 1));
        case 3: return b_.lt(expr(of, depth - 1), expr(of, depth - 1));
        case 4: return b_.ge(expr(of, depth - 1), expr(of, depth - 1));
        default: return b_.eq(expr(of, depth - 1), expr(of, depth - 1));
      }
    }
    auto sub = [&] { return expr(t, depth - 1); };
    switch (pick(14)) {
      case 0: return b_.add(sub(), sub());
      case 1: return b_.sub(sub(), sub());
      case 2: return b_.mul(sub(), sub());
      case 3: return b_.div(sub(), sub());
      case 4: return is_integer(t) ? b_.floordiv(sub(), sub()) : b_.add(sub(), sub());
      case 5: return is_integer(t) ? b_.floormod(sub(), sub()) : b_.sub(sub(), sub());
      case 6: return is_integer(t) ? b_.make<tir::TruncDiv>({t, sub(), sub()}) : b_.max(sub(), sub());
      case 7: return b_.min(sub(), sub());
      case 8: return b_.select(expr(kBool, depth - 1), sub(), sub());
      case 9: return b_.make<tir::Cast>({t, expr(dtype(), depth - 1)});
      case 10: return load(t, depth);
      case 11: {
        Node v = b_.var(hint(), t);
        Node bound = sub();
        vars_.push_back(v);
        Node body = sub();
        vars_.pop_back();
        return b_.make<tir::Let>({t, bound, v, body});
      }
      case 12:
        return b_.intrinsic(
            t, any<std::string>({"tir.exp", "tir.pow", "com.vendor.op", "tir.min", "tir.max_value", "tir.x.y"}),
            {sub(), expr(dtype(), depth - 1)}, map(1));
      default: return b_.intrinsic(t, "tir.if_then_else", {expr(kBool, depth - 1), sub(), sub()});
    }
  }
  Node load(DLDataType t, int depth) {
    for (const Node& b : buffers_)
      if (same_dtype(b.to<tir::Buffer>().dtype(), t)) return b_.load(b, indices(b, depth));
    return literal(t);
  }
  Array indices(const Node& buffer, int depth) {
    std::vector<Value> out;
    for (size_t i = 0; i < buffer.to<tir::Buffer>().shape().size(); ++i)
      out.push_back(expr(one_in(5) ? kInt32 : kInt64, depth - 1));
    return b_.array(std::span<const Value>(out));
  }

  // ---- Statements
  Node buffer(bool symbolic) {
    std::vector<Value> shape, strides;
    for (int i = pick(3); i > 0; --i) shape.push_back(symbolic && one_in(2) ? symbol() : b_.imm(1 + pick(32)));
    if (one_in(4))
      for (size_t i = 0; i < shape.size(); ++i)
        strides.push_back(symbolic && one_in(2) ? symbol() : b_.imm(1 + pick(32)));
    Builder::Entries attrs;
    if (one_in(4)) attrs.emplace_back("align", Value(int64_t{64}));
    if (one_in(8)) attrs.emplace_back("com.vendor.layout", value(1).is_none() ? Value(1) : b_.string("x"));
    return b_.make<tir::Buffer>({b_.string(hint()), dtype(), b_.array(std::span<const Value>(shape)),
                                 b_.array(std::span<const Value>(strides)), one_in(5) ? Value(b_.imm(0)) : Value(),
                                 b_.string(one_in(4) ? "shared" : "global"), b_.map(attrs)});
  }
  Node symbol() {
    if (!symbols_.empty() && one_in(2)) return any(symbols_);
    symbols_.push_back(b_.var(hint(), one_in(6) ? kInt32 : kInt64));
    vars_.push_back(symbols_.back());
    return symbols_.back();
  }
  Node loop(int depth) {
    DLDataType t = one_in(5) ? kInt32 : kInt64;
    Node extent = one_in(3) ? expr(t, 2) : b_.imm(1 + pick(16), t);
    Node min = one_in(3) ? expr(t, 1) : b_.imm(0, t);
    int64_t kind = one_in(2) ? 0 : pick(5);
    Node v = b_.var(hint(), t);
    vars_.push_back(v);
    Node inner = body(depth - 1);
    vars_.pop_back();
    return b_.make<tir::For>({min, extent, kind, b_.string(kind == TN_FOR_THREAD_BINDING ? "threadIdx.x" : ""),
                              one_in(3) ? Value(map(1)) : Value(b_.map({})), v, inner});
  }
  Value region() {
    const Node& buffer = any(buffers_);
    std::vector<Value> ranges;
    for (size_t i = 0; i < buffer.to<tir::Buffer>().shape().size(); ++i) {
      Node min = expr(kInt64, 1);
      ranges.push_back(b_.make<ir::Range>({min, one_in(2) ? b_.imm(1) : expr(kInt64, 1)}));
    }
    return b_.make<tir::BufferRegion>({buffer, b_.array(std::span<const Value>(ranges))});
  }
  Node block(int depth) {
    std::vector<Value> values, iters, reads, writes, allocated;
    std::vector<Node> defined;
    for (int i = pick(3); i > 0; --i) {
      DLDataType t = one_in(5) ? kInt32 : kInt64;
      Node v = b_.var(hint(), t);
      Node range = b_.make<ir::Range>({one_in(4) ? expr(t, 1) : b_.imm(0, t), one_in(4) ? expr(t, 1) : b_.imm(16, t)});
      iters.push_back(b_.make<tir::IterVar>({range, int64_t{pick(4)}, v}));
      values.push_back(expr(t, 1));
      defined.push_back(v);
    }
    size_t vars = vars_.size(), buffers = buffers_.size();
    Node predicate = one_in(2) ? b_.imm(1, kBool) : expr(kBool, 2);
    vars_.insert(vars_.end(), defined.begin(), defined.end());
    if (one_in(3)) {
      buffers_.push_back(buffer(false));
      allocated.push_back(buffers_.back());
    }
    for (int i = pick(3); i > 0; --i) reads.push_back(region());
    for (int i = pick(3); i > 0; --i) writes.push_back(region());
    Value annotations = one_in(3) ? Value(map(1)) : Value(b_.map({}));
    Value init = one_in(3) ? Value(body(depth - 1)) : Value();
    Node inner = body(depth - 1);
    vars_.resize(vars);
    buffers_.resize(buffers);
    Node made = b_.make<tir::Block>({b_.string(hint()), b_.array(std::span<const Value>(iters)),
                                     b_.array(std::span<const Value>(allocated)), b_.array({}),
                                     b_.array(std::span<const Value>(reads)), b_.array(std::span<const Value>(writes)),
                                     annotations, init, inner});
    return b_.make<tir::BlockRealize>({b_.array(std::span<const Value>(values)), predicate, made});
  }
  Node statement(int depth) {
    if (depth <= 0 || one_in(3)) {
      switch (pick(4)) {
        case 0: return b_.make<tir::Evaluate>({expr(dtype(), 3)});
        case 1: return b_.make<tir::Assert>({expr(kBool, 2), b_.string(one_in(2) ? "" : "message")});
        case 2:
          return b_.make<tir::Evaluate>({b_.make<ir::Call>(
              {one_in(2) ? Value() : Value(kInt32), b_.make<ir::GlobalVar>({Value(), b_.string(any(names_))}),
               b_.array({any(buffers_), expr(kInt64, 1)}), b_.map({}), b_.array({})})});
        default: {
          const Node& b = any(buffers_);
          return b_.store(b, indices(b, 2), expr(b.to<tir::Buffer>().dtype(), 3));
        }
      }
    }
    switch (pick(6)) {
      case 0: return loop(depth);
      case 1: return block(depth);
      case 2:
        return b_.make<tir::IfThenElse>(
            {expr(kBool, 2), body(depth - 1), one_in(2) ? Value() : Value(body(depth - 1))});
      case 3: return b_.make<tir::While>({expr(kBool, 2), body(depth - 1)});
      case 4:
        return b_.make<tir::Attr>(
            {b_.string("key"), one_in(2) ? value(1) : Value(any(buffers_)), value(1), body(depth - 1)});
      default: return body(depth - 1);
    }
  }
  Node body(int depth) {
    if (one_in(2)) return statement(depth);
    size_t vars = vars_.size(), buffers = buffers_.size();
    std::vector<Value> stmts;
    for (int i = pick(4); i > 0; --i) {
      if (one_in(4)) {
        DLDataType t = dtype();
        Node bound = expr(t, 2);
        vars_.push_back(b_.var(hint(), t));
        stmts.push_back(b_.make<tir::Bind>({bound, vars_.back()}));
      } else if (one_in(5)) {
        Node made = buffer(false);
        stmts.push_back(one_in(2) ? Node(b_.make<tir::AllocBuffer>({map(1), made}))
                                  : Node(b_.make<tir::DeclBuffer>({any(buffers_), made})));
        buffers_.push_back(made);
      } else {
        stmts.push_back(statement(depth - 1));
      }
    }
    vars_.resize(vars);
    buffers_.resize(buffers);
    return b_.make<tir::Seq>({b_.array(std::span<const Value>(stmts))});
  }
  Map attributes() {
    Builder::Entries e = Builder::entries(map(2));
    if (one_in(2)) e.emplace_back("global_symbol", b_.string(any(names_)));
    return b_.map(e);
  }
  Node function() {
    vars_.clear();
    buffers_.clear();
    symbols_.clear();
    std::vector<Value> params;
    for (int i = 0; i <= pick(3); ++i) {
      buffers_.push_back(buffer(true));
      params.push_back(buffers_.back());
    }
    for (int i = pick(3); i > 0; --i) {
      vars_.push_back(b_.var(hint(), one_in(4) ? kHandle : dtype()));
      params.push_back(vars_.back());
    }
    return b_.make<tir::PrimFunc>(
        {b_.array(std::span<const Value>(params)), attributes(), one_in(5) ? Value(kInt32) : Value(), body(4)});
  }

  // ---- The graph level
  Value tensor_type() {
    switch (pick(6)) {
      case 0: return b_.make<relax::AnyType>({});
      case 1: return b_.make<relax::TensorType>({Value(), kFloat32, int64_t{pick(4)} - 1, b_.map({})});
      case 2: return b_.make<relax::TupleType>({b_.array({tensor_type(), tensor_type()})});
      default: {
        std::vector<Value> dims;
        for (int i = pick(3); i > 0; --i) {
          Node d = symbols_.empty() || one_in(2) ? b_.imm(1 + pick(9)) : any(symbols_);
          dims.push_back(one_in(4) ? b_.add(d, b_.imm(1)) : d);
        }
        auto ndim = static_cast<int64_t>(dims.size());
        return b_.make<relax::TensorType>({b_.array(std::span<const Value>(dims)), one_in(4) ? Value() : Value(dtype()),
                                           ndim, one_in(5) ? Value(map(1)) : Value(b_.map({}))});
      }
    }
  }
  Node graph_value(int depth) {
    if (depth <= 0 || one_in(3)) {
      switch (pick(6)) {
        case 0:
          return b_.make<relax::PrimValue>(
              {one_in(2) ? Value() : Value(b_.make<relax::PrimType>({kInt64})), b_.imm(3)});
        case 1: return b_.make<ir::StringImm>({Value(), b_.string("text")});
        case 2:
          return b_.make<relax::ShapeExpr>(
              {Value(), b_.array({b_.imm(2), symbols_.empty() ? b_.imm(3) : any(symbols_)})});
        case 3: return b_.make<relax::DataTypeImm>({Value(), kFloat32});
        default: return any(graph_vars_);
      }
    }
    Value type = one_in(2) ? Value() : tensor_type();
    auto op = [&](const char* id) { return b_.make<ir::Op>({Value(), b_.string(id)}); };
    std::vector<Value> args;
    for (int i = pick(3); i > 0; --i) args.push_back(graph_value(depth - 1));
    Array array = b_.array(std::span<const Value>(args));
    switch (pick(6)) {
      case 0: return b_.make<relax::Tuple>({type, Value(array)});
      case 1: return b_.make<relax::TupleGetItem>({type, graph_value(depth - 1), int64_t{pick(3)}});
      case 2:
        return b_.make<ir::Call>({type, op("relax.call_tir"),
                                  b_.array({b_.make<ir::GlobalVar>({Value(), b_.string(any(names_))}),
                                            b_.make<relax::Tuple>({Value(), Value(array)})}),
                                  b_.map({}), b_.array({tensor_type()})});
      case 3:
        return b_.make<ir::Call>(
            {type, op("relax.call_packed"),
             b_.array({b_.make<ir::ExternFunc>({Value(), b_.string("f"), b_.map({})}), any(graph_vars_)}), map(1),
             one_in(2) ? b_.array({}) : b_.array({tensor_type()})});
      default:
        return b_.make<ir::Call>(
            {type, op(any<std::string>({"relax.add", "relax.nn.conv2d", "com.vendor.op", "relax.const"}).c_str()),
             Value(array), map(1), b_.array({})});
    }
  }
  Node graph_var(Value type) {
    graph_vars_.push_back(b_.var(hint(), std::move(type)));
    return graph_vars_.back();
  }
  Node sequence(int depth) {
    size_t mark = graph_vars_.size();
    std::vector<Value> blocks;
    Node body = any(graph_vars_);
    for (int i = pick(3); i > 0; --i) {
      std::vector<Value> bindings;
      bool dataflow = one_in(2);
      for (int j = pick(4); j > 0; --j) {
        if (one_in(5)) {
          Node from = graph_value(1);
          Value cast = tensor_type();
          bindings.push_back(b_.make<relax::MatchCast>({from, cast, graph_var(one_in(3) ? tensor_type() : cast)}));
        } else if (!dataflow && depth > 0 && one_in(3)) {
          Node then_branch = sequence(depth - 1), else_branch = sequence(depth - 1);
          Value type = one_in(2) ? Value() : tensor_type();
          Node branch = b_.make<relax::If>({type, any(graph_vars_), then_branch, else_branch});
          bindings.push_back(b_.make<relax::VarBinding>({branch, graph_var(one_in(3) ? tensor_type() : type)}));
        } else {
          Node value = graph_value(2);
          Value type = one_in(3) ? Value() : one_in(2) && value.slot(0).is_node() ? value.slot(0) : tensor_type();
          bindings.push_back(b_.make<relax::VarBinding>({value, graph_var(type)}));
        }
        if (one_in(2)) body = graph_vars_.back();
      }
      Value list = b_.array(std::span<const Value>(bindings));
      blocks.push_back(dataflow ? Node(b_.make<relax::DataflowBlock>({list, b_.array({any(graph_vars_)})}))
                                : Node(b_.make<relax::BindingBlock>({list})));
    }
    graph_vars_.resize(mark);
    Value type = one_in(3) ? body.slot(0) : one_in(4) ? tensor_type() : Value();
    return b_.make<relax::SeqExpr>({type, b_.array(std::span<const Value>(blocks)), body});
  }
  Node graph_function() {
    vars_.clear();
    symbols_.clear();
    graph_vars_.clear();
    for (int i = pick(3); i > 0; --i) symbols_.push_back(b_.var(hint(), one_in(8) ? kInt32 : kInt64));
    std::vector<Value> params, dims(symbols_.begin(), symbols_.end());
    auto rank = static_cast<int64_t>(dims.size());
    params.push_back(
        graph_var(b_.make<relax::TensorType>({b_.array(std::span<const Value>(dims)), kFloat32, rank, b_.map({})})));
    for (int i = pick(2); i > 0; --i) params.push_back(graph_var(one_in(5) ? Value() : tensor_type()));
    Value ret = one_in(2) ? Value() : tensor_type();
    Node body = sequence(2);
    return b_.make<relax::Function>(
        {Value(), b_.array(std::span<const Value>(params)), attributes(), ret, !one_in(4), body});
  }

  std::mt19937_64 random_;
  Builder b_ = core_builder();
  std::vector<std::string> names_;
  std::vector<Node> vars_, symbols_, buffers_, graph_vars_;
};

TEST(ScriptProperty, RandomModulesComeBack) {
  uint64_t first = std::random_device{}() % 1000000;
  if (const char* fixed = getenv("TENON_SEED")) first = std::strtoull(fixed, nullptr, 10);
  for (uint64_t seed = first; seed < first + 400; ++seed) {
    SCOPED_TRACE("TENON_SEED=" + std::to_string(seed));
    round_trip(Generator(seed).module());
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace tenon::test
