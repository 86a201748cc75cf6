// inline-elementwise: what computes each element by itself goes to where the element is read, and its buffer goes away.
//
//   for i, j: T[i, j] = A[i, j] + B[j]               for i, j: C[i, j] = max(A[i, j] + B[j], 0)
//   for i, j: C[i, j] = max(T[i, j], 0)      ->
//
// T is local, one block writes all of it, each element once and without a reduction, and one other block reads it. No
// work is done twice: the reader reads each element at most once, or the value is free (an index map that costs an
// addition at most, a cast, a constant). A free value that reorders memory (a transposition, a packing) stays in front
// of a reduction that reads it repeatedly, because there the order counts; and what reads memory under a condition (a
// padding) in front of any reduction, because branches keep its loops from becoming vectors. What one step reads
// several times is bound once (T.Let). Nothing moves across a write of what it reads.
#include <loop_analysis/loop_analysis.h>

#include "rewriter.h"

namespace tenon::loop {
namespace {

using Buffers = std::set<const TnNode*>;

constexpr size_t kSmall = 12;      // nodes of a value that may be written out twice
constexpr size_t kLargest = 4000;  // nodes of a value that still grows

size_t size_of(const Builder& b, const Node& tree) {
  size_t n = 0;
  b.walk(Value(tree), [&](const Node&) { ++n; });
  return n;
}

// The places where a buffer is read in an expression.
struct Sites {
  std::vector<Node> loads;
  bool always = false;  // one of them is evaluated whenever the expression is
  bool movable = true;  // no index uses a variable of a T.Let inside
};

class FindSites {
 public:
  FindSites(const Builder& b, const Node& buffer) : b_(b), buffer_(buffer) {}
  Sites run(const Node& e) {
    visit(e, false);
    return std::move(out_);
  }

 private:
  void visit(const Node& e, bool guarded) {
    if (const auto* load = e.as<tir::BufferLoad>(); load && load->buffer().same_as(buffer_)) {
      out_.loads.push_back(e);
      out_.always = out_.always || !guarded;
      out_.movable = out_.movable && !uses_any(b_, load->indices(), bound_);
    }
    if (const auto* let = e.as<tir::Let>()) bound_.insert(let->var().get());
    // The first operand decides whether the others are evaluated.
    const auto* call = e.as<ir::Call>();
    const auto* op = call ? call->op().as<ir::Op>() : nullptr;
    bool lazy = e.is<tir::And>() || e.is<tir::Or>() || e.is<tir::Select>() || (op && op->id() == "tir.if_then_else");
    std::vector<Node> operands;
    if (call)
      for (const Node& a : nodes(call->args())) operands.push_back(a);
    else if (const auto* load = e.as<tir::BufferLoad>())
      for (const Node& i : nodes(load->indices())) operands.push_back(i);
    else if (!e.is<ir::Var>() && !e.is<tir::Buffer>())
      for (uint32_t s = 0; s < e.slot_count(); ++s)
        if (e.slot(s).is_node()) operands.push_back(as_node(e.slot(s)));
    for (size_t i = 0; i < operands.size(); ++i) visit(operands[i], guarded || (lazy && i > 0));
  }

  const Builder& b_;
  const Node& buffer_;
  std::set<const TnNode*> bound_;
  Sites out_;
};

// A statement of the function, and what it does to buffers.
struct Step {
  Node statement;
  std::optional<LoopStage> stage;
  Buffers reads, writes;  // what a statement of another form mentions counts as both
};

class Inliner {
 public:
  Inliner(PassesLoop& self, const tir::PrimFunc& f)
      : b_(self.builder()),
        table_(self.arith()),
        analysis_(b_, self.arith(), &self.service<TnHostOps>().required()),
        f_(f) {}

  Node run() {
    open();
    if (local_.empty()) return f_;
    bool changed = false;
    for (size_t k = steps_.size(); k-- > 0;) changed = remove(k) || changed;
    return changed ? close() : static_cast<const Node&>(f_);
  }

 private:
  // ---- The statements of the function, and back

