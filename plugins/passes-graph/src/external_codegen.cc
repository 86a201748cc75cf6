// Functions with the attribute `codegen` are compiled by the code generator of that id. What it makes is attached to
// the module, and calls of the functions become calls of external functions in destination-passing style.
//
//   y = cls.conv2d_relu(x, w)   ->   y = R.call_dps_packed("conv2d_relu", (x, w), out_ty=R.Tensor(...))
//
// and the module has a payload {codegen, format, bytes, exports: {"conv2d_relu": SYMBOL}, ...}. All functions of one
// code generator go into one payload.
#include <tenon/ext/codegen.h>

#include <algorithm>
#include <map>
#include <set>

#include "passes.h"

namespace tenon::graph {
namespace {

class ExternalCodegen {
 public:
  ExternalCodegen(PassesGraph& self, const PassArgs& args, const Node& module)
      : self_(self), args_(args), b_(self.builder()), module_(module.to<ir::Module>()) {}

  Value run() {
    for (const Map::Entry& e : module_.functions()) collect(std::string(e.key()), as_node(e.value()));
    if (groups_.empty()) return module_;
    check_names();
    std::vector<Value> payloads(module_.payloads().begin(), module_.payloads().end());
    for (const auto& [codegen, names] : groups_) payloads.push_back(generate(codegen, names));
    Builder::Entries functions;
    for (const Map::Entry& e : module_.functions())
      if (!handed_over_.contains(e.key()))
        functions.emplace_back(std::string(e.key()), with_external_calls(std::string(e.key()), as_node(e.value())));
    Value made = b_.with(module_, ir::Module::Slot::functions, Value(b_.map(functions)));
    return b_.with(as_node(made), ir::Module::Slot::payloads, Value(b_.array(payloads)));
  }

 private:
  void collect(const std::string& name, const Node& function) {
    const Map* attrs = nullptr;
    if (auto* f = function.as<relax::Function>()) attrs = &f->attrs();
    if (auto* f = function.as<tir::PrimFunc>()) attrs = &f->attrs();
    const Value* codegen = attrs ? attrs->find("codegen") : nullptr;
    if (!codegen) return;
    if (!codegen->is_string() || codegen->as_string().empty())
      throw Error(TN_ERROR_TYPE, "the attribute 'codegen' of the function '" + name + "' is no text", where(function),
                  "it is the id of a plugin");
    if (!function.is<relax::Function>())
      throw Error(
          TN_ERROR_UNSUPPORTED,
          "the loop function '" + name + "' asks for the code generator '" + std::string(codegen->as_string()) + "'",
          where(function), "graph functions are handed over; leave the attribute out");
    if (attrs->find("global_symbol"))
      throw Error(
          TN_ERROR_UNSUPPORTED,
          "the public function '" + name + "' asks for the code generator '" + std::string(codegen->as_string()) + "'",
          where(function), "private functions are handed over; let a public one call it");
    groups_[std::string(codegen->as_string())].push_back(name);
    handed_over_.insert(name);
  }

  // The functions get their names as external functions, which nothing else may have.
  void check_names() const {
    std::map<std::string, std::string, std::less<>> taken;
    for (const Value& p : module_.payloads()) {
      const Value* exports = p.is_map() ? p.ref<Map>().find("exports") : nullptr;
      if (exports && exports->is_map())
        for (const Map::Entry& e : exports->ref<Map>()) taken.emplace(e.key(), "a payload of the module implements");
    }
    b_.walk(Value(module_), [&](const Node& n) {
      if (auto* e = n.as<ir::ExternFunc>()) taken.emplace(e->symbol(), "the module calls");
      auto* call = n.as<ir::Call>();
      if (call && op_of(n) == "tir.call_packed" && call->args().size() > 0)
        if (auto* s = nodes(call->args())[0].as<ir::StringImm>()) taken.emplace(s->value(), "the module calls");
    });
    for (const std::string& name : handed_over_)
      if (auto it = taken.find(name); it != taken.end())
        throw Error(TN_ERROR_DUPLICATE,
                    "the function '" + name + "' cannot become an external function: " + it->second +
                        " another one of this name",
                    where(as_node(*module_.functions().find(name))), "give the function another name");
  }

