// unroll-loops: a loop marked as unrolled, of a known small extent, becomes one copy of its body per step.
//
//   for i in T.unroll(2): B[i] = A[i]   ->   B[0] = A[0]
//                                            B[1] = A[1]
#include "rewriter.h"

namespace tenon::loop {
namespace {

class Unroll : public Rewriter {
 public:
  Unroll(const Builder& b, int64_t max_extent) : Rewriter(b), max_extent_(max_extent) {
    if (max_extent < 0) throw Error(TN_ERROR_ARGUMENT, "max_extent is at least 0, not " + std::to_string(max_extent));
  }

 protected:
  Node visit(const Node& n) override {
    if (n.is<tir::BufferLoad>()) return n;
    Node after = children(n);
    const auto* loop = after.as<tir::For>();
    if (!loop || loop->loop_kind() != TN_FOR_UNROLLED) return after;
    std::optional<int64_t> extent = constant_of(loop->extent()), min = constant_of(loop->min());
    if (!extent || *extent > max_extent_) return after;
    std::vector<Node> copies;
    DLDataType type = loop->loop_var().dtype();
    for (int64_t i = 0; i < *extent; ++i) {
      Node step = min ? b_.imm(*min + i, type) : b_.add(loop->min(), b_.imm(i, type));
      copies.push_back(i == 0 ? substituted(b_, loop->body(), {loop->loop_var()}, {step})
                              : copy_with(b_, loop->body(), {loop->loop_var()}, {step}));
    }
    return flat_seq(b_, copies);
  }

 private:
  int64_t max_extent_;
};

}  // namespace

Value unroll_loops(PassesLoop& self, const PassArgs& args, const Node& function) {
  return Unroll(self.builder(), args.number("max_extent")).function(function.to<tir::PrimFunc>());
}

}  // namespace tenon::loop
