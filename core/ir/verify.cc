#include "ir/verify.h"

#include <map>

#include "diag/suggest.h"
#include "ir/make.h"
#include "ir/scoped_walk.h"
#include "ir/span.h"
#include "ir/verify_graph.h"
#include "ir/verify_parts.h"

namespace tenon {

using verify_parts::borrowed;
namespace {

// Follows one function and applies the rules of scopes; hands the nodes of loop functions to their rules.
class FunctionVerifier : public ScopeVisitor {
 public:
  // Where a variable was defined first, over the whole module.
  struct Definition {
    const TnNode* function = nullptr;
    const TnNode* by = nullptr;  // the node in whose slots it is defined; null when a shape defines it
    bool in_scope = false;
    uint32_t unit = 0;     // in which it is defined; 0 for none
    uint32_t used_in = 0;  // the last unit that is known to use it
  };

  // `entry` takes what the cache is to know of the function.
  FunctionVerifier(const ir::Module& module, const VerifyServices& services, CallGraph& calls, CallMemo& right,
                   PointerMap<Definition>& definitions, VerifyCache::Entry& entry)
      : module_(module),
        entry_(entry),
        calls_(calls),
        keeps_units_(services.cache != nullptr),
        loop_(module, services.ops),
        graph_(module, services, loop_, calls, right, [this](const TnNode* v) { return is_in_scope(v); }),
        definitions_(definitions),
        walk_(*this) {}

  void run(std::string_view name, const Node& function) {
    function_ = function.get();
    name_ = name;
    is_loop_ = function.is<tir::PrimFunc>();
    is_graph_ = function.is<relax::Function>();
    if (is_graph_) graph_.begin(name, function.to<relax::Function>());
    Value tree(function);
    try {
      walk_.run(tree.raw());
    } catch (const Violation& v) {
      std::string path = walk_.path();
      std::string where = location_text(span_ ? span_ : walk_.span());
      if (where.empty()) where = std::string(name) + (path.empty() ? "" : ": " + path);
      throw Error(TN_ERROR_VERIFY,
                  "in function `" + std::string(name) + "`" + (path.empty() ? "" : ", at " + path) + binding_text() +
                      ": " + v.message + " [" + v.rule + "]",
                  where, v.hint);
    }
  }

  void admit(const TnNode* n, uint32_t depth) {
    if (!is_made_by_host(n))
      throw Violation{"node", "a node stands here that the host did not make",
                      "nodes are made by TnHostIr.make, and never copied"};
    if (n->depth >= depth) throw Violation{"node", "a node stands below itself", "nodes are never written"};
  }

  Below enter(const TnNode* n) {
    if (keeps_units_ && !unit_ && is_unit(n)) {
      if (is_known(n)) return Below::kSkip;
      open_unit(n);
    }
    span_ = n->span;
    bool shared = static_cast<uint32_t>(__atomic_load_n(&n->header.counts, __ATOMIC_RELAXED)) > 1;
    if (shared && !(flags_of(n) & kHasDefinitions) && n->depth > 1 && was_seen(n)) return Below::kSkip;
    if (n->kind == ir::GlobalVar::kKind) check_global(n);
    if (is_loop_) loop_.check(borrowed(n), walk_.enclosing());
    if (is_graph_) graph_.check(borrowed(n), walk_.enclosing());
    if (unit_ && is_graph_ && n->kind == ir::Call::kKind &&
        borrowed(n).to<ir::Call>().op().kind() == ir::GlobalVar::kKind)
      entry_.units.add({n, nullptr, VerifiedUnits::Role::kCall});
    span_ = nullptr;
    return Below::kEnter;
  }

  void leave(const TnNode* n) {
    if (n == unit_) close_unit(n);
    if (!is_graph_ || n->kind != relax::DataflowBlock::kKind) return;
    span_ = n->span;
    graph_.leave(borrowed(n));
    ++state_;  // what it bound can no longer be used
    span_ = nullptr;
  }

