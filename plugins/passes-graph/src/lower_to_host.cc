// Every graph function of the module becomes a host function; a public one also gets an entry that allocates its
// results.
#include "extents.h"
#include "host_function.h"

namespace tenon::graph {
namespace {

// def main(x) -> handle:  registers[k] = alloc_tensor(...); main.body(x, views of them...); ret(the tensor, or a tuple)
Node entry_of(const PassesGraph& self, const tir::PrimFunc& body, const std::string& callee, const Value& symbol,
              const Value& result_type) {
  const Builder& b = self.builder();
  Extents extents(self);
  int64_t outputs = body.attrs().find("tenon.num_outputs")->as_int();
  size_t inputs = body.params().size() - static_cast<size_t>(outputs);
  // The entry has variables of its own. (`own` renames what `from` and `to` list when it is called.)
  std::vector<Value> from, to;
  auto rename = [&](const Node& v, const Node& made) {
    from.push_back(v);
    to.push_back(made);
  };
  std::vector<Node> params, args, stmts, handles;
  auto own = [&](const Node& tree) { return b.substitute(Value(tree), b.array(from), b.array(to)).ref<Node>(); };
  for (size_t i = 0; i < body.params().size(); ++i) {
    const Node& p = nodes(body.params())[i];
    auto* buffer = p.as<tir::Buffer>();
    if (!buffer) {
      params.push_back(b.make<ir::Var>({p.to<ir::Var>().type(), b.string(p.to<ir::Var>().name())}));
      rename(p, params.back());
      args.push_back(params.back());
      continue;
    }
    std::vector<Node> shape;
    for (const Node& d : nodes(buffer->shape())) {
      bool known = false;
      for (const Value& f : from) known = known || as_node(f).same_as(d);
      if (d.is<ir::Var>() && !known)
        rename(d, b.make<ir::Var>({d.to<ir::Var>().type(), b.string(d.to<ir::Var>().name())}));
    }
    for (const Node& d : nodes(buffer->shape())) shape.push_back(own(d));
    Node mine = b.buffer(buffer->name(), buffer->dtype(), b.array(shape));
    args.push_back(mine);
    if (i < inputs) {
      params.push_back(mine);
      continue;
    }
    for (size_t d = 0; d < shape.size(); ++d)
      if (extents.may_be_negative(shape[d]))
        stmts.push_back(b.make<tir::Assert>(
            {b.le(b.imm(0), shape[d]),
             b.string("the inputs are too small: dimension " + std::to_string(d) + " of " +
                      (outputs == 1 ? "the result" : "result " + std::to_string(handles.size())) + " is negative")}));
    Array at = b.array({Value(b.imm(static_cast<int64_t>(handles.size())))});
    std::vector<Node> dims{b.make<ir::StringImm>({Value(), b.string(dtype_text(buffer->dtype()))})};
    dims.insert(dims.end(), shape.begin(), shape.end());
    Node registers = b.buffer("registers", kHandle, b.array({Value(b.imm(outputs + 1))}), "register");
    if (!handles.empty())
      registers = handles[0].to<tir::BufferLoad>().buffer();
    else
      stmts.push_back(b.make<tir::AllocBuffer>({b.map({}), registers}));
    auto builtin = [&](const char* op, const std::vector<Node>& operands) {
      return b.make<ir::Call>({kHandle, b.make<ir::Op>({Value(), op}), b.array(operands), b.map({}), b.array({})});
    };
    stmts.push_back(b.store(registers, at, builtin("tir.alloc_tensor", dims)));
    handles.push_back(b.load(registers, at));
    stmts.push_back(b.make<tir::DeclBuffer>({builtin("tir.tensor_data", {handles.back()}), mine}));
  }
  auto operation = [&](Value type, const char* op, const std::vector<Node>& operands) {
    return b.make<ir::Call>(
        {std::move(type), b.make<ir::Op>({Value(), op}), b.array(operands), b.map({}), b.array({})});
  };
  Node target = b.make<ir::GlobalVar>({Value(), b.string(callee)});
  stmts.push_back(b.make<tir::Evaluate>({b.make<ir::Call>({Value(), target, b.array(args), b.map({}), b.array({})})}));
  Node result = handles.empty() ? Node() : handles[0];
  if (!result || (result_type.is_node() && as_node(result_type).is<relax::TupleType>())) {
    if (handles.empty()) {
      Node registers = b.buffer("registers", kHandle, b.array({Value(b.imm(1))}), "register");
      stmts.insert(stmts.begin(), b.make<tir::AllocBuffer>({b.map({}), registers}));
      Array at = b.array({Value(b.imm(0))});
      stmts.push_back(b.store(registers, at, operation(kHandle, "tir.make_tuple", {})));
      result = b.load(registers, at);
    } else {
      // Nested tuples come out flat: one array of all tensors.
      Array at = b.array({Value(b.imm(outputs))});
      const Node& registers = handles[0].to<tir::BufferLoad>().buffer();
      stmts.push_back(b.store(registers, at, operation(kHandle, "tir.make_tuple", handles)));
      result = b.load(registers, at);
    }
  }
  stmts.push_back(b.make<tir::Evaluate>({operation(kInt32, "tir.ret", {result})}));
  Builder::Entries attrs{{"global_symbol", symbol}, {"tenon.host", true}};
  if (result_type.is_node()) {  // as text: what the artifact says of the result
    Value type = own(as_node(result_type)), none;
    attrs.emplace_back("tenon.result",
                       call([&](TnValue* ret) { return b.ir()->print(b.ir()->self, type.ptr(), none.ptr(), ret); }));
  }
  return b.make<tir::PrimFunc>({b.array(params), b.map(attrs), kHandle, b.make<tir::Seq>({b.array(stmts)})},
                               body.span());
}

}  // namespace

Value lower_to_host(PassesGraph& self, const PassArgs&, const Node& module) {
  const Builder& b = self.builder();
  auto& m = module.to<ir::Module>();
  Builder::Entries functions, entries;
  std::map<std::string, std::string, std::less<>> bodies;  // public function -> the name of its body
  bool changed = false;
  for (const Map::Entry& e : m.functions()) {
    auto* f = as_node(e.value()).as<relax::Function>();
    std::string name(e.key());
    if (!f) {
      functions.emplace_back(name, e.value());
      continue;
    }
    changed = true;
    HostFunction host(self, m, name, *f);
    Node lowered = host.build();
    const Value* symbol = f->attrs().find("global_symbol");
    if (symbol && !host.passes_destinations()) {
      auto& attrs = lowered.to<tir::PrimFunc>().attrs();
      lowered = b.with(lowered, tir::PrimFunc::Slot::attrs, Value(b.with(attrs, "global_symbol", *symbol)));
    }
    if (!symbol || !host.passes_destinations()) {
      functions.emplace_back(name, lowered);
      continue;
    }
    std::string body = name + "_body";
    while (m.functions().find(body)) body += "_";
    functions.emplace_back(body, lowered);
    Value result_type = f->ret_type();
    if (auto* seq = f->body().as<relax::SeqExpr>(); seq && !result_type.is_node()) result_type = seq->body().slot(0);
    entries.emplace_back(name, entry_of(self, lowered.to<tir::PrimFunc>(), body, *symbol, result_type));
    bodies[name] = body;
  }
  if (!changed) return m;
  // Inside the module, public functions are called by destination passing: calls go to the bodies.
  for (auto& [name, f] : functions) {
    f = b.rewrite(f, [&](const Node&, const Node& n) -> Value {
      auto* g = n.as<ir::GlobalVar>();
      auto it = g ? bodies.find(g->name()) : bodies.end();
      return it == bodies.end() ? Value() : Value(b.make<ir::GlobalVar>({g->type(), b.string(it->second)}));
    });
  }
  functions.insert(functions.end(), entries.begin(), entries.end());
  return b.with(m, ir::Module::Slot::functions, Value(b.map(functions)));
}

}  // namespace tenon::graph
