#include "layout_nests.h"

#include <map>
#include <set>

namespace tenon::graph {
namespace {

// The statements of the outermost level, and the buffers that are allocated there: through a block around everything,
// or by statements.
struct Outline {
  std::vector<Node> statements;
  std::vector<Node> allocated;
  Node root;  // the tir.BlockRealize around them, or null
};

Outline outline_of(const tir::PrimFunc& f) {
  Outline out;
  Node body = f.body();
  if (auto* realize = body.as<tir::BlockRealize>(); realize && realize->iter_values().empty()) {
    auto& block = realize->block().to<tir::Block>();
    if (block.init().is_none() && block.match_buffers().empty()) {
      out.root = body;
      for (const Node& buffer : nodes(block.alloc_buffers())) out.allocated.push_back(buffer);
      body = block.body();
    }
  }
  if (auto* seq = body.as<tir::Seq>())
    for (const Node& s : nodes(seq->stmts())) out.statements.push_back(s);
  else
    out.statements.push_back(body);
  for (const Node& s : out.statements)
    if (auto* alloc = s.as<tir::AllocBuffer>()) out.allocated.push_back(alloc->buffer());
  return out;
}

// The function with other statements at the outermost level.
Node rebuilt(const Builder& b, const Outline& outline, const std::vector<Node>& statements,
             const std::set<const TnNode*>& removed) {
  Node body = b.seq(statements);
  if (!outline.root) return body;
  auto& realize = outline.root.to<tir::BlockRealize>();
  std::vector<Node> allocated;
  for (const Node& buffer : nodes(realize.block().to<tir::Block>().alloc_buffers()))
    if (!removed.count(buffer.get())) allocated.push_back(buffer);
  Node block = b.with(realize.block(), tir::Block::Slot::alloc_buffers, Value(b.array(allocated)));
  block = b.with(block, tir::Block::Slot::body, body);
  return b.with(outline.root, tir::BlockRealize::Slot::block, block);
}

// What a statement does with memory.
struct Accesses {
  std::set<const TnNode*> read, written;
  std::vector<Node> read_nodes, written_nodes;
  const TnNode* marked = nullptr;  // the first block that is marked
  bool has_other_blocks = false, calls = false;
};

Accesses accesses_of(PassesGraph& self, const Node& statement) {
  Accesses out;
  self.builder().walk(Value(statement), [&](const Node& n) {
    if (auto* load = n.as<tir::BufferLoad>(); load && out.read.insert(load->buffer().get()).second)
      out.read_nodes.push_back(load->buffer());
    if (auto* store = n.as<tir::BufferStore>(); store && out.written.insert(store->buffer().get()).second)
      out.written_nodes.push_back(store->buffer());
    if (auto* block = n.as<tir::Block>()) {
      const Value* mark = block->annotations().find(kLayoutRewrite);
      bool is_marked =
          mark && (mark->is_node() ? as_node(*mark).is<ir::IntImm>() && as_node(*mark).to<ir::IntImm>().value() != 0
                                   : mark->as_bool());
      if (is_marked && !out.marked)
        out.marked = n.get();
      else if (!is_marked)
        out.has_other_blocks = true;
    }
    auto* call = n.as<ir::Call>();
    if (!call) return;
    Value record = op_of(n).empty() ? Value() : tenon::call([&](TnValue* ret) {
      return self.ops->find(self.ops->self, std::string(op_of(n)).c_str(), ret);
    });
    const Value* effects = record.is_map() ? record.ref<Map>().find("effects") : nullptr;
    out.calls = out.calls || !effects || effects->as_string() != "pure";
  });
  return out;
}

std::set<const TnNode*> bare_symbols(const std::vector<Node>& params) {
  std::set<const TnNode*> out;
  for (const Node& p : params) {
    auto* buffer = p.as<tir::Buffer>();
    if (!buffer) {
      out.insert(p.get());
      continue;
    }
    for (const Node& d : nodes(buffer->shape()))
      if (d.is<ir::Var>()) out.insert(d.get());
  }
  return out;
}

// Whether every variable that the tree uses is defined in it or among `symbols`.
bool is_closed(const Builder& b, const Value& tree, std::set<const TnNode*> defined) {
  bool closed = true;
  b.walk(tree, [&](const Node& n) {
    if (auto* loop = n.as<tir::For>()) defined.insert(loop->loop_var().get());
    if (auto* iter = n.as<tir::IterVar>()) defined.insert(iter->var().get());
    if (auto* let = n.as<tir::Let>()) defined.insert(let->var().get());
    if (auto* bind = n.as<tir::Bind>()) defined.insert(bind->var().get());
    if (n.is<ir::Var>()) closed = closed && defined.count(n.get());
  });
  return closed;
}

}  // namespace

std::vector<LayoutRewrite> layout_rewrites(
    PassesGraph& self, const tir::PrimFunc& f,
    const std::function<void(const Node& at, const std::string& why)>& complain) {
  const Builder& b = self.builder();
  Outline outline = outline_of(f);
  std::map<const TnNode*, size_t> params;
  for (size_t i = 0; i < f.params().size(); ++i) params[nodes(f.params())[i].get()] = i;
  std::set<const TnNode*> allocated;
  for (const Node& buffer : outline.allocated) allocated.insert(buffer.get());
  std::vector<Accesses> accesses;
  std::set<const TnNode*> written;
  for (const Node& s : outline.statements) {
    accesses.push_back(accesses_of(self, s));
    written.insert(accesses.back().written.begin(), accesses.back().written.end());
  }

  std::vector<LayoutRewrite> out;
  std::set<const TnNode*> given_up;
  for (size_t i = 0; i < accesses.size(); ++i) {
    const Accesses& a = accesses[i];
    if (!a.marked) continue;
    const Node& statement = outline.statements[i];
    auto refuse = [&](const std::string& why) {
      complain(statement, "a block marked " + std::string(kLayoutRewrite) + " stays where it is: " + why);
      if (!a.written_nodes.empty()) given_up.insert(a.written_nodes[0].get());
    };
    if (a.written_nodes.size() != 1 || !allocated.count(a.written_nodes[0].get())) {
      refuse("it does not fill one buffer of the function");
      continue;
    }
    const Node& packed = a.written_nodes[0];
    if (given_up.count(packed.get())) continue;
    bool is_read_only =
        a.read_nodes.size() == 1 && params.count(a.read_nodes[0].get()) && !written.count(a.read_nodes[0].get());
    bool fills_more = false;  // a statement without a mark writes the buffer
    for (const Accesses& other : accesses)
      fills_more = fills_more || (!other.marked && other.written.count(packed.get()));
    if (a.has_other_blocks || a.calls)
      refuse("it holds more than the conversion");
    else if (!is_read_only && !a.read_nodes.empty())
      refuse("it reads more than one parameter that nothing writes");
    else if (fills_more)
      refuse("something else writes '" + std::string(packed.to<tir::Buffer>().name()) + "'");
    else if (packed.to<tir::Buffer>().scope() != "global" || !packed.to<tir::Buffer>().strides().empty())
      refuse("its buffer is not plain memory");
    else if (is_read_only && !is_closed(b, b.array({Value(statement), Value(packed.to<tir::Buffer>().shape())}),
                                        bare_symbols({a.read_nodes[0]})))
      refuse("the shape depends on more than the parameter that it reads");
    else {
      size_t at = 0;
      while (at < out.size() && !out[at].packed.same_as(packed)) ++at;
      size_t source = a.read_nodes.empty() ? f.params().size() : params[a.read_nodes[0].get()];
      if (at == out.size())
        out.push_back({std::string(Builder::borrow(a.marked).to<tir::Block>().name()), source, packed, {}});
      if (out[at].source == f.params().size()) out[at].source = source;
      if (source != f.params().size() && out[at].source != source)
        refuse("several parameters fill its buffer");
      else
        out[at].nests.push_back(statement);
    }
  }
  std::erase_if(
      out, [&](const LayoutRewrite& r) { return given_up.count(r.packed.get()) || r.source == f.params().size(); });
  return out;
}

Node rewrite_function(const Builder& b, const tir::PrimFunc& f, const LayoutRewrite& rewrite) {
  Node source = nodes(f.params())[rewrite.source];
  Node made = b.make<tir::PrimFunc>(
      {b.array({Value(source), Value(rewrite.packed)}), b.map({}), Value(), b.seq(rewrite.nests)}, f.span());
  // The mark has been followed.
  Value unmarked = b.rewrite(Value(made), [&](const Node&, const Node& n) -> Value {
    auto* block = n.as<tir::Block>();
    if (!block || !block->annotations().find(kLayoutRewrite)) return Value();
    return Value(
        b.with(n, tir::Block::Slot::annotations, Value(b.with(block->annotations(), kLayoutRewrite, Value()))));
  });
  return b.renew(unmarked).ref<Node>();
}

Node packed_function(const Builder& b, const tir::PrimFunc& f, const std::vector<LayoutRewrite>& rewrites,
                     size_t inputs, std::vector<bool>& dropped) {
  Outline outline = outline_of(f);
  std::set<const TnNode*> removed, gone;
  for (const LayoutRewrite& r : rewrites) {
    removed.insert(r.packed.get());
    for (const Node& nest : r.nests) gone.insert(nest.get());
  }
  std::vector<Node> statements;
  for (const Node& s : outline.statements) {
    auto* alloc = s.as<tir::AllocBuffer>();
    if (!gone.count(s.get()) && !(alloc && removed.count(alloc->buffer().get()))) statements.push_back(s);
  }
  Node body = rebuilt(b, outline, statements, removed);
  std::set<const TnNode*> used;
  b.walk(Value(body), [&](const Node& n) {
    for (uint32_t i = 0; i < n.slot_count(); ++i)
      if (n.slot(i).is_node() && as_node(n.slot(i)).is<tir::Buffer>()) used.insert(as_node(n.slot(i)).get());
    if (auto* call = n.as<ir::Call>())
      for (const Node& a : nodes(call->args())) used.insert(a.get());
  });

  std::vector<Node> params, behind;
  for (const Node& p : nodes(f.params())) params.push_back(p);
  dropped.assign(rewrites.size(), false);
  for (size_t k = 0; k < rewrites.size(); ++k) {
    const LayoutRewrite& r = rewrites[k];
    std::vector<Node> without = params;
    without[r.source] = r.packed;
    // The source goes unless it is read elsewhere, or its shape says what a symbol is.
    dropped[k] = !used.count(params[r.source].get()) &&
                 is_closed(b, Value(b.array({Value(b.array(without)), Value(body)})), bare_symbols(without));
    if (dropped[k])
      params = without;
    else
      behind.push_back(r.packed);
  }
  params.insert(params.begin() + static_cast<std::ptrdiff_t>(inputs), behind.begin(), behind.end());
  Map attrs = b.with(b.with(f.attrs(), "global_symbol", Value()), "layout_free_buffers", Value());
  Node made = b.make<tir::PrimFunc>({b.array(params), Value(attrs), f.ret_type(), body}, f.span());
  return b.renew(Value(made)).ref<Node>();
}

}  // namespace tenon::graph
