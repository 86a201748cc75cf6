// Finds arguments that an operator accepts: shapes that operators of many kinds take are tried in turn.
#include <tenon/ext/op.h>

#include "exercises.h"

namespace tenon::conformance {

namespace {

// One argument: T a tensor of the dtype, B of bool, I of int64, S a shape, P a tuple of two tensors; then its extents.
// The last one of a row is repeated for the arguments that are left.
constexpr const char* kRows[][3] = {
    {"T4x6", nullptr},     {"T4x6", "T6x5"},   {"T1x4x6x6", "T2x4x3x3", "T2"},
    {"T1x4x6x6", nullptr}, {"T1x4x6x6", "T4"}, {"T4x6", "S6x4"},
    {"T4x6", "S3x4x6"},    {"P4x6", nullptr},  {"S2x3", nullptr},
    {"B4x6", "T4x6"},      {"B4x6", nullptr},  {"T4x6", "I3"},
    {"I3", "T4x6"},        {"T4x6", "T6"},     {"T1x4x6", "T6"},
    {"T1x1x4", nullptr},
};
// What attributes without a default are tried with, by type.
struct AttrRow {
  std::vector<int64_t> list;
  int64_t number;
};
const AttrRow kAttrs[] = {{{1}, 1}, {{0}, 0}, {{2, 2}, 2}};

Node argument(const Builder& b, const std::string& spec, DLDataType dtype, size_t at, OpCall& c) {
  std::vector<Node> shape;
  for (size_t i = 1; i < spec.size();) {
    size_t end = spec.find('x', i);
    shape.push_back(b.imm(std::stoll(spec.substr(i, end - i))));
    i = end == std::string::npos ? spec.size() : end + 1;
  }
  const auto rank = static_cast<int64_t>(shape.size());
  if (spec[0] == 'S')
    return b.make<relax::ShapeExpr>({Value(b.make<relax::ShapeType>({b.array(shape), rank})), b.array(shape)});
  DLDataType t = spec[0] == 'B' ? kBool : spec[0] == 'I' ? kInt64 : dtype;
  Node type = b.make<relax::TensorType>({b.array(shape), t, rank, b.map({})});
  auto var = [&](const std::string& name) {
    Node v = b.make<ir::Var>({type, b.string(name)});
    c.params.push_back(v);
    return v;
  };
  const std::string name = "x" + std::to_string(at);
  if (spec[0] != 'P') return var(name);
  return b.make<relax::Tuple>({Value(b.make<relax::TupleType>({b.array({Value(type), Value(type)})})),
                               b.array({Value(var(name + "a")), Value(var(name + "b"))})});
}

Value attribute(const Builder& b, const std::string& type, const AttrRow& row) {
  if (type == "list") {
    std::vector<Value> items(row.list.begin(), row.list.end());
    return b.array(items);
  }
  if (type == "string" || type == "dtype") return b.string("float32");
  if (type == "float") return Value(static_cast<double>(row.number));
  if (type == "bool") return Value(true);
  return Value(row.number);
}

OpCall loop_call(const Builder& b, const Map& op, DLDataType dtype) {
  const Value* names = op.find("args");
  OpCall c;
  std::vector<Node> args;
  for (size_t i = 0; names && i < names->ref<Array>().size(); ++i) {
    args.push_back(b.var("x" + std::to_string(i), dtype));
    c.params.push_back(args.back());
  }
  const Value* result = op.find("result");
  std::string kind = result && result->is_string() ? std::string(result->as_string()) : "given";
  DLDataType type = kind == "bool" ? kBool : dtype;
  if (kind != "bool" && kind != "first" && kind != "given") {
    if (auto named = dtype_from_text(kind)) type = *named;
  }
  c.call = b.make<ir::Call>({Value(type), b.make<ir::Op>({Value(), b.string(std::string(op.find("id")->as_string()))}),
                             b.array(args), b.map({}), b.array({})});
  return c;
}

}  // namespace

bool has_function(const Map& op, const char* name) {
  const Value* f = op.find("functions");
  if (f && f->is_array())
    for (const Value& v : f->ref<Array>())
      if (v.as_string() == name) return true;
  return false;
}

OpCall make_op_call(Instance& instance, const Map& op, DLDataType dtype, const char* all) {
  const Builder& b = instance.subject().b();
  if (op.find("level")->as_string() == "loop") return loop_call(b, op, dtype);
  const auto* table = instance.table<TnOp>(TN_OP);
  const Value* names = op.find("args");
  const size_t count = names && names->is_array() ? names->ref<Array>().size() : 0;
  Error refusal(TN_ERROR_UNSUPPORTED, "no arguments were found that it takes");
  bool refused = false;
  for (const auto& known : kRows) {
    const char* const of_all[3] = {all, nullptr, nullptr};
    const auto& row = all ? of_all : known;
    const size_t given = !row[1] ? 1 : !row[2] ? 2 : 3;
    if (count < given && count > 0) continue;
    for (const AttrRow& attrs : kAttrs) {
      OpCall c;
      std::vector<Node> args;
      for (size_t i = 0; i < count; ++i) args.push_back(argument(b, row[std::min(i, given - 1)], dtype, i, c));
      Builder::Entries entries;
      if (const Value* a = op.find("attrs"); a && a->is_map())
        for (const Map::Entry& e : a->ref<Map>())
          if (!e.value().ref<Map>().find("default"))
            entries.emplace_back(std::string(e.key()),
                                 attribute(b, std::string(e.value().ref<Map>().find("type")->as_string()), attrs));
      c.call = b.make<ir::Call>({Value(), b.make<ir::Op>({Value(), b.string(std::string(op.find("id")->as_string()))}),
                                 b.array(args), b.map(entries), b.array({})});
      try {
        if (!TN_HAS(table, infer_type)) return c;
        Value type = call_slot([&](TnValue* ret) {
          return table->infer_type(instance.self(TN_OP), instance.context(Node()), c.call.get(), ret);
        });
        c.call = b.with(c.call, ir::CallSlot::type, type);
        return c;
      } catch (const Error& e) {
        if (!refused) refusal = e;
        refused = true;
      }
      if (entries.empty()) break;
    }
    if (all) break;
  }
  throw refusal;
}

}  // namespace tenon::conformance
