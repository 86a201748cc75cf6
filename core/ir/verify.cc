#include "ir/verify.h"

#include "diag/suggest.h"
#include "ir/make.h"
#include "ir/scoped_walk.h"
#include "ir/span.h"
#include "ir/verify_loop.h"

namespace tenon {
namespace {

// Follows one function and applies the rules of scopes; hands the nodes of loop functions to their rules.
class FunctionVerifier : public ScopeVisitor {
 public:
  // Where a variable was defined first, over the whole module.
  struct Definition {
    const TnNode* function = nullptr;
    const TnNode* by = nullptr;  // the node in whose slots it is defined; null when a shape defines it
    bool in_scope = false;
  };

  FunctionVerifier(const Node& module, const OpTable* ops, PointerMap<Definition>& definitions)
      : module_(module.to<ir::Module>()), loop_(module_, ops), definitions_(definitions), walk_(*this) {}

  void run(std::string_view name, const Node& function) {
    function_ = function.get();
    is_loop_ = function.is<tir::PrimFunc>();
    Value tree(function);
    try {
      walk_.run(tree.raw());
    } catch (const Violation& v) {
      std::string path = walk_.path();
      std::string where = location_text(span_ ? span_ : walk_.span());
      if (where.empty()) where = std::string(name) + (path.empty() ? "" : ": " + path);
      throw Error(TN_ERROR_VERIFY,
                  "in function `" + std::string(name) + "`" + (path.empty() ? "" : ", at " + path) + ": " + v.message +
                      " [" + v.rule + "]",
                  where, v.hint);
    }
  }

  Below enter(const TnNode* n) {
    span_ = n->span;
    bool shared = static_cast<uint32_t>(__atomic_load_n(&n->header.counts, __ATOMIC_RELAXED)) > 1;
    if (shared && !(flags_of(n) & kHasDefinitions) && n->depth > 1) {
      size_t before = seen_.size();
      seen_[n] = 1;
      if (seen_.size() == before) return Below::kSkip;
    }
    if (n->kind == ir::GlobalVar::kKind) check_global(n);
    if (is_loop_) loop_.check(Node(n), walk_.enclosing());
    span_ = nullptr;
    return Below::kEnter;
  }

  void define(const TnNode* n, bool by_shape) {
    span_ = n->span;
    Definition& d = definitions_[n];
    const TnNode* by = by_shape ? nullptr : walk_.enclosing();
    if (d.function && d.function != function_)
      throw Violation{"owner", name_of(n) + " is defined in two functions", "make it anew in one of them (renew)"};
    if (d.in_scope && !by_shape)
      throw Violation{"single-definition", name_of(n) + " is defined again inside of its own scope"};
    if (d.by && d.by != by && !by_shape)
      throw Violation{"single-definition", name_of(n) + " is defined in two places",
                      "make the definitions of the second place anew (renew)"};
    d = {function_, by, true};
    if (is_loop_) loop_.check_definition(Node(n));
    span_ = nullptr;
  }

  void use(const TnNode* n, bool in_scope) {
    if (in_scope) return;
    Definition* d = definitions_.find(n);
    if (!d) throw Violation{"scope", name_of(n) + " is used but not defined before"};
    if (d->function != function_) throw Violation{"owner", name_of(n) + " belongs to another function"};
    throw Violation{"scope", name_of(n) + " is used outside of the scope of its definition"};
  }

  void end(const TnNode* n) {
    definitions_[n].in_scope = false;
    seen_.clear();
  }

 private:
  void check_global(const TnNode* n) {
    std::string_view name = string_view_of(n->slots[ir::GlobalVarSlot::name]);
    if (module_.functions().find(name)) return;
    std::vector<std::string> known;
    for (const Map::Entry& e : module_.functions()) known.emplace_back(e.key());
    throw Violation{"global", "the module has no function `" + std::string(name) + "`", did_you_mean(name, known)};
  }

  const ir::Module& module_;
  LoopRules loop_;
  PointerMap<Definition>& definitions_;
  ScopedWalk<FunctionVerifier> walk_;
  PointerMap<char> seen_;  // shared nodes that were checked under what is in scope now
  const TnNode* function_ = nullptr;
  const TnSpan* span_ = nullptr;  // of the node that is being checked
  bool is_loop_ = false;
};

}  // namespace

std::string name_of(const TnNode* n) {
  if (n->kind == ir::Var::kKind)
    return "the variable `" + std::string(string_view_of(n->slots[ir::VarSlot::name])) + "`";
  if (n->kind == tir::Buffer::kKind)
    return "the buffer `" + std::string(string_view_of(n->slots[tir::BufferSlot::name])) + "`";
  std::string_view id = kind_info(n->kind)->schema.id;
  return std::string(id.substr(0, id.rfind('/')));
}

void verify_module(const Node& module, const OpTable* ops) {
  if (!module.is<ir::Module>())
    throw Error(TN_ERROR_ARGUMENT, "only an ir.Module can be verified, but this is " + describe(Value(module).raw()));
  auto& m = module.to<ir::Module>();
  PointerMap<FunctionVerifier::Definition> definitions;
  for (const Map::Entry& e : m.functions()) {
    bool is_function =
        e.value().is_node() && (kind_info(as_node(e.value()).kind())->schema.flags & TN_KIND_FUNCTION) != 0;
    if (!is_function)
      throw Error(TN_ERROR_VERIFY,
                  "the module's function `" + std::string(e.key()) + "` is " + describe(e.value().raw()) +
                      ", which is no function [module]",
                  std::string(e.key()));
    if (e.key().empty()) throw Error(TN_ERROR_VERIFY, "a function of the module has an empty name [module]");
  }
  for (const Map::Entry& e : m.functions()) FunctionVerifier(module, ops, definitions).run(e.key(), as_node(e.value()));
}

}  // namespace tenon
