// Modules and functions.
#include "diag/suggest.h"
#include "ir/ir_table.h"
#include "ir/scoped_walk.h"
#include "script/deep_stack.h"
#include "script/elaborate.h"

namespace tenon::script {

const Expr* Elaborator::level_decorator(const Stmt& s, char* level) const {
  const Expr* found = nullptr;
  for (const Expr* d : s.decorators) {
    Path p = d->kind == Syntax::Call ? path(*d->a) : path(*d);
    if (p.is('I', "name")) continue;
    bool loop = p.is('T', "prim_func"), graph = p.is('R', "function");
    if (!loop && !graph) {
      if (p) unknown_form(*d, p, {p.root == 'T' ? "prim_func" : p.root == 'R' ? "function" : "name"});
      source_.refuse(d->begin, "this decorator", "functions are @T.prim_func or @R.function");
    }
    if (found) fail(*d, "the function '" + std::string(s.text) + "' has a second decorator");
    found = d;
    *level = p.root;
  }
  if (!found)
    source_.fail(
        s.begin,
        "met the function '" + std::string(s.text) + "' without a decorator, expected @T.prim_func or @R.function",
        "no Python is run: a function is part of the module or not written");
  return found;
}

void Elaborator::check_decorator(const Expr& decorator, const Path& p) const {
  if (decorator.kind != Syntax::Call) return;
  if (!decorator.items.empty()) expected(*decorator.items[0], "keyword arguments alone");
  static constexpr std::string_view kLoop[] = {"private", "check_well_formed", "s_tir", "tirx", "persistent"};
  static constexpr std::string_view kGraph[] = {"private", "pure", "check_well_formed"};
  std::span<const std::string_view> known = p.root == 'T' ? std::span<const std::string_view>(kLoop) : kGraph;
  for (const Keyword& k : decorator.keywords) {
    if (std::find(known.begin(), known.end(), k.name) == known.end())
      source_.fail(
          k.where,
          "@" + std::string(1, p.root) + "." + std::string(p.name) + " has no argument '" + std::string(k.name) + "'",
          did_you_mean(k.name, std::vector<std::string>(known.begin(), known.end()),
                       "known are private, pure (of graph functions) and check_well_formed"));
    bool_of(*k.value, k.name);
  }
}

std::string_view Elaborator::function_name(const Stmt& s) const {
  for (const Expr* d : s.decorators)
    if (call_path(*d).is('I', "name")) return string_of(*arguments(*d, "I.name", {"name"}, 1)[0], "the name");
  return s.text;
}

void Elaborator::declare_functions(Body stmts) {
  for (const Stmt* s : stmts) {
    std::string_view id, name;
    Value result;
    if (s->form == Form::Function) {
      id = s->text;
      name = function_name(*s);
      if (s->annotation)
        if (auto t = dtype_name(*s->annotation)) result = *t;
    } else if (s->form == Form::Assign && s->target->kind == Syntax::Name) {
      id = name = s->target->text;
    } else {
      continue;
    }
    for (const auto& [other, head] : heads_)
      if (other == id || head.name == name)
        source_.fail(s->begin, "two functions are called '" + std::string(name) + "'");
    heads_.emplace(id, FunctionHead{name, result});
  }
}

void Elaborator::add_function(const Stmt& s, std::string_view name, Node f) {
  (void)s;
  functions_.emplace_back(std::string(name), std::move(f));
}

void Elaborator::function(const Stmt& s) {
  char level = 0;
  const Expr* decorator = level_decorator(s, &level);
  check_decorator(*decorator, level == 'T' ? Path{'T', "prim_func"} : Path{'R', "function"});
  uses_symbols_ = false;
  Node made = level == 'T' ? prim_func(s, *decorator) : graph_function(s, *decorator);
  if (uses_symbols_) check_symbols(made, level == 'R');
  add_function(s, function_name(s), made);
}

namespace {

// Finds the first variable that is used outside of every scope.
class Unbound : public ScopeVisitor {
 public:
  Below enter(const TnNode* n) {
    bool shared = static_cast<uint32_t>(__atomic_load_n(&n->header.counts, __ATOMIC_RELAXED)) > 1;
    if (shared && !(flags_of(n) & kHasDefinitions) && n->depth > 1) {
      size_t before = seen_.size();
      seen_[n] = 1;
      if (seen_.size() == before) return Below::kSkip;
    }
    return found ? Below::kStop : Below::kEnter;
  }
  void use(const TnNode* n, bool in_scope) {
    if (!in_scope && n->kind == ir::Var::kKind && !found) found = n;
  }
  void end(const TnNode*) { seen_.clear(); }

