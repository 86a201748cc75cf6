// flatten-buffers: every access has one index. A parameter keeps its shape, which callers are checked against, and is
// accessed through a flat view; a buffer that is only loaded and stored becomes flat itself.
//
//   A: Buffer((4, 8)); B = alloc((8, 4))      A_flat = decl_buffer((32,), data=A); B = alloc((32,))
//   B[j, i] = A[i, j]                         B[j * 4 + i] = A_flat[i * 8 + j]
#include "rewriter.h"

namespace tenon::loop {
namespace {

class Flatten : public Rewriter {
 public:
  Flatten(const Builder& b, const TnHostArith* table) : Rewriter(b), arith_(b, table) {}

  Node run(const tir::PrimFunc& f) {
    collect_whole_uses(f.body());
    std::vector<Node> stmts;
    for (const Node& p : nodes(f.params()))
      if (const auto* buffer = p.as<tir::Buffer>(); buffer && accessed_.count(buffer->get()))
        declare_view(*buffer, stmts);
    stmts.push_back(visit(f.body()));
    Node body = flat_seq(b_, stmts);
    return body.same_as(f.body()) ? static_cast<const Node&>(f) : b_.with(f, tir::PrimFunc::Slot::body, body);
  }

 protected:
  Node visit(const Node& n) override {
    if (const auto* alloc = n.as<tir::AllocBuffer>()) return declaration(n, alloc->buffer().to<tir::Buffer>());
    if (const auto* decl = n.as<tir::DeclBuffer>()) return declaration(n, decl->buffer().to<tir::Buffer>());
    if (const auto* seq = n.as<tir::Seq>()) return sequence(*seq);
    Node after = children(n);
    if (const auto* load = after.as<tir::BufferLoad>()) {
      auto it = flat_.find(load->buffer().get());
      if (it == flat_.end()) return after;
      return b_.make<tir::BufferLoad>(
          {load->dtype(), it->second, flat_index(load->buffer().to<tir::Buffer>(), load->indices())}, load->span());
    }
    if (const auto* store = after.as<tir::BufferStore>()) {
      auto it = flat_.find(store->buffer().get());
      if (it == flat_.end()) return after;
      return b_.make<tir::BufferStore>(
          {it->second, store->value(), flat_index(store->buffer().to<tir::Buffer>(), store->indices())}, store->span());
    }
    return after;
  }

 private:
  static bool is_flat(const tir::Buffer& b) {
    return b.shape().size() == 1 && b.strides().empty() && b.elem_offset().is_none();
  }

  // Buffers that something else than a load or a store names: they keep their shape.
  void collect_whole_uses(const Node& body) {
    b_.walk(Value(body), [&](const Node& n) {
      if (const auto* c = n.as<ir::Call>())
        for (const Node& a : nodes(c->args())) whole_.insert(a.get());
      if (const auto* decl = n.as<tir::DeclBuffer>()) whole_.insert(decl->data().get());
      if (const auto* block = n.as<tir::Block>())
        throw Error(TN_ERROR_ARGUMENT, "the block '" + std::string(block->name()) + "' is not lowered", {},
                    "run passes-loop:lower-blocks before it");
      if (const auto* load = n.as<tir::BufferLoad>()) accessed_.insert(load->buffer().get());
      if (const auto* store = n.as<tir::BufferStore>()) accessed_.insert(store->buffer().get());
    });
  }

  // A list in which a declaration may become two, both in scope for what follows them.
  Node sequence(const tir::Seq& seq) {
    std::vector<Node> out;
    bool any = false;
    for (const Node& s : nodes(seq.stmts())) {
      Node after = visit(s);
      any = any || !after.same_as(s);
      if (const auto* both = after.as<tir::Seq>(); both && !s.is<tir::Seq>())
        for (const Node& part : nodes(both->stmts())) out.push_back(part);
      else
        out.push_back(after);
    }
    return any ? flat_seq(b_, out) : static_cast<const Node&>(seq);
  }

