#include "kind_calls.h"

namespace tenon::conformance {

namespace {

constexpr int64_t kCount = 8;

// What one slot may hold, and how that is called.
struct Filling {
  Value value;
  std::string what;
  bool is_operand = false;
};

Node tensor_type(const Builder& b) {
  return b.make<relax::TensorType>({b.array({b.imm(4), b.imm(6)}), kFloat32, int64_t{2}, b.map({})});
}

std::vector<Filling> fillings(const Builder& b, const TnSlotSchema& slot, DLDataType dtype, const KindCall& c) {
  const Node load = c.is_graph() ? c.params[0] : b.load(c.params[0], b.array({Value(c.index)}));
  switch (slot.type) {
    case TN_SLOT_NODE:
      if (slot.role == TN_ROLE_DEF) return {{Value(b.var("defined", dtype)), "a variable"}};
      if (c.is_graph()) return {{Value(c.params[0]), "a tensor", true}, {Value(c.params[1]), "another tensor", true}};
      return {{Value(load), "a load", true},
              {Value(c.params[0]), "a buffer"},
              {Value(b.imm(1)), "a number"},
              {Value(b.constant_of(2, dtype)), "a constant", true}};
    case TN_SLOT_ARRAY: return {{Value(b.array({Value(load)})), "an array"}, {Value(b.array({})), "an empty array"}};
    case TN_SLOT_VALUES: return {{Value(b.array({Value(1)})), "values"}};
    case TN_SLOT_MAP: return {{Value(b.map({})), "an empty map"}};
    case TN_SLOT_STR: return {{b.string("x"), "a text"}};
    case TN_SLOT_INT: return {{Value(1), "1"}};
    case TN_SLOT_BOOL: return {{Value(true), "true"}};
    case TN_SLOT_FLOAT: return {{Value(2.0), "2.0"}};
    case TN_SLOT_DTYPE: return {{Value(dtype), dtype_text(dtype)}};
    default: return {{Value(1), "1"}};
  }
}

}  // namespace

std::vector<KindCall> kind_calls(const Subject& s, size_t most) {
  const Builder& b = s.b();
  std::vector<KindCall> out;
  for (const Value& id : s.list("kinds")) {
    const std::string name(id.as_string());
    const uint32_t kind = b.ir()->find_kind(b.ir()->self, name.c_str());
    const TnKindSchema* schema = kind ? b.ir()->schema(b.ir()->self, kind) : nullptr;
    if (!schema) throw Error(TN_ERROR_PLUGIN, "the host does not know the kind " + name);
    size_t made = 0;
    for (DLDataType dtype : {kFloat32, kInt32}) {
      KindCall c{name, schema, {}, {}, {}, {}, {}, true};
      if (c.is_graph()) {
        for (const char* x : {"x", "y"}) c.params.push_back(b.var(x, Value(tensor_type(b))));
      } else {
        Array shape = b.array({Value(b.imm(kCount))});
        for (const char* x : {"A", "B"}) c.params.push_back(b.buffer(x, dtype, shape));
        c.result = c.params[1];
        c.index = b.var("i");
      }
      // Every combination of what the slots may hold, the first slots changing fastest.
      const bool has_type = schema->flags & TN_KIND_EXPR;
      std::vector<std::vector<Filling>> choices;
      size_t combinations = 1;
      for (uint32_t i = has_type ? 1 : 0; i < schema->slot_count; ++i) {
        choices.push_back(fillings(b, schema->slots[i], dtype, c));
        combinations = std::min<size_t>(combinations * choices.back().size(), 4096);
      }
      for (size_t k = 0; k < combinations && made < most; ++k) {
        KindCall one = c;
        std::vector<Value> slots;
        if (has_type) slots.push_back(c.is_graph() ? Value(tensor_type(b)) : Value(dtype));
        size_t digits = k;
        std::string of;
        for (const auto& choice : choices) {
          const Filling& f = choice[digits % choice.size()];
          digits /= choice.size();
          slots.push_back(f.value);
          of += (of.empty() ? " of " : ", ") + f.what;
          if (f.is_operand && !one.operand) one.operand = as_node(f.value);
          one.proper = one.proper && (f.is_operand || !f.value.is_node());
        }
        one.name += of + (c.is_graph() ? "" : ", " + dtype_text(dtype));
        one.node = b.make(kind, slots);
        out.push_back(one);
        ++made;
      }
      if (c.is_graph()) break;
    }
  }
  return out;
}

Node program_of(const Builder& b, const KindCall& c, const Node& node) {
  Node main;
  if (c.is_graph()) {
    Node var = b.make<ir::Var>({c.node.slot(0), b.string("z")});
    Node block = b.make<relax::BindingBlock>({b.array({Value(b.make<relax::VarBinding>({node, var}))})});
    main = b.make<relax::Function>({Value(), b.array(c.params), b.map({{"global_symbol", b.string("main")}}), Value(),
                                    true, b.make<relax::SeqExpr>({Value(), b.array({Value(block)}), var})});
  } else {
    const Array at = b.array({Value(c.index)});
    std::vector<Node> body;
    if (c.is_statement()) {
      body = {node, b.store(c.result, at, b.add(b.load(c.result, at), b.load(c.params[0], at)))};
    } else {
      body = {b.store(c.result, at, node)};
    }
    main = b.make<tir::PrimFunc>({b.array(c.params), b.map({{"global_symbol", b.string("main")}}), Value(),
                                  b.loop(c.index, b.imm(kCount), b.seq(body))});
  }
  // The second copy of a program has definitions of its own.
  return b.make<ir::Module>({b.map({}), b.map({}), b.map({{"main", b.renew(Value(main))}}), b.array({})});
}

}  // namespace tenon::conformance