  void open() {
    Node at = f_.body();
    if (const auto* realize = at.as<tir::BlockRealize>()) {
      const auto& root = realize->block().to<tir::Block>();
      if (!root.iter_vars().empty() || !root.match_buffers().empty() || !root.init().is_none()) return;
      root_ = *realize;
      for (const Node& buffer : nodes(root.alloc_buffers())) local_.insert(buffer.get());
      at = root.body();
    }
    std::vector<Node> statements{at};
    if (const auto* seq = at.as<tir::Seq>()) {
      statements.clear();
      for (const Node& s : nodes(seq->stmts())) statements.push_back(s);
    }
    for (const Node& s : statements)
      if (const auto* alloc = s.as<tir::AllocBuffer>(); alloc && alloc->annotations().empty())
        local_.insert(alloc->buffer().get());
    std::erase_if(local_, [](const TnNode* n) {
      const Node node(n);
      const auto& buffer = node.to<tir::Buffer>();
      return !buffer.strides().empty() || !buffer.elem_offset().is_none() || buffer.scope() != "global" ||
             !buffer.attrs().empty();
    });
    if (local_.empty()) return;
    for (const Node& s : statements) steps_.push_back(step(s));
    for (const Step& s : steps_)
      if (const auto* view = s.statement.as<tir::DeclBuffer>(); view && !view->data().is<ir::Constant>()) {
        aliased_.insert(view->buffer().get());
        mention(view->data(), aliased_);
      }
  }

  Step step(const Node& statement) {
    Step s{statement, analysis_.stage(statement), {}, {}};
    if (statement.is<tir::AllocBuffer>()) return s;
    if (s.stage) {
      mention(s.stage->value, s.reads);
      s.writes.insert(s.stage->output.get());
    } else {
      mention(statement, s.reads);
      s.writes = s.reads;
    }
    return s;
  }
  void mention(const Node& tree, Buffers& out) const {
    b_.walk(Value(tree), [&](const Node& n) {
      if (n.is<tir::Buffer>()) out.insert(n.get());
    });
  }

  Node close() {
    std::vector<Node> statements, buffers;
    for (const Step& s : steps_) {
      if (!s.statement) continue;
      const auto* alloc = s.statement.as<tir::AllocBuffer>();
      if (!alloc || !removed_.count(alloc->buffer().get())) statements.push_back(s.statement);
    }
    Node body = flat_seq(b_, statements);
    if (root_) {
      const auto& root = root_.to<tir::BlockRealize>().block().to<tir::Block>();
      for (const Node& buffer : nodes(root.alloc_buffers()))
        if (!removed_.count(buffer.get())) buffers.push_back(buffer);
      if (!buffers.empty()) {
        Node block = b_.with(b_.with(root, tir::Block::Slot::body, body), tir::Block::Slot::alloc_buffers,
                             Value(b_.array(buffers)));
        body = b_.with(root_, tir::BlockRealize::Slot::block, block);
      }
    }
    return b_.with(f_, tir::PrimFunc::Slot::body, body);
  }

  // ---- One producer

  // Moves what a statement computes to its reader; false when it stays.
  bool remove(size_t k) {
    if (!steps_[k].statement || !steps_[k].stage || steps_[k].stage->reduces()) return false;
    const Node buffer = steps_[k].stage->output;
    if (!local_.count(buffer.get()) || aliased_.count(buffer.get())) return false;
    size_t reader = steps_.size();
    for (size_t i = 0; i < steps_.size(); ++i) {
      const Step& s = steps_[i];
      if (i == k || !s.statement || (!s.reads.count(buffer.get()) && !s.writes.count(buffer.get()))) continue;
      if (i < k || s.writes.count(buffer.get()) || reader != steps_.size()) return false;
      reader = i;
    }
    if (reader == steps_.size()) {  // nothing reads it
      drop(k, buffer);
      return true;
    }
    for (const TnNode* read : steps_[k].reads) {
      if (aliased_.count(read)) return false;
      for (size_t i = k + 1; i <= reader; ++i)
        if (steps_[i].statement && steps_[i].writes.count(read)) return false;
    }
    std::optional<Node> value = combined(*steps_[k].stage, *steps_[reader].stage, buffer);
    if (!value) return false;
    steps_[reader] = step(with_value(*steps_[reader].stage, *value));
    drop(k, buffer);
    return true;
  }