  void define(const TnNode* n, bool by_shape) {
    span_ = n->span;
    Definition& d = definitions_[n];
    const TnNode* by = by_shape ? nullptr : walk_.enclosing();
    if (d.function && d.function != function_)
      throw Violation{"owner", name_of(n) + " is defined in two functions", "make it anew in one of them (renew)"};
    if (by_shape && is_allocated(walk_.enclosing()))
      throw Violation{"scope", name_of(n) + " is used but not defined before",
                      "an allocation takes its extents from what is defined before it"};
    if (d.in_scope && !by_shape)
      throw Violation{"single-definition", name_of(n) + " is defined again inside of its own scope"};
    if (d.by && d.by != by && !by_shape)
      throw Violation{"single-definition", name_of(n) + " is defined in two places",
                      "make the definitions of the second place anew (renew)"};
    if (!d.function) entry_.defined.push_back(n);
    d = {function_, by, true, unit_ ? unit_number_ : 0, 0};
    if (unit_) entry_.units.add({n, by, by_shape ? VerifiedUnits::Role::kShape : VerifiedUnits::Role::kDefine});
    if (is_loop_) loop_.check_definition(borrowed(n));
    if (is_graph_) graph_.check_definition(borrowed(n));
    span_ = nullptr;
  }

  void use(const TnNode* n, bool in_scope) {
    if (in_scope) {
      if (is_graph_) graph_.check_use(n);
      if (unit_) note_use(n);
      return;
    }
    Definition* d = definitions_.find(n);
    if (!d) throw Violation{"scope", name_of(n) + " is used but not defined before"};
    if (d->function != function_) throw Violation{"owner", name_of(n) + " belongs to another function"};
    throw Violation{"scope", name_of(n) + " is used outside of the scope of its definition"};
  }

  void end(const TnNode* n) {
    definitions_[n].in_scope = false;
    ++state_;
  }

 private:
  // Whether the buffer whose shape the visit stands in gets memory of its own: its extents are then known before.
  bool is_allocated(const TnNode* buffer) {
    const TnNode* by = buffer && buffer->kind == tir::Buffer::kKind ? walk_.enclosing(buffer) : nullptr;
    return by && (by->kind == tir::AllocBuffer::kKind || by->kind == tir::Block::kKind);
  }

  bool is_in_scope(const TnNode* v) {
    Definition* d = definitions_.find(v);
    return d && d->in_scope && d->function == function_;
  }

  // ---- Units (verified_units.h)

  bool is_unit(const TnNode* n) {
    switch (n->kind) {
      case TN_KIND_relax_VarBinding:
      case TN_KIND_relax_MatchCast: {
        const TnNode* block = walk_.enclosing();
        return block && (block->kind == relax::BindingBlock::kKind || block->kind == relax::DataflowBlock::kKind);
      }
      case TN_KIND_tir_For:
      case TN_KIND_tir_IfThenElse:
      case TN_KIND_tir_Evaluate:
      case TN_KIND_tir_Bind:
      case TN_KIND_tir_AllocBuffer:
      case TN_KIND_tir_DeclBuffer:
      case TN_KIND_tir_BufferStore:
      case TN_KIND_tir_Assert: {
        const TnNode* sequence = walk_.enclosing();
        return sequence && sequence->kind == tir::Seq::kKind;
      }
      default: return false;
    }
  }

  // Whether a unit is verified and stands where that still holds; then its definitions are made.
  bool is_known(const TnNode* n) {
    using Role = VerifiedUnits::Role;
    std::span<const VerifiedUnits::Fact> facts;
    if (!entry_.units.find(n, graph_.is_in_dataflow(), &facts)) return false;
    for (const VerifiedUnits::Fact& f : facts) {
      if (f.role == Role::kCall) continue;
      const Definition* d = definitions_.find(f.node);
      bool holds = f.role == Role::kUse ? d && d->in_scope && d->function == function_ && !graph_.is_hidden(f.node)
                   : f.role == Role::kDefine || f.role == Role::kDefineInner
                       ? !d
                       : !d || (!d->in_scope && d->function == function_);
      if (!holds) return false;
    }
    for (const VerifiedUnits::Fact& f : facts) {
      if (f.role == Role::kUse) continue;
      if (f.role == Role::kCall) {
        note_call(f.node);
        continue;
      }
      bool stays = f.role == Role::kDefine || f.role == Role::kShape;
      Definition& d = definitions_[f.node];
      if (!d.function) entry_.defined.push_back(f.node);
      d = {function_, f.by, stays, 0, 0};
      if (stays) walk_.define_skipped(f.node);
      if (is_graph_ && graph_.is_hidden(f.node)) graph_.check_definition(borrowed(f.node));
    }
    return true;
  }

