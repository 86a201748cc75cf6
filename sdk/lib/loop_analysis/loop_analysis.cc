// A whole function: its stages in order, and the pattern that they make together.
#include <loop_analysis/loop_analysis.h>

namespace tenon {

const char* name_of(LoopPattern pattern) {
  constexpr const char* names[] = {"elementwise", "broadcast", "injective", "reduction", "out-fusable", "opaque"};
  return names[static_cast<size_t>(pattern)];
}

LoopBody LoopAnalysis::body_of(const Node& body) {
  LoopBody out;
  Node at = body;
  if (const auto* realize = at.as<tir::BlockRealize>()) {
    const auto& root = realize->block().to<tir::Block>();
    if (root.iter_vars().empty() && root.match_buffers().empty() && root.init().is_none() &&
        root.annotations().empty()) {
      for (const Node& buffer : nodes(root.alloc_buffers())) out.buffers.push_back(buffer);
      at = root.body();
    }
  }
  const auto* seq = at.as<tir::Seq>();
  if (!seq) {
    out.statements.push_back(at);
    return out;
  }
  for (const Node& s : nodes(seq->stmts()))
    if (const auto* alloc = s.as<tir::AllocBuffer>())
      out.buffers.push_back(alloc->buffer());
    else
      out.statements.push_back(s);
  return out;
}

LoopSummary LoopAnalysis::function(const tir::PrimFunc& f) {
  LoopSummary out;
  out.inputs.assign(f.params().size(), LoopAccess::kUnused);
  out.why = summarize(f, out);
  if (!out.why.empty()) out.pattern = LoopPattern::kOpaque, out.is_free = false;
  return out;
}

// y[j], z[i, 0]: axes of the result in their order, or 0.
bool LoopAnalysis::is_projection(const LoopStage& s, const Node& buffer) const {
  for (const Node& site : loads(s.value, buffer)) {
    size_t next = 0;
    for (const Node& index : nodes(site.to<tir::BufferLoad>().indices())) {
      const auto* zero = index.as<ir::IntImm>();
      if (zero && zero->value() == 0) continue;
      while (next < s.index.size() && !s.index[next].same_as(index)) ++next;
      if (next++ == s.index.size()) return false;
    }
  }
  return true;
}

// Fills in the pattern; returns why there is none.
std::string LoopAnalysis::summarize(const tir::PrimFunc& f, LoopSummary& out) {
  if (!f.ret_type().is_none()) return "it returns a value";
  std::map<const TnNode*, size_t> params;
  size_t last = f.params().size();
  for (size_t i = 0; i < f.params().size(); ++i) {
    const Node& p = nodes(f.params())[i];
    params[p.get()] = i;
    const auto* buffer = p.as<tir::Buffer>();
    if (!buffer) {
      if (is_handle(p.dtype())) return "it takes a handle";
      continue;
    }
    if (!buffer->strides().empty() || !buffer->elem_offset().is_none() || !buffer->attrs().empty())
      return "a parameter has strides, an offset or attributes";
    last = i;
  }
  LoopBody body = body_of(f.body());
  std::set<const TnNode*> unwritten;
  for (const Node& buffer : body.buffers) {
    const auto& t = buffer.to<tir::Buffer>();
    if (!t.strides().empty() || !t.elem_offset().is_none() || !t.attrs().empty() || is_handle(t.dtype()))
      return "an allocation has strides, an offset or attributes, or holds handles";
    unwritten.insert(buffer.get());
  }
  std::vector<LoopStage> stages;
  size_t reductions = 0;
  for (size_t k = 0; k < body.statements.size(); ++k) {
    std::string why;
    std::optional<LoopStage> stage = this->stage(body.statements[k], &why);
    if (!stage) return why;
    auto param = params.find(stage->output.get());
    bool is_last = k + 1 == body.statements.size();
    if (is_last ? param == params.end() || param->second != last : !unwritten.erase(stage->output.get()))
      return is_last ? "its last block does not write the last buffer among its parameters"
                     : "a block writes a parameter, or a buffer for the second time";
    for (const Node& buffer : body.buffers)
      if (unwritten.count(buffer.get()) && !loads(stage->value, buffer).empty())
        return "a buffer is read before it is written";
    reductions += stage->reduces() ? 1 : 0;
    stages.push_back(std::move(*stage));
  }
  if (stages.empty()) return "it has no block";
  bool projections = true, identities = true, once = true;
  for (size_t i = 0; i < f.params().size(); ++i) {
    const Node& p = nodes(f.params())[i];
    if (!p.is<tir::Buffer>() || i == last) continue;
    for (const LoopStage& s : stages) {
      LoopAccess a = access(s, p);
      if (a == LoopAccess::kUnused) continue;
      // Read in a stage before the last, it is not read where the result is computed.
      if (a == LoopAccess::kIdentity && &s != &stages.back()) a = LoopAccess::kOnce;
      out.inputs[i] = out.inputs[i] == LoopAccess::kUnused ? a : LoopAccess::kRepeated;
    }
    LoopAccess a = out.inputs[i];
    identities = identities && (a == LoopAccess::kIdentity || a == LoopAccess::kUnused);
    once = once && a != LoopAccess::kRepeated;
    projections = projections && stages.size() == 1 && is_projection(stages[0], p);
  }
  for (const LoopStage& s : stages)
    if (!loads(s.value, nodes(f.params())[last]).empty()) return "it reads its result";
  out.is_free = stages.size() == 1 && reductions == 0 && is_free(stages[0].value);
  if (reductions == 0)
    out.pattern = identities && stages.size() == 1 ? LoopPattern::kElementwise
                  : projections                    ? LoopPattern::kBroadcast
                                                   : LoopPattern::kInjective;
  else
    out.pattern = once && reductions == 1 && stages[0].reduces() ? LoopPattern::kReduction : LoopPattern::kOutFusable;
  return {};
}

}  // namespace tenon
