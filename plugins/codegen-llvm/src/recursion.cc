// Functions that call themselves whenever they run: compiled, they end when the stack does.
#include <map>
#include <set>

#include "module_emitter.h"

namespace tenon::backend {
namespace {

// The calls that each run of a function makes unless it fails before, by the callee.
class CertainCalls {
 public:
  std::map<std::string, Node, std::less<>> calls;

  explicit CertainCalls(const Builder& b) : b_(b) {}

  // False where what follows the statement may not run: it may give the result.
  bool add(const Node& n) {
    if (const auto* seq = n.as<tir::Seq>()) {
      for (const Node& s : nodes(seq->stmts()))
        if (!add(s)) return false;
      return true;
    }
    if (const auto* attr = n.as<tir::Attr>()) return add(attr->body());
    if (const auto* loop = n.as<tir::For>())
      if (const auto* extent = loop->extent().as<ir::IntImm>(); extent && extent->value() > 0) return add(loop->body());
    if (const auto* evaluate = n.as<tir::Evaluate>()) add_value(evaluate->value());
    if (const auto* bind = n.as<tir::Bind>()) add_value(bind->value());
    if (const auto* store = n.as<tir::BufferStore>()) add_value(store->value());
    bool gives_result = false;
    b_.walk(n, [&](const Node& m) {
      const auto* op = m.is<ir::Call>() ? m.to<ir::Call>().op().as<ir::Op>() : nullptr;
      gives_result = gives_result || (op && op->id() == "tir.ret");
    });
    return !gives_result;
  }

 private:
  void add_value(const Node& n) {
    const auto* call = n.as<ir::Call>();
    if (const auto* callee = call ? call->op().as<ir::GlobalVar>() : nullptr)
      calls.try_emplace(std::string(callee->name()), n);
  }

  const Builder& b_;
};

}  // namespace

void refuse_endless_recursion(const Builder& b, const ir::Module& module) {
  std::map<std::string, CertainCalls, std::less<>> functions;
  for (const Map::Entry& e : module.functions())
    if (const auto* f = as_node(e.value()).as<tir::PrimFunc>())
      functions.try_emplace(std::string(e.key()), b).first->second.add(f->body());
  for (const auto& [name, own] : functions)
    for (const auto& [first, site] : own.calls) {
      std::set<std::string_view> seen;
      std::vector<std::string_view> open{first};
      while (!open.empty()) {
        std::string_view at = open.back();
        open.pop_back();
        if (at == name)
          throw Error(TN_ERROR_UNSUPPORTED,
                      "codegen-llvm: '" + name + "' calls itself whenever it runs: it never returns", position_of(site),
                      "call it under a condition");
        auto next = functions.find(at);
        if (next == functions.end() || !seen.insert(at).second) continue;
        for (const auto& [callee, unused] : next->second.calls) open.push_back(callee);
      }
    }
}

}  // namespace tenon::backend