  void open_unit(const TnNode* n) {
    unit_ = n;
    ++unit_number_;
    ++state_;
    entry_.units.open();
  }

  void close_unit(const TnNode* n) {
    using Role = VerifiedUnits::Role;
    bool ends = kind_info(n->kind)->is_scope();
    for (VerifiedUnits::Fact& f : entry_.units.opened()) {
      if (f.role != Role::kDefine && f.role != Role::kShape) continue;
      if (!ends && definitions_.find(f.node)->in_scope) continue;
      f.role = f.role == Role::kDefine ? Role::kDefineInner : Role::kShapeInner;
    }
    entry_.units.close(borrowed(n), graph_.is_in_dataflow());
    unit_ = nullptr;
    ++state_;
  }

  void note_use(const TnNode* n) {
    Definition& d = *definitions_.find(n);
    if (d.unit == unit_number_ || d.used_in == unit_number_) return;
    d.used_in = unit_number_;
    entry_.units.add({n, nullptr, VerifiedUnits::Role::kUse});
  }

  void note_call(const TnNode* call) {
    std::string_view callee = borrowed(call).to<ir::Call>().op().to<ir::GlobalVar>().name();
    const Value* f = module_.functions().find(callee);
    if (f && as_node(*f).is<relax::Function>()) calls_.add(name_, callee, call);
  }

  // Whether a shared node was checked under what is in scope now. What is recorded of a unit is all of it, so that only
  // types without variables, which name nothing that a unit has to know, count beyond the unit.
  bool was_seen(const TnNode* n) {
    bool is_plain_type =
        n->depth == 2 && !(flags_of(n) & kHasVariables) && (kind_info(n->kind)->schema.flags & TN_KIND_TYPE);
    uint32_t now = is_plain_type ? kAlways : state_;
    return std::exchange(seen_[n], now) == now;
  }

  // In graph functions, which say little by their paths: what is being bound.
  std::string binding_text() {
    const TnNode* binding = is_graph_ ? walk_.enclosing_binding() : nullptr;
    if (!binding) return {};
    uint32_t slot = binding->kind == relax::VarBinding::kKind ? uint32_t{relax::VarBindingSlot::var}
                                                              : uint32_t{relax::MatchCastSlot::var};
    const TnValue& var = binding->slots[slot];
    if (var.type_index != TN_NODE || reinterpret_cast<const TnNode*>(var.as.object)->kind != ir::Var::kKind) return {};
    const TnNode* v = reinterpret_cast<const TnNode*>(var.as.object);
    return " (`" + std::string(string_view_of(v->slots[ir::VarSlot::name])) + "`)";
  }

  void check_global(const TnNode* n) {
    std::string_view name = string_view_of(n->slots[ir::GlobalVarSlot::name]);
    if (const Value* callee = module_.functions().find(name)) return entry_.refers_to(name, as_node(*callee));
    std::vector<std::string> known;
    for (const Map::Entry& e : module_.functions()) known.emplace_back(e.key());
    throw Violation{"global", "the module has no function `" + std::string(name) + "`", did_you_mean(name, known)};
  }

