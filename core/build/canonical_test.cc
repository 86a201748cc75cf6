#include "build/canonical.h"

#include <gtest/gtest.h>

#include "ir/ir_table.h"

namespace tenon {
namespace {

// f(P_1 (n_3)): two buffers, both called T; a loop over j_7.
Node function(const Builder& b, const char* first, const char* second, const TnSpan* span) {
  Node n = b.var("n_3"), j = b.var("j_7");
  Node p = b.buffer("P_1", kFloat32, b.array({n}));
  Node x = b.buffer(first, kFloat32, b.array({n})), y = b.buffer(second, kFloat32, b.array({n}));
  Node body =
      b.make<tir::Seq>({b.array({b.make<tir::AllocBuffer>({b.map({}), x}), b.make<tir::AllocBuffer>({b.map({}), y}),
                                 b.loop(j, n, b.store(x, b.array({j}), b.load(p, b.array({j})))),
                                 b.store(y, b.array({b.imm(0)}), b.load(x, b.array({b.imm(0)})))})},
                       span);
  return b.make<tir::PrimFunc>({b.array({p}), b.map({}), Value(), body}, span);
}

TEST(Canonical, NamesFollowFromStructure) {
  Builder b = core_builder();
  auto module = [&](const Node& f) {
    return b.make<ir::Module>({b.map({}), b.map({}), b.map({{"f", f}}), b.array({})});
  };
  Value span = call([&](TnValue* ret) { return b.ir()->span(b.ir()->self, "in.py", 3, 1, 3, 9, ret); });
  auto* position = reinterpret_cast<const TnSpan*>(span.raw().as.object);
  const char* names[][2] = {{"T", "T"}, {"T", "T_1"}, {"T_5", "T_2"}, {"T_1_1", "T"}};
  for (auto [first, second] : names) {
    Node given = module(function(b, first, second, position));
    Node made = canonical_module(b, given);
    EXPECT_FALSE(b.difference(Value(given), Value(made))) << "names and positions are no part of equality";
    std::vector<std::string> seen;
    b.walk(Value(made), [&](const Node& n) {
      EXPECT_EQ(n.span(), nullptr);
      if (auto* alloc = n.as<tir::AllocBuffer>()) seen.emplace_back(alloc->buffer().to<tir::Buffer>().name());
      if (auto* loop = n.as<tir::For>()) seen.emplace_back(loop->loop_var().to<ir::Var>().name());
      if (auto* load = n.as<tir::BufferLoad>()) seen.emplace_back(load->buffer().to<tir::Buffer>().name());
      if (auto* f = n.as<tir::PrimFunc>())
        for (const Node& d : nodes(nodes(f->params())[0].to<tir::Buffer>().shape()))
          seen.emplace_back(d.to<ir::Var>().name());
    });
    EXPECT_EQ(seen, (std::vector<std::string>{"n_3", "T", "T_1", "j", "P_1", "T"}));
  }
}

}  // namespace
}  // namespace tenon