  // The functions, public under their own names, with what they call.
  Node module_of(const std::vector<std::string>& names) const {
    std::set<std::string, std::less<>> reached(names.begin(), names.end());
    std::vector<std::string> work = names;
    Builder::Entries functions;
    while (!work.empty()) {
      std::string name = std::move(work.back());
      work.pop_back();
      const Value* f = module_.functions().find(name);
      if (!f) continue;
      Value kept = *f;
      if (auto* graph = as_node(kept).as<relax::Function>();
          graph && std::find(names.begin(), names.end(), name) != names.end())
        kept = b_.with(*graph, relax::Function::Slot::attrs,
                       Value(b_.with(graph->attrs(), "global_symbol", b_.string(name))));
      functions.emplace_back(name, kept);
      b_.walk(*f, [&](const Node& n) {
        auto* g = n.as<ir::GlobalVar>();
        if (g && reached.insert(std::string(g->name())).second) work.emplace_back(g->name());
      });
    }
    return b_.make<ir::Module>({b_.map_value(module_.attrs()), b_.map({}), b_.map(functions), b_.array({})});
  }

  Value generate(const std::string& codegen, const std::vector<std::string>& names) const {
    const Value* all = args_.options.find("codegen_options");
    const Value* own = all && all->is_map() ? all->ref<Map>().find(codegen) : nullptr;
    Value options = own ? *own : Value(b_.map({}));
    if (!options.is_map())
      throw Error(TN_ERROR_TYPE, "the options for '" + codegen + "' are no map", {},
                  "write codegen_options: {" + codegen + ": {...}}");
    Node module = module_of(names);
    try {
      return self_.service<TnHostCodegen>().call<&TnHostCodegen::generate>(codegen.c_str(), module.get(),
                                                                           options.ptr());
    } catch (const Error& e) {
      std::string list;
      for (const std::string& n : names) list += (list.empty() ? "'" : ", '") + n + "'";
      Error named(e.code, "for " + list + ": " + e.message, e.where, e.hint);
      named.cause = e.cause;
      throw named;
    }
  }

  Node with_external_calls(const std::string& name, const Node& function) const {
    bool is_loop = function.is<tir::PrimFunc>();
    Value made = b_.rewrite(Value(function), [&](const Node&, const Node& n) -> Value {
      auto* call = n.as<ir::Call>();
      auto* callee = call ? call->op().as<ir::GlobalVar>() : nullptr;
      if (!callee || !handed_over_.contains(callee->name())) return {};
      return is_loop ? packed_call(*call, callee->name()) : external_call(*call, callee->name());
    });
    b_.walk(made, [&](const Node& n) {
      auto* g = n.as<ir::GlobalVar>();
      if (g && handed_over_.contains(g->name()))
        throw Error(TN_ERROR_UNSUPPORTED,
                    "the function '" + std::string(g->name()) + "' is used as a value in '" + name + "'", where(n),
                    "what is handed to a code generator can only be called");
    });
    return as_node(made);
  }

  Value external_call(const ir::Call& call, std::string_view name) const {
    if (!call.type().is_node())
      throw Error(TN_ERROR_TYPE, "the type of a call of '" + std::string(name) + "' is not known", where(call),
                  "run passes-graph:normalize first");
    std::vector<Value> types;
    for (const Node& a : nodes(call.args())) types.push_back(a.slot(0));
    Node args = b_.make<relax::Tuple>({b_.make<relax::TupleType>({b_.array(types)}), Value(call.args())});
    Node callee = b_.make<ir::ExternFunc>({Value(), b_.string(name), b_.map({})});
    auto* fields = as_node(call.type()).as<relax::TupleType>();
    return b_.make<ir::Call>(
        {call.type(), b_.make<ir::Op>({Value(), "relax.call_dps_packed"}), b_.array({callee, args}), b_.map({}),
         fields ? Value(fields->fields()) : Value(b_.array({call.type()}))},
        call.span());
  }

  Value packed_call(const ir::Call& call, std::string_view name) const {
    std::vector<Value> args{b_.make<ir::StringImm>({Value(), b_.string(name)})};
    for (const Value& a : call.args()) args.push_back(a);
    return b_.make<ir::Call>(
        {kInt32, b_.make<ir::Op>({Value(), "tir.call_packed"}), b_.array(args), b_.map({}), b_.array({})}, call.span());
  }

  PassesGraph& self_;
  const PassArgs& args_;
  const Builder& b_;
  ir::Module module_;
  std::map<std::string, std::vector<std::string>> groups_;  // code generator -> its functions
  std::set<std::string, std::less<>> handed_over_;
};

}  // namespace

Value external_codegen(PassesGraph& self, const PassArgs& args, const Node& module) {
  return ExternalCodegen(self, args, module).run();
}

}  // namespace tenon::graph
