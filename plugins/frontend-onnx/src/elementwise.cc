// Converters of operators that work element by element.
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

// The known elements of two integer vectors, combined: sizes computed from shapes.
void fold_known(Importer& m, Node (Builder::*make)(const Node&, const Node&) const) {
  if (m.inputs() != 2) return;
  Node x = m.input(0), y = m.input(1);
  const std::vector<Node>*a = m.known(x), *c = m.known(y);
  if (!a || !c || m.node().outputs.empty() || (a->size() != c->size() && a->size() != 1 && c->size() != 1)) return;
  std::vector<Node> out;
  for (size_t i = 0; i < std::max(a->size(), c->size()); ++i)
    out.push_back(m.simplify((m.b.*make)((*a)[a->size() == 1 ? 0 : i], (*c)[c->size() == 1 ? 0 : i])));
  m.set_known(m.output(0), std::move(out));
}

void add(Importer& m) {
  fold(m, "relax.add");
  fold_known(m, &Builder::add);
}
void subtract(Importer& m) {
  fold(m, "relax.subtract");
  fold_known(m, &Builder::sub);
}
void multiply(Importer& m) {
  fold(m, "relax.multiply");
  fold_known(m, &Builder::mul);
}
void divide(Importer& m) {
  fold(m, "relax.divide");
  fold_known(m, &Builder::floordiv);  // of shapes: neither side is negative
}

void mean(Importer& m) {
  fold(m, "relax.add");
  Node total = m.output(0);
  m.set_output(0, m.call("relax.divide", {total, m.scalar(static_cast<double>(m.inputs()), m.dtype(total))}));
}

void power(Importer& m) {
  Node x = m.input(0), y = m.input(1);
  DLDataType t = m.dtype(x);
  auto as_float = [&](const Node& v) {
    if (is_floating(m.dtype(v))) return v;
    return m.call("relax.astype", {v}, {{"dtype", m.b.string(is_floating(t) ? dtype_text(t) : "float64")}});
  };
  Node base = as_float(x), exponent = as_float(y);
  if (!same_dtype(m.dtype(exponent), m.dtype(base)))
    exponent = m.call("relax.astype", {exponent}, {{"dtype", m.b.string(dtype_text(m.dtype(base)))}});
  Node z = m.call("relax.power", {base, exponent});
  if (!is_floating(t)) z = m.call("relax.astype", {m.call("relax.round", {z})}, {{"dtype", m.b.string(dtype_text(t))}});
  m.set_output(0, z);
}

void modulo(Importer& m) {
  if (m.attr_int("fmod", 0)) m.refuse(TN_ERROR_UNSUPPORTED, "fmod=1 is not supported");
  fold(m, "relax.floor_mod");
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
    Builder::Entries attrs;
    if (m.attr("min")) attrs.emplace_back("min", m.attr_float("min", 0));
    if (m.attr("max")) attrs.emplace_back("max", m.attr_float("max", 0));
    return m.set_output(0, m.call("relax.clip", {y}, attrs));
  }
  if (m.has_input(1)) y = m.call("relax.maximum", {y, m.input(1)});
  if (m.has_input(2)) y = m.call("relax.minimum", {y, m.input(2)});
  m.set_output(0, y);
}

void greater_or_equal(Importer& m) { fold(m, "relax.greater_equal"); }
void less_or_equal(Importer& m) { fold(m, "relax.less_equal"); }
void greater(Importer& m) { fold(m, "relax.greater"); }
void less(Importer& m) { fold(m, "relax.less"); }
void equal(Importer& m) { fold(m, "relax.equal"); }
void logical_and(Importer& m) { fold(m, "relax.logical_and"); }
void logical_or(Importer& m) { fold(m, "relax.logical_or"); }
void maximum(Importer& m) { fold(m, "relax.maximum"); }
void minimum(Importer& m) { fold(m, "relax.minimum"); }
void where(Importer& m) { m.set_output(0, m.call("relax.where", {m.input(0), m.input(1), m.input(2)})); }

// Inference: what only training changes passes through.
void identity(Importer& m) { m.set_output(0, m.input(0)); }

void dropout(Importer& m) {
  if (m.has_input(2)) {
    const auto& training = m.node().inputs[2];
    m.refuse(TN_ERROR_UNSUPPORTED, "training mode ('" + training + "') is not supported");
  }
  if (m.node().outputs.size() > 1 && !m.node().outputs[1].empty())
    m.refuse(TN_ERROR_UNSUPPORTED, "the mask output is not supported");
  m.set_output(0, m.input(0));
}

void cast(Importer& m) {
  DLDataType t = dtype_of(static_cast<int32_t>(m.attr_int("to", 0)));
  if (t.bits == 0)
    m.refuse(TN_ERROR_UNSUPPORTED, "element type " + std::to_string(m.attr_int("to", 0)) + " is not supported");
  Node x = m.input(0);
  Node y = same_dtype(m.dtype(x), t) ? x : m.call("relax.astype", {x}, {{"dtype", m.b.string(dtype_text(t))}});
  if (const std::vector<Node>* elements = m.known(x); elements && is_integer(t)) m.set_known(y, *elements);
  m.set_output(0, y);
}

constexpr const char *kRelu = "relax.nn.relu", *kSigmoid = "relax.sigmoid", *kTanh = "relax.tanh", *kExp = "relax.exp",
                     *kLog = "relax.log", *kSqrt = "relax.sqrt", *kErf = "relax.erf", *kFloor = "relax.floor",
                     *kCeil = "relax.ceil", *kRound = "relax.round", *kNeg = "relax.negative", *kAbs = "relax.abs",
                     *kNot = "relax.logical_not", *kSin = "relax.sin", *kCos = "relax.cos";

}  // namespace

const std::vector<Converter>& elementwise_converters() {
  static const std::vector<Converter> rows = {
      {"Add", add},
      {"Sub", subtract},
      {"Mul", multiply},
      {"Div", divide},
      {"Pow", power},
      {"Mod", modulo},
      {"Sum", add},
      {"Mean", mean},
      {"Max", maximum},
      {"Min", minimum},
      {"And", logical_and},
      {"Or", logical_or},
      {"Equal", equal},
      {"Greater", greater},
      {"Less", less},
      {"GreaterOrEqual", greater_or_equal},
      {"LessOrEqual", less_or_equal},
      {"Where", where},
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
      {"LeakyRelu", leaky_relu},
      {"Clip", clip},
      {"Identity", identity},
      {"Dropout", dropout},
      {"Cast", cast},
  };
  return rows;
}

}  // namespace tenon::onnx
