// lower-match-buffers: a window into a buffer becomes a declared view with the strides and the offset that it has.
//
//   B = match_buffer(A[i * 4 : i * 4 + 4, 0:8], (4, 8))   ->   B = decl_buffer((4, 8), data=A, strides=[8, 1],
//                                                                              elem_offset=i * 32)
#include "rewriter.h"

namespace tenon::loop {
namespace {

class LowerMatches : public Rewriter {
 public:
  using Rewriter::Rewriter;

 protected:
  Node visit(const Node& n) override {
    Node after = n.is<tir::BufferLoad>() ? n : children(n);
    const auto* block = after.as<tir::Block>();
    if (!block || block->match_buffers().empty()) return after;
    std::vector<Node> declarations, from, to;
    for (const Node& m : nodes(block->match_buffers())) {
      const auto& match = m.to<tir::MatchBufferRegion>();
      Node source = substituted(b_, match.source(), from, to);  // it may be a window itself
      declare(source.to<tir::BufferRegion>(), match.buffer().to<tir::Buffer>(), declarations, from, to);
    }
    std::vector<Value> slots(block->slots(), block->slots() + block->slot_count());
    slots[tir::Block::Slot::match_buffers] = b_.array({});
    auto with_declarations = [&](const Node& body) {
      std::vector<Node> stmts = declarations;
      stmts.push_back(substituted(b_, body, from, to));
      return flat_seq(b_, stmts);
    };
    // The init has the views that it uses: another may depend on the reduction, and an initial value may stand without.
    auto with_used_declarations = [&](const Node& init) {
      std::vector<Node> stmts = {substituted(b_, init, from, to)};  // the last first
      std::set<const TnNode*> used;
      auto use = [&](const Value& tree) { b_.walk(tree, [&](const Node& n) { used.insert(n.get()); }); };
      use(Value(stmts[0]));
      for (size_t i = declarations.size(); i-- > 0;) {
        const auto* decl = declarations[i].as<tir::DeclBuffer>();
        const Node& defined = decl ? decl->buffer() : declarations[i].to<tir::Bind>().var();
        if (!used.count(defined.get())) continue;
        use(Value(declarations[i]));
        for (uint32_t slot = 0; decl && slot < defined.slot_count(); ++slot)
          if (defined.slot(slot).is_node() || defined.slot(slot).is_array()) use(defined.slot(slot));
        stmts.push_back(declarations[i]);
      }
      return flat_seq(b_, std::vector<Node>(stmts.rbegin(), stmts.rend()));
    };
    slots[tir::Block::Slot::body] = with_declarations(block->body());
    if (!block->init().is_none())
      slots[tir::Block::Slot::init] = copy_with(b_, with_used_declarations(as_node(block->init())), {}, {});
    return b_.make(block->kind(), slots, block->span());
  }

 private:
  void declare(const tir::BufferRegion& source, const tir::Buffer& view, std::vector<Node>& stmts,
               std::vector<Node>& from, std::vector<Node>& to) {
    const auto& buffer = source.buffer().to<tir::Buffer>();
    NodeRange region = nodes(source.region());
    size_t dropped = region.size() - view.shape().size();
    std::vector<Node> strides = strides_of(b_, buffer);
    Node offset = buffer.elem_offset().is_none() ? b_.imm(0) : b_.cast(as_node(buffer.elem_offset()), kInt64);
    for (size_t d = 0; d < region.size(); ++d)
      offset = b_.add(offset, b_.mul(b_.cast(region[d].to<ir::Range>().min(), kInt64), strides[d]));
    auto bind = [&](const Node& declared, const Node& value) {  // a variable that the window defines
      if (declared.is<ir::Var>() && defined_.insert(declared.get()).second)
        stmts.push_back(b_.make<tir::Bind>({b_.cast(value, declared.dtype()), declared}));
      return declared;
    };
    std::vector<Node> shape, view_strides;
    for (size_t d = 0; d < view.shape().size(); ++d) {
      shape.push_back(bind(nodes(view.shape())[d], region[d + dropped].to<ir::Range>().extent()));
      Node stride = strides[d + dropped];
      view_strides.push_back(view.strides().empty() ? stride : bind(nodes(view.strides())[d], stride));
    }
    if (!view.elem_offset().is_none()) offset = bind(as_node(view.elem_offset()), offset);
    Node declared = b_.make<tir::Buffer>({b_.string(view.name()), view.dtype(), b_.array(shape), b_.array(view_strides),
                                          offset, b_.string(view.scope()), b_.map_value(view.attrs())},
                                         view.span());
    stmts.push_back(b_.make<tir::DeclBuffer>({source.buffer(), declared}, view.span()));
    from.push_back(view);
    to.push_back(declared);
  }

  std::set<const TnNode*> defined_;
};

}  // namespace

Value lower_match_buffers(PassesLoop& self, const PassArgs&, const Node& function) {
  return LowerMatches(self.builder()).function(function.to<tir::PrimFunc>());
}

}  // namespace tenon::loop