  const TnNode* found = nullptr;

 private:
  PointerMap<char> seen_;
};

}  // namespace

void Elaborator::check_symbols(const Node& function, bool graph) const {
  Unbound unbound;
  scoped_walk(Value(function).raw(), unbound);
  const TnNode* var = unbound.found;
  if (!var || !var->span) return;
  std::string name(string_view_of(var->slots[ir::VarSlot::name]));
  source_.fail(
      {var->span->line, var->span->column}, "the symbol '" + name + "' is used, but nothing gives it a value there",
      graph ? "the type of a parameter does, or x = R.match_cast(y, R.Tensor((" + name + ", ...)))"
            : "a dimension of a parameter that is " + name + " alone does, or a parameter " + name + ": T.int64");
}

Node Elaborator::prim_func(const Stmt& s, const Expr& decorator) {
  function_ = FunctionState();
  Scopes::Block scope(scopes_);
  std::vector<Value> params;
  function_.param_nodes = &params;
  for (const Param& p : s.params)
    if (std::optional<DLDataType> t = p.annotation ? dtype_name(*p.annotation) : std::nullopt; t && !is_handle(*t))
      function_.scalars.emplace(p.name, *t);
  for (const Param& p : s.params) {
    if (p.name == "self" && !p.annotation)
      source_.refuse(p.where, "a method", "leave `self` out: functions of a module have none");
    if (!p.annotation)
      source_.fail(p.where, "the parameter '" + std::string(p.name) + "' has no annotation",
                   "write " + std::string(p.name) + ": T.Buffer((16,), \"float32\"), or a dtype such as T.int64");
    const Expr& a = *p.annotation;
    Expr name{};
    name.kind = Syntax::Name;
    name.begin = name.end = p.where;
    name.end.column += static_cast<int32_t>(p.name.size());
    name.text = p.name;
    Path called = a.kind == Syntax::Call || a.kind == Syntax::Subscript ? path(*a.a) : Path();
    Node param;
    if (called.is('T', "Buffer")) {
      param = buffer(a, p.name, 0, a.kind == Syntax::Subscript);
    } else {
      Value type = loop_type(a);
      if (type.is_dtype() && is_handle(type.as_dtype())) function_.params.emplace(p.name, params.size());
      Binding* symbol =
          function_.symbols.count(p.name) && function_.scalars.count(p.name) ? scopes_.find(p.name) : nullptr;
      param = symbol && symbol->node ? symbol->node : make<ir::Var>(name, {type, text(p.name)});
    }
    define(name, param);
    params.push_back(param);
  }
  Value ret_type = s.annotation ? loop_type(*s.annotation) : Value();
  find_reassigned(s.body);
  std::vector<Node> stmts;
  body_into(s.body, stmts);
  Node made_body = sequence(stmts, s);
  const Expr* is_private = decorator.kind == Syntax::Call ? keyword(decorator, "private") : nullptr;
  bool has_symbol = false;
  for (const auto& entry : function_.attrs) has_symbol = has_symbol || entry.first == "global_symbol";
  if (!has_symbol && !(is_private && bool_of(*is_private, "private")))
    function_.attrs.emplace_back("global_symbol", text(function_name(s)));
  return make<tir::PrimFunc>(s, {list(params), b_.map(function_.attrs), ret_type, made_body});
}

void Elaborator::module_statement(const Stmt& s) {
  switch (s.form) {
    case Form::Function: return function(s);
    case Form::Pass: return;
    case Form::Expression: {
      if (s.value->kind == Syntax::String) return;
      Path p = call_path(*s.value);
      if (p.is('I', "module_attrs")) {
        module_attrs_ = Builder::entries(attribute_map(*arguments(*s.value, "I.module_attrs", {"attrs"}, 1)[0]));
      } else if (p.is('I', "module_global_infos")) {
        global_infos_ = Builder::entries(attribute_map(*arguments(*s.value, "I.module_global_infos", {"infos"}, 1)[0]));
      } else if (p.is('I', "module_payloads")) {
        Value v = attribute(*arguments(*s.value, "I.module_payloads", {"payloads"}, 1)[0]);
        if (!v.is_array()) expected(*s.value, "a list of payloads");
        for (const Value& item : v.ref<Array>()) payloads_.push_back(item);
      } else if (p.is('I', "function")) {
        auto args = arguments(*s.value, "I.function", {"name", "function"}, 2);
        const Expr& value = *args[1];
        Node f = call_path(value).is('R', "ExternFunc")
                     ? make<ir::ExternFunc>(
                           value,
                           {Value(), text(string_of(*arguments(value, "R.ExternFunc", {"symbol"}, 1)[0], "the symbol")),
                            b_.map({})})
                     : generic_node(value);
        add_function(s, string_of(*args[0], "the name"), f);
      } else {
        if (p) unknown_form(*s.value, p, {"module_attrs", "module_global_infos", "module_payloads"});
        expected(*s.value, "a function or I.module_attrs");
      }
      return;
    }
    case Form::Assign: {
      const Expr& value = *s.value;
      if (s.target->is_name("metadata"))
        source_.refuse(s.begin, "TVM's `metadata`", "write constants with R.const or I.data(\"sha256:...\")");
      if (s.target->kind == Syntax::Name && call_path(value).is('R', "ExternFunc")) {
        const Expr& symbol = *arguments(value, "R.ExternFunc", {"symbol"}, 1)[0];
        return add_function(s, s.target->text,
                            make<ir::ExternFunc>(value, {Value(), text(string_of(symbol, "the symbol")), b_.map({})}));
      }
      if (s.target->kind == Syntax::Name && call_path(value).is('I', "node"))
        return add_function(s, s.target->text, generic_node(value));
      source_.refuse(s.begin, "an assignment in a module",
                     "accepted are f = R.ExternFunc(\"symbol\") and f = I.node(...)");
    }
    case Form::Class: source_.refuse(s.begin, "a class inside of a module");
    default: source_.refuse(s.begin, "this statement in a module", "a module holds functions");
  }
}

Node Elaborator::module() {
  const Stmt* module_class = nullptr;
  for (const Stmt* s : program_.body) {
    if (s->form == Form::Assign && s->target->is_name("metadata"))
      source_.refuse(s->begin, "TVM's `metadata`", "write constants with R.const or I.data(\"sha256:...\")");
    if (s->form != Form::Class) continue;
    if (module_class)
      source_.fail(s->begin, "met a second module '" + std::string(s->text) + "'", "a text holds one module");
    module_class = s;
    bool decorated = false;
    for (const Expr* d : s->decorators) {
      Path p = d->kind == Syntax::Call ? path(*d->a) : path(*d);
      if (!p.is('I', "ir_module")) {
        if (p) unknown_form(*d, p, {"ir_module"});
        source_.refuse(d->begin, "this decorator", "a module is @I.ir_module");
      }
      decorated = true;
    }
    if (!decorated)
      source_.fail(s->begin, "met the class '" + std::string(s->text) + "' without a decorator, expected @I.ir_module");
  }
  Body body = program_.body;
  if (module_class) {
    for (const Stmt* s : body)
      if (s->form == Form::Function)
        source_.fail(s->begin, "met the function '" + std::string(s->text) + "' beside a module",
                     "move it into the module");
    body = module_class->body;
    module_name_ = module_class->text;
  }
  declare_functions(body);
  size_t functions = 0;
  Expr whole{};
  whole.begin = whole.end = {1, 1};
  for (const Stmt* s : body) {
    functions += s->form == Form::Function;
    whole.end = s->end;
    if (!module_class && s->form == Form::Assign) source_.refuse(s->begin, "an assignment outside of a module");
    module_statement(*s);
  }
  if (!module_class && functions == 0)
    source_.fail({1, 1}, "the text holds no module",
                 "write `@I.ir_module` and `class Module:`, or a function under @T.prim_func or @R.function");
  if (module_class) {
    whole.begin = module_class->begin;
    whole.end = module_class->end;
  }
  return make<ir::Module>(whole, {b_.map(module_attrs_), b_.map(global_infos_), b_.map(functions_), list(payloads_)});
}

}  // namespace tenon::script

namespace tenon {

Node parse(std::string_view text, std::string_view file, const ParseContext& context) {
  using namespace script;
  Source source{text, std::string(file)};
  auto memory = std::make_unique<std::pmr::monotonic_buffer_resource>(text.size() * 2 + 4096);
  Tokens tokens = tokenize(source, context.limits, *memory);
  Program program;
  uint64_t levels =
      std::min(uint64_t{tokens.brackets + 1} * (tokens.prefixes + 1), uint64_t{context.limits.brackets} + 1);
  with_deep_stack(levels + tokens.blocks,
                  [&] { program = parse_syntax(source, context.limits, tokens, std::move(memory)); });
  Builder builder = core_builder();
  Node module;
  with_deep_stack(uint64_t{program.height} + tokens.blocks,
                  [&] { module = Elaborator(source, context, builder, program).module(); });
  return module;
}

}  // namespace tenon
