#include "importer.h"

#include <tenon/cxx/arith.h>

#include <algorithm>

namespace tenon::onnx {
namespace {

constexpr size_t kMostPlaces = 4096;  // in the expression of one size

}  // namespace

std::string word_of(std::string_view name) {
  std::string word;
  for (char c : name) word += std::isalnum(static_cast<unsigned char>(c)) || c == '_' ? c : '_';
  return word.empty() || std::isdigit(static_cast<unsigned char>(word[0])) ? "v" + word : word;
}

std::string shown(const std::string& text) {
  std::string out;
  for (char c : text.substr(0, 100)) out += static_cast<unsigned char>(c) < ' ' || c == 127 ? '?' : c;
  return text.size() > 100 ? out + "..." : out;
}

DLDataType dtype_of(int32_t type) {
  switch (type) {
    case 1: return kFloat32;
    case 2: return make_dtype(kDLUInt, 8);
    case 3: return make_dtype(kDLInt, 8);
    case 4: return make_dtype(kDLUInt, 16);
    case 5: return make_dtype(kDLInt, 16);
    case 6: return kInt32;
    case 7: return kInt64;
    case 9: return kBool;
    case 11: return kFloat64;
    case 12: return make_dtype(kDLUInt, 32);
    case 13: return make_dtype(kDLUInt, 64);
    default: return {0, 0, 0};
  }
}

// ---- The node that is being converted

std::string Importer::node_text() const {
  if (!node_) return "the graph";
  std::string domain = node_->domain.empty() ? "" : node_->domain + ".";
  std::string name = !node_->name.empty() ? node_->name : node_->outputs.empty() ? "" : "-> " + node_->outputs[0];
  return "node '" + shown(name) + "' (" + shown(domain + node_->op) + ")";
}

void Importer::refuse(int32_t code, const std::string& why, const std::string& hint) const {
  throw Error(code, node_text() + ": " + why, source_->name, hint);
}

const Attribute* Importer::attr(const char* name) const {
  auto it = node_->attributes.find(name);
  return it == node_->attributes.end() ? nullptr : &it->second;
}
const Attribute* Importer::attr(const char* name, AttributeType type) const {
  static constexpr const char* names[] = {"none", "FLOAT", "INT", "STRING", "TENSOR", "GRAPH", "FLOATS", "INTS"};
  const Attribute* a = attr(name);
  if (a && a->type != type && a->type != 0)  // old models do not say the type
    refuse(TN_ERROR_TYPE, "the attribute '" + std::string(name) + "' is of type " +
                              (a->type > 0 && a->type < 8 ? names[a->type] : std::to_string(a->type)) + ", not " +
                              names[type]);
  return a;
}
int64_t Importer::attr_int(const char* name, int64_t otherwise) const {
  const Attribute* a = attr(name, kInt);
  return a ? a->i : otherwise;
}
double Importer::attr_float(const char* name, double otherwise) const {
  const Attribute* a = attr(name, kFloat);
  return a ? static_cast<double>(a->f) : otherwise;
}
std::string Importer::attr_text(const char* name, const std::string& otherwise) const {
  const Attribute* a = attr(name, kString);
  return a ? a->s : otherwise;
}
std::optional<std::vector<int64_t>> Importer::attr_ints(const char* name) const {
  const Attribute* a = attr(name, kInts);
  if (!a) return std::nullopt;
  return a->ints;
}

Node Importer::input(size_t i) {
  if (!has_input(i)) refuse(TN_ERROR_ARGUMENT, "input " + std::to_string(i) + " is missing");
  const std::string& name = node_->inputs[i];
  auto it = values_.find(name);
  if (it != values_.end()) return it->second;
  auto data = initializers_.find(name);
  if (data == initializers_.end())
    refuse(TN_ERROR_CORRUPT, "its input '" + shown(name) + "' is computed by no earlier node",
           "the nodes of a model stand in topological order");
  return values_[name] = constant(*data->second);
}

void Importer::set_output(size_t i, const Node& value) {
  if (i < node_->outputs.size() && !node_->outputs[i].empty()) values_[node_->outputs[i]] = value;
}

// ---- Types

const relax::TensorType& Importer::type(const Node& value) const {
  const Value& t = value.slot(0);
  if (!t.is_node() || !as_node(t).is<relax::TensorType>()) refuse(TN_ERROR_TYPE, "an input is no tensor");
  auto& tensor = as_node(t).to<relax::TensorType>();
  if (tensor.shape().is_none()) refuse(TN_ERROR_SHAPE, "the shape of an input is not known");
  return tensor;
}

Node Importer::tensor_type(const std::vector<Node>& shape, DLDataType dtype) const {
  return b.make<relax::TensorType>({b.array(shape), dtype, static_cast<int64_t>(shape.size()), b.map({})});
}

// ---- Making

Node Importer::call(const char* op, std::initializer_list<Node> args, const Builder::Entries& attrs) {
  return call(op, std::vector<Node>(args), attrs);
}

Node Importer::call(const char* op, const std::vector<Node>& args, const Builder::Entries& attrs) {
  Node untyped =
      b.make<ir::Call>({Value(), b.make<ir::Op>({Value(), b.string(op)}), b.array(args), b.map(attrs), b.array({})});
  Value inferred;
  try {
    inferred =
        tenon::call([&](TnValue* ret) { return self_.ops->infer_type(self_.ops->self, context_, untyped.get(), ret); });
  } catch (const Error& e) {
    Error outer(e.code, node_text() + ": " + e.message, source_->name, e.hint);
    throw outer;
  }
  if (auto* t = as_node(inferred).as<relax::TensorType>(); t && !t->shape().is_none()) {
    std::vector<Node> dims;
    for (const Node& d : nodes(t->shape().ref<Array>())) dims.push_back(d);
    check_size(dims, node_text() + ": its result");
  }
  return variable(b.with(untyped, ir::Call::Slot::type, inferred),
                  node_ && !node_->outputs.empty() ? node_->outputs[0] : "lv");
}

Node Importer::variable(const Node& value, std::string_view name) {
  Node var = b.make<ir::Var>({value.slot(0), b.string(word_of(name))});
  bindings_.push_back(b.make<relax::VarBinding>({value, var}));
  return var;
}

// What no machine holds is refused before anything is computed from its size.
void Importer::check_size(const std::vector<Node>& shape, const std::string& what) const {
  if (shape.size() > kHighestRank)
    throw Error(TN_ERROR_SHAPE,
                what + " has rank " + std::to_string(shape.size()) + ": at most " + std::to_string(kHighestRank) +
                    " is supported",
                source_->name);
  uint64_t elements = 1;
  for (const Node& d : shape) {
    auto* n = d.as<ir::IntImm>();
    if (!n) check_places(d, what);
    if (!n || n->value() == 0) continue;
    if (n->value() < 0 || __builtin_mul_overflow(elements, static_cast<uint64_t>(n->value()), &elements) ||
        elements > kMostElements)
      throw Error(TN_ERROR_SHAPE,
                  what + " has a dimension of " + std::to_string(n->value()) + " and in all more than 2^48 elements",
                  source_->name);
  }
}

// A size that is computed from itself several times, again and again, is longer than any program for it.
void Importer::check_places(const Node& size, const std::string& what) const {
  size_t places = 0;
  auto enter = [&](const Node&) { return ++places <= kMostPlaces; };
  b.walk(Value(size), enter, [](const Node&) {});
  if (places > kMostPlaces)
    throw Error(
        TN_ERROR_LIMIT,
        what + " has a size that is computed from others in more than " + std::to_string(kMostPlaces) + " steps",
        source_->name);
}

void Importer::require_equal(const Node& x, const Node& y) {
  Node is = shape_expr({x}), wanted = shape_expr({y});
  Node var = b.make<ir::Var>({wanted.slot(0), b.string(word_of(node_->outputs[0]) + "_elements")});
  bindings_.push_back(b.make<relax::MatchCast>({is, wanted.slot(0), var}));
}

Value Importer::list(const std::vector<int64_t>& values) const {
  std::vector<Value> items(values.begin(), values.end());
  return b.array(items);
}

Node Importer::shape_expr(const std::vector<Node>& dims) const {
  Value type = b.make<relax::ShapeType>({b.array(dims), static_cast<int64_t>(dims.size())});
  return b.make<relax::ShapeExpr>({type, b.array(dims)});
}

Node Importer::tuple(const std::vector<Node>& fields) const {
  std::vector<Value> types;
  for (const Node& f : fields) types.push_back(f.slot(0));
  return b.make<relax::Tuple>({b.make<relax::TupleType>({b.array(types)}), b.array(fields)});
}

Node Importer::astype(const Node& x, DLDataType t) {
  return same_dtype(dtype(x), t) ? x : call("relax.astype", {x}, {{"dtype", b.string(dtype_text(t))}});
}

Node Importer::simplify(const Node& e) const { return Arith(b, self_.arith).simplify(e); }

Node Importer::truncated(const Node& x, const Node& y) const {
  const auto *n = x.as<ir::IntImm>(), *d = y.as<ir::IntImm>();
  if (d && (d->value() == 0 || d->value() == INT64_MIN || (n && n->value() == INT64_MIN))) return {};
  if (n && d) return b.imm(n->value() / d->value());
  Arith arith(b, self_.arith);
  const Node zero = b.imm(0);
  for (const auto& [name, symbol] : symbols_) arith.enter(b.ge(symbol, zero));  // sizes
  if (arith.can_prove(b.lt(y, zero))) return b.sub(zero, truncated(x, simplify(b.sub(zero, y))));
  if (!arith.can_prove(b.ge(y, zero))) return {};
  if (arith.can_prove(b.ge(x, zero))) return b.floordiv(x, y);
  // Dimensions have no division but the one that rounds down: each sign of x by itself, with the other one 0.
  return b.sub(b.floordiv(b.max(x, zero), y), b.floordiv(b.max(b.sub(zero, x), zero), y));
}

}  // namespace tenon::onnx