  void drop(size_t k, const Node& buffer) {
    steps_[k] = Step{};
    removed_.insert(buffer.get());
  }

  // The reader's value with the producer's in it; nothing when that would do work twice.
  std::optional<Node> combined(const LoopStage& producer, const LoopStage& reader, const Node& buffer) {
    LoopAccess access = analysis_.access(reader, buffer);
    Sites sites = FindSites(b_, buffer).run(reader.value);
    bool is_free = LoopAnalysis::is_free(producer.value);
    if (access == LoopAccess::kRepeated && (!is_free || (reader.reduces() && !keeps_order(producer)))) return {};
    if (reader.reduces() && reads_conditionally(producer.value)) return {};
    size_t size = size_of(b_, producer.value);
    if (binds(producer.value)) size = std::max(size, kSmall + 1);
    if (size * sites.loads.size() + size_of(b_, reader.value) > kLargest) return {};
    if (sites.loads.size() == 1 || is_free) return replaced(producer, reader, buffer, Node());
    if (sites.always && sites.movable) {
      Node bound = b_.var("value", buffer.to<tir::Buffer>().dtype());
      Node body = *replaced(producer, reader, buffer, bound);
      Node value = at(producer, sites.loads[0].to<tir::BufferLoad>().indices(), reader);
      return b_.make<tir::Let>({body.dtype(), value, bound, body});
    }
    return size <= kSmall ? replaced(producer, reader, buffer, Node()) : std::nullopt;
  }

  bool binds(const Node& value) const {
    bool found = false;
    b_.walk(Value(value), [&](const Node& n) { found = found || n.is<tir::Let>(); });
    return found;
  }
  // Whether memory is read under a condition: padding, concatenation.
  bool reads_conditionally(const Node& value) const {
    bool found = false;
    b_.walk(Value(value), [&](const Node& n) {
      const auto* call = n.as<ir::Call>();
      const auto* op = call ? call->op().as<ir::Op>() : nullptr;
      if (!n.is<tir::Select>() && (!op || op->id() != "tir.if_then_else")) return;
      b_.walk(Value(n), [&](const Node& m) { found = found || m.is<tir::BufferLoad>(); });
    });
    return found;
  }

  // Whether neighbours in the result are neighbours in what is read.
  bool keeps_order(const LoopStage& producer) {
    bool keeps = true;
    b_.walk(Value(producer.value), [&](const Node& n) {
      const auto* load = n.as<tir::BufferLoad>();
      if (!load || load->indices().empty() || producer.index.empty()) return;
      for (size_t d = 0; d < load->indices().size(); ++d) {
        bool last = d + 1 == load->indices().size();
        const Node& walks = producer.index.back();
        bool moves = walks.is<ir::Var>() && uses_any(b_, load->indices()[d], {walks.get()});
        keeps = keeps && (last ? moves || !walks.is<ir::Var>() : !moves);
      }
    });
    return keeps;
  }

  // The reader's value where each read of the buffer became `by`, or the producer's value for these indices.
  std::optional<Node> replaced(const LoopStage& producer, const LoopStage& reader, const Node& buffer, const Node& by) {
    Value made = b_.rewrite(Value(reader.value), [&](const Node&, const Node& n) -> Value {
      const auto* load = n.as<tir::BufferLoad>();
      if (!load || !load->buffer().same_as(buffer)) return Value();
      return by ? Value(by) : Value(at(producer, load->indices(), reader));
    });
    return as_node(made);
  }

