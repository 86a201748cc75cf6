#include "script/elaborate.h"

#include <algorithm>
#include <cstring>

#include "diag/suggest.h"
#include "ir/structural_equal.h"

namespace tenon::script {
namespace {

struct RefusedForm {
  char root;
  std::string_view name;
  const char* hint;
};
// What TVM has, or had, and this language leaves out.
constexpr RefusedForm kRefused[] = {
    {'T', "allocate", "write A = T.alloc_buffer(shape, dtype)"},
    {'T', "allocate_const", "write A = T.decl_buffer(shape, dtype, data=I.constant(...))"},
    {'T', "buffer_decl", "write T.Buffer or T.decl_buffer"},
    {'T', "preflattened_buffer", "declare the buffer with the shape that the function uses"},
    {'T', "buffer_realize", "write T.alloc_buffer"},
    {'T', "prefetch", "remove it"},
    {'T', "macro", "write the statements out"},
    {'T', "inline", "write the statements out"},
    {'T', "comm_reducer", "write the reduction as a block with T.init()"},
    {'T', "reduce", "write the reduction as a block with T.init()"},
    {'T', "env_thread", "write T.launch_thread(\"threadIdx.x\", extent) or T.thread_binding"},
    {'T', "iter_var", "write T.thread_binding"},
    {'T', "store", "write A[i] = value"},
    {'T', "load", "write A[i]"},
    {'T', "Load", "write A[i]"},
    {'T', "Store", "write A[i] = value"},
    {'T', "ProducerLoad", "write A[i]"},
    {'T', "Reduce", "write the reduction as a block with T.init()"},
    {'T', "Shuffle", "write T.Ramp, T.Broadcast or scalars"},
    {'T', "Call", "write T.call_intrin(dtype, \"tir.name\", ...)"},
    {'T', "Var", "write x = T.int64()"},
    {'T', "SizeVar", "write x = T.int64()"},
    {'T', "Range", "write a slice or a loop"},
    {'T', "index_map", "write the indices out"},
    {'T', "target", "give the target as a map in T.func_attr"},
    {'T', "tvm_access_ptr", "write T.address_of(A[i])"},
    {'T', "call_cpacked", "write T.call_packed"},
    {'T', "meta_var_list", "write the expressions out"},
    {'R', "macro", "write the statements out"},
    {'R', "inline", "write the statements out"},
    {'R', "vdevice", "state the device as an attribute of the type"},
    {'R', "SeqExpr", "write the bindings as statements"},
    {'R', "emit", "assign to a name"},
    {'I', "Range", "write a slice or a loop"},
    {'I', "vdevice", "state the device as an attribute of the type"},
    {'T', "call_extern", "write T.call_packed(\"f\", ...)"},
    {'T', "call_pure_extern", "write T.call_packed(\"f\", ...)"},
    {'T', "call_llvm_pure_intrin", "write the op that computes it, T.exp(x)"},
    {'T', "call_llvm_intrin", "write the op that computes it, T.exp(x)"},
    {'T', "break_loop", "put the condition into a `while`"},
    {'T', "continue_loop", "put the rest of the body under an `if`"},
    {'T', "tvm_stack_make_array", "pass the buffer itself: T.call_packed(\"f\", A)"},
};

}  // namespace

Path Elaborator::path(const Expr& e) const {
  if (e.kind != Syntax::Attribute) return {};
  const Expr* root = e.a;
  size_t length = e.text.size();
  for (; root->kind == Syntax::Attribute; root = root->a) length += root->text.size() + 1;
  if (root->kind != Syntax::Name) return {};
  char letter = root->text == program_.aliases.tir     ? 'T'
                : root->text == program_.aliases.relax ? 'R'
                : root->text == program_.aliases.ir    ? 'I'
                                                       : 0;
  if (!letter) return {};
  if (e.a == root) return {letter, e.text};
  auto* joined = static_cast<char*>(program_.memory->allocate(length, 1));
  char* at = joined + length;
  for (const Expr* a = &e; a != root; a = a->a) {
    at -= a->text.size();
    std::memcpy(at, a->text.data(), a->text.size());
    if (at != joined) *--at = '.';
  }
  return {letter, {joined, length}};
}

void Elaborator::refuse_form(const Expr& at, const Path& p) const {
  for (const RefusedForm& row : kRefused)
    if (row.root == p.root && row.name == p.name)
      source_.refuse(at.begin, std::string(1, p.root) + "." + std::string(p.name), row.hint);
}

void Elaborator::unknown_form(const Expr& at, const Path& p, std::vector<std::string> known) const {
  refuse_form(at, p);
  std::string name = std::string(1, p.root) + "." + std::string(p.name);
  if (context_.op_names && p.root != 'I') {
    std::string_view prefix = p.root == 'T' ? "tir." : "relax.";
    for (const std::string& op : context_.op_names())
      if (op.compare(0, prefix.size(), prefix) == 0) known.push_back(op.substr(prefix.size()));
  }
  std::string nearest = nearest_name(p.name, known);
  fail(at, "unknown " + name, nearest.empty() ? "" : "did you mean " + std::string(1, p.root) + "." + nearest + "?");
}

bool Elaborator::same(const Node& a, const Node& b) const {
  if (a.same_as(b)) return true;
  if (!a || !b || a.hash() != b.hash()) return false;
  Value va(a), vb(b);
  return !first_difference(*va.ptr(), *vb.ptr());
}

const Expr* Elaborator::keyword(const Expr& call, std::string_view name) const {
  for (const Keyword& k : call.keywords)
    if (k.name == name) return k.value;
  return nullptr;
}

std::vector<const Expr*> Elaborator::arguments(const Expr& call, std::string_view what,
                                               std::initializer_list<std::string_view> names, size_t required) const {
  std::vector<const Expr*> out(names.size(), nullptr);
  auto list = [&] {
    std::string s;
    for (std::string_view n : names) s += (s.empty() ? "" : ", ") + std::string(n);
    return s.empty() ? std::string("it takes no arguments") : "its arguments are " + s;
  };
  if (call.items.size() > names.size())
    fail(*call.items[names.size()],
         std::string(what) + " takes " + std::to_string(names.size()) + " arguments by position, met " +
             std::to_string(call.items.size()),
         list());
  for (size_t i = 0; i < call.items.size(); ++i) out[i] = call.items[i];
  for (const Keyword& k : call.keywords) {
    size_t i = 0;
    for (; i < names.size() && names.begin()[i] != k.name; ++i) {}
    if (i == names.size()) {
      std::string nearest = nearest_name(k.name, std::vector<std::string>(names.begin(), names.end()));
      source_.fail(k.where, std::string(what) + " has no argument '" + std::string(k.name) + "'",
                   nearest.empty() ? list() : "did you mean '" + nearest + "'?");
    }
    if (out[i]) source_.fail(k.where, "'" + std::string(k.name) + "' of " + std::string(what) + " is given twice");
    out[i] = k.value;
  }
  for (size_t i = 0; i < required; ++i)
    if (!out[i])
      source_.fail(call.begin, std::string(what) + " misses its argument '" + std::string(names.begin()[i]) + "'",
                   list());
  return out;
}

std::string_view Elaborator::string_of(const Expr& e, std::string_view what) const {
  if (e.kind != Syntax::String) expected(e, std::string(what) + " as a string");
  return e.text;
}

int64_t Elaborator::int_of(const Expr& e, std::string_view what) const {
  if (e.kind == Syntax::Int && !e.big) return e.integer;
  if (e.kind == Syntax::Unary && e.text == "-" && e.a->kind == Syntax::Int && (!e.a->big || e.a->integer == INT64_MIN))
    return e.a->big ? INT64_MIN : -e.a->integer;
  expected(e, std::string(what) + " as an integer");
}

bool Elaborator::bool_of(const Expr& e, std::string_view what) const {
  if (e.kind == Syntax::True || e.kind == Syntax::False) return e.kind == Syntax::True;
  expected(e, std::string(what) + " as True or False");
}

Binding& Elaborator::binding(const Expr& name) {
  if (Binding* b = scopes_.find(name.text)) return *b;
  if (function_.header) {
    Binding symbol;
    symbol.declared = kInt64;
    symbol.where = name.begin;
    function_.symbols[name.text] = true;
    // The symbol is a parameter that comes later.
    if (auto scalar = function_.scalars.find(name.text); scalar != function_.scalars.end())
      symbol.node = make<ir::Var>(name, {scalar->second, text(name.text)});
    return scopes_.define(name.text, std::move(symbol));
  }
  std::vector<std::string> known = scopes_.known();
  for (const auto& [function, head] : heads_) known.emplace_back(function);
  std::string nearest = nearest_name(name.text, known);
  if (name.text == "metadata")
    source_.refuse(name.begin, "TVM's `metadata`", "write constants with R.const or I.data(\"sha256:...\")");
  fail(name, "the name '" + std::string(name.text) + "' is not defined here",
       nearest.empty() ? "a symbolic dimension is declared by `" + std::string(name.text) + " = T.int64()`"
                       : "did you mean '" + nearest + "'?");
}

Node Elaborator::use(Binding& b, const Expr& name) {
  if (!b.node) {
    // A symbol that is used before anything gives it a value stands for a dimension: those are int64.
    DLDataType t = is_int(b.declared) ? with_lanes(kInt64, b.declared.lanes) : b.declared;
    b.node = make<ir::Var>(name, {t, text(name.text)});
    uses_symbols_ = true;
  }
  return b.node;
}

const Node& Elaborator::lookup(const Expr& name) {
  Binding& b = binding(name);
  use(b, name);
  return b.node;
}

Node Elaborator::define_var(const Expr& name, Value type) {
  if (name.kind != Syntax::Name) expected(name, "a name");
  Node var = make<ir::Var>(name, {std::move(type), text(name.text)});
  define(name, var);
  return var;
}

void Elaborator::define(const Expr& name, const Node& node) {
  if (name.kind != Syntax::Name) expected(name, "a name");
  Binding b;
  b.node = node;
  b.where = name.begin;
  scopes_.define(name.text, std::move(b));
}

}  // namespace tenon::script
