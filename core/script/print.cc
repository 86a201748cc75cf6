#include "script/print.h"

#include "ir/ir_table.h"
#include "script/deep_stack.h"
#include "script/printer.h"
#include "script/strings.h"

namespace tenon::script {

void Printer::too_long() const {
  throw Error(TN_ERROR_LIMIT, "the text of the IR is longer than " + std::to_string(options_.max_bytes) + " bytes", {},
              "a node that many places share is written at each of them; print one function");
}

const std::string& Printer::name_of(const Node& n) {
  if (const std::string* name = names_.find(n)) return *name;
  if (const auto* b = n.as<tir::Buffer>()) return names_.define(n, b->name());
  return names_.define(n, n.to<ir::Var>().name());
}

void Printer::function_name(std::string_view name) {
  auto it = functions_.find(name);
  if (it == functions_.end() || it->second != name)
    put("I.name(" + quote(name) + ")");
  else
    put((in_class_ ? "cls." : "") + it->second);
}

void Printer::declare_symbols(const Value& tree) {
  std::vector<Node> unnamed;
  auto visit = [&](const Node& n) {
    if (n.is<ir::Var>() && !names_.find(n) && n.slot(0).is_dtype()) unnamed.push_back(n);
  };
  if (tree.is_node() || tree.is_array()) b_.walk(tree, visit);
  for (const Node& n : unnamed) {
    if (names_.find(n)) continue;
    std::string name = names_.define(n, n.to<ir::Var>().name());
    bool index = same_dtype(n.dtype(), kInt64);
    line(name + (index ? " = T.int64()" : " = I.var(\"" + dtype_text(n.dtype()) + "\")"));
    end_line();
  }
}

void Printer::decorators(std::string_view key, char level, const Map& attrs, Builder::Entries* rest,
                         std::string_view flags) {
  const Value* symbol = attrs.find("global_symbol");
  bool is_public = symbol && symbol->is_string() && symbol->as_string() == key;
  for (auto& entry : Builder::entries(attrs))
    if (!is_public || entry.first != "global_symbol") rest->push_back(std::move(entry));
  if (functions_[std::string(key)] != key) {
    line("@I.name(" + quote(key) + ")");
    end_line();
  }
  std::string arguments(flags);
  if (!symbol) arguments = "private=True" + (arguments.empty() ? "" : ", " + arguments);
  line(level == 'T' ? "@T.prim_func" : "@R.function");
  if (!arguments.empty()) put("(" + arguments + ")");
  end_line();
}

void Printer::func_attr(char level, const Builder::Entries& attrs) {
  if (attrs.empty()) return;
  line(std::string(1, level) + ".func_attr(");
  attributes(attrs);
  put(")");
  end_line();
}

bool Printer::is_plain(const tir::PrimFunc& f) {
  for (const Node& p : nodes(f.params())) {
    if (p.is<tir::Buffer>() ? !buffer_is_plain(p) : !p.is<ir::Var>() || !p.slot(0).is_dtype()) return false;
  }
  for (const Map::Entry& e : f.attrs())
    if (e.key() == "global_symbol" && !e.value().is_string()) return false;
  return f.ret_type().is_none() || f.ret_type().is_dtype();
}

// Buffers of constant shape stand in the head; others as a handle and T.match_buffer, for their symbols are declared in
// the body.
void Printer::prim_func(std::string_view key, const tir::PrimFunc& f) {
  Names::Block scope(names_);
  Builder::Entries attrs;
  decorators(key, 'T', f.attrs(), &attrs);
  NodeRange params = nodes(f.params());
  auto is_static = [&](const tir::Buffer& b) {
    auto literal = [](const Node& n) { return n.is<ir::IntImm>(); };
    for (const Node& n : nodes(b.shape()))
      if (!literal(n)) return false;
    for (const Node& n : nodes(b.strides()))
      if (!literal(n)) return false;
    return b.elem_offset().is_none() || literal(as_node(b.elem_offset()));
  };
  struct Matched {
    const Node* buffer;
    std::string handle;
  };
  std::vector<Matched> matched;
  // The names of all parameters first, so that no symbol takes one.
  for (const Node& p : params)
    if (p.is<ir::Var>()) names_.define(p, p.to<ir::Var>().name());
  line("def " + functions_[std::string(key)] + "(");
  bool first = true;
  for (const Node& p : params) {
    if (!first) put(", ");
    first = false;
    if (p.is<ir::Var>()) {
      put(name_of(p) + ": T." + dtype_text(p.dtype()));
    } else if (is_static(p.to<tir::Buffer>()) && !names_.find(p)) {
      const auto& b = p.to<tir::Buffer>();
      put(names_.define(p, b.name().empty() ? "buffer" : b.name()) + ": T.Buffer(");
      buffer_arguments(b);
      put(")");
    } else {
      const auto& b = p.to<tir::Buffer>();
      std::string name = names_.define(p, b.name().empty() ? "buffer" : b.name());
      matched.push_back({&p, names_.fresh("var_" + name)});
      put(matched.back().handle + ": T.handle");
    }
  }
  put(")");
  if (f.ret_type().is_dtype()) put(" -> T." + dtype_text(f.ret_type().as_dtype()));
  put(":");
  end_line();
  ++indent_;
  func_attr('T', attrs);
  for (const Matched& m : matched) buffer_line(*m.buffer, "T.match_buffer", [&] { put(m.handle + ", "); }, nullptr);
  body(f.body());
  --indent_;
}

void Printer::function(std::string_view key, const Node& f) {
  if (const auto* prim = f.as<tir::PrimFunc>(); prim && is_plain(*prim)) return prim_func(key, *prim);
  if (const auto* graph = f.as<relax::Function>(); graph && is_plain(*graph)) return graph_function(key, *graph);
  const auto* external = f.as<ir::ExternFunc>();
  const std::string& name = functions_[std::string(key)];
  bool odd = name != key;
  line(odd ? "I.function(" + quote(key) + ", " : name + " = ");
  if (external && external->type().is_none() && external->attrs().empty())
    put("R.ExternFunc(" + quote(external->symbol()) + ")");
  else
    generic(f);
  if (odd) put(")");
  end_line();
}

void Printer::module(const ir::Module& m) {
  bool graph = false;
  for (const Map::Entry& e : m.functions()) graph = graph || !as_node(e.value()).is<tir::PrimFunc>();
  if (options_.imports) {
    put("# from tvm.script import ir as I\n# from tvm.script import tir as T\n");
    if (graph) put("# from tvm.script import relax as R\n");
    end_line();
  }
  std::string name = identifier_of(options_.module_name, "Module");
  for (const char* word : {"T", "R", "I", "cls", "self", "metadata", "range"}) names_.reserve(word);
  names_.reserve(name);
  // Functions keep their names; the others get one that is free.
  for (const Map::Entry& e : m.functions()) {
    std::string key(e.key());
    bool good = is_identifier(key) && key != "cls" && key != "self" && key != "T" && key != "R" && key != "I" &&
                key != name && key != "metadata" && key != "range";
    if (good) {
      functions_[key] = key;
      names_.reserve(key);
    }
    const auto* prim = as_node(e.value()).as<tir::PrimFunc>();
    if (prim && is_plain(*prim)) results_[key] = prim->ret_type();
  }
  for (const Map::Entry& e : m.functions())
    if (!functions_.count(e.key())) functions_[std::string(e.key())] = names_.fresh(identifier_of(e.key(), "function"));
  in_class_ = true;
  put("@I.ir_module\nclass " + name + ":\n");
  ++indent_;
  bool any = false;
  auto entry = [&](const char* form, auto&& write) {
    any = true;
    line(std::string("I.") + form + "(");
    write();
    put(")");
    end_line();
  };
  if (!m.attrs().empty()) entry("module_attrs", [&] { attribute_map(m.attrs()); });
  if (!m.global_infos().empty()) entry("module_global_infos", [&] { attribute_map(m.global_infos()); });
  if (!m.payloads().empty()) entry("module_payloads", [&] { attribute(Value(m.payloads())); });
  for (const Map::Entry& e : m.functions()) {
    if (any) end_line();
    any = true;
    function(e.key(), as_node(e.value()));
  }
  if (!any) {
    line("pass");
    end_line();
  }
  --indent_;
}

std::string Printer::run(const Value& tree) {
  if (!tree.is_node()) {
    attribute(tree);
    return std::move(out_);
  }
  const Node& n = as_node(tree);
  const TnKindSchema& schema = schema_of(n);
  if (const auto* m = n.as<ir::Module>()) {
    module(*m);
    return std::move(out_);
  }
  for (const char* word : {"T", "R", "I", "cls", "self", "metadata", "range"}) names_.reserve(word);
  if (schema.flags & TN_KIND_FUNCTION && !n.is<ir::ExternFunc>()) {
    const Map& attrs = n.is<tir::PrimFunc>()     ? n.to<tir::PrimFunc>().attrs()
                       : n.is<relax::Function>() ? n.to<relax::Function>().attrs()
                                                 : b_.map({});
    const Value* symbol = attrs.find("global_symbol");
    std::string key = symbol && symbol->is_string() ? std::string(symbol->as_string()) : "main";
    functions_[key] = identifier_of(key, "main");
    names_.reserve(functions_[key]);
    function(key, n);
  } else if (schema.flags & TN_KIND_STMT) {
    body(n);
  } else if (n.kind() == TN_KIND_relax_SeqExpr) {
    if (sequence_is_plain(n))
      sequence(n.to<relax::SeqExpr>(), nullptr);
    else
      generic(n);
  } else if (std::string_view(schema.id).substr(0, 6) == "relax." && (schema.flags & TN_KIND_EXPR)) {
    graph_value(n);
  } else {
    node_value(n);
  }
  return std::move(out_);
}

}  // namespace tenon::script

namespace tenon {

std::string print(const Value& tree, const PrintOptions& options) {
  Builder builder = core_builder();
  std::string out;
  uint64_t depth = tree.is_node() ? as_node(tree).depth() : 0;
  if (!tree.is_node() && (tree.is_array() || tree.is_map())) depth = 4096;
  script::with_deep_stack(depth, [&] { out = script::Printer(builder, options).run(tree); });
  return out;
}

}  // namespace tenon