  // The producer's value for one element, with its indices simplified.
  Node at(const LoopStage& producer, const Array& indices, const LoopStage& reader) {
    std::vector<Node> from, to;
    std::set<const TnNode*> given;
    for (size_t d = 0; d < producer.index.size(); ++d) {
      const Node& axis = producer.index[d];
      if (!axis.is<ir::Var>() || !given.insert(axis.get()).second) continue;
      from.push_back(axis);
      to.push_back(b_.cast(as_node(indices[d]), axis.dtype()));
    }
    for (const LoopStage::Axis& axis : producer.axes)  // of extent 1
      if (!given.count(axis.var.get())) {
        from.push_back(axis.var);
        to.push_back(b_.imm(0, axis.var.dtype()));
      }
    Node value = copy_with(b_, producer.value, from, to);
    Arith arith(b_, table_);
    for (const LoopStage::Axis& axis : reader.axes)
      arith.bind_range(axis.var, b_.imm(0, axis.extent.dtype()), axis.extent);
    Value simple = b_.rewrite(Value(value), [&](const Node&, const Node& n) -> Value {
      const auto* load = n.as<tir::BufferLoad>();
      if (!load) return Value();
      std::vector<Node> items;
      bool changed = false;
      for (const Node& i : nodes(load->indices())) {
        items.push_back(i.is<ir::Var>() || i.is<ir::IntImm>() ? i : arith.simplify(i));
        changed = changed || !items.back().same_as(i);
      }
      return changed ? Value(b_.load(load->buffer(), b_.array(items))) : Value();
    });
    return as_node(simple);
  }

  // ---- The reader with another value

  Node with_value(const LoopStage& reader, const Node& value) {
    Node stored = value;
    const auto& store = reader.block.body().to<tir::BufferStore>();
    if (reader.reduces()) {
      const auto& both = static_cast<const tir::Add&>(store.value());  // all have the same slots
      bool left = both.b().same_as(reader.value);
      stored = b_.with(store.value(), left ? tir::Add::Slot::b : tir::Add::Slot::a, value);
    }
    Node body = b_.with(store, tir::BufferStore::Slot::value, stored);
    Node block = b_.with(reader.block, tir::Block::Slot::body, body);
    block = b_.with(block, tir::Block::Slot::reads, Value(regions(value)));
    Node at = reader.statement;
    for (const tir::For& loop : reader.loops) at = loop.body();
    at = b_.with(at, tir::BlockRealize::Slot::block, block);
    for (size_t i = reader.loops.size(); i-- > 0;) at = b_.with(reader.loops[i], tir::For::Slot::body, at);
    return at;
  }

  // What a value reads, each region once. An index that a T.Let inside decides stands for the whole dimension.
  Array regions(const Node& value) {
    std::set<const TnNode*> bound;
    b_.walk(Value(value), [&](const Node& n) {
      if (const auto* let = n.as<tir::Let>()) bound.insert(let->var().get());
    });
    std::vector<Node> out;
    b_.walk(Value(value), [&](const Node& n) {
      const auto* load = n.as<tir::BufferLoad>();
      if (!load) return;
      std::vector<Node> ranges;
      for (size_t d = 0; d < load->indices().size(); ++d) {
        const Node& i = nodes(load->indices())[d];
        const Node& extent = nodes(load->buffer().to<tir::Buffer>().shape())[d];
        ranges.push_back(uses_any(b_, Value(i), bound) ? b_.make<ir::Range>({b_.imm(0, extent.dtype()), extent})
                                                       : b_.make<ir::Range>({i, b_.imm(1, i.dtype())}));
      }
      Node region = b_.make<tir::BufferRegion>({load->buffer(), b_.array(ranges)});
      for (const Node& known : out)
        if (!b_.difference(Value(known), Value(region))) return;
      out.push_back(region);
    });
    return b_.array(out);
  }

  const Builder& b_;
  const TnHostArith* table_;
  LoopAnalysis analysis_;
  tir::PrimFunc f_;
  Node root_;
  std::vector<Step> steps_;
  Buffers local_, aliased_, removed_;
};

}  // namespace

Value inline_elementwise(PassesLoop& self, const PassArgs&, const Node& function) {
  return Inliner(self, function.to<tir::PrimFunc>()).run();
}

}  // namespace tenon::loop
