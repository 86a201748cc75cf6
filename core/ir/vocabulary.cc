#include "ir/vocabulary.h"

#include "ir/ir_table.h"
#include "ir/rewrite.h"
#include "ir/span.h"

namespace tenon {

namespace {

// for i in T.serial(a, a + n, step=s): f(i)   ->   for k in T.serial(0, ceildiv(n, s)): f(a + k * s)
Node without_step(const Node& n) {
  Builder b = core_builder();
  const auto& loop = n.to<tir::For>();
  const Node& step = as_node(loop.step());
  int64_t stride = step.to<ir::IntImm>().value();
  DLDataType dtype = loop.loop_var().dtype();
  auto number = [&](int64_t v) { return b.imm(v, dtype); };
  Node extent;
  if (const auto* known = loop.extent().as<ir::IntImm>())
    extent = number(known->value() <= 0 ? 0 : (known->value() - 1) / stride + 1);
  else
    extent = b.floordiv(b.add(loop.extent(), number(stride - 1)), step);
  Node var = b.var(loop.loop_var().to<ir::Var>().name(), dtype);
  Node value = b.mul(var, step);
  if (const auto* min = loop.min().as<ir::IntImm>(); !min || min->value() != 0) value = b.add(loop.min(), value);
  Value body = substitute(Value(loop.body()).raw(), b.array({loop.loop_var()}), b.array({value}));
  return b.make<tir::For>(
      {number(0), extent, loop.loop_kind(), b.string(loop.thread()), Value(loop.annotations()), var, as_node(body)},
      n.span());
}

struct Converter {
  uint32_t kind, slot;
  Node (*convert)(const Node& node);
};
constexpr Converter kConverters[] = {{TN_KIND_tir_For, tir::ForSlot::step, &without_step}};

class DownConversion : public RewritePolicy {
 public:
  DownConversion(int64_t vocabulary, const std::string& reader)
      : vocabulary_(static_cast<uint32_t>(vocabulary)), reader_(reader) {}

  bool skip(const TnNode* n) override { return !(n->reserved & kHasNewer); }

  Value replace(const TnNode*, const TnNode* rebuilt) override {
    const KindInfo* info = kind_info(rebuilt->kind);
    Node node(rebuilt);
    if (info->schema.vocabulary > vocabulary_) refuse(node, *info, nullptr);
    for (uint32_t i = 0; i < info->schema.slot_count; ++i) {
      if (info->schema.slot_vocabularies[i] <= vocabulary_) continue;
      if (is_slot_default(info->schema.slots[i].type, node.slot(i).raw())) continue;
      const Converter* found = nullptr;
      for (const Converter& c : kConverters)
        if (c.kind == rebuilt->kind && c.slot == i) found = &c;
      if (!found) refuse(node, *info, info->schema.slots[i].name);
      node = found->convert(node);
    }
    return node.get() == rebuilt ? Value() : Value(node);
  }

 private:
  [[noreturn]] void refuse(const Node& node, const KindInfo& info, const char* slot) const {
    uint32_t since = info.schema.vocabulary;
    for (uint32_t i = 0; slot && i < info.schema.slot_count; ++i)
      if (info.schema.slots[i].name == slot) since = info.schema.slot_vocabularies[i];
    throw Error(TN_ERROR_UNSUPPORTED,
                reader_ + " knows the IR vocabulary " + std::to_string(vocabulary_) + ", but there is " +
                    info.schema.id + (slot ? " with a `" + std::string(slot) + "`" : "") + ", of vocabulary " +
                    std::to_string(since),
                location_text(node.span()), "install a newer build of the plugin, or leave the construct out");
  }

  uint32_t vocabulary_;
  const std::string& reader_;
};

bool has_newer(const Value& tree) { return (summarize(tree.raw()).flags & kHasNewer) != 0; }

}  // namespace

Value convert_down(const Value& tree, int64_t vocabulary, const std::string& reader) {
  if (!has_newer(tree)) return tree;
  DownConversion policy(vocabulary, reader);
  return rewrite_tree(tree.raw(), policy);
}

}  // namespace tenon