  const ir::Module& module_;
  VerifyCache::Entry& entry_;
  CallGraph& calls_;
  bool keeps_units_;
  LoopRules loop_;
  GraphRules graph_;
  PointerMap<Definition>& definitions_;
  ScopedWalk<FunctionVerifier> walk_;
  static constexpr uint32_t kAlways = UINT32_MAX;
  PointerMap<uint32_t> seen_;     // shared nodes that were checked, and in which state
  uint32_t state_ = 1;            // another one whenever less is in scope, or another unit is looked at
  const TnNode* unit_ = nullptr;  // that is being looked at
  uint32_t unit_number_ = 0;
  std::string_view name_;  // of the function
  const TnNode* function_ = nullptr;
  const TnSpan* span_ = nullptr;  // of the node that is being checked
  bool is_loop_ = false;
  bool is_graph_ = false;
};

// ---- Rules of the module ---------------------------------------------------------------------------------------

// The attributes of functions that Tenon itself reads.
struct AttributeRow {
  std::string_view name;
  const char* due;
  bool (*accepts)(const Value&);
};
constexpr AttributeRow kAttributes[] = {
    {"global_symbol", "a name", [](const Value& v) { return v.is_string() && !v.as_string().empty(); }},
    {"primitive", "a bool or 0 or 1",
     [](const Value& v) { return v.is_bool() || (v.is_int() && (v.as_int() == 0 || v.as_int() == 1)); }},
    {"Primitive", "a bool or 0 or 1",
     [](const Value& v) { return v.is_bool() || (v.is_int() && (v.as_int() == 0 || v.as_int() == 1)); }},
    {"tenon.host", "a bool", [](const Value& v) { return v.is_bool(); }},
    {"tenon.num_outputs", "an int of 0 or more", [](const Value& v) { return v.is_int() && v.as_int() >= 0; }},
    {"tenon.result", "the text of a type", [](const Value& v) { return v.is_string(); }},
};

const Map* attributes_of(const Node& function) {
  switch (function.kind()) {
    case relax::Function::kKind: return &function.to<relax::Function>().attrs();
    case tir::PrimFunc::kKind: return &function.to<tir::PrimFunc>().attrs();
    case ir::ExternFunc::kKind: return &function.to<ir::ExternFunc>().attrs();
    default: return nullptr;
  }
}

[[noreturn]] void refuse_function(std::string_view name, const Node& function, const std::string& why, const char* rule,
                                  const std::string& hint = {}) {
  std::string where = location_text(function.span());
  throw Error(TN_ERROR_VERIFY, "in function `" + std::string(name) + "`: " + why + " [" + rule + "]",
              where.empty() ? std::string(name) : where, hint);
}

void check_attributes(std::string_view name, const Node& function, std::map<std::string, std::string>& public_names) {
  const Map* attrs = attributes_of(function);
  if (!attrs) return;
  for (const AttributeRow& row : kAttributes) {
    const Value* v = attrs->find(row.name);
    if (v && !row.accepts(*v))
      refuse_function(
          name, function,
          "the attribute `" + std::string(row.name) + "` must be " + row.due + ", but is " + describe(v->raw()),
          "attribute");
  }
  const Value* symbol = attrs->find("global_symbol");
  if (!symbol) return;
  auto [other, is_new] = public_names.emplace(symbol->as_string(), name);
  if (!is_new)
    refuse_function(name, function,
                    "it has the public name `" + other->first + "`, which the function `" + other->second + "` has too",
                    "public-name", "give each its own global_symbol, or make one private");
}

// Functions that come back to themselves declare what they return: their results have no other source of a type.
void check_recursion(const ir::Module& module, const CallGraph& calls) {
  for (const Map::Entry& e : module.functions()) {
    auto* f = as_node(e.value()).as<relax::Function>();
    if (!f || f->ret_type().is_node()) continue;
    const TnNode* site = calls.cycle(e.key());
    if (!site) continue;
    std::string where = location_text(site->span);
    throw Error(TN_ERROR_VERIFY,
                "in function `" + std::string(e.key()) +
                    "`: it calls itself, but does not declare the type of its result [recursion]",
                where.empty() ? std::string(e.key()) : where, "write def f(...) -> R.Tensor(...):");
  }
}

}  // namespace

std::string name_of(const TnNode* n) {
  if (n->kind == ir::Var::kKind)
    return "the variable `" + std::string(string_view_of(n->slots[ir::VarSlot::name])) + "`";
  if (n->kind == tir::Buffer::kKind)
    return "the buffer `" + std::string(string_view_of(n->slots[tir::BufferSlot::name])) + "`";
  std::string_view id = kind_info(n->kind)->schema.id;
  return std::string(id.substr(0, id.rfind('/')));
}

void verify_module(const Node& module, const VerifyServices& services) {
  if (module && !is_made_by_host(module.get()))
    throw Error(TN_ERROR_VERIFY, "the module is a node that the host did not make [node]", {},
                "nodes are made by TnHostIr.make, and never copied");
  if (!module.is<ir::Module>())
    throw Error(TN_ERROR_ARGUMENT, "only an ir.Module can be verified, but this is " + describe(Value(module).raw()));
  auto& m = module.to<ir::Module>();
  PointerMap<FunctionVerifier::Definition> definitions;
  std::map<std::string, std::string> public_names;
  for (const Map::Entry& e : m.functions()) {
    bool is_function = e.value().is_node() && is_made_by_host(as_node(e.value()).get()) &&
                       (kind_info(as_node(e.value()).kind())->schema.flags & TN_KIND_FUNCTION) != 0;
    if (!is_function)
      throw Error(TN_ERROR_VERIFY,
                  "the module's function `" + std::string(e.key()) + "` is " + describe(e.value().raw()) +
                      ", which is no function [module]",
                  std::string(e.key()));
    if (e.key().empty()) throw Error(TN_ERROR_VERIFY, "a function of the module has an empty name [module]");
    check_attributes(e.key(), as_node(e.value()), public_names);
  }
  CallGraph calls;
  CallMemo right(true);
  VerifyCache unused;
  VerifyCache& cache = services.cache ? *services.cache : unused;
  VerifyCache::Entries entries;
  for (const Map::Entry& e : m.functions()) {
    std::optional<VerifyCache::Entry> known = cache.take(e.key(), as_node(e.value()), m);
    if (!known) continue;
    for (const TnNode* v : known->defined) definitions[v] = {as_node(e.value()).get(), nullptr, false};
    for (const auto& [callee, site] : known->calls) calls.add(e.key(), callee, site);
    entries.emplace(e.key(), std::move(*known));
  }
  for (const Map::Entry& e : m.functions()) {
    if (entries.contains(e.key())) continue;
    VerifyCache::Entry entry = cache.take_units(e.key(), as_node(e.value()), m);
    FunctionVerifier(m, services, calls, right, definitions, entry).run(e.key(), as_node(e.value()));
    entry.calls = calls.of(e.key());
    entry.units.finish();
    entries.emplace(e.key(), std::move(entry));
  }
  check_recursion(m, calls);
  cache.replace(std::move(entries));
}

namespace verify_parts {

namespace {

// The bytes of `elements` of a dtype; nothing when they are beyond what a constant can have.
std::optional<uint64_t> bytes_of(DLDataType dtype, const Array& shape) {
  uint64_t bits = uint64_t{dtype.bits} * dtype.lanes;
  for (const Value& extent : shape)
    if (__builtin_mul_overflow(bits, static_cast<uint64_t>(as_node(extent).to<ir::IntImm>().value()), &bits))
      return std::nullopt;
  return bits / 8 + (bits % 8 != 0);
}

}  // namespace

std::optional<std::string> constant_mismatch(const ir::Constant& constant, DLDataType dtype, const Array& shape,
                                             bool exactly) {
  if (constant.data().type_index() != TN_CONSTANT)
    return "the data of a constant is " + describe(constant.data().raw()) + ", not a reference to its bytes";
  auto* data = reinterpret_cast<const TnConstant*>(constant.data().raw().as.object);
  for (const Value& extent : shape)
    if (!extent.is_node() || !as_node(extent).is<ir::IntImm>() || as_node(extent).to<ir::IntImm>().value() < 0)
      return std::nullopt;
  std::optional<uint64_t> due = bytes_of(dtype, shape);
  if (due && (exactly ? *due == data->size : *due <= data->size)) return std::nullopt;
  return "a constant has " + std::to_string(data->size) + " bytes, but its type needs " +
         (due ? std::to_string(*due) : "more than there can be");
}

std::optional<std::string> constant_mismatch(const ir::Constant& constant) {
  auto* type = constant.type().is_node() ? as_node(constant.type()).as<relax::TensorType>() : nullptr;
  const Array* shape = type && type->shape().is_array() ? &type->shape().ref<Array>() : nullptr;
  if (!type || !shape || !type->dtype().is_dtype())
    return "a constant must have the type of a tensor with shape and dtype";
  for (const Value& extent : *shape)
    if (!extent.is_node() || !as_node(extent).is<ir::IntImm>())
      return "a constant has a type whose dimensions are not all constant";
  return constant_mismatch(constant, type->dtype().as_dtype(), *shape, true);
}

}  // namespace verify_parts

}  // namespace tenon
