// Converters of operators that work element by element.
#include <algorithm>
#include <limits>

#include "importer.h"

namespace tenon::onnx {
namespace {

template <const char* const& op>
void unary(Importer& m) {
  m.set_output(0, m.call(op, {m.input(0)}));
}

// Two or more operands with broadcasting, from left to right.
void fold(Importer& m, const char* op) {
  Node value = m.input(0);
  for (size_t i = 1; i < m.inputs(); ++i) value = m.call(op, {value, m.input(i)});
  m.set_output(0, value);
}

// The second of two operands. Before opset 7 an attribute said at which axis of the first one it begins.
Node second(Importer& m, const Node& x) {
  Node y = m.input(1);
  if (m.opset() >= 7 || !m.attr_int("broadcast", 0) || !m.attr("axis")) return y;
  auto rank = static_cast<int64_t>(m.rank(x)), own = static_cast<int64_t>(m.rank(y));
  int64_t axis = m.attr_int("axis", 0), at = axis < 0 ? axis + rank : axis;
  if (at < 0 || at > rank - own)
    m.refuse(TN_ERROR_SHAPE, "at axis " + std::to_string(axis) + " of a tensor of rank " + std::to_string(rank) +
                                 " there is no place for one of rank " + std::to_string(own));
  std::vector<int64_t> behind;
  for (int64_t d = own; d < rank - at; ++d) behind.push_back(d);
  return behind.empty() ? y : m.call("relax.expand_dims", {y}, {{"axis", m.list(behind)}});
}

void binary(Importer& m, const char* op) {
  Node x = m.input(0);
  m.set_output(0, m.call(op, {x, second(m, x)}));
}

// The known elements of two integer vectors, combined: sizes computed from shapes. What `make` gives null for is not
// known.
template <class F>
void fold_known(Importer& m, F&& make) {
  if (m.inputs() != 2) return;
  Node x = m.input(0), y = m.input(1);
  const std::vector<Node>*a = m.known(x), *c = m.known(y);
  if (!a || !c || (a->size() != c->size() && a->size() != 1 && c->size() != 1)) return;
  std::vector<Node> out;
  for (size_t i = 0; i < std::max(a->size(), c->size()); ++i) {
    Node made = make((*a)[a->size() == 1 ? 0 : i], (*c)[c->size() == 1 ? 0 : i]);
    if (!made) return;
    out.push_back(m.simplify(made));
  }
  m.set_known(m.output(0), std::move(out));
}

void sum(Importer& m) { fold(m, "relax.add"); }
void add(Importer& m) {
  binary(m, "relax.add");
  fold_known(m, [&](const Node& x, const Node& y) { return m.b.add(x, y); });
}
void subtract(Importer& m) {
  binary(m, "relax.subtract");
  fold_known(m, [&](const Node& x, const Node& y) { return m.b.sub(x, y); });
}
void multiply(Importer& m) {
  binary(m, "relax.multiply");
  fold_known(m, [&](const Node& x, const Node& y) { return m.b.mul(x, y); });
}
void divide(Importer& m) {
  binary(m, "relax.divide");
  if (const std::vector<Node>*of = m.known(m.input(0)), *by = m.known(m.input(1)); of && by)
    for (const Node& n : *by)
      if (auto* i = n.as<ir::IntImm>(); i && i->value() == 0) m.refuse(TN_ERROR_ARGUMENT, "a shape is divided by zero");
  fold_known(m, [&](const Node& x, const Node& y) { return m.truncated(x, y); });
}

void mean(Importer& m) {
  fold(m, "relax.add");
  Node total = m.output(0);
  m.set_output(0, m.call("relax.divide", {total, m.scalar(static_cast<double>(m.inputs()), m.dtype(total))}));
}

// Integers to integers are exact and wrap around; with a fraction the power is computed as float64 and cut off.
void power(Importer& m) {
  Node x = m.input(0), y = second(m, x);
  DLDataType t = m.dtype(x), exponent = m.dtype(y), computed = t;
  if (is_integer(t) && is_integer(exponent))
    computed = make_dtype(exponent.code == kDLUInt ? kDLUInt : kDLInt, std::max(t.bits, exponent.bits));
  else if (!is_floating(t))
    computed = kFloat64;
  m.set_output(0, m.astype(m.call("relax.power", {m.astype(x, computed), m.astype(y, computed)}), t));
}

void modulo(Importer& m) {
  if (m.attr_int("fmod", 0)) m.refuse(TN_ERROR_UNSUPPORTED, "fmod=1 is not supported");
  if (is_floating(m.dtype(m.input(0)))) m.refuse(TN_ERROR_UNSUPPORTED, "Mod of floating-point data is not supported");
  binary(m, "relax.floor_mod");
}

void reciprocal(Importer& m) {
  Node x = m.input(0);
  m.set_output(0, m.call("relax.divide", {m.scalar(1, m.dtype(x)), x}));
}

void leaky_relu(Importer& m) {
  m.set_output(0, m.call("relax.nn.leakyrelu", {m.input(0)}, {{"alpha", m.attr_float("alpha", 0.01)}}));
}

void clip(Importer& m) {
  Node y = m.input(0);
  if (m.opset() < 11) {
    // Since opset 6 there are bounds also where none is given: infinity becomes the greatest finite number.
    constexpr double bound = std::numeric_limits<float>::max();
    Builder::Entries attrs;
    if (m.attr("min") || m.opset() >= 6) attrs.emplace_back("min", m.attr_float("min", -bound));
    if (m.attr("max") || m.opset() >= 6) attrs.emplace_back("max", m.attr_float("max", bound));
    return m.set_output(0, m.call("relax.clip", {y}, attrs));
  }
  if (m.has_input(1)) y = m.call("relax.maximum", {y, m.input(1)});
  if (m.has_input(2)) y = m.call("relax.minimum", {y, m.input(2)});
  m.set_output(0, y);
}

void greater_or_equal(Importer& m) { binary(m, "relax.greater_equal"); }
void less_or_equal(Importer& m) { binary(m, "relax.less_equal"); }
void greater(Importer& m) { binary(m, "relax.greater"); }
void less(Importer& m) { binary(m, "relax.less"); }
void equal(Importer& m) { binary(m, "relax.equal"); }
void logical_and(Importer& m) { binary(m, "relax.logical_and"); }
void logical_or(Importer& m) { binary(m, "relax.logical_or"); }
void maximum(Importer& m) { fold(m, "relax.maximum"); }
void minimum(Importer& m) { fold(m, "relax.minimum"); }
void where(Importer& m) { m.set_output(0, m.call("relax.where", {m.input(0), m.input(1), m.input(2)})); }

// Inference: what only training changes passes through.
void identity(Importer& m) { m.set_output(0, m.input(0)); }

void dropout(Importer& m) {
  if (m.has_input(2)) {
    Node training = m.input(2);  // a constant false is what exporters write for inference
    const auto* constant = training.as<ir::Constant>();
    bool off = constant && is_bool(m.dtype(training)) && m.rank(training) == 0 &&
               !*static_cast<const char*>(reinterpret_cast<const TnConstant*>(constant->data().raw().as.object)->data);
    if (!off) m.refuse(TN_ERROR_UNSUPPORTED, "training mode ('" + shown(m.node().inputs[2]) + "') is not supported");
  }
  if (m.node().outputs.size() > 1 && !m.node().outputs[1].empty())
    m.refuse(TN_ERROR_UNSUPPORTED, "the mask output is not supported");
  m.set_output(0, m.input(0));
}

// Before opset 6 a type was given by its name.
int64_t type_named(const std::string& name) {
  static constexpr const char* names[] = {"UNDEFINED", "FLOAT",  "UINT8", "INT8",    "UINT16", "INT16",  "INT32",
                                          "INT64",     "STRING", "BOOL",  "FLOAT16", "DOUBLE", "UINT32", "UINT64"};
  auto at = std::find(std::begin(names), std::end(names), name);
  return at == std::end(names) ? 0 : at - std::begin(names);
}

void cast(Importer& m) {
  int64_t to = m.opset() < 6 ? type_named(m.attr_text("to", "")) : m.attr_int("to", 0);
  DLDataType t = dtype_of(to > 0 && to < 100 ? static_cast<int32_t>(to) : 0);
  if (t.bits == 0)
    m.refuse(TN_ERROR_UNSUPPORTED, "element type " +
                                       (m.opset() < 6 ? "'" + shown(m.attr_text("to", "")) + "'" : std::to_string(to)) +
                                       " is not supported");
  Node x = m.input(0);
  Node y = m.astype(x, t);
  if (const std::vector<Node>* elements = m.known(x)) m.set_known(y, *elements);
  m.set_output(0, y);
}

constexpr const char *kRelu = "relax.nn.relu", *kSigmoid = "relax.sigmoid", *kTanh = "relax.tanh", *kExp = "relax.exp",
                     *kLog = "relax.log", *kSqrt = "relax.sqrt", *kErf = "relax.erf", *kFloor = "relax.floor",
                     *kCeil = "relax.ceil", *kRound = "relax.round", *kNeg = "relax.negative", *kAbs = "relax.abs",
                     *kNot = "relax.logical_not", *kSin = "relax.sin", *kCos = "relax.cos";

}  // namespace

const std::vector<Converter>& elementwise_converters() {
  static const std::vector<Converter> rows = {
      {"Add", add, 2, "axis<7 broadcast<7"},
      {"Sub", subtract, 2, "axis<7 broadcast<7"},
      {"Mul", multiply, 2, "axis<7 broadcast<7"},
      {"Div", divide, 2, "axis<7 broadcast<7"},
      {"Pow", power, 2, "axis<7 broadcast<7"},
      {"Mod", modulo, 2, "fmod"},
      {"Sum", sum, kAnyNumber},
      {"Mean", mean, kAnyNumber},
      {"Max", maximum, kAnyNumber},
      {"Min", minimum, kAnyNumber},
      {"And", logical_and, 2, "axis<7 broadcast<7"},
      {"Or", logical_or, 2, "axis<7 broadcast<7"},
      {"Equal", equal, 2, "axis<7 broadcast<7"},
      {"Greater", greater, 2, "axis<7 broadcast<7"},
      {"Less", less, 2, "axis<7 broadcast<7"},
      {"GreaterOrEqual", greater_or_equal, 2},
      {"LessOrEqual", less_or_equal, 2},
      {"Where", where, 3},
      {"Relu", unary<kRelu>},
      {"Sigmoid", unary<kSigmoid>},
      {"Tanh", unary<kTanh>},
      {"Exp", unary<kExp>},
      {"Log", unary<kLog>},
      {"Sqrt", unary<kSqrt>},
      {"Erf", unary<kErf>},
      {"Floor", unary<kFloor>},
      {"Ceil", unary<kCeil>},
      {"Round", unary<kRound>},
      {"Neg", unary<kNeg>},
      {"Abs", unary<kAbs>},
      {"Not", unary<kNot>},
      {"Sin", unary<kSin>},
      {"Cos", unary<kCos>},
      {"Reciprocal", reciprocal},
      {"LeakyRelu", leaky_relu, 1, "alpha"},
      {"Clip", clip, 3, "max<11 min<11"},
      {"Identity", identity},
      {"Dropout", dropout, 3, "is_test ratio seed"},
      {"Cast", cast, 1, "round_mode saturate to"},
  };
  return rows;
}

}  // namespace tenon::onnx
