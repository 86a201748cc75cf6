// Which parameters a function writes: direct writes of each function first, then along the calls until nothing changes.
#include <signature/signature.h>

namespace tenon {
namespace {

struct Passed {  // a parameter that is handed on: argument `index` of a call of `callee`
  size_t param;
  std::string callee;
  size_t index;
};

struct FunctionWrites {
  std::vector<bool> written;
  std::vector<Passed> passed;
};

class Collector {
 public:
  explicit Collector(const tir::PrimFunc& function) {
    NodeRange params = nodes(function.params());
    out_.written.assign(params.size(), false);
    for (size_t i = 0; i < params.size(); ++i) param_of_[params[i].get()] = i;
  }

  void visit(const Node& n) {
    if (const auto* store = n.as<tir::BufferStore>()) {
      mark(store->buffer());
    } else if (const auto* block = n.as<tir::Block>()) {
      for (const Node& region : nodes(block->writes())) mark(region.to<tir::BufferRegion>().buffer());
      for (const Node& match : nodes(block->match_buffers())) {
        const auto& m = match.to<tir::MatchBufferRegion>();
        alias(m.buffer(), m.source().to<tir::BufferRegion>().buffer());
      }
    } else if (const auto* decl = n.as<tir::DeclBuffer>()) {
      alias(decl->buffer(), decl->data());
    } else if (const auto* call = n.as<ir::Call>()) {
      visit_call(*call);
    }
  }

  FunctionWrites take() { return std::move(out_); }

 private:
  void visit_call(const ir::Call& call) {
    const auto* callee = call.op().as<ir::GlobalVar>();
    NodeRange args = nodes(call.args());
    for (size_t i = 0; i < args.size(); ++i) {
      auto it = param_of_.find(buffer_of(args[i]));
      if (it == param_of_.end()) continue;
      if (callee)
        out_.passed.push_back({it->second, std::string(callee->name()), i});
      else
        out_.written[it->second] = true;
    }
  }
  // The buffer that an argument exposes: itself, one of its regions, or the buffer whose element's address is taken.
  static const TnNode* buffer_of(const Node& arg) {
    if (const auto* region = arg.as<tir::BufferRegion>()) return region->buffer().get();
    if (const auto* call = arg.as<ir::Call>()) {
      NodeRange args = nodes(call->args());
      const auto* load = args.size() == 1 ? args[0].as<tir::BufferLoad>() : nullptr;
      const auto* op = call->op().as<ir::Op>();
      if (load && op && op->id() == "tir.address_of") return load->buffer().get();
    }
    return arg.get();
  }
  void mark(const Node& buffer) {
    auto it = param_of_.find(buffer.get());
    if (it != param_of_.end()) out_.written[it->second] = true;
  }
  void alias(const Node& view, const Node& source) {
    auto it = param_of_.find(source.get());
    if (it != param_of_.end()) param_of_.emplace(view.get(), it->second);
  }

  FunctionWrites out_;
  std::map<const TnNode*, size_t> param_of_;  // parameters and what views them
};

}  // namespace

WrittenParams find_written_params(const Builder& b, const ir::Module& module) {
  std::map<std::string, FunctionWrites, std::less<>> writes;
  for (const Map::Entry& e : module.functions()) {
    const Node& function = as_node(e.value());
    const auto* prim = function.as<tir::PrimFunc>();
    if (!prim) continue;
    Collector collector(*prim);
    b.walk(prim->body(), [&](const Node& n) { collector.visit(n); });
    writes.emplace(std::string(e.key()), collector.take());
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (auto& [name, f] : writes) {
      for (const Passed& p : f.passed) {
        auto callee = writes.find(p.callee);
        // A callee that is not a loop function is not known here: what it receives counts as written.
        bool written =
            callee == writes.end() || (p.index < callee->second.written.size() && callee->second.written[p.index]);
        if (!written || f.written[p.param]) continue;
        f.written[p.param] = true;
        changed = true;
      }
    }
  }
  WrittenParams out;
  for (auto& [name, f] : writes) out.emplace(name, std::move(f.written));
  return out;
}

}  // namespace tenon
