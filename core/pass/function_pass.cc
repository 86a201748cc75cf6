#include "pass/function_pass.h"

#include <map>
#include <set>

namespace tenon {

namespace {

constexpr uint32_t kFunctionKinds[] = {TN_KIND_tir_PrimFunc, TN_KIND_relax_Function, TN_KIND_ir_ExternFunc};

bool is_function(const Node& n) {
  for (uint32_t kind : kFunctionKinds)
    if (n.kind() == kind) return true;
  return false;
}

class FunctionMapper {
 public:
  FunctionMapper(const Builder& b, const PassInfo& pass, const Node& module) : b_(b), pass_(pass), module_(module) {
    for (const Map::Entry& e : module_.to<ir::Module>().functions()) taken_.insert(std::string(e.key()));
  }

  Node run(const RunOnFunction& run) {
    struct Task {
      std::string name;
      Node function;
      Value result;
      std::exception_ptr failure;
    };
    std::vector<Task> tasks;
    for (const Map::Entry& e : module_.to<ir::Module>().functions())
      if (is_of_level(pass_.level, as_node(e.value())))
        tasks.push_back({std::string(e.key()), as_node(e.value()), {}, {}});
    auto one = [&](Task& t) noexcept {
      try {
        t.result = run(t.name, t.function);
      } catch (...) { t.failure = std::current_exception(); }
    };
    if (pass_.concurrent && tasks.size() > 1) {
      struct Shared {
        std::vector<Task>* tasks;
        decltype(one)* run_one;
      } shared{&tasks, &one};
      call([&](TnValue* ret) {
        return b_.runtime()->parallel_for(
            [](void* data, int32_t index, int32_t, TnValue*) -> int {
              auto* s = static_cast<Shared*>(data);
              (*s->run_one)((*s->tasks)[static_cast<size_t>(index)]);
              return 0;
            },
            &shared, static_cast<int32_t>(tasks.size()), ret);
      });
    } else {
      for (Task& t : tasks) {
        one(t);
        if (t.failure) break;
      }
    }
    for (Task& t : tasks) {
      if (t.failure) std::rethrow_exception(t.failure);
      accept(t.name, t.function, t.result);
    }
    if (changed_.empty()) return module_;
    const Map& old = module_.to<ir::Module>().functions();
    Builder::Entries functions;
    for (const Map::Entry& e : old)
      if (!changed_.contains(std::string(e.key()))) functions.emplace_back(std::string(e.key()), e.value());
    for (auto& [name, function] : changed_) functions.emplace_back(name, function);
    return b_.with(module_, ir::ModuleSlot::functions, b_.map(functions));
  }

 private:
  Error bug(const std::string& function, const std::string& what) const {
    return Error(TN_ERROR_PLUGIN, "function '" + function + "': it " + what, {},
                 "this is a bug of the plugin '" + pass_.plugin + "'");
  }

  void accept(const std::string& name, const Node& before, const Value& result) {
    Value first = result;
    Map made;
    if (result.is_array()) {
      const Array& pair = result.ref<Array>();
      if (pair.size() != 2 || !pair[1].is_map())
        throw bug(name, "returned an array that is not {function, map of new functions}");
      first = pair[0];
      made = pair[1].ref<Map>();
    }
    if (!first.is_node() || as_node(first).kind() != before.kind())
      throw bug(name, "returned " + kind_text(b_, first) + " where " + kind_text(b_, before) + " is due");
    Node after = as_node(first);
    if (made.empty()) {
      if (!after.same_as(before)) changed_.insert_or_assign(name, after);
      return;
    }
    std::map<std::string, std::string, std::less<>> renamed;
    std::map<std::string, Node> added;
    for (const Map::Entry& e : made) {
      if (!e.value().is_node() || !is_function(as_node(e.value())))
        throw bug(name, "returned " + kind_text(b_, e.value()) + " as the new function '" + std::string(e.key()) + "'");
      std::string hint(e.key());
      if (taken_.contains(hint) && refers_to(before, hint))
        throw bug(name, "makes a new function '" + hint + "', and the function already refers to another of that name");
      std::string unique = unique_name(hint);
      renamed.emplace(hint, unique);
      added.emplace(unique, as_node(e.value()));
    }
    changed_.insert_or_assign(name, rename(after, renamed));
    for (auto& [unique, function] : added) changed_.insert_or_assign(unique, rename(function, renamed));
  }

  std::string unique_name(const std::string& hint) {
    std::string name = hint;
    for (int i = 1; !taken_.insert(name).second; ++i) name = hint + "_" + std::to_string(i);
    return name;
  }

  bool refers_to(const Node& function, const std::string& name) const {
    bool found = false;
    b_.walk(function, [&](const Node& n) {
      if (const auto* g = n.as<ir::GlobalVar>()) found = found || g->name() == name;
    });
    return found;
  }

  Node rename(const Node& function, const std::map<std::string, std::string, std::less<>>& names) const {
    bool same = true;
    for (const auto& [hint, unique] : names) same = same && hint == unique;
    if (same) return function;
    Value renamed = b_.rewrite(function, [&](const Node&, const Node& n) -> Value {
      const auto* g = n.as<ir::GlobalVar>();
      auto it = g ? names.find(g->name()) : names.end();
      if (it == names.end() || it->first == it->second) return Value();
      return b_.with(n, ir::GlobalVarSlot::name, b_.string(it->second));
    });
    return as_node(renamed);
  }

  const Builder& b_;
  const PassInfo& pass_;
  const Node& module_;
  std::set<std::string> taken_;
  std::map<std::string, Node> changed_;
};

}  // namespace

std::string kind_text(const Builder& b, const Value& v) {
  if (!v.is_node()) return value_kind(v);
  const TnKindSchema* schema = b.ir()->schema(b.ir()->self, as_node(v).kind());
  return schema ? schema->id : "a node of an unknown kind";
}

bool is_of_level(Level level, const Node& function) {
  switch (level) {
    case Level::kModule: return false;
    case Level::kLoop: return function.is<tir::PrimFunc>();
    case Level::kGraph: return function.is<relax::Function>();
  }
  return false;
}

Node map_functions(const Builder& b, const PassInfo& pass, const Node& module, const RunOnFunction& run) {
  return FunctionMapper(b, pass, module).run(run);
}

}  // namespace tenon
