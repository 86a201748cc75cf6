// Names that are assigned again, as TVM prints a local buffer of one element: `i: T.int32 = 0`, then `i = i + 1`.
#include "script/elaborate.h"

namespace tenon::script {
namespace {

bool is_or_has(const Expr& target, std::string_view name) {
  if (target.is_name(name)) return true;
  if (target.kind != Syntax::Tuple && target.kind != Syntax::List) return false;
  for (const Expr* item : target.items)
    if (item->is_name(name)) return true;
  return false;
}

}  // namespace

// Whether `x = value` gives a name to something new, whatever `x` was.
bool Elaborator::defines(const Expr& value) const {
  if (value.kind == Syntax::Call && value.a->kind == Syntax::Attribute && value.a->text == "view") return true;
  Path p = call_path(value);
  if (p.root != 'T') return false;
  if (p.name.substr(0, 5) == "axis.") return true;
  for (std::string_view form :
       {"alloc_buffer", "sblock_alloc_buffer", "alloc_local", "alloc_shared", "decl_buffer", "match_buffer", "Buffer",
        "bind", "let", "meta_var", "var", "dynamic", "launch_thread", "env_thread", "attr"})
    if (p.name == form) return true;
  return value.items.empty() && dtype_name(*value.a);
}

// Every name of the function that two statements assign or declare: few, and the only ones that are looked at closely.
void Elaborator::find_reassigned(Body stmts) {
  std::set<std::string_view> once;
  auto count = [&](const Expr& name) {
    if (name.kind == Syntax::Name && !once.insert(name.text).second) function_.reassigned.insert(name.text);
  };
  std::vector<Body> todo{stmts};
  while (!todo.empty()) {
    Body at = todo.back();
    todo.pop_back();
    for (const Stmt* s : at) {
      if (s->target && (s->form == Form::Assign || s->form == Form::Annotated || s->form == Form::Augmented)) {
        count(*s->target);
        if (s->target->kind == Syntax::Tuple || s->target->kind == Syntax::List)
          for (const Expr* item : s->target->items) count(*item);
      }
      todo.push_back(s->body);
      todo.push_back(s->orelse);
    }
  }
}

bool Elaborator::assigned_again(std::string_view name) const {
  if (!function_.reassigned.count(name)) return false;
  std::vector<Body> todo{function_.rest};
  while (!todo.empty()) {
    Body at = todo.back();
    todo.pop_back();
    for (const Stmt* s : at) {
      if (s->form == Form::Annotated && s->target->is_name(name)) break;  // another of the same name
      if (s->form == Form::Augmented && s->target->is_name(name)) return true;
      if (s->form == Form::Assign && is_or_has(*s->target, name)) {
        if (!defines(*s->value)) return true;
        break;
      }
      if (s->form == Form::For && is_or_has(*s->target, name)) continue;
      todo.push_back(s->body);
      todo.push_back(s->orelse);
    }
  }
  return false;
}

// The definition of a name that is assigned again; false when it is not. Without a value it is not initialised.
bool Elaborator::variable(const Stmt& s, const Expr& target, const Expr* value, std::optional<DLDataType> type,
                          std::vector<Node>& out) {
  if (target.kind != Syntax::Name || (type && !is_number(*type)) || !assigned_again(target.text)) return false;
  Node first;
  if (value) {
    first = type ? converted(*value, *type) : expr(*value);
    if (!is_number(first.dtype())) return false;
    type = first.dtype();
  }
  if (!type) return false;
  Value one = make<ir::IntImm>(target, {kInt64, int64_t{1}});
  Node buffer =
      make<tir::Buffer>(target, {text(target.text), *type, list({one}), list({}), Value(), text("local"), b_.map({})});
  define(target, buffer);
  scopes_.find(target.text)->variable = true;
  out.push_back(make<tir::AllocBuffer>(s, {b_.map({}), buffer}));
  if (!value) return true;
  Value zero = make<ir::IntImm>(target, {kInt64, int64_t{0}});
  out.push_back(make<tir::BufferStore>(s, {buffer, first, list({zero})}));
  return true;
}

// `x = value` where x is such a name; false when it is none.
bool Elaborator::assign_variable(const Stmt& s, const Expr& target, const Expr& value, std::vector<Node>& out) {
  Binding* b = target.kind == Syntax::Name ? scopes_.find(target.text) : nullptr;
  if (!b || !b->variable || defines(value)) return false;
  Node buffer = b->node;
  Node made = converted(value, buffer.to<tir::Buffer>().dtype());
  Value zero = make<ir::IntImm>(target, {kInt64, int64_t{0}});
  out.push_back(make<tir::BufferStore>(s, {buffer, made, list({zero})}));
  return true;
}

Term Elaborator::name_term(const Expr& name) {
  Node node = lookup(name);
  if (!scopes_.find(name.text)->variable) return node_term(node);
  Value zero = make<ir::IntImm>(name, {kInt64, int64_t{0}});
  return node_term(make<tir::BufferLoad>(name, {node.to<tir::Buffer>().dtype(), node, list({zero})}));
}

Term Elaborator::base_term(const Expr& e) {
  Binding* b = e.kind == Syntax::Name ? scopes_.find(e.text) : nullptr;
  return b && b->variable ? node_term(b->node) : term(e);
}

}  // namespace tenon::script
