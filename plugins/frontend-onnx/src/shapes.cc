// Converters of operators about shapes. What they compute from shapes alone is known while importing.
#include "importer.h"

namespace tenon::onnx {
namespace {

constexpr const char* kAsConstant =
    "an input that is always the same can be given as a constant: --constant NAME=FILE.npy";

std::vector<Node> dims_of(Importer& m, const Node& x) {
  std::vector<Node> dims;
  for (const Node& d : nodes(m.shape(x))) dims.push_back(d);
  return dims;
}

size_t axis_of(Importer& m, int64_t axis, size_t rank) {
  int64_t at = axis < 0 ? axis + static_cast<int64_t>(rank) : axis;
  if (at < 0 || at >= static_cast<int64_t>(rank))
    m.refuse(TN_ERROR_SHAPE, "axis " + std::to_string(axis) + " is outside a tensor of rank " + std::to_string(rank));
  return static_cast<size_t>(at);
}

void reshape(Importer& m) {
  Node x = m.input(0);
  std::vector<Node> attribute;  // before opset 5
  for (int64_t n : m.opset() < 5 ? m.attr_ints("shape").value_or(std::vector<int64_t>()) : std::vector<int64_t>())
    attribute.push_back(m.b.imm(n));
  const std::vector<Node>* wanted = m.opset() < 5 && m.attr("shape") ? &attribute : m.known(m.input(1));
  if (!wanted)
    m.refuse(TN_ERROR_UNSUPPORTED, "the new shape is computed at run time from values that are not shapes",
             kAsConstant);
  std::vector<Node> dims, own = dims_of(m, x);
  Node known = m.b.imm(1), total = m.b.imm(1);
  bool open = false;
  for (size_t i = 0; i < wanted->size(); ++i) {
    auto* n = (*wanted)[i].as<ir::IntImm>();
    bool copied = n && n->value() == 0 && !m.attr_int("allowzero", 0);
    if (copied && i >= own.size())
      m.refuse(TN_ERROR_SHAPE, "dimension " + std::to_string(i) + " is copied from an input that has none");
    dims.push_back(copied ? own[i] : (*wanted)[i]);
    if (n && n->value() == -1)
      open = true;
    else
      known = m.b.mul(known, dims.back());
  }
  for (const Node& d : own) total = m.b.mul(total, d);
  known = m.simplify(known);
  // What is left for a dimension of -1 may depend on sizes that only the run time has.
  if (open && m.simplify(total).as<ir::IntImm>() == nullptr) {
    Node left = m.simplify(m.b.floordiv(total, known));
    if (Node product = m.simplify(m.b.mul(left, known)); !m.simplify(m.b.sub(product, total)).is<ir::IntImm>())
      m.require_equal(m.simplify(total), product);
  }
  Node y = m.call("relax.reshape", {x, m.shape_expr(dims)});
  if (const std::vector<Node>* elements = m.known(x); elements && m.rank(y) <= 1) m.set_known(y, *elements);
  m.set_output(0, y);
}

void flatten(Importer& m) {
  Node x = m.input(0);
  m.set_output(0, m.call("relax.flatten", {x}, {{"axis", m.attr_int("axis", 1)}}));
}

void transpose(Importer& m) {
  Builder::Entries attrs;
  if (auto perm = m.attr_ints("perm")) attrs.emplace_back("axes", m.list(*perm));
  m.set_output(0, m.call("relax.permute_dims", {m.input(0)}, attrs));
}

void concat(Importer& m) {
  std::vector<Node> parts, elements;
  bool all_known = true;
  for (size_t i = 0; i < m.inputs(); ++i) {
    parts.push_back(m.input(i));
    const std::vector<Node>* k = m.known(parts.back());
    all_known = all_known && k;
    if (k) elements.insert(elements.end(), k->begin(), k->end());
  }
  if (parts.empty()) m.refuse(TN_ERROR_ARGUMENT, "it has no inputs");
  if (m.opset() >= 4 && !m.attr("axis")) m.refuse(TN_ERROR_ARGUMENT, "it names no axis");
  Node y = m.call("relax.concat", {m.tuple(parts)}, {{"axis", m.attr_int("axis", 1)}});
  if (all_known && m.rank(y) == 1) m.set_known(y, elements);
  m.set_output(0, y);
}

// Opset 15 may ask for a part of the shape.
void shape(Importer& m) {
  Node x = m.input(0);
  std::vector<Node> dims = dims_of(m, x);
  auto n = static_cast<int64_t>(dims.size());
  auto clamped = [&](int64_t at) { return std::min(std::max<int64_t>(at < 0 ? at + n : at, 0), n); };
  int64_t start = clamped(m.attr_int("start", 0)), end = std::max(start, clamped(m.attr_int("end", n)));
  std::vector<Node> part(dims.begin() + start, dims.begin() + end);
  Node y = m.call("relax.shape_to_tensor", {m.shape_expr(part)});
  m.set_known(y, part);
  m.set_output(0, y);
}

void squeeze(Importer& m) {
  Node x = m.input(0);
  Builder::Entries attrs;
  auto axes = m.attr_ints("axes");
  if (m.has_input(1)) axes = m.known_ints(1, "axes");
  if (axes) attrs.emplace_back("axis", m.list(*axes));
  Node y = m.call("relax.squeeze", {x}, attrs);
  if (const std::vector<Node>* elements = m.known(x)) m.set_known(y, *elements);
  m.set_output(0, y);
}

void unsqueeze(Importer& m) {
  Node x = m.input(0);
  auto axes = m.attr_ints("axes");
  if (m.has_input(1)) axes = m.known_ints(1, "axes");
  if (!axes) m.refuse(TN_ERROR_ARGUMENT, "it names no axes");
  Node y = m.call("relax.expand_dims", {x}, {{"axis", m.list(*axes)}});
  if (const std::vector<Node>* elements = m.known(x); elements && m.rank(y) <= 1) m.set_known(y, *elements);
  m.set_output(0, y);
}

void expand(Importer& m) {
  const std::vector<Node>* wanted = m.known(m.input(1));
  if (!wanted)
    m.refuse(TN_ERROR_UNSUPPORTED, "the new shape is computed at run time from values that are not shapes",
             kAsConstant);
  m.set_output(0, m.call("relax.broadcast_to", {m.input(0), m.shape_expr(*wanted)}));
}

// Of shapes only: the elements at constant places.
void gather(Importer& m) {
  Node x = m.input(0), indices = m.input(1);
  const std::vector<Node>*elements = m.known(x), *places = m.known(indices);
  if (!elements)
    m.refuse(TN_ERROR_UNSUPPORTED,
             "only elements of a shape can be gathered yet, or of a constant vector of at most 64 integers: '" +
                 shown(m.node().inputs[0]) + "' is neither");
  if (m.rank(indices) > 1)
    m.refuse(TN_ERROR_UNSUPPORTED,
             "the indices have rank " + std::to_string(m.rank(indices)) + ": a number or a vector is supported");
  if (!places) m.refuse(TN_ERROR_UNSUPPORTED, "the indices are computed at run time, or are more than 64");
  axis_of(m, m.attr_int("axis", 0), m.rank(x));
  std::vector<Node> picked;
  for (const Node& p : *places) {
    auto* n = p.as<ir::IntImm>();
    if (!n) m.refuse(TN_ERROR_UNSUPPORTED, "the indices are computed at run time");
    const auto count = static_cast<int64_t>(elements->size());
    const int64_t at = n->value() < 0 ? n->value() + count : n->value();
    if (at < 0 || at >= count)
      m.refuse(TN_ERROR_SHAPE,
               "the index " + std::to_string(n->value()) + " is outside of " + std::to_string(count) + " elements");
    picked.push_back((*elements)[static_cast<size_t>(at)]);
  }
  Node y = m.astype(m.call("relax.shape_to_tensor", {m.shape_expr(picked)}), m.dtype(x));
  if (m.rank(indices) == 0) y = m.call("relax.squeeze", {y}, {{"axis", m.list({0})}});
  m.set_known(y, picked);
  m.set_output(0, y);
}

void constant(Importer& m) {
  if (const Attribute* a = m.attr("value", kTensor)) return m.set_output(0, m.tensor(a->t));
  if (const Attribute* a = m.attr("value_int", kInt)) return m.set_output(0, m.integer(a->i));
  if (const Attribute* a = m.attr("value_float", kFloat))
    return m.set_output(0, m.scalar(static_cast<double>(a->f), kFloat32));
  if (const Attribute* a = m.attr("value_ints", kInts)) return m.set_output(0, m.vector_of(a->ints));
  if (const Attribute* a = m.attr("value_floats", kFloats)) return m.set_output(0, m.vector_of(a->floats));
  m.refuse(TN_ERROR_UNSUPPORTED,
           "this form of constant is not supported: value, value_int, value_ints, value_float and value_floats are");
}

}  // namespace

const std::vector<Converter>& shape_converters() {
  static const std::vector<Converter> rows = {
      {"Reshape", reshape, 2, "allowzero shape<5"},
      {"Flatten", flatten, 1, "axis"},
      {"Transpose", transpose, 1, "perm"},
      {"Concat", concat, kAnyNumber, "axis"},
      {"Shape", shape, 1, "end start"},
      {"Squeeze", squeeze, 2, "axes"},
      {"Unsqueeze", unsqueeze, 2, "axes"},
      {"Expand", expand, 2},
      {"Gather", gather, 2, "axis"},
      {"Constant", constant, 0,
       "sparse_value value value_float value_floats value_int value_ints value_string value_strings"},
  };
  return rows;
}

}  // namespace tenon::onnx