  Node declaration(const Node& n, const tir::Buffer& buffer) {
    if (is_flat(buffer) || !accessed_.count(buffer.get())) return n;
    if (const auto* alloc = n.as<tir::AllocBuffer>(); alloc && !whole_.count(buffer.get())) {
      Node flat = flat_buffer(buffer, std::string(buffer.name()));
      flat_[buffer.get()] = flat;
      return b_.make<tir::AllocBuffer>({b_.map_value(alloc->annotations()), flat}, n.span());
    }
    std::vector<Node> stmts = {n};
    declare_view(buffer, stmts);
    return flat_seq(b_, stmts);
  }

  void declare_view(const tir::Buffer& buffer, std::vector<Node>& stmts) {
    if (is_flat(buffer)) return;
    Node flat = flat_buffer(buffer, std::string(buffer.name()) + "_flat");
    flat_[buffer.get()] = flat;
    stmts.push_back(b_.make<tir::DeclBuffer>({static_cast<const Node&>(buffer), flat}));
  }

  // One dimension that reaches from the start of the memory to the last element.
  Node flat_buffer(const tir::Buffer& buffer, const std::string& name) {
    Node extent = b_.imm(1);
    if (buffer.strides().empty()) {
      for (const Node& d : nodes(buffer.shape())) extent = b_.mul(extent, b_.cast(d, kInt64));
    } else {
      std::vector<Node> strides = strides_of(b_, buffer);
      for (size_t d = 0; d < strides.size(); ++d)
        extent = b_.add(extent, b_.mul(b_.sub(b_.cast(nodes(buffer.shape())[d], kInt64), b_.imm(1)), strides[d]));
    }
    if (!buffer.elem_offset().is_none()) extent = b_.add(extent, b_.cast(as_node(buffer.elem_offset()), kInt64));
    return b_.make<tir::Buffer>({b_.string(name), buffer.dtype(), b_.array({arith_.simplify(extent)}), b_.array({}),
                                 Value(), b_.string(buffer.scope()), b_.map_value(buffer.attrs())},
                                buffer.span());
  }

  Array flat_index(const tir::Buffer& buffer, const Array& indices) {
    std::vector<Node> strides = strides_of(b_, buffer);
    uint16_t lanes = 1;
    for (const Node& i : nodes(indices)) lanes = std::max(lanes, i.dtype().lanes);
    Node base = buffer.elem_offset().is_none() ? b_.imm(0) : b_.cast(as_node(buffer.elem_offset()), kInt64);
    Node step, scattered;  // the stride between lanes, and what is no ramp
    auto add = [&](const Node& a, const Node& c) { return a ? b_.add(a, c) : c; };
    for (size_t d = 0; d < strides.size(); ++d) {
      const Node& i = nodes(indices)[d];
      const auto* ramp = i.as<tir::Ramp>();
      const auto* broadcast = i.as<tir::Broadcast>();
      if (ramp) {
        base = b_.add(base, b_.mul(b_.cast(ramp->base(), kInt64), strides[d]));
        step = add(step, b_.mul(b_.cast(ramp->stride(), kInt64), strides[d]));
      } else if (i.dtype().lanes == 1 || broadcast) {
        base = b_.add(base, b_.mul(b_.cast(broadcast ? broadcast->value() : i, kInt64), strides[d]));
      } else {
        Node wide = b_.make<tir::Broadcast>({with_lanes(kInt64, lanes), strides[d], int64_t{lanes}});
        scattered = add(scattered, b_.mul(b_.cast(i, with_lanes(kInt64, lanes)), wide));
      }
    }
    base = arith_.simplify(base);
    if (lanes == 1) return b_.array({base});
    Node vector;
    if (step)
      vector = b_.make<tir::Ramp>({with_lanes(kInt64, lanes), base, arith_.simplify(step), int64_t{lanes}});
    else
      vector = b_.make<tir::Broadcast>({with_lanes(kInt64, lanes), base, int64_t{lanes}});
    return b_.array({scattered ? b_.add(vector, scattered) : vector});
  }

  Arith arith_;
  std::set<const TnNode*> whole_, accessed_;
  std::map<const TnNode*, Node> flat_;
};

}  // namespace

Value flatten_buffers(PassesLoop& self, const PassArgs&, const Node& function) {
  return Flatten(self.builder(), self.arith()).run(function.to<tir::PrimFunc>());
}

}  // namespace tenon::loop
