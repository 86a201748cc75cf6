// One nest of loops: its form, and how it reads.
#include <loop_analysis/loop_analysis.h>

namespace tenon {
namespace {

std::optional<int64_t> constant(const Node& e) {
  const auto* imm = e.as<ir::IntImm>();
  return imm ? std::optional<int64_t>(imm->value()) : std::nullopt;
}

bool fail(std::string* why, const char* reason) {
  if (why) *why = reason;
  return false;
}

// Which of the variables stand in a tree.
std::set<const TnNode*> used_of(const Builder& b, const Node& tree, const std::set<const TnNode*>& vars) {
  std::set<const TnNode*> used;
  b.walk(Value(tree), [&](const Node& n) {
    if (n.is<ir::Var>() && vars.count(n.get())) used.insert(n.get());
  });
  return used;
}

// `axis`, or with something added or subtracted that holds no axis.
bool is_shifted(const Builder& b, const Node& index, const Node& axis, const std::set<const TnNode*>& axes) {
  if (index.same_as(axis)) return true;
  if (const auto* sum = index.as<tir::Add>()) {
    bool in_a = used_of(b, sum->a(), axes).empty(), in_b = used_of(b, sum->b(), axes).empty();
    return in_a != in_b && is_shifted(b, in_a ? sum->b() : sum->a(), axis, axes);
  }
  const auto* difference = index.as<tir::Sub>();
  return difference && used_of(b, difference->b(), axes).empty() && is_shifted(b, difference->a(), axis, axes);
}

// An index that costs an addition at most for each element.
bool is_cheap_index(const Node& e) {
  if (e.is<ir::Var>() || e.is<ir::IntImm>()) return true;
  if (e.is<tir::Add>() || e.is<tir::Sub>() || e.is<tir::Mul>()) {
    const auto& both = static_cast<const tir::Add&>(e);  // all have the same slots
    return is_cheap_index(both.a()) && is_cheap_index(both.b());
  }
  const auto* cast = e.as<tir::Cast>();
  return cast && is_cheap_index(cast->value());
}

}  // namespace

bool LoopAnalysis::equal(const Node& a, const Node& b) {
  if (a.same_as(b)) return true;
  auto x = constant(a), y = constant(b);
  if (x && y) return *x == *y;
  return !b_.difference(Value(a), Value(b)) || arith_.can_prove_equal(b_.cast(a, kInt64), b_.cast(b, kInt64));
}

bool LoopAnalysis::equal_indices(const Array& a, const Array& b) {
  if (a.size() != b.size()) return false;
  for (size_t d = 0; d < a.size(); ++d)
    if (b_.difference(a[d], b[d])) return false;
  return true;
}

std::vector<Node> LoopAnalysis::loads(const Node& tree, const Node& buffer) const {
  std::vector<Node> out;
  b_.walk(Value(tree), [&](const Node& n) {
    const auto* load = n.as<tir::BufferLoad>();
    if (load && load->buffer().same_as(buffer)) out.push_back(n);
  });
  return out;
}

bool LoopAnalysis::is_pure(const Node& expression) {
  bool pure = true;
  b_.walk(
      Value(expression),
      [&](const Node& n) {
        const auto* call = n.as<ir::Call>();
        if (call) {
          const auto* op = call->op().as<ir::Op>();
          if (!op) return pure = false;
          auto [it, is_new] = pure_.try_emplace(std::string(op->id()), false);
          if (is_new && ops_) {
            Value record = tenon::call([&](TnValue* ret) { return ops_->find(ops_->self, it->first.c_str(), ret); });
            const Value* effects = record.is_map() ? record.ref<Map>().find("effects") : nullptr;
            it->second = effects && effects->as_string() == "pure";
          }
          pure = pure && it->second;
        }
        return pure;
      },
      [](const Node&) {});
  return pure;
}

bool LoopAnalysis::is_free(const Node& value) {
  if (value.is<ir::Var>() || value.is<ir::IntImm>() || value.is<ir::FloatImm>()) return true;
  if (const auto* cast = value.as<tir::Cast>()) return is_free(cast->value());
  const auto* load = value.as<tir::BufferLoad>();
  if (!load) return false;
  for (const Node& i : nodes(load->indices()))
    if (!is_cheap_index(i)) return false;
  return true;
}

std::optional<LoopStage> LoopAnalysis::stage(const Node& statement, std::string* why) {
  auto refuse = [&](const char* reason) {
    fail(why, reason);
    return std::nullopt;
  };
  LoopStage s;
  s.statement = statement;
  std::map<const TnNode*, Node> extents;  // of the loops that no axis has taken yet
  Node at = statement;
  for (; at.is<tir::For>(); at = at.to<tir::For>().body()) {
    const auto& loop = at.to<tir::For>();
    if (loop.loop_kind() != TN_FOR_SERIAL || !loop.annotations().empty()) return refuse("a loop is scheduled by hand");
    if (constant(loop.min()) != 0) return refuse("a loop does not start at 0");
    for (const auto& [var, extent] : extents)
      if (!used_of(b_, loop.extent(), {var}).empty()) return refuse("the extent of a loop depends on another loop");
    extents[loop.loop_var().get()] = loop.extent();
    s.loops.push_back(loop);
  }
  const auto* realize = at.as<tir::BlockRealize>();
  if (!realize) return refuse("a statement is no perfect nest around a block");
  s.block = realize->block().to<tir::Block>();
  if (constant(realize->predicate()) != 1) return refuse("a block has a condition");
  if (!s.block.match_buffers().empty() || !s.block.alloc_buffers().empty() || !s.block.annotations().empty())
    return refuse("a block has windows, buffers or annotations");
  NodeRange iters = nodes(s.block.iter_vars()), values = nodes(realize->iter_values());
  for (size_t i = 0; i < iters.size(); ++i) {
    const auto& iter = iters[i].to<tir::IterVar>();
    const auto& domain = iter.domain().to<ir::Range>();
    if (iter.iter_kind() != TN_ITER_SPATIAL && iter.iter_kind() != TN_ITER_REDUCE)
      return refuse("an axis is neither spatial nor a reduction");
    if (constant(domain.min()) != 0) return refuse("an axis does not start at 0");
    auto loop = extents.find(values[i].get());
    if (loop != extents.end()) {
      if (!equal(loop->second, domain.extent())) return refuse("a loop does not run over the whole axis");
      extents.erase(loop);
    } else if (constant(values[i]) != 0 || constant(domain.extent()) != 1) {
      return refuse("an axis is not the variable of one loop");
    }
    s.axes.push_back({iter.var(), domain.extent(), iter.iter_kind() == TN_ITER_REDUCE});
  }
  for (const auto& [var, extent] : extents)
    if (constant(extent) != 1) return refuse("a loop gives no axis");
  const auto* store = s.block.body().as<tir::BufferStore>();
  if (!store) return refuse("a block does more than to store one element");
  s.output = store->buffer();
  for (const Node& i : nodes(store->indices())) s.index.push_back(i);
  if (!is_pure(store->value())) return refuse("a block calls something that has effects");
  Node init = s.block.init().is_none() ? Node() : as_node(s.block.init());
  if (!reduction_form(s, init, store->value(), why) || !covers(s, why)) return std::nullopt;
  return s;
}

// Fills in `value` and `combine`.
bool LoopAnalysis::reduction_form(LoopStage& s, const Node& init, const Node& stored, std::string* why) {
  bool reduces = false;
  for (const LoopStage::Axis& axis : s.axes) reduces = reduces || axis.reduces;
  s.value = stored;
  if (!reduces && !init) return loads(stored, s.output).empty() || fail(why, "a block reads what it writes");
  if (!init) return fail(why, "a reduction has no initial value");
  const auto* first = init.as<tir::BufferStore>();
  if (!first || !first->buffer().same_as(s.output) || !is_pure(first->value()) ||
      !equal_indices(first->indices(), b_.array(s.index)))
    return fail(why, "the initial value is stored elsewhere than the result");
  bool reads_memory = false;
  b_.walk(Value(first->value()), [&](const Node& n) { reads_memory = reads_memory || n.is<tir::BufferLoad>(); });
  if (reads_memory) return fail(why, "the initial value of a reduction reads memory");
  constexpr uint32_t kinds[] = {tir::Add::kKind, tir::Mul::kKind, tir::Min::kKind,
                                tir::Max::kKind, tir::And::kKind, tir::Or::kKind};
  for (uint32_t kind : kinds) {
    if (stored.kind() != kind) continue;
    const auto& both = static_cast<const tir::Add&>(stored);  // all have the same slots
    for (bool left : {true, false}) {
      const Node &element = left ? both.a() : both.b(), &value = left ? both.b() : both.a();
      const auto* load = element.as<tir::BufferLoad>();
      if (!load || !load->buffer().same_as(s.output) || !equal_indices(load->indices(), b_.array(s.index))) continue;
      if (!loads(value, s.output).empty()) return fail(why, "a reduction reads its result twice");
      s.value = value;
      s.combine = kind;
      return true;
    }
  }
  return fail(why, "a reduction combines its elements in no known way");
}

// Whether each element of the output is written, by one combination of the spatial axes.
bool LoopAnalysis::covers(const LoopStage& s, std::string* why) {
  const auto& buffer = s.output.to<tir::Buffer>();
  std::set<const TnNode*> open;  // spatial axes that no index has taken yet
  for (const LoopStage::Axis& axis : s.axes)
    if (!axis.reduces) open.insert(axis.var.get());
  for (size_t d = 0; d < s.index.size(); ++d) {
    const Node& extent = nodes(buffer.shape())[d];
    if (constant(s.index[d]) == 0 && constant(extent) == 1) continue;
    if (!open.erase(s.index[d].get())) return fail(why, "what is stored is not indexed by distinct spatial axes");
    for (const LoopStage::Axis& axis : s.axes)
      if (axis.var.same_as(s.index[d]) && !equal(axis.extent, extent))
        return fail(why, "a block does not write the whole of its buffer");
  }
  for (const LoopStage::Axis& axis : s.axes)
    if (open.count(axis.var.get()) && constant(axis.extent) != 1)
      return fail(why, "an element is stored several times");
  return true;
}

LoopAccess LoopAnalysis::access(const LoopStage& s, const Node& buffer) {
  std::vector<Node> sites = loads(s.value, buffer);
  if (sites.empty()) return LoopAccess::kUnused;
  const Array& indices = sites[0].to<tir::BufferLoad>().indices();
  for (size_t i = 1; i < sites.size(); ++i)
    if (!equal_indices(indices, sites[i].to<tir::BufferLoad>().indices())) return LoopAccess::kRepeated;
  const auto &shape = buffer.to<tir::Buffer>().shape(), &result = s.output.to<tir::Buffer>().shape();
  bool identity = !s.reduces() && indices.size() == s.index.size();
  for (size_t d = 0; identity && d < s.index.size(); ++d)
    identity = !b_.difference(indices[d], Value(s.index[d])) && equal(as_node(shape[d]), as_node(result[d]));
  if (identity) return LoopAccess::kIdentity;
  return reads_at_most_once(s, indices, buffer) ? LoopAccess::kOnce : LoopAccess::kRepeated;
}

// Either every axis stands in an index of its own, with something added at most, so that no two steps read the same
// element; or there are no more steps than elements.
bool LoopAnalysis::reads_at_most_once(const LoopStage& s, const Array& indices, const Node& buffer) {
  std::set<const TnNode*> axes, open;
  for (const LoopStage::Axis& axis : s.axes) {
    axes.insert(axis.var.get());
    if (constant(axis.extent) != 1) open.insert(axis.var.get());
  }
  bool shifted = true;
  for (const Node& index : nodes(indices)) {
    std::set<const TnNode*> used = used_of(b_, index, axes);
    bool reads_memory = false;
    b_.walk(Value(index), [&](const Node& n) { reads_memory = reads_memory || n.is<tir::BufferLoad>(); });
    if (reads_memory) return false;  // which element it is depends on data
    for (const LoopStage::Axis& axis : s.axes)
      if (constant(axis.extent) == 1) used.erase(axis.var.get());
    if (used.empty()) continue;
    Node only;
    for (const LoopStage::Axis& axis : s.axes)
      if (used.size() == 1 && axis.var.get() == *used.begin()) only = axis.var;
    shifted = shifted && only && open.erase(only.get()) && is_shifted(b_, index, only, axes);
  }
  if (shifted && open.empty()) return true;
  Node steps = b_.imm(1), elements = b_.imm(1);
  for (const LoopStage::Axis& axis : s.axes) steps = b_.mul(steps, b_.cast(axis.extent, kInt64));
  for (const Node& d : nodes(buffer.to<tir::Buffer>().shape())) elements = b_.mul(elements, b_.cast(d, kInt64));
  return arith_.can_prove(b_.le(steps, elements));
}

}  // namespace tenon
